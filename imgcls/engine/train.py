"""Training a stack: a stack, data and a seed become a record. The same call finds, resumes or repeats the same one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

from imgcls.catalog import Stack
from imgcls.config.metrics import PRIMARY, described
from imgcls.config.problem import resolve
from imgcls.data.source import DataOptions, DataSource
from imgcls.engine.device import Machine
from imgcls.engine.prepare import prepare
from imgcls.engine.progress import Reporter, plain_lines
from imgcls.engine.request import RunLog, RunOutcome, RunSetup, RunSpec, TrainOptions, workspace_at
from imgcls.engine.run import Job, OutOfFold
from imgcls.errors import RecordError
from imgcls.evidence.contributions import check_metric
from imgcls.evidence.metrics import estimate_of
from imgcls.records.find import find_by_key
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace


def train(
    stack: str | Stack,
    data: Any = None,
    *,
    seed: int = 0,
    folds: int | None = None,
    overrides: Mapping[str, Any] | None = None,
    quick: bool = False,
    again: bool = False,
    from_start: bool = False,
    all_data: bool = False,
    machine: Machine | None = None,
    workspace: Workspace | Path | str | None = None,
    reporter: Reporter | None = None,
    **options: Unpack[DataOptions],
) -> RunRecord:
    """Train a stack of recipes on photographs, validate it, and leave a record.

    The same call finds the same record, or goes on with an attempt that was interrupted or failed.

    Args:
        stack: Such as `"baseline+augmentation+tta"`.
        data: A folder, a table, a pandas frame, `torchvision:NAME`, `fastai:NAME`, or None for the data of imgcls.toml,
            or else the default data.
        seed: Decides everything random in training.
        folds: Train this many times, 2 to 20, each time validating on another part of the samples; None trains once.
        overrides: Plan paths set on the base, such as `{"fit.epochs": 5}`.
        quick: One epoch, or none where the plan has none, on at most 500 images, marked as such.
        again: Train again where there is a record, and compare the bits.
        from_start: Begin again where an attempt was interrupted or failed, instead of going on after its last epoch.
        all_data: Train on train and validation together, as the runs of the same stack that were validated; these
            stand for the score, since this run has none.
        machine: Device, worker processes, precision.
        workspace: Folder in which `runs/` lies; the nearest one with imgcls.toml, or the current folder.
        reporter: Shows how it goes; plain lines on stderr when None.
        **options: How the data are read: `images`, `label`, `id`, `group`, `split`, `problem_type`, `delimiter`,
            `valid`, `split_seed`, `test`, `stretch`, `verify`; what is not said is taken from imgcls.toml. See
            `imgcls.DataSource`.

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
    parsed = stack if isinstance(stack, Stack) else Stack.parse(stack, overrides)
    source = resolve(DataSource.of(data, options), place.root, folds=folds)
    with plain_lines(reporter) as lines:
        settings = TrainOptions(
            seed=seed,
            n_folds=folds,
            quick=quick,
            again=again,
            from_start=from_start,
            all_data=all_data,
            machine=machine or Machine(),
            workspace=place,
            reporter=lines,
        )
        return train_stack(parsed, source, settings).record


def train_stack(stack: Stack, source: DataSource, options: TrainOptions) -> RunOutcome:
    """Train a stack, once or once for each fold, and tell how the record came about.

    Photographs are read once. A fold whose record is there is not trained again, and an interrupted one goes on, so
    that the same call goes on wherever the last one stopped.

    Args:
        stack: The stack.
        source: Where the data are; it is taken as it is, whatever imgcls.toml says.
        options: Everything else.

    Returns:
        The run; where all folds are trained, the record of their predictions out of fold, and their runs.

    Raises:
        UsageError: Something has to be changed before the work can start.
        TrainingError: A training failed; the folds before it are kept.
    """
    began, reporter = time.perf_counter(), options.reporter
    setup = RunSetup.of(stack, source, options)
    reading = RunLog(reporter)
    samples = prepare(
        source,
        setup.stack.plan.images,
        reporter=reading,
        quick=options.quick,
        turns=options.turns,
        workspace=setup.workspace,
        strict=options.strict,
    )
    if setup.metric is not None:
        check_metric(setup.metric, problem=samples[0].samples.problem, classes=samples[0].samples.classes)
    requests, outcomes = [], []
    for turn, prepared in zip(options.turns, samples, strict=True):
        request, log = RunSpec(setup, prepared, turn), RunLog(reporter, list(reading.lines))
        if options.all_data:
            request = request.on_all_data()
        again = options.again
        if options.trains_all_folds and (damage := _damage(find_by_key(setup.workspace, request.key))):
            log.note(f"{damage} {str(turn).capitalize()} is trained again.")  # the others would have to wait for it
            again = True
        outcome = Job(request, log, began).run(again=again, from_start=options.from_start)
        if options.trains_all_folds:
            how = "already trained" if outcome.reused else "done"
            metric = setup.metric or PRIMARY[outcome.record.problem]
            score = f"{described(metric).title} {estimate_of(outcome.record, metric)}"
            reporter.note(f"{str(turn).capitalize()} {how}: {score}")
        requests.append(request)
        outcomes.append(outcome)
        began = time.perf_counter()
    if not options.trains_all_folds:
        return outcomes[0]
    return OutOfFold(tuple(requests), tuple(outcomes), reporter).gather()


def _damage(record: RunRecord | None) -> str:
    """Describe what is wrong with the files of a record, or nothing; only predictions are read whole."""
    if record is None:
        return ""
    try:
        for name in record.files:
            record.path(name)
        record.verify(["valid.parquet"])
    except RecordError as problem:
        return str(problem)
    return ""
