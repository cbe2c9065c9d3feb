"""The public surface: names, exceptions, documentation, and what an import may cost."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import imgcls
import imgcls.errors
from imgcls.errors import ImgclsError

PACKAGE = Path(imgcls.__file__).parent
RECIPES = PACKAGE.parent / "recipes"
MODULES = sorted([*PACKAGE.rglob("*.py"), *RECIPES.glob("*.py")])
EXCEPTIONS = [found for _, found in inspect.getmembers(imgcls.errors, inspect.isclass) if issubclass(found, Exception)]
PUBLIC_CALLS = [name for name in imgcls.__all__ if name.islower() and not name.startswith("_")]
ENGINE_LIBRARIES = {"torch", "torchvision", "fastai", "timm", "albumentations", "cv2"}


def test_public_names_are_pinned() -> None:
    assert imgcls.__all__ == [
        "Blend",
        "BusyError",
        "Checklist",
        "Classifier",
        "ClimbRecord",
        "Comparison",
        "DataError",
        "DataOptions",
        "DataSource",
        "Decided",
        "Decision",
        "DecodeError",
        "DeviceError",
        "DivergedError",
        "Estimate",
        "Explanation",
        "Facts",
        "Finding",
        "Gain",
        "HeatMap",
        "ImgclsError",
        "ItemState",
        "Judged",
        "LadderResult",
        "Machine",
        "Plan",
        "PlanError",
        "ProblemError",
        "RecordError",
        "RunRecord",
        "RungResult",
        "Stack",
        "StackError",
        "StrictError",
        "Suspects",
        "TrainingError",
        "UsageError",
        "Verdict",
        "WeightsError",
        "WorkspaceError",
        "__version__",
        "apply",
        "blend",
        "checklist",
        "climb",
        "compare",
        "confusion",
        "decide",
        "explain",
        "explore",
        "gain",
        "ladder",
        "learner",
        "load",
        "mistakes",
        "open_run",
        "predict",
        "suspects",
        "train",
        "verdict",
    ]
    assert dir(imgcls) == sorted(imgcls.__all__)


@pytest.mark.parametrize("name", imgcls.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    found = getattr(imgcls, name)
    assert name in ("__version__", "Verdict") or inspect.getdoc(found)  # a text and a list of words have none
    assert not inspect.ismodule(found), f"{name} is the name of a subpackage"


def test_exceptions_are_public() -> None:
    assert {kind.__name__ for kind in EXCEPTIONS} <= set(imgcls.__all__)


@pytest.mark.parametrize("name", PUBLIC_CALLS)
def test_what_a_public_call_returns_is_public(name: str) -> None:
    """Its type can be named, but for those of other libraries."""
    returned = inspect.signature(getattr(imgcls, name)).return_annotation
    assert returned in {*imgcls.__all__, "Learner", "pd.DataFrame"}


@pytest.mark.parametrize("name", PUBLIC_CALLS)
def test_keywords_of_a_public_call_are_typed(name: str) -> None:
    """Whatever a call takes by keyword is known to editors and type checkers: no swallowed keywords."""
    parameters = inspect.signature(getattr(imgcls, name)).parameters.values()
    swallowing = [entry.annotation for entry in parameters if entry.kind is entry.VAR_KEYWORD]
    assert swallowing == (["Unpack[DataOptions]"] if name in ("climb", "explore", "ladder", "learner", "train") else [])


def test_a_type_checker_refuses_an_option_that_does_not_exist(tmp_path: Path) -> None:
    api = pytest.importorskip("mypy.api")
    snippet = tmp_path / "snippet.py"
    snippet.write_text(
        "from typing import Unpack\n"
        "from imgcls.data.source import DataOptions\n"
        "def call(**options: Unpack[DataOptions]) -> None: ...\n"
        "call(images='photos', label=['a', 'b'], split_seed=1, verify=True)\n"
        "call(imags='photos')\n"
        "call(split_seed='one')\n",
        encoding="utf-8",
    )
    options = ["--follow-imports=skip", "--config-file=", f"--cache-dir={tmp_path / 'cache'}", "--no-error-summary"]
    told, _, _ = api.run([*options, str(PACKAGE / "data" / "source.py"), str(snippet)])
    found = [line for line in told.splitlines() if "snippet.py" in line and ": error:" in line]
    assert [line.partition("snippet.py:")[2].partition(":")[0] for line in found] == ["5", "6"], told


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'fit'"):
        imgcls.fit  # noqa: B018 - reading it is the point


@pytest.mark.parametrize("kind", EXCEPTIONS, ids=lambda kind: kind.__name__)
def test_every_exception_has_one_root_and_stands_in_the_tree(kind: type[ImgclsError]) -> None:
    assert issubclass(kind, ImgclsError)
    assert kind.__doc__
    line = next(line for line in (imgcls.errors.__doc__ or "").splitlines() if f" {kind.__name__} " in f"{line} ")
    if kind.exit_code != kind.__mro__[1].__dict__.get("exit_code"):
        assert f"exit {kind.exit_code}" in line or kind.exit_code == 2


def test_several_problems_become_one_message() -> None:
    assert str(ImgclsError.together(["one"], heading="unused")) == "one"
    assert str(ImgclsError.together(["one", "two"], heading="Both:")) == "Both:\n  - one\n  - two"
    assert str(ImgclsError.together(["one", "two"])).startswith("2 problems:")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE.parent)))
def test_every_module_is_documented_and_imports_no_stars(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert [node.module for node in imports if any(alias.name == "*" for alias in node.names)] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE.parent)))
def test_every_field_of_a_dataclass_is_documented(path: Path) -> None:
    missing = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ClassDef) or not any("dataclass" in ast.dump(made) for made in node.decorator_list):
            continue
        if node.name.startswith("_"):
            continue
        for place, entry in enumerate(node.body):
            if isinstance(entry, ast.AnnAssign) and isinstance(entry.target, ast.Name):
                after = node.body[place + 1] if place + 1 < len(node.body) else None
                is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                missing += [] if is_text or entry.target.id.startswith("_") else [f"{node.name}.{entry.target.id}"]
    assert missing == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE.parent)))
def test_only_the_engine_imports_its_libraries(path: Path) -> None:
    if PACKAGE / "engine" in path.parents:
        return
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        found |= {name.partition(".")[0] for name in names}
    # colours of 16 bits are decoded by OpenCV, which is imported only where data with such a stretch hold them
    allowed = {"cv2"} if path == PACKAGE / "data" / "decode.py" else set()
    assert found & ENGINE_LIBRARIES == allowed


def loaded_by(code: str) -> set[str]:
    """Return the top-level packages that a fresh interpreter holds after some code."""
    told = f"{code}\nimport json, sys; print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True, timeout=120)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("module", ["imgcls", "imgcls.errors", "imgcls.plan", "imgcls.catalog", "imgcls.workspace"])
def test_a_light_module_loads_no_heavy_library(module: str) -> None:
    heavy = ENGINE_LIBRARIES | {"numpy", "pandas", "pyarrow", "scipy", "sklearn", "matplotlib", "rich"}
    assert loaded_by(f"import {module}") & heavy == set()


def test_the_plan_and_the_stack_are_public_without_torch_and_pandas() -> None:
    loaded = loaded_by("import imgcls; imgcls.Stack.parse('baseline').plan == imgcls.Plan()")
    assert loaded & {"torch", "pandas", "numpy"} == set()


def test_the_version_is_that_of_the_distribution() -> None:
    assert imgcls.__version__ == importlib.metadata.version("imgcls")
