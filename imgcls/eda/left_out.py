"""Photographs that are there and not used, with the reason: those that no table names, or that nobody can read."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import PurePosixPath

from imgcls.data.samples import Excluded
from imgcls.data.walk import is_image_name
from imgcls.eda.facts import Facts, Finding, LeftOut
from imgcls.eda.wording import amount, listed, some

UNREAD_SUFFIXES = frozenset(
    {".heic", ".heif", ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".jxl", ".tga", ".psd"}
)
"""Of photographs in forms that are not read; a phone's are the most frequent ones."""


def left_out(excluded: Iterable[Excluded], *, told: Collection[str], decided: Collection[str]) -> tuple[LeftOut, ...]:
    """Gather by reason what is a photograph by its name and not used, the most frequent reason first.

    Args:
        excluded: What the data set leaves out.
        told: Paths that are told elsewhere, as those of broken files.
        decided: Reasons that findings.toml gives, which are told as findings.
    """
    paths: dict[str, list[str]] = {}
    for entry in excluded:
        suffix = PurePosixPath(entry.path).suffix.lower()
        if suffix in UNREAD_SUFFIXES:
            paths.setdefault(f"{suffix} files are not read", []).append(entry.path)
        elif is_image_name(entry.path) and entry.path not in told and entry.reason not in decided:
            paths.setdefault(entry.reason, []).append(entry.path)
    found = (LeftOut(reason=reason, n=len(names), examples=some(sorted(names))) for reason, names in paths.items())
    return tuple(sorted(found, key=lambda entry: (-entry.n, entry.reason)))


def find_left_out(facts: Facts) -> list[Finding]:
    """Tell of photographs that are not used."""
    if not facts.left_out:
        return []
    n = sum(entry.n for entry in facts.left_out)
    return [
        Finding(
            id="left_out",
            severity="note",
            title=f"{amount(n, 'photograph')} in the folder not used: "
            f"{listed(f'{entry.n:,} {entry.reason}' for entry in facts.left_out)}.",
            n=n,
            examples=some(name for entry in facts.left_out for name in entry.examples),
            advice="If they belong to the data, name them in the table, move them into a folder of a class, or save "
            "them as JPEG or PNG.",
            command=None,
        )
    ]
