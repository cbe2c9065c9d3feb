"""Drawn ladders whose truth is known: which answers are right, with seed variance and sampling variance.

A logit is the sum of what an image is worth (most are easy, some hard, and other classes are confusable),
what a recipe makes of an image, what a seed does to all images and to a class, and what a seed makes of a
single image. Recipes that are equally good differ by chance alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

N_CLASSES = 5
_SHARE_HARD = 0.2
_EASY, _HARD = (4.8, 0.8), (0.8, 1.8)
"""Mean and standard deviation of the true class's lead."""
_CONFUSION = 0.5
_RECIPE = 0.40
_SEED_AND_IMAGE = 0.60
_KEPT = 0.8
"""Correlation of what two ways of predicting make of an image with the same weights."""
_MOST_CELLS = 4_000_000
_N_TRUTH = 400_000

Floats = npt.NDArray[np.float32]
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class World:
    """How much seeds differ."""

    name: str
    """As tables call it."""
    shift: float
    """Standard deviation of a seed's shift of every lead, in logits."""
    bias: float
    """Standard deviation of a seed's liking of a class, in logits."""


ORDINARY = World("ordinary seeds", shift=0.085, bias=0.12)
"""Accuracy 89 %, 0.4 points from seed to seed on endless images; one of two seeds is right on 4 % of them."""
NOISY = World("noisy seeds", shift=0.29, bias=0.31)
"""Seeds that differ three times as much, 1.3 points, as those of small data and short training do."""


def ladders(
    world: World,
    random: np.random.Generator,
    *,
    n_ladders: int,
    n_seeds: int,
    n: int,
    lifts: tuple[float, ...],
    last_is_predicted: bool = False,
) -> Iterator[Booleans]:
    """Draw ladders one by one.

    Args:
        world: How much seeds differ.
        random: Where chance comes from.
        n_ladders: How many.
        n_seeds: Runs a rung.
        n: Images, the same for all rungs of a ladder.
        lifts: By how much each rung raises the lead of the true class, in logits; 0 for equally good.
        last_is_predicted: Whether the last rung predicts with the weights of the one before.

    Yields:
        [rungs, seeds, n], whether the answer was right.
    """
    n_at_once = max(1, _MOST_CELLS // (len(lifts) * n_seeds * n * N_CLASSES))
    for begin in range(0, n_ladders, n_at_once):
        n_block = min(n_at_once, n_ladders - begin)
        gaps = _gaps(world, random, (n_block, len(lifts), n_seeds, n), last_is_predicted=last_is_predicted)
        yield from gaps < np.array(lifts, dtype=np.float32)[:, None, None]


def lift_for(world: World, gain: float) -> float:
    """Return the lift of the lead that raises expected accuracy by a gain.

    Args:
        world: How much seeds differ.
        gain: In accuracy, such as 0.01.
    """
    random = np.random.default_rng(2718)
    gaps = _gaps(world, random, (_N_TRUTH // 50, 1, 1, 50), last_is_predicted=False).ravel()
    return float(np.quantile(gaps, (gaps < 0).mean() + gain))


def _gaps(
    world: World, random: np.random.Generator, shape: tuple[int, int, int, int], *, last_is_predicted: bool
) -> Floats:
    """Return how far the strongest wrong class leads: [ladders, rungs, seeds, images]."""
    n_ladders, n_rungs, n_seeds, n = shape

    def normal(*size: int) -> Floats:
        return random.standard_normal(size, dtype=np.float32)

    hard = random.random((n_ladders, n)) < _SHARE_HARD
    lead = np.where(hard, _HARD[0] + _HARD[1] * normal(n_ladders, n), _EASY[0] + _EASY[1] * normal(n_ladders, n))
    worth = _CONFUSION * normal(n_ladders, n, N_CLASSES)
    worth[..., 0] += lead
    of_recipe = _RECIPE * normal(n_ladders, n_rungs, 1, n, N_CLASSES)
    of_both = _SEED_AND_IMAGE * normal(n_ladders, n_rungs, n_seeds, n, N_CLASSES)
    shift = world.shift * normal(n_ladders, n_rungs, n_seeds, 1)
    bias = world.bias * normal(n_ladders, n_rungs, n_seeds, N_CLASSES)
    if last_is_predicted:
        for part in (of_recipe, of_both):
            part[:, -1] = _KEPT * part[:, -2] + np.sqrt(1 - _KEPT**2) * part[:, -1]
        shift[:, -1], bias[:, -1] = shift[:, -2], bias[:, -2]
    # The true class stands first, the others after it in a circle, whatever its own number is.
    classes = (random.integers(N_CLASSES, size=(n_ladders, n))[..., None] + np.arange(N_CLASSES)) % N_CLASSES
    logits = of_both
    logits += of_recipe
    logits += worth[:, None, None]
    for ladder in range(n_ladders):
        logits[ladder] += bias[ladder][..., classes[ladder]]
    return logits[..., 1:].max(axis=-1) - logits[..., 0] - shift
