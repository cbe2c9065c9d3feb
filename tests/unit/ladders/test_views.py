"""Numbers of views are scored side by side; what is claimed of one was chosen by other photographs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imgcls.data.source import DataSource
from imgcls.engine.device import Machine
from imgcls.engine.progress import Silent
from imgcls.errors import RecordError, UsageError
from imgcls.evidence.cross_fitting import parts_of
from imgcls.ladders.predictions import Predictions
from imgcls.ladders.results import ViewsRecord
from imgcls.ladders.views import ViewsQuestion, judge_views, look_at_views
from imgcls.records.find import find_runs
from imgcls.records.run import AllData, JudgedRun, RunRecord
from imgcls.reports.views import claim_about, curve_rows, next_step, notes_of
from imgcls.schema import from_json
from imgcls.workspace import Workspace

Draw = Callable[..., Any]
ASKED = ViewsQuestion("flips", 8, "accuracy")


@pytest.fixture
def run(drawn_ladder: Draw) -> RunRecord:
    """A record of two classes."""
    _, workspace = drawn_ladder("baseline+augmentation", n_seeds=1, n_images=20)
    return find_runs(workspace)[0][0]


def board(values: np.ndarray, targets: np.ndarray, **changes: Any) -> Predictions:
    """Return predictions [views, n, k] of cats and dogs as `look_at_views` hands them on."""
    n = values.shape[1]
    found = Predictions(
        ids=tuple(f"{number}.png" for number in range(n)),
        labels=tuple(["cat", "dog"][target] for target in targets) if targets.ndim == 1 else ("cat",) * n,
        targets=targets,
        groups=None,
        probabilities={str(number): one for number, one in enumerate(values, start=1)},
        notes=(),
        problem="binary" if targets.ndim == 1 else "multilabel",
        classes=("cat", "dog"),
    )
    return replace(found, **changes)


def guesses(n_views: int, n: int, *, seed: int = 0, skill: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Draw means over views of two classes, and the classes."""
    random = np.random.default_rng(seed)
    targets = np.arange(n) % 2
    logits = random.normal(size=(n_views, n)) + skill * (2 * targets - 1)
    share = 1 / (1 + np.exp(-logits))
    return np.stack([1 - share, share], axis=2), targets


def test_the_curve_is_that_of_each_number_alone(run: RunRecord) -> None:
    """Scores, gains over one view paired image by image, and the photographs that change; oracle in numpy."""
    values, targets = guesses(4, 200, skill=0.8)
    found = judge_views(run, board(values, targets), ASKED)
    right = values.argmax(axis=2) == targets
    assert [step.score.value for step in found.curve] == pytest.approx(right.mean(axis=1))
    assert found.curve[0].gain is None
    for number in (1, 2, 3):
        difference = right[number].astype(float) - right[0]
        gain = found.curve[number].gain
        assert gain is not None
        assert gain.value == pytest.approx(difference.mean())
        assert gain.standard_error == pytest.approx(difference.std(ddof=1) / np.sqrt(200))
    assert found.chosen == 1 + int(right.mean(axis=1).argmax())
    assert {change.id for change in found.fixed} == {f"{i}.png" for i in np.flatnonzero(~right[0] & right[3])}
    assert {change.id for change in found.broken} == {f"{i}.png" for i in np.flatnonzero(right[0] & ~right[3])}
    assert all(change.after == change.label != change.before for change in found.fixed)


def test_what_is_claimed_was_chosen_by_others(run: RunRecord) -> None:
    """Of guesses, the number that all choose looks good, and the claim does not: fifth by fifth, oracle in numpy."""
    optimism = []
    for seed in range(20):
        values, targets = guesses(12, 100, seed=seed)
        found = judge_views(run, board(values, targets), ASKED)
        right = (values.argmax(axis=2) == targets).astype(float)
        _, parts = parts_of(["cat" if target == 0 else "dog" for target in targets], None)
        chosen = [int(right[:, parts != part].mean(axis=1).argmax()) for part in range(5)]
        assert found.chosen_by_part == tuple(number + 1 for number in chosen)
        held_out = np.array([right[chosen[part], image] for image, part in enumerate(parts)])
        assert found.expected is not None
        assert found.gain is not None
        assert found.expected.value == pytest.approx(held_out.mean())
        assert found.gain.value == pytest.approx((held_out - right[0]).mean())
        over_parts = np.array([(held_out - right[0])[parts == part].mean() for part in range(5)])
        assert found.gain.standard_error == pytest.approx(np.sqrt((1 / 5 + 1 / 4) * over_parts.var(ddof=1)))
        optimism.append(right.mean(axis=1).max() - held_out.mean())
    assert np.mean(optimism) > 0.05


def test_views_that_change_nothing_gain_exactly_nothing(run: RunRecord) -> None:
    """One view is chosen, and nothing is listed."""
    values, targets = guesses(1, 60)
    found = judge_views(run, board(values.repeat(5, axis=0), targets), ASKED)
    assert (found.chosen, set(found.chosen_by_part), found.fixed, found.broken) == (1, {1}, (), ())
    assert found.gain is not None
    assert (found.gain.value, found.gain.verdict) == (0, "no evidence")
    claim = claim_about(found)
    assert claim is not None
    assert claim.gain == "no difference."


def test_where_no_part_can_be_held_out_nothing_is_claimed(run: RunRecord) -> None:
    """One group, or one photograph; the curve is there all the same, and so it is read again."""
    values, targets = guesses(3, 40)
    one_group = board(values, targets, groups=np.zeros(40, dtype=np.intp))
    for found in (judge_views(run, one_group, ASKED), judge_views(run, board(values[:, :1], targets[:1]), ASKED)):
        assert (found.chosen_by_part, found.expected, found.gain) == ((), None, None)
        assert any("No number of views can be claimed" in note for note in notes_of(found))
        assert claim_about(found) is None
        assert len(curve_rows(found)) == 3
        assert from_json(ViewsRecord, found.to_json(), where="views", schema=1) == found


def test_several_labels_are_scored_and_none_is_listed(run: RunRecord) -> None:
    """A photograph with several labels is neither right nor wrong."""
    values, targets = guesses(3, 60)
    labels = np.stack([targets, 1 - targets], axis=1)
    found = judge_views(run, board(values, labels), replace(ASKED, metric="roc_auc"))
    assert (found.fixed, found.broken, len(found.curve)) == ((), (), 3)
    assert any("neither right nor wrong" in note for note in found.notes)


def test_a_metric_that_one_class_cannot_have_is_refused(run: RunRecord) -> None:
    """Before anything is kept."""
    values, targets = guesses(2, 10)
    with pytest.raises(UsageError):
        judge_views(run, board(values, np.zeros_like(targets)), replace(ASKED, metric="roc_auc"))


def test_looking_again_costs_certainty(run: RunRecord) -> None:
    """Levels are divided by the looks, and that is said."""
    values, targets = guesses(4, 200, skill=0.8)
    found = judge_views(run, board(values, targets), ASKED, n_looks=3)
    assert any("levels divided by 3, since views of the same network" in note for note in notes_of(found))


def test_the_next_command_trains_nothing_new(run: RunRecord) -> None:
    """A recipe where there is one for any number, paths of the plan else; never two recipes for views."""
    values, targets = guesses(3, 40)
    found = replace(judge_views(run, board(values, targets), ASKED), chosen=3, stack="baseline+tta_flips+mixup")
    assert next_step(found).startswith(
        "imgcls recipe run baseline+mixup --set predict.views=3 --set predict.view_kind=flips "
    )
    assert next_step(replace(found, kind="augmented")).startswith("imgcls recipe run baseline+mixup+tta:views=3 ")


def test_a_metric_may_name_a_class(run: RunRecord) -> None:
    """By its name, whatever the others are called; chosen and judged by it."""
    values, targets = guesses(3, 200, skill=0.8)
    found = judge_views(run, board(values, targets), replace(ASKED, n_views=3, metric="sensitivity:class=dog"))
    assert found.curve[0].score.value == pytest.approx((values[0].argmax(axis=1)[targets == 1] == 1).mean())
    assert found.gain is not None


def test_views_of_a_run_on_all_the_data_are_refused(run: RunRecord, tmp_path: Path) -> None:
    """Its photographs of validation trained it."""
    cited = JudgedRun("baseline-s0-1a2b3c4d", "0" * 64, {})
    trained = replace(run, all_data=AllData((cited,), cited.run, 1, 1))
    with pytest.raises(RecordError, match="Look at the views of a judged run: baseline-s0-1a2b3c4d"):
        look_at_views(trained, DataSource(), ASKED, workspace=Workspace(tmp_path), machine=Machine(), reporter=Silent())
