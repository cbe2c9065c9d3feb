"""Read tables as text: nothing is guessed, so that the id 001 and the class NA stay what they are."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from imgcls.errors import DataError

_MOST_LISTED = 10


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
        """Say where a row stands in the source."""
        return f"{self.unit} {self.numbers[row]}"

    def places(self, rows: Sequence[int], texts: Sequence[str] | None = None) -> str:
        """List where rows stand, the first ten and a count of the others.

        Args:
            rows: Positions in the table.
            texts: What to add for each row.
        """
        listed = [
            f"{self.where(row)}{': ' + repr(texts[index]) if texts is not None else ''}"
            for index, row in enumerate(rows[:_MOST_LISTED])
        ]
        more = len(rows) - _MOST_LISTED
        return ", ".join(listed) + (f" and {more} more" if more > 0 else "")


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
        listed = ", ".join(f"line {line} has {n}" for line, n in wrong[:_MOST_LISTED])
        more = f" and {len(wrong) - _MOST_LISTED} more lines" if len(wrong) > _MOST_LISTED else ""
        raise DataError(
            f"{source.name}: the header has {len(names)} fields, but {listed}{more}. "
            "Quote values that hold the delimiter."
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
