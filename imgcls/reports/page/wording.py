"""Numbers and verdicts of a ladder in plain words."""

from __future__ import annotations

import json
from dataclasses import dataclass

from imgcls.evidence.planner import Settle
from imgcls.evidence.verdicts import Judged
from imgcls.ladders.result import LadderResult, RungResult
from imgcls.records.estimate import Estimate
from imgcls.reports.text import count

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
        """Give the unit of gains."""
        return "nats" if self.is_nats else "points"

    def bare(self, value: float) -> str:
        """Give a gain without its unit: `+2.3`."""
        text = f"{value:+.3f}" if self.is_nats else f"{100 * value:+.1f}"
        return text.replace("-", "\N{MINUS SIGN}") if float(text) else text.lstrip("+-")

    def gain(self, value: float) -> str:
        """Give a gain: `+2.3 points`."""
        return f"{self.bare(value)} {self.word}"

    def size(self, value: float) -> str:
        """Give a gain without its sign: `2.3 points`."""
        return f"{value:.3f} nats" if self.is_nats else f"{100 * value:.1f} points"

    def interval(self, low: float, high: float) -> str:
        """Give the interval of a gain: `+0.8 to +3.8`."""
        return f"{self.bare(low)} to {self.bare(high)}"

    def score(self, value: float | None) -> str:
        """Give a score; accuracy in percent."""
        if value is None:
            return "\N{EN DASH}"
        return f"{100 * value:.1f} %" if self.metric == "accuracy" else f"{value:.3f}"

    def score_interval(self, estimate: Estimate) -> str:
        """Give the interval of a score, or nothing where there is none."""
        if estimate.low is None or estimate.high is None:
            return ""
        if self.metric == "accuracy":
            return f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f} %"
        return f"{estimate.low:.3f} to {estimate.high:.3f}"

    def spread(self, value: float | None) -> str:
        """Give a standard deviation in the unit of gains."""
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
    """Give the verdict as people read it; what leans worse is no evidence all the same."""
    if judged is None:
        return ""
    return "no evidence (leans worse)" if judged.verdict == "likely worse" else judged.verdict


def minutes(seconds: float | None) -> str:
    """Give minutes with a digit that matters."""
    if seconds is None:
        return "\N{EN DASH}"
    value = seconds / 60
    text = f"{value:.1f}" if abs(value) >= 0.1 else f"{value:.2f}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text) else text.lstrip("-")


def cost(rung: RungResult) -> str:
    """Say what a rung costs in time beside the one it is compared with; nothing where that is about the same."""
    extra = rung.extra_seconds
    if extra is None:
        return ""
    if abs(extra) < _SAME_TIME_SECONDS:
        return ""
    return f"at {minutes(abs(extra))} minutes {'more' if extra > 0 else 'less'} per training"


def gain_text(judged: Judged, units: Units) -> str:
    """Give a gain with its interval: `+2.3 points (95 % interval +0.8 to +3.8)`."""
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
    """Say what a verdict means, what could have been found, and what would settle it.

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


def settle_sentence(settle: Settle, units: Units, *, has_groups: bool) -> str:
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
    """Say in a few words what a comparison was able to find; nothing where it found something."""
    if judged is None or judged.detectable is None or judged.verdict not in ("no evidence", "likely worse"):
        return ""
    return f"could find {units.size(judged.detectable)}"


def passengers(result: LadderResult) -> tuple[str, ...]:
    """Name the recipes in the incumbent that have shown no gain of their own."""
    if result.ladder.kind == "ablate":
        return ()
    inside = result.rungs[1 : result.incumbent + 1]
    return tuple(
        rung.plan.label for rung in inside if not (rung.step and rung.step.verdict in ("better", "likely better"))
    )


def title(result: LadderResult) -> str:
    """Give the title of a page: what was asked."""
    what = "Which recipes help" if result.ladder.kind == "climb" else "What each recipe is worth"
    return f"{what} on {result.ladder.data_name}"


def how_to_read(result: LadderResult) -> tuple[str, ...]:
    """Say in a few sentences how the numbers came about and what they mean."""
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
    """Say what the problem is and how much data there is, without names."""
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
    """Give the metric as it stands inside a sentence."""
    name = result.metric_title
    return name if name[:3].isupper() else name[0].lower() + name[1:]


def time_sentence(result: LadderResult) -> str:
    """Say what a training of the incumbent takes beside one of the base."""
    base, used = result.rungs[0].seconds, result.rungs[result.incumbent].seconds
    if base is None or used is None:
        return ""
    if abs(used - base) < _SAME_TIME_SECONDS:
        return f"Both take about {minutes(used)} minutes per training."
    return f"A training takes {minutes(used)} minutes, against {minutes(base)}."


def state_sentence(result: LadderResult) -> str:
    """Say how much of the ladder is done, if not all is."""
    n_done, n_all = sum(len(rung.runs) for rung in result.rungs), sum(rung.n_planned for rung in result.rungs)
    if result.is_complete:
        return ""
    return f"Not finished: {n_done} of {count(n_all, 'run')} are done. What is said here may still change."


def short_value(value: object) -> str:
    """Give a value of a plan so that it fits into a table: of transforms and the like only their names."""
    if value in (None, [], (), {}):
        return "nothing"
    if isinstance(value, list | tuple):
        text = ", ".join(
            next(iter(entry)) if isinstance(entry, dict) and len(entry) == 1 else str(entry) for entry in value
        )
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
