"""Patterns of paths: which photographs a glob names, and what stands at a place of their names.

A pattern is written like a name, with `*` for any letters of one part of a path, `?` for one of them, `**` for any
folders, `{number}` for digits, and `{label}`, `{group}` or `{split}` for the text that is taken:

    {label}.*           cat.0.jpg → cat
    *_{label}.*         0042_left.jpg → left
    {label}_{number}.*  great_dane_12.jpg → great_dane
    {group}_*           0042_left.jpg → 0042
    */{label}/**        color/rose/1.jpg → rose
    {split}/*/{label}/* train/train/sea/1.jpg → sea, of the part train

Without a slash it is about the name of the file, with one about its path from the root of the data. A text that is
taken is as short as it can be, and never holds a slash. What holds `(?P<` is a regular expression of the whole path.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import PurePosixPath

from imgcls.errors import DataError
from imgcls.text import listed

FIELDS = ("label", "group", "split")
_DIGITS = "number"
_USUAL = (
    *("{label}.*", "{label}_{number}.*", "{label}-{number}.*", "{label}.{number}.*", "{label} ({number}).*"),
    *("{label} {number}.*", "{label}{number}.*", "{number}_{label}.*", "{number}-{label}.*", "{label}__*"),
    *("{label}_*", "{label}-*", "{label} *", "*_{label}.*", "*-{label}.*"),
)
"""Patterns of names in which people put labels, the plainest first."""
_OF_CAMERAS = frozenset(
    re.findall(
        r"\w+",
        "img image images dsc dscn dscf dcim photo photos pic picture frame scan file p mvi pxl vid screenshot wp im "
        "sample train test val valid x",
    )
)

"""What stands at the beginning of a name and is no label."""
_ALL, _MOST_TRIED = 0.9, 5000
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
        if token[1] == _DIGITS:
            expression += r"\d+"
        elif token[1]:
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


def groups_from(pattern: str, paths: Sequence[str]) -> list[str]:
    """Return what stays together with each path, "" for a path that the pattern does not match.

    Args:
        pattern: See the module; it takes `{group}`.
        paths: Relative to the root of the data, with slashes.

    Raises:
        DataError: The pattern takes no group, or matches none of the paths.
    """
    check_pattern(pattern, option="--group-from", takes="group")
    found = [taken_from(pattern, path) for path in paths]
    if not any(found):
        raise DataError(_unmatched(pattern, paths, option="--group-from", takes="group"))
    return [match["group"] if match else "" for match in found]


def unmatched_label(pattern: str, paths: Sequence[str]) -> DataError:
    """Return the error that a pattern takes no label from any path, with the nearest pattern that does."""
    return DataError(_unmatched(pattern, paths, option="--label-from", takes="label"))


def label_pattern(paths: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """Find the pattern by which names hold labels.

    Args:
        paths: Relative to the root of the data.

    Returns:
        The pattern and its labels, the most frequent first; "" and none where the names hold no labels: nearly all
        match, and there are some labels, of several photographs each, that are words.
    """
    names = [PurePosixPath(path).name for path in paths]
    names = names[:: max(1, -(-len(names) // _MOST_TRIED))]
    for pattern in _USUAL:
        labels = Counter(match["label"] for match in (taken_from(pattern, name) for name in names) if match)
        n_words = sum(bool(re.search(r"[^\W\d_]", label)) for label in labels)
        several = sum(n for n in labels.values() if n > 1)
        if (
            several >= _ALL * len(names)
            and 1 < len(labels) <= len(names) / 3
            and 2 * n_words > len(labels)
            and not all(label.lower() in _OF_CAMERAS for label in labels)
            and not any(label != label.strip("_- .") for label in labels)
        ):
            return pattern, tuple(label for label, _ in labels.most_common())
    return "", ()


def _unmatched(pattern: str, paths: Sequence[str], *, option: str, takes: str) -> str:
    """Say that a pattern matches no path, show some, and name the nearest pattern that would."""
    best = label_pattern(paths)[0]
    depth = max(path.count("/") for path in paths)
    tried = (
        f"**/{pattern.lstrip('/')}",
        f"{pattern}.*",
        f"{pattern}/**",
        best,
        *("*/" * n + "{label}/**" for n in range(depth)),
    )
    near = next(
        (
            fitting
            for fitting in (one.replace("{label}", f"{{{takes}}}") for one in tried if one)
            if any(taken_from(fitting, path) for path in paths)
        ),
        "",
    )
    hint = f" {near!r} does." if near else ""
    return f"{option} {pattern!r} matches none of {len(paths)} names, such as {listed(map(repr, paths[:3]))}.{hint}"
