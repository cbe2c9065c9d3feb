"""Metrics of a run with their 95 % intervals, its most confident mistakes, and a trivial answer to hold it against."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from imgcls.config.decision import Decision, decision_for
from imgcls.config.metrics import RECORDED, Metric, decided_by, find_metric
from imgcls.errors import ProblemError, UsageError
from imgcls.evidence.contributions import (
    Booleans,
    Floats,
    Scored,
    check_length,
    contributions,
    counted_classes,
    scored,
)
from imgcls.evidence.validated import Validated
from imgcls.evidence.variance import by_group, group_numbers
from imgcls.records.run import Estimate, RunRecord

if TYPE_CHECKING:
    from imgcls.data.samples import ProblemType
    from imgcls.records.blend import BlendRecord


N_RESAMPLES = 1000
_FEWEST_RESAMPLES = 100
# About two seconds of work and 32 MB of memory on one core.
_MOST_CELLS = 200_000_000
_CELLS_AT_ONCE = 4_000_000
FEWEST_GROUPS = 5
SHARES = ("accuracy", "micro_f1", "top_k")
"""Metrics that are a share of right images, where an image has one label."""
_Z95 = 1.959963984540054
_N_NAMES = 5
_NO_SPREAD = 1e-12


class Groups(NamedTuple):
    """Groups of images that vary together."""

    numbers: npt.NDArray[np.intp]
    """[n] numbers 0 … G − 1."""
    n: int
    """The number of groups, G."""
    are_single: bool
    """Whether every image is a group of its own."""

    @classmethod
    def of(cls, names: Sequence[str] | None, *, n: int) -> Groups:
        """Number the groups of n images; without names every image is one of its own."""
        numbers = group_numbers(names, n=n)
        return cls(np.arange(n), n, True) if numbers is None else cls(numbers, int(numbers.max()) + 1, False)


@dataclass(frozen=True)
class Mistake:
    """One image on which the network is confident of the wrong answer."""

    id: str
    """The sample's id."""
    label: str
    """Its label; classes joined by "|" where it has several."""
    predicted: str
    """What the network predicts; for several labels, the class it is most wrong about."""
    confidence: float
    """The confidence in the wrong answer, in [0, 1]."""


@dataclass(frozen=True)
class Trivial:
    """How a run stands against the answer that needs no photograph."""

    name: str
    """What that answer is."""
    metric: str
    """The metric in which the two are compared."""
    value: float
    """What that answer scores."""
    verdict: str
    """`better`, `no better`, or `cannot tell`."""


def evaluate(
    probabilities: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    problem: ProblemType,
    classes: Sequence[str],
    groups: Sequence[str] | None = None,
    metrics: Sequence[str] = RECORDED,
) -> dict[str, Estimate]:
    """Score predictions with the metrics that records keep, or with others.

    Shares of images, such as single-label accuracy, have Wilson's interval, what has no contributions
    of single images a bootstrap's, the others value ± 1.96 standard errors of their contributions,
    within the metric's range. Where images
    come in groups the group is the unit: all intervals but the bootstrap's, accuracy's included,
    are then value ± t(G − 1) cluster-robust standard errors, and the bootstrap draws groups.

    Args:
        probabilities: [n, k], in [0, 1]; rows sum to 1 unless multi-label.
        targets: [n] class numbers; multi-label: [n, k] of 0 and 1.
        problem: `binary`, `multiclass` or `multilabel`.
        classes: The k names, for messages.
        groups: [n] names of groups; an empty name is a group of its own. None without groups.
        metrics: What is computed: `accuracy`, `f_beta:beta=2`, `module:function`; see `imgcls.evidence.METRICS`.

    Returns:
        An estimate for each, by name. What cannot be computed is None with a reason, and
        so is an interval on fewer than five groups; classes that were left out are named.

    Raises:
        UsageError: If shapes or values do not fit each other, or there is no such metric.
    """
    predictions = scored(probabilities, targets, problem=problem)
    check_length("classes", classes, n=predictions.truth.shape[1], what="columns of probabilities")
    predictions = replace(predictions, classes=tuple(classes))
    if groups is not None:
        check_length("groups", groups, n=predictions.n, what="images")
    units = Groups.of(groups, n=predictions.n)
    return {
        metric.text: _estimate(metric, predictions, groups=units) for metric in map(find_metric, dict.fromkeys(metrics))
    }


def estimate_of(record: RunRecord | BlendRecord, metric: str) -> Estimate:
    """Return a metric of a record on validation, or out of fold; from its predictions where it does not keep it.

    Raises:
        UsageError: There is no such metric, or the predictions are damaged.
    """
    text = find_metric(metric).text
    return record.metrics[text] if text in record.metrics else estimates_of(record, [text])[text]


def estimates_of(record: RunRecord | BlendRecord, metrics: Sequence[str]) -> dict[str, Estimate]:
    """Return metrics of the predictions of a record on validation, or out of fold.

    Raises:
        UsageError: There is no such metric, or the predictions are damaged.
    """
    images = Validated.of(record)
    return evaluate(
        images.probabilities,
        images.targets,
        problem=images.problem,
        classes=images.classes,
        groups=images.groups,
        metrics=metrics,
    )


def majority_accuracy(targets: npt.ArrayLike) -> float:
    """Return the accuracy of always predicting the most frequent class.

    Args:
        targets: [n] class numbers; multi-label: [n, k] of 0 and 1, and then the mean over the labels.

    Raises:
        UsageError: If there are no targets.
    """
    labels = np.asarray(targets)
    if labels.size == 0:
        raise UsageError("The accuracy of the most frequent class needs at least one labelled image.")
    if labels.ndim == 2:
        share = labels.mean(axis=0)
        return float(np.maximum(share, 1 - share).mean())
    return float(np.unique(labels, return_counts=True)[1].max() / len(labels))


def wilson_interval(n_right: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share.

    Args:
        n_right: How many of them.
        n: How many there are, at least 1.

    Source: Wilson (1927), JASA 22, 209-212.
    """
    share, z2 = n_right / n, _Z95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 / (1 + z2 / n) * float(np.sqrt(share * (1 - share) / n + z2 / (4 * n * n)))
    return max(0.0, centre - half), min(1.0, centre + half)


def confident_mistakes(
    ids: Sequence[str],
    predictions: Scored,
    *,
    classes: Sequence[str],
    labels: Sequence[str],
    answers: Booleans | None = None,
    most: int = 5,
) -> list[Mistake]:
    """Find the most confident mistakes.

    Args:
        ids: [n] names.
        predictions: Of the n images.
        classes: [k] names.
        labels: [n], as they are shown.
        answers: [n, k], what is answered; None for the default.
        most: How many at the most.

    Returns:
        The most confident first; ties in the order of the samples.
    """
    given = predictions.predicted if answers is None else answers
    errors = np.where(given & ~predictions.truth, predictions.probabilities, -1.0)
    if predictions.is_multilabel:
        errors = np.where(predictions.truth & ~given, 1 - predictions.probabilities, errors)
    worst, confidence = errors.argmax(axis=1), errors.max(axis=1)
    order = [row for row in np.argsort(-confidence, kind="stable") if confidence[row] >= 0][:most]
    return [
        Mistake(
            ids[row],
            labels[row],
            f"{'' if given[row, worst[row]] else 'no '}{classes[worst[row]]}",
            float(confidence[row]),
        )
        for row in order
    ]


def against_trivial(
    metrics: Mapping[str, Estimate],
    targets: npt.NDArray[np.integer],
    *,
    classes: Sequence[str],
    metric: str | None = None,
) -> Trivial | None:
    """Compare a run with always predicting the most frequent class, or with ranking at random.

    Args:
        metrics: The run's estimates by name.
        targets: [n] class numbers, or [n, k] of 0 and 1, of the same images.
        classes: [k] names.
        metric: What decides: accuracy says little of one that ranks, see `decided_by`. None for that of the problem.

    Returns:
        The comparison; None where the run's own score could not be computed.
    """
    kind = "multilabel" if targets.ndim == 2 else "binary" if len(classes) == 2 else "multiclass"
    judged = decided_by(metric, kind, known=[name for name, one in metrics.items() if one.low is not None])
    if judged == "roc_auc":
        name, value = "ranking at random", 0.5
    else:
        most = classes[int(np.bincount(targets, minlength=len(classes)).argmax())]
        name, value = f"always saying {most!r}", majority_accuracy(targets)
    scored = metrics.get(judged)
    if scored is None or scored.value is None:
        return None
    if scored.low is None or scored.low <= value < scored.value:
        verdict = "cannot tell"
    else:
        verdict = "better" if scored.low > value else "no better"
    return Trivial(name, judged, value, verdict)


def only_class(
    probabilities: npt.NDArray[np.float64], targets: npt.NDArray[np.integer], *, classes: Sequence[str]
) -> str | None:
    """Return the one class that is predicted for every image, though others occur; None where there are several.

    Args:
        probabilities: [n, k].
        targets: [n] class numbers, −1 for unknown; with several labels [n, k], and the answer is None.
        classes: [k] names.
    """
    if targets.ndim != 1 or len(set(targets[targets >= 0].tolist())) < 2:
        return None
    named = set(probabilities.argmax(axis=1).tolist())
    return classes[named.pop()] if len(named) == 1 else None


@dataclass(frozen=True)
class ValidationSummary:
    """What the predictions of a run in validation tell beyond its metrics."""

    mistakes: tuple[Mistake, ...]
    """The most confident mistakes, the most confident first."""
    trivial: Trivial | None
    """How the run stands against the answer that needs no photograph; None where its score could not be computed."""
    only_class: str | None = None
    """The one class that it names for every photograph, though others occur: it collapsed; else None."""

    @classmethod
    def of(cls, record: RunRecord, *, metric: str | None = None) -> Self:
        """Read the predictions of a run, and find both; arguments as for `against_trivial`."""
        images = Validated.of(record)
        try:
            rule, _ = decision_for(record)
        except ProblemError:  # a training is done, whatever is wrong with a file beside it
            rule = Decision.default(record.problem, record.classes)
        answers = rule.answers(images.probabilities)
        given = images.at(np.flatnonzero(~answers.unsure))
        mistakes = confident_mistakes(
            given.ids,
            given.scored,
            classes=record.classes,
            labels=given.labels,
            answers=answers.chosen[~answers.unsure],
        )
        trivial = against_trivial(record.metrics, images.targets, classes=record.classes, metric=metric)
        return cls(tuple(mistakes), trivial, only_class(images.probabilities, images.targets, classes=record.classes))


def _estimate(metric: Metric, predictions: Scored, *, groups: Groups) -> Estimate:
    """Return one metric of predictions."""
    if not predictions.n:
        return Estimate.missing("no labelled images", n=0)
    try:
        metric.check(predictions.problem, predictions.classes)
        counted = counted_classes(metric, predictions)
    except UsageError as problem:
        return Estimate.missing(str(problem).rstrip("."), n=predictions.n)
    if not counted.any():
        return Estimate.missing(_why_none(metric, predictions), n=predictions.n)
    if metric.name == "calibration_error":
        from imgcls.evidence.reliability import calibration_error  # it is made of parts of this module

        names = None if groups.are_single else [str(number) for number in groups.numbers]
        return calibration_error(
            predictions.probabilities, _targets(predictions), problem=predictions.problem, groups=names
        )
    compute = _by_contributions if metric.has_contributions else _by_bootstrap
    try:
        value, interval, why_none = compute(metric, predictions, groups)
    except UsageError as problem:  # a metric of the person's own failed
        return Estimate.missing(str(problem).rstrip("."), n=predictions.n)
    low, high = interval or (None, None)
    reasons = [reason for reason in (_left_out(metric, predictions), why_none) if reason]
    return Estimate(value, low, high, predictions.n, "; ".join(reasons) or None)


def _targets(predictions: Scored) -> npt.NDArray[np.generic]:
    """Return the truth as [n] class numbers; multi-label: [n, k]."""
    return predictions.truth if predictions.is_multilabel else predictions.truth.argmax(axis=1)


def _by_bootstrap(metric: Metric, predictions: Scored, groups: Groups) -> tuple[float, tuple[float, float] | None, str]:
    """Return a metric of the curve of precision and recall with its interval, or with the reason why there is none.

    The interval is the percentiles' over resampled images or groups. A class without positives in a resample is left
    out of that resample's mean. The draws are fixed. There are 1000, fewer (100 at least) beyond 200,000 images ×
    classes.
    """
    value = float(_on_curves(metric, predictions, np.ones((1, predictions.n)))[0])
    problem = _too_few(groups)
    if problem:
        return value, None, problem
    drawn = [_on_curves(metric, predictions, weights) for weights in resamples(predictions, groups.numbers)]
    values = np.concatenate(drawn)
    low, high = (float(end) for end in np.percentile(values[np.isfinite(values)], [2.5, 97.5]))
    if high - low <= _NO_SPREAD:
        return value, None, "no interval: the images do not differ enough"
    return value, (min(low, value), max(high, value)), ""


def _by_contributions(
    metric: Metric, predictions: Scored, groups: Groups
) -> tuple[float, tuple[float, float] | None, str]:
    """Return a metric with its interval, or with the reason why there is none."""
    each = contributions(
        metric.text,
        predictions.probabilities,
        _targets(predictions),
        problem=predictions.problem,
        classes=predictions.classes,
        groups=None if groups.are_single else groups.numbers,
    )
    value = float(metric.signed(each.mean()))
    problem = _too_few(groups)
    if problem:
        return value, None, problem
    if groups.are_single and (counts := _counts(metric, predictions, each)):
        return value, wilson_interval(*counts), ""
    half = half_width(each, groups)
    if half <= _NO_SPREAD:
        return value, None, "no interval: the images do not differ"
    return value, (max(metric.range[0], value - half), min(metric.range[1], value + half)), ""


def _counts(metric: Metric, predictions: Scored, each: Floats) -> tuple[int, int] | None:
    """Return how many images of how many, where a metric is such a share; else None."""
    if metric.name in ("sensitivity", "specificity"):
        columns = np.flatnonzero(counted_classes(metric, predictions))
        if len(columns) > 1:
            return None
        members, called = (side[:, columns[0]] for side in (predictions.truth, predictions.predicted))
        if metric.name == "specificity":
            members, called = ~members, ~called
        return int((members & called).sum()), int(members.sum())
    is_share = metric.name in SHARES and not predictions.is_multilabel
    return (int(each.sum()), predictions.n) if is_share else None


def half_width(each: Floats, groups: Groups) -> float:
    """Return half the width of the 95 % interval of a mean of contributions.

    Args:
        each: [n], one for each image.
        groups: What they come in.
    """
    if groups.are_single:
        return float(_Z95 * each.std(ddof=1) / np.sqrt(len(each)))
    units = by_group(each[None], groups.numbers)[0]
    return float(stdtrit(groups.n - 1, 0.975) * units.std(ddof=1) / np.sqrt(groups.n))


def _too_few(groups: Groups) -> str:
    """Describe why there can be no interval at all; empty where there can."""
    if groups.are_single:
        return "" if groups.n > 1 else "no interval: one image tells nothing of others"
    if groups.n >= FEWEST_GROUPS:
        return ""
    return f"no interval: {groups.n} groups, at least {FEWEST_GROUPS} are needed; use folds"


def _why_none(metric: Metric, predictions: Scored) -> str:
    """Describe why no class at all can be counted."""
    present = _named(predictions.classes, np.any(predictions.truth, axis=0))
    if not predictions.is_multilabel and len(present) == 1:
        return f"only one class is present: {present[0]}"
    if "class" in metric.options:
        return f"{metric.options['class']} lacks {_needed(metric, predictions)}"
    return f"no {'label' if predictions.is_multilabel else 'class'} has {_needed(metric, predictions)}"


def _left_out(metric: Metric, predictions: Scored) -> str:
    """Name the classes that a mean over classes leaves out, or the one it is of where nobody said; else empty."""
    is_binary = metric.is_of_one_class and predictions.problem == "binary"
    if is_binary and "class" not in metric.options and metric.name not in RECORDED:
        return f"of {predictions.classes[1]}"
    missing = _named(predictions.classes, ~counted_classes(metric, predictions))
    if is_binary or "class" in metric.options or not missing:
        return ""
    names = ", ".join(missing[:_N_NAMES]) + (", …" if len(missing) > _N_NAMES else "")
    n_classes = len(predictions.classes)
    return f"{len(missing)} of {n_classes} classes without {_needed(metric, predictions)} left out: {names}"


def _named(classes: Sequence[str], chosen: Booleans) -> list[str]:
    """Return the names of the chosen classes."""
    return [name for name, is_chosen in zip(classes, chosen.tolist(), strict=True) if is_chosen]


def _needed(metric: Metric, predictions: Scored) -> str:
    """Describe what a class must have to be counted."""
    both = metric.needs == "both" or (metric.name == "balanced_accuracy" and predictions.is_multilabel)
    return "both positives and negatives" if both else "negatives" if metric.needs == "negatives" else "positives"


def _on_curves(metric: Metric, predictions: Scored, weights: Floats) -> Floats:
    """Return the mean over classes of a metric of the curve of precision and recall, for every row of weights.

    It is NaN where no class has a positive.

    Source: `sklearn.metrics.average_precision_score`, `sklearn.metrics.precision_recall_curve`.
    """
    of_curve = _OF_CURVE[metric.name]
    total, n_classes = np.zeros(len(weights)), np.zeros(len(weights))
    for column in np.flatnonzero(counted_classes(metric, predictions)):
        curve = _curve(predictions.probabilities[:, column], predictions.truth[:, column], weights)
        present = curve.n_positives > 0
        total[present] += of_curve(curve, metric)[present]
        n_classes += present
    return np.divide(total, n_classes, out=np.full(len(weights), np.nan), where=n_classes > 0)


class _Curve(NamedTuple):
    """Precision and recall of one class where its positives lie, the most probable first, for every row of weights."""

    own: Floats
    """[rows, positives], the weights of the positives."""
    precision: Floats
    """[rows, positives], of the images with at least the score of each, ties included."""
    recall: Floats
    """[rows, positives], likewise."""
    n_positives: Floats
    """[rows], the weight of all positives."""


def _curve(scores: Floats, positive: Booleans, weights: Floats) -> _Curve:
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
    n_positives = own.sum(axis=1)
    recall = np.divide(hits, n_positives[:, None], out=np.zeros_like(hits), where=n_positives[:, None] > 0)
    return _Curve(own, precision, recall, n_positives)


def _average_precision(curve: _Curve, _: Metric) -> Floats:
    """Return the mean precision at the positives, without interpolation."""
    total = (curve.own * curve.precision).sum(axis=1)
    return np.divide(total, curve.n_positives, out=np.zeros_like(total), where=curve.n_positives > 0)


def _recall_at_precision(curve: _Curve, metric: Metric) -> Floats:
    """Return the highest recall of a threshold at which precision is high enough; 0 where there is none."""
    return np.where(curve.precision >= metric.number("precision"), curve.recall, 0.0).max(axis=1)


def _precision_at_recall(curve: _Curve, metric: Metric) -> Floats:
    """Return the highest precision of a threshold at which recall is high enough."""
    return np.where(curve.recall >= metric.number("recall"), curve.precision, 0.0).max(axis=1)


_OF_CURVE: Mapping[str, Callable[[_Curve, Metric], Floats]] = MappingProxyType(
    {
        "average_precision": _average_precision,
        "recall_at_precision": _recall_at_precision,
        "precision_at_recall": _precision_at_recall,
    }
)


def resamples(predictions: Scored, groups: npt.NDArray[np.intp]) -> Iterator[Floats]:
    """Yield [resamples, n] counts of how often each image was drawn, a block at a time; the draws are fixed.

    Args:
        predictions: What is drawn from.
        groups: [n] numbers 0 … G − 1, which are drawn whole.
    """
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
