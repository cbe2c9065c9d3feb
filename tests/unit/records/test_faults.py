"""Every durable operation, with its first, second, third … call to the disk failing, until none is left.

Four ways to fail: once with a full disk, from then on with input/output errors, a short write, and
the end of the process. Afterwards the state is the old one or the new one, nothing temporary stays,
and the same operation succeeds on a good disk.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from imgcls import storage
from imgcls.errors import ImgclsError
from imgcls.records.attempts import acquire, load_checkpoint, save_checkpoint
from imgcls.workspace import Workspace

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a process that ends needs fork")
WAYS = ("once", "sticky", "short", "killed")
MOST_CALLS = 60
KEY = "0123456789abcdef" * 4


@dataclass(frozen=True)
class Operation:
    """One durable operation and how to see what became of it."""

    prepare: Callable[[Path], None]
    """Makes the old state in an empty folder."""
    act: Callable[[Path], object]
    """Makes the new state."""
    state: Callable[[Path], Any]
    """Reads the state."""


def _append_history(folder: Path, row: int) -> None:
    with acquire(Workspace(folder), KEY, {}) as attempt:
        attempt.append_history({"epoch": row})


def _history(folder: Path) -> list[int]:
    with acquire(Workspace(folder), KEY, {}) as attempt:
        return [row["epoch"] for row in attempt.history()]


def _save(folder: Path, content: bytes) -> None:
    save_checkpoint(folder, {"model": content * 1000, "optimizer": content}, meta={"n": len(content)}, n_history=0)


def _checkpoint(folder: Path) -> tuple[bytes, bytes, int]:
    found, notes = load_checkpoint(folder)
    assert found is not None
    assert notes == []
    return found.files["model"][:2], found.files["optimizer"], found.meta["n"]


def _make_record(folder: Path) -> None:
    with acquire(Workspace(folder), KEY, {}) as attempt:
        for name in ("run.json", "weights"):
            (attempt.record_folder / name).write_text(name)


def _publish(folder: Path) -> None:
    workspace = Workspace(folder)
    final = workspace.runs / f"run-{KEY[:8]}"
    if not final.exists():
        with acquire(workspace, KEY, {}) as attempt:
            attempt.publish(final)


def _published(folder: Path) -> list[str]:
    final = Workspace(folder).runs / f"run-{KEY[:8]}"
    return sorted(path.read_text() for path in final.iterdir()) if final.exists() else []


OPERATIONS = {
    "write": Operation(
        lambda folder: storage.write_bytes(folder / "x", b"old"),
        lambda folder: storage.write_bytes(folder / "x", b"new"),
        lambda folder: (folder / "x").read_bytes(),
    ),
    "json": Operation(
        lambda folder: storage.write_json(folder / "x", {"a": 1}),
        lambda folder: storage.write_json(folder / "x", {"a": 2}),
        lambda folder: (folder / "x").read_text(),
    ),
    "history": Operation(lambda f: _append_history(f, 1), lambda f: _append_history(f, 2), _history),
    "checkpoint": Operation(lambda f: _save(f, b"old"), lambda f: _save(f, b"newer"), _checkpoint),
    "publish": Operation(_make_record, _publish, _published),
}


def _new_state(operation: Operation, folder: Path) -> tuple[Any, Any]:
    """Return the state before and after an undisturbed operation."""
    folder.mkdir()
    operation.prepare(folder)
    old = operation.state(folder)
    operation.act(folder)
    return old, operation.state(folder)


def _act(operation: Operation, folder: Path, *, how: str) -> bool:
    """Act on the failing disk and say whether it succeeded."""
    if how == "killed":
        child = os.fork()
        if child == 0:
            try:
                operation.act(folder)
                os._exit(0)
            finally:
                os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in (0, 137)
        return code == 0
    try:
        operation.act(folder)
    except ImgclsError:
        return False
    return True


def _leftovers(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.name.endswith(".tmp") or path.name.startswith(".removed-")]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_old_or_new_whatever_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, break_disk: Callable[..., Any], name: str, how: str
) -> None:
    operation = OPERATIONS[name]
    old, new = _new_state(operation, tmp_path / "good")
    assert old != new
    good_disk = storage.DISK
    for n in itertools.count(1):
        assert n < MOST_CALLS
        folder = tmp_path / str(n)
        folder.mkdir()
        operation.prepare(folder)
        disk = break_disk(n, how=how)
        succeeded = _act(operation, folder, how=how)
        monkeypatch.setattr(storage, "DISK", good_disk)
        if how == "once":
            assert _leftovers(folder) == []
        state = operation.state(folder)
        assert state == new if succeeded else state in (old, new)
        if state == old:
            operation.act(folder)
            assert operation.state(folder) == new
        if succeeded and (how == "killed" or not disk.has_failed):
            break
    assert n > 3


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_the_next_start_removes_what_a_killed_process_left(tmp_path: Path, break_disk: Callable[..., Any]) -> None:
    workspace, n_with_leftovers = Workspace(tmp_path), 0
    for n in range(1, MOST_CALLS):
        break_disk(n, how="killed")
        child = os.fork()
        if child == 0:
            with acquire(workspace, KEY, {}) as attempt:
                attempt.append_history({"epoch": 1})
                attempt.save_checkpoint({"model": b"1"}, {})
            os._exit(0)
        killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0
        n_with_leftovers += bool(_leftovers(tmp_path))
        break_disk(10**9, how="once")
        with acquire(workspace, KEY, {}) as attempt:
            assert _leftovers(tmp_path) == []
            attempt.load_checkpoint()
        if not killed:
            break
    assert not killed
    assert n_with_leftovers > 3
