"""Sizes and quality of the photographs, and the size to begin with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from imgcls.data.samples import SPLITS
from imgcls.eda.facts import Quantiles, SizeFacts
from imgcls.eda.scan import Scan
from imgcls.plan import Images

NATIVE_PX = 224
"""What the networks that are offered first were pretrained at."""
_STEP_PX = 32
_MANY = 20_000


def size_facts(scan: Scan, *, device: str) -> SizeFacts:
    """Describe the sizes and the quality of the photographs.

    Args:
        scan: The photographs.
        device: `cpu`, `cuda` or `mps`, where they will be trained on.
    """
    measures = scan.measures
    width, height = measures["width_px"].to_numpy(), measures["height_px"].to_numpy()
    recommended, why = recommend_px(np.minimum(width, height), device=device)
    return SizeFacts(
        width_px=quantiles(width),
        height_px=quantiles(height),
        aspect=quantiles(width / np.maximum(height, 1)),
        n_sizes=len(set(zip(width.tolist(), height.tolist(), strict=True))),
        formats=_counts(measures["format"]),
        modes=_counts(measures["mode"]),
        n_turned=int((measures["orientation"] > 1).sum()),
        brightness=_by_split(scan, "brightness"),
        contrast=_by_split(scan, "contrast"),
        sharpness=_by_split(scan, "sharpness"),
        recommended_px=recommended,
        recommended_why=why,
    )


def quantiles(values: npt.ArrayLike) -> Quantiles:
    """Give the 5, 50 and 95 % quantiles; zeros where there are no values."""
    array = np.asarray(values, dtype=np.float64)
    low, middle, high = np.quantile(array, (0.05, 0.5, 0.95)) if array.size else (0.0, 0.0, 0.0)
    return Quantiles(low=float(low), middle=float(middle), high=float(high))


def recommend_px(short_sides: npt.NDArray[np.integer], *, device: str) -> tuple[int, str]:
    """Give the side in pixels to begin with, and the reason.

    It is a place to begin, not an optimum: only a ladder can say whether larger images help.

    Args:
        short_sides: [n], the shorter side of each photograph in pixels.
        device: `cpu`, `cuda` or `mps`.
    """
    first = Images().size_px
    if not short_sides.size:
        return first, "There are no photographs to judge by."
    middle = round(float(np.median(short_sides)))
    seen = f"The shorter side of the photographs is {middle} px in the middle"
    if middle < first:
        return max(_STEP_PX, -(-middle // _STEP_PX) * _STEP_PX), f"{seen}; larger squares would add time and no detail."
    native = min(NATIVE_PX, middle // _STEP_PX * _STEP_PX)
    if native <= first:
        return first, f"{seen}; larger squares would add little detail."
    times = f"{(native / first) ** 2:.1f}"
    if device != "cpu" and len(short_sides) <= _MANY:
        return native, (
            f"{seen}, and the networks were pretrained at {NATIVE_PX} px; on this device {times} times the work of "
            f"{first} px is affordable."
        )
    return first, (
        f"{seen}, so begin at {first} px and let a ladder say whether larger_images:size_px={native} is worth about "
        f"{times} times the time; the networks were pretrained at {NATIVE_PX} px."
    )


def _by_split(scan: Scan, measure: str) -> dict[str, Quantiles]:
    values = scan.measures[measure].to_numpy()
    rows = {split: scan.samples.rows(split) for split in SPLITS}
    return {split: quantiles(values[chosen]) for split, chosen in rows.items() if len(chosen)}


def _counts(values: pd.Series | Iterable[str]) -> dict[str, int]:
    """Count what occurs, the most frequent first."""
    return dict(sorted(Counter(values).items(), key=lambda entry: (-entry[1], entry[0])))
