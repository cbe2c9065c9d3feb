"""Networks are blended and judged against the best of them, on what they were not fitted on; the blend is a record."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import imgcls
from imgcls.errors import RecordError, UsageError
from imgcls.evidence import contributions
from imgcls.ladders.blend import blend
from imgcls.ladders.judge import judge_ladder
from imgcls.ladders.results import Blend, read_blend
from imgcls.ladders.spec import RESULT_JSON, Ladder
from imgcls.ladders.state import read_state
from imgcls.predictions.blending import FITTED
from imgcls.records.blend import BLEND_JSON, WAYS, BlendRecord, find_blend, find_blends
from imgcls.records.find import find_runs
from imgcls.records.remove import remove_runs
from imgcls.records.run import FoldRun, Folds, RunRecord
from imgcls.storage import write_json
from imgcls.workspace import Workspace

Draw = Callable[..., tuple[Ladder, Workspace]]
STACK = "baseline+augmentation"


def runs_of(workspace: Workspace, stack: str) -> list[RunRecord]:
    """Return the runs of a stack, by seed."""
    return sorted((run for run in find_runs(workspace)[0] if run.stack == stack), key=lambda run: run.seed)


def probabilities(frame: pd.DataFrame) -> np.ndarray:
    """Return [n, k]."""
    return frame.filter(regex="^p_").to_numpy()


def score(found: Blend, split: str = "valid") -> float:
    """Return the accuracy of what was kept."""
    frame = found.record.predictions(split)
    targets = frame["label"].map({"cat": 0, "dog": 1}).to_numpy()
    return float(contributions("accuracy", probabilities(frame), targets, problem="binary").mean())


def test_seeds_of_a_stack_are_blended_into_their_mean(drawn_ladder: Draw) -> None:
    """The record holds it, with members by id and digest, the best first; its gain is that over the best."""
    _, workspace = drawn_ladder(STACK, n_seeds=4)
    found = imgcls.blend(STACK, workspace=workspace, metric="accuracy")
    runs = runs_of(workspace, STACK)
    expected = np.mean([probabilities(run.predictions("valid")) for run in runs], axis=0)
    assert np.allclose(probabilities(found.record.predictions("valid")), expected)
    record = found.record
    assert {member.runs[0]: member.sha256[0] for member in record.members} == {run.id: run.digest() for run in runs}
    assert [member.weight for member in record.members] == pytest.approx([0.25] * 4)
    scores = [member.score.value or 0.0 for member in record.members]
    assert scores[0] == max(scores)
    assert found.verdict.best == found.best.runs[0]
    assert found.verdict.gain.value == pytest.approx(score(found) - scores[0])
    assert found.verdict.gain.same_weights
    assert record.metrics["accuracy"].value == pytest.approx(found.verdict.score.value) == pytest.approx(score(found))


def test_a_blend_is_found_again(drawn_ladder: Draw) -> None:
    """The same members in any order are the same blend, made once; a damaged one is made again."""
    _, workspace = drawn_ladder(STACK)
    one, two, three = (run.id for run in runs_of(workspace, STACK))
    first = blend(one, two, three, workspace=workspace)
    again = blend(three, one, two, workspace=workspace)
    assert first.is_new
    assert not again.is_new
    assert again.record == first.record
    (workspace.blends / first.record.id / "valid.parquet").write_bytes(b"")
    assert blend(STACK, workspace=workspace).is_new
    assert not blend(STACK, workspace=workspace).is_new
    assert read_blend(workspace.blends / first.record.id).verdict == first.verdict
    assert blend(STACK, workspace=workspace, smallest_gain=0.01).record.id != first.record.id
    assert blend(STACK, workspace=workspace, metric="log_loss").record.id != first.record.id
    assert [found.id for found in find_blends(workspace)[0]].count(first.record.id) == 1


@pytest.mark.parametrize("n_folds", [None, 5])
@pytest.mark.parametrize("way", WAYS)
def test_members_that_are_identical_gain_exactly_nothing(drawn_ladder: Draw, way: str, n_folds: int | None) -> None:
    """One network under two names: not the last bit changes."""
    _, workspace = drawn_ladder(STACK, n_seeds=2, n_folds=n_folds, n_images=60)
    for run in runs_of(workspace, "baseline"):
        if run.seed == 1:
            first = next(other for other in runs_of(workspace, "baseline") if (other.seed, other.fold) == (0, run.fold))
            assert run.folder is not None
            first.predictions("valid").to_parquet(run.folder / "valid.parquet", index=False)
            run.write(run.folder)
    found = blend("baseline", by=way, workspace=workspace)
    assert found.verdict.gain.value == 0
    assert found.verdict.gain.verdict == "no evidence"


@pytest.mark.parametrize("way", FITTED)
def test_what_is_fitted_is_judged_on_what_it_was_not_fitted_on(drawn_ladder: Draw, way: str) -> None:
    """Of networks that guess, fitted weights gain on the images they saw, and nothing on those that count."""
    _, workspace = drawn_ladder(STACK, n_seeds=12, n_images=60, skills=[0.0, 0.0])
    found = blend("baseline", by=way, workspace=workspace, metric="accuracy")
    values = {run.id: probabilities(run.predictions("valid")) for run in runs_of(workspace, "baseline")}
    fitted = np.sum([member.weight * values[member.runs[0]] for member in found.record.members], axis=0)
    kept = found.record.predictions("valid")
    labels = kept["label"].map({"cat": 0, "dog": 1}).to_numpy()
    by = "log_loss" if way == "weights" else "accuracy"
    on_what_they_saw = contributions(by, fitted, labels, problem="binary").mean()
    assert on_what_they_saw > contributions(by, probabilities(kept), labels, problem="binary").mean()


def test_folds_are_blended_out_of_fold(drawn_ladder: Draw) -> None:
    """Each member has a network for each fold; every image is answered once, and the gain is over folds."""
    _, workspace = drawn_ladder(STACK, n_seeds=3, n_folds=5, n_images=40)
    found = blend(STACK, workspace=workspace, metric="accuracy")
    frame = found.record.predictions("oof")
    assert len(frame) == 200
    assert frame["fold"].value_counts().to_dict() == dict.fromkeys(range(5), 40)
    assert all(len(member.runs) == 5 for member in found.record.members)
    assert found.verdict.gain.method == "folds"
    assert found.record.data.n["valid"] == 200
    assert len(found.record.shares) == 15
    assert sum(found.record.shares.values()) == pytest.approx(1)


@pytest.mark.parametrize("way", FITTED)
def test_over_folds_weights_come_from_the_other_folds(drawn_ladder: Draw, way: str) -> None:
    """What the labels of a fold are does not matter for what the blend says of it."""
    _, workspace = drawn_ladder(STACK, n_seeds=3, n_folds=5, n_images=40)
    before = blend(STACK, by=way, workspace=workspace, metric="accuracy").record.predictions("oof")
    for run in find_runs(workspace)[0]:
        if run.fold == 2:
            assert run.folder is not None
            frame = run.predictions("valid")
            frame["label"] = frame["label"].map({"cat": "dog", "dog": "cat"})
            frame.to_parquet(run.folder / "valid.parquet", index=False)
            run.write(run.folder)
    after = blend(STACK, by=way, workspace=workspace, metric="accuracy").record.predictions("oof")
    mine = before["fold"] == 2
    assert np.array_equal(probabilities(before[mine]), probabilities(after[mine]))
    assert not np.array_equal(probabilities(before[~mine]), probabilities(after[~mine]))


def test_a_ladder_lends_the_stack_it_recommends(drawn_ladder: Draw) -> None:
    """By its name, and the newest where nothing is named."""
    ladder, workspace = drawn_ladder(STACK, n_seeds=3, skills=[1.0, 2.0])
    result = judge_ladder(read_state(ladder, workspace))
    assert ladder.folder is not None
    write_json(ladder.folder / RESULT_JSON, result.to_json())
    named, newest = blend(ladder.name, workspace=workspace), blend(workspace=workspace)
    assert {member.label for member in named.record.members} == {STACK}
    assert newest.record.id == named.record.id


def test_a_climb_lends_the_stack_it_chose(drawn_climb: Callable[..., tuple[imgcls.ClimbRecord, Workspace]]) -> None:
    """And one that has not chosen says so."""
    climb, workspace = drawn_climb()
    assert {member.label for member in blend(workspace=workspace).record.members} == {climb.chosen}
    replace(climb, chosen_runs=()).write(workspace)
    with pytest.raises(RecordError, match="has not chosen a stack yet"):
        blend(climb.name, workspace=workspace)


def test_different_stacks_are_blended(drawn_ladder: Draw) -> None:
    """Runs of both, by whatever name."""
    _, workspace = drawn_ladder(STACK)
    found = blend("baseline", runs_of(workspace, STACK)[0].id, workspace=workspace)
    assert sorted(member.label for member in found.record.members) == ["baseline"] * 3 + [STACK]
    assert found.record.label == f"mean of 4: {STACK}, baseline"


def test_too_few_or_other_members_are_refused(drawn_ladder: Draw) -> None:
    """With what is missing, or what differs."""
    _, workspace = drawn_ladder(STACK, n_folds=5, n_images=20, n_seeds=1)
    with pytest.raises(UsageError, match="is one network, and a blend needs two at least"):
        blend(STACK, workspace=workspace)
    victim = next(run for run in runs_of(workspace, STACK) if run.fold == 3)
    assert victim.folder is not None
    for file in victim.folder.iterdir():
        file.unlink()
    victim.folder.rmdir()
    with pytest.raises(UsageError, match="No seed of 'baseline\\+augmentation' has all of its folds"):
        blend(STACK, workspace=workspace)
    with pytest.raises(RecordError, match="There is no run 'baseline\\+tta'"):
        blend("baseline+tta", workspace=workspace)
    with pytest.raises(UsageError, match="no way of blending"):
        blend(STACK, by="median", workspace=workspace)
    with pytest.raises(UsageError, match="There is no metric 'speed'"):
        blend(STACK, metric="speed", workspace=workspace)


def test_members_on_other_data_are_refused_by_name(drawn_ladder: Draw) -> None:
    """The difference is named: data, classes, split."""
    _, workspace = drawn_ladder(STACK)
    for run in runs_of(workspace, STACK):
        assert run.folder is not None
        replace(run, data=replace(run.data, digest="f" * 64, name="others")).write(run.folder)
    with pytest.raises(UsageError, match=r"were not scored on the same images:\n  - data: .*drawn.*"):
        blend("baseline", STACK, workspace=workspace)


def test_nothing_to_blend_is_said(tmp_path: Path) -> None:
    """With what makes something."""
    with pytest.raises(RecordError, match=r"no ladder in .* whose networks could be blended"):
        blend(workspace=Workspace(tmp_path))


def test_a_blend_is_found_by_what_people_type(drawn_ladder: Draw) -> None:
    """Its id, the beginning of it, its folder; a record that is damaged says so."""
    _, workspace = drawn_ladder(STACK)
    record = blend(STACK, workspace=workspace).record
    for text in (record.id, record.id[:14], str(workspace.blends / record.id)):
        assert find_blend(text, workspace) == record
    assert find_blend("baseline", workspace) is None
    file = workspace.blends / record.id / BLEND_JSON
    file.write_text(file.read_text().replace('"weight": 0.33', '"weight": 0.43', 1))
    with pytest.raises(RecordError, match="members must have weights from 0 that add up to 1"):
        find_blend(record.id, workspace)
    assert find_blends(workspace)[0] == []


def test_members_that_changed_or_are_gone_are_noticed(drawn_ladder: Draw) -> None:
    """A blend predicts with the networks it was judged with, or not at all."""
    _, workspace = drawn_ladder(STACK)
    record = blend(STACK, workspace=workspace).record
    assert list(record.members_in(workspace)) == list(record.shares)
    run = runs_of(workspace, STACK)[1]
    assert run.folder is not None
    replace(run, created="2027-01-01T00:00:00+00:00").write(run.folder)
    with pytest.raises(RecordError, match=re.escape(f"{run.id} changed since {record.id} was made")):
        record.members_in(workspace)
    (run.folder / "run.json").unlink()
    with pytest.raises(RecordError, match=re.escape(f"is made of {run.id}, which cannot be found")):
        record.members_in(workspace)
    assert BlendRecord.read(workspace.blends / record.id) == record


def test_other_ways_of_blending_the_same_are_further_looks(drawn_ladder: Draw) -> None:
    """Whoever tries five ways finds one of them better by chance five times as often: levels are divided."""
    _, workspace = drawn_ladder(STACK)
    first = blend(STACK, workspace=workspace)
    second = blend(STACK, by="geometric", workspace=workspace)
    assert not any("levels divided" in remark for remark in first.verdict.gain.remarks)
    assert "levels divided by 2, since the same networks were blended before" in second.verdict.gain.remarks
    other = blend("baseline", workspace=workspace)
    assert not any("levels divided" in remark for remark in other.verdict.gain.remarks)


def test_what_a_climb_chose_is_said_to_be_chosen(
    drawn_climb: Callable[..., tuple[imgcls.ClimbRecord, Workspace]],
) -> None:
    """The scores were looked at before; the record keeps the note, for programs too."""
    climb, workspace = drawn_climb()
    notes = blend(workspace=workspace).to_json()["notes"]
    assert any(f"{climb.name} chose its stack on these very photographs" in note for note in notes)


def test_groups_are_whole_in_every_part_and_in_the_verdict(drawn_ladder: Draw) -> None:
    """They are the units of the verdict and of every metric."""
    _, workspace = drawn_ladder(STACK, n_groups=40)
    found = blend(STACK, by="weights", workspace=workspace)
    assert found.verdict.gain.has_groups
    assert found.verdict.gain.n_units == 40
    assert "group" in found.record.predictions("valid").columns
    assert found.record.metrics["accuracy"].low is not None


def joint_of(runs: list[RunRecord], workspace: Workspace) -> RunRecord:
    """Write the joint record of folds."""
    folds = tuple(FoldRun(run.fold or 0, run.id, run.digest(), run.data.n, run.metrics) for run in runs)
    name = f"joint-s{runs[0].seed}-oof5-0000000{runs[0].seed}"
    folder = workspace.runs / name
    folder.mkdir()
    key = f"{runs[0].seed}" * 64
    return replace(runs[0], id=name, key=key, fold=None, folds=Folds(folds, {}), n_folds=5, files={}).write(folder)


def test_joint_records_that_are_named_stand_for_their_folds(drawn_ladder: Draw) -> None:
    """Their ids are what people see; a fold that was trained again since is named."""
    _, workspace = drawn_ladder(STACK, n_seeds=2, n_folds=5, n_images=40)
    runs = runs_of(workspace, STACK)
    names = [joint_of([run for run in runs if run.seed == seed], workspace).id for seed in (0, 1)]
    named = blend(*names, workspace=workspace)
    assert named.record.id == blend(*(run.id for run in runs), workspace=workspace).record.id
    assert len(named.record.members) == 2
    assert runs[0].folder is not None
    replace(runs[0], created="2027-01-01T00:00:00+00:00").write(runs[0].folder)
    with pytest.raises(RecordError, match="was trained again since"):
        blend(*names, workspace=workspace)


def test_folds_that_overlap_are_refused(drawn_ladder: Draw) -> None:
    """Older records do not say what their folds were drawn from."""
    _, workspace = drawn_ladder(STACK, n_seeds=2, n_folds=5, n_images=40)
    for run in find_runs(workspace)[0]:
        if run.fold == 3:
            assert run.folder is not None
            twin = next(one for one in runs_of(workspace, run.stack) if (one.seed, one.fold) == (run.seed, 2))
            twin.predictions("valid").to_parquet(run.folder / "valid.parquet", index=False)
            run.write(run.folder)
    with pytest.raises(RecordError, match="The folds of these runs overlap"):
        blend(STACK, workspace=workspace)


def test_selections_of_which_two_and_two_go_together_say_what_differs(drawn_ladder: Draw) -> None:
    """The newest runs of both may be on the same split, and older ones not."""
    top = f"{STACK}+adamw_cosine"
    _, workspace = drawn_ladder(top)
    for run in runs_of(workspace, top):
        assert run.folder is not None
        replace(run, data=replace(run.data, split_digest="a" * 64)).write(run.folder)
    with pytest.raises(UsageError, match="were not scored on the same images"):
        blend("baseline", STACK, top, workspace=workspace)


def test_a_metric_that_cannot_be_computed_leaves_nothing_behind(drawn_ladder: Draw) -> None:
    """All is computed before anything is written."""
    _, workspace = drawn_ladder(STACK)
    for run in runs_of(workspace, STACK):
        assert run.folder is not None
        run.predictions("valid").assign(label="cat").to_parquet(run.folder / "valid.parquet", index=False)
        run.write(run.folder)
    with pytest.raises(UsageError, match="roc_auc cannot be computed"):
        blend(STACK, workspace=workspace, metric="roc_auc")
    assert not workspace.blends.exists()


def test_runs_of_a_blend_are_not_removed_under_it(drawn_ladder: Draw) -> None:
    """As those that lend weights are not; other runs go."""
    _, workspace = drawn_ladder(STACK)
    record = blend(STACK, workspace=workspace).record
    with pytest.raises(RecordError, match=f"{record.id} is made of "):
        remove_runs(runs_of(workspace, STACK)[:1], workspace)
    remove_runs(runs_of(workspace, "baseline"), workspace)
    assert len(runs_of(workspace, STACK)) == 3
