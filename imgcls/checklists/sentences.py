"""Sentences of the checklist in two languages: written in English where they are made, looked up in Korean.

As with gettext, the English template is what a translation is found by; `korean.toml` holds them. What a template is
filled with (runs, stacks, files, numbers, commands) stays as it is, unless it is such a text itself.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Self

from imgcls.text import MOST_EXAMPLES


class Said(str):
    """An English text that knows itself in Korean; in every other way the text that it is."""

    korean: str
    """The same in Korean."""

    def __new__(cls, english: str, korean: str | None = None) -> Self:
        """Return a text; one of facts alone, such as the name of a file, is the same in both languages."""
        text = super().__new__(cls, english)
        text.korean = english if korean is None else korean
        return text


def in_language(text: str, lang: str) -> str:
    """Return a text in a language, `en` or `ko`; one that knows no other is the same in both."""
    return text.korean if lang == "ko" and isinstance(text, Said) else str(text)


def said(sentence: str, /, **facts: object) -> Said:
    """Fill in a sentence in both languages.

    Args:
        sentence: The English template, written out in the call: a test collects them there.
        facts: Its fields.
    """
    korean = {name: fact.korean if isinstance(fact, Said) else fact for name, fact in facts.items()}
    return Said(sentence.format_map(facts), _korean()["sentences"].get(sentence, sentence).format_map(korean))


def word(name: str) -> Said:
    """Return a word of those that there are few of: a metric, a verdict, the role of a file."""
    return Said(name, _korean()["words"].get(name, name))


def quoted(text: object) -> Said:
    """Return what was said elsewhere, in a file or by an error, recognized by its template.

    Of several lines each is one, of several faults with semicolons too, and so is what stands in a field.
    """
    english = str(text)
    return Said(english, "\n".join(map(_recognized, english.split("\n"))))


def _recognized(text: str) -> str:
    if text.startswith(_OF_A_LIST):
        return f"{_OF_A_LIST}{_recognized(text.removeprefix(_OF_A_LIST))}"
    for pattern, korean in _quotable():
        if found := pattern.fullmatch(text):
            return korean.format_map({name: _recognized(part) for name, part in found.groupdict().items()})
    return "; ".join(map(_recognized, text.split("; "))) if "; " in text else text


_OF_A_LIST = "  - "
"""What begins a line of an error that holds several."""


@cache
def _quotable() -> list[tuple[re.Pattern[str], str]]:
    known = _korean()
    return [(re.compile(_pattern(text)), korean) for text, korean in {**known["quoted"], **known["errors"]}.items()]


def joined(texts: Iterable[str], separator: str = ", ") -> Said:
    """Join texts, which are facts or know their Korean."""
    every = list(texts)
    return Said(separator.join(every), separator.join(in_language(text, "ko") for text in every))


def listed(texts: Iterable[str]) -> Said:
    """Write names in a sentence, as `imgcls.text.listed` does: the first of them, and how many more there are."""
    every = list(texts)
    shown, n = joined(every[:MOST_EXAMPLES]), len(every) - MOST_EXAMPLES
    return said("{names} and {n} more", names=shown, n=n) if n > 0 else shown


@cache
def _korean() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads((files("imgcls.checklists") / "korean.toml").read_text(encoding="utf-8"))


def _pattern(template: str) -> str:
    """Return the regular expression of the texts that a template without formats gives."""
    return "".join(
        re.escape(text) + (f"(?P<{field}>.+?)" if field else "") for text, field, _, _ in Formatter().parse(template)
    )
