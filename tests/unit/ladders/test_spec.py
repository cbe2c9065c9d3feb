"""What a ladder's folder keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imgcls.errors import RecordError
from imgcls.ladders.find import find_ladder
from imgcls.ladders.spec import LADDER_JSON, Ladder, ladder_name

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
    ],
)
def test_a_damaged_ladder_is_named(drawn_ladder: Draw, change: dict[str, Any], told: str) -> None:
    """Newer, incomplete, unknown: with the place."""
    ladder, _ = drawn_ladder()
    path = ladder.folder / LADDER_JSON
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RecordError, match=told):
        Ladder.read(ladder.folder)


def test_a_ladder_is_found_by_name_beginning_stack_and_folder(drawn_ladder: Draw) -> None:
    """And the newest without any."""
    ladder, workspace = drawn_ladder()
    for text in ("drawn", "dra", ladder.stack, str(ladder.folder), None):
        assert find_ladder(text, workspace).name == "drawn"
    with pytest.raises(RecordError, match=r"There is no ladder 'drwan'\. Did you mean 'drawn'"):
        find_ladder("drwan", workspace)


def test_names_are_plain_and_differ_by_identity() -> None:
    """Every file system takes them."""
    first = ladder_name("baseline+./my own.py:x=1", kind="climb", identity={"a": 1})
    assert first != ladder_name("baseline+./my own.py:x=1", kind="climb", identity={"a": 2})
    assert set(first) <= set("abcdefghijklmnopqrstuvwxyz0123456789+=.,_-")
    assert ladder_name("baseline", kind="ablate", identity={}).startswith("ablate-")
