"""Text for people: names from data made harmless, numbers with their nouns, names in a sentence, durations.

And how a value that lies below the reports is shown: its view is named, and loaded when somebody looks.
"""

from __future__ import annotations

import importlib
import io
import re
import shlex
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, ClassVar

MOST_EXAMPLES = 8
"""How many names a sentence holds where nothing else is asked for."""
PLACEHOLDER = "REASON"
"""What stands in commands where a person has to say why."""

_WIDTH = 100
_HTML = '<pre style="font-family:monospace;line-height:1.25;white-space:pre">{code}</pre>'
# C0 and C1 controls could drive the terminal; the bidirectional ones could reorder what a person reads.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

# what OWASP lists for CSV injection, also in full width and after the blanks that are skipped
_FORMULA = re.compile("[ \u00a0\u3000]*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20|%]")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?")


class Viewed:
    """A value with a view in `imgcls.reports`, for a terminal (`rich.print`) and a notebook alike.

    The layers forbid the import of reports from below; the name of the view is therefore data, as the public names of
    `imgcls` are.
    """

    VIEW: ClassVar[str]
    """`module:class`; the class is called with the value and gives a renderable of rich."""

    def __rich__(self) -> Any:
        """Return the view of this value."""
        module, _, name = self.VIEW.partition(":")
        return getattr(importlib.import_module(module), name)(self)

    def _repr_html_(self) -> str:
        """Return the view as HTML, which a notebook shows; the text is escaped by rich."""
        from rich.console import Console

        console = Console(record=True, file=io.StringIO(), width=_WIDTH, highlight=False, emoji=False)
        console.print(self)
        return console.export_html(inline_styles=True, code_format=_HTML)


def clean(text: str, *, keep_lines: bool = False) -> str:
    """Return a text from data with its control characters written out, so that it can only be read.

    Args:
        text: File names, class names, messages.
        keep_lines: Whether line breaks stay.
    """

    def written_out(match: re.Match[str]) -> str:
        character = match.group()
        if keep_lines and character == "\n":
            return character
        return character.encode("unicode_escape").decode("ascii")

    return unicodedata.normalize("NFC", _CONTROLS.sub(written_out, as_utf8(text)))


def escaped(json_text: str) -> str:
    """Return JSON of the same value in which every control character is an escape; `json` leaves some of them."""
    return _CONTROLS.sub(lambda match: f"\\u{ord(match.group()):04x}", json_text)


def inert(text: str) -> str:
    """Return a text as a cell of CSV that no spreadsheet runs: an apostrophe before what it would take for a formula.

    One goes before what begins with an apostrophe itself, too, so that taking one away from every cell that begins with
    one gives all texts back. Numbers stay as they are.
    """
    return f"'{text}" if text.startswith("'") or (_FORMULA.match(text) and not _NUMBER.fullmatch(text)) else text


def look_alike(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the names that are one name to Unicode (NFKC), such as `é` as one character or as two, in groups."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(unicodedata.normalize("NFKC", name), []).append(name)
    return [tuple(group) for group in found.values() if len(group) > 1]


def as_utf8(text: str) -> str:
    """Return a text as a file of UTF-8 can hold it: bytes of a name that are no UTF-8 are written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def amount(n: int, word: str, plural: str = "") -> str:
    """Return a number with its noun: `1 image`, `2 images`, `2 classes`."""
    return f"{n:,} {word if n == 1 else plural or word + 's'}"


def kinds_of(reasons: Iterable[str]) -> dict[str, int]:
    """Return how many reasons there are of each kind, the most frequent first; what punctuation adds is cut."""
    return dict(Counter(re.split(r"[:;(]", reason, maxsplit=1)[0].strip() for reason in reasons).most_common())


def some(names: Iterable[str]) -> tuple[str, ...]:
    """Return the first few names."""
    return tuple(islice(names, MOST_EXAMPLES))


def listed(names: Iterable[str], most: int = MOST_EXAMPLES) -> str:
    """Write names in a sentence: the first of them, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def first_lines(lines: Sequence[str], most: int) -> list[str]:
    """Return the first lines, and one that says how many more there are."""
    return [*lines[:most], *([f"and {len(lines) - most} more"] if len(lines) > most else [])]


def apply_command(finding: str) -> str:
    """Return the command that applies a finding, as a shell takes it."""
    return f"imgcls eda apply {shlex.quote(finding)}"


def keep_command(finding: str) -> str:
    """Return the command that leaves a finding as it is, as a shell takes it."""
    return f"imgcls eda keep {shlex.quote(finding)} --why {PLACEHOLDER}"


def duration(seconds: float) -> str:
    """Return a duration as a person would say it: 45 s, 3 min, 2 h 5 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def with_between(text: str, begin: str, end: str, content: str) -> str:
    """Return a text with what stands between two marks written again.

    Args:
        text: The text; it holds both marks.
        begin: The first mark.
        end: The second.
        content: What is to stand between them.

    Raises:
        ValueError: A mark is missing.
    """
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"The page needs the marks {begin!r} and {end!r}.")
    return f"{before}{begin}\n{content}\n{end}{after}"
