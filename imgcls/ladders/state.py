"""State of a ladder: which of its jobs are done, running, interrupted, failed or waiting, read from their files."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal

from imgcls.errors import RecordError
from imgcls.ladders.spec import JobPlan, Ladder
from imgcls.plan import Plan
from imgcls.records.attempts import find_attempts
from imgcls.records.find import find_failed, find_runs
from imgcls.records.lock import is_held
from imgcls.records.run import RunRecord, short_key
from imgcls.workspace import Workspace

State = Literal["done", "running", "interrupted", "failed", "waiting"]


@dataclass(frozen=True)
class JobState:
    """One job and how far it is."""

    job: JobPlan
    """The job."""
    state: State
    """Done, being worked on, interrupted, failed, or not begun."""
    record: RunRecord | None = None
    """Its record; None until it is done."""
    epoch: int = 0
    """Finished epochs of an attempt."""
    n_epochs: int = 0
    """Epochs of the whole training."""
    reason: str = ""
    """Why it failed."""


@dataclass(frozen=True)
class LadderState:
    """A ladder and how far each of its jobs is."""

    ladder: Ladder
    """The ladder."""
    jobs: tuple[JobState, ...]
    """The jobs, in the ladder's order."""
    is_running: bool = False
    """Whether a process drives the ladder now."""
    damaged: tuple[str, ...] = field(default=())
    """A message for each record in the workspace that cannot be read."""

    def of(self, rung: int) -> tuple[JobState, ...]:
        """Return the jobs of one rung."""
        return tuple(entry for entry in self.jobs if entry.job.rung == rung)

    def n(self, state: State) -> int:
        """Count the jobs in a state."""
        return sum(entry.state == state for entry in self.jobs)

    @property
    def is_complete(self) -> bool:
        """Whether every job is done or has failed."""
        return all(entry.state in ("done", "failed") for entry in self.jobs)

    def seconds_left(self, *, n_parallel: int = 1) -> float | None:
        """Return about how long the rest takes.

        What was estimated is scaled by how long finished runs took against their own estimate.

        Args:
            n_parallel: Jobs that run at a time.

        Returns:
            Seconds; None where neither estimates nor finished runs tell anything.
        """
        estimates = {number: rung.estimate_seconds for number, rung in enumerate(self.ladder.rungs)}
        times: dict[int, list[float]] = {}
        for entry in self.jobs:
            if entry.record is not None:
                times.setdefault(entry.job.rung, []).append(entry.record.seconds.get("total", 0.0))
        measured = {rung: sum(values) / len(values) for rung, values in times.items()}
        ratios = [measured[rung] / value for rung, value in estimates.items() if value and rung in measured]
        ratio = sum(ratios) / len(ratios) if ratios else 1.0
        left, known = 0.0, False
        for entry in self.jobs:
            if entry.state in ("done", "failed"):
                continue
            estimate = estimates.get(entry.job.rung)
            whole = measured.get(entry.job.rung) or (estimate * ratio if estimate else None)
            if whole is not None:
                known = True
                left += whole * (1 - entry.epoch / entry.n_epochs if entry.n_epochs else 1)
        return left / n_parallel if known or self.is_complete else None


def read_state(ladder: Ladder, workspace: Workspace, *, known: Mapping[str, RunRecord] | None = None) -> LadderState:
    """Read how far every job of a ladder is.

    Args:
        ladder: The ladder.
        workspace: Where its records lie.
        known: Records that were read before, by key, so that they need not be read again.
    """
    wanted = {job.key for job in ladder.jobs}
    records = dict(known or {})
    damaged: list[str] = []
    if wanted - records.keys():
        found, damaged = find_runs(workspace)
        records |= {record.key: record for record in found if record.key in wanted}
    begun, folders = find_attempts(workspace), {short_key(key) for key in wanted}
    attempts = {attempt.key: attempt for attempt in begun if attempt.key in wanted}
    damaged = [*damaged, *(entry.damage for entry in begun if entry.damage and entry.folder.name in folders)]
    failures = {record.key: record.reason or "" for record in find_failed(workspace)[0] if record.key in wanted}
    epochs = {number: Plan.from_json(rung.plan).fit.epochs for number, rung in enumerate(ladder.rungs)}
    jobs = []
    for job in ladder.jobs:
        n_epochs = epochs[job.rung]
        if job.key in records:
            jobs.append(JobState(job, "done", records[job.key], n_epochs, n_epochs))
        elif job.key in attempts:
            attempt = attempts[job.key]
            state: State = "failed" if attempt.reason else attempt.state
            jobs.append(JobState(job, state, None, attempt.n_epochs, max(n_epochs, attempt.n_epochs), attempt.reason))
        elif job.key in failures:
            jobs.append(JobState(job, "failed", n_epochs=n_epochs, reason=failures[job.key]))
        else:
            jobs.append(JobState(job, "waiting", n_epochs=n_epochs))
    is_running = False
    with suppress(RecordError):
        is_running = ladder.folder is not None and is_held(ladder.folder)
    return LadderState(ladder, tuple(_without_weights(ladder, jobs)), is_running, tuple(damaged))


def _without_weights(ladder: Ladder, jobs: list[JobState]) -> list[JobState]:
    """Count a run as failed where the training whose weights it needs failed: it has none of its own."""
    failed = {(entry.job.rung, entry.job.seed, entry.job.fold) for entry in jobs if entry.state == "failed"}
    reason = "the training whose weights it predicts with failed"
    return [
        replace(entry, state="failed", reason=reason)
        if entry.state == "waiting"
        and (ladder.rungs[entry.job.rung].weights_of, entry.job.seed, entry.job.fold) in failed
        else entry
        for entry in jobs
    ]
