"""The map of the photographs: places, the Parquet file, and what is never in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from imgcls.eda.photo_map import FEWEST, MapAbout, MapPoint, PhotoMap, drawn_rows, positions
from imgcls.eda.scan import Scan
from imgcls.errors import DataError, RecordError

ABOUT = MapAbout("run", "the network of this run", "multiclass", ("a", "b|\x1b"), n_all=3, size_px=32)


def point(number: int, *, split: str = "valid") -> MapPoint:
    is_answered = split == "valid"
    return MapPoint(
        id=f"{number}.png",
        path=f"a/{number}.png",
        label="a",
        predicted="a" if is_answered else None,
        confidence=0.75 if is_answered else None,
        right=True if is_answered else None,
        split=split,
        x=float(number),
        y=-1.5,
        image=b"RIFF",
    )


def two_clouds(n: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    far = np.repeat([0.0, 9.0], n // 2)[:, None]
    return (far + generator.normal(0, 0.3, (n, 16))).astype(np.float32)


def test_what_is_alike_lies_together_with_the_same_bits_every_time() -> None:
    found = positions(two_clouds(40))
    assert np.array_equal(found, positions(two_clouds(40)))
    first, second = found[:20], found[20:]
    spread = max(np.ptp(first, axis=0).max(), np.ptp(second, axis=0).max())
    assert np.linalg.norm(first.mean(axis=0) - second.mean(axis=0)) > spread


@pytest.mark.parametrize(
    "features",
    [np.ones((12, 4)), np.arange(12.0)[:, None] * [[1, 0, 0, 0]], np.eye(FEWEST)],
    ids=["all the same", "one dimension", "as few as may be"],
)
def test_odd_features_have_finite_places(features: np.ndarray) -> None:
    found = positions(features.astype(np.float32))
    assert found.shape == (len(features), 2)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("features", [np.zeros((FEWEST - 1, 4)), np.full((12, 4), np.nan)], ids=["few", "not finite"])
def test_what_cannot_be_placed_is_said(features: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"needs at least|no finite features"):
        positions(features.astype(np.float32))


def test_the_table_is_read_again_and_by_other_programs(tmp_path: Path) -> None:
    made = PhotoMap(ABOUT, (point(0), point(1, split="train")), np.eye(2, dtype=np.float32))
    file = tmp_path / "new" / "map.parquet"
    assert made.write(file) == file.stat().st_size
    again = PhotoMap.read(file)
    assert (again.about, again.points) == (made.about, made.points)
    table = pd.read_parquet(file)
    assert table["features"].tolist()[1].tolist() == [0, 1]
    assert table[["x", "y"]].to_numpy().tolist() == [[0, -1.5], [1, -1.5]]


def test_withheld_names_are_nowhere_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "map.parquet"
    PhotoMap(ABOUT, (point(0), point(1)), np.eye(2, dtype=np.float32)).without_names().write(file)
    assert b"png" not in file.read_bytes()
    assert set(pd.read_parquet(file)) == {"label", "predicted", "confidence", "right", "split", "x", "y"}
    assert PhotoMap.read(file).is_withheld


@pytest.mark.parametrize("damage", ["cut off", "another table", "no place"])
def test_a_damaged_table_is_said(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "map.parquet"
    if damage == "another table":
        pd.DataFrame({"id": ["a"]}).to_parquet(file)
    else:
        lost = replace(point(0), x=float("nan")) if damage == "no place" else point(0)
        PhotoMap(ABOUT, (lost,)).write(file)
        if damage == "cut off":
            file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(RecordError, match="Make it again"):
        PhotoMap.read(file)


def test_validation_comes_first_and_test_never(draw_scan: Callable[..., Scan]) -> None:
    splits = ["train"] * 30 + ["valid"] * 10 + ["test"] * 10
    samples = draw_scan(["a", "b"] * 25, splits=splits).samples
    rows = drawn_rows(samples, most=25)
    kept = samples.frame["split"].to_numpy()[rows].tolist()
    assert (kept.count("valid"), kept.count("train"), kept.count("test")) == (10, 15, 0)
    assert np.array_equal(rows, drawn_rows(samples, most=25))
