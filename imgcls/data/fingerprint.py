"""What data look like from outside, so that it is known whether they changed without reading them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from imgcls.data.walk import TABLE_SUFFIXES, is_hidden, is_image_name, visible_files

MOST_TABLE_BYTES = 64_000_000
"""Tables up to this size count with their content, larger ones with size and time stamp."""

_NO_TEST = "none"


@dataclass(frozen=True)
class _Places:
    """Where data lie."""

    photographs: Path
    """The folder with the photographs below it."""
    home: Path
    """The folder with the tables directly in it."""
    table: str = ""
    """The name of the one table that was named; "" where a folder was."""


def data_fingerprint(
    data: object = None,
    *,
    images: str | Path | None = None,
    test: str | Path | None = None,
    skip: Collection[str] = (),
    sets: Path | None = None,
) -> str | None:
    """Give a digest of what data look like without being read.

    Equal fingerprints mean the same relative paths, sizes and time stamps of all photographs, and the
    same content of all tables that may hold labels or list the test part. It depends neither on where
    the data lie nor on the order of folders. No photograph is opened, so that a change that keeps size
    and time stamp is not seen; links are followed as reading follows them, each folder once.

    Args:
        data: A folder, a table, `elpv` or None for the default data, or `torchvision:NAME`.
        images: For a table: the folder of its photographs; files that it names elsewhere are not looked at.
        test: The table that lists the test part; None or `none` for no other than the one beside the data.
        skip: Names directly inside a folder of photographs or tables that are no data.
        sets: The folder in which fetched sets of torchvision are kept.

    Returns:
        64 hexadecimal digits; None where it cannot be known: for a frame, a set of fastai, a set that was
        not fetched yet, and what is not there or may not be listed.
    """
    try:
        places = _places_of(data, images=images, sets=sets)
        if places is None:
            return None
        lines = sorted([*_looks(places, skip), *_test_looks(places, test, skip)])
    except OSError:
        return None
    return hashlib.sha256(b"\0\0".join(lines)).hexdigest()


def content_digest(path: Path) -> str:
    """Give a digest of what a table holds; of a large one, size and time stamp. Only regular files are opened.

    Raises:
        OSError: It is not there, or cannot be read.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    if status.st_size > MOST_TABLE_BYTES:
        return _stamp(status)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _places_of(data: object, *, images: str | Path | None, sets: Path | None) -> _Places | None:
    """Find out where data lie; None where that is not known."""
    root = _root_of(data, sets)
    if root is None:
        return None
    table = ""
    if root.suffix.lower() in TABLE_SUFFIXES and root.is_file():
        root, table = root.absolute().parent, root.name
    if not root.is_dir():
        return None
    if images is None:
        return _Places(root, root, table)
    folder = next((path for path in (Path(images), root / images) if path.is_dir()), None)
    return _Places(folder, root, table) if folder else None


def _root_of(data: object, sets: Path | None) -> Path | None:
    if data is None:
        return _elpv_folder()
    if not isinstance(data, str | Path):
        return None
    text = str(data)
    if text == "elpv":
        return _elpv_folder()
    library, colon, name = text.partition(":")
    if colon and library in ("torchvision", "fastai"):
        return sets / library / name if sets and library == "torchvision" else None
    return Path(text).expanduser()


def _elpv_folder() -> Path | None:
    """Find the data of the package elpv-dataset without importing it."""
    spec = importlib.util.find_spec("elpv_dataset")
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) / "data" if places else None


def _looks(places: _Places, skip: Collection[str]) -> Iterator[bytes]:
    """Describe every photograph, and every table that may tell of them."""
    yield from _photographs(places.photographs, skip, kind="photograph")
    for name in _tables(places, skip):
        yield _line("table", name, content_digest(places.home / name))


def _photographs(folder: Path, skip: Collection[str], *, kind: str) -> Iterator[bytes]:
    for entry, name in visible_files(folder, skip=skip):
        if is_image_name(name):
            yield _line(kind, name, _state_of(entry))


def _tables(places: _Places, skip: Collection[str]) -> list[str]:
    """List the tables that reading could turn to: that of the labels, or what may be it, and the test list beside."""
    with os.scandir(places.home) as entries:
        names = {entry.name for entry in entries if not is_hidden(entry.name) and entry.name not in skip}
    tables = {name: PurePosixPath(name).stem.lower() for name in names if _is_table_name(name)}
    labels = places.table or ("train.csv" if "train.csv" in tables else "")
    if labels:
        return sorted({labels, *(name for name, stem in tables.items() if stem == "test")})
    return sorted(name for name, stem in tables.items() if "submission" not in stem)


def _is_table_name(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in TABLE_SUFFIXES


def _test_looks(places: _Places, test: str | Path | None, skip: Collection[str]) -> Iterator[bytes]:
    """Describe a test list that was named, and the photographs below it where it lies apart from the others."""
    if test is None or str(test) == _NO_TEST:
        return
    found = next((path for path in (Path(test).expanduser(), places.home / test) if path.is_file()), None)
    yield _line("test", "", content_digest(found) if found else "missing")
    if found and places.photographs == places.home and not found.resolve().is_relative_to(places.home.resolve()):
        yield from _photographs(found.parent, skip, kind="test")


def _state_of(entry: os.DirEntry[str]) -> str:
    """Give size and time stamp of a file, or what it is instead."""
    try:
        status = entry.stat()
    except OSError:  # a link to nothing, or to itself
        return "unreachable"
    return _stamp(status) if stat.S_ISREG(status.st_mode) else "not a regular file"


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns}"


def _line(kind: str, name: str, state: str) -> bytes:
    """Join what no name of a file can hold between, so that no two looks give the same line."""
    return b"\0".join((kind.encode(), os.fsencode(name), state.encode()))
