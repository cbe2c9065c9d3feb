"""Attempts: runs on their way, held by one process, resumable when interrupted, published by one rename."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from imgcls.errors import ImgclsError, RecordError
from imgcls.records.find import find_by_key
from imgcls.records.lock import HOLDER, LOCK, FolderLock, Holder, holder_of, is_held
from imgcls.records.run import RUN_JSON, RunRecord, short_key
from imgcls.schema import MAY_BE_ABSENT, Problems, file_names, read_as, to_json
from imgcls.storage import (
    append_line,
    canonical_json,
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
_HISTORY = "history.jsonl"
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

    files: Annotated[Mapping[str, str], file_names]
    """Name → sha256 of every other file."""
    meta: Mapping[str, Any]
    """What was saved beside the files: JSON values."""
    n_history: int
    """The number of lines of history that belong to it."""
    key: str | None = field(default=None, metadata=MAY_BE_ABSENT)
    """The key of the run whose state it is; None in manifests of before it was kept."""
    sha256: str | None = field(default=None, metadata=MAY_BE_ABSENT)
    """See `_signed`."""


_Signed = TypeVar("_Signed", bound="_Manifest | _About")


def _digest_of(content: _Manifest | _About) -> str:
    values = json.loads(json_bytes(to_json(replace(content, sha256=None))))
    return hashlib.sha256(canonical_json(values).encode("ascii")).hexdigest()


def _signed(content: _Signed) -> _Signed:
    """Return the same with the digest of all that it says, so that a single changed digit is damage when it is read."""
    return replace(content, sha256=_digest_of(content))


def _check_digest(content: _Manifest | _About) -> Problems:
    """Check the digest of what was read; what was written before there was one has none, and is believed."""
    if content.sha256 is not None and content.sha256 != _digest_of(content):
        yield "the whole", "has another content than was saved"


def save_checkpoint(
    folder: Path, files: Mapping[str, bytes], *, meta: Mapping[str, Any], n_history: int, key: str | None = None
) -> int:
    """Save a checkpoint; then, and only then, let the oldest but one go.

    Args:
        folder: The folder of the attempt.
        files: Plain file names → content.
        meta: JSON values.
        n_history: The number of lines of history that belong to it.
        key: The key of the run whose state it is.

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
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        manifest = json_bytes(to_json(_signed(_Manifest(digests, meta, n_history, key))))
        _write(temporary, files, manifest=manifest)
        publish_folder(temporary, _path(folder, number))
    except BaseException:
        _give_up(temporary)
        raise
    for old in earlier[: -(_N_KEPT - 1)]:
        remove_tree(_path(folder, old))
    return number


def load_checkpoint(
    folder: Path, *, key: str | None = None, without_key: bool = True
) -> tuple[Checkpoint | None, list[str]]:
    """Load the newest checkpoint that is as it was saved; damaged ones after it are removed.

    Args:
        folder: The folder of the attempt.
        key: The key of the run whose state it has to be; None for any.
        without_key: Whether one that does not say whose state it is, as older ones do not, may be it.

    Returns:
        The checkpoint, or None if there is no good one; and a message for every damaged one.
    """
    damaged: dict[int, str] = {}
    found = None
    for number in reversed(_numbers(folder)):
        try:
            found = _read(_path(folder, number), number=number, key=key, without_key=without_key)
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
    if wrong := [name for name in files if name == MANIFEST or list(file_names([name]))]:
        raise RecordError(f"A checkpoint cannot hold files named {', '.join(map(repr, wrong))}.")


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


def _read(folder: Path, *, number: int, key: str | None, without_key: bool) -> Checkpoint:
    """Read a checkpoint, compare it with its digests, and make sure that the history up to it is known."""
    manifest = read_as(_Manifest, folder / MANIFEST, check=_check_digest)
    if manifest.sha256 is None and _HISTORY in manifest.files:  # both came at once: somebody took the digest out
        raise RecordError(f"{folder / MANIFEST} has lost its digest")
    if key is not None and manifest.key != key and not (manifest.key is None and without_key):
        raise RecordError(f"{folder / MANIFEST} does not belong to this run")
    files = {}
    for name, digest in manifest.files.items():
        try:
            files[name] = (folder / name).read_bytes()
        except OSError as error:
            raise RecordError(f"{folder / name} cannot be read: {error.strerror}") from error
        if hashlib.sha256(files[name]).hexdigest() != digest:
            raise RecordError(f"{folder / name} has another content than was saved")
    inner = files.get(_HISTORY)
    known, _ = _read_history(folder.parent / _HISTORY) if inner is None else _rows_of(inner)
    if manifest.meta.get("epoch", manifest.n_history) != manifest.n_history or len(known) < manifest.n_history:
        raise RecordError(f"the history of its {manifest.n_history} epochs is damaged")
    return Checkpoint(number, files, manifest.meta, manifest.n_history)


_ABOUT = "attempt.json"
_RECORD = "record"
_FAILURE = "failure.json"


@dataclass(frozen=True)
class _About:
    """What attempt.json holds."""

    key: str
    """The key of the run that it is to become."""
    info: Mapping[str, Any]
    """What `acquire` was given about it."""
    sha256: str | None = field(default=None, metadata=MAY_BE_ABSENT)
    """See `_signed`."""


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
    damage: str = ""
    """What of it cannot be read, as a sentence; the next training goes on from what can."""
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
        self._rows: list[dict[str, Any]] | None = None  # the history; None until it is read or begun
        self._was_damaged = False

    @property
    def record_folder(self) -> Path:
        """The folder to build the record in."""
        return self.folder / _RECORD

    def heartbeat(self) -> None:
        """Write that this process is alive, for readers on other machines."""
        self._check_in_place()
        self._lock.beat()

    def save_checkpoint(self, files: Mapping[str, bytes], meta: Mapping[str, Any]) -> int:
        """Save the state after an epoch, and the history up to it; append the epoch's line of history before.

        Args:
            files: Plain file names → content.
            meta: JSON values.

        Returns:
            The number of the checkpoint. The one before it is kept too.

        Raises:
            ImgclsError: If it cannot be written; earlier checkpoints are still there.
        """
        self._check_in_place()
        rows = self.history()
        # The checkpoint has a history of its own: what happens to the one that readers look at costs no epoch.
        whole = {**files, _HISTORY: _lines(rows)}
        return save_checkpoint(self.folder, whole, meta=meta, n_history=len(rows), key=self.key)

    def load_checkpoint(self) -> Checkpoint | None:
        """Load the newest good checkpoint and make the history that of its epochs.

        Returns:
            The checkpoint; None to start from the beginning. Damaged ones are reported in `notes`.
        """
        found, notes = load_checkpoint(self.folder, key=self.key, without_key=not self._was_damaged)
        self.notes.extend(notes)
        path, rows = self.folder / _HISTORY, []
        if found is not None:
            files = dict(found.files)
            inner = files.pop(_HISTORY, None)
            rows, _ = _read_history(path) if inner is None else _rows_of(inner)
            rows = rows[: found.n_history]
            found = replace(found, files=files)
        before, after = path.read_bytes() if path.is_file() else b"", _lines(rows)
        if before != after:
            write_bytes(path, after)
            if not before.startswith(after):
                self.notes.append(f"{path} was damaged; its {len(rows)} epochs are those of the checkpoint again.")
        self._rows = rows
        return found

    def append_history(self, row: Mapping[str, Any]) -> None:
        """Add the line of one epoch.

        Args:
            row: JSON values; numbers that cannot be computed are None.

        Raises:
            ValueError: If a value is NaN or infinite.
            ImgclsError: If it cannot be written; the lines before are still there.
        """
        self._check_in_place()
        rows, line = self.history(), _line(row)
        append_line(self.folder / _HISTORY, line)
        self._rows = [*rows, json.loads(line)]

    def history(self) -> list[dict[str, Any]]:
        """Return the lines of the epochs so far, whatever became of the file since they were written or read.

        Until a checkpoint was loaded they are those of the file, up to the first that is torn or damaged.
        """
        return list(self._rows if self._rows is not None else _read_history(self.folder / _HISTORY)[0])

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that a later process could go on from."""
        return not self._lock.is_in_place or not (self.history() or _numbers(self.folder))

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
        self._check_in_place()
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
            The record as it was kept; one without a folder where the attempt's own is gone.

        Raises:
            ImgclsError: If the disk fails; the attempt is still there then.
        """
        if not self._lock.is_in_place:
            return replace(record, status="failed", reason=reason)
        make_folder(self.record_folder)
        if rows := self.history():
            write_bytes(self.record_folder / _HISTORY, _lines(rows))
        failed = replace(record, status="failed", reason=reason).write(self.record_folder)
        number = 1
        while not publish_folder(self.record_folder, final := self._failed_folder(number)):
            number += 1
        if _numbers(self.folder):
            make_folder(self.record_folder)
            write_json(self.folder / _FAILURE, to_json(_Failure(reason)))
            self.release()
        else:
            self.discard()
        return replace(failed, folder=final)

    def discard(self) -> None:
        """Remove the attempt and everything in it."""
        if self._lock.is_in_place:  # else it is gone, or another process's
            remove_tree(self.folder)
        self.release()

    def _check_in_place(self) -> None:
        """Refuse to write into what is no longer the folder that is held: half an attempt would be made there."""
        if not self._lock.is_in_place:
            raise ImgclsError(
                f"{self.folder} has been moved or removed while this run was on its way. Run the same command again: "
                "it goes on after what is there, or from the beginning."
            )

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
        _check_same_key(attempt)
    if not about.exists() or attempt._was_damaged:
        write_json(about, to_json(_signed(_About(attempt.key, info))))
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


def _read_about(folder: Path) -> _About:
    """Read what an attempt is about.

    Raises:
        RecordError: It is missing or damaged, or says that it lies in another folder.
    """
    about = read_as(_About, folder / _ABOUT, check=_check_digest)
    if short_key(about.key) != folder.name:
        raise RecordError(f"{folder / _ABOUT} is damaged: key must begin with {folder.name}.")
    return about


def _check_same_key(attempt: Attempt) -> None:
    """Refuse the attempt of another run whose key begins alike; where that cannot be read, its checkpoints tell."""
    try:
        found = _read_about(attempt.folder).key
    except RecordError as problem:
        attempt._was_damaged = True
        attempt.notes.append(f"Written again: {problem}")
        return
    if found != attempt.key:
        raise RecordError(
            f"{attempt.folder} belongs to another run ({found}). Finish or remove it, or train with another seed."
        )


def _look(folder: Path) -> AttemptState | None:
    """Describe one attempt, or nothing if there is none, or no longer."""
    if not (folder / _ABOUT).exists():  # it is just being begun
        return None
    rows, damage = _read_history(folder / _HISTORY)
    try:
        about = _read_about(folder)
    except RecordError as problem:
        if not (folder / _ABOUT).exists():  # it is just being ended
            return None
        about, damage = _About(folder.name, {}), str(problem)
    state: Literal["running", "interrupted"] = "running" if is_held(folder) else "interrupted"
    reason = ""
    with contextlib.suppress(RecordError):
        reason = read_as(_Failure, folder / _FAILURE).reason
    return AttemptState(about.key, folder, state, about.info, holder_of(folder), len(rows), damage, reason)


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
    """Return whether an attempt's record has become the run; a second training beside a run has begun its own.

    One that another process made while the run was being published has nothing in it, and its maker may be killed.
    """
    if folder.name not in published:
        return False
    try:
        names = {path.name for path in folder.iterdir()}
        is_bare = names <= {_ABOUT, _RECORD, LOCK, HOLDER} and not is_held(folder)
        return _RECORD not in names or (is_bare and not any((folder / _RECORD).iterdir()))
    except OSError:  # it goes while it is looked at
        return True


def _read_history(path: Path) -> tuple[list[dict[str, Any]], str]:
    """Read the lines of a history up to the first that is damaged, and say so; a torn last one was never finished."""
    try:
        content = path.read_bytes() if path.is_file() else b""
    except OSError as error:
        return [], f"{path} cannot be read: {error.strerror}."
    rows, n_lines = _rows_of(content)
    whole = f"{path} is damaged in line {len(rows) + 1} of {n_lines}; the epochs before it count."
    return rows, whole if len(rows) < n_lines else ""


def _rows_of(content: bytes) -> tuple[list[dict[str, Any]], int]:
    """Return the lines that are those of the epochs 1, 2, … in turn, and how many whole lines there are."""
    lines = content.split(b"\n")[:-1]
    rows: list[dict[str, Any]] = []
    for line in lines:
        try:
            row = json.loads(line)
            json.dumps(row, allow_nan=False)  # NaN and numbers that are too large would be read, and never written
        except (ValueError, RecursionError):
            break
        epoch = row.get("epoch") if isinstance(row, dict) else None
        if type(epoch) is not int or epoch != len(rows) + 1:
            break
        rows.append(row)
    return rows, len(lines)


def _lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return b"".join(_line(row).encode() + b"\n" for row in rows)


def _line(row: Mapping[str, Any]) -> str:
    """Write one row of history as one line."""
    return json.dumps(dict(row), allow_nan=False, default=_number)


def _number(value: object) -> object:
    """Convert a numpy scalar for JSON, without importing numpy."""
    convert = getattr(value, "item", None)
    if convert is None:
        raise TypeError(f"{type(value).__name__} cannot be written to the history")
    return convert()
