"""Verdicts in plain words, and the numbers in them: the only wording."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imgcls.evidence.gains import Gain
from imgcls.evidence.metrics import METRICS
from imgcls.evidence.power import RequiredSamples
from imgcls.evidence.verdicts import Judged
from imgcls.ladders.judge import LadderResult, RungResult
from imgcls.records.run import GAINS, Estimate
from imgcls.reports.console import count
from imgcls.text import clean, duration

_SAME_TIME_SECONDS = 3.0
_LONGEST_VALUE = 120
_TITLES = {
    "better": "Helped",
    "likely better": "Probably helped",
    "no evidence": "No evidence either way",
    "worse": "Made it worse",
    "cannot tell": "Cannot be told",
}


@dataclass(frozen=True)
class Units:
    """How the numbers of one metric are written."""

    metric: str
    """The metric."""

    @property
    def is_nats(self) -> bool:
        """Whether gains are in nats; otherwise they are in points, hundredths of the metric."""
        return self.metric == "log_loss"

    @property
    def word(self) -> str:
        """Return the unit of gains."""
        return "nats" if self.is_nats else "points"

    def bare(self, value: float) -> str:
        """Return a gain without its unit: `+2.3`."""
        text = f"{value:+.3f}" if self.is_nats else f"{100 * value:+.1f}"
        return text.replace("-", "\N{MINUS SIGN}") if float(text) else text.lstrip("+-")

    def gain(self, value: float) -> str:
        """Return a gain: `+2.3 points`."""
        return f"{self.bare(value)} {self.word}"

    def size(self, value: float) -> str:
        """Return a gain without its sign: `2.3 points`."""
        return f"{value:.3f} nats" if self.is_nats else f"{100 * value:.1f} points"

    def interval(self, low: float, high: float) -> str:
        """Return the interval of a gain: `+0.8 to +3.8`."""
        return f"{self.bare(low)} to {self.bare(high)}"

    def score(self, value: float | None) -> str:
        """Return a score; accuracy in percent."""
        if value is None:
            return "\N{EN DASH}"
        return f"{100 * value:.1f} %" if self.metric == "accuracy" else f"{value:.3f}"

    def score_interval(self, estimate: Estimate) -> str:
        """Return the interval of a score, or nothing where there is none."""
        if estimate.low is None or estimate.high is None:
            return ""
        if self.metric == "accuracy":
            return f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f} %"
        return f"{estimate.low:.3f} to {estimate.high:.3f}"

    def spread(self, value: float | None) -> str:
        """Return a standard deviation in the unit of gains."""
        if value is None:
            return "\N{EN DASH}"
        return f"{value:.4f}" if self.is_nats else f"{100 * value:.2f}"


@dataclass(frozen=True)
class Line:
    """One rung in a sentence."""

    label: str
    """The rung; a name from a person, to be shown as such."""
    text: str
    """What is said of it."""


@dataclass(frozen=True)
class Group:
    """The rungs with the same verdict."""

    verdict: str
    """The verdict as it is shown."""
    title: str
    """The verdict as a heading."""
    lines: tuple[Line, ...]
    """The rungs, lowest first."""


def shown_verdict(judged: Judged | None) -> str:
    """Return the verdict as people read it; what leans worse is no evidence all the same."""
    if judged is None:
        return ""
    return "no evidence (leans worse)" if judged.verdict == "likely worse" else judged.verdict


def minutes(seconds: float | None) -> str:
    """Return minutes with a digit that matters."""
    if seconds is None:
        return "\N{EN DASH}"
    value = seconds / 60
    text = f"{value:.1f}" if abs(value) >= 0.1 else f"{value:.2f}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text) else text.lstrip("-")


def cost(rung: RungResult) -> str:
    """Describe what a rung costs in time beside the one it is compared with; nothing where that is about the same."""
    extra = rung.extra_seconds
    if extra is None:
        return ""
    if abs(extra) < _SAME_TIME_SECONDS:
        return ""
    return f"at {minutes(abs(extra))} minutes {'more' if extra > 0 else 'less'} per training"


def gain_text(judged: Judged, units: Units) -> str:
    """Return a gain with its interval: `+2.3 points (95 % interval +0.8 to +3.8)`."""
    return f"{units.gain(judged.value)} (95 % interval {units.interval(judged.low, judged.high)})"


def verdict_groups(result: LadderResult) -> tuple[Group, ...]:
    """Sort the rungs by verdict, what helped first, each with its gain and its cost."""
    units = Units(result.ladder.metric)
    lines: dict[str, list[Line]] = {}
    for rung in result.rungs:
        if rung.step is not None:
            known = "no evidence" if rung.step.verdict == "likely worse" else rung.step.verdict
            lines.setdefault(known, []).append(Line(recipe_label(rung, result), _short(rung, rung.step, units)))
    return tuple(Group(verdict, title, tuple(lines[verdict])) for verdict, title in _TITLES.items() if verdict in lines)


def recipe_label(rung: RungResult, result: LadderResult) -> str:
    """Name what a rung says something about: the recipe it adds, or the ones it leaves out."""
    if result.ladder.kind == "ablate" and rung.plan.recipes:
        return " and ".join(rung.plan.recipes)
    return rung.plan.label


def _short(rung: RungResult, judged: Judged, units: Units) -> str:
    said = [gain_text(judged, units)]
    if judged.verdict == "likely worse":
        said.append("leans worse")
    if judged.verdict not in ("no evidence", "cannot tell") and judged.gain.method == "these models":
        said.append("shown for this one model only")
    if judged.verdict in ("no evidence", "likely worse") and judged.detectable is not None:
        said.append(f"only a gain of about {units.size(judged.detectable)} or more was likely to be found")
    if judged.verdict == "cannot tell":
        return f"{said[0]}; {'; '.join(judged.remarks)}"
    return ", ".join([*said, cost(rung)] if cost(rung) else said)


def verdict_sentences(judged: Judged, *, units: Units, than: str) -> tuple[str, ...]:
    """Describe what a verdict means, what could have been found, and what would settle it.

    Args:
        judged: A gain and its verdict.
        units: Of the metric.
        than: What it is compared with, such as `the rung below`.
    """
    gain = judged.gain
    said = [f"{units.gain(gain.value)} against {than}, 95 % interval {units.interval(gain.low, gain.high)}."]
    said.append(_MEANINGS[judged.verdict].format(than=than))
    if judged.verdict in ("no evidence", "likely worse") and judged.detectable is not None:
        said.append(
            f"A true gain of about {units.size(judged.detectable)} would have been found four times in five "
            "(the minimal detectable gain); a smaller one can easily hide."
        )
    if judged.settle is not None and judged.verdict != "likely better":
        said.append(settle_sentence(judged.settle, units, has_groups=gain.has_groups))
    if judged.remarks:
        remarks = "; ".join(judged.remarks)
        said.append(f"{remarks[0].upper()}{remarks[1:]}.")
    return tuple(said)


_MEANINGS = {
    "better": "Better: luck of seeds and photographs is an unlikely explanation.",
    "likely better": "Likely better: luck could still explain it, if not easily (the 90 % interval, which is narrower, "
    "leaves zero out).",
    "no evidence": "No evidence either way.",
    "likely worse": "No evidence of a gain; what there is leans towards worse.",
    "worse": "Worse: luck of seeds and photographs is an unlikely explanation.",
    "cannot tell": "Cannot tell.",
}


def settle_sentence(settle: RequiredSamples, units: Units, *, has_groups: bool) -> str:
    """Say about what it would take to find the smallest gain of interest."""
    what = "groups of photographs" if has_groups else "validation photographs"
    ways = [f"about {settle.n_seeds} seeds a rung"] if settle.n_seeds else []
    ways += [f"about {settle.n_images:,} {what}"] if settle.n_images else []
    goal = f"To find a gain of {units.size(settle.target)}, the smallest of interest here"
    limit = f"{settle.limit[0].upper()}{settle.limit[1:]}." if settle.limit else ""
    if not ways:
        return f"{goal}: {limit[0].lower()}{limit[1:]}" if limit else ""
    return " ".join([f"{goal}, would take {' or '.join(ways)}.", *([limit] if limit and len(ways) < 2 else [])])


def settle_short(judged: Judged | None, units: Units) -> str:
    """Describe in a few words what a comparison was able to find; nothing where it found something."""
    if judged is None or judged.detectable is None or judged.verdict not in ("no evidence", "likely worse"):
        return ""
    return f"could find {units.size(judged.detectable)}"


def passengers(result: LadderResult) -> tuple[str, ...]:
    """Name the recipes in the incumbent that have shown no gain of their own."""
    if result.ladder.kind == "ablate":
        return ()
    inside = result.rungs[1 : result.incumbent + 1]
    return tuple(rung.plan.label for rung in inside if not (rung.step and rung.step.verdict in GAINS))


def title(result: LadderResult) -> str:
    """Return the title of a page: what was asked."""
    what = "Which recipes help" if result.ladder.kind == "climb" else "What each recipe is worth"
    return f"{what} on {result.ladder.data_name}"


def how_to_read(result: LadderResult) -> tuple[str, ...]:
    """Describe in a few sentences how the numbers came about and what they mean."""
    units = Units(result.ladder.metric)
    point = "" if units.is_nats else f" A point is one hundredth of {metric_name(result)}: from 0.80 to 0.81."
    folds = (
        "Here the photographs took turns in validating (folds), so that the interval comes from how the gain differs "
        "between folds, widened because folds share their training photographs (Nadeau and Bengio)."
    )
    sums = (
        "The interval adds the two up, with a wide allowance for the few seeds (Student's t) and the usual 1.96 for "
        "the many photographs, and is never narrower than the luck of the photographs alone."
    )
    return (
        "Every stack of recipes was trained with several seeds, which are random beginnings, and all runs were scored "
        "on the same photographs. So a gain can be luck of the seeds or luck of the photographs.",
        "Both are measured in these very runs: how far the seeds of one stack disagree, and how much the gain differs "
        f"from photograph to photograph.{point}",
        folds if result.ladder.n_folds is not None else sums,
        "“Better” means: had the two stacks been equally good, a gap this large would turn up in at most 5 % of "
        "ladders, all rungs counted (Holm). “Likely better” is the weaker level of 10 % for one rung alone.",
        "With one seed nobody can tell a recipe from a lucky run. Then the page says “cannot tell”, and only shows how "
        "those two models differ.",
        "“No evidence” does not mean “no gain”. Beside it stands the gain that a ladder like this one finds four times "
        "in five; a smaller one may well be there, unseen.",
    )


def data_sentence(result: LadderResult) -> str:
    """Describe what the problem is and how much data there is, without names."""
    kind = {
        "binary": "Each photograph belongs to one of two classes",
        "multiclass": f"Each photograph belongs to one of {len(result.classes)} classes",
        "multilabel": f"Each photograph may carry any of {len(result.classes)} labels",
    }[result.problem]
    ladder = result.ladder
    if ladder.n_folds is None:
        shares = f"{result.n_train:,} photographs train, {result.n_images:,} others validate"
    else:
        shares = f"{result.n_images:,} photographs take turns in validating, in {ladder.n_folds} folds"
    groups = f"; those come in {result.n_groups:,} groups, which are never torn apart" if result.n_groups else ""
    return f"{kind}. {shares[0].upper()}{shares[1:]}{groups}."


def metric_name(result: LadderResult) -> str:
    """Return the metric as it stands inside a sentence."""
    name = result.metric_title
    return name if name[:3].isupper() else name[0].lower() + name[1:]


def time_sentence(result: LadderResult) -> str:
    """Describe what a training of the incumbent takes beside one of the base."""
    base, used = result.rungs[0].seconds, result.rungs[result.incumbent].seconds
    if base is None or used is None:
        return ""
    if abs(used - base) < _SAME_TIME_SECONDS:
        return f"Both take about {minutes(used)} minutes per training."
    return f"A training takes {minutes(used)} minutes, against {minutes(base)}."


def state_sentence(result: LadderResult) -> str:
    """Describe how much of the ladder is done, if not all is."""
    n_done, n_all = sum(len(rung.runs) for rung in result.rungs), sum(rung.n_planned for rung in result.rungs)
    if result.is_complete:
        return ""
    return f"Not finished: {n_done} of {count(n_all, 'run')} are done. What is said here may still change."


def short_value(value: object) -> str:
    """Return a value of a plan so that it fits into a table: of transforms and the like only their names."""
    if value in (None, [], (), {}):
        return "nothing"
    if isinstance(value, list | tuple):
        text = ", ".join(
            next(iter(entry)) if isinstance(entry, dict) and len(entry) == 1 else str(entry) for entry in value
        )
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


_SHOWN = {"likely worse": "no evidence (leans worse)"}
_STYLES = {"better": "bold green", "likely better": "green", "worse": "bold red", "cannot tell": "dim"}
_LONGEST = 48


@dataclass(frozen=True)
class GainUnits:
    """How the numbers of a metric are written: shares as points, log loss in nats."""

    metric: str
    """The metric."""

    @property
    def title(self) -> str:
        """Return the metric as people read it."""
        return METRICS[self.metric].title

    @property
    def is_loss(self) -> bool:
        """Whether lower values are better."""
        return not METRICS[self.metric].higher_is_better

    @property
    def name(self) -> str:
        """Return the unit."""
        return "nats" if self.is_loss else "points"

    @property
    def explained(self) -> str:
        """Describe what the unit is, and which way is better."""
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
    """Return a verdict in the four words of the interface."""
    return verdict_cell(judged.verdict)


def verdict_cell(verdict: str) -> str:
    """Return the word of a verdict as the interface has it."""
    return _SHOWN.get(verdict, verdict)


def verdict_style(judged: Judged) -> str:
    """Return the colour of a verdict."""
    return _STYLES.get(judged.verdict, "")


def is_shown(judged: Judged | None) -> bool:
    """Return whether a gain was shown, at least as likely."""
    return judged is not None and judged.verdict in GAINS


def gain_sentence(judged: Judged, units: GainUnits, *, over: str, subject: str = "") -> str:
    """Describe a verdict as a sentence: `better than baseline, +1.3 points [+0.4, +2.1]`, with a full stop.

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


def short_sentence(judged: Judged, units: GainUnits) -> str:
    """Describe a verdict in a few words: `better, +1.3 points [+0.4, +2.1]`, with a full stop."""
    if judged.verdict == "cannot tell":
        return "cannot tell."
    sees = ""
    if judged.verdict in ("no evidence", "likely worse") and judged.detectable is not None:
        sees = f"; it could have seen {units.amount(judged.detectable)}"
    return f"{verdict_text(judged)}, {units.gain(judged.value)} {units.name} {units.interval(judged)}{sees}."


def _measured(judged: Judged, gain: str) -> str:
    """Describe what was measured where no verdict can be given."""
    if judged.gain.method == "these models":
        return f" These two models differ by {gain}; models of other seeds may differ otherwise."
    return f" Measured: {gain}."


def sight_sentences(judged: Judged, units: GainUnits) -> list[str]:
    """Describe what a comparison without a finding could have seen, and what would settle it."""
    if judged.verdict not in ("no evidence", "likely worse") or judged.gain.is_identical:
        return []
    found = []
    if judged.detectable is not None:
        found.append(f"It could have seen a gain of {units.amount(judged.detectable)}, hardly a smaller one.")
    if judged.settle is not None and (sentence := settle_text(judged.settle, judged.gain, units)):
        found.append(sentence)
    return found


def settle_text(settle: RequiredSamples, gain: Gain, units: GainUnits) -> str:
    """Describe what would settle a comparison, or nothing where it already sees enough."""
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


def sd_sentence(judged: Judged, units: GainUnits, *, sides: tuple[str, str]) -> str:
    """Describe how much the seeds of both sides differ, or nothing where one has a single seed.

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
    """Describe what a plan changes, a path an entry: `loss.smoothing 0 → 0.1`.

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
    """Describe what scores were measured on: `540 images in 9 groups of elpv, over 5 folds`.

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


_MOST_SEEDS = 30
_GOOD_START = 5
_MOST_NAMED = 5


def heading(result: LadderResult) -> list[str]:
    """Return the lines above the table: what was compared, on what, how far it is."""
    ladder, units = result.ladder, GainUnits(result.ladder.metric)
    full = ladder.rungs[0 if ladder.kind == "ablate" else -1].printed
    title = {
        "climb": f"Ladder of {clean(full)}",
        "ablate": f"{clean(full)}: what each recipe is worth with the others in place",
    }[ladder.kind]
    seeds = ", ".join(str(seed) for seed in ladder.seeds)
    if len(ladder.seeds) > _MOST_NAMED and ladder.seeds == tuple(range(ladder.n_seeds)):
        seeds = f"0 to {ladder.n_seeds - 1}"
    folds = f" x {count(ladder.n_folds, 'fold')}" if ladder.n_folds else ""
    on = scored_on(result.n_images, result.n_groups, None, data=ladder.data_name)
    rungs = f"{count(len(ladder.rungs), 'rung')} x {count(ladder.n_seeds, 'seed')} ({seeds}){folds}"
    return [title, f"{units.title} on {on}; {rungs}, {len_done(result)} of {len(ladder.jobs)} runs done"]


def len_done(result: LadderResult) -> int:
    """Count the runs that are done."""
    return sum(len(rung.runs) for rung in result.rungs)


def answer(result: LadderResult) -> list[str]:
    """Describe which stack to use, or what was shown of the recipes."""
    first, *more = _worth_having(result) if result.ladder.kind == "ablate" else _to_use(result)
    return [first if result.is_complete else f"So far: {first[0].lower()}{first[1:]}", *more]


def _to_use(result: LadderResult) -> list[str]:
    base = clean(result.ladder.rungs[0].label)
    best = result.rungs[result.incumbent]
    if best.total is None:
        judged = [rung.total for rung in result.rungs[1:] if rung.total]
        if not judged or all(entry.verdict == "cannot tell" for entry in judged):
            return ["Nothing can be told yet; the lines below say why."]
        return [f"Keep {base}: no rung was shown to be better. That is not the same as being no better."]
    found = [f"Use {clean(best.plan.printed)}: the highest rung that is {best.total.verdict} than {base}."]
    idle = [clean(rung.plan.label) for rung in result.rungs[1 : result.incumbent + 1] if not is_shown(rung.step)]
    if idle:
        found.append(f"It holds recipes that were not shown to help by themselves: {', '.join(idle)}.")
    return found


def _worth_having(result: LadderResult) -> list[str]:
    shown = [recipe_names(rung) for rung in result.rungs[1:] if is_shown(rung.step)]
    worse = [recipe_names(rung) for rung in result.rungs[1:] if rung.step and rung.step.verdict == "worse"]
    text = (
        f"Shown to help in this stack: {', '.join(shown)}." if shown else "No recipe was shown to help in this stack."
    )
    return [text, f"Shown to hurt: {', '.join(worse)}."] if worse else [text]


def recipe_names(rung: RungResult) -> str:
    """Name the recipe that a rung leaves out, with those that cannot stand without it."""
    first, *others = (clean(name) for name in rung.plan.recipes)
    return f"{first} (with {', '.join(others)}, which needs it)" if others else first


def rung_sentences(result: LadderResult, number: int) -> str:
    """Describe what a rung is worth: its verdicts, what could have been seen, what would settle it."""
    rung, ladder, units = result.rungs[number], result.ladder, GainUnits(result.ladder.metric)
    if not rung.runs:
        return "no run is done yet."
    if rung.step is None:
        return "not compared: the rung it is compared with has no run yet."
    base = clean(ladder.rungs[0].label)
    if ladder.kind == "ablate":
        sides = ("the stack without it", "the full stack")
        parts = [gain_sentence(rung.step, units, over=sides[0], subject=sides[1])]
    else:
        partner = clean(ladder.rungs[ladder.compared_with(number)].label)
        parts, sides = [gain_sentence(rung.step, units, over=partner)], (partner, "this rung")
    parts += [sd_sentence(rung.step, units, sides=sides), *sight_sentences(rung.step, units)]
    if rung.total is not None and number > 1:
        parts.append(f"Over {base}: {short_sentence(rung.total, units)}")
    elif rung.total is not None and rung.total.verdict != rung.step.verdict:
        parts.append(f"Counted among the comparisons with {base}: {rung.total.verdict}.")
    return " ".join(part for part in parts if part)


def notes(result: LadderResult) -> list[str]:
    """Describe what a person should know: failures, looks, what sharing weights saved, and what the judgement noted."""
    found = [
        f"{clean(rung.plan.label)}, seed {failure.seed}{'' if failure.fold is None else f', fold {failure.fold}'} "
        f"failed: {clean(failure.reason)}"
        for rung in result.rungs
        for failure in rung.failures
    ]
    found += [clean(note) for note in result.notes]
    if result.n_looks > 1:
        found.append(
            f"Verdicts were given {result.n_looks} times while seeds were added; each has to pass a stricter level "
            "for that, since whoever asks often is lucky once."
        )
    if result.saved_seconds:
        found.append(f"Rungs that predict with the weights of another saved about {duration(result.saved_seconds)}.")
    return found


def caveats(result: LadderResult) -> list[str]:
    """Describe what the ladder does not say."""
    ladder = result.ladder
    found = [
        "'No evidence' does not mean 'no effect'. A gain that a comparison 'could have seen' is found four times in "
        "five; a smaller one is easily missed.",
        f"It holds for {GainUnits(ladder.metric).title} on images like these after training of this length, "
        "not for other metrics or other data.",
    ]
    if ladder.kind == "climb":
        found.append("A recipe was measured on top of those below it; in another order it may be worth another gain.")
    else:
        found.append("Two recipes that do the same work can both look idle here: leaving out one leaves the other.")
    if result.n_groups:
        found.append("Images of one group share their luck, so groups count, not images.")
    found.append("These images chose the winner, which flatters it a little; a sealed test part would not.")
    return found


def reading(result: LadderResult) -> str:
    """Describe how to read the numbers."""
    ladder, units = result.ladder, GainUnits(result.ladder.metric)
    n_compared = sum(rung.step is not None and rung.step.holm_p is not None for rung in result.rungs)
    looks = f" Verdicts allow for {n_compared} comparisons ('looks') being made at once." if n_compared > 1 else ""
    luck = "the luck of seeds and images is counted"
    if ladder.n_folds:
        luck = "the luck of folds is counted"
    elif ladder.n_seeds == 1:
        luck = "the luck of images is counted; one seed cannot tell the luck of seeds"
    scatter = " Seed sd (standard deviation): how far the seeds of one rung scatter." if ladder.n_seeds > 1 else ""
    smallest = f" Smallest gain of interest: {units.amount(ladder.smallest_gain)}."
    return f"{units.explained} [low, high]: 95 % interval of the true value; {luck}.{scatter}{looks}{smallest}"


def next_commands(result: LadderResult) -> list[str]:
    """Return the next sensible commands."""
    ladder = result.ladder
    again = f"imgcls ladder {'ablate' if ladder.kind == 'ablate' else 'run'} {shlex.quote(clean(ladder.stack))}"
    name = shlex.quote(clean(ladder.name))
    found = []
    if not result.is_complete:
        n_left = len(ladder.jobs) - len_done(result) - result.n_failed
        found.append(f"{again}    # with the same options: goes on with the {count(n_left, 'run')} left")
    elif (n_seeds := _more_seeds(result)) is not None:
        why = "sees smaller gains" if ladder.n_seeds > 1 else "tells recipes from luck"
        found.append(f"{again} --seeds {n_seeds}    # with the same options: {why}")
    if result.n_failed:
        found.append(f"{again} --retry-failed    # with the same options")
    if result.is_complete and result.incumbent:
        found.append(f"imgcls ladder final {name}    # the sealed test part, once, when you are done choosing")
    return [*found, f"imgcls report {name}    # the same as a page with pictures"]


def _more_seeds(result: LadderResult) -> int | None:
    """Return a number of seeds that would settle what is open; None where seeds are not what is missing."""
    steps = [rung.step for rung in result.rungs if rung.step is not None]
    n_seeds = result.ladder.n_seeds
    if n_seeds == 1 and any(step.verdict == "cannot tell" and not step.gain.lacks_groups for step in steps):
        return _GOOD_START
    wanted = [step.settle.n_seeds for step in steps if step.settle and step.settle.n_seeds]
    useful = [number for number in wanted if n_seeds < number <= _MOST_SEEDS]
    return max(useful) if useful else None
