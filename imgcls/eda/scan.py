"""One look at every photograph: the measures and thumbnails that all facts are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from imgcls.data.cache import Photos
from imgcls.data.samples import Samples

THUMBNAIL_PX = 32
MEASURES = (
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


@dataclass(frozen=True, eq=False)
class Scan:
    """A data set as one look saw it."""

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
