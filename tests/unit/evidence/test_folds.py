"""Tests of gains over folds: Nadeau and Bengio's correction, by hand and against its parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from imgcls.errors import UsageError
from imgcls.evidence.gains import fold_gain
from imgcls.evidence.verdicts import judge

HAND = np.array([0.02, 0.01, 0.03, -0.005, 0.015])


def test_by_hand() -> None:
    gain = fold_gain(np.zeros(5), HAND, n_train=[160] * 5, n_valid=[40] * 5)
    assert gain.value == pytest.approx(0.014)
    assert (gain.low, gain.high) == pytest.approx((-0.0101048, 0.0381048), rel=6e-6)
    assert gain.p == pytest.approx(0.182136, rel=6e-6)
    assert (gain.n_units, gain.n_images, gain.method) == (5, 200, "folds")


def test_without_what_trainings_share_it_is_a_t_test() -> None:
    """With training sets that are endless beside the folds the correction vanishes."""
    gain = fold_gain(HAND * 0, HAND, n_train=[10**12] * 5, n_valid=[1] * 5)
    theirs = stats.ttest_1samp(HAND, 0)
    assert gain.p == pytest.approx(theirs.pvalue)
    assert gain.low90 == pytest.approx(theirs.confidence_interval(0.9).low)


def test_repeats_share_more_than_they_tell() -> None:
    """Three times the same folds narrow the interval far less than three times the data would."""
    once = fold_gain(HAND * 0, HAND, n_train=[160] * 5, n_valid=[40] * 5)
    thrice = fold_gain(np.zeros(15), np.tile(HAND, 3), n_train=[160] * 15, n_valid=[40] * 15)
    variance = HAND.var(ddof=1), np.tile(HAND, 3).var(ddof=1)
    assert once.standard_error == pytest.approx(np.sqrt((1 / 5 + 1 / 4) * variance[0]))
    assert thrice.standard_error == pytest.approx(np.sqrt((1 / 15 + 1 / 4) * variance[1]))


def test_folds_of_unequal_size_take_the_mean_ratio() -> None:
    gain = fold_gain(HAND * 0, HAND, n_train=[160, 150, 170, 140, 180], n_valid=[40, 50, 30, 60, 20])
    ratio = np.mean([40 / 160, 50 / 150, 30 / 170, 60 / 140, 20 / 180])
    assert gain.standard_error == pytest.approx(np.sqrt((1 / 5 + ratio) * HAND.var(ddof=1)))


def test_four_folds_cannot_tell() -> None:
    four = fold_gain(np.zeros(4), HAND[:4] + 0.3, n_train=[150] * 4, n_valid=[50] * 4)
    five = fold_gain(np.zeros(5), HAND + 0.3, n_train=[160] * 5, n_valid=[40] * 5)
    assert [judged.verdict for judged in judge([four, five])] == ["cannot tell", "better"]
    assert judge([four])[0].remarks == ("too few folds to tell: 4, and 5 are needed",)


def test_one_seed_a_fold_is_enough() -> None:
    gain = fold_gain(np.zeros(5), HAND + 0.3, n_train=[160] * 5, n_valid=[40] * 5, n_runs=(1, 1))
    assert judge([gain])[0].verdict == "better"


def test_the_detectable_gain_has_no_parts() -> None:
    judged = judge([fold_gain(np.zeros(5), HAND, n_train=[160] * 5, n_valid=[40] * 5)])[0]
    assert judged.detectable == pytest.approx((stats.t.isf(0.025, 4) + 0.8416212) * judged.gain.standard_error)
    assert judged.settle is None


def test_an_equal_gain_in_every_fold_proves_nothing() -> None:
    """One image of fifty in each of five folds: no spread is no certainty, and rounding is no spread."""
    before = np.array([0.82, 0.88, 0.80, 0.90, 0.84])
    judged = judge([fold_gain(before, before + 0.02, n_train=[200] * 5, n_valid=[50] * 5)])[0]
    assert (judged.p, judged.verdict) == (1, "no evidence")
    assert judged.remarks == ("nothing varies, so there is no variance to judge by",)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "one fold": ({"before": HAND[:1], "after": HAND[:1], "n_train": [4], "n_valid": [1]}, "at least two, not 1 and 1"),
    "other folds": ({"after": HAND[:4]}, "not 5 and 4"),
    "sizes": ({"n_train": [160] * 4}, "same folds on both sides"),
    "NaN": ({"after": np.where(HAND > 0, HAND, np.nan)}, "finite number for each fold"),
    "empty fold": ({"n_valid": [40, 40, 40, 40, 0]}, "at least one image"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_folds_that_do_not_fit_are_refused(name: str) -> None:
    change, message = REFUSED[name]
    fits = {"before": HAND * 0, "after": HAND, "n_train": [160] * 5, "n_valid": [40] * 5}
    with pytest.raises(UsageError, match=message):
        fold_gain(**(fits | change))
