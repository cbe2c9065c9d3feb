"""Where the keys of a TOML file stand, for messages: the parsers of TOML do not say."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator

Place = tuple[str | int, ...]

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_ARRAY_OF_TABLES = re.compile(rf"\s*\[\[\s*({_DOTTED})\s*\]\]")
_TABLE = re.compile(rf"\s*\[\s*({_DOTTED})\s*\]")
_PAIR = re.compile(rf"\s*({_DOTTED})\s*=(.*)", re.DOTALL)
_LONG_QUOTES = ('"""', "'''")


def key_lines(text: str) -> dict[Place, int]:
    """Give the line, from 1, on which each key and each table of a TOML file begins.

    Args:
        text: A file that could be read. Keys inside inline tables are not looked for.

    Returns:
        From the way to a key, such as `("data", "images")` or `("excluded", 0, "why")`, to its line.
    """
    found: dict[Place, int] = {}
    table: Place = ()
    n_of: Counter[Place] = Counter()
    for number, line in _outside_long_texts(text):
        if match := _ARRAY_OF_TABLES.match(line):
            name = _parts(match[1])
            table = (*name, n_of[name])
            n_of[name] += 1
            found.setdefault(name, number)
            found[table] = number
        elif match := _TABLE.match(line):
            table = _parts(match[1])
            found.setdefault(table, number)
        elif match := _PAIR.match(line):
            found.setdefault((*table, *_parts(match[1])), number)
    return found


def line_of(place: Place, lines: dict[Place, int]) -> int | None:
    """Give the line of a key, or of the nearest part around it that has one."""
    return next((lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in lines), None)


def _outside_long_texts(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that do not begin inside a text of several lines."""
    closing = ""
    for number, line in enumerate(text.split("\n"), 1):
        if closing:
            closing = "" if closing in line else closing
            continue
        yield number, line
        closing = _opened(line)


def _opened(line: str) -> str:
    """Give the quotes of a text that a line begins and does not end, or nothing."""
    match = _PAIR.match(line)
    value = match[2].lstrip() if match else ""
    quotes = next((quotes for quotes in _LONG_QUOTES if value.startswith(quotes)), "")
    return quotes if quotes and quotes not in value[len(quotes) :] else ""


def _parts(key: str) -> tuple[str, ...]:
    """Give the parts of a key, which may be dotted and quoted."""
    parts: list[str] = []
    inner: object = tomllib.loads(f"{key} = 0")
    while isinstance(inner, dict):
        name, inner = next(iter(inner.items()))
        parts.append(name)
    return tuple(parts)
