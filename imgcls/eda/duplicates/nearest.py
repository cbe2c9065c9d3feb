"""The nearest neighbours of every thumbnail, direct and mirrored, by exact products in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.fft import dctn

from imgcls.data.decode import Pixels

Progress = Callable[[int, int], None]

N_NEIGHBOURS = 4
"""For each photograph and orientation; more copies of one are joined by what they have in common."""
FLOOR = 0.5
"""Correlation of thumbnails below which nobody would think of a copy; those of re-encoded photographs exceed 0.9."""
NOISE = 1.0
"""Gray levels by which rounding and encoding change a pixel: detail below it counts for nothing."""

_LOWEST, _HIGHEST = 1, 12
_N_ROWS, _N_COLUMNS = 1024, 4096
_N_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pairs of photographs that might be copies."""

    first: npt.NDArray[np.int64]
    """int64 [m], a row."""
    second: npt.NDArray[np.int64]
    """int64 [m], a later row."""
    mirrored: npt.NDArray[np.bool_]
    """bool [m], whether one is compared with the mirror image of the other."""

    def __len__(self) -> int:
        return len(self.first)

    def take(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int64] | slice) -> Candidates:
        """Give some of the pairs."""
        return Candidates(self.first[chosen], self.second[chosen], self.mirrored[chosen])

    def joined(self, others: Candidates) -> Candidates:
        """Give these pairs and others."""
        return Candidates(
            np.concatenate([self.first, others.first]),
            np.concatenate([self.second, others.second]),
            np.concatenate([self.mirrored, others.mirrored]),
        )


def find_candidates(thumbnails: Pixels, *, progress: Progress) -> Candidates:
    """Give the pairs of thumbnails of which one is among the nearest neighbours of the other.

    Their number is at most a few for each photograph, however alike all of them are.

    Args:
        thumbnails: uint8 [n, 32, 32], gray.
        progress: Called with the number of photographs done and of all.
    """
    if not len(thumbnails):
        return Candidates(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.bool_))
    even, odd = waves_of(thumbnails)
    direct, mirrored = _Neighbours(len(thumbnails)), _Neighbours(len(thumbnails))
    for top in range(0, len(thumbnails), _N_ROWS):
        for left in range(top, len(thumbnails), _N_COLUMNS):
            rows, columns = slice(top, top + _N_ROWS), slice(left, left + _N_COLUMNS)
            same, turned = even[rows] @ even[columns].T, odd[rows] @ odd[columns].T
            direct.see(same + turned, top=top, left=left)
            mirrored.see(same - turned, top=top, left=left)
        progress(min(top + _N_ROWS, len(thumbnails)), len(thumbnails))
    pairs, turned_pairs = direct.pairs(), mirrored.pairs()
    return Candidates(
        first=np.concatenate([pairs[:, 0], turned_pairs[:, 0]]),
        second=np.concatenate([pairs[:, 1], turned_pairs[:, 1]]),
        mirrored=np.repeat([False, True], [len(pairs), len(turned_pairs)]),
    )


def waves_of(thumbnails: Pixels) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Give the cosine coefficients of thumbnails that are even and odd from left to right, at length 1 together.

    Each is weighted with its frequency, since photographs hold as much less of what is finer: without it a pair
    would be compared by where it is bright and dark. The product of two photographs is the sum of the products of
    both parts; of one and the mirror image of the other it is their difference.

    Args:
        thumbnails: uint8 [n, 32, 32], gray.

    Returns:
        Two arrays, float32 [n, d].
    """
    side = thumbnails.shape[1]
    frequency = np.hypot(*np.mgrid[:side, :side])
    inside = (frequency >= _LOWEST) & (frequency < _HIGHEST)
    is_even = (np.arange(side) % 2 == 0)[None, :] & inside
    parts = []
    noise = NOISE**2 * float((frequency[inside] ** 2).sum())
    for start in range(0, len(thumbnails), _N_AT_ONCE):
        waves = dctn(thumbnails[start : start + _N_AT_ONCE].astype(np.float32), axes=(1, 2), norm="ortho") * frequency
        length = np.sqrt((waves[:, inside] ** 2).sum(axis=1, keepdims=True) + noise)
        parts.append((waves[:, is_even] / length, waves[:, inside & ~is_even] / length))
    even, odd = zip(*parts, strict=True)
    return np.concatenate(even).astype(np.float32), np.concatenate(odd).astype(np.float32)


@dataclass(eq=False)
class _Neighbours:
    """The nearest neighbours seen so far, of photographs in one orientation."""

    n: int
    """Photographs."""
    floors: npt.NDArray[np.float32] = field(init=False)
    """float32 [n], the product that a further neighbour has to exceed."""
    rows: npt.NDArray[np.int64] = field(init=False)
    """int64 [m], of whom."""
    columns: npt.NDArray[np.int64] = field(init=False)
    """int64 [m], the neighbour."""
    products: npt.NDArray[np.float32] = field(init=False)
    """float32 [m], how alike."""
    n_kept: int = field(init=False, default=0)
    """How many there were when they were last thinned."""

    def __post_init__(self) -> None:
        self.floors = np.full(self.n, FLOOR, dtype=np.float32)
        self.rows = self.columns = np.empty(0, dtype=np.int64)
        self.products = np.empty(0, dtype=np.float32)

    def see(self, products: npt.NDArray[np.float32], *, top: int, left: int) -> None:
        """Take from a tile of products what is nearer than the neighbours seen so far."""
        floors = np.minimum.outer(
            self.floors[top : top + products.shape[0]], self.floors[left : left + products.shape[1]]
        )
        rows, columns = np.nonzero(products > floors)
        found = products[rows, columns]
        rows, columns = rows + top, columns + left
        above = rows < columns
        rows, columns, found = rows[above], columns[above], found[above]
        self.rows = np.concatenate([self.rows, rows, columns])
        self.columns = np.concatenate([self.columns, columns, rows])
        self.products = np.concatenate([self.products, found, found])
        if len(self.rows) > 2 * max(self.n_kept, self.n):
            self._thin()

    def pairs(self) -> npt.NDArray[np.int64]:
        """Give the pairs, int64 [m, 2], the earlier row first, each once."""
        self._thin()
        ends = np.stack([np.minimum(self.rows, self.columns), np.maximum(self.rows, self.columns)], axis=1)
        return np.unique(ends, axis=0)

    def _thin(self) -> None:
        """Keep the nearest of each photograph."""
        order = np.lexsort((self.columns, -self.products, self.rows))
        rows = self.rows[order]
        starts = np.searchsorted(rows, rows, side="left")
        kept = order[np.arange(len(rows)) - starts < N_NEIGHBOURS]
        self.rows, self.columns, self.products = self.rows[kept], self.columns[kept], self.products[kept]
        lowest = np.full(self.n, np.inf, dtype=np.float32)
        np.minimum.at(lowest, self.rows, self.products)
        is_full = np.bincount(self.rows, minlength=self.n) == N_NEIGHBOURS
        self.floors[is_full] = lowest[is_full]
        self.n_kept = len(self.rows)
