"""How amounts, names and commands are written in facts, which hold plain text."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from itertools import islice

MOST_EXAMPLES = 8
PLACEHOLDER = "REASON"
"""What stands in commands where a person has to say why."""


def amount(n: int, word: str, plural: str = "") -> str:
    """Give a number with its noun: `1 image`, `2 images`, `2 classes`."""
    return f"{n:,} {word if n == 1 else plural or word + 's'}"


def some(names: Iterable[str]) -> tuple[str, ...]:
    """Give the first few names."""
    return tuple(islice(names, MOST_EXAMPLES))


def listed(names: Iterable[str]) -> str:
    """Write names in a sentence: at most `MOST_EXAMPLES` of them, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - MOST_EXAMPLES} more" if len(every) > MOST_EXAMPLES else ""
    return ", ".join(some(every)) + more


def apply_command(finding: str) -> str:
    """Give the command that applies a finding, as a shell takes it."""
    return f"imgcls eda apply {shlex.quote(finding)}"


def keep_command(finding: str) -> str:
    """Give the command that leaves a finding as it is, as a shell takes it."""
    return f"imgcls eda keep {shlex.quote(finding)} --why {PLACEHOLDER}"
