"""Worker processes: signals are their driver's, and they end with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from imgcls.workers import follow_driver, most_workers, starting_workers

linux = pytest.mark.skipif(not hasattr(signal, "sigtimedwait"), reason="this system tells nobody who sent a signal")
DRIVER = """
import multiprocessing, os, sys, time
from imgcls.workers import follow_driver, starting_workers

def work():
    follow_driver()
    print(os.getpid(), flush=True)
    while True:  # it computes, and asks nobody for more
        sum(range(10_000))

with starting_workers():
    multiprocessing.get_context("fork").Process(target=work).start()
time.sleep(60)
"""


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _follow() -> None:
    follow_driver()
    time.sleep(60)


@linux
def test_a_worker_leaves_signals_to_its_driver_which_alone_can_terminate_it() -> None:
    with starting_workers():
        worker = multiprocessing.get_context("fork").Process(target=_follow)
        worker.start()
    assert worker.pid is not None
    for name in ("TERM", "HUP", "INT"):  # from another process than the driver
        subprocess.run(["kill", f"-{name}", str(worker.pid)], check=True)
    worker.join(timeout=0.5)
    assert worker.is_alive()
    worker.terminate()
    worker.join(timeout=20)
    assert worker.exitcode == 1


@linux
def test_a_worker_ends_with_its_driver_however_that_dies() -> None:
    with subprocess.Popen([sys.executable, "-c", DRIVER], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        worker = int(driver.stdout.readline())
        driver.kill()
    end = time.monotonic() + 20
    while _lives(worker) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _lives(worker)


def test_a_driver_that_starts_workers_is_as_before_when_they_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    with starting_workers():
        assert os.environ["PYTHONSAFEPATH"] == "1"
    assert "PYTHONSAFEPATH" not in os.environ
    assert signal.pthread_sigmask(signal.SIG_BLOCK, set()) == before


def test_a_fresh_interpreter_takes_no_file_of_the_current_folder_for_a_module(tmp_path: Path) -> None:
    (tmp_path / "signal.py").write_text("open('RAN', 'w').close()\nraise SystemExit(1)\n")
    script = tmp_path / "elsewhere" / "driver.py"
    script.parent.mkdir()
    script.write_text(
        textwrap.dedent("""
        import os, sys
        from imgcls.ladders.executors import open_executor
        if __name__ == "__main__":
            with open_executor("processes:1") as executor:
                assert executor.submit(os.getpid).result() != os.getpid()
        """)
    )
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, (tmp_path / "RAN").exists()) == (0, False), done.stderr


def test_there_is_a_bound_that_no_machine_is_too_small_for() -> None:
    assert most_workers() >= 16
