"""Which runs a person means by the two sides of a comparison, and on what both were scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from imgcls.catalog import Stack
from imgcls.errors import RecordError, StackError, UsageError
from imgcls.records.find import find_failed, find_run, find_runs
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace

_DIGEST_LENGTH = 8
Seeds = Mapping[int, RunRecord]


class Place(NamedTuple):
    """What two runs have to have in common to be compared."""

    data: str
    """Digest of samples, labels and pixels."""
    classes: tuple[str, ...]
    """The classes, in order."""
    problem: str
    """`binary`, `multiclass` or `multilabel`."""
    fold: int | None
    """The fold; None without folds."""
    split: str
    """Digest of who trains and who validates."""


@dataclass(frozen=True)
class Asked:
    """The runs that a text means."""

    text: str
    """What was typed."""
    runs: tuple[RunRecord, ...]
    """Finished runs of one plan, oldest first; at least one."""
    notes: tuple[str, ...]
    """What a person should know of them."""


def runs_asked_for(text: str, workspace: Workspace) -> Asked:
    """Find the runs that a text means.

    Args:
        text: A stack as typed or printed, or the beginning of a plan's digest: all full runs of that plan.
            A folder, an id, a key, or the beginning of one: that run alone.
        workspace: Where to look.

    Raises:
        RecordError: There is none, it was only a trial, or the text can mean several plans.
    """
    everything, _ = find_runs(workspace)
    plans = _plans_named(text, everything)
    if len(plans) > 1:
        listed = "; ".join(f"{digest[:_DIGEST_LENGTH]} ({label})" for digest, label in sorted(plans.items()))
        raise RecordError(f"{text!r} can mean {len(plans)} plans. Name one by its digest: {listed}.")
    if not plans:
        return _one_run(text, everything, workspace)
    (digest,) = plans
    runs = [run for run in everything if run.plan_digest == digest]
    full = tuple(run for run in runs if not run.quick)
    if not full:
        raise RecordError(f"{text!r} was only tried with --quick, and trials are not compared. Run it in full.")
    n_failed = sum(run.plan_digest == digest for run in find_failed(workspace)[0])
    notes = (f"{text}: {n_failed} further runs failed; the gain holds for runs that finish.",) if n_failed else ()
    return Asked(text, full, notes)


def side_by_side(a: Asked, b: Asked) -> tuple[dict[int | None, Seeds], dict[int | None, Seeds], tuple[str, ...]]:
    """Keep the runs of both sides that were scored on the same images.

    Returns:
        Fold (None without folds) → seed → run, for either side with the same folds; and what was left out, in words.

    Raises:
        UsageError: A run is on both sides, or nothing was scored on the same images; what differs is named.
    """
    twice = {run.id for run in a.runs} & {run.id for run in b.runs}
    if twice:
        raise UsageError(f"{a.text!r} and {b.text!r} both mean {min(twice)}; a comparison needs two different sides.")
    by_place = [_by_place(side) for side in (a, b)]
    common = [place for place in by_place[0] if place in by_place[1]]
    if not common:
        raise UsageError.together(
            _differences(a, b), heading=f"{a.text!r} and {b.text!r} were not scored on the same images:"
        )
    best = max(common, key=lambda place: _worth(place, by_place))
    chosen: dict[int | None, Place] = {}
    for place in sorted(common, key=lambda place: _worth(place, by_place)):
        if (place.data, place.classes, place.fold is None) == (best.data, best.classes, best.fold is None):
            chosen[place.fold] = place
    sides: list[dict[int | None, Seeds]] = []
    notes: list[str] = []
    for asked, places in zip((a, b), by_place, strict=True):
        kept: dict[int | None, Seeds] = {
            fold: {run.seed: run for run in places[place]} for fold, place in chosen.items()
        }
        n_kept = sum(len(seeds) for seeds in kept.values())
        if n_kept < len(asked.runs):
            notes.append(
                f"{asked.text}: {len(asked.runs) - n_kept} of {len(asked.runs)} runs are left out: "
                "on other data, splits or folds, or an older run of the same seed."
            )
        sides.append(kept)
    return sides[0], sides[1], tuple(notes)


def _plans_named(text: str, runs: Sequence[RunRecord]) -> dict[str, str]:
    """Give digest and label of the plans that a text can mean, the closest kind of name first."""
    named = [run for run in runs if run.label == text] or [run for run in runs if run.stack == text]
    if not named:
        with suppress(StackError):  # then it may be the id of a run
            digest = Stack.parse(text).plan.digest
            named = [run for run in runs if run.plan_digest == digest]
    if not named and len(text) >= _DIGEST_LENGTH:
        named = [run for run in runs if run.plan_digest.startswith(text)]
    return {run.plan_digest: run.label for run in named}


def _one_run(text: str, everything: Sequence[RunRecord], workspace: Workspace) -> Asked:
    try:
        record = find_run(text, workspace)
    except RecordError:
        with suppress(StackError):
            stack = Stack.parse(text)
            raise RecordError(
                f"There is no finished run of {text!r} in {workspace.runs}. 'imgcls recipe run {stack.text}' makes one."
            ) from None
        raise
    if record.quick or record.status != "done":
        why = "a trial (--quick)" if record.quick else "failed"
        raise RecordError(f"Run {record.id} is {why}, and is not compared. Run it in full.")
    others = [run for run in everything if run.plan_digest == record.plan_digest and not run.quick]
    n_others = sum(run.id != record.id for run in others)
    note = (
        f"{record.id} is one run; there are {n_others} more of the same plan. "
        f"'imgcls compare' with {record.label!r} takes all of them."
    )
    return Asked(text, (record,), (note,) if n_others else ())


def _place(run: RunRecord) -> Place:
    return Place(run.data.digest, run.classes, run.problem, run.fold, run.data.split_digest)


def _by_place(asked: Asked) -> dict[Place, list[RunRecord]]:
    found: dict[Place, list[RunRecord]] = {}
    for run in asked.runs:
        found.setdefault(_place(run), []).append(run)
    return found


def _worth(place: Place, by_place: Sequence[Mapping[Place, Sequence[RunRecord]]]) -> tuple[int, str]:
    """Prefer the place where both sides have many runs, then the newest."""
    sides = [places[place] for places in by_place]
    return min(len(runs) for runs in sides), max(run.created for runs in sides for run in runs)


def _differences(a: Asked, b: Asked) -> list[str]:
    """Name what keeps the newest runs of both sides apart, the first thing that does."""
    one, other = a.runs[-1], b.runs[-1]
    pairs = {
        "data": [f"{run.data.name}, digest {run.data.digest[:_DIGEST_LENGTH]}" for run in (one, other)],
        "problem": [one.problem, other.problem],
        "classes": [", ".join(run.classes) for run in (one, other)],
        "folds": [_folds(side) for side in (a, b)],
        "split": [f"digest {run.data.split_digest[:_DIGEST_LENGTH]}" for run in (one, other)],
    }
    different = [f"{what}: {left} and {right}" for what, (left, right) in pairs.items() if left != right]
    advice = "Run both stacks with the same data and the same split."
    return [*different[: 2 if different[0].startswith("problem") else 1], advice]


def _folds(asked: Asked) -> str:
    folds = sorted({-1 if run.fold is None else run.fold for run in asked.runs})
    return ", ".join("none" if fold < 0 else str(fold) for fold in folds)
