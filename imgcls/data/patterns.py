"""Patterns of paths: which photographs a glob names, and what stands at a place of their names.

A pattern is written like a name, with `*` for any letters of one part of a path, `?` for one of them, `**` for any
folders, and `{label}`, `{group}` or `{split}` for the text that is taken:

    {label}.*           cat.0.jpg → cat
    *_{label}.*         0042_left.jpg → left
    {group}_*           0042_left.jpg → 0042
    */{label}/**        color/rose/1.jpg → rose
    {split}/*/{label}/* train/train/sea/1.jpg → sea, of the part train

Without a slash it is about the name of the file, with one about its path from the root of the data. A text that is
taken is as short as it can be, and never holds a slash. What holds `(?P<` is a regular expression of the whole path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import PurePosixPath

from imgcls.errors import DataError

FIELDS = ("label", "group", "split")
_TOKEN = re.compile(r"\*\*/|/\*\*$|\*\*|\*|\?|\{([a-z]+)\}")


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Return the regular expression that a pattern means.

    Raises:
        DataError: It takes something that is not known, takes it twice, or is no regular expression.
    """
    if "(?P<" in pattern:
        try:
            return re.compile(pattern)
        except re.error as error:
            raise DataError(f"{pattern!r} is no regular expression ({error}).") from error
    expression, end, taken = "", 0, []
    for token in _TOKEN.finditer(pattern):
        expression += re.escape(pattern[end : token.start()])
        end = token.end()
        if token[1]:
            taken.append(token[1])
            expression += f"(?P<{token[1]}>[^/]+?)" if taken.count(token[1]) == 1 else ""
        else:
            expression += {"**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}[token[0]]
    expression += re.escape(pattern[end:])
    unknown = [name for name in taken if name not in FIELDS or taken.count(name) > 1]
    if unknown:
        raise DataError(
            f"{pattern!r}: {{{unknown[0]}}} cannot stand there. Write {{label}}, {{group}} or {{split}} once."
        )
    return re.compile(expression, re.DOTALL)


def taken_from(pattern: str, path: str) -> dict[str, str] | None:
    """Return what stands in a path at the places that a pattern names; None where it does not match.

    Args:
        pattern: See the module.
        path: Relative to the root of the data, with slashes.
    """
    subject = path if "/" in pattern or "(?P<" in pattern else PurePosixPath(path).name
    match = compiled(pattern).fullmatch(subject)
    return None if match is None else {name: text or "" for name, text in match.groupdict().items()}


def check_pattern(pattern: str, *, option: str, takes: str) -> None:
    """Refuse a pattern that does not take what its option is for.

    Raises:
        DataError: It does not.
    """
    if takes not in compiled(pattern).groupindex:
        raise DataError(
            f"{option} {pattern!r} takes no {takes}: write {{{takes}}} where it stands, such as "
            f"{'*_{' + takes + '}.*'!r} for 0042_left.jpg."
        )


def matches_any(path: str, globs: Iterable[str]) -> bool:
    """Whether one of several globs names a path; a glob of a folder names all below it."""
    return any(
        compiled(glob).fullmatch(path if "/" in glob else PurePosixPath(path).name)
        or compiled(f"{glob.rstrip('/')}/**").fullmatch(path)
        for glob in globs
    )
