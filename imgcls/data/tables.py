"""Tables: read as text, so that the id 001 and the class NA stay what they are; their ids, labels and options."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from imgcls.data.files import OWN_FOLDERS, Finder, find_folder, probe
from imgcls.data.folder import TYPE_ADVICE, problem_of
from imgcls.data.samples import NO_CLASS, SEPARATOR, ProblemType, class_order, lookalike_notes
from imgcls.data.source import DataSource
from imgcls.errors import DataError, nearest_hint
from imgcls.text import first_lines, listed

ID_NAMES = ("id", "image_id", "image", "filename", "file", "path", "name")
LABEL_NAMES = ("label", "labels", "target", "class", "category", "y")
N_ROWS = 200
"""Rows whose values are looked at."""
_MOST_LISTED = 10
_BITS = {"0": False, "0.0": False, "false": False, "1": True, "1.0": True, "true": True}
_N_BYTES = 1_000_000
"""Bytes of a file of text that are parsed; of what follows, only the lines are counted."""


@dataclass(frozen=True)
class Table:
    """A table of text with the place that each row came from."""

    name: str
    """The name for messages: that of the file."""
    columns: dict[str, list[str]]
    """From the name of a column to its values; "" where a value is missing."""
    numbers: list[int]
    """The number of each row in the source: its line in a file of text, else its position from 1."""
    unit: Literal["line", "row"]
    """What `numbers` count."""

    def __len__(self) -> int:
        return len(self.numbers)

    def where(self, row: int) -> str:
        """Describe where a row stands in the source."""
        return f"{self.unit} {self.numbers[row]}"

    def places(self, rows: Sequence[int], texts: Sequence[str] | None = None) -> str:
        """List where rows stand, the first ten and a count of the others.

        Args:
            rows: Positions in the table.
            texts: What to add for each row.
        """
        places = (
            f"{self.where(row)}{': ' + repr(texts[index]) if texts is not None else ''}"
            for index, row in enumerate(rows)
        )
        return listed(places, _MOST_LISTED)


def read_table(source: Path | pd.DataFrame) -> Table:
    """Read a CSV, TSV or Parquet file or a frame as text.

    Args:
        source: A file; the delimiter of a CSV (comma, semicolon or tab) is found in its header.

    Raises:
        DataError: The file is missing, empty, not UTF-8, or has a header that repeats a name or a
            row whose number of fields differs from that of the header.
    """
    if isinstance(source, pd.DataFrame):
        return _from_frame(source, name="the frame")
    try:
        if source.suffix.lower() == ".parquet":
            return _from_frame(pd.read_parquet(source), name=source.name)
        content = source.read_bytes()
    except OSError as error:
        raise DataError(f"{source}: cannot be read ({error.strerror or error}).") from error
    except ValueError as error:
        raise DataError(f"{source}: not a Parquet file ({error}).") from error
    return _parse(_text(content, source.name), source)


def _text(content: bytes, name: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{name}: not UTF-8 (line {line}, byte 0x{content[error.start]:02x}). Save it as UTF-8."
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{name}: line {line} holds a NUL character; the file is damaged or not text.")
    if not text.strip():
        raise DataError(f"{name}: the file is empty; it needs a header and rows.")
    return text


def _parse(text: str, source: Path) -> Table:
    records = list(_records(text, source))
    (_, header), rows = records[0], records[1:]
    names = [name.strip() for name in header]
    _check_header(names, source.name)
    wrong = [(line, len(fields)) for line, fields in rows if len(fields) != len(names)]
    if wrong:
        lines = listed((f"line {line} has {n}" for line, n in wrong), _MOST_LISTED)
        raise DataError(
            f"{source.name}: the header has {len(names)} fields, but {lines}. Quote values that hold the delimiter."
        )
    _check_rows(len(rows), source.name)
    columns = {name: [fields[position] for _, fields in rows] for position, name in enumerate(names)}
    return Table(source.name, columns, [line for line, _ in rows], "line")


def _records(text: str, source: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the line it starts on; blank lines are passed over."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text, source), strict=True)
    start = 1
    try:
        for fields in reader:
            if fields:
                yield start, fields
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{source.name}: line {start} cannot be read ({error}). Check its quotes.") from error


def delimiter_of(text: str, source: Path) -> str:
    """Choose the delimiter that occurs most in the header, outside quotes."""
    header = text.lstrip("\r\n").splitlines()[0]
    bare = "".join(header.split('"')[::2])
    candidates = "\t,;" if source.suffix.lower() == ".tsv" else ",;\t"
    return max(candidates, key=bare.count)


def _from_frame(frame: pd.DataFrame, *, name: str) -> Table:
    names = [str(column).strip() for column in frame.columns]
    _check_header(names, name)
    _check_rows(len(frame), name)
    columns = {names[position]: _as_text(frame.iloc[:, position]) for position in range(len(names))}
    return Table(name, columns, list(range(1, len(frame) + 1)), "row")


def _as_text(values: pd.Series) -> list[str]:
    return ["" if missing else str(value) for value, missing in zip(values, values.isna(), strict=True)]


def _check_header(names: list[str], where: str) -> None:
    repeated = [name for name, n in Counter(names).items() if n > 1]
    if repeated:
        raise DataError(f"{where}: the header repeats {', '.join(map(repr, repeated))}. Give each column its own name.")


def _check_rows(n_rows: int, where: str) -> None:
    if not n_rows:
        raise DataError(f"{where}: there is a header but no row below it.")


def check_named(table: Table, source: DataSource) -> None:
    """Refuse columns that a table does not have.

    Raises:
        DataError: One is missing; all are named, with the nearest right name.
    """
    problems = []
    for name in source.columns:
        if name not in table.columns:
            columns = ", ".join(map(repr, table.columns))
            problems.append(f"{table.name}: no column {name!r} among {columns}.{nearest_hint(name, table.columns)}")
    if problems:
        raise DataError.together(problems)


def find_ids(
    table: Table, *, home: Path, source: DataSource, skip: Collection[str] = OWN_FOLDERS
) -> tuple[str, Finder]:
    """Find the column that names files, and where they lie.

    Raises:
        DataError: No column names files.
    """
    preferred = [column for name in ID_NAMES for column in table.columns if column.lower() == name]
    candidates = [source.id] if source.id else list(dict.fromkeys([*preferred, *table.columns]))
    best, n_best, finder = candidates[0], 0, Finder((home,))
    for column in candidates:
        values = probe(table.columns[column])
        found, n_found = find_folder(home, source.images, values, skip=skip)
        if n_found > n_best:
            best, n_best, finder = column, n_found, found
        if n_found and 2 * n_found >= len(values):
            return column, found
    if not n_best:
        raise DataError(_no_files(table, candidates, home=home, source=source))
    return best, finder


def locate_all(table: Table, column: str, finder: Finder) -> list[str]:
    """Return the path of the file that each row names.

    Raises:
        DataError: Rows name no file, the same id, or a place outside the folder; all are listed.
    """
    ids = table.columns[column]
    paths, missing, unclear = [], [], []
    for row, value in enumerate(ids):
        try:
            paths.append(finder.find(value))
        except DataError as problem:
            unclear.append(f"{table.where(row)}: {problem}")
            paths.append("")
            continue
        if not paths[-1]:
            missing.append(row)
    problems = first_lines(unclear, _MOST_LISTED)
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


def label_columns(table: Table, id_column: str, source: DataSource) -> tuple[str, ...]:
    """Find the column of labels, or the columns of 0 and 1.

    Raises:
        DataError: They cannot be distinguished from the others.
    """
    if source.label is not None:
        return source.label_columns
    taken = {id_column, source.group, source.split}
    rest = [column for column in table.columns if column not in taken]
    named = [column for name in LABEL_NAMES for column in rest if column.lower() == name]
    if named:
        return (named[0],)
    if len(rest) == 1 or (rest and is_one_hot(table, rest)):
        return tuple(rest)
    others = ", ".join(map(repr, rest)) or "none besides the ids"
    raise DataError(f"{table.name}: which column holds the labels? There is {others}. Name it, or several of 0 and 1.")


def _no_files(table: Table, candidates: Sequence[str], *, home: Path, source: DataSource) -> str:
    example = next((value for value in table.columns[candidates[0]] if value), "")
    columns = ", ".join(map(repr, candidates))
    looked = source.images or f"{home} and the folders in it"
    return (
        f"{table.name}: no value of {columns} names a file in {looked} (for example {example!r}). "
        "Say which folder holds the images and which column names them."
    )


@dataclass(frozen=True)
class Labels:
    """The labels of a table."""

    texts: list[str]
    """One label for each row, in the form that `Samples` holds."""
    classes: tuple[str, ...]
    """The classes in their stable order."""
    problem: ProblemType
    """What kind of problem they make."""
    notes: tuple[str, ...] = ()
    """Sentences that a person should read."""


def read_labels(
    table: Table,
    columns: Sequence[str],
    *,
    is_test: Sequence[bool],
    problem_type: ProblemType | None = None,
    delimiter: str | None = None,
) -> Labels:
    """Read the labels of a table.

    Args:
        table: The table.
        columns: One column that names classes, or several of 0 and 1 that each are a class.
        is_test: For each row, whether it may be without a label.
        problem_type: What the problem is; None finds out.
        delimiter: What separates classes in a cell; None finds out.

    Raises:
        DataError: Labels are missing, a cell of a class column is neither 0 nor 1, or the labels do
            not fit the problem type.
    """
    if len(columns) > 1:
        return _one_hot(table, columns, is_test=is_test, problem_type=problem_type)
    texts = table.columns[columns[0]]
    _check_filled(table, columns[0], texts=texts, is_test=is_test)
    found = delimiter or _delimiter_of(texts, problem_type)
    if problem_type == "multilabel" or (found and problem_type is None):
        return _several(table, columns[0], delimiter=found, is_given=delimiter is not None or problem_type is not None)
    classes = class_order(text for text in texts if text)
    return Labels(texts, classes, problem_of(classes, problem_type, where=table.name), lookalike_notes(classes))


def is_one_hot(table: Table, columns: Sequence[str]) -> bool:
    """Whether columns hold nothing but 0 and 1 (also as 0.0, 1.0, false and true)."""
    return all(value.lower() in _BITS for column in columns for value in table.columns[column])


def _one_hot(
    table: Table, columns: Sequence[str], *, is_test: Sequence[bool], problem_type: ProblemType | None
) -> Labels:
    if named := [column for column in columns if SEPARATOR in column or not column]:
        raise DataError(f"{table.name}: {named[0]!r} cannot name a class, since '|' separates classes. Rename it.")
    cells = list(zip(*(table.columns[column] for column in columns), strict=True))
    is_blank = [is_test[row] and not any(values) for row, values in enumerate(cells)]
    _check_bits(table, columns, cells=cells, is_blank=is_blank)
    chosen = [
        [name for name, value in zip(columns, values, strict=True) if _BITS.get(value.lower())] for values in cells
    ]
    wrong = [row for row, names in enumerate(chosen) if len(names) != 1 and not is_blank[row]]
    classes = tuple(columns)
    if problem_type == "multilabel" or (wrong and problem_type is None):
        texts = ["" if blank else _joined(names, classes) for names, blank in zip(chosen, is_blank, strict=True)]
        return Labels(texts, classes, "multilabel")
    if wrong:
        raise DataError(
            f"{table.name}: not exactly one class at {table.places(wrong)}, so not {problem_type}. {TYPE_ADVICE}"
        )
    problem = problem_of(classes, problem_type, where=table.name)
    return Labels([names[0] if names else "" for names in chosen], classes, problem)


def _check_bits(table: Table, columns: Sequence[str], *, cells: list[tuple[str, ...]], is_blank: list[bool]) -> None:
    wrong = [
        (row, f"{column}={value}")
        for row, values in enumerate(cells)
        for column, value in zip(columns, values, strict=True)
        if value.lower() not in _BITS and not is_blank[row]
    ]
    if wrong:
        places = table.places([row for row, _ in wrong], [text for _, text in wrong])
        raise DataError(f"{table.name}: neither 0 nor 1 at {places}. Columns of classes hold 0 and 1.")


def _several(table: Table, column: str, *, delimiter: str, is_given: bool) -> Labels:
    cells = [_pieces(text, delimiter) for text in table.columns[column]]
    classes = class_order(name for names in cells for name in names)
    if named := [name for name in classes if SEPARATOR in name]:
        raise DataError(f"{table.name}: {named[0]!r} cannot name a class, since '|' separates classes. Rename it.")
    note = f"The labels of {column!r} were read as several classes, separated by {delimiter!r}."
    notes = lookalike_notes(classes) if is_given else (note, *lookalike_notes(classes))
    return Labels([_joined(names, classes) if names else "" for names in cells], classes, "multilabel", notes)


def _pieces(text: str, delimiter: str) -> list[str]:
    pieces = text.split(delimiter) if delimiter else [text]
    return [piece.strip() for piece in pieces if piece.strip()]


def _joined(names: Iterable[str], classes: tuple[str, ...]) -> str:
    """Join classes in their stable order, so that "a|b" and "b|a" are one label."""
    chosen = set(names)
    return SEPARATOR.join(name for name in classes if name in chosen) or NO_CLASS


def _delimiter_of(texts: Sequence[str], problem_type: ProblemType | None) -> str:
    """Find what separates classes in a cell, or "" where cells seem to name one class each.

    A bar always does. A semicolon or comma does where the pieces are no more numerous than the
    labels they come from ("tench, Tinca tinca" is one name), a blank where each piece is a label of its own.
    """
    labels = {text for text in texts if text}
    if problem_type in ("binary", "multiclass"):
        return ""
    for delimiter in "|;, ":
        divided = {label for label in labels if len(_pieces(label, delimiter)) > 1}
        pieces = {piece for label in labels for piece in _pieces(label, delimiter)}
        few = pieces <= labels if delimiter == " " else len(pieces) <= len(labels)
        if divided and (delimiter == SEPARATOR or few):
            return delimiter
    return ""


def _check_filled(table: Table, column: str, *, texts: Sequence[str], is_test: Sequence[bool]) -> None:
    missing = [row for row, text in enumerate(texts) if not text.strip() and not is_test[row]]
    if missing:
        raise DataError(
            f"{table.name}: no label in column {column!r} at {table.places(missing)}. Fill them in or remove the rows; "
            "for samples of no class use one column of 0 and 1 for each class."
        )


@dataclass(frozen=True)
class Peek:
    """What a look at a table shows."""

    columns: tuple[str, ...] = ()
    """The names of the columns; none where the file is no table that can be read."""
    some: dict[str, list[str]] = field(default_factory=dict)
    """Values of the columns that were asked for, from rows all over what was parsed: many tables list test first."""
    n_rows: int = 0
    """Rows below the header; lines of a large file of text."""


def peek(path: Path, *, shown: Callable[[str], bool]) -> Peek:
    """Look at a table, of a large one at its beginning.

    Args:
        path: A CSV, TSV or Parquet file.
        shown: Says of a column whether its values may be looked at.
    """
    try:
        return _parquet(path, shown) if path.suffix.lower() == ".parquet" else _decoded(path, shown)
    except (OSError, ValueError, csv.Error):  # a table that cannot be read is a file like any other
        return Peek()


def _decoded(path: Path, shown: Callable[[str], bool]) -> Peek:
    with path.open("rb") as file:
        content = file.read(_N_BYTES)
        is_whole = len(content) < _N_BYTES
        n_further = 0 if is_whole else sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    text = content.decode("utf-8-sig", "replace")
    if not text.strip():
        return Peek()
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text, path))
    rows = (row for row in reader if row)
    header = [name.strip() for name in next(rows)]
    parsed = list(rows)
    seen = parsed[:: -(-len(parsed) // N_ROWS)] if parsed else []
    values = {name: [row[place] for row in seen if place < len(row)] for place, name in enumerate(header)}
    return Peek(tuple(header), _of(values, shown), len(parsed) + n_further)


def _parquet(path: Path, shown: Callable[[str], bool]) -> Peek:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        columns: list[str] = file.schema_arrow.names
        wanted = [name for name in columns if shown(name)]
        batch: Any = next(file.iter_batches(batch_size=N_ROWS, columns=wanted), None)
        found = {} if batch is None else batch.to_pydict()
        values = {name: ["" if value is None else str(value) for value in found.get(name, [])] for name in wanted}
        return Peek(tuple(columns), values, file.metadata.num_rows)


def _of(values: dict[str, list[str]], shown: Callable[[str], bool]) -> dict[str, list[str]]:
    return {name: column for name, column in values.items() if shown(name)}
