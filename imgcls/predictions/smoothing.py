"""Smoothing: over-confident probabilities made a little softer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from imgcls.errors import UsageError

if TYPE_CHECKING:
    from imgcls.data.samples import ProblemType

_PROBLEMS = ("binary", "multiclass", "multilabel")
Floats = npt.NDArray[np.float64]


def smooth(
    probabilities: npt.ArrayLike, *, alpha: float = 0.001, threshold: float = 0.999, problem: ProblemType
) -> Floats:
    """Mix a small uniform share into the probabilities that are nearly certain.

    One confident mistake costs a log loss without bound; afterwards it costs at most
    about ln(k / alpha). The chosen class never changes.

    Args:
        probabilities: [n, k], in [0, 1].
        alpha: The uniform share, in [0, 0.5].
        threshold: What counts as nearly certain, in [0.5, 1]: rows whose largest probability is
            above it; multi-label: single labels whose p or 1 − p is above it.
        problem: `binary`, `multiclass` or `multilabel`.

    Returns:
        [n, k]: (1 − alpha)·p + alpha/k where nearly certain (multi-label: alpha/2), else p.

    Raises:
        UsageError: If an argument is out of range.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    problems = _option_problems(alpha=alpha, threshold=threshold, problem=problem)
    problems += _value_problems(values, shape="[images, classes]", n_dimensions=2)
    if problems:
        raise UsageError.together(problems)
    if problem == "multilabel":
        certain = np.maximum(values, 1 - values) > threshold
        return np.where(certain, (1 - alpha) * values + alpha / 2, values)
    if values.shape[0] == 0:
        return values.copy()
    softer = (1 - alpha) * values + alpha / values.shape[1]
    # Near a threshold of 0.5 rounding can make the two largest equal.
    same_class = softer.argmax(axis=1) == values.argmax(axis=1)
    certain = (values.max(axis=1) > threshold) & same_class
    return np.where(certain[:, None], softer, values)


def _option_problems(*, alpha: float, threshold: float, problem: str) -> list[str]:
    """List the options that are out of range; NaN is out of every range."""
    problems = []
    if problem not in _PROBLEMS:
        problems.append(f"The problem must be one of {', '.join(_PROBLEMS)}, not {problem!r}.")
    if not 0 <= alpha <= 0.5:
        problems.append(f"The smoothing share alpha must lie in [0, 0.5], not {alpha}.")
    if not 0.5 <= threshold <= 1:
        problems.append(f"The smoothing threshold must lie in [0.5, 1], not {threshold}.")
    return problems


def _value_problems(values: Floats, *, shape: str, n_dimensions: int) -> list[str]:
    """List what is wrong with probabilities."""
    if values.ndim != n_dimensions or values.shape[-1] == 0:
        return [f"Probabilities must have the shape {shape}, not {list(values.shape)}."]
    if not ((values >= 0) & (values <= 1)).all():
        return ["Probabilities must be finite and lie in [0, 1]."]
    return []
