"""Statistical power: the gain that a comparison would find, and the seeds or images that would settle it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from imgcls.evidence.gains import Components, Gain
from imgcls.evidence.variance import VarianceComponents, quantile

_Z_POWER = 0.8416212335729143
"""The normal quantile of 80 % power."""
MOST_SEEDS = 50
MOST_IMAGES = 10_000_000


@dataclass(frozen=True)
class RequiredSamples:
    """About what it would take to settle a comparison; components are rough, so these are no promises."""

    target: float
    """The gain that should be found four times in five."""
    n_seeds: int | None
    """Seeds a rung that would be enough on these images; None where no number is."""
    n_images: int | None
    """Images (or groups) that would be enough with these seeds; None where no number is."""
    limit: str
    """What keeps one of the two from being enough alone; empty where both would do."""


def minimal_detectable_gain(gain: Gain, *, level: float = 0.05) -> float | None:
    """Return the gain that this comparison would find four times in five.

    Args:
        gain: A comparison; its noise is what the power is computed from.
        level: The two-sided error level, before other comparisons are counted.

    Returns:
        A gain in the metric's unit; None where one run cannot tell, or where no noise was seen.
    """
    if not gain.standard_error > 0:
        return None
    if gain.method == "folds":
        return (quantile(gain.degrees_of_freedom, level) + _Z_POWER) * gain.standard_error
    if gain.components is None:
        return None
    return detectable(
        gain.components,
        n_seeds=gain.fewest_runs,
        n_units=gain.n_units,
        is_paired=gain.method == "same weights",
        has_groups=gain.has_groups,
        level=level,
    )


def detectable(
    components: Components,
    *,
    n_seeds: int,
    n_units: int,
    is_paired: bool = False,
    has_groups: bool = False,
    level: float = 0.05,
) -> float:
    """Return the gain that would be found four times in five with other numbers of seeds and images.

    Args:
        components: What the noise is made of.
        n_seeds: Runs on either side, at least 2.
        n_units: Images, or groups.
        is_paired: Whether both sides are predicted by the same weights.
        has_groups: Whether units are groups.
        level: The two-sided error level.
    """
    both = components.both / (n_units * n_seeds)
    noise = VarianceComponents(
        seeds=components.seed / n_seeds + both,
        both=both,
        images=components.image / n_units + both,
        seed_df=(n_seeds - 1) * (1 if is_paired else 2),
        image_df=n_units - 1 if has_groups else np.inf,
    )
    spread = noise.seeds + noise.images - noise.both
    return noise.half_width(level) + _Z_POWER * float(np.sqrt(spread))


def required_samples(gain: Gain, target: float) -> RequiredSamples | None:
    """Return about how many seeds, or images, would settle a gain.

    Args:
        gain: A comparison.
        target: The gain that should be found, in the metric's unit, above 0.

    Returns:
        The answer; None for folds and single runs, whose noise has no parts.
    """
    if gain.components is None:
        return None
    found = partial(detectable, gain.components, is_paired=gain.method == "same weights", has_groups=gain.has_groups)
    enough = (n for n in range(2, MOST_SEEDS + 1) if found(n_seeds=n, n_units=gain.n_units) <= target)
    n_seeds, n_units = next(enough, None), gain.n_units
    while n_units <= MOST_IMAGES and found(n_seeds=gain.fewest_runs, n_units=n_units) > target:
        n_units = int(np.ceil(n_units * 1.1))
    n_images = n_units if n_units <= MOST_IMAGES else None
    limit = _limit(gain, gain.components, target, n_seeds=n_seeds, n_images=n_images)
    return RequiredSamples(target, n_seeds, n_images, limit)


def _limit(gain: Gain, parts: Components, target: float, *, n_seeds: int | None, n_images: int | None) -> str:
    """Describe what keeps more seeds, or more images, from being enough alone; empty where both would do."""
    if n_seeds is None and n_images is None:
        return "neither more seeds nor more images alone settle this, both are needed"
    n_runs = gain.fewest_runs
    if n_seeds is None:
        if (quantile(np.inf, 0.05) + _Z_POWER) * np.sqrt(parts.image / gain.n_units) > target:
            return "more seeds alone cannot settle this, the images are the limit"
        return f"{MOST_SEEDS} seeds are not enough on these images"
    if n_images is None:
        df = (n_runs - 1) * (1 if gain.method == "same weights" else 2)
        if (quantile(df, 0.05) + _Z_POWER) * np.sqrt(parts.seed / n_runs) > target:
            return "more images alone cannot settle this, the seeds are the limit"
        return f"{MOST_IMAGES:,} images are not enough with these seeds"
    return ""
