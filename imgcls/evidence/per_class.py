"""Scores of single classes with their intervals: how many of a class are found, and how many that are called so are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from imgcls.config.decision import Decision, decision_for
from imgcls.evidence.contributions import Booleans, Floats, area, f_beta, scored, share
from imgcls.evidence.metrics import FEWEST_GROUPS, Groups, half_width, wilson_interval
from imgcls.evidence.validated import Validated
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
    answers: Booleans | None = None,
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
        answers: [n, k], what is answered; None for the default.

    Returns:
        One for each class, in their order; what cannot be computed is None with a reason.
    """
    predictions = scored(probabilities, targets, problem=problem)
    units = Groups.of(groups, n=predictions.n)
    given = predictions.predicted if answers is None else answers
    return tuple(
        ClassScores(
            name=name,
            n=int(true.sum()),
            precision=share_of(true, of=called, units=units, missing="never predicted"),
            recall=share_of(called, of=true, units=units, missing="no image has it"),
            f1=_f1(true, called, units),
            roc_auc=_auc(scores, true, units),
        )
        for name, true, called, scores in zip(
            classes, predictions.truth.T, given.T, predictions.probabilities.T, strict=True
        )
    )


def least_found_first(scores: Iterable[ClassScores]) -> list[ClassScores]:
    """Return the classes by their recall, those without one at the end."""
    return sorted(scores, key=lambda one: 2.0 if one.recall.value is None else one.recall.value)


@dataclass(frozen=True)
class ValidationDetail:
    """What the predictions of a run or a blend in validation tell class by class, and of their confidence."""

    classes: tuple[ClassScores, ...]
    """A score sheet for each class, in their order."""
    calibration_error: Estimate
    """See `imgcls.evidence.reliability.calibration_error`."""
    decision: Decision
    """By which answers are given."""
    note: str = ""
    """What has to be said of the decision; "" where there is nothing to say."""
    n_unsure: int = 0
    """Images that it leaves to a person, which no score of a class counts."""

    @classmethod
    def of(cls, record: RunRecord | BlendRecord) -> Self:
        """Read the predictions of validation, or out of fold.

        Raises:
            RecordError: They are damaged.
            ProblemError: decision.toml is.
        """
        from imgcls.evidence.reliability import calibration_error

        images = Validated.of(record)
        probabilities, targets, problem, groups = images.probabilities, images.targets, images.problem, images.groups
        rule, note = decision_for(record)
        chosen, unsure = rule.answers(probabilities)
        given = images.at(np.flatnonzero(~unsure))
        return cls(
            class_scores(
                given.probabilities,
                given.targets,
                problem=problem,
                classes=images.classes,
                groups=given.groups,
                answers=chosen[~unsure],
            ),
            calibration_error(probabilities, targets, problem=problem, groups=groups),
            rule,
            note,
            int(unsure.sum()),
        )


def share_of(hits: Booleans, *, of: Booleans, units: Groups, missing: str) -> Estimate:
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
    return mean_of(share(hits, of=of), units, n=n, highest=1.0)


def _f1(true: Booleans, called: Booleans, units: Groups) -> Estimate:
    if not (true | called).any():
        return Estimate.missing("no image has it, and none is called so", n=0)
    return mean_of(f_beta(true, called), units, n=int((true | called).sum()), highest=1.0)


def _auc(scores: Floats, true: Booleans, units: Groups) -> Estimate:
    if not true.any() or true.all():
        return Estimate.missing("all images have it" if true.any() else "no image has it", n=len(true))
    return mean_of(area(scores, true), units, n=len(true), highest=1.0)


def mean_of(each: Floats, units: Groups, *, n: int | None = None, highest: float = float("inf")) -> Estimate:
    """Return the mean of contributions with its 95 % interval, between 0 and the highest that can be.

    Args:
        each: [n], one for each image.
        units: What images come in.
        n: The images that it is about, where not all are.
        highest: The highest possible value.
    """
    value, n = float(np.clip(each.mean(), 0, highest)), n or len(each)
    if units.n < (2 if units.are_single else FEWEST_GROUPS):
        return Estimate(value, None, None, n, "no interval: too few images or groups")
    half = half_width(each, units)
    if half <= 0:
        return Estimate(value, None, None, n, "no interval: the images do not differ")
    return Estimate(value, max(0.0, value - half), min(highest, value + half), n)
