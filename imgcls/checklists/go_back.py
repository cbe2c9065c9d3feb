"""Going back: when to leave the improving and look at the problem or the data again, and why."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from imgcls.checklists.class_errors import class_errors
from imgcls.checklists.commands import look_again
from imgcls.checklists.evidence import FACTS, Evidence, data_version
from imgcls.checklists.sentences import Said, in_language, joined, quoted, said, word
from imgcls.checklists.verdicts import FinalOpening, LadderStatus, VerdictEntry, gain_of
from imgcls.config.metrics import described, in_words
from imgcls.data.source import FINDINGS_TOML
from imgcls.errors import RecordError
from imgcls.ladders.spec import FINAL_JSON
from imgcls.records.regions import read_regions
from imgcls.records.run import GAINS, RunRecord

N_RUNGS = 3
_RISING = "curve.rising"
_HALF = 0.5
_TWICE = 2.0
_FEWEST_WRONG = 10
_Z99 = 2.576


@dataclass(frozen=True)
class Reason:
    """One reason to go back."""

    id: str
    """A stable name: stalled, test.gain, test.score, findings, one.class, one.region or curve.rising."""
    stage: str
    """The stage to go back to, 1 or 2."""
    text: Said
    """Why, with its numbers."""
    command: str | None
    """Where to begin there; None where a person has to think."""

    def text_in(self, lang: str) -> str:
        """Return why in a language."""
        return in_language(self.text, lang)


def way_back(evidence: Evidence) -> tuple[Reason, ...]:
    """Return every reason to go back to stage 1 or 2."""
    reasons = (rule(evidence) for rule in _RULES)
    return tuple(reason for reason in reasons if reason is not None)


def stalled(evidence: Evidence) -> Reason | None:
    """The last rungs that could be judged brought no evidence of a gain."""
    last = _last_answers(evidence)[-N_RUNGS:]
    if len(last) < N_RUNGS or any(trial.verdict in GAINS for trial in last):
        return None
    gains = joined((said("{what} {gain}", what=trial.what, gain=trial.gain) for trial in last), "; ")
    text = said("The last {n} rungs brought no evidence of a gain: {gains}.", n=N_RUNGS, gains=gains)
    return Reason("stalled", "1", text, None)


def _last_answers(evidence: Evidence) -> list[VerdictEntry]:
    """Return the last verdict on each question that a rung asked and that still holds, the newest at the end."""
    by_plans: dict[tuple[str, ...], VerdictEntry] = {}
    for climb in evidence.climbs:
        for trial in climb.trials if climb.ladder.kind == "climb" else ():
            if trial.has_verdict and not evidence.change_since_trial(trial):
                plans = tuple(side.plan_digest for side in trial.sides)
                by_plans.pop(plans, None)  # judged again, it is the last one
                by_plans[plans] = trial
    return list(by_plans.values())


def test_gain(evidence: Evidence) -> Reason | None:
    """The gain on the sealed test is another one than that on validation, beyond chance."""
    for climb, opening in _opened(evidence):
        test, validation = opening.test_gain, opening.validation_gain
        if test is None or validation is None:
            continue
        if abs(test.value - validation.value) > math.hypot(test.half_width, validation.half_width):
            before, after = (gain_of(opening.metric, one.value, one.low, one.high) for one in (validation, test))
            text = said(
                "Validation and test disagree beyond chance: {validation} on validation, {test} on test ({file}).",
                validation=before,
                test=after,
                file=_file(climb),
            )
            return Reason("test.gain", "2", text, look_again(evidence))
    return None


def test_score(evidence: Evidence) -> Reason | None:
    """The score on validation is far better than that on the sealed test."""
    for climb, opening in _opened(evidence):
        test, validation = opening.test_score, opening.validation_score
        if test is None or validation is None:
            continue
        excess = described(opening.metric).signed(validation.value - test.value)
        if excess > max(math.hypot(test.half_width, validation.half_width), climb.ladder.smallest_gain):
            text = said(
                "{metric} is {validation:.3f} on validation and {test:.3f} on the sealed test, more than chance "
                "explains ({file}).",
                metric=word(in_words(opening.metric)),
                validation=validation.value,
                test=test.value,
                file=_file(climb),
            )
            return Reason("test.score", "2", text, look_again(evidence))
    return None


def findings(evidence: Evidence) -> Reason | None:
    """Something that was found in the data is not dealt with."""
    left = evidence.open_findings
    if not left:
        return None
    named = joined(
        (said("{id} ({severity}, {n})", id=entry.id, severity=word(entry.severity), n=entry.n) for entry in left), "; "
    )
    command = next((entry.command for entry in left if entry.command), look_again(evidence))
    text = said("Findings are not dealt with: {found} ({file}).", found=named, file=FACTS)
    return Reason("findings", "2", text, None if evidence.is_damaged(FINDINGS_TOML) else command)


def one_class(evidence: Evidence) -> Reason | None:
    """One class carries most of the errors, and not merely because it is most of the data.

    That is: more than half of the errors are its own, the share of its images that are answered wrongly is at
    least twice that of the others, and chance explains that less than once in a hundred times.
    """
    run = _run_to_look_at(evidence)
    if run is None or _n_wrong(run) < _FEWEST_WRONG:
        return None
    counted = class_errors(run, evidence.workspace)
    n_wrong = sum(tally.n_wrong for tally in counted)
    if n_wrong < _FEWEST_WRONG:
        return None
    worst = max(counted, key=lambda tally: tally.n_wrong)
    n_others = sum(tally.n for tally in counted) - worst.n
    if worst.n_wrong <= _HALF * n_wrong or not worst.n or not n_others:
        return None
    rate, others = worst.n_wrong / worst.n, (n_wrong - worst.n_wrong) / n_others
    if rate < _TWICE * others or _z(worst.n_wrong, worst.n, n_wrong - worst.n_wrong, n_others, run) < _Z99:
        return None
    text = said(
        "{wrong} of {n_wrong} errors are on {name}: {rate:.0f} % of its {n} images are answered wrongly, {others:.0f} "
        "% of the others ({run}).",
        wrong=worst.n_wrong,
        n_wrong=n_wrong,
        name=worst.name,
        rate=100 * rate,
        n=worst.n,
        others=100 * others,
        run=f"runs/{run.id}",
    )
    command = look_again(evidence) if run.folds is None else shlex.join(["imgcls", "runs", "suspects", run.id])
    return Reason("one.class", "2", text, command)


def one_region(evidence: Evidence) -> Reason | None:
    """One region of the pictures decides, as 'imgcls explain RUN' found."""
    run = _run_to_look_at(evidence)
    try:
        found = None if run is None else read_regions(run, evidence.workspace)
    except RecordError:  # it can be made again, and proves nothing
        return None
    if found is None or not found.one_decides:
        return None
    text = said(
        "One region decides ({where}): {share:.0f} % of {n} heat maps have most of their mass in one place ({run}).",
        where=word(found.where),
        share=100 * found.share,
        n=found.n,
        run=f"runs/{found.run}",
    )
    return Reason("one.region", "2", text, look_again(evidence))


def rising(evidence: Evidence) -> Reason | None:
    """More images would still bring better scores."""
    facts = evidence.facts
    found = [entry for entry in facts.findings if entry.id == _RISING] if facts else []
    if facts is None or not found or evidence.deals_with(found[0]):
        return None
    points = joined(
        said("{value:.3f} with {n:,} images", value=point.value, n=point.n_train) for point in facts.curve[-2:]
    )
    text = said(
        "The learning curve over the number of images still rises: {numbers} ({file}).",
        numbers=points or quoted(found[0].title),
        file=FACTS,
    )
    return Reason(_RISING, "2", text, None if evidence.is_damaged(FINDINGS_TOML) else found[0].command)


def _opened(evidence: Evidence) -> list[tuple[LadderStatus, FinalOpening]]:
    """Return the ladders whose sealed test was opened, on the data as they are, the newest first."""
    return [
        (climb, climb.opening)
        for climb in reversed(evidence.climbs)
        if climb.opening is not None and not evidence.present.change_since(climb.grounds)
    ]


def _file(climb: LadderStatus) -> str:
    return f"ladders/{climb.ladder.name}/{FINAL_JSON}"


def _run_to_look_at(evidence: Evidence) -> RunRecord | None:
    """Return a run of the stack to use, else the newest; only on the data as they are."""
    holding = [run for run in evidence.runs if not evidence.present.change_since(data_version(run))]
    wanted = set(evidence.climb.incumbent_runs) if evidence.climb else set()
    return next(reversed([run for run in holding if run.id in wanted] or holding), None)


def _n_wrong(run: RunRecord) -> float:
    """Return how many images a run answers wrongly, as its accuracy says; infinity where that does not say it."""
    accuracy = run.metrics.get("accuracy")
    if run.problem == "multilabel" or accuracy is None or accuracy.value is None:
        return math.inf
    return round((1 - accuracy.value) * accuracy.n)


def _z(wrong: int, n: int, others_wrong: int, n_others: int, run: RunRecord) -> float:
    """Return how many standard errors two shares lie apart; images of a group vary together and count as one."""
    n_all = n + n_others
    pooled = (wrong + others_wrong) / n_all
    error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / n_others))
    n_images = run.data.n["valid"]
    share = min(1.0, run.data.n_valid_groups / n_images) if run.data.n_valid_groups and n_images else 1.0
    return (wrong / n - others_wrong / n_others) / error * math.sqrt(share) if error else 0.0


_RULES: tuple[Callable[[Evidence], Reason | None], ...] = (
    stalled,
    test_gain,
    test_score,
    findings,
    one_class,
    one_region,
    rising,
)
