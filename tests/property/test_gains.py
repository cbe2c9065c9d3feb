"""Properties of gains that hold whatever the contributions are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from imgcls.evidence.gains import Gain, measure
from imgcls.evidence.verdicts import holm, judge

Sides = tuple[np.ndarray, np.ndarray, bool]


@st.composite
def sides(draw: st.DrawFn) -> Sides:
    """Draw contributions of both sides, right and wrong or any number, and whether the weights are the same."""
    same_weights = draw(st.booleans())
    n, n_a = draw(st.integers(4, 30)), draw(st.integers(1, 5))
    n_b = n_a if same_weights else draw(st.integers(1, 5))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shift = draw(st.floats(-0.5, 0.5))
    easy = random.random(n)
    if draw(st.booleans()):
        rows = [(random.random((runs, n)) < easy + lift).astype(float) for runs, lift in ((n_a, 0.0), (n_b, shift))]
    else:
        seeds = draw(st.floats(0, 0.3))
        rows = [
            easy + lift + random.normal(0, seeds, (runs, 1)) + random.normal(0, 0.2, (runs, n))
            for runs, lift in ((n_a, 0.0), (n_b, shift))
        ]
    return rows[0], rows[1], same_weights


def told(gain: Gain) -> list[float]:
    return [gain.value, gain.low, gain.high, gain.p, gain.standard_error]


@settings(max_examples=80, deadline=None)
@given(sides())
def test_gains_are_antisymmetric(drawn: Sides) -> None:
    a, b, same_weights = drawn
    there, back = measure(a, b, same_weights=same_weights), measure(b, a, same_weights=same_weights)
    assert [back.value, back.low, back.high] == pytest.approx([-there.value, -there.high, -there.low], abs=1e-12)
    assert (back.p, back.standard_error) == pytest.approx((there.p, there.standard_error))
    mirrored = {"better": "worse", "likely better": "likely worse", "no evidence": "no evidence"}
    mirrored |= {worse: better for better, worse in mirrored.items()} | {"cannot tell": "cannot tell"}
    assert judge([back])[0].verdict == mirrored[judge([there])[0].verdict]


@settings(max_examples=80, deadline=None)
@given(sides(), st.integers(0, 2**32 - 1))
def test_the_order_of_runs_and_images_does_not_matter(drawn: Sides, seed: int) -> None:
    a, b, same_weights = drawn
    random = np.random.default_rng(seed)
    images, runs = random.permutation(a.shape[1]), random.permutation(len(a))
    others = runs if same_weights else random.permutation(len(b))
    moved = measure(a[runs][:, images], b[others][:, images], same_weights=same_weights)
    assert told(moved) == pytest.approx(told(measure(a, b, same_weights=same_weights)), rel=1e-6, abs=1e-12)


@settings(max_examples=80, deadline=None)
@given(sides(), st.floats(1e-3, 1e3))
def test_another_unit_scales_everything_but_p(drawn: Sides, factor: float) -> None:
    a, b, same_weights = drawn
    a, b = a + 0.25, b + 0.25  # no longer right and wrong, so that p is not counted exactly
    before, after = (measure(a * by, b * by, same_weights=same_weights) for by in (1.0, factor))
    assert [after.value, after.low, after.high] == pytest.approx(
        [factor * number for number in (before.value, before.low, before.high)], rel=1e-6, abs=1e-9 * factor
    )
    assert after.p == pytest.approx(before.p, rel=1e-5)


@settings(max_examples=80, deadline=None)
@given(sides(), st.floats(0.2, 2.0))
def test_seeds_that_differ_more_widen_the_interval(drawn: Sides, size: float) -> None:
    """Runs are moved apart, which leaves the noise of single images as it was."""
    a, b, same_weights = drawn
    assume(len(a) > 1 and len(b) > 1)
    before = measure(a, b, same_weights=same_weights)
    own = b.mean(axis=1, keepdims=True)
    # Moved along the way they differ already: the variance of seeds can then only grow.
    along = (b - a).mean(axis=1, keepdims=True) if same_weights else own
    after = measure(a, b + size * (along - along.mean()), same_weights=same_weights)
    assert after.noise is not None
    assert before.noise is not None
    assert after.noise.seeds >= before.noise.seeds
    assert after.noise.images == pytest.approx(before.noise.images)
    assert after.noise.both == pytest.approx(before.noise.both)
    assert after.standard_error >= before.standard_error * (1 - 1e-9)


@settings(max_examples=80, deadline=None)
@given(sides(), st.floats(0.2, 2.0))
def test_images_that_differ_more_widen_the_interval(drawn: Sides, size: float) -> None:
    a, b, same_weights = drawn
    difference = b.mean(axis=0) - a.mean(axis=0)
    before = measure(a, b, same_weights=same_weights)
    after = measure(a, b + size * (difference - difference.mean()), same_weights=same_weights)
    assert after.value == pytest.approx(before.value, abs=1e-12)
    assert after.high - after.low >= (before.high - before.low) * (1 - 1e-9)


@settings(max_examples=60, deadline=None)
@given(sides(), st.integers(1, 4))
def test_groups_of_one_image_are_images_but_for_t(drawn: Sides, n_copies: int) -> None:
    """An image and its copies are one unit, so that copies add nothing."""
    a, b, same_weights = drawn
    each = np.arange(a.shape[1])
    once = measure(a, b, same_weights=same_weights, groups=each)
    many = measure(
        np.tile(a, (1, n_copies)), np.tile(b, (1, n_copies)), same_weights=same_weights, groups=np.tile(each, n_copies)
    )
    assert told(many) == pytest.approx(told(once), rel=1e-6, abs=1e-12)
    alone = measure(a, b, same_weights=same_weights)
    assert once.standard_error == pytest.approx(alone.standard_error)
    assert once.high - once.low >= (alone.high - alone.low) * (1 - 1e-9)


@settings(max_examples=100, deadline=None)
@given(sides())
def test_an_interval_excludes_zero_just_where_p_is_small(drawn: Sides) -> None:
    a, b, same_weights = drawn
    gain = measure(a - 0.5, b - 0.5, same_weights=same_weights)
    assume(gain.standard_error > 0)
    for level, low, high in ((0.05, gain.low, gain.high), (0.10, gain.low90, gain.high90)):
        if abs(gain.p - level) > 1e-6:
            assert (gain.p < level) == (low > 0 or high < 0)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=12), st.randoms(use_true_random=False))
def test_holm_is_never_smaller_and_keeps_the_order(values: list[float], random: object) -> None:
    adjusted = holm(values)
    assert all(own <= after <= min(1.0, own * len(values)) + 1e-12 for own, after in zip(values, adjusted, strict=True))
    order = np.argsort(values, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()
