"""The odd ones out: images far from all others, blank ones, and extremes of brightness and size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imgcls.eda.components import principal_components
from imgcls.eda.drift import measures_of
from imgcls.eda.facts import Odd
from imgcls.eda.features import Features
from imgcls.eda.scan import Scan

Floats = npt.NDArray[np.float64]

MOST_ODD = 24
N_NEIGHBOURS = 5
BLANK_CONTRAST = 2.0
"""An image whose gray values deviate by less than this, of 255, shows nothing."""

_FEWEST = 20
_DEVIATIONS = 4.0
_FAR_DEVIATIONS = 6.0
_NORMAL = 1.4826  # the median of absolute deviations is this much smaller than a normal standard deviation
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class _Candidate:
    row: int
    excess: float
    distance: float
    why: str


def find_odd(scan: Scan, features: Features | None) -> tuple[Odd, ...]:
    """Find images unlike the others.

    An image is odd by its picture where the mean distance to its nearest neighbours in the space of features, on a
    logarithmic scale, lies far above the median of all images; by a measure where it lies far from the median of that
    measure; and blank where it shows nothing. Few images, or alike ones, have no odd ones among them.

    Args:
        scan: The data set.
        features: What the network sees in some of the images; None looks at measures only.

    Returns:
        At most `MOST_ODD`, the oddest first; an image once, for what is oddest in it. For measures, `distance` counts
        typical deviations from the median.
    """
    if len(scan.samples) < _FEWEST:
        return ()
    candidates = [*_blank(scan), *_by_measures(scan), *(() if features is None else _by_pictures(features))]
    best: dict[int, _Candidate] = {}
    for candidate in sorted(candidates, key=lambda entry: (-entry.excess, entry.row)):
        best.setdefault(candidate.row, candidate)
    return tuple(_odd(scan, candidate) for candidate in list(best.values())[:MOST_ODD])


def neighbour_distances(values: npt.ArrayLike, *, n_neighbours: int = N_NEIGHBOURS) -> Floats:
    """Give the mean distance of each point to its nearest neighbours.

    Args:
        values: [n, d].
        n_neighbours: How many, fewer than n.

    Returns:
        [n].
    """
    points = np.asarray(values, dtype=np.float64)
    squares = (points**2).sum(axis=1)
    found = []
    for start in range(0, len(points), _ROWS_AT_ONCE):
        part = points[start : start + _ROWS_AT_ONCE]
        distances = squares[start : start + len(part), None] + squares - 2 * part @ points.T
        distances[np.arange(len(part)), np.arange(start, start + len(part))] = np.inf
        nearest = np.partition(distances, n_neighbours - 1, axis=1)[:, :n_neighbours]
        found.append(np.sqrt(np.maximum(nearest, 0)).mean(axis=1))
    return np.concatenate(found)


def _blank(scan: Scan) -> Iterator[_Candidate]:
    contrast = scan.measures["contrast"].to_numpy(dtype=np.float64)
    for row in np.flatnonzero(contrast < BLANK_CONTRAST):
        yield _Candidate(int(row), float("inf"), float(abs(_deviations(contrast)[row])), "blank")


def _by_measures(scan: Scan) -> Iterator[_Candidate]:
    measures = measures_of(scan)
    for by in ("brightness", "size", "shape"):
        values = measures[by] if by == "brightness" else np.log(np.maximum(measures[by], 1e-9))
        deviations = _deviations(values)
        for row in np.flatnonzero(np.abs(deviations) > _FAR_DEVIATIONS):
            distance = float(abs(deviations[row]))
            yield _Candidate(int(row), distance / _FAR_DEVIATIONS, distance, _named(by, deviations[row]))


def _named(by: str, deviation: float) -> str:
    words = {"brightness": ("dark", "bright"), "size": ("small", "large"), "shape": ("tall", "wide")}
    return words[by][int(deviation > 0)]


def _by_pictures(features: Features) -> Iterator[_Candidate]:
    if len(features.rows) < max(_FEWEST, N_NEIGHBOURS + 2):
        return
    distances = neighbour_distances(principal_components(features.values.astype(np.float64)))
    logs = np.log(np.maximum(distances, 1e-9))
    deviations = _deviations(logs)
    for place in np.flatnonzero(deviations > _DEVIATIONS):
        ratio = float(np.exp(logs[place] - np.median(logs)))
        yield _Candidate(int(features.rows[place]), float(deviations[place]) / _DEVIATIONS, ratio, "picture")


def _deviations(values: Floats) -> Floats:
    """Give how many typical deviations each value lies from the median; 0 where most do not differ at all."""
    apart = values - np.median(values)
    scale = _NORMAL * np.median(np.abs(apart))
    return apart / scale if scale > 0 else np.zeros_like(apart)


def _odd(scan: Scan, candidate: _Candidate) -> Odd:
    entry = scan.samples.frame.iloc[candidate.row]
    label = "" if entry["split"] == "test" else entry["label"]
    return Odd(id=entry["id"], split=entry["split"], label=label, distance=candidate.distance, why=candidate.why)
