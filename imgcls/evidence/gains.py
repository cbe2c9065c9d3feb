"""The gain of one rung over another, scored on the same images: how much, and how sure.

The gain is what new seeds and new images like these would give on average, so both kinds of luck are in
its interval. Why trainings are compared unpaired although they share seeds, and what was simulated,
is told in docs/guide/statistics.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

from imgcls.errors import UsageError
from imgcls.evidence.metrics import FEWEST_GROUPS
from imgcls.evidence.noise import ROUNDING, Noise, quantile, without_rounding
from imgcls.evidence.scored import Floats
from imgcls.evidence.spread import Spread, by_group, spread

Method = Literal["separate trainings", "same weights", "these models", "folds"]


@dataclass(frozen=True)
class Components:
    """What the variance of a gain is made of, per run and unit, so that other numbers of them can be thought of."""

    seed: float
    """Variance from training alone, summed over both sides."""
    both: float
    """Noise of single units within runs, summed over both sides."""
    image: float
    """How much the gain differs from unit to unit."""


@dataclass(frozen=True)
class Gain:
    """A gain with its interval."""

    value: float
    """The gain in the metric's unit; above 0 is better, whatever the metric."""
    low: float
    """Lower end of the 95 % interval, over new seeds and new images; NaN where there is one unit only."""
    high: float
    """Upper end of the 95 % interval."""
    low90: float
    """Lower end of the 90 % interval."""
    high90: float
    """Upper end of the 90 % interval."""
    p: float
    """The level at which the interval just touches zero; McNemar's exact p for accuracy of given models."""
    standard_error: float
    """The standard deviation of the gain."""
    method: Method
    """What was compared: separate trainings, predictions of the same weights, two given models, or folds."""
    n_images: int
    """The number of images that both sides were scored on."""
    n_units: int
    """The number of units: images, groups where there are any, or folds."""
    n_runs: tuple[int, int]
    """The runs on either side: of what is compared with, and of what is compared."""
    seed_sds: tuple[float, float]
    """Standard deviation of the metric over seeds on either side; NaN with one run."""
    degrees_of_freedom: float
    """Of the seed part; infinite where the models are given."""
    same_weights: bool = False
    """Whether both sides were predicted by the same weights."""
    here: tuple[float, float] | None = None
    """The 95 % interval for exactly these images and new seeds; never used for a verdict."""
    n_changed: int | None = None
    """Images whose averaged contribution differs between the sides; None for folds."""
    is_accuracy: bool = False
    """Whether contributions are right or wrong, 1 or 0."""
    is_identical: bool = False
    """Whether the two sides do not differ on a single image in a single run."""
    has_groups: bool = False
    """Whether the units are groups of images."""
    noise: Noise | None = None
    """The noise by its source; None for folds."""
    components: Components | None = None
    """What the noise is made of; None where one run cannot tell."""

    @property
    def has_interval(self) -> bool:
        """Whether anything can be said about luck at all; a single image, or group, says nothing of others."""
        return bool(np.isfinite(self.standard_error))

    @property
    def fewest_runs(self) -> int:
        """The number of runs on the side that has fewer."""
        return min(self.n_runs)

    @property
    def lacks_groups(self) -> bool:
        """Whether there are too few groups for any interval to be believed."""
        return self.has_groups and self.n_units < FEWEST_GROUPS


def measure(
    before: Floats, after: Floats, *, same_weights: bool = False, groups: npt.NDArray[np.intp] | None = None
) -> Gain:
    """Measure the gain of `after` over `before`.

    Args:
        before: [S_A, n], contributions: see `imgcls.evidence.contributions`.
        after: [S_B, n], of the same images in the same order.
        same_weights: Whether row s of both sides was predicted by the same weights; rows are then paired.
        groups: [n] numbers 0 … G − 1 of images that share their luck, which are then the units; None without.

    Raises:
        UsageError: The sides were not scored on the same images, or not by the same runs, or hold what is
            no finite number.
    """
    _check(before, after, same_weights=same_weights)
    a, b = (before, after) if groups is None else (by_group(before, groups), by_group(after, groups))
    sides = spread(a), spread(b)
    paired = same_weights and len(before) > 1
    noise, components = _of_pairs(spread(b - a)) if paired else _of_sides(*sides)
    given = sides[0].n_runs < 2 or sides[1].n_runs < 2
    method: Method = "these models" if given else "same weights" if same_weights else "separate trainings"
    if groups is not None:
        noise = replace(noise, image_df=max(1, a.shape[1] - 1))
    rounding = ROUNDING * float(max(np.abs(before).max(), np.abs(after).max()))
    value, noise = without_rounding(float(sides[1].means.mean() - sides[0].means.mean()), noise, rounding)
    is_accuracy = _are_right_or_wrong(before) and _are_right_or_wrong(after)
    exact = given and is_accuracy and groups is None and len(before) == len(after) == 1
    half, half90 = noise.half_width(0.05), noise.half_width(0.10)
    return Gain(
        value=value,
        low=value - half,
        high=value + half,
        low90=value - half90,
        high90=value + half90,
        p=mcnemar(before[0], after[0]) if exact else noise.p_value(value),
        standard_error=noise.standard_error,
        method=method,
        n_images=before.shape[1],
        n_units=a.shape[1],
        n_runs=(len(before), len(after)),
        seed_sds=(sides[0].seed_sd, sides[1].seed_sd),
        degrees_of_freedom=noise.seed_df,
        same_weights=same_weights,
        here=None if given else _here(value, noise),
        n_changed=int((before.mean(axis=0) != after.mean(axis=0)).sum()),
        is_identical=np.array_equal(before, after),
        is_accuracy=is_accuracy,
        has_groups=groups is not None,
        noise=noise,
        components=components,
    )


def mcnemar(before: Floats, after: Floats) -> float:
    """Give McNemar's exact two-sided p for the accuracy of two given models.

    Args:
        before: [n], 1 where the first is right, else 0.
        after: [n], likewise for the second.

    Source: McNemar (1947), Psychometrika 12, 153-157.
    """
    mended, broken = int(((before == 0) & (after == 1)).sum()), int(((before == 1) & (after == 0)).sum())
    return min(1.0, 2 * float(bdtr(min(mended, broken), mended + broken, 0.5)))


def _check(before: Floats, after: Floats, *, same_weights: bool) -> None:
    """Refuse what no gain can be measured of."""
    problems = []
    if before.shape[1] != after.shape[1]:
        problems.append(
            f"The two sides were scored on {before.shape[1]} and {after.shape[1]} images; a gain needs the same ones."
        )
    if not before.size or not after.size:
        problems.append("A gain needs at least one run and one image on either side.")
    if same_weights and len(before) != len(after):
        problems.append(
            f"The same weights cannot have made {len(before)} and {len(after)} runs; keep the seeds that both have."
        )
    n_wrong = sum(int((~np.isfinite(side)).sum()) for side in (before, after))
    if n_wrong:
        problems.append(f"{n_wrong} contributions are no finite numbers.")
    if problems:
        raise UsageError.together(problems)


def _of_sides(a: Spread, b: Spread) -> tuple[Noise, Components | None]:
    """Add up the noise of trainings that have nothing to do with each other (Welch)."""
    images = _variance_of_mean(b.average - a.average)
    if a.n_units < 2:
        return Noise(np.nan, np.nan, np.nan, np.inf), None
    if a.n_runs < 2 or b.n_runs < 2:
        return Noise(0.0, 0.0, images, np.inf), None
    of_means = a.seed_variance / a.n_runs, b.seed_variance / b.n_runs
    seeds = sum(of_means)
    both = a.interaction / a.n_runs + b.interaction / b.n_runs
    if seeds > 0:
        df = seeds**2 / (of_means[0] ** 2 / (a.n_runs - 1) + of_means[1] ** 2 / (b.n_runs - 1))
    else:
        df = a.n_runs + b.n_runs - 2
    components = Components(
        seed=max(0.0, a.seed_variance - a.interaction + b.seed_variance - b.interaction),
        both=a.n_units * (a.interaction + b.interaction),
        image=a.n_units * max(0.0, images - both),
    )
    return Noise(float(seeds), float(both), images, float(df)), components


def _of_pairs(difference: Spread) -> tuple[Noise, Components | None]:
    """Give the noise of differences, row by row."""
    n_runs, n_units = difference.n_runs, difference.n_units
    images = _variance_of_mean(difference.average)
    if n_units < 2:
        return Noise(np.nan, np.nan, np.nan, np.inf), None
    noise = Noise(
        seeds=difference.seed_variance / n_runs,
        both=difference.interaction / n_runs,
        images=images,
        seed_df=n_runs - 1,
    )
    components = Components(
        seed=max(0.0, difference.seed_variance - difference.interaction),
        both=n_units * difference.interaction,
        image=n_units * max(0.0, images - noise.both),
    )
    return noise, components


def _variance_of_mean(values: Floats) -> float:
    return float(values.var(ddof=1) / len(values)) if len(values) > 1 else np.nan


def _here(value: float, noise: Noise) -> tuple[float, float]:
    half = quantile(noise.seed_df, 0.05) * float(np.sqrt(max(noise.seeds, noise.both)))
    return value - half, value + half


def _are_right_or_wrong(rows: Floats) -> bool:
    return bool(np.isin(rows, (0.0, 1.0)).all())
