"""Verdicts on gains, corrected for all comparisons of a family (Holm).

| verdict | rule |
|---|---|
| cannot tell | fewer than two runs on a side (other weights), fewer than five groups or folds, one image |
| better, worse | Holm's p at most 0.05, three runs or more on both sides |
| likely better, likely worse | else p at most 0.10, that is: the 90 % interval excludes zero |
| no evidence | else |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from imgcls.errors import UsageError
from imgcls.evidence.contributions import Floats, contributions
from imgcls.evidence.gains import FEWEST_FOLDS, Gain, measure
from imgcls.evidence.metrics import FEWEST_GROUPS
from imgcls.evidence.power import RequiredSamples, minimal_detectable_gain, required_samples
from imgcls.evidence.variance import as_rows, group_numbers
from imgcls.records.run import CANNOT_TELL, Verdict

if TYPE_CHECKING:
    from imgcls.data.samples import ProblemType


SURE, LIKELY = 0.05, 0.10
FEWEST_CHANGED = 6
"""With fewer changed images chance is not ruled out even if all changed for the better: 2·0.5⁵ > 0.05."""
FEWEST_RUNS = 3
MORE_SEEDS = "seeds were added after looking"
"""Why a ladder is judged again."""
FOR_THIS_MODEL = "for this model"
"""The remark on a gain between two given models."""


@dataclass(frozen=True)
class Judged:
    """A gain with its verdict."""

    gain: Gain
    """The gain and its interval."""
    verdict: Verdict
    """The verdict."""
    holm_p: float | None
    """p corrected for all comparisons of the family; None where there can be no verdict."""
    remarks: tuple[str, ...]
    """What a reader should know beside the verdict."""
    detectable: float | None
    """The gain that would be found four times in five (80 % power); None where there can be no verdict."""
    settle: RequiredSamples | None
    """What would settle it; None where it is settled, where there can be no verdict, or where the power was enough."""

    @property
    def value(self) -> float:
        """The gain."""
        return self.gain.value

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval."""
        return self.gain.low

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval."""
        return self.gain.high

    @property
    def p(self) -> float:
        """The p of this comparison alone."""
        return self.gain.p

    def __str__(self) -> str:
        """Write it as people read it: `+0.0131 [+0.0042, +0.0214] better`."""
        notes = f" ({'; '.join(self.remarks)})" if self.remarks else ""
        interval = f" [{self.low + 0.0:+.4f}, {self.high + 0.0:+.4f}]" if self.gain.has_interval else ""
        return f"{self.value + 0.0:+.4f}{interval} {self.verdict}{notes}"


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
        groups: [images] names of groups of images that vary together, such as those of a patient; None without.
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
        metric: Chosen before looking: accuracy, macro_f1, `f_beta:beta=2` or any other of `imgcls.evidence.METRICS`
            that has contributions of single images; `class` is then a number. Or `module:function`.
        groups: [images] names of groups of images that vary together; None without.
        same_weights: Whether run s of both was predicted by the same weights.
        smallest_gain: The smallest gain of interest, in the unit of the metric (nats for log loss).

    Returns:
        As `gain`.

    Raises:
        UsageError: Shapes or values do not fit each other, or the metric cannot be computed on these images.
    """
    targets = np.asarray(labels)
    before, after = (
        contributed(metric, values, targets, name=name, groups=groups)
        for name, values in (("probabilities_a", probabilities_a), ("probabilities_b", probabilities_b))
    )
    return gain(before, after, groups, same_weights=same_weights, smallest_gain=smallest_gain)


def judge(
    gains: Sequence[Gain], *, smallest_gain: float = 0.005, n_looks: int = 1, why: str = MORE_SEEDS
) -> list[Judged]:
    """Judge the comparisons of one family.

    Args:
        gains: All comparisons that are looked at together.
        smallest_gain: The smallest gain of interest, in the metric's unit, above 0.
        n_looks: The number of interim analyses, the last one included: how often the same comparison was made with
            a growing number of seeds; the levels are divided by it.
        why: Why there are several, as the remark on it ends.

    Returns:
        A verdict for each, in their order.

    Raises:
        UsageError: The smallest gain is not above 0, or the number of interim analyses is below one.
    """
    if not smallest_gain > 0:
        raise UsageError(f"The smallest gain of interest has to be above 0, not {smallest_gain}.")
    if n_looks < 1:
        raise UsageError(f"The number of interim analyses has to be at least 1, not {n_looks}.")
    reasons = [_why_not(gain) for gain in gains]
    family = [place for place, reason in enumerate(reasons) if not reason]
    adjusted = dict(zip(family, holm([gains[place].p for place in family]), strict=True))
    return [
        Judged(gain, CANNOT_TELL, None, (reason,), None, None)
        if reason
        else _judge(gain, adjusted[place], n_family=len(family), smallest_gain=smallest_gain, n_looks=n_looks, why=why)
        for place, (gain, reason) in enumerate(zip(gains, reasons, strict=True))
    ]


def holm(values: Sequence[float]) -> list[float]:
    """Return p values corrected for all comparisons of their family.

    Args:
        values: The p of every comparison.

    Source: Holm (1979), Scandinavian Journal of Statistics 6, 65-70.
    """
    order = np.argsort(values, kind="stable")
    adjusted, largest = np.empty(len(values)), 0.0
    for place, position in enumerate(order):
        largest = max(largest, min(1.0, values[position] * (len(values) - place)))
        adjusted[position] = largest
    return adjusted.tolist()


def contributed(
    metric: str,
    probabilities: npt.ArrayLike,
    targets: npt.NDArray[np.generic],
    *,
    name: str,
    groups: Sequence[object] | npt.ArrayLike | None = None,
) -> Floats:
    """Return the contributions [runs, images] of runs to a metric.

    Args:
        metric: A name that `imgcls.evidence.contributions` takes.
        probabilities: [runs, images, classes], or [images, classes] of one run.
        targets: [images], or [images, classes].
        name: How a message names the probabilities.
        groups: [images] names of groups of images that vary together; None without.

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
    numbers, rows = group_numbers(groups, n=values.shape[1]), []
    for place, run in enumerate(values):
        try:
            rows.append(contributions(metric, run, targets, problem=problem, groups=numbers))
        except UsageError as wrong:
            raise UsageError(f"{name}, run {place}: {wrong}") from wrong
    return np.stack(rows)


def _why_not(gain: Gain) -> str:
    """Describe why there can be no verdict; empty where there can."""
    if gain.lacks_groups:
        return f"too few groups to tell: {gain.n_units}, and {FEWEST_GROUPS} are needed; use folds"
    if gain.method == "folds" and gain.n_units < FEWEST_FOLDS:
        return f"too few folds to tell: {gain.n_units}, and {FEWEST_FOLDS} are needed"
    if gain.n_units < 2:
        return "one image tells nothing of others"
    if gain.method == "these models" and not gain.same_weights:
        return "one run says nothing about seed variance: train two seeds or more"
    return ""


def _judge(gain: Gain, holm_p: float, *, n_family: int, smallest_gain: float, n_looks: int, why: str) -> Judged:
    level, likely_level = SURE / n_looks, LIKELY / n_looks
    verdict: Verdict = "no evidence"
    if not _changes_too_few(gain):
        if holm_p <= level and _has_enough_runs(gain):
            verdict = "better" if gain.value > 0 else "worse"
        elif gain.p <= likely_level:
            verdict = "likely better" if gain.value > 0 else "likely worse"
    remarks = _remarks(
        gain, verdict, holm_p=holm_p, n_family=n_family, smallest_gain=smallest_gain, n_looks=n_looks, why=why
    )
    detectable = minimal_detectable_gain(gain)
    is_settled = verdict in ("better", "worse") or gain.is_identical
    could_have_been_seen = detectable is None or detectable <= smallest_gain
    settle = None if is_settled or could_have_been_seen else required_samples(gain, smallest_gain)
    return Judged(gain, verdict, holm_p, remarks, detectable, settle)


def _remarks(
    gain: Gain, verdict: Verdict, *, holm_p: float, n_family: int, smallest_gain: float, n_looks: int, why: str
) -> tuple[str, ...]:
    if gain.is_identical:
        return ("identical",)
    level, found = SURE / n_looks, list[str]()
    if gain.method == "these models":
        found.append(FOR_THIS_MODEL)
    if _changes_too_few(gain):
        found.append(f"fewer than {FEWEST_CHANGED} images changed: {gain.n_changed}")
    elif gain.value and not gain.standard_error:
        found.append("nothing varies, so there is no variance to judge by")
    elif verdict == "no evidence" and max(abs(gain.low90), abs(gain.high90)) <= smallest_gain:
        found.append("practically equal")
    if _has_enough_runs(gain) and gain.p <= level < holm_p and not _changes_too_few(gain):
        found.append(f"would count alone, not after {n_family} comparisons")
    if holm_p <= level and not _has_enough_runs(gain) and not _changes_too_few(gain):
        found.append(f"{FEWEST_RUNS} seeds are needed for more")
    if n_looks > 1:
        found.append(f"levels divided by {n_looks}, since {why}")
    return tuple(found)


def _changes_too_few(gain: Gain) -> bool:
    """Whether weights are the same and hardly an answer changed."""
    return gain.same_weights and gain.is_accuracy and (gain.n_changed or 0) < FEWEST_CHANGED


def _has_enough_runs(gain: Gain) -> bool:
    return gain.method in ("folds", "these models") or gain.fewest_runs >= FEWEST_RUNS
