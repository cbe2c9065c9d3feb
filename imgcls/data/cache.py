"""The cache: photographs decoded once into files that runs and processes share, and arrays that are kept of them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt

from imgcls.data.decode import (
    DECODER_VERSION,
    Pixels,
    Preprocess,
    decode_with_size,
    depends_on_settings,
    max_pixels,
    read_photo,
    room_to_read,
)
from imgcls.data.files import PHOTOGRAPHS
from imgcls.errors import DataError, DecodeError, ImgclsError, nearest_hint
from imgcls.storage import DISK, FileLock, make_folder, remove_stale, write_bytes

POOL_SCHEMA = 1
FILE_INDEX_SCHEMA = 1
FEATURES = "features"
"""The folder of the features that looking at data computed; see `imgcls.eda.features`."""
FRONTS = "fronts"
"""The folder of what the frozen stages of networks made of photographs; see `imgcls.engine.front`."""
MEASURES = "measures"
"""The folder of what was measured of photographs; see `imgcls.eda.scan`."""
SETS = "sets"
"""The name in reports of all fetched sets together."""
Progress = Callable[[int, int], None]
_POOL_NAME = re.compile(r"(?P<name>.+)-[0-9a-f]{16}")
_PIXELS_NAME = re.compile(r"pixels\.[0-9a-f]{8}\.u8")
_N_SPOTS = 16
_MOST_THREADS = 16
_N_AT_ONCE = 256
_N_PER_COMMIT = 4096
_SPARE_BYTES = 1 << 26


@dataclass(frozen=True, eq=False)
class Photos:
    """Decoded photographs, read from the cache where they are there and decoded again where not.

    It can be pickled, and used in forked and spawned processes alike.
    """

    paths: tuple[str, ...]
    """The files, in the order they were passed in."""
    preprocess: Preprocess
    """How they are decoded."""
    sha256: list[str]
    """The digest of each file, "" where it could not be read."""
    reasons: dict[str, str]
    """From the path of each file that cannot be decoded to the reason."""
    sizes: npt.NDArray[np.int32]
    """int32 [n, 2], the width and height of the upright photographs in pixels, 0 where not decodable."""
    rows_in_pool: npt.NDArray[np.int64] = field(repr=False)
    """int64 [n], the record of each file, -1 where it has none."""
    pixels_path: Path = field(repr=False)
    """The file of the records."""
    n_threads: int = 1
    """How many files are decoded at once."""
    crc32: npt.NDArray[np.uint32] = field(repr=False, default_factory=lambda: np.zeros(0, np.uint32))
    """uint32 [n], the checksum of each file's record, 0 where it has none; may be empty where none has one."""

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def cached(self) -> bool:
        """Whether every photograph that can be decoded is in the cache."""
        return int((self.rows_in_pool < 0).sum()) == sum(path in self.reasons for path in self.paths)

    def pixels(self, rows: npt.NDArray[np.integer]) -> Pixels:
        """Return the pixels of photographs.

        A record is compared with its checksum when a process first uses it; a damaged one is decoded again.

        Args:
            rows: [b], positions in `paths`.

        Returns:
            uint8 [b, size_px, size_px, 3], RGB: a fresh contiguous copy.

        Raises:
            DataError: A photograph that is not in the cache cannot be decoded, or its file has changed.
        """
        wanted = np.asarray(rows, dtype=np.int64)
        side = self.preprocess.size_px
        batch = np.empty((len(wanted), side, side, 3), dtype=np.uint8)
        records = np.full(len(wanted), -1) if self._records is None else self.rows_in_pool[wanted]
        in_pool = records >= 0
        if self._records is not None:
            batch[in_pool] = self._records[records[in_pool]]
            for position in np.flatnonzero(in_pool & ~self._is_checked[wanted]):
                row = wanted[position]
                in_pool[position] = self._is_checked[row] = zlib.crc32(batch[position]) == self.crc32[row]
        others = np.flatnonzero(~in_pool)
        for position, pixels in zip(others, self._decoded(wanted[others]), strict=True):
            batch[position] = pixels
        return batch

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_records", "_is_checked")}

    @cached_property
    def _is_checked(self) -> npt.NDArray[np.bool_]:
        return np.zeros(len(self), dtype=bool)

    @cached_property
    def _records(self) -> np.memmap | None:
        """The records, mapped at first use; None where there are none, or where the pool was removed."""
        side = self.preprocess.size_px
        n_rows = int(self.rows_in_pool.max(initial=-1)) + 1
        if not n_rows:
            return None
        try:
            return np.memmap(self.pixels_path, dtype=np.uint8, mode="r", shape=(n_rows, side, side, 3))
        except (OSError, ValueError):
            return None

    def _decoded(self, rows: npt.NDArray[np.int64]) -> Iterator[Pixels]:
        if self.n_threads == 1 or len(rows) < 2:
            yield from map(self._decode, rows)
            return
        with ThreadPoolExecutor(self.n_threads) as threads:
            yield from threads.map(self._decode, rows)

    def _decode(self, row: int) -> Pixels:
        path = self.paths[row]
        if path in self.reasons:
            raise DataError(f"{path}: cannot be decoded ({self.reasons[path]}). Leave it out.")
        with room_to_read(Path(path)):
            try:
                content = read_photo(Path(path))
            except DecodeError as error:
                raise DataError(f"{path}: was there when the data were read, and now: {error}. Start again.") from error
            if hashlib.sha256(content).hexdigest() != self.sha256[row]:
                raise DataError(f"{path}: has changed since the data were read. Start again.")
            return decode_with_size(content, self.preprocess).pixels


def fill(
    paths: Sequence[str | Path],
    preprocess: Preprocess,
    *,
    folder: Path,
    name: str,
    budget_bytes: int,
    threads: int | None = None,
    progress: Progress | None = None,
    verify: bool = False,
) -> Photos:
    """Read, digest and decode photographs, each at most once as long as its file stays the same.

    Where the decoded photographs would exceed the budget or the disk, or the folder cannot be
    written, nothing is kept, and `Photos.pixels` decodes when asked: slower, with the same pixels.
    Other pools are removed, the least recently used first, where the budget asks for it.

    Args:
        paths: The files; one that cannot be decoded gets a reason and is no error.
        preprocess: How to decode.
        folder: The folder of the cache; made where it is missing.
        name: The name of the data set, for reports.
        budget_bytes: The most that all pools of the folder may take.
        threads: How many files to decode at once; None is the number of processors.
        progress: Called with the number of files done and of all.
        verify: Read and digest every file again, and check every record that is used.

    Raises:
        UsageError: IMGCLS_MAX_PIXELS is no number of pixels.
    """
    max_pixels()
    texts = tuple(str(Path(path).absolute()) for path in paths)
    root = os.path.realpath(os.path.commonpath([Path(path).parent for path in texts])) if texts else ""
    identity = hashlib.sha256(os.fsencode(f"{name}\n{preprocess.key}\n{root}")).hexdigest()[:16]
    filling = _Filling(
        paths=texts,
        preprocess=preprocess,
        folder=folder,
        pool_folder=folder / f"{slug(name)}-{identity}",
        budget_bytes=budget_bytes,
        n_threads=min(threads or os.cpu_count() or 1, _MOST_THREADS),
        index=FileIndex(folder, root),
        progress=progress or (lambda done, total: None),
        verify=verify,
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with lock_of(filling.pool_folder):
            return filling.run()
    except (OSError, ImgclsError):  # the folder cannot be written, or the disk is full
        return filling.run_without_writing()


@dataclass(frozen=True)
class _FileRead:
    """What reading a file gave."""

    known: Known | None
    """What the file is; None where it could not be read."""
    reason: str = ""
    """Why it cannot be used, or ""."""
    pixels: Pixels | None = None
    """uint8 [size_px, size_px, 3], where it had to be decoded."""


@dataclass(frozen=True)
class _Filling:
    """One call of `fill`."""

    paths: tuple[str, ...]
    """Absolute paths."""
    preprocess: Preprocess
    """How to decode."""
    folder: Path
    """The folder of the cache."""
    pool_folder: Path
    """The folder of the pool."""
    budget_bytes: int
    """The most that all pools may take."""
    n_threads: int
    """How many files to decode at once."""
    index: FileIndex
    """What is known of the files."""
    progress: Progress
    """Called with the number of files done and of all."""
    verify: bool
    """Whether to trust neither time stamps nor records."""

    def run(self) -> Photos:
        if self.pool_folder.is_dir():
            remove_stale(self.pool_folder)  # of a writer that was killed: what it wrote may not be written once more
        pool = Pool(self.pool_folder, self.preprocess)
        if self.verify and not pool.is_sound(range(len(pool.rows))):
            pool.reset()
        keep = self._make_room(pool)
        with pool:
            seen = self._read_all(pool, keep=keep)
        self.index.save()
        if pool.rows:
            pool.touch()
        return self._photos(pool, seen)

    def run_without_writing(self) -> Photos:
        pool = Pool(self.pool_folder, self.preprocess)
        return self._photos(pool, self._read_all(pool, keep=False))

    def _make_room(self, pool: Pool) -> bool:
        """Whether the photographs may be kept; removes other pools where that is what it takes."""
        known = [None if self.verify else self.index.unchanged(path) for path in self.paths]
        n_new = sum(entry is None or not (entry.reason or entry.sha256 in pool.row_of) for entry in known)
        if len(self.paths) * pool.n_record_bytes > self.budget_bytes and n_new:
            return False
        if pool.n_bytes + n_new * pool.n_record_bytes > self.budget_bytes and n_new:
            pool.reset()  # what others once needed of this pool leaves no room
            n_new = len(self.paths)
        n_needed = pool.n_bytes + n_new * pool.n_record_bytes
        others = [path for path in pool_folders(self.folder) if path != self.pool_folder]
        n_taken = sum(map(n_bytes_of, others))
        for path in others if n_new else []:
            if n_taken + n_needed <= self.budget_bytes:
                break
            n_taken -= remove(path)
        fits = n_taken + n_needed <= self.budget_bytes
        return not n_new or (fits and n_new * pool.n_record_bytes + _SPARE_BYTES < shutil.disk_usage(self.folder).free)

    def _read_all(self, pool: Pool, *, keep: bool) -> list[_FileRead]:
        """Read every file, in order; keep in the pool what was decoded."""
        seen: list[_FileRead] = []
        n_committed = len(pool.rows)
        with ThreadPoolExecutor(self.n_threads) as threads:
            for start in range(0, len(self.paths), _N_AT_ONCE):
                chunk = self.paths[start : start + _N_AT_ONCE]
                files = threads.map(lambda path: self._read_file(path, pool, keep=keep), chunk)
                for path, look in zip(chunk, files, strict=True):
                    self._note(path, look, pool if keep else None)
                    seen.append(_FileRead(look.known, look.reason))
                    self.progress(len(seen), len(self.paths))
                if keep and len(pool.rows) - n_committed >= _N_PER_COMMIT:
                    pool.commit()
                    n_committed = len(pool.rows)
        return seen

    def _read_file(self, path: str, pool: Pool, *, keep: bool) -> _FileRead:
        known = None if self.verify else self.index.unchanged(path)
        if known and (known.reason or not keep or known.sha256 in pool.row_of):
            return _FileRead(known, known.reason)
        with room_to_read(Path(path)):
            try:
                status = Path(path).stat()
                content = read_photo(Path(path))
            except DecodeError as error:
                return _FileRead(None, str(error))
            except (OSError, ValueError):
                return _FileRead(None, "missing, or a link to nothing")
            return self._decode(content, status, pool)

    def _decode(self, content: bytes, status: os.stat_result, pool: Pool) -> _FileRead:
        stamp = (status.st_size, status.st_mtime_ns, hashlib.sha256(content).hexdigest())
        row = pool.row_of.get(stamp[2])
        if row is not None:
            return _FileRead(Known(*stamp, pool.rows[row].width_px, pool.rows[row].height_px))
        try:
            decoded = decode_with_size(content, self.preprocess)
        except DecodeError as error:
            # the file may be good, and memory free next time, or an extra installed
            is_lasting = not isinstance(error.__cause__, MemoryError) and not depends_on_settings(str(error))
            return _FileRead(Known(*stamp, reason=str(error)) if is_lasting else None, str(error))
        return _FileRead(Known(*stamp, decoded.width_px, decoded.height_px), pixels=decoded.pixels)

    def _note(self, path: str, look: _FileRead, pool: Pool | None) -> None:
        if look.known is not None:
            self.index.add(path, look.known)
            if pool is not None and look.pixels is not None:
                pool.append(look.known.sha256, look.pixels, (look.known.width_px, look.known.height_px))

    def _photos(self, pool: Pool, seen: list[_FileRead]) -> Photos:
        digests = [look.known.sha256 if look.known else "" for look in seen]
        rows = [pool.row_of.get(digest, -1) for digest in digests]
        sizes = [(look.known.width_px, look.known.height_px) if look.known else (0, 0) for look in seen]
        return Photos(
            paths=self.paths,
            preprocess=self.preprocess,
            sha256=digests,
            reasons={path: look.reason for path, look in zip(self.paths, seen, strict=True) if look.reason},
            sizes=np.array(sizes, dtype=np.int32).reshape(len(seen), 2),
            rows_in_pool=np.array(rows, dtype=np.int64),
            pixels_path=pool.pixels_path,
            crc32=np.array([pool.rows[row].crc32 if row >= 0 else 0 for row in rows], dtype=np.uint32),
            n_threads=self.n_threads,
        )


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
            self.rows.append(Row(sha256, *size, zlib.crc32(record)))
            self.row_of[sha256] = len(self.rows) - 1  # last: other threads look here for rows that are there
        return self.row_of[sha256]

    def commit(self) -> None:
        """Make what was appended last: first the pixels, then the manifest that names them."""
        if self._file is None:
            return
        self._file.flush()
        DISK.fsync(self._file)
        _write_compact(
            self.folder / "manifest.json",
            {
                "schema": POOL_SCHEMA,
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
        """Start again, in another file."""
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
            manifest = _read_compact(self.folder / "manifest.json")
            rows = [Row(*row) for row in manifest["rows"]]
            name = manifest["pixels"]
            if not _PIXELS_NAME.fullmatch(name):  # before it becomes a path
                return
            n_held = (self.folder / name).stat().st_size // self.n_record_bytes
            fits = (manifest["schema"], manifest["key"]) == (POOL_SCHEMA, self.preprocess.key)
        except (OSError, ValueError, TypeError, KeyError):  # missing or damaged: it is only a cache
            return
        if fits and len(rows) == manifest["n_rows"] <= n_held:
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


_CHECKSUM = b',"crc32":'


def _write_compact(path: Path, value: dict[str, object]) -> None:
    """Write JSON without blanks, since each of many photographs may have a line, and its checksum as the last key."""
    make_folder(path.parent)
    body = json.dumps(value, separators=(",", ":")).encode("ascii")[:-1]
    write_bytes(path, b"%s%s%d}" % (body, _CHECKSUM, zlib.crc32(body)))


def _read_compact(path: Path) -> dict[str, Any]:
    """Read what `_write_compact` wrote; what was written before there was a checksum has none.

    Raises:
        OSError, ValueError: It is missing or damaged.
    """
    content = path.read_bytes()
    body, mark, checksum = content.rpartition(_CHECKSUM)
    if mark and checksum != b"%d}" % zlib.crc32(body):
        raise ValueError(f"{path} has another content than was written")
    try:
        value: dict[str, Any] = json.loads(content)
    except RecursionError as error:
        raise ValueError(f"{path} is nested too deeply") from error
    return value


def lock_of(pool_folder: Path) -> FileLock:
    """Return the lock of a pool, which lies beside it."""
    return FileLock(pool_folder.with_name(f"{pool_folder.name}.lock"))


def pool_folders(folder: Path) -> list[Path]:
    """Return the pools of a cache, the least recently used first; what is not ours is left out, and so are links."""
    if not folder.is_dir():
        return []
    named = [path for path in folder.iterdir() if _POOL_NAME.fullmatch(path.name) and not path.is_symlink()]
    found = [path for path in named if path.is_dir() and _is_ours(path)]
    return sorted(found, key=lambda path: (last_used(path), path.name))


def n_bytes_of(pool_folder: Path) -> int:
    """Return the size of the files of a pool."""
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
    """Return the name of the data set, as `slug` made it, that a pool was filled for."""
    match = _POOL_NAME.fullmatch(pool_folder.name)
    return match["name"] if match else ""


def last_used(pool_folder: Path) -> float:
    """Return the time stamp of the last use of a pool, 0 where it has no manifest."""
    manifest = pool_folder / "manifest.json"
    return manifest.stat().st_mtime if manifest.exists() else 0.0


def _own_files(pool_folder: Path) -> Iterator[Path]:
    if pool_folder.is_dir():
        for path in pool_folder.iterdir():
            if path.name.startswith(("manifest.json", ".manifest.json.")) or _PIXELS_NAME.fullmatch(path.name):
                yield path


def _is_ours(path: Path) -> bool:
    return len(list(path.iterdir())) == len(list(_own_files(path)))


@dataclass(frozen=True)
class Known:
    """A file as it was when it was read."""

    n_bytes: int
    """Its size."""
    mtime_ns: int
    """Its time stamp."""
    sha256: str
    """The digest of its content."""
    width_px: int = 0
    """The width of the upright photograph, 0 where it cannot be decoded."""
    height_px: int = 0
    """The height of the upright photograph, 0 where it cannot be decoded."""
    reason: str = ""
    """Why it cannot be decoded, or ""."""


class FileIndex:
    """The known files below a folder, kept in one small file of the cache."""

    def __init__(self, folder: Path, root: str) -> None:
        """Open the index; one that is missing or damaged is empty.

        Args:
            folder: The folder of the cache.
            root: The folder that all files lie in; paths in the index are relative to it.
        """
        digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
        self.path = folder / "files" / f"{digest}.json"
        self.root = root
        self._files = self._read()
        self._changed = False

    def unchanged(self, path: str) -> Known | None:
        """Return what is known of a file, if its size and time stamp are still the same."""
        known = self._files.get(self._name(path))
        try:
            status = Path(path).stat() if known else None
        except OSError:
            return None
        same = status is not None and known is not None and _stamp(status) == (known.n_bytes, known.mtime_ns)
        return known if same else None

    def add(self, path: str, known: Known) -> None:
        """Remember a file."""
        name = self._name(path)
        if self._files.get(name) != known:
            self._files[name] = known
            self._changed = True

    def save(self) -> None:
        """Write the index if anything was added."""
        if self._changed:
            files = {name: astuple(known) for name, known in self._files.items()}
            _write_compact(self.path, {"schema": FILE_INDEX_SCHEMA, "decoder": DECODER_VERSION, "files": files})
            self._changed = False

    def _name(self, path: str) -> str:
        return os.path.relpath(path, self.root)

    def _read(self) -> dict[str, Known]:
        try:
            stored = _read_compact(self.path)
            if (stored["schema"], stored["decoder"]) != (FILE_INDEX_SCHEMA, DECODER_VERSION):
                return {}
            known = {name: Known(*values) for name, values in stored["files"].items()}
            return {name: entry for name, entry in known.items() if not depends_on_settings(entry.reason)}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):  # it is only a cache
            return {}


def _stamp(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


@dataclass(frozen=True)
class ArrayFile:
    """Arrays by name in one file of the cache, beside others of its kind that may have to make room for it."""

    path: Path
    """The file, NPZ; need not exist."""

    def read(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays; none where the file is missing or damaged, as it is only a cache."""
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}  # of a zip, whose checksums are compared
            os.utime(self.path)
        except (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile):
            return {}
        return arrays

    def write(self, *, most_bytes: int, **arrays: npt.NDArray[Any]) -> None:
        """Replace the file in one step; where it cannot be written, it stays as it is.

        Args:
            most_bytes: What all files of the folder may take; the least recently used others are removed.
            **arrays: By name.
        """
        content = BytesIO()
        np.savez(content, **arrays)  # type: ignore[arg-type] # no array is called allow_pickle
        with suppress(OSError, ImgclsError):
            make_folder(self.path.parent)
            others = [(path, path.stat()) for path in self.path.parent.glob("*.npz*") if path != self.path]
            n_bytes = content.tell() + sum(status.st_size for _, status in others)
            for path, status in sorted(others, key=lambda entry: entry[1].st_mtime_ns):
                if n_bytes > most_bytes:
                    path.unlink(missing_ok=True)
                    n_bytes -= status.st_size
            write_bytes(self.path, content.getbuffer())


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


def cache_report(folder: Path) -> list[PoolInfo]:
    """Describe what a cache holds.

    Args:
        folder: The folder of the cache; need not exist.

    Returns:
        One entry for each pool, the most recently used first, one for the fetched sets and one for the photographs
        that stand in Parquet files, if there are any. No link in it is followed.
    """
    pools = [info for path in reversed(pool_folders(folder)) if (info := _pool(path)) is not None]
    return [*pools, *_sets(folder), *_photographs(folder)]


def clear(folder: Path, name: str | None = None) -> int:
    """Remove pools that no other process is filling, fetched sets, and the photographs of Parquet files.

    Nothing else is removed, and no link in it is followed.

    Args:
        folder: The folder of the cache; need not exist.
        name: The data set whose pools to remove, "sets" or "photographs"; None removes all, and what is known and
            was measured of photographs.

    Returns:
        The number of bytes freed.

    Raises:
        DataError: The cache holds nothing of that name.
    """
    pools = pool_folders(folder)
    wanted = None if name is None else slug(name)
    kept = {SETS: _sets_folder(folder), PHOTOGRAPHS: folder / PHOTOGRAPHS}
    names = {name_in(path) for path in pools} | {one for one, place in kept.items() if place.is_dir()}
    if wanted is not None and wanted not in names:
        raise DataError(f"The cache in {folder} holds nothing of {name!r}.{nearest_hint(wanted, sorted(names))}")
    freed = sum(remove(path) for path in pools if wanted in (None, name_in(path)))
    freed += sum(_remove_below(folder, place) for one, place in kept.items() if wanted in (None, one))
    if wanted is None:
        freed += _forget(folder / "files", "*.json")
        freed += sum(_forget(folder / part, "*.npz") for part in (MEASURES, FEATURES, FRONTS))
    return freed


def _pool(path: Path) -> PoolInfo | None:
    try:
        manifest = json.loads((path / "manifest.json").read_bytes())
        used = datetime.fromtimestamp(last_used(path), UTC)
        return PoolInfo(name_in(path), manifest["key"], manifest["n_rows"], n_bytes_of(path), used)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _sets(folder: Path) -> Iterator[PoolInfo]:
    root = _sets_folder(folder)
    if root.is_dir() and _is_inside(folder, root):
        files = _files_below(root)
        n_photos = sum(path.suffix == ".png" and not path.is_relative_to(root / "downloads") for path in files)
        used = datetime.fromtimestamp(root.stat().st_mtime, UTC)
        yield PoolInfo(SETS, "", n_photos, _n_bytes_below(root), used)


def _photographs(folder: Path) -> Iterator[PoolInfo]:
    root = folder / PHOTOGRAPHS
    if files := _files_below(root):
        n_photos = sum(path.suffix != ".json" for path in files)
        used = datetime.fromtimestamp(max(path.stat().st_mtime for path in files), UTC)
        yield PoolInfo(PHOTOGRAPHS, "", n_photos, _n_bytes_below(root), used)


def _sets_folder(folder: Path) -> Path:
    return folder / SETS / "torchvision"


def _remove_below(folder: Path, root: Path) -> int:
    """Remove a folder of the cache with all below it, and return the number of bytes freed."""
    if not _is_inside(folder, root):
        return 0
    n_before = _n_bytes_below(root)
    shutil.rmtree(root, ignore_errors=True)
    return n_before - _n_bytes_below(root)


def _forget(folder: Path, pattern: str) -> int:
    freed = 0
    for path in [] if folder.is_symlink() else folder.glob(pattern):
        freed += path.stat().st_size
        path.unlink()
    return freed


def _is_inside(folder: Path, root: Path) -> bool:
    """Whether no link leads from the folder of the cache to one below it."""
    between = (place for place in (root, *root.parents) if folder in place.parents)
    return not any(place.is_symlink() for place in between)


def _files_below(root: Path) -> list[Path]:
    """List the regular files below a folder; links count for nothing, and a folder that is one holds nothing."""
    if root.is_symlink():
        return []
    every = (Path(place, name) for place, _, names in os.walk(root, followlinks=False) for name in names)
    return [path for path in every if path.is_file() and not path.is_symlink()]


def _n_bytes_below(root: Path) -> int:
    return sum(path.stat().st_size for path in _files_below(root))
