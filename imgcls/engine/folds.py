"""All folds of a stack: each is a run of its own, and one record more holds the predictions out of fold."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imgcls.catalog import Stack
from imgcls.data.folds import Turn, check_n_folds
from imgcls.engine.device import Machine
from imgcls.engine.job import Job
from imgcls.engine.out_of_fold import OutOfFold
from imgcls.engine.outcome import FoldsOutcome, Log, Outcome
from imgcls.engine.prepare import DataSource, divided, read_photographs
from imgcls.engine.ready import Ready, check_no_share
from imgcls.engine.reporting import Lines, Reporter, Silent
from imgcls.errors import RecordError
from imgcls.evidence.metrics import METRICS
from imgcls.problem.toml import metric_of
from imgcls.records.find import find_by_key
from imgcls.records.run import RunRecord
from imgcls.records.seen import SeenData, look_at, remember
from imgcls.workspace import Workspace


def run_folds(
    stack: str | Stack,
    source: DataSource,
    *,
    n_folds: int,
    seed: int = 0,
    overrides: Mapping[str, Any] | None = None,
    quick: bool = False,
    again: bool = False,
    machine: Machine | None = None,
    workspace: Workspace | Path | str | None = None,
    reporter: Reporter | None = None,
) -> FoldsOutcome:
    """Train a stack once for each fold, and gather what each network says of the samples it did not see.

    Photographs are read once. Folds whose record is there are not trained again, and an interrupted
    one goes on, so that the same call goes on wherever the last one stopped. The arguments are those
    of `train`, but that `source` is taken as it is, whatever imgcls.toml says; and `n_folds`: how
    many folds there are, from 2 to 20.

    Raises:
        UsageError: Something has to be changed before the work can start.
        TrainingError: The training of a fold failed; the folds before it are kept.
    """
    check_n_folds(n_folds)
    check_no_share(source)
    ready = Ready.of(stack, source, seed=seed, overrides=overrides, quick=quick, machine=machine, workspace=workspace)
    log = Log(reporter or Lines())
    look = None if quick else look_at(vars(source), ready.workspace)
    photographs = read_photographs(source, ready.stack.plan.images, quick=quick, reporter=log)
    requests, outcomes = [], []
    for fold in range(n_folds):
        turn, began = Turn(fold, n_folds), time.perf_counter()
        notes = Log(log.reporter if fold == 0 else Silent(), list(log.lines))  # what holds for all folds is told once
        request = ready.request(divided(photographs, source, reporter=notes, turn=turn), turn)
        if fold == 0 and look is not None:
            remember(ready.workspace, SeenData.of(request.prepared.samples, look, in_folds=True))
        outcome = _do(Job(request, ready.workspace, Log(log.reporter, notes.lines), began), again=again)
        log.reporter.note(_told(turn, outcome, metric_of(ready.workspace.root, outcome.record.problem)))
        requests.append(request)
        outcomes.append(outcome)
    return OutOfFold(tuple(requests), tuple(outcomes), ready.workspace, log.reporter).do()


def _do(job: Job, *, again: bool) -> Outcome:
    """Do one fold; where its record is damaged, train it anew, since the others would have to wait for it."""
    existing = find_by_key(job.workspace, job.request.key)
    damage = _damage(existing) if existing else ""
    if damage:
        job.log.note(f"{damage} {str(job.request.turn).capitalize()} is trained anew.")
    return job.do(again=again or bool(damage))


def _damage(record: RunRecord) -> str:
    """Say what is wrong with the files of a record that was read, or nothing; of their contents, predictions only."""
    try:
        for name in record.files:
            record.path(name)
        record.verify(["valid.parquet"])
    except RecordError as problem:
        return str(problem)
    return ""


def _told(turn: Turn, outcome: Outcome, metric: str) -> str:
    """Say in a line how a fold came out."""
    record = outcome.record
    how = "already trained" if outcome.reused else "done"
    return f"{str(turn).capitalize()} {how}: {METRICS[metric].title} {record.metrics[metric]}"
