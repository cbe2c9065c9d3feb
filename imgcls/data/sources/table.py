"""Photographs named by a table: CSV, TSV, Parquet or a pandas frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from imgcls.data.samples import Excluded, ProblemType, Samples, check_class_names, frame_of
from imgcls.data.sources.delimited import Table, read_table
from imgcls.data.sources.files import list_images
from imgcls.data.sources.labels import is_one_hot, read_labels
from imgcls.data.sources.locate import Finder, find_folder, probe
from imgcls.errors import DataError

ID_NAMES = ("id", "image_id", "image", "filename", "file", "path", "name")
LABEL_NAMES = ("label", "labels", "target", "class", "category", "y")

_SPLIT_NAMES = {
    "": "",
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "test": "test",
    "testing": "test",
}


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
    skip: Collection[str] = ()
    """Names of folders beside the table that hold no photographs of the data set."""


def load_table(source: Path | pd.DataFrame, options: TableOptions | None = None) -> Samples:
    """Read a data set from a table.

    Args:
        source: A file or a frame; the paths of a frame start from the current folder.
        options: Which columns mean what, and where the photographs lie.

    Raises:
        DataError: The table cannot be read; a column is missing or not to be told from others; an id
            occurs twice, leaves the folder of images or names no file (all rows are listed); a label
            is missing.
    """
    options = options or TableOptions()
    table = read_table(source)
    home = Path.cwd() if isinstance(source, pd.DataFrame) else source.absolute().parent
    _check_named(table, options)
    id_column, finder = find_ids(table, home=home, options=options)
    label_columns = _label_columns(table, id_column, options)
    paths = locate_all(table, id_column, finder)
    splits = _splits(table, options.split)
    labels = read_labels(
        table,
        label_columns,
        is_test=[split == "test" for split in splits],
        problem_type=options.problem_type,
        delimiter=options.delimiter,
    )
    check_class_names(labels.classes, where=table.name, remedy="Rename them in the table.")
    groups = table.columns[options.group] if options.group else None
    ids = table.columns[id_column]
    return Samples(
        frame=frame_of(ids=ids, paths=paths, labels=labels.texts, groups=groups, splits=splits),
        classes=labels.classes,
        problem=labels.problem,
        name="frame" if isinstance(source, pd.DataFrame) else _name(source, home),
        root=home,
        excluded=_not_listed(finder.folders[0], home, paths=paths, table=table, skip=options.skip),
        notes=labels.notes,
    )


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


def _check_named(table: Table, options: TableOptions) -> None:
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


def _label_columns(table: Table, id_column: str, options: TableOptions) -> tuple[str, ...]:
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


def _splits(table: Table, column: str | None) -> list[str]:
    if column is None:
        return [""] * len(table)
    values = table.columns[column]
    wrong = [row for row, value in enumerate(values) if value.strip().lower() not in _SPLIT_NAMES]
    if wrong:
        places = table.places(wrong, [values[row] for row in wrong])
        raise DataError(
            f"{table.name}: no split at {places}. Column {column!r} may hold train, valid, test or nothing."
        )
    return [_SPLIT_NAMES[value.strip().lower()] for value in values]


def _no_files(table: Table, candidates: Sequence[str], *, home: Path, options: TableOptions) -> str:
    example = next((value for value in table.columns[candidates[0]] if value), "")
    columns = ", ".join(map(repr, candidates))
    looked = options.images or f"{home} and the folders in it"
    return (
        f"{table.name}: no value of {columns} names a file in {looked} (for example {example!r}). "
        "Say which folder holds the images and which column names them."
    )


def _not_listed(
    folder: Path, home: Path, *, paths: Sequence[str], table: Table, skip: Collection[str]
) -> tuple[Excluded, ...]:
    used = set(paths)
    absolute = folder.absolute()
    others = [absolute / name for name in list_images(absolute, skip=skip).images if str(absolute / name) not in used]
    shown = [path.relative_to(home).as_posix() if path.is_relative_to(home) else str(path) for path in others]
    return tuple(Excluded(path, f"not listed in {table.name}") for path in sorted(shown))


def _name(source: Path, home: Path) -> str:
    """Name a data set by its table, or by the folder where the table has the name that all have."""
    return home.name if source.stem.lower() in {"train", "labels"} and home.name else source.stem
