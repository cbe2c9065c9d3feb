"""What programs read: the names in every `--json`, and in every file that a workspace holds."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.train, pytest.mark.timeout(900)]  # a whole problem, with the network that EDA looks through

SMALL = "--model simple_cnn --weights none --size 16 --epochs 1 --batch-size 8 --device cpu"
CLIMB = "baseline+label_smoothing+tta_flips"
JOURNEY = {
    "init": "init ../photos",
    "eda": "eda",
    "eda apply": "eda apply",
    "eda undo": "eda undo broken",
    "eda keep": "eda keep broken --why drawn",
    "eda augment": "eda augment baseline+augmentation --size 16",
    "recipe list": "recipe list",
    "recipe run": f"recipe run baseline {SMALL}",
    "recipe run, reused": f"recipe run baseline {SMALL}",
    "recipe run --again": f"recipe run baseline {SMALL} --again",
    "recipe run --folds": f"recipe run baseline {SMALL} --folds 2",
    "ladder run": f"ladder run {CLIMB} {SMALL} --seeds 2 --name up",
    "ladder ablate": f"ladder ablate baseline+label_smoothing {SMALL} --seeds 1 --name out",
    "ladder list": "ladder list",
    "ladder status": "ladder status up",
    "ladder show": "ladder show up",
    "ladder final": "ladder final up",
    "recipe show": "recipe show label_smoothing",
    "recipe show --learner": "recipe show baseline+augmentation+adamw_cosine --learner",
    "compare": "compare baseline baseline+label_smoothing",
    "runs list": "runs list",
    "runs show": "runs show baseline-s0-oof2 --verify",
    "predict": "predict baseline+label_smoothing+tta_flips-s0 ../photos/test",
    "report": "report up",
    "submit": "submit",
    "checklist": "checklist",
    "cache show": "cache show",
    "doctor": "doctor",
}
REFUSED = {
    "a wrong stack": ("recipe run baselin", "StackError"),
    "a wrong option": ("recipe run baseline --valid 2", "BadParameter"),
    "no data": ("recipe run baseline --data nowhere", "DataError"),
    "no run": ("runs show nothing", "RecordError"),
    "no ladder": ("ladder show nothing", "RecordError"),
}


def forms_in(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield where every object of a JSON value stands, and each of its names; `[]` is any place of a list."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield place, name
            yield from forms_in(part, f"{place}.{name}".lstrip("."))
    elif isinstance(value, list):
        for part in value:
            yield from forms_in(part, f"{place}[]")


def form_of(value: Any) -> dict[str, str]:
    """Collect the names of every object of a JSON value, by where it stands."""
    found: dict[str, set[str]] = {}
    for place, name in forms_in(value):
        found.setdefault(place, set()).add(name)
    return {place: " ".join(sorted(names)) for place, names in sorted(found.items())}


def form_of_file(path: Path) -> dict[str, str]:
    """Collect what a file of text names; nothing of other files."""
    if path.suffix not in (".json", ".jsonl", ".toml", ".csv"):
        return {}
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".csv":
        return {"": text.splitlines()[0]}
    if path.suffix == ".jsonl":
        return form_of([json.loads(line) for line in text.splitlines()])
    return form_of(json.loads(text) if path.suffix == ".json" else tomllib.loads(text))


@pytest.fixture(scope="module")
def walked(
    command: Callable[..., Any], fixed_photos: Path, tmp_path_factory: pytest.TempPathFactory, one_thread: None
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Go through a whole problem with every command that speaks JSON, and keep where it was and what was said."""
    folder = tmp_path_factory.mktemp("walked")
    (folder / "photos").symlink_to(fixed_photos)
    (folder / "work").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMGCLS_CACHE", str(folder / "cache"))
        patch.chdir(folder / "work")
        yield folder / "work", {name: command(*said.split(), "--json") for name, said in JOURNEY.items()}


@pytest.mark.parametrize("name", JOURNEY)
def test_a_command_says_what_it_said(snapshot, walked: tuple[Path, dict[str, Any]], name: str) -> None:
    said = walked[1][name]
    assert said.code == 0, said.err
    assert form_of(said.json) == snapshot


def test_a_workspace_holds_what_it_held(snapshot, walked: tuple[Path, dict[str, Any]]) -> None:
    """What stands for a key or a digest in a name is x, so that files of one kind stand together."""
    held: dict[str, list[dict[str, str]]] = {}
    for path in sorted(walked[0].rglob("*")):
        place = re.sub(r"\b[0-9a-f]{8,64}\b", "x", path.relative_to(walked[0]).as_posix())
        if path.is_file() and (form := form_of_file(path)) not in held.setdefault(place, []):
            held[place].append(form)
    assert held == snapshot


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_said_as_before(command: Callable[..., Any], tmp_path: Path, name: str, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, kind = REFUSED[name]
    said = command(*arguments.split(), "--json")
    error = said.json["error"]
    assert (said.code, said.json["schema"], error["type"], error["exit_code"]) == (2, 1, kind, 2)
    assert set(error) == {"type", "message", "exit_code"}
