"""How often series are found that were planted, and how often names that mean nothing are taken for some."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from PIL import Image, ImageEnhance

from imgcls.data.samples import Samples
from imgcls.data.source import DataSource
from imgcls.eda.features import Features, extract_features
from imgcls.eda.scan import Scan, scan_data
from imgcls.eda.series import Looks, find_series
from imgcls.engine.progress import Reporter
from imgcls.plan import Images

N_EACH = 6
_LIGHTS = ("left", "right", "top", "back", "soft", "flash")
_MOST_TURNED = 12.0
_QUALITY = 88
Naming = Callable[[np.ndarray, np.ndarray, np.random.Generator], list[str]]
"""From pieces and shots, both [n], to names."""
NAMINGS: Mapping[str, Naming] = {
    "running": lambda pieces, _, __: [f"{number + 1:05d}" for number in range(len(pieces))],
    "piece_light": lambda pieces, shots, _: [
        f"{piece:04d}_{_LIGHTS[shot]}" for piece, shot in zip(pieces, shots, strict=True)
    ],
    "nothing": lambda pieces, _, rng: [rng.bytes(8).hex() for _ in pieces],
}
"""The ways in which planted series, or photographs that are unrelated, are named."""


@dataclass(frozen=True)
class SeriesCount:
    """How often series were reported."""

    planted: dict[str, tuple[int, int]]
    """By naming: in how many of how many plantings they were reported, all photographs of each piece together."""
    alarms: dict[str, tuple[int, int]]
    """By naming: in how many of how many renamings of unrelated photographs any were reported."""
    itself: str
    """By what the set itself is said to hold series; "" where it is not."""


def count_series(
    source: str | None, scratch: Path, *, n_pieces: int, n_renamings: int, seeds: Iterable[int], reporter: Reporter
) -> SeriesCount:
    """Look for series in a set, in it under names that mean nothing, and in pieces of it that were photographed again.

    Args:
        source: What `imgcls.train` reads; None is the default data.
        scratch: A folder for what is planted.
        n_pieces: From how many photographs of it six variants each are made: other light, turned, cropped.
        n_renamings: How often its photographs are dealt other names.
        seeds: One planting for each.
        reporter: Shows how far it is.
    """
    scan = scan_data(DataSource(source), Images(), quick=False, reporter=reporter).scan
    features = extract_features(scan, reporter=reporter)
    found = find_series(scan, Looks.of(scan, features))
    alarms = dict.fromkeys(NAMINGS, 0)
    for number in range(n_renamings):
        for naming in NAMINGS:
            alarms[naming] += _finds(_renamed(scan, naming, seed=number), features)
    n_planted, hits = 0, dict.fromkeys(NAMINGS, 0)
    for seed in seeds:
        n_planted += 1
        for naming in NAMINGS:
            folder = scratch / f"{seed}-{naming}"
            truth = plant_series(scan.samples, folder, naming=naming, n_pieces=n_pieces, seed=seed)
            look = scan_data(DataSource(folder), Images(), quick=False, reporter=reporter).scan
            told = find_series(look, Looks.of(look, extract_features(look, reporter=reporter)))
            groups = [] if told is None else [{truth[name] for name in group} for group in told.groups]
            hits[naming] += len(groups) == n_pieces and all(len(pieces) == 1 for pieces in groups)
    return SeriesCount(
        {naming: (hits[naming], n_planted) for naming in NAMINGS},
        {naming: (alarms[naming], n_renamings) for naming in NAMINGS},
        found.by if found is not None else "",
    )


def _finds(scan: Scan, features: Features | None) -> bool:
    return find_series(scan, Looks.of(scan, features)) is not None


def _renamed(scan: Scan, naming: str, *, seed: int) -> Scan:
    """Deal the photographs of a set names of series that they do not form, in their folders."""
    samples = scan.samples
    rng = np.random.default_rng([seed, 21])
    turn = rng.permutation(len(samples))
    pieces, shots = np.divmod(np.arange(len(samples)), N_EACH)
    names = np.array(NAMINGS[naming](pieces, shots, rng), dtype=object)[turn]
    paths = [
        str(samples.root / PurePosixPath(samples.relative(path)).parent / f"{name}.jpg")
        for path, name in zip(samples.frame["path"], names, strict=True)
    ]
    frame = samples.frame.assign(path=pd.Series(paths, dtype=object), group="")
    return replace(scan, samples=replace(samples, frame=frame))


def plant_series(samples: Samples, folder: Path, *, naming: str, n_pieces: int, seed: int) -> dict[str, int]:
    """Write series made from photographs of a data set into folders of its classes.

    Args:
        samples: The data set.
        folder: A new folder.
        naming: One of `NAMINGS`.
        n_pieces: How many photographs are varied, `N_EACH` times each.
        seed: Decides which, and how.

    Returns:
        From the id of each photograph to the number of its piece.
    """
    rng = np.random.default_rng([seed, 22])
    rows = rng.permutation(np.flatnonzero(samples.is_labelled & (samples.frame["split"] != "test").to_numpy()))
    pieces, shots = np.divmod(np.arange(n_pieces * N_EACH), N_EACH)
    truth = {}
    for piece, name in zip(pieces, NAMINGS[naming](pieces, shots, rng), strict=True):
        row = rows[piece]
        home = folder / str(samples.frame["label"].iloc[row]).replace("|", "+")
        home.mkdir(parents=True, exist_ok=True)
        with Image.open(samples.frame["path"].iloc[row]) as image:
            _varied(image.convert("RGB"), rng).save(home / f"{name}.jpg", quality=_QUALITY)
        truth[f"{home.name}/{name}.jpg"] = int(piece)
    return truth


def _varied(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Photograph a picture once more: turned, cropped, under other light."""
    turned = image.rotate(float(rng.uniform(-_MOST_TURNED, _MOST_TURNED)), resample=Image.Resampling.BICUBIC)
    share = float(rng.uniform(0.75, 0.95))
    width, height = round(image.width * share), round(image.height * share)
    left, top = int(rng.integers(image.width - width + 1)), int(rng.integers(image.height - height + 1))
    found = turned.crop((left, top, left + width, top + height))
    for light in (ImageEnhance.Brightness, ImageEnhance.Color):
        found = light(found).enhance(float(rng.uniform(0.5, 1.5)))
    return found
