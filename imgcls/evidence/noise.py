"""The noise of a gain, and the interval and p that follow from it.

Luck of seeds gets the wide allowance of Student's t for their few degrees of freedom, luck of images
that of the normal distribution (or of t over the groups), the two are added as squares, and the
interval is never narrower than the luck of images alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

ROUNDING = 1e-12
"""What is smaller than this share of the numbers it was computed from is rounding, not noise."""
_LARGEST_Z = 8.3
"""Two-sided levels below 1e-16 are not told apart."""
_N_STEPS = 50


@dataclass(frozen=True)
class Noise:
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
        """Give half the width of the interval whose two-sided error level is given.

        Args:
            level: In (0, 1), such as 0.05 for 95 %.
        """
        return self._half_width_at(level / 2)

    def p_value(self, gain: float) -> float:
        """Give the level at which the interval just touches zero; 1 without a gain, or where no noise was seen.

        Where nothing varies, luck cannot be measured, and nothing may be concluded.

        Args:
            gain: The gain, in the unit of the standard error.
        """
        if gain == 0 or not self.standard_error > 0:
            return 1.0
        low, high = 0.0, _LARGEST_Z
        for _ in range(_N_STEPS):
            middle = (low + high) / 2
            if self._half_width_at(float(ndtr(-middle))) < abs(gain):
                low = middle
            else:
                high = middle
        return float(2 * ndtr(-(low + high) / 2))

    def _half_width_at(self, tail: float) -> float:
        """Give the half width for the probability of one tail, in (0, 0.5]."""
        seed2, image2 = _quantile(self.seed_df, tail) ** 2, _quantile(self.image_df, tail) ** 2
        apart = seed2 * self.seeds + image2 * max(0.0, self.images - self.both)
        return float(np.sqrt(np.max([apart, image2 * self.images, image2 * self.both])))


def without_rounding(gain: float, noise: Noise, rounding: float) -> tuple[float, Noise]:
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
    """Give the two-sided quantile of Student's t, of the normal distribution where df is infinite.

    Args:
        df: Degrees of freedom, above 0.
        level: The two-sided error level, in (0, 1).
    """
    return _quantile(df, level / 2)


def _quantile(df: float, tail: float) -> float:
    return float(-ndtri(tail)) if np.isinf(df) else float(-stdtrit(df, tail))
