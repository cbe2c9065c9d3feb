"""The page in one of its forms, and its way to the disk."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, cast, get_args

from imgcls.checklists.evaluate import Checklist
from imgcls.checklists.states import STATES
from imgcls.durable import json_bytes, make_folder, write_bytes
from imgcls.errors import UsageError, WorkspaceError, nearest_hint
from imgcls.ladders.gathering import ReportData
from imgcls.reports.page import reproduce
from imgcls.reports.page.html import html_page
from imgcls.reports.page.markdown import markdown_page
from imgcls.workspace import Workspace

Form = Literal["html", "markdown", "json"]
SUFFIXES: dict[str, Form] = {
    ".html": "html",
    ".htm": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".json": "json",
}


def form_of(file: Path | None, form: str | None) -> Form:
    """Give the form to write: the one asked for, else what the file's ending says, else HTML.

    Raises:
        UsageError: The file has another ending than the forms have.
    """
    if file is not None and file.suffix.lower() not in SUFFIXES:
        hint = nearest_hint(file.suffix.lower(), list(SUFFIXES))
        raise UsageError(f"{file} has to end in {', '.join(SUFFIXES)}.{hint}")
    known = form or (SUFFIXES[file.suffix.lower()] if file is not None else "html")
    if known not in get_args(Form):
        raise UsageError(f"There is no form {known!r}; there are {', '.join(get_args(Form))}.")
    return cast("Form", known)


def page_bytes(data: ReportData, form: Form, *, checklist: Checklist | None = None) -> bytes:
    """Give the page in one of its forms, with the checklist of its workspace where that is given."""
    if form == "json":
        standing = {} if checklist is None else {"checklist": {state: checklist.n(state) for state in STATES}}
        return json_bytes(page_json(data) | standing)
    text = html_page(data, checklist=checklist) if form == "html" else markdown_page(data, checklist=checklist)
    return text.encode("utf-8", "backslashreplace")


def page_json(data: ReportData) -> dict[str, Any]:
    """Give what the page shows as JSON values, without pictures."""
    return {
        **data.result.to_json(),
        "validating": dict(data.n_by_class),
        "trivial": None if data.trivial is None else {"name": data.trivial[0], "value": data.trivial[1]},
        "curves": [asdict(curves) for curves in data.curves],
        "confusion": None if data.confusion is None else asdict(data.confusion),
        "confused": [asdict(pair) for pair in data.pairs],
        "mistakes": [asdict(mistake) for mistake in data.mistakes],
        "photographs": "withheld" if data.withheld else data.trouble or "shown in HTML",
        "commands": list(reproduce.commands(data.result.ladder)),
        "updated": data.updated,
        "version": data.version,
    }


def place_of(data: ReportData, workspace: Workspace, form: Form, *, file: Path | None = None) -> Path:
    """Give the file that a page goes to.

    Args:
        data: What it shows.
        workspace: Where `reports/` lies.
        form: Gives the ending.
        file: Where it is to go instead.

    Raises:
        WorkspaceError: The file would lie among photographs or records.
    """
    if file is None:
        suffix = next(suffix for suffix, known in SUFFIXES.items() if known == form)
        return workspace.reports / f"{data.result.ladder.name}{suffix}"
    place = file.absolute().resolve()
    kept = [folder for folder in (workspace.runs, workspace.ladders) if place.is_relative_to(folder.resolve())]
    if kept:
        raise WorkspaceError(f"{file} lies among the records in {kept[0]}. Choose another place with --to.")
    photographs = _photographs(data)
    if photographs is not None and place.is_relative_to(photographs) and not place.is_relative_to(workspace.reports):
        raise WorkspaceError(f"{file} lies among the photographs in {photographs}. Choose another place with --to.")
    return place


def write_page(data: ReportData, file: Path, form: Form, *, checklist: Checklist | None = None) -> int:
    """Write the page, whole or not at all, and give its size in bytes.

    Args:
        data: What it shows.
        file: Where it goes.
        form: In which form.
        checklist: Where the workspace stands; None leaves that out.

    Raises:
        WorkspaceError: It may not be written there.
    """
    content = page_bytes(data, form, checklist=checklist)
    make_folder(file.parent)
    write_bytes(file, content)
    return len(content)


def _photographs(data: ReportData) -> Path | None:
    """Give the folder of the photographs, where the ladder names one."""
    named = data.result.ladder.data.get("images") or data.result.ladder.data.get("data")
    folder = Path(str(named)).expanduser() if named else None
    return folder.resolve() if folder is not None and folder.is_dir() else None
