"""Tests of assumptions and doubts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imgcls.cli.options import asking
from imgcls.data.assumptions import Assumption, Choice, DoubtError
from imgcls.data.source import DataSource
from imgcls.errors import DataError

DOUBT = DoubtError(
    "The folders 'color' and 'gray' hold the same names.",
    [
        Choice("they are versions, and color is meant", {"data": "my photos/color"}),
        Choice("they are classes all the same", {"label_from": "{label}/**"}),
    ],
    hint="Look at both.",
)


def test_a_doubt_names_an_option_for_each_choice() -> None:
    assert isinstance(DOUBT, DataError)
    assert DOUBT.exit_code == 2
    assert str(DOUBT).splitlines() == [
        "The folders 'color' and 'gray' hold the same names.",
        "Say which:",
        "  --data 'my photos/color'  (they are versions, and color is meant)",
        "  --label-from '{label}/**'  (they are classes all the same)",
        "Look at both.",
    ]


def test_an_assumption_says_what_decides_otherwise() -> None:
    one = Assumption("labels", "Column 'y' holds the labels.", "--label COLUMN")
    assert str(one) == "Column 'y' holds the labels. Otherwise: --label COLUMN."
    assert str(replace(one, option="")) == "Column 'y' holds the labels."
    assert one.to_json() == {"about": "labels", "taken": one.taken, "option": "--label COLUMN"}


def read(source: DataSource) -> DataSource:
    """Read data that are doubted until somebody says what is meant."""
    if source.label_from is None:
        raise DOUBT
    return source


class Terminal:
    """A stream that a person sits at."""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        """Do nothing."""


def test_a_terminal_is_asked_and_the_answer_is_read_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setattr("click.prompt", lambda *_, **__: 2)
    answers: dict[str, object] = {}
    assert asking(read, DataSource("photos"), answers=answers) == DataSource("photos", label_from="{label}/**")
    assert answers == {"label_from": "{label}/**"}
    with pytest.raises(DoubtError):
        asking(read, DataSource("photos"), may_ask=False)


def test_nobody_is_asked_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("click.prompt", lambda *_, **__: pytest.fail("asked"))
    with pytest.raises(DoubtError):
        asking(read, DataSource("photos"))
