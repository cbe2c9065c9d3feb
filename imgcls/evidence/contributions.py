"""Metrics as contributions of single images: their mean is the metric, their spread its uncertainty.

Accuracy, log loss, the Brier score and top-k accuracy are means already. For the others, which are
not, the contributions are infinitesimal-jackknife pseudo-values: the metric plus the image's
influence on it. For AUC their variance is DeLong's. What a metric of one's own is made of nobody
knows, so its images, or groups, are left out in turn.

Source: Efron, "The Jackknife, the Bootstrap and Other Resampling Plans" (1982), chapter 6;
DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, 837-845; Busing, Meijer and Van der
Leeden (1999), Statistics and Computing 9, on leaving out blocks of several sizes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from imgcls.config.metrics import DEFAULT_THRESHOLD, Metric, find_metric
from imgcls.errors import UsageError

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
    classes: tuple[str, ...] = ()
    """[k] names, by which a metric may choose or order them; empty where they have numbers only."""

    @property
    def problem(self) -> ProblemType:
        """The kind of problem."""
        return "multilabel" if self.is_multilabel else "binary" if self.truth.shape[1] == 2 else "multiclass"

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


def scored(
    probabilities: npt.ArrayLike, targets: npt.ArrayLike, *, problem: ProblemType, classes: Sequence[str] = ()
) -> Scored:
    """Return predictions with their targets, once both are checked.

    Args:
        probabilities: [n, k], finite, in [0, 1]; rows sum to 1 unless multi-label.
        targets: [n] class numbers from 0; multi-label: [n, k] of 0 and 1.
        problem: `binary` (k = 2), `multiclass` or `multilabel`.
        classes: [k] names; empty where classes have numbers only.

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
    if classes:
        check_length("classes", classes, n=values.shape[1], what="columns of probabilities")
    return Scored(values, truth, problem == "multilabel", tuple(classes))


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
MOST_BLOCKS = 200
"""Blocks of images that are left out in turn of a metric of the person's own: so often is it computed, once more."""
_NO_VARIANCE = 1e-12


def contributions(
    metric: str,
    probabilities: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    problem: ProblemType,
    classes: Sequence[str] = (),
    groups: npt.NDArray[np.intp] | None = None,
) -> Floats:
    """Return the contribution of every image to a metric; higher is better for all of them.

    Classes that a metric cannot be computed for are left out of its mean: see `counted_classes`.

    Args:
        metric: One of `imgcls.evidence.METRICS` with its options, or `module:function`. Of log loss the contribution is
            the logarithm of the true class's probability, that is minus the loss, in nats; so it is with every loss.
        probabilities: [n, k], in [0, 1]; rows sum to 1 unless multi-label.
        targets: [n] class numbers; multi-label: [n, k] of 0 and 1.
        problem: `binary`, `multiclass` or `multilabel`.
        classes: [k] names; empty where the metric's options give classes by their numbers.
        groups: [n] numbers 0 … G − 1 of groups of images that vary together, which a metric of one's own leaves out
            whole; None without. The others give the same with and without.

    Returns:
        [n], whose mean is the metric.

    Raises:
        UsageError: If the metric is unknown or has no contributions, or cannot be computed on these images.
    """
    known = find_metric(metric)
    if not known.has_contributions:
        raise UsageError(
            f"There are no contributions of single images to {metric!r}. Those that have: {', '.join(CONTRIBUTIONS)}."
        )
    predictions = scored(probabilities, targets, problem=problem, classes=classes)
    check_computable(known, predictions)
    return (
        _left_out_in_turn(known, predictions, groups) if known.is_own else CONTRIBUTIONS[known.name](predictions, known)
    )


def check_computable(metric: Metric, predictions: Scored) -> None:
    """Check that a metric can be computed on these images.

    Raises:
        UsageError: It is not defined for this kind of problem or these classes, or too few of them are present.
    """
    metric.check(predictions.problem, predictions.classes)
    if not predictions.n or not counted_classes(metric, predictions).any():
        raise UsageError(
            f"{metric.text} cannot be computed on these {predictions.n} images: too few classes are present."
        )


def counted_classes(metric: Metric, predictions: Scored) -> Booleans:
    """Return the classes over which the mean of a metric is taken.

    Args:
        metric: With its options.
        predictions: Probabilities and truth.

    Returns:
        [k]: all for accuracy and log loss; those with positives for macro F1, average precision
        and single-label balanced accuracy; those with positives and negatives for ROC AUC and
        multi-label balanced accuracy. Metrics of one class against the rest look at the class that
        was chosen, and with two classes at class 1 unless another is.

    Raises:
        UsageError: The class that was chosen is not there.
    """
    truth, n_classes = predictions.truth, predictions.truth.shape[1]
    has_positives: Booleans = np.any(truth, axis=0)
    has_negatives: Booleans = np.logical_not(np.all(truth, axis=0))
    both = metric.needs == "both" or (metric.name == "balanced_accuracy" and predictions.is_multilabel)
    counted = {
        "": np.ones(n_classes, dtype=bool),
        "positives": has_positives,
        "negatives": has_negatives,
        "any positives": np.full(n_classes, has_positives.any()),
        "two classes": np.full(n_classes, has_positives.sum() > 1),
        "both": has_positives & has_negatives,
    }["both" if both else metric.needs]
    chosen = metric.place_of_class(predictions.classes)
    if chosen is None and metric.is_of_one_class and predictions.problem == "binary":
        chosen = 1
    return counted if chosen is None else counted & (np.arange(n_classes) == chosen)


def _accuracy(predictions: Scored, _: Metric) -> Floats:
    """Return whether the class is right; multi-label: the share of labels that are right."""
    right = predictions.predicted == predictions.truth
    return right.mean(axis=1) if predictions.is_multilabel else right.all(axis=1).astype(np.float64)


def _log_loss(predictions: Scored, _: Metric) -> Floats:
    """Return the logarithm of the truth's probability; multi-label: its mean over the labels."""
    values, truth = predictions.probabilities, predictions.truth
    if predictions.is_multilabel:
        return np.log(np.maximum(np.where(truth, values, 1 - values), SMALLEST_PROBABILITY)).mean(axis=1)
    return np.log(np.maximum(values[truth], SMALLEST_PROBABILITY))


def _brier(predictions: Scored, _: Metric) -> Floats:
    """Return minus the squared distance of probabilities from the truth.

    Of two classes it is that of class 1, of several classes their sum, of several labels their mean.

    Source: `sklearn.metrics.brier_score_loss` with `scale_by_half="auto"`.
    """
    squares = np.square(predictions.probabilities - predictions.truth)
    if predictions.is_multilabel:
        return -squares.mean(axis=1)
    return -squares[:, 1] if predictions.problem == "binary" else -squares.sum(axis=1)


def _top_k(predictions: Scored, metric: Metric) -> Floats:
    """Return whether the true class is among the k most probable; of equal ones the first come first."""
    values, rows = predictions.probabilities, np.arange(predictions.n)
    place = predictions.truth.argmax(axis=1)
    own = values[rows, place][:, None]
    before = (values > own) | ((values == own) & (np.arange(values.shape[1]) < place[:, None]))
    return (before.sum(axis=1) < metric.number("k")).astype(np.float64)


def _macro_f1(predictions: Scored, metric: Metric) -> Floats:
    """Return the mean F1 of the classes that are present."""
    counted = counted_classes(metric, predictions)
    return f_beta(predictions.truth[:, counted], predictions.predicted[:, counted]).mean(axis=1)


def _micro_f1(predictions: Scored, metric: Metric) -> Floats:
    """Return F1 of all classes counted together; with one label an image it is accuracy."""
    if not predictions.is_multilabel:
        return _accuracy(predictions, metric)
    both = (predictions.truth & predictions.predicted).mean(axis=1)
    total = predictions.truth.mean(axis=1) + predictions.predicted.mean(axis=1)
    return _ratio(2 * both, total)


def _f_beta(predictions: Scored, metric: Metric) -> Floats:
    """Return F-beta of the class that was chosen, or its mean over the classes that are present."""
    counted = counted_classes(metric, predictions)
    truth, predicted = predictions.truth[:, counted], predictions.predicted[:, counted]
    return f_beta(truth, predicted, beta=metric.number("beta")).mean(axis=1)


def f_beta(truth: Booleans, predicted: Booleans, *, beta: float = 1.0) -> Floats:
    """Return pseudo-values of F-beta, a class in each column: recall counts beta times as much as precision.

    Args:
        truth: [n] or [n, k], which images have a class; in every column some, or some are called so.
        predicted: Likewise, which are called so.
        beta: Above 0.
    """
    true, called = truth.astype(np.float64), predicted.astype(np.float64)
    return _ratio((1 + beta**2) * true * called, beta**2 * true + called)


def _ratio(parts: Floats, of: Floats) -> Floats:
    """Return pseudo-values of the ratio of two means over the images, linearised."""
    total = of.mean(axis=0)
    value = parts.mean(axis=0) / total
    return value + (parts - value * of) / total


def _balanced_accuracy(predictions: Scored, metric: Metric) -> Floats:
    """Return the mean recall of the classes that are present; multi-label: of both sides of each label."""
    counted = counted_classes(metric, predictions)
    truth, predicted = predictions.truth[:, counted], predictions.predicted[:, counted]
    positive = share(predicted, of=truth)
    return (
        (positive + share(~predicted, of=~truth)).mean(axis=1) / 2
        if predictions.is_multilabel
        else positive.mean(axis=1)
    )


def _sensitivity(predictions: Scored, metric: Metric) -> Floats:
    """Return the share of the images that have the class which are called so, or its mean over classes."""
    counted = counted_classes(metric, predictions)
    return share(predictions.predicted[:, counted], of=predictions.truth[:, counted]).mean(axis=1)


def _specificity(predictions: Scored, metric: Metric) -> Floats:
    """Return the share of the images that have not the class which are not called so, or its mean over classes."""
    counted = counted_classes(metric, predictions)
    return share(~predictions.predicted[:, counted], of=~predictions.truth[:, counted]).mean(axis=1)


def share(hits: Booleans, *, of: Booleans) -> Floats:
    """Return pseudo-values of the share of some images that are hits, a class in each column.

    A share is the ratio r = mean(hit·member) / mean(member), so an image's pseudo-value is
    r + (hit − r)·member / mean(member).

    Args:
        hits: [n] or [n, k].
        of: Likewise, the members; there are some in every column.
    """
    part = of.mean(axis=0)
    value = (hits & of).mean(axis=0) / part
    return value + (hits - value) * of / part


def _mcc(predictions: Scored, _: Metric) -> Floats:
    """Return the correlation of truth and prediction; 0 where one class is called everywhere.

    It is cov(t, p) / √(cov(t, t)·cov(p, p)), each covariance summed over the classes.

    Source: Gorodkin (2004), Computational Biology and Chemistry 28, 367-374; `sklearn.metrics.matthews_corrcoef`.
    """
    true, called = predictions.truth.astype(np.float64), predictions.predicted.astype(np.float64)
    of_true, of_called = true.mean(axis=0), called.mean(axis=0)
    together = (true * called).sum(axis=1) - true @ of_called - called @ of_true + of_true @ of_called
    alone, answers = (1 - 2 * (side @ mean) + mean @ mean for side, mean in ((true, of_true), (called, of_called)))
    if answers.mean() <= _NO_VARIANCE:
        return np.zeros(predictions.n)
    scale = np.sqrt(alone.mean() * answers.mean())
    value = together.mean() / scale
    apart = (alone / alone.mean() + answers / answers.mean()) / 2 - 1
    return value + (together - together.mean()) / scale - value * apart


def _quadratic_kappa(predictions: Scored, metric: Metric) -> Floats:
    """Return agreement beyond chance where classes have an order: 1 − O / E.

    O is the mean squared distance of ranks between truth and prediction, E what it would be were the two independent.

    Source: Cohen (1968), Psychological Bulletin 70, 213-220; `sklearn.metrics.cohen_kappa_score`.
    """
    ranks = np.asarray(metric.ranks(predictions.classes, n=predictions.truth.shape[1]), dtype=np.float64)
    true, called = predictions.truth @ ranks, predictions.predicted @ ranks
    observed = np.square(true - called)
    expected = (
        np.square(true) + np.square(called) - 2 * (true * called.mean() + called * true.mean())
    ) + 2 * true.mean() * called.mean()
    chance = expected.mean()
    ratio = observed.mean() / chance
    return 1 - ratio - (observed - ratio * expected) / chance


def _roc_auc(predictions: Scored, metric: Metric) -> Floats:
    """Return the mean over classes of the area under one class's curve against the rest."""
    columns = np.flatnonzero(counted_classes(metric, predictions))
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


CONTRIBUTIONS: Mapping[str, Callable[[Scored, Metric], Floats]] = MappingProxyType(
    {
        "accuracy": _accuracy,
        "balanced_accuracy": _balanced_accuracy,
        "macro_f1": _macro_f1,
        "roc_auc": _roc_auc,
        "log_loss": _log_loss,
        "micro_f1": _micro_f1,
        "f_beta": _f_beta,
        "sensitivity": _sensitivity,
        "specificity": _specificity,
        "mcc": _mcc,
        "quadratic_kappa": _quadratic_kappa,
        "top_k": _top_k,
        "brier": _brier,
    }
)


def check_metric(text: str, *, problem: str, classes: Sequence[str]) -> Metric:
    """Find a metric that is defined for a kind of problem with these classes; the module of one's own is imported.

    Raises:
        UsageError: There is none, or it is not.
    """
    metric = find_metric(text)
    metric.check(problem, classes)
    if metric.is_own:
        _own_function(metric)
    return metric


def _own_function(metric: Metric) -> Callable[..., Any]:
    module, _, name = metric.name.partition(":")
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except Exception as problem:
        raise UsageError(
            f"Metric {metric.text!r} cannot be imported: {type(problem).__name__}: {problem}."
        ) from problem
    if not callable(function):
        raise UsageError(f"Metric {metric.text!r} is no function.")
    return function


def own_value(metric: Metric, predictions: Scored, rows: Booleans | slice = slice(None)) -> float:
    """Return a metric of the person's own on some images, as its function gives it.

    Args:
        metric: `module:function`; the module is imported.
        predictions: Of all images.
        rows: [n], which of them.

    Raises:
        UsageError: There is no such function, it fails, or gives no finite number.
    """
    function = _own_function(metric)
    truth, values = predictions.truth[rows], predictions.probabilities[rows].copy()  # it may change what it is given
    labels = truth.astype(np.uint8) if predictions.is_multilabel else truth.argmax(axis=1)
    try:
        value = float(function(labels, values))
    except Exception as problem:
        raise UsageError(
            f"Metric {metric.text!r} failed on {len(truth)} images: {type(problem).__name__}: {problem}."
        ) from problem
    if not np.isfinite(value):
        raise UsageError(f"Metric {metric.text!r} gave {value} on {len(truth)} images, which is no finite number.")
    return value


def metric_value(metric: str, predictions: Scored) -> float:
    """Return a metric as a gain is measured, higher is better; without contributions where they would cost more.

    Raises:
        UsageError: As `contributions`.
    """
    known = find_metric(metric)
    check_computable(known, predictions)
    if known.is_own:
        return known.signed(own_value(known, predictions))
    return float(CONTRIBUTIONS[known.name](predictions, known).mean())


def _left_out_in_turn(metric: Metric, predictions: Scored, groups: npt.NDArray[np.intp] | None) -> Floats:
    """Return contributions to a metric of the person's own: blocks of images, or of groups, are left out in turn.

    There are as many blocks as images, or groups, but 200 at the most. Leaving block j of m images out moves the metric
    by −I/(n − m), where I is what its images add together. I is divided among its u images, or groups, as I/√u each:
    then the variance of the mean over images, or groups, is that of the blocks, which is what is known.
    """
    units = np.arange(predictions.n) if groups is None else groups
    n_units = int(units.max()) + 1
    n_blocks = min(n_units, MOST_BLOCKS)
    block_of_unit = np.random.default_rng(0).permutation(n_units) % n_blocks
    blocks = block_of_unit[units]
    value = metric.signed(own_value(metric, predictions))
    if n_blocks < 2:
        return np.full(predictions.n, value)
    without = np.array([metric.signed(own_value(metric, predictions, blocks != block)) for block in range(n_blocks)])
    added = (predictions.n - np.bincount(blocks, minlength=n_blocks)) * (value - without)
    of_unit = (added / np.sqrt(np.bincount(block_of_unit, minlength=n_blocks)))[block_of_unit]
    each = of_unit[units] / np.bincount(units)[units]
    return value + each - each.mean()
