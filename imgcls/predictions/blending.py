"""Blends: the probabilities of several networks made into one.

Where all members say the same, every way gives back their very bits, so that nothing can be gained from one network
that is named twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from imgcls.errors import UsageError
from imgcls.records.blend import WAYS

Floats = npt.NDArray[np.float64]
FITTED = ("weights", "greedy")
"""Ways whose weights are fitted to predictions, which may not judge them."""
MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "mean": "the mean of the probabilities",
        "geometric": "the geometric mean of the probabilities",
        "rank": "the mean of the ranks, as probabilities",
        "weights": "a weighted mean, by log loss",
        "greedy": "members added one by one, by the metric",
    }
)
SMALLEST = 1e-12
"""What a geometric mean takes a probability of 0 for; one member that rules a class out would decide for all."""
_N_STEPS = 30
_SMALLEST_WEIGHT = 1e-3


def blend(
    probabilities: Floats, weights: Floats, *, way: str, multilabel: bool, references: list[Floats] | None = None
) -> Floats:
    """Blend the probabilities of members.

    Args:
        probabilities: [m, n, k] of m members, in [0, 1].
        weights: [m], from 0, with the sum 1.
        way: One of `WAYS`; whatever the weights came from, `weights` and `greedy` are the weighted mean.
        multilabel: Whether images may have several labels, so that rows do not sum to 1.
        references: For `rank`: m times [r, k], predictions of known images among which each member's are ranked.

    Returns:
        [n, k], in [0, 1]; rows sum to 1 unless multi-label. Where all members say the same, their very bits.
    """
    first = probabilities[0]
    if way == "rank":
        known = references or list(probabilities)
        if (probabilities == first).all() and all(np.array_equal(one, known[0]) for one in known):
            return first.copy()
        made = _by_rank(probabilities, weights, known)
        made = made if multilabel else made / made.sum(axis=1, keepdims=True)
    else:
        mix = _geometric if way == "geometric" else _mean
        made = mix(probabilities, weights, multilabel)
        made = np.where((probabilities == first).all(axis=(0, 2))[:, None], first, made)
    return np.clip(made, 0.0, 1.0)


def fit_weights(probabilities: Floats, truth: npt.NDArray[np.bool_], *, multilabel: bool) -> Floats:
    """Return the weights of the weighted mean with the smallest log loss.

    The log loss is convex in the weights, so there is one smallest value; what a member adds less than a thousandth to
    is left out.

    Args:
        probabilities: [m, n, k].
        truth: [n, k], whether the image has the class.
        multilabel: Whether images may have several labels.

    Returns:
        [m], from 0, with the sum 1.
    """
    from scipy.optimize import minimize

    n_members = len(probabilities)
    right = np.where(truth, probabilities, 1 - probabilities) if multilabel else probabilities[:, truth]
    right = np.maximum(right.reshape(n_members, -1), SMALLEST)

    def loss(weights: Floats) -> tuple[float, Floats]:
        mixed = np.maximum(weights @ right, SMALLEST)
        return -float(np.log(mixed).mean()), -(right / mixed).mean(axis=1)

    even = np.full(n_members, 1 / n_members)
    found = minimize(
        loss,
        even,
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * n_members,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-9, "maxiter": 200},
    )
    weights = np.where(found.x < _SMALLEST_WEIGHT, 0.0, found.x) if np.isfinite(found.x).all() else even
    weights = weights / weights.sum()
    return weights if loss(weights)[0] <= loss(even)[0] else even


def select_greedily(probabilities: Floats, score: Callable[[Floats], float], *, n_steps: int = _N_STEPS) -> Floats:
    """Return weights by adding, again and again, the member that makes the mean best; members may be added again.

    It begins with the best one, and ends where the mean was best on the way.

    Args:
        probabilities: [m, n, k].
        score: Takes [n, k] and returns what is to be as high as possible.
        n_steps: How many are added at most.

    Returns:
        [m], from 0, with the sum 1.

    Source: Caruana et al. 2004, "Ensemble selection from libraries of models", ICML, section 2.
    """
    counts, total = np.zeros(len(probabilities)), np.zeros_like(probabilities[0])
    best, best_counts = -np.inf, counts
    for n in range(1, n_steps + 1):
        scores = [score((total + member) / n) for member in probabilities]
        chosen = int(np.argmax(scores))
        counts = counts + (np.arange(len(counts)) == chosen)
        total = total + probabilities[chosen]
        if scores[chosen] > best:
            best, best_counts = scores[chosen], counts
    return np.asarray(best_counts / best_counts.sum())


def check_way(way: str, *, problem: str) -> None:
    """Check that members can be blended in a way.

    Args:
        way: The name.
        problem: `binary`, `multiclass` or `multilabel`; empty where it is not known yet.

    Raises:
        UsageError: There is none of that name, or it does not suit the problem.
    """
    if way not in WAYS:
        raise UsageError(f"There is no way of blending {way!r}. There are {', '.join(WAYS)}.")
    if way == "rank" and problem == "multiclass":  # places of several classes do not add up to a row
        raise UsageError("Ranks are for two classes, or for several labels an image. Use --by mean or geometric.")


def _mean(probabilities: Floats, weights: Floats, multilabel: bool) -> Floats:
    made = np.tensordot(weights, probabilities, axes=1)
    return np.asarray(made if multilabel else made / made.sum(axis=1, keepdims=True))


def _geometric(probabilities: Floats, weights: Floats, multilabel: bool) -> Floats:
    made = np.exp(np.tensordot(weights, np.log(np.maximum(probabilities, SMALLEST)), axes=1))
    if not multilabel:
        return np.asarray(made / made.sum(axis=1, keepdims=True))
    against = np.exp(np.tensordot(weights, np.log(np.maximum(1 - probabilities, SMALLEST)), axes=1))
    return np.asarray(made / (made + against))


def _by_rank(probabilities: Floats, weights: Floats, references: list[Floats]) -> Floats:
    """Average the places of each member's predictions in its reference, and turn the mean into a probability.

    The probability at a place is the mean over members of what stands there, so that scales are averaged as well.
    """
    made = np.empty_like(probabilities[0])
    last = [max(1, len(reference) - 1) for reference in references]
    scales = [end / last[0] for end in last]  # from places in the first reference to those in another
    for column in range(made.shape[1]):
        ordered = [np.sort(reference[:, column]) for reference in references]
        places = np.stack(
            [
                _place(values[:, column], known) / scale
                for values, known, scale in zip(probabilities, ordered, scales, strict=True)
            ]
        )
        place = places[0] + np.tensordot(weights, places - places[0], axes=1)
        quantiles = np.stack(
            [
                np.interp(place * scale, np.arange(len(known)), known)
                for known, scale in zip(ordered, scales, strict=True)
            ]
        )
        made[:, column] = quantiles[0] + np.tensordot(weights, quantiles - quantiles[0], axes=1)
    return made


def _place(values: Floats, ordered: Floats) -> Floats:
    """Return where values stand among others, from 0: at the mean place of what equals them, else between two."""
    known, first, counts = np.unique(ordered, return_index=True, return_counts=True)
    return np.asarray(np.interp(values, known, first + (counts - 1) / 2))
