"""What people read, at the width of a terminal, without colour; `make golden` writes it anew, review reads the diff."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from imgcls.catalog import find_recipes
from imgcls.engine.progress import EpochRow, Start, headline
from imgcls.engine.request import RunOutcome
from imgcls.ladders.report_data import gather
from imgcls.records.attempts import AttemptState
from imgcls.records.run import Estimate, FoldRun, Folds, FoldSpread, RunRecord
from imgcls.reports.live import epoch_table
from imgcls.reports.page.render import markdown_page
from imgcls.reports.recipes import RecipeList, StackView
from imgcls.reports.runs import RunCard, RunList, outcome_view

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
    text = drawn(outcome_view(RunOutcome(record)), width)
    assert text.replace(str(RECORD), "<folder>") == snapshot


def test_the_end_of_a_run_that_was_there_already(snapshot, record: RunRecord) -> None:
    text = drawn(outcome_view(RunOutcome(record, reused=True)), 80)
    assert text.replace(str(RECORD), "<folder>") == snapshot


def test_the_end_of_a_training_anew(record: RunRecord) -> None:
    equal = drawn(outcome_view(RunOutcome(record, same_bits={"weights.safetensors": True})), 120)
    assert "equal to the record bit by bit" in equal
    other = drawn(outcome_view(RunOutcome(record, same_bits={"weights.safetensors": False})), 120)
    assert "different from the record in weights.safetensors" in other


def test_a_run_that_predicted_the_test_part_can_be_submitted(record: RunRecord) -> None:
    command = f"imgcls submit {record.id}"
    assert not [line for line in outcome_view(RunOutcome(record)).next_commands() if line.startswith(command)]
    able = replace(record, files={**record.files, "test.parquet": record.files["valid.parquet"]})
    assert [line for line in outcome_view(RunOutcome(able)).next_commands() if line.startswith(command)]
    trial = outcome_view(RunOutcome(replace(able, quick=True)))
    assert not [line for line in trial.next_commands() if line.startswith(command)]


def test_a_run_that_names_one_class_for_everything_is_told_as_collapsed(record: RunRecord, tmp_path: Path) -> None:
    frame = record.predictions("valid")
    columns = [name for name in frame.columns if name.startswith("p_")]
    frame[columns] = [[0.9, *[0.1 / (len(columns) - 1)] * (len(columns) - 1)]] * len(frame)
    frame.to_parquet(tmp_path / "valid.parquet")
    collapsed = replace(record, files={}).write(tmp_path)
    view = outcome_view(RunOutcome(collapsed))
    text = " ".join(drawn(view, 120).split())
    assert f"It names {record.classes[0]} for every photograph: it collapsed" in text
    again = f"imgcls recipe run {record.stack}"
    assert [line.split("  ")[0] for line in view.next_commands()] == [
        f"{again} --set optimizer.learning_rate=0.0003",
        f"{again} --epochs 4",
    ]
    assert "collapsed" not in drawn(outcome_view(RunOutcome(record)), 120)


@pytest.mark.parametrize("width", WIDTHS)
def test_one_run_in_full(snapshot, record: RunRecord, width: int) -> None:
    assert drawn(RunCard(record), width).replace(str(RECORD), "<folder>") == snapshot


@pytest.fixture
def folds(record: RunRecord) -> RunOutcome:
    """Three folds made of the stored record, one of which could not give every metric."""
    lost = {**record.metrics, "roc_auc": Estimate.missing("only one class is present: dark", n=12)}
    parts = [
        replace(record, fold=fold, n_folds=3, id=f"baseline-s0-f{fold}-0000000{fold}", metrics=metrics)
        for fold, metrics in enumerate((record.metrics, record.metrics, lost))
    ]
    runs = tuple(FoldRun(n, part.id, "0" * 64, part.data.n, part.metrics) for n, part in enumerate(parts))
    spread = {name: FoldSpread(0.75, 0.0321, 3) for name in record.metrics} | {"roc_auc": FoldSpread(0.5, 0.1, 2)}
    data = replace(record.data, n={"train": 2, "valid": 58, "test": 0, "excluded": 1}, n_valid_groups=7)
    whole = replace(record, id="baseline-s0-oof3-00000003", n_folds=3, folds=Folds(runs, spread), data=data)
    return RunOutcome(whole, folds=tuple(RunOutcome(part, reused=part.fold == 0) for part in parts))


@pytest.mark.parametrize("width", WIDTHS)
def test_the_end_of_all_folds(snapshot, folds: RunOutcome, width: int) -> None:
    assert drawn(outcome_view(folds), width).replace(str(RECORD), "<folder>") == snapshot


@pytest.mark.parametrize("width", WIDTHS)
def test_all_folds_in_full(snapshot, folds: RunOutcome, width: int) -> None:
    assert drawn(RunCard(folds.record), width).replace(str(RECORD), "<folder>") == snapshot


def test_how_all_folds_came_about(folds: RunOutcome) -> None:
    reused = replace(folds, folds=tuple(replace(outcome, reused=True) for outcome in folds.folds))
    assert "3 folds: already trained; use --again" in drawn(outcome_view(reused), 200)
    anew = tuple(
        replace(outcome, reused=False, same_bits={"valid.parquet": number > 0})
        for number, outcome in enumerate(folds.folds)
    )
    assert "2 of 3 equal to their records bit by bit" in drawn(outcome_view(replace(folds, folds=anew)), 200)
    trial = replace(folds, record=replace(folds.record, quick=True))
    assert "its scores mean little" in drawn(outcome_view(trial), 200)


def test_a_list_of_runs_in_folds(snapshot, folds: RunOutcome, tmp_path: Path) -> None:
    failed = replace(folds.folds[2].record, status="failed", reason="The loss became nan.")
    info = {"stack": "baseline", "seed": 0, "fold": 1, "n_folds": 3}
    attempt = AttemptState("a" * 64, tmp_path, "interrupted", info, None, 2)
    view = RunList((folds.folds[0].record, folds.record), (attempt,), (failed,), ())
    assert drawn(view, 80) == snapshot


@pytest.mark.parametrize("width", WIDTHS)
def test_a_list_of_runs(snapshot, record: RunRecord, width: int) -> None:
    failed = replace(record, status="failed", reason="The loss became nan in epoch 1, batch 3 of 9.")
    view = RunList((record, replace(record, quick=True, seed=1)), (), (failed,), ("run.json is cut",))
    assert drawn(view, width) == snapshot


def test_a_list_of_runs_breaks_stacks_before_a_recipe_and_shows_what_decides(record: RunRecord) -> None:
    stack = "baseline+augmentation+adamw_cosine+label_smoothing+tta_flips"
    view = RunList((replace(record, label=stack),), (), (), ())
    for width in (60, 80, 120):
        lines = drawn(view, width).splitlines()
        assert max(map(len, lines)) <= width
        words = " ".join(lines).split()
        assert all(any(part in word for word in words) for part in stack.split("+"))
        assert record.created[:16].replace("T", " ") in lines[1]
    assert "Macro F1" not in drawn(view, 80)
    assert drawn(replace(view, metric="macro_f1"), 80).splitlines()[0].split("seed")[1].startswith("  Macro F1")


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
