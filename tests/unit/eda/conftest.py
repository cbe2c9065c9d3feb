"""Data sets that were never photographed: samples and measures as one look would have found them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imgcls.config.metrics import PRIMARY
from imgcls.data.cache import Photos
from imgcls.data.decode import Preprocess
from imgcls.data.samples import ProblemType, Samples, class_order, classes_in, frame_of
from imgcls.eda.facts import DataFacts, Facts
from imgcls.eda.scan import IMAGE_MEASURES, Scan, ScanResult
from imgcls.eda.statistics import class_facts, imbalance_facts, occurring_together, size_facts

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
        pd.DataFrame({**found, **(measures or {})})[list(IMAGE_MEASURES)],
        np.zeros((n, 32, 32), dtype=np.uint8),
    )


@pytest.fixture
def draw_scan() -> DrawScan:
    """The function that draws a scan, for its labels and what else is given."""
    return drawn_scan


_PLAIN: Mapping[str, object] = {
    "width_px": 200,
    "height_px": 150,
    "n_bytes": 9000,
    "mtime_ns": 1,
    "format": "JPEG",
    "mode": "RGB",
    "orientation": 1,
    "brightness": 120.0,
    "contrast": 50.0,
    "sharpness": 400.0,
}


@pytest.fixture
def made_samples() -> Callable[..., Samples]:
    """Make samples of labels and splits; ids are s00, s01, …"""

    def make(
        labels: Sequence[str],
        splits: Sequence[str] | None = None,
        *,
        groups: Sequence[str] | None = None,
        problem: ProblemType = "multiclass",
        classes: tuple[str, ...] = (),
    ) -> Samples:
        ids = [f"s{number:02d}" for number in range(len(labels))]
        names = {name for label in labels for name in label.split("|") if name}
        frame = frame_of(
            ids=ids,
            paths=[f"/photos/{name}.jpg" for name in ids],
            labels=labels,
            groups=groups,
            splits=splits or ["train"] * len(labels),
        )
        return Samples(frame, classes or tuple(sorted(names)), problem, "made", Path("/photos"))

    return make


@pytest.fixture
def made_look(made_samples: Callable[..., Samples]) -> Callable[..., ScanResult]:
    """Make a look: the arguments of `made_samples`, columns of measures, and fields of `Fingerprint`."""

    def make(
        labels: Sequence[str],
        splits: Sequence[str] | None = None,
        *,
        measures: Mapping[str, Sequence[object]] | None = None,
        given: Sequence[str] | None = None,
        broken: Mapping[str, str] | None = None,
        broken_ids: tuple[str, ...] = (),
        unusable: str = "",
        **options: object,
    ) -> ScanResult:
        samples = made_samples(labels, splits, **options)
        n = len(samples)
        columns = {name: (measures or {}).get(name, [_PLAIN[name]] * n) for name in IMAGE_MEASURES}
        paths = tuple(samples.frame["path"])
        photos = Photos(paths, Preprocess(8), [""] * n, {}, np.zeros((n, 2), np.int32), np.full(n, -1), Path("none"))
        scan = Scan(
            samples=samples,
            photos=photos,
            store_rows=np.arange(n),
            measures=pd.DataFrame(columns),
            thumbnails=np.zeros((n, 32, 32), np.uint8),
        )
        return ScanResult(
            scan=scan,
            data_digest=samples.data_digest,
            split_digest=samples.split_digest,
            given=np.array(given if given is not None else [""] * n, dtype=object),
            broken=broken or {},
            broken_ids=broken_ids,
            unusable=unusable,
            seconds={},
        )

    return make


@pytest.fixture
def made_facts() -> Callable[..., Facts]:
    """Make the facts of a look; further fields as they are given."""

    def make(look: ScanResult, **fields: object) -> Facts:
        samples = look.scan.samples
        metric = PRIMARY[samples.problem]
        facts = Facts(
            data=DataFacts(
                name=samples.name,
                source="photos",
                problem=samples.problem,
                metric=metric,
                classes=samples.classes,
                n=samples.n_per_split | {"excluded": 0},
                n_unlabelled=0,
                data_digest=look.data_digest,
                split_digest=look.split_digest,
                fingerprint=None,
            ),
            files=(),
            classes=class_facts(samples),
            together=occurring_together(samples),
            imbalance=imbalance_facts(samples, metric=metric),
            sizes=size_facts(look.scan, device="cpu"),
            broken=(),
            duplicates=(),
            guesses=(),
            drift=(),
            odd=(),
            curve=(),
            findings=(),
            pictures={},
            seconds={},
            created="2026-11-24T20:00:00+00:00",
        )
        return Facts.model_validate({**dict(facts), **fields})

    return make
