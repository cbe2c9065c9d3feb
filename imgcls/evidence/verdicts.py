"""Verdicts: what may be said of gains, all comparisons of a family counted.

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
from typing import Literal

import numpy as np

from imgcls.errors import UsageError
from imgcls.evidence.folds import FEWEST_FOLDS
from imgcls.evidence.gains import Gain
from imgcls.evidence.metrics import FEWEST_GROUPS
from imgcls.evidence.planner import Settle, minimal_detectable_gain, what_settles

Verdict = Literal["better", "likely better", "no evidence", "likely worse", "worse", "cannot tell"]
SURE, LIKELY = 0.05, 0.10
FEWEST_CHANGED = 6
"""With fewer changed images chance is not ruled out even if all changed for the better: 2·0.5⁵ > 0.05."""
FEWEST_RUNS = 3


@dataclass(frozen=True)
class Judged:
    """A gain with its verdict."""

    gain: Gain
    """The gain and its interval."""
    verdict: Verdict
    """What may be said."""
    holm_p: float | None
    """p with all comparisons of the family counted; None where nothing can be told."""
    remarks: tuple[str, ...]
    """What a reader should know beside the verdict."""
    detectable: float | None
    """The gain that would be found four times in five; None where nothing can be told."""
    settle: Settle | None
    """What would settle it; None where it is settled, cannot be told, or could have been seen already."""

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


def holm(values: Sequence[float]) -> list[float]:
    """Give p values with all of their family counted.

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


def judge(gains: Sequence[Gain], *, smallest_gain: float = 0.005, n_looks: int = 1) -> list[Judged]:
    """Judge the comparisons of one family.

    Args:
        gains: All comparisons that are looked at together.
        smallest_gain: The smallest gain of interest, in the metric's unit, above 0.
        n_looks: How often the same question was asked with a growing number of seeds; the levels are divided by it.

    Returns:
        A verdict for each, in their order.

    Raises:
        UsageError: The smallest gain is not above 0, or the looks are fewer than one.
    """
    if not smallest_gain > 0:
        raise UsageError(f"The smallest gain of interest has to be above 0, not {smallest_gain}.")
    if n_looks < 1:
        raise UsageError(f"The number of looks has to be at least 1, not {n_looks}.")
    reasons = [_why_not(gain) for gain in gains]
    family = [place for place, reason in enumerate(reasons) if not reason]
    adjusted = dict(zip(family, holm([gains[place].p for place in family]), strict=True))
    judged = []
    for place, (gain, reason) in enumerate(zip(gains, reasons, strict=True)):
        if reason:
            judged.append(Judged(gain, "cannot tell", None, (reason,), None, None))
        else:
            judged.append(
                _judge(gain, adjusted[place], n_family=len(family), smallest_gain=smallest_gain, n_looks=n_looks)
            )
    return judged


def _why_not(gain: Gain) -> str:
    """Say why nothing can be told, or nothing."""
    if gain.lacks_groups:
        return f"too few groups to tell: {gain.n_units}, and {FEWEST_GROUPS} are needed; use folds"
    if gain.method == "folds" and gain.n_units < FEWEST_FOLDS:
        return f"too few folds to tell: {gain.n_units}, and {FEWEST_FOLDS} are needed"
    if gain.n_units < 2:
        return "one image tells nothing of others"
    if gain.method == "these models" and not gain.same_weights:
        return "one run cannot be told from a lucky run: train two seeds or more"
    return ""


def _judge(gain: Gain, holm_p: float, *, n_family: int, smallest_gain: float, n_looks: int) -> Judged:
    sure, likely = SURE / n_looks, LIKELY / n_looks
    verdict: Verdict = "no evidence"
    if not _changes_too_few(gain):
        if holm_p <= sure and _has_enough_runs(gain):
            verdict = "better" if gain.value > 0 else "worse"
        elif gain.p <= likely:
            verdict = "likely better" if gain.value > 0 else "likely worse"
    remarks = _remarks(gain, verdict, holm_p=holm_p, n_family=n_family, smallest_gain=smallest_gain, n_looks=n_looks)
    detectable = minimal_detectable_gain(gain)
    is_settled = verdict in ("better", "worse") or gain.is_identical
    could_have_been_seen = detectable is None or detectable <= smallest_gain
    settle = None if is_settled or could_have_been_seen else what_settles(gain, smallest_gain)
    return Judged(gain, verdict, holm_p, remarks, detectable, settle)


def _changes_too_few(gain: Gain) -> bool:
    """Whether weights are the same and hardly an answer changed."""
    return gain.same_weights and gain.is_accuracy and (gain.n_changed or 0) < FEWEST_CHANGED


def _has_enough_runs(gain: Gain) -> bool:
    return gain.method in ("folds", "these models") or gain.fewest_runs >= FEWEST_RUNS


def _remarks(
    gain: Gain, verdict: Verdict, *, holm_p: float, n_family: int, smallest_gain: float, n_looks: int
) -> tuple[str, ...]:
    if gain.is_identical:
        return ("identical",)
    sure, found = SURE / n_looks, list[str]()
    if gain.method == "these models":
        found.append("for this model")
    if _changes_too_few(gain):
        found.append(f"fewer than {FEWEST_CHANGED} images changed: {gain.n_changed}")
    elif gain.value and not gain.standard_error:
        found.append("nothing varies, so luck cannot be measured")
    elif verdict == "no evidence" and max(abs(gain.low90), abs(gain.high90)) <= smallest_gain:
        found.append("practically equal")
    if _has_enough_runs(gain) and gain.p <= sure < holm_p and not _changes_too_few(gain):
        found.append(f"would count alone, not after {n_family} looks")
    if holm_p <= sure and not _has_enough_runs(gain) and not _changes_too_few(gain):
        found.append(f"{FEWEST_RUNS} seeds are needed for more")
    if n_looks > 1:
        found.append(f"levels divided by {n_looks}, since seeds were added after looking")
    return tuple(found)
