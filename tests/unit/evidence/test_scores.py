"""Tests of the score of a rung: both kinds of luck in its interval, or the reason why there is none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from imgcls.evidence.gains import fold_score, score
from imgcls.evidence.metrics import evaluate, wilson_interval


def right(n_runs: int, n: int = 200, *, share: float = 0.8) -> np.ndarray:
    random = np.random.default_rng(n_runs)
    return (random.random((n_runs, n)) < random.random(n) ** 0.3 * share).astype(float)


def test_one_run_has_the_interval_of_its_own_record() -> None:
    rows = right(1)
    found = score("accuracy", rows)
    assert (found.value, found.n) == (rows.mean(), 200)
    assert (found.low, found.high) == wilson_interval(int(rows.sum()), 200)
    perfect = score("accuracy", np.ones((1, 50)))
    assert perfect.low == pytest.approx(wilson_interval(50, 50)[0])


def test_one_run_of_another_metric_has_the_interval_of_its_own_record() -> None:
    random = np.random.default_rng(1)
    values = random.dirichlet([1, 1, 1], 90)
    labels = random.integers(3, size=90)
    of_run = evaluate(values, labels, problem="multiclass", classes=("a", "b", "c"))["log_loss"]
    found = score("log_loss", np.log(values[np.arange(90), labels])[None])
    assert found.value == pytest.approx(of_run.value)
    assert (found.low, found.high) == pytest.approx((of_run.low, of_run.high))


def test_seeds_that_differ_widen_the_interval() -> None:
    rows = np.random.default_rng(2).normal(0.5, 0.05, (4, 300))
    apart = rows + 0.1 * np.array([-1.0, -0.3, 0.4, 0.9])[:, None]
    near, far = score("macro_f1", rows), score("macro_f1", apart)
    assert near.low is not None
    assert near.high is not None
    assert far.low is not None
    assert far.high is not None
    assert far.high - far.low > 5 * (near.high - near.low)


def test_without_luck_of_images_it_is_a_t_interval() -> None:
    means = np.array([0.71, 0.74, 0.70])
    found = score("macro_f1", np.repeat(means[:, None], 9, axis=1))
    theirs = stats.ttest_1samp(means, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))


def test_an_interval_stays_within_the_range_of_the_metric() -> None:
    found = score("macro_f1", np.clip(np.random.default_rng(3).normal(0.98, 0.3, (3, 20)), None, 1.4))
    assert found.high == 1
    loss = score("log_loss", -np.abs(np.random.default_rng(3).normal(0.01, 0.3, (3, 5))))
    assert loss.low == 0
    assert loss.value is not None
    assert loss.value > 0


REASONS = {
    "one image": (np.ones((3, 1)), None, "one image tells nothing of others"),
    "no spread": (np.ones((3, 50)), None, "the images do not differ"),
    "rounding": (np.full((3, 50), 0.1), None, "the images do not differ"),
    "groups": (right(3), np.arange(200) % 4, "4 groups, at least 5 are needed"),
    "one group": (right(3), np.zeros(200, dtype=int), "1 groups, at least 5"),
}


@pytest.mark.parametrize("name", REASONS)
def test_an_interval_that_is_missing_has_a_reason(name: str) -> None:
    rows, groups, reason = REASONS[name]
    found = score("accuracy", rows, groups=groups)
    assert (found.value, found.low, found.high) == (pytest.approx(rows.mean()), None, None)
    assert reason in (found.reason or "")


def test_copies_within_groups_change_nothing() -> None:
    rows, groups = right(3), np.arange(200) % 20
    once = score("accuracy", rows, groups=groups)
    twice = score("accuracy", np.tile(rows, (1, 2)), groups=np.tile(groups, 2))
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))


def test_folds_have_the_corrected_interval() -> None:
    values = np.array([0.71, 0.74, 0.70, 0.78, 0.75])
    found = fold_score("accuracy", values, n_train=160, n_valid=40, n_images=200)
    half = stats.t.isf(0.025, 4) * np.sqrt((1 / 5 + 1 / 4) * values.var(ddof=1))
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half))
    loss = fold_score("log_loss", -values, n_train=160, n_valid=40, n_images=200)
    assert (loss.value, loss.low) == pytest.approx((found.value, found.low))
    assert fold_score("accuracy", values[:1], n_train=160, n_valid=40, n_images=40).low is None
    equal = fold_score("accuracy", np.full(5, 0.9), n_train=160, n_valid=40, n_images=200)
    assert (equal.low, equal.reason) == (None, "no interval: the folds do not differ")
