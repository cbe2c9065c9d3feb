"""Running a ladder: from its configuration to verdicts; the public call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, Unpack

from imgcls.catalog import Stack
from imgcls.config.problem import resolve
from imgcls.data.source import DataOptions, DataSource
from imgcls.engine.device import Machine, n_gpus
from imgcls.engine.progress import Reporter, Silent, plain_lines
from imgcls.engine.request import workspace_at
from imgcls.errors import BusyError, ImgclsError, TrainingError, UsageError
from imgcls.evidence.metrics import estimate_of
from imgcls.ladders.design import LadderConfig, forecast, plan_ladder, read_duration, within_budget
from imgcls.ladders.executors import SerialExecutor, n_parallel, open_executor
from imgcls.ladders.judge import LadderResult, judge_ladder
from imgcls.ladders.spec import DEFAULT_STACK, RESULT_JSON, JobPlan, Kind, Ladder, parse_ladder
from imgcls.ladders.state import LadderState, read_state
from imgcls.records.attempts import acquire
from imgcls.records.lock import FolderLock
from imgcls.storage import write_json
from imgcls.workspace import Workspace

Status = Literal["done", "failed", "busy", "refused"]


@dataclass(frozen=True)
class JobResult:
    """What came of a job; all that is large lies in the record."""

    key: str
    """The key of the run."""
    status: Status
    """Done; failed in training; held by another process; refused before it began."""
    run: str | None = None
    """The id of the record."""
    value: float | None = None
    """The primary metric; None where it could not be computed."""
    seconds: float = 0.0
    """What the work took here; 0 where the record was there already."""
    reused: bool = False
    """Whether the record was there already."""
    reason: str = ""
    """Why it is not done."""
    exit_code: int = 0
    """The exit code that the reason asks for: what refuses a job by 2 is to be changed, by 1 it went wrong."""


def job_arguments(ladder: Ladder, job: JobPlan, workspace: Workspace) -> dict[str, Any]:
    """Return a job as JSON values: what is trained, on what, and where its record goes."""
    return {
        "stack": ladder.rungs[job.rung].stack,
        "overrides": dict(ladder.overrides),
        "plan_digest": ladder.rungs[job.rung].plan_digest,
        "data": ladder.data.to_json(),
        "seed": job.seed,
        "fold": job.fold,
        "n_folds": ladder.n_folds,
        "key": job.key,
        "metric": ladder.metric,
        "machine": dict(ladder.machine),
        "workspace": str(workspace.root),
    }


def do_job(job: Mapping[str, Any], reporter: Reporter | None = None) -> dict[str, Any]:
    """Do one job, or find that it is done.

    Args:
        job: What `job_arguments` gave.
        reporter: Shows how it goes, in this process; nobody when None.

    Returns:
        A `JobResult` as JSON values. A training that failed is a result; its record lies among the failed runs.
    """
    try:
        result = _done(job, reporter)
    except TrainingError as problem:
        result = JobResult(job["key"], "failed", reason=str(problem), exit_code=problem.exit_code)
    except BusyError as problem:
        result = JobResult(job["key"], "busy", reason=str(problem), exit_code=problem.exit_code)
    except ImgclsError as problem:
        result = JobResult(job["key"], "refused", reason=str(problem), exit_code=problem.exit_code)
    except Exception as problem:  # a mistake of ours; it must not look like the death of a worker
        reason = f"{job['stack']}, seed {job['seed']}: unexpected {type(problem).__name__}: {problem}"
        result = JobResult(job["key"], "refused", reason=reason, exit_code=1)
    return asdict(result)


def _done(job: Mapping[str, Any], reporter: Reporter | None) -> JobResult:
    from imgcls.engine.request import TrainOptions
    from imgcls.engine.train import train_stack

    stack = Stack.parse(job["stack"], job["overrides"])
    changed = f"{stack.text}: the recipe or the data changed since the ladder was planned. Run the ladder again."
    if stack.plan.digest != job["plan_digest"]:
        return JobResult(job["key"], "refused", reason=changed, exit_code=2)
    options = TrainOptions(
        seed=job["seed"],
        fold=job["fold"],
        n_folds=job["n_folds"],
        machine=Machine(**job["machine"]),
        workspace=Workspace(Path(job["workspace"])),
        reporter=reporter or Silent(),
    )
    outcome = train_stack(stack, DataSource.from_json(job["data"]), options)
    record = outcome.record
    if record.key != job["key"]:
        return JobResult(job["key"], "refused", run=record.id, reason=changed, exit_code=2)
    return JobResult(
        key=record.key,
        status="done",
        run=record.id,
        value=estimate_of(record, job["metric"]).value,
        seconds=0.0 if outcome.reused else record.seconds.get("total", 0.0),
        reused=outcome.reused,
    )


class Watcher(Protocol):
    """Whoever wants to know how a ladder goes."""

    def note(self, text: str) -> None:
        """Describe a sentence."""

    def planned(self, ladder: Ladder, forecast_sentences: Sequence[str]) -> None:
        """Tell what is about to begin, what it will cost and what it will be able to see."""

    def job_done(self, result: JobResult, state: LadderState) -> None:
        """Tell that a job was done, or failed."""

    def stop(self) -> None:
        """The work is over, whether well or not."""


class SilentWatcher:
    """A watcher that says nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def planned(self, ladder: Ladder, forecast_sentences: Sequence[str]) -> None:
        """Say nothing."""

    def job_done(self, result: JobResult, state: LadderState) -> None:
        """Say nothing."""

    def stop(self) -> None:
        """Say nothing."""


_BUSY_SECONDS = 2.0


@dataclass
class LadderRunner:
    """One process at work on a ladder."""

    ladder: Ladder
    """The ladder as it was planned."""
    workspace: Workspace
    """Where its records go."""
    open_executor: Callable[[], Executor]
    """Opens the executor; called again after it broke."""
    watcher: Watcher
    """Shows how it goes."""
    retries: int = 1
    """How often a job whose worker died is handed out again."""
    retry_failed: bool = False
    """Whether trainings that failed before are tried again."""
    from_start: bool = False
    """Whether they, and those that were interrupted, begin again instead of going on after their last epoch."""
    owns_executor: bool = True
    """Whether executors are closed here; a user's own is left open, and cannot be opened again when it breaks."""
    _lost: dict[str, int] = field(default_factory=dict)
    _handed_out: set[str] = field(default_factory=set)
    _given_up: set[str] = field(default_factory=set)
    _waiting_told: set[str] = field(default_factory=set)
    _refused: JobResult | None = None

    def run(self) -> LadderResult:
        """Do every job that is not done yet, and judge.

        Raises:
            BusyError: Another process drives this ladder.
            UsageError: A job was refused before it began.
            ImgclsError: A job cannot go on, as on a full disk, or workers died on it more often than it is tried.
        """
        instead = "give this one another name with --name"
        lock = FolderLock.take(self.workspace.ladders / self.ladder.name, instead=instead)
        try:
            self.ladder = self.ladder.write(self.workspace)
            self.work(lock)
            return self._conclude()
        finally:
            lock.release()

    def work(self, lock: FolderLock) -> None:
        """Do every job that is not done yet, under a lock that is held.

        Raises:
            UsageError: A job was refused before it began.
            ImgclsError: A job cannot go on, or workers died on it more often than it is tried.
        """
        if self.from_start:
            self._start_over()
        todo = self._todo()
        while todo:
            with self._executor() as executor:
                try:
                    todo = self._hand_out(executor, todo, lock)
                except BrokenExecutor as problem:
                    if not self.owns_executor:
                        raise ImgclsError(f"The executor broke: {problem}. Finished runs are kept.") from problem
                    todo = self._after_a_death()
            if self._refused is not None:
                is_usage = self._refused.exit_code == UsageError.exit_code
                raise (UsageError if is_usage else ImgclsError)(self._refused.reason)

    def _start_over(self) -> None:
        """Let go of what is half done, once: what a worker of this very ladder leaves behind is gone on with."""
        for job in self._todo():
            with suppress(BusyError), acquire(self.workspace, job.key, {}) as attempt:
                attempt.discard()

    def _todo(self) -> list[JobPlan]:
        states = read_state(self.ladder, self.workspace).jobs
        open_states = ("waiting", "interrupted", "running", *(("failed",) if self.retry_failed else ()))
        return [entry.job for entry in states if entry.state in open_states and entry.job.key not in self._given_up]

    def _hand_out(self, executor: Executor, todo: list[JobPlan], lock: FolderLock) -> list[JobPlan]:
        """Keep an executor busy until nothing is left; give what is left when a job was refused."""
        limit = n_parallel(executor)
        flying: dict[Future[dict[str, object]], JobPlan] = {}
        left = list(todo)
        try:
            while (left and self._refused is None) or flying:
                while self._refused is None and (limit is None or len(flying) < limit):
                    job = self._next(left, flying.values())
                    if job is None:
                        break
                    left.remove(job)
                    arguments = job_arguments(self.ladder, job, self.workspace)
                    flying[executor.submit(do_job, arguments)] = job
                    self._handed_out.add(job.key)
                    if isinstance(executor, SerialExecutor):
                        break
                if not flying:
                    break
                self._collect(flying, left)
                lock.beat()
        except KeyboardInterrupt:
            self._let_end(executor, flying)
            raise
        return [] if self._refused is None else left

    def _next(self, left: Sequence[JobPlan], flying: Iterable[JobPlan]) -> JobPlan | None:
        """Choose the first job whose weights are not being trained, or still to be trained, by another one."""
        pending = {(job.rung, job.seed, job.fold) for job in (*left, *flying)}
        for job in left:
            donor = self.ladder.rungs[job.rung].weights_of
            if donor is None or (donor, job.seed, job.fold) not in pending:
                return job
        return None

    def _collect(self, flying: dict[Future[dict[str, object]], JobPlan], left: list[JobPlan]) -> None:
        done, _ = wait(flying, timeout=1.0, return_when=FIRST_COMPLETED)
        for future in done:
            job = flying.pop(future)
            result = JobResult(**future.result())  # type: ignore[arg-type]
            self._handed_out.discard(job.key)
            if result.status == "refused":
                self._refused = result
            elif result.status == "busy":
                self._wait_for(job, result, left)
            else:
                if result.status == "failed":
                    self._drop_those_without_weights(job, left)
                self.watcher.job_done(result, self._state())

    def _drop_those_without_weights(self, failed: JobPlan, left: list[JobPlan]) -> None:
        """Take out the jobs that would predict with weights that were never made."""
        place = (failed.rung, failed.seed, failed.fold)
        without = [job for job in left if (self.ladder.rungs[job.rung].weights_of, job.seed, job.fold) == place]
        left[:] = [job for job in left if job not in without]
        self._given_up |= {job.key for job in (failed, *without)}  # also where failed runs are retried: once

    def _wait_for(self, job: JobPlan, result: JobResult, left: list[JobPlan]) -> None:
        """Put a job that another process is at to the end of the queue."""
        if job.key not in self._waiting_told:
            self._waiting_told.add(job.key)
            self.watcher.note(f"{result.reason} This ladder waits for it.")
        left.append(job)
        time.sleep(_BUSY_SECONDS)

    def _after_a_death(self) -> list[JobPlan]:
        """Count what a broken pool was at, and give what is still to be done."""
        todo = self._todo()
        left = {job.key for job in todo}
        begun = {entry.job.key for entry in self._state().jobs if entry.state in ("interrupted", "running")}
        # what another process, or an earlier kill, left half done is not what this pool died of
        blamed = self._handed_out & begun or self._handed_out & left or {job.key for job in todo[:1]}
        self._handed_out.clear()
        for key in blamed:
            self._lost[key] = self._lost.get(key, 0) + 1
        dead = [job for job in todo if self._lost.get(job.key, 0) > self.retries]
        if dead:
            labels = ", ".join(f"{self.ladder.rungs[job.rung].label} seed {job.seed}" for job in dead)
            raise ImgclsError(
                f"A worker died {self.retries + 1} times at: {labels}. It may want memory; try fewer processes or a "
                "smaller --batch-size. Finished runs are kept; the same command goes on."
            )
        self.watcher.note("A worker died; what it was at is handed out again.")
        return todo

    def _let_end(self, executor: Executor, flying: dict[Future[dict[str, object]], JobPlan]) -> None:
        """Cancel what is queued and let what runs end; a second Ctrl-C ends that too."""
        running = [future for future in flying if not future.cancel()]
        if not running or isinstance(executor, SerialExecutor):
            return
        self.watcher.note(f"Waiting for {len(running)} running jobs to end; Ctrl-C again stops them at once.")
        wait(running)

    @contextmanager
    def _executor(self) -> Iterator[Executor]:
        """Open an executor, and end its workers at once where this process leaves early."""
        executor = self.open_executor()
        if not self.owns_executor:
            yield executor
            return
        try:
            yield executor
        except BaseException:
            workers = list((getattr(executor, "_processes", None) or {}).values())
            executor.shutdown(wait=False, cancel_futures=True)
            for worker in workers:
                with suppress(OSError, ValueError):
                    worker.kill()
            raise
        executor.shutdown(wait=True)

    def _state(self) -> LadderState:
        return read_state(self.ladder, self.workspace)

    def _conclude(self) -> LadderResult:
        """Judge, note that verdicts were given with this number of seeds, and keep the result beside the ladder."""
        state = self._state()
        result = judge_ladder(state)
        if state.is_complete and self.ladder.n_seeds not in self.ladder.looks:
            self.ladder = replace(self.ladder, looks=(*self.ladder.looks, self.ladder.n_seeds)).write(self.workspace)
            result = replace(result, ladder=self.ladder)
        write_json(self.workspace.ladders / self.ladder.name / RESULT_JSON, result.to_json())
        return result


def ladder(
    stack: str | Stack | None = None,
    data: Any = None,
    *,
    seeds: int | None = None,
    folds: int | None = None,
    metric: str | None = None,
    smallest_gain: float = 0.005,
    kind: Kind = "climb",
    ensemble: bool = False,
    budget: str | float | None = None,
    executor: str | Executor = "serial",
    retries: int = 1,
    retry_failed: bool = False,
    from_start: bool = False,
    overrides: Mapping[str, Any] | None = None,
    machine: Machine | None = None,
    workspace: Workspace | Path | str | None = None,
    name: str | None = None,
    reporter: Reporter | None = None,
    watcher: Watcher | None = None,
    **options: Unpack[DataOptions],
) -> LadderResult:
    """Train the recipes of a stack one on top of the other, with several seeds, and judge which of them helped.

    The same call goes on where an earlier one ended, and reuses every run that is there, whoever made it.

    Args:
        stack: The full stack; its recipes become the rungs. A last name `ensemble` stands for the mean of the seeds of
            the rung below it, and trains nothing. None takes the usual recipes, and with them one for the pixels
            where the photographs ask for it.
        data: As `imgcls.train`, but no frame in memory.
        seeds: Runs of every rung, with the seeds 0, 1, …; two can tell a little, five are a good start. None chooses
            them, and folds where none are given, by the smallest gain that can be found in the time.
        folds: Train and validate in K turns instead of once; every photograph outside test is then scored.
        metric: As for `imgcls.compare`, chosen before looking; None takes the
            one that imgcls.toml names, or else that of the kind of problem.
        smallest_gain: The smallest gain of interest: 0.005 is half a point (for log loss: nats).
        kind: `climb` adds the recipes one by one; `ablate` leaves each out of the full stack.
        ensemble: Whether the mean prediction of the seeds of the stack to use is judged too; it trains nothing.
        budget: Such as `"30m"`, or seconds: as many seeds as fit, `seeds` at the most where they are given.
        executor: `serial`, `processes:N`, `module:factory`, or any `concurrent.futures.Executor`.
        retries: How often a job whose worker died is handed out again.
        retry_failed: Whether trainings that failed are tried again; they go on after their last finished epoch.
        from_start: Whether those, and interrupted ones, begin again instead.
        overrides: Plan paths set on the base.
        machine: Device, worker processes, precision.
        workspace: Folder in which `runs/` and `ladders/` lie.
        name: The ladder's name; None makes one from the stack.
        reporter: Shows how far reading the photographs is; plain lines on stderr when None.
        watcher: Shows every run that is done; nobody when None.
        **options: How the data are read; see `imgcls.train`.

    Returns:
        The result: `result.rungs[1].step.verdict`, `result.rungs[1].step.value`.

    Raises:
        UsageError: Something has to be changed before the work can start.

    Example:
        >>> result = imgcls.ladder("baseline+augmentation+tta", "photos/", seeds=3)  # doctest: +SKIP
    """
    place = workspace_at(workspace)
    parsed, on_top = (stack, False) if isinstance(stack, Stack) else parse_ladder(stack or DEFAULT_STACK, overrides)
    question = LadderConfig(
        parsed,
        resolve(DataSource.of(data, options), place.root, folds=folds),
        kind=kind,
        ensemble=ensemble,
        ensemble_on_top=on_top,
        is_default=stack is None,
        n_seeds=seeds,
        n_folds=folds,
        metric=metric,
        smallest_gain=smallest_gain,
        name=name,
    )
    with plain_lines(reporter) as lines:
        how = LadderOptions(
            machine=machine or Machine(),
            workspace=place,
            executor=executor,
            budget=budget,
            retries=retries,
            retry_failed=retry_failed,
            from_start=from_start,
            reporter=lines,
            watcher=watcher or SilentWatcher(),
        )
        return run_ladder(question, how)


@dataclass(frozen=True)
class LadderOptions:
    """How a ladder is run: where, by whom, for how long; nothing of it changes what the runs are."""

    machine: Machine
    """Device, worker processes, precision."""
    workspace: Workspace
    """Where records and ladders lie."""
    reporter: Reporter
    """Shows how far reading the photographs is."""
    watcher: Watcher
    """Shows every run that is done."""
    executor: str | Executor = "serial"
    """`serial`, `processes:N`, `module:factory`, or any `concurrent.futures.Executor`."""
    budget: str | float | None = None
    """What it may take: such as `"30m"`, or seconds, above 0; None without a budget."""
    retries: int = 1
    """How often a job whose worker died is handed out again."""
    retry_failed: bool = False
    """Whether trainings that failed are tried again."""
    from_start: bool = False
    """Whether they, and those that were interrupted, begin again instead of going on after their last epoch."""


def run_ladder(question: LadderConfig, options: LadderOptions) -> LadderResult:
    """Plan, tell what it will cost, run and judge.

    Args:
        question: What is to be known.
        options: How it is run.

    Raises:
        UsageError: Something has to be changed before the work can start.
    """
    executor, workspace = options.executor, options.workspace
    if options.retries < 0:
        raise UsageError(f"The number of retries has to be at least 0, not {options.retries}.")
    budget_seconds = read_duration(options.budget) if isinstance(options.budget, str) else options.budget
    if budget_seconds is not None and not 0 < budget_seconds < float("inf"):
        raise UsageError(f"A budget has to be above 0 seconds, not {budget_seconds}.")

    def opened() -> Executor:
        return open_executor(executor, resources={"n_gpus": n_gpus()}) if isinstance(executor, str) else executor

    n_at_once = at_a_time(executor)
    planned = plan_ladder(
        question,
        machine=options.machine,
        workspace=workspace,
        reporter=options.reporter,
        work_seconds=None if budget_seconds is None else budget_seconds * n_at_once,
    )
    state = read_state(planned, workspace)
    done = {entry.job.key for entry in state.jobs if entry.state == "done"}
    if budget_seconds is not None:
        planned = within_budget(planned, budget_seconds, done=dict.fromkeys(done), n_parallel=n_at_once)
    told = forecast(planned, done=dict.fromkeys(done), n_parallel=n_at_once)
    options.watcher.planned(planned, (*planned.notes, *told.sentences))
    runner = LadderRunner(
        planned,
        workspace,
        opened,
        options.watcher,
        retries=options.retries,
        retry_failed=options.retry_failed,
        from_start=options.from_start,
        owns_executor=isinstance(executor, str),
    )
    return runner.run()


def at_a_time(executor: str | Executor) -> int:
    """Return how many jobs an executor, or the text that names one, runs at a time; 1 where it does not say."""
    if not isinstance(executor, str):
        return n_parallel(executor) or 1
    opened = open_executor(executor)  # a pool starts no process before its first job
    try:
        return n_parallel(opened) or 1
    finally:
        opened.shutdown(wait=False)
