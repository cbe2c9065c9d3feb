"""Smooth convex functions, several at once, minimised by L-BFGS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Function = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Points [m, p] → values [m] and gradients [m, p]; row i depends on point i alone."""

_N_PAIRS, _MOST_STEPS, _MOST_HALVINGS = 10, 5000, 30
_SUFFICIENT = 1e-4  # the share of the decrease promised by the slope that a step has to bring
_ROUNDING = 1e-14  # two values that differ by this share are equal for float64 sums


@dataclass(frozen=True)
class _Pair:
    """What one step taught of the curvature."""

    step: Tensor
    change: Tensor
    inverse: Tensor


def minimise(function: Function, start: Tensor, *, tolerance: float) -> Tensor:
    """Minimise several functions of equally many variables, each from its own start.

    All of them are evaluated together, so that one product of matrices serves them all; each has its own direction and
    step length, and rests where it is done.

    Args:
        function: Gives values and gradients; convex and bounded below.
        start: float64 [m, p].
        tolerance: A point is good when no entry of its gradient is larger than this.

    Returns:
        float64 [m, p].

    Source:
        Nocedal and Wright 2006, Numerical Optimization, algorithms 7.4 and 7.5, with backtracking.
    """
    points, pairs = start, list[_Pair]()
    values, gradients = function(points)
    scale = gradients.norm(dim=1).clamp(min=1).reciprocal()
    for _ in range(_MOST_STEPS):
        is_open = gradients.abs().amax(dim=1) > tolerance
        if not is_open.any():
            break
        directions = torch.where(is_open[:, None], -_curved(gradients, pairs, scale), 0.0)
        moved, moved_values, moved_gradients = _searched(function, points, values, gradients, directions)
        if torch.equal(moved, points):  # no step brings anything that float64 could tell
            break
        pair, scale = _learned(moved - points, moved_gradients - gradients, scale)
        pairs = [*pairs, pair][-_N_PAIRS:]
        points, values, gradients = moved, moved_values, moved_gradients
    return points


def _curved(gradients: Tensor, pairs: Sequence[_Pair], scale: Tensor) -> Tensor:
    """Multiply gradients by the estimate of the inverse curvature: the two-loop recursion."""
    result, shares = gradients, list[Tensor]()
    for pair in reversed(pairs):
        shares.append(pair.inverse * (pair.step * result).sum(dim=1))
        result = result - shares[-1][:, None] * pair.change
    result = scale[:, None] * result
    for pair, share in zip(pairs, reversed(shares), strict=True):
        result = result + (share - pair.inverse * (pair.change * result).sum(dim=1))[:, None] * pair.step
    return result


def _searched(
    function: Function, points: Tensor, values: Tensor, gradients: Tensor, directions: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Halve each step until it brings enough; one that never does is not taken."""
    slopes = (directions * gradients).sum(dim=1)
    lengths = torch.ones_like(values)
    for _ in range(_MOST_HALVINGS):
        moved = points + lengths[:, None] * directions
        moved_values, moved_gradients = function(moved)
        allowed = values + _SUFFICIENT * lengths * slopes + _ROUNDING * values.abs()
        is_good = moved_values <= allowed
        if is_good.all():
            return moved, moved_values, moved_gradients
        lengths = torch.where(is_good, lengths, lengths / 2)
    moved = torch.where(is_good[:, None], moved, points)
    return moved, *function(moved)


def _learned(steps: Tensor, changes: Tensor, scale: Tensor) -> tuple[_Pair, Tensor]:
    """Give what the last steps taught; a function that rests, or whose curvature drowns in rounding, learns nothing."""
    products, squares = (steps * changes).sum(dim=1), (changes * changes).sum(dim=1)
    is_sound = products > 1e-12 * squares
    inverse = torch.where(is_sound, products.reciprocal(), 0.0)
    return _Pair(steps, changes, inverse), torch.where(is_sound, products / squares, scale)
