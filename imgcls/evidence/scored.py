"""Probabilities beside the truth, checked once, as every metric reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from imgcls.errors import UsageError

if TYPE_CHECKING:
    from imgcls.data.samples import ProblemType

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

PROBLEMS = ("binary", "multiclass", "multilabel")
_ROW_SUM_TOLERANCE = 1e-3
_DECISION = 0.5


@dataclass(frozen=True)
class Scored:
    """What a model said about n images with k classes or labels, and what is true."""

    probabilities: Floats
    """[n, k], in [0, 1]; rows sum to 1 unless multi-label."""
    truth: Booleans
    """[n, k]: whether the image has the class."""
    is_multilabel: bool
    """Whether an image may have several labels, or none."""

    @property
    def n(self) -> int:
        """The number of images."""
        return len(self.truth)

    @property
    def predicted(self) -> Booleans:
        """[n, k]: the largest probability, the first one on ties; multi-label: at least 0.5."""
        if self.is_multilabel:
            return self.probabilities >= _DECISION
        return np.arange(self.truth.shape[1]) == self.probabilities.argmax(axis=1)[:, None]


def scored(probabilities: npt.ArrayLike, targets: npt.ArrayLike, *, problem: ProblemType) -> Scored:
    """Check predictions and targets and put them side by side.

    Args:
        probabilities: [n, k], finite, in [0, 1]; rows sum to 1 unless multi-label.
        targets: [n] class numbers from 0; multi-label: [n, k] of 0 and 1.
        problem: `binary` (k = 2), `multiclass` or `multilabel`.

    Raises:
        UsageError: If shapes or values are not like that.
    """
    if problem not in PROBLEMS:
        raise UsageError(f"The problem must be one of {', '.join(PROBLEMS)}, not {problem!r}.")
    values, labels = np.asarray(probabilities, dtype=np.float64), np.asarray(targets)
    problems = _probability_problems(values, problem=problem)
    if not problems:
        problems = _target_problems(labels, values.shape, problem=problem)
    if problems:
        raise UsageError.together(problems)
    truth = labels.astype(bool) if problem == "multilabel" else labels[:, None] == np.arange(values.shape[1])
    return Scored(values, truth, problem == "multilabel")


def check_length(name: str, values: Sequence[str], *, n: int, what: str) -> None:
    """Refuse a sequence that does not have one entry for each of n things.

    Args:
        name: The argument, as messages name it.
        values: The sequence.
        n: The right length.
        what: What there are n of, in the plural.

    Raises:
        UsageError: If the length differs.
    """
    if len(values) != n:
        raise UsageError(f"There are {len(values)} {name} for {n} {what}; give one for each.")


def _probability_problems(values: Floats, *, problem: str) -> list[str]:
    """List what is wrong with probabilities."""
    if values.ndim != 2:
        return [f"Probabilities must have the shape [images, classes], not {list(values.shape)}."]
    n_classes = values.shape[1]
    if n_classes != 2 if problem == "binary" else n_classes < 1:
        return [f"A {problem} problem cannot have {n_classes} columns of probabilities."]
    outside: Booleans = np.logical_not(((values >= 0) & (values <= 1)).all(axis=1))
    if outside.any():
        return [f"Probabilities must lie in [0, 1]; {_rows(outside)}."]
    wrong_sum = np.abs(values.sum(axis=1) - 1) > _ROW_SUM_TOLERANCE
    if problem != "multilabel" and wrong_sum.any():
        return [f"Probabilities of an image must sum to 1; {_rows(wrong_sum)}."]
    return []


def _target_problems(labels: npt.NDArray[np.generic], shape: tuple[int, ...], *, problem: str) -> list[str]:
    """List what is wrong with targets."""
    expected = shape if problem == "multilabel" else shape[:1]
    if labels.shape != expected:
        return [f"Targets must have the shape {list(expected)}, not {list(labels.shape)}."]
    if labels.dtype.kind not in "iub" and labels.size:
        return [f"Targets must be whole numbers, not {labels.dtype}."]
    n_values = 2 if problem == "multilabel" else shape[1]
    known = np.isin(labels, np.arange(n_values))
    outside: Booleans = np.logical_not(np.all(known, axis=tuple(range(1, known.ndim))))
    if outside.any():
        return [f"Targets must lie in 0 … {n_values - 1}; {_rows(outside)}. Leave unlabelled images out."]
    return []


def _rows(wrong: Booleans) -> str:
    """Say how many rows are wrong and which is the first."""
    return f"{int(wrong.sum())} of {len(wrong)} rows do not, the first is row {int(wrong.argmax())}"
