"""Read the labels of a table: one class each, several classes in one column, or a column for each class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imgcls.data.samples import NO_CLASS, SEPARATOR, ProblemType, class_order, lookalike_notes
from imgcls.data.sources.delimited import Table
from imgcls.data.sources.folder import TYPE_ADVICE, problem_of
from imgcls.errors import DataError

_BITS = {"0": False, "0.0": False, "false": False, "1": True, "1.0": True, "true": True}


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
