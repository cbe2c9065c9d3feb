"""Recipes are found, read and stacked, and whatever is wrong with a stack is told at once."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import imgcls.catalog
from imgcls.catalog import (
    Card,
    Recipe,
    Stack,
    Step,
    check_card,
    copy_recipe,
    find_recipe,
    find_recipes,
    fold_on,
    parse_steps,
    recipe_file,
)
from imgcls.errors import PlanError, StackError
from imgcls.plan import Plan

MINE = '''"""Mine."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan

CARD = Card(
    summary="Clips gradients.", changes=("fit.clip_norm",), helps="Spikes.", hurts="Small gradients.", cost="None.",
    source="Own measurement.",
)


def {name}(plan: Plan, *, norm: float = 1.0) -> Plan:
    """Clip."""
    return replace(plan, fit=replace(plan.fit, clip_norm=norm))
'''


@pytest.fixture
def own_recipe(tmp_path: Path) -> Callable[[str], Path]:
    """Write a recipe file of one's own."""

    def write(name: str) -> Path:
        path = tmp_path / f"{name}.py"
        path.write_text(MINE.format(name=name), encoding="utf-8")
        return path

    return write


def problems(text: str, **overrides: Any) -> str:
    with pytest.raises(StackError) as caught:
        Stack.parse(text, overrides)
    return str(caught.value)


def test_knobs_are_typed_text_of_their_annotation() -> None:
    stack = Stack.parse("baseline:epochs=2,model=simple_cnn+augmentation:strength=1+freeze_backbone:epochs=1")
    assert stack.plan.fit.epochs == 2
    assert stack.plan.model.name == "simple_cnn"
    assert stack.plan.fit.freeze_epochs == 1
    assert stack.steps[1].knobs == {"strength": 1.0}
    assert isinstance(stack.steps[1].knobs["strength"], float)


def test_a_stack_prints_as_it_was_typed_with_its_overrides_apart() -> None:
    text = "baseline:epochs=2+label_smoothing:smoothing=0.2"
    stack = Stack.parse(text, {"fit.batch_size": 8})
    assert stack.text == text
    assert stack.label == f"{text} [fit.batch_size=8]"
    assert stack.names == ("baseline", "label_smoothing")
    assert Stack.parse(stack.text).plan == Stack.parse(text).plan


def test_blanks_around_the_signs_do_no_harm() -> None:
    assert Stack.parse(" baseline + label_smoothing: smoothing = 0.2 ").plan.loss.smoothing == 0.2


def test_the_order_of_typing_does_not_change_the_plan() -> None:
    recipes = ("augmentation", "adamw_cosine", "label_smoothing", "tta")
    digests = {Stack.parse("+".join(("baseline", *order))).plan.digest for order in itertools.permutations(recipes)}
    assert len(digests) == 1


def test_rungs_add_one_recipe_at_a_time_and_keep_the_overrides() -> None:
    rungs = Stack.parse("baseline+augmentation+tta", {"fit.epochs": 2}).rungs()
    assert [rung.names for rung in rungs] == [
        ("baseline",), ("baseline", "augmentation"), ("baseline", "augmentation", "tta")
    ]  # fmt: skip
    assert all(rung.plan.fit.epochs == 2 for rung in rungs)


def test_unknown_names_and_knobs_are_told_together_with_the_nearest_right_ones() -> None:
    message = problems("baseline+label_smothing+augmentation:strenght=0.7+adamax:rate=1+longer:epochs=x+tta:views")
    assert "has 5 problems:" in message
    assert "no recipe 'label_smothing'. Did you mean 'label_smoothing'" in message
    assert "no knob 'strenght'; its knobs are strength. Did you mean 'strength'?" in message
    assert "'adamax' has no knob 'rate'; it has none." in message
    assert "longer:epochs has to be int, not 'x'" in message
    assert "write a knob as name=value, not 'views'" in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("label_smoothing", "begins with a base such as 'baseline', not with 'label_smoothing'"),
        ("baseline+baseline", "can only stand first, not at position 2"),
        ("baseline+adamw+adamw", "'adamw' stands twice in the stack. Keep one."),
        ("baseline++adamw", "has an empty place"),
        ("", "has an empty place"),
        ("baseline+tta+tta_flips+augmentation", "'tta' and 'tta_flips' conflict: both choose the views"),
        ("baseline+tta", "'tta' needs augment.transforms: add augmentation"),
        ("baseline+label_smoothing:smoothing=0", "'label_smoothing' changes nothing here"),
        ("baseline+longer:epochs=3", "'longer' changes nothing here"),
        ("baseline+longer:epochs=2", "longer:epochs=2: the base already trains 3 epochs"),
        ("baseline+label_smoothing:smoothing=1", "label_smoothing:smoothing=1.0: loss.smoothing has to be in [0, 1)"),
        ("baseline+label_smoothing:smoothing=0.1,smoothing=0.2", "given 'smoothing' twice"),
        ("baseline+adamw_cosine+adamw", "'adamw' adds nothing: the other recipes already set optimizer.name"),
    ],
)
def test_a_stack_that_cannot_be_is_refused(text: str, said: str) -> None:
    assert said in problems(text)


@pytest.mark.parametrize("recipe", ["augmentation", "adamw", "cosine", "label_smoothing", "freeze_backbone"])
def test_what_only_epochs_read_is_refused_where_none_is_trained(recipe: str) -> None:
    said = f"Recipe '{recipe}' changes nothing because no epoch is trained"
    assert said in problems(f"baseline+{recipe}+linear_probe")
    assert said in problems(f"baseline+linear_probe+{recipe}")
    assert said in problems(f"baseline+linear_probe+{recipe}+tta_flips")
    assert Stack.parse(f"baseline+lp_ft+{recipe}").plan.fit.classifier == "logistic_regression"


def test_without_epochs_what_acts_on_images_or_predictions_stands() -> None:
    assert Stack.parse("baseline+linear_probe+larger_images+tta_flips").plan.fit.epochs == 0
    assert Stack.parse("baseline+augmentation+linear_probe+tta").plan.predict.views == 5  # the views are augmented


@pytest.mark.parametrize(
    ("text", "overrides", "said"),
    [
        ("baseline+lp_ft", {"fit.epochs": 0}, "lp_ft: the base trains no epoch to fine-tune in"),
        ("baseline+linear_probe", {"fit.epochs": 5}, "fit.epochs is set by hand and by recipe 'linear_probe'"),
        ("baseline+linear_probe+longer", {}, "Recipes 'linear_probe' and 'longer' both set fit.epochs"),
        ("baseline+linear_probe+lp_ft", {}, "conflict: one trains nothing after the regression"),
    ],
)
def test_epochs_and_the_probe(text: str, overrides: dict[str, Any], said: str) -> None:
    assert said in problems(text, **overrides)


def test_two_recipes_on_one_path_are_an_error_that_names_both_and_the_path() -> None:
    message = problems("baseline+label_smoothing+adamw+adamax")
    assert (
        "Recipes 'adamw' and 'adamax' both set optimizer.name (positions 3 and 4 of the stack). Keep one; "
        "'imgcls recipe show adamw' says when it helps." in message
    )


def test_all_kinds_of_conflicts_are_told_at_once() -> None:
    message = problems("baseline+adamw+adamax+cosine+one_cycle+label_smoothing:smoothing=0")
    for part in ("optimizer.name", "schedule.name", "'label_smoothing' changes nothing"):
        assert part in message


def test_overrides_act_on_the_base() -> None:
    stack = Stack.parse("baseline+label_smoothing", {"fit.epochs": "7", "images.size_px": "64"})
    assert stack.base_plan.fit.epochs == 7
    assert stack.plan.images.size_px == 64
    assert stack.plan.loss.smoothing == 0.1


def test_an_override_of_what_a_recipe_sets_is_an_error() -> None:
    message = problems("baseline+label_smoothing", **{"loss.smoothing": 0.2})
    assert "loss.smoothing is set by hand and by recipe 'label_smoothing', to different values" in message


def test_a_recipe_that_reads_what_it_sets_may_stand_on_an_override() -> None:
    assert Stack.parse("baseline+longer", {"fit.epochs": 5}).plan.fit.epochs == 10
    assert "already trains 20 epochs" in problems("baseline+longer", **{"fit.epochs": 20})
    assert "already uses 256 px" in problems("baseline+larger_images", **{"images.size_px": 256})


def test_unknown_override_paths_are_told_with_the_nearest() -> None:
    assert "Did you mean 'fit.epochs'" in problems("baseline", **{"fit.epoch": 3})


def test_a_recipe_file_runs_by_its_path(own_recipe: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = own_recipe("mine")
    monkeypatch.chdir(path.parent)
    stack = Stack.parse("baseline+./mine.py:norm=0.5")
    assert stack.plan.fit.clip_norm == 0.5
    assert stack.text == "baseline+./mine.py:norm=0.5"
    assert Stack.parse("baseline+mine.py").plan.fit.clip_norm == 1.0
    assert find_recipe(str(path)).origin == str(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "There is no recipe file"),
        ("1 +", "cannot be run: SyntaxError"),
        ("import nothing_of_this_name", "cannot be run: ModuleNotFoundError"),
        ("x = 1", "needs a function 'mine' (its own stem) and a CARD"),
        (MINE.format(name="other"), "needs a function 'mine'"),
    ],
)
def test_a_recipe_file_that_is_none_is_told(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "mine.py").write_text(content, encoding="utf-8")
    assert said in problems(f"baseline+{tmp_path / 'mine.py'}")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Install a recipe by an entry point, as another distribution would."""

    def install(name: str) -> None:
        module = ModuleType("another_package")
        exec(MINE.format(name=name), module.__dict__)
        monkeypatch.setitem(sys.modules, "another_package", module)
        point = EntryPoint(name, "another_package", imgcls.catalog.ENTRY_POINT_GROUP)
        monkeypatch.setattr(imgcls.catalog, "entry_points", lambda group: [point])

    return install


def test_an_entry_point_adds_a_recipe(installed: Callable[[str], None]) -> None:
    installed("clip")
    assert find_recipes()["clip"].origin == "another_package"
    assert Stack.parse("baseline+clip:norm=2").plan.fit.clip_norm == 2.0


def test_an_entry_point_cannot_take_the_name_of_a_recipe(installed: Callable[[str], None]) -> None:
    installed("longer")
    with pytest.raises(StackError, match="'longer' of another_package has the name of another recipe"):
        find_recipes()


def test_a_copied_recipe_works_under_its_own_name(tmp_path: Path) -> None:
    copy_recipe("label_smoothing", tmp_path / "mine.py")
    assert Stack.parse(f"baseline+{tmp_path / 'mine.py'}:smoothing=0.3").plan.loss.smoothing == 0.3
    with pytest.raises(StackError, match="is there already"):
        copy_recipe("adamw", tmp_path / "mine.py")
    copy_recipe("adamw", tmp_path / "mine.py", overwrite=True)
    assert Stack.parse(f"baseline+{tmp_path / 'mine.py'}").plan.optimizer.name == "adamw"


@pytest.mark.parametrize("name", ["mine.txt", "my-recipe.py", "1.py"])
def test_a_recipe_is_copied_to_a_python_name_only(tmp_path: Path, name: str) -> None:
    with pytest.raises(StackError, match=r"has to end in \.py"):
        copy_recipe("adamw", tmp_path / name)


def test_a_copy_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="cannot be written"):
        copy_recipe("adamw", tmp_path / "missing" / "mine.py")


def test_the_empty_fold_is_the_identity() -> None:
    plan = Stack.parse("baseline+augmentation").plan
    assert fold_on(plan, ()) is plan
    assert Stack.parse("baseline").plan == Stack.parse("baseline").base_plan


def test_a_fold_on_a_plan_checks_what_a_stack_checks() -> None:
    assert fold_on(Plan(), parse_steps("adamw+label_smoothing")).loss.smoothing == 0.1
    with pytest.raises(StackError, match=r"(?s)both set optimizer\.name.*'cosine' changes nothing"):
        fold_on(Plan().with_values({"schedule.name": "cosine", "schedule.warmup_epochs": 0.5}),
                parse_steps("adamw+adamax+cosine"))  # fmt: skip


def test_what_a_recipe_says_against_a_plan_carries_its_name() -> None:
    def refuse(plan: Plan) -> Plan:
        raise PlanError("not this one")

    card = Card(summary="s", helps="h", hurts="h", cost="c", source="s")
    with pytest.raises(StackError, match="refuse: not this one"):
        Step(Recipe("refuse", refuse, card, "test")).apply(Plan())


def test_a_card_with_faults_is_told_all_of_them() -> None:
    def many(plan: Plan, *, a: int = 1, b: int = 1, c: int = 1, d: int) -> Plan:
        return plan

    card = Card(summary="", helps="h", hurts="", cost="c", source="s", changes=("fit.epoch",), needs={"x.y": "z"})
    assert check_card(Recipe("many", many, card, "test")) == [
        "summary is empty",
        "hurts is empty",
        "path 'fit.epoch' does not exist",
        "path 'x.y' does not exist",
        "more than three knobs",
        "knob 'd' has no default",
        "the function has no docstring",
    ]


def test_a_relative_path_begins_at_a_folder_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file is not there, it begins at the current folder as ever."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    copy_recipe("label_smoothing", tmp_path / "mine.py")
    with pytest.raises(StackError, match="There is no recipe file"):
        Stack.parse("baseline+./mine.py")
    stack = Stack.parse("baseline+./mine.py", home=tmp_path)
    assert (stack.text, stack.plan.loss.smoothing) == ("baseline+./mine.py", 0.1)
    copy_recipe("tta_flips", Path("mine.py"))
    assert Stack.parse("baseline+./mine.py", home=tmp_path).plan == stack.plan
    (tmp_path / "mine.py").unlink()
    assert Stack.parse("baseline+./mine.py", home=tmp_path).plan.loss.smoothing == 0
    assert recipe_file("label_smoothing", home=tmp_path) is None


def test_the_recipes_that_are_shipped_are_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checklist reads dozens of stacks."""
    before = find_recipes()
    monkeypatch.setattr("pkgutil.iter_modules", pytest.fail)
    assert find_recipes() == before
