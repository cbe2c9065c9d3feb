"""Confirm on the pixels which of the nearest neighbours are copies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imgcls.data.cache import Progress
from imgcls.eda.duplicates.detail import detail_of
from imgcls.eda.duplicates.linking import Rows, linked_rows
from imgcls.eda.duplicates.nearest import Candidates, find_candidates
from imgcls.eda.duplicates.threshold import MadeCopies, make_copies, threshold
from imgcls.eda.scan import Scan

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_N_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Copies:
    """Pairs that were confirmed."""

    pairs: Candidates
    """Who."""
    scores: Values
    """float64 [m], the mean of Fisher's z over the octaves that are compared."""

    def __len__(self) -> int:
        return len(self.pairs)

    def joined(self, others: Copies) -> Copies:
        """Give these and others."""
        return Copies(self.pairs.joined(others.pairs), np.concatenate([self.scores, others.scores]))

    def clusters(self) -> list[Rows]:
        """Give the rows that are linked, directly or through others: int64 [at least 2] each, sorted."""
        return linked_rows(self.pairs.first, self.pairs.second)


def confirm(scan: Scan, rows: Rows, ranks: Rows, *, progress: Progress) -> Copies:
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
    made = make_copies(scan.photos, scan.store_rows[rows])
    scores, colours = _look(scan, candidates, made, progress)
    least = threshold(_nearest(candidates, scores, colours >= made.colours, made.score), made, n=len(rows))
    judge = _Judge(scan, made, least)
    copies = judge.chosen(candidates, scores, colours)
    while True:
        roots = np.array([group[np.argmin(ranks[group])] for group in copies.clusters()], dtype=np.int64)
        further = judge.confirmed(_candidates(scan, np.sort(roots), _silent))
        if not len(further):
            break
        copies = copies.joined(further)
    stars = [_star(group, int(group[np.argmin(ranks[group])])) for group in copies.clusters() if len(group) > 2]
    for star in stars:
        copies = copies.joined(judge.confirmed(star))
    return copies


def _silent(done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, eq=False)
class _Judge:
    """What tells copies from strangers."""

    scan: Scan
    """The data set."""
    made: MadeCopies
    """The copies made by hand."""
    least: float
    """The least score of a copy."""

    def confirmed(self, candidates: Candidates) -> Copies:
        """Look at pairs, and give the copies among them."""
        return self.chosen(candidates, *_look(self.scan, candidates, self.made, _silent))

    def chosen(self, candidates: Candidates, scores: Values, colours: Values) -> Copies:
        """Give the copies among pairs that were looked at."""
        is_copy = (scores >= self.least) & (colours >= self.made.colours)
        return Copies(candidates.take(is_copy), scores[is_copy])


def _candidates(scan: Scan, rows: Rows, progress: Progress) -> Candidates:
    found = find_candidates(scan.thumbnails[rows], progress=lambda done, total: progress(done, 2 * total))
    return Candidates(rows[found.first], rows[found.second], found.mirrored)


def _star(group: Rows, root: int) -> Candidates:
    others = group[group != root]
    return Candidates(
        np.full(2 * len(others), root), np.concatenate([others, others]), np.repeat([False, True], len(others))
    )


def _look(scan: Scan, candidates: Candidates, made: MadeCopies, progress: Progress) -> tuple[Values, Values]:
    """Give the scores of pairs and the likeness of their colours, float64 [m] each."""
    scores, colours = np.zeros(len(candidates)), np.zeros(len(candidates))
    order = np.lexsort((candidates.second, candidates.first))
    for start in range(0, len(order), _N_AT_ONCE):
        places = order[start : start + _N_AT_ONCE]
        some = candidates.take(places)
        rows, ends = np.unique(np.stack([some.first, some.second]), return_inverse=True)
        detail = detail_of(scan.photos.pixels(scan.store_rows[rows]))
        first, second = ends.reshape(2, -1)
        scores[places] = made.score_of(detail.octave_likeness(first, second, some.mirrored))
        colours[places] = detail.colour_likeness(first, second, some.mirrored)
        progress(len(order) + start + len(places), 2 * len(order))
    return scores, colours


def _nearest(candidates: Candidates, scores: Values, are_coloured_alike: Flags, end: float) -> Values:
    """Give the scores of pairs that are the nearest of one of their photographs.

    Those below `end` are strangers and a photograph that has a copy has its nearest stranger too; of those above,
    only pairs of like colours may be copies.
    """
    above = scores[(scores >= end) & are_coloured_alike]
    below = np.flatnonzero(scores < end)
    rows = np.concatenate([candidates.first[below], candidates.second[below]])
    pairs = np.concatenate([below, below])
    order = np.lexsort((-scores[pairs], rows))
    is_nearest = np.diff(rows[order], prepend=-1) != 0
    return np.concatenate([above, scores[np.unique(pairs[order][is_nearest])]])
