"""Whether the data changed since, and what is said where nobody can tell."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

import imgcls
from imgcls.config.findings import FINDINGS_TOML
from imgcls.config.problem import ProblemSplit
from imgcls.ladders.spec import COMPARISONS, LADDER_JSON
from imgcls.storage import write_json
from imgcls.workspace import MARKER
from tests.unit.checklists.conftest import Desk

SMOOTHED = "baseline+label_smoothing"


def in_folds(desk: Desk, *, split_seed: int | None) -> None:
    """Draw a ladder in folds that were drawn from a seed, and compare its rungs."""
    ladder = desk.ladder(SMOOTHED, n_folds=5, n_images=60)
    assert ladder.folder is not None
    for stack in ("baseline", SMOOTHED):
        for run in desk.runs(stack):
            desk.change(run, n_folds=5, data=replace(run.data, split_seed=split_seed))
    write_json(ladder.folder / LADDER_JSON, ladder.to_json() | {"data": {"data": None, "split_seed": split_seed}})
    imgcls.compare("baseline", SMOOTHED, workspace=desk.workspace)


@pytest.mark.parametrize(("split_seed", "state"), [(None, "done"), (0, "done"), (5, "stale")])
def test_folds_that_were_drawn_from_another_seed_are_other_folds(
    known: Desk, split_seed: int | None, state: str
) -> None:
    """Records that do not say what they were drawn from are given the benefit of the doubt."""
    in_folds(known, split_seed=split_seed)
    for holds in (True, False):  # first by the ladder, then by the comparison alone
        states = known.states()
        assert (states["train.loss"].state, states["base.train"].state) == (state, state)
        assert states["train.loss"].evidence.endswith("; the split changed since") is (state == "stale")
        assert states["train.loss"].evidence.startswith("ladders" if holds else f"reports/{COMPARISONS}")
        shutil.rmtree(known.workspace.ladders, ignore_errors=True)


def test_the_seed_of_the_problem_is_that_of_the_folds(desk: Desk) -> None:
    desk.problem(split=ProblemSplit(seed=5))
    desk.know()
    in_folds(desk, split_seed=5)
    assert desk.states()["base.split"].state == "done"
    desk.problem(split=ProblemSplit(seed=6))
    desk.know()
    assert desk.states()["base.split"].state == "stale"


@pytest.mark.parametrize("name", [MARKER, FINDINGS_TOML])
def test_without_knowing_what_the_data_are_nobody_can_tell_whether_they_changed(known: Desk, name: str) -> None:
    known.baseline(n_seeds=1)
    assert not known.list().needs_attention
    (known.workspace.root / name).write_text("schema = ", encoding="utf-8")
    found = known.list()
    assert found.notes == (f"{name} cannot be read, so that nobody can tell whether the data changed.",)
    assert found.needs_attention
    json.dumps(found.to_json())


def test_a_damaged_file_needs_attention(known: Desk) -> None:
    known.baseline(n_seeds=2)
    assert not known.list().needs_attention
    run = known.runs()[0]
    assert run.folder is not None
    (run.folder / "run.json").write_text("{}", encoding="utf-8")
    assert known.list().needs_attention


def test_data_that_changed_and_were_not_read_need_attention(known: Desk) -> None:
    known.baseline(n_seeds=1)
    (known.photos / "two.jpg").write_bytes(b"two")
    found = known.list()
    assert (found.n("stale"), found.is_doubtful, found.needs_attention) == (0, True, True)


def test_a_workspace_that_names_no_data_is_in_order(desk: Desk) -> None:
    desk.baseline(n_seeds=1)
    found = desk.list()
    assert "nobody can see whether they changed" in found.notes[0]
    assert not found.needs_attention
