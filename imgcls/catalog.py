"""Recipes: their cards, how they are found, and how they are stacked.

A recipe is a pure function Plan → Plan in a file of its own, beside a `CARD`. A stack,
`baseline+augmentation:strength=0.7+tta`, is the fold of its recipes over the base. Recipes see
`imgcls.plan` and this module only, so that listing and comparing them loads no deep-learning library.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from imgcls.errors import ImgclsError, StackError, nearest_hint
from imgcls.plan import Plan, plan_paths, read_value

ENTRY_POINT_GROUP = "imgcls.recipes"

ENSEMBLE = "ensemble"
"""The last name of a ladder's stack that is no recipe, since a plan is one network: the mean of the seeds below it."""

# What is read while epochs are trained, and what of it is read besides.
_PARTS_OF_EPOCHS = ("augment.", "loss.", "optimizer.", "schedule.", "fit.", "model.drop_")
_READ_WITHOUT_EPOCHS = ("fit.epochs", "fit.classifier", "fit.classifier_views", "fit.statistics")
_READ_BY_REGRESSION = ("loss.class_weights",)
_READ_BY_VIEWS = ("augment.library", "augment.transforms", "augment.smallest_crop")

# Needs that another path meets too: the crop is a transform, in a field of its own so that its place does not matter.
_MET_BY = {"augment.transforms": ("augment.smallest_crop",)}


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is known of a recipe, for people and for checks."""

    summary: str
    """One sentence: what it does."""
    helps: str
    """When it tends to help."""
    hurts: str
    """When it tends to hurt; never empty."""
    cost: str
    """What it costs in time or memory."""
    source: str
    """A paper's section, a library's documentation, or own measured evidence."""
    changes: tuple[str, ...] = ()
    """The plan paths it sets."""
    items: tuple[str, ...] = ()
    """The checklist items it answers."""
    conflicts: Mapping[str, str] = field(default_factory=dict)
    """Recipes it cannot stand beside, with the reason; holds both ways."""
    needs: Mapping[str, str] = field(default_factory=dict)
    """Plan paths that must not be empty in the finished plan, with the advice to give when one is."""
    reads: tuple[str, ...] = ()
    """Paths it sets on top of what the base sets, after looking at them; flags may set these too."""
    base: bool = False
    """Whether a stack may begin with it."""
    suits: tuple[str, ...] = ()
    """Traits of data, from `TRAITS`, any of which makes a climb try it on top of its best stack; without any it never
    is."""
    measured: str = ""
    """What our own measurements say of it, with the data and the interval; empty where there are none."""


TRAITS = ("any", "uneven_classes", "uneven_shapes")
"""What a climb knows of data before it begins: see `imgcls.ladders.candidates`."""


@dataclass(frozen=True)
class Recipe:
    """A recipe with its name and card."""

    name: str
    """What a person types."""
    function: Callable[..., Plan]
    """Plan → Plan, with keyword-only knobs."""
    card: Card
    """What is known of it."""
    origin: str
    """Where it was found: `imgcls`, an installed distribution, or a file."""

    @property
    def knobs(self) -> dict[str, inspect.Parameter]:
        """The keyword-only parameters, by name."""
        parameters = inspect.signature(self.function, eval_str=True).parameters
        return {name: p for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}


@dataclass(frozen=True)
class Step:
    """One recipe of a stack with the knobs it was given."""

    recipe: Recipe
    """The recipe."""
    knobs: Mapping[str, Any] = field(default_factory=dict)
    """Knob values, already of the right type."""
    typed: str = ""
    """The name as it was typed: a name, or the path of a file."""

    @property
    def label(self) -> str:
        """The step as a person would type it."""
        knobs = ",".join(f"{name}={value}" for name, value in self.knobs.items())
        return f"{self.typed or self.recipe.name}{':' if knobs else ''}{knobs}"

    def apply(self, plan: Plan) -> Plan:
        """Apply the recipe; an error of it carries the recipe's name."""
        try:
            return self.recipe.function(plan, **self.knobs)
        except ImgclsError as problem:
            raise StackError(f"{self.label}: {problem}") from problem


@dataclass(frozen=True)
class Stack:
    """An ordered list of recipes on a base, and the values set by hand on that base.

    Example:
        >>> stack = Stack.parse("baseline+label_smoothing:smoothing=0.05")
        >>> stack.plan.loss.smoothing
        0.05
    """

    steps: tuple[Step, ...]
    """The base first, then the recipes as typed."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Plan paths set by flags, acting on the base."""
    final: Mapping[str, Any] = field(default_factory=dict)
    """Plan paths set after all recipes, whatever these say; only a quick run does so."""

    @classmethod
    def parse(
        cls,
        text: str,
        overrides: Mapping[str, Any] | None = None,
        *,
        final: Mapping[str, Any] | None = None,
        home: Path | None = None,
    ) -> Stack:
        """Read `a+b:knob=value,knob=value` and check that the recipes go together.

        Args:
            text: The stack as it was typed.
            overrides: Plan paths set by flags.
            final: Plan paths set after all recipes.
            home: Where relative paths of recipe files begin; see `recipe_file`.

        Raises:
            StackError: Anything is wrong with it; all problems at once.
        """
        stack = cls(parse_steps(text, home=home), dict(overrides or {}), dict(final or {}))
        problems = stack.problems()
        if problems:
            raise StackError.together(problems, heading=f"Stack {text!r} has {len(problems)} problems:")
        return stack

    @property
    def names(self) -> tuple[str, ...]:
        """The recipes' names, in order."""
        return tuple(step.recipe.name for step in self.steps)

    @property
    def text(self) -> str:
        """The stack as a person would type it, without the overrides."""
        return "+".join(step.label for step in self.steps)

    @property
    def label(self) -> str:
        """The stack with its overrides, for people to read."""
        by_hand = {**self.overrides, **self.final}
        if not by_hand:
            return self.text
        return f"{self.text} [{', '.join(f'{path}={value}' for path, value in by_hand.items())}]"

    @cached_property
    def base_plan(self) -> Plan:
        """The plan of the base alone, overrides included.

        A network that is set by hand is given to a base with a knob `model`, as if it had been typed there: what the
        base chooses by the network, such as its learning rate, is then that of the network that is trained.
        """
        base, name = self.steps[0], self.overrides.get("model.name")
        if isinstance(name, str) and "model" in base.recipe.knobs:
            base = replace(base, knobs={**base.knobs, "model": name})
        return base.apply(Plan()).with_values(self.overrides)

    @cached_property
    def plan(self) -> Plan:
        """The fold of all recipes over the base."""
        plan = self.base_plan
        for step in self.steps[1:]:
            plan = step.apply(plan)
        return plan.with_values(self.final)

    def rungs(self) -> tuple[Stack, ...]:
        """Return the stacks of the ladder: the base alone, then one recipe more each time."""
        return tuple(Stack(self.steps[: n + 1], self.overrides, self.final) for n in range(len(self.steps)))

    def problems(self) -> list[str]:
        """List everything that keeps this stack from being a plan."""
        wrong = _problems_of_names(self.steps)
        if wrong:
            return wrong
        try:
            base = self.base_plan
        except ImgclsError as problem:
            return [str(problem)]
        changes: dict[str, dict[str, Any]] = {}
        for step in self.steps[1:]:
            try:
                changes[step.recipe.name] = {path: new for path, (_, new) in base.diff(step.apply(base)).items()}
            except ImgclsError as problem:
                wrong.append(str(problem))
        wrong += _conflicting_paths(self.steps, changes)
        wrong += _base_knobs_overridden(self.steps[0], self.overrides)
        wrong += _overridden(self.steps, changes, self.overrides)
        wrong += _changing_nothing(changes)
        return wrong or [*_missing_needs(self.steps, self.plan), *_changing_only_epochs(changes, self.plan)]


def find_recipes() -> dict[str, Recipe]:
    """Return every recipe that is shipped or installed, by name, in the order of the names."""
    found = {recipe.name: recipe for recipe in _shipped()}
    for point in sorted(_installed(entry_points), key=lambda entry: entry.name):
        if point.name in found:
            raise StackError(f"Recipe {point.name!r} of {point.value} has the name of another recipe; rename it.")
        with suppress(StackError):  # a broken one raises when it is asked for by name
            found[point.name] = _recipe_from_entry_point(point)
    return found


def find_recipe(name: str, *, home: Path | None = None) -> Recipe:
    """Return one recipe by its name, or by the path of its file.

    Args:
        name: The name, or the path.
        home: Where a relative path begins; see `recipe_file`.

    Raises:
        StackError: There is none; the message names the nearest ones.
    """
    file = recipe_file(name, home=home)
    if file is not None:
        return _recipe_from_file(file)
    known = find_recipes()
    if name not in known:
        for point in _installed(entry_points):
            if point.name == name:
                return _recipe_from_entry_point(point)
        if name == ENSEMBLE:
            raise StackError(
                "'ensemble' is no recipe, since a plan is one network. 'imgcls ladder run STACK+ensemble' judges the "
                "mean of the seeds of a stack, as its last name only; 'imgcls blend STACK' makes one of those trained."
            )
        raise StackError(f"There is no recipe {name!r}.{nearest_hint(name, known)} 'imgcls recipe list' shows all.")
    return known[name]


def recipe_file(name: str, *, home: Path | None = None) -> Path | None:
    """Return the file that is meant where a recipe is named by a path; None where it is named by its name.

    Args:
        name: The name, or the path.
        home: Where a relative path begins, if the file is there; None, and otherwise, the current folder.
    """
    if not name.endswith(".py") and "/" not in name:
        return None
    return home / name if home is not None and (home / name).is_file() else Path(name)


def parse_steps(text: str, *, home: Path | None = None) -> tuple[Step, ...]:
    """Read `a+b:knob=value` into steps; whether they go together is not checked.

    Args:
        text: The stack as it was typed.
        home: Where relative paths of recipe files begin; see `recipe_file`.

    Raises:
        StackError: A recipe or knob does not exist; all problems at once.
    """
    steps, problems = [], []
    for piece in text.split("+"):
        try:
            steps.append(_parse_step(piece.strip(), text, home))
        except StackError as problem:
            problems.append(str(problem))
    if problems:
        raise StackError.together(problems, heading=f"Stack {text!r} has {len(problems)} problems:")
    return tuple(steps)


def fold_on(start: Plan, steps: Sequence[Step]) -> Plan:
    """Fold recipes over a plan that is no base, with the checks a stack has.

    Raises:
        StackError: The recipes do not go together; all problems at once.
    """
    wrong = _conflicting_cards(steps)
    changes = {
        step.recipe.name: {path: new for path, (_, new) in start.diff(step.apply(start)).items()} for step in steps
    }
    wrong += _conflicting_paths(steps, changes) + _changing_nothing(changes)
    if wrong:
        raise StackError.together(wrong)
    for step in steps:
        start = step.apply(start)
    return start


def copy_recipe(name: str, file: Path, *, overwrite: bool = False) -> None:
    """Write a recipe into a file of one's own, its function named after the file.

    Args:
        name: The recipe.
        file: A new `.py` file whose stem can be a name in Python.
        overwrite: Whether a file that is there may be replaced.

    Raises:
        StackError: The recipe does not exist, or the file cannot be written.
    """
    recipe = find_recipe(name)
    if file.suffix != ".py" or not file.stem.isidentifier():
        raise StackError(f"{str(file)!r} has to end in .py and be named like a function, such as mine.py.")
    if file.exists() and not overwrite:
        raise StackError(f"{str(file)!r} is there already; choose another name, or use --force.")
    source = Path(inspect.getfile(recipe.function)).read_text(encoding="utf-8")
    try:
        file.write_text(source.replace(f"def {recipe.name}(", f"def {file.stem}("), encoding="utf-8")
    except OSError as problem:
        raise StackError(f"{str(file)!r} cannot be written: {problem.strerror}.") from problem


def check_card(recipe: Recipe) -> list[str]:
    """List what is missing or wrong in a recipe's card: empty texts, unknown paths, too many knobs."""
    card, known = recipe.card, plan_paths()
    wrong = [f"{name} is empty" for name in ("summary", "helps", "hurts", "cost", "source") if not getattr(card, name)]
    paths = (*card.changes, *card.needs, *card.reads)
    wrong += [f"path {path!r} does not exist" for path in paths if path not in known]
    wrong += [f"trait {trait!r} does not exist" for trait in card.suits if trait not in TRAITS]
    if len(recipe.knobs) > 3:
        wrong.append("more than three knobs")
    wrong += [f"knob {name!r} has no default" for name, p in recipe.knobs.items() if p.default is p.empty]
    if not (inspect.getdoc(recipe.function) or "").strip():
        wrong.append("the function has no docstring")
    return wrong


@cache
def _shipped() -> tuple[Recipe, ...]:
    """Import once a process the recipes that are shipped, in the order of their names."""
    import imgcls_recipes

    names = sorted(module.name for module in pkgutil.iter_modules(imgcls_recipes.__path__))
    return tuple(_recipe_of(importlib.import_module(f"imgcls_recipes.{name}"), name, origin="imgcls") for name in names)


@cache
def _installed(find: Callable[..., Iterable[EntryPoint]]) -> tuple[EntryPoint, ...]:
    """Return the recipes that are installed, once a process: every distribution is searched for them."""
    return tuple(find(group=ENTRY_POINT_GROUP))


def _recipe_from_entry_point(point: EntryPoint) -> Recipe:
    try:
        source = importlib.import_module(point.module)
    except (Exception, SystemExit) as problem:
        raise StackError(
            f"Recipe {point.name!r} of {point.value} cannot be imported: {type(problem).__name__}: {problem}"
        ) from problem
    return _recipe_of(source, point.name, origin=point.value)


def _recipe_from_file(path: Path) -> Recipe:
    if not path.is_file():
        raise StackError(
            f"There is no recipe file {str(path)!r}; 'imgcls recipe copy label_smoothing {path}' makes one."
        )
    spec = importlib.util.spec_from_file_location(f"imgcls_own_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise StackError(f"{str(path)!r} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as problem:  # a file that ends with sys.exit() would end us, as if all were done
        raise StackError(f"Recipe file {str(path)!r} cannot be run: {type(problem).__name__}: {problem}") from problem
    return _recipe_of(module, path.stem, origin=str(path))


def _recipe_of(module: ModuleType, name: str, *, origin: str) -> Recipe:
    function, card = getattr(module, name, None), getattr(module, "CARD", None)
    if not callable(function) or not isinstance(card, Card):
        raise StackError(f"{origin}: a recipe file needs a function {name!r} (its own stem) and a CARD.")
    return Recipe(name, function, card, origin)


def _parse_step(piece: str, text: str, home: Path | None) -> Step:
    if not piece:
        raise StackError(f"Stack {text!r} has an empty place; write recipes as 'baseline+augmentation'.")
    name, _, rest = piece.partition(":")
    recipe = find_recipe(name, home=home)
    known, knobs, problems = recipe.knobs, {}, []
    for entry in rest.split(",") if rest else []:
        knob, equals, value = (part.strip() for part in entry.partition("="))
        if not equals or not knob:
            problems.append(f"{piece!r}: write a knob as name=value, not {entry!r}.")
        elif knob not in known:
            has = f"its knobs are {', '.join(known)}" if known else "it has none"
            problems.append(f"Recipe {name!r} has no knob {knob!r}; {has}.{nearest_hint(knob, known)}")
        elif knob in knobs:
            problems.append(f"Recipe {name!r} is given {knob!r} twice.")
        else:
            try:
                knobs[knob] = _knob_value(value, known[knob].annotation)
            except ValueError as problem:
                problems.append(f"{name}:{knob} {problem}")
    if problems:
        raise StackError.together(problems)
    return Step(recipe, knobs, name)


def _knob_value(text: str, annotation: Any) -> Any:
    value = read_value(text)
    if annotation is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if annotation is str:
        return text
    if isinstance(annotation, type) and (type(value) is not annotation):
        raise ValueError(f"has to be {annotation.__name__}, not {text!r}.")
    return value


def _problems_of_names(steps: Sequence[Step]) -> list[str]:
    names, wrong = [step.recipe.name for step in steps], []
    if not steps[0].recipe.card.base:
        wrong.append(f"A stack begins with a base such as 'baseline', not with {names[0]!r}.")
    for place, step in enumerate(steps[1:], start=2):
        if step.recipe.card.base:
            wrong.append(f"{step.recipe.name!r} is a base and can only stand first, not at position {place}.")
        if names.index(step.recipe.name) < place - 1:
            wrong.append(f"{step.recipe.name!r} stands twice in the stack. Keep one.")
    return wrong + _conflicting_cards(steps)


def _conflicting_cards(steps: Sequence[Step]) -> list[str]:
    wrong = []
    for first, step in enumerate(steps):
        for other in steps[first + 1 :]:
            reason = step.recipe.card.conflicts.get(other.recipe.name) or other.recipe.card.conflicts.get(
                step.recipe.name
            )
            if reason:
                wrong.append(f"Recipes {step.recipe.name!r} and {other.recipe.name!r} conflict: {reason}. Keep one.")
    return wrong


def _conflicting_paths(steps: Sequence[Step], changes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    place = {step.recipe.name: number for number, step in enumerate(steps, start=1)}
    wrong, names = [], list(changes)
    for first, name in enumerate(names):
        for other in names[first + 1 :]:
            for path in changes[name]:
                if path in changes[other] and changes[name][path] != changes[other][path]:
                    wrong.append(
                        f"Recipes {name!r} and {other!r} both set {path} (positions {place[name]} and "
                        f"{place[other]} of the stack). Keep one; 'imgcls recipe show {name}' says when it helps."
                    )
    return wrong


def _base_knobs_overridden(base: Step, overrides: Mapping[str, Any]) -> list[str]:
    by_knob = Step(base.recipe).apply(Plan()).diff(base.apply(Plan()))
    by_hand = Plan().with_values(overrides).values()
    return [
        f"{path} is set by hand and by {base.label!r}, to different values. Keep one."
        for path, (_, value) in by_knob.items()
        if path in overrides and path not in base.recipe.card.reads and by_hand[path] != value
    ]


def _overridden(
    steps: Sequence[Step], changes: Mapping[str, Mapping[str, Any]], overrides: Mapping[str, Any]
) -> list[str]:
    reads = {step.recipe.name: step.recipe.card.reads for step in steps}
    return [
        f"{path} is set by hand and by recipe {name!r}, to different values. Give the recipe its knob, or leave it out."
        for name, paths in changes.items()
        for path in paths
        if path in overrides and path not in reads[name]
    ]


def _changing_nothing(changes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    wrong = []
    for name, mine in changes.items():
        others = [paths for other, paths in changes.items() if other != name]
        if not mine:
            wrong.append(f"Recipe {name!r} changes nothing here: the base already is what it sets.")
        elif all(any(paths.get(path) == value for paths in others) for path, value in mine.items()):
            wrong.append(
                f"Recipe {name!r} adds nothing: the other recipes already set {', '.join(mine)}. Leave it out."
            )
    return wrong


def _missing_needs(steps: Sequence[Step], plan: Plan) -> list[str]:
    values = plan.values()
    return [
        f"Recipe {step.recipe.name!r} needs {path}: {advice}"
        for step in steps
        for path, advice in step.recipe.card.needs.items()
        if not any(values.get(one) for one in (path, *_MET_BY.get(path, ())))
    ]


def _changing_only_epochs(changes: Mapping[str, Mapping[str, Any]], plan: Plan) -> list[str]:
    """List recipes that set only what epochs read, in a plan that trains none."""
    if plan.fit.epochs:
        return []
    has_views = plan.fit.classifier_views > 1 or (plan.predict.views > 1 and plan.predict.view_kind == "augmented")
    fits = plan.fit.classifier == "logistic_regression"
    read = {
        *_READ_WITHOUT_EPOCHS,
        *(_READ_BY_VIEWS if has_views else ()),
        *(_READ_BY_REGRESSION if fits else ()),
    }
    return [
        f"Recipe {name!r} changes nothing because no epoch is trained (fit.epochs = 0), so that nothing reads "
        f"{', '.join(mine)}. Leave it out; lp_ft instead of linear_probe goes on to train epochs."
        for name, mine in changes.items()
        if all(path.startswith(_PARTS_OF_EPOCHS) and path not in read for path in mine)
    ]
