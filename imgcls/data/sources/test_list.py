"""The test list beside a table of labels: photographs that are to be predicted, whose labels are not read."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from imgcls.data.sources.columns import TableOptions, find_ids, locate_all
from imgcls.data.sources.delimited import Table, read_table
from imgcls.data.sources.files import TABLE_SUFFIXES
from imgcls.data.sources.locate import Finder
from imgcls.errors import DataError

OFF = "none"
"""What switches the test list off where a path could stand."""
_STEM = "test"
_ADVICE = "Without a test list: --test none (from Python: test='none')."


@dataclass(frozen=True)
class TestList:
    """Photographs to predict."""

    __test__ = False  # it is no test of pytest's

    ids: tuple[str, ...] = ()
    """Their names, exactly as given."""
    paths: tuple[str, ...] = ()
    """Their files."""
    groups: tuple[str, ...] = ()
    """Their groups, "" where there is none."""
    folder: Path | None = None
    """Where they lie; None without a list."""
    notes: tuple[str, ...] = ()
    """Sentences that a person should read."""


def find_test_list(table: Path | None, *, home: Path, wanted: str | Path | None) -> Path | None:
    """Find the test list of a table.

    Args:
        table: The table of labels; None for a frame.
        home: The folder of the table.
        wanted: A path, from the current folder or from that of the table; `none` for none; None finds a table
            called test beside one of labels.

    Raises:
        DataError: The path leads nowhere.
    """
    if wanted is None:
        if table is None:
            return None
        return next((path for path in sorted(home.iterdir()) if _is_test_list(path) and path.name != table.name), None)
    if str(wanted) == OFF:
        return None
    found = next((path for path in (Path(wanted).expanduser(), home / wanted) if path.is_file()), None)
    if found is None:
        raise DataError(f"{wanted}: there is no such test list, neither here nor in {home}. {_ADVICE}")
    return found


def read_test_list(
    path: Path | None,
    options: TableOptions,
    *,
    id_column: str,
    images: Path,
    labelled: Table,
    used: Collection[str],
) -> TestList:
    """Read the ids of a test list; whatever else it holds, but for the groups, is not looked at.

    A list that was not asked for, and of which no photograph is there, is passed over with a note.

    Args:
        path: What `find_test_list` gave.
        options: How the table of labels is read.
        id_column: The column that names files there.
        images: Where these lie; the photographs of a test list often have a folder of their own.
        labelled: That table.
        used: The files that it names.

    Raises:
        DataError: The list cannot be read, files are missing, or it names photographs that have labels.
    """
    if path is None:
        return TestList()
    try:
        table = read_table(path)
    except DataError as problem:
        raise DataError(f"{problem} {_ADVICE}") from problem
    known = next((name for name in (options.id, id_column) if name in table.columns), None)
    try:
        column, finder = _find_ids(table, path, replace(options, id=known), images=images)
    except DataError as problem:
        if options.test is None:
            return TestList(notes=(f"{table.name} beside {labelled.name} is passed over as a test list. {problem}",))
        raise
    try:
        paths = locate_all(table, column, finder)
        _check_apart(table, column, paths, labelled=labelled, id_column=id_column, used=used)
    except DataError as problem:
        raise DataError(f"{problem}\n{_ADVICE}") from problem
    groups = table.columns.get(options.group or "", [""] * len(table))
    note = f"The {len(table)} photographs of {table.name} are the test part: predicted, never trained on."
    return TestList(tuple(table.columns[column]), tuple(paths), tuple(groups), finder.folders[0], (note,))


def _is_test_list(path: Path) -> bool:
    return path.stem.lower() == _STEM and path.suffix.lower() in TABLE_SUFFIXES and path.is_file()


def _find_ids(table: Table, path: Path, options: TableOptions, *, images: Path) -> tuple[str, Finder]:
    """Find the ids and their files around the list and where the labelled ones are; what was asked for comes first."""
    home = path.absolute().parent
    first, second = (images, None) if options.images is not None else (None, images)
    try:
        return find_ids(table, home=home, options=replace(options, images=first))
    except DataError as problem:
        with contextlib.suppress(DataError):
            return find_ids(table, home=home, options=replace(options, images=second))
        raise problem from None


def _check_apart(
    table: Table, column: str, paths: Sequence[str], *, labelled: Table, id_column: str, used: Collection[str]
) -> None:
    """Refuse a list that names photographs of the table of labels.

    Raises:
        DataError: It does; all rows are listed.
    """
    ids, known = table.columns[column], set(labelled.columns[id_column])
    both = [row for row, path in enumerate(paths) if path in used or ids[row] in known]
    if both:
        places = table.places(both, [ids[row] for row in both])
        raise DataError(
            f"{table.name}: {len(both)} of {len(table)} photographs are in {labelled.name} too: {places}. A photograph "
            "is either for training or to be predicted."
        )
