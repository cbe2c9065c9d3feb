"""One process at a time in a folder, with the name of the one that is in it.

The lock is `imgcls.storage.FileLock` on the file `lock`; who holds it is written to a file of its own, since a lock of
another machine may not be seen here.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
import uuid
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from imgcls.errors import BusyError, RecordError
from imgcls.schema import read_as
from imgcls.storage import FileLock, explained, make_folder, write_json

LOCK = "lock"
HOLDER = "holder.json"
_FRESH_SECONDS = 600.0
_RETRY_SECONDS = 0.05
# Distinguishes this process from an earlier one that had the same number.
_PROCESS = uuid.uuid4().hex


@dataclass(frozen=True)
class Holder:
    """Who is, or was last, in a folder."""

    pid: int
    """The number of the process."""
    host: str
    """The machine."""
    since: str
    """When it came: UTC, ISO 8601."""
    process: str
    """What tells the process from another one with the same number."""
    beat: float
    """When it was last known to live, in seconds since 1970."""

    @classmethod
    def this_process(cls) -> Holder:
        """Describe the process that asks."""
        since = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(os.getpid(), socket.gethostname(), since, _PROCESS, time.time())

    @property
    def may_live_elsewhere(self) -> bool:
        """Whether it is on another machine and was alive a few minutes ago."""
        return self.host != socket.gethostname() and abs(time.time() - self.beat) < _FRESH_SECONDS


class FolderLock:
    """The hold on a folder, from `take` to `release` or the end of the process."""

    def __init__(self, folder: Path, lock: FileLock, *, previous: Holder | None) -> None:
        """Keep what `take` got; use `take`.

        Args:
            folder: The folder that is held.
            lock: The lock on its file, which is held.
            previous: The holder that never released the folder, if any.
        """
        self.folder, self.previous = folder, previous
        self._lock = lock
        self._holder = Holder.this_process()

    @classmethod
    def take(cls, folder: Path, *, wait_seconds: float = 1.0, instead: str = "train with another seed") -> FolderLock:
        """Take hold of a folder.

        Args:
            folder: It is made if it is missing, also when its holder removes it meanwhile.
            instead: What a person can do who does not want to wait, in words that hold for every command.
            wait_seconds: How long to try: who only looks at a lock holds it for a moment.

        Raises:
            BusyError: If another process, or this one, holds it.
            ImgclsError: If the folder cannot be made or written.
        """
        end = time.monotonic() + wait_seconds
        while True:
            lock = cls._try(folder)
            if lock is not None:
                return lock
            if time.monotonic() >= end:
                raise BusyError(_in_use(folder, instead))
            time.sleep(_RETRY_SECONDS)

    @classmethod
    def _try(cls, folder: Path) -> FolderLock | None:
        """Take hold of a folder if it is free now."""
        make_folder(folder)
        file = FileLock(folder / LOCK)
        with explained(folder / LOCK):
            if not file.acquire(wait_seconds=0):
                return None
        with contextlib.ExitStack() as stack:
            stack.callback(file.release)
            previous = holder_of(folder)
            if previous is not None and previous.may_live_elsewhere:
                return None
            lock = cls(folder, file, previous=previous)
            stack.callback(lock.release)  # a name without a hold would say for ever that somebody is here
            lock.beat()
            stack.pop_all()
        return lock

    @property
    def is_in_place(self) -> bool:
        """Whether the folder is still the one that is held, and was not removed, renamed or replaced meanwhile."""
        return self._lock.is_in_place

    def beat(self) -> None:
        """Write that this process is alive."""
        self._holder = replace(self._holder, beat=time.time())
        write_json(self.folder / HOLDER, asdict(self._holder))

    def release(self) -> None:
        """Let the folder go; without effect the second time, and in a forked child."""
        if not self._lock.is_held:
            return
        if self.is_in_place:  # else the name there is that of another holder
            with contextlib.suppress(OSError):
                (self.folder / HOLDER).unlink(missing_ok=True)
        self._lock.release()


def holder_of(folder: Path) -> Holder | None:
    """Read who is, or was last, in a folder; None if nobody, or nobody can tell."""
    try:
        return read_as(Holder, folder / HOLDER)
    except RecordError:
        return None


def is_held(folder: Path) -> bool:
    """Return whether a process is in a folder now."""
    holder = holder_of(folder)
    return (holder is not None and holder.may_live_elsewhere) or FileLock(folder / LOCK).is_taken()


def _in_use(folder: Path, instead: str) -> str:
    """Describe who is in a folder and what to do."""
    holder = holder_of(folder)
    if holder is None:
        return f"{folder} is in use by another process. Wait for it, or {instead}."
    who = f"process {holder.pid} on {holder.host} since {holder.since}"
    if holder.may_live_elsewhere:
        path = folder / HOLDER
        return f"{folder} is in use by {who}. Wait for it, {instead}, or remove {path} if it has ended."
    return f"{folder} is in use by {who}. Wait for it, or {instead}."
