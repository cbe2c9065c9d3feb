"""Finding the records of a workspace: all of them, by key, or by what a person types."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imgcls.errors import RecordError, nearest
from imgcls.records.run import RUN_JSON, RunRecord, short_key
from imgcls.storage import remove_tree
from imgcls.text import listed
from imgcls.workspace import Workspace

_N_SUGGESTIONS = 3


def find_runs(workspace: Workspace) -> tuple[list[RunRecord], list[str]]:
    """Read every finished run of a workspace.

    Args:
        workspace: Where to look; it may be empty.

    Returns:
        The records, oldest first, and a message for every folder whose record cannot be read.
    """
    return _read_all(_run_folders(workspace.runs))


def find_failed(workspace: Workspace) -> tuple[list[RunRecord], list[str]]:
    """Read every failed run of a workspace, as `find_runs` does."""
    return _read_all(_run_folders(workspace.failed))


def find_by_key(workspace: Workspace, key: str) -> RunRecord | None:
    """Find the finished run that answers a key.

    Args:
        workspace: Where to look.
        key: All 64 digits: see `run_key`.

    Returns:
        The record, or None if there is none yet.

    Raises:
        RecordError: If a folder bears the key but its record is damaged.
    """
    folders = _run_folders(workspace.runs)
    named = [RunRecord.read(folder) for folder in folders if folder.name.endswith(f"-{short_key(key)}")]
    for record in named:
        if record.key == key:
            return record
    # A folder that its owner renamed is still the same run.
    return next((record for record in _read_all(folders)[0] if record.key == key), None)


def find_run(text: str, workspace: Workspace) -> RunRecord:
    """Find the one run that a person means.

    Args:
        text: A folder, an id, a key, a stack as it was typed, or the beginning of an id or a key. A stack that
            was trained in folds means all of them together; of one trained on all the data too, the judged run.
        workspace: Where to look.

    Raises:
        RecordError: If there is none, or more than one; the message names the nearest.
    """
    folder = _as_folder(text)
    if folder is not None:
        return RunRecord.read(folder)
    runs, damaged = find_runs(workspace)
    exact = [run for run in runs if text in (run.id, run.key, _folder_name(run))]
    named = [run for run in runs if text in (run.stack, run.label)]
    named = [run for run in named if run.fold is None and run.all_data is None] or named
    found = exact or named or [run for run in runs if text and (run.id.startswith(text) or run.key.startswith(text))]
    if len(found) == 1:
        return found[0]
    if found:
        raise RecordError(f"{text!r} can mean {listed([run.id for run in found])}. Type more of the name.")
    broken = next((message for message in damaged if text and text in message), None)
    raise RecordError(broken or _not_found(text, [run.id for run in runs], workspace))


def same_but_calibration(plan: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the JSON values of a plan without what is fitted to validation: equal for a stack with it and without."""
    predict = {name: value for name, value in plan.get("predict", {}).items() if name != "calibration"}
    others = {part: values for part, values in plan.items() if part != "predict"}
    return {**others, "predict": predict} if predict else others


def calibration_pair(record: RunRecord, workspace: Workspace) -> tuple[RunRecord, ...]:
    """Return a run with the one that differs from it in calibration alone, the uncalibrated first; or the run alone.

    Args:
        record: A run, or the record of all folds.
        workspace: Where to look for the other.
    """

    def identity(run: RunRecord) -> tuple[object, ...]:
        turn = run.seed, run.fold, run.n_folds, run.quick
        return same_but_calibration(run.plan), turn, run.data.digest, run.data.split_digest, run.classes

    others = [
        run
        for run in find_runs(workspace)[0]
        if run.plan_digest != record.plan_digest and identity(run) == identity(record)
    ]
    return tuple(sorted((record, *others[-1:]), key=lambda run: "calibration" in run.plan.get("predict", {})))


def open_run(path_or_key: str | os.PathLike[str], workspace: Workspace | None = None) -> RunRecord:
    """Open the record of a run.

    Args:
        path_or_key: As `find_run`, or any path to a run's folder or its run.json.
        workspace: Where to look for ids and keys; the one of the current folder when None.

    Raises:
        RecordError: If there is no such run, or its record is damaged.
    """
    return find_run(os.fspath(path_or_key), workspace or Workspace.find())


def remove_run(record: RunRecord) -> None:
    """Remove a run's folder and everything in it.

    Args:
        record: A record that was read from a folder.

    Raises:
        RecordError: If it was never written.
        ImgclsError: If it cannot be removed.
    """
    if record.folder is None:
        raise RecordError(f"Run {record.id} has not been written, so there is nothing to remove.")
    remove_tree(record.folder)


def _run_folders(parent: Path) -> list[Path]:
    """List the folders that hold a run; what has no run.json is none, or not finished."""
    if not parent.is_dir():
        return []
    with os.scandir(parent) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    return [parent / name for name in names if (parent / name / RUN_JSON).is_file()]


def _read_all(folders: list[Path]) -> tuple[list[RunRecord], list[str]]:
    """Read what can be read, oldest first, and say what cannot."""
    records, damaged = [], []
    for folder in folders:
        try:
            records.append(RunRecord.read(folder))
        except RecordError as error:
            damaged.append(str(error))
    return sorted(records, key=lambda record: (record.created, record.id)), damaged


def _as_folder(text: str) -> Path | None:
    """Take a text as the path of a run's folder or of its run.json, if it is one."""
    path = Path(text)
    if path.name == RUN_JSON:
        return path.parent
    return path if text and (path / RUN_JSON).is_file() else None


def _folder_name(record: RunRecord) -> str:
    """Return the present name of a record's folder."""
    return record.folder.name if record.folder else ""


def _not_found(text: str, names: list[str], workspace: Workspace) -> str:
    """Describe that there is no such run, and which ones come near."""
    if not names:
        return f"There is no run {text!r}, and none at all in {workspace.runs}. 'imgcls recipe run baseline' makes one."
    near = nearest(text, names, most=_N_SUGGESTIONS, likeness=0.3)
    advice = f"The nearest: {listed(near)}." if near else f"The newest: {listed(names[::-1])}."
    return f"There is no run {text!r} in {workspace.runs}. {advice}"
