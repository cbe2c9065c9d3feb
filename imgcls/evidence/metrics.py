"""The metrics of a run, each with its 95 % interval or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from imgcls.errors import UsageError
from imgcls.evidence.contributions import CONTRIBUTIONS, counted_classes
from imgcls.evidence.precision import average_precision, bootstrap_interval
from imgcls.evidence.scored import Booleans, Floats, Scored, check_length, scored
from imgcls.evidence.spread import group_numbers
from imgcls.problem.metrics import PRIMARY as PRIMARY
from imgcls.problem.metrics import TITLES
from imgcls.records.estimate import Estimate

if TYPE_CHECKING:
    from imgcls.data.samples import ProblemType

FEWEST_GROUPS = 5
_Z95 = 1.959963984540054
_N_NAMES = 5
_NO_SPREAD = 1e-12


class Metric(NamedTuple):
    """What is known of a metric."""

    title: str
    """As people read it."""
    higher_is_better: bool
    """Whether larger values are better."""
    range: tuple[float, float]
    """The smallest and the largest possible value."""


class Groups(NamedTuple):
    """Which images share their luck."""

    numbers: npt.NDArray[np.intp]
    """[n] numbers 0 … G − 1."""
    n: int
    """The number of groups, G."""
    are_single: bool
    """Whether every image is a group of its own."""


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        name: Metric(title, name != "log_loss", (0.0, float("inf") if name == "log_loss" else 1.0))
        for name, title in TITLES.items()
    }
)


def evaluate(
    probabilities: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    problem: ProblemType,
    classes: Sequence[str],
    groups: Sequence[str] | None = None,
) -> dict[str, Estimate]:
    """Score predictions with every metric.

    Single-label accuracy has Wilson's interval, average precision a bootstrap's, the others
    value ± 1.96 standard errors of their contributions, within the metric's range. Where images
    come in groups the group is the unit: all intervals but the bootstrap's, accuracy's included,
    are then value ± t(G − 1) cluster-robust standard errors, and the bootstrap draws groups.

    Args:
        probabilities: [n, k], in [0, 1]; rows sum to 1 unless multi-label.
        targets: [n] class numbers; multi-label: [n, k] of 0 and 1.
        problem: `binary`, `multiclass` or `multilabel`.
        classes: The k names, for messages.
        groups: [n] names of groups; an empty name is a group of its own. None without groups.

    Returns:
        An estimate for every name in `METRICS`. What cannot be computed is None with a reason, and
        so is an interval on fewer than five groups; classes that were left out are named.

    Raises:
        UsageError: If shapes or values do not fit each other.
    """
    predictions = scored(probabilities, targets, problem=problem)
    check_length("classes", classes, n=predictions.truth.shape[1], what="columns of probabilities")
    units = _group(groups, n=predictions.n)
    return {name: _estimate(name, predictions, classes=classes, groups=units) for name in METRICS}


def majority_accuracy(targets: npt.ArrayLike) -> float:
    """Give the accuracy of always saying what is most frequent.

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
    """Give Wilson's 95 % interval of a share.

    Args:
        n_right: How many of them.
        n: How many there are, at least 1.

    Source: Wilson (1927), JASA 22, 209-212.
    """
    share, z2 = n_right / n, _Z95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 / (1 + z2 / n) * float(np.sqrt(share * (1 - share) / n + z2 / (4 * n * n)))
    return max(0.0, middle - half), min(1.0, middle + half)


def _estimate(name: str, predictions: Scored, *, classes: Sequence[str], groups: Groups) -> Estimate:
    """Score predictions with one metric."""
    counted = counted_classes(name, predictions)
    if not predictions.n:
        return Estimate.missing("no labelled images", n=0)
    if not counted.any():
        return Estimate.missing(_why_none(name, predictions, classes=classes), n=predictions.n)
    if name == "average_precision":
        value, interval, problem = _by_bootstrap(predictions, groups)
    else:
        value, interval, problem = _by_contributions(name, predictions, groups)
    low, high = interval or (None, None)
    reasons = [reason for reason in (_left_out(name, predictions, classes=classes), problem) if reason]
    return Estimate(value, low, high, predictions.n, "; ".join(reasons) or None)


def _by_bootstrap(predictions: Scored, groups: Groups) -> tuple[float, tuple[float, float] | None, str]:
    """Give average precision, its interval and why there is none."""
    value = average_precision(predictions)
    problem = _too_few(groups)
    if problem:
        return value, None, problem
    low, high = bootstrap_interval(predictions, groups.numbers)
    if high - low <= _NO_SPREAD:
        return value, None, "no interval: the images do not differ enough"
    return value, (min(low, value), max(high, value)), ""


def _by_contributions(name: str, predictions: Scored, groups: Groups) -> tuple[float, tuple[float, float] | None, str]:
    """Give a metric, its interval and why there is none."""
    each = CONTRIBUTIONS[name](predictions)
    metric = METRICS[name]
    value = float(each.mean() if metric.higher_is_better else 0.0 - each.mean())
    problem = _too_few(groups)
    if problem:
        return value, None, problem
    if name == "accuracy" and groups.are_single and not predictions.is_multilabel:
        return value, wilson_interval(int(each.sum()), predictions.n), ""
    half = _half_width(each, groups)
    if half <= _NO_SPREAD:
        return value, None, "no interval: the images do not differ"
    return value, (max(metric.range[0], value - half), min(metric.range[1], value + half)), ""


def _half_width(each: Floats, groups: Groups) -> float:
    """Half the width of the 95 % interval of a mean of contributions."""
    if groups.are_single:
        return float(_Z95 * each.std(ddof=1) / np.sqrt(len(each)))
    value = each.mean()
    summed = np.bincount(groups.numbers, weights=each - value, minlength=groups.n)
    units = value + groups.n / len(each) * summed
    return float(stdtrit(groups.n - 1, 0.975) * units.std(ddof=1) / np.sqrt(groups.n))


def _too_few(groups: Groups) -> str:
    """Say why there can be no interval at all, or nothing."""
    if groups.are_single:
        return "" if groups.n > 1 else "no interval: one image tells nothing of others"
    if groups.n >= FEWEST_GROUPS:
        return ""
    return f"no interval: {groups.n} groups, at least {FEWEST_GROUPS} are needed; use folds"


def _group(groups: Sequence[str] | None, *, n: int) -> Groups:
    """Number the groups; an image without a name of a group is one of its own."""
    if groups is not None:
        check_length("groups", groups, n=n, what="images")
    numbers = group_numbers(groups, n=n)
    return Groups(np.arange(n), n, True) if numbers is None else Groups(numbers, int(numbers.max()) + 1, False)


def _why_none(name: str, predictions: Scored, *, classes: Sequence[str]) -> str:
    """Say why no class at all can be counted."""
    present = _named(classes, np.any(predictions.truth, axis=0))
    if predictions.is_multilabel:
        return f"no label has {_needed(name, predictions)}"
    if len(present) == 1:
        return f"only one class is present: {present[0]}"
    return f"no class has {_needed(name, predictions)}"


def _left_out(name: str, predictions: Scored, *, classes: Sequence[str]) -> str:
    """Name the classes that a mean over classes leaves out, or nothing."""
    counted = counted_classes(name, predictions)
    if name in ("roc_auc", "average_precision") and len(classes) == 2 and not predictions.is_multilabel:
        return ""
    missing = _named(classes, ~counted)
    if not missing:
        return ""
    names = ", ".join(missing[:_N_NAMES]) + (", …" if len(missing) > _N_NAMES else "")
    return f"{len(missing)} of {len(classes)} classes without {_needed(name, predictions)} left out: {names}"


def _named(classes: Sequence[str], chosen: Booleans) -> list[str]:
    """Give the names of the chosen classes."""
    return [name for name, is_chosen in zip(classes, chosen.tolist(), strict=True) if is_chosen]


def _needed(name: str, predictions: Scored) -> str:
    """Say what a class must have to be counted."""
    both = name == "roc_auc" or (name == "balanced_accuracy" and predictions.is_multilabel)
    return "both positives and negatives" if both else "positives"
