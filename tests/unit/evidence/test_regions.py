"""The place that heat maps share."""

from __future__ import annotations

import numpy as np
import pytest

from imgcls.evidence.regions import WINDOW, shared_region


def spots(places: list[tuple[int, int]], *, size: int = 48) -> np.ndarray:
    maps = np.zeros((len(places), size, size), dtype=np.float32)
    for one, (top, left) in zip(maps, places, strict=True):
        one[top : top + 6, left : left + 6] = 1
    return maps


@pytest.mark.parametrize("place", [(0, 0), (21, 21), (42, 20), (17, 42)])
def test_a_small_mark_at_one_place_is_found_wherever_it_is(place: tuple[int, int]) -> None:
    found = shared_region(spots([place] * 20), generator=np.random.default_rng(0))
    assert found.share == 1
    assert found.top * 48 <= place[0] + 1
    assert found.left * 48 <= place[1] + 1
    assert (found.top + WINDOW) * 48 >= place[0] + 5
    assert found.expected < 0.6


def test_maps_that_look_elsewhere_or_nowhere_share_no_place() -> None:
    generator = np.random.default_rng(1)
    elsewhere = spots([tuple(generator.integers(0, 42, 2)) for _ in range(60)])
    assert shared_region(elsewhere, generator=np.random.default_rng(0)).share < 0.5
    assert shared_region(np.ones((5, 48, 48), dtype=np.float32), generator=generator).share == 0
    assert shared_region(np.zeros((5, 48, 48), dtype=np.float32), generator=generator).share == 0
