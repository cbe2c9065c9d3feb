"""One job: a stack, data and a seed become a run record. The same job finds, resumes or repeats the same record."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imgcls.catalog import Stack
from imgcls.config.problem import metric_of
from imgcls.data.split import Fold, check_n_folds
from imgcls.engine.device import Machine
from imgcls.engine.prepare import DataSource, prepare, read_photographs, split_prepared
from imgcls.engine.progress import Lines, Reporter, Silent
from imgcls.engine.request import FoldsOutcome, RunLog, RunOutcome, RunSetup, check_no_share, workspace_at
from imgcls.engine.run import Job, OutOfFold
from imgcls.errors import RecordError
from imgcls.evidence.metrics import METRICS
from imgcls.records.derived import DatasetSummary, save_summary, take_fingerprint
from imgcls.records.find import find_by_key
from imgcls.records.run import RunRecord
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
    ready = RunSetup.of(
        stack, source, seed=seed, overrides=overrides, quick=quick, machine=machine, workspace=workspace
    )
    log = RunLog(reporter or Lines())
    look = None if quick else take_fingerprint(vars(source), ready.workspace)
    photographs = read_photographs(source, ready.stack.plan.images, quick=quick, reporter=log)
    requests, outcomes = [], []
    for fold in range(n_folds):
        turn, began = Fold(fold, n_folds), time.perf_counter()
        notes = RunLog(
            log.reporter if fold == 0 else Silent(), list(log.lines)
        )  # what holds for all folds is told once
        request = ready.request(split_prepared(photographs, source, reporter=notes, turn=turn), turn)
        if fold == 0 and look is not None:
            save_summary(ready.workspace, DatasetSummary.of(request.prepared.samples, look, in_folds=True))
        outcome = _do(Job(request, ready.workspace, RunLog(log.reporter, notes.lines), began), again=again)
        log.reporter.note(_told(turn, outcome, metric_of(ready.workspace.root, outcome.record.problem)))
        requests.append(request)
        outcomes.append(outcome)
    return OutOfFold(tuple(requests), tuple(outcomes), ready.workspace, log.reporter).do()


def _do(job: Job, *, again: bool) -> RunOutcome:
    """Do one fold; where its record is damaged, train it again, since the others would have to wait for it."""
    existing = find_by_key(job.workspace, job.request.key)
    damage = _damage(existing) if existing else ""
    if damage:
        job.log.note(f"{damage} {str(job.request.turn).capitalize()} is trained again.")
    return job.do(again=again or bool(damage))


def _damage(record: RunRecord) -> str:
    """Describe what is wrong with the files of a record, or nothing; only predictions are read whole."""
    try:
        for name in record.files:
            record.path(name)
        record.verify(["valid.parquet"])
    except RecordError as problem:
        return str(problem)
    return ""


def _told(turn: Fold, outcome: RunOutcome, metric: str) -> str:
    """Describe in a line how a fold came out."""
    record = outcome.record
    how = "already trained" if outcome.reused else "done"
    return f"{str(turn).capitalize()} {how}: {METRICS[metric].title} {record.metrics[metric]}"


def train(
    stack: str | Stack,
    data: Any = None,
    *,
    seed: int = 0,
    folds: int | None = None,
    overrides: Mapping[str, Any] | None = None,
    quick: bool = False,
    again: bool = False,
    machine: Machine | None = None,
    workspace: Workspace | Path | str | None = None,
    reporter: Reporter | None = None,
    **reading: Any,
) -> RunRecord:
    """Train a stack of recipes on photographs, validate it, and leave a record.

    The same call finds the same record, or goes on with an attempt that was interrupted.

    Args:
        stack: Such as `"baseline+augmentation+tta"`.
        data: A folder, a table, a pandas frame, `torchvision:NAME`, `fastai:NAME`, or None for the data of imgcls.toml,
            or else the default data.
        seed: Decides everything random in training.
        folds: Train this many times, 2 to 20, each time validating on another part of the samples; None trains once.
        overrides: Plan paths set on the base, such as `{"fit.epochs": 5}`.
        quick: One epoch, or none where the plan has none, on at most 500 images, marked as such.
        again: Train again where there is a record, and compare the bits.
        machine: Device, worker processes, precision.
        workspace: Folder in which `runs/` lies; the nearest one with imgcls.toml, or the current folder.
        reporter: Shows how it goes; plain lines on stderr when None.
        **reading: How the data are read: `images`, `label`, `id`, `group`, `split`, `problem_type`, `delimiter`,
            `valid`, `split_seed`, `test`, `verify`; what is not said is taken from imgcls.toml. See
            `imgcls.engine.prepare.DataSource`.

    Returns:
        The record: `run.metrics["accuracy"]` is an estimate with its 95 % interval. With folds it is the record of all
        of them: its metrics are those of the predictions out of fold, and `run.folds` names the trainings.

    Raises:
        UsageError: Something has to be changed before the work can start.
        TrainingError: The training failed.

    Example:
        >>> run = imgcls.train("baseline+augmentation", "photos/", seed=0)  # doctest: +SKIP
    """
    place = workspace_at(workspace)
    source = DataSource.of(data, reading).in_workspace(place, folds=folds)
    options: dict[str, Any] = {
        "seed": seed,
        "overrides": overrides,
        "quick": quick,
        "again": again,
        "machine": machine,
        "workspace": place,
        "reporter": reporter,
    }
    if folds is None:
        return run_job(stack, source, **options).record
    return run_folds(stack, source, n_folds=folds, **options).record


def run_job(
    stack: str | Stack,
    source: DataSource,
    *,
    seed: int = 0,
    fold: int | None = None,
    n_folds: int | None = None,
    overrides: Mapping[str, Any] | None = None,
    quick: bool = False,
    again: bool = False,
    machine: Machine | None = None,
    workspace: Workspace | Path | str | None = None,
    reporter: Reporter | None = None,
) -> RunOutcome:
    """Do one run, and tell how the record came about.

    The arguments are those of `train`, but that `source` is taken as it is, whatever imgcls.toml says; and `fold`, the
    one that validates, from 0, and `n_folds`, how many there are, from 2 to 20; both are None where a share of the
    samples validates.
    """
    began = time.perf_counter()
    turn = Fold.of(fold, n_folds)
    if turn is not None:
        check_no_share(source)
    ready = RunSetup.of(
        stack, source, seed=seed, overrides=overrides, quick=quick, machine=machine, workspace=workspace
    )
    log = RunLog(reporter or Lines())
    look = None if quick else take_fingerprint(vars(source), ready.workspace)
    prepared = prepare(source, ready.stack.plan.images, quick=quick, reporter=log, turn=turn)
    if look is not None:
        save_summary(ready.workspace, DatasetSummary.of(prepared.samples, look, in_folds=turn is not None))
    return Job(ready.request(prepared, turn), ready.workspace, log, began).do(again=again)
