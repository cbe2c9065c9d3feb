"""Judging results from anywhere: contributions or probabilities as plain arrays, whatever framework made them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from imgcls.errors import UsageError
from imgcls.evidence.contributions import contributions
from imgcls.evidence.gains import measure
from imgcls.evidence.scored import Floats
from imgcls.evidence.spread import as_rows, group_numbers
from imgcls.evidence.verdicts import Judged, judge

if TYPE_CHECKING:
    from imgcls.data.samples import ProblemType


def gain(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    groups: Sequence[object] | npt.ArrayLike | None = None,
    *,
    same_weights: bool = False,
    smallest_gain: float = 0.005,
) -> Judged:
    """Judge whether recipe B is better than recipe A, from the contribution of every image to the metric.

    Args:
        a: [runs, images] of A, or [images] of one run; higher is better, the mean of a row is the metric.
            For accuracy: whether each image was right.
        b: Likewise of B, with the same images in the same order; it may have another number of runs.
        groups: [images] names of groups that share their luck, such as patients; None without.
        same_weights: Whether row s of both was predicted by the same weights, as with test-time augmentation.
        smallest_gain: The smallest gain of interest, in the unit of the metric.

    Returns:
        The gain with `.value`, `.low`, `.high` (95 %), `.p` and `.verdict`; for one comparison, so nothing
        is corrected for others.

    Raises:
        UsageError: The arrays do not fit each other.

    Example:
        >>> import numpy as np
        >>> random = np.random.default_rng(0)
        >>> right_a, right_b = random.random((5, 900)) < 0.80, random.random((5, 900)) < 0.86
        >>> imgcls.gain(right_a, right_b).verdict
        'better'
    """
    before, after = as_rows(a, name="a"), as_rows(b, name="b")
    numbers = group_numbers(groups, n=before.shape[1])
    return judge([measure(before, after, same_weights=same_weights, groups=numbers)], smallest_gain=smallest_gain)[0]


def verdict(
    probabilities_a: npt.ArrayLike,
    probabilities_b: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    metric: str = "accuracy",
    groups: Sequence[object] | npt.ArrayLike | None = None,
    same_weights: bool = False,
    smallest_gain: float = 0.005,
) -> Judged:
    """Judge whether recipe B is better than recipe A, from the predicted probabilities of both.

    Args:
        probabilities_a: [runs, images, classes] of A, or [images, classes] of one run.
        probabilities_b: Likewise of B, for the same images in the same order.
        labels: [images] class numbers from 0; for several labels an image: [images, classes] of 0 and 1.
        metric: accuracy, balanced_accuracy, macro_f1, roc_auc or log_loss, chosen before looking.
        groups: [images] names of groups that share their luck; None without.
        same_weights: Whether run s of both was predicted by the same weights.
        smallest_gain: The smallest gain of interest, in the unit of the metric (nats for log loss).

    Returns:
        As `gain`.

    Raises:
        UsageError: Shapes or values do not fit each other, or the metric cannot be computed on these images.
    """
    targets = np.asarray(labels)
    before, after = (
        contributed(metric, values, targets, name=name)
        for name, values in (("probabilities_a", probabilities_a), ("probabilities_b", probabilities_b))
    )
    return gain(before, after, groups, same_weights=same_weights, smallest_gain=smallest_gain)


def contributed(metric: str, probabilities: npt.ArrayLike, targets: npt.NDArray[np.generic], *, name: str) -> Floats:
    """Give the contributions [runs, images] of runs to a metric.

    Args:
        metric: A name that `imgcls.evidence.contributions` takes.
        probabilities: [runs, images, classes], or [images, classes] of one run.
        targets: [images], or [images, classes].
        name: How a message names the probabilities.

    Raises:
        UsageError: They do not fit each other.
    """
    try:
        values = np.asarray(probabilities, dtype=np.float64)
    except (TypeError, ValueError) as wrong:
        raise UsageError(f"{name}: probabilities are numbers [runs, images, classes].") from wrong
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3 or not values.size:
        raise UsageError(f"{name}: probabilities have the shape [runs, images, classes], not {list(values.shape)}.")
    problem: ProblemType = "multilabel" if targets.ndim == 2 else "binary" if values.shape[2] == 2 else "multiclass"
    rows = []
    for place, run in enumerate(values):
        try:
            rows.append(contributions(metric, run, targets, problem=problem))
        except UsageError as wrong:
            raise UsageError(f"{name}, run {place}: {wrong}") from wrong
    return np.stack(rows)
