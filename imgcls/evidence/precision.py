"""Average precision and its bootstrap: the one metric here without contributions of single images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from imgcls.evidence.contributions import counted_classes
from imgcls.evidence.scored import Booleans, Floats, Scored

N_RESAMPLES = 1000
_FEWEST_RESAMPLES = 100
# About two seconds of work and 32 MB of memory on one core.
_MOST_CELLS = 200_000_000
_CELLS_AT_ONCE = 4_000_000


def average_precision(predictions: Scored) -> float:
    """Give the mean over classes of average precision, without interpolation.

    Args:
        predictions: With at least one counted class: see `counted_classes`.

    Source: `sklearn.metrics.average_precision_score`.
    """
    return float(_macro(predictions, np.ones((1, predictions.n)))[0])


def bootstrap_interval(predictions: Scored, groups: npt.NDArray[np.intp]) -> tuple[float, float]:
    """Give the 95 % percentile interval of average precision over resampled groups of images.

    A class without positives in a resample is left out of that resample's mean. The draws are
    fixed. There are 1000 resamples, fewer (100 at least) beyond 200,000 images × classes.

    Args:
        predictions: With at least one counted class.
        groups: [n] numbers 0 … G − 1; all different to resample single images.
    """
    values = np.concatenate([_macro(predictions, weights) for weights in _resamples(predictions, groups)])
    low, high = np.percentile(values[np.isfinite(values)], [2.5, 97.5])
    return float(low), float(high)


def _resamples(predictions: Scored, groups: npt.NDArray[np.intp]) -> Iterator[Floats]:
    """Give [resamples, n] counts of how often each image was drawn, a block at a time."""
    rng = np.random.default_rng(0)
    n_groups = int(groups.max()) + 1
    n_left = int(np.clip(_MOST_CELLS // predictions.truth.size, _FEWEST_RESAMPLES, N_RESAMPLES))
    n_at_once = max(1, _CELLS_AT_ONCE // predictions.n)
    while n_left > 0:
        n_rows = min(n_left, n_at_once)
        drawn = rng.integers(n_groups, size=(n_rows, n_groups)) + n_groups * np.arange(n_rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=n_rows * n_groups).reshape(n_rows, n_groups)
        yield counts[:, groups].astype(np.float64)
        n_left -= n_rows


def _macro(predictions: Scored, weights: Floats) -> Floats:
    """The mean over classes for every row of weights; NaN where no class has a positive."""
    total, n_classes = np.zeros(len(weights)), np.zeros(len(weights))
    for column in np.flatnonzero(counted_classes("average_precision", predictions)):
        hits, n_positives = _weighted(predictions.probabilities[:, column], predictions.truth[:, column], weights)
        present = n_positives > 0
        total[present] += hits[present] / n_positives[present]
        n_classes += present
    return np.divide(total, n_classes, out=np.full(len(weights), np.nan), where=n_classes > 0)


def _weighted(scores: Floats, positive: Booleans, weights: Floats) -> tuple[Floats, Floats]:
    """Sum precision over the positives: each counts the images with at least its score, ties included."""
    order = np.argsort(-scores, kind="stable")
    descending = -scores[order]
    places = np.flatnonzero(positive[order])
    ends = np.searchsorted(descending, descending[places], side="right") - 1
    last_positive = np.searchsorted(places, ends, side="right") - 1
    drawn = weights[:, order]
    seen = np.cumsum(drawn, axis=1)[:, ends]
    own = drawn[:, places]
    hits = np.cumsum(own, axis=1)[:, last_positive]
    precision = np.divide(hits, seen, out=np.zeros_like(seen), where=seen > 0)
    return (own * precision).sum(axis=1), own.sum(axis=1)
