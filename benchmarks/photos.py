"""Photographs in class folders, the same for both sides, and the first weights of the network."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from imgcls.data.load import load_samples
from imgcls.data.split import split_samples
from imgcls.errors import DataError


@dataclass(frozen=True)
class Photos:
    """A folder of photographs that any library can read."""

    folder: Path
    """It holds `train` and `valid`, each with a folder for each class."""
    n_classes: int
    """The number of classes."""
    n_train: int
    """Training photographs, a multiple of the batch size."""
    n_valid: int
    """Validation photographs."""


def lay_out(source: str | None, folder: Path, *, n: int | None, batch_size: int) -> Photos:
    """Copy photographs into train and valid, split as imgcls splits them; a sealed test part is left out.

    fastai drops the last batch of training where it is not full, and imgcls does not; so that both see equally many
    images, the number of training photographs is rounded down to whole batches.

    Args:
        source: Anything with one label an image that `imgcls.train` reads; None is the default data.
        folder: A new folder.
        n: About how many photographs to take in all; None takes every one.
        batch_size: Samples per step.

    Raises:
        DataError: There are not enough photographs for one batch, or images have several labels.
    """
    samples = split_samples(load_samples(source))
    if samples.problem == "multilabel":
        raise DataError(f"{samples.name}: the benchmark needs one label an image.")
    frame = samples.frame[samples.frame["split"].isin(["train", "valid"])]
    share = 1.0 if n is None else min(1.0, n / len(frame))
    parts = {split: _some(frame[frame["split"] == split], share) for split in ("train", "valid")}
    parts["train"] = parts["train"].iloc[: len(parts["train"]) // batch_size * batch_size]
    if parts["train"].empty or parts["valid"].empty:
        raise DataError(f"{samples.name}: fewer training photographs than a batch of {batch_size}; take more.")
    for split, part in parts.items():
        for row, (path, label) in enumerate(zip(part["path"], part["label"], strict=True)):
            copy = folder / split / f"{samples.classes.index(label):04d}" / f"{row:06d}{Path(path).suffix.lower()}"
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    return Photos(folder, samples.n_classes, len(parts["train"]), len(parts["valid"]))


def write_first_weights(model: str, path: Path, *, n_classes: int, seed: int) -> None:
    """Write the weights that imgcls would begin with, so that the other side begins with the very same.

    Args:
        model: The network, by a name of timm.
        path: A new safetensors file.
        n_classes: Outputs.
        seed: Decides how the classifier is drawn.
    """
    from safetensors.torch import save_file

    from imgcls.engine.models import build_network
    from imgcls.plan import Images, Model

    network = build_network(Model(name=model, weights="auto"), Images(), n_classes=n_classes, seed=seed)
    save_file(network.module.state_dict(), path)


def _some(part: pd.DataFrame, share: float) -> pd.DataFrame:
    """Take a share of the rows in an order drawn by their ids, so that the same ones come again."""
    draws = part["id"].map(lambda name: hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest())
    return part.loc[draws.sort_values().index[: round(share * len(part))]]
