"""Verdicts in plain words, and the numbers in them: the only wording."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imgcls.config.metrics import Units, in_words
from imgcls.records.run import CANNOT_TELL, GAINS, LOSSES
from imgcls.reports.console import count
from imgcls.text import clean, duration

if TYPE_CHECKING:
    from imgcls.evidence.gains import Gain
    from imgcls.evidence.power import RequiredSamples
    from imgcls.evidence.verdicts import Judged
    from imgcls.ladders.judge import LadderResult, RungResult
    from imgcls.ladders.results import AcrossReview


_SAME_TIME_SECONDS = 3.0


@dataclass(frozen=True)
class Line:
    """One rung in a list."""

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


def shown_verdict(verdict: str) -> str:
    """Return a verdict in the four words of the interface; what leans worse is no evidence all the same."""
    return _SHOWN.get(verdict, verdict)


def minutes(seconds: float | None) -> str:
    """Write minutes with one decimal, or a dash."""
    if seconds is None:
        return "-"
    return f"{seconds / 60:.1f}" if abs(seconds) >= 3 or not seconds else "<0.1"


def verdict_groups(result: LadderResult) -> tuple[Group, ...]:
    """Sort the rungs by verdict, what helped first, each with its gain and its cost."""
    units = Units(result.ladder.metric)
    lines: dict[str, list[Line]] = {}
    for rung in result.rungs:
        if rung.step is not None:
            known = "no evidence" if rung.step.verdict == "likely worse" else rung.step.verdict
            lines.setdefault(known, []).append(Line(rung_name(rung, result), _gain_and_cost(rung, rung.step, units)))
    return tuple(
        Group(verdict, title, tuple(lines[verdict])) for verdict, title in _HEADINGS.items() if verdict in lines
    )


def settle_sentence(settle: RequiredSamples, gain: Gain, units: Units) -> str:
    """Describe what would settle a comparison, or nothing where it already finds enough."""
    ways = []
    if settle.n_seeds is not None and settle.n_seeds > gain.fewest_runs:
        ways.append(f"about {settle.n_seeds} seeds on these images")
    if settle.n_images is not None and settle.n_images > gain.n_units:
        unit = "groups of images" if gain.has_groups else "images"
        ways.append(f"about {_rounded(settle.n_images)} {unit} with these seeds")
    if not ways and not settle.limit:
        return ""
    text = "; ".join([", or ".join(ways)] * bool(ways) + [settle.limit] * bool(settle.limit))
    return f"To find a gain of {units.amount(settle.target)}: {text}."


def title(result: LadderResult) -> str:
    """Return the title of a page: what was asked."""
    what = "Which recipes help" if result.ladder.kind == "climb" else "What each recipe is worth"
    return f"{what} on {result.ladder.data_name}"


def how_to_read(result: LadderResult) -> tuple[str, ...]:
    """Describe in a few sentences how the numbers came about and what they mean."""
    units = Units(result.ladder.metric)
    folds = (
        "Here the photographs took turns in validating (folds), so that the interval comes from how the gain differs "
        "between folds, widened because folds share their training photographs (Nadeau and Bengio)."
    )
    sums = (
        "The interval adds the two up, with a wide allowance for the few seeds (Student's t) and the usual 1.96 for "
        "the many photographs, and is never narrower than sampling variance alone makes it."
    )
    return (
        "Every stack of recipes was trained with several seeds, which are random beginnings, and all runs were scored "
        "on the same photographs. A gain can come about by chance in two ways: seed variance, between trainings of one "
        "stack, and sampling variance, by which photographs happen to validate.",
        "Both are measured in these very runs: how far the seeds of one stack disagree, and how much the gain differs "
        f"from photograph to photograph. {units.explained}",
        folds if result.ladder.n_folds is not None else sums,
        "“Better” means: had the two stacks been equally good, a gap this large would turn up in at most 5 % of "
        "ladders, all rungs counted (Holm). “Likely better” is the weaker level of 10 % for one rung alone.",
        "With one seed nobody can tell a recipe from seed variance. Then the page says “cannot tell”, and only shows "
        "how those two models differ.",
        "“No evidence” does not mean “no gain”. Beside it stands the gain that a ladder like this one finds four times "
        "in five (a power of 80 %); a smaller one may well be there.",
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


def time_sentence(result: LadderResult) -> str:
    """Describe what a training of the incumbent takes beside one of the base."""
    base, used = result.rungs[0].seconds, result.rungs[result.incumbent].seconds
    if base is None or used is None:
        return ""
    told = f"A training takes {minutes(used)} minutes, against {minutes(base)}."
    if abs(used - base) < _SAME_TIME_SECONDS:
        told = f"Both take about {minutes(used)} minutes per training."
    return " ".join(filter(None, [told, load_sentence(result)]))


def load_sentence(result: LadderResult) -> str:
    """Describe beside how much other work the minutes were measured; nothing where the machine was quiet."""
    busy = result.busy
    if busy is None:
        return ""
    on = f"load {busy.load:.0f} on {count(busy.cores, 'core')}"
    if busy.n == busy.n_known:
        return f"Minutes were measured while the machine was busy: {on}."
    return f"{busy.n} of {busy.n_known} trainings were timed while the machine was busy: {on} at the most."


def state_sentence(result: LadderResult) -> str:
    """Describe how much of the ladder is done, if not all is."""
    n_done, n_all = sum(len(rung.runs) for rung in result.rungs), sum(rung.n_planned for rung in result.rungs)
    if result.is_complete:
        return ""
    return f"Not finished: {n_done} of {count(n_all, 'run')} are done. What is said here may still change."


_SHOWN = {"likely worse": "no evidence (leans worse)"}
_STYLES = {"better": "bold green", "likely better": "green", "worse": "bold red", "cannot tell": "dim"}
_LONGEST = 48


def verdict_style(judged: Judged) -> str:
    """Return the colour of a verdict."""
    return _STYLES.get(judged.verdict, "")


def is_shown(judged: Judged | None) -> bool:
    """Return whether a gain was shown, at least as likely."""
    return judged is not None and judged.verdict in GAINS


def gain_sentence(judged: Judged, units: Units, *, over: str, subject: str = "") -> str:
    """Describe a verdict as a sentence: `better than baseline, +1.3 points [+0.4, +2.1]`, with a full stop.

    Args:
        judged: The comparison.
        units: How its numbers are written.
        over: What it is compared with.
        subject: What is compared; the sentence begins with the verdict when empty.
    """
    it, begins = subject or "it", f"{subject} is " if subject else ""
    gain = units.gain_text(judged.value, judged.low, judged.high)
    notes = f" ({'; '.join(judged.remarks)})" if judged.remarks else ""
    if judged.verdict == "cannot tell":
        alone = f" These two models differ by {gain}; models of other seeds may differ otherwise."
        measured = alone if judged.gain.method == "these models" else f" Measured: {gain}."
        return f"cannot tell whether {it} differs from {over}; {'; '.join(judged.remarks)}.{measured}"
    if judged.gain.is_identical:
        return f"no evidence that {it} differs from {over}: every single answer is the same."
    if judged.verdict in ("better", "likely better", "worse"):
        return f"{begins}{judged.verdict} than {over}, {gain}{notes}."
    leans = ", but it leans worse" if judged.verdict == "likely worse" else ""
    return f"no evidence that {it} differs from {over}{leans}, {gain}{notes}."


def review_sentences(judged: Judged, review: AcrossReview | None, units: Units, *, same_plan: bool = True) -> list[str]:
    """Describe what a comparison over a review may be taken for; nothing where none lies between the sides.

    Args:
        judged: The gain of B over A on all images, by the labels after the review.
        review: What lies between the sides.
        units: How numbers are written.
        same_plan: Whether nothing but the review lies between the sides.
    """
    if review is None:
        return []
    side, found = review.judged_by, review.undisputed
    told = [
        f"Both are judged by the labels of {side}, which was trained after the review: "
        f"{count(review.n_relabelled, 'photograph')} of validation had another label before."
    ]
    if found is None:
        return [
            *told,
            "The metric cannot be computed on the others alone, so nothing can be said of what a review gains.",
        ]
    gain = units.gain_text(found.value, found.low, found.high)
    told.append(f"On the {review.n_undisputed:,} others alone, B over A: {shown_verdict(found.verdict)}, {gain}.")
    if side == "A":
        return [*told, "To read what the review gained, name the run before it first."]
    if not same_plan:
        return [
            *told,
            "The plans differ too, so neither gain is that of the review alone. To read it, compare one stack with "
            "itself: its runs before the review and those after it.",
        ]
    if found.verdict == CANNOT_TELL:
        conclusion = (
            "This does not say whether training on the decided labels helped. Train more seeds of both, and where "
            "there are folds or groups, five of them at least."
        )
    elif found.verdict in GAINS:
        conclusion = "Training on the decided labels helped: the gain is there too where nobody changed a label."
    elif found.verdict in LOSSES:
        conclusion = (
            "Where nobody changed a label B is worse: training on the decided labels hurt, or the decisions follow the "
            "answers of A, which counts for A there too. Look at the decisions again."
        )
    elif judged.verdict in GAINS:
        conclusion = (
            "The gain rests on the relabelled photographs. A network that learnt the decisions agrees with them, which "
            "is no proof that it sees better; on the others there is no evidence of a gain."
        )
    elif judged.verdict in LOSSES:
        conclusion = (
            "The loss rests on the relabelled photographs. Where A chose them, decisions that follow its answers count "
            "for it, which is no proof that it sees better; on the others there is no evidence of a loss."
        )
    else:
        conclusion = "There is no evidence that training on the decided labels helped. They may be right all the same."
    return [*told, conclusion]


def short_sentence(judged: Judged, units: Units) -> str:
    """Describe a verdict in a few words: `better, +1.3 points [+0.4, +2.1]`, with a full stop."""
    if judged.verdict == "cannot tell":
        return "cannot tell."
    found = [f"{shown_verdict(judged.verdict)}, {units.gain_text(judged.value, judged.low, judged.high)}"]
    return f"{'; '.join([*found, *filter(None, [power_text(judged, units)])])}."


def sd_sentence(judged: Judged, units: Units, *, sides: tuple[str, str]) -> str:
    """Describe how much the seeds of both sides differ, or nothing where one has a single seed.

    Args:
        judged: The comparison.
        units: How its numbers are written.
        sides: What the two sides are called.
    """
    sds = judged.gain.seed_sds
    if any(math.isnan(sd) for sd in sds):
        return ""
    one, other = (units.spread(sd) for sd in sds)
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
        return "nothing"
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
    ladder, units = result.ladder, Units(result.ladder.metric)
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
    opening = first if result.is_complete else f"So far: {first[0].lower()}{first[1:]}"
    return [opening, *more, *filter(None, [together(result)])]


def together(result: LadderResult) -> str:
    """Describe what the mean prediction of the seeds of the stack to use gains over one; nothing where nobody asked."""
    ensemble = result.ensemble
    if not result.ladder.ensemble:
        return ""
    if ensemble is None:
        return "The mean of its networks is judged from three seeds on (over folds, from two seeds a fold on)."
    units = Units(result.ladder.metric)
    interval = units.score_interval(ensemble.score.low, ensemble.score.high)
    scored = " ".join(filter(None, (units.score(ensemble.score.value), interval)))
    gain = gain_sentence(ensemble.judged, units, over="one of its networks", subject="it")
    return f"The mean of {ensemble.n_members} networks of {clean(ensemble.stack)} scores {scored}: {gain}"


def _to_use(result: LadderResult) -> list[str]:
    base = clean(result.ladder.rungs[0].label)
    best = result.rungs[result.incumbent]
    if best.total is None:
        judged = [rung.total for rung in result.rungs[1:] if rung.total]
        if not judged or all(entry.verdict == "cannot tell" for entry in judged):
            return ["No verdict can be given yet; the lines below say why."]
        return [f"Keep {base}: no rung was shown to be better. That is not the same as being no better."]
    found = [f"Use {clean(best.plan.printed)}: the highest rung that is {best.total.verdict} than {base}."]
    if idle := not_shown(result):
        found.append(f"It holds recipes that were not shown to help by themselves: {', '.join(idle)}.")
    return found


def _worth_having(result: LadderResult) -> list[str]:
    shown = [rung_name(rung, result) for rung in result.rungs[1:] if is_shown(rung.step)]
    worse = [rung_name(rung, result) for rung in result.rungs[1:] if rung.step and rung.step.verdict == "worse"]
    text = (
        f"Shown to help in this stack: {', '.join(shown)}." if shown else "No recipe was shown to help in this stack."
    )
    return [text, f"Shown to hurt: {', '.join(worse)}."] if worse else [text]


def rung_sentences(result: LadderResult, number: int) -> str:
    """Describe what a rung is worth: its verdicts, what could have been found, what would settle it."""
    rung, ladder, units = result.rungs[number], result.ladder, Units(result.ladder.metric)
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
    parts += [sd_sentence(rung.step, units, sides=sides), *power_sentences(rung.step, units)]
    if rung.total is not None and number > 1:
        parts.append(f"Over {base}: {short_sentence(rung.total, units)}")
    elif rung.total is not None and rung.total.verdict != rung.step.verdict:
        parts.append(f"Counted among the comparisons with {base}: {rung.total.verdict}.")
    return " ".join(part for part in parts if part)


def notes(result: LadderResult) -> list[str]:
    """Describe what a person should know: failures, interim analyses, what sharing weights saved, and other notes."""
    found = [
        f"{clean(rung.plan.label)}, seed {failure.seed}{'' if failure.fold is None else f', fold {failure.fold}'} "
        f"failed: {clean(failure.reason)}"
        for rung in result.rungs
        for failure in rung.failures
    ]
    found += [clean(note) for note in result.notes]
    if result.n_looks > 1:
        found.append(
            f"Verdicts were given at {result.n_looks} interim analyses while seeds were added; each has to pass a "
            "stricter level for that, since among many analyses one turns out well by chance."
        )
    if result.saved_seconds:
        found.append(f"Rungs that predict with the weights of another saved about {duration(result.saved_seconds)}.")
    return found


def caveats(result: LadderResult) -> list[str]:
    """Describe what the ladder does not say."""
    ladder = result.ladder
    found = [
        "'No evidence' does not mean 'no effect'. A gain that a comparison 'could find' is found four times in five; a "
        "smaller one is easily missed.",
        f"It holds for {in_words(ladder.metric)} on images like these after training of this length, "
        "not for other metrics or other data.",
    ]
    if ladder.kind == "climb":
        found.append("A recipe was measured on top of those below it; in another order it may be worth another gain.")
    else:
        found.append("Two recipes that do the same work can both look idle here: leaving out one leaves the other.")
    if result.n_groups:
        found.append("Images of one group vary together, so groups count, not images.")
    found.append("These images chose the winner, which flatters it a little; a sealed test part would not.")
    return found


def reading(result: LadderResult) -> str:
    """Describe how to read the numbers."""
    ladder, units = result.ladder, Units(result.ladder.metric)
    n_compared = sum(rung.step is not None and rung.step.holm_p is not None for rung in result.rungs)
    many = f" Verdicts allow for {n_compared} comparisons being made at once." if n_compared > 1 else ""
    counted = "seed variance and sampling variance are counted"
    if ladder.n_folds:
        counted = "the variance between folds is counted"
    elif ladder.n_seeds == 1:
        counted = "sampling variance is counted; one seed says nothing about seed variance"
    scatter = " Seed sd (standard deviation): how far the seeds of one rung scatter." if ladder.n_seeds > 1 else ""
    smallest = f" Smallest gain of interest: {units.amount(ladder.smallest_gain)}."
    return f"{units.explained} [low, high]: 95 % interval of the true value; {counted}.{scatter}{many}{smallest}"


def next_commands(result: LadderResult) -> list[str]:
    """Return the next sensible commands."""
    ladder = result.ladder
    again = f"imgcls ladder {'ablate' if ladder.kind == 'ablate' else 'run'} {shlex.quote(clean(ladder.typed))}"
    name = shlex.quote(clean(ladder.name))
    found = []
    if not result.is_complete:
        n_left = len(ladder.jobs) - len_done(result) - result.n_failed
        found.append(f"{again}    # with the same options: goes on with the {count(n_left, 'run')} left")
    elif (n_seeds := _more_seeds(result)) is not None:
        why = "finds smaller gains" if ladder.n_seeds > 1 else "tells recipes from seed variance"
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


_HEADINGS = {
    "better": "Helped",
    "likely better": "Probably helped",
    "no evidence": "No evidence either way",
    "worse": "Made it worse",
    "cannot tell": "Cannot tell",
}


def power_text(judged: Judged | None, units: Units) -> str:
    """Describe in a few words what a comparison was able to find; nothing where it found something."""
    if judged is None or judged.detectable is None or judged.verdict not in ("no evidence", "likely worse"):
        return ""
    if units.possible(judged.detectable) < judged.detectable:
        return "could find none"
    return f"could find {units.amount(judged.detectable)}"


def power_sentences(judged: Judged, units: Units) -> list[str]:
    """Describe what a comparison without a finding could have found, and what it would take to find less."""
    if judged.verdict not in ("no evidence", "likely worse") or judged.gain.is_identical:
        return []
    found = []
    if judged.detectable is not None and units.possible(judged.detectable) < judged.detectable:
        found.append("With so few runs and images it could find no gain at all, however large.")
    elif judged.detectable is not None:
        found.append(f"It could find a gain of {units.amount(judged.detectable)}, hardly a smaller one.")
    if judged.settle is not None and (sentence := settle_sentence(judged.settle, judged.gain, units)):
        found.append(sentence)
    return found


def minutes_a_point(rung: RungResult) -> str:
    """Write what a point of gain costs in minutes, at least 0; a dash where no gain was shown."""
    return minutes(None if rung.seconds_per_point is None else max(0.0, rung.seconds_per_point))


def rung_name(rung: RungResult, result: LadderResult) -> str:
    """Name what a rung says something about: the recipe it adds, or in an ablation the one it leaves out.

    A recipe that is left out is named with those that cannot stand without it.
    """
    if result.ladder.kind != "ablate":
        return clean(rung.plan.label)
    if not rung.plan.recipes:
        return "nothing (the full stack)"
    first, *others = (clean(name) for name in rung.plan.recipes)
    return f"{first} (with {', '.join(others)}, which needs it)" if others else first


def not_shown(result: LadderResult) -> list[str]:
    """Name the recipes in the incumbent that have shown no gain of their own."""
    inside = result.rungs[1 : result.incumbent + 1] if result.ladder.kind == "climb" else ()
    return [clean(rung.plan.label) for rung in inside if not is_shown(rung.step)]


def _gain_and_cost(rung: RungResult, judged: Judged, units: Units) -> str:
    """Describe a rung under the heading of its verdict."""
    said = [units.gain_text(judged.value, judged.low, judged.high)]
    if judged.verdict == "cannot tell":
        return f"{said[0]}; {'; '.join(judged.remarks)}"
    if judged.verdict == "likely worse":
        said.append("leans worse")
    if judged.verdict != "no evidence" and judged.gain.method == "these models":
        said.append("shown for this one model only")
    extra = rung.extra_seconds
    if extra is not None and abs(extra) >= _SAME_TIME_SECONDS:
        said.append(f"at {minutes(abs(extra))} minutes {'more' if extra > 0 else 'less'} per training")
    return ", ".join([*said, *filter(None, [power_text(judged, units)])])
