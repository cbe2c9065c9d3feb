"""Find photographs on disk: in the same order everywhere, through links at most once, everything accounted for."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from imgcls.data.samples import Excluded
from imgcls.data.walk import IMAGE_SUFFIXES, TABLE_SUFFIXES, is_folder, is_hidden, is_image_name, visible_files

__all__ = [
    "IMAGE_SUFFIXES",
    "TABLE_SUFFIXES",
    "Listing",
    "is_hidden",
    "is_image_name",
    "list_images",
    "visible_folders",
]


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
    for entry, name in visible_files(root, skip=skip):
        if reason := _reason_to_exclude(entry):
            excluded.append(Excluded(name, reason))
        else:
            images.append(name)
    return Listing(tuple(sorted(images)), tuple(sorted(excluded, key=lambda entry: entry.path)))


def visible_folders(root: Path, *, skip: Collection[str] = ()) -> list[Path]:
    """Give the folders directly inside a folder that are not hidden, in order of code point."""
    entries = (entry for entry in root.iterdir() if not is_hidden(entry.name) and entry.name not in skip)
    return sorted((entry for entry in entries if entry.is_dir()), key=lambda entry: entry.name)


def _reason_to_exclude(entry: os.DirEntry[str]) -> str:
    if is_folder(entry):
        return "link to a folder that was read already"
    if not is_image_name(entry.name):
        return "not an image, by its suffix"
    try:
        return "" if entry.is_file() else _what_else(entry)
    except OSError:
        return "link that leads to itself"


def _what_else(entry: os.DirEntry[str]) -> str:
    return "link to nothing" if entry.is_symlink() and not Path(entry.path).exists() else "not a regular file"
