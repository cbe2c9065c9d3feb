"""Where jobs run."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import types
from concurrent.futures import Executor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pytest

from imgcls.errors import UsageError
from imgcls.ladders.executors import SerialExecutor, n_parallel, open_executor


def test_serial_runs_here_and_now() -> None:
    """In this very process; an exception is the future's, an interruption is not."""
    with open_executor("serial") as executor:
        assert executor.submit(os.getpid).result() == os.getpid()
        assert isinstance(executor.submit(int, "x").exception(), ValueError)
        with pytest.raises(KeyboardInterrupt):
            executor.submit(_interrupted)
    assert n_parallel(SerialExecutor()) == 1


def test_processes_are_others_and_take_their_share_of_the_cores() -> None:
    """A worker leaves signals of the terminal to the driver."""
    with open_executor("processes:2") as executor:
        assert n_parallel(executor) == 2
        assert executor.submit(os.getpid).result() != os.getpid()
        held_back = executor.submit(signal.pthread_sigmask, signal.SIG_BLOCK, ()).result()
        assert {signal.SIGINT, signal.SIGTERM, signal.SIGHUP} <= held_back
        assert int(executor.submit(os.getenv, "OMP_NUM_THREADS").result()) >= 1


def test_a_killed_worker_breaks_the_pool() -> None:
    """Which the driver answers by opening another."""
    with open_executor("processes:1") as executor, pytest.raises(BrokenProcessPool):
        executor.submit(os.kill, executor.submit(os.getpid).result(), signal.SIGKILL).result()


def test_an_executor_of_ones_own_by_module_and_factory(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told how many workers there should be, and what there is."""
    module = types.ModuleType("my_engine")
    told: dict[str, Any] = {}

    def factory(**options: Any) -> Executor:
        told.update(options)
        return ThreadPoolExecutor(3)

    module.factory, module.wrong = factory, lambda **_: "no executor"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_engine", module)
    with open_executor("my_engine:factory", resources={"n_gpus": 1}) as executor:
        assert n_parallel(executor) == 3
    assert told == {"workers": None, "resources": {"n_gpus": 1}}
    with pytest.raises(UsageError, match=r"not a concurrent\.futures\.Executor"):
        open_executor("my_engine:wrong")


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("seriall", "Did you mean 'serial'"),
        ("processes:0", "N from 1 to"),
        ("processes:many", "N from 1 to"),
        ("processes:1024000", "four for each core"),
        ("no_such_module:factory", "cannot be imported"),
        ("os:sep", "is no function"),
        ("slurm", "There is no executor 'slurm'"),
    ],
)
def test_what_is_no_executor_is_refused(spec: str, told: str) -> None:
    """With what there is."""
    with pytest.raises(UsageError, match=told):
        open_executor(spec)


def _interrupted() -> None:
    raise KeyboardInterrupt


def test_workers_start_their_own_processes_as_the_platform_does() -> None:
    """Loader processes of a spawned worker would otherwise be spawned too, which takes a minute instead of none."""
    with open_executor("processes:1") as executor:
        assert executor.submit(multiprocessing.get_start_method).result() == multiprocessing.get_start_method()
