"""The gain over folds, whose trainings share most of their images.

Source: Nadeau and Bengio (2003), Machine Learning 52, 239-281; Bouckaert and Frank (2004), PAKDD.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import stdtr

from imgcls.errors import UsageError
from imgcls.evidence.gains import Gain
from imgcls.evidence.noise import ROUNDING, Noise, quantile, without_rounding
from imgcls.evidence.scored import Floats

FEWEST_FOLDS = 5


def fold_gain(
    before: Floats,
    after: Floats,
    *,
    n_train: Sequence[int],
    n_valid: Sequence[int],
    n_runs: tuple[int, int] = (1, 1),
    seed_sds: tuple[float, float] = (np.nan, np.nan),
) -> Gain:
    """Measure a gain over folds: the mean of d = after − before, its variance corrected for what trainings share.

    SE² = (1/J + mean(n_valid / n_train))·var(d); for K equal folds the ratio is 1/(K − 1). The interval is
    d ± t(J − 1)·SE.

    Args:
        before: [J], the metric on each fold, averaged over the seeds of that fold.
        after: [J], likewise for what is compared.
        n_train: [J], images trained on in each fold, at least one.
        n_valid: [J], images scored in each fold, at least one.
        n_runs: The fewest seeds a fold has on either side.
        seed_sds: Standard deviation over seeds on either side; NaN with one seed.

    Raises:
        UsageError: The sides have another number of folds, or fewer than two, or hold what is no finite number.
    """
    _check(before, after, n_train=n_train, n_valid=n_valid)
    differences, n_folds = after - before, len(before)
    ratio = float(np.mean(np.asarray(n_valid) / np.asarray(n_train)))
    df = n_folds - 1
    # Folds have one kind of luck, which stands where that of seeds stands elsewhere: it gets t(J − 1).
    noise = Noise(float((1 / n_folds + ratio) * differences.var(ddof=1)), 0.0, 0.0, df)
    rounding = ROUNDING * float(max(np.abs(before).max(), np.abs(after).max()))
    value, noise = without_rounding(float(differences.mean()), noise, rounding)
    error = noise.standard_error
    half, half90 = quantile(df, 0.05) * error, quantile(df, 0.10) * error
    return Gain(
        value=value,
        low=value - half,
        high=value + half,
        low90=value - half90,
        high90=value + half90,
        p=_p_value(value, error, df),
        standard_error=error,
        method="folds",
        n_images=int(np.sum(n_valid)),
        n_units=n_folds,
        n_runs=n_runs,
        seed_sds=seed_sds,
        degrees_of_freedom=df,
    )


def _check(before: Floats, after: Floats, *, n_train: Sequence[int], n_valid: Sequence[int]) -> None:
    """Refuse what no gain over folds can be measured of."""
    n_folds = len(before)
    if not n_folds == len(after) == len(n_train) == len(n_valid) or n_folds < 2:
        raise UsageError(
            f"A gain over folds needs the same folds on both sides, at least two, not {n_folds} and {len(after)}."
        )
    if not np.isfinite([before, after]).all():
        raise UsageError("A gain over folds needs a finite number for each fold; leave a fold that failed out.")
    if min(*n_train, *n_valid) < 1:
        raise UsageError("Every fold has to have at least one image to train on and one to score.")


def _p_value(value: float, error: float, df: int) -> float:
    if value == 0 or error == 0:
        return 1.0
    return float(2 * stdtr(df, -abs(value) / error))
