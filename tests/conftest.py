"""What all tests share: drawn photographs, and a cache and a workspace of their own. Nothing here loads torch."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

# One thread a process, here and in the processes that tests start: equal bits, and no fight over the cores
# where several tests run side by side. It has to be said before torch is loaded.
os.environ["OMP_NUM_THREADS"] = "1"


def draw_photo(path: Path, *, bright: int, seed: int, size: tuple[int, int] = (28, 24)) -> Path:
    """Draw noise with a bright stripe whose place is the class, so that a network can learn it in an epoch or two."""
    width, height = size
    pixels = np.random.default_rng(seed).integers(0, 110, (height, width, 3))
    third = width // 3
    pixels[:, bright * third : (bright + 1) * third, bright] += 140
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def draw_folder(folder: Path, n_by_class: Mapping[str, int]) -> Path:
    """Draw a folder for each class; every photograph is another one."""
    for place, (name, n) in enumerate(n_by_class.items()):
        for number in range(n):
            suffix = ".png" if number % 2 else ".jpg"
            draw_photo(folder / name / f"{number:03d}{suffix}", bright=place % 3, seed=1000 * place + number)
    return folder


def draw_split_folder(folder: Path, n_by_split: Mapping[str, Mapping[str, int]]) -> Path:
    """Draw train, valid and test folders, each with a folder for each class."""
    for number, (split, n_by_class) in enumerate(n_by_split.items()):
        for place, (name, n) in enumerate(n_by_class.items()):
            for row in range(n):
                seed = 100_000 * (number + 1) + 1000 * place + row
                draw_photo(folder / split / name / f"{split}{row:03d}.png", bright=place % 3, seed=seed)
    return folder


def draw_multilabel(folder: Path, *, n: int = 30) -> Path:
    """Draw photographs with none, one or two of two labels, and give the table that lists them."""
    table = folder / "labels.csv"
    rows = []
    for number in range(n):
        red, green = number % 2, (number // 2) % 2
        pixels = np.random.default_rng(number).integers(0, 90, (24, 24, 3))
        pixels[:, :12, 0] += 150 * red
        pixels[:, 12:, 1] += 150 * green
        path = folder / "images" / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
        rows.append((path.stem, red, green))
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image_id", "red", "green"), *rows])
    return table


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of drawn photographs, 12 each, in folders."""
    return draw_folder(tmp_path_factory.mktemp("photos") / "stripes", {"left": 12, "middle": 12, "right": 12})


@pytest.fixture(scope="session")
def split_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of drawn photographs with train, valid and test folders."""
    n_by_split = {"train": {"cat": 9, "dog": 8}, "valid": {"cat": 4, "dog": 4}, "test": {"cat": 3, "dog": 3}}
    return draw_split_folder(tmp_path_factory.mktemp("photos") / "pets", n_by_split)


@pytest.fixture(scope="session")
def multilabel_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of drawn photographs with two columns of 0 and 1; photographs lie in `images` beside it."""
    return draw_multilabel(tmp_path_factory.mktemp("photos") / "colours")


@pytest.fixture(scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's cache out of the tests; photographs are decoded once a session."""
    monkeypatch.setenv("IMGCLS_CACHE", str(_cache))


@pytest.fixture(scope="session")
def one_thread() -> None:
    """Let torch compute on one thread: cores are shared, and bits depend on how many there are."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def uneven_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of drawn photographs, one four times as frequent."""
    return draw_folder(tmp_path_factory.mktemp("photos") / "uneven", {"many": 24, "rare": 6})
