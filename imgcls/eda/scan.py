"""The scan of a data set: every photograph decoded and measured once, and ids that tell labels of test redacted."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.lib.recfunctions import repack_fields
from PIL import Image

from imgcls.data.cache import MEASURES, ArrayFile, Photos
from imgcls.data.decode import Header, Pixels, Preprocess, Values, read_header, read_values
from imgcls.data.redaction import redacted_names, redacted_paths
from imgcls.data.samples import Samples, check_samples, loss_warnings
from imgcls.data.source import DataSource
from imgcls.data.split import split_samples
from imgcls.eda.similarity import LUMA
from imgcls.engine.prepare import Prepared, read_photographs
from imgcls.engine.progress import Reporter
from imgcls.errors import DataError, DecodeError
from imgcls.plan import Images
from imgcls.text import as_utf8
from imgcls.workspace import Workspace, cache_folder

THUMBNAIL_PX = 32
IMAGE_MEASURES = (
    "width_px",
    "height_px",
    "n_bytes",
    "mtime_ns",
    "format",
    "mode",
    "orientation",
    "brightness",
    "contrast",
    "sharpness",
)
"""The columns of `Scan.measures`; see `imgcls.eda.facts.SizeFacts` for their units."""
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
        ("values", "f4", (4,)),
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


@dataclass(frozen=True, eq=False)
class Scan:
    """A data set as one scan found it."""

    samples: Samples
    """Checked and split, with digests; broken files are among the excluded ones."""
    photos: Photos
    """The decoded squares at the size of the baseline."""
    store_rows: npt.NDArray[np.int64]
    """int64 [n], the row of `photos` of each sample."""
    measures: pd.DataFrame
    """One row for each sample, in the order of `samples.frame`; the columns `MEASURES`."""
    thumbnails: npt.NDArray[np.uint8]
    """uint8 [n, 32, 32], gray."""
    values: npt.NDArray[np.float32] | None = None
    """float32 [n, 4], the `imgcls.data.decode.Values` of photographs of more than 8 bits, zeros for others."""


@dataclass(frozen=True, eq=False)
class ScanResult:
    """A scan, and what does not fit into it."""

    scan: Scan
    """The samples that can be used, with their measures; their ids are written as UTF-8 can hold them."""
    data_digest: str
    """Of the samples under their own ids, as in run records."""
    split_digest: str
    """Of the samples under their own ids, as in run records."""
    given: npt.NDArray[np.object_]
    """[n], the split that the data themselves give each sample, "" where it was drawn."""
    broken: Mapping[str, str]
    """From the path of each file that cannot be used, relative to the root of the data, to the reason."""
    broken_ids: tuple[str, ...]
    """The ids of the samples that these files are; those of test are no one's to leave out."""
    unusable: str
    """Why these samples cannot be trained on, or ""."""
    seconds: Mapping[str, float]
    """`photographs` and `measures`: what the time went into."""
    fingerprint: str | None = None
    """What the data looked like just before they were read; None where nothing can be known from outside."""
    key: str | None = None
    """What tells these data, read in this way and with what findings.toml decides, from others; None likewise."""

    @property
    def is_frozen(self) -> npt.NDArray[np.bool_]:
        """Whether a sample lies in a part that the data give for scoring and that is never changed, bool [n]."""
        return np.isin(self.given, ("valid", "test"))


def scan_data(
    source: DataSource,
    images: Images,
    *,
    quick: bool,
    reporter: Reporter,
    workspace: Workspace | None = None,
    keep: bool = False,
) -> ScanResult:
    """Look at every photograph of a data set once.

    The photographs are decoded into the cache that training uses. Samples that cannot be split or trained on are
    looked at all the same; those without a split count as train then.

    Args:
        source: Where the data are.
        images: How photographs are decoded; the baseline's.
        quick: Whether to take only some of the samples, and none of test.
        reporter: Shows how far it is.
        workspace: The one that the data are looked at for; None takes no fingerprint of them.
        keep: Whether their digests are kept there for commands that do not read the data; never those of a part.

    Raises:
        DataError: There are no photographs, or the source cannot be read.
    """
    began = time.perf_counter()
    read, photographs = read_photographs(source, images, quick=quick, reporter=reporter, workspace=workspace)
    decoded = time.perf_counter()
    measured = measure(
        read.photos,
        folder=cache_folder(),
        progress=lambda done, total: reporter.progress("Measuring photographs", done, total),
    )
    if measured.n_known:
        reporter.note(f"{measured.n_known} photographs are as an earlier scan left them; they were not measured again.")
    samples = read.samples.without(measured.reasons)
    stats, gone = _file_stats(samples)
    samples = samples.without(gone)
    given_of = dict(zip(samples.frame["id"], samples.frame["split"], strict=True))
    samples, unusable = _split(samples, source)
    given = np.array(
        [given_of[name] for name in samples.frame["id"].tolist()], dtype=object
    )  # a review leaves some out
    if (samples.frame["split"] == "valid").any() and not (given == "valid").any():
        given[given == "train"] = ""  # validation was drawn from what was given for training
    for note in (*loss_warnings(samples), *samples.notes):
        reporter.note(note)
    if workspace is not None and keep and not quick and not unusable:
        replace(read, samples=samples).save_summary(workspace)
    reasons = {**read.photos.reasons, **measured.reasons, **gone}
    shown = dict(zip((entry.path for entry in samples.excluded), redacted_paths(samples), strict=True))
    is_broken, is_test = photographs.frame["path"].isin(reasons), photographs.frame["split"] == "test"
    return ScanResult(
        scan=_scan(replace(read, samples=_storable(samples)), measured, stats),
        data_digest=samples.data_digest,
        split_digest=samples.split_digest,
        given=given,
        broken={shown[samples.relative(path)]: as_utf8(reasons[path]) for path in sorted(reasons)},
        broken_ids=tuple(sorted(map(as_utf8, photographs.frame["id"][is_broken & ~is_test]))),
        unusable=unusable,
        seconds={"photographs": decoded - began, "measures": time.perf_counter() - decoded},
        fingerprint=read.fingerprint.fingerprint if read.fingerprint else None,
        key=read.fingerprint.key if read.fingerprint else None,
    )


def _split(samples: Samples, source: DataSource) -> tuple[Samples, str]:
    """Split as training would; where that fails, say why and let the rest train."""
    try:
        if len(samples):
            samples = split_samples(samples, valid=source.valid, seed=source.split_seed or 0)
        check_samples(samples)
    except DataError as problem:
        return samples.with_split([split or "train" for split in samples.frame["split"]]).as_reviewed(), str(problem)
    return samples, ""


def _storable(samples: Samples) -> Samples:
    """Return samples whose ids can be shown and stored, and tell no label of test; paths stay as the disk has them."""
    frame = samples.frame
    ids = redacted_names([as_utf8(name) for name in frame["id"]], frame["split"].tolist(), samples.classes)
    paths = redacted_paths(samples)
    excluded = tuple(replace(entry, path=path) for entry, path in zip(samples.excluded, paths, strict=True))
    return replace(samples, frame=frame.assign(id=pd.Series(ids, index=frame.index, dtype=object)), excluded=excluded)


def _file_stats(samples: Samples) -> tuple[dict[str, tuple[int, int]], dict[str, str]]:
    """Return size in bytes and time stamp of each file, by path, and the reasons for those that are gone."""
    stats, gone = {}, {}
    for path in samples.frame["path"]:
        try:
            status = Path(path).stat()
        except OSError:
            gone[path] = "gone meanwhile"
        else:
            stats[path] = (status.st_size, status.st_mtime_ns)
    return stats, gone


def _scan(read: Prepared, measured: Measured, stats: Mapping[str, tuple[int, int]]) -> Scan:
    rows = read.store_rows(np.arange(len(read.samples)))
    records = measured.records[rows]
    sizes = read.photos.sizes[rows]
    files = np.array([stats[path] for path in read.samples.frame["path"]], dtype=np.int64).reshape(len(rows), 2)
    columns = {
        "width_px": sizes[:, 0],
        "height_px": sizes[:, 1],
        "n_bytes": files[:, 0],
        "mtime_ns": files[:, 1],
        "format": records["format"].astype("U12").astype(object),
        "mode": records["mode"].astype("U12").astype(object),
        **{name: records[name] for name in ("orientation", "brightness", "contrast", "sharpness")},
    }
    return Scan(
        samples=read.samples,
        photos=read.photos,
        store_rows=rows,
        measures=pd.DataFrame({name: columns[name] for name in IMAGE_MEASURES}),
        thumbnails=records["thumbnail"],
        values=records["values"],
    )


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
    stored = _file_of(photos, folder)
    records = np.zeros(len(photos), dtype=RECORD)
    digests = [bytes.fromhex(text) for text in photos.sha256]
    rows = np.array([row for row, path in enumerate(photos.paths) if path not in photos.reasons], dtype=np.int64)
    known = _read(stored)
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
            for row, found in _measure_some(photos, chunk):
                if isinstance(found, str):
                    reasons[photos.paths[row]] = found
                else:
                    records[row] = found
                    records[row]["sha256"] = np.void(digests[row])
            n_done += len(chunk)
            progress(n_done, len(rows))
            if n_done - n_written >= _N_PER_WRITE:
                _write(stored, records, others)
                n_written = n_done
    finally:
        if n_done > n_written:
            _write(stored, records, others)
    return Measured(records, reasons, len(rows) - len(new))


def _measure_some(photos: Photos, rows: npt.NDArray[np.int64]) -> Iterator[tuple[int, Records | str]]:
    """Measure some photographs; what cannot be read any more gives the reason."""
    try:
        pixels = photos.pixels(rows)
    except DataError as problem:  # not in the cache, and changed meanwhile: one of them spoils the whole batch
        if len(rows) > 1:
            for row in rows:
                yield from _measure_some(photos, np.array([row]))
        else:
            yield int(rows[0]), "changed while it was read" if "has changed" in str(problem) else "gone meanwhile"
        return
    found = _measured(pixels)
    with ThreadPoolExecutor(photos.n_threads) as threads:
        seen = threads.map(lambda row: _read_about(photos.paths[row], photos.preprocess), rows)
        for row, record, about in zip(rows, found, seen, strict=True):
            if isinstance(about, str):
                yield int(row), about
                continue
            header, values = about
            if values is not None:
                record["values"] = values.low, values.high, values.black, values.white
            record["format"], record["mode"] = header.format.encode()[:12], header.mode.encode()[:12]
            record["orientation"] = header.orientation
            yield int(row), record


def _read_about(path: str, preprocess: Preprocess) -> tuple[Header, Values | None] | str:
    """Return what a photograph says of itself, and which values one of more than 8 bits uses; else the reason."""
    try:
        header = read_header(Path(path))
        return header, read_values(Path(path), preprocess) if header.is_deep else None
    except DecodeError as error:
        return str(error)


def _measured(pixels: Pixels) -> Records:
    """Measure decoded squares, uint8 [b, side, side, 3]."""
    records = np.zeros(len(pixels), dtype=RECORD)
    gray = pixels.astype(np.float32) @ LUMA
    records["brightness"] = gray.mean(axis=(1, 2))
    records["contrast"] = gray.std(axis=(1, 2))
    records["sharpness"] = laplacian_variance(gray)
    records["thumbnail"] = signature(pixels)
    return records


def laplacian_variance(gray: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the variance of the Laplacian of gray images: low where an image is blurred.

    Args:
        gray: float32 [b, side, side], 0 to 255, side at least 3.

    Returns:
        float32 [b].

    Source: Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy", ICPR, section 3.
    """
    inner = gray[:, 1:-1, 1:-1]
    around = gray[:, :-2, 1:-1] + gray[:, 2:, 1:-1] + gray[:, 1:-1, :-2] + gray[:, 1:-1, 2:]
    return np.asarray((around - 4 * inner).var(axis=(1, 2)), dtype=np.float32)


def _file_of(photos: Photos, folder: Path) -> ArrayFile:
    """Return the file of the cache that keeps the measures of the photographs below a folder, at one preprocessing."""
    root = os.path.realpath(os.path.commonpath([Path(path).parent for path in photos.paths])) if photos.paths else ""
    digest = hashlib.sha256(os.fsencode(f"{photos.preprocess.key}\n{root}")).hexdigest()[:16]
    return ArrayFile(folder / MEASURES / f"{digest}-v{MEASURES_VERSION}.npz")


def _read(stored: ArrayFile) -> Records:
    """Return the records that are kept; none where the file is of another form.

    What earlier versions kept besides, such as perceptual hashes, is passed over.
    """
    records = stored.read().get("records")
    if records is not None and records.ndim == 1 and set(RECORD.names or ()) <= set(records.dtype.names or ()):
        records = repack_fields(records[list(RECORD.names or ())])
        if records.dtype == RECORD:
            return np.asarray(records)
    return np.zeros(0, dtype=RECORD)


def _write(stored: ArrayFile, records: Records, others: Records) -> None:
    """Keep those records that are filled, and others."""
    filled = records[records["mode"] != b""]
    stored.write(most_bytes=MOST_BYTES, records=np.concatenate([filled, others]) if len(others) else filled)


def signature(pixels: Pixels) -> Pixels:
    """Return the gray thumbnails of photographs.

    Args:
        pixels: uint8 [b, s, s, 3], RGB.

    Returns:
        uint8 [b, 32, 32].
    """
    thumbnails = np.empty((len(pixels), THUMBNAIL_PX, THUMBNAIL_PX), dtype=np.uint8)
    for row, photo in enumerate(pixels):
        gray = Image.fromarray(photo).convert("L")
        thumbnails[row] = np.asarray(gray.resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS))
    return thumbnails
