"""What may be shown of the sealed part: names and paths of test without the folders that may tell a label."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import PurePosixPath

from imgcls.data.files import Excluded
from imgcls.data.folder import split_of
from imgcls.data.samples import Samples
from imgcls.text import as_utf8

HIDDEN = "*"
"""What stands for a folder that may tell a label of test, so that a shell finds the file by the name that is shown."""


def redacted_names(ids: Sequence[str], splits: Sequence[str], classes: Collection[str]) -> list[str]:
    """Return ids that can be shown: those of test without the folders that may tell a label.

    These are the folders of classes, and where folders name classes all that neither hold other samples nor say which
    part it is: a class that only test has is sealed like any other.

    Args:
        ids: [n], all different.
        splits: [n], where each lies.
        classes: Their names.

    Returns:
        [n], all different; test photographs that would be called the same bear numbers, drawn so that they do not
        tell the order of the classes.
    """
    is_test = [split == "test" for split in splits]
    is_shown = shown_folders([name for name, sealed in zip(ids, is_test, strict=True) if not sealed], classes)
    shown = [_redacted(name, is_shown) if sealed else name for name, sealed in zip(ids, is_test, strict=True)]
    return _numbered(shown, ids, lambda name, number: f"{name} ({number})")


def redacted_paths(samples: Samples) -> list[str]:
    """Return the paths of what is excluded, in its order, as UTF-8 that can be shown; all different."""
    frame = samples.frame
    used = [as_utf8(samples.relative(path)) for path in frame["path"][frame["split"] != "test"]]
    is_shown = shown_folders(used, samples.classes)
    paths = [as_utf8(entry.path) for entry in samples.excluded]
    shown = [
        _redacted(path, is_shown) if _is_of_test(entry) else path
        for path, entry in zip(paths, samples.excluded, strict=True)
    ]
    # the number stands with a folder, so that a path still ends in its suffix
    return _numbered(shown, paths, lambda name, number: name.replace(HIDDEN, f"{HIDDEN} ({number})", 1))


def _is_of_test(entry: Excluded) -> bool:
    if entry.sample is not None:
        return entry.sample.split == "test"
    return any(split_of(folder) == "test" for folder in folders_of(entry.path))


def _numbered(shown: Sequence[str], names: Sequence[str], form: Callable[[str, int], str]) -> list[str]:
    """Tell names apart that are shown alike, by numbers that do not tell the order of the names."""
    n_called, found = Counter(shown), list(shown)
    alike = [row for row, name in enumerate(shown) if n_called[name] > 1]
    numbers: Counter[str] = Counter()
    for row in sorted(alike, key=lambda row: hashlib.sha256(names[row].encode()).digest()):
        numbers[shown[row]] += 1
        found[row] = form(shown[row], numbers[shown[row]])
    return found


def _redacted(name: str, is_shown: Callable[[str], bool]) -> str:
    path = PurePosixPath(name)
    hidden = [part if is_shown(part) else HIDDEN for part in path.parts[:-1]]
    return str(PurePosixPath(*hidden, path.name)) if HIDDEN in hidden else name


def shown_folders(others: Iterable[str], classes: Iterable[str]) -> Callable[[str], bool]:
    """Tell which folders above photographs of test may be shown.

    Args:
        others: Paths of the samples outside test.
        classes: The classes of all.
    """
    sealed, known = frozenset(classes), {part for name in others for part in folders_of(name)}
    names_classes = not sealed.isdisjoint(known)  # only then may a folder that nobody else has be one more

    def is_shown(folder: str) -> bool:
        says_part = bool(split_of(folder)) or not folder.strip("/")
        return folder not in sealed and (folder in known or says_part or not names_classes)

    return is_shown


def folders_of(name: str) -> tuple[str, ...]:
    """Return the folders in a path, the outermost first."""
    return PurePosixPath(name).parts[:-1]
