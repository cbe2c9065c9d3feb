"""Metadata tables: what they say of the photographs besides labels, such as who sent them, when, with which camera."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from imgcls.data.folder import SPLIT_FOLDERS
from imgcls.data.samples import Samples, classes_in
from imgcls.data.tables import Table, read_table
from imgcls.errors import DataError

_FEWEST_NAMED = 2
_LEAST_SHARE = 0.5
_SHARED_BY = 100
"""A piece of text is structure when one in so many values has it, and at least three."""
_WORDS = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class MetaTable:
    """The columns of a table that may say something, one value for each sample."""

    name: str
    """The name of the file."""
    columns: Mapping[str, Sequence[str]]
    """From the name of a column to its value for each sample, in the order of `samples.frame`; "" where missing."""
    dropped: Mapping[str, str] = field(default_factory=dict)
    """From the name of each further column to why it says nothing."""
    n_named: int = 0
    """How many samples the table names."""


def read_metadata(
    paths: Iterable[Path], samples: Samples, *, own: Path | None = None, skip: Collection[str] = ()
) -> tuple[MetaTable, ...]:
    """Read tables, and align them to the samples by the column whose values name them.

    A sample is named by its id or by the end of its path, with or without the suffix of the file, whichever
    is not ambiguous. Where a sample is named by several rows, the first one counts. A table that names samples of
    test only is passed over, since it may hold their labels.

    Args:
        paths: CSV, TSV or Parquet files.
        samples: The samples, split.
        own: The table of the labels, if there is one, whose further columns count as well.
        skip: Columns of it that say nothing, such as those of groups and splits.

    Returns:
        One entry for each table with a column to look at or to explain, in their order.

    Raises:
        DataError: A table cannot be read, or names no sample; all are listed.
    """
    tables, problems = [], []
    names = _Names(samples)
    for path in dict.fromkeys(([own] if own else []) + list(paths)):
        try:
            table = read_table(path)
            rows, key = names.rows_of(table)
        except DataError as problem:
            problems.append(str(problem))
            continue
        if (rows[samples.frame["split"].to_numpy() != "test"] >= 0).any():
            tables.append(_aligned(table, rows, key, samples, skip=skip if path == own else ()))
    if problems:
        raise DataError.together(problems)
    return tuple(table for table in tables if table.columns or table.dropped)


class _Names:
    """By which texts a table may call the samples."""

    def __init__(self, samples: Samples) -> None:
        ids = samples.frame["id"].tolist()
        files = [samples.relative(path) for path in samples.frame["path"]]
        self.n = len(ids)
        self.forms = [_unambiguous(form) for form in (ids, files, *_endings(files))]

    def rows_of(self, table: Table) -> tuple[np.ndarray, str]:
        """Return the row of the table for each sample, int64 [n], −1 where there is none, and the column that names.

        Raises:
            DataError: No column names samples.
        """
        found, key = np.full(self.n, -1, dtype=np.int64), ""
        for column, values in table.columns.items():
            for form in self.forms:
                rows = self._match(form, values)
                if (rows >= 0).sum() > (found >= 0).sum():
                    found, key = rows, column
        n_named = int((found >= 0).sum())
        if n_named < max(_FEWEST_NAMED, _LEAST_SHARE * min(self.n, len(table))):
            raise DataError(
                f"{table.name}: no column names the photographs ({n_named} of {self.n} were found). One column has "
                "to hold their ids or file names."
            )
        return found, key

    def _match(self, form: Mapping[str, int], values: Sequence[str]) -> np.ndarray:
        rows = np.full(self.n, -1, dtype=np.int64)
        for row in range(len(values) - 1, -1, -1):  # backwards, so that the first row stays
            place = form.get(_plain(values[row]))
            if place is not None:
                rows[place] = row
        return rows


def _endings(files: Sequence[str]) -> list[list[str]]:
    """Return other ways to write files: without suffix, and by the last parts of their paths alone."""
    parts = [PurePosixPath(file) for file in files]
    without = [str(path.with_suffix("")) for path in parts]
    ends = [["/".join(path.parts[-n:]) for path in parts] for n in (2, 1)]
    return [without, *ends, *([str(PurePosixPath(end).with_suffix("")) for end in ending] for ending in ends)]


def _unambiguous(form: Sequence[str]) -> dict[str, int]:
    counts = Counter(map(_plain, form))
    return {text: place for place, text in enumerate(map(_plain, form)) if text and counts[text] == 1}


def _plain(text: str) -> str:
    return text.strip().replace("\\", "/").removeprefix("./")


def _aligned(table: Table, rows: np.ndarray, key: str, samples: Samples, *, skip: Collection[str]) -> MetaTable:
    columns: dict[str, Sequence[str]] = {}
    dropped: dict[str, str] = {}
    named = _named_texts(samples)
    for column, values in table.columns.items():
        if column == key:
            continue
        aligned = [values[row].strip() if row >= 0 else "" for row in rows]
        reason = "not asked for" if column in skip else _why_not(column, aligned, samples, named)
        if reason:
            dropped[column] = reason
        else:
            columns[column] = aligned
    return MetaTable(table.name, columns, dropped, int((rows >= 0).sum()))


def _named_texts(samples: Samples) -> list[frozenset[str]]:
    """Give, for each sample, the texts that are nothing but its name."""
    paths = map(PurePosixPath, samples.frame["path"])
    return [frozenset({name, path.name, path.stem}) for name, path in zip(samples.frame["id"], paths, strict=True)]


def _why_not(column: str, values: Sequence[str], samples: Samples, named: Sequence[frozenset[str]]) -> str:
    """Describe why a column tells nothing of a leak; "" where it may."""
    filled = [value for value in values if value]
    if len(set(values)) < 2:
        return "the same everywhere" if filled else "empty"
    if all(not value or value in names for value, names in zip(values, named, strict=True)):
        return "names the photographs"
    if _is_label(column, values, samples):
        return "is the label"
    if _is_split(values, samples):
        return "is the split"
    if len(set(filled)) == len(filled) and not has_structure(filled):
        return "different everywhere, without structure"
    return ""


def _is_label(column: str, values: Sequence[str], samples: Samples) -> bool:
    """Whether a column repeats the label: the very text, or 1 and 0 under the name of a class."""
    labels = samples.frame["label"].tolist()
    is_known = samples.is_labelled & (samples.frame["split"] != "test").to_numpy()
    pairs = [(values[row], labels[row]) for row in np.flatnonzero(is_known).tolist() if values[row]]
    if not pairs:
        return False
    if all(value == label for value, label in pairs):
        return True
    return column in samples.classes and all(_is_yes(value) == (column in classes_in(label)) for value, label in pairs)


def _is_yes(value: str) -> bool | None:
    try:
        return {0.0: False, 1.0: True}.get(float(value))
    except ValueError:
        return None


def _is_split(values: Sequence[str], samples: Samples) -> bool:
    splits = samples.frame["split"].tolist()
    return all(SPLIT_FOLDERS.get(value.lower()) == split for value, split in zip(values, splits, strict=True) if value)


def has_structure(values: Sequence[str]) -> bool:
    """Whether texts that all differ have something in common: they are numbers, or share words.

    Args:
        values: [n], none of them empty.
    """
    if all(map(is_number, values)):
        return True
    words = Counter(word for value in values for word in set(_WORDS.findall(value.lower())))
    return any(n >= max(3, len(values) / _SHARED_BY) for n in words.values())


def is_number(text: str) -> bool:
    """Whether a text is a finite number."""
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
