"""Gains, intervals and verdicts in words, so that every view says the same of the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imgcls.evidence.gains import Gain
from imgcls.evidence.metrics import METRICS
from imgcls.evidence.planner import Settle
from imgcls.evidence.verdicts import Judged
from imgcls.records.estimate import Estimate
from imgcls.reports.text import clean, count

_SHOWN = {"likely worse": "no evidence (leans worse)"}
_STYLES = {"better": "bold green", "likely better": "green", "worse": "bold red", "cannot tell": "dim"}
_LONGEST = 48


@dataclass(frozen=True)
class Units:
    """How the numbers of a metric are written: shares as points, log loss in nats."""

    metric: str
    """The metric."""

    @property
    def title(self) -> str:
        """Give the metric as people read it."""
        return METRICS[self.metric].title

    @property
    def is_loss(self) -> bool:
        """Whether lower values are better."""
        return not METRICS[self.metric].higher_is_better

    @property
    def name(self) -> str:
        """Give the unit."""
        return "nats" if self.is_loss else "points"

    @property
    def explained(self) -> str:
        """Say what the unit is, and which way is better."""
        if self.is_loss:
            return f"{self.title} in nats, lower is better. A gain is a drop in log loss: above 0 is better."
        return f"{self.title} in points: 100 would be perfect. A gain above 0 is better."

    def score(self, value: float | None) -> str:
        """Write a score: `84.5`, or `0.4513` for log loss."""
        return "-" if value is None else f"{self._scaled(value):.{self._digits}f}"

    def scored(self, estimate: Estimate | None) -> tuple[str, str]:
        """Write a score and its interval, either of them `-` where there is none."""
        if estimate is None or estimate.value is None:
            return "-", "-"
        if estimate.low is None or estimate.high is None:
            return self.score(estimate.value), "-"
        return self.score(estimate.value), f"[{self.score(estimate.low)}, {self.score(estimate.high)}]"

    def gain(self, value: float) -> str:
        """Write a gain with its sign: `+1.3`."""
        return f"{round(self._scaled(value), self._digits) + 0.0:+.{self._digits}f}"

    def interval(self, gain: Gain | Judged) -> str:
        """Write the 95 % interval of a gain: `[+0.4, +2.1]`."""
        return self.between(gain.low, gain.high)

    def between(self, low: float, high: float) -> str:
        """Write an interval of gains by its ends."""
        return f"[{self.gain(low)}, {self.gain(high)}]"

    def amount(self, value: float) -> str:
        """Write an amount with its unit: `1.8 points`."""
        return f"{self.score(value)} {self.name}"

    @property
    def _digits(self) -> int:
        return 4 if self.is_loss else 1

    def _scaled(self, value: float) -> float:
        return value if self.is_loss else 100 * value


def verdict_text(judged: Judged) -> str:
    """Give a verdict in the four words of the interface."""
    return shown_verdict(judged.verdict)


def shown_verdict(verdict: str) -> str:
    """Give the word of a verdict as the interface has it."""
    return _SHOWN.get(verdict, verdict)


def verdict_style(judged: Judged) -> str:
    """Give the colour of a verdict."""
    return _STYLES.get(judged.verdict, "")


def is_shown(judged: Judged | None) -> bool:
    """Say whether a gain was shown, at least as likely."""
    return judged is not None and judged.verdict in ("better", "likely better")


def gain_sentence(judged: Judged, units: Units, *, over: str, subject: str = "") -> str:
    """Say a verdict as a sentence: `better than baseline, +1.3 points [+0.4, +2.1]`, with a full stop.

    Args:
        judged: The comparison.
        units: How its numbers are written.
        over: What it is compared with.
        subject: What is compared; the sentence begins with the verdict when empty.
    """
    it, begins = subject or "it", f"{subject} is " if subject else ""
    gain = f"{units.gain(judged.value)} {units.name} {units.interval(judged)}"
    notes = f" ({'; '.join(judged.remarks)})" if judged.remarks else ""
    if judged.verdict == "cannot tell":
        return f"cannot tell whether {it} differs from {over}; {'; '.join(judged.remarks)}.{_measured(judged, gain)}"
    if judged.gain.is_identical:
        return f"no evidence that {it} differs from {over}: every single answer is the same."
    if judged.verdict in ("better", "likely better", "worse"):
        return f"{begins}{judged.verdict} than {over}, {gain}{notes}."
    leans = ", but it leans worse" if judged.verdict == "likely worse" else ""
    return f"no evidence that {it} differs from {over}{leans}, {gain}{notes}."


def short_sentence(judged: Judged, units: Units) -> str:
    """Say a verdict in a few words: `better, +1.3 points [+0.4, +2.1]`, with a full stop."""
    if judged.verdict == "cannot tell":
        return "cannot tell."
    sees = ""
    if judged.verdict in ("no evidence", "likely worse") and judged.detectable is not None:
        sees = f"; it could have seen {units.amount(judged.detectable)}"
    return f"{verdict_text(judged)}, {units.gain(judged.value)} {units.name} {units.interval(judged)}{sees}."


def _measured(judged: Judged, gain: str) -> str:
    """Say what was measured where no verdict can be given."""
    if judged.gain.method == "these models":
        return f" These two models differ by {gain}; models of other seeds may differ otherwise."
    return f" Measured: {gain}."


def sight_sentences(judged: Judged, units: Units) -> list[str]:
    """Say what a comparison without a finding could have seen, and what would settle it."""
    if judged.verdict not in ("no evidence", "likely worse") or judged.gain.is_identical:
        return []
    found = []
    if judged.detectable is not None:
        found.append(f"It could have seen a gain of {units.amount(judged.detectable)}, hardly a smaller one.")
    if judged.settle is not None and (sentence := settle_sentence(judged.settle, judged.gain, units)):
        found.append(sentence)
    return found


def settle_sentence(settle: Settle, gain: Gain, units: Units) -> str:
    """Say what would settle a comparison, or nothing where it already sees enough."""
    ways = []
    if settle.n_seeds is not None and settle.n_seeds > gain.fewest_runs:
        ways.append(f"about {settle.n_seeds} seeds on these images")
    if settle.n_images is not None and settle.n_images > gain.n_units:
        unit = "groups of images" if gain.has_groups else "images"
        ways.append(f"about {_rounded(settle.n_images)} {unit} with these seeds")
    if not ways and not settle.limit:
        return ""
    text = "; ".join([", or ".join(ways)] * bool(ways) + [settle.limit] * bool(settle.limit))
    return f"To see a gain of {units.amount(settle.target)}: {text}."


def sd_sentence(judged: Judged, units: Units, *, sides: tuple[str, str]) -> str:
    """Say how much the seeds of both sides differ, or nothing where one has a single seed.

    Args:
        judged: The comparison.
        units: How its numbers are written.
        sides: What the two sides are called.
    """
    sds = judged.gain.seed_sds
    if any(math.isnan(sd) for sd in sds):
        return ""
    one, other = (units.score(sd) for sd in sds)
    return f"Seed sd: {one} for {sides[0]}, {other} for {sides[1]}."


def change_text(changes: Mapping[str, tuple[Any, Any]], *, arrow: str = "→") -> list[str]:
    """Say what a plan changes, a path an entry: `loss.smoothing 0 → 0.1`.

    Args:
        changes: Plan path → value before and value after.
        arrow: What stands between the two; `->` where the terminal has no other.
    """
    return [f"{clean(path)} {short(before)} {arrow} {short(after)}" for path, (before, after) in changes.items()]


def short(value: Any) -> str:
    """Write the value of a plan shortly: operations by their names, long texts with an ellipsis."""
    if value is None or value in ([], {}, "", ()):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(clean(str(key)) for key in value)
    if isinstance(value, list | tuple) and all(isinstance(entry, Mapping) for entry in value):
        return ", ".join(short(entry) for entry in value)
    text = clean(str(value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def scored_on(n_images: int, n_groups: int, n_folds: int | None, *, data: str) -> str:
    """Say what scores were measured on: `540 images in 9 groups of elpv, over 5 folds`.

    Args:
        n_images: Images, over all folds.
        n_groups: The groups that they come in; 0 where they stand alone.
        n_folds: The number of folds; None for one split.
        data: The name of the data set.
    """
    groups = f" in {count(n_groups, 'group')}" if n_groups else ""
    folds = f", over {count(n_folds, 'fold')}" if n_folds else ""
    return f"{count(n_images, 'image')}{groups} of {clean(data)}{folds}"


def _rounded(n: int) -> str:
    """Write a rough number with two digits that mean something."""
    size = 10 ** max(0, len(str(n)) - 2)
    return f"{-(-n // size) * size:,}"
