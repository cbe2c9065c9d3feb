"""Data sets and loaders: plain uint8 images from the decoded store, normalised on the device.

`PhotoLoader` is a fastai loader, so that everything a `Learner` offers works on it, but its batches are plain
tensors: fastai's tensor subclasses cost ten times as much an operation, and are put on only where something is shown.
"""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from fastai.data.core import DataLoaders, TfmdDL
from fastai.data.transforms import CategoryMap
from fastai.torch_core import TensorBase, TensorCategory, TensorImage, TensorMultiCategory
from fastcore.foundation import L
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader as TorchLoader
from torch.utils.data import Dataset

from imgcls.data.decode import Preprocess, decode
from imgcls.engine.device import memory_format
from imgcls.engine.seeding import drawn, generator, order
from imgcls.engine.transforms import Pipeline
from imgcls.errors import DataError, TrainingError
from imgcls.plan import Fit
from imgcls.workers import follow_driver, starting_workers

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
    def of_epoch(cls, rows: Iterable[int], epoch: int, *, n_views: int = 0) -> list[Key]:
        """Return the keys of an epoch's rows, in their order.

        Args:
            rows: Positions in the dataset.
            epoch: Epoch, from 0.
            n_views: With so many views of each sample, those of the first epochs come again; 0 makes new ones.
        """
        n_shown: Counter[int] = Counter()
        keys = []
        for row in rows:
            turn = n_shown[row]
            keys.append(cls(row, (epoch + turn) % n_views) if n_views else cls(row, epoch, turn))
            n_shown[row] += 1
        return keys

    def generator(self, seed: int, what: str, name: str) -> np.random.Generator:
        """Return the generator of one thing that is done to the sample of that name."""
        return generator(seed, what, self.epoch, name, *([self.turn] if self.turn else []))


class HoldsPixels(Protocol):
    """A source of decoded photographs: the store, or a few of them in memory."""

    def pixels(self, rows: np.ndarray) -> np.ndarray:
        """Return the pixels of some rows, a fresh uint8 [b, size, size, 3]."""
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

    def clean(self) -> PhotoDataset:
        """Return the same photographs as they are decoded, whatever training does to them."""
        found = copy.copy(self)
        found.pipelines = {}
        return found

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int | Key) -> tuple[np.ndarray, np.ndarray]:
        """Return the image, uint8 [size, size, 3], and the target of one sample."""
        key = row if isinstance(row, Key) else Key(row, 0)
        images, targets = self.__getitems__([key])
        return images[0], targets[0]

    def __getitems__(self, keys: Sequence[Key]) -> Batch:
        """Return images, uint8 [b, size, size, 3], and targets of several samples at once."""
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


@dataclass(frozen=True)
class Normalisation:
    """How uint8 images become a network's input."""

    mean: tuple[float, ...]
    """Mean to subtract from values in [0, 1], per channel."""
    std: tuple[float, ...]
    """Deviation to divide by, per channel."""

    def encode(self, images: Tensor, device: torch.device) -> Tensor:
        """Return uint8 [b, h, w, 3] as normalised float32 [b, 3, h, w] on the device, in its fastest layout."""
        moved = images.to(device, non_blocking=True).permute(0, 3, 1, 2)
        floats = moved.to(torch.float32, memory_format=memory_format(device))
        return floats.sub_(self._channels(self.mean, device)).div_(self._channels(self.std, device))

    def decode(self, images: Tensor) -> Tensor:
        """Return normalised float32 [b, 3, h, w] as values in [0, 1]."""
        shown = images.float() * self._channels(self.std, images.device) + self._channels(self.mean, images.device)
        return (shown / 255).clamp(0, 1)

    @staticmethod
    def _channels(values: tuple[float, ...], device: torch.device) -> Tensor:
        return torch.tensor(values, device=device).mul_(255).view(1, -1, 1, 1)


@dataclass(frozen=True, eq=False)
class KeptFeatures:
    """What a frozen front made of every view of every sample of a split."""

    values: np.ndarray
    """float32 [n_views, n, …]."""
    targets: np.ndarray
    """As those of the dataset, [n] or [n, k]."""

    def __getitems__(self, keys: Sequence[Key]) -> Batch:
        """Return features, float32 [b, …], and targets of several samples at once."""
        rows = [key.row for key in keys]
        return self.values[[key.epoch % len(self.values) for key in keys], rows], self.targets[rows]


class PhotoLoader(TfmdDL):
    """A fastai loader whose order is a function of seed and epoch, and whose batches are plain tensors."""

    def __init__(
        self,
        dataset: Any = None,
        *,
        bs: int = 64,
        shuffle: bool = False,
        drop_last: bool = False,
        num_workers: int = 0,
        device: torch.device | None = None,
        normalisation: Normalisation | None = None,
        rows: Sequence[int] | None = None,
        shares: np.ndarray | None = None,
        n_views: int = 0,
        seed: int = 0,
        **fastai_options: Any,
    ) -> None:
        """Make the loader.

        Args:
            dataset: A `PhotoDataset` or `ImageList`.
            bs: Samples a batch.
            shuffle: Whether each epoch has its own order.
            drop_last: Whether an incomplete last batch is left out; never done when it is the only one.
            num_workers: Processes that prepare batches.
            device: Where batches go.
            normalisation: How images become floats.
            rows: A fixed order to use instead.
            shares: Probabilities float64 [n] by which each epoch's samples are drawn with replacement; None shows
                every sample once. Only where it shuffles.
            n_views: Views of each sample, one an epoch in turn; 0 makes a new one every time.
            seed: The run's seed.
            **fastai_options: What fastai passes on when it makes a loader from another one.
        """
        get_order = fastai_options.pop("get_idxs", None)
        kept = {name: value for name, value in fastai_options.items() if name in ("pin_memory", "timeout")}
        super().__init__(
            dataset, bs=bs, shuffle=shuffle, drop_last=drop_last, num_workers=0, device=device, do_setup=False, **kept
        )
        self.n_workers, self.normalisation, self.seed, self.shares = num_workers, normalisation, seed, shares
        self.n_views = n_views
        self.kept: KeptFeatures | None = None
        self.fixed_rows = list(get_order()) if get_order is not None else rows
        if self.fixed_rows is not None:
            self.n = len(self.fixed_rows)
        self.epoch = 0
        self._n_inp = 1
        self._torch_loader: TorchLoader[Batch] | None = None
        self._keys: list[list[Key]] = []

    @property
    def vocab(self) -> CategoryMap:
        """The classes, in the form in which fastai looks for them: of a list it would take the last entry."""
        return CategoryMap(self.dataset.vocab, sort=False)

    @property
    def is_multilabel(self) -> bool:
        """Whether targets are 0/1 by class."""
        return self.dataset.targets.ndim == 2

    def new(self, dataset: Any = None, cls: type | None = None, **changes: Any) -> PhotoLoader:
        """Make a loader like this one, with some settings changed."""
        settings = {
            "bs": self.bs,
            "shuffle": self.shuffle,
            "drop_last": self.drop_last,
            "num_workers": self.n_workers,
            "device": self.device,
            "normalisation": self.normalisation,
            "seed": self.seed,
            "shares": self.shares if dataset is None else None,
            "n_views": self.n_views,
        }
        return (cls or type(self))(self.dataset if dataset is None else dataset, **settings | changes)

    def get_idxs(self) -> list[int]:
        """Return the order of this epoch."""
        if self.fixed_rows is not None:
            return list(self.fixed_rows)
        if not self.shuffle:
            return list(range(len(self.dataset)))
        if self.shares is not None:
            return [int(row) for row in drawn(self.shares, self.seed, "sample", self.epoch)]
        return [int(row) for row in order(len(self.dataset), self.seed, "order", self.epoch)]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        keys, size = Key.of_epoch(self.get_idxs(), self.epoch, n_views=self.n_views), self.bs
        self._keys = [keys[start : start + size] for start in range(0, len(self) * size, size)]
        for images, targets in self._batches():
            yield self.on_device(images, targets)

    def one_batch(self) -> tuple[Tensor, Tensor]:
        """Return the first batch, without worker processes."""
        if not len(self):
            raise DataError("This loader has no batch: it has fewer samples than a batch and leaves the last one out.")
        keys = Key.of_epoch(self.get_idxs()[: self.bs], self.epoch, n_views=self.n_views)
        return self.on_device(*_as_tensors(self.dataset.__getitems__(keys)))

    def stop_workers(self) -> None:
        """End the worker processes; the next pass starts new ones.

        Left to Python's garbage collection, torch waits five seconds for each of them.
        """
        loader, self._torch_loader = self._torch_loader, None
        if loader is not None and loader._iterator is not None:
            loader._iterator._shutdown_workers()  # type: ignore[attr-defined]

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        if self.kept is not None or not self.n_workers:
            for keys in self._keys:
                yield _as_tensors((self.kept or self.dataset).__getitems__(keys))
            return
        if self._torch_loader is None:
            self._torch_loader = TorchLoader(
                self.dataset,
                batch_sampler=_KeysOf(self),
                collate_fn=_as_tensors,
                num_workers=self.n_workers,
                persistent_workers=True,
                pin_memory=self.device is not None and self.device.type == "cuda",
                generator=torch.Generator(),  # else every pass would draw from torch's global generator
                worker_init_fn=_begin_worker,
            )
        try:
            with starting_workers():
                batches = iter(self._torch_loader)
            yield from batches
        except RuntimeError as problem:
            if not is_death_of_worker(problem):
                raise
            raise TrainingError(WORKER_DIED) from problem

    def on_device(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return a batch on the device, its images normalised; features that were kept stay as they are."""
        device = self.device or torch.device("cpu")
        on_device = targets.to(device, non_blocking=True)
        if images.is_floating_point():  # features that were kept
            layout = memory_format(device) if images.ndim == 4 else torch.contiguous_format
            return images.to(device, non_blocking=True).to(memory_format=layout), on_device
        normalise = self.normalisation or Normalisation((0.0,) * 3, (1.0,) * 3)
        return normalise.encode(images, device), on_device

    # What fastai shows: here, and only here, batches become its tensor classes.

    def decode(self, batch: Sequence[Tensor]) -> tuple[Any, ...]:
        """Return a batch as fastai's tensors, images in [0, 1], for showing."""
        from fastai.vision import learner as _  # noqa: F401 - registers how images are shown

        images = self.normalisation.decode(batch[0]) if self.normalisation else batch[0]
        kind = TensorMultiCategory if self.is_multilabel else TensorCategory
        return TensorImage(images.cpu()), *(kind(_plain(part).cpu()) for part in batch[1:])

    def _decode_batch(self, batch: Sequence[Any], max_n: int = 9, full: bool = True) -> L:
        from fastai.data.transforms import Category, MultiCategory

        names = self.dataset.vocab
        samples = []
        for place in range(min(max_n, len(batch[0]))):
            shown: list[Any] = [batch[0][place]]
            for part in batch[1:]:
                if self.is_multilabel:
                    shown.append(MultiCategory(names[k] for k in torch.nonzero(_plain(part[place]).view(-1)).view(-1)))
                else:
                    shown.append(Category(names[int(part[place])]))
            samples.append(tuple(shown))
        return L(samples)


class PhotoLoaders(DataLoaders):
    """The training and validation loaders of one run, and loaders for further images made from them."""

    def __init__(self, *loaders: PhotoLoader, preprocess: Preprocess, path: Path, device: torch.device) -> None:
        """Gather the loaders.

        Args:
            *loaders: Training first, then validation.
            preprocess: How further images are decoded.
            path: Where fastai may write what its own methods keep.
            device: Where batches go.
        """
        super().__init__(*loaders, path=path, device=device)
        self.preprocess = preprocess
        self.n_inp = 1

    @property
    def vocab(self) -> CategoryMap:
        """The classes, in order."""
        return self.train.vocab

    @property
    def c(self) -> int:
        """The number of classes, as fastai looks for it."""
        return len(self.train.vocab)

    def stop_workers(self) -> None:
        """End the worker processes of all loaders."""
        for loader in self.loaders:
            loader.stop_workers()

    def test_dl(
        self, items: Sequence[Any], *, with_labels: bool = False, bs: int | None = None, **_: Any
    ) -> PhotoLoader:
        """Make a loader for further images: paths, PIL images or arrays.

        Args:
            items: The images.
            with_labels: Whether to look up the labels of images that belong to this data.
            bs: Samples a batch; None for that of validation.

        Raises:
            DataError: A label is asked for that is not known.
        """
        own = self.train.dataset.targets
        targets = np.zeros((len(items), *own.shape[1:]), own.dtype)
        if with_labels:
            known = {
                path: target for dl in self.loaders for path, target in zip(dl.items, dl.dataset.targets, strict=True)
            }
            if unknown := [item for item in items if item not in known]:
                raise DataError.together([f"No label is known for {item}." for item in unknown])
            targets = np.stack([known[item] for item in items])
        images = ImageList(items, self.preprocess, list(self.vocab), targets)
        return self.valid.new(images, shuffle=False, drop_last=False, num_workers=0, bs=bs or self.valid.bs)


def decode_item(item: Any, preprocess: Preprocess) -> np.ndarray:
    """Return a file, a PIL image or a uint8 array [h, w, 3] as training would see it, uint8 [size, size, 3].

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


def sample_shares(fit: Fit, targets: np.ndarray) -> np.ndarray | None:
    """Return the probability with which each sample is drawn, float64 [n]; None where each is shown once an epoch.

    A sample counts by the inverse of the number of samples of its class, so that every class that there is has the
    same share. One with several labels counts by its rarest class, which evens classes out but cannot make them
    equal, since frequent ones come along; those without any label are a class of their own.

    Args:
        fit: The plan's part.
        targets: Class indices, int64 [n], or 0/1 by class [n, k], of the training samples.

    Source: Japkowicz and Stephen 2002, doi:10.3233/IDA-2002-6504, random over-sampling.
    """
    if fit.sampler == "shuffle":
        return None
    if targets.ndim == 1:
        _, place, counts = np.unique(targets, return_inverse=True, return_counts=True)
        n_alike = counts[place]
    else:
        has = targets > 0.5
        n_alike = np.where(has, has.sum(axis=0), len(targets)).min(axis=1)
        without = ~has.any(axis=1)
        n_alike[without] = without.sum()
    shares = 1 / n_alike
    return shares / shares.sum()


class _KeysOf:
    """A batch sampler that reads the keys its loader has set for the epoch."""

    def __init__(self, loader: PhotoLoader) -> None:
        self._loader = loader

    def __iter__(self) -> Iterator[list[Key]]:
        return iter(self._loader._keys)

    def __len__(self) -> int:
        return len(self._loader._keys)


WORKER_DIED = (
    "A process that prepares batches died, perhaps for want of memory or of /dev/shm. Try fewer --workers, 0 for none, "
    "or a smaller --batch-size or --size."
)


def is_death_of_worker(problem: BaseException) -> bool:
    """Return whether an error says that a worker died; torch raises it wherever the process happens to be then."""
    return re.search(r"DataLoader worker .*(exited unexpectedly|killed by signal)", str(problem)) is not None


def _begin_worker(_number: int) -> None:
    follow_driver()


def _as_tensors(batch: Any) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(batch[0]), torch.from_numpy(np.asarray(batch[1]))


def _plain(tensor: Tensor) -> Tensor:
    return tensor.as_subclass(Tensor) if isinstance(tensor, TensorBase) else tensor
