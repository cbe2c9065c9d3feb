"""Variance of runs: how much seeds and images make a metric vary, within one rung and in the gain between two.

Source: the two-way layout of runs × images known from radiology as multi-reader multi-case (seeds are
readers, images are cases), Hillis (2013), PMC4640471; s² − E is the variance over training alone in
Jordan (2023), arXiv:2304.01910.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, stdtrit

from imgcls.errors import UsageError
from imgcls.evidence.contributions import Floats


@dataclass(frozen=True)
class RunVariance:
    """The runs of one rung, summed up: all that comparisons need of them."""

    means: Floats
    """[S], the metric of each run."""
    average: Floats
    """[n], the contribution of each unit, averaged over the runs."""
    seed_variance: float
    """s²: variance of one run's metric over seeds, on these units; NaN with one run."""
    interaction: float
    """E: the part of s² that is noise of single units; NaN with one run."""

    @property
    def n_runs(self) -> int:
        """The number of runs, S."""
        return len(self.means)

    @property
    def n_units(self) -> int:
        """The number of units, n."""
        return len(self.average)

    @property
    def seed_sd(self) -> float:
        """The standard deviation of the metric over seeds; NaN with one run."""
        return float(np.sqrt(self.seed_variance))


def run_variance(contributions: Floats) -> RunVariance:
    """Return mean and variance of the runs of one rung.

    Args:
        contributions: [S, n], a row for each run, a column for each unit; the mean of a row is its metric.
    """
    n_runs, n_units = contributions.shape
    means, average = contributions.mean(axis=1), contributions.mean(axis=0)
    if n_runs < 2 or n_units < 2:
        return RunVariance(means, average, np.nan, np.nan)
    rest = contributions - means[:, None] - average + means.mean()
    interaction = float(np.square(rest).sum() / ((n_runs - 1) * (n_units - 1)) / n_units)
    return RunVariance(means, average, float(means.var(ddof=1)), interaction)


def as_rows(contributions: npt.ArrayLike, *, name: str) -> Floats:
    """Read contributions: [n] of one run, or [S, n].

    Args:
        contributions: Numbers, booleans, or anything numpy takes for such.
        name: How a message names them.

    Raises:
        UsageError: They have another shape, are empty, or hold what is no finite number.
    """
    try:
        rows = np.atleast_2d(np.asarray(contributions, dtype=np.float64))
    except (TypeError, ValueError) as problem:
        raise UsageError(f"{name}: contributions are numbers [runs, images], one row for each run.") from problem
    if rows.ndim != 2 or not rows.size:
        raise UsageError(f"{name}: contributions have the shape [runs, images], not {list(rows.shape)}.")
    if not np.isfinite(rows).all():
        raise UsageError(f"{name}: {int((~np.isfinite(rows)).sum())} contributions are no finite numbers.")
    return rows


def group_numbers(groups: Sequence[object] | npt.ArrayLike | None, *, n: int) -> npt.NDArray[np.intp] | None:
    """Number groups from 0 in order of appearance.

    Args:
        groups: [n] names; an empty name or None is a group of its own. None where there are no groups.
        n: The number of images.

    Returns:
        [n], or None where every image stands alone.

    Raises:
        UsageError: There is not one name for each image.
    """
    if groups is None:
        return None
    names = np.asarray(groups, dtype=object).ravel().tolist()
    if len(names) != n:
        raise UsageError(f"Groups: {len(names)} names for {n} images; give one for each.")
    found: dict[object, int] = {}
    keys: list[object] = [place if _is_blank(name) else ("named", name) for place, name in enumerate(names)]
    numbers = [found.setdefault(key, len(found)) for key in keys]
    return None if len(found) == n else np.array(numbers, dtype=np.intp)


def _is_blank(name: object) -> bool:
    # pandas' own missing value is neither equal to itself nor different from itself.
    return name is None or type(name).__name__ == "NAType" or name == "" or name != name


def by_group(contributions: Floats, numbers: npt.NDArray[np.intp]) -> Floats:
    """Make groups the units: u[s, k] = M_s + (G/n)·Σ over the images of group k of (c[s, i] − M_s).

    The row means stay. Images of one group vary together, so the group is what was drawn at random.

    Args:
        contributions: [S, n].
        numbers: [n], 0 … G − 1.

    Returns:
        [S, G].
    """
    n_groups = int(numbers.max()) + 1
    means = contributions.mean(axis=1, keepdims=True)
    summed = np.stack([np.bincount(numbers, weights=row, minlength=n_groups) for row in contributions - means])
    return means + n_groups / contributions.shape[1] * summed


ROUNDING = 1e-12
"""What is smaller than this share of the numbers it was computed from is rounding, not noise."""
_LARGEST_Z = 8.3
"""Two-sided levels below 1e-16 are not distinguished."""
_N_STEPS = 50


@dataclass(frozen=True)
class VarianceComponents:
    """The variance of a gain, by where it comes from; all NaN where a single unit was seen."""

    seeds: float
    """V: variance from the seeds of training, noise of single units included."""
    both: float
    """N: the noise of single units within runs, which V and I both contain."""
    images: float
    """I: variance from the units drawn, noise of single units included."""
    seed_df: float
    """Degrees of freedom of V; infinite where the models are given and V is 0."""
    image_df: float = np.inf
    """Degrees of freedom of I: infinite for images, G − 1 for G groups."""

    @property
    def standard_error(self) -> float:
        """The standard deviation of the gain."""
        return float(np.sqrt(np.max([self.seeds + max(0.0, self.images - self.both), self.images, self.both])))

    def half_width(self, level: float) -> float:
        """Return half the width of the interval whose two-sided error level is given.

        Args:
            level: In (0, 1], such as 0.05 for 95 %.
        """
        seed2, image2 = quantile(self.seed_df, level) ** 2, quantile(self.image_df, level) ** 2
        apart = seed2 * self.seeds + image2 * max(0.0, self.images - self.both)
        return float(np.sqrt(np.max([apart, image2 * self.images, image2 * self.both])))

    def p_value(self, gain: float) -> float:
        """Return the level at which the interval just touches zero; 1 without a gain, or where no noise was seen.

        Where nothing varies, chance cannot be measured, and nothing may be concluded.

        Args:
            gain: The gain, in the unit of the standard error.
        """
        if gain == 0 or not self.standard_error > 0:
            return 1.0
        low, high = 0.0, _LARGEST_Z
        for _ in range(_N_STEPS):
            midpoint = (low + high) / 2
            if self.half_width(2 * float(ndtr(-midpoint))) < abs(gain):
                low = midpoint
            else:
                high = midpoint
        return float(2 * ndtr(-(low + high) / 2))


def without_rounding(gain: float, noise: VarianceComponents, rounding: float) -> tuple[float, VarianceComponents]:
    """Set to zero what is rounding only: else a gain that is the same everywhere would look certain.

    Args:
        gain: The gain.
        noise: Its noise.
        rounding: The largest standard deviation, and gain, that is taken for rounding.
    """
    if noise.standard_error <= rounding:
        noise = replace(noise, seeds=0.0, both=0.0, images=0.0)
    return 0.0 if abs(gain) <= rounding else gain, noise


def quantile(df: float, level: float) -> float:
    """Return the two-sided quantile of Student's t, of the normal distribution where df is infinite.

    Args:
        df: Degrees of freedom, above 0.
        level: The two-sided error level, in (0, 1].
    """
    return float(-ndtri(level / 2)) if np.isinf(df) else float(-stdtrit(df, level / 2))
