"""From what a person names to a scan: every photograph decoded once, measured once, and split as training would."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from imgcls.data.samples import Excluded, Samples, check_samples
from imgcls.data.split import split_samples
from imgcls.eda.measures import Measured, measure
from imgcls.eda.scan import MEASURES, Scan
from imgcls.eda.sealing import sealed
from imgcls.engine.prepare import DataSource, Prepared, chosen_samples, decode_photographs
from imgcls.engine.reporting import Reporter
from imgcls.errors import DataError
from imgcls.plan import Images
from imgcls.problem.adjustments import written
from imgcls.workspace import cache_folder


@dataclass(frozen=True, eq=False)
class Look:
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
    """The ids of the samples that these files are."""
    unusable: str
    """Why these samples cannot be trained on, or ""."""
    seconds: Mapping[str, float]
    """`photographs` and `measures`: what the time went into."""

    @property
    def is_frozen(self) -> npt.NDArray[np.bool_]:
        """Whether a sample lies in a part that the data give for scoring and that is never changed, bool [n]."""
        return np.isin(self.given, ("valid", "test"))


def look(source: DataSource, images: Images, *, quick: bool, reporter: Reporter) -> Look:
    """Look at every photograph of a data set once.

    The photographs are decoded into the cache that training uses. Samples that cannot be split or trained on are
    looked at all the same; those without a split count as train then.

    Args:
        source: Where the data are.
        images: How photographs are decoded; the baseline's.
        quick: Whether to take only some of the samples, and none of test.
        reporter: Told how far it is.

    Raises:
        DataError: There are no photographs, or the source cannot be read.
    """
    began = time.perf_counter()
    photographs = chosen_samples(source, quick=quick, reporter=reporter)
    read = decode_photographs(photographs, source, images, reporter=reporter)
    decoded = time.perf_counter()
    measured = measure(
        read.photos,
        folder=cache_folder(),
        progress=lambda done, total: reporter.progress("Measuring photographs", done, total),
    )
    if measured.n_known:
        reporter.note(f"{measured.n_known} photographs are as an earlier look left them; they were not measured anew.")
    samples = read.samples.without(measured.reasons)
    stats, gone = _file_stats(samples)
    samples = samples.without(gone)
    given = samples.frame["split"].to_numpy(dtype=object, copy=True)
    samples, unusable = _split(samples, source)
    if (samples.frame["split"] == "valid").any() and not (given == "valid").any():
        given[given == "train"] = ""  # validation was drawn from what was given for training
    for note in samples.notes:
        reporter.note(note)
    reasons = {**read.photos.reasons, **measured.reasons, **gone}
    return Look(
        scan=_scan(replace(read, samples=_written(samples)), measured, stats),
        data_digest=samples.data_digest,
        split_digest=samples.split_digest,
        given=given,
        broken={written(samples.relative(path)): written(reasons[path]) for path in sorted(reasons)},
        broken_ids=tuple(sorted(map(written, photographs.frame["id"][photographs.frame["path"].isin(reasons)]))),
        unusable=unusable,
        seconds={"photographs": decoded - began, "measures": time.perf_counter() - decoded},
    )


def _split(samples: Samples, source: DataSource) -> tuple[Samples, str]:
    """Split as training would; where that fails, say why and let the rest train."""
    try:
        if len(samples):
            samples = split_samples(samples, valid=source.valid, seed=source.split_seed or 0)
        check_samples(samples)
    except DataError as problem:
        return samples.with_split([split or "train" for split in samples.frame["split"]]), str(problem)
    return samples, ""


def _written(samples: Samples) -> Samples:
    """Give samples whose ids can be shown and stored, and tell no label of test; paths stay as the disk has them."""
    frame = samples.frame
    ids = sealed([written(name) for name in frame["id"]], frame["split"].tolist(), samples.classes)
    excluded = tuple(Excluded(written(entry.path), entry.reason) for entry in samples.excluded)
    return replace(samples, frame=frame.assign(id=pd.Series(ids, index=frame.index, dtype=object)), excluded=excluded)


def _file_stats(samples: Samples) -> tuple[dict[str, tuple[int, int]], dict[str, str]]:
    """Give size in bytes and time stamp of each file, by path, and the reasons for those that are gone."""
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
        measures=pd.DataFrame({name: columns[name] for name in MEASURES}),
        thumbnails=records["thumbnail"],
    )
