"""Scores of single classes with their intervals: how many of a class are found, and how many that are called so are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from imgcls.evidence.contributions import Booleans, Floats, Scored, area, scored
from imgcls.evidence.metrics import FEWEST_GROUPS, Groups, half_width, wilson_interval
from imgcls.records.run import Estimate, RunRecord

if TYPE_CHECKING:
    from imgcls.data.samples import ProblemType
    from imgcls.records.blend import BlendRecord


@dataclass(frozen=True)
class ClassScores:
    """What a network is worth on one class, that class against the rest."""

    name: str
    """The class."""
    n: int
    """Images that have it."""
    precision: Estimate
    """The share of the images called so that have it."""
    recall: Estimate
    """The share of the images that have it that are called so."""
    f1: Estimate
    """The harmonic mean of the two."""
    roc_auc: Estimate
    """The chance that an image that has it is ranked above one that has not."""


def class_scores(
    probabilities: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    problem: ProblemType,
    classes: Sequence[str],
    groups: Sequence[str] | None = None,
) -> tuple[ClassScores, ...]:
    """Score every class with 95 % intervals.

    Precision and recall have Wilson's interval, F1 and AUC value ± 1.96 standard errors of their pseudo-values (of AUC
    DeLong's). Where images come in groups the group is the unit: all are value ± t(G − 1) cluster-robust standard
    errors. These are several intervals at once: of twenty classes about one holds its value by chance only.

    Args:
        probabilities: [n, k], in [0, 1]; rows sum to 1 unless multi-label.
        targets: [n] class numbers; multi-label: [n, k] of 0 and 1.
        problem: `binary`, `multiclass` or `multilabel`.
        classes: The k names.
        groups: [n] names of groups of images that vary together; None without.

    Returns:
        One for each class, in their order; what cannot be computed is None with a reason.
    """
    predictions = scored(probabilities, targets, problem=problem)
    units = Groups.of(groups, n=predictions.n)
    return tuple(_scores(name, predictions, place, units) for place, name in enumerate(classes))


@dataclass(frozen=True)
class ValidationDetail:
    """What the predictions of a run or a blend in validation tell class by class, and of their confidence."""

    classes: tuple[ClassScores, ...]
    """A score sheet for each class, in their order."""
    calibration_error: Estimate
    """See `imgcls.evidence.reliability.calibration_error`."""

    @classmethod
    def of(cls, record: RunRecord | BlendRecord) -> Self:
        """Read the predictions of validation, or out of fold.

        Raises:
            RecordError: They are damaged.
        """
        from imgcls.evidence.reliability import calibration_error

        probabilities, targets, groups = validated(record)
        problem: ProblemType = record.problem  # type: ignore[assignment]
        return cls(
            class_scores(probabilities, targets, problem=problem, classes=record.classes, groups=groups),
            calibration_error(probabilities, targets, problem=problem, groups=groups),
        )


def validated(record: RunRecord | BlendRecord) -> tuple[Floats, npt.NDArray[Any], list[str] | None]:
    """Read what a run or a blend says of validation, or out of fold.

    Returns:
        [n, k] probabilities; [n] class numbers, of several labels [n, k]; and [n] names of groups, None without.

    Raises:
        RecordError: There is nothing, or it is damaged.
    """
    from imgcls.data.samples import as_targets  # loads pandas, which a list of metrics does not need

    frame = record.predictions("oof" if "oof.parquet" in record.files else "valid")
    probabilities = frame[[f"p_{name}" for name in record.classes]].to_numpy(dtype=np.float64)
    targets = as_targets(frame["label"], classes=record.classes, problem=record.problem)
    return probabilities, targets, frame["group"].tolist() if "group" in frame.columns else None


def _scores(name: str, predictions: Scored, place: int, units: Groups) -> ClassScores:
    true, called = predictions.truth[:, place], predictions.predicted[:, place]
    return ClassScores(
        name=name,
        n=int(true.sum()),
        precision=share(true, of=called, units=units, missing="never predicted"),
        recall=share(called, of=true, units=units, missing="no image has it"),
        f1=_f1(true, called, units),
        roc_auc=_auc(predictions.probabilities[:, place], true, units),
    )


def share(hits: Booleans, *, of: Booleans, units: Groups, missing: str) -> Estimate:
    """Return the share of some images that are hits too, with Wilson's interval or, of groups, the cluster-robust one.

    Args:
        hits: [n], what is counted.
        of: [n], among what.
        units: The groups of the images.
        missing: Why there is no share where there is none of them.
    """
    n = int(of.sum())
    if not n:
        return Estimate.missing(missing, n=0)
    value = float((hits & of).sum() / n)
    if units.are_single:
        return Estimate(value, *wilson_interval(int((hits & of).sum()), n), n)
    return _estimate(value + (hits - value) * of / of.mean(), n=n, units=units)


def _f1(true: Booleans, called: Booleans, units: Groups) -> Estimate:
    if not (true | called).any():
        return Estimate.missing("no image has it, and none is called so", n=0)
    total = true.mean() + called.mean()
    both = (true & called).astype(np.float64)
    value = 2 * both.mean() / total
    each = value + (2 * both - value * (true.astype(np.float64) + called)) / total
    return _estimate(each, n=int((true | called).sum()), units=units)


def _auc(scores: Floats, true: Booleans, units: Groups) -> Estimate:
    if not true.any() or true.all():
        return Estimate.missing("all images have it" if true.any() else "no image has it", n=len(true))
    return _estimate(area(scores, true), n=len(true), units=units)


def _estimate(each: Floats, *, n: int, units: Groups) -> Estimate:
    """Return the mean of pseudo-values with its interval within [0, 1]."""
    value = float(np.clip(each.mean(), 0, 1))
    if units.n < (2 if units.are_single else FEWEST_GROUPS):
        return Estimate(value, None, None, n, "no interval: too few images or groups")
    half = half_width(each, units)
    if half <= 0:
        return Estimate(value, None, None, n, "no interval: the images do not differ")
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), n)
