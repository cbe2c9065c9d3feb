"""Tests of contributions: their mean is scikit-learn's metric, their spread is the jackknife's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from sklearn import metrics as oracle

from imgcls.config.metrics import COMPARED, METRICS
from imgcls.errors import UsageError
from imgcls.evidence import contributions
from imgcls.evidence.variance import by_group

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
@pytest.mark.parametrize("metric", COMPARED)
def test_their_mean_is_the_metric(metric: str, case: str) -> None:
    values, targets, problem = CASES[case]
    got = contributions(metric, values, targets, problem=problem)
    assert got.shape == (len(values),)
    assert got.dtype == np.float64
    assert got.mean() == pytest.approx(_oracle(metric, values, targets, problem), abs=1e-12)


CLASSES = {"binary": ("no", "yes"), "multiclass": ("3", "5", "9", "20"), "multilabel": ("a", "b", "c", "d")}
Oracle = Callable[[np.ndarray, np.ndarray, np.ndarray], float]
"""From targets, predicted classes (multi-label: columns of 0 and 1) and probabilities to the metric."""
ASKED: dict[tuple[str, str], Oracle] = {
    ("micro_f1", "multiclass"): lambda t, said, _: oracle.f1_score(t, said, average="micro"),
    ("micro_f1", "multilabel"): lambda t, said, _: oracle.f1_score(t, said, average="micro"),
    ("f_beta:beta=2", "binary"): lambda t, said, _: oracle.fbeta_score(t, said, beta=2),
    ("f_beta:beta=2,class=no", "binary"): lambda t, said, _: oracle.fbeta_score(t, said, beta=2, pos_label=0),
    ("f_beta:beta=0.5", "multiclass"): lambda t, said, _: oracle.fbeta_score(t, said, beta=0.5, average="macro"),
    ("f_beta:beta=2", "multilabel"): lambda t, said, _: oracle.fbeta_score(t, said, beta=2, average="macro"),
    ("sensitivity", "binary"): lambda t, said, _: oracle.recall_score(t, said),
    ("sensitivity", "multiclass"): lambda t, said, _: oracle.recall_score(t, said, average="macro"),
    ("sensitivity:class=9", "multiclass"): lambda t, said, _: oracle.recall_score(t == 2, said == 2),
    ("sensitivity:class=b", "multilabel"): lambda t, said, _: oracle.recall_score(t[:, 1], said[:, 1]),
    ("specificity", "binary"): lambda t, said, _: oracle.recall_score(t, said, pos_label=0),
    ("specificity:class=9", "multiclass"): lambda t, said, _: oracle.recall_score(t != 2, said != 2),
    ("mcc", "binary"): lambda t, said, _: oracle.matthews_corrcoef(t, said),
    ("mcc", "multiclass"): lambda t, said, _: oracle.matthews_corrcoef(t, said),
    ("quadratic_kappa", "binary"): lambda t, said, _: oracle.cohen_kappa_score(t, said, weights="quadratic"),
    ("quadratic_kappa", "multiclass"): lambda t, said, _: oracle.cohen_kappa_score(t, said, weights="quadratic"),
    ("quadratic_kappa:order=9|3|20|5", "multiclass"): lambda t, said, _: oracle.cohen_kappa_score(
        *(np.array([1, 3, 0, 2])[side] for side in (t, said)), weights="quadratic"
    ),
    ("top_k:k=1", "multiclass"): lambda t, said, _: oracle.accuracy_score(t, said),
    ("top_k:k=2", "multiclass"): lambda t, _, values: oracle.top_k_accuracy_score(t, values, k=2),
    ("brier", "binary"): lambda t, _, values: -oracle.brier_score_loss(t, values[:, 1]),
    ("brier", "multiclass"): lambda t, _, values: -oracle.brier_score_loss(t, values),
    ("brier", "multilabel"): lambda t, _, values: (
        -np.mean([oracle.brier_score_loss(t[:, column], values[:, column]) for column in range(4)])
    ),
    ("roc_auc:class=5", "multiclass"): lambda t, _, values: oracle.roc_auc_score(t == 1, values[:, 1]),
}


def _asked(case: str) -> tuple[np.ndarray, np.ndarray, Problem]:
    """Draw predictions without ties: scikit-learn counts other ones among the first k."""
    sizes = {"binary": 2, "multiclass": 4}
    return _single(300, sizes[case], seed=7, decimals=4) if case in sizes else _multilabel(300, seed=7)


@pytest.mark.parametrize(("metric", "case"), ASKED)
def test_every_metric_is_scikit_learns(metric: str, case: str) -> None:
    values, targets, problem = _asked(case)
    said = (values >= 0.5).astype(int) if problem == "multilabel" else values.argmax(axis=1)
    got = contributions(metric, values, targets, problem=problem, classes=CLASSES[case])
    assert got.mean() == pytest.approx(ASKED[metric, case](targets, said, values), abs=1e-12)


def test_every_metric_with_contributions_is_compared_with_scikit_learn() -> None:
    there = {name for name, one in METRICS.items() if one.has_contributions}
    assert {metric.partition(":")[0] for metric, _ in ASKED} | set(COMPARED) == there


@pytest.mark.parametrize(
    ("metric", "case"), [pair for pair in ASKED if pair[0].partition(":")[0] not in ("roc_auc", "top_k", "brier")]
)
def test_what_is_no_mean_varies_as_the_jackknife_says(metric: str, case: str) -> None:
    values, targets, problem = _asked(case)
    n, rows = len(values), np.arange(len(values))
    named = {"problem": problem, "classes": CLASSES[case]}
    got = contributions(metric, values, targets, **named)
    without = [contributions(metric, values[rows != row], targets[rows != row], **named).mean() for row in range(n)]
    jackknife = n * got.mean() - (n - 1) * np.array(without)
    assert np.corrcoef(got, jackknife)[0, 1] > 0.9995
    assert got.var() == pytest.approx(jackknife.var(), rel=0.05)


def test_a_metric_of_ones_own_is_left_out_in_turn(own_metric: str) -> None:
    """Up to 200 images one by one, which is the jackknife; of more, blocks that say as much."""
    values, targets, _ = _single(150, 3, seed=1)
    known = contributions("macro_f1", values, targets, problem="multiclass")
    got = contributions(f"{own_metric}:f1", values, targets, problem="multiclass")
    assert got.mean() == pytest.approx(known.mean(), abs=1e-12)
    assert np.corrcoef(got, known)[0, 1] > 0.999
    assert got.std() == pytest.approx(known.std(), rel=0.03)
    many, labels, _ = _single(1500, 3, seed=2)
    known = contributions("macro_f1", many, labels, problem="multiclass")
    got = contributions(f"{own_metric}:f1", many, labels, problem="multiclass")
    assert got.mean() == pytest.approx(known.mean(), abs=1e-12)
    assert got.std() == pytest.approx(known.std(), rel=0.12)  # of 200 blocks: ± 5 %
    lower = contributions(f"{own_metric}:f1:lower", many, labels, problem="multiclass")
    np.testing.assert_allclose(lower, -got)


@pytest.mark.parametrize("n_groups", [30, 400])
def test_groups_are_left_out_whole_of_ones_own(own_metric: str, n_groups: int) -> None:
    values, targets, _ = _single(1200, 3, seed=3)
    groups = np.random.default_rng(0).integers(n_groups, size=1200)
    groups = np.unique(groups, return_inverse=True)[1]
    each = {
        metric: contributions(metric, values, targets, problem="multiclass", groups=groups)
        for metric in ("macro_f1", f"{own_metric}:f1")
    }
    known, got = (by_group(rows[None], groups)[0] for rows in each.values())
    assert got.mean() == pytest.approx(known.mean(), abs=1e-9)
    assert got.std() == pytest.approx(known.std(), rel=0.05 if n_groups == 30 else 0.15)


def test_what_ones_own_cannot_do_is_said(own_metric: str) -> None:
    values, targets, _ = _single(40, 3, seed=1)
    for name, words in {
        "nan": "gave nan on 40 images",
        "fails": "failed on 40 images: ZeroDivisionError",
        "text": "failed on 40 images: ValueError",
        "number": "is no function",
        "missing": "cannot be imported: AttributeError",
    }.items():
        with pytest.raises(UsageError, match=words):
            contributions(f"{own_metric}:{name}", values, targets, problem="multiclass")
    with pytest.raises(UsageError, match="cannot be imported: ModuleNotFoundError"):
        contributions("no_such_module:f1", values, targets, problem="multiclass")


@pytest.fixture
def own_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of metrics of a person's own, and its name."""
    (tmp_path / "metrics_of_ones_own.py").write_text(
        "from sklearn.metrics import f1_score\n"
        "def f1(truth, probabilities):\n    return f1_score(truth, probabilities.argmax(axis=1), average='macro')\n"
        "def nan(truth, probabilities):\n    return float('nan')\n"
        "def fails(truth, probabilities):\n    return 1 / 0\n"
        "def text(truth, probabilities):\n    return 'high'\n"
        "number = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return "metrics_of_ones_own"


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
    "one class of two": ({"metric": "mcc", "targets": [1, 1]}, "cannot be computed"),
    "kind": ({"metric": "top_k:k=1"}, "top_k:k=1 is defined for several classes, not for two classes"),
    "no such class": ({"metric": "sensitivity:class=x", "classes": ("a", "b")}, "no class 'x'. There are: a, b"),
    "k": (
        {"metric": "top_k:k=3", "problem": "multiclass", "probabilities": np.eye(3)[:2], "classes": "abc"},
        "of 3 classes is always right",
    ),
    "order": (
        {"metric": "quadratic_kappa", "problem": "multiclass", "probabilities": np.eye(3)[:2], "classes": "abc"},
        r"needs the order of the classes.*order=a\|b\|c",
    ),
    "labels": ({"problem": "multilabel", "targets": [[0, 2], [0, 1]]}, "0 … 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name: str) -> None:
    change, message = REFUSED[name]
    fits = {"metric": "accuracy", "probabilities": [[0.5, 0.5], [1, 0]], "targets": [0, 1], "problem": "binary"}
    with pytest.raises(UsageError, match=message):
        contributions(**(fits | change))
