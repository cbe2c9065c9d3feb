"""Decode every photograph once: pixels at their final size, in a file that epochs, runs and processes share."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from imgcls.data.decode import Pixels, Preprocess, decode_with_size, read_photo
from imgcls.data.file_index import FileIndex, Known
from imgcls.data.kept import cache_report, clear
from imgcls.data.pool import Pool, PoolInfo, lock_of, n_bytes_of, pool_folders, remove, slug
from imgcls.errors import DataError, DecodeError

__all__ = ["Photos", "PoolInfo", "cache_report", "clear", "fill"]

Progress = Callable[[int, int], None]

_MOST_THREADS = 16
_N_AT_ONCE = 256
_N_PER_COMMIT = 4096
_SPARE_BYTES = 1 << 26


@dataclass(frozen=True)
class _Seen:
    """What one look at a file gave."""

    known: Known | None
    """What the file is; None where it could not be read."""
    reason: str = ""
    """Why it cannot be used, or ""."""
    pixels: Pixels | None = None
    """uint8 [size_px, size_px, 3], where it had to be decoded."""


@dataclass(frozen=True, eq=False)
class Photos:
    """Decoded photographs, read from the cache where they are there and decoded anew where not.

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

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def cached(self) -> bool:
        """Whether every photograph that can be decoded is in the cache."""
        return int((self.rows_in_pool < 0).sum()) == sum(path in self.reasons for path in self.paths)

    def pixels(self, rows: npt.NDArray[np.integer]) -> Pixels:
        """Give the pixels of photographs.

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
        others = np.flatnonzero(~in_pool)
        for position, pixels in zip(others, self._decoded(wanted[others]), strict=True):
            batch[position] = pixels
        return batch

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_records"}

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
        try:
            content = read_photo(Path(path))
        except DecodeError as error:
            raise DataError(f"{path}: was there when the data were read, and now: {error}. Start again.") from error
        if _sha256(content) != self.sha256[row]:
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
    """
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
    except OSError:  # the folder cannot be written, or the disk is full
        return filling.run_without_writing()


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
        pool = Pool(self.pool_folder, self.preprocess)
        if self.verify and not pool.is_sound(range(len(pool.rows))):
            pool.reset()
        keep = self._make_room(pool)
        with pool:
            seen = self._look(pool, keep=keep)
        self.index.save()
        if pool.rows:
            pool.touch()
        return self._photos(pool, seen)

    def run_without_writing(self) -> Photos:
        pool = Pool(self.pool_folder, self.preprocess)
        return self._photos(pool, self._look(pool, keep=False))

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

    def _look(self, pool: Pool, *, keep: bool) -> list[_Seen]:
        """Look at every file, in order; keep in the pool what was decoded."""
        seen: list[_Seen] = []
        n_committed = len(pool.rows)
        with ThreadPoolExecutor(self.n_threads) as threads:
            for start in range(0, len(self.paths), _N_AT_ONCE):
                chunk = self.paths[start : start + _N_AT_ONCE]
                looks = threads.map(lambda path: self._look_at(path, pool, keep=keep), chunk)
                for path, look in zip(chunk, looks, strict=True):
                    self._note(path, look, pool if keep else None)
                    seen.append(_Seen(look.known, look.reason))
                    self.progress(len(seen), len(self.paths))
                if keep and len(pool.rows) - n_committed >= _N_PER_COMMIT:
                    pool.commit()
                    n_committed = len(pool.rows)
        return seen

    def _look_at(self, path: str, pool: Pool, *, keep: bool) -> _Seen:
        known = None if self.verify else self.index.unchanged(path)
        if known and (known.reason or not keep or known.sha256 in pool.row_of):
            return _Seen(known, known.reason)
        try:
            status = Path(path).stat()
            content = read_photo(Path(path))
        except DecodeError as error:
            return _Seen(None, str(error))
        except (OSError, ValueError):
            return _Seen(None, "missing, or a link to nothing")
        return self._decode(content, status, pool)

    def _decode(self, content: bytes, status: os.stat_result, pool: Pool) -> _Seen:
        stamp = (status.st_size, status.st_mtime_ns, _sha256(content))
        row = pool.row_of.get(stamp[2])
        if row is not None:
            return _Seen(Known(*stamp, pool.rows[row].width_px, pool.rows[row].height_px))
        try:
            decoded = decode_with_size(content, self.preprocess)
        except DecodeError as error:
            is_lasting = not isinstance(error.__cause__, MemoryError)  # the file may be good, and memory free next time
            return _Seen(Known(*stamp, reason=str(error)) if is_lasting else None, str(error))
        return _Seen(Known(*stamp, decoded.width_px, decoded.height_px), pixels=decoded.pixels)

    def _note(self, path: str, look: _Seen, pool: Pool | None) -> None:
        if look.known is not None:
            self.index.add(path, look.known)
            if pool is not None and look.pixels is not None:
                pool.append(look.known.sha256, look.pixels, (look.known.width_px, look.known.height_px))

    def _photos(self, pool: Pool, seen: list[_Seen]) -> Photos:
        digests = [look.known.sha256 if look.known else "" for look in seen]
        sizes = [(look.known.width_px, look.known.height_px) if look.known else (0, 0) for look in seen]
        return Photos(
            paths=self.paths,
            preprocess=self.preprocess,
            sha256=digests,
            reasons={path: look.reason for path, look in zip(self.paths, seen, strict=True) if look.reason},
            sizes=np.array(sizes, dtype=np.int32).reshape(len(seen), 2),
            rows_in_pool=np.array([pool.row_of.get(digest, -1) for digest in digests], dtype=np.int64),
            pixels_path=pool.pixels_path,
            n_threads=self.n_threads,
        )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
