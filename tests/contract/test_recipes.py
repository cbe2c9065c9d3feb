"""What every recipe promises, shipped or yet to be written: each is held to it by name."""

from __future__ import annotations

import inspect
import itertools
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import imgcls_recipes
import pytest

from imgcls.catalog import Recipe, Stack, check_card, find_recipes, fold_on, parse_steps
from imgcls.errors import PlanError, StackError
from imgcls.plan import Plan

RECIPES = find_recipes()
BASES = [name for name, recipe in RECIPES.items() if recipe.card.base]
OTHERS = [name for name in RECIPES if name not in BASES]
BASE = "baseline:model=simple_cnn,epochs=2"

# No field is at its default, so that whatever a recipe sets is seen; it is far enough down for `longer` and the like.
FAR = Plan().with_values(
    {
        "model.name": "resnet18",
        "model.weights": "some.pth",
        "model.drop_rate": 0.5,
        "model.drop_path": 0.5,
        "images.size_px": 9,
        "images.resize": "pad",
        "images.pad_mode": "edge",
        "images.mean": [0, 0, 0],
        "images.std": [2, 2, 2],
        "augment.library": "torchvision",
        "augment.transforms": ["Blur"],
        "augment.smallest_crop": 0.77,
        "augment.mix": "another",
        "augment.erasing": 0.77,
        "loss.name": "bce",
        "loss.gamma": 0.77,
        "loss.smoothing": 0.77,
        "loss.class_weights": "balanced",
        "optimizer.name": "lion",
        "optimizer.learning_rate": 0.77,
        "optimizer.weight_decay": 0.77,
        "optimizer.layer_decay": 0.77,
        "optimizer.early_factor": 0.77,
        "optimizer.options": {"x": 1},
        "schedule.name": "one_cycle",
        "schedule.warmup_epochs": 0.77,
        "schedule.least_warmup_steps": 7,
        "fit.epochs": 2,
        "fit.batch_size": 3,
        "fit.classifier": "logistic_regression",
        "fit.sampler": "balanced",
        "fit.freeze_epochs": 77,
        "fit.first_size_px": 8,
        "fit.first_size_share": 0.77,
        "fit.freeze_batchnorm": True,
        "fit.clip_norm": 0.77,
        "fit.averaging": "another",
        "fit.callbacks": {"ShowGraphCallback": {}},
        "predict.views": 7,
        "predict.view_kind": "crops",
        "predict.smoothing": 0.5,
        "predict.smoothing_threshold": 0.77,
        "predict.calibration": "smoothing",
    }
)

# For every knob with a documented range, values just outside it.
OUTSIDE: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "adamw": {"weight_decay": (-0.1, "NaN", "Infinity")},
    "adamw_cosine": {"weight_decay": (-0.1, "NaN"), "warmup_epochs": (-0.5, "NaN")},
    "augmentation": {"strength": (0, -0.5, 1.01, "NaN", "Infinity")},
    "backbone": {"size": (7, 4097), "learning_rate": (0, -1, "NaN")},
    "baseline": {"epochs": (0, -1)},
    "cosine": {"warmup_epochs": (-0.5, "NaN")},
    "cutmix": {"alpha": (0, -1, "NaN", "Infinity")},
    "discriminative_rates": {"factor": (0, 1, -0.1, 1.01, "NaN")},
    "ema": {"decay": (0, 1, -0.1, "NaN")},
    "fine_tune": {"rate": (0, -0.1, 1.01, "NaN"), "steps": (-1,)},
    "focal_loss": {"gamma": (-0.1, "NaN", "Infinity")},
    "freeze_backbone": {"epochs": (0, -1)},
    "freeze_batchnorm": {"rate": (0, -0.1, 1.01, "NaN")},
    "freeze_stages": {"n": (0, -1, 1001), "views": (-1, 1001)},
    "label_smoothing": {"smoothing": (-0.1, 1, "NaN")},
    "larger_images": {"size_px": (127, 128, 4097)},
    "layerwise_rates": {"decay": (0, 1, -0.5, 1.01, "NaN")},
    "longer": {"epochs": (1, 2, 100_001)},
    "lp_ft": {"rate": (0, -0.1, 1.01, "NaN"), "steps": (-1,)},
    "mixup": {"alpha": (0, -1, "NaN", "Infinity")},
    "multi_view_probe": {"views": (0, 1, 65)},
    "prediction_smoothing": {"alpha": (-0.1, 0.51, "NaN"), "threshold": (0.49, 1.01, "NaN")},
    "progressive_resizing": {"first": (7, 4097), "share": (0, 1, -0.1, "NaN")},
    "random_erasing": {"probability": (0, -0.1, 1.01, "NaN")},
    "random_resized_crop": {"smallest": (0, 1, -0.1, "NaN")},
    "torchvision_augmentation": {"strength": (0, -0.5, 1.01, "NaN", "Infinity")},
    "tta": {"views": (0, 1, 65)},
    "tta_flips": {"views": (0, 1, 3, 5, 16)},
    "weight_averaging": {"start": (-0.1, 1, "NaN")},
}

every_recipe = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)


def another(value: Any) -> Any:
    """Return another value that a knob with this default takes; mirrorings are powers of two."""
    if value is None:
        return 16
    words = {"crop": "pad"}
    return {int: lambda: value * 2, float: lambda: value * 0.9, str: lambda: words.get(value, "resnet10t")}[
        type(value)
    ]()


def variants(recipe: Recipe) -> list[Mapping[str, Any]]:
    """Return the defaults, and one other value for each knob."""
    return [{}, *({name: another(knob.default)} for name, knob in recipe.knobs.items())]


def test_the_catalog_is_the_folder_of_recipes() -> None:
    folder = Path(__file__).parents[2] / "recipes"
    on_disk = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    shipped = {name for name, recipe in RECIPES.items() if recipe.origin == "imgcls"}
    assert shipped == on_disk
    assert len(on_disk) >= 23
    assert Path(imgcls_recipes.__path__[0]).resolve() == folder.resolve()


@every_recipe
def test_its_card_is_complete(recipe: Recipe) -> None:
    assert check_card(recipe) == []
    assert recipe.card.changes
    assert recipe.card.items
    unknown = set(recipe.card.conflicts) - set(RECIPES)
    assert not unknown, f"{recipe.name} conflicts with recipes that do not exist: {unknown}"
    for text in (recipe.card.summary, recipe.card.helps, recipe.card.hurts, recipe.card.cost, recipe.card.source):
        assert text == text.strip()
        assert text.endswith(".") or text == recipe.card.source


@every_recipe
def test_its_function_and_file_bear_its_name(recipe: Recipe) -> None:
    assert recipe.function.__name__ == recipe.name == Path(inspect.getfile(recipe.function)).stem
    assert inspect.signature(recipe.function, eval_str=True).return_annotation is Plan
    module = inspect.getmodule(recipe.function)
    assert module is not None
    assert module.__doc__


@every_recipe
def test_its_docstring_tells_of_every_knob(recipe: Recipe) -> None:
    text = inspect.getdoc(recipe.function) or ""
    assert text.partition("\n")[0].endswith(".")
    assert [name for name in recipe.knobs if f"{name}:" not in text] == []


@every_recipe
def test_it_sets_what_its_card_says_and_all_of_it(recipe: Recipe) -> None:
    reached: set[str] = set()
    for start, knobs in itertools.product((Plan(), FAR), variants(recipe)):
        reached |= set(start.diff(recipe.function(start, **knobs)))
    assert reached == set(recipe.card.changes)


@every_recipe
def test_it_sets_and_never_scales(recipe: Recipe) -> None:
    """What it sets does not depend on what was there, so recipes can stand in any order; but for what it reads."""
    for knobs in variants(recipe):
        ends = [recipe.function(start, **knobs).values() for start in (Plan(), FAR)]
        changed = [path for path in recipe.card.changes if ends[0][path] != ends[1][path]]
        assert set(changed) <= set(recipe.card.reads)


@pytest.mark.parametrize("name", ["fine_tune", "freeze_batchnorm", "lp_ft"])
def test_a_rate_that_was_set_by_hand_stays(name: str) -> None:
    assert Stack.parse(f"baseline+{name}").plan.optimizer.learning_rate == pytest.approx(3e-4)
    by_hand = Stack.parse(f"baseline+{name}", {"optimizer.learning_rate": 2e-3})
    assert by_hand.plan.optimizer.learning_rate == 2e-3
    other = Stack.parse(f"baseline:model=vit_tiny_patch16_224+{name}:rate=0.5")
    assert other.plan.optimizer.learning_rate == pytest.approx(5e-5)


@every_recipe
@pytest.mark.parametrize("start", [Plan(), FAR], ids=["default", "far"])
def test_it_is_idempotent_and_leaves_its_input_alone(recipe: Recipe, start: Plan) -> None:
    before = json.dumps(start.to_json(), sort_keys=True)
    once = recipe.function(start)
    assert json.dumps(start.to_json(), sort_keys=True) == before
    assert recipe.function(once) == once


@every_recipe
def test_its_plan_survives_json(recipe: Recipe) -> None:
    for knobs in variants(recipe):
        plan = recipe.function(Plan(), **knobs)
        assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_finding_and_folding_recipes_loads_no_heavy_library() -> None:
    code = (
        "import sys; from imgcls.catalog import Stack, find_recipes; from imgcls.plan import Plan\n"
        "size = {'backbone': {'size': 224}}  # without one it asks the library, which no other recipe does\n"
        "for name, recipe in find_recipes().items(): recipe.function(Plan(), **size.get(name, {}))\n"
        "Stack.parse('baseline+augmentation+adamw_cosine+label_smoothing+tta').plan.digest\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    heavy = {"torch", "torchvision", "fastai", "timm", "albumentations", "cv2", "pandas", "numpy", "sklearn", "scipy"}
    assert heavy & set(eval(done.stdout)) == set()


@pytest.mark.parametrize("name", OTHERS)
def test_it_stands_on_the_baseline_together_with_what_it_needs(name: str) -> None:
    needs = "+augmentation" if "augment.transforms" in RECIPES[name].card.needs else ""
    stack = Stack.parse(f"{BASE}{needs}+{name}")
    assert stack.base_plan != stack.plan


@pytest.mark.parametrize("name", [name for name in OTHERS if RECIPES[name].card.needs])
def test_it_is_refused_without_what_it_needs(name: str) -> None:
    with pytest.raises(StackError, match=f"'{name}' needs {next(iter(RECIPES[name].card.needs))}"):
        Stack.parse(f"{BASE}+{name}")


@every_recipe
def test_the_table_of_ranges_has_every_knob_that_is_a_number(recipe: Recipe) -> None:
    assert {name for name, knob in recipe.knobs.items() if knob.annotation is not str} == set(
        OUTSIDE.get(recipe.name, ())
    )


@pytest.mark.parametrize(
    ("name", "knob", "value"),
    [(name, knob, value) for name, knobs in OUTSIDE.items() for knob, values in knobs.items() for value in values],
)
def test_a_value_outside_its_documented_range_is_refused(name: str, knob: str, value: Any) -> None:
    needs = "+augmentation" if "augment.transforms" in RECIPES[name].card.needs else ""
    step = f"{name}:{knob}={value}"
    with pytest.raises((PlanError, StackError), match=name):
        Stack.parse(f"baseline:{knob}={value}" if name in BASES else f"{BASE}{needs}+{step}")


@pytest.mark.parametrize(
    ("name", "knobs", "said"),
    [
        ("augmentation", {"strength": 1.5}, r"strength has to be in \(0, 1\], not 1\.5"),
        ("cutmix", {"alpha": 0.0}, r"alpha has to be above 0, not 0\.0"),
        ("ema", {"decay": 1.0}, r"decay has to be in \(0, 1\), not 1\.0"),
        ("keep_aspect", {"mode": "squash"}, r"mode has to be crop or pad, not 'squash'"),
        ("mixup", {"alpha": -1.0}, r"alpha has to be above 0, not -1\.0"),
        ("random_resized_crop", {"smallest": 1.0}, r"smallest has to be in \(0, 1\), not 1\.0"),
        ("torchvision_augmentation", {"strength": 0.0}, r"strength has to be in \(0, 1\], not 0\.0"),
        ("tta", {"views": 65}, r"views has to be in \[2, 64\], not 65"),
        ("tta_flips", {"views": 3}, r"views has to be one of 2, 4, 8, not 3"),
        ("weight_averaging", {"start": 1.0}, r"start has to be in \[0, 1\), not 1\.0"),
    ],
)
def test_a_recipe_tells_the_range_by_itself(name: str, knobs: Mapping[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        RECIPES[name].function(Plan(), **knobs)


@pytest.mark.parametrize(
    "step",
    [
        "augmentation:strength=1",
        "torchvision_augmentation:strength=1",
        "tta_flips:views=8",
        "augmentation+tta:views=64",
    ],
)
def test_the_ends_of_a_range_belong_to_it(step: str) -> None:
    assert Stack.parse(f"{BASE}+{step}").plan != Stack.parse(BASE).plan


@pytest.mark.parametrize("pair", list(itertools.combinations(OTHERS, 2)), ids="+".join)
def test_disjoint_recipes_commute_and_overlapping_ones_are_refused(pair: tuple[str, str]) -> None:
    base = Stack.parse(BASE).plan
    first, second = (RECIPES[name] for name in pair)
    sets = [{path: new for path, (_, new) in base.diff(recipe.function(base)).items()} for recipe in (first, second)]
    different = [path for path in sets[0] if path in sets[1] and sets[0][path] != sets[1][path]]
    declared = second.name in first.card.conflicts or first.name in second.card.conflicts
    if not different and not declared:
        assert second.function(first.function(base)) == first.function(second.function(base))
        return
    for order in (pair, pair[::-1]):
        with pytest.raises(StackError) as caught:
            Stack.parse("+".join((BASE, *order)))
        assert all(repr(name) in str(caught.value) for name in pair)
        assert declared or all(path in str(caught.value) for path in different)


def test_a_crop_goes_with_any_transforms_and_any_size_in_any_order() -> None:
    recipes = ("augmentation:strength=0.7", "larger_images", "random_resized_crop:smallest=0.5", "tta")
    plans = {Stack.parse("+".join((BASE, *order))).plan for order in itertools.permutations(recipes)}
    (plan,) = plans
    assert (plan.augment.smallest_crop, plan.images.size_px, len(plan.augment.transforms)) == (0.5, 192, 3)


def test_a_crop_alone_is_enough_for_views() -> None:
    assert Stack.parse(f"{BASE}+tta+random_resized_crop").plan.predict.views == 5
    with pytest.raises(StackError, match=r"'tta' needs augment\.transforms"):
        Stack.parse(f"{BASE}+tta+random_erasing")


def test_declared_conflicts_hold_both_ways() -> None:
    for name, recipe in RECIPES.items():
        for other in recipe.card.conflicts:
            assert name in RECIPES[other].card.conflicts, f"{other} does not know of its conflict with {name}"


def test_the_empty_fold_is_the_identity() -> None:
    assert fold_on(FAR, ()) == FAR
    assert fold_on(FAR, parse_steps("label_smoothing")) != FAR
