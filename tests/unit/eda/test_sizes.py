from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from imgcls.eda.facts import Quantiles
from imgcls.eda.scan import ScanResult
from imgcls.eda.statistics import quantiles, recommend_px, size_facts

Make = Callable[..., ScanResult]


def test_sizes_formats_modes_and_turned_images(made_look: Make) -> None:
    look = made_look(
        ["a"] * 4,
        ["train", "train", "valid", "test"],
        measures={
            "width_px": [100, 100, 200, 100],
            "height_px": [100, 100, 100, 100],
            "format": ["PNG", "JPEG", "JPEG", "JPEG"],
            "mode": ["L", "RGB", "RGB", "RGB"],
            "orientation": [1, 6, 3, 1],
            "brightness": [10.0, 20.0, 90.0, 200.0],
        },
    )
    facts = size_facts(look.scan, device="cpu")
    assert facts.n_sizes == 2
    assert list(facts.formats.items()) == [("JPEG", 3), ("PNG", 1)]
    assert facts.modes == {"RGB": 3, "L": 1}
    assert facts.n_turned == 2
    assert {split: facts.brightness[split].middle for split in facts.brightness} == {
        "train": 15.0,
        "valid": 90.0,
        "test": 200.0,
    }


def test_no_images_have_quantiles_of_zero() -> None:
    assert quantiles([]) == Quantiles(low=0, middle=0, high=0)


@pytest.mark.parametrize(
    ("short_px", "device", "side", "said"),
    [
        (28, "cpu", 32, "no detail"),
        (70, "cpu", 96, "no detail"),
        (120, "cpu", 128, "no detail"),
        (150, "cpu", 128, "little detail"),
        (600, "cpu", 128, "larger_images:size_px=224"),
        (200, "cpu", 128, "larger_images:size_px=192"),
        (600, "cuda", 224, "affordable"),
        (150, "cuda", 128, "little detail"),
    ],
)
def test_the_recommended_size_never_exceeds_what_the_photographs_hold(short_px, device, side, said) -> None:
    found, why = recommend_px(np.full(50, short_px), device=device)
    assert found == side
    assert said in why


def test_many_images_begin_small_on_a_gpu_too() -> None:
    assert recommend_px(np.full(30_000, 600), device="cuda")[0] == 128


def test_nothing_to_judge_by_is_said() -> None:
    assert "no photographs" in recommend_px(np.zeros(0, np.int64), device="cpu")[1]
