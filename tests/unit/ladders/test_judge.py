"""From records to verdicts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imgcls.ladders.judge import judge_ladder
from imgcls.ladders.state import read_state
from imgcls.reports.verdict_text import answer

Draw = Callable[..., Any]


def test_a_large_gain_is_found_and_tta_shares_weights(drawn_ladder: Draw) -> None:
    """Each rung is compared with the one below and with the base."""
    ladder, workspace = drawn_ladder(skills=[0.5, 1.5, 1.5, 1.5, 1.5], n_images=600, n_seeds=4)
    result = judge_ladder(read_state(ladder, workspace))
    verdicts = [(rung.step.verdict, rung.total.verdict) for rung in result.rungs if rung.step and rung.total]
    assert verdicts[0] == ("better", "better")
    assert [total for _, total in verdicts] == ["better"] * 4
    assert result.rungs[4].step.gain.method == "same weights"
    assert result.rungs[3].step.gain.method == "separate trainings"
    assert result.rungs[4].total.gain.method == "separate trainings"
    assert result.incumbent == 4


@pytest.mark.parametrize("n_seeds", [1, 3])
def test_the_whole_is_json_without_nan(drawn_ladder: Draw, n_seeds: int) -> None:
    """Programs read it as it is, also with one seed."""
    ladder, workspace = drawn_ladder(n_seeds=n_seeds)
    value = json.loads(json.dumps(judge_ladder(read_state(ladder, workspace)).to_json(), allow_nan=False))
    assert [rung["step"] is None for rung in value["rungs"]] == [True, False, False, False, False]
    assert value["rungs"][1]["seed_sd"] is None if n_seeds == 1 else value["rungs"][1]["seed_sd"] > 0


def test_one_seed_cannot_tell_but_tta_can(drawn_ladder: Draw) -> None:
    """A recipe cannot be told from a lucky run; TTA acts on given weights."""
    ladder, workspace = drawn_ladder(n_seeds=1, skills=[0.2, 1.5, 1.5, 0.2, 2.0])
    steps = [rung.step for rung in judge_ladder(read_state(ladder, workspace)).rungs[1:]]
    assert [step.verdict for step in steps[:3]] == ["cannot tell"] * 3
    assert steps[3].verdict == "better"
    assert "for this model" in steps[3].remarks


def test_failed_runs_are_counted_and_said(drawn_ladder: Draw) -> None:
    """Dropped failures bias the evidence, so they are told."""
    ladder, workspace = drawn_ladder(failed=frozenset({(1, 2)}), n_seeds=4)
    result = judge_ladder(read_state(ladder, workspace))
    assert result.n_failed == 1
    assert result.rungs[1].step.gain.n_runs == (4, 3)
    assert any("failed" in note for note in result.notes)
    assert result.is_complete


def test_missing_runs_leave_it_incomplete(drawn_ladder: Draw) -> None:
    """What is not done yet is no failure."""
    ladder, workspace = drawn_ladder(missing=frozenset({(4, 2), (3, 2)}))
    result = judge_ladder(read_state(ladder, workspace))
    assert not result.is_complete
    assert len(result.rungs[3].runs) == 2


def test_groups_are_the_units(drawn_ladder: Draw) -> None:
    """Images of one group share their luck."""
    ladder, workspace = drawn_ladder(n_groups=12)
    result = judge_ladder(read_state(ladder, workspace))
    assert result.n_groups == 12
    assert result.rungs[1].step.gain.n_units == 12
    assert result.rungs[1].step.gain.n_images == 240


def test_few_groups_cannot_tell(drawn_ladder: Draw) -> None:
    """With fewer than five groups nothing is claimed, and folds are advised."""
    ladder, workspace = drawn_ladder(n_groups=4)
    step = judge_ladder(read_state(ladder, workspace)).rungs[1].step
    assert step.verdict == "cannot tell"
    assert "folds" in step.remarks[0]


@pytest.mark.parametrize("n_folds", [5, 3])
def test_folds_are_compared_fold_by_fold(drawn_ladder: Draw, n_folds: int) -> None:
    """Five folds can tell; three cannot."""
    ladder, workspace = drawn_ladder(n_folds=n_folds, n_images=80, skills=[0.2, 1.6, 1.6, 1.6, 1.6], n_seeds=1)
    result = judge_ladder(read_state(ladder, workspace))
    step = result.rungs[1].step
    assert step.gain.method == "folds"
    assert step.gain.n_units == n_folds
    assert step.verdict == ("better" if n_folds == 5 else "cannot tell")
    assert result.n_images == 80 * n_folds


def test_folds_without_a_common_seed_are_left_out_where_weights_are_the_same(drawn_ladder: Draw) -> None:
    """Records removed by hand may leave a fold where no run on one side has the other's weights."""
    ladder, workspace = drawn_ladder(n_folds=6, n_images=40, n_seeds=2)
    state = read_state(ladder, workspace)
    gone = {(3, 0, 0), (4, 1, 0)}  # rung, seed, fold
    jobs = tuple(
        replace(entry, record=None, state="waiting")
        if (entry.job.rung, entry.job.seed, entry.job.fold) in gone
        else entry
        for entry in state.jobs
    )
    step = judge_ladder(replace(state, jobs=jobs)).rungs[4].step
    assert step.gain.n_units == 5
    assert step.gain.n_runs == (2, 2)


def test_an_extended_ladder_is_a_second_look_before_it_is_complete(drawn_ladder: Draw) -> None:
    """Verdicts in between are given after looking, too."""
    ladder, workspace = drawn_ladder(n_seeds=4, missing=frozenset({(4, 3)}))
    first = judge_ladder(read_state(ladder, workspace))
    again = judge_ladder(read_state(replace(ladder, looks=(3,)), workspace))
    assert (first.n_looks, again.n_looks) == (1, 2)
    assert any("levels divided by 2" in remark for remark in again.rungs[1].step.remarks)


def test_leaving_out_tells_what_a_recipe_is_worth(drawn_ladder: Draw) -> None:
    """The full stack is better than the stack without the recipe: the recipe is worth a gain."""
    ladder, workspace = drawn_ladder(kind="ablate", skills=[1.8, 0.5, 1.8, 1.8, 1.8], n_seeds=4, n_images=600)
    result = judge_ladder(read_state(ladder, workspace))
    without = result.rungs[1]
    assert without.plan.recipes[0] == "augmentation"
    assert "tta" in without.plan.recipes
    assert without.step.verdict == "better"
    assert without.total is None
    assert result.rungs[4].step.gain.method == "same weights"


def test_cost_of_a_rung_is_that_of_making_it_alone(drawn_ladder: Draw) -> None:
    """TTA without a training of its own still needs one; what was saved by sharing weights is told."""
    ladder, workspace = drawn_ladder()
    result = judge_ladder(read_state(ladder, workspace))
    assert [rung.seconds for rung in result.rungs] == pytest.approx([63, 63, 63, 63, 63])
    assert result.rungs[4].extra_seconds == pytest.approx(0)
    assert result.saved_seconds == pytest.approx(3 * 60)


@pytest.mark.parametrize(("n_folds", "n_seeds"), [(None, 4), (5, 2)])
def test_the_mean_of_the_seeds_of_the_incumbent_is_judged_where_asked_for(
    drawn_ladder: Draw, n_folds: int | None, n_seeds: int
) -> None:
    """Over one of its networks, in the very units of the ladder; nobody who did not ask sees it."""
    ladder, workspace = drawn_ladder(
        "baseline+augmentation", skills=[0.5, 1.5], n_images=400, n_seeds=n_seeds, n_folds=n_folds
    )
    assert judge_ladder(read_state(ladder, workspace)).ensemble is None
    result = judge_ladder(read_state(replace(ladder, ensemble=True), workspace))
    found = result.ensemble
    assert found is not None
    assert found.stack == ladder.rungs[1].printed
    assert found.n_members == n_seeds
    assert found.judged.gain.method == ("same weights" if n_folds is None else "folds")
    rung = result.rungs[1].score
    assert rung is not None
    assert found.judged.value == pytest.approx(found.score.value - rung.value, abs=1e-9)
    said = json.loads(json.dumps(result.to_json(), allow_nan=False))["ensemble"]
    assert (said["stack"], said["n_members"], said["gain"]["verdict"]) == (found.stack, n_seeds, found.judged.verdict)
    assert any(
        text.startswith(f"The mean of {n_seeds} networks of baseline+augmentation scores ") for text in answer(result)
    )


def test_too_few_seeds_have_no_mean(drawn_ladder: Draw) -> None:
    """Two on one split, where nobody could tell how much it varies with them, and one over folds; that is said."""
    for n_folds, n_seeds in ((None, 2), (5, 1)):
        ladder, workspace = drawn_ladder("baseline+augmentation", n_seeds=n_seeds, n_folds=n_folds, n_images=40)
        result = judge_ladder(read_state(replace(ladder, ensemble=True), workspace))
        assert result.ensemble is None
        assert any("judged from three seeds on" in text for text in answer(result))
        for folder in workspace.runs.iterdir():
            shutil.rmtree(folder)


@pytest.mark.parametrize(("kind", "rung"), [("climb", 2), ("ablate", 0)])
def test_an_ensemble_on_top_is_of_the_highest_rung_whatever_is_to_be_used(
    drawn_ladder: Draw, kind: str, rung: int
) -> None:
    """Where recipes are left out, of the full stack; it is in the same units as one that was asked for by option."""
    ladder, workspace = drawn_ladder("baseline+augmentation+tta", kind=kind, skills=[1.0, 2.0, 0.4], n_images=400)
    of_choice = judge_ladder(read_state(replace(ladder, ensemble=True), workspace))
    on_top = judge_ladder(read_state(replace(ladder, ensemble=True, ensemble_on_top=True), workspace))
    assert on_top.ensemble is not None
    assert on_top.ensemble.stack == ladder.rungs[rung].printed
    assert (on_top.on_top is on_top.ensemble) == (kind == "climb")
    assert of_choice.on_top is None
    score = on_top.rungs[rung].score
    assert score is not None
    assert on_top.ensemble.judged.value == pytest.approx(on_top.ensemble.score.value - score.value, abs=1e-9)
    assert on_top.incumbent == of_choice.incumbent
