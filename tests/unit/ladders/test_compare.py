"""Two sides from the records of a workspace."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import imgcls
from imgcls.config.metrics import Units
from imgcls.errors import RecordError, UsageError
from imgcls.ladders.judge import judge_ladder, verdict_record
from imgcls.ladders.predictions import changed_images
from imgcls.ladders.results import AcrossReview
from imgcls.ladders.state import read_state
from imgcls.plan import Fit, Plan
from imgcls.records.find import calibration_pair, find_runs
from imgcls.records.run import GAINS, BeforeReview, RunRecord
from imgcls.reports.verdict_text import review_sentences
from imgcls.workspace import Workspace

Draw = Callable[..., Any]
FULL = "baseline+augmentation+adamw_cosine+label_smoothing"


def runs_of(workspace: Workspace, stack: str) -> list[RunRecord]:
    """Return the runs of one stack."""
    return [run for run in find_runs(workspace)[0] if run.stack == stack]


def rewrite(run: RunRecord, **changed: Any) -> None:
    """Write a record with other values."""
    assert run.folder is not None
    replace(run, **changed).write(run.folder)


@pytest.mark.parametrize(
    "drawing",
    [
        {},
        {"n_groups": 12},
        {"n_folds": 5, "n_images": 60, "n_seeds": 2},
        {"metric": "log_loss"},
        {"metric": "brier", "n_groups": 12},
        {"metric": "mcc", "n_folds": 5, "n_images": 60, "n_seeds": 2},
    ],
)
def test_two_stacks_give_what_their_ladder_gives(drawn_ladder: Draw, drawing: dict[str, Any]) -> None:
    """One comparison is the step of the ladder, with nothing else counted beside it."""
    ladder, workspace = drawn_ladder(**drawing)
    rungs = judge_ladder(read_state(ladder, workspace)).rungs
    for number in (1, 4):
        below, rung = ladder.rungs[number - 1].stack, ladder.rungs[number].stack
        found = imgcls.compare(below, rung, workspace=workspace, metric=ladder.metric)
        assert found.judged.gain == rungs[number].step.gain
        assert found.other_gains == rungs[number].other_gains
        assert found.b.score == rungs[number].score
        assert found.b.values == pytest.approx(rungs[number].values)
        assert found.n_folds == ladder.n_folds
        assert found.changes.keys() == ladder.rungs[number].changes.keys()


@pytest.mark.parametrize(("n_groups", "within"), [(0, 0.2), (12, 1e-6)])
def test_a_metric_that_no_record_keeps_is_computed_from_predictions(
    drawn_ladder: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_groups: int, within: float
) -> None:
    """Also one's own, where lower is better: the gain is the drop. Groups are left out whole."""
    (tmp_path / "ones_own_cost.py").write_text(
        "def total(truth, probabilities):\n    return 100 * float((probabilities.argmax(axis=1) != truth).mean())\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    _, workspace = drawn_ladder(skills=[0.5, 1.5, 1.5, 1.5, 1.5], n_images=300, n_seeds=3, n_groups=n_groups)
    sides = ("baseline", "baseline+augmentation")
    right = imgcls.compare(*sides, workspace=workspace, metric="accuracy")
    cost = imgcls.compare(*sides, workspace=workspace, metric="ones_own_cost:total:lower")
    assert cost.metric == "ones_own_cost:total:lower"
    assert cost.judged.value == pytest.approx(100 * right.judged.value)
    assert cost.judged.value > 0
    assert cost.judged.gain.standard_error == pytest.approx(100 * right.judged.gain.standard_error, rel=within)
    assert cost.a.values == pytest.approx([100 * (1 - value) for value in right.a.values])
    assert cost.judged.verdict == right.judged.verdict
    assert imgcls.compare(*sides, workspace=workspace, metric="f_beta:beta=2.0").metric == "f_beta:beta=2"


def test_tta_is_known_to_use_the_same_weights(drawn_ladder: Draw) -> None:
    """Every seed predicts with the weights of the run below it."""
    _, workspace = drawn_ladder()
    assert imgcls.compare(FULL, f"{FULL}+tta", workspace=workspace).judged.gain.method == "same weights"
    assert imgcls.compare("baseline", f"{FULL}+tta", workspace=workspace).judged.gain.method == "separate trainings"


def test_the_other_way_round_is_the_negative(drawn_ladder: Draw) -> None:
    """B over A and A over B tell the same."""
    _, workspace = drawn_ladder()
    one, other = (imgcls.compare(*pair, workspace=workspace) for pair in (("baseline", FULL), (FULL, "baseline")))
    assert one.judged.value == pytest.approx(-other.judged.value)
    assert [change.id for change in one.fixed] == [change.id for change in other.broken]


def test_the_metric_is_that_of_the_problem_unless_chosen(drawn_ladder: Draw) -> None:
    """Two classes have ROC AUC, more have accuracy."""
    _, workspace = drawn_ladder()
    assert imgcls.compare("baseline", FULL, workspace=workspace).metric == "roc_auc"
    chosen = imgcls.compare("baseline", FULL, workspace=workspace, metric="log_loss")
    assert (chosen.metric, chosen.unit) == ("log_loss", "nats")
    assert chosen.a.score.value > chosen.b.score.value
    assert chosen.judged.value > 0


def test_images_that_changed_are_named_with_the_share_of_runs(drawn_ladder: Draw) -> None:
    """The most changed first; shares are of three runs."""
    _, workspace = drawn_ladder(classes=("a", "b", "c"))
    found = imgcls.compare("baseline", FULL, workspace=workspace)
    shares = [change.after - change.before for change in found.fixed]
    assert shares == sorted(shares, reverse=True)
    assert all(round(3 * share) == pytest.approx(3 * share) for share in shares)
    gain = sum(shares) + sum(change.after - change.before for change in found.broken)
    assert gain / found.n_images == pytest.approx(found.judged.value)


def test_the_images_of_a_ladder_are_those_of_its_comparisons(drawn_ladder: Draw) -> None:
    """Counted in full, named up to a number; for an ablation the full stack comes after."""
    ladder, workspace = drawn_ladder()
    changed = changed_images(read_state(ladder, workspace), most=2)[1]
    found = imgcls.compare("baseline", "baseline+augmentation", workspace=workspace)
    assert (changed.n_fixed, changed.n_broken) == (len(found.fixed), len(found.broken))
    assert changed.fixed == found.fixed[:2]


def test_a_run_is_compared_alone_and_its_other_seeds_are_told(drawn_ladder: Draw) -> None:
    """An id is one run: nobody can tell; but TTA on the same weights can."""
    _, workspace = drawn_ladder(skills=[0.2, 1, 1, 0.2, 2.0])
    one, other = runs_of(workspace, "baseline")[0], runs_of(workspace, FULL)[0]
    found = imgcls.compare(one.id, str(other.folder), workspace=workspace)
    assert found.judged.verdict == "cannot tell"
    assert (found.a.runs, found.b.runs) == ((one.id,), (other.id,))
    assert "there are 2 more of the same plan" in found.notes[0]
    tta = next(run for run in runs_of(workspace, f"{FULL}+tta") if run.seed == other.seed)
    assert "for this model" in imgcls.compare(other.id, tta.id, workspace=workspace).judged.remarks


def test_a_plan_can_be_named_by_its_digest_and_in_another_order(drawn_ladder: Draw) -> None:
    """Runs belong together by plan, not by label."""
    _, workspace = drawn_ladder()
    digest = runs_of(workspace, FULL)[0].plan_digest[:8]
    turned = "baseline+label_smoothing+augmentation+adamw_cosine"
    assert (
        imgcls.compare("baseline", digest, workspace=workspace).b.runs
        == imgcls.compare("baseline", turned, workspace=workspace).b.runs
    )


def test_a_label_of_two_plans_is_refused_with_their_digests(drawn_ladder: Draw) -> None:
    """A recipe that changed makes two plans of one name."""
    _, workspace = drawn_ladder()
    plan = Plan(fit=Fit(epochs=3))
    digests = {"plan_digest": plan.digest, "train_digest": plan.train_digest}
    rewrite(runs_of(workspace, "baseline")[0], plan=plan.to_json(), **digests)
    with pytest.raises(RecordError, match=rf"can mean 2 plans.*{plan.digest[:8]} \(baseline\)"):
        imgcls.compare("baseline", FULL, workspace=workspace)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"data": {"digest": "0" * 64}}, "data: drawn, digest dddddddd and drawn, digest 00000000"),
        ({"data": {"split_digest": "0" * 64}}, "split: digest eeeeeeee and digest 00000000"),
        ({"classes": ("dog", "cat")}, "classes: cat, dog and dog, cat"),
        ({"problem": "multilabel"}, "problem: binary and multilabel"),
        ({"fold": 1}, "folds: none and 1"),
    ],
)
def test_what_was_scored_on_other_images_is_refused(drawn_ladder: Draw, changed: dict[str, Any], said: str) -> None:
    """The difference is named, with both values."""
    _, workspace = drawn_ladder()
    for run in runs_of(workspace, FULL):
        values = {**changed, **({"data": replace(run.data, **changed["data"])} if "data" in changed else {})}
        rewrite(run, **values)
    with pytest.raises(UsageError) as problem:
        imgcls.compare("baseline", FULL, workspace=workspace)
    assert said in str(problem.value)


def test_runs_on_another_split_are_left_out_and_told(drawn_ladder: Draw) -> None:
    """What both sides have counts; the rest is said."""
    _, workspace = drawn_ladder()
    stray = runs_of(workspace, FULL)[0]
    rewrite(stray, data=replace(stray.data, split_digest="0" * 64))
    found = imgcls.compare("baseline", FULL, workspace=workspace)
    assert found.b.seeds == (1, 2)
    assert any("1 of 3 runs are left out" in note for note in found.notes)


def test_trials_and_what_is_not_there_are_refused(drawn_ladder: Draw) -> None:
    """Quick runs are no evidence; a stack without runs says how to make one."""
    _, workspace = drawn_ladder()
    for run in runs_of(workspace, "baseline"):
        rewrite(run, quick=True)
    with pytest.raises(RecordError, match="only tried with --quick"):
        imgcls.compare("baseline", FULL, workspace=workspace)
    with pytest.raises(RecordError, match="is a quick run"):
        imgcls.compare(runs_of(workspace, "baseline")[0].id, FULL, workspace=workspace)
    with pytest.raises(RecordError, match=r"no finished run of 'baseline\+one_cycle'.*recipe run baseline\+one_cycle"):
        imgcls.compare(FULL, "baseline+one_cycle", workspace=workspace)
    with pytest.raises(RecordError, match="There is no run 'nothing'"):
        imgcls.compare(FULL, "nothing", workspace=workspace)


def test_a_side_cannot_be_compared_with_itself(drawn_ladder: Draw) -> None:
    """One run on both sides is no comparison."""
    _, workspace = drawn_ladder()
    with pytest.raises(UsageError, match="both mean baseline-s"):
        imgcls.compare("baseline", runs_of(workspace, "baseline")[0].id, workspace=workspace)


@pytest.mark.parametrize(
    ("metric", "smallest_gain", "said"),
    [
        ("acuracy", None, "Did you mean 'accuracy'"),
        ("average_precision", None, "has no verdict"),
        ("calibration_error", None, "use --metric log_loss"),
        ("recall_at_precision:precision=0.9", None, "use --metric roc_auc"),
        ("f_beta", None, "f_beta needs beta"),
        (None, 0.0, "above 0"),
        (None, float("nan"), "above 0"),
    ],
)
def test_what_cannot_be_judged_is_refused_first(
    tmp_path: Path, metric: str | None, smallest_gain: float | None, said: str
) -> None:
    """Before a single record is read."""
    with pytest.raises(UsageError, match=said):
        imgcls.compare("a", "b", workspace=Workspace(tmp_path), metric=metric, smallest_gain=smallest_gain)


def test_failed_runs_are_told(drawn_ladder: Draw) -> None:
    """They are missing from the evidence."""
    _, workspace = drawn_ladder(failed=frozenset({(3, 1)}))
    found = imgcls.compare("baseline", FULL, workspace=workspace)
    assert found.judged.gain.n_runs == (3, 2)
    assert any("1 further runs failed" in note for note in found.notes)


def test_folds_that_overlap_are_refused(drawn_ladder: Draw) -> None:
    """Folds of two divisions of the data hold the same images."""
    names = [f"{number % 60:05d}.png" for number in range(180)]
    _, workspace = drawn_ladder(n_folds=3, n_images=60, ids=names)
    with pytest.raises(RecordError, match="overlap"):
        imgcls.compare("baseline", FULL, workspace=workspace)


def test_the_command_prints_json_and_loads_no_torch(drawn_ladder: Draw) -> None:
    """A comparison is read from records in a second."""
    _, workspace = drawn_ladder()
    code = (
        "import sys\n"
        "from imgcls.cli.app import _run\n"
        f"code = _run(['compare', 'baseline', {FULL!r}, '--json', '--out', {str(workspace.root)!r}])\n"
        "print('LOADED', sorted({'torch', 'fastai', 'timm', 'matplotlib'} & set(sys.modules)), file=sys.stderr)\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "LOADED []" in done.stderr
    value = json.loads(done.stdout)
    assert value["gain"]["verdict"] == imgcls.compare("baseline", FULL, workspace=workspace).judged.verdict
    assert value["data"] == {
        "name": "drawn",
        "digest": "d" * 64,
        "split_digests": ["e" * 64],
        "n_images": 240,
        "n_groups": 0,
        "n_folds": None,
    }


@pytest.mark.parametrize("drawing", [{}, {"n_folds": 5, "n_images": 60}, {"n_groups": 12}])
def test_a_blend_is_compared_as_the_verdict_on_it_compares(drawn_ladder: Draw, drawing: dict[str, Any]) -> None:
    """Over its best member by id, on one split: the very gain that it has over it."""
    _, workspace = drawn_ladder("baseline+augmentation", **drawing)
    made = imgcls.blend("baseline", workspace=workspace, metric="accuracy")
    (best, *_), folds = made.best.runs, drawing.get("n_folds")
    if folds is None:
        found = imgcls.compare(best, made.record.id, workspace=workspace, metric="accuracy")
        assert found.judged.value == pytest.approx(made.verdict.gain.value)
        assert (found.judged.low, found.judged.high) == pytest.approx((made.verdict.gain.low, made.verdict.gain.high))
        assert found.judged.verdict == made.verdict.gain.verdict
        assert "for this model" in found.judged.remarks
    whole = imgcls.compare(made.record.id, "baseline+augmentation", workspace=workspace, metric="accuracy")
    of_stack = [run.metrics["accuracy"] for run in runs_of(workspace, "baseline+augmentation")]
    assert len(whole.b.runs) == len(of_stack)
    assert whole.a.runs == tuple(made.record.shares)
    assert whole.a.score.value == pytest.approx(made.verdict.score.value)
    assert whole.judged.value == pytest.approx(whole.b.score.value - whole.a.score.value)
    assert whole.n_folds == folds
    assert not any("images that all runs have" in note for note in whole.notes)
    assert (whole.changes, whole.recipes, whole.items) == ({}, (), ())
    assert list((workspace.reports / "comparisons").glob("*.json"))


def test_seeds_of_a_stack_against_a_blend_are_not_drawn_anew(drawn_ladder: Draw) -> None:
    """The interval is that of the mean of their contributions, image by image: oracle in numpy."""
    _, workspace = drawn_ladder("baseline+augmentation")
    made = imgcls.blend("baseline", workspace=workspace, metric="accuracy").record
    found = imgcls.compare("baseline+augmentation", made.id, workspace=workspace, metric="accuracy")

    def right(frame: Any) -> Any:
        return (frame["p_dog"] > 0.5) == (frame["label"] == "dog")

    runs = [right(run.predictions("valid")) for run in runs_of(workspace, "baseline+augmentation")]
    difference = right(made.predictions("valid")) - np.mean(runs, axis=0)
    assert found.judged.value == pytest.approx(difference.mean())
    assert found.judged.gain.standard_error == pytest.approx(difference.std(ddof=1) / np.sqrt(len(difference)))


def test_two_blends_are_compared(drawn_ladder: Draw) -> None:
    """Against itself none is; the other way round it is the negative."""
    _, workspace = drawn_ladder("baseline+augmentation")
    one, other = (imgcls.blend(stack, workspace=workspace).record.id for stack in ("baseline", "baseline+augmentation"))
    there, back = (imgcls.compare(*pair, workspace=workspace) for pair in ((one, other), (other, one)))
    assert there.judged.value == pytest.approx(-back.judged.value)
    with pytest.raises(UsageError, match="needs two different sides"):
        imgcls.compare(one, one, workspace=workspace)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"data": {"digest": "f" * 64}}, "data: drawn, digest ffffffff and drawn, digest dddddddd"),
        ({"data": {"split_digest": "f" * 64}}, "split: digest ffffffff and digest eeeeeeee"),
        ({"classes": ("dog", "cat")}, "classes: dog, cat and cat, dog"),
        ({"fold": 0, "n_folds": 3}, "folds: 0 and none"),
    ],
)
def test_a_blend_of_other_data_is_refused_with_what_differs(
    drawn_ladder: Draw, changed: dict[str, Any], message: str
) -> None:
    """Data, split, classes and folds, by name."""
    _, workspace = drawn_ladder("baseline+augmentation")
    made = imgcls.blend("baseline", workspace=workspace).record
    for run in runs_of(workspace, "baseline+augmentation"):
        others = {key: value for key, value in changed.items() if key != "data"}
        rewrite(run, data=replace(run.data, **changed.get("data", {})), **others)
    with pytest.raises(UsageError, match=message):
        imgcls.compare("baseline+augmentation", made.id, workspace=workspace)


def test_a_blend_whose_networks_are_gone_is_not_compared(drawn_ladder: Draw) -> None:
    """They are named; so is one that was trained again."""
    _, workspace = drawn_ladder("baseline+augmentation")
    made = imgcls.blend("baseline", workspace=workspace).record
    first, *_ = runs_of(workspace, "baseline")
    rewrite(first, created="2026-12-01T00:00:00+00:00")
    with pytest.raises(RecordError, match=rf"{first.id} changed since"):
        imgcls.compare("baseline+augmentation", made.id, workspace=workspace)
    assert first.folder is not None
    (first.folder / "run.json").unlink()
    with pytest.raises(RecordError, match=rf"is made of {first.id}, which cannot be found"):
        imgcls.compare("baseline+augmentation", made.id, workspace=workspace)


def test_a_calibrated_run_is_found_beside_the_uncalibrated_one(drawn_ladder: Draw) -> None:
    """Of the same seed, on the same data; any other difference of the plan keeps them apart."""
    stack = "baseline+augmentation"
    _, workspace = drawn_ladder(f"{stack}+temperature")
    plain, calibrated = (
        next(run for run in runs_of(workspace, text) if run.seed == 1) for text in (stack, f"{stack}+temperature")
    )
    elsewhere = next(run for run in runs_of(workspace, stack) if run.seed == 2)
    rewrite(elsewhere, seed=1, environment={"device": "cuda"})
    assert [one.id for one in calibration_pair(plain, workspace)] == [plain.id, calibrated.id]
    assert calibration_pair(calibrated, workspace)[1] == calibrated
    base = next(iter(runs_of(workspace, "baseline")))
    assert calibration_pair(base, workspace) == (base,)
    rewrite(calibrated, data=replace(calibrated.data, split_digest="f" * 64))
    assert calibration_pair(plain, workspace) == (plain,)


def store(run: RunRecord, frame: pd.DataFrame, **changed: Any) -> None:
    """Write a record with other predictions of validation."""
    assert run.folder is not None
    frame.to_parquet(run.folder / "valid.parquet")
    size = (run.folder / "valid.parquet").stat().st_size
    rewrite(run, files={**run.files, "valid.parquet": replace(run.files["valid.parquet"], n_bytes=size)}, **changed)


def reviewed(runs: list[RunRecord], *, n: int, drop: int = 0) -> None:
    """Let runs on one split have been trained after a review of the first images, which left out the last ones.

    The labels that it gave are such that the first run is wrong about them.
    """
    first = runs[0].predictions("valid")
    best = first[[f"p_{name}" for name in runs[0].classes]].to_numpy().argmax(axis=1)
    labels = first["label"].tolist()
    labels[:n] = [runs[0].classes[(answer + 1) % len(runs[0].classes)] for answer in best[:n]]
    for run in runs:
        before = BeforeReview(run.data.digest, run.data.split_digest)
        split_digest = "8" * 64 if drop else before.split_digest
        data = replace(run.data, digest="9" * 64, split_digest=split_digest, before_review=before)
        frame = run.predictions("valid").assign(label=labels)
        store(run, frame.iloc[: len(frame) - drop], data=data)


@pytest.mark.parametrize("n_folds", [None, 5])
def test_over_a_review_both_are_judged_by_its_labels_and_on_what_nobody_disputes(
    drawn_ladder: Draw, n_folds: int | None
) -> None:
    _, workspace = drawn_ladder(skills=[0.4, 2.5, 2, 2, 2], n_images=300, n_seeds=2, n_folds=n_folds)
    sides = ("baseline", "baseline+augmentation")
    assert imgcls.compare(*sides, workspace=workspace, metric="accuracy").review is None
    after = runs_of(workspace, sides[1])
    for fold in {run.fold for run in after}:
        reviewed([run for run in after if run.fold == fold], n=4)
    found = imgcls.compare(*sides, workspace=workspace, metric="accuracy")
    assert found.review is not None
    assert (found.review.judged_by, found.n_images) == ("B", 300 * (n_folds or 1))
    assert 0 < found.review.n_relabelled <= 4 * (n_folds or 1)
    assert found.review.n_undisputed == found.n_images - found.review.n_relabelled
    assert found.review.undisputed is not None
    assert found.review.undisputed.verdict in GAINS
    assert found.judged.value < found.review.undisputed.value
    assert found.to_json()["review"]["n_relabelled"] == found.review.n_relabelled
    assert found.items == ()  # the gain is not that of the recipe alone
    turned = imgcls.compare(*reversed(sides), workspace=workspace, metric="accuracy")
    assert turned.review is not None
    assert turned.review.judged_by == "A"
    assert turned.judged.value == pytest.approx(-found.judged.value)


def test_one_stack_before_and_after_a_review_is_two_sides(drawn_ladder: Draw) -> None:
    _, workspace = drawn_ladder(skills=[1, 1, 1, 1, 1], n_images=200, n_seeds=4)
    with pytest.raises(UsageError, match="both sides"):
        imgcls.compare("baseline", "baseline", workspace=workspace)
    reviewed([run for run in runs_of(workspace, "baseline") if run.seed >= 2], n=3, drop=5)
    found = imgcls.compare("baseline", "baseline", workspace=workspace, metric="accuracy")
    assert (found.a.seeds, found.b.seeds) == ((0, 1), (2, 3))
    assert found.n_images == 195  # five were left out
    assert found.review is not None
    assert any("195 of 200" in note for note in found.notes)


def test_a_review_that_only_leaves_out_is_one_question_and_not_two(drawn_ladder: Draw) -> None:
    _, workspace = drawn_ladder(skills=[1, 1, 1, 1, 1], n_images=200, n_seeds=4)
    reviewed([run for run in runs_of(workspace, "baseline") if run.seed >= 2], n=0, drop=5)
    found = imgcls.compare("baseline", "baseline", workspace=workspace, metric="accuracy")
    assert found.review is not None
    assert (found.review.n_relabelled, found.review.n_undisputed) == (0, 195)
    assert found.review.undisputed == verdict_record(found.judged)
    assert found.judged.holm_p == found.judged.p


@pytest.mark.parametrize(
    ("judged_by", "all_images", "undisputed", "said"),
    [
        ("B", "better", "better", "helped"),
        ("B", "better", "no evidence", "no proof that it sees better"),
        ("B", "no evidence", "no evidence", "no evidence that training"),
        ("B", "better", "worse", "hurt"),
        ("B", "better", None, "nothing can be said"),
        ("B", "better", "cannot tell", "does not say whether"),
        ("B", "worse", "no evidence", "decisions that follow its answers count for it"),
        ("A", "better", "better", "name the run before it first"),
    ],
)
def test_what_may_be_concluded_over_a_review(
    drawn_ladder: Draw, judged_by: str, all_images: str, undisputed: str | None, said: str
) -> None:
    _, workspace = drawn_ladder(skills=[0.5, 2, 2, 2, 2], n_images=300, n_seeds=3)
    compared = imgcls.compare("baseline", "baseline+augmentation", workspace=workspace, metric="accuracy")
    judged = replace(compared.judged, verdict=all_images)  # type: ignore[arg-type]
    record = verdict_record(compared.judged)
    alone = None if undisputed is None else replace(record, verdict=undisputed)  # type: ignore[arg-type]
    review = AcrossReview(judged_by, n_relabelled=3, n_undisputed=297, undisputed=alone)
    assert said in review_sentences(judged, review, Units("accuracy"))[-1]
    if judged_by == "B" and undisputed is not None:
        other = review_sentences(judged, review, Units("accuracy"), same_plan=False)[-1]
        assert "neither gain is that of the review alone" in other
