"""What people read, at the width of a terminal, without colour; `make golden` writes it anew, review reads the diff."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from imgcls.catalog import find_recipes
from imgcls.engine.outcome import Outcome
from imgcls.engine.reporting import EpochRow, Start, headline
from imgcls.ladders.gathering import gather
from imgcls.records.run import RunRecord
from imgcls.reports.live import epoch_table
from imgcls.reports.page.markdown import markdown_page
from imgcls.reports.recipes import RecipeList, StackView
from imgcls.reports.records import RunCard, RunList
from imgcls.reports.run import RunSummary

WIDTHS = [80, 120]
RECORD = Path(__file__).parent / "record-1"


def drawn(view: RenderableType, width: int) -> str:
    """Draw a view as text, without trailing blanks."""
    screen = Console(file=StringIO(), width=width, highlight=False, emoji=False, color_system=None)
    screen.print(view, crop=False)
    return "\n".join(line.rstrip() for line in screen.file.getvalue().splitlines())


@pytest.fixture
def record() -> RunRecord:
    """The stored record, as if it lay in a workspace."""
    return replace(RunRecord.read(RECORD), folder=RECORD)


@pytest.mark.parametrize("width", WIDTHS)
def test_recipe_list(snapshot, width: int) -> None:
    assert drawn(RecipeList(tuple(find_recipes().values())), width) == snapshot


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("stack", ["baseline", "tta", "baseline+adamw_cosine+label_smoothing:smoothing=0.2"])
def test_recipe_show(snapshot, stack: str, width: int) -> None:
    assert drawn(StackView.of(stack), width) == snapshot


@pytest.mark.parametrize("width", WIDTHS)
def test_the_end_of_a_run(snapshot, record: RunRecord, width: int) -> None:
    text = drawn(RunSummary.of(Outcome(record)), width)
    assert text.replace(str(RECORD), "<folder>") == snapshot


def test_the_end_of_a_run_that_was_there_already(snapshot, record: RunRecord) -> None:
    text = drawn(RunSummary.of(Outcome(record, reused=True)), 80)
    assert text.replace(str(RECORD), "<folder>") == snapshot


def test_the_end_of_a_training_anew(record: RunRecord) -> None:
    equal = drawn(RunSummary.of(Outcome(record, same_bits={"weights.safetensors": True})), 120)
    assert "equal to the record bit by bit" in equal
    other = drawn(RunSummary.of(Outcome(record, same_bits={"weights.safetensors": False})), 120)
    assert "different from the record in weights.safetensors" in other


@pytest.mark.parametrize("width", WIDTHS)
def test_one_run_in_full(snapshot, record: RunRecord, width: int) -> None:
    assert drawn(RunCard(record), width).replace(str(RECORD), "<folder>") == snapshot


@pytest.mark.parametrize("width", WIDTHS)
def test_a_list_of_runs(snapshot, record: RunRecord, width: int) -> None:
    failed = replace(record, status="failed", reason="The loss became nan in epoch 1, batch 3 of 9.")
    view = RunList((record, replace(record, quick=True, seed=1)), (), (failed,), ("run.json is cut",))
    assert drawn(view, width) == snapshot


@pytest.mark.parametrize("kind", ["climb", "ablate"])
def test_the_page_about_a_ladder_as_markdown(snapshot, drawn_ladder, kind: str) -> None:
    ladder, workspace = drawn_ladder(kind=kind, skills=[0.8, 1.3, 1.3, 1.0, 1.6], n_seeds=4, failed=frozenset({(2, 1)}))
    data = gather(ladder, workspace)
    text = markdown_page(replace(data, version="VERSION", trouble=""))
    assert "\n\n\n" not in text
    assert text == snapshot


def test_the_epochs_of_a_training(snapshot) -> None:
    rows = [EpochRow(epoch, 1 / epoch, 1.2 / epoch, 0.5 + epoch / 10, 1e-3, 20.5, 81.3) for epoch in (1, 2, 3)]
    start = Start("baseline", 0, 3, 49, 1560, 524, "cpu", done_epochs=1, estimate_seconds=130.0)
    assert f"{headline(start)}\n{drawn(epoch_table(rows), 80)}" == snapshot


def test_a_record_of_schema_1_still_loads(record: RunRecord) -> None:
    assert record.schema == 1
    assert record.metrics["accuracy"].n == len(record.predictions("valid"))
    assert list(record.predictions("valid").columns) == ["id", "label", "p_dark", "p_light"]
    record.verify()
