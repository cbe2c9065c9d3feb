"""Regions: whether the heat maps of many photographs have their mass in one and the same place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

WINDOW = 0.375
"""The side of a region, as a share of that of the picture: a seventh of its area."""
_HALF = 0.5
_GRID = 32


@dataclass(frozen=True)
class Shared:
    """The region that most heat maps share."""

    top: float
    """Its upper edge, as a share of the height; its side is `WINDOW`."""
    left: float
    """Its left edge, as a share of the width."""
    share: float
    """The share of maps with more than half of their mass in it."""
    expected: float
    """The same for its best place where every map is moved to a place of its own, drawn by chance."""


def shared_region(maps: npt.NDArray[np.float32], *, generator: np.random.Generator) -> Shared:
    """Return the place that holds more than half of the mass of most maps.

    Of all places of a square of `WINDOW`, the one is taken that is shared by most maps; of equals that with most mass.
    A map without mass shares none.

    Args:
        maps: float32 [n, size, size], not negative, n at least 1.
        generator: Moves maps, for what is expected by chance.
    """
    coarse = _coarse(maps)
    moves = generator.integers(0, _GRID, (len(maps), 2))
    moved = np.stack([np.roll(one, tuple(move), (0, 1)) for one, move in zip(coarse, moves, strict=True)])
    top, left, share = _best(coarse)
    return Shared(top / _GRID, left / _GRID, share, _best(moved)[2])


def _coarse(maps: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return maps of 32 by 32 places whose mass is 1, or 0 where there is none."""
    size = maps.shape[1]
    edges = np.arange(_GRID + 1) * size / _GRID
    summed = np.pad(maps.astype(np.float64), ((0, 0), (1, 0), (1, 0))).cumsum(axis=1).cumsum(axis=2)
    at = np.arange(size + 1)
    rows = np.stack([[np.interp(edges, at, column) for column in one.T] for one in summed]).transpose(0, 2, 1)
    both = np.stack([[np.interp(edges, at, row) for row in one] for one in rows])
    places = np.diff(np.diff(both, axis=1), axis=2)
    mass = places.sum(axis=(1, 2), keepdims=True)
    return np.divide(places, mass, out=np.zeros_like(places), where=mass > 0)


def _best(places: npt.NDArray[np.float64]) -> tuple[int, int, float]:
    side = round(WINDOW * _GRID)
    summed = np.pad(places, ((0, 0), (1, 0), (1, 0))).cumsum(axis=1).cumsum(axis=2)
    inside = summed[:, side:, side:] - summed[:, :-side, side:] - summed[:, side:, :-side] + summed[:, :-side, :-side]
    shares = (inside > _HALF).mean(axis=0)
    order = np.lexsort((-inside.mean(axis=0).ravel(), -shares.ravel()))
    top, left = (int(place) for place in np.unravel_index(order[0], shares.shape))
    return top, left, float(shares[top, left])
