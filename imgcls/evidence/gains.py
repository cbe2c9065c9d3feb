"""Gains and scores with their intervals, over seeds and images or over folds.

A gain is what new seeds and new images like these would give on average, so the variance of both is in its
interval. docs/guide/statistics.md explains why trainings are compared unpaired although they share seeds, and
which simulations the intervals were checked by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, stdtr

from imgcls.config.metrics import find_metric
from imgcls.errors import UsageError
from imgcls.evidence.contributions import Floats
from imgcls.evidence.metrics import FEWEST_GROUPS, SHARES, wilson_interval
from imgcls.evidence.variance import (
    ROUNDING,
    RunVariance,
    VarianceComponents,
    by_group,
    quantile,
    run_variance,
    without_rounding,
)
from imgcls.records.run import Estimate, FoldSpread

Method = Literal["separate trainings", "same weights", "these models", "folds"]
FEWEST_FOLDS = 5


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
    noise: VarianceComponents | None = None
    """The noise by its source; None for folds."""
    components: Components | None = None
    """What the noise is made of; None where one run cannot tell."""

    @property
    def has_interval(self) -> bool:
        """Whether there is an interval at all; a single image, or group, says nothing of others."""
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
        groups: [n] numbers 0 … G − 1 of groups of images that vary together, which are then the units; None without.

    Raises:
        UsageError: The sides were not scored on the same images, or not by the same runs, or hold what is
            no finite number.
    """
    _check(before, after, same_weights=same_weights)
    a, b = (before, after) if groups is None else (by_group(before, groups), by_group(after, groups))
    sides = run_variance(a), run_variance(b)
    paired = same_weights and len(before) > 1
    noise, components = _of_pairs(run_variance(b - a)) if paired else _of_sides(*sides)
    given = sides[0].n_runs < 2 or sides[1].n_runs < 2
    method: Method = "these models" if given else "same weights" if same_weights else "separate trainings"
    if groups is not None:
        noise = replace(noise, image_df=max(1, a.shape[1] - 1))
    rounding = ROUNDING * float(max(np.abs(before).max(), np.abs(after).max()))
    value, noise = without_rounding(float(sides[1].means.mean() - sides[0].means.mean()), noise, rounding)
    is_accuracy = _are_right_or_wrong(before) and _are_right_or_wrong(after)
    exact = given and is_accuracy and groups is None and len(before) == len(after) == 1
    half, half90 = noise.half_width(0.05), noise.half_width(0.10)
    half_here = quantile(noise.seed_df, 0.05) * float(np.sqrt(max(noise.seeds, noise.both)))
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
        here=None if given else (value - half_here, value + half_here),
        n_changed=int((before.mean(axis=0) != after.mean(axis=0)).sum()),
        is_identical=np.array_equal(before, after),
        is_accuracy=is_accuracy,
        has_groups=groups is not None,
        noise=noise,
        components=components,
    )


def ensemble_gain(
    single: Floats, together: Floats, without: Floats, *, groups: npt.NDArray[np.intp] | None = None
) -> Gain:
    """Measure the gain of the mean prediction of S runs over one of these runs, over new seeds and new images.

    There is one mean for S runs, so how much it varies with the seeds is seen by leaving each of them out (jackknife):
    (S − 1)/S·Σ(d₋ₛ − mean)², with d₋ₛ the gain of the mean of the other runs over one of them.

    Args:
        single: [S, n], contributions of the runs; three at least.
        together: [n], those of the mean of all runs.
        without: [S, n], those of the mean of all runs but one, for each of them.
        groups: [n] numbers of groups of images, which are then the units; None without.

    Source: Efron (1982), chapter 3; the rest as `measure`.
    """
    n_runs = len(single)
    others = np.stack([np.delete(single, left_out, axis=0).mean(axis=0) for left_out in range(n_runs)])
    rows = np.concatenate([(together - single.mean(axis=0))[None], without - others])
    units = rows if groups is None else by_group(rows, groups)
    gain, jackknifed = units[0], units[1:]
    n_units, scale = units.shape[1], (n_runs - 1) / n_runs
    of_seeds = scale * float(np.square(jackknifed.mean(axis=1) - jackknifed.mean()).sum())
    of_units = scale * np.square(jackknifed - jackknifed.mean(axis=0)).sum(axis=0)
    noise = VarianceComponents(
        seeds=of_seeds,
        both=float(of_units.mean() / n_units) if n_units > 1 else np.nan,
        images=_variance_of_mean(gain),
        seed_df=n_runs - 1,
        image_df=np.inf if groups is None else max(1, n_units - 1),
    )
    rounding = ROUNDING * float(max(np.abs(single).max(), np.abs(together).max()))
    value, noise = without_rounding(float(gain.mean()), noise, rounding)
    half, half90 = noise.half_width(0.05), noise.half_width(0.10)
    sd = float(np.std(single.mean(axis=1), ddof=1))
    return Gain(
        value=value,
        low=value - half,
        high=value + half,
        low90=value - half90,
        high90=value + half90,
        p=noise.p_value(value),
        standard_error=noise.standard_error,
        method="same weights",
        n_images=single.shape[1],
        n_units=n_units,
        n_runs=(n_runs, n_runs),
        seed_sds=(sd, np.nan),
        degrees_of_freedom=noise.seed_df,
        same_weights=True,
        n_changed=int((single.mean(axis=0) != together).sum()),
        is_accuracy=_are_right_or_wrong(single) and _are_right_or_wrong(together),
        is_identical=bool((single == together).all()),
        has_groups=groups is not None,
        noise=noise,
    )


def mcnemar(before: Floats, after: Floats) -> float:
    """Return McNemar's exact two-sided p for the accuracy of two given models.

    Args:
        before: [n], 1 where the first is right, else 0.
        after: [n], likewise for the second.

    Source: McNemar (1947), Psychometrika 12, 153-157.
    """
    fixed, broken = int(((before == 0) & (after == 1)).sum()), int(((before == 1) & (after == 0)).sum())
    return min(1.0, 2 * float(bdtr(min(fixed, broken), fixed + broken, 0.5)))


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
    _check_folds(before, after, n_train=n_train, n_valid=n_valid)
    differences, n_folds = after - before, len(before)
    ratio = float(np.mean(np.asarray(n_valid) / np.asarray(n_train)))
    df = n_folds - 1
    # Folds vary in one way, which stands where the variance of seeds stands elsewhere: it gets t(J − 1).
    noise = VarianceComponents(float((1 / n_folds + ratio) * differences.var(ddof=1)), 0.0, 0.0, df)
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
        p=1.0 if value == 0 or error == 0 else float(2 * stdtr(df, -abs(value) / error)),
        standard_error=error,
        method="folds",
        n_images=int(np.sum(n_valid)),
        n_units=n_folds,
        n_runs=n_runs,
        seed_sds=seed_sds,
        degrees_of_freedom=df,
    )


def score(metric: str, contributions: Floats, *, groups: npt.NDArray[np.intp] | None = None) -> Estimate:
    """Return the metric of a rung with the 95 % interval over new seeds and new images.

    Args:
        metric: Whose contributions they are.
        contributions: [S, n], a row for each run.
        groups: [n] numbers of groups of images that vary together; None without.

    Returns:
        The estimate, in the metric's own direction; without an interval where there are too few groups, or
        where the images do not differ. One run's accuracy has Wilson's interval, as that run's own record.
    """
    n_images = contributions.shape[1]
    units = contributions if groups is None else by_group(contributions, groups)
    summed = run_variance(units)
    value, image_df = float(summed.means.mean()), np.inf
    if groups is not None:
        if units.shape[1] < FEWEST_GROUPS:
            reason = f"no interval: {units.shape[1]} groups, at least {FEWEST_GROUPS} are needed; use folds"
            return _estimate(metric, value, None, n=n_images, reason=reason)
        image_df = units.shape[1] - 1
    if n_images < 2:
        return _estimate(metric, value, None, n=n_images, reason="no interval: one image tells nothing of others")
    n_runs = summed.n_runs
    if metric.partition(":")[0] in SHARES and n_runs == 1 and groups is None and np.isin(contributions, (0, 1)).all():
        return Estimate(value, *wilson_interval(int(contributions.sum()), n_images), n_images)
    images = _variance_of_mean(summed.average)
    if n_runs > 1:
        noise = VarianceComponents(
            summed.seed_variance / n_runs, summed.interaction / n_runs, images, n_runs - 1, image_df
        )
    else:
        noise = VarianceComponents(0.0, 0.0, images, np.inf, image_df)
    if noise.standard_error <= ROUNDING * float(np.abs(contributions).max()):
        return _estimate(metric, value, None, n=n_images, reason="no interval: the images do not differ")
    return _estimate(metric, value, noise.half_width(0.05), n=n_images)


def fold_score(metric: str, values: Floats, *, n_train: int, n_valid: int, n_images: int) -> Estimate:
    """Return the metric of a rung over folds, with the interval of Nadeau and Bengio.

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


def spread_of(folds: Sequence[Mapping[str, Estimate]]) -> dict[str, FoldSpread]:
    """Return the mean and the standard deviation of every metric over folds.

    They describe, and no interval follows from them: any two of k trainings share (k − 2) / (k − 1) of
    their samples, so the scores of the folds are not independent, and no estimate of the variance of
    their mean from one division into folds is free of bias.

    Args:
        folds: The estimates of each fold by name.

    Returns:
        For every metric that all folds have: mean, standard deviation (n − 1), and the number of folds with a value.

    Source: Bengio and Grandvalet (2004), JMLR 5, 1089-1105.
    """
    spreads = {}
    for name in [name for name in folds[0] if all(name in fold for fold in folds)] if folds else ():
        values = [value for fold in folds if (value := fold[name].value) is not None]
        mean = float(np.mean(values)) if values else None
        spreads[name] = FoldSpread(mean, float(np.std(values, ddof=1)) if len(values) > 1 else None, len(values))
    return spreads


def _check(before: Floats, after: Floats, *, same_weights: bool) -> None:
    """Check that both sides are finite and of the same images, and of the same runs where the weights are the same."""
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


def _of_sides(a: RunVariance, b: RunVariance) -> tuple[VarianceComponents, Components | None]:
    """Return the noise of a gain between separate trainings, added up as Welch does, and what it is made of."""
    images = _variance_of_mean(b.average - a.average)
    if a.n_units < 2:
        return VarianceComponents(np.nan, np.nan, np.nan, np.inf), None
    if a.n_runs < 2 or b.n_runs < 2:
        return VarianceComponents(0.0, 0.0, images, np.inf), None
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
    return VarianceComponents(float(seeds), float(both), images, float(df)), components


def _of_pairs(difference: RunVariance) -> tuple[VarianceComponents, Components | None]:
    """Return the noise of a gain measured run by run on the same weights, and what it is made of."""
    n_runs, n_units = difference.n_runs, difference.n_units
    images = _variance_of_mean(difference.average)
    if n_units < 2:
        return VarianceComponents(np.nan, np.nan, np.nan, np.inf), None
    noise = VarianceComponents(
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


def _are_right_or_wrong(rows: Floats) -> bool:
    return bool(np.isin(rows, (0.0, 1.0)).all())


def _check_folds(before: Floats, after: Floats, *, n_train: Sequence[int], n_valid: Sequence[int]) -> None:
    """Check that both sides are finite and have the same two folds or more, none of them empty."""
    n_folds = len(before)
    if not n_folds == len(after) == len(n_train) == len(n_valid) or n_folds < 2:
        raise UsageError(
            f"A gain over folds needs the same folds on both sides, at least two, not {n_folds} and {len(after)}."
        )
    if not np.isfinite([before, after]).all():
        raise UsageError("A gain over folds needs a finite number for each fold; leave a fold that failed out.")
    if min(*n_train, *n_valid) < 1:
        raise UsageError("Every fold has to have at least one image to train on and one to score.")


def _estimate(metric: str, value: float, half: float | None, *, n: int, reason: str | None = None) -> Estimate:
    """Return a mean of contributions as the metric, with an interval within its range."""
    known = find_metric(metric)
    value = known.signed(value)
    if half is None:
        return Estimate(value, None, None, n, reason)
    low, high = known.range
    return Estimate(value, max(low, value - half), min(high, value + half), n)
