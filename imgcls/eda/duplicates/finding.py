"""Find the photographs that are in a data set twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from imgcls.data.cache import Photos, Progress
from imgcls.eda.duplicates.confirming import Copies, confirm
from imgcls.eda.duplicates.linking import Rows, equal_rows, tree
from imgcls.eda.facts import Pair
from imgcls.eda.scan import Scan

Kind = Literal["same file", "same pixels", "near copy", "mirrored"]

_N_AT_ONCE = 1024


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


def find_pairs(scan: Scan, *, progress: Progress) -> tuple[Pair, ...]:
    """Give the pairs of samples that show the same photograph.

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


def _ranks(scan: Scan) -> Rows:
    """Give each row its rank in standing for its copies, int64 [n]: labelled rows outside test first, then by row."""
    is_shown = scan.samples.is_labelled & (scan.samples.frame["split"] != "test").to_numpy()
    ranks = np.empty(len(scan.samples), dtype=np.int64)
    ranks[np.argsort(~is_shown, kind="stable")] = np.arange(len(ranks))
    return ranks


def _equal(groups: Iterable[Rows], kind: Kind) -> list[_Link]:
    return [_Link(int(group[0]), int(other), kind) for group in groups for other in group[1:]]


def _without(rows: Rows, links: list[_Link]) -> Rows:
    return rows[~np.isin(rows, [link.second for link in links])]


def _equal_pixels(scan: Scan, rows: Rows) -> list[Rows]:
    """Give the rows whose decoded pixels are equal; only those with equal thumbnails are looked at."""
    alike = equal_rows((thumbnail.tobytes() for thumbnail in scan.thumbnails[rows]), rows)
    suspects = np.concatenate([np.empty(0, dtype=np.int64), *alike])
    return equal_rows(_digests(scan.photos, scan.store_rows[suspects]), suspects)


def _digests(photos: Photos, store_rows: Rows) -> Iterable[bytes]:
    for start in range(0, len(store_rows), _N_AT_ONCE):
        for pixels in photos.pixels(store_rows[start : start + _N_AT_ONCE]):
            yield hashlib.sha256(pixels.tobytes()).digest()


def _near(copies: Copies, ranks: Rows) -> list[_Link]:
    """Give the links of each cluster of copies: a tree from the row that stands for them."""
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
    is_sealed = any(sample["split"] == "test" or sample["label"] == "" for sample in (one, other))
    pair = Pair(
        first=one["id"],
        second=other["id"],
        kind=link.kind,
        similarity=link.similarity,
        splits=(one["split"], other["split"]),
        labels=None if is_sealed else (one["label"], other["label"]),
    )
    return (rows[0], rows[1]), pair
