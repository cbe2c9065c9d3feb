"""Finding the ladders of a workspace, by what a person types."""

from __future__ import annotations

from pathlib import Path

from imgcls.durable import time_written
from imgcls.errors import RecordError, nearest_hint
from imgcls.ladders.spec import LADDER_JSON, Ladder
from imgcls.workspace import Workspace


def find_ladders(workspace: Workspace) -> tuple[list[Ladder], list[str]]:
    """Read every ladder of a workspace.

    Returns:
        The ladders, the one worked on last at the end, and a message for each that cannot be read.
    """
    if not workspace.ladders.is_dir():
        return [], []
    folders = [folder for folder in workspace.ladders.iterdir() if (folder / LADDER_JSON).is_file()]
    found, damaged = [], []
    for folder in sorted(folders, key=lambda folder: (time_written(folder / LADDER_JSON), folder.name)):
        try:
            found.append(Ladder.read(folder))
        except RecordError as problem:
            damaged.append(str(problem))
    return found, damaged


def find_ladder(text: str | None, workspace: Workspace) -> Ladder:
    """Find the ladder that a person means.

    Args:
        text: A folder, a name, the beginning of one, or a stack; None for the one worked on last.
        workspace: Where to look.

    Raises:
        RecordError: There is none, or more than one; the message names the nearest.
    """
    if text and _is_ladder(Path(text)):
        return Ladder.read(Path(text))
    if text is None:
        return _newest(workspace)
    ladders, _ = find_ladders(workspace)
    named = [ladder for ladder in ladders if text == ladder.name] or [
        ladder for ladder in ladders if text == ladder.stack or (text and ladder.name.startswith(text))
    ]
    if len(named) == 1:
        return named[0]
    if named:
        raise RecordError(f"{text!r} can mean {', '.join(ladder.name for ladder in named)}. Type more of the name.")
    names = [ladder.name for ladder in ladders]
    if not names:
        raise RecordError(f"There is no ladder {text!r}, and none at all in {workspace.ladders}. {_ADVICE}")
    raise RecordError(f"There is no ladder {text!r}.{nearest_hint(text, names)} There are: {', '.join(names)}.")


def _newest(workspace: Workspace) -> Ladder:
    """Read the ladder worked on last; one that is damaged is told, since an older one would not be the one meant."""
    files = sorted(workspace.ladders.glob(f"*/{LADDER_JSON}"), key=lambda file: (time_written(file), file.name))
    if not files:
        raise RecordError(f"There is no ladder in {workspace.ladders}. {_ADVICE}")
    return Ladder.read(files[-1].parent)


def _is_ladder(folder: Path) -> bool:
    try:
        return (folder / LADDER_JSON).is_file()
    except OSError:  # a stack may be longer than any file name
        return False


_ADVICE = "'imgcls ladder run' makes one."
