"""Durable writes: after a crash a file is the old one or the new one, never a mix; and the lock of a file.

Every durable write of a workspace and of the cache goes through here. The order is always the same: write a
temporary neighbour, fsync it, rename it over the target, fsync the folder. Two files grow instead:
a log line by line (`append_line`), and the pixels of a pool (`imgcls.data.cache`), which count only
once the manifest that names them is written.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import json
import math
import os
import re
import shutil
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

from imgcls.errors import BusyError, ImgclsError, WorkspaceError

_LEFTOVER_SECONDS = 3600.0
_REMOVED_PREFIX = ".removed-"
# of `temporary_beside`, and as earlier versions named theirs
_TEMPORARY = re.compile(
    r"\..{1,40}\.(?P<here>[0-9a-f]{8})-(?P<pid>[0-9]{1,10})-[0-9a-f]{32}\.tmp|\..{1,40}\.[0-9a-f]{32}\.tmp"
    r"|\.probe-[0-9a-f]{32}",
    re.DOTALL,
)
_NO_ROOM = {
    errno.ENOSPC: "Disk full while writing {path} ({free} free). Make room",
    errno.EDQUOT: "Your quota is used up while writing {path}. Make room, or have it raised,",
    errno.EFBIG: "{path} became larger than a file may be here. Raise the limit ('ulimit -f' shows that of this shell)",
}
_NOT_ALLOWED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_RETRY_SECONDS = 0.05
_GATE = threading.Lock()  # between two threads of one process `lockf` does not decide
_LOCKED: dict[Path, int] = {}
"""From each file that is locked by this process, or was by the one it was forked from, to the process."""


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


class FileLock:
    """A lock that one thread of one process holds, until `release` or the end of the process, however it dies.

    It is POSIX `lockf`: forked workers do not inherit it, and those who only look do not keep each other out. Its price
    is that closing any descriptor of the file gives the lock away, so that a process that holds a file never opens it a
    second time. The file stays where it is.
    """

    def __init__(self, path: Path) -> None:
        """Name the file; nothing is opened yet.

        Args:
            path: The file; it is made by `acquire`, in a folder that exists.
        """
        self.path = Path(os.path.realpath(path))
        self._file: BinaryIO | None = None
        self._process = 0

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def is_held(self) -> bool:
        """Whether this very object holds the lock, in this process."""
        return self._file is not None and self._process == os.getpid()

    def acquire(self, *, wait_seconds: float = math.inf) -> bool:
        """Wait for the lock.

        Args:
            wait_seconds: How long; 0 tries once.

        Returns:
            Whether it was had.

        Raises:
            OSError: The file cannot be made or opened.
        """
        end = time.monotonic() + wait_seconds
        while not self._try():
            if time.monotonic() >= end:
                return False
            time.sleep(_RETRY_SECONDS)
        return True

    def release(self) -> None:
        """Let go; without effect where nothing is held, the second time, and in a forked child."""
        if self._file is not None and self.is_held:
            with _GATE:
                _LOCKED.pop(self.path, None)
                self._file.close()
                self._file = None

    @property
    def is_in_place(self) -> bool:
        """Whether the file that is held is still the one of that name: its folder may have been removed, or renamed."""
        if self._file is None or not self.is_held:
            return False
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._file.fileno()))
        except OSError:
            return False

    def is_taken(self) -> bool:
        """Return whether this process or another one of this machine holds the lock; False where nobody can tell."""
        with _GATE:
            if _LOCKED.get(self.path) == os.getpid():
                return True
            try:
                with self.path.open("rb", buffering=0) as file:
                    return not _try_lock(file)
            except OSError:
                return False

    def _try(self) -> bool:
        with _GATE, contextlib.ExitStack() as stack:
            if _LOCKED.get(self.path) == os.getpid():
                return False
            file = stack.enter_context(self.path.open("ab", buffering=0))
            if not _try_lock(file):
                return False
            try:  # its folder may have been removed, or renamed, since it was opened
                if not os.path.samestat(self.path.stat(), os.fstat(file.fileno())):
                    return False
            except FileNotFoundError:
                return False
            _LOCKED[self.path] = self._process = os.getpid()
            self._file = file
            stack.pop_all()
        return True


@contextlib.contextmanager
def one_at_a_time(path: Path, *, wait_seconds: float = 60.0) -> Iterator[None]:
    """Keep others out of a file while it is read, changed and written, so that nobody's change is lost.

    The lock lies beside the file, which is replaced as a whole and so cannot bear one itself, and is removed with it.

    Args:
        path: The file; it need not exist, but its folder must.
        wait_seconds: How long to wait for another process, which holds it for moments.

    Raises:
        BusyError: Another process held it all that time.
        ImgclsError: The lock cannot be made.
    """
    target = Path(os.path.realpath(path))
    lock = FileLock(target.with_name(f".{target.name}.lock"))
    with explained(target):
        if not lock.acquire(wait_seconds=wait_seconds):
            raise BusyError(f"{target} is being changed by another process. Wait for it, and try again.")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.path.unlink(missing_ok=True)  # who waits for it notices, and takes the next one of that name
        lock.release()


class Disk:
    """The few calls that change a disk, in one place so that a test can let any single one of them fail."""

    def write(self, file: BinaryIO, data: memoryview) -> int:
        """Write some of the data to an unbuffered file and say how many bytes were taken."""
        return file.write(data)

    def fsync(self, file: BinaryIO) -> None:
        """Wait until the content of an open file is on the disk."""
        os.fsync(file.fileno())

    def fsync_folder(self, folder: Path) -> None:
        """Wait until the names in a folder are on the disk; Windows has no such call."""
        if os.name == "nt":
            return
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        """Rename a file over another one."""
        source.replace(target)

    def rename(self, source: Path, target: Path) -> None:
        """Rename a folder."""
        source.rename(target)

    def unlink(self, path: Path) -> None:
        """Remove a file or a link."""
        path.unlink()


DISK = Disk()


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write a whole file so that a reader, or a crash, finds the old content or the new one.

    Links are followed and stay links. The mode is what the umask gives.

    Args:
        path: The file; its folder must exist.
        data: The content.

    Raises:
        WorkspaceError: If this user may not write there.
        ImgclsError: If the disk is full or fails; the old content is still there.
    """
    target = Path(os.path.realpath(path))
    with explained(target):
        remove_stale(target.parent)
        temporary = temporary_beside(target)
        try:
            create_file(temporary, data)
            DISK.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                DISK.unlink(temporary)
            raise
        DISK.fsync_folder(target.parent)


def write_json(path: Path, value: object) -> None:
    """Write a value as JSON, atomically: sorted keys, two spaces, ASCII only, a newline at the end.

    Args:
        path: The file; its folder must exist.
        value: JSON values; numpy scalars and arrays are converted.

    Raises:
        ValueError: If the value holds NaN or infinity, which are not JSON.
        TypeError: If the value holds something that JSON cannot say.
        ImgclsError: As `write_bytes`.
    """
    write_bytes(path, json_bytes(value))


def json_bytes(value: object) -> bytes:
    """Return the bytes that `write_json` writes."""
    text = json.dumps(value, allow_nan=False, sort_keys=True, indent=2, default=_plain)
    return f"{text}\n".encode("ascii")


def create_file(path: Path, data: bytes | memoryview) -> None:
    """Write a file that does not exist yet and wait until its content is on the disk."""
    with path.open("xb", buffering=0) as file:
        _write_all(file, data)
        DISK.fsync(file)


def append_line(path: Path, line: str) -> None:
    """Add a line to a file and wait until it is on the disk; a torn last line is cut off first.

    Args:
        path: The file, made if missing; its folder must exist.
        line: The text, without a newline.

    Raises:
        ImgclsError: As `write_bytes`; the lines before are still there.
    """
    with explained(path), path.open("ab+", buffering=0) as file:
        end = _end_of_last_line(file)
        file.truncate(end)
        try:
            _write_all(file, f"{line}\n".encode())
            DISK.fsync(file)
        except BaseException:
            with contextlib.suppress(OSError):
                file.truncate(end)
            raise
        if end == 0:
            DISK.fsync_folder(path.parent)


def cut_torn_line(path: Path) -> None:
    """Cut off the last line of a file where it does not end, as a crash leaves it.

    Args:
        path: The file.

    Raises:
        ImgclsError: As `write_bytes`.
    """
    with explained(path), path.open("rb+", buffering=0) as file:
        file.truncate(_end_of_last_line(file))
        DISK.fsync(file)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that they outlive a crash.

    Args:
        folder: May exist already.

    Raises:
        WorkspaceError: If this user may not make it.
        ImgclsError: If it cannot be made for another reason.
    """
    with explained(folder):
        missing = [part for part in (folder, *folder.parents) if not part.exists()]
        for part in reversed(missing):
            part.mkdir(exist_ok=True)
            DISK.fsync_folder(part.parent)


def publish_folder(temporary: Path, final: Path) -> bool:
    """Put a finished folder under its final name, by one rename, after everything in it is on the disk.

    Args:
        temporary: The folder as it was built; on the same file system as `final`.
        final: Its name from now on.

    Returns:
        True if the folder is now `final`; False if something with that name was there first, and
        then `temporary` stays as it is.

    Raises:
        ImgclsError: If the disk is full or fails; then `final` does not exist, or is complete.
    """
    make_folder(final.parent)
    with explained(final):
        if os.path.lexists(final):
            return False
        _fsync_tree(temporary)
        try:
            DISK.rename(temporary, final)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return False
            raise
        for parent in {final.parent, temporary.parent}:
            DISK.fsync_folder(parent)
    return True


def remove_tree(folder: Path) -> None:
    """Remove a folder; it loses its name first, so that nobody ever reads half of it.

    Args:
        folder: May be missing; a link loses only itself.

    Raises:
        ImgclsError: If it cannot be removed.
    """
    with explained(folder):
        if folder.is_symlink():
            DISK.unlink(folder)
            return
        nameless = folder.with_name(f"{_REMOVED_PREFIX}{uuid.uuid4().hex}")
        with contextlib.suppress(FileNotFoundError):
            DISK.rename(folder, nameless)
            shutil.rmtree(nameless)


def clear_leftovers(folder: Path) -> None:
    """Remove what a killed process left directly in a folder that no other process writes to now."""
    for path in list(folder.iterdir()) if folder.is_dir() else []:
        if path.is_dir() and (path.name.startswith(_REMOVED_PREFIX) or path.name.endswith(".tmp")):
            shutil.rmtree(path, ignore_errors=True)
        elif path.name.startswith(".") and path.name.endswith(".tmp"):
            path.unlink(missing_ok=True)


def temporary_beside(target: Path) -> Path:
    """Return the path of a new temporary file in the same folder, whose name says which process writes it."""
    return target.with_name(f".{target.name[:40]}.{_processes_here()}-{os.getpid()}-{uuid.uuid4().hex}.tmp")


def remove_stale(folder: Path) -> None:
    """Remove the temporary files of killed writers in a folder, and nothing else; that of a living one stays.

    A writer of this machine is known to be dead, one of another is thought to be after an hour.
    """
    oldest = time.time() - _LEFTOVER_SECONDS
    for path in list(folder.iterdir()):
        named = _TEMPORARY.fullmatch(path.name)
        if named is None:
            continue
        with contextlib.suppress(OSError):
            if (named["here"] == _processes_here() and not _lives(int(named["pid"]))) or path.stat().st_mtime < oldest:
                path.unlink()


@functools.cache
def _processes_here() -> str:
    """Return what tells the numbers of processes here from those of other machines and containers: 8 digits."""
    space = ""
    with contextlib.suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return hashlib.sha256(f"{socket.gethostname()} {space}".encode()).hexdigest()[:8]


def _lives(pid: int) -> bool:
    """Return whether there may be a process of this number."""
    if os.name == "nt":  # there the question would end it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def cache_folder() -> Path:
    """Return the user's folder for what can be made again, as decoded photographs: $IMGCLS_CACHE, else the system's."""
    chosen = os.environ.get("IMGCLS_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("imgcls")


def sha256_file(path: Path) -> str:
    """Return the sha256 of a file's content as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def time_written(path: Path) -> int:
    """Return when a file was last written, in nanoseconds since 1970; 0 where it is gone meanwhile."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an operating system's error into one that says what, where and what to do.

    Args:
        path: What is written or removed meanwhile.

    Raises:
        WorkspaceError: If this user may not write there.
        ImgclsError: For every other error of the operating system.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _NOT_ALLOWED:
            raise WorkspaceError(
                f"Cannot write {path}: {reason}. Make its folder writable, or choose another."
            ) from error
        if error.errno in _NO_ROOM:
            raise ImgclsError(
                f"{_NO_ROOM[error.errno].format(path=path, free=_free_room(path))} and run the same command again: it "
                "goes on where it stopped."
            ) from error
        if error.errno == errno.ENOENT:
            raise ImgclsError(f"Cannot write {path}: its folder has been moved or removed meanwhile.") from error
        raise ImgclsError(f"Cannot write {path}: {reason}. What was there before is unchanged.") from error


def free_bytes(path: Path) -> int | None:
    """Return the room on the disk of a path, or of the folder it will be in, in bytes; None where nobody can tell."""
    for place in (path, *path.parents):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(place).free
    return None


def _free_room(path: Path) -> str:
    """Return how much room the disk of a path has, in words."""
    n_bytes = free_bytes(path)
    room = "? MB" if n_bytes is None else f"{n_bytes // 1_000_000} MB"
    with contextlib.suppress(OSError, AttributeError):
        found = os.statvfs(path.parent)
        if found.f_files and not found.f_favail:
            return f"{room}, but no further file (inode)"
    return room


def _write_all(file: BinaryIO, data: bytes | memoryview) -> None:
    """Write all the data: one call may take only a part of it."""
    rest = memoryview(data)
    while rest:
        n_bytes = DISK.write(file, rest)
        if n_bytes == 0:
            raise OSError(errno.EIO, "the disk takes no more bytes")
        rest = rest[n_bytes:]


def _end_of_last_line(file: BinaryIO) -> int:
    """Return where the last whole line of a file ends, in bytes."""
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        return 0
    file.seek(size - 1)
    if file.read(1) == b"\n":
        return size
    file.seek(0)
    return file.read(size).rfind(b"\n") + 1


def _fsync_tree(folder: Path) -> None:
    """Wait until every file and every name below a folder is on the disk, the innermost first."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            # Windows flushes only files that are open for writing.
            with Path(parent, name).open("r+b" if os.name == "nt" else "rb", buffering=0) as file:
                DISK.fsync(file)
        DISK.fsync_folder(Path(parent))


def _plain(value: object) -> object:
    """Convert a numpy scalar or array, without importing numpy, for JSON."""
    convert = getattr(value, "tolist", None)
    if convert is None:
        raise TypeError(f"{type(value).__name__} cannot be written as JSON")
    return convert()


def canonical_json(value: object) -> str:
    """Return JSON in the one form that digests are taken of: sorted keys, no spaces, finite numbers.

    Raises:
        TypeError, ValueError: It is no JSON value.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
