"""Drift: whether valid and test differ from train, by their pictures and by single measures of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from imgcls.data.grouping import linked
from imgcls.eda.facts import Drift
from imgcls.eda.features import Features
from imgcls.eda.scan import Scan
from imgcls.eda.statistics import PermutationFolds, p_value, principal_components

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
N_PERMUTATIONS = 999
N_FOLDS = 5
MOST_PER_PART = 4000
"""More images of a part are drawn from."""
_FEWEST = 10
_SHRINKAGE = 0.1
_AT_ONCE = 200


def find_drift(scan: Scan, features: Features | None, *, seed: int = 0) -> tuple[Drift, ...]:
    """Compare valid and test with train, by pictures and by the size, brightness, contrast and sharpness of each image.

    No label is read. An AUC of a single measure is that of telling the parts apart by it in the better direction. What
    chance would do is measured by a permutation test, in which images that belong together (groups, exact duplicates)
    stay together. Twelve comparisons are made at the most, so that chance alone gives one a p below 0.05 in almost
    every second data set: see `imgcls.eda.facts.is_drifted`.

    Args:
        scan: The data set.
        features: What the network sees in some of the images; None leaves pictures out.
        seed: Decides the folds and the permutations.

    Returns:
        By pair of splits, then by what they are told apart: pictures, size, brightness, contrast, sharpness, shape.
    """
    found: list[Drift] = []
    for part in ("valid", "test"):
        if features is not None:
            found += _by_pictures(scan, features, part, seed=seed)
        found += _by_measures(scan, part, seed=seed)
    return tuple(found)


def domain_auc(
    values: npt.ArrayLike, is_part: npt.ArrayLike, units: npt.ArrayLike, *, seed: int
) -> tuple[float, float]:
    """Tell two parts of images apart by a linear classifier on their features.

    Principal components are scaled to one variance and ridge regression separates the parts, which is Fisher's
    discriminant with shrinkage; images are scored in folds in which they were held out. In closed form, so that
    all permutations cost hardly more than one.

    Args:
        values: [n, d].
        is_part: bool [n], whether an image is in the second part.
        units: [n] numbers, what belongs together.
        seed: Decides folds and permutations.

    Returns:
        The mean over the folds of the AUC, and p.
    """
    rng = np.random.default_rng([seed, 4])
    folds = PermutationFolds.of(np.asarray(is_part), units, n_folds=N_FOLDS, rng=rng)
    components = principal_components(np.asarray(values, dtype=np.float64))
    auc = float(_fold_aucs(components, folds, folds.kinds[None])[0])
    by_chance = [_fold_aucs(components, folds, folds.permuted(n, rng)) for n in _batches(N_PERMUTATIONS)]
    return auc, p_value(auc, np.concatenate(by_chance))


def _by_pictures(scan: Scan, features: Features, part: str, *, seed: int) -> Iterator[Drift]:
    splits = scan.samples.frame["split"].to_numpy(dtype=object)[features.rows]
    chosen = np.flatnonzero((splits == "train") | (splits == part))
    is_part = splits[chosen] == part
    n = int((~is_part).sum()), int(is_part.sum())
    if min(n) >= _FEWEST:
        units = linked(scan.samples.frame.iloc[features.rows[chosen]])
        auc, p = domain_auc(features.values[chosen], is_part, units, seed=seed)
        yield Drift(parts=("train", part), by="pictures", auc=auc, p=p, n=n)


def _by_measures(scan: Scan, part: str, *, seed: int) -> Iterator[Drift]:
    rng = np.random.default_rng([seed, 5])
    rows = [np.sort(rng.permutation(scan.samples.rows(name))[:MOST_PER_PART]) for name in ("train", part)]
    n = len(rows[0]), len(rows[1])
    if min(n) < _FEWEST:
        return
    both = np.concatenate(rows)
    is_part = np.arange(len(both)) >= n[0]
    folds = PermutationFolds.of(is_part, linked(scan.samples.frame.iloc[both]), n_folds=1, rng=rng)
    permutations = [folds.permuted(count, rng) for count in _batches(N_PERMUTATIONS)]
    for by, measure in measures_of(scan).items():
        values = measure[both]
        if len(np.unique(values)) > 1:
            aucs = np.concatenate([_aucs(values[:, None], kinds.T) for kinds in (folds.kinds[None], *permutations)])
            auc, *by_chance = np.maximum(aucs, 1 - aucs).tolist()
            yield Drift(parts=("train", part), by=by, auc=auc, p=p_value(auc, np.array(by_chance)), n=n)


def measures_of(scan: Scan) -> dict[str, Floats]:
    """Return the measures by which parts and images are compared, each float64 [n]."""
    measures = scan.measures
    width, height = (measures[side].to_numpy(dtype=np.float64) for side in ("width_px", "height_px"))
    single = {name: measures[name].to_numpy(dtype=np.float64) for name in ("brightness", "contrast", "sharpness")}
    return {"size": width * height, **single, "shape": width / np.maximum(height, 1)}


def _fold_aucs(components: Floats, folds: PermutationFolds, kinds: Indices) -> Floats:
    """Return the mean over the folds of the AUC for several divisions into two parts, [n_permutations]."""
    from sklearn.linear_model import Ridge

    parts = kinds.T.astype(np.float64)
    found = []
    for fold in range(folds.n_folds):
        held_out = folds.folds == fold
        variance = components[~held_out].var(axis=0).mean() * (~held_out).sum()
        # (1 - s) · covariance + s · mean variance · identity, but for a factor that changes no order
        ridge = Ridge(alpha=max(_SHRINKAGE * variance, 1e-12) / (1 - _SHRINKAGE))
        directions = ridge.fit(components[~held_out], parts[~held_out]).coef_.reshape(len(kinds), -1)
        found.append(_aucs(components[held_out] @ directions.T, parts[held_out]))
    counted = ~np.isnan(found)
    return np.nansum(found, axis=0) / np.maximum(counted.sum(axis=0), 1)


def _aucs(scores: Floats, members: npt.NDArray[np.number]) -> Floats:
    """Return the AUC of every column of members, from the ranks of scores: NaN where one side is empty.

    Args:
        scores: [n, 1] or [n, q].
        members: [n, q] of 0 and 1.
    """
    n_part = members.sum(axis=0)
    pairs = n_part * (len(members) - n_part)
    won = (members * rankdata(scores, axis=0)).sum(axis=0) - n_part * (n_part + 1) / 2
    return np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def _batches(n: int) -> list[int]:
    return [min(_AT_ONCE, n - done) for done in range(0, n, _AT_ONCE)]
