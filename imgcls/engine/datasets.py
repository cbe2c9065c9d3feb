"""Samples as datasets: uint8 images from the decoded store or decoded by hand, augmented one by one by key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from imgcls.data.decode import Preprocess, decode
from imgcls.engine.randomness import generator
from imgcls.engine.transforms import Pipeline
from imgcls.errors import DataError

Batch = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Key:
    """One sample as it is shown once: which, in which epoch."""

    row: int
    """Position in the dataset."""
    epoch: int
    """Epoch, from 0; decides the augmentation together with the seed and the sample's id."""
    turn: int = 0
    """How often the sample was shown in the epoch before, so that it is augmented in another way each time."""

    @classmethod
    def of_epoch(cls, rows: Iterable[int], epoch: int) -> list[Key]:
        """Give the keys of an epoch's rows, in their order."""
        n_shown: Counter[int] = Counter()
        keys = []
        for row in rows:
            keys.append(cls(row, epoch, n_shown[row]))
            n_shown[row] += 1
        return keys

    def generator(self, seed: int, what: str, name: str) -> np.random.Generator:
        """Give the generator of one thing that is done to the sample of that name."""
        return generator(seed, what, self.epoch, name, *([self.turn] if self.turn else []))


class HoldsPixels(Protocol):
    """Where decoded photographs are had from: the store, or a few of them in memory."""

    def pixels(self, rows: np.ndarray) -> np.ndarray:
        """Give the pixels of some rows, a fresh uint8 [b, size, size, 3]."""
        ...


class PhotoDataset(Dataset):
    """Photographs of one split, decoded and augmented one by one, given out as uint8 images [size, size, 3]."""

    def __init__(
        self,
        photos: HoldsPixels,
        rows: np.ndarray,
        *,
        ids: Sequence[str],
        paths: Sequence[Path],
        targets: np.ndarray,
        vocab: Sequence[str],
        pipeline: Pipeline | None = None,
        eraser: Pipeline | None = None,
        seed: int = 0,
    ) -> None:
        """Gather what is needed.

        Args:
            photos: The decoded store.
            rows: Rows of the store, int64 [n].
            ids: Names of the samples, [n]; augmentation is drawn by them.
            paths: Their files, [n].
            targets: Class indices int64 [n], or 0/1 [n, k].
            vocab: The classes, in order.
            pipeline: Training transforms; None leaves images as they are.
            eraser: What hides a part of an image after them; None leaves images whole.
            seed: The run's seed.
        """
        self.photos, self.rows, self.targets, self.vocab = photos, rows, targets, list(vocab)
        self.ids, self.items, self.seed = list(ids), list(paths), seed
        self.pipelines = {
            name: found for name, found in (("augment", pipeline), ("erase", eraser)) if found is not None
        }

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int | Key) -> tuple[np.ndarray, np.ndarray]:
        """Give the image, uint8 [size, size, 3], and the target of one sample."""
        key = row if isinstance(row, Key) else Key(row, 0)
        images, targets = self.__getitems__([key])
        return images[0], targets[0]

    def __getitems__(self, keys: Sequence[Key]) -> Batch:
        """Give images, uint8 [b, size, size, 3], and targets of several samples at once."""
        rows = np.fromiter((key.row for key in keys), dtype=np.int64, count=len(keys))
        images = self.photos.pixels(self.rows[rows])
        for name, pipeline in self.pipelines.items():
            for place, key in enumerate(keys):
                images[place] = pipeline(images[place], key.generator(self.seed, name, self.ids[key.row]))
        return images, self.targets[rows]


class ImageList:
    """Single images given by hand, as a dataset: files, PIL images or arrays."""

    def __init__(self, items: Sequence[Any], preprocess: Preprocess, vocab: Sequence[str], targets: np.ndarray) -> None:
        self.items, self.preprocess, self.vocab, self.targets = list(items), preprocess, list(vocab), targets

    def __len__(self) -> int:
        return len(self.items)

    def __getitems__(self, keys: Sequence[Key]) -> Batch:
        """Decode the images of some keys as training decoded its own."""
        images = np.stack([decode_item(self.items[key.row], self.preprocess) for key in keys])
        return images, self.targets[[key.row for key in keys]]


def decode_item(item: Any, preprocess: Preprocess) -> np.ndarray:
    """Give a file, a PIL image or a uint8 array [h, w, 3] as training would see it, uint8 [size, size, 3].

    Raises:
        DataError: It is none of these, or cannot be read.
    """
    if isinstance(item, str | Path):
        return decode(Path(item), preprocess)
    if isinstance(item, np.ndarray) and item.dtype == np.uint8:
        item = Image.fromarray(item)
    if not isinstance(item, Image.Image):
        raise DataError(f"An image has to be a path, a PIL image or a uint8 array, not {type(item).__name__}.")
    content = BytesIO()
    item.save(content, format="PNG")
    return decode(content.getvalue(), preprocess)
