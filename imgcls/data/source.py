"""How data that were named on the command line are named again, in commands that people are advised to type."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_FLAGS = {
    "images": "--images",
    "label": "--label",
    "id": "--id",
    "group": "--group",
    "split": "--split",
    "delimiter": "--delimiter",
    "problem_type": "--type",
    "test": "--test",
    "valid": "--valid",
    "split_seed": "--split-seed",
}
"""Field of a `DataSource` → the option that sets it."""


def data_argument(reading: Mapping[str, Any]) -> str:
    """Name data for a command that takes them in place, as a shell takes it, with a blank before each word.

    Args:
        reading: The fields of a `DataSource` that were said; nothing else has to be repeated.
    """
    return "".join(f" {word}" for word in (*_named(reading), *_options(reading)))


def data_option(reading: Mapping[str, Any]) -> str:
    """Name data for a command that takes them as an option; see `data_argument`."""
    named = (f"--data {word}" for word in _named(reading))
    return "".join(f" {word}" for word in (*named, *_options(reading)))


def set_options(overrides: Mapping[str, Any]) -> str:
    """Write plan paths that were set by hand on a base as options, with a blank before each."""
    return "".join(f" --set {shlex.quote(f'{path}={value}')}" for path, value in overrides.items())


def _named(reading: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(reading.get("data"), str | Path):  # a frame in memory has no name
        yield shlex.quote(str(reading["data"]))


def _options(reading: Mapping[str, Any]) -> Iterator[str]:
    for field, flag in _FLAGS.items():
        value = reading.get(field)
        if value not in (None, 0, ""):
            values = value if isinstance(value, list | tuple) else [value]
            yield from (f"{flag} {shlex.quote(str(one))}" for one in values)
