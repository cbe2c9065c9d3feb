"""What must stay together when samples are split: groups, exact duplicates, and what the two of them link."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from imgcls.data.samples import Samples

_MOST_NAMED = 10

Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Units:
    """Samples that must stay together, and the classes of each such unit."""

    of_row: Indices
    """int64 [n_samples], the unit of each sample, numbered from 0."""
    members: Mask
    """bool [n_units, n_classes], whether a unit has a sample of a class."""
    n_samples: Indices
    """int64 [n_units], the size of each unit."""

    @classmethod
    def of(cls, samples: Samples) -> Units:
        """Find the units of samples; a sample without a group or a copy is one of its own."""
        of_row = linked(samples.frame)
        targets = samples.targets
        n_units = int(of_row.max()) + 1 if len(of_row) else 0
        members = np.zeros((n_units, samples.n_classes), dtype=bool)
        if samples.problem == "multilabel":
            rows, classes = np.nonzero(targets)
        else:
            rows = np.flatnonzero(targets >= 0)
            classes = targets[rows].astype(np.int64)
        members[of_row[rows], classes] = True
        return cls(of_row, members, np.bincount(of_row, minlength=n_units).astype(np.int64))

    def __len__(self) -> int:
        return len(self.n_samples)

    @property
    def only_ones(self) -> Mask:
        """Whether a unit is the only one that has one of its classes, bool [n_units]."""
        is_alone = self.members.sum(axis=0) == 1
        return np.asarray((self.members & is_alone).any(axis=1))


def linked(frame: pd.DataFrame) -> Indices:
    """Number the units of a frame in order of first appearance: samples linked by group or content.

    Args:
        frame: That of `Samples`.

    Returns:
        int64 [n], from 0.
    """
    n_rows = len(frame)
    rows, links = [], []
    n_nodes = n_rows
    for column in ("group", "sha256"):
        codes, distinct = pd.factorize(frame[column].where(frame[column] != "", None).to_numpy(dtype=object))
        found = np.flatnonzero(codes >= 0)
        rows.append(found)
        links.append(n_nodes + codes[found])
        n_nodes += len(distinct)
    ends = (np.concatenate(rows), np.concatenate(links))
    graph = coo_array((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(n_nodes, n_nodes))
    labels = connected_components(graph, directed=False)[1][:n_rows]
    return np.asarray(pd.factorize(labels)[0], dtype=np.int64)


def straddling_notes(frame: pd.DataFrame, splits: npt.NDArray[np.object_]) -> list[str]:
    """Report exact duplicates and groups that lie in more than one part, which only given splits can cause.

    Args:
        frame: That of `Samples`.
        splits: [n], the part of each sample.
    """
    notes = []
    for column, what in (("sha256", "photographs"), ("group", "groups")):
        homes = {(value, split) for value, split in zip(frame[column], splits, strict=True) if value}
        straddling = sorted(value for value, n_splits in Counter(value for value, _ in homes).items() if n_splits > 1)
        if straddling:
            ids = frame["id"][frame[column] == straddling[0]]
            notes.append(
                f"{len(straddling)} {what} lie in more than one given split (first: {named(ids)}); "
                "they were not moved, and scores may flatter."
            )
    return notes


def single_notes(samples: Samples, units: Units) -> list[str]:
    """Name the classes that only one unit has, which therefore stays in train."""
    alone = np.flatnonzero(units.members.sum(axis=0) == 1)
    if not alone.size:
        return []
    names = named(samples.classes[position] for position in alone)
    if len(alone) > 1:
        return [f"The classes {names} have 1 sample or group each and stay in train: they are not validated."]
    rows = units.of_row == int(np.flatnonzero(units.members[:, alone[0]])[0])
    what = "1 sample" if rows.sum() == 1 else "1 group"
    return [f"Class {names} has {what} and stays in train: it is not validated."]


def named(names: Iterable[str]) -> str:
    """Write some names, ten at the most, and how many more there are."""
    listed: Sequence[str] = list(names)
    more = f" and {len(listed) - _MOST_NAMED} more" if len(listed) > _MOST_NAMED else ""
    return ", ".join(repr(name) for name in listed[:_MOST_NAMED]) + more


def several_columns(members: Mask) -> Mask:
    """Give the classes that occur, as iterative stratification takes them: two columns at the least.

    Args:
        members: bool [n, n_classes].
    """
    columns = members[:, members.any(axis=0)]
    blank = np.zeros((len(members), max(0, 2 - columns.shape[1])), dtype=bool)
    return np.concatenate([columns, blank], axis=1)
