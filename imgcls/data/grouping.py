"""What must stay together when samples are split: groups, exact duplicates, and what the two of them link."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from imgcls.data.samples import Samples
from imgcls.text import listed

MOST_NAMED = 10
"""How many samples or classes a note names."""
Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SplitUnits:
    """Samples that must stay together, and the classes of each such unit."""

    of_row: Indices
    """int64 [n_samples], the unit of each sample, numbered from 0."""
    members: Mask
    """bool [n_units, n_classes], whether a unit has a sample of a class."""
    n_samples: Indices
    """int64 [n_units], the size of each unit."""

    @classmethod
    def of(cls, samples: Samples) -> SplitUnits:
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


def component_of(first: Indices, second: Indices, *, n: int) -> Indices:
    """Number the connected components of a graph.

    Args:
        first: int64 [m], one end of each link, a node from 0.
        second: int64 [m], the other end.
        n: How many nodes there are.

    Returns:
        int64 [n], the component of each node, from 0.
    """
    graph = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


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
    components = component_of(np.concatenate(rows), np.concatenate(links), n=n_nodes)[:n_rows]
    return np.asarray(pd.factorize(components)[0], dtype=np.int64)


def connected(groups: Sequence[str], links: Sequence[tuple[int, int]], *, n_links: int) -> Indices:
    """Number the samples that are connected by group or by link.

    Args:
        groups: The group of each sample, [n]; empty for none.
        links: Pairs of a sample's row and the number of a link that it is in, from 0.
        n_links: How many links there are.

    Returns:
        int64 [n], the component of each sample, from 0.
    """
    n_rows = len(groups)
    codes = pd.factorize(pd.Series(groups, dtype=object).replace("", None))[0]
    inside = np.flatnonzero(codes >= 0)
    pairs = np.array(links, dtype=np.int64)
    first = np.concatenate([inside, pairs[:, 0]])
    second = n_rows + np.concatenate([codes[inside] + n_links, pairs[:, 1]])
    return component_of(first, second, n=n_rows + n_links + int(codes.max(initial=-1)) + 1)[:n_rows]


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
            ids = listed(map(repr, frame["id"][frame[column] == straddling[0]]), MOST_NAMED)
            notes.append(
                f"{len(straddling)} {what} lie in more than one given split (first: {ids}); "
                "they were not moved, and scores may flatter."
            )
    return notes


def single_notes(samples: Samples, units: SplitUnits) -> list[str]:
    """Name the classes that only one unit has, which therefore stays in train."""
    alone = np.flatnonzero(units.members.sum(axis=0) == 1)
    if not alone.size:
        return []
    names = listed((repr(samples.classes[position]) for position in alone), MOST_NAMED)
    if len(alone) > 1:
        return [f"The classes {names} have 1 sample or group each and stay in train: they are not validated."]
    rows = units.of_row == int(np.flatnonzero(units.members[:, alone[0]])[0])
    what = "1 sample" if rows.sum() == 1 else "1 group"
    return [f"Class {names} has {what} and stays in train: it is not validated."]


def several_columns(members: Mask) -> Mask:
    """Return the classes that occur, as iterative stratification takes them: two columns at the least.

    Args:
        members: bool [n, n_classes].
    """
    columns = members[:, members.any(axis=0)]
    blank = np.zeros((len(members), max(0, 2 - columns.shape[1])), dtype=bool)
    return np.concatenate([columns, blank], axis=1)


@dataclass(frozen=True)
class ConnectedGroups:
    """Which samples a split already keeps together."""

    unit_of: Mapping[str, int]
    """From an id to its unit: samples linked by group or by equal files."""

    @classmethod
    def of(cls, samples: Samples) -> ConnectedGroups:
        """Look at the groups and files of samples."""
        return cls(dict(zip(samples.frame["id"], linked(samples.frame).tolist(), strict=True)))

    def are_together(self, *names: str) -> bool:
        """Whether samples already stay together."""
        return len({self.unit_of[name] for name in names}) < 2

    def joined(self, pairs: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
        """Join ids that should stay together into groups; those that stay together already are left out.

        Args:
            pairs: Sets of ids, each to be kept together.

        Returns:
            Disjoint groups of at least two ids, each in order, in the order of their first ids.
        """
        sets = [tuple(names) for names in pairs]
        order = sorted({name for names in sets for name in names})
        place = {name: position for position, name in enumerate(order)}
        ends = [(place[names[0]], place[name]) for names in sets for name in names[1:]]
        if not ends:
            return ()
        first, second = np.array(ends, dtype=np.int64).T
        groups: dict[int, list[str]] = {}
        for name, number in zip(order, component_of(first, second, n=len(order)).tolist(), strict=True):
            groups.setdefault(number, []).append(name)
        found = [tuple(names) for names in groups.values() if len(names) > 1 and not self.are_together(*names)]
        return tuple(sorted(found))
