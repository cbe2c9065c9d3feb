"""Read a TOML file into a frozen value, or say everything that is wrong with it, line by line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from imgcls.errors import ProblemError, nearest_hint
from imgcls.problem.lines import Place, key_lines, line_of

Value = TypeVar("Value", bound=BaseModel)

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MOST_TOLD = 20
_MOST_SHOWN = 60
_WHERE = re.compile(r"\s*\(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")
_WANTED = {
    "string_type": "text in quotes",
    "float_type": "a number",
    "int_type": "a whole number",
    "model_type": "a table",
    "dict_type": "a table",
    "tuple_type": "a list",
    "string_too_short": "text that is not empty",
}
_BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


def read_text(path: Path) -> str:
    """Read a regular file of UTF-8.

    Raises:
        ProblemError: There is no such file, it is something else, or it cannot be read.
    """
    try:
        if path.exists() and not path.is_file():
            raise ProblemError(f"{path}: not a file. Move it away, since imgcls keeps a file of that name there.")
        content = path.read_bytes()
    except OSError as error:
        raise ProblemError(f"{path}: cannot be read ({error.strerror or error}).") from error
    if content.startswith(_BYTE_ORDER_MARK):
        raise ProblemError(f"{path}, line 1: it begins with a byte order mark. Save it as UTF-8 without one.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ProblemError(
            f"{path}, line {line}: not UTF-8 (byte 0x{content[error.start]:02x}). Save it as UTF-8."
        ) from error


def read_toml(path: Path, text: str, *, schema: int) -> dict[str, Any]:
    """Read the text of a file as TOML of a version that is known.

    Args:
        path: Where the text is from, for messages.
        text: The text.
        schema: The newest version that is understood.

    Raises:
        ProblemError: It is no TOML, or a newer imgcls wrote it.
    """
    try:
        value = tomllib.loads(text)
    except RecursionError as error:
        raise ProblemError(f"{path}: cannot be read, since its lists or tables are nested too deeply.") from error
    except ValueError as error:  # also what tomllib does not wrap, such as a number of 5,000 digits
        raise ProblemError(_no_toml(path, text, str(error))) from error
    found = value.get("schema", schema)
    if isinstance(found, int) and not isinstance(found, bool) and found > schema:
        raise ProblemError(
            f"{path} was written by a newer imgcls (schema {found}; this one knows {schema}). Update imgcls."
        )
    return value


def checked(kind: type[Value], value: Mapping[str, Any], *, path: Path, text: str) -> Value:
    """Make a frozen value of what was read.

    Args:
        kind: What is made.
        value: What `read_toml` gave.
        path: Where it is from, for messages.
        text: The text of the file, for the lines of what is wrong.

    Raises:
        ProblemError: Anything does not fit; everything is told, with its line and the nearest right name.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        faults = _faults(kind, error.errors(), text)
        if len(faults) == 1:
            line, words = faults[0]
            raise ProblemError(f"{path}{f', line {line}' if line else ''}: {words}") from error
        told = [f"{f'line {line}: ' if line else ''}{words}" for line, words in faults[:_MOST_TOLD]]
        more = [f"and {len(faults) - _MOST_TOLD} more"] if len(faults) > _MOST_TOLD else []
        raise ProblemError.together([*told, *more], heading=f"{path}: {len(faults)} faults:") from error


def _no_toml(path: Path, text: str, problem: str) -> str:
    """Say where a text is no TOML."""
    match = _WHERE.search(problem)
    said = problem[: match.start()] if match else problem
    line = int(match["line"]) if match and match["line"] else len(text.splitlines()) if match else None
    column = f", column {match['column']}" if match and match["column"] else ""
    return f"{path}{f', line {line}' if line else ''}{column}: not TOML ({said.rstrip('.')}). Correct it there."


def _faults(kind: type[BaseModel], errors: Iterable[ErrorDetails], text: str) -> list[tuple[int | None, str]]:
    """Give the line and the words of every fault, in order of line."""
    lines = key_lines(text)
    found = [(line_of(error["loc"], lines), _words(kind, error)) for error in errors]
    return sorted(found, key=lambda fault: fault[0] or 0)


def _words(kind: type[BaseModel], error: ErrorDetails) -> str:
    """Say what is wrong with a key, and what it has to be."""
    place, given = error["loc"], error["input"]
    name = _dotted(place)
    if error["type"] == "extra_forbidden":
        known = _keys(kind, place[:-1])
        hint = nearest_hint(str(place[-1]), known) or f" There are {', '.join(known)}."
        return f"there is no key {name}.{hint}"
    if error["type"] == "missing":
        return f"{name} is missing."
    if error["type"] == "literal_error":
        choices = [str(choice) for choice in _literal(kind, place)]
        hint = nearest_hint(given, choices) if isinstance(given, str) else ""
        return f"{name} has to be {_either(choices)}, not {_shown(given)}.{hint}"
    return f"{name} {_demand(error)}, not {_shown(given)}."


def _demand(error: ErrorDetails) -> str:
    """Say what a value has to be."""
    context = error.get("ctx", {})
    if error["type"] in _WANTED:
        return f"has to be {_WANTED[error['type']]}"
    for bound, words in _BOUNDS.items():
        if bound in context:
            return f"has to be {words} {context[bound]:g}"
    return error["msg"]


def _keys(kind: type[BaseModel], place: Place) -> list[str]:
    """Give the keys of the table at a place, as the file spells them."""
    return [field.alias or name for name, field in _model_at(kind, place).model_fields.items()]


def _literal(kind: type[BaseModel], place: Place) -> tuple[Any, ...]:
    """Give what may stand at a place that has a few possible values."""
    fields = _model_at(kind, place[:-1]).model_fields
    annotation = next(field.annotation for name, field in fields.items() if (field.alias or name) == place[-1])
    choices = [option for option in (annotation, *get_args(annotation)) if get_origin(option) is Literal]
    return get_args(choices[0])


def _model_at(kind: type[BaseModel], place: Place) -> type[BaseModel]:
    """Give the model of the table at a place; numbers count the tables of a list."""
    for part in place:
        if isinstance(part, str):
            annotation = kind.model_fields[part].annotation
            kind = next(option for option in (annotation, *get_args(annotation)) if _is_model(option))
    return kind


def _is_model(option: object) -> bool:
    return isinstance(option, type) and issubclass(option, BaseModel)


def _dotted(place: Place) -> str:
    """Write the way to a key: `data.images`, `excluded[2].why`, counted from 0 as programs do."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")


def _either(choices: list[str]) -> str:
    return " or ".join([", ".join(choices[:-1]), choices[-1]]) if len(choices) > 1 else choices[0]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
