"""Statistical power: the gain that a comparison would find, and the seeds or images that would settle it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from imgcls.evidence.gains import Components, Gain
from imgcls.evidence.variance import VarianceComponents, quantile

USUAL = Components(seed=2 * 0.0038**2, both=0.035, image=0.006)
"""Fine-tuning as it was simulated: seeds differ by 0.38 points of accuracy, two recipes disagree on 8.5 % of images.

These parts give the table of detectable gains in docs/guide/statistics.md within 5 %."""
_ALIKE = 0.1
"""The correlation of the gains of two images of one group; 0.01 to 0.11 for ten pairs of rungs on 35 groups of solar
cells (benchmarks/ladders/elpv)."""
_FEWEST_VALID_GROUPS = 12
"""With fewer groups, a t interval over them is no longer sure to hold; folds let every group validate in turn."""
_FOLDS = (5, 10)
_MOST_DESIGN_SEEDS = 10

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


@dataclass(frozen=True)
class SampleCounts:
    """How many samples there are, as a design needs to know."""

    n: int
    """Samples outside the sealed test part."""
    n_groups: int
    """The groups they come in, a sample without one counted as one; `n` where no sample has a group."""
    n_valid: int
    """Samples that validate without folds."""
    n_valid_groups: int
    """The groups these come in."""


@dataclass(frozen=True)
class Design:
    """How often each rung of a ladder is trained, and on what."""

    n_seeds: int
    """Seeds a rung, in every fold."""
    n_folds: int | None
    """Folds; None for one split."""
    gain: float
    """The gain in accuracy, from 0 to 1, that it would find four times in five where noise is as usual."""

    @property
    def n_runs(self) -> int:
        """Trainings a rung."""
        return self.n_seeds * (self.n_folds or 1)

    def __str__(self) -> str:
        seeds = f"{self.n_seeds} seed{'s' * (self.n_seeds != 1)}"
        return f"{seeds} on one split" if self.n_folds is None else f"{self.n_folds} folds × {seeds}"


def compare_designs(counts: SampleCounts, *, most_runs: int) -> list[Design]:
    """Return the designs of a ladder that are affordable, the one that would find the smallest gain first.

    For one split it is the noise of seeds and images (see `detectable`), groups being the units where there are
    groups; for folds the corrected variance of their differences (see `imgcls.evidence.gains.fold_gain`). Of two that
    find the same, the cheaper comes first.

    Args:
        counts: The samples.
        most_runs: Trainings that a rung may have, at least 2.
    """
    found = [
        Design(n_seeds, None, _one_split(counts, n_seeds))
        for n_seeds in range(2, min(most_runs, _MOST_DESIGN_SEEDS) + 1)
        if counts.n_valid_groups >= min(_FEWEST_VALID_GROUPS, counts.n_valid)
    ]
    found += [
        Design(n_seeds, n_folds, _in_folds(counts, n_seeds, n_folds))
        for n_folds in _FOLDS
        for n_seeds in range(1, most_runs // n_folds + 1)
        if counts.n_groups >= 2 * n_folds
    ]
    return sorted(found, key=lambda design: (round(design.gain, 4), design.n_runs))


def _one_split(counts: SampleCounts, n_seeds: int) -> float:
    has_groups = counts.n_valid_groups < counts.n_valid
    parts = _of_units(counts.n_valid / counts.n_valid_groups)
    return detectable(parts, n_seeds=n_seeds, n_units=counts.n_valid_groups, has_groups=has_groups)


def _in_folds(counts: SampleCounts, n_seeds: int, n_folds: int) -> float:
    parts, n_units = _of_units(counts.n / counts.n_groups), counts.n_groups / n_folds
    of_a_fold = parts.seed / n_seeds + (parts.image + parts.both / n_seeds) / n_units
    error = float(np.sqrt((1 / n_folds + 1 / (n_folds - 1)) * of_a_fold))
    return (quantile(n_folds - 1, 0.05) + _Z_POWER) * error


def _of_units(size: float) -> Components:
    """Return the usual noise where a unit is a group of so many images."""
    share = _ALIKE + (1 - _ALIKE) / size
    return Components(seed=USUAL.seed, both=USUAL.both * share, image=USUAL.image * share)


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
