"""Tests of the metrics of a run and their intervals."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, log_loss

from imgcls.config.metrics import METRICS, PRIMARY, RECORDED
from imgcls.errors import UsageError
from imgcls.evidence import contributions
from imgcls.evidence.metrics import evaluate, majority_accuracy, wilson_interval

CLASSES = ("a", "b", "c")


def _draw(n: int, n_classes: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = rng.integers(n_classes, size=n)
    values = rng.random((n, n_classes)).round(1) + 0.1
    values[np.arange(n), targets] += 0.3
    return values / values.sum(axis=1, keepdims=True), targets


def test_every_metric_has_a_value_within_its_interval() -> None:
    values, targets = _draw(150, 3, seed=1)
    got = evaluate(values, targets, problem="multiclass", classes=CLASSES)
    assert list(got) == list(RECORDED)
    for name, estimate in got.items():
        assert estimate.value is not None, name
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low < estimate.value < estimate.high, name
        assert estimate.n == 150
        assert estimate.reason is None


def test_primary_metrics_are_metrics() -> None:
    assert dict(PRIMARY) == {"binary": "roc_auc", "multiclass": "accuracy", "multilabel": "roc_auc"}
    assert set(PRIMARY.values()) <= set(METRICS)


@pytest.mark.parametrize(
    ("n_right", "n", "expected"), [(8, 10, (0.4902, 0.9433)), (0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0))]
)
def test_wilson_interval(n_right: int, n: int, expected: tuple[float, float]) -> None:
    assert wilson_interval(n_right, n) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(("n_right", "n"), [(1, 3), (17, 40), (499, 512)])
def test_wilson_interval_is_scipys(n_right: int, n: int) -> None:
    expected = stats.binomtest(n_right, n).proportion_ci(method="wilson")
    assert wilson_interval(n_right, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_accuracy_has_wilsons_interval() -> None:
    values = np.tile([[0.9, 0.1]], (10, 1))
    got = evaluate(values, [0] * 8 + [1] * 2, problem="binary", classes=("no", "yes"))["accuracy"]
    assert (got.value, got.low, got.high) == pytest.approx((0.8, *wilson_interval(8, 10)))


def test_other_intervals_are_standard_errors_of_contributions() -> None:
    values, targets = _draw(80, 2, seed=2)
    got = evaluate(values, targets, problem="binary", classes=("no", "yes"))
    each = contributions("roc_auc", values, targets, problem="binary")
    half = 1.959964 * each.std(ddof=1) / np.sqrt(80)
    auc = got["roc_auc"]
    assert (auc.low, auc.high) == pytest.approx((each.mean() - half, min(1, each.mean() + half)), abs=1e-6)


def test_log_loss_is_a_loss() -> None:
    values, targets = _draw(80, 3, seed=3)
    got = evaluate(values, targets, problem="multiclass", classes=CLASSES)["log_loss"]
    assert got.value == pytest.approx(log_loss(targets, values, labels=[0, 1, 2]))
    assert not METRICS["log_loss"].higher_is_better


def test_log_loss_is_not_below_zero() -> None:
    values = np.array([[1, 0]] * 9 + [[0.5, 0.5]])
    got = evaluate(values, [0] * 10, problem="binary", classes=("no", "yes"))["log_loss"]
    assert got.low == 0


@pytest.mark.parametrize("problem", ["binary", "multiclass", "multilabel"])
def test_average_precision_is_scikit_learns(problem: str) -> None:
    values, targets = _draw(90, 2 if problem == "binary" else 4, seed=4)
    truth = (targets[:, None] == np.arange(values.shape[1])).astype(int)
    if problem == "multiclass":
        truth[:, 2], values[:, 2] = 0, values[:, 2]
        targets[targets == 2] = 3
        truth = (targets[:, None] == np.arange(4)).astype(int)
    given = truth if problem == "multilabel" else targets
    names = [f"c{number}" for number in range(values.shape[1])]
    got = evaluate(values, given, problem=problem, classes=names)["average_precision"]  # type: ignore[arg-type]
    columns = [1] if problem == "binary" else np.flatnonzero(truth.any(axis=0)).tolist()
    expected = np.mean([average_precision_score(truth[:, column], values[:, column]) for column in columns])
    assert got.value == pytest.approx(expected)
    assert got.reason == ("1 of 4 classes without positives left out: c2" if problem == "multiclass" else None)


def test_bootstrap_is_the_same_every_time_and_about_as_wide_as_a_direct_one() -> None:
    values, targets = _draw(120, 2, seed=5)
    got, again = (evaluate(values, targets, problem="binary", classes=("n", "y"))["average_precision"] for _ in "12")
    assert got == again
    rng = np.random.default_rng(9)
    direct = []
    for _ in range(300):
        rows = rng.integers(120, size=120)
        direct.append(average_precision_score(targets[rows], values[rows, 1]))
    low, high = np.percentile(direct, [2.5, 97.5])
    assert (got.low, got.high) == pytest.approx((low, high), abs=0.04)


def test_groups_are_the_unit() -> None:
    """Ten copies of every image say no more than the image: the intervals follow the groups."""
    values, targets = _draw(40, 2, seed=6)
    names = [f"g{number}" for number in range(40)]
    once = evaluate(values, targets, problem="binary", classes=("n", "y"), groups=names)
    alone = evaluate(values, targets, problem="binary", classes=("n", "y"))
    copies = evaluate(
        np.repeat(values, 10, axis=0),
        np.repeat(targets, 10),
        problem="binary",
        classes=("n", "y"),
        groups=np.repeat(names, 10),
    )
    assert once == alone
    ratio = stats.t.ppf(0.975, 39) / stats.norm.ppf(0.975)
    for name in ("roc_auc", "macro_f1", "balanced_accuracy", "log_loss"):
        single, group = alone[name], copies[name]
        assert single.low is not None and single.value is not None and group.low is not None  # noqa: PT018
        assert group.value == pytest.approx(single.value)
        assert group.value - group.low == pytest.approx(ratio * (single.value - single.low)), name
    precision, precision_once = copies["average_precision"], once["average_precision"]
    assert (precision.low, precision.high) == pytest.approx((precision_once.low, precision_once.high))


def test_accuracy_in_groups_is_cluster_robust() -> None:
    right = np.array([1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 1, 1])
    values = np.where(right[:, None] == 1, [[0.9, 0.1]], [[0.1, 0.9]])
    groups = ["a", "a", "a", "b", "b", "c", "c", "c", "d", "d", "e", "e"]
    got = evaluate(values, [0] * 12, problem="binary", classes=("n", "y"), groups=groups)["accuracy"]
    mean, n_groups = right.mean(), 5
    units = [mean + n_groups / 12 * sum(right[i] - mean for i in range(12) if groups[i] == name) for name in "abcde"]
    half = stats.t.ppf(0.975, 4) * np.std(units, ddof=1) / np.sqrt(5)
    assert (got.low, got.high) == pytest.approx((max(0, mean - half), min(1, mean + half)))


def test_fewer_than_five_groups_give_a_value_without_interval() -> None:
    values, targets = _draw(40, 2, seed=7)
    got = evaluate(values, targets, problem="binary", classes=("n", "y"), groups=["a", "b", "c", "d"] * 10)
    for estimate in got.values():
        assert estimate.value is not None
        assert (estimate.low, estimate.high) == (None, None)
        assert estimate.reason == "no interval: 4 groups, at least 5 are needed; use folds"


def test_an_empty_group_is_a_group_of_its_own() -> None:
    values, targets = _draw(40, 2, seed=7)
    with_empty = evaluate(values, targets, problem="binary", classes=("n", "y"), groups=[""] * 40)
    assert with_empty == evaluate(values, targets, problem="binary", classes=("n", "y"))


def test_one_class_has_no_ranking_and_says_so() -> None:
    got = evaluate([[0.9, 0.1]] * 3, [0, 0, 0], problem="binary", classes=("fine", "broken"))
    for name in ("roc_auc", "average_precision"):
        assert got[name].value is None
        assert got[name].reason == "only one class is present: fine"
    assert got["accuracy"].value == 1
    assert got["log_loss"].value is not None


def test_classes_without_images_are_named() -> None:
    values, targets = _draw(60, 7, seed=8)
    targets = targets % 2
    got = evaluate(values, targets, problem="multiclass", classes=list("abcdefg"))
    assert got["macro_f1"].reason == "5 of 7 classes without positives left out: c, d, e, f, g"
    assert got["roc_auc"].reason == "5 of 7 classes without both positives and negatives left out: c, d, e, f, g"
    assert got["accuracy"].reason is None
    few = evaluate(values, targets * 0, problem="multiclass", classes=list("abcdefg"))
    assert few["macro_f1"].reason is not None
    assert few["macro_f1"].reason.startswith("6 of 7 classes without positives left out: b, c, d, e, f, …")


def test_labels_without_positives_are_named() -> None:
    values = np.array([[0.2, 0.6], [0.8, 0.4], [0.4, 0.4]])
    got = evaluate(values, [[0, 0], [1, 0], [0, 0]], problem="multilabel", classes=("x", "y"))
    assert got["roc_auc"].reason is not None
    assert "1 of 2 classes without both positives and negatives left out: y" in got["roc_auc"].reason
    none = evaluate(values, np.zeros((3, 2), int), problem="multilabel", classes=("x", "y"))
    assert none["macro_f1"].reason == "no label has positives"
    assert none["roc_auc"].reason == "no label has both positives and negatives"
    assert none["accuracy"].value == pytest.approx(4 / 6)


@pytest.mark.parametrize("n", [0, 1])
def test_no_image_and_one_image(n: int) -> None:
    got = evaluate(np.full((n, 3), 1 / 3), np.zeros(n, int), problem="multiclass", classes=CLASSES)
    for name, estimate in got.items():
        assert estimate.low is None or name == "accuracy"
        assert estimate.reason or name == "accuracy"
        assert (estimate.value is None) == (n == 0 or name == "roc_auc")


def test_images_that_do_not_differ_give_no_interval() -> None:
    got = evaluate([[0.8, 0.2], [0.2, 0.8]] * 5, [0, 1] * 5, problem="binary", classes=("n", "y"))
    assert got["roc_auc"].value == 1
    assert got["roc_auc"].reason == "no interval: the images do not differ"
    assert got["average_precision"].low is None


@pytest.mark.parametrize(
    ("change", "message"), [({"classes": ("a",)}, "1 classes for 2"), ({"groups": ["a"]}, "1 groups for 2 images")]
)
def test_lengths_must_agree(change: dict[str, list[str]], message: str) -> None:
    given = {"problem": "binary", "classes": ("n", "y"), "groups": None} | change
    with pytest.raises(UsageError, match=message):
        evaluate([[0.8, 0.2], [0.2, 0.8]], [0, 1], **given)  # type: ignore[arg-type]


def test_majority_accuracy() -> None:
    assert majority_accuracy([2, 2, 0, 1]) == 0.5
    assert majority_accuracy([[1, 0], [1, 0], [0, 0], [1, 1]]) == 0.75
    with pytest.raises(UsageError, match="at least one"):
        majority_accuracy([])


def test_ten_thousand_images_are_scored_in_seconds() -> None:
    values, targets = _draw(10_000, 10, seed=9)
    start = time.process_time()
    evaluate(values, targets, problem="multiclass", classes=[str(number) for number in range(10)])
    assert time.process_time() - start < 20


def test_evidence_loads_neither_pandas_nor_torch_nor_scikit_learn() -> None:
    heavy = "('pandas', 'torch', 'sklearn', 'scipy.stats')"
    code = f"import sys, imgcls.evidence, imgcls.predictions.smoothing; print([n for n in {heavy} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
