"""One job: a stack, data and a seed become a run record. The same job finds, resumes or repeats the same record."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from imgcls.catalog import Stack
from imgcls.engine.check import check
from imgcls.engine.device import Machine
from imgcls.engine.job import Job
from imgcls.engine.outcome import Log, Outcome
from imgcls.engine.prepare import DataSource, prepare
from imgcls.engine.reporting import Lines, Reporter
from imgcls.engine.request import Request
from imgcls.engine.weights import resolve_weights
from imgcls.errors import UsageError
from imgcls.plan import Plan
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace


def train(
    stack: str | Stack,
    data: Any = None,
    *,
    seed: int = 0,
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
        data: A folder, a table, a pandas frame, `torchvision:NAME`, `fastai:NAME`, or None for the default data.
        seed: Decides everything random in training.
        overrides: Plan paths set on the base, such as `{"fit.epochs": 5}`.
        quick: One epoch, or none where the plan has none, on at most 500 images, marked as such.
        again: Train anew where there is a record, and compare the bits.
        machine: Device, worker processes, precision.
        workspace: Folder in which `runs/` lies; the nearest one with imgcls.toml, or the current folder.
        reporter: Who is told how it goes; plain lines on stderr when None.
        **reading: How the data are read: `images`, `label`, `id`, `group`, `split`, `problem_type`, `delimiter`,
            `valid`, `split_seed`, `verify`; see `imgcls.engine.prepare.DataSource`.

    Returns:
        The record: `run.metrics["accuracy"]` is an estimate with its 95 % interval.

    Raises:
        UsageError: Something has to be changed before the work can start.
        TrainingError: The training failed.

    Example:
        >>> run = imgcls.train("baseline+augmentation", "photos/", seed=0)  # doctest: +SKIP
    """
    return run_job(
        stack,
        DataSource.of(data, reading),
        seed=seed,
        overrides=overrides,
        quick=quick,
        again=again,
        machine=machine,
        workspace=workspace,
        reporter=reporter,
    ).record


def run_job(
    stack: str | Stack,
    source: DataSource,
    *,
    seed: int = 0,
    overrides: Mapping[str, Any] | None = None,
    quick: bool = False,
    again: bool = False,
    machine: Machine | None = None,
    workspace: Workspace | Path | str | None = None,
    reporter: Reporter | None = None,
) -> Outcome:
    """Do what `train` does, and tell how the record came about; the arguments are those of `train`."""
    began = time.perf_counter()
    _check_seed(seed)
    stack = stack if isinstance(stack, Stack) else Stack.parse(stack, overrides)
    if quick:
        stack = replace(stack, final=_trial(stack.plan))
    check(stack.plan)
    machine, log = machine or Machine(), Log(reporter or Lines())
    machine.make_ready()
    place = workspace if isinstance(workspace, Workspace) else Workspace.find(Path(workspace) if workspace else None)
    if isinstance(source.data, str | Path) and Path(source.data).is_dir():
        place.check_apart(Path(source.data))  # before anything is written
    place.writable()
    weights = resolve_weights(stack.plan.model)
    prepared = prepare(source, stack.plan.images, quick=quick, reporter=log)
    request = Request(stack, prepared, seed, quick, machine, weights)
    return Job(request, place, log, began).do(again=again)


def _trial(plan: Plan) -> dict[str, Any]:
    """Give what a trial sets whatever the recipes say: one epoch or none, and what was longer made to fit."""
    final: dict[str, Any] = {"fit.epochs": min(plan.fit.epochs, 1)}
    if plan.schedule.warmup_epochs >= 1:
        final["schedule.warmup_epochs"] = 0.5
    if plan.fit.freeze_epochs not in (0, 1, "all"):
        final["fit.freeze_epochs"] = "all"
    return final


def _check_seed(seed: int) -> None:
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise UsageError(f"A seed is a whole number from 0 to 2**63 − 1, not {seed!r}.")
