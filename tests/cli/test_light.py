"""Commands that a person types in passing: quick, light, and right about what is misspelled."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

LIGHT = [
    ["--help"],
    ["recipe", "list"],
    ["recipe", "show", "tta"],
    ["runs", "list"],
    ["runs", "list", "--json"],
    ["checklist"],
    ["eda", "undo"],
]
COMMANDS = [
    [],
    ["cache"],
    ["cache", "show"],
    ["cache", "clear"],
    ["checklist"],
    ["checklist", "skip"],
    ["checklist", "unskip"],
    ["compare"],
    ["doctor"],
    ["eda"],
    ["eda", "look"],
    ["eda", "apply"],
    ["eda", "undo"],
    ["eda", "keep"],
    ["eda", "augment"],
    ["predict"],
    ["recipe"],
    ["recipe", "list"],
    ["recipe", "show"],
    ["recipe", "copy"],
    ["recipe", "run"],
    ["report"],
    ["runs"],
    ["runs", "list"],
    ["runs", "show"],
    ["runs", "rm"],
    ["runs", "views"],
]


@pytest.mark.parametrize("command", LIGHT, ids=" ".join)
def test_light_commands_load_neither_torch_nor_pandas(command: list[str]) -> None:
    code = (
        "import sys\n"
        "from imgcls.cli.app import _run\n"
        f"code = _run({command!r})\n"
        "heavy = {'torch', 'pandas', 'fastai', 'timm', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "print('LOADED', sorted(heavy), file=sys.stderr)\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "LOADED []" in done.stderr


def test_light_commands_cost_little_more_than_importing_click_and_rich() -> None:
    bare = ["-c", "import click, rich.console, rich.table, importlib.metadata"]
    light = ["-m", "imgcls", "recipe", "list"]

    def seconds(command: list[str]) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, *command], capture_output=True, check=True, timeout=60)
        return time.perf_counter() - began

    times = [(seconds(bare), seconds(light)) for _ in range(5)]
    fastest_bare, fastest_light = (min(column) for column in zip(*times, strict=True))
    assert fastest_light < 3.5 * fastest_bare


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_explains_itself(imgcls, command, flag) -> None:
    result = imgcls(*command, flag)
    assert result.code == 0
    assert result.out.startswith("Usage: imgcls")
    assert result.err == ""


def test_version(imgcls) -> None:
    from imgcls._version import __version__

    assert imgcls("--version").out == f"imgcls, version {__version__}\n"


def test_a_misspelled_command_names_the_nearest(imgcls) -> None:
    result = imgcls("recipes")
    assert result.code == 2
    assert "Did you mean 'recipe'" in result.err


@pytest.mark.parametrize(
    ("stack", "said"),
    [
        ("baselin", "Did you mean 'baseline'"),
        ("baseline+tta", "use tta_flips"),
        ("baseline+cosine+one_cycle", "both set schedule.name"),
        ("baseline+label_smoothing:smothing=1", "its knobs are smoothing"),
        ("label_smoothing", "A stack begins with a base"),
        ("baseline+./mine.py", "There is no recipe file"),
    ],
)
def test_a_wrong_stack_is_refused_before_torch_is_loaded(imgcls, stack, said) -> None:
    result = imgcls("recipe", "run", stack)
    assert result.code == 2
    assert result.err.startswith("Error: ")
    assert said in result.err
    assert result.out == ""


def test_an_error_is_json_too_when_json_is_asked_for(imgcls) -> None:
    result = imgcls("recipe", "run", "baselin", "--json")
    error = json.loads(result.out)["error"]
    assert (result.code, error["exit_code"], error["type"]) == (2, 2, "StackError")


@pytest.mark.parametrize("value", ["nan", "0", "1", "2"])
def test_a_share_outside_its_range_is_refused(imgcls, value) -> None:
    assert imgcls("recipe", "run", "baseline", "--valid", value).code == 2


@pytest.mark.parametrize(
    ("set_", "said"),
    [
        ("fit.epoch=3", "Did you mean 'fit.epochs'"),
        ("fit.epochs", "write PATH=VALUE"),
        ("fit.epochs=none", "has to be a whole number"),
        ("loss.smoothing=1", "has to be in [0, 1)"),
    ],
)
def test_set_is_checked(imgcls, set_, said) -> None:
    result = imgcls("recipe", "run", "baseline", "--set", set_)
    assert result.code == 2
    assert said in result.err


def test_a_path_set_by_a_flag_and_by_set_is_refused(imgcls) -> None:
    result = imgcls("recipe", "run", "baseline", "--epochs", "2", "--set", "fit.epochs=3")
    assert result.code == 2
    assert "fit.epochs is set by a flag and by --set" in result.err


def test_a_usage_error_is_json_too(imgcls) -> None:
    error = json.loads(imgcls("recipe", "run", "baseline", "--valid", "2", "--json").out)["error"]
    assert error["exit_code"] == 2
    assert "--valid" in error["message"]


def test_a_broken_installed_recipe_breaks_only_itself(imgcls, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    from imgcls import catalog

    broken = EntryPoint("broken", "no_such_module_at_all", "imgcls.recipes")
    monkeypatch.setattr(
        catalog, "entry_points", lambda **wanted: [broken] if wanted.get("name") in (None, "broken") else []
    )
    assert imgcls("recipe", "list").code == 0
    result = imgcls("recipe", "run", "baseline+broken")
    assert result.code == 2
    assert "cannot be imported" in result.err


def test_recipe_list_as_json_has_every_card(imgcls) -> None:
    recipes = json.loads(imgcls("recipe", "list", "--json").out)["recipes"]
    assert {"baseline", "augmentation", "tta"} <= {entry["name"] for entry in recipes}
    assert all(entry["summary"] and entry["hurts"] and entry["source"] for entry in recipes)


def test_recipe_show_of_a_stack_gives_its_plan(imgcls) -> None:
    shown = json.loads(imgcls("recipe", "show", "baseline+label_smoothing:smoothing=0.2", "--json").out)
    assert shown["changes"]["loss.smoothing"] == [0.0, 0.2]
    assert shown["plan"]["model"]["name"] == "tf_efficientnet_lite0"


def test_recipe_show_can_say_what_becomes_of_the_learner(imgcls) -> None:
    shown = json.loads(imgcls("recipe", "show", "baseline+adamw_cosine+freeze_batchnorm", "--learner", "--json").out)
    learner = shown["learner"]
    assert "AdamW" in learner["optimizer"]
    assert learner["schedule"].startswith("cosine, 0.5 epochs of warm-up")
    assert any(entry.startswith("FreezeBatchNorm:") for entry in learner["callbacks"])


def test_a_copied_recipe_can_be_stacked(imgcls, empty_folder: Path) -> None:
    copied = imgcls("recipe", "copy", "label_smoothing", "mine.py")
    assert copied.code == 0
    assert "imgcls recipe run baseline+./mine.py" in copied.out
    assert "def mine(plan: Plan" in Path("mine.py").read_text()
    shown = json.loads(imgcls("recipe", "show", "baseline+./mine.py:smoothing=0.3", "--json").out)
    assert shown["changes"]["loss.smoothing"] == [0.0, 0.3]
    assert imgcls("recipe", "copy", "label_smoothing", "mine.py").code == 2
    assert imgcls("recipe", "copy", "tta", "mine.py", "--force").code == 0
    assert imgcls("recipe", "copy", "tta", "not-a-name.py").code == 2


@pytest.mark.parametrize("columns", ["20", "80", "120"])
def test_tables_fit_the_terminal(process, columns) -> None:
    result = process("recipe", "list", env={"COLUMNS": columns})
    lines = result.out.splitlines()
    assert result.code == 0
    table = lines[: next(place for place, line in enumerate(lines) if line.startswith("Stack them"))]
    assert max(len(line) for line in table) <= max(int(columns), 40)


def test_a_pipe_gets_no_control_bytes(process) -> None:
    result = process("recipe", "list", env={"TERM": "dumb", "NO_COLOR": "1"})
    assert "\x1b" not in result.out + result.err


def test_a_reader_that_leaves_ends_the_command_quietly() -> None:
    command = f"{sys.executable} -m imgcls recipe list --json | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("{", "")


def test_a_terminal_without_unicode_is_no_error(process) -> None:
    result = process(
        "recipe", "show", "label_smoothing", env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    )
    assert result.code == 0
    assert "Traceback" not in result.err


def test_nothing_was_trained_yet(imgcls) -> None:
    assert "Begin with 'imgcls recipe run baseline'" in imgcls("runs", "list").out
    assert json.loads(imgcls("runs", "list", "--json").out)["runs"] == []


def test_a_run_that_does_not_exist(imgcls) -> None:
    result = imgcls("runs", "show", "nothing")
    assert result.code == 2
    assert result.err.startswith("Error: ")


def test_doctor_looks_at_everything(imgcls) -> None:
    result = imgcls("doctor", "--json")
    checks = {entry["name"]: entry for entry in json.loads(result.out)["checks"]}
    assert {"torch", "device", "threads", "weights found offline", "albumentations licence"} <= set(checks)
    assert result.code == (1 if any(entry["state"] == "bad" for entry in checks.values()) else 0)
    assert "Next: imgcls recipe run baseline" in imgcls("doctor").out


def test_doctor_finds_the_package_of_another_licence(imgcls, monkeypatch: pytest.MonkeyPatch) -> None:
    from imgcls.engine import doctor

    real = doctor.version
    monkeypatch.setattr(doctor, "version", lambda name: "2.1.0" if name == "albumentationsx" else real(name))
    result = imgcls("doctor")
    assert result.code == 1
    assert "albumentationsx 2.1.0 (AGPL)" in result.out.replace("\n", " ")
