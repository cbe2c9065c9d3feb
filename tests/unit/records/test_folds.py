"""Tests of the record of all folds together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from imgcls.errors import RecordError
from imgcls.records.find import find_run
from imgcls.records.remove import remove_runs
from imgcls.records.run import Estimate, FoldRun, Folds, FoldSpread, RunRecord
from imgcls.workspace import Workspace

FOLDS = Folds(
    runs=tuple(
        FoldRun(
            fold,
            f"baseline-s0-f{fold}-aaaaaaa{fold}",
            "d",
            {"train": 4, "valid": 2},
            {"accuracy": Estimate(value, 0.1, 0.9, 2)},
        )
        for fold, value in enumerate((0.5, 1.0))
    ),
    spread={"accuracy": FoldSpread(0.75, 0.35, 2), "roc_auc": FoldSpread(None, None, 0)},
)


def test_it_is_read_back_as_it_was_written(make_record: Callable[..., RunRecord], tmp_path: Any) -> None:
    record = make_record(folds=FOLDS, n_folds=2)
    assert record.write(tmp_path) == RunRecord.read(tmp_path)
    assert RunRecord.read(tmp_path).folds == FOLDS


def test_a_run_without_folds_is_written_as_before(make_record: Callable[..., RunRecord]) -> None:
    assert {"folds", "n_folds"} & make_record().to_json().keys() == set()
    assert make_record(fold=1, n_folds=3).to_json()["n_folds"] == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"folds": None}, "folds must be an object"),
        ({"n_folds": "2"}, "n_folds must be a whole number"),
        ({"folds": {"runs": {}, "spread": {}}}, "folds.runs must be a list"),
        ({"folds": {"runs": [{"fold": 0}], "spread": {}}}, "folds.runs.0.run is missing"),
        ({"folds": {"runs": [3], "spread": {}}}, "folds.runs.0 must be an object"),
        ({"folds": {"runs": [], "spread": {"accuracy": {"mean": 1.0, "sd": None, "n": 2, "more": 1}}}},
         "folds.spread.accuracy.more is not a known key"),
        ({"folds": {"runs": [], "spread": {}, "more": 1}}, "folds.more is not a known key"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(change: dict[str, Any], said: str, make_record: Callable[..., RunRecord]) -> None:
    value = make_record(folds=FOLDS, n_folds=2).to_json() | change
    with pytest.raises(RecordError, match=said):
        RunRecord.from_json(value, where="run.json")


@pytest.fixture
def records(make_record: Callable[..., RunRecord], workspace: Workspace) -> list[RunRecord]:
    """Two folds and the record of both, in a workspace."""
    made = [
        make_record(key=f"aaaaaaa{fold}" * 8, id=f"baseline-s0-f{fold}-aaaaaaa{fold}", fold=fold, n_folds=2)
        for fold in (0, 1)
    ]
    made.append(make_record(key="b" * 64, id="baseline-s0-oof2-bbbbbbbb", folds=FOLDS, n_folds=2))
    for record in made:
        (workspace.runs / record.id).mkdir(parents=True)
    return [record.write(workspace.runs / record.id) for record in made]


def test_a_stack_means_all_of_its_folds(records: list[RunRecord], workspace: Workspace) -> None:
    assert find_run("baseline", workspace) == records[2]
    assert find_run("baseline-s0-f1", workspace) == records[1]
    remove_runs(records[2:], workspace)
    with pytest.raises(RecordError, match="can mean"):
        find_run("baseline", workspace)


def test_a_fold_is_kept_as_long_as_the_whole(records: list[RunRecord], workspace: Workspace) -> None:
    with pytest.raises(RecordError, match="oof2-bbbbbbbb is made of baseline-s0-f0-aaaaaaa0; remove it too, or keep"):
        remove_runs(records[:1], workspace)
    remove_runs(records, workspace)
    assert not list(workspace.runs.iterdir())
