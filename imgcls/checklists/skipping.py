"""Items that a person leaves out, with the reason, as imgcls.toml keeps them."""

from __future__ import annotations

from pathlib import Path

from imgcls.checklists.items import find_item
from imgcls.errors import UsageError, nearest_hint
from imgcls.problem.toml import edit_problem, read_problem
from imgcls.workspace import MARKER, Workspace


def skip(workspace: Workspace, id_: str, why: str) -> None:
    """Leave an item out.

    Args:
        workspace: Whose imgcls.toml keeps it.
        id_: The item.
        why: The reason, for people; not blank.

    Raises:
        UsageError: There is no such item or no imgcls.toml, the reason is blank, or the file does not fit.
    """
    item = find_item(id_)
    if not why.strip():
        raise UsageError(f"Say why {id_!r} is left out; whoever reads the checklist will ask.")
    edit_problem(_file(workspace), {f"skipped.{item.id}": why.strip()})


def unskip(workspace: Workspace, id_: str) -> None:
    """Take an item in again.

    Raises:
        UsageError: It is not left out, there is no imgcls.toml, or the file does not fit.
    """
    path = _file(workspace)
    skipped = read_problem(path).skipped
    if id_ not in skipped:
        named = f" Skipped: {', '.join(skipped)}." if skipped else " Nothing is."
        raise UsageError(f"{id_!r} is not skipped in {path}.{nearest_hint(id_, skipped)}{named}")
    edit_problem(path, {f"skipped.{id_}": None})


def _file(workspace: Workspace) -> Path:
    path = workspace.root / MARKER
    if not path.is_file():
        raise UsageError(f"There is no {MARKER} in {workspace.root} to keep it in; 'imgcls init' writes one.")
    return path
