"""Find photographs on disk: in the same order everywhere, through links at most once, everything accounted for."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from imgcls.data.samples import Excluded

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm"}
)
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".parquet"})

_SYSTEM_NAMES = frozenset({"__macosx", "thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class Listing:
    """What lies below a folder."""

    images: tuple[str, ...]
    """The image files, by suffix: relative posix paths in order of code point."""
    excluded: tuple[Excluded, ...]
    """Everything else that is not hidden, with the reason."""


def list_images(root: Path, *, skip: Collection[str] = ()) -> Listing:
    """List the image files below a folder.

    Hidden files and folders and those of operating systems are passed over in silence. Links to
    files count as files. A link to a folder is followed unless that folder was read already, so
    that loops end; real folders come first.

    Args:
        root: The folder.
        skip: Names of folders directly inside it that are not entered.
    """
    images: list[str] = []
    excluded: list[Excluded] = []
    for entry, name in _entries(root, skip):
        if reason := _reason_to_exclude(entry):
            excluded.append(Excluded(name, reason))
        else:
            images.append(name)
    return Listing(tuple(sorted(images)), tuple(sorted(excluded, key=lambda entry: entry.path)))


def is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden, or kept by an operating system for itself."""
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def is_image_name(name: str) -> bool:
    """Whether a name has the suffix of an image."""
    return PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES


def visible_folders(root: Path, *, skip: Collection[str] = ()) -> list[Path]:
    """Give the folders directly inside a folder that are not hidden, in order of code point."""
    entries = (entry for entry in root.iterdir() if not is_hidden(entry.name) and entry.name not in skip)
    return sorted((entry for entry in entries if entry.is_dir()), key=lambda entry: entry.name)


def _entries(root: Path, skip: Collection[str]) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Yield every visible file below a folder with its relative name, and every link not followed."""
    seen: set[str] = set()
    folders = [(str(root), "")]
    links: list[tuple[os.DirEntry[str], str]] = []
    while folders or links:
        if not folders:
            entry, name = links.pop(0)
            if os.path.realpath(entry.path) in seen:
                yield entry, name
                continue
            folders.append((entry.path, f"{name}/"))
        folder, prefix = folders.pop()
        seen.add(os.path.realpath(folder))
        for entry in _scan(folder):
            if is_hidden(entry.name) or (not prefix and entry.name in skip):
                continue
            name = prefix + entry.name
            if not _is_folder(entry):
                yield entry, name
            elif entry.is_symlink():
                links.append((entry, name))
            else:
                folders.append((entry.path, f"{name}/"))


def _scan(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _reason_to_exclude(entry: os.DirEntry[str]) -> str:
    if _is_folder(entry):
        return "link to a folder that was read already"
    if not is_image_name(entry.name):
        return "not an image, by its suffix"
    try:
        return "" if entry.is_file() else _what_else(entry)
    except OSError:
        return "link that leads to itself"


def _what_else(entry: os.DirEntry[str]) -> str:
    return "link to nothing" if entry.is_symlink() and not Path(entry.path).exists() else "not a regular file"
