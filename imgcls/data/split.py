"""Divide samples into train and valid: stratified, groups and exact duplicates whole, given splits respected."""

from __future__ import annotations

import warnings
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from iterstrat.ml_stratifiers import MultilabelStratifiedShuffleSplit
from sklearn.model_selection import StratifiedGroupKFold, StratifiedShuffleSplit

from imgcls.data.samples import Samples
from imgcls.data.units import Indices, Mask, Units, linked, several_columns, single_notes, straddling_notes
from imgcls.errors import DataError

MAX_FOLDS = 20
"""Grouped samples are drawn by folds, so the share of valid is rounded to a fraction of at most this denominator."""


def split_samples(samples: Samples, *, valid: float | None = None, seed: int = 0) -> Samples:
    """Give every sample a split.

    Samples with a given split keep it; the others are drawn into train and valid. Where all splits
    are given and none is valid, valid is drawn from train. Test never changes. A sample in the group,
    or with the very file, of a given train or valid sample goes where that one is. A class that a
    single unit (sample, group or set of duplicates) has stays in train.

    Args:
        samples: The samples; with digests of their files, exact duplicates are kept together.
        valid: The share to validate with, in (0, 1); None is what the data set suggests.
        seed: Fixes the draw, which depends on ids, labels, groups and contents only, not on any order.

    Returns:
        The samples in the same order, with splits and with notes on what was out of the ordinary.

    Raises:
        DataError: The share is outside (0, 1), or there is not enough to draw from.
    """
    share = samples.suggested_valid if valid is None else valid
    if not 0 < share < 1:
        raise DataError(f"The share of samples that validate is {share}; it must lie between 0 and 1.")
    order = np.argsort(samples.frame["id"].to_numpy(dtype=object), kind="stable")
    ordered = replace(samples, frame=samples.frame.iloc[order].reset_index(drop=True))
    splits, notes = _drawn(ordered, share, seed)
    unsorted = np.empty(len(splits), dtype=object)
    unsorted[order] = splits
    return replace(samples.with_split(unsorted.tolist()), notes=(*samples.notes, *notes))


def _drawn(samples: Samples, share: float, seed: int) -> tuple[list[str], list[str]]:
    """Give the splits of samples that are sorted by id, and the notes."""
    splits = samples.frame["split"].to_numpy(dtype=object, copy=True)
    notes: list[str] = []
    to_draw = splits == ""
    if not to_draw.any() and not (splits == "valid").any():
        to_draw = splits == "train"
        splits[to_draw] = ""
    if to_draw.any():
        rows, bound = _follow_given(samples, splits)
        splits[bound != ""] = bound[bound != ""]
        if rows.size:
            drawn, more = _draw(replace(samples, frame=samples.frame.iloc[rows]), share, seed)
            splits[rows] = np.where(drawn, "valid", "train")
            notes.extend(more)
    return splits.tolist(), [*straddling_notes(samples.frame, splits), *notes]


def _follow_given(samples: Samples, splits: npt.NDArray[np.object_]) -> tuple[Indices, npt.NDArray[np.object_]]:
    """Find the samples that are free, and the split of those bound to a given one ("" elsewhere)."""
    outside_test = np.flatnonzero(splits != "test")
    units = linked(samples.frame.iloc[outside_test])
    given = splits[outside_test]
    bound = np.full(len(splits), "", dtype=object)
    for split in ("valid", "train"):
        holds = np.isin(units, units[given == split])
        bound[outside_test[holds & (given == "")]] = split
    free = (splits == "") & (bound == "")
    return np.flatnonzero(free), bound


def _draw(samples: Samples, share: float, seed: int) -> tuple[Mask, list[str]]:
    """Choose which of these samples validate, bool [n]."""
    units = Units.of(samples)
    n_units = len(units)
    if n_units < 2:
        many = f"{len(samples)} sample{'s' * (len(samples) != 1)}"
        raise DataError(
            f"{samples.name}: {many} to split, all in one unit (a group, or copies of one photograph). "
            "Validation needs at least two; add samples or give the split."
        )
    is_fixed = units.only_ones
    free = np.flatnonzero(~is_fixed)
    if not free.size:
        raise DataError(f"{samples.name}: no class has two samples apart, so none can validate. Add samples.")
    in_valid = np.zeros(n_units, dtype=bool)
    n_wanted = min(max(1, round(share * n_units)), n_units - 1)
    in_valid[free] = _stratified(samples, units, free=free, share=share, n_wanted=n_wanted, seed=seed)
    _keep_classes_in_train(units, in_valid)
    if not in_valid.any():
        in_valid[_spare_unit(samples, units)] = True
    return in_valid[units.of_row], single_notes(samples, units)


def _stratified(samples: Samples, units: Units, *, free: Indices, share: float, n_wanted: int, seed: int) -> Mask:
    """Draw from the free units by the library that fits, bool [n_free]."""
    chosen = np.zeros(len(free), dtype=bool)
    n_valid = min(n_wanted, len(free) - 1)
    if n_valid < 1:
        return chosen
    has_groups = bool((samples.frame["group"] != "").any())
    if samples.problem != "multilabel" and has_groups:
        drawn = _by_folds(samples, units, free=free, share=share, seed=seed)
    elif samples.problem != "multilabel":
        drawn = _by_class(units.members[free], n_valid=n_valid, seed=seed)
    else:
        drawn = None
    chosen[_iteratively(units.members[free], n_valid=n_valid, seed=seed) if drawn is None else drawn] = True
    return chosen


def _by_class(members: Mask, *, n_valid: int, seed: int) -> Indices | None:
    """Draw units of one class each; None where some have another number of classes."""
    if (members.sum(axis=1) != 1).any():
        return None
    classes = members.argmax(axis=1)
    counts = np.bincount(classes)
    n_present = int((counts > 0).sum())
    if counts[counts > 0].min() < 2 or min(n_valid, len(members) - n_valid) < n_present:
        return _in_turn(classes, n_valid=n_valid, seed=seed)
    splitter = StratifiedShuffleSplit(n_splits=1, test_size=n_valid, random_state=seed)
    return np.asarray(next(splitter.split(classes, classes))[1])


def _in_turn(classes: Indices, *, n_valid: int, seed: int) -> Indices:
    """Draw units where some class cannot be on both sides: each class gives units in proportion to its size."""
    random = np.random.RandomState(seed)  # unlike that of a Generator, its stream never changes
    order = random.permutation(len(classes))
    starts = random.random_sample(int(classes.max()) + 1)
    place = np.empty(len(classes))
    for position in np.unique(classes):
        members = order[classes[order] == position]
        place[members] = (np.arange(len(members)) + starts[position]) / len(members)
    return np.argsort(place, kind="stable")[:n_valid]


def _by_folds(samples: Samples, units: Units, *, free: Indices, share: float, seed: int) -> Indices | None:
    """Draw whole groups, weighed by their samples; None where no class is large enough for it."""
    rows = np.flatnonzero(np.isin(units.of_row, free))
    classes = samples.targets[rows]
    fraction = _fraction(share, n_most=min(MAX_FOLDS, len(free)))
    if np.bincount(classes - classes.min()).max() < fraction.denominator:
        return None
    folds = StratifiedGroupKFold(n_splits=fraction.denominator, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # a class smaller than the number of folds is dealt with below
        warnings.simplefilter("ignore", UserWarning)
        turns = [valid for _, valid in folds.split(rows, classes, groups=units.of_row[rows])]
    rows_of_valid = rows[np.concatenate(turns[: fraction.numerator])]
    return np.flatnonzero(np.isin(free, units.of_row[rows_of_valid]))


def _fraction(share: float, *, n_most: int) -> Fraction:
    near = Fraction(share).limit_denominator(n_most)
    return min(max(near, Fraction(1, n_most)), Fraction(n_most - 1, n_most))


def _iteratively(members: Mask, *, n_valid: int, seed: int) -> Indices:
    """Draw units of any number of classes by iterative stratification."""
    targets = several_columns(members)
    splitter = MultilabelStratifiedShuffleSplit(n_splits=1, test_size=n_valid, random_state=seed)
    return np.asarray(next(splitter.split(targets, targets))[1])


def _keep_classes_in_train(units: Units, in_valid: Mask) -> None:
    """Move the smallest unit of each class that train lacks from valid to train."""
    for position in range(units.members.shape[1]):
        holders = np.flatnonzero(units.members[:, position])
        if holders.size and in_valid[holders].all():
            in_valid[holders[np.argmin(units.n_samples[holders])]] = False


def _spare_unit(samples: Samples, units: Units) -> int:
    """Choose the unit that train misses least: that whose rarest class is the most frequent."""
    counts = units.members.sum(axis=0)
    rarest = np.where(units.members, counts, len(units.members)).min(axis=1, initial=len(units.members))
    spare = int(np.argmax(np.where(units.only_ones, 0, rarest)))
    if units.only_ones[spare]:
        raise DataError(f"{samples.name}: no class has two samples apart, so none can validate. Add samples.")
    return spare
