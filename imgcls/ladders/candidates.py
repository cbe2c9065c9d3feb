"""Candidates of a climb: the stacks that it opens with, and the recipes that it adds, by what is known of the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from imgcls.catalog import Recipe, Stack, find_recipes
from imgcls.config.metrics import described
from imgcls.engine.prepare import Prepared
from imgcls.errors import StackError
from imgcls.ladders.spec import DEFAULT_STACK

OPENINGS = (
    "augmentation+adamw_cosine+label_smoothing",
    "linear_probe",
    "augmentation+fine_tune+freeze_stages+label_smoothing",
    "augmentation+fine_tune+label_smoothing",
    "augmentation+multi_view_probe",
)
"""What a climb puts on its base first, in the order of promise: where time is short, the first of them."""
_FEW = 1000
_UNEVEN_CLASSES = 3.0
_UNEVEN_SHAPE, _SHARE_OF_SHAPES = 1.2, 0.25


@dataclass(frozen=True)
class Traits:
    """What is known of data before anything is trained, as far as it decides what is tried."""

    reasons: Mapping[str, str]
    """Those of `imgcls.catalog.TRAITS` that hold, and what else is worth knowing, each with its numbers for people."""

    @property
    def names(self) -> frozenset[str]:
        """What holds."""
        return frozenset(("any", *self.reasons))

    @classmethod
    def of(cls, prepared: Prepared, *, metric: str) -> Traits:
        """Look at what trains, and at the shapes of all photographs.

        Args:
            prepared: The samples and pixels.
            metric: The primary metric.
        """
        train = prepared.samples.part("train")
        counts = np.bincount(train.targets) if train.targets.ndim == 1 else train.targets.sum(axis=0)
        counts = counts[counts > 0]
        reasons = {}
        if len(train) < _FEW:
            reasons["few"] = f"{len(train)} photographs train, which are few"
        ratio = counts.max() / counts.min() if len(counts) else 1.0
        if ratio >= _UNEVEN_CLASSES and described(metric).weighs_classes_alike:
            reasons["uneven_classes"] = f"the largest class has {ratio:.0f} times the photographs of the smallest"
        sizes = prepared.photos.sizes[(prepared.photos.sizes > 0).all(axis=1)]
        share = float((sizes.max(axis=1) / sizes.min(axis=1) >= _UNEVEN_SHAPE).mean()) if len(sizes) else 0.0
        if share >= _SHARE_OF_SHAPES:
            reasons["uneven_shapes"] = f"{share:.0%} of the photographs are far from square"
        return cls(reasons)


def openings(base: Stack) -> tuple[Stack, ...]:
    """Return the stacks that a climb opens with, without those that cannot stand on its base."""
    found: dict[str, Stack] = {}
    for text in OPENINGS:
        stack = _added(base, text)
        if stack is not None and stack.plan != base.plan:
            found.setdefault(stack.plan.digest, stack)
    return tuple(found.values())


PIXELS, WEIGHTS = "images.", "loss."
"""The parts of a plan that a recipe for what the data are may change alone: what is seen, and what counts how much."""


def variants(base: Stack, stacks: Iterable[Stack], traits: Traits, *, part: str) -> dict[str, Stack]:
    """Return opening stacks with what these data may want, such as proportions kept or classes weighed.

    Args:
        base: What they stand on.
        stacks: The opening stacks.
        traits: What is known of the data.
        part: `PIXELS` or `WEIGHTS`.

    Returns:
        Stack → stack with the recipe; empty where no recipe that changes nothing but that part suits the data.
    """
    recipe = _suiting(base, traits, part)
    if recipe is None:
        return {}
    found = {stack.text: _added(stack, recipe.name) for stack in stacks}
    return {text: other for text, other in found.items() if other is not None}


def default_stack(traits: Traits, overrides: Mapping[str, Any]) -> Stack:
    """Return the stack of a ladder that nobody named, beginning with the recipes that the data ask for.

    Args:
        traits: What is known of the data.
        overrides: Plan paths set on the base.
    """
    name, _, rest = DEFAULT_STACK.partition("+")
    base = Stack.parse(name, overrides)
    asked = [recipe.name for part in (PIXELS, WEIGHTS) if (recipe := _suiting(base, traits, part))]
    return Stack.parse("+".join((name, *asked, rest)), overrides)


def _suiting(base: Stack, traits: Traits, part: str) -> Recipe | None:
    """Return a recipe that suits the data and changes one part of a plan only, if nobody has set that by hand."""
    names, taken = traits.names - {"any"}, {*base.overrides}
    for recipe in find_recipes().values():
        changes = recipe.card.changes
        if names.intersection(recipe.card.suits) and all(path.startswith(part) for path in changes):
            return recipe if recipe.name not in base.names and not taken.intersection(changes) else None
    return None


def further(stack: Stack, traits: Traits) -> tuple[Stack, ...]:
    """Return the stacks with one recipe more, of those whose card says that they suit the data; specific ones first.

    Args:
        stack: The best so far.
        traits: What is known of the data.
    """
    suited = [recipe for recipe in find_recipes().values() if traits.names.intersection(recipe.card.suits)]
    suited.sort(key=lambda recipe: ("any" in recipe.card.suits, not _only_predicts(recipe), recipe.name))
    found = [_added(stack, recipe.name) for recipe in suited if recipe.name not in stack.names]
    return tuple(one for one in found if one is not None and one.plan != stack.plan)


def _only_predicts(recipe: Recipe) -> bool:
    """Whether it trains nothing, so that it costs next to nothing."""
    return all(path.startswith("predict.") for path in recipe.card.changes)


def _added(base: Stack, text: str) -> Stack | None:
    """Return a stack with recipes on top; None where they cannot stand there."""
    with suppress(StackError):
        stack = Stack.parse(f"{base.text}+{text}", base.overrides)
        stack.plan  # noqa: B018 - folding is what finds that recipes do not go together
        return stack
    return None
