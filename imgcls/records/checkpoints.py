"""Checkpoints of a training: whole or absent, verified when loaded, the last two kept."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgcls.durable import create_file, explained, json_bytes, publish_folder, remove_tree
from imgcls.errors import ImgclsError, RecordError
from imgcls.records.reading import Fields, read_json

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
    return json_bytes({"files": digests, "meta": dict(meta), "n_history": n_history})


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
    fields = Fields(read_json(folder / MANIFEST), where=str(folder / MANIFEST))
    digests, meta, n_history = fields.mapping("files"), fields.mapping("meta"), fields.integer("n_history")
    fields.finish()
    files = {}
    for name, digest in digests.items():
        try:
            files[name] = (folder / name).read_bytes()
        except OSError as error:
            raise RecordError(f"{folder / name} cannot be read: {error.strerror}") from error
        if hashlib.sha256(files[name]).hexdigest() != digest:
            raise RecordError(f"{folder / name} has another content than was saved")
    return Checkpoint(number, files, meta, n_history)
