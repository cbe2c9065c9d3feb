"""Properties of the metrics that hold whatever the predictions are."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from imgcls.evidence import METRICS, contributions
from imgcls.evidence.metrics import evaluate

N_CLASSES = 3
CLASSES = ("a", "b", "c")
EVERY = [
    "top_k:k=2" if name == "top_k" else "quadratic_kappa:order=c|a|b" if name == "quadratic_kappa" else metric.example
    for name, metric in METRICS.items()
]


@st.composite
def predictions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Draw probabilities with ties and targets, any class perhaps missing."""
    n = draw(st.integers(2, 25))
    raw = draw(st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=n, max_size=n))
    targets = draw(st.lists(st.integers(0, N_CLASSES - 1), min_size=n, max_size=n))
    values = np.array(raw) + 0.5
    return values / values.sum(axis=1, keepdims=True), np.array(targets)


@settings(max_examples=20, deadline=None)
@given(predictions())
def test_estimates_lie_in_their_range_or_have_a_reason(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    values, targets = drawn
    for name, estimate in evaluate(values, targets, problem="multiclass", classes=CLASSES, metrics=EVERY).items():
        lowest, highest = METRICS[name.partition(":")[0]].range
        if estimate.value is None or estimate.low is None or estimate.high is None:
            assert estimate.reason, name
            continue
        assert lowest <= estimate.low <= estimate.value + 1e-12, name
        assert estimate.value - 1e-12 <= estimate.high <= highest, name


@settings(max_examples=40, deadline=None)
@given(predictions(), st.randoms(use_true_random=False))
def test_order_of_images_does_not_matter(drawn: tuple[np.ndarray, np.ndarray], random: object) -> None:
    values, targets = drawn
    order = np.random.default_rng(len(targets)).permutation(len(targets))
    for metric in ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "brier", "top_k:k=2", "f_beta:beta=2"):
        each = contributions(metric, values, targets, problem="multiclass")
        moved = contributions(metric, values[order], targets[order], problem="multiclass")
        np.testing.assert_allclose(moved, each[order], atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(predictions())
def test_binary_auc_is_antisymmetric(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    """Naming the other class positive, or reversing every score, mirrors the area."""
    scores, positive = drawn[0][:, 0], drawn[1] > 0
    if positive.all() or not positive.any():
        return
    values = np.stack([1 - scores, scores], axis=1)
    area = contributions("roc_auc", values, positive.astype(int), problem="binary").mean()
    swapped = contributions("roc_auc", values[:, ::-1], positive.astype(int), problem="binary").mean()
    renamed = contributions("roc_auc", values[:, ::-1], (~positive).astype(int), problem="binary").mean()
    np.testing.assert_allclose([swapped, renamed], [1 - area, area], atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(predictions())
def test_more_copies_of_the_same_images_narrow_the_interval(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    values, targets = drawn
    few = evaluate(values, targets, problem="multiclass", classes=CLASSES)
    many = evaluate(np.tile(values, (4, 1)), np.tile(targets, 4), problem="multiclass", classes=CLASSES)
    for name in ("accuracy", "log_loss"):
        wide, narrow = few[name], many[name]
        if wide.low is None or wide.high is None or narrow.low is None or narrow.high is None:
            continue
        assert narrow.high - narrow.low < wide.high - wide.low
