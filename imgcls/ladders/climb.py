"""Driving a ladder: its jobs are handed to an executor until every one is done or has failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from imgcls.durable import write_json
from imgcls.errors import ImgclsError, UsageError
from imgcls.ladders.executors import SerialExecutor, n_parallel
from imgcls.ladders.job import JobResult, do_job, job_arguments
from imgcls.ladders.judge import judge_ladder
from imgcls.ladders.result import LadderResult
from imgcls.ladders.spec import RESULT_JSON, JobPlan, Ladder
from imgcls.ladders.state import LadderState, read_state
from imgcls.ladders.watching import Watcher
from imgcls.records.lock import FolderLock
from imgcls.workspace import Workspace

_BUSY_SECONDS = 2.0


@dataclass
class Drive:
    """One process at work on a ladder."""

    ladder: Ladder
    """The ladder as it was planned."""
    workspace: Workspace
    """Where its records go."""
    open_executor: Callable[[], Executor]
    """Opens the executor; called again after it broke."""
    watcher: Watcher
    """Who is told how it goes."""
    retries: int = 1
    """How often a job whose worker died is handed out again."""
    retry_failed: bool = False
    """Whether trainings that failed before are tried again."""
    owns_executor: bool = True
    """Whether executors are closed here; a user's own is left open, and cannot be opened anew when it breaks."""
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
        lock = FolderLock.take(self.workspace.ladders / self.ladder.name)
        try:
            self.ladder = self.ladder.write(self.workspace)
            self._work(lock)
            return self._conclude()
        finally:
            lock.release()

    def _work(self, lock: FolderLock) -> None:
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
