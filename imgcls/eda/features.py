"""Features of the pretrained network for a part of the photographs, computed once and kept in the user's cache."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from imgcls.data.cache import FEATURES, ArrayFile, slug
from imgcls.data.samples import SPLITS
from imgcls.eda.scan import Scan
from imgcls.errors import WeightsError
from imgcls.workspace import cache_folder

if TYPE_CHECKING:
    from imgcls.engine.device import Machine
    from imgcls.engine.progress import Reporter


FEATURES_VERSION = 1
"""Raised whenever the same photograph and weights would give other features."""
MOST_BYTES = 1 << 28
"""The most that the features of all data sets may take in the cache."""
_FEWEST_PHOTOGRAPHS = 8
Floats32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Features:
    """The features of some samples."""

    rows: npt.NDArray[np.int64]
    """int64 [m], positions in `samples.frame`, rising."""
    values: Floats32
    """float32 [m, d]."""


def extract_features(
    scan: Scan, *, most: int = 4000, reporter: Reporter, machine: Machine | None = None, seed: int = 0
) -> Features | None:
    """Compute the features of a part of the samples, drawn by the seed and balanced over the splits.

    Args:
        scan: The data set.
        most: The most photographs to look at; a split that is smaller than its third leaves room for the others.
        reporter: Shows how far it is, and why there are none.
        machine: Where the network runs; None chooses.
        seed: Decides which photographs are looked at.

    Returns:
        The features; None where the pretrained weights are not on this machine, or there are hardly any samples.
    """
    if len(scan.samples) < _FEWEST_PHOTOGRAPHS:
        return None
    from imgcls.engine.features import feature_extractor

    try:
        extractor = feature_extractor(machine=machine)
    except WeightsError as problem:
        reporter.note(f"The pictures are compared by their measures only. {problem}")
        return None
    rows = chosen_rows(scan, most=most, seed=seed)
    digests = scan.samples.frame["sha256"].to_numpy(dtype=object)[rows].tolist()
    stored = _file_of(scan, extractor.key)
    known = _read(stored)
    missing = [place for place, digest in enumerate(digests) if digest not in known]
    if missing:
        at_store = scan.store_rows[rows[missing]]
        new = extractor.extract(
            scan.photos, at_store, progress=lambda done, n: reporter.progress("Seeing photographs", done, n)
        )
        known |= dict(zip((digests[place] for place in missing), new, strict=True))
        distinct = list(dict.fromkeys(digests))
        values = np.stack([known[digest] for digest in distinct])
        stored.write(most_bytes=MOST_BYTES, sha256=np.array(distinct, dtype="S64"), values=values)
    return Features(rows, np.stack([known[digest] for digest in digests]))


def chosen_rows(scan: Scan, *, most: int, seed: int) -> npt.NDArray[np.int64]:
    """Draw samples: as many of each split as can be, at most `most` in all, int64 [m], rising."""
    rng = np.random.default_rng([seed, 3])
    parts = sorted((rng.permutation(scan.samples.rows(split)) for split in SPLITS), key=len)
    kept, n_left = [], most
    for turn, part in enumerate(parts):
        kept.append(part[: n_left // (len(parts) - turn)])
        n_left -= len(kept[-1])
    return np.sort(np.concatenate(kept)).astype(np.int64)


def _file_of(scan: Scan, key: str) -> ArrayFile:
    """Return the file of the cache that keeps the features of one data set under one network."""
    text = f"{FEATURES_VERSION}\n{scan.photos.preprocess.key}\n{key}\n{scan.samples.root}"
    name = f"{slug(scan.samples.name)}-{hashlib.sha256(os.fsencode(text)).hexdigest()[:16]}.npz"
    return ArrayFile(cache_folder() / FEATURES / name)


def _read(stored: ArrayFile) -> dict[str, Floats32]:
    """Return the features by digest; none where the file is of another form."""
    arrays = stored.read()
    digests, values = arrays.get("sha256", np.zeros(0, dtype="S64")), arrays.get("values", np.zeros((0, 0)))
    if values.ndim != 2 or len(digests) != len(values) or not np.isfinite(values).all():
        return {}
    return dict(zip((digest.decode("ascii") for digest in digests.tolist()), values, strict=True))
