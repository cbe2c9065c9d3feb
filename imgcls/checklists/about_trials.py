"""Stage 4: what was tried, and what was said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from imgcls.catalog import Stack
from imgcls.checklists.climbs import Climb
from imgcls.checklists.commands import SEEDS, ladder_again
from imgcls.checklists.evidence import Evidence
from imgcls.checklists.items import find_item
from imgcls.checklists.states import BY_HAND, Answer
from imgcls.checklists.trials import Trial
from imgcls.errors import ImgclsError, RecordError
from imgcls.records.run import RunRecord

FEWEST_EPOCHS = 6
"""A last third of fewer than two epochs says nothing of where a curve is going."""


def tried(id_: str) -> Callable[[Evidence], Answer]:
    """Make the rule of an item that a verdict ticks, whatever it says but `cannot tell`."""

    def answered(evidence: Evidence) -> Answer:
        trials = [trial for trial in evidence.trials if id_ in trial.items]
        told = [trial for trial in trials if trial.has_verdict]
        holding = [trial for trial in told if not evidence.change_since_trial(trial)]
        if holding:
            return Answer.proved(holding[-1].said)
        if told:
            change = evidence.change_since_trial(told[-1])
            return Answer("stale", f"{told[-1].said}; {change}", _once_more(told[-1], evidence))
        if trials:
            return Answer.missing(f"{trials[-1].said}: {trials[-1].reason}", _more_seeds(trials[-1], evidence))
        return _not_tried(id_, evidence)

    return answered


def epochs(evidence: Evidence) -> Answer:
    """Whether the number of epochs was tried, or the learning curve is flat, so that more would not help."""
    answer = tried("train.epochs")(evidence)
    if answer.state == "done":
        return answer
    curves = ((flat_curve(run), run) for run in _curves_of(evidence))
    proofs = [Answer.proved(flat, evidence.change_since_run(run)) for flat, run in curves if flat]
    proved = next((proof for proof in proofs if proof.state == "done"), None)
    return proved or (proofs[0] if proofs and answer.state == "open" else answer)


def flat_curve(run: RunRecord) -> str:
    """Say that a run's validation no longer improved; nothing where it did, or where it was too short to tell.

    A curve is flat when the last third of the epochs holds neither a lower loss nor a higher accuracy than the
    epochs before it, and that third is two epochs at least.
    """
    try:
        rows = run.history()
    except RecordError:
        return ""
    losses, accuracies = (_numbers(rows, name) for name in ("valid_loss", "valid_accuracy"))
    if len(rows) < FEWEST_EPOCHS or min(len(losses), len(accuracies)) < len(rows):
        return ""
    first = len(rows) - len(rows) // 3
    if min(losses[first:]) < min(losses[:first]) or max(accuracies[first:]) > max(accuracies[:first]):
        return ""
    best = losses.index(min(losses)) + 1
    return (
        f"runs/{run.id}/history.csv: neither validation loss nor accuracy improved in the last {len(rows) - first} of "
        f"{len(rows)} epochs; the loss was lowest in epoch {best}"
    )


def _numbers(rows: Sequence[Mapping[str, object]], name: str) -> list[float]:
    """Give a column of a history, without what is no number."""
    return [float(value) for row in rows if isinstance(value := row.get(name), int | float)]


def ensemble(_: Evidence) -> Answer:
    """Nothing can prove a blend yet."""
    return Answer.missing(find_item("predict.ensemble").note, BY_HAND)


def all_data(_: Evidence) -> Answer:
    """Nothing can prove a training on all data yet."""
    return Answer.missing(find_item("final.alldata").note, BY_HAND)


def _not_tried(id_: str, evidence: Evidence) -> Answer:
    begun = [
        climb
        for climb in evidence.climbs
        if not climb.is_complete and any(id_ in rung.items for rung in climb.ladder.rungs[1:])
    ]
    if begun:
        command = ladder_again(begun[-1], evidence, n_seeds=begun[-1].ladder.n_seeds)
        return Answer.missing(f"ladders/{begun[-1].ladder.name} is not finished", command)
    return Answer.missing("not tried yet")


def _more_seeds(trial: Trial, evidence: Evidence) -> str | None:
    """Give the command that would tell what could not be told; None where seeds are not what is missing."""
    climb = _ladder_of(trial, evidence)
    if climb is None or min(trial.n_runs) >= SEEDS:
        return None
    return ladder_again(climb, evidence, n_seeds=SEEDS)


def _once_more(trial: Trial, evidence: Evidence) -> str | None:
    """Give the command that asks the same on the data as they are; None where its stack no longer stands."""
    climb = _ladder_of(trial, evidence)
    if climb is None or not _stands(climb.ladder.stack, evidence):
        return None
    return ladder_again(climb, evidence, n_seeds=climb.ladder.n_seeds)


def _ladder_of(trial: Trial, evidence: Evidence) -> Climb | None:
    return next((climb for climb in evidence.climbs if climb.ladder.name == trial.ladder), None)


def _stands(stack: str, evidence: Evidence) -> bool:
    try:
        Stack.parse(stack, home=evidence.workspace.root)
    except ImgclsError:
        return False
    return True


def _curves_of(evidence: Evidence) -> Sequence[RunRecord]:
    """Give the runs whose epochs count: those of the stack to use, else of the baseline, those that hold first."""
    climb = evidence.climb or next(reversed(evidence.climbed), None)
    wanted = set(climb.incumbent_runs) if climb else set()
    runs = [run for run in evidence.runs if run.id in wanted and "history.csv" in run.files]
    if evidence.baseline is not None and (evidence.climb is None or not runs):
        runs.append(evidence.baseline)
    return sorted(runs, key=lambda run: bool(evidence.change_since_run(run)))
