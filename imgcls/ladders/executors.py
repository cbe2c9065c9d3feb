"""Executors of jobs: this process, several processes, or one of the user's own.

The seam is `concurrent.futures.Executor`. An executor for a cluster is one more name in the entry-point group
`imgcls.executors`, or a `module:factory` that returns an executor; nothing else of a ladder knows of it.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import re
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from importlib.metadata import entry_points
from typing import Any, ParamSpec, TypeVar

from imgcls.errors import UsageError, nearest_hint
from imgcls.workers import follow_driver, most_workers, starting_workers

ENTRY_POINT_GROUP = "imgcls.executors"
_BUILT_IN = ("serial", "processes")

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class SerialExecutor(Executor):
    """Runs each call at once, in this process and thread, so that imports and caches stay warm."""

    def submit(
        self, fn: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        """Call a function now and return its finished future; a signal passes through."""
        future: Future[Result] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as problem:
            future.set_exception(problem)
        return future


class _Processes(ProcessPoolExecutor):
    """A pool that starts its processes, which the first call does, as workers are started."""

    def submit(
        self, fn: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        """Hand a call out."""
        with starting_workers():
            return super().submit(fn, *args, **kwargs)


def open_executor(spec: str, *, workers: int | None = None, resources: Mapping[str, Any] | None = None) -> Executor:
    """Open the executor that a text names.

    Args:
        spec: `serial`, `processes`, `processes:N`, `module:factory`, or a name of the entry-point group
            `imgcls.executors`. A factory is called with the keywords `workers` and `resources`.
        workers: Jobs at a time; None lets the executor choose. Not beside a number in `spec`.
        resources: What there is and what jobs need, such as `{"n_gpus": 2}`: processes are spread over the GPUs.

    Raises:
        UsageError: There is no such executor, or it cannot be made.
    """
    name, _, rest = spec.partition(":")
    if name == "serial" and not rest:
        return SerialExecutor()
    if name == "processes":
        if rest:
            most = most_workers()
            if not re.fullmatch("[0-9]{1,9}", rest) or not 1 <= int(rest) <= most:
                raise UsageError(
                    f"Executor {spec!r}: write processes:N with N from 1 to {most}, four for each core of this "
                    "machine; each process loads torch, and more of them only wait for each other."
                )
            workers = int(rest)
        return _processes(workers, n_gpus=(resources or {}).get("n_gpus", 0))
    factory = _factory(spec, name, rest)
    try:
        executor = factory(workers=workers, resources=dict(resources or {}))
    except Exception as problem:
        raise UsageError(f"Executor {spec!r} cannot be opened: {type(problem).__name__}: {problem}") from problem
    if not isinstance(executor, Executor):
        raise UsageError(f"Executor {spec!r} gave {type(executor).__name__}, not a concurrent.futures.Executor.")
    return executor


def n_parallel(executor: Executor) -> int | None:
    """Return how many jobs an executor runs at a time; None where it does not say."""
    if isinstance(executor, SerialExecutor):
        return 1
    number = getattr(executor, "_max_workers", None)
    return number if isinstance(number, int) else None


def _processes(n: int | None, *, n_gpus: int) -> ProcessPoolExecutor:
    """Open a pool of fresh processes; each takes its share of the cores, and of the GPUs where there are any."""
    n_cores = os.cpu_count() or 1
    n = n or max(1, n_cores // 2)
    context = multiprocessing.get_context("spawn")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = (
        [str(number) for number in range(n_gpus)] if visible is None else [name for name in visible.split(",") if name]
    )
    with starting_workers():  # a counter that processes share starts Python's tracker of such things
        return _Processes(
            n,
            mp_context=context,
            initializer=_begin_worker,
            initargs=(max(1, n_cores // n), context.Value("i", 0), tuple(gpus)),
        )


def _begin_worker(n_threads: int, counter: Any, gpus: tuple[str, ...]) -> None:
    """Set up a worker before it loads torch."""
    os.environ.setdefault("OMP_NUM_THREADS", str(n_threads))
    # A spawned process would spawn its own loader processes too, each of which imports everything again.
    multiprocessing.set_start_method(None, force=True)
    with counter.get_lock():
        number, counter.value = counter.value, counter.value + 1
    if len(gpus) > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
    follow_driver()  # without it nobody would fetch a result; the attempt can be resumed


def _factory(spec: str, name: str, rest: str) -> Callable[..., Any]:
    for point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        return _imported(point.module, point.attr, spec)
    if not rest:
        known = [*_BUILT_IN, *(point.name for point in entry_points(group=ENTRY_POINT_GROUP))]
        hint = nearest_hint(spec, known)
        raise UsageError(f"There is no executor {spec!r}.{hint} There are: {', '.join(known)}, or module:factory.")
    return _imported(name, rest, spec)


def _imported(module: str, attribute: str, spec: str) -> Callable[..., Any]:
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as problem:
        raise UsageError(f"Executor {spec!r} cannot be imported: {type(problem).__name__}: {problem}") from problem
    if not callable(found):
        raise UsageError(f"Executor {spec!r} is no function.")
    factory: Callable[..., Any] = found
    return factory
