"""Copies of photographs hidden in a copy of a data set, and the truth about them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from imgcls.data.samples import Samples
from imgcls.errors import DataError

TABLE, IMAGES = "labels.csv", "images"
KINDS = {"exact": 10, "re-encoded": 5, "mirrored": 5, "conflict": 10}
"""How many copies of each kind are planted where nothing else is asked for."""

_SCALE, _QUALITY = 0.6, 55
_MIRROR_QUALITY = 90


@dataclass(frozen=True)
class Planted:
    """A copy that was hidden."""

    id: str
    """The id of the copy."""
    of: str
    """The id of the photograph that it shows."""
    kind: str
    """One of `KINDS`."""


@dataclass(frozen=True)
class PlantedSet:
    """A copy of a data set with copies of its photographs in it."""

    table: Path
    """It has the columns id, label and split; the files lie in `images` beside it."""
    truth: tuple[Planted, ...]
    """What was hidden."""
    name_of: dict[str, str]
    """From the id of each sample to its id in the copy."""


def plant(samples: Samples, folder: Path, *, seed: int, kinds: Mapping[str, int] = KINDS) -> PlantedSet:
    """Copy a data set and hide copies of its photographs in it; every photograph is used at most once.

    exact: the same file in another split. re-encoded: at 60 % of the size, saved again as JPEG, in another split.
    mirrored: turned left to right and saved again, in another split. conflict: in the same split with another label,
    by turns the same file and re-encoded.

    Args:
        samples: The data set, split; those with a label and outside test are copied from.
        folder: A new folder.
        seed: Decides which photographs are copied, and where to.
        kinds: How many copies of each kind.

    Raises:
        DataError: There are fewer photographs than copies, or a single class.
    """
    frame = _copied(samples, folder)
    chosen = _chosen(samples, sum(kinds.values()), seed)
    order = [kind for kind, n in kinds.items() for _ in range(n)]
    draws, rows, truth = np.random.default_rng(seed), [], []
    for number, (row, kind) in enumerate(zip(chosen, order, strict=True)):
        original = frame.iloc[row]
        how = "re-encoded" if kind == "conflict" and number % 2 else kind
        name = _WRITERS[how](folder / IMAGES, original["id"], f"copy{number:03d}")
        label, split = original["label"], original["split"]
        if kind == "conflict":
            label = draws.choice([entry for entry in _labels(frame) if entry != label])
        else:
            split = draws.choice([entry for entry in sorted(set(frame["split"])) if entry != split])
        rows.append((name, label, split))
        truth.append(Planted(name, original["id"], kind))
    table = folder / TABLE
    pd.concat([frame, pd.DataFrame(rows, columns=frame.columns)]).to_csv(table, index=False)
    return PlantedSet(table, tuple(truth), dict(zip(samples.frame["id"], frame["id"], strict=True)))


def _copied(samples: Samples, folder: Path) -> pd.DataFrame:
    """Copy every file, and give the ids, labels and splits of the copies in the order of the samples."""
    (folder / IMAGES).mkdir(parents=True)
    names = [f"{row:06d}{Path(path).suffix.lower()}" for row, path in enumerate(samples.frame["path"])]
    for path, name in zip(samples.frame["path"], names, strict=True):
        shutil.copyfile(path, folder / IMAGES / name)
    labels = [label.strip("|").replace("|", "+") or ("none" if label else "") for label in samples.frame["label"]]
    return pd.DataFrame({"id": names, "label": labels, "split": samples.frame["split"].tolist()})


def _chosen(samples: Samples, n: int, seed: int) -> list[int]:
    """Draw rows of different files among those that may be copied."""
    is_shown = samples.is_labelled & (samples.frame["split"] != "test").to_numpy()
    rows = np.flatnonzero(is_shown & ~samples.frame["sha256"].duplicated().to_numpy())
    if len(rows) < n or samples.frame["label"][is_shown].nunique() < 2:
        raise DataError(f"{samples.name}: {n} different labelled photographs of two classes are needed to plant.")
    return [int(row) for row in np.random.default_rng(seed).choice(rows, n, replace=False)]


def _labels(frame: pd.DataFrame) -> list[str]:
    return sorted(set(frame["label"]) - {""})


def _exact(folder: Path, original: str, stem: str) -> str:
    name = f"{stem}{Path(original).suffix}"
    shutil.copyfile(folder / original, folder / name)
    return name


def _re_encoded(folder: Path, original: str, stem: str) -> str:
    with Image.open(folder / original) as image:
        size = (max(1, round(_SCALE * image.width)), max(1, round(_SCALE * image.height)))
        image.convert("RGB").resize(size, Image.Resampling.BILINEAR).save(
            folder / f"{stem}.jpg", "JPEG", quality=_QUALITY
        )
    return f"{stem}.jpg"


def _mirrored(folder: Path, original: str, stem: str) -> str:
    with Image.open(folder / original) as image:
        ImageOps.mirror(ImageOps.exif_transpose(image).convert("RGB")).save(
            folder / f"{stem}.jpg", "JPEG", quality=_MIRROR_QUALITY
        )
    return f"{stem}.jpg"


_WRITERS: dict[str, Callable[[Path, str, str], str]] = {
    "exact": _exact,
    "conflict": _exact,
    "re-encoded": _re_encoded,
    "mirrored": _mirrored,
}
