"""Data sets that were never photographed: samples and measures as one look would have found them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imgcls.data.cache import Photos
from imgcls.data.decode import Preprocess
from imgcls.data.samples import Samples, class_order, classes_in, frame_of
from imgcls.eda.scan import MEASURES, Scan

DrawScan = Callable[..., Scan]


def drawn_scan(
    labels: Sequence[str],
    *,
    ids: Sequence[str] | None = None,
    splits: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    problem: str | None = None,
    measures: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Scan:
    """Make a scan of which nothing tells the label but what is given."""
    n, rng = len(labels), np.random.default_rng([seed, 99])
    ids = list(ids or [rng.bytes(8).hex() + ".jpg" for _ in range(n)])
    root = Path("/photos")
    frame = frame_of(
        ids=ids,
        paths=[str(root / name) for name in ids],
        labels=list(labels),
        groups=groups,
        splits=splits or ["train"] * n,
    )
    frame["sha256"] = [f"{number:064x}" for number in range(n)]
    classes = class_order(
        {name for label in labels for name in (classes_in(label) if problem == "multilabel" else [label]) if name}
    )
    samples = Samples(
        frame=frame,
        classes=classes,
        problem=problem or ("binary" if len(classes) == 2 else "multiclass"),  # type: ignore[arg-type]
        name="drawn",
        root=root,
    )
    found: dict[str, Any] = {
        "width_px": np.full(n, 100),
        "height_px": np.full(n, 80),
        "n_bytes": rng.integers(5_000, 50_000, n),
        "mtime_ns": np.full(n, 10**18),
        "format": ["JPEG"] * n,
        "mode": ["RGB"] * n,
        "orientation": np.ones(n, dtype=int),
        "brightness": rng.normal(120, 20, n),
        "contrast": rng.normal(50, 8, n),
        "sharpness": rng.lognormal(5, 0.5, n),
    }
    photos = Photos(
        paths=tuple(frame["path"]),
        preprocess=Preprocess(16),
        sha256=frame["sha256"].tolist(),
        reasons={},
        sizes=np.full((n, 2), 100, dtype=np.int32),
        rows_in_pool=np.full(n, -1, dtype=np.int64),
        pixels_path=root / "none",
    )
    return Scan(
        samples,
        photos,
        np.arange(n),
        pd.DataFrame({**found, **(measures or {})})[list(MEASURES)],
        np.zeros((n, 32, 32), dtype=np.uint8),
        np.zeros((n, 2), dtype=np.uint64),
    )


@pytest.fixture
def draw_scan() -> DrawScan:
    """The function that draws a scan, for its labels and what else is given."""
    return drawn_scan
