"""Tables: read as text, so that the id 001 and the class NA stay what they are; their ids, labels and options."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import unicodedata
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeGuard

import numpy as np
import numpy.typing as npt
import pandas as pd

from imgcls.data.assumptions import Assumption, Choice, DoubtError
from imgcls.data.files import (
    OWN_FOLDERS,
    PHOTOGRAPHS,
    Below,
    Finder,
    find_folder,
    images_folder,
    is_file,
    is_image_name,
    probe,
)
from imgcls.data.folder import SPLIT_FOLDERS, TYPE_ADVICE, problem_of
from imgcls.data.samples import (
    NO_CLASS,
    SEPARATOR,
    SPLITS,
    ProblemType,
    class_order,
    lookalike_notes,
    one_spelling,
)
from imgcls.data.source import OFF, DataSource, Header
from imgcls.errors import DataError, nearest, nearest_hint
from imgcls.storage import (
    cache_folder,
    explained,
    make_folder,
    publish_folder,
    remove_tree,
    sha256_file,
    write_json,
)
from imgcls.text import first_lines, listed

ID_NAMES = ("id", "image_id", "image", "filename", "file", "path", "name")
LABEL_NAMES = ("label", "labels", "target", "class", "category", "y")
N_ROWS = 200
"""Rows whose values are looked at."""
_MOST_LISTED = 10
_MOST_SHOWN = 80
"""Letters of a cell that a message quotes."""
_MOST_EXPLAINED = 2000
"""Values whose absence is looked into."""
_MOST_COMPARED = 20_000
"""Names among which the nearest to a misspelt one is looked for."""
_LONGEST_NAME = 255
"""Bytes that a file system takes for a name."""
_MOST_FOLDS = 20
_SURE_NAMES = ("label", "labels")
_WEAK_NAME = "y"
"""Also the name of a coordinate."""
SPLIT_WORDS = {
    "": "",
    **SPLIT_FOLDERS,
    **dict.fromkeys(("devel", "development", "eval", "evaluation"), "valid"),
    **dict.fromkeys(("hold-out", "hold_out"), "test"),
}
"""What a cell may hold that says of which part a row is; `eval`, as a folder, may be the test part."""
_ANY = frozenset(SPLITS)
_PART_NAMES = frozenset(
    {
        "split",
        "splits",
        "subset",
        "set",
        "partition",
        "part",
        "phase",
        "dataset",
        "fold",
        "folds",
        "kfold",
        "k_fold",
        "cv",
    }
)
_FLAG = re.compile(
    r"(is|in)_(?P<prefixed>train|training|valid|val|validation|dev|test|testing|holdout)(_\w+)?"
    r"|(?P<suffixed>train|training|valid|val|validation|test|testing)_(set|flag|split)"
)
_TRUTH = {
    **dict.fromkeys(("1", "1.0", "true", "t", "yes", "y"), True),
    **dict.fromkeys(("0", "0.0", "false", "f", "no", "n"), False),
    "": None,
}
_INDEX = "index.json"
_UNKNOWN = ".img"
"""The suffix of photographs whose first bytes name no format that is known."""
_BATCH = 16
"""Rows with photographs that are in memory at once."""
_BUFFER = 1 << 20
"""Bytes of a column that are read at a time: without, a whole row group is, and most files are one."""
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
    photographs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """For a table that holds photographs: from the name of a column to the file of each of its values."""
    origins: Sequence[str] = ()
    """For rows of several files: the name of the file of each."""
    lists: frozenset[str] = frozenset()
    """Names of the columns with lists in their cells, as frames and Parquet files may have them."""

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def stored(self) -> dict[str, str]:
        """From the file of each photograph that stands in the table to its name there: table, column and value."""
        return {
            file: f"{self.name}/{column}/{value if is_image_name(value) else value + Path(file).suffix}"
            for column, files in self.photographs.items()
            for value, file in files.items()
        }

    def where(self, row: int) -> str:
        """Describe where a row stands in the source."""
        origin = f"{self.origins[row]} " if self.origins else ""
        return f"{origin}{self.unit} {self.numbers[row]}"

    def places(self, rows: Sequence[int], texts: Sequence[str] | None = None) -> str:
        """List where rows stand, the first ten and a count of the others.

        Args:
            rows: Positions in the table.
            texts: What to add for each row.
        """
        places = (
            f"{self.where(row)}{': ' + shown(texts[index]) if texts is not None else ''}"
            for index, row in enumerate(rows)
        )
        return listed(places, _MOST_LISTED)


def shown(text: str) -> str:
    """Return a text of a cell as messages quote it, cut where it is long."""
    return repr(text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…")


def joined(tables: Sequence[Table], columns: Sequence[str]) -> Table:
    """Return the rows of several tables below each other; a column that one of them lacks is empty there.

    Args:
        tables: The tables.
        columns: The columns to take.
    """
    if len(tables) == 1:
        return tables[0]
    rows = {
        name: [value for table in tables for value in table.columns.get(name, [""] * len(table))] for name in columns
    }
    origins = [table.name for table in tables for _ in range(len(table))]
    numbers = [n for table in tables for n in table.numbers]
    lists = frozenset().union(*(table.lists for table in tables))
    return Table(tables[0].name, rows, numbers, tables[0].unit, origins=origins, lists=lists)


def read_table(source: Path | pd.DataFrame, *, header: Header | None = None) -> Table:
    """Read a CSV, TSV or Parquet file or a frame as text.

    Photographs in a Parquet file are written once into the folder of what can be made again, by content of the file.

    Args:
        source: A file; the delimiter of a CSV (comma, semicolon or tab) is found in its header.
        header: `none` for a file of text whose first row is a row like the others; its columns are called 1, 2, …

    Raises:
        DataError: The file is missing, empty, not UTF-8, or has a header that repeats a name or a
            row whose number of fields differs from that of the header.
    """
    if isinstance(source, pd.DataFrame):
        return _from_frame(source, name="the frame")
    try:
        if source.suffix.lower() == ".parquet":
            return _from_parquet(source)
        content = source.read_bytes()
    except OSError as error:
        raise DataError(f"{source}: cannot be read ({error.strerror or error}).") from error
    except ValueError as error:
        raise DataError(f"{source}: not a Parquet file ({error}).") from error
    return _parse(_text(content, source.name), source, has_header=header != "none")


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


def _parse(text: str, source: Path, *, has_header: bool) -> Table:
    records = list(_records(text, source))
    (_, header), rows = records[0], records[has_header:]
    names = [name.strip() for name in header] if has_header else [str(n) for n in range(1, len(header) + 1)]
    _check_header(names, source.name)
    wrong = [(line, len(fields)) for line, fields in rows if len(fields) != len(names)]
    if wrong:
        lines = listed((f"line {line} has {n}" for line, n in wrong), _MOST_LISTED)
        first = "header" if has_header else "first row"
        raise DataError(
            f"{source.name}: the {first} has {len(names)} fields, but {lines}. Quote values that hold the delimiter."
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
    lists = {
        names[place]
        for place in range(len(names))
        if frame.iloc[:, place].dtype == object and any(map(_is_list, frame.iloc[:, place]))
    }
    return Table(name, columns, list(range(1, len(frame) + 1)), "row", lists=frozenset(lists))


def _as_text(values: pd.Series) -> list[str]:
    return ["" if missing else _cell(value) for value, missing in zip(values, values.isna(), strict=True)]


def _cell(value: object) -> str:
    """Return a value as text; one of several, such as a list of classes, with a bar between them."""
    if _is_list(value):
        return SEPARATOR.join(map(str, value)) or NO_CLASS
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def _is_list(value: object) -> TypeGuard[list[object] | tuple[object, ...] | set[object] | npt.NDArray[Any]]:
    return isinstance(value, list | tuple | set | np.ndarray)


def _from_parquet(path: Path) -> Table:
    """Read a Parquet file; photographs in it, {bytes, path} or bytes, are named by their paths or rows."""
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        schema = file.schema_arrow
        holding = [name for name, kind in zip(schema.names, schema.types, strict=True) if _may_hold_photographs(kind)]
    stored = {name: rows for name, rows in _written_out(path, holding).items() if rows} if holding else {}
    if not stored:
        return _from_frame(pd.read_parquet(path), name=path.name)
    frame = pd.read_parquet(path, columns=[name for name in schema.names if name not in stored])
    for name, names in _class_names(schema.metadata or {}).items():
        if name in frame:
            frame[name] = [names[int(n)] if pd.notna(n) and 0 <= int(n) < len(names) else None for n in frame[name]]
    for name, rows in stored.items():
        frame[name] = pd.Series([value for value, _ in rows], dtype=object)
    table = _from_frame(frame[schema.names], name=path.name)
    known = {name.strip(): {value: file for value, file in rows if file} for name, rows in stored.items()}
    return replace(table, photographs=known)


def _may_hold_photographs(kind: Any) -> bool:
    import pyarrow

    if pyarrow.types.is_struct(kind):
        return {kind.field(place).name for place in range(kind.num_fields)} >= {"bytes"}
    return bool(pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind))


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """Return the names of classes that stand in a Parquet file beside their numbers, as the library datasets writes."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return {name: [str(one) for one in kind["names"]] for name, kind in features.items() if "names" in kind}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _written_out(path: Path, columns: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Write the photographs of columns into the cache, few rows at a time, unless they lie there.

    Returns:
        For each column the name and the file of every row, "" where a row has none; nothing for a column without any.
    """
    folder = cache_folder() / PHOTOGRAPHS / sha256_file(path)[:32]
    if not _is_whole(folder):
        if folder.exists():
            remove_tree(folder)
        temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
        make_folder(temporary)
        try:
            write_json(temporary / _INDEX, _write_photographs(path, columns, temporary))
            publish_folder(temporary, folder)
        finally:
            if temporary.exists():  # a disk that is full, or another process that was first
                remove_tree(temporary)
    index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    stored: dict[str, list[tuple[str, str]]] = {}
    for name in columns:
        given, files = [str(row[0]) for row in index[name]], [str(row[1]) for row in index[name]]
        if len(set(given)) < len(given) or not all(given):
            given = [f"{path.stem}-{row:06d}" for row in range(len(given))]
        paths = [str(folder / file) if file else "" for file in files]
        stored[name] = list(zip(given, paths, strict=True)) if any(files) else []
    return stored


def _write_photographs(path: Path, columns: Sequence[str], folder: Path) -> dict[str, list[tuple[str, str]]]:
    import pyarrow.parquet

    found: dict[str, list[tuple[str, str]]] = {name: [] for name in columns}
    with explained(folder), pyarrow.parquet.ParquetFile(path, buffer_size=_BUFFER) as file:
        # one row group after the other: a reader keeps what it has read of all that it is given
        batches = (file.iter_batches(_BATCH, [group], list(columns)) for group in range(file.num_row_groups))
        for batch in chain.from_iterable(batches):
            for place, name in enumerate(columns):
                for value in batch.column(batch.schema.get_field_index(name)).to_pylist():
                    cell = value if isinstance(value, dict) else {"bytes": value}
                    content, given = cell.get("bytes"), str(cell.get("path") or "")
                    # bytes alone may be anything, such as a digest
                    suffix = _suffix_of(content) if content else ""
                    is_photograph = bool(content) and (suffix != _UNKNOWN or isinstance(value, dict))
                    written = f"{place}-{len(found[name]):07d}{suffix}" if is_photograph else ""
                    if written and content:
                        (folder / written).write_bytes(content)
                    found[name].append((given, written))
    return found


def _is_whole(folder: Path) -> bool:
    try:
        rows = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        wanted = {row[1] for column in rows.values() for row in column if row[1]}
        return wanted <= {entry.name for entry in folder.iterdir()}
    except (OSError, ValueError, TypeError, AttributeError, LookupError):
        return False


def _suffix_of(content: bytes) -> str:
    kinds = {
        b"\xff\xd8\xff": ".jpg",
        b"\x89PNG": ".png",
        b"GIF8": ".gif",
        b"BM": ".bmp",
        b"II*\0": ".tif",
        b"MM\0*": ".tif",
    }
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return ".webp"
    return next((suffix for start, suffix in kinds.items() if content.startswith(start)), _UNKNOWN)


def _check_header(names: list[str], where: str) -> None:
    repeated = [name for name, n in Counter(names).items() if n > 1]
    if repeated:
        raise DataError(
            f"{where}: the header repeats {', '.join(map(shown, repeated))}. Give each column its own name; where the "
            "first row is none: --header none."
        )


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
        if name not in table.columns and (name, source.split) != (OFF, OFF):
            columns = ", ".join(map(repr, table.columns))
            problems.append(f"{table.name}: no column {name!r} among {columns}.{nearest_hint(name, table.columns)}")
    if problems:
        raise DataError.together(problems)


def find_ids(
    table: Table, *, home: Path, source: DataSource, skip: Collection[str] = OWN_FOLDERS, part: str = "train"
) -> tuple[str, Finder]:
    """Find the column that names files, and where they lie.

    Args:
        table: The table.
        home: Its folder.
        source: Says which column and which folder are meant, where somebody said it.
        skip: Names of folders beside the table that are not looked into.
        part: The part of the data whose folder is preferred where several have the files.

    Raises:
        DataError: No column names files, or several folders have them.
        DoubtError: Two columns name different files.
    """
    if table.photographs and (source.id is None or source.id in table.photographs):
        column = source.id or _one_of_photographs(table)
        return column, Finder((home,), known=table.photographs[column])
    preferred = [column for name in ID_NAMES for column in table.columns if column.lower() == name]
    candidates = [source.id] if source.id else list(dict.fromkeys([*preferred, *table.columns]))
    best, n_best, finder = candidates[0], 0, Finder((home,))
    good: dict[str, Finder] = {}
    problem: DataError | None = None
    for column in candidates:
        values = probe(table.columns[column])
        if good and len(set(table.columns[column])) < len(table):
            continue  # it names too few things to be a rival
        try:
            found, n_found = find_folder(home, source.images, values, skip=skip, part=part)
        except DataError as tied:
            problem = problem or (None if good else tied)
            continue
        if n_found > n_best and not good:
            best, n_best, finder = column, n_found, found
        if n_found and 2 * n_found >= len(values) and problem is None:
            good[column] = found
    if good:
        best, finder = next(iter(good.items()))
        _check_rivals(table, good)
        n_best = finder.n_found(probe(table.columns[best]))
    below = Below(images_folder(home, source.images) if source.images else home, skip=skip)
    if n_best < len(probe(table.columns[best])) or problem is not None:
        for column in [best] if good else candidates:
            values = probe(table.columns[column])
            further = Finder(tuple(dict.fromkeys((below.folder, home))), below)
            n_sure = sum(_is_sure(further, value) for value in values)
            n_found = further.n_found(values)
            # what lies directly in a folder is what is meant, unless each of the others is found once below
            if n_sure == n_found == len(values) or (not good and problem is None and 2 * n_found >= len(values) > 0):
                return column, further
    if problem is not None:
        raise problem
    if not n_best:
        raise DataError(_no_files(table, candidates, below=below, source=source, home=home))
    return best, finder


def _is_sure(finder: Finder, value: str) -> bool:
    try:
        return bool(finder.find(value))
    except DataError:
        return False


def _one_of_photographs(table: Table) -> str:
    """Return the column of photographs of a table that holds them.

    Raises:
        DoubtError: There are several, and none has a name that tells.
    """
    named = [name for wanted in ID_NAMES for name in table.photographs if name.lower() == wanted]
    if not named and len(table.photographs) > 1:
        names = ", ".join(map(shown, table.photographs))
        raise DoubtError(
            f"{table.name}: the columns {names} all hold photographs.",
            [Choice(f"those in {shown(name)}", {"id": name}) for name in table.photographs],
        )
    return named[0] if named else next(iter(table.photographs))


def _check_rivals(table: Table, good: Mapping[str, Finder]) -> None:
    """Refuse columns that name different files in one row.

    Raises:
        DoubtError: They do.
    """
    (first, finder), *others = good.items()
    if len(set(table.columns[first])) < len(table):
        return  # whatever the others say, rows that repeat an id are an error of their own
    rows = range(0, len(table), max(1, len(table) // N_ROWS))
    for other, its_finder in others:
        for row in rows:
            texts = table.columns[first][row], table.columns[other][row]
            if not (_is_sure(finder, texts[0]) and _is_sure(its_finder, texts[1])):
                continue
            paths = finder.find(texts[0]), its_finder.find(texts[1])
            if paths[0] == paths[1]:
                continue
            names = sorted((first, other), key=lambda name: not is_image_name(table.columns[name][row]))
            spelt = [name for name in names if is_image_name(table.columns[name][row])]
            why = f" Those of {shown(spelt[0])} are written with their suffixes." if len(spelt) == 1 else ""
            raise DoubtError(
                f"{table.name}: the columns {shown(first)} and {shown(other)} name different photographs: at "
                f"{table.where(row)} {shown(texts[0])} is {Path(paths[0]).name} and {shown(texts[1])} is "
                f"{Path(paths[1]).name}.{why}",
                [Choice(f"{shown(name)} names the photographs", {"id": name}) for name in names],
            )


def names_a_photograph(name: str, finder: Finder) -> bool:
    """Return whether the name of a column is rather that of a photograph, so that a table has no header."""
    return is_image_name(name) or (name.lower() not in ID_NAMES and finder.names_a_file(name))


def locate_all(
    table: Table, column: str, finder: Finder, *, leave_out: bool = False, is_test: Sequence[bool] = ()
) -> list[str]:
    """Return the path of the file that each row names.

    Args:
        table: The table.
        column: The column that names files.
        finder: Where they lie.
        leave_out: Whether a row that names no file has the path "".
        is_test: For each row, whether it is of test; an id may stand both there and elsewhere.

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
    if missing and not leave_out:
        places = table.places(missing, [ids[row] for row in missing])
        why = absences([ids[row] for row in missing], finder)
        out = "" if len(missing) == len(ids) else "To leave such rows out: --missing exclude."
        absent = f"{len(missing)} of {len(ids)} files are missing from {finder.folders[0]}: {places}"
        problems.append(f"{absent}{why or '. '}{out}".rstrip())
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


def absences(values: Sequence[str], finder: Finder) -> str:
    """Return why values name no file: a line for each cause, with the nearest file and what helps; "" for no cause.

    Args:
        values: Texts that the finder does not find.
        finder: Where they were looked for.
    """
    roots = [Below(folder) for folder in dict.fromkeys(finder.folders)]
    counted: dict[str, list[str]] = {}
    for value in values[:_MOST_EXPLAINED]:
        cause, example = _cause(value, roots)
        if cause:
            counted.setdefault(cause, []).append(example)
    sentences = []
    for cause, examples in counted.items():
        n = f"{len(examples)} of them: " if len(counted) > 1 or len(examples) < len(values) else ""
        sentences.append(f"{n}{examples[0]}. {cause}")
    return "".join(f"\n    {sentence}" for sentence in sentences) + ("\n    " if sentences else "")


def _cause(value: str, roots: Sequence[Below]) -> tuple[str, str]:
    """Return what to do about a value that names no file, and what is the matter with it."""
    text = value.strip()
    if not text:
        return "Fill them in, or remove the rows.", "the cell is empty"
    if "\0" in text or any(len(part.encode("utf-8", "replace")) > _LONGEST_NAME for part in PurePosixPath(text).parts):
        return (
            "Name the column that holds the names of files: --id COLUMN.",
            f"{shown(text)} cannot be the name of a file",
        )
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
        near = _nearest_end(text.split("://", 1)[1].split("?")[0], roots)
        return (
            "Addresses are not fetched: download the photographs, and write their names into the table.",
            f"{shown(text)} is an address{_which_is(near)}",
        )
    if text.startswith("~"):
        path = Path(text).expanduser()
        return (
            "Write the path out, or from the folder of the table.",
            f"~ is not expanded in {shown(text)}{_there(path)}",
        )
    if re.search(r"\$\w|\$\{|%\w+%", text):
        return (
            "Write the path out, or from the folder of the table.",
            f"variables are not expanded in {shown(text)}{_there(Path(os.path.expandvars(text)))}",
        )
    if re.match(r"[A-Za-z]:[\\/]|/", text):
        near = _nearest_end(text.replace("\\", "/"), roots)
        return (
            "Write paths from the folder of the photographs, and name that with --images FOLDER.",
            f"{shown(text)} is a path from the root of another disk{_which_is(near)}",
        )
    if "\\" in text:
        near = _nearest_end(text.replace("\\", "/"), roots)
        return "Write paths with / between folders.", f"{shown(text)} has backslashes{_which_is(near)}"
    for form, what, cure in _FORMS:
        for root in roots:
            if found := root.like(text, form) or root.like(PurePosixPath(text).name, form):
                where = f" ({root.folder.name}/{found[0]})" if "/" in found[0] else ""
                return cure, f"{shown(text)} is there {what}: {shown(PurePosixPath(found[0]).name)}{where}"
    names = list(dict.fromkeys(PurePosixPath(name).name for root in roots for name in root.names))
    alike = nearest(text, names[:_MOST_COMPARED], most=1, likeness=0.7)
    return ("", "") if not alike else ("Check the names.", f"the nearest to {shown(text)} is {shown(alike[0])}")


def _without_suffix(name: str) -> str:
    return PurePosixPath(name).stem if is_image_name(name) else name


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _without_zeros(name: str) -> str:
    return _without_suffix(name).lstrip("0") or "0"


_FORMS: tuple[tuple[Callable[[str], str], str, str], ...] = (
    (str, "in a deeper or another folder", "Name the folder that holds all of them: --images FOLDER."),
    (_normal, "in another Unicode form", "Write the names in one form (NFC) in both places."),
    (str.casefold, "in other upper and lower case", "Write the names as the files are called."),
    (_without_suffix, "with another suffix", "Write the names without suffixes, or as the files are called."),
    (_without_zeros, "with zeros in front", "Save the column as text, so that 001 does not become 1."),
    (
        lambda name: _without_suffix(_normal(name)).casefold(),
        "in another spelling and with another suffix",
        "Write the names as the files are called.",
    ),
)
"""In which form a value names a file that it does not name as it is, what differs, and what helps."""


def _nearest_end(text: str, roots: Sequence[Below]) -> str:
    """Return the file that the longest end of a path names, "" where there is none."""
    parts = [part for part in text.split("/") if part]
    for start in range(len(parts)):
        for root in roots:
            if found := root.find("/".join(parts[start:])):
                return found[0]
    return ""


def _which_is(name: str) -> str:
    return f"; there is {name}" if name else ""


def _there(path: Path) -> str:
    return f", and {path} is there" if is_file(path) else ""


def _no_files(table: Table, candidates: Sequence[str], *, below: Below, source: DataSource, home: Path) -> str:
    example = next((value for value in table.columns[candidates[0]] if value), "")
    columns = listed(map(shown, candidates))
    looked = source.images or f"{home} and the folders in it"
    finder = Finder((below.folder,))
    why = next((why for name in candidates if (why := absences(probe(table.columns[name])[:1], finder))), "")
    if len(table.columns) == 1 and (sign := re.search(r"[|:\t ]|,|;", candidates[0])):
        why = (
            f"\n    The table has one column only, {shown(candidates[0])}: its fields have to be separated by "
            f"commas, semicolons or tabs, not by {sign[0]!r}.\n    "
        )
    return (
        f"{table.name}: no value of {columns} names a file in {looked} (for example {shown(example)}).{why or ' '}"
        "Say which folder holds the images (--images FOLDER) and which column names them (--id COLUMN)."
    )


@dataclass(frozen=True)
class Parts:
    """The parts that the columns of a table give."""

    splits: list[str]
    """For each row train, valid, test, or "" where it is still to be drawn."""
    columns: tuple[str, ...] = ()
    """The columns that say so, or could; none of them holds labels."""
    assumptions: tuple[Assumption, ...] = ()
    """What was assumed."""


def given_parts(table: Table, source: DataSource) -> Parts:
    """Find out which columns give the parts: a split's words in a column, or true and false in one such as `is_valid`.

    True in `is_valid` is valid and false train; false in `is_train` is test, which decides nothing. What columns say
    together is used where they agree in every row.

    Raises:
        DataError: The column that was named says something else.
        DoubtError: Columns say different things, and nobody said which counts.
    """
    is_off = source.split == OFF and OFF not in table.columns
    names = [name for name in table.columns if name not in source.columns]
    found = {name: splits for name in names if (splits := _possible(table, name))}
    folds = [name for name in names if name not in found and _holds_folds(table, name)]
    unused = tuple(
        Assumption(
            "unused",
            f"Column {shown(name)} holds {len(set(table.columns[name]))} numbers and is not used; as groups they stay "
            "together, each in one part or fold.",
            f"--group {name}",
        )
        for name in folds
    )
    if source.split is not None and not is_off:
        return Parts(_of_column(table, source.split), (source.split, *found, *folds), unused)
    columns = (*found, *folds)
    blank = [""] * len(table)
    if is_off or not found:
        return Parts(blank, columns, unused)
    together = [frozenset.intersection(*row) for row in zip(*found.values(), strict=True)]
    apart = [row for row, parts in enumerate(together) if not parts]
    if apart:
        named = " and ".join(map(shown, found))
        cells = " and ".join(shown(table.columns[name][apart[0]]) for name in found)
        raise DoubtError(
            f"{table.name}: the columns {named} give different parts, first at {table.where(apart[0])}: {cells}.",
            [
                *(Choice(f"{shown(name)} says who trains", {"split": name}) for name in found),
                Choice("none of them does; the parts are drawn", {"split": OFF}),
            ],
        )
    taken_as = list(map(_part_of, together))
    n = Counter(taken_as)
    counts = ", ".join(f"{n[part]:,} {part or 'to be drawn'}" for part in (*SPLITS, "") if n[part])
    sources = " and ".join(map(shown, found))
    taken = f"Column{'s' if len(found) > 1 else ''} {sources} give{'' if len(found) > 1 else 's'} the parts: {counts}."
    return Parts(taken_as, columns, (Assumption("parts", taken, f"--split {OFF}"), *unused))


def _of_column(table: Table, column: str) -> list[str]:
    values = table.columns[column]
    flag = _flag_of(column)
    if flag and all(value.strip().lower() in _TRUTH for value in values):
        return [_part_of(_of_flag(flag, value)) for value in values]
    wrong = [row for row, value in enumerate(values) if value.strip().lower() not in SPLIT_WORDS]
    if wrong:
        places = table.places(wrong, [values[row] for row in wrong])
        raise DataError(
            f"{table.name}: no split at {places}. Column {column!r} may hold train, valid, test or nothing."
        )
    return [SPLIT_WORDS[value.strip().lower()] for value in values]


def _possible(table: Table, column: str) -> list[frozenset[str]] | None:
    """Return the parts that each row may be of by a column; None where it says nothing of parts."""
    values = table.columns[column]
    if (flag := _flag_of(column)) and all(value.strip().lower() in _TRUTH for value in values):
        return [_of_flag(flag, value) for value in values]
    words = [SPLIT_WORDS.get(value.strip().lower()) for value in values]
    is_named = column.lower() in _PART_NAMES
    if None in words or "train" not in words or not (is_named or len(set(words) - {""}) > 1):
        return None
    if column.lower() in LABEL_NAMES:
        return None
    return [frozenset((word,)) if word else _ANY for word in words]


def _holds_folds(table: Table, column: str) -> bool:
    """Whether a column that is called after parts or folds holds numbers, which have no meaning that is known."""
    values = table.columns[column]
    return (
        column.lower() in _PART_NAMES
        and 1 < len(set(values)) <= _MOST_FOLDS
        and all(re.fullmatch(r"-?[0-9]+(\.0)?|", value.strip()) for value in values)
    )


def _flag_of(column: str) -> str:
    """Return the part that a column such as `is_valid` or `isTrain` is about, "" for others."""
    match = _FLAG.fullmatch(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column.strip()).lower().replace(" ", "_"))
    return SPLIT_WORDS[match["prefixed"] or match["suffixed"]] if match else ""


def _of_flag(flag: str, value: str) -> frozenset[str]:
    is_true = _TRUTH[value.strip().lower()]
    return _ANY if is_true is None else frozenset((flag,)) if is_true else _ANY - {flag}


def _part_of(parts: frozenset[str]) -> str:
    """Return the part of a row that may be of several; test where it may be that or valid, for test decides nothing."""
    if len(parts) == 1:
        return next(iter(parts))
    return {_ANY - {"train"}: "test", _ANY - {"valid"}: "train"}.get(parts, "")


def label_columns(
    table: Table, id_column: str, source: DataSource, *, parts: Parts
) -> tuple[tuple[str, ...], tuple[Assumption, ...]]:
    """Find the column of labels, or the columns of 0 and 1; what rows of test hold is not looked at.

    Returns:
        The columns, and what was taken without being said.

    Raises:
        DoubtError: They cannot be distinguished from the others.
    """
    if source.label is not None:
        return source.label_columns, ()
    taken = {id_column, source.group, source.split, *parts.columns}
    rest = [column for column in table.columns if column not in taken]
    rows = [row for row, split in enumerate(parts.splits) if split != "test"]
    looked = {name: [table.columns[name][row] for row in rows] for name in rest}
    telling = [name for name in rest if _could_be_labels(looked[name])]
    named = [column for name in LABEL_NAMES for column in rest if column.lower() == name]
    sure = [name for name in named if name.lower() in _SURE_NAMES]
    if sure or (len(named) == 1 and named[0].lower() != _WEAK_NAME):
        return _assumed_label((sure or named)[0])
    if named and all(_is_same(looked[named[0]], looked[name]) for name in named[1:]):
        rivals = [name for name in telling if name not in named]
        if named[0].lower() != _WEAK_NAME or not (rivals or any(name.lower() == "x" for name in table.columns)):
            return _assumed_label(named[0])
    bits = [name for name in rest if is_one_hot(looked[name])]
    if len(rest) == 1 or (rest and bits == rest):
        return _assumed_label(*rest)
    if len(telling) == 1 and not named and all(_says_nothing(looked[name]) for name in rest if name != telling[0]):
        return _assumed_label(telling[0])
    others = ", ".join(map(shown, rest)) or "none besides the ids"
    ordered = sorted(
        telling or rest,
        key=lambda name: (name.lower() == _WEAK_NAME, _is_numeric(looked[name]), len(set(looked[name]))),
    )
    choices = [Choice(f"{shown(name)} holds the labels", {"label": name}) for name in ordered[:_MOST_LISTED]]
    if len(bits) > 1:
        choices.append(Choice("each of these columns of 0 and 1 is a class", {"label": bits}))
    raise DoubtError(
        f"{table.name}: which column holds the labels? There is {others}. Name it, or several of 0 and 1.", choices
    )


def _assumed_label(*names: str) -> tuple[tuple[str, ...], tuple[Assumption, ...]]:
    taken = (
        f"Column {shown(names[0])} holds the labels."
        if len(names) == 1
        else f"{len(names)} columns of 0 and 1 are the classes: {listed(map(shown, names))}."
    )
    return names, (Assumption("labels", taken, "--label COLUMN"),)


def _could_be_labels(values: Sequence[str]) -> bool:
    """Whether values are few and come again, as names of classes do."""
    return 2 <= len(set(values) - {""}) <= max(2, len(values) // 2) and len(set(values)) < len(values)


def _says_nothing(values: Sequence[str]) -> bool:
    return len(set(values)) in (0, 1, len(values))


def _is_numeric(values: Sequence[str]) -> bool:
    return all(re.fullmatch(r"[+-]?[0-9.]+|", value.strip()) for value in values)


def _is_same(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two columns name the same classes in other words."""
    return len(set(zip(one, other, strict=True))) == len(set(one)) == len(set(other))


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
    assumptions: tuple[Assumption, ...] = ()
    """What was assumed."""


def read_labels(table: Table, columns: Sequence[str], *, is_test: Sequence[bool], source: DataSource) -> Labels:
    """Read the labels of a table.

    Classes, the type of problem, the delimiter and the order come from rows that are not of test. A row of test whose
    label is none of these classes has none; no message quotes it.

    Args:
        table: The table.
        columns: One column that names classes, or several of 0 and 1 that each are a class.
        is_test: For each row, whether it is of the test part, and may be without a label.
        source: Says the type of problem, the delimiter and the spelling, where somebody said them.

    Raises:
        DataError: Labels are missing, a cell of a class column is neither 0 nor 1, or the labels do
            not fit the problem type.
        DoubtError: Labels may be one or several classes, or are equal in value and not in text.
    """
    if len(columns) > 1:
        return _one_hot(table, columns, is_test=is_test, source=source)
    texts = table.columns[columns[0]]
    _check_filled(table, columns[0], texts=texts, is_test=is_test)
    looked = [text for text, sealed in zip(texts, is_test, strict=True) if not sealed]
    found = source.delimiter or _delimiter_of(looked, source, where=f"{table.name}, column {columns[0]!r}")
    if source.problem_type == "multilabel" or (found and source.problem_type is None):
        return _several(table, columns[0], delimiter=found, is_test=is_test, source=source)
    spelling = one_spelling((text for text in looked if text), source.spelling, where=table.name)
    texts = [spelling.get(text, text) for text in texts]
    classes = class_order(text for text, sealed in zip(texts, is_test, strict=True) if text and not sealed)
    problem = problem_of(classes, source.problem_type, where=table.name)
    texts, notes = _known_only(table, texts, is_test=is_test, is_known=set(classes).__contains__)
    return Labels(
        texts,
        classes,
        problem,
        (*lookalike_notes(classes), *notes),
        _assumed_type(problem, classes, source.problem_type),
    )


def _assumed_type(problem: ProblemType, classes: Sequence[str], wanted: ProblemType | None) -> tuple[Assumption, ...]:
    if wanted is not None:
        return ()
    if problem == "multilabel":
        return (Assumption("type", f"A photograph may be of several of {len(classes)} classes.", "--type multiclass"),)
    return (Assumption("type", f"Every photograph is of one of {len(classes)} classes.", "--type multilabel"),)


def _known_only(
    table: Table, texts: Sequence[str], *, is_test: Sequence[bool], is_known: Callable[[str], bool]
) -> tuple[list[str], tuple[str, ...]]:
    """Take the labels from rows of test that name no class, and say how many and where, not what."""
    rows = [row for row, text in enumerate(texts) if is_test[row] and text and not is_known(text)]
    if not rows:
        return list(texts), ()
    unknown = frozenset(rows)
    note = (
        f"{table.name}: {len(rows)} rows of test have labels that no row outside test has, and count as unlabelled: "
        f"{table.places(rows)}."
    )
    return ["" if row in unknown else text for row, text in enumerate(texts)], (note,)


def is_one_hot(values: Iterable[str]) -> bool:
    """Return whether values are nothing but 0 and 1, also as 0.0, 1.0, false and true, and with blanks around them."""
    return all(value.strip().lower() in _BITS for value in values)


def _one_hot(table: Table, columns: Sequence[str], *, is_test: Sequence[bool], source: DataSource) -> Labels:
    problem_type, spelling = source.problem_type, one_spelling(columns, source.spelling, where=table.name)
    if named := [column for column in columns if SEPARATOR in column or not column]:
        raise DataError(f"{table.name}: {named[0]!r} cannot name a class, since '|' separates classes. Rename it.")
    cells = [
        tuple(map(str.strip, values)) for values in zip(*(table.columns[column] for column in columns), strict=True)
    ]
    is_blank = [is_test[row] and not any(values) for row, values in enumerate(cells)]
    _check_bits(table, columns, cells=cells, is_blank=is_blank, is_test=is_test)
    chosen = [
        list(
            dict.fromkeys(
                spelling.get(name, name)
                for name, value in zip(columns, values, strict=True)
                if _BITS.get(value.lower())
            )
        )
        for values in cells
    ]
    wrong = [row for row, names in enumerate(chosen) if len(names) != 1 and not is_test[row]]
    classes = tuple(name for name in columns if name not in spelling)
    if problem_type == "multilabel" or (wrong and problem_type is None):
        texts = ["" if blank else _joined(names, classes) for names, blank in zip(chosen, is_blank, strict=True)]
        return Labels(
            texts, classes, "multilabel", lookalike_notes(classes), _assumed_type("multilabel", classes, problem_type)
        )
    if wrong:
        raise DataError(
            f"{table.name}: not exactly one class at {table.places(wrong)}, so not {problem_type}. {TYPE_ADVICE}"
        )
    problem = problem_of(classes, problem_type, where=table.name)
    # a row of test with none or several of these classes is counted, and is unlabelled
    texts, notes = _known_only(
        table, [SEPARATOR.join(names) for names in chosen], is_test=is_test, is_known=set(classes).__contains__
    )
    return Labels(
        texts, classes, problem, (*lookalike_notes(classes), *notes), _assumed_type(problem, classes, problem_type)
    )


def _check_bits(
    table: Table,
    columns: Sequence[str],
    *,
    cells: Sequence[tuple[str, ...]],
    is_blank: Sequence[bool],
    is_test: Sequence[bool],
) -> None:
    wrong = [
        (row, column if is_test[row] else f"{column}={value}")
        for row, values in enumerate(cells)
        for column, value in zip(columns, values, strict=True)
        if value.lower() not in _BITS and not is_blank[row]
    ]
    if wrong:
        places = table.places([row for row, _ in wrong], [text for _, text in wrong])
        raise DataError(f"{table.name}: neither 0 nor 1 at {places}. Columns of classes hold 0 and 1.")


def _several(table: Table, column: str, *, delimiter: str, is_test: Sequence[bool], source: DataSource) -> Labels:
    texts = table.columns[column]
    cells = [_pieces(text, delimiter) for text in texts]
    looked = [name for names, sealed in zip(cells, is_test, strict=True) if not sealed for name in names]
    spelling = one_spelling(looked, source.spelling, where=table.name)
    cells = [[spelling.get(name, name) for name in names] for names in cells]
    classes = class_order(spelling.get(name, name) for name in looked)
    if named := [name for name in classes if SEPARATOR in name]:
        raise DataError(f"{table.name}: {named[0]!r} cannot name a class, since '|' separates classes. Rename it.")
    assumptions = _assumed_type("multilabel", classes, source.problem_type)
    notes = lookalike_notes(classes)
    if source.delimiter is None and source.problem_type is None and column not in table.lists:  # a list says it itself
        taken = f"The labels of {column!r} were read as several classes, separated by {delimiter!r}."
        assumptions = (*assumptions, Assumption("delimiter", taken, "--type multiclass"))
    known = set(classes)
    # an empty list of a Parquet file is a photograph of no class; an empty cell is one whose label is not known
    labels = [
        SEPARATOR.join(names) if set(names) - known else _joined(names, classes) if names or text == NO_CLASS else ""
        for names, text in zip(cells, texts, strict=True)
    ]
    is_known = {label for label, names in zip(labels, cells, strict=True) if not set(names) - known}
    labels, unknown = _known_only(table, labels, is_test=is_test, is_known=is_known.__contains__)
    return Labels(labels, classes, "multilabel", (*notes, *unknown), assumptions)


def _pieces(text: str, delimiter: str) -> list[str]:
    pieces = text.split(delimiter) if delimiter else [text]
    return [piece.strip() for piece in pieces if piece.strip()]


def _joined(names: Iterable[str], classes: tuple[str, ...]) -> str:
    """Join classes in their stable order, so that "a|b" and "b|a" are one label."""
    chosen = set(names)
    return SEPARATOR.join(name for name in classes if name in chosen) or NO_CLASS


def _delimiter_of(texts: Sequence[str], source: DataSource, *, where: str) -> str:
    """Find what separates classes in a cell, or "" where cells seem to name one class each.

    A bar always does. A semicolon or comma does where the pieces are no more numerous than the
    labels they come from ("tench, Tinca tinca" is one name), a blank where each piece is a label of its own.

    Raises:
        DoubtError: The pieces are few, but none ever stands alone or in another place: "Apple, scab", "Corn, rust".
    """
    labels = {text for text in texts if text}
    if source.problem_type in ("binary", "multiclass"):
        return ""
    for delimiter in "|;, ":
        divided = {label: several for label in labels if len(several := _pieces(label, delimiter)) > 1}
        pieces = {piece for label in labels for piece in _pieces(label, delimiter)}
        if not divided:
            continue
        if delimiter == SEPARATOR:
            return delimiter
        if delimiter == " " and not pieces <= labels:
            # words make names more often than lists: lists are many, and of few words
            is_few = 2 * len(pieces) <= len(labels) and not _stand_in_order(divided.values(), labels)
        else:
            is_few = len(pieces) <= len(labels)
        is_words = delimiter == " " and not pieces <= labels
        if is_few and (is_words or _stand_in_order(divided.values(), labels)):
            example = next(text for text in texts if text in divided)
            raise DoubtError(
                f"{where}: {len(labels)} labels such as {shown(example)} may be names of classes, or lists of "
                f"{len(pieces)} classes.",
                [
                    Choice("each is the name of one class", {"problem_type": "multiclass"}),
                    Choice("each lists several classes", {"delimiter": delimiter}),
                ][:: -1 if delimiter == " " else 1],
            )
        if is_few:
            return delimiter
    return ""


def _stand_in_order(divided: Collection[Sequence[str]], labels: Collection[str]) -> bool:
    """Whether pieces of cells keep to their places, and none is a label of its own, as parts of a name do."""
    place: dict[str, int] = {}
    for pieces in divided:
        for position, piece in enumerate(pieces):
            if piece in labels or place.setdefault(piece, position) != position:
                return False
    return True


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
    fault: str = ""
    """Why it cannot be read as a table; "" where it can."""


def peek(path: Path, *, shown: Callable[[str], bool]) -> Peek:
    """Look at a table, of a large one at its beginning.

    Args:
        path: A CSV, TSV or Parquet file.
        shown: Says of a column whether its values may be looked at.
    """
    try:
        return _parquet(path, shown) if path.suffix.lower() == ".parquet" else _decoded(path, shown)
    except UnicodeDecodeError:
        return Peek(fault="not UTF-8; save it as UTF-8")
    except (OSError, ValueError, csv.Error) as error:  # a table that cannot be read is a file like any other
        return Peek(fault=str(getattr(error, "strerror", None) or error))


def _decoded(path: Path, shown: Callable[[str], bool]) -> Peek:
    with path.open("rb") as file:
        content = file.read(_N_BYTES)
        is_whole = len(content) < _N_BYTES
        n_further = 0 if is_whole else sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    if not is_whole:
        content = content[: content.rfind(b"\n") + 1]
    text = content.decode("utf-8-sig")
    if not text.strip():
        raise ValueError("the file is empty")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text, path))
    rows = (row for row in reader if row)
    header = [name.strip() for name in next(rows)]
    parsed = list(rows)
    if ragged := [row for row in parsed if len(row) != len(header)]:
        raise ValueError(f"{len(ragged)} rows have another number of fields than the header")
    seen = parsed[:: -(-len(parsed) // N_ROWS)] if parsed else []
    values = {name: [row[place] for row in seen if place < len(row)] for place, name in enumerate(header)}
    return Peek(tuple(header), _of(values, shown), len(parsed) + n_further)


def _parquet(path: Path, shown: Callable[[str], bool]) -> Peek:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        columns: list[str] = file.schema_arrow.names
        kinds = dict(zip(columns, file.schema_arrow.types, strict=True))
        wanted = [name for name in columns if shown(name) and not _may_hold_photographs(kinds[name])]
        batch: Any = next(file.iter_batches(batch_size=N_ROWS, columns=wanted), None)
        found = {} if batch is None else batch.to_pydict()
        values = {name: ["" if value is None else str(value) for value in found.get(name, [])] for name in wanted}
        return Peek(tuple(columns), values, file.metadata.num_rows)


def _of(values: dict[str, list[str]], shown: Callable[[str], bool]) -> dict[str, list[str]]:
    return {name: column for name, column in values.items() if shown(name)}
