"""What a ladder's folder keeps."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imgcls.catalog import Stack
from imgcls.errors import RecordError, StackError
from imgcls.ladders.spec import LADDER_JSON, Ladder, find_ladder, ladder_name, parse_ladder

Draw = Callable[..., Any]


def test_a_ladder_is_read_as_it_was_written(drawn_ladder: Draw) -> None:
    """Nothing is lost, not even the place."""
    ladder, _ = drawn_ladder(n_folds=5, n_seeds=2)
    read = Ladder.read(ladder.folder)
    assert replace(read, rungs=ladder.rungs) == ladder
    assert json.loads(json.dumps(read.to_json())) == json.loads(json.dumps(ladder.to_json()))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema": 99}, "newer imgcls"),
        ({"metric": 3}, "metric must be a text"),
        ({"jobs": [{"rung": 0}]}, r"jobs\.0\.seed is missing"),
        ({"surprise": 1}, "surprise is not a known key"),
        ({"n_folds": 5}, r"jobs\.0\.fold must be one of the folds, not None"),
        ({"name": "../x"}, "name must be the name of a file or folder"),
        ({"rungs": []}, "rungs must be at least one"),
        ({"jobs": [{"rung": 9, "seed": 0, "fold": None, "key": "k"}]}, r"jobs\.0\.rung must be one of 5 rungs, not 9"),
    ],
)
def test_a_damaged_ladder_is_named(drawn_ladder: Draw, change: dict[str, Any], told: str) -> None:
    """Newer, incomplete, unknown: with the place."""
    ladder, _ = drawn_ladder()
    path = ladder.folder / LADDER_JSON
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RecordError, match=told):
        Ladder.read(ladder.folder)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"changes": {"loss.smoothing": 1}}, r"rungs\.4\.changes\.loss\.smoothing must be a pair"),
        ({"plan": {"fit": {"epochs": 9}}}, r"rungs\.4\.plan is not what plan_digest and train_digest were taken of"),
        ({"train_digest": "0" * 64}, r"rungs\.4\.plan is not what"),
        ({"weights_of": 4}, r"rungs\.4\.weights_of must be an earlier rung, not 4"),
    ],
)
def test_a_damaged_rung_is_named(drawn_ladder: Draw, change: dict[str, Any], told: str) -> None:
    """Before anything is looked up in it."""
    ladder, _ = drawn_ladder()
    path = ladder.folder / LADDER_JSON
    value = json.loads(path.read_text())
    value["rungs"][4] |= change
    path.write_text(json.dumps(value))
    with pytest.raises(RecordError, match=told):
        Ladder.read(ladder.folder)


def test_a_stack_longer_than_a_file_name_is_no_folder(drawn_ladder: Draw) -> None:
    """It is told like every other name that there is not."""
    _, workspace = drawn_ladder()
    with pytest.raises(RecordError, match="There is no ladder"):
        find_ladder("baseline" + "+label_smoothing" * 30, workspace)


def test_a_ladder_is_found_by_name_beginning_stack_and_folder(drawn_ladder: Draw) -> None:
    """And the newest without any."""
    ladder, workspace = drawn_ladder()
    for text in ("drawn", "dra", ladder.stack, str(ladder.folder), None):
        assert find_ladder(text, workspace).name == "drawn"
    with pytest.raises(RecordError, match=r"There is no ladder 'drwan'\. Did you mean 'drawn'"):
        find_ladder("drwan", workspace)


def test_a_damaged_newest_ladder_is_told_and_not_passed_over(drawn_ladder: Draw) -> None:
    """An older one is not the one that was meant; by its name it is still found."""
    ladder, workspace = drawn_ladder()
    torn = workspace.ladders / "torn"
    torn.mkdir()
    (torn / LADDER_JSON).write_text("{")
    os.utime(torn / LADDER_JSON, (2**32, 2**32))
    with pytest.raises(RecordError, match="torn"):
        find_ladder(None, workspace)
    assert find_ladder("drawn", workspace).name == ladder.name


def test_names_are_plain_and_differ_by_identity() -> None:
    """Every file system takes them."""
    first = ladder_name("baseline+./my own.py:x=1", kind="climb", identity={"a": 1})
    assert first != ladder_name("baseline+./my own.py:x=1", kind="climb", identity={"a": 2})
    assert set(first) <= set("abcdefghijklmnopqrstuvwxyz0123456789+=.,_-")
    assert ladder_name("baseline", kind="ablate", identity={}).startswith("ablate-")


def test_ensemble_is_the_last_name_of_a_ladder_and_no_recipe() -> None:
    """It is taken off; in the middle, twice, with knobs or as the only one it is refused, and so it is as a plan."""
    stack, on_top = parse_ladder("baseline+augmentation+ensemble", {"fit.epochs": 2})
    assert (stack.text, on_top, stack.plan.fit.epochs) == ("baseline+augmentation", True, 2)
    assert parse_ladder("baseline+augmentation")[1] is False
    middle = (
        "baseline+ensemble+augmentation",
        "baseline+ensemble+ensemble",
        "baseline+tta+ensemble:by=rank",
        "ensemble",
    )
    for wrong in middle:
        with pytest.raises(StackError, match="'ensemble' is no recipe, since a plan is one network"):
            parse_ladder(wrong)
    with pytest.raises(StackError, match="'imgcls blend baseline' judges"):
        parse_ladder("baseline+ensemble")
    with pytest.raises(StackError, match=r"imgcls ladder run STACK\+ensemble"):
        Stack.parse("baseline+ensemble")
