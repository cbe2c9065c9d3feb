"""Names of test photographs, without the folders that would tell their labels."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

HIDDEN = "*"
"""What stands for the folder of a class, so that a shell finds the file by the name that is shown."""


def sealed(ids: Sequence[str], splits: Sequence[str], classes: Collection[str]) -> list[str]:
    """Give ids that can be shown: those of test without the names of classes among their folders.

    Args:
        ids: [n], all different.
        splits: [n], where each lies.
        classes: Their names.

    Returns:
        [n], all different; test photographs that would be called the same bear numbers, drawn so that they do not
        tell the order of the classes.
    """
    shown = [
        without_classes(name, classes) if split == "test" else name for name, split in zip(ids, splits, strict=True)
    ]
    n_called = Counter(shown)
    alike = [row for row, name in enumerate(shown) if n_called[name] > 1]
    numbers: Counter[str] = Counter()
    for row in sorted(alike, key=lambda row: hashlib.sha256(ids[row].encode()).digest()):
        name = shown[row]
        numbers[name] += 1
        shown[row] = f"{name} ({numbers[name]})"
    return shown


def without_classes(name: str, classes: Collection[str]) -> str:
    """Hide the folders of a path that bear the name of a class."""
    path = PurePosixPath(name)
    hidden = [HIDDEN if part in classes else part for part in path.parts[:-1]]
    return str(PurePosixPath(*hidden, path.name)) if HIDDEN in hidden else name
