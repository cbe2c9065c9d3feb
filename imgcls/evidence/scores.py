"""The score of a rung: the mean over its runs, with the luck of seeds and of images in its interval."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from imgcls.evidence.metrics import FEWEST_GROUPS, METRICS, wilson_interval
from imgcls.evidence.noise import ROUNDING, Noise, quantile
from imgcls.evidence.scored import Floats
from imgcls.evidence.spread import by_group, spread
from imgcls.records.estimate import Estimate


def score(metric: str, contributions: Floats, *, groups: npt.NDArray[np.intp] | None = None) -> Estimate:
    """Give the metric of a rung with the 95 % interval over new seeds and new images.

    Args:
        metric: Whose contributions they are.
        contributions: [S, n], a row for each run.
        groups: [n] numbers of images that share their luck; None without.

    Returns:
        The estimate, in the metric's own direction; without an interval where there are too few groups, or
        where the images do not differ. One run's accuracy has Wilson's interval, as that run's own record.
    """
    n_images = contributions.shape[1]
    units = contributions if groups is None else by_group(contributions, groups)
    summed = spread(units)
    value, image_df = float(summed.means.mean()), np.inf
    if groups is not None:
        if units.shape[1] < FEWEST_GROUPS:
            reason = f"no interval: {units.shape[1]} groups, at least {FEWEST_GROUPS} are needed; use folds"
            return _estimate(metric, value, None, n=n_images, reason=reason)
        image_df = units.shape[1] - 1
    if n_images < 2:
        return _estimate(metric, value, None, n=n_images, reason="no interval: one image tells nothing of others")
    n_runs = summed.n_runs
    if metric == "accuracy" and n_runs == 1 and groups is None and np.isin(contributions, (0, 1)).all():
        return Estimate(value, *wilson_interval(int(contributions.sum()), n_images), n_images)
    images = float(summed.average.var(ddof=1) / summed.n_units)
    if n_runs > 1:
        noise = Noise(summed.seed_variance / n_runs, summed.interaction / n_runs, images, n_runs - 1, image_df)
    else:
        noise = Noise(0.0, 0.0, images, np.inf, image_df)
    if noise.standard_error <= ROUNDING * float(np.abs(contributions).max()):
        return _estimate(metric, value, None, n=n_images, reason="no interval: the images do not differ")
    return _estimate(metric, value, noise.half_width(0.05), n=n_images)


def fold_score(metric: str, values: Floats, *, n_train: int, n_valid: int, n_images: int) -> Estimate:
    """Give the metric of a rung over folds, with the interval of Nadeau and Bengio.

    Args:
        metric: Whose values they are.
        values: [J], the metric on each fold as a gain is measured: higher is better. One fold has no
            interval, nor have folds that do not differ.
        n_train: The mean number of images trained on in a fold.
        n_valid: The mean number of images scored in a fold.
        n_images: The number of images scored in all folds together.
    """
    if len(values) < 2:
        return _estimate(metric, float(values.mean()), None, n=n_images, reason="no interval: there is one fold only")
    error = float(np.sqrt((1 / len(values) + n_valid / n_train) * values.var(ddof=1)))
    if error <= ROUNDING * float(np.abs(values).max()):
        return _estimate(metric, float(values.mean()), None, n=n_images, reason="no interval: the folds do not differ")
    return _estimate(metric, float(values.mean()), quantile(len(values) - 1, 0.05) * error, n=n_images)


def _estimate(metric: str, value: float, half: float | None, *, n: int, reason: str | None = None) -> Estimate:
    """Turn a mean of contributions into the metric, whose interval stays within its range."""
    known = METRICS[metric]
    value = value if known.higher_is_better else 0.0 - value
    if half is None:
        return Estimate(value, None, None, n, reason)
    low, high = known.range
    return Estimate(value, max(low, value - half), min(high, value + half), n)
