"""Tests of what a comparison can see, and what would settle it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from imgcls.evidence.gains import Components, Gain, measure
from imgcls.evidence.power import (
    MOST_SEEDS,
    USUAL,
    SampleCounts,
    compare_designs,
    detectable,
    minimal_detectable_gain,
    required_samples,
)


@pytest.fixture(scope="module")
def gain() -> Gain:
    """Three and four runs on 50 images, whose images differ by no more than chance within runs."""
    random = np.random.Generator(np.random.PCG64(11))
    easy = random.random(50)
    a = random.random((3, 50)) < 0.35 + 0.6 * easy + [[-0.12], [0], [0.12]]
    b = random.random((4, 50)) < 0.55 + 0.6 * easy + [[-0.1], [0], [0.1], [0.05]]
    return measure(a.astype(float), b.astype(float))


def drawn(*, seed_sd: float, image_sd: float, n_runs: int = 4, n: int = 200, same_weights: bool = False) -> Gain:
    """Measure a gain with as much luck of seeds and of images as is asked for."""
    random = np.random.default_rng(7)
    a = random.normal(0, 0.05, (n_runs, n))
    b = a + random.normal(0, image_sd, n) + random.normal(0, 0.05, (n_runs, n))
    b += seed_sd * np.linspace(-1, 1, n_runs)[:, None]
    return measure(a, b, same_weights=same_weights)


def test_the_detectable_gain_by_hand(gain: Gain) -> None:
    assert gain.components is not None
    found = [detectable(gain.components, n_seeds=s, n_units=n) for s, n in ((3, 50), (8, 50), (3, 5000))]
    assert found == pytest.approx([0.240903, 0.121767, 0.175638], rel=6e-6)
    assert minimal_detectable_gain(gain) == found[0]


def test_what_settles_by_hand(gain: Gain) -> None:
    settle = required_samples(gain, 0.10)
    assert settle is not None
    assert (settle.target, settle.n_seeds, settle.n_images) == (0.10, 12, None)
    assert settle.limit == "more images alone cannot settle this, the seeds are the limit"


@pytest.mark.parametrize("same_weights", [False, True])
def test_what_settles_is_the_first_number_that_is_enough(same_weights: bool) -> None:
    gain = drawn(seed_sd=0.01, image_sd=0.1, same_weights=same_weights)
    settle = required_samples(gain, 0.022)
    assert settle is not None
    assert settle.n_seeds is not None
    assert settle.n_images is not None
    assert settle.limit == ""
    parts = gain.components
    assert parts is not None
    seen = [detectable(parts, n_seeds=s, n_units=200, is_paired=same_weights) for s in range(2, MOST_SEEDS)]
    assert next(place for place, value in enumerate(seen, 2) if value <= 0.022) == settle.n_seeds
    enough, before = (
        detectable(parts, n_seeds=4, n_units=n, is_paired=same_weights)
        for n in (settle.n_images, int(settle.n_images / 1.11))
    )
    assert enough <= 0.022 < before


@pytest.mark.parametrize(
    ("seed_sd", "image_sd", "target", "n_seeds", "n_images", "limit"),
    [
        (0.0, 0.5, 0.05, None, int, "more seeds alone cannot settle this, the images are the limit"),
        (0.05, 0.02, 0.03, int, None, "more images alone cannot settle this, the seeds are the limit"),
        (0.05, 0.5, 0.03, None, None, "neither more seeds nor more images alone settle this, both are needed"),
    ],
)
def test_what_cannot_be_enough_alone_is_said(
    seed_sd: float, image_sd: float, target: float, n_seeds: type | None, n_images: type | None, limit: str
) -> None:
    settle = required_samples(drawn(seed_sd=seed_sd, image_sd=image_sd), target)
    assert settle is not None
    assert (settle.n_seeds is None, settle.n_images is None) == (n_seeds is None, n_images is None)
    assert settle.limit == limit


def test_a_number_that_is_only_too_large_is_no_limit_of_principle() -> None:
    gain = replace(drawn(seed_sd=0.05, image_sd=0.1), components=Components(seed=0.0, both=9.0, image=0.04))
    few = required_samples(gain, 0.05)
    assert few is not None
    assert few.n_seeds is None
    assert few.limit == "50 seeds are not enough on these images"


@pytest.mark.parametrize("paired", [False, True])
def test_more_of_anything_never_hurts(paired: bool) -> None:
    parts = Components(seed=2e-4, both=0.04, image=0.02)
    by_seeds = [detectable(parts, n_seeds=s, n_units=300, is_paired=paired) for s in range(2, 20)]
    by_images = [detectable(parts, n_seeds=4, n_units=n, is_paired=paired) for n in (50, 100, 1000, 10**5)]
    assert by_seeds == sorted(by_seeds, reverse=True)
    assert by_images == sorted(by_images, reverse=True)
    strict = [detectable(parts, n_seeds=4, n_units=300, level=level) for level in (0.1, 0.05, 0.05 / 9)]
    assert strict == sorted(strict)


def test_four_times_in_five_is_what_is_found() -> None:
    """Draw normal gains of the detectable size where images alone are luck, and count what is found."""
    parts = Components(seed=0.0, both=0.0, image=0.04)
    size = detectable(parts, n_seeds=5, n_units=400)
    drawn = np.random.default_rng(5).normal(size, np.sqrt(0.04 / 400), 20_000)
    assert np.mean(np.abs(drawn) > 1.959964 * np.sqrt(0.04 / 400)) == pytest.approx(0.8, abs=0.012)


def test_groups_are_reckoned_with_t() -> None:
    parts = Components(seed=2e-4, both=0.04, image=0.02)
    assert detectable(parts, n_seeds=4, n_units=8, has_groups=True) > detectable(parts, n_seeds=4, n_units=8)


def test_one_run_has_no_parts() -> None:
    gain = measure(np.eye(9)[:1], np.ones((1, 9)))
    assert minimal_detectable_gain(gain) is None
    assert required_samples(gain, 0.01) is None


def alone(n: int, n_valid: int) -> SampleCounts:
    """Count samples of which none has a group."""
    return SampleCounts(n, n, n_valid, n_valid)


def test_designs_by_hand() -> None:
    best, *_ = compare_designs(alone(2131, 341), most_runs=5)
    assert (best.n_seeds, best.n_folds, best.n_runs) == (5, None, 5)
    assert best.gain == detectable(USUAL, n_seeds=5, n_units=341)
    folds = next(design for design in compare_designs(alone(2131, 341), most_runs=5) if design.n_folds == 5)
    of_a_fold = USUAL.seed + (USUAL.image + USUAL.both) / (2131 / 5)
    t4, power = 2.776445105, 0.841621234
    assert folds.gain == pytest.approx((t4 + power) * (0.45 * of_a_fold) ** 0.5, rel=1e-6)
    assert str(folds) == "5 folds × 1 seed"


def test_where_few_groups_validate_there_are_folds() -> None:
    cells = SampleCounts(n=2084, n_groups=35, n_valid=540, n_valid_groups=9)
    assert all(design.n_folds for design in compare_designs(cells, most_runs=5))
    assert str(compare_designs(cells, most_runs=25)[0]) == "5 folds × 5 seeds"


def test_more_trainings_never_see_less() -> None:
    for counts in (alone(160, 40), alone(2131, 341), SampleCounts(970, 208, 194, 42)):
        gains = [compare_designs(counts, most_runs=n)[0].gain for n in (2, 5, 10, 25)]
        assert gains == sorted(gains, reverse=True)


def test_there_are_no_more_trainings_than_were_asked_for() -> None:
    assert max(design.n_runs for design in compare_designs(alone(900, 200), most_runs=7)) == 7
    assert compare_designs(SampleCounts(30, 6, 10, 2), most_runs=5) == []
