"""Duplicates: equal files, equal pixels, near copies and mirrored ones, confirmed on the pixels."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order

from imgcls.data.cache import Photos, Progress
from imgcls.data.grouping import component_of
from imgcls.eda.facts import Pair
from imgcls.eda.scan import Scan
from imgcls.eda.similarity import (
    Candidates,
    SyntheticDuplicates,
    detail_of,
    find_candidates,
    make_synthetic_duplicates,
    threshold,
)

Rows = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Kind = Literal["same file", "same pixels", "near copy", "mirrored"]
_N_AT_ONCE = 256
_N_CONFIRMED_AT_ONCE = 1024


def find_pairs(scan: Scan, *, progress: Progress) -> tuple[Pair, ...]:
    """Return the pairs of samples that show the same photograph.

    Of several copies of one photograph each is paired with one of the others only, most of them with the first that
    is labelled and not in the test split; so there are fewer pairs than photographs.

    Args:
        scan: The data set.
        progress: Called with the number of steps done and of all.

    Returns:
        The pairs in the order of the samples, the earlier sample first.
    """
    ranks = _ranks(scan)
    rows = np.argsort(ranks, kind="stable")
    same_file = _equal(equal_rows(scan.samples.frame["sha256"].iloc[rows], rows), "same file")
    rows = _without(rows, same_file)
    same_pixels = _equal(_equal_pixels(scan, rows), "same pixels")
    rows = _without(rows, same_pixels)
    copies = confirm(scan, np.sort(rows), ranks, progress=progress)
    links = [*same_file, *same_pixels, *_near(copies, ranks)]
    pairs = [_pair(scan, link) for link in links]
    return tuple(pair for _, pair in sorted(pairs, key=lambda entry: entry[0]))


@dataclass(frozen=True)
class _Link:
    """Two rows that show the same photograph."""

    first: int
    """The row that stands for both."""
    second: int
    """The other."""
    kind: Kind
    """How they are the same."""
    similarity: float = 1.0
    """How much so."""


def _ranks(scan: Scan) -> Rows:
    """Return the rank of each row in standing for its copies, int64 [n]: labelled rows outside test first."""
    is_shown = scan.samples.is_labelled & (scan.samples.frame["split"] != "test").to_numpy()
    ranks = np.empty(len(scan.samples), dtype=np.int64)
    ranks[np.argsort(~is_shown, kind="stable")] = np.arange(len(ranks))
    return ranks


def _equal(groups: Iterable[Rows], kind: Kind) -> list[_Link]:
    return [_Link(int(group[0]), int(other), kind) for group in groups for other in group[1:]]


def _without(rows: Rows, links: list[_Link]) -> Rows:
    return rows[~np.isin(rows, [link.second for link in links])]


def _equal_pixels(scan: Scan, rows: Rows) -> list[Rows]:
    """Return the rows whose decoded pixels are equal; only those with equal thumbnails are looked at."""
    alike = equal_rows((thumbnail.tobytes() for thumbnail in scan.thumbnails[rows]), rows)
    suspects = np.concatenate([np.empty(0, dtype=np.int64), *alike])
    return equal_rows(_digests(scan.photos, scan.store_rows[suspects]), suspects)


def _digests(photos: Photos, store_rows: Rows) -> Iterable[bytes]:
    for start in range(0, len(store_rows), _N_CONFIRMED_AT_ONCE):
        for pixels in photos.pixels(store_rows[start : start + _N_CONFIRMED_AT_ONCE]):
            yield hashlib.sha256(pixels.tobytes()).digest()


def _near(copies: ConfirmedPairs, ranks: Rows) -> list[_Link]:
    """Return the links of each cluster of copies: a tree from the row that stands for them."""
    links = []
    best = np.argsort(copies.scores)  # of a pair that is found both ways, the more alike comes last and stays
    first, second = copies.pairs.first[best], copies.pairs.second[best]
    place_of = {frozenset(ends): place for place, ends in zip(best, zip(first, second, strict=True), strict=True)}
    for cluster in copies.clusters():
        inside = np.isin(first, cluster)
        for nearer, farther in tree(first[inside], second[inside], root=int(cluster[np.argmin(ranks[cluster])])):
            place = place_of[frozenset((nearer, farther))]
            kind: Kind = "mirrored" if copies.pairs.mirrored[place] else "near copy"
            links.append(_Link(nearer, farther, kind, float(np.tanh(copies.scores[place]))))
    return links


def _pair(scan: Scan, link: _Link) -> tuple[tuple[int, int], Pair]:
    rows = sorted((link.first, link.second))
    one, other = (scan.samples.frame.iloc[row] for row in rows)
    is_redacted = any(sample["split"] == "test" or sample["label"] == "" for sample in (one, other))
    pair = Pair(
        first=one["id"],
        second=other["id"],
        kind=link.kind,
        similarity=link.similarity,
        splits=(one["split"], other["split"]),
        labels=None if is_redacted else (one["label"], other["label"]),
    )
    return (rows[0], rows[1]), pair


@dataclass(frozen=True, eq=False)
class ConfirmedPairs:
    """Pairs that were confirmed."""

    pairs: Candidates
    """Who."""
    scores: Values
    """float64 [m], the mean of Fisher's z over the octaves that are compared."""

    def __len__(self) -> int:
        return len(self.pairs)

    def joined(self, others: ConfirmedPairs) -> ConfirmedPairs:
        """Return these and others."""
        return ConfirmedPairs(self.pairs.joined(others.pairs), np.concatenate([self.scores, others.scores]))

    def clusters(self) -> list[Rows]:
        """Return the rows that are linked, directly or through others: int64 [at least 2] each, sorted."""
        return linked_rows(self.pairs.first, self.pairs.second)


def confirm(scan: Scan, rows: Rows, ranks: Rows, *, progress: Progress) -> ConfirmedPairs:
    """Find the near and mirrored copies among photographs.

    Args:
        scan: The data set.
        rows: int64 [n], the samples to look at, no two with equal pixels.
        ranks: int64 [number of samples], the lowest of a cluster of copies is compared with each of them.
        progress: Called with the number of steps done and of all.

    Returns:
        The pairs, enough of them to connect all copies of a photograph.
    """
    candidates = _candidates(scan, rows, progress)
    synthetic = make_synthetic_duplicates(scan.photos, scan.store_rows[rows])
    scores, colours = _look(scan, candidates, synthetic, progress)
    nearest = _nearest(candidates, scores, colours >= synthetic.colours, synthetic.score)
    threshold_score = threshold(nearest, synthetic, n=len(rows))
    criterion = _Criterion(scan, synthetic, threshold_score)
    copies = criterion.chosen(candidates, scores, colours)
    while True:
        roots = np.array([group[np.argmin(ranks[group])] for group in copies.clusters()], dtype=np.int64)
        further = criterion.confirmed(_candidates(scan, np.sort(roots), _silent))
        if not len(further):
            break
        copies = copies.joined(further)
    stars = [_star(group, int(group[np.argmin(ranks[group])])) for group in copies.clusters() if len(group) > 2]
    for star in stars:
        copies = copies.joined(criterion.confirmed(star))
    return copies


def _silent(done: int, total: int) -> None:
    """Report no progress."""


@dataclass(frozen=True, eq=False)
class _Criterion:
    """What tells copies from other pairs."""

    scan: Scan
    """The data set."""
    synthetic: SyntheticDuplicates
    """The synthetic duplicates."""
    threshold_score: float
    """The least score of a copy."""

    def confirmed(self, candidates: Candidates) -> ConfirmedPairs:
        """Return the copies among pairs, which are looked at."""
        return self.chosen(candidates, *_look(self.scan, candidates, self.synthetic, _silent))

    def chosen(self, candidates: Candidates, scores: Values, colours: Values) -> ConfirmedPairs:
        """Return the copies among pairs that were looked at."""
        is_copy = (scores >= self.threshold_score) & (colours >= self.synthetic.colours)
        return ConfirmedPairs(candidates.take(is_copy), scores[is_copy])


def _candidates(scan: Scan, rows: Rows, progress: Progress) -> Candidates:
    found = find_candidates(scan.thumbnails[rows], progress=lambda done, total: progress(done, 2 * total))
    return Candidates(rows[found.first], rows[found.second], found.mirrored)


def _star(group: Rows, root: int) -> Candidates:
    others = group[group != root]
    return Candidates(
        np.full(2 * len(others), root), np.concatenate([others, others]), np.repeat([False, True], len(others))
    )


def _look(
    scan: Scan, candidates: Candidates, synthetic: SyntheticDuplicates, progress: Progress
) -> tuple[Values, Values]:
    """Return the scores of pairs and the likeness of their colours, float64 [m] each."""
    scores, colours = np.zeros(len(candidates)), np.zeros(len(candidates))
    order = np.lexsort((candidates.second, candidates.first))
    for start in range(0, len(order), _N_AT_ONCE):
        places = order[start : start + _N_AT_ONCE]
        some = candidates.take(places)
        rows, ends = np.unique(np.stack([some.first, some.second]), return_inverse=True)
        detail = detail_of(scan.photos.pixels(scan.store_rows[rows]))
        first, second = ends.reshape(2, -1)
        scores[places] = synthetic.score_of(detail.octave_likeness(first, second, some.mirrored))
        colours[places] = detail.colour_likeness(first, second, some.mirrored)
        progress(len(order) + start + len(places), 2 * len(order))
    return scores, colours


def _nearest(candidates: Candidates, scores: Values, are_coloured_alike: Flags, end: float) -> Values:
    """Return the scores of pairs that are the nearest of one of their photographs.

    Those below `end` are no copies, and a photograph that has a copy has its nearest other one too; of those above,
    only pairs of like colours may be copies.
    """
    above = scores[(scores >= end) & are_coloured_alike]
    below = np.flatnonzero(scores < end)
    rows = np.concatenate([candidates.first[below], candidates.second[below]])
    pairs = np.concatenate([below, below])
    order = np.lexsort((-scores[pairs], rows))
    is_nearest = np.diff(rows[order], prepend=-1) != 0
    return np.concatenate([above, scores[np.unique(pairs[order][is_nearest])]])


def equal_rows(values: Iterable[Hashable], rows: Rows) -> list[Rows]:
    """Return the rows that share a value, int64 [at least 2] each, in the order of `rows`; "" is no value."""
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for value, row in zip(values, rows, strict=True):
        if value != "":
            groups[value].append(int(row))
    return [np.array(group) for group in groups.values() if len(group) > 1]


def linked_rows(first: Rows, second: Rows) -> list[Rows]:
    """Return the rows that pairs link, directly or through others: int64 [at least 2] each, sorted."""
    rows, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    if not len(rows):
        return []
    numbers = component_of(places[: len(first)], places[len(first) :], n=len(rows))
    order = np.argsort(numbers, kind="stable")
    return np.split(rows[order], np.flatnonzero(np.diff(numbers[order])) + 1)


def tree(first: Rows, second: Rows, *, root: int) -> list[tuple[int, int]]:
    """Return pairs that connect all rows, as near to the root as pairs lead, as (nearer, farther).

    Args:
        first: int64 [m], rows that pairs connect.
        second: int64 [m], with whom.
        root: A row of them.
    """
    rows, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    ends = (places[: len(first)], places[len(first) :])
    graph = csr_array((np.ones(len(first)), ends), shape=(len(rows), len(rows)))
    order, before = breadth_first_order(graph, int(np.searchsorted(rows, root)), directed=False)
    return [(int(rows[before[place]]), int(rows[place])) for place in order[1:]]
