"""Data sets that torchvision and fastai know by name become folders of classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastai.data.external
import numpy as np
import pytest
import torchvision.datasets
from PIL import Image

from imgcls.engine.known_datasets import is_known_set, known_set
from imgcls.errors import DataError


class Tiny:
    """A set in the manner of torchvision: two classes of drawn images, one of them named like a path."""

    classes = ("plain", "a/b")
    made: list[dict[str, Any]]

    def __init__(self, root: str, train: bool = True, download: bool = False) -> None:
        self.made.append({"root": root, "train": train, "download": download})
        self.n = 20 if train else 6

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, number: int) -> tuple[Image.Image, int]:
        pixels = np.random.default_rng(number + 100 * self.n).integers(0, 200, (16, 16, 3)) + 55 * (number % 2)
        return Image.fromarray(pixels.astype(np.uint8)), number % 2


class BySplit(Tiny):
    """A set whose constructor has the split as text, and no names of classes."""

    classes = None  # type: ignore[assignment]

    def __init__(self, root: str, split: str = "train", download: bool = False) -> None:
        refuse_other_splits(split, ("train", "test"))
        super().__init__(root, split == "train", download)


def refuse_other_splits(split: str, valid: tuple[str, ...]) -> None:
    """Raise as torchvision does for the name of a split that a set does not have."""
    if split not in valid:
        raise ValueError(f"Unknown value '{split}' for argument split. Valid values are {set(valid)}.")


class ThreeSplits(Tiny):
    """A set with three splits and a fourth that unites two of them."""

    def __init__(self, root: str, split: str = "train", download: bool = False) -> None:
        refuse_other_splits(split, ("train", "val", "trainval", "test"))
        super().__init__(root, split == "train", download)
        self.n = {"train": 20, "val": 8, "trainval": 28, "test": 6}[split]


class TrainValid(Tiny):
    """A set whose training part is called trainval."""

    def __init__(self, root: str, split: str = "trainval", download: bool = False) -> None:
        refuse_other_splits(split, ("trainval", "test"))
        super().__init__(root, split == "trainval", download)


class NoTrain(Tiny):
    """A set that divides itself in another way."""

    def __init__(self, root: str, split: str = "letters", download: bool = False) -> None:
        refuse_other_splits(split, ("letters", "test"))
        super().__init__(root, False, download)


class BrokenSplit(ThreeSplits):
    """A set of which one split cannot be had."""

    def __init__(self, root: str, split: str = "train", download: bool = False) -> None:
        super().__init__(root, split, download)
        if split == "val":
            raise ValueError("the checksum of the archive does not match")


class Broken(Tiny):
    """A set that fails in the middle."""

    def __getitem__(self, number: int) -> tuple[Image.Image, int]:
        if number == 3:
            raise RuntimeError("no route to host")
        return super().__getitem__(number)


@pytest.fixture(autouse=True)
def _sets(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = (Tiny, BySplit, ThreeSplits, TrainValid, NoTrain, BrokenSplit, Broken)
    for kind in kinds:
        monkeypatch.setattr(kind, "made", [], raising=False)
        monkeypatch.setattr(torchvision.datasets, kind.__name__, kind, raising=False)
    monkeypatch.setattr(torchvision.datasets, "__all__", ("CIFAR10", *(kind.__name__ for kind in kinds)))


@pytest.mark.parametrize(
    ("data", "known"), [("torchvision:X", True), ("fastai:X", True), ("photos", False), (3, False)]
)
def test_names_of_sets_are_told_from_paths(data: object, known: bool) -> None:
    assert is_known_set(data) is known


def test_a_set_of_torchvision_becomes_folders_once(tmp_path: Path) -> None:
    folder = known_set("torchvision:Tiny", tmp_path)
    assert {path.name: len(list(path.iterdir())) for path in (folder / "train").iterdir()} == {"plain": 10, "a-b": 10}
    assert {path.name: len(list(path.iterdir())) for path in (folder / "test").iterdir()} == {"plain": 3, "a-b": 3}
    photo = np.asarray(Image.open(folder / "train" / "a-b" / "0000001.png"))
    assert np.array_equal(photo, np.asarray(Tiny(str(tmp_path))[1][0]))
    assert [made["download"] for made in Tiny.made[:2]] == [True, True]
    before = len(Tiny.made)
    assert known_set("torchvision:Tiny", tmp_path) == folder
    assert len(Tiny.made) == before


def test_a_set_without_names_has_its_numbers(tmp_path: Path) -> None:
    folder = known_set("torchvision:BySplit", tmp_path)
    assert sorted(path.name for path in (folder / "train").iterdir()) == ["0", "1"]
    assert (folder / "test").is_dir()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ThreeSplits", {"train": 20, "valid": 8, "test": 6}),
        ("TrainValid", {"train": 20, "test": 6}),
        ("BySplit", {"train": 20, "test": 6}),
    ],
)
def test_every_split_of_a_set_is_written(tmp_path: Path, name: str, expected: dict[str, int]) -> None:
    folder = known_set(f"torchvision:{name}", tmp_path)
    assert {path.name: len(list(path.rglob("*.png"))) for path in folder.iterdir()} == expected


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("NoTrain", "it has no split called train or trainval or training"),
        ("BrokenSplit", "the checksum of the archive does not match"),
    ],
)
def test_a_set_that_is_not_whole_is_not_kept(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(DataError, match=f"torchvision:{name} could not be fetched or written: {said}"):
        known_set(f"torchvision:{name}", tmp_path)
    assert not (tmp_path / "torchvision" / name).exists()


def test_a_set_that_fails_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="torchvision:Broken could not be fetched or written: no route to host"):
        known_set("torchvision:Broken", tmp_path)
    assert [path.name for path in (tmp_path / "torchvision").iterdir()] == []


def test_unknown_names_are_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"torchvision has no data set 'CIFAR1O'\. Did you mean 'CIFAR10'"):
        known_set("torchvision:CIFAR1O", tmp_path)
    with pytest.raises(DataError, match=r"fastai has no data set 'PETZ'\. Did you mean 'PETS'"):
        known_set("fastai:PETZ", tmp_path)


def test_a_set_of_fastai_is_fetched_by_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastai.data.external, "untar_data", lambda url: tmp_path / url.rpartition("/")[2])
    assert known_set("fastai:PETS", tmp_path) == tmp_path / "oxford-iiit-pet.tgz"

    def fail(url: str) -> Path:
        raise OSError("no route to host")

    monkeypatch.setattr(fastai.data.external, "untar_data", fail)
    with pytest.raises(DataError, match="fastai:PETS could not be fetched: no route to host"):
        known_set("fastai:PETS", tmp_path)


@pytest.mark.train
def test_a_set_is_trained_on_by_its_name(train: Callable[..., Any]) -> None:
    run = train("", "torchvision:Tiny")
    assert run.classes == ("a-b", "plain")
    assert run.data.n == {"train": 16, "valid": 4, "test": 6, "excluded": 0}
