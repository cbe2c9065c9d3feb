"""What was handed in: submissions that are still there as they were written, and the runs that they came from."""

from __future__ import annotations

import shlex
from dataclasses import replace

from imgcls.checklists.commands import run_to_submit, without_folds
from imgcls.checklists.evidence import Evidence, is_baseline, named
from imgcls.checklists.states import BY_HAND, Answer
from imgcls.records.submissions import GIVE_TEST, TEST_FILE, Submission


def first(evidence: Evidence) -> Answer:
    """Whether predictions of a baseline run were written as a submission that is still there."""
    runs = {run.id: run for run in evidence.runs if is_baseline(run)}
    made = [entry for entry in evidence.submissions if entry.run in runs]
    proofs = [
        Answer.proved(f"{entry.name}, from {entry.run}", evidence.change_since_run(runs[entry.run]))
        for entry in made
        if entry.is_whole()
    ]
    if proofs:
        proved = next((proof for proof in reversed(proofs) if proof.state == "done"), None)
        return proved or replace(proofs[-1], command=_run_first(evidence))
    if made:
        holding = [entry for entry in made if runs[entry.run] in evidence.baselines]
        return _not_whole((holding or made)[-1], evidence)
    return _no_submission(evidence)


def final(evidence: Evidence) -> Answer:
    """Whether a submission was made from the stack that the newest ladder recommends, and is still there."""
    climb = evidence.climb
    if climb is None or climb.incumbent is None:
        return _no_incumbent(evidence)
    stack = climb.ladder.rungs[climb.incumbent].printed
    made = [entry for entry in evidence.submissions if entry.run in climb.incumbent_runs]
    whole = [entry for entry in made if entry.is_whole()]
    if whole:
        return Answer.proved(f"{whole[-1].name}, from {stack}, which {climb.file} recommends")
    if made:
        return _not_whole(made[-1], evidence)
    runs = [run for run in evidence.runs if run.id in climb.incumbent_runs]
    if not any(TEST_FILE in run.files for run in runs):
        return Answer.missing(f"the runs of {stack} have no test part to submit; {GIVE_TEST}", BY_HAND)
    return Answer.missing(f"no submission is of {stack}, which {climb.file} recommends")


def _not_whole(entry: Submission, evidence: Evidence) -> Answer:
    """Say that a submission is not what it was, and how its run is submitted once more."""
    is_in_the_way = (evidence.workspace.submissions / f"{entry.run}.csv").is_file()
    command = f"imgcls submit {shlex.quote(entry.run)}{' --force' if is_in_the_way else ''}"
    return Answer.missing(f"{entry.name} is gone, or was changed since it was written", command)


def _no_submission(evidence: Evidence) -> Answer:
    first = _run_first(evidence)
    if first is not None and evidence.has_test_part:
        return Answer.missing("no run of the baseline that holds predicts the test part with one network", first)
    if first is not None and evidence.baseline is not None:
        return Answer.missing(f"{named(evidence.baseline)} has no test part to submit; {GIVE_TEST}", BY_HAND)
    n = len(evidence.submissions)
    return Answer.missing(f"none of {n} submissions is of a baseline run" if n else "there is no submission yet")


def _run_first(evidence: Evidence) -> str | None:
    """Give the command that has to come before a submission; None where a run can be submitted, or none was made."""
    if evidence.baseline is None or run_to_submit(evidence) is not None:
        return None
    return without_folds(evidence.baseline, evidence)


def _no_incumbent(evidence: Evidence) -> Answer:
    made = [
        (entry, climb)
        for climb in evidence.climbed
        for entry in evidence.submissions
        if entry.run in climb.incumbent_runs and entry.is_whole()
    ]
    if made:
        entry, climb = made[-1]
        return Answer("stale", f"{entry.name}; {evidence.change_since_climb(climb)}", BY_HAND)
    return Answer.missing("no ladder that holds says which stack to submit", BY_HAND)
