"""decisions.csv: what a person said of single photographs in a review, one row each, in the order in which it was said.

image           the id of the sample
label           the label that it was shown with; several joined by |
decision        keep, relabel, exclude, unsure, or undo, which takes back the row before it about the image
new_label       the label that it gets, where it is `relabel`; several joined by |
by              who said so; may be empty
at              when, as `2026-12-01T10:22:05Z`; may be empty
data            the name of the data set that it is about; may be empty

Of several rows about an image by one person the last one counts, so that a file only ever grows.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Literal, cast, get_args

from imgcls.errors import DataError, UsageError
from imgcls.storage import append_line, cut_torn_line
from imgcls.text import as_utf8, listed

DECISIONS_CSV = "decisions.csv"
Answer = Literal["keep", "relabel", "exclude", "unsure", "undo"]
"""What can be said of a photograph: its label is right, is another, it is left out, the person is not sure, or the last
thing that was said of it is taken back."""
ANSWERS: tuple[Answer, ...] = get_args(Answer)
_NEEDED = ("image", "decision")


@dataclass(frozen=True)
class Reviewed:
    """What was said of one photograph."""

    image: str
    """The id of the sample; bytes that are no UTF-8 as escapes."""
    label: str
    """The label that it was shown with."""
    decision: Answer
    """What was said."""
    new_label: str = ""
    """The label that it gets, where it is `relabel`."""
    by: str = ""
    """Who said so."""
    at: str = ""
    """When, in UTC."""
    data: str = ""
    """The name of the data set."""

    def __post_init__(self) -> None:
        """Refuse what says nothing: a relabelling without a label, or a label without one."""
        if self.decision not in ANSWERS:
            raise UsageError(f"A decision is one of {', '.join(ANSWERS)}, not {self.decision!r}.")
        if (self.decision == "relabel") != bool(self.new_label):
            raise UsageError(
                f"{self.image!r}: 'relabel' needs a new_label, and {self.decision!r} came with {self.new_label!r}."
            )


COLUMNS = tuple(field.name for field in fields(Reviewed))


def append_reviewed(path: Path, row: Reviewed) -> None:
    """Add a row to a file of decisions, and wait until it is on the disk.

    Args:
        path: The file, made with its header if it is missing; its folder must exist.
        row: What was said.

    Raises:
        ImgclsError: It cannot be written; the rows before are still there.
    """
    if not path.exists() or path.stat().st_size == 0:
        append_line(path, _csv_line(COLUMNS))
    append_line(path, _csv_line([as_utf8(text) for text in astuple(row)]))


def read_reviewed(path: Path) -> tuple[Reviewed, ...]:
    """Read a file of decisions, all of its rows in their order; a spreadsheet may have written it again.

    Its encoding is UTF-8, UTF-16 with its mark, or else Windows-1252; its delimiter a comma, a semicolon or a tab.

    Raises:
        DataError: It cannot be read, lacks a column, or holds rows that say nothing; every one of them is named.
    """
    from imgcls.data.tables import delimiter_of  # loads pandas

    try:
        text = _text(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error
    if not text.strip():
        raise DataError(f"{path.name}: the file is empty; decisions have {', '.join(COLUMNS)}.")
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter_of(text, path), restval="")
    names = [(name or "").strip() for name in reader.fieldnames or ()]
    reader.fieldnames = names
    if missing := [name for name in _NEEDED if name not in names]:
        raise DataError(f"{path.name}: lacks the column {listed(missing)}; decisions have {', '.join(COLUMNS)}.")
    found, faults = list[Reviewed](), list[str]()
    try:
        for row in reader:
            if not any(row.get(name, "").strip() for name in COLUMNS):
                continue  # as spreadsheets write below the last row
            image, label, decision, *others = (row.get(name, "") for name in COLUMNS)
            try:
                found.append(Reviewed(image, label, cast(Answer, decision.strip()), *others))
            except UsageError as problem:
                faults.append(f"line {reader.line_num}: {problem}")
    except csv.Error as error:
        raise DataError(f"{path.name}: line {reader.line_num} cannot be read ({error}). Check its quotes.") from error
    if faults:
        raise DataError(f"{path.name}: " + " ".join(faults[:5]) + (f" And {len(faults) - 5} more." * (len(faults) > 5)))
    return tuple(found)


def reopen_reviewed(path: Path) -> tuple[Reviewed, ...]:
    """Read a file of decisions that rows will be added to; a last row that a crash left half written is cut off.

    Args:
        path: The file; it may be missing or empty.

    Raises:
        DataError: It cannot be read, or is not in the form that `append_reviewed` writes: a spreadsheet saved it again.
        ImgclsError: It cannot be written.
    """
    try:
        content = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error
    whole, _, torn = content.rpartition(b"\n")
    if not _is_own_form(whole, torn):
        raise DataError(
            f"{path}: no row can be added to it, since another program wrote it, or saved it again. Apply it with "
            "'imgcls eda apply' if it holds decisions, and go on in another file: --to NAME.csv"
        )
    if torn:
        row = next(csv.reader([torn.decode(errors="replace")]))
        if whole and len(row) == len(COLUMNS):  # typed by hand, or whole but for its last field, which may be cut short
            append_line(path, _csv_line([*row[:-1], ""]))
        else:
            cut_torn_line(path)
    return read_reviewed(path) if whole else ()


def _is_own_form(whole: bytes, torn: bytes) -> bool:
    """Tell whether a file is as `append_reviewed` writes it, by its whole lines and what follows them."""
    if not whole:
        return _csv_line(COLUMNS).encode().startswith(torn)
    try:
        header = whole.decode("utf-8-sig").partition("\n")[0]
    except UnicodeDecodeError:
        return False
    return tuple(next(csv.reader([header]), [])) == COLUMNS


def _text(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def latest(rows: Iterable[Reviewed]) -> tuple[Reviewed, ...]:
    """Return what counts of rows: the last about each image by each person that was not taken back.

    They come in the order of the images' first rows.
    """
    found: dict[tuple[str, str], list[Reviewed]] = {}
    for row in rows:
        said = found.setdefault((row.image, row.by), [])
        if row.decision != "undo":
            said.append(row)
        elif said:
            said.pop()
    return tuple(said[-1] for said in found.values() if said)


def _csv_line(values: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()
