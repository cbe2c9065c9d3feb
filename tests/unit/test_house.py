"""The structure of the code is counted as the notes say, on a drawn checkout whose figures are known."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import benchmarks
from benchmarks.house import (
    PHOTOS,
    TO_BATCH,
    TO_RECORD,
    Call,
    House,
    Walk,
    as_markdown,
    holds,
    journeys,
    layers_of,
    structure,
    trace,
)

ROOT = Path(__file__).parents[2]
FILES = {
    ".importlinter": """\
[importlinter:contract:layers]
type = layers
layers =
    cli
    engine
    plan | errors
containers =
    imgcls
""",
    "imgcls/__init__.py": '"""The package."""\n',
    "imgcls/cli.py": '''\
"""The command line."""

import sys

from imgcls.engine import run
from imgcls.plan import Plan


def main() -> int:
    """Run the command.

    Returns:
        The exit code.
    """
    # a comment
    name, lr = sys.argv[1:]
    run(Plan(name, float(lr)), lambda text: _shown(text))
    return 0 if name != "bad" else 3


def _shown(text: str) -> None:
    print(text)
''',
    "imgcls/engine/__init__.py": "from .train import run as run\n",
    "imgcls/engine/train.py": '''\
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .. import errors
from . import loop

if TYPE_CHECKING:
    from imgcls.plan import Plan


def run(plan: Plan, tell):
    """Train."""
    rows = [errors.checked(number) for number in range(3)]
    loop.epochs((row for row in rows), _double(2), plan)
    draft = Path("draft")
    draft.mkdir()
    (draft / "run.json").touch()
    draft.rename("record")
    tell("done")


def _double(number):
    """Return twice a number."""

    return _twice(number)


def _twice(number):
    """Return it, at last.

    In a text of its own.
    """
    return 2 * number


def _never():
    ...
''',
    "imgcls/engine/loop.py": """\
from imgcls import errors


def epochs(rows, n, plan):
    for row in rows:
        errors.checked(row)
    plan.is_good()
""",
    "imgcls/plan.py": '''\
"""The plan."""


def _at_import() -> str:
    return "constant"


NAME = _at_import()
"""A docstring of an attribute."""


class Plan:
    __slots__ = ("name", "_lr")

    def __init__(self, name: str, lr: float) -> None:
        self.name, self._lr = name, lr

    def is_good(self) -> bool:
        return self._checked()

    def _checked(self) -> bool:
        return bool(self.name)
''',
    "imgcls/errors.py": "def checked(value):\n    return value\n",
    "recipes/__init__.py": "def tta(plan):\n    return plan\n",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Draw a checkout."""
    for name, text in FILES.items():
        path = tmp_path / "drawn" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "drawn"


def test_files_are_counted(checkout: Path) -> None:
    found = vars(structure(checkout / "imgcls", "imgcls"))
    assert found == {
        "files": 7,
        "code_lines": 0 + 9 + 1 + 21 + 5 + 11 + 2,
        "file_lines_median": 7,
        "file_lines_p95": 39,
        "files_below_100": 7,
        "function_lines_median": 2,
        "function_lines_p95": 8,
        "import_edges": 7,  # cli → engine, plan; engine → train; train → errors, loop, plan; loop → errors
        "one_importer": 2,  # train, loop; engine is a package
        "private": 6,
        "private_once": 5,
        "private_once_short": 4,  # _twice is long with its docstring
        "module_private": 5,
        "module_private_once": 4,
    }


def test_a_walk_goes_up_by_layer_and_into_what_waits() -> None:
    layers = [frozenset({"cli"}), frozenset({"engine"}), frozenset({"plan", "errors"})]
    engine, loop, plan, recipe = "imgcls/engine/train.py", "imgcls/engine/loop.py", "imgcls/plan.py", "recipes/tta.py"
    calls = [
        Call(None, "imgcls/cli.py", "main", False, ()),
        Call("imgcls/cli.py", engine, "run", False, ()),
        Call(engine, engine, "_own", False, ()),
        Call(engine, plan, "read", False, ()),
        Call(engine, plan, "read", False, ("marked",)),  # no new crossing, no new entry
        Call(engine, plan, "write", False, ()),  # an entry
        Call(plan, "imgcls/errors.py", "checked", False, ()),  # one layer
        Call("imgcls/errors.py", "imgcls/cli.py", "tell", False, ()),  # up
        Call(engine, loop, "epochs", False, ()),
        Call(loop, engine, "_own", True, ()),  # waits
        Call(plan, recipe, "tta", False, ()),  # without a layer
        Call(recipe, "imgcls/cli.py", "tell", False, ()),
    ]
    walk = Walk.of(calls, layers)
    assert walk.files == ("imgcls/cli.py", engine, plan, "imgcls/errors.py", loop, recipe)
    assert (walk.functions, walk.crossings, walk.entries, walk.again) == (9, 8, 9, 3)
    assert walk.climbs == (("imgcls/errors.py", "imgcls/cli.py"), (loop, engine))


def test_a_command_is_followed(checkout: Path) -> None:
    ran = trace(checkout, ["marked name", "0.0731"], {"name": "marked", "lr": "0.0731"})
    cli, train, loop = "imgcls/cli.py", "imgcls/engine/train.py", "imgcls/engine/loop.py"
    plan, errors, both = "imgcls/plan.py", "imgcls/errors.py", ("name", "lr")
    before_the_record = [
        Call(None, cli, "main", False, ()),
        Call(cli, plan, "Plan.__init__", False, both),
        Call(cli, train, "run", False, both),
        Call(train, errors, "checked", False, ()),
        Call(train, train, "_double", False, ()),
        Call(train, train, "_twice", False, ()),
        Call(train, loop, "epochs", False, both),
        Call(loop, errors, "checked", False, ()),
        Call(loop, plan, "Plan.is_good", False, both),
        Call(plan, plan, "Plan._checked", False, both),
    ]
    assert list(ran.until("record")) == before_the_record
    told = [Call(train, cli, "main.<locals>.<lambda>", True, ()), Call(cli, cli, "_shown", False, ())]
    assert list(ran.until("output")) == [*before_the_record, *told]
    assert Walk.of(ran.calls, layers_of(checkout)).climbs == ((train, cli),)
    with pytest.raises(RuntimeError, match="before there was a batch; it reached"):
        ran.until("batch")


def test_a_command_that_fails_is_no_journey(checkout: Path) -> None:
    with pytest.raises(RuntimeError, match=r"imgcls bad 1 of .*drawn failed"):
        trace(checkout, ["bad", "1"], {})


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("about 0.0731 in all", True),
        (Path("0.0731"), True),
        (0.0731, True),
        (0.000731, True),
        (0.073, False),
        ({"a": [("b", 0.0731)]}, True),
        ([0.0] * 8 + [0.0731], False),
        (object(), False),
        (float("nan"), False),
    ],
)
def test_what_holds_a_marked_value(value: Any, found: bool) -> None:
    assert holds(value, "0.0731") is found


def test_checkouts_stand_side_by_side(checkout: Path) -> None:
    asked = ["house", "--no-journeys", "--root", str(checkout), "--root", str(ROOT)]
    table = CliRunner().invoke(benchmarks, asked, catch_exceptions=False).output.splitlines()
    assert table[0] == f"| | drawn | {ROOT.name} |"
    assert table[2].startswith("| imgcls: files | 7 | ")
    found = json.loads(CliRunner().invoke(benchmarks, [*asked, "--json"], catch_exceptions=False).output)
    assert found["drawn"]["imgcls"]["import_edges"] == 7


def test_what_is_no_checkout_is_refused(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "other" / "drawn").mkdir(parents=True)
    (tmp_path / "other" / "drawn" / ".importlinter").touch()
    no_checkout = CliRunner().invoke(benchmarks, ["house", "--root", str(tmp_path)])
    same_name = CliRunner().invoke(
        benchmarks, ["house", *(f"--root={p}" for p in (checkout, tmp_path / "other/drawn"))]
    )
    assert (no_checkout.exit_code, same_name.exit_code) == (2, 2)
    assert "No checkout of imgcls" in no_checkout.output
    assert "Two checkouts have folders of one name" in same_name.output


def test_a_checkout_without_layers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="names no layers"):
        layers_of(tmp_path)


@pytest.mark.train
def test_stack_and_data_arrive() -> None:
    found = dict(islice(journeys(ROOT), 2))
    (stack, with_stack), (data, with_data) = found[TO_RECORD], found[TO_BATCH]
    assert set(data.files) < set(stack.files)
    assert "recipes/label_smoothing.py" in with_stack.files
    assert "imgcls/data/samples.py" in with_data.files
    assert "imgcls/data/samples.py" not in with_stack.files
    assert "recipes/label_smoothing.py" not in with_data.files
    assert PHOTOS not in as_markdown({"one": House({}, found)})
