"""Intervals of metrics hold the metric of all images in about 95 of 100 draws of few."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from imgcls.evidence.metrics import evaluate

DECISIONS = ("micro_f1", "f_beta:beta=2", "sensitivity", "specificity", "brier", "mcc", "quadratic_kappa")
CURVES = ("average_precision", "recall_at_precision:precision=0.8", "precision_at_recall:recall=0.9")
TWO, FIVE = (0.8, 0.2), (0.35, 0.25, 0.2, 0.1, 0.1)


def drawn(n: int, shares: tuple[float, ...], *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw probabilities that are somewhat right, and targets, of classes with these shares."""
    random = np.random.default_rng(seed)
    targets = random.choice(len(shares), size=n, p=shares)
    logits = random.normal(size=(n, len(shares)))
    logits[np.arange(n), targets] += 1.2
    values = np.exp(2 * logits)
    return values / values.sum(axis=1, keepdims=True), targets


@pytest.mark.parametrize(
    ("metrics", "shares", "n", "n_draws"),
    [
        (DECISIONS, TWO, 200, 200),
        ((*DECISIONS, "top_k:k=2", "sensitivity:class=4"), FIVE, 200, 200),
        (CURVES, TWO, 200, 60),
    ],
    ids=["two classes", "five classes", "curves"],
)
def test_intervals_cover(metrics: tuple[str, ...], shares: tuple[float, ...], n: int, n_draws: int) -> None:
    """The bands are two and a half standard deviations of the simulation around 95 %."""
    problem = "binary" if len(shares) == 2 else "multiclass"
    classes = [str(place) for place in range(len(shares))]

    def scores(n: int, seed: int) -> dict[str, tuple[float, float, float]]:
        values, targets = drawn(n, shares, seed=seed)
        found = evaluate(values, targets, problem=problem, classes=classes, metrics=metrics)  # type: ignore[arg-type]
        return {name: (one.value or 0, one.low or 0, one.high or 0) for name, one in found.items()}

    truth = scores(20_000, seed=1000)
    found = [scores(n, seed=seed) for seed in range(n_draws)]
    for name in truth:
        held = np.mean([one[name][1] <= truth[name][0] <= one[name][2] for one in found])
        assert 0.95 - 2.5 * (0.95 * 0.05 / n_draws) ** 0.5 - 0.01 <= held, (name, held)
        assert np.mean([one[name][2] - one[name][1] for one in found]) < 0.6, name


@pytest.mark.parametrize("n_groups", [None, 40])
def test_intervals_of_ones_own_cover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_groups: int | None) -> None:
    """Of 240 images in 200 blocks, and of 40 groups of images that are alike."""
    (tmp_path / "ones_own_f1.py").write_text(
        "def f1(truth, values):\n    said = values.argmax(axis=1)\n"
        "    return 2 * ((said == 1) & (truth == 1)).sum() / ((said == 1).sum() + (truth == 1).sum())\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    metric, found = "ones_own_f1:f1", []
    values, targets = drawn(20_000, (0.6, 0.4), seed=1000)
    truth = 2 * ((values[:, 1] > 0.5) & (targets == 1)).sum() / ((values[:, 1] > 0.5).sum() + targets.sum())
    for seed in range(100):
        values, targets = drawn(n_groups or 240, (0.6, 0.4), seed=seed)
        names = None if n_groups is None else [f"g{number // 6}" for number in range(6 * n_groups)]
        if names:
            values, targets = np.repeat(values, 6, axis=0), np.repeat(targets, 6)
        one = evaluate(values, targets, problem="binary", classes=("n", "y"), groups=names, metrics=[metric])[metric]
        found.append((one.low or 0) <= truth <= (one.high or 0))
    assert 0.88 <= np.mean(found) <= 1


def test_groups_widen_every_interval() -> None:
    """Five copies of every image say no more than one."""
    values, targets = drawn(150, TWO, seed=0)
    groups = [f"g{number}" for number in np.repeat(np.arange(150), 5)]
    values, targets = np.repeat(values, 5, axis=0), np.repeat(targets, 5)
    metrics = (*DECISIONS, *CURVES, "calibration_error")
    alone, whole = (
        evaluate(values, targets, problem="binary", classes=("n", "y"), groups=names, metrics=metrics)
        for names in (None, groups)
    )
    for name, one in whole.items():
        other = alone[name]
        assert one.value == other.value
        assert (one.high or 0) - (one.low or 0) > 1.4 * ((other.high or 0) - (other.low or 0)), name


@pytest.mark.parametrize(
    ("metric", "targets", "reason"),
    [
        ("mcc", [1, 1, 1], "only one class is present: y"),
        ("sensitivity", [0, 0, 0], "only one class is present: n"),
        ("recall_at_precision:precision=0.9", [0, 0, 0], "only one class is present: n"),
        ("top_k:k=1", [0, 1, 0], "top_k:k=1 is defined for several classes, not for two classes"),
        ("specificity:class=x", [0, 1, 0], "specificity:class=x: there is no class 'x'"),
        ("no_such_module:cost", [0, 1, 0], "Metric 'no_such_module:cost' cannot be imported"),
    ],
)
def test_what_cannot_be_computed_has_a_reason(metric: str, targets: list[int], reason: str) -> None:
    values = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    (found,) = evaluate(values, targets, problem="binary", classes=("n", "y"), metrics=[metric]).values()
    assert found.value is None
    assert (found.reason or "").startswith(reason)


def test_a_share_has_wilsons_interval_also_without_a_mistake() -> None:
    values = np.eye(2)[[0] * 10 + [1] * 20]
    found = evaluate(values, [0] * 10 + [1] * 20, problem="binary", classes=("n", "y"), metrics=["sensitivity"])
    assert (found["sensitivity"].low or 0) == pytest.approx(0.8389, abs=1e-4)


def test_precision_and_recall_at_a_threshold_are_scikit_learns() -> None:
    """Of all thresholds the best one that keeps the promise; with ties, and with several labels the mean."""
    from sklearn.metrics import precision_recall_curve

    random = np.random.default_rng(0)
    truth = (random.random((300, 3)) < [0.2, 0.5, 0.7]).astype(int)
    values = np.clip(random.random((300, 3)) * 0.8 + 0.2 * truth, 0, 1).round(2)
    curves = [precision_recall_curve(truth[:, column], values[:, column])[:2] for column in range(3)]
    expected = {
        "recall_at_precision:precision=0.75": np.mean([r[p >= 0.75].max() for p, r in curves]),
        "precision_at_recall:recall=0.9": np.mean([p[r >= 0.9].max() for p, r in curves]),
        "recall_at_precision:precision=1,class=a": curves[0][1][curves[0][0] >= 1].max(),
    }
    found = evaluate(values, truth, problem="multilabel", classes="abc", metrics=list(expected))
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value), name
