"""The page of the study says what its rows say."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import climbs
from benchmarks.study_page import BEGIN, END, all_rows, draw, short_name, with_study
from imgcls.text import with_between

ROOT = Path(__file__).parents[2]
ROWS, PAGE = ROOT / "benchmarks" / "study_rows", ROOT / "docs" / "guide" / "study.md"


def test_its_tables_are_those_of_the_rows() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert with_study(text, ROWS) == text
    assert text.partition(BEGIN)[2].partition(END)[0].count("\n| ") > len(all_rows(ROWS)) * 2


def test_its_climbs_are_those_that_are_kept() -> None:
    text, kept = PAGE.read_text(encoding="utf-8"), ROOT / "benchmarks" / "climbs"
    told = climbs.table(kept)
    assert with_between(text, climbs.BEGIN, climbs.END, told) == text
    assert told.count("\n| tried |") == len(list(kept.iterdir())) > 0
    assert "/home" not in told


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="needs the marks"):
        with_study("# A page", ROWS)


def test_its_picture_names_every_stack(tmp_path: Path) -> None:
    draw(ROWS, tmp_path / "study.svg")
    comments = (tmp_path / "study.svg").read_text(encoding="utf-8")
    for rows in all_rows(ROWS).values():
        for row in rows:
            assert short_name(row.stack) in comments
