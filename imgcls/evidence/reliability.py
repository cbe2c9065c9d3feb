"""Reliability: how often predictions are right beside their confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from imgcls.evidence.contributions import Floats, Scored, scored
from imgcls.evidence.metrics import FEWEST_GROUPS, Groups, resamples
from imgcls.evidence.per_class import share_of
from imgcls.evidence.validated import Validated
from imgcls.records.run import Estimate, RunRecord

if TYPE_CHECKING:
    from imgcls.data.samples import ProblemType
    from imgcls.records.blend import BlendRecord

N_BINS = 15
"""Bins of equal width in which confidence and accuracy are compared."""
_N_SIGNS = 400


class Reliability(NamedTuple):
    """Confidence beside accuracy, in bins of equal width over [0, 1]."""

    n: npt.NDArray[np.int64]
    """[bins], how many predictions fall into each."""
    confidence: Floats
    """[bins], their mean confidence; NaN where there is none."""
    accuracy: Floats
    """[bins], the share of them that is right; NaN where there is none."""

    @property
    def error(self) -> float:
        """The expected calibration error: the mean distance of the two, each bin by its predictions."""
        known = self.n > 0
        return float((self.n[known] * np.abs(self.confidence - self.accuracy)[known]).sum() / self.n.sum())


def reliability(predictions: Scored, *, n_bins: int = N_BINS) -> Reliability:
    """Return how often predictions are right beside their confidence.

    Args:
        predictions: Of one label an image: the largest probability counts, and whether its class is right. Of several:
            every label counts, with its probability and whether it is there.
        n_bins: Bins of equal width.

    Source: Guo et al. 2017, arXiv:1706.04599, section 2.
    """
    confidence, right = _sides(predictions)
    bins = _bins(confidence.ravel(), n_bins)
    n = np.bincount(bins, minlength=n_bins)
    sums = [np.bincount(bins, weights=side.ravel(), minlength=n_bins) for side in (confidence, right)]
    means = [np.divide(total, n, out=np.full(n_bins, np.nan), where=n > 0) for total in sums]
    return Reliability(n, *means)


@dataclass(frozen=True)
class ReliabilityBin:
    """The predictions of one bin of confidence."""

    low: float
    """Where the bin begins; all are equally wide."""
    n: int
    """How many fall into it."""
    confidence: float
    """Their mean confidence."""
    accuracy: Estimate
    """The share of them that is right."""


@dataclass(frozen=True)
class ReliabilityCurve:
    """A reliability diagram as data: what is right beside what is said, bin by bin."""

    title: str
    """Whose predictions they are."""
    error: Estimate
    """The expected calibration error."""
    bins: tuple[ReliabilityBin, ...]
    """The bins that hold any, the least sure first."""

    @classmethod
    def of(
        cls,
        title: str,
        probabilities: npt.ArrayLike,
        targets: npt.ArrayLike,
        *,
        problem: ProblemType,
        groups: Sequence[str] | None = None,
    ) -> Self:
        """Make the diagram of predictions; arguments as for `calibration_error`.

        The interval of each bin is Wilson's; where images come in groups, or have several labels, it is cluster-robust.
        """
        predictions = scored(probabilities, targets, problem=problem)
        found, (confidence, right) = reliability(predictions), _sides(predictions)
        of_image = Groups.of(groups, n=predictions.n)
        entries = _entries(predictions)
        units = of_image if entries == 1 else Groups(of_image.numbers.repeat(entries), of_image.n, False)
        numbers, hits = _bins(confidence.ravel(), N_BINS), right.ravel() > 0
        bins = tuple(
            ReliabilityBin(
                low=place / N_BINS,
                n=int(found.n[place]),
                confidence=float(found.confidence[place]),
                accuracy=share_of(hits, of=numbers == place, units=units, missing="no prediction"),
            )
            for place in np.flatnonzero(found.n)
        )
        return cls(title, calibration_error(probabilities, targets, problem=problem, groups=groups), bins)

    @classmethod
    def of_record(cls, record: RunRecord | BlendRecord) -> Self:
        """Make the diagram of what a run or a blend says of validation, or out of fold.

        Raises:
            RecordError: There is nothing, or it is damaged.
        """
        images = Validated.of(record)
        return cls.of(record.label, images.probabilities, images.targets, problem=images.problem, groups=images.groups)


def calibration_error(
    probabilities: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    problem: ProblemType,
    groups: Sequence[str] | None = None,
) -> Estimate:
    """Return the expected calibration error in 15 bins of equal width, with a bootstrap interval.

    It is never negative, so that few images make it look larger than it is: the value says a little too much. Drawing
    images again (whole groups where there are groups) shows by how much, and the interval takes that off again: it is
    the basic one, twice the value less the ends of the draws. It begins at 0 where predictions that mean what they say
    would look as far off: there the sign of what each image adds is a matter of chance.

    Args:
        probabilities: [n, k], in [0, 1]; rows sum to 1 unless multi-label.
        targets: [n] class numbers; multi-label: [n, k] of 0 and 1.
        problem: `binary`, `multiclass` or `multilabel`.
        groups: [n] names of groups of images that vary together; None without.

    Source: Guo et al. 2017, arXiv:1706.04599, section 2; Efron and Tibshirani (1993), chapter 13, on intervals.
    """
    predictions = scored(probabilities, targets, problem=problem)
    if not predictions.n:
        return Estimate.missing("no labelled images", n=0)
    value = reliability(predictions).error
    units = Groups.of(groups, n=predictions.n)
    if units.n < (2 if units.are_single else FEWEST_GROUPS):
        return Estimate(value, None, None, predictions.n, "no interval: too few images or groups")
    by_bin = _excess_by_bin(predictions)
    drawn = np.concatenate(
        [
            np.abs(weights @ by_bin).sum(axis=1) / weights.sum(axis=1)
            for weights in resamples(predictions, units.numbers)
        ]
    )
    low, high = np.percentile(drawn / _entries(predictions), [2.5, 97.5])
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(_N_SIGNS, units.n))
    by_chance = np.abs(signs @ _summed(by_bin, units)).sum(axis=1) / predictions.n / _entries(predictions)
    least = 0.0 if value <= np.percentile(by_chance, 97.5) else max(0.0, float(2 * value - high))
    return Estimate(value, least, max(0.0, float(2 * value - low)), predictions.n)


def _summed(by_bin: Floats, units: Groups) -> Floats:
    """Return [units, bins], the sums over the images of each unit."""
    found = np.zeros((units.n, by_bin.shape[1]))
    np.add.at(found, units.numbers, by_bin)
    return found


def _sides(predictions: Scored) -> tuple[Floats, Floats]:
    """Return confidence and whether it was right, [n, 1], of several labels [n, k]."""
    if predictions.is_multilabel:
        return predictions.probabilities, predictions.truth.astype(np.float64)
    right = (predictions.predicted & predictions.truth).sum(axis=1)
    return predictions.probabilities.max(axis=1)[:, None], right[:, None].astype(np.float64)


def _entries(predictions: Scored) -> int:
    return predictions.truth.shape[1] if predictions.is_multilabel else 1


def _bins(confidence: Floats, n_bins: int) -> npt.NDArray[np.intp]:
    return np.minimum((confidence * n_bins).astype(np.intp), n_bins - 1)


def _excess_by_bin(predictions: Scored) -> Floats:
    """Return [n, bins], by how much each image is surer than right, in the bin of its confidence."""
    confidence, right = _sides(predictions)
    found = np.zeros((predictions.n, N_BINS))
    rows = np.broadcast_to(np.arange(predictions.n)[:, None], confidence.shape)
    np.add.at(found, (rows, _bins(confidence, N_BINS)), confidence - right)
    return found
