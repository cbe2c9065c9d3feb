"""Photographs named by a table: CSV, TSV, Parquet or a pandas frame."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from imgcls.data.samples import Excluded, Samples, check_class_names, frame_of
from imgcls.data.sources.columns import TableOptions, check_named, find_ids, label_columns, locate_all
from imgcls.data.sources.delimited import Table, read_table
from imgcls.data.sources.files import list_images
from imgcls.data.sources.labels import read_labels
from imgcls.data.sources.locate import Finder
from imgcls.data.sources.test_list import find_test_list, read_test_list
from imgcls.errors import DataError

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
class Choices:
    """What a table turned out to mean."""

    id: str
    """The column that names the files."""
    label: tuple[str, ...]
    """The column of labels, or the columns of 0 and 1."""
    finder: Finder
    """Where the files lie."""
    test: Path | None
    """The table of photographs to predict."""

    @property
    def images(self) -> Path:
        """The folder of the photographs."""
        return self.finder.folders[0]


def load_table(source: Path | pd.DataFrame, options: TableOptions | None = None) -> Samples:
    """Read a data set from a table.

    Args:
        source: A file or a frame; the paths of a frame start from the current folder.
        options: Which columns mean what, and where the photographs lie.

    Raises:
        DataError: The table cannot be read; a column is missing or not to be told from others; an id
            occurs twice, leaves the folder of images or names no file (all rows are listed); a label
            is missing; the test list cannot be used.
    """
    options = options or TableOptions()
    table = read_table(source)
    home = _home(source)
    chosen = _choices(source, table, options)
    paths = locate_all(table, chosen.id, chosen.finder)
    splits = _splits(table, options.split)
    labels = read_labels(
        table,
        chosen.label,
        is_test=[split == "test" for split in splits],
        problem_type=options.problem_type,
        delimiter=options.delimiter,
    )
    check_class_names(labels.classes, where=table.name, remedy="Rename them in the table.")
    test = read_test_list(
        chosen.test, options, id_column=chosen.id, images=chosen.images, labelled=table, used=frozenset(paths)
    )
    groups = table.columns[options.group] if options.group else [""] * len(table)
    n_test = len(test.ids)
    folders = dict.fromkeys(folder for folder in (chosen.images, test.folder) if folder)
    return Samples(
        frame=frame_of(
            ids=[*table.columns[chosen.id], *test.ids],
            paths=[*paths, *test.paths],
            labels=[*labels.texts, *[""] * n_test],
            groups=[*groups, *test.groups],
            splits=[*splits, *["test"] * n_test],
        ),
        classes=labels.classes,
        problem=labels.problem,
        name="frame" if isinstance(source, pd.DataFrame) else _name(source, home),
        root=home,
        excluded=_not_listed(folders, home, used={*paths, *test.paths}, table=table, skip=options.skip),
        notes=(*labels.notes, *test.notes),
    )


def choices_of(source: Path, options: TableOptions) -> Choices:
    """Say what the columns of a table are taken for, without looking at its labels.

    Raises:
        DataError: It cannot be read, or a column cannot be told from others.
    """
    return _choices(source, read_table(source), options)


def _choices(source: Path | pd.DataFrame, table: Table, options: TableOptions) -> Choices:
    check_named(table, options)
    home = _home(source)
    column, finder = find_ids(table, home=home, options=options)
    labels = label_columns(table, column, options)
    file = None if isinstance(source, pd.DataFrame) else source
    return Choices(column, labels, finder, find_test_list(file, home=home, wanted=options.test))


def _home(source: Path | pd.DataFrame) -> Path:
    return Path.cwd() if isinstance(source, pd.DataFrame) else source.absolute().parent


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


def _not_listed(
    folders: Iterable[Path], home: Path, *, used: Collection[str], table: Table, skip: Collection[str]
) -> tuple[Excluded, ...]:
    listed = {
        absolute / name for absolute in map(Path.absolute, folders) for name in list_images(absolute, skip=skip).images
    }
    others = [path for path in listed if str(path) not in used]
    shown = [path.relative_to(home).as_posix() if path.is_relative_to(home) else str(path) for path in others]
    return tuple(Excluded(path, f"not listed in {table.name}") for path in sorted(shown))


def _name(source: Path, home: Path) -> str:
    """Name a data set by its table, or by the folder where the table has the name that all have."""
    return home.name if source.stem.lower() in {"train", "labels"} and home.name else source.stem
