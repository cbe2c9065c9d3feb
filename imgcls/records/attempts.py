"""Attempts: runs on their way, held by one process, resumable when interrupted, published by one rename."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from imgcls.errors import ImgclsError, RecordError
from imgcls.records.find import find_by_key
from imgcls.records.lock import FolderLock, Holder, holder_of, is_held
from imgcls.records.run import RUN_JSON, RunRecord, short_key
from imgcls.schema import read_as
from imgcls.storage import (
    append_line,
    clear_leftovers,
    create_file,
    explained,
    json_bytes,
    make_folder,
    publish_folder,
    remove_tree,
    write_bytes,
    write_json,
)
from imgcls.workspace import Workspace

MANIFEST = "manifest.json"
_FOLDER = re.compile(r"checkpoint-(\d+)")
_N_KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training at the end of some epoch."""

    number: int
    """Its place in the order of saving, from 1."""
    files: Mapping[str, bytes]
    """Name → content, as they were saved."""
    meta: Mapping[str, Any]
    """What was saved beside the files: JSON values."""
    n_history: int
    """The number of lines of history that belong to it."""


@dataclass(frozen=True)
class _Manifest:
    """What the manifest of a checkpoint holds."""

    files: Mapping[str, str]
    """Name → sha256 of every other file."""
    meta: Mapping[str, Any]
    """What was saved beside the files: JSON values."""
    n_history: int
    """The number of lines of history that belong to it."""


def save_checkpoint(folder: Path, files: Mapping[str, bytes], *, meta: Mapping[str, Any], n_history: int) -> int:
    """Save a checkpoint; then, and only then, let the oldest but one go.

    Args:
        folder: The folder of the attempt.
        files: Plain file names → content.
        meta: JSON values.
        n_history: The number of lines of history that belong to it.

    Returns:
        The number of the checkpoint.

    Raises:
        RecordError: If a name is not a plain file name.
        ImgclsError: If it cannot be written; the ones before are still there.
    """
    _check_names(files)
    earlier = _numbers(folder)
    number = max(earlier, default=0) + 1
    temporary = folder / f"checkpoint-{number}.tmp"
    remove_tree(temporary)
    try:
        _write(temporary, files, manifest=_manifest(files, meta=meta, n_history=n_history))
        publish_folder(temporary, _path(folder, number))
    except BaseException:
        _give_up(temporary)
        raise
    for old in earlier[: -(_N_KEPT - 1)]:
        remove_tree(_path(folder, old))
    return number


def load_checkpoint(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """Load the newest checkpoint that is as it was saved; damaged ones after it are removed.

    Args:
        folder: The folder of the attempt.

    Returns:
        The checkpoint, or None if there is no good one; and a message for every damaged one.
    """
    damaged: dict[int, str] = {}
    found = None
    for number in reversed(_numbers(folder)):
        try:
            found = _read(_path(folder, number), number=number)
            break
        except RecordError as error:
            damaged[number] = str(error)
    for number in damaged:
        remove_tree(_path(folder, number))
    instead = f"goes on from checkpoint {found.number}" if found else "starts from the beginning"
    return found, [f"Checkpoint {number} is damaged, training {instead}: {text}" for number, text in damaged.items()]


def _numbers(folder: Path) -> list[int]:
    """List the checkpoints of a folder, the oldest first."""
    with explained(folder):
        matches = [_FOLDER.fullmatch(path.name) for path in folder.iterdir()]
    return sorted(int(match[1]) for match in matches if match)


def _path(folder: Path, number: int) -> Path:
    return folder / f"checkpoint-{number}"


def _check_names(files: Mapping[str, bytes]) -> None:
    """Refuse names that would leave the folder or take the manifest's place."""
    wrong = [name for name in files if name in ("", ".", "..", MANIFEST) or "/" in name or "\\" in name]
    if wrong:
        raise RecordError(f"A checkpoint cannot hold files named {', '.join(map(repr, wrong))}.")


def _manifest(files: Mapping[str, bytes], *, meta: Mapping[str, Any], n_history: int) -> bytes:
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    return json_bytes(asdict(_Manifest(digests, meta, n_history)))


def _write(folder: Path, files: Mapping[str, bytes], *, manifest: bytes) -> None:
    """Write a checkpoint's files into a new folder, the manifest last."""
    with explained(folder):
        folder.mkdir()
        for name, data in files.items():
            create_file(folder / name, data)
        create_file(folder / MANIFEST, manifest)


def _give_up(temporary: Path) -> None:
    """Remove an unfinished checkpoint, if the disk still lets us: the next start removes it otherwise."""
    with contextlib.suppress(ImgclsError):  # the error that led here matters more
        remove_tree(temporary)


def _read(folder: Path, *, number: int) -> Checkpoint:
    """Read a checkpoint and compare every file with its digest."""
    manifest = read_as(_Manifest, folder / MANIFEST)
    files = {}
    for name, digest in manifest.files.items():
        try:
            files[name] = (folder / name).read_bytes()
        except OSError as error:
            raise RecordError(f"{folder / name} cannot be read: {error.strerror}") from error
        if hashlib.sha256(files[name]).hexdigest() != digest:
            raise RecordError(f"{folder / name} has another content than was saved")
    return Checkpoint(number, files, manifest.meta, manifest.n_history)


_ABOUT = "attempt.json"
_HISTORY = "history.jsonl"
_RECORD = "record"
_FAILURE = "failure.json"


@dataclass(frozen=True)
class _About:
    """What attempt.json holds."""

    key: str
    """The key of the run that it is to become."""
    info: Mapping[str, Any]
    """What `acquire` was given about it."""


@dataclass(frozen=True)
class _Failure:
    """What failure.json holds, from a failure until somebody goes on."""

    reason: str
    """Why the training failed."""


@dataclass(frozen=True)
class AttemptState:
    """What can be said of an attempt from outside."""

    key: str
    """The key of the run that it is to become."""
    folder: Path
    """Where it lies."""
    state: Literal["running", "interrupted"]
    """Whether a process works on it now."""
    info: Mapping[str, Any]
    """What `acquire` was given about it."""
    holder: Holder | None
    """Who works on it, or did when it was killed."""
    n_epochs: int
    """The number of finished epochs in its history."""
    reason: str = ""
    """Why it failed, and waits to be gone on with; "" where it was interrupted or is being worked on."""


class Attempt:
    """A run on its way, as the process sees it that holds it; made by `claim`."""

    def __init__(self, workspace: Workspace, lock: FolderLock, *, key: str) -> None:
        """Keep what `acquire` took.

        Args:
            workspace: Where records are published.
            lock: The hold on the attempt's folder.
            key: The key of the run that it is to become.
        """
        self.key, self.folder = key, lock.folder
        self.existing: RunRecord | None = None  # the finished run that this one is a repetition of
        self.failed_before = ""  # why an earlier process could not go on
        self.notes: list[str] = []
        self._workspace, self._lock = workspace, lock

    @property
    def record_folder(self) -> Path:
        """The folder to build the record in."""
        return self.folder / _RECORD

    def heartbeat(self) -> None:
        """Write that this process is alive, for readers on other machines."""
        self._lock.beat()

    def save_checkpoint(self, files: Mapping[str, bytes], meta: Mapping[str, Any]) -> int:
        """Save the state after an epoch; append the epoch's line of history before it.

        Args:
            files: Plain file names → content.
            meta: JSON values.

        Returns:
            The number of the checkpoint. The one before it is kept too.

        Raises:
            ImgclsError: If it cannot be written; earlier checkpoints are still there.
        """
        return save_checkpoint(self.folder, files, meta=meta, n_history=len(self.history()))

    def load_checkpoint(self) -> Checkpoint | None:
        """Load the newest good checkpoint and cut the history back to it.

        Returns:
            The checkpoint; None to start from the beginning. Damaged ones are reported in `notes`.
        """
        found, notes = load_checkpoint(self.folder)
        self.notes.extend(notes)
        rows = self.history()
        n_history = found.n_history if found else 0
        if len(rows) > n_history:
            write_bytes(self.folder / _HISTORY, b"".join(_line(row).encode() + b"\n" for row in rows[:n_history]))
        return found

    def append_history(self, row: Mapping[str, Any]) -> None:
        """Add the line of one epoch.

        Args:
            row: JSON values; numbers that cannot be computed are None.

        Raises:
            ValueError: If a value is NaN or infinite.
            ImgclsError: If it cannot be written; the lines before are still there.
        """
        append_line(self.folder / _HISTORY, _line(row))

    def history(self) -> list[dict[str, Any]]:
        """Read the lines of the epochs so far; a torn last line is left out."""
        return _read_history(self.folder / _HISTORY)

    def publish(self, final: Path) -> bool:
        """Make `record_folder` the finished run, by one rename, and end the attempt.

        Args:
            final: The folder of the finished run.

        Returns:
            True if the run is this one; False if another process published the same run first,
            and then ours is discarded.

        Raises:
            RecordError: If there is no run.json in the record folder.
            ImgclsError: If the disk fails; the attempt is still there then.
        """
        if not (self.record_folder / RUN_JSON).is_file():
            raise RecordError(f"{self.record_folder} has no {RUN_JSON}, so it cannot be published.")
        if (
            final.is_dir() and not (final / RUN_JSON).exists()
        ):  # what is left of a record is none, and stands in the way
            remove_tree(final)
        is_ours = publish_folder(self.record_folder, final)
        self.discard()
        return is_ours

    def start_over(self) -> None:
        """Let go of every finished epoch.

        Raises:
            ImgclsError: If they cannot be removed.
        """
        for number in _numbers(self.folder):
            remove_tree(_path(self.folder, number))
        with explained(self.folder):
            (self.folder / _HISTORY).unlink(missing_ok=True)

    def fail(self, reason: str, record: RunRecord) -> RunRecord:
        """Keep the failure among the failed runs, with its history, and let the attempt go.

        Checkpoints stay, whatever the cause: want of memory, a worker that was killed or a disk that was away pass, and
        a training that diverged is back at the same place soon. An attempt without any is removed.

        Args:
            reason: Why it failed.
            record: What is known of the run; its status and reason are set here.

        Returns:
            The record as it was kept.

        Raises:
            ImgclsError: If the disk fails; the attempt is still there then.
        """
        make_folder(self.record_folder)
        history = self.folder / _HISTORY
        if history.is_file():
            write_bytes(self.record_folder / _HISTORY, history.read_bytes())
        failed = replace(record, status="failed", reason=reason).write(self.record_folder)
        number = 1
        while not publish_folder(self.record_folder, final := self._failed_folder(number)):
            number += 1
        if _numbers(self.folder):
            make_folder(self.record_folder)
            write_json(self.folder / _FAILURE, asdict(_Failure(reason)))
            self.release()
        else:
            self.discard()
        return replace(failed, folder=final)

    def discard(self) -> None:
        """Remove the attempt and everything in it."""
        remove_tree(self.folder)
        self.release()

    def release(self) -> None:
        """Let the attempt go; what is in it stays, to be resumed."""
        self._lock.release()

    def _failed_folder(self, number: int) -> Path:
        return self._workspace.failed / f"{short_key(self.key)}-{number}"


@contextmanager
def claim(
    workspace: Workspace, key: str, about: Mapping[str, Any], *, again: bool = False
) -> Iterator[RunRecord | Attempt]:
    """Find the run of a key, or hold the attempt at it, alone.

    Args:
        workspace: Where both lie.
        key: The key of the run.
        about: What readers see of the attempt: JSON values.
        again: Whether to hold an attempt although the run is there; it is then the attempt's `existing`.

    Yields:
        The finished run; or the attempt. Unless it is published, failed or discarded, it stays and can be resumed.

    Raises:
        BusyError: If another process, or this one, is at it already.
        RecordError: If a folder bears the key but its record is damaged, or the attempt belongs to another key.
        ImgclsError: If the attempt's folder cannot be made.
    """
    existing = find_by_key(workspace, key)
    if existing is not None and not again:
        yield existing
        return
    with acquire(workspace, key, about) as attempt:
        attempt.existing = find_by_key(workspace, key)  # another process may have finished it meanwhile
        if attempt.existing is not None and not again:
            attempt.discard()
            yield attempt.existing
        else:
            yield attempt


@contextmanager
def acquire(workspace: Workspace, key: str, info: Mapping[str, Any]) -> Iterator[Attempt]:
    """Begin or resume the attempt at a run, alone, whether or not the run is there: see `claim`.

    Args:
        workspace: Where it lies.
        key: The key of the run.
        info: What readers may know about it: JSON values.

    Yields:
        The attempt. Unless it is published, failed or discarded, it stays and can be resumed.

    Raises:
        BusyError: If another process, or this one, is at it already.
        RecordError: If the folder belongs to another key.
        ImgclsError: If the folder cannot be made.
    """
    _sweep(workspace)
    lock = FolderLock.take(workspace.attempts / short_key(key))
    try:
        attempt = Attempt(workspace, lock, key=key)
        _prepare(attempt, info, previous=lock.previous)
        yield attempt
    finally:
        lock.release()


def find_attempts(workspace: Workspace) -> list[AttemptState]:
    """List the attempts of a workspace, by key; those whose run is finished are left out.

    Args:
        workspace: Where to look; it may be empty.
    """
    published = _published_keys(workspace)
    states = [_look(folder) for folder in _attempt_folders(workspace)]
    return [state for state in states if state and not _was_published(state.folder, published)]


def _prepare(attempt: Attempt, info: Mapping[str, Any], *, previous: Holder | None) -> None:
    """Clear what a killed process left, and write what the attempt is about."""
    clear_leftovers(attempt.folder)
    about = attempt.folder / _ABOUT
    if about.exists():
        _check_same_key(about, attempt.key)
    else:
        write_json(about, asdict(_About(attempt.key, info)))
    failure = attempt.folder / _FAILURE
    with contextlib.suppress(RecordError):  # most have none
        attempt.failed_before = read_as(_Failure, failure).reason
    with explained(failure):
        failure.unlink(missing_ok=True)
    make_folder(attempt.record_folder)
    clear_leftovers(attempt.record_folder)
    if previous is not None:
        attempt.notes.append(
            f"Taken over from process {previous.pid} on {previous.host}, which began at {previous.since} and ended "
            "without letting go."
        )


def _check_same_key(about: Path, key: str) -> None:
    """Refuse the attempt of another run whose key begins alike."""
    found = read_as(_About, about).key
    if found != key:
        raise RecordError(
            f"{about.parent} belongs to another run ({found}). Finish or remove it, or train with another seed."
        )


def _look(folder: Path) -> AttemptState | None:
    """Describe one attempt, or nothing if there is none, or no longer."""
    try:
        about = read_as(_About, folder / _ABOUT)
    except RecordError:
        return None
    state: Literal["running", "interrupted"] = "running" if is_held(folder) else "interrupted"
    n_epochs, reason = len(_read_history(folder / _HISTORY)), ""
    with contextlib.suppress(RecordError):
        reason = read_as(_Failure, folder / _FAILURE).reason
    return AttemptState(about.key, folder, state, about.info, holder_of(folder), n_epochs, reason)


def _attempt_folders(workspace: Workspace) -> list[Path]:
    if not workspace.attempts.is_dir():
        return []
    return sorted(path for path in workspace.attempts.iterdir() if path.is_dir() and not path.name.startswith("."))


def _published_keys(workspace: Workspace) -> set[str]:
    """Return the short keys of the finished runs, by their folders' names."""
    if not workspace.runs.is_dir():
        return set()
    return {path.name.rpartition("-")[2] for path in workspace.runs.iterdir() if not path.name.startswith(".")}


def _sweep(workspace: Workspace) -> None:
    """Remove what is left of attempts whose process was killed just after the rename."""
    published = _published_keys(workspace)
    for folder in _attempt_folders(workspace):
        if _was_published(folder, published) and not is_held(folder):
            remove_tree(folder)
    for parent in (workspace.runs, workspace.attempts):
        clear_leftovers(parent)


def _was_published(folder: Path, published: set[str]) -> bool:
    """Return whether an attempt's record has become the run; a second training beside a run still has its own."""
    return folder.name in published and not (folder / _RECORD).exists()


def _read_history(path: Path) -> list[dict[str, Any]]:
    """Read whole lines only: what follows the last newline was never finished."""
    if not path.is_file():
        return []
    with explained(path):
        whole, _, _ = path.read_bytes().rpartition(b"\n")
    try:
        return [json.loads(line) for line in whole.splitlines()]
    except ValueError as error:
        raise RecordError(f"{path} is damaged: {error}. Remove it to start this run from the beginning.") from error


def _line(row: Mapping[str, Any]) -> str:
    """Write one row of history as one line."""
    return json.dumps(dict(row), allow_nan=False, default=_number)


def _number(value: object) -> object:
    """Convert a numpy scalar for JSON, without importing numpy."""
    convert = getattr(value, "item", None)
    if convert is None:
        raise TypeError(f"{type(value).__name__} cannot be written to the history")
    return convert()
