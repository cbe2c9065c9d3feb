"""ROC AUC of many scores at once, as shuffled labels ask for it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def areas(scores: Floats, *, positive: Floats, negative: Floats) -> Floats:
    """Give the ROC AUC of every column of scores; equal scores count half.

    Args:
        scores: [n_cells, q], the score of each cell of samples that share it.
        positive: [n_cells, q], how many samples of a cell belong to the class.
        negative: [n_cells, q], how many do not.

    Returns:
        [q], in [0, 1]; NaN where one side is empty.

    Source: the Mann-Whitney statistic; `sklearn.metrics.roc_auc_score` with `sample_weight` gives the same.
    """
    order = np.argsort(scores, axis=0, kind="stable")
    ordered = np.take_along_axis(scores, order, axis=0)
    pos, neg = (np.take_along_axis(counts, order, axis=0) for counts in (positive, negative))
    first, last = _ties(ordered)
    up_to = np.concatenate([np.zeros((1, scores.shape[1])), np.cumsum(neg, axis=0)])
    below, not_above = np.take_along_axis(up_to, first, axis=0), np.take_along_axis(up_to, last + 1, axis=0)
    pairs = pos.sum(axis=0) * neg.sum(axis=0)
    won = (pos * (below + not_above)).sum(axis=0) / 2
    return np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def _ties(ordered: Floats) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Give, for every place of sorted columns, the first and last place with the same score."""
    n = len(ordered)
    places = np.broadcast_to(np.arange(n)[:, None], ordered.shape)
    is_new = np.ones(ordered.shape, dtype=bool)
    is_new[1:] = ordered[1:] != ordered[:-1]
    first = np.maximum.accumulate(np.where(is_new, places, 0), axis=0)
    is_end = np.concatenate([is_new[1:], np.ones((1, ordered.shape[1]), dtype=bool)])
    last = np.minimum.accumulate(np.where(is_end, places, n - 1)[::-1], axis=0)[::-1]
    return first, last
