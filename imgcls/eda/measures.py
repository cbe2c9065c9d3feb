"""What one look at a photograph measures, keyed by its content and kept, so that a second look costs nothing."""

from __future__ import annotations

import hashlib
import os
import uuid
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numpy.lib.recfunctions import repack_fields

from imgcls.data.cache import Photos
from imgcls.data.decode import Header, Pixels, read_header
from imgcls.data.kept import MEASURES
from imgcls.eda.duplicates import signature
from imgcls.eda.scan import THUMBNAIL_PX
from imgcls.errors import DataError, DecodeError

MEASURES_VERSION = 1
"""Raised whenever the same photograph would measure otherwise."""
RECORD = np.dtype(
    [
        ("sha256", "V32"),
        ("format", "S12"),
        ("mode", "S12"),
        ("orientation", "u1"),
        ("brightness", "f4"),
        ("contrast", "f4"),
        ("sharpness", "f4"),
        ("thumbnail", "u1", (THUMBNAIL_PX, THUMBNAIL_PX)),
    ]
)
"""What is kept of a photograph, a little more than 1 kB."""
MOST_RECORDS = 50_000
"""The most photographs that one file of measures keeps beyond those that are looked at now."""
MOST_BYTES = 1 << 30
"""The most that all files of measures may take; the least recently used go first."""

Records = npt.NDArray[np.void]
"""[n] of `RECORD`."""

_N_AT_ONCE = 128
_N_PER_WRITE = 16384
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(frozen=True)
class Measured:
    """The measures of photographs."""

    records: Records
    """[n], in the order of the photographs; zeros where there is a reason."""
    reasons: dict[str, str]
    """From the path of each file that could be decoded before and is gone or changed now, to the reason."""
    n_known: int
    """How many were measured by an earlier pass."""


def measure(photos: Photos, *, folder: Path, progress: Callable[[int, int], None]) -> Measured:
    """Measure photographs, each at most once as long as its content stays the same.

    What was measured is kept although the pass is interrupted.

    Args:
        photos: Decoded at the size that is measured at.
        folder: The folder of the cache; where it cannot be written nothing is kept.
        progress: Called with the number of photographs done and of all.
    """
    store = _Store.of(photos, folder)
    records = np.zeros(len(photos), dtype=RECORD)
    digests = [bytes.fromhex(text) for text in photos.sha256]
    rows = np.array([row for row, path in enumerate(photos.paths) if path not in photos.reasons], dtype=np.int64)
    known = store.read()
    place = {digest.tobytes(): position for position, digest in enumerate(known["sha256"])}
    at_hand = np.array([place.get(digests[row], -1) for row in rows], dtype=np.int64)
    records[rows[at_hand >= 0]] = known[at_hand[at_hand >= 0]]
    others = known[~np.isin(np.arange(len(known)), at_hand)][:MOST_RECORDS]
    del known
    new = rows[at_hand < 0]
    reasons = {}
    n_done = n_written = len(rows) - len(new)
    try:
        for start in range(0, len(new), _N_AT_ONCE):
            chunk = new[start : start + _N_AT_ONCE]
            for row, found in _look(photos, chunk):
                if isinstance(found, str):
                    reasons[photos.paths[row]] = found
                else:
                    records[row] = found
                    records[row]["sha256"] = np.void(digests[row])
            n_done += len(chunk)
            progress(n_done, len(rows))
            if n_done - n_written >= _N_PER_WRITE:
                store.write(records, others)
                n_written = n_done
    finally:
        if n_done > n_written:
            store.write(records, others)
    return Measured(records, reasons, len(rows) - len(new))


def _look(photos: Photos, rows: npt.NDArray[np.int64]) -> Iterator[tuple[int, Records | str]]:
    """Measure some photographs; what cannot be read any more gives the reason."""
    try:
        pixels = photos.pixels(rows)
    except DataError as problem:  # not in the cache, and changed meanwhile: one of them spoils the whole batch
        if len(rows) > 1:
            for row in rows:
                yield from _look(photos, np.array([row]))
        else:
            yield int(rows[0]), "changed while it was read" if "has changed" in str(problem) else "gone meanwhile"
        return
    found = _measured(pixels)
    with ThreadPoolExecutor(photos.n_threads) as threads:
        headers = threads.map(_header, [photos.paths[row] for row in rows])
        for row, record, header in zip(rows, found, headers, strict=True):
            if isinstance(header, str):
                yield int(row), header
                continue
            record["format"], record["mode"] = header.format.encode()[:12], header.mode.encode()[:12]
            record["orientation"] = header.orientation
            yield int(row), record


def _header(path: str) -> Header | str:
    try:
        return read_header(Path(path))
    except DecodeError as error:
        return str(error)


def _measured(pixels: Pixels) -> Records:
    """Measure decoded squares, uint8 [b, side, side, 3]."""
    records = np.zeros(len(pixels), dtype=RECORD)
    gray = pixels.astype(np.float32) @ _LUMA
    records["brightness"] = gray.mean(axis=(1, 2))
    records["contrast"] = gray.std(axis=(1, 2))
    records["sharpness"] = laplacian_variance(gray)
    records["thumbnail"] = signature(pixels)
    return records


def laplacian_variance(gray: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Give the variance of the Laplacian of gray images: low where an image is blurred.

    Args:
        gray: float32 [b, side, side], 0 to 255, side at least 3.

    Returns:
        float32 [b].

    Source: Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy", ICPR, section 3.
    """
    inner = gray[:, 1:-1, 1:-1]
    around = gray[:, :-2, 1:-1] + gray[:, 2:, 1:-1] + gray[:, 1:-1, :-2] + gray[:, 1:-1, 2:]
    return np.asarray((around - 4 * inner).var(axis=(1, 2)), dtype=np.float32)


@dataclass(frozen=True)
class _Store:
    """One file of measures: those of the photographs below a folder, at one preprocessing."""

    path: Path
    """The file; need not exist."""

    @classmethod
    def of(cls, photos: Photos, folder: Path) -> _Store:
        root = (
            os.path.realpath(os.path.commonpath([Path(path).parent for path in photos.paths])) if photos.paths else ""
        )
        digest = hashlib.sha256(os.fsencode(f"{photos.preprocess.key}\n{root}")).hexdigest()[:16]
        return cls(folder / MEASURES / f"{digest}-v{MEASURES_VERSION}.npz")

    def read(self) -> Records:
        """Return what is kept; a file that is missing, damaged or of another form is empty.

        What earlier versions kept besides, such as perceptual hashes, is passed over.
        """
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                records = stored["records"]  # of a zip, whose checksums are compared
            if records.ndim == 1 and set(RECORD.names or ()) <= set(records.dtype.names or ()):
                records = repack_fields(records[list(RECORD.names or ())])
                if records.dtype == RECORD:
                    os.utime(self.path)
                    return np.asarray(records)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            pass  # it is only a cache
        return np.zeros(0, dtype=RECORD)

    def write(self, records: Records, others: Records) -> None:
        """Replace the file in one step by those records that are filled, and others; where it cannot, it stays."""
        filled = records[records["mode"] != b""]
        temporary = self.path.with_name(f"{self.path.name}.{uuid.uuid4().hex}.tmp")
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("wb") as file:
                    np.savez(file, records=np.concatenate([filled, others]) if len(others) else filled)
                temporary.replace(self.path)
            finally:
                temporary.unlink(missing_ok=True)
            self._make_room()

    def _make_room(self) -> None:
        """Remove the least recently used files beyond the most that all may take, and what crashes left."""
        files = sorted(self.path.parent.glob("*.npz*"), key=lambda path: path.stat().st_mtime, reverse=True)
        n_bytes = 0
        for path in files:
            n_bytes += path.stat().st_size
            if n_bytes > MOST_BYTES and path != self.path:
                path.unlink(missing_ok=True)
