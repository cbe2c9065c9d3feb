"""Loaders: which samples, in which order, in which batches, and what fastai may ask of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from imgcls.engine.loaders import Batch, Key, Normalisation, PhotoLoader
from imgcls.errors import DataError

Make = Callable[..., PhotoLoader]


class Numbered:
    """Ten images, each filled with its own number; the target is that number, the keys asked for are kept."""

    vocab = ("odd", "even")

    def __init__(self) -> None:
        self.targets: NDArray[np.int64] = np.arange(10)
        self.asked: list[Key] = []

    def __len__(self) -> int:
        return 10

    def __getitem__(self, row: int) -> Batch:
        return self.__getitems__([Key(row, 0)])

    def __getitems__(self, keys: Sequence[Key]) -> Batch:
        self.asked.extend(keys)
        rows = np.array([key.row for key in keys])
        images = np.broadcast_to(rows.astype(np.uint8)[:, None, None, None], (len(rows), 4, 4, 3))
        return images.copy(), self.targets[rows]


@pytest.fixture
def make() -> Make:
    """Build a loader of the ten images, four a batch."""

    def build(**settings: object) -> PhotoLoader:
        return PhotoLoader(Numbered(), **{"bs": 4} | settings)  # type: ignore[arg-type]

    return build


def shown(loader: PhotoLoader) -> list[list[int]]:
    return [targets.tolist() for _, targets in loader]


def test_without_shuffling_the_order_is_that_of_the_data_and_the_rest_is_shown(make: Make) -> None:
    assert shown(make()) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert len(make()) == 3


def test_an_incomplete_batch_is_left_out_where_asked(make: Make) -> None:
    loader = make(drop_last=True)
    assert shown(loader) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert len(loader) == 2


def test_the_order_hangs_on_seed_and_epoch_alone(make: Make) -> None:
    loader = make(shuffle=True, seed=3)
    first = shown(loader)
    assert sorted(itertools.chain.from_iterable(first)) == list(range(10))
    np.random.default_rng().random()
    torch.rand(3)
    assert shown(loader) == first == shown(make(shuffle=True, seed=3))
    assert shown(make(shuffle=True, seed=4)) != first
    loader.epoch = 1
    assert shown(loader) != first


def test_each_sample_is_asked_for_by_row_and_epoch(make: Make) -> None:
    loader = make()
    loader.epoch = 5
    shown(loader)
    assert loader.dataset.asked == [Key(row, 5) for row in range(10)]


def test_drawn_samples_hang_on_seed_and_epoch_alone(make: Make) -> None:
    shares = np.array([0.5, 0.5, *[0.0] * 8])
    loader = make(shuffle=True, seed=3, shares=shares)
    first = shown(loader)
    assert [len(batch) for batch in first] == [4, 4, 2]
    assert set(itertools.chain.from_iterable(first)) == {0, 1}
    np.random.default_rng().random()
    assert shown(loader) == first == shown(make(shuffle=True, seed=3, shares=shares))
    assert shown(make(shuffle=True, seed=4, shares=shares)) != first
    loader.epoch = 1
    assert shown(loader) != first


def test_a_sample_that_is_shown_again_has_another_turn(make: Make) -> None:
    loader = make(rows=[7, 7, 1, 7])
    shown(loader)
    assert loader.dataset.asked == [Key(7, 0), Key(7, 0, 1), Key(1, 0), Key(7, 0, 2)]
    loader.one_batch()
    assert loader.dataset.asked[4:] == loader.dataset.asked[:4]


def test_a_loader_for_other_data_or_without_shuffling_draws_no_samples(make: Make) -> None:
    loader = make(shuffle=True, shares=np.array([1.0, *[0.0] * 9]))
    assert shown(loader.new(shuffle=False)) == shown(make())
    assert loader.new().shares is loader.shares
    assert sorted(itertools.chain.from_iterable(shown(loader.new(Numbered())))) == list(range(10))


def test_a_fixed_order_is_kept_by_fastai_s_own_way_too(make: Make) -> None:
    assert shown(make(rows=[7, 7, 1])) == [[7, 7, 1]]
    assert shown(make().new(get_idxs=lambda: [2, 9])) == [[2, 9]]


def test_one_batch_is_the_first_and_leaves_the_pass_alone(make: Make) -> None:
    loader = make(shuffle=True)
    passing = iter(loader)
    images, targets = next(passing)
    again, same = loader.one_batch()
    assert torch.equal(images, again)
    assert torch.equal(targets, same)
    rest = [row for _, part in passing for row in part.tolist()]
    assert sorted([*targets.tolist(), *rest]) == list(range(10))


def test_a_loader_without_a_batch_says_so(make: Make) -> None:
    with pytest.raises(DataError, match="fewer samples than a batch"):
        make(bs=11, drop_last=True).one_batch()


def test_a_loader_like_another_keeps_its_settings_but_for_those_given(make: Make) -> None:
    normalisation = Normalisation((0.1,) * 3, (0.2,) * 3)
    loader = make(shuffle=True, drop_last=True, num_workers=2, seed=9, normalisation=normalisation)
    like = loader.new(bs=5)
    assert (like.bs, like.shuffle, like.drop_last, like.n_workers, like.seed) == (5, True, True, 2, 9)
    assert like.normalisation is normalisation
    assert like.dataset is loader.dataset


def test_normalising_and_back_gives_the_image() -> None:
    normalisation = Normalisation((0.1, 0.2, 0.3), (0.5, 0.25, 2.0))
    images = torch.arange(2 * 4 * 4 * 3, dtype=torch.uint8).view(2, 4, 4, 3)
    encoded = normalisation.encode(images, torch.device("cpu"))
    assert encoded.shape == (2, 3, 4, 4)
    assert torch.allclose(normalisation.decode(encoded), images.permute(0, 3, 1, 2) / 255, atol=1e-5)
