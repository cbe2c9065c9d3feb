"""What the columns of a table mean: which one names files, where these lie, and which ones hold labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from imgcls.data.samples import ProblemType
from imgcls.data.sources.delimited import Table
from imgcls.data.sources.labels import is_one_hot
from imgcls.data.sources.locate import Finder, find_folder, probe
from imgcls.errors import DataError

ID_NAMES = ("id", "image_id", "image", "filename", "file", "path", "name")
LABEL_NAMES = ("label", "labels", "target", "class", "category", "y")


@dataclass(frozen=True)
class TableOptions:
    """How a table is to be read; what is None is found out."""

    images: str | Path | None = None
    """The folder of the photographs."""
    label: str | tuple[str, ...] | None = None
    """The column of labels, or the columns of 0 and 1 that each are a class."""
    id: str | None = None
    """The column that names the files."""
    group: str | None = None
    """The column of groups; None for no groups."""
    split: str | None = None
    """The column of splits; None leaves all samples to be split."""
    problem_type: ProblemType | None = None
    """What kind of problem it is."""
    delimiter: str | None = None
    """What separates classes in a cell of labels."""
    test: str | Path | None = None
    """The table of photographs to predict; `none` for none, None finds one called test beside the table."""
    skip: Collection[str] = ()
    """Names of folders beside the table that hold no photographs of the data set."""


def check_named(table: Table, options: TableOptions) -> None:
    """Refuse columns that a table does not have.

    Raises:
        DataError: One is missing; all are named, with the nearest right name.
    """
    labels = (options.label,) if isinstance(options.label, str) else options.label or ()
    asked = [name for name in (*labels, options.id, options.group, options.split) if name is not None]
    problems = []
    for name in asked:
        if name not in table.columns:
            near = get_close_matches(name, table.columns, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            problems.append(f"{table.name}: no column {name!r} among {', '.join(map(repr, table.columns))}.{hint}")
    if problems:
        raise DataError.together(problems)


def find_ids(table: Table, *, home: Path, options: TableOptions) -> tuple[str, Finder]:
    """Find the column that names files, and where they lie.

    Raises:
        DataError: No column names files.
    """
    preferred = [column for name in ID_NAMES for column in table.columns if column.lower() == name]
    candidates = [options.id] if options.id else list(dict.fromkeys([*preferred, *table.columns]))
    best, n_best, finder = candidates[0], 0, Finder((home,))
    for column in candidates:
        values = probe(table.columns[column])
        found, n_found = find_folder(home, options.images, values, skip=options.skip)
        if n_found > n_best:
            best, n_best, finder = column, n_found, found
        if n_found and 2 * n_found >= len(values):
            return column, found
    if not n_best:
        raise DataError(_no_files(table, candidates, home=home, options=options))
    return best, finder


def locate_all(table: Table, column: str, finder: Finder) -> list[str]:
    """Give the path of the file that each row names.

    Raises:
        DataError: Rows name no file, the same id, or a place outside the folder; all are listed.
    """
    ids = table.columns[column]
    paths, missing, odd = [], [], []
    for row, value in enumerate(ids):
        try:
            paths.append(finder.find(value))
        except DataError as problem:
            odd.append(f"{table.where(row)}: {problem}")
            paths.append("")
            continue
        if not paths[-1]:
            missing.append(row)
    problems = [*odd[:10], *([f"and {len(odd) - 10} more like these"] if len(odd) > 10 else [])]
    if missing:
        places = table.places(missing, [ids[row] for row in missing])
        problems.append(f"{len(missing)} of {len(ids)} files are missing from {finder.folders[0]}: {places}")
    problems.extend(_repeated(table, ids))
    if problems:
        raise DataError.together(
            [f"{table.name}: {problem}" for problem in problems],
            heading=f"{table.name}: {len(problems)} problems with column {column!r}:",
        )
    return paths


def _repeated(table: Table, ids: Sequence[str]) -> list[str]:
    repeated = {value for value, n in Counter(ids).items() if n > 1}
    rows = [row for row, value in enumerate(ids) if value in repeated]
    if not rows:
        return []
    return [f"{len(repeated)} ids occur more than once: {table.places(rows, [ids[row] for row in rows])}"]


def label_columns(table: Table, id_column: str, options: TableOptions) -> tuple[str, ...]:
    """Find the column of labels, or the columns of 0 and 1.

    Raises:
        DataError: They cannot be told from the others.
    """
    if options.label is not None:
        return (options.label,) if isinstance(options.label, str) else options.label
    taken = {id_column, options.group, options.split}
    rest = [column for column in table.columns if column not in taken]
    named = [column for name in LABEL_NAMES for column in rest if column.lower() == name]
    if named:
        return (named[0],)
    if len(rest) == 1 or (rest and is_one_hot(table, rest)):
        return tuple(rest)
    listed = ", ".join(map(repr, rest)) or "none besides the ids"
    raise DataError(f"{table.name}: which column holds the labels? There is {listed}. Name it, or several of 0 and 1.")


def _no_files(table: Table, candidates: Sequence[str], *, home: Path, options: TableOptions) -> str:
    example = next((value for value in table.columns[candidates[0]] if value), "")
    columns = ", ".join(map(repr, candidates))
    looked = options.images or f"{home} and the folders in it"
    return (
        f"{table.name}: no value of {columns} names a file in {looked} (for example {example!r}). "
        "Say which folder holds the images and which column names them."
    )
