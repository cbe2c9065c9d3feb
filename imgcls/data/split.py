"""Splits and folds: stratified, groups and exact duplicates whole, given splits respected."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold, MultilabelStratifiedShuffleSplit
from sklearn.model_selection import StratifiedGroupKFold, StratifiedShuffleSplit

from imgcls.data.grouping import (
    MOST_NAMED,
    Indices,
    Mask,
    SplitUnits,
    linked,
    several_columns,
    single_notes,
    straddling_notes,
)
from imgcls.data.samples import Samples
from imgcls.errors import DataError
from imgcls.storage import sha256_file
from imgcls.text import amount, listed

MAX_FOLDS = 20
"""Grouped samples are drawn by folds, so the share of valid is rounded to a fraction of at most this denominator."""

_ALWAYS_TRAIN = -1
_N_OUTSIDE_TEST = 2
"""Units of each class that no test part takes: one to train, one to validate."""


def draw_test(samples: Samples, *, share: float, seed: int = 0) -> Samples:
    """Draw the test part, before and apart from what validates.

    Groups and exact copies stay whole, and each class gives the same share, as near as its units allow; two units of
    each class stay outside. Every unit has a lot of its own, made from its first id and the seed: leaving out or adding
    a photograph changes what is drawn near the edge of a class at the most, so that what was sealed stays so.

    Args:
        samples: The samples, as they were read; of files of equal size, the digests are compared.
        share: Share of the samples to draw, in (0, 1).
        seed: Fixes the draw, which depends on ids, labels, groups and copies besides, not on any order.

    Returns:
        The samples in the same order, those drawn with the split test; and a note.

    Raises:
        DataError: The data have a test part already, the share is outside (0, 1), or nothing can be drawn.
    """
    if not 0 < share < 1:
        raise DataError(f"The share of samples to test with is {share}; it must lie between 0 and 1.")
    if n_given := samples.n_per_split["test"]:
        raise DataError(
            f"{samples.name}: the data give a test part ({amount(n_given, 'photograph')}), and a share to draw as one "
            "was named too. Leave --test-share out (split.test in imgcls.toml), or use no part that is given "
            "(--split none; for a test list --test none)."
        )
    order = np.argsort(samples.frame["id"].to_numpy(dtype=object), kind="stable")
    ordered = replace(samples, frame=samples.frame.iloc[order].reset_index(drop=True))
    units = SplitUnits.of(ordered.with_sha256(_digests_of_copies(ordered.frame)))
    first = ordered.frame["id"][np.unique(units.of_row, return_index=True)[1]]
    lots = [hashlib.sha256(os.fsencode(f"{seed}/test/{name}")).digest() for name in first]
    n_outside = units.members.sum(axis=0)
    rarest = np.where(units.members, n_outside, len(units) + 1).argmin(axis=1)  # one of no class counts with the first
    in_test, owed = np.zeros(len(units), dtype=bool), 0.0
    for stratum in np.unique(rarest):
        members = sorted(np.flatnonzero(rarest == stratum), key=lots.__getitem__)
        owed += share * float(units.n_samples[members].sum())
        for unit in members:
            classes = units.members[unit]
            if (n_outside[classes] > _N_OUTSIDE_TEST).all() and units.n_samples[unit] / 2 <= owed:
                in_test[unit] = True
                n_outside[classes] -= 1
                owed -= float(units.n_samples[unit])
    if not in_test.any():
        raise DataError(
            f"{samples.name}: a test part of {share:g} holds nothing: each class keeps {_N_OUTSIDE_TEST} photographs "
            "or groups to train and to validate. Add samples, or leave --test-share out."
        )
    splits = np.empty(len(samples), dtype=object)
    splits[order] = np.where(in_test[units.of_row], "test", ordered.frame["split"].to_numpy(dtype=object))
    note = (
        f"{(splits == 'test').sum()} of {len(samples)} photographs are the test part, drawn with split seed {seed}: "
        "predicted, never trained on."
    )
    return replace(samples.with_split(splits.tolist()), notes=(*samples.notes, note))


def _digests_of_copies(frame: pd.DataFrame) -> list[str]:
    """Return the digests of files, or "" of those that share their size with no other, and can be no copies."""
    sizes = [_size_of(path) for path in frame["path"]]
    often = Counter(sizes)
    return [
        known or (sha256_file(Path(path)) if size >= 0 and often[size] > 1 else "")
        for known, path, size in zip(frame["sha256"], frame["path"], sizes, strict=True)
    ]


def _size_of(path: str) -> int:
    """Return the size of a file that can be read; −1 of another one, which is reported when it is decoded."""
    try:
        return Path(path).stat().st_size if os.access(path, os.R_OK) else -1
    except OSError:
        return -1


def split_samples(samples: Samples, *, valid: float | None = None, seed: int = 0) -> Samples:
    """Put every sample into a split.

    Samples with a given split keep it; the others are drawn into train and valid. Where all splits
    are given and none is valid, valid is drawn from train. Test never changes. A sample in the group,
    or with the very file, of a given train or valid sample goes where that one is. A class that a
    single unit (sample, group or set of duplicates) has stays in train. What a review decided is done
    afterwards, so that it changes no part.

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
    return replace(samples.with_split(unsorted.tolist()), notes=(*samples.notes, *notes)).as_reviewed()


def _drawn(samples: Samples, share: float, seed: int) -> tuple[list[str], list[str]]:
    """Return the splits of samples that are sorted by id, and the notes."""
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
    units = SplitUnits.of(samples)
    n_units = len(units)
    if n_units < 2:
        raise DataError(
            f"{samples.name}: {amount(len(samples), 'sample')} to split, all in one unit (a group, or copies of one "
            "photograph). Validation needs at least two; add samples or give the split."
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


def _stratified(samples: Samples, units: SplitUnits, *, free: Indices, share: float, n_wanted: int, seed: int) -> Mask:
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


def _by_folds(samples: Samples, units: SplitUnits, *, free: Indices, share: float, seed: int) -> Indices | None:
    """Draw whole groups, weighed by their samples; None where no class is large enough for it."""
    rows = np.flatnonzero(np.isin(units.of_row, free))
    classes = samples.targets[rows]
    n_most = min(MAX_FOLDS, len(free))
    fraction = min(max(Fraction(share).limit_denominator(n_most), Fraction(1, n_most)), Fraction(n_most - 1, n_most))
    if np.bincount(classes - classes.min()).max() < fraction.denominator:
        return None
    folds = StratifiedGroupKFold(n_splits=fraction.denominator, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # a class smaller than the number of folds is dealt with below
        warnings.simplefilter("ignore", UserWarning)
        turns = [valid for _, valid in folds.split(rows, classes, groups=units.of_row[rows])]
    rows_of_valid = rows[np.concatenate(turns[: fraction.numerator])]
    return np.flatnonzero(np.isin(free, units.of_row[rows_of_valid]))


def _iteratively(members: Mask, *, n_valid: int, seed: int) -> Indices:
    """Draw units of any number of classes by iterative stratification."""
    targets = several_columns(members)
    splitter = MultilabelStratifiedShuffleSplit(n_splits=1, test_size=n_valid, random_state=seed)
    return np.asarray(next(splitter.split(targets, targets))[1])


def _keep_classes_in_train(units: SplitUnits, in_valid: Mask) -> None:
    """Move the smallest unit of each class that train lacks from valid to train."""
    for position in range(units.members.shape[1]):
        holders = np.flatnonzero(units.members[:, position])
        if holders.size and in_valid[holders].all():
            in_valid[holders[np.argmin(units.n_samples[holders])]] = False


def _spare_unit(samples: Samples, units: SplitUnits) -> int:
    """Choose the unit that train misses least: that whose rarest class is the most frequent."""
    counts = units.members.sum(axis=0)
    rarest = np.where(units.members, counts, len(units.members)).min(axis=1, initial=len(units.members))
    spare = int(np.argmax(np.where(units.only_ones, 0, rarest)))
    if units.only_ones[spare]:
        raise DataError(f"{samples.name}: no class has two samples apart, so none can validate. Add samples.")
    return spare


@dataclass(frozen=True)
class Fold:
    """Which of how many folds validates while the others train."""

    fold: int
    """The fold that validates, from 0 to n_folds − 1."""
    n_folds: int
    """How many folds there are, from 2 to 20."""

    def __post_init__(self) -> None:
        check_n_folds(self.n_folds)
        if not _is_whole(self.fold) or not 0 <= self.fold < self.n_folds:
            raise DataError(f"There is no fold {self.fold!r} of {self.n_folds}; they go from 0 to {self.n_folds - 1}.")

    def __str__(self) -> str:
        """Name it by the number that records have, and by its place: `fold 2 (3 of 5)`."""
        return f"fold {self.fold} ({self.fold + 1} of {self.n_folds})"

    @classmethod
    def of(cls, fold: int | None, n_folds: int | None) -> Self | None:
        """Make a fold of two numbers of which there are both or neither.

        Raises:
            DataError: One is missing, or they are no fold.
        """
        if fold is None and n_folds is None:
            return None
        if fold is None or n_folds is None:
            raise DataError("A fold needs both: fold, from 0, and n_folds, from 2. Give the other one too, or neither.")
        return cls(fold, n_folds)


def check_n_folds(n_folds: int) -> None:
    """Refuse numbers of folds that cannot be.

    Raises:
        DataError: It is no whole number from 2 to 20.
    """
    if not _is_whole(n_folds) or not 2 <= n_folds <= MAX_FOLDS:
        raise DataError(f"The number of folds has to be a whole number from 2 to {MAX_FOLDS}, not {n_folds!r}.")


def fold_samples(samples: Samples, fold: Fold, *, seed: int = 0) -> Samples:
    """Put every sample into its split of one fold: the samples of one fold validate, the others train.

    Every sample outside test is in exactly one fold, but for those that train in all turns: where a
    class has a single unit (sample, group or set of duplicates), or where no fold could take a unit
    without leaving a turn whose train lacks one of its classes. Test never changes. Given train and
    valid parts are pooled.

    Args:
        samples: The samples; with digests of their files, exact duplicates are kept together.
        fold: Which fold validates, of how many.
        seed: Fixes the folds, which depend on ids, labels, groups and contents besides, not on any order.

    Returns:
        The samples in the same order, with splits and with notes, the same in every turn, on what was
        out of the ordinary.

    Raises:
        DataError: There are fewer units that can validate than folds.
    """
    order = np.argsort(samples.frame["id"].to_numpy(dtype=object), kind="stable")
    ordered = replace(samples, frame=samples.frame.iloc[order].reset_index(drop=True))
    given = ordered.frame["split"].to_numpy(dtype=object, copy=True)
    rows = np.flatnonzero(given != "test")
    pool = replace(ordered, frame=ordered.frame.iloc[rows].reset_index(drop=True))
    folds, notes = _folds_of(pool, n_folds=fold.n_folds, seed=seed)
    splits = given.copy()
    splits[rows] = np.where(folds == fold.fold, "valid", "train")
    unsorted = np.empty(len(splits), dtype=object)
    unsorted[order] = splits
    notes = [*_pooled_notes(pool), *straddling_notes(ordered.frame, splits), *notes]
    return replace(samples.with_split(unsorted.tolist()), notes=(*samples.notes, *notes)).as_reviewed()


def _folds_of(pool: Samples, *, n_folds: int, seed: int) -> tuple[Indices, list[str]]:
    """Return the fold of each sample, sorted by id, −1 for those that always train; and the notes."""
    units = SplitUnits.of(pool)
    folds = np.full(len(units), _ALWAYS_TRAIN, dtype=np.int64)
    free = np.flatnonzero(~units.only_ones)
    _check_enough(pool, n_free=len(free), n_folds=n_folds)
    folds[free] = _stratified_folds(pool, units, free=free, n_folds=n_folds, seed=seed)
    kept = _keep_classes_in_every_train(units, folds, n_folds=n_folds)
    _check_enough(pool, n_free=int((folds >= 0).sum()), n_folds=n_folds)
    _fill_empty(units, folds, n_folds=n_folds)
    notes = [
        *single_notes(pool, units),
        *_kept_notes(pool, units, kept),
        *_missing_notes(pool, units, folds, n_folds=n_folds),
    ]
    return folds[units.of_row], notes


def _check_enough(pool: Samples, *, n_free: int, n_folds: int) -> None:
    if n_free >= n_folds:
        return
    advice = f"Use {n_free} folds at the most, or add samples." if n_free > 1 else "Add samples."
    raise DataError(
        f"{pool.name}: {n_free} samples, groups or sets of copies can validate, too few for {n_folds} folds. {advice}"
    )


def _stratified_folds(pool: Samples, units: SplitUnits, *, free: Indices, n_folds: int, seed: int) -> Indices:
    """Draw the folds of the free units by the way that fits, int64 [n_free]."""
    members = units.members[free]
    if pool.problem != "multilabel":
        if (pool.frame["group"] == "").all() and (members.sum(axis=1) == 1).all():
            return _by_turns(members.argmax(axis=1), n_folds=n_folds, seed=seed)
        drawn = _by_groups(pool, units, free=free, n_folds=n_folds, seed=seed)
        if drawn is not None:
            return drawn
    return _iterative_folds(members, n_folds=n_folds, seed=seed)


def _by_turns(classes: Indices, *, n_folds: int, seed: int) -> Indices:
    """Put units of one class each into folds by turns, class by class, so that folds differ by one at most.

    scikit-learn's StratifiedKFold does the same, but refuses samples whose classes are all smaller than the number
    of folds.
    """
    random = np.random.RandomState(seed)  # unlike that of a Generator, its stream never changes
    order = np.lexsort((random.permutation(len(classes)), classes))
    folds = np.empty(len(classes), dtype=np.int64)
    folds[order] = np.arange(len(classes)) % n_folds
    return folds


def _by_groups(pool: Samples, units: SplitUnits, *, free: Indices, n_folds: int, seed: int) -> Indices | None:
    """Draw whole groups, weighed by their samples; None where no class is large enough for it."""
    rows = np.flatnonzero(np.isin(units.of_row, free))
    classes = pool.targets[rows]
    if np.bincount(classes).max() < n_folds:
        return None
    splitter = StratifiedGroupKFold(n_splits=n_folds, shuffle=True, random_state=seed)
    folds = np.empty(len(units), dtype=np.int64)
    with warnings.catch_warnings():  # a class smaller than the number of folds is reported in a note
        warnings.simplefilter("ignore", UserWarning)
        for fold, (_, valid) in enumerate(splitter.split(rows, classes, groups=units.of_row[rows])):
            folds[units.of_row[rows[valid]]] = fold
    return folds[free]


def _iterative_folds(members: Mask, *, n_folds: int, seed: int) -> Indices:
    """Draw units of any number of classes by iterative stratification."""
    targets = several_columns(members)
    splitter = MultilabelStratifiedKFold(n_splits=n_folds, shuffle=True, random_state=seed)
    folds = np.empty(len(members), dtype=np.int64)
    for fold, (_, valid) in enumerate(splitter.split(targets, targets)):
        folds[valid] = fold
    return folds


def _keep_classes_in_every_train(units: SplitUnits, folds: Indices, *, n_folds: int) -> list[int]:
    """Spread each class that lies in one fold only; where that cannot be, give a unit of it to train for good.

    Returns:
        The units that now always train.
    """
    kept = []
    for position in range(units.members.shape[1]):
        holders = np.flatnonzero(units.members[:, position])
        if holders.size and not _is_spread(folds[holders]):
            smallest = holders[np.argsort(units.n_samples[holders], kind="stable")]
            if not any(_moved(units, folds, int(unit), n_folds=n_folds) for unit in smallest):
                folds[smallest[0]] = _ALWAYS_TRAIN
                kept.append(int(smallest[0]))
    return kept


def _moved(units: SplitUnits, folds: Indices, unit: int, *, n_folds: int) -> bool:
    """Move a unit to the smallest fold in which all its classes are still spread, if there is one."""
    home = folds[unit]
    filled = folds >= 0
    sizes = np.bincount(folds[filled], weights=units.n_samples[filled], minlength=n_folds)
    for fold in np.argsort(sizes, kind="stable"):
        folds[unit] = fold
        if fold != home and all(_is_spread(folds[column]) for column in units.members.T[units.members[unit]]):
            return True
    folds[unit] = home
    return False


def _is_spread(folds: Indices) -> bool:
    """Whether a class, given the folds of its units, is in train in every turn."""
    return bool((folds == _ALWAYS_TRAIN).any() or (folds != folds[0]).any())


def _fill_empty(units: SplitUnits, folds: Indices, *, n_folds: int) -> None:
    """Move into a fold without units the smallest one of the fold that has most of them; no class loses by that."""
    for fold in range(n_folds):
        n_units = np.bincount(folds[folds >= 0], minlength=n_folds)
        if not n_units[fold]:
            movable = np.flatnonzero(folds == n_units.argmax())
            folds[movable[units.n_samples[movable].argmin()]] = fold


def _pooled_notes(pool: Samples) -> list[str]:
    """Describe that given parts are not used as they are; samples that were all to train lose nothing."""
    given = set(pool.frame["split"])
    if given <= {""} or given == {"train"}:
        return []
    return ["The given train and valid parts are pooled: with folds, every sample outside test validates in its turn."]


def _kept_notes(pool: Samples, units: SplitUnits, kept: list[int]) -> list[str]:
    """Name the samples that always train although other samples have their classes."""
    ids = pool.frame["id"][np.isin(units.of_row, kept)]
    if not len(ids):
        return []
    names = listed(map(repr, ids), MOST_NAMED)
    return [f"{names} train in every fold: their classes have too few other samples or groups to do without them."]


def _missing_notes(pool: Samples, units: SplitUnits, folds: Indices, *, n_folds: int) -> list[str]:
    """Name the classes that some fold validates without, but for those of a single unit."""
    holds = np.array([units.members[folds == fold].any(axis=0) for fold in range(n_folds)])
    n_validated, n_units = holds.sum(axis=0), units.members.sum(axis=0)
    missing = np.flatnonzero((n_validated < n_folds) & (n_units > 1))
    if not missing.size:
        return []
    shown = listed((f"{pool.classes[place]!r} (in {n_validated[place]} of {n_folds})" for place in missing), MOST_NAMED)
    return [f"Not validated in every fold: {shown}. Fewer folds would help, or more samples or groups."]


def _is_whole(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)
