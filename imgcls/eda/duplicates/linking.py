"""From pairs to the copies of one photograph, connected by as few pairs as there can be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

Rows = npt.NDArray[np.int64]


def equal_rows(values: Iterable[Hashable], rows: Rows) -> list[Rows]:
    """Give the rows that share a value, int64 [at least 2] each, in the order of `rows`; "" is no value."""
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for value, row in zip(values, rows, strict=True):
        if value != "":
            groups[value].append(int(row))
    return [np.array(group) for group in groups.values() if len(group) > 1]


def linked_rows(first: Rows, second: Rows) -> list[Rows]:
    """Give the rows that pairs link, directly or through others: int64 [at least 2] each, sorted."""
    rows, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    if not len(rows):
        return []
    graph = _graph(places[: len(first)], places[len(first) :], n=len(rows))
    numbers = connected_components(graph, directed=False)[1]
    order = np.argsort(numbers, kind="stable")
    return np.split(rows[order], np.flatnonzero(np.diff(numbers[order])) + 1)


def tree(first: Rows, second: Rows, *, root: int) -> list[tuple[int, int]]:
    """Give pairs that connect all rows, as near to the root as pairs lead, as (nearer, farther).

    Args:
        first: int64 [m], rows that pairs connect.
        second: int64 [m], with whom.
        root: A row of them.
    """
    rows, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    graph = _graph(places[: len(first)], places[len(first) :], n=len(rows))
    order, before = breadth_first_order(graph, int(np.searchsorted(rows, root)), directed=False)
    return [(int(rows[before[place]]), int(rows[place])) for place in order[1:]]


def _graph(first: Rows, second: Rows, *, n: int) -> csr_array:
    return csr_array((np.ones(len(first)), (first, second)), shape=(n, n))
