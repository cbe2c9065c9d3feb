"""What a ladder says, in sentences: which rung to use, what each is worth, what was not shown, what to do next."""

from __future__ import annotations

import shlex

from imgcls.engine.reporting import duration
from imgcls.ladders.result import LadderResult, RungResult
from imgcls.reports.gains import Units, gain_sentence, is_shown, scored_on, sd_sentence, short_sentence, sight_sentences
from imgcls.reports.text import clean, count

_MOST_SEEDS = 30
_GOOD_START = 5
_MOST_NAMED = 5


def heading(result: LadderResult) -> list[str]:
    """Give the lines above the table: what was compared, on what, how far it is."""
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
    """Say which stack to use, or what was shown of the recipes."""
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
    """Say what a rung is worth: its verdicts, what could have been seen, what would settle it."""
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
    parts += [sd_sentence(rung.step, units, sides=sides), *sight_sentences(rung.step, units)]
    if rung.total is not None and number > 1:
        parts.append(f"Over {base}: {short_sentence(rung.total, units)}")
    elif rung.total is not None and rung.total.verdict != rung.step.verdict:
        parts.append(f"Counted among the comparisons with {base}: {rung.total.verdict}.")
    return " ".join(part for part in parts if part)


def notes(result: LadderResult) -> list[str]:
    """Say what a person should know: failures, looks, what sharing weights saved, and what the judgement noted."""
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
    """Say what the ladder does not say."""
    ladder = result.ladder
    found = [
        "'No evidence' does not mean 'no effect'. A gain that a comparison 'could have seen' is found four times in "
        "five; a smaller one is easily missed.",
        f"It holds for {Units(ladder.metric).title} on images like these after training of this length, "
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
    """Say how to read the numbers."""
    ladder, units = result.ladder, Units(result.ladder.metric)
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
    """Give the next sensible commands."""
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
    """Give a number of seeds that would settle what is open; None where seeds are not what is missing."""
    steps = [rung.step for rung in result.rungs if rung.step is not None]
    n_seeds = result.ladder.n_seeds
    if n_seeds == 1 and any(step.verdict == "cannot tell" and not step.gain.lacks_groups for step in steps):
        return _GOOD_START
    wanted = [step.settle.n_seeds for step in steps if step.settle and step.settle.n_seeds]
    useful = [number for number in wanted if n_seeds < number <= _MOST_SEEDS]
    return max(useful) if useful else None
