"""Files that cannot be used, by the kind of trouble."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from imgcls.data.samples import Excluded
from imgcls.eda.facts import BrokenFile

_KINDS = {
    "empty file": "empty",
    "truncated": "truncated",
    "not an image": "not an image",
    "a Git LFS pointer": "not an image",
    "a web page": "not an image",
    "too many pixels": "too many pixels",
    "file too large": "file too large",
    "permission denied": "permission denied",
    "missing": "missing",
    "gone meanwhile": "missing",
    "changed while it was read": "changed",
    "link to nothing": "missing",
    "not a regular file": "not a regular file",
    "link that leads to itself": "missing",
    "cannot be read": "not readable",
    "not enough memory": "not enough memory",
    "values from": "unsupported",
    "damaged": "damaged",
}
"""From how a reason begins to its kind."""
_NO_FILES = frozenset({"link to nothing", "link that leads to itself", "not a regular file"})


def broken_files(reasons: Mapping[str, str], excluded: Iterable[Excluded]) -> tuple[BrokenFile, ...]:
    """List the files that cannot be used, in order of path.

    Args:
        reasons: From the path of each file that could not be read or decoded, relative to the root, to the reason.
        excluded: What the listing of the data set left out; of these only what bears the name of a photograph and is
            no file is broken, the others are no photographs of the data set.
    """
    no_files = {entry.path: entry.reason for entry in excluded if entry.reason in _NO_FILES}
    every = sorted({**no_files, **reasons}.items())
    return tuple(BrokenFile(path=path, kind=kind_of(reason), reason=reason) for path, reason in every)


def kind_of(reason: str) -> str:
    """Give the kind of trouble that a reason of the decoder or of a source tells of, a word or two."""
    kinds = (kind for start, kind in _KINDS.items() if reason.startswith(start))
    found = next(kinds, "other")
    return "unsupported" if found == "damaged" and _names_what_is_missing(reason) else found


def _names_what_is_missing(reason: str) -> bool:
    text = reason.lower()
    return any(words in text for words in ("unsupported", "not supported", "unknown compression", "not available"))
