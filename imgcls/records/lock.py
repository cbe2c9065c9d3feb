"""One process at a time in a folder, with the name of the one that is in it.

The lock is POSIX `lockf`: it ends with its process, however that dies, and forked workers do not
inherit it. Its price is that closing any descriptor of the file gives the lock away. So the file
`lock` is opened by its holder only, and who holds it is written to a file of its own.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
import uuid
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from imgcls.durable import explained, make_folder, write_json
from imgcls.errors import BusyError, RecordError
from imgcls.records.reading import Fields, read_json

LOCK = "lock"
HOLDER = "holder.json"
_FRESH_SECONDS = 600.0
_RETRY_SECONDS = 0.05
# Distinguishes this process from an earlier one that had the same number.
_PROCESS = uuid.uuid4().hex
# Between two threads of one process `lockf` does not decide.
_GATE = threading.Lock()

if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: BinaryIO) -> bool:
        """Lock an open file without waiting."""
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(file: BinaryIO) -> bool:
        """Lock an open file without waiting: alone if it is open for writing, else beside other readers."""
        kind = fcntl.LOCK_EX if file.writable() else fcntl.LOCK_SH
        try:
            fcntl.lockf(file, kind | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True


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
    def is_here(self) -> bool:
        """Whether it is the process that asks."""
        return self.pid == os.getpid() and self.process == _PROCESS

    @property
    def may_live_elsewhere(self) -> bool:
        """Whether it is on another machine and was alive a few minutes ago."""
        return self.host != socket.gethostname() and abs(time.time() - self.beat) < _FRESH_SECONDS


class FolderLock:
    """The hold on a folder, from `take` to `release` or the end of the process."""

    def __init__(self, folder: Path, file: BinaryIO, *, previous: Holder | None) -> None:
        """Keep what `take` got; use `take`.

        Args:
            folder: The folder that is held.
            file: The locked file.
            previous: The holder that never released the folder, if any.
        """
        self.folder, self.previous = folder, previous
        self._file = file
        self._holder = Holder.this_process()

    @classmethod
    def take(cls, folder: Path, *, wait_seconds: float = 1.0) -> FolderLock:
        """Take hold of a folder.

        Args:
            folder: It is made if it is missing, also when its holder removes it meanwhile.
            wait_seconds: How long to try: who only looks at a lock holds it for a moment.

        Raises:
            BusyError: If another process, or this one, holds it.
            ImgclsError: If the folder cannot be made or written.
        """
        end = time.monotonic() + wait_seconds
        while True:
            with _GATE:
                lock = cls._try(folder)
            if lock is not None:
                return lock
            if time.monotonic() >= end:
                raise BusyError(_in_use(folder))
            time.sleep(_RETRY_SECONDS)

    @classmethod
    def _try(cls, folder: Path) -> FolderLock | None:
        """Take hold of a folder if it is free now."""
        previous = holder_of(folder)
        if previous is not None and previous.is_here:
            return None
        make_folder(folder)
        path = folder / LOCK
        with contextlib.ExitStack() as stack:
            with explained(path):
                file = stack.enter_context(path.open("ab", buffering=0))
            if not _try_lock(file) or not _is_still(path, file):
                return None
            previous = holder_of(folder)
            if previous is not None and previous.may_live_elsewhere:
                return None
            lock = cls(folder, file, previous=previous)
            # A name without a hold would keep this very process out for ever.
            stack.callback(lock.release)
            lock.beat()
            stack.pop_all()
        return lock

    def beat(self) -> None:
        """Write that this process is alive."""
        self._holder = replace(self._holder, beat=time.time())
        write_json(self.folder / HOLDER, asdict(self._holder))

    def release(self) -> None:
        """Let the folder go; without effect the second time, and in a forked child."""
        if self._file.closed or not self._holder.is_here:
            return
        with contextlib.suppress(OSError):
            (self.folder / HOLDER).unlink(missing_ok=True)
        self._file.close()


def holder_of(folder: Path) -> Holder | None:
    """Read who is, or was last, in a folder; None if nobody, or nobody can tell."""
    path = folder / HOLDER
    try:
        fields = Fields(read_json(path), where=str(path))
        holder = Holder(
            pid=fields.integer("pid"),
            host=fields.text("host"),
            since=fields.text("since"),
            process=fields.text("process"),
            beat=fields.number_or_none("beat") or 0.0,
        )
        fields.finish()
    except RecordError:
        return None
    return holder


def is_held(folder: Path) -> bool:
    """Say whether a process is in a folder now."""
    holder = holder_of(folder)
    if holder is not None and (holder.is_here or holder.may_live_elsewhere):
        return True
    try:
        with (folder / LOCK).open("rb", buffering=0) as file:
            return not _try_lock(file)
    except OSError:
        return False


def _is_still(path: Path, file: BinaryIO) -> bool:
    """Say whether a path still names an open file: its folder may have been removed meanwhile."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _in_use(folder: Path) -> str:
    """Say who is in a folder and what to do."""
    holder = holder_of(folder)
    if holder is None:
        return f"{folder} is in use by another process. Wait for it, or use another --seed."
    who = f"process {holder.pid} on {holder.host} since {holder.since}"
    if holder.may_live_elsewhere:
        path = folder / HOLDER
        return f"{folder} is in use by {who}. Wait for it, use another --seed, or remove {path} if it has ended."
    return f"{folder} is in use by {who}. Wait for it, or use another --seed."
