"""The nearest neighbours of every thumbnail, direct and mirrored, by exact products in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
_N_ROWS = 1024
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
    from sklearn.neighbors import NearestNeighbors

    n = len(thumbnails)
    even, odd = waves_of(thumbnails)
    waves = np.concatenate([even, odd], axis=1)
    # Filled up to length 1 by a coordinate that the one who asks lacks, the nearest has the largest product.
    rest = np.sqrt(np.maximum(0, 1 - np.square(waves, dtype=np.float64).sum(axis=1, keepdims=True)))
    search = NearestNeighbors(n_neighbors=min(N_NEIGHBOURS + 1, n), algorithm="brute")
    search.fit(np.concatenate([waves, rest], axis=1, dtype=np.float32))
    found: dict[bool, list[npt.NDArray[np.int64]]] = {False: [], True: []}
    for top in range(0, n, _N_ROWS):
        rows = np.arange(top, min(top + _N_ROWS, n))
        for is_mirrored, pairs in found.items():
            asked = np.concatenate([even[rows], -odd[rows] if is_mirrored else odd[rows]], axis=1)
            nearest = search.kneighbors(np.pad(asked, ((0, 0), (0, 1))), return_distance=False)
            is_other = nearest != rows[:, None]
            places, ranks = np.nonzero(is_other & (is_other.cumsum(axis=1) <= N_NEIGHBOURS))
            near = nearest[places, ranks]
            is_alike = np.einsum("ij,ij->i", asked[places], waves[near]) > FLOOR
            pairs.append(np.stack([rows[places], near], axis=1)[is_alike])
        progress(min(top + _N_ROWS, n), n)
    direct, mirrored = (np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0) for pairs in found.values())
    return Candidates(
        first=np.concatenate([direct[:, 0], mirrored[:, 0]]),
        second=np.concatenate([direct[:, 1], mirrored[:, 1]]),
        mirrored=np.repeat([False, True], [len(direct), len(mirrored)]),
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
