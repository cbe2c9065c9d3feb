"""The gain over folds, whose trainings share most of their images.

Source: Nadeau and Bengio (2003), Machine Learning 52, 239-281; Bouckaert and Frank (2004), PAKDD.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import stdtr

from imgcls.errors import UsageError
from imgcls.evidence.gains import Gain
from imgcls.evidence.noise import quantile
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
        n_train: [J], images trained on in each fold.
        n_valid: [J], images scored in each fold.
        n_runs: The fewest seeds a fold has on either side.
        seed_sds: Standard deviation over seeds on either side; NaN with one seed.

    Raises:
        UsageError: The sides have another number of folds, or fewer than two.
    """
    n_folds = len(before)
    if not n_folds == len(after) == len(n_train) == len(n_valid) or n_folds < 2:
        raise UsageError(
            f"A gain over folds needs the same folds on both sides, at least two, not {n_folds} and {len(after)}."
        )
    differences = after - before
    ratio = float(np.mean(np.asarray(n_valid) / np.asarray(n_train)))
    error = float(np.sqrt((1 / n_folds + ratio) * differences.var(ddof=1)))
    value, df = float(differences.mean()), n_folds - 1
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


def _p_value(value: float, error: float, df: int) -> float:
    if value == 0 or error == 0:
        return 1.0
    return float(2 * stdtr(df, -abs(value) / error))
