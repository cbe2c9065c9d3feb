"""Strict reading of the project's own JSON files: every problem at once, each by file and key."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from imgcls.errors import RecordError

_Value = TypeVar("_Value")


def read_json(path: Path) -> object:
    """Read a JSON file and refuse what Python's reader lets pass.

    Args:
        path: The file.

    Raises:
        RecordError: If the file is missing, is not UTF-8 or JSON, repeats a key, or holds NaN or infinity.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        return json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_no_constant, parse_float=_finite_number)
    except FileNotFoundError:
        raise RecordError(f"{path} does not exist.") from None
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path} is damaged: {error}. Restore it from a copy, or remove its folder.") from error


def _unique_keys(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dictionary of pairs whose keys all differ."""
    value: dict[str, Any] = {}
    for key, item in pairs:
        if key in value:
            raise ValueError(f"the key {key!r} appears twice")
        value[key] = item
    return value


def _no_constant(name: str) -> float:
    """Refuse NaN, Infinity and -Infinity."""
    raise ValueError(f"{name} is not JSON")


def _finite_number(text: str) -> float:
    """Read a number that a float can hold."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text} is too large")
    return number


class Fields:
    """One JSON object, read field by field; problems are collected until `finish`.

    A field that is missing or of a wrong type gives an empty value of the right type, so that the
    reading goes on and `finish` can name every problem.
    """

    def __init__(self, value: object, *, where: str, prefix: str = "", problems: list[str] | None = None) -> None:
        """Begin to read.

        Args:
            value: What should be an object.
            where: The file, as it is to be named in messages.
            prefix: The path of this object inside the file, ending in a dot, or empty.
            problems: The list to add to; a new one when None.
        """
        self._where, self._prefix = where, prefix
        self._problems: list[str] = [] if problems is None else problems
        self._unread: dict[str, Any] = dict(value) if isinstance(value, Mapping) else {}
        if not isinstance(value, Mapping):
            self._problems.append(f"{prefix.rstrip('.') or 'the whole'} must be an object")

    def has(self, key: str) -> bool:
        """Whether there is a field that may be left out, and was not read yet."""
        return key in self._unread

    def text(self, key: str, *, choices: tuple[str, ...] = ()) -> str:
        """Read a text, one of `choices` where there are some."""
        text = self._read(key, _is_text, kind="a text", empty="")
        if choices and text not in choices:
            self._problems.append(f"{self._prefix}{key} must be one of {', '.join(choices)}, not {text!r}")
        return text

    def text_or_none(self, key: str) -> str | None:
        """Read a text or null."""
        return self._read(key, _or_none(_is_text), kind="a text or null", empty=None)

    def integer(self, key: str) -> int:
        """Read a whole number."""
        return self._read(key, _is_integer, kind="a whole number", empty=0)

    def integer_or_none(self, key: str) -> int | None:
        """Read a whole number or null."""
        return self._read(key, _or_none(_is_integer), kind="a whole number or null", empty=None)

    def integers(self, key: str) -> tuple[int, ...]:
        """Read a list of whole numbers."""
        numbers: list[int] = self._read(key, _is_list_of(_is_integer), kind="a list of whole numbers", empty=[])
        return tuple(numbers)

    def number(self, key: str) -> float:
        """Read a number."""
        return self._read(key, _is_number, kind="a number", empty=0.0)

    def number_or_none(self, key: str) -> float | None:
        """Read a number or null."""
        return self._read(key, _or_none(_is_number), kind="a number or null", empty=None)

    def boolean(self, key: str) -> bool:
        """Read true or false."""
        return self._read(key, lambda value: isinstance(value, bool), kind="true or false", empty=False)

    def mapping(self, key: str) -> dict[str, Any]:
        """Read an object with any content."""
        return self._read(key, lambda value: isinstance(value, dict), kind="an object", empty={})

    def numbers(self, key: str) -> dict[str, float]:
        """Read an object whose values are numbers."""
        return self._read(key, _is_mapping_of(_is_number), kind="an object of numbers", empty={})

    def counts(self, key: str) -> dict[str, int]:
        """Read an object whose values are whole numbers."""
        return self._read(key, _is_mapping_of(_is_integer), kind="an object of whole numbers", empty={})

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of texts."""
        texts: list[str] = self._read(key, _is_list_of(_is_text), kind="a list of texts", empty=[])
        return tuple(texts)

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """Read a list of pairs of texts."""
        pairs: list[list[str]] = self._read(key, _is_list_of(_is_pair), kind="a list of pairs of texts", empty=[])
        return tuple((first, second) for first, second in pairs)

    def inner(self, key: str) -> Fields:
        """Read an object, to be read field by field and finished by its own `close`."""
        return Fields(self.mapping(key), where=self._where, prefix=f"{self._prefix}{key}.", problems=self._problems)

    def inner_each(self, key: str, read: Callable[[Fields], _Value]) -> dict[str, _Value]:
        """Read an object of objects, each by `read`."""
        each = self.inner(key)
        found = {}
        for name in tuple(each._unread):
            fields = each.inner(name)
            found[name] = read(fields)
            fields.close()
        return found

    def inner_list(self, key: str, read: Callable[[Fields], _Value]) -> tuple[_Value, ...]:
        """Read a list of objects, each by `read`."""
        values: list[Any] = self._read(key, lambda value: isinstance(value, list), kind="a list of objects", empty=[])
        found = []
        for place, value in enumerate(values):
            prefix = f"{self._prefix}{key}.{place}."
            fields = Fields(value, where=self._where, prefix=prefix, problems=self._problems)
            found.append(read(fields))
            fields.close()
        return tuple(found)

    def problem(self, text: str) -> None:
        """Add a problem that only the reader can see."""
        self._problems.append(f"{self._prefix}{text}")

    def close(self) -> None:
        """Count what was not read as problems."""
        self._problems.extend(f"{self._prefix}{key} is not a known key" for key in self._unread)

    def finish(self) -> None:
        """End the reading of the whole file.

        Raises:
            RecordError: If there was any problem; the message has them all.
        """
        self.close()
        if self._problems:
            raise RecordError(f"{self._where} is damaged: {'; '.join(self._problems)}.")

    def _read(self, key: str, fits: Callable[[Any], bool], *, kind: str, empty: _Value) -> _Value:
        """Take one field out, or note why it cannot be taken."""
        if key not in self._unread:
            self._problems.append(f"{self._prefix}{key} is missing")
            return empty
        value: _Value = self._unread.pop(key)
        if fits(value):
            return value
        self._problems.append(f"{self._prefix}{key} must be {kind}, not {json.dumps(value)[:40]}")
        return empty


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_text, value))


def _or_none(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or fits(value)


def _is_list_of(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _is_mapping_of(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(map(fits, value.values()))
