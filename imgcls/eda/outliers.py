"""Outliers: images far from all others, blank ones, and extremes of brightness, size and shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from imgcls.eda.drift import measures_of
from imgcls.eda.facts import Outlier
from imgcls.eda.features import Features
from imgcls.eda.scan import Scan
from imgcls.eda.statistics import principal_components

Floats = npt.NDArray[np.float64]
MOST_OUTLIERS = 24
N_NEIGHBOURS = 5
BLANK_CONTRAST = 2.0
"""A standard deviation of gray values, of 0 to 255, below which there is nothing to be seen in an image."""
_FEWEST = 20
_FAR = 4.0
"""So many typical deviations from the median make an image an outlier."""
_FAR_PICTURE = 2.5
"""Likewise for the distance of a picture; a person looks at those anyway, and fewer deviations are normal there."""
_TAIL = 0.05
_NORMAL_TAIL = 1.645  # where the upper twentieth of a standard normal distribution begins
_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"brightness": ("dark", "bright"), "size": ("small", "large"), "shape": ("tall", "wide")}
)
"""From a measure to what an image is that has very little or very much of it."""
_LEAST_SCALE: Mapping[str, float] = MappingProxyType({"brightness": 2.0, "size": 0.1, "shape": 0.05, "picture": 0.05})
"""Typical deviations are taken to be at least this much: gray values; else logarithms, so that 0.1 is a tenth."""


@dataclass(frozen=True)
class _Candidate:
    """An image that is an outlier in one measure."""

    row: int
    """Its position among the samples."""
    excess: float
    """How far beyond where outliers begin, at least 1."""
    distance: float
    """As in `imgcls.eda.facts.Outlier`."""
    why: str
    """In which measure."""


def find_outliers(scan: Scan, features: Features | None) -> tuple[Outlier, ...]:
    """Find images unlike the others.

    An image is an outlier by its picture where the mean distance to its nearest neighbours in the space of features, on
    a logarithmic scale, lies far above the median of all images; by a measure where it lies far from the median of that
    measure; and blank where it shows nothing. Few images, or alike ones, have no outliers.

    Args:
        scan: The data set.
        features: Features of some of the images; None uses measures only.

    Returns:
        At most `MOST_OUTLIERS`, the farthest first; an image once, for the measure in which it lies farthest. For
        measures, `distance` counts typical deviations from the median.
    """
    if len(scan.samples) < _FEWEST:
        return ()
    candidates = [*_blank(scan), *_by_measures(scan), *(() if features is None else _by_pictures(features))]
    best: dict[int, _Candidate] = {}
    for candidate in sorted(candidates, key=lambda entry: (-entry.excess, entry.row)):
        best.setdefault(candidate.row, candidate)
    return tuple(_outlier(scan, candidate) for candidate in list(best.values())[:MOST_OUTLIERS])


def neighbour_distances(values: npt.ArrayLike, *, n_neighbours: int = N_NEIGHBOURS) -> Floats:
    """Return the mean distance of each point to its nearest neighbours.

    Args:
        values: [n, d].
        n_neighbours: How many, fewer than n.

    Returns:
        [n].
    """
    from sklearn.neighbors import NearestNeighbors

    points = np.asarray(values, dtype=np.float64)
    distances, _ = NearestNeighbors(n_neighbors=n_neighbours).fit(points).kneighbors()  # of no point to itself
    return np.asarray(distances.mean(axis=1))


def _blank(scan: Scan) -> Iterator[_Candidate]:
    contrast = scan.measures["contrast"].to_numpy(dtype=np.float64)
    typical = max(BLANK_CONTRAST, float(np.median(contrast)))
    for row in np.flatnonzero(contrast < BLANK_CONTRAST):
        yield _Candidate(int(row), np.inf, typical / max(BLANK_CONTRAST / 10, float(contrast[row])), "blank")


def _by_measures(scan: Scan) -> Iterator[_Candidate]:
    for by, (low, high) in _WORDS.items():
        values = measures_of(scan)[by]
        deviations = _deviations(values if by == "brightness" else np.log(np.maximum(values, 1e-9)), _LEAST_SCALE[by])
        for row in np.flatnonzero(np.abs(deviations) > _FAR):
            distance = float(abs(deviations[row]))
            yield _Candidate(int(row), distance / _FAR, distance, high if deviations[row] > 0 else low)


def _by_pictures(features: Features) -> Iterator[_Candidate]:
    if len(features.rows) < max(_FEWEST, N_NEIGHBOURS + 2):
        return
    distances = neighbour_distances(principal_components(features.values, whiten=False))
    logs = np.log(np.maximum(distances, 1e-9))
    deviations = _deviations(logs, _LEAST_SCALE["picture"])
    for place in np.flatnonzero(deviations > _FAR_PICTURE):
        ratio = float(np.exp(logs[place] - np.median(logs)))
        yield _Candidate(int(features.rows[place]), float(deviations[place]) / _FAR_PICTURE, ratio, "picture")


def _deviations(values: Floats, least_scale: float) -> Floats:
    """Return how many typical deviations each value lies from the median.

    What is typical is known by where the outer twentieth begins, on either side by itself: many sets hold two kinds of
    images, neither of which are outliers, and the median of absolute deviations would call the smaller kind so.
    """
    median = float(np.median(values))
    below, above = median - np.quantile(values, _TAIL), np.quantile(values, 1 - _TAIL) - median
    apart = values - median
    scale = np.maximum(np.where(apart > 0, above, below) / _NORMAL_TAIL, least_scale)
    return np.asarray(apart / scale)


def _outlier(scan: Scan, candidate: _Candidate) -> Outlier:
    entry = scan.samples.frame.iloc[candidate.row]
    label = "" if entry["split"] == "test" else entry["label"]
    return Outlier(id=entry["id"], split=entry["split"], label=label, distance=candidate.distance, why=candidate.why)
