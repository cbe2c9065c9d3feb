"""Recipes two by two: every pair that may stand together, trained once, and which of them end below the baseline.

One seed proves nothing of a recipe; but a pair that falls below the lower end of the baseline's interval is a pair that
may have broken something, such as a classifier that was fitted and is then thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from benchmarks.study import BASE
from imgcls.catalog import Stack, find_recipes
from imgcls.config.metrics import Units
from imgcls.data.source import DataSource
from imgcls.engine.progress import Silent
from imgcls.engine.request import TrainOptions
from imgcls.engine.train import train_stack
from imgcls.errors import ImgclsError, StackError
from imgcls.records.run import Estimate
from imgcls.workspace import Workspace

SETTINGS = {"images.size_px": 64}
_WITH_VIEWS = "augmentation"


@dataclass(frozen=True)
class Pair:
    """What came of two recipes on the baseline."""

    stack: str
    """The stack."""
    score: float | None
    """Its metric; None where it could not be trained."""
    told: str
    """What is to be known of it: `below the baseline`, why it failed, or nothing."""


def pairs() -> Iterator[Stack]:
    """Yield the baseline with every two recipes that may stand together, with augmentation where one needs it."""
    names = [name for name, recipe in find_recipes().items() if not recipe.card.base and name != "backbone"]
    for one, other in combinations(names, 2):
        for text in (f"{BASE}+{one}+{other}", f"{BASE}+{_WITH_VIEWS}+{one}+{other}"):
            with suppress(StackError):
                stack = Stack.parse(text, SETTINGS)
                stack.plan  # noqa: B018 - folding is what finds that recipes do not go together
                yield stack
                break


def try_pairs(
    source: DataSource, home: Path, *, metric: str, tell: Callable[[str], None], most: int | None = None
) -> list[Pair]:
    """Train the baseline and the pairs once each, or find that they were; resumable.

    Args:
        source: A small set of photographs.
        home: The workspace.
        metric: What they are compared by.
        tell: Receives a line for each.
        most: Pairs at the most; None for all.

    Returns:
        Those that failed, or whose score is worse than the 95 % interval of the baseline's, the worst first.
    """
    options = TrainOptions(workspace=Workspace(home), reporter=Silent())
    base = train_stack(Stack.parse(BASE, SETTINGS), source, options).record.metrics[metric]
    tell(f"{BASE}: {base}")
    found = []
    for stack in list(pairs())[:most]:
        try:
            estimate = train_stack(stack, source, options).record.metrics[metric]
            pair = judged(stack.text, estimate, base, is_loss=Units(metric).is_loss)
        except ImgclsError as problem:
            pair = Pair(stack.text, None, f"failed: {problem}")
        tell(f"{pair.stack}: {pair.score} {pair.told}".rstrip())
        if pair.told:
            found.append(pair)
    sign = -1.0 if Units(metric).is_loss else 1.0
    return sorted(found, key=lambda pair: -np.inf if pair.score is None else sign * pair.score)


def judged(stack: str, estimate: Estimate, base: Estimate, *, is_loss: bool = False) -> Pair:
    """Return what a score says beside that of the baseline.

    Args:
        stack: The stack.
        estimate: Its score.
        base: The baseline's score with its interval.
        is_loss: Whether less is better.
    """
    value, low, high = estimate.value, base.low, base.high
    if value is None or low is None or high is None:
        return Pair(stack, value, "")
    return Pair(stack, value, "below the baseline" if (value > high if is_loss else value < low) else "")
