"""Worker processes: signals are for their driver, with which they end, and files beside them are no code.

A terminal and a cluster send signals to the whole group of processes. A worker that dies of one looks to its driver
like a failure of the work; so workers leave them alone, and the driver, which has the same signal, ends them in order.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = {number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None}
_LOOK_SECONDS = 1.0
_CAN_WAIT = hasattr(signal, "sigtimedwait")  # macOS and Windows cannot


def most_workers() -> int:
    """Return the most worker processes that are started at once: four for each core, and 16 on a small machine."""
    return max(16, 4 * (os.cpu_count() or 1))


@contextmanager
def starting_workers() -> Iterator[None]:
    """Hold signals back while workers start, so that none hits one before `follow_driver`; they come when it is over.

    A fresh interpreter (spawn, forkserver) would also put the current folder first on its path, and import a
    `signal.py` that lies there; here it does not.
    """
    path_setting = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS) if _CAN_WAIT else set()
    try:
        yield
    finally:
        if path_setting is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = path_setting
        if _CAN_WAIT:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def follow_driver() -> None:
    """Leave signals to the driver and end with it, however it dies; called in a worker, at its start.

    Nothing else would end a worker that computes: its driver's queue is noticed only between two pieces of work.
    """
    driver = multiprocessing.parent_process()
    if driver is None or driver.pid is None:
        return
    if _CAN_WAIT:
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # threads that start from now on have it too
        threading.Thread(target=_follow, args=(driver.pid,), daemon=True).start()
        return
    for number in _SIGNALS - {signal.SIGTERM}:  # that one is how a driver ends its own workers, see `_follow`
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(driver,), daemon=True).start()


def _follow(driver: int) -> None:
    """Take the signals that are held back, and end when the driver is gone or terminates this worker itself."""
    while os.getppid() == driver:
        found = signal.sigtimedwait(_SIGNALS, _LOOK_SECONDS)
        # `Process.terminate`, of pools and of torch's loaders, is SIGTERM too
        if found is not None and found.si_signo == signal.SIGTERM and found.si_pid == driver:
            break
    os._exit(1)


def _end_with(driver: multiprocessing.process.BaseProcess) -> None:
    driver.join()
    os._exit(1)
