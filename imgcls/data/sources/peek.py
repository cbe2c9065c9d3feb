"""A bounded look at a table: its columns, how many rows it has, and some of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imgcls.data.sources.delimited import delimiter_of

N_ROWS = 200
"""Rows whose values are looked at."""
_N_BYTES = 1_000_000
"""Bytes of a file of text that are parsed; of what follows, only the lines are counted."""


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
        return _parquet(path, shown) if path.suffix.lower() == ".parquet" else _text(path, shown)
    except (OSError, ValueError, csv.Error):  # a table that cannot be read is a file like any other
        return Peek()


def _text(path: Path, shown: Callable[[str], bool]) -> Peek:
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
