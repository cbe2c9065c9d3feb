"""Small files beside the runs that keep what can be found out again, so that whatever is wrong with one is no error."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from imgcls.durable import make_folder, write_json
from imgcls.errors import ImgclsError, RecordError
from imgcls.records.reading import Fields, read_json

Entry = TypeVar("Entry")


def read_kept(path: Path, name: str, read: Callable[[Fields], Entry], *, schema: int) -> tuple[Entry, ...]:
    """Give what is kept, oldest first; a file that is missing, damaged or of another version holds nothing.

    Args:
        path: The file.
        name: The key of the list in it.
        read: Reads one entry; problems are collected in its argument.
        schema: The version that is understood.
    """
    try:
        fields = Fields(read_json(path), where=str(path))
        found_schema = fields.integer("schema")
        found = fields.inner_list(name, read)
        fields.finish()
    except RecordError:
        return ()
    return tuple(found) if found_schema == schema else ()


def write_kept(path: Path, name: str, entries: Sequence[Any], *, schema: int) -> None:
    """Keep entries, JSON values, in place of those before; where it cannot be written, nothing is kept."""
    with contextlib.suppress(ImgclsError):
        make_folder(path.parent)
        write_json(path, {"schema": schema, name: list(entries)})
