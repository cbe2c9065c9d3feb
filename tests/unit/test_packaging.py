"""What is installed is what lies in the tree, and it works away from the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def declared() -> set[str]:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    return set(setup["options"]["packages"].split())


def test_every_package_of_the_tree_is_declared() -> None:
    inits = (ROOT / "imgcls").rglob("__init__.py")
    in_tree = {".".join(init.parent.relative_to(ROOT).parts) for init in inits}
    assert declared() == in_tree | {"imgcls_recipes"}


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


def _copy_tree(target: Path) -> None:
    """Copy what a wheel is made of, so that building leaves nothing in the tree and finds nothing old there."""
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in ("imgcls", "recipes"):
        shutil.copytree(ROOT / folder, target / folder, ignore=ignored)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, target)


def _modules(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.py")}


def _output(*arguments: str, cwd: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout
