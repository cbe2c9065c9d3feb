"""How sure predictions are beside how often they are right, and the error between the two with its interval."""

from __future__ import annotations

import numpy as np
import pytest

from imgcls.evidence.contributions import Scored
from imgcls.evidence.metrics import wilson_interval
from imgcls.evidence.reliability import N_BINS, ReliabilityCurve, calibration_error, reliability


def test_reliability_counts_every_prediction_once() -> None:
    """Worked by hand: two bins, one of them too sure by 0.3."""
    values = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    truth = np.arange(2) == np.array([0, 0, 1, 1])[:, None]
    found = reliability(Scored(values, truth, False), n_bins=4)
    assert found.n.tolist() == [0, 0, 1, 3]
    assert found.confidence[2:] == pytest.approx([0.6, 0.9])
    assert found.accuracy[2:] == pytest.approx([1.0, 2 / 3])
    assert np.isnan(found.accuracy[:2]).all()
    assert found.error == pytest.approx((0.4 * 1 + (0.9 - 2 / 3) * 3) / 4)


def test_reliability_of_labels_counts_each_of_them() -> None:
    """A probability of 1 falls into the last bin."""
    values, truth = np.array([[1.0, 0.0], [0.5, 0.25]]), np.array([[True, False], [True, False]])
    found = reliability(Scored(values, truth, True))
    assert found.n.sum() == 4
    assert (found.n[0], found.n[N_BINS - 1]) == (1, 1)


def drawn(n: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw predictions of two classes that are too sure: 0.9 where 0.75 are right, and the classes."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, n)
    said = np.where(random.random(n) < 0.75, labels, 1 - labels)
    return np.where(np.arange(2) == said[:, None], 0.9, 0.1), labels


def test_the_interval_of_the_calibration_error_covers() -> None:
    """In about 95 % of draws; with one bin the error is 0.15."""
    found = [calibration_error(*drawn(300, seed=seed), problem="binary") for seed in range(150)]
    held = [(one.low or 0) <= 0.15 <= (one.high or 0) for one in found]
    assert 0.89 <= np.mean(held) <= 0.99
    assert np.mean([one.value or 0 for one in found]) == pytest.approx(0.15, abs=0.01)


def test_groups_are_drawn_whole() -> None:
    """Images that are there twice say no more than once."""
    values, labels = drawn(200, seed=0)
    twice_values, twice_labels = values.repeat(2, axis=0), labels.repeat(2)
    groups = [f"g{number // 2}" for number in range(400)]
    alone = calibration_error(twice_values, twice_labels, problem="binary")
    whole = calibration_error(twice_values, twice_labels, problem="binary", groups=groups)
    assert whole.value == alone.value
    assert (whole.high or 0) - (whole.low or 0) > 1.2 * ((alone.high or 0) - (alone.low or 0))
    few = calibration_error(values, labels, problem="binary", groups=[f"g{n % 4}" for n in range(200)])
    assert (few.low, few.reason) == (None, "no interval: too few images or groups")


def test_several_labels_and_no_images() -> None:
    """Every label counts; nothing at all has no error."""
    random = np.random.default_rng(0)
    values = random.random((500, 3))
    truth = (random.random((500, 3)) < values).astype(int)
    found = calibration_error(values, truth, problem="multilabel")
    assert (found.value or 1) < 0.05
    assert (found.low or 0) <= (found.value or 0) <= (found.high or 0)
    assert calibration_error(np.zeros((0, 2)), np.zeros(0, dtype=int), problem="binary").value is None


def test_predictions_that_mean_what_they_say_have_an_interval_from_zero() -> None:
    """Their measured error is above 0 by chance alone, and the interval knows."""
    held = []
    for seed in range(60):
        random = np.random.default_rng(seed)
        confidence, labels = random.uniform(0.55, 0.99, 400), random.integers(0, 2, 400)
        said = np.where(random.random(400) < confidence, labels, 1 - labels)
        values = np.where(np.arange(2) == said[:, None], confidence[:, None], 1 - confidence[:, None])
        found = calibration_error(values, labels, problem="binary")
        assert (found.value or 0) > 0.01
        held.append(found.low == 0)
    assert np.mean(held) >= 0.9


def test_a_diagram_has_what_is_said_beside_what_is_right() -> None:
    """Bins that hold anything, with Wilson's interval where images stand alone; its error is the calibration error."""
    values, labels = drawn(200, seed=0)
    right = int((values.argmax(axis=1) == labels).sum())
    found = ReliabilityCurve.of("a", values, labels, problem="binary")
    (one,) = found.bins
    assert (one.n, one.confidence, one.accuracy.value) == (200, pytest.approx(0.9), right / 200)
    assert one.low <= 0.9 < one.low + 1 / N_BINS
    assert (one.accuracy.low, one.accuracy.high) == pytest.approx(wilson_interval(right, 200))
    assert found.error == calibration_error(values, labels, problem="binary")


def test_a_diagram_does_not_count_a_group_twice() -> None:
    """Two runs of the same images, and two labels of the same image, say little more than one."""
    values, labels = drawn(200, seed=0)
    alone = ReliabilityCurve.of("a", values, labels, problem="binary").bins[0].accuracy
    groups = [str(number) for number in range(200)] * 2
    twice = ReliabilityCurve.of("a", [*values, *values], [*labels, *labels], problem="binary", groups=groups)
    assert (twice.bins[0].n, twice.bins[0].accuracy.value) == (400, alone.value)
    width = (twice.bins[0].accuracy.high or 0) - (twice.bins[0].accuracy.low or 0)
    assert width == pytest.approx((alone.high or 0) - (alone.low or 0), rel=0.1)
    both, said = np.stack([labels, labels], axis=1), np.stack([values[:, 1], values[:, 1]], axis=1)
    several, one_label = (
        ReliabilityCurve.of("b", said[:, :k], both[:, :k], problem="multilabel").bins[-1] for k in (2, 1)
    )
    assert several.n == 2 * one_label.n
    ends = [(one.accuracy.low or 0, one.accuracy.high or 0) for one in (several, one_label)]
    assert ends[0] == pytest.approx(ends[1], abs=0.02)
