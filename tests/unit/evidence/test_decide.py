"""Rules are chosen by validation, judged on what did not choose them, and promise what the images can show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, norm
from sklearn.metrics import f1_score, precision_recall_curve, precision_score, recall_score

from imgcls.config.decision import NOT_SURE, Decision
from imgcls.errors import DataError, UsageError
from imgcls.evidence.decide import Costs, decide, exact_interval
from imgcls.evidence.validated import Validated

SEPARATION = 1.2
"""Distance of the two classes from 0, in standard deviations."""
PRIOR = np.log(0.2 / 0.8)
"""The logit of the share that is defective, where a fifth is."""


class Run:
    """A run whose predictions are given."""

    folder = None
    id = "run-1"
    key = "f" * 64

    def __init__(self, images: Validated) -> None:
        self.images = images
        self.problem, self.classes = images.problem, images.classes


@pytest.fixture(autouse=True)
def _given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Validated, "of", lambda run: run.images)


def two_classes(n: int, *, share: float = 0.2, seed: int = 0, groups: int = 0, alike: float = 0.3) -> Validated:
    """Draw images of which a share is defective; groups have a part of their scores in common."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < share).astype(int)
    noise, numbers = rng.normal(size=n), rng.integers(max(groups, 1), size=n)
    if groups:
        noise = noise * np.sqrt(1 - alike) + np.sqrt(alike) * rng.normal(size=groups)[numbers]
    scores = noise + SEPARATION * (2 * truth - 1)
    defective = 1 / (1 + np.exp(-(2 * SEPARATION * scores + PRIOR)))
    return Validated(
        ids=tuple(map(str, range(n))),
        labels=tuple(np.array(["ok", "defective"])[truth]),
        probabilities=np.stack([1 - defective, defective], axis=1),
        targets=truth,
        groups=tuple(map(str, numbers)) if groups else None,
        folds=None,
        problem="binary",
        classes=("ok", "defective"),
    )


def several_labels(n: int = 500, k: int = 3) -> Validated:
    """Draw images with any of several labels."""
    rng = np.random.default_rng(3)
    truth = (rng.random((n, k)) < [0.1, 0.3, 0.5]).astype(int)
    probabilities = 1 / (1 + np.exp(-(rng.normal(size=(n, k)) + 1.5 * (2 * truth - 1) - 1)))
    labels = ("|".join(name for name, has in zip("xyz", row, strict=True) if has) for row in truth)
    ids = tuple(map(str, range(n)))
    return Validated(ids, tuple(labels), probabilities, truth, None, None, "multilabel", ("x", "y", "z"))


def three_classes(n: int = 900) -> Validated:
    """Draw images of three classes, the last one rare."""
    rng = np.random.default_rng(5)
    truth = rng.choice(3, size=n, p=[0.6, 0.3, 0.1])
    scores = rng.normal(size=(n, 3)) + 1.2 * np.eye(3)[truth] + np.log([0.6, 0.3, 0.1])
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    labels = tuple(np.array(["a", "b", "c"])[truth])
    return Validated(tuple(map(str, range(n))), labels, probabilities, truth, None, None, "multiclass", ("a", "b", "c"))


def true_recall(start: float) -> float:
    """Return the recall that a threshold has on all images that there could be."""
    return float(1 - norm.cdf((np.log(start / (1 - start)) - PRIOR) / (2 * SEPARATION) - SEPARATION))


def true_precision(start: float) -> float:
    """Return the precision that a threshold has on all images that there could be."""
    alarms = float(1 - norm.cdf((np.log(start / (1 - start)) - PRIOR) / (2 * SEPARATION) + SEPARATION))
    return 0.2 * true_recall(start) / (0.2 * true_recall(start) + 0.8 * alarms)


RECALL: dict[str, Any] = {"recall": {"defective": 0.95}}


@pytest.mark.parametrize(("n", "n_hits"), [(40, 40), (40, 0), (200, 191), (7, 3)])
def test_the_interval_of_a_share_is_exact(n: int, n_hits: int) -> None:
    """As scipy has it, also at both ends, where others have no width."""
    found = exact_interval(np.arange(n) < n_hits)
    expected = binomtest(n_hits, n).proportion_ci(method="exact")
    assert found == pytest.approx((expected.low, expected.high))


def test_images_that_vary_together_count_for_less() -> None:
    hits = np.repeat(np.random.default_rng(0).random(40) < 0.8, 25)
    alone, together = exact_interval(hits), exact_interval(hits, np.repeat(np.arange(40), 25))
    assert together[1] - together[0] > 4 * (alone[1] - alone[0])
    assert exact_interval(np.ones(1000, bool), np.repeat(np.arange(40), 25))[0] == pytest.approx(
        binomtest(40, 40).proportion_ci().low, abs=0.03
    )


def test_a_recall_that_is_shown_is_kept_on_new_images() -> None:
    """Of 120 thresholds chosen on drawn images 97.5 % at least should have the recall that is shown."""
    found = [decide(Run(two_classes(600, seed=seed)), **RECALL).decision for seed in range(120)]
    assert np.mean([one.promises[0].is_shown for one in found]) > 0.95
    kept = [true_recall(one.thresholds["defective"]) >= one.promises[0].shown for one in found]
    assert np.mean(kept) > 0.93
    careless = [
        float(np.quantile(images.probabilities[images.targets == 1, 1], 0.05))
        for images in (two_classes(600, seed=seed) for seed in range(120))
    ]
    assert np.mean([true_recall(start) >= 0.95 for start in careless]) < 0.7  # what the images themselves have


@pytest.mark.slow
@pytest.mark.parametrize(("n", "groups", "alike"), [(400, 0, 0.0), (2000, 0, 0.0), (2000, 40, 0.3), (600, 20, 0.5)])
@pytest.mark.parametrize(("what", "at_least"), [("recall", 0.9), ("recall", 0.95), ("precision", 0.8)])
def test_promises_hold_on_all_images_that_there_could_be(
    what: str, at_least: float, n: int, groups: int, alike: float
) -> None:
    """Alone and in groups, at least nearly as often as the interval says."""
    kept = []
    for seed in range(100):
        images = two_classes(n, seed=seed, groups=groups, alike=alike)
        decision = decide(Run(images), **{what: {"defective": at_least}}).decision
        start = decision.thresholds["defective"]
        found = true_recall(start) if what == "recall" else true_precision(start)
        kept.append(found >= decision.promises[0].shown)
    assert np.mean(kept) >= 0.92


def test_a_recall_that_too_few_images_can_show_is_not_promised() -> None:
    """Forty defective photographs, all found, show 0.912 and no more."""
    images = two_classes(200, share=0.0)
    truth = (np.arange(200) < 40).astype(int)
    labels = tuple(np.array(["ok", "defective"])[truth])
    found = decide(Run(replace(images, targets=truth, labels=labels)), recall={"defective": 0.99})
    assert not found.is_shown
    assert found.decision.promises[0].shown == pytest.approx(binomtest(40, 40).proportion_ci().low)


def test_it_takes_the_highest_threshold_that_keeps_the_bound() -> None:
    images = two_classes(600)
    start = decide(Run(images), **RECALL).decision.thresholds["defective"]
    scores = np.sort(images.probabilities[images.targets == 1, 1])
    lower = [exact_interval(scores >= cut)[0] >= 0.95 for cut in scores]
    expected = scores[np.flatnonzero(lower).max()]
    below = images.probabilities[images.probabilities[:, 1] < expected, 1].max()
    assert start == pytest.approx((expected + below) / 2)


def test_a_precision_takes_the_lowest_threshold_of_twenty_that_keeps_it() -> None:
    """The interval is of twenty looks, since lower thresholds need not be less precise."""
    images = two_classes(2000)
    decision = decide(Run(images), precision={"defective": 0.8}).decision
    shown = decision.promises[0].shown
    called = images.probabilities[:, 1] >= decision.thresholds["defective"]
    ordered = np.sort(images.probabilities[images.targets == 1, 1])[::-1]
    tried = ordered[np.unique(np.geomspace(1, len(ordered), 20).round().astype(int)) - 1]
    n_looks = len(tried)  # of few images the same threshold comes twice
    assert shown >= 0.8
    assert exact_interval(images.targets[called] == 1, n_looks=n_looks)[0] == pytest.approx(shown)
    assert exact_interval(images.targets[called] == 1)[0] > shown
    lower = [cut for cut in tried if cut < images.probabilities[called, 1].min()]
    assert all(
        exact_interval(images.targets[images.probabilities[:, 1] >= cut] == 1, n_looks=n_looks)[0] < 0.8
        for cut in lower
    )


def test_a_precision_that_no_threshold_has_is_hardly_ever_promised() -> None:
    """Scores that say nothing have the precision of all images at every threshold: twenty looks must find no more."""
    n_promised = 0
    for seed in range(150):
        images = two_classes(1000, seed=seed)
        scores = np.random.default_rng(1000 + seed).random(1000)
        images = replace(images, probabilities=np.stack([1 - scores, scores], axis=1))
        asked = float(images.targets.mean()) + 0.001
        n_promised += decide(Run(images), precision={"defective": asked}).decision.promises[0].is_shown
    assert n_promised <= 8  # 2.5 % are 4


def test_what_judges_did_not_choose() -> None:
    """Labels of a fold move the thresholds of the other folds; the answers of that fold itself stay bit for bit."""
    images = replace(two_classes(400), folds=np.arange(400) % 4)
    mine = images.folds == 2
    flipped = images.targets.copy()
    flipped[mine] = 1 - flipped[mine]
    other = replace(images, targets=flipped, labels=tuple(np.array(["ok", "defective"])[flipped]))
    before, after = decide(Run(images), **RECALL), decide(Run(other), **RECALL)
    assert before.decision.thresholds != after.decision.thresholds
    assert before.held_out == "fold by fold"
    alone = decide(Run(images.at(np.flatnonzero(~mine)))).n
    assert alone == 300
    rules = [
        decide(Run(replace(one.at(np.flatnonzero(~mine)), folds=None)), **RECALL).decision for one in (images, other)
    ]
    assert rules[0] == rules[1]  # the rule by which the fold is answered
    answers = [rule.answers(images.probabilities[mine]).chosen for rule in rules]
    assert (answers[0] == answers[1]).all()


def test_held_out_scores_are_those_of_the_rules_of_the_other_folds() -> None:
    images = replace(two_classes(400), folds=np.arange(400) % 4)
    answered = np.zeros(400, dtype=int)
    for fold in range(4):
        rest = replace(images.at(np.flatnonzero(images.folds != fold)), folds=None)
        rule = decide(Run(rest), **RECALL).decision
        held = images.folds == fold
        answered[held] = rule.answers(images.probabilities[held]).chosen[:, 1]
    found = decide(Run(images), **RECALL).scores
    assert found.classes[1].recall.value == pytest.approx(recall_score(images.targets, answered))
    assert found.classes[1].precision.value == pytest.approx(precision_score(images.targets, answered))
    assert found.n_false[1] == ((answered == 1) & (images.targets == 0)).sum()


def test_the_best_f1_of_each_label_is_found() -> None:
    images = several_labels()
    thresholds = decide(Run(images), f1=True).decision.thresholds
    for place, name in enumerate(images.classes):
        precision, recall, _ = precision_recall_curve(images.targets[:, place], images.probabilities[:, place])
        best = np.nanmax(2 * precision * recall / (precision + recall))
        found = f1_score(images.targets[:, place], images.probabilities[:, place] >= thresholds[name])
        assert found == pytest.approx(best)


def test_the_best_f1_of_two_classes_is_that_of_the_rarer_one() -> None:
    assert [*decide(Run(two_classes(600)), f1=True).decision.thresholds] == ["defective"]


def test_the_mean_f1_over_more_classes_rises() -> None:
    """On the images that choose, and on those that do not."""
    images = three_classes()
    found = decide(Run(images), f1=True)
    chosen = found.decision.answers(images.probabilities).chosen.argmax(axis=1)
    plain = f1_score(images.targets, images.probabilities.argmax(axis=1), average="macro")
    assert f1_score(images.targets, chosen, average="macro") > plain + 0.02
    held_out = np.mean([one.f1.value for one in found.scores.classes])
    assert held_out > np.mean([one.f1.value for one in found.default.classes])


def test_a_label_that_no_image_has_keeps_the_default() -> None:
    images = several_labels()
    images.targets[:, 0] = 0
    found = decide(Run(replace(images, labels=("",) * images.n)), f1=True)
    assert found.decision.thresholds["x"] == 0.5


def test_labels_have_bounds_of_their_own() -> None:
    found = decide(Run(several_labels()), recall={"x": 0.8}, precision={"y": 0.9}, f1=True)
    assert [(one.what, one.of) for one in found.decision.promises] == [("recall", "x"), ("precision", "y")]
    assert {*found.decision.thresholds} == {"x", "y", "z"}
    assert found.decision.asked == ("--recall 'x>=0.8'", "--precision 'y>=0.9'", "--f1")


def test_the_share_that_is_asked_for_is_left_to_a_person() -> None:
    images = two_classes(2000)
    found = decide(Run(images), reject=0.1)
    assert found.scores.n_unsure == pytest.approx(200, abs=25)
    assert found.decision.answers(images.probabilities).unsure.sum() <= 200
    assert (found.scores.accuracy.value or 0) > (found.default.accuracy.value or 1) + 0.02


def test_costs_are_those_of_the_answers() -> None:
    """The mean cost is counted image by image, and is below that of the default."""
    costs = Costs(answers={"ok": (0.0, 20.0), "defective": (1.0, 0.0), NOT_SURE: (3.0, 3.0)})
    images = two_classes(1000)
    found = decide(Run(images), costs=costs)
    each = []
    for label, answer in zip(images.labels, found.decision.named(images.probabilities), strict=True):
        each.append(costs.answers[answer][images.classes.index(label)])
    assert found.scores.cost is not None
    assert found.default.cost is not None
    assert found.scores.cost.value == pytest.approx(np.mean(each))
    assert found.scores.cost.value < found.default.cost.value
    assert found.held_out == ""


def test_costs_of_labels_are_thresholds() -> None:
    """Where missing costs three times as much as a false alarm, a quarter is enough."""
    costs = Costs(labels={"x": (3.0, 1.0), "y": (1.0, 1.0), "z": (0.0, 0.0)})
    found = decide(Run(several_labels()), costs=costs)
    assert found.decision.thresholds == pytest.approx({"x": 0.25, "y": 0.5, "z": 0.0})


def table(text: str, tmp_path: Path) -> Path:
    """Write a table."""
    (tmp_path / "costs.csv").write_text(text)
    return tmp_path / "costs.csv"


def test_a_table_of_costs_is_read_in_any_order(tmp_path: Path) -> None:
    path = table("is,not sure,defective,ok\ndefective,2,0,20\nok,2,1,0\n", tmp_path)
    found = Costs.read(path, Run(two_classes(10)))
    assert found.answers == {NOT_SURE: (2.0, 2.0), "defective": (1.0, 0.0), "ok": (0.0, 20.0)}
    decision = decide(Run(two_classes(400)), costs=found).decision
    assert decision == Decision.model_validate(decision.model_dump(by_alias=True))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("is,ok\nok,0\ndefective,1\n", "no column for 'defective'"),
        ("is,ok,defective\nok,0,1\n", "no row for 'defective'"),
        ("is,ok,defective\nok,0,1\ndefective,-3,0\n", "'-3' is no cost from 0"),
        ("is,ok,defective\nok,0,1\ndefective,much,0\n", "'much' is no cost"),
        ("is,ok,defective\nok,0,0\ndefective,0,0\n", "no wrong answer costs anything"),
        ("is,ok,defective,broken\nok,0,1,1\ndefective,1,0,1\n", "column 'broken' is no class"),
        ("is,ok,defective\nok,0,1\nok,0,1\ndefective,1,0\n", "'ok' has several rows"),
    ],
)
def test_a_table_of_costs_that_does_not_fit_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said):
        Costs.read(table(text, tmp_path), Run(two_classes(10)))


def test_several_labels_refuse_the_table_of_single_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="columns have to be label, missed and false_alarm"):
        Costs.read(table("is,x,y,z\nx,0,1,1\ny,1,0,1\nz,1,1,0\n", tmp_path), Run(several_labels()))
    found = Costs.read(table("label,missed,false_alarm\nz,1,1\ny,2,1\nx,3,1\n", tmp_path), Run(several_labels()))
    assert found.labels == {"x": (3.0, 1.0), "y": (2.0, 1.0), "z": (1.0, 1.0)}


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"recall": {"defectiv": 0.9}}, "Did you mean 'defective'"),
        ({"recall": {"defective": 1.2}}, "at most 1"),
        ({"recall": {"ok": 0.9, "defective": 0.9}}, "one of them only"),
        ({"recall": {"ok": 0.9}, "precision": {"ok": 0.9}}, "either recall or precision"),
        ({"recall": {"ok": 0.9}, "f1": True}, "Ask for one of"),
        ({"reject": 1.0}, "above 0 and below 1"),
        (
            {"reject": 0.1, "costs": Costs({"ok": (0, 1), "defective": (1, 0), NOT_SURE: (1, 1)})},
            "leave --reject out",
        ),
        ({"costs": Costs({"ok": (1, 1), "defective": (1, 1), NOT_SURE: (0, 0)})}, "Everything would be left"),
    ],
)
def test_what_cannot_be_asked_is_said(question: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        decide(Run(two_classes(200)), **question)


def test_a_class_that_nothing_has_cannot_be_bounded() -> None:
    images = two_classes(50, share=0.0)
    with pytest.raises(UsageError, match="Too few images of validation have 'defective'"):
        decide(Run(images), **RECALL)


def test_one_image_that_has_it_cannot_choose_and_judge() -> None:
    images = two_classes(50, share=0.0)
    truth = (np.arange(50) == 7).astype(int)
    with pytest.raises(UsageError, match="have to be different ones"):
        decide(Run(replace(images, targets=truth, labels=tuple(np.array(["ok", "defective"])[truth]))), **RECALL)


def test_groups_stay_whole_where_thresholds_are_chosen() -> None:
    """A recall that single images would show is not shown by as many images in few groups."""
    images = two_classes(800, groups=8, alike=0.5)
    alone = replace(images, groups=None)
    shown = [decide(Run(one), **RECALL).decision.promises[0].is_shown for one in (images, alone)]
    assert shown == [False, True]
