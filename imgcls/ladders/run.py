"""Running a ladder from question to verdicts: the public call."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from imgcls.catalog import Stack
from imgcls.engine.device import Machine, n_gpus
from imgcls.engine.prepare import DataSource
from imgcls.engine.ready import workspace_at
from imgcls.engine.reporting import Lines, Reporter
from imgcls.errors import UsageError
from imgcls.ladders.climb import Drive
from imgcls.ladders.design import Question, design
from imgcls.ladders.executors import n_parallel, open_executor
from imgcls.ladders.forecast import forecast, read_duration, within_budget
from imgcls.ladders.result import LadderResult
from imgcls.ladders.spec import Kind
from imgcls.ladders.state import read_state
from imgcls.ladders.watching import Silent, Watcher
from imgcls.workspace import Workspace


def ladder(
    stack: str | Stack = "baseline+augmentation+adamw_cosine+label_smoothing+tta",
    data: Any = None,
    *,
    seeds: int = 5,
    folds: int | None = None,
    metric: str | None = None,
    smallest_gain: float = 0.005,
    kind: Kind = "climb",
    budget: str | float | None = None,
    executor: str | Executor = "serial",
    retries: int = 1,
    retry_failed: bool = False,
    overrides: Mapping[str, Any] | None = None,
    machine: Machine | None = None,
    workspace: Workspace | Path | str | None = None,
    name: str | None = None,
    reporter: Reporter | None = None,
    watcher: Watcher | None = None,
    **reading: Any,
) -> LadderResult:
    """Train the recipes of a stack one on top of the other, with several seeds, and judge which of them helped.

    The same call goes on where an earlier one ended, and reuses every run that is there, whoever made it.

    Args:
        stack: The full stack; its recipes become the rungs.
        data: As `imgcls.train`, but no frame in memory.
        seeds: Runs of every rung, with the seeds 0, 1, …; two can tell a little, five are a good start.
        folds: Train and validate in K turns instead of once; every photograph outside test is then scored.
        metric: accuracy, balanced_accuracy, macro_f1, roc_auc or log_loss, chosen before looking; None takes the
            one that imgcls.toml names, or else that of the kind of problem.
        smallest_gain: The smallest gain of interest: 0.005 is half a point (for log loss: nats).
        kind: `climb` adds the recipes one by one; `ablate` leaves each out of the full stack.
        budget: Such as `"30m"`, or seconds: as many seeds as fit, `seeds` at the most.
        executor: `serial`, `processes:N`, `module:factory`, or any `concurrent.futures.Executor`.
        retries: How often a job whose worker died is handed out again.
        retry_failed: Whether trainings that failed are tried again.
        overrides: Plan paths set on the base.
        machine: Device, worker processes, precision.
        workspace: Folder in which `runs/` and `ladders/` lie.
        name: The ladder's name; None makes one from the stack.
        reporter: Told how far reading the photographs is; plain lines on stderr when None.
        watcher: Told of every run that is done; nobody when None.
        **reading: How the data are read; see `imgcls.train`.

    Returns:
        The result: `result.rungs[1].step.verdict`, `result.rungs[1].step.value`.

    Raises:
        UsageError: Something has to be changed before the work can start.

    Example:
        >>> result = imgcls.ladder("baseline+augmentation+tta", "photos/", seeds=3)  # doctest: +SKIP
    """
    place = workspace_at(workspace)
    parsed = stack if isinstance(stack, Stack) else Stack.parse(stack, overrides)
    question = Question(
        parsed,
        DataSource.of(data, reading).in_workspace(place, folds=folds),
        kind=kind,
        n_seeds=seeds,
        n_folds=folds,
        metric=metric,
        smallest_gain=smallest_gain,
        name=name,
    )
    return run_ladder(
        question,
        machine=machine or Machine(),
        workspace=place,
        executor=executor,
        budget_seconds=read_duration(budget) if isinstance(budget, str) else budget,
        retries=retries,
        retry_failed=retry_failed,
        reporter=reporter or Lines(),
        watcher=watcher or Silent(),
    )


def run_ladder(
    question: Question,
    *,
    machine: Machine,
    workspace: Workspace,
    executor: str | Executor,
    reporter: Reporter,
    watcher: Watcher,
    budget_seconds: float | None = None,
    retries: int = 1,
    retry_failed: bool = False,
) -> LadderResult:
    """Plan, tell what it will cost, run and judge; the arguments are those of `ladder`."""
    if retries < 0:
        raise UsageError(f"The number of retries has to be at least 0, not {retries}.")
    if budget_seconds is not None and not 0 < budget_seconds < float("inf"):
        raise UsageError(f"A budget has to be above 0 seconds, not {budget_seconds}.")

    def opened() -> Executor:
        return open_executor(executor, resources={"n_gpus": n_gpus()}) if isinstance(executor, str) else executor

    n_at_once = at_a_time(executor)
    planned = design(question, machine=machine, workspace=workspace, reporter=reporter)
    state = read_state(planned, workspace)
    done = {entry.job.key for entry in state.jobs if entry.state == "done"}
    if budget_seconds is not None:
        planned = within_budget(planned, budget_seconds, done=dict.fromkeys(done), n_parallel=n_at_once)
    told = forecast(planned, done=dict.fromkeys(done), n_parallel=n_at_once)
    watcher.planned(planned, told.sentences)
    drive = Drive(
        planned,
        workspace,
        opened,
        watcher,
        retries=retries,
        retry_failed=retry_failed,
        owns_executor=isinstance(executor, str),
    )
    return drive.run()


def at_a_time(executor: str | Executor) -> int:
    """Give how many jobs an executor, or the text that names one, runs at a time; 1 where it does not say."""
    if not isinstance(executor, str):
        return n_parallel(executor) or 1
    opened = open_executor(executor)  # a pool starts no process before its first job
    try:
        return n_parallel(opened) or 1
    finally:
        opened.shutdown(wait=False)
