"""Predictions as people and spreadsheets get them."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

from imgcls.evidence.metrics import Trivial
from imgcls.records.run import Estimate
from imgcls.reports.runs import RunSummary, as_csv, print_table, write

NAMES = ["=cmd|' /C calc'!A0.png", "-1", "\x1b[2J\x9b1m.png", "'quoted'.png", "\t@x.png", "a\nb.png"]
CLASSES = ["caf\u00e9", "cafe\u0301"]
RECORD: Any = SimpleNamespace(id="baseline-s0-00000000", classes=CLASSES)


@pytest.fixture
def frame() -> pd.DataFrame:
    n = len(NAMES)
    return pd.DataFrame(
        {
            "id": pd.Series(NAMES, dtype=object),
            "path": pd.Series([f"-{name}" for name in NAMES], dtype=object),
            "status": ["ok"] * (n - 1) + ["error"],
            "reason": [""] * (n - 1) + ["=empty"],
            "prediction": ["+good", "-2.5", *[CLASSES[0]] * (n - 3), ""],
            "confidence": [0.75] * (n - 1) + [None],
            **{f"p_{name}": [0.75 - place / 2] * n for place, name in enumerate(CLASSES)},
        }
    )


def read(text: str | Path) -> pd.DataFrame:
    """Read a table of predictions as the guide says."""
    source = io.StringIO(text, newline="") if isinstance(text, str) else text
    table = pd.read_csv(source, dtype={"id": str, "path": str, "prediction": str}, keep_default_na=False)
    for column in ("id", "path", "reason", "prediction"):
        table[column] = table[column].str.removeprefix("'")
    return table


def test_no_cell_is_a_formula_and_every_name_comes_back(frame: pd.DataFrame, tmp_path: Path) -> None:
    write(frame, tmp_path / "x.csv", RECORD)
    for text in (as_csv(frame), tmp_path / "x.csv"):
        found = read(text)
        for column in ("id", "path", "reason", "prediction"):
            assert found[column].tolist() == frame[column].tolist()
    cells = pd.read_csv(tmp_path / "x.csv", dtype=str, keep_default_na=False)
    assert cells["id"].tolist()[:2] == ["'=cmd|' /C calc'!A0.png", "-1"]
    assert cells["prediction"].tolist()[:2] == ["'+good", "-2.5"]
    assert cells["confidence"].tolist()[0] == "0.75"


def test_raw_cells_are_the_names_themselves(frame: pd.DataFrame, tmp_path: Path) -> None:
    write(frame, tmp_path / "x.csv", RECORD, raw=True)
    assert pd.read_csv(tmp_path / "x.csv", dtype=str, keep_default_na=False)["id"].tolist() == NAMES


@pytest.mark.parametrize("raw", [False, True])
def test_csv_on_a_terminal_holds_no_controls(frame: pd.DataFrame, raw: bool) -> None:
    text = as_csv(frame.rename(columns={f"p_{CLASSES[1]}": "p_\x1b]0;x"}), raw=raw, terminal=True)
    assert not [letter for letter in text if ord(letter) < 32 and letter != "\n"]
    assert "\x9b" not in text
    assert len(text.splitlines()) == len(NAMES) + 1
    assert "\\x1b[2J\\x9b1m.png" in text


def test_a_table_takes_classes_that_are_one_name_to_python(
    frame: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    print_table(frame, RECORD)
    shown = capsys.readouterr().out
    assert "caf\u00e9" in shown
    assert "=empty" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("low", "said"), [(0.4, "and the interval reaches down to that."), (None, "and there is no interval; the table")]
)
def test_a_score_without_an_interval_is_not_said_to_have_one(low: float | None, said: str) -> None:
    metrics = {"roc_auc": Estimate(0.7, low, None if low is None else 0.9, 8)}
    record = SimpleNamespace(quick=False, metrics=metrics, lost_from_start=lambda _: None)
    validation = SimpleNamespace(
        only_class=None, trivial=Trivial("ranking at random", "roc_auc", 0.5, verdict="cannot tell")
    )
    outcome: Any = SimpleNamespace(record=record)
    meaning = RunSummary(outcome, cast("Any", validation)).meaning()
    assert meaning.startswith(f"ROC AUC 0.700 does not settle it: ranking at random scores 0.500, {said}")
