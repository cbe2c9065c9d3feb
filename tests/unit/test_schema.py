"""A dataclass is the schema of its file: what is read as it, what is told of the rest, and what is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from imgcls.errors import RecordError
from imgcls.schema import (
    MAY_BE_ABSENT,
    NOT_IN_FILE,
    Problems,
    file_name,
    file_names,
    from_json,
    one_of,
    read_as,
    read_json,
    to_json,
)


@dataclass(frozen=True)
class Inner:
    """A part."""

    share: float
    """A number."""
    size: tuple[int, int] | None = None
    """A pair or null."""


def in_order(values: tuple[Inner, ...]) -> Problems:
    """Check that shares grow."""
    for number in range(1, len(values)):
        if values[number].share < values[number - 1].share:
            yield f"{number}.share", "must be at least the one before"


@dataclass(frozen=True)
class Outer:
    """A whole."""

    name: Annotated[str, one_of("a", "b")]
    """One of two texts."""
    kind: Literal["x", "y"]
    """One of two words."""
    parts: Annotated[tuple[Inner, ...], in_order]
    """Parts."""
    by_name: Mapping[str, Inner]
    """Parts by name."""
    anything: Any
    """Whatever JSON can say."""
    n: int | None
    """A whole number or null."""
    seed: int | None = field(default=None, metadata=MAY_BE_ABSENT)
    """Left out where it is not known."""
    folder: Path | None = field(default=None, compare=False, metadata=NOT_IN_FILE)
    """Where it was read from."""


WHOLE = Outer("a", "x", (Inner(1, (2, 3)), Inner(1.5)), {"one": Inner(0.5)}, {"z": [1, None]}, None, folder=Path("x"))


def test_what_is_written_is_read_and_a_whole_number_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "whole.json"
    path.write_text(json.dumps({"schema": 1, **to_json(WHOLE)}))
    found = read_as(Outer, path, schema=1)
    assert found == WHOLE
    assert found.folder is None
    assert isinstance(found.parts[0].share, int)
    assert "seed" not in to_json(WHOLE)
    assert from_json(Outer, {**to_json(WHOLE), "seed": 3}, where="here").seed == 3


def test_a_name_of_bytes_that_are_no_text_is_read() -> None:
    """Such names of files come from the disk, and JSON can say them."""
    assert from_json(Outer, {**to_json(WHOLE), "anything": "\udcff"}, where="here").anything == "\udcff"
    assert from_json(Outer, {**to_json(WHOLE), "by_name": {"\udcff": to_json(Inner(1))}}, where="here").by_name


def test_every_problem_is_told_at_once() -> None:
    value = {
        "name": "c",
        "kind": 3,
        "parts": [{"share": True, "size": None}, 7, {"share": 1, "size": [1]}],
        "by_name": {"one": {"size": None, "more": 1}},
        "n": 1.0,
        "seed": None,
        "folder": "x",
    }
    with pytest.raises(RecordError) as caught:
        from_json(Outer, value, where="here.json", remedy="Write it again.")
    message = str(caught.value)
    assert message.startswith("here.json is damaged: ")
    assert message.endswith(". Write it again.")
    for words in (
        'name must be one of a, b, not "c"',
        "kind must be one of x, y, not 3",
        "parts.0.share must be a number, not true",
        "parts.1 must be an object, not 7",
        "parts.2.size must be a pair or null, not [1]",
        "by_name.one.share is missing",
        "by_name.one.more is not a known key",
        "anything is missing",
        "n must be a whole number or null, not 1.0",
        "seed must be a whole number, not null",
        "folder is not a known key",
    ):
        assert words in message


def test_what_a_check_finds_is_told_by_its_key() -> None:
    value = {**to_json(WHOLE), "parts": [to_json(Inner(1)), to_json(Inner(0.5))]}
    with pytest.raises(RecordError, match=r"here is damaged: parts\.1\.share must be at least the one before\."):
        from_json(Outer, value, where="here")
    with pytest.raises(RecordError, match=r"here is damaged: n must be known\."):
        from_json(Outer, to_json(WHOLE), where="here", check=lambda whole: [("n", "must be known")])


@pytest.mark.parametrize(
    ("schema", "said"),
    [(2, "a newer imgcls"), (0, "no known imgcls"), ("1", "schema must be a whole number"), (None, "schema must be")],
)
def test_another_version_is_told_before_anything_else(schema: object, said: str) -> None:
    with pytest.raises(RecordError, match=said):
        from_json(Outer, {**to_json(WHOLE), "schema": schema}, where="here", schema=1)
    with pytest.raises(RecordError, match="schema is missing"):
        from_json(Outer, to_json(WHOLE), where="here", schema=1)


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": 1e999}', '{"a": 1, "a": 2}', "{", "\ufeff{}", "[" * 100_000])
def test_what_is_no_strict_json_is_damaged(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text, encoding="utf-8")
    with pytest.raises(RecordError, match=r"x\.json is damaged"):
        read_json(tmp_path / "x.json")


@pytest.mark.parametrize(
    "name", ["a", "a b.csv", "사진", "..a", "a..", ".hidden", "x=1,y+z", "lr:0.1", "\udcff", "é" * 100]
)
def test_a_name_of_a_file_is_one(name: str) -> None:
    assert list(file_name(name)) == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "/a", "a/", "../a", "a\\b", "\0", "a\nb", "\x1b[2J", "\x7f", "\ud800", "é" * 200]
)
def test_what_leads_elsewhere_is_no_name_of_a_file(name: str) -> None:
    assert [key for key, _ in file_names(["good", name])] == [name]
