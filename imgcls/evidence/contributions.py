"""Metrics as contributions of single images: their mean is the metric, their spread its uncertainty.

Accuracy and log loss are means already. For macro F1, ROC AUC and balanced accuracy, which are
not, the contributions are infinitesimal-jackknife pseudo-values: the metric plus the image's
influence on it. For AUC their variance is DeLong's.

Source: Efron, "The Jackknife, the Bootstrap and Other Resampling Plans" (1982), chapter 6;
DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, 837-845.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from imgcls.config.metrics import DEFAULT_THRESHOLD
from imgcls.errors import UsageError, nearest_hint

if TYPE_CHECKING:
    from imgcls.data.samples import ProblemType


Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
PROBLEMS = ("binary", "multiclass", "multilabel")
_ROW_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Scored:
    """The predictions of a model for n images with k classes or labels, and the truth."""

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
        """[n, k]: the largest probability, the first one on ties; multi-label: those from the default threshold on."""
        if self.is_multilabel:
            return self.probabilities >= DEFAULT_THRESHOLD
        return np.arange(self.truth.shape[1]) == self.probabilities.argmax(axis=1)[:, None]


def scored(probabilities: npt.ArrayLike, targets: npt.ArrayLike, *, problem: ProblemType) -> Scored:
    """Return predictions with their targets, once both are checked.

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
    """Check that a sequence has one entry for each of n things.

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
    """Describe how many rows are wrong and which is the first."""
    return f"{int(wrong.sum())} of {len(wrong)} rows do not, the first is row {int(wrong.argmax())}"


SMALLEST_PROBABILITY = 1e-7


def contributions(metric: str, probabilities: npt.ArrayLike, targets: npt.ArrayLike, *, problem: ProblemType) -> Floats:
    """Return the contribution of every image to a metric; higher is better for all of them.

    Classes that a metric cannot be computed for are left out of its mean: see `counted_classes`.

    Args:
        metric: accuracy, balanced_accuracy, macro_f1, roc_auc, or log_loss (then the contribution
            is the logarithm of the true class's probability, that is minus the loss, in nats).
        probabilities: [n, k], in [0, 1]; rows sum to 1 unless multi-label.
        targets: [n] class numbers; multi-label: [n, k] of 0 and 1.
        problem: `binary`, `multiclass` or `multilabel`.

    Returns:
        [n], whose mean is the metric.

    Raises:
        UsageError: If the metric is unknown or has no contributions, or cannot be computed on these images.
    """
    if metric not in CONTRIBUTIONS:
        advice = nearest_hint(metric, CONTRIBUTIONS) or f" Those that have: {', '.join(CONTRIBUTIONS)}."
        raise UsageError(f"There are no contributions of single images to {metric!r}.{advice}")
    predictions = scored(probabilities, targets, problem=problem)
    if not predictions.n or not counted_classes(metric, predictions).any():
        raise UsageError(f"{metric} cannot be computed on these {predictions.n} images: too few classes are present.")
    return CONTRIBUTIONS[metric](predictions)


def counted_classes(metric: str, predictions: Scored) -> Booleans:
    """Return the classes over which the mean of a metric is taken.

    Args:
        metric: A name from `imgcls.evidence.METRICS`.
        predictions: Probabilities and truth.

    Returns:
        [k]: all for accuracy and log loss; those with positives for macro F1, average precision
        and single-label balanced accuracy; those with positives and negatives for ROC AUC and
        multi-label balanced accuracy. With two classes the ranking metrics look at class 1 only.
    """
    truth = predictions.truth
    has_positives: Booleans = np.any(truth, axis=0)
    has_negatives: Booleans = np.logical_not(np.all(truth, axis=0))
    if metric in ("accuracy", "log_loss"):
        return np.ones(truth.shape[1], dtype=bool)
    if metric == "roc_auc" or (metric == "balanced_accuracy" and predictions.is_multilabel):
        counted = has_positives & has_negatives
    else:
        counted = has_positives
    if metric in ("roc_auc", "average_precision") and not predictions.is_multilabel and truth.shape[1] == 2:
        counted = counted & np.array([False, True])
    return counted


def _accuracy(predictions: Scored) -> Floats:
    """Return whether the class is right; multi-label: the share of labels that are right."""
    right = predictions.predicted == predictions.truth
    return right.mean(axis=1) if predictions.is_multilabel else right.all(axis=1).astype(np.float64)


def _log_loss(predictions: Scored) -> Floats:
    """Return the logarithm of the truth's probability; multi-label: its mean over the labels."""
    values, truth = predictions.probabilities, predictions.truth
    if predictions.is_multilabel:
        return np.log(np.maximum(np.where(truth, values, 1 - values), SMALLEST_PROBABILITY)).mean(axis=1)
    return np.log(np.maximum(values[truth], SMALLEST_PROBABILITY))


def _macro_f1(predictions: Scored) -> Floats:
    """Return the mean F1 of the classes that are present, as ratios of two means, linearised."""
    counted = counted_classes("macro_f1", predictions)
    true = predictions.truth[:, counted].astype(np.float64)
    predicted = predictions.predicted[:, counted].astype(np.float64)
    total = true.mean(axis=0) + predicted.mean(axis=0)
    f1 = 2 * (true * predicted).mean(axis=0) / total
    return (f1 + (2 * true * predicted - f1 * (true + predicted)) / total).mean(axis=1)


def _balanced_accuracy(predictions: Scored) -> Floats:
    """Return the mean recall of the classes that are present; multi-label: of both sides of each label.

    A recall is the ratio r = mean(hit·member) / mean(member), so an image's pseudo-value is
    r + (hit − r)·member / mean(member).
    """
    counted = counted_classes("balanced_accuracy", predictions)
    truth, predicted = predictions.truth[:, counted], predictions.predicted[:, counted]
    positive = _recall(truth, predicted)
    return (
        (positive + _recall(~truth, ~predicted)).mean(axis=1) / 2
        if predictions.is_multilabel
        else positive.mean(axis=1)
    )


def _recall(member: Booleans, predicted: Booleans) -> Floats:
    """Return pseudo-values [n, k] of the share of members that were recognised."""
    share = member.mean(axis=0)
    recall = (member & predicted).mean(axis=0) / share
    return recall + (predicted - recall) * member / share


def _roc_auc(predictions: Scored) -> Floats:
    """Return the mean over classes of the area under one class's curve against the rest."""
    columns = np.flatnonzero(counted_classes("roc_auc", predictions))
    total = np.zeros(predictions.n)
    for column in columns:
        total += area(predictions.probabilities[:, column], predictions.truth[:, column])
    return total / len(columns)


def area(scores: Floats, positive: Booleans) -> Floats:
    """Return pseudo-values [n] of one area: each image's share of the other side that it is ranked right against.

    Args:
        scores: [n], such as the probabilities of a class.
        positive: [n], which images have it; some have and some have not.
    """
    share = np.empty(len(scores))
    share[positive] = _share_below(scores[~positive], scores[positive])
    share[~positive] = 1 - _share_below(scores[positive], scores[~positive])
    area = share[positive].mean()
    weight = np.where(positive, 1 / positive.mean(), 1 / (~positive).mean())
    return area + weight * (share - area)


def _share_below(others: Floats, scores: Floats) -> Floats:
    """Return the share of others that lie below each score; equal ones count half."""
    ordered = np.sort(others)
    below, not_above = (np.searchsorted(ordered, scores, side=side) for side in ("left", "right"))
    return (below + not_above) / (2 * len(ordered))


CONTRIBUTIONS: Mapping[str, Callable[[Scored], Floats]] = MappingProxyType(
    {
        "accuracy": _accuracy,
        "balanced_accuracy": _balanced_accuracy,
        "macro_f1": _macro_f1,
        "roc_auc": _roc_auc,
        "log_loss": _log_loss,
    }
)
