"""One pool of decoded photographs on disk: fixed records in one file, and a manifest that says what they are.

    <folder>/<name>-<key>.lock               held while the pool is filled or removed
    <folder>/<name>-<key>/manifest.json      its time stamp is when the pool was last used
    <folder>/<name>-<key>/pixels.<id>.u8     one record for each row of the manifest, and perhaps a torn tail

Records are only ever appended, and a pool that is made anew gets a file of another id, so that a
process that reads an older one never sees other pixels.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from imgcls.data.decode import Pixels, Preprocess
from imgcls.durable import FileLock

SCHEMA = 1

_POOL_NAME = re.compile(r"(?P<name>.+)-[0-9a-f]{16}")
_PIXELS_NAME = re.compile(r"pixels\.[0-9a-f]{8}\.u8")
_N_SPOTS = 16


@dataclass(frozen=True)
class Row:
    """What the manifest knows of one record."""

    sha256: str
    """Digest of the file that the pixels come from."""
    width_px: int
    """Width of the upright photograph before the resize."""
    height_px: int
    """Height of the upright photograph before the resize."""
    crc32: int
    """Checksum of the record."""


@dataclass(frozen=True)
class PoolInfo:
    """One line of the report on a cache."""

    name: str
    """The data set it was filled for."""
    key: str
    """The key of its preprocessing, "" for fetched sets."""
    n_photos: int
    """The number of different photographs."""
    n_bytes: int
    """The size of its files."""
    last_used: datetime
    """When it was last filled or read, UTC."""


class Pool:
    """The records of one preprocessing of one data set; to be filled under its lock only."""

    def __init__(self, folder: Path, preprocess: Preprocess) -> None:
        """Open a pool; one that is missing or damaged is empty.

        Args:
            folder: Where the pool lies; need not exist.
            preprocess: How its photographs were decoded.
        """
        self.folder = folder
        self.preprocess = preprocess
        self.n_record_bytes = preprocess.size_px * preprocess.size_px * 3
        self.rows: list[Row] = []
        self.pixels_name = ""
        self._file: BinaryIO | None = None
        self._read()
        self.row_of = {row.sha256: position for position, row in enumerate(self.rows)}

    @property
    def pixels_path(self) -> Path:
        """The file of the records."""
        return self.folder / self.pixels_name

    @property
    def n_bytes(self) -> int:
        """The size of the records that the manifest knows."""
        return len(self.rows) * self.n_record_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.commit()
        finally:
            self.close()

    def append(self, sha256: str, pixels: Pixels, size: tuple[int, int]) -> int:
        """Add a record and give its row; it counts only once it is committed."""
        if sha256 not in self.row_of:
            record = pixels.tobytes()
            self._open().write(record)
            self.row_of[sha256] = len(self.rows)
            self.rows.append(Row(sha256, *size, zlib.crc32(record)))
        return self.row_of[sha256]

    def commit(self) -> None:
        """Make what was appended last: first the pixels, then the manifest that names them."""
        if self._file is None:
            return
        self._file.flush()
        os.fsync(self._file.fileno())
        write_json(
            self.folder / "manifest.json",
            {
                "schema": SCHEMA,
                "key": self.preprocess.key,
                "preprocess": self.preprocess.to_json(),
                "pixels": self.pixels_name,
                "n_rows": len(self.rows),
                "rows": [[row.sha256, row.width_px, row.height_px, row.crc32] for row in self.rows],
            },
        )

    def touch(self) -> None:
        """Note that the pool is in use now."""
        os.utime(self.folder / "manifest.json")

    def close(self) -> None:
        """Close the file of the records."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def reset(self) -> None:
        """Start anew, in another file."""
        self.close()
        remove_files(self.folder)
        self.rows, self.row_of, self.pixels_name = [], {}, ""

    def is_sound(self, positions: Sequence[int]) -> bool:
        """Whether the records of these rows are what was written."""
        if not len(positions):
            return True
        records = np.memmap(self.pixels_path, dtype=np.uint8, mode="r", shape=(len(self.rows), self.n_record_bytes))
        return all(zlib.crc32(records[position]) == self.rows[position].crc32 for position in positions)

    def _read(self) -> None:
        try:
            manifest = json.loads((self.folder / "manifest.json").read_bytes())
            rows = [Row(*row) for row in manifest["rows"]]
            name = manifest["pixels"]
            n_held = (self.folder / name).stat().st_size // self.n_record_bytes
            fits = (manifest["schema"], manifest["key"]) == (SCHEMA, self.preprocess.key)
        except (OSError, ValueError, TypeError, KeyError):  # missing or damaged: it is only a cache
            return
        if fits and _PIXELS_NAME.fullmatch(name) and len(rows) == manifest["n_rows"] <= n_held:
            self.rows, self.pixels_name = rows, name
            spots = {round(spot) for spot in np.linspace(0, len(rows) - 1, _N_SPOTS)} if rows else set()
            if not self.is_sound(sorted(spots)):
                self.rows, self.pixels_name = [], ""

    def _open(self) -> BinaryIO:
        """Open the file of records behind the last row of the manifest, over a torn tail if there is one."""
        if self._file is None:
            if not self.pixels_name:
                remove_files(self.folder)
                self.folder.mkdir(parents=True, exist_ok=True)
                self.pixels_name = f"pixels.{secrets.token_hex(4)}.u8"
            self._file = self.pixels_path.open("r+b" if self.pixels_path.exists() else "xb")
            self._file.truncate(self.n_bytes)
            self._file.seek(self.n_bytes)
        return self._file


def write_json(path: Path, value: object) -> None:
    """Replace a file by JSON in one step; a crash leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(json.dumps(value, separators=(",", ":")).encode("ascii"))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def lock_of(pool_folder: Path) -> FileLock:
    """Return the lock of a pool, which lies beside it."""
    return FileLock(pool_folder.with_name(f"{pool_folder.name}.lock"))


def pool_folders(folder: Path) -> list[Path]:
    """Give the pools of a cache, the least recently used first; what is not ours is left out."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if _POOL_NAME.fullmatch(path.name) and path.is_dir() and _is_ours(path)]
    return sorted(found, key=lambda path: (last_used(path), path.name))


def n_bytes_of(pool_folder: Path) -> int:
    """Give the size of the files of a pool."""
    return sum(path.stat().st_size for path in pool_folder.iterdir())


def remove(pool_folder: Path) -> int:
    """Remove a pool unless it is being filled, and give the number of bytes freed."""
    lock = lock_of(pool_folder)
    try:
        if not lock.acquire(wait_seconds=0):
            return 0
        freed = n_bytes_of(pool_folder)
        remove_files(pool_folder)
        pool_folder.rmdir()
    except OSError:  # gone meanwhile
        return 0
    finally:
        lock.release()
    return freed


def remove_files(pool_folder: Path) -> None:
    """Remove the files of a pool; the manifest first, so that it never names what is gone."""
    for path in sorted(_own_files(pool_folder)):
        path.unlink(missing_ok=True)


def slug(name: str) -> str:
    """Make a name safe for a folder."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.")[:40] or "photos"


def name_in(pool_folder: Path) -> str:
    """Give the name of the data set, as `slug` made it, that a pool was filled for."""
    match = _POOL_NAME.fullmatch(pool_folder.name)
    return match["name"] if match else ""


def last_used(pool_folder: Path) -> float:
    """Give the time stamp of the last use of a pool, 0 where it has no manifest."""
    manifest = pool_folder / "manifest.json"
    return manifest.stat().st_mtime if manifest.exists() else 0.0


def _own_files(pool_folder: Path) -> Iterator[Path]:
    if pool_folder.is_dir():
        for path in pool_folder.iterdir():
            if path.name.startswith("manifest.json") or _PIXELS_NAME.fullmatch(path.name):
                yield path


def _is_ours(path: Path) -> bool:
    return len(list(path.iterdir())) == len(list(_own_files(path)))
