"""Tests of contributions: their mean is scikit-learn's metric, their spread is the jackknife's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
from sklearn import metrics as oracle

from imgcls.errors import UsageError
from imgcls.evidence import contributions
from imgcls.evidence.contributions import CONTRIBUTIONS

Problem = Literal["binary", "multiclass", "multilabel"]
Case = tuple[np.ndarray, np.ndarray, Problem]


def _single(n: int, n_classes: int, *, seed: int, missing: int | None = None, decimals: int = 1) -> Case:
    """Draw predictions with many ties and classes of unequal size."""
    rng = np.random.default_rng(seed)
    targets = rng.choice(n_classes, size=n, p=np.arange(1, n_classes + 1) / np.arange(1, n_classes + 1).sum())
    if missing is not None:
        targets[targets == missing] = (missing + 1) % n_classes
    values = rng.random((n, n_classes))
    values[np.arange(n), targets] += 0.4
    values = values.round(decimals) + 0.05
    return values / values.sum(axis=1, keepdims=True), targets, "binary" if n_classes == 2 else "multiclass"


def _multilabel(n: int, *, seed: int, missing: bool = False) -> Case:
    rng = np.random.default_rng(seed)
    targets = (rng.random((n, 4)) < [0.2, 0.4, 0.5, 0.8]).astype(np.uint8)
    if missing:
        targets[:, 1] = 0
    return np.clip((rng.random((n, 4)) * 0.7 + 0.3 * targets).round(1), 0.05, 0.95), targets, "multilabel"


CASES: dict[str, Case] = {
    "binary": _single(60, 2, seed=1),
    "multiclass": _single(120, 4, seed=2),
    "missing class": _single(120, 4, seed=3, missing=2),
    "multilabel": _multilabel(80, seed=4),
    "missing label": _multilabel(80, seed=5, missing=True),
}


def _columns(targets: np.ndarray, k: int) -> np.ndarray:
    return targets if targets.ndim == 2 else (targets[:, None] == np.arange(k)).astype(int)


def _oracle(metric: str, values: np.ndarray, targets: np.ndarray, problem: Problem) -> float:
    """Compute a metric by scikit-learn, over the classes that it is defined for."""
    k = values.shape[1]
    truth = _columns(targets, k)
    present = truth.any(axis=0)
    both = present & ~truth.all(axis=0)
    if metric == "roc_auc":
        if problem == "binary":
            return oracle.roc_auc_score(targets, values[:, 1])
        return float(np.mean([oracle.roc_auc_score(truth[:, c], values[:, c]) for c in np.flatnonzero(both)]))
    if problem == "multilabel":
        said = (values >= 0.5).astype(int)
        each: dict[str, Callable[[int], float]] = {
            "accuracy": lambda c: oracle.accuracy_score(truth[:, c], said[:, c]),
            "balanced_accuracy": lambda c: oracle.balanced_accuracy_score(truth[:, c], said[:, c]),
            "macro_f1": lambda c: oracle.f1_score(truth[:, c], said[:, c]),
            "log_loss": lambda c: -oracle.log_loss(truth[:, c], values[:, c], labels=[0, 1]),
        }
        counted = {"balanced_accuracy": both, "macro_f1": present}.get(metric, np.ones(k, bool))
        return float(np.mean([each[metric](c) for c in np.flatnonzero(counted)]))
    said = values.argmax(axis=1)
    whole: dict[str, Callable[[], float]] = {
        "accuracy": lambda: oracle.accuracy_score(targets, said),
        "balanced_accuracy": lambda: oracle.recall_score(
            targets, said, labels=np.flatnonzero(present), average="macro"
        ),
        "macro_f1": lambda: oracle.f1_score(targets, said, labels=np.flatnonzero(present), average="macro"),
        "log_loss": lambda: -oracle.log_loss(targets, values, labels=np.arange(k)),
    }
    return float(whole[metric]())


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("metric", CONTRIBUTIONS)
def test_their_mean_is_the_metric(metric: str, case: str) -> None:
    values, targets, problem = CASES[case]
    got = contributions(metric, values, targets, problem=problem)
    assert got.shape == (len(values),)
    assert got.dtype == np.float64
    assert got.mean() == pytest.approx(_oracle(metric, values, targets, problem), abs=1e-12)


@pytest.mark.parametrize("metric", ["macro_f1", "roc_auc", "balanced_accuracy"])
@pytest.mark.parametrize("case", ["binary", "multiclass", "multilabel"])
def test_their_spread_is_that_of_the_jackknife(metric: str, case: str) -> None:
    make = {"binary": 2, "multiclass": 4}
    values, targets, problem = (
        _single(300, make[case], seed=7, decimals=4) if case in make else _multilabel(300, seed=7)
    )
    got = contributions(metric, values, targets, problem=problem)
    n, rows = len(values), np.arange(len(values))
    without = [
        contributions(metric, values[rows != row], targets[rows != row], problem=problem).mean() for row in range(n)
    ]
    jackknife = n * got.mean() - (n - 1) * np.array(without)
    assert np.corrcoef(got, jackknife)[0, 1] > 0.9999
    # The jackknife's recall and area have m - 1 where the infinitesimal ones have m, the size of the class.
    members = _columns(targets, values.shape[1]).sum(axis=0)
    smallest = int(min(members.min(), (n - members).min()))
    tolerance = 0.02 if metric == "macro_f1" else 2.2 / smallest
    assert got.var() == pytest.approx(jackknife.var(), rel=tolerance)


def test_reference_values_with_ties() -> None:
    """Example 4 of the specification of the statistics: three runs of one recipe and two of another."""
    rng = np.random.Generator(np.random.PCG64(13))
    targets = np.arange(40) % 3
    first, second = rng.random((3, 40, 3)), rng.random((2, 40, 3))
    first[:, np.arange(40), targets] += 0.3
    second[:, np.arange(40), targets] += 0.6
    runs = []
    for drawn in (first, second):
        softened = drawn.round(1) + 0.05
        runs.extend(softened / softened.sum(axis=-1, keepdims=True))
    expected = {
        "accuracy": [0.55, 0.625, 0.525, 0.875, 0.85],
        "log_loss": [-0.902751, -0.830297, -0.90919, -0.649708, -0.68103],
        "macro_f1": [0.542813, 0.622982, 0.517767, 0.872925, 0.848233],
        "roc_auc": [0.783086, 0.830586, 0.747745, 0.974834, 0.960046],
    }
    for metric, numbers in expected.items():
        got = [contributions(metric, values, targets, problem="multiclass").mean() for values in runs]
        assert got == pytest.approx(numbers, abs=6e-7), metric


def test_the_first_of_equal_probabilities_is_the_prediction() -> None:
    got = contributions("accuracy", [[0.5, 0.5], [0.5, 0.5]], [0, 1], problem="binary")
    assert got.tolist() == [1, 0]


def test_a_certain_mistake_costs_a_finite_loss() -> None:
    assert contributions("log_loss", [[1, 0]], [1], problem="binary").tolist() == [np.log(1e-7)]
    assert contributions("log_loss", [[1.0]], [[0]], problem="multilabel").tolist() == [np.log(1e-7)]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "metric": ({"metric": "acuracy"}, "Did you mean 'accuracy'"),
    "no contributions": ({"metric": "average_precision"}, "no contributions of single images"),
    "problem": ({"problem": "regression"}, "problem must be one of"),
    "one dimension": ({"probabilities": [0.5, 0.5]}, "must have the shape"),
    "binary columns": ({"probabilities": np.full((2, 3), 1 / 3)}, "cannot have 3 columns"),
    "NaN": ({"probabilities": [[0.5, 0.5], [np.nan, 0.5]]}, "1 of 2 rows do not, the first is row 1"),
    "negative": ({"probabilities": [[1.5, -0.5], [1, 0]]}, r"lie in \[0, 1\]"),
    "sum": ({"probabilities": [[0.5, 0.4], [1, 0]]}, "sum to 1"),
    "length": ({"targets": [0]}, r"shape \[2\]"),
    "unlabelled": ({"targets": [0, -1]}, "Leave unlabelled"),
    "too large": ({"targets": [0, 2]}, "0 … 1"),
    "fraction": ({"targets": [0.0, 1.0]}, "whole numbers"),
    "empty": ({"probabilities": np.zeros((0, 2)), "targets": []}, "cannot be computed"),
    "one class": ({"metric": "roc_auc", "targets": [1, 1]}, "cannot be computed"),
    "labels": ({"problem": "multilabel", "targets": [[0, 2], [0, 1]]}, "0 … 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name: str) -> None:
    change, message = REFUSED[name]
    fits = {"metric": "accuracy", "probabilities": [[0.5, 0.5], [1, 0]], "targets": [0, 1], "problem": "binary"}
    with pytest.raises(UsageError, match=message):
        contributions(**(fits | change))
