"""A plan checks itself, writes itself in one form, and says what differs."""

from __future__ import annotations

import json
import math
import pickle
import shlex
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Any

import pytest

import imgcls.plan
from imgcls.catalog import Stack
from imgcls.cli.options import settings
from imgcls.plan import (
    Fit,
    Images,
    Loss,
    Model,
    Op,
    Optimizer,
    Plan,
    PlanError,
    Predict,
    Schedule,
    plan_paths,
    set_options,
)

# Changing one of these orphans every record that exists: a new field has to leave them as they are.
DIGEST_OF_DEFAULT = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
DIGEST_OF_FIVE_RECIPES = "b9d9cad4e8102856abee1f395b8a7f5d254e3617bc2fcbb763e436219d266924"
FIVE_RECIPES = "baseline+augmentation+adamw_cosine+label_smoothing+tta"


def test_digests_are_pinned() -> None:
    assert Plan().digest == DIGEST_OF_DEFAULT
    assert Stack.parse(FIVE_RECIPES).plan.digest == DIGEST_OF_FIVE_RECIPES


def test_canonical_json_leaves_out_defaults_and_writes_numbers_in_one_form() -> None:
    plan = Plan(fit=Fit(epochs=2.0), optimizer=Optimizer(learning_rate=1), loss=Loss(smoothing=0))
    assert plan.to_json() == {"fit": {"epochs": 2}, "optimizer": {"learning_rate": 1.0}}
    text = imgcls.plan.canonical_json(plan.to_json())
    assert text == '{"fit":{"epochs":2},"optimizer":{"learning_rate":1.0}}'


def test_every_field_survives_json() -> None:
    plan = Plan(
        model=Model("resnet10t", "weights.pth", drop_rate=0.1, drop_path=0.2),
        images=Images(64, "pad", "reflect", mean=(0.1, 0.2, 0.3), std=(1, 1, 1)),
        loss=Loss("bce", 0.1, "balanced", 3),
        schedule=Schedule("cosine", 0.5, 7),
        predict=Predict(4, "flips", 0.01, 0.99),
    ).with_values(
        {
            "augment.library": "torchvision",
            "augment.mix": {"mixup": {"alpha": 0.2}},
            "augment.erasing": 0.25,
            "augment.smallest_crop": 0.5,
            "augment.views": 3,
            "augment.transforms": [{"RandomRotation": {"degrees": 10}}, "RandomHorizontalFlip"],
            "optimizer.name": "sgd",
            "optimizer.learning_rate": 0.1,
            "optimizer.weight_decay": 0.01,
            "optimizer.layer_decay": 0.75,
            "optimizer.options.momentum": 0.9,
            "optimizer.early_factor": 0.5,
            "fit.epochs": 3,
            "fit.batch_size": 8,
            "fit.classifier": "logistic_regression",
            "fit.classifier_views": 2,
            "fit.statistics": "better",
            "fit.least_steps": 100,
            "fit.freeze_stages": 2,
            "fit.sampler": "balanced",
            "fit.freeze_epochs": "all",
            "fit.freeze_batchnorm": True,
            "fit.clip_norm": 1.0,
            "fit.first_size_px": 32,
            "fit.first_size_share": 0.25,
            "fit.averaging": {"ema": {"decay": 0.9}},
            "fit.callbacks.ShowGraphCallback": {},
            "predict.calibration": "temperature",
        }
    )
    untouched = [path for path, value in plan.values().items() if Plan().values().get(path) == value]
    assert untouched == []
    again = Plan.from_json(json.loads(json.dumps(plan.to_json())))
    assert again == plan
    assert again.digest == plan.digest


@pytest.mark.parametrize(
    ("part", "name", "bad", "word"),
    [
        (Images, "size_px", 7, "in [8, 4096]"),
        (Images, "size_px", 32.5, "a whole number"),
        (Images, "resize", "stretch", "one of squash, crop, pad"),
        (Images, "mean", "0.5", "a list"),
        (Model, "drop_rate", 1, "in [0, 1)"),
        (Model, "name", 3, "text"),
        (Loss, "smoothing", 1.0, "in [0, 1)"),
        (Loss, "smoothing", math.nan, "in [0, 1)"),
        (Loss, "smoothing", True, "a number"),
        (Optimizer, "learning_rate", 0, "above 0"),
        (Optimizer, "learning_rate", math.inf, "above 0"),
        (Optimizer, "weight_decay", -1e-9, "at least 0"),
        (Optimizer, "options", [1], "a mapping"),
        (Fit, "epochs", -1, "in [0, 100000]"),
        (Fit, "epochs", "3", "a whole number"),
        (Fit, "freeze_epochs", "some", "one of all"),
        (Fit, "freeze_batchnorm", 1, "true or false"),
        (Fit, "clip_norm", 0, "above 0"),
        (Predict, "views", 65, "in [1, 64]"),
        (Predict, "smoothing", 0.51, "in [0, 0.5]"),
        (Predict, "smoothing_threshold", 0.4, "in [0.5, 1]"),
        (Predict, "calibration", "platt", "one of none, temperature, smoothing"),
    ],
)
def test_a_value_out_of_its_range_is_refused(part: type, name: str, bad: object, word: str) -> None:
    with pytest.raises(PlanError) as caught:
        part(**{name: bad})
    assert f"{part.__name__.lower()}.{name} has to be" in str(caught.value)
    assert word in str(caught.value)
    assert repr(bad) in str(caught.value)


@pytest.mark.parametrize(
    ("part", "name", "good"),
    [
        (Images, "size_px", 8),
        (Loss, "smoothing", 0),
        (Predict, "smoothing", 0.5),
        (Predict, "smoothing_threshold", 1),
        (Fit, "freeze_epochs", 100_000),
        (Fit, "clip_norm", None),
    ],
)
def test_the_ends_of_a_range_belong_to_it(part: type, name: str, good: object) -> None:
    assert getattr(part(**{name: good}), name) == good


def test_all_problems_are_told_at_once_with_the_nearest_names() -> None:
    with pytest.raises(PlanError) as caught:
        Plan().with_values({"fit.epoch": 3, "loss.smooth": 0.1, "images.size_px": 2, "fit.epochs.x": 1})
    message = str(caught.value)
    assert message.startswith("4 problems:")
    assert "no 'fit.epoch'. Did you mean 'fit.epochs'" in message
    assert "'loss.smoothing'" in message
    assert "images.size_px has to be in [8, 4096], not 2" in message
    assert "fit.epochs is a single value" in message


def test_a_part_tells_all_its_problems_at_once() -> None:
    with pytest.raises(PlanError, match=r"(?s)fit\.epochs.*fit\.batch_size"):
        Fit(epochs=-1, batch_size=0)


@pytest.mark.parametrize("bad", [{"fits": {"epochs": 1}}, {"fit": {"epoch": 1}}, {"fit": 3}])
def test_json_with_unknown_parts_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(PlanError):
        Plan.from_json(bad)


@pytest.mark.parametrize(
    ("path", "typed", "value"),
    [
        ("fit.epochs", "5", 5),
        ("fit.epochs", "5.0", 5),
        ("fit.freeze_batchnorm", "true", True),
        ("fit.freeze_batchnorm", "True", True),
        ("fit.clip_norm", "null", None),
        ("fit.clip_norm", "2", 2.0),
        ("fit.freeze_epochs", "all", "all"),
        ("optimizer.learning_rate", "1e-4", 1e-4),
        ("optimizer.name", "sgd", "sgd"),
        ("model.weights", "1", "1"),
        ("images.mean", "[0.5, 0.5, 0.5]", [0.5, 0.5, 0.5]),
        ("augment.transforms", '[{"HorizontalFlip": {"p": 1}}]', [{"HorizontalFlip": {"p": 1}}]),
        ("optimizer.options.momentum", "0.9", 0.9),
    ],
)
def test_typed_text_becomes_the_value_of_its_path(path: str, typed: str, value: object) -> None:
    assert Plan().with_values({path: typed}).values()[path] == value


@pytest.mark.parametrize(("path", "typed"), [("fit.epochs", "many"), ("fit.epochs", "2.5"), ("loss.name", "hinge")])
def test_typed_text_of_another_type_is_refused(path: str, typed: str) -> None:
    with pytest.raises(PlanError, match=path):
        Plan().with_values({path: typed})


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"fit.epochs": 5, "optimizer.learning_rate": 1e-5},
        {"fit.freeze_batchnorm": True, "predict.smoothing": 0},
        {"images.mean": None, "fit.clip_norm": None},
        {"images.mean": [0.5, 0.25, 0.5], "images.std": (1, 1.0, 2)},
        {"augment.transforms": ["Blur"]},
        {"augment.transforms": [Op("Blur", p=0.5, blur_limit=[3, 7]), {"Rotate": {"limit": 10}}, "HorizontalFlip"]},
        {"augment.transforms": '["Blur"]'},
        {"model.name": "16", "model.weights": "my weights/it's.pt"},
        {"fit.epochs": "7"},
    ],
    ids=str,
)
def test_values_that_were_set_can_be_typed_again(overrides: dict[str, Any]) -> None:
    """A command that is printed has to mean what was set: nobody can type the repr of a list."""
    words = shlex.split(set_options(overrides))
    assert words[::2] == ["--set"] * len(overrides)
    typed = settings(tuple(words[1::2]))
    assert Stack.parse("baseline", typed).plan == Stack.parse("baseline", overrides).plan


def test_diff_gives_paths_with_both_values_and_follows_options() -> None:
    plan = Plan().with_values({"fit.epochs": 4, "optimizer.options.momentum": 0.9})
    assert Plan().diff(plan) == {"fit.epochs": (1, 4), "optimizer.options.momentum": (None, 0.9)}
    assert plan.diff(Plan()) == {"fit.epochs": (4, 1), "optimizer.options.momentum": (0.9, None)}
    assert plan.diff(plan) == {}


def test_the_training_digest_reads_all_but_the_prediction() -> None:
    plan, views = Plan(), Plan(predict=Predict(views=2, view_kind="flips"))
    assert plan.digest != views.digest
    assert plan.train_digest == views.train_digest
    assert plan.train_digest != Plan(fit=Fit(epochs=2)).train_digest


def test_nothing_in_a_plan_can_be_changed() -> None:
    plan = Plan(augment=replace(Plan().augment, transforms=(Op("HorizontalFlip", p=0.5),)))
    with pytest.raises(FrozenInstanceError):
        plan.fit = Fit()  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        plan.fit.epochs = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        plan.augment.transforms[0].name = "other"
    plan.augment.transforms[0].options["p"]
    with pytest.raises(TypeError):
        plan.augment.transforms[0].options["p"] = 1  # type: ignore[index]


def test_options_keep_no_tie_to_what_they_were_made_of() -> None:
    given: dict[str, Any] = {"scale": [0.9, 1.1]}
    op = Op("Affine", **given)
    given["scale"].append(2)
    op.options["scale"].append(3)
    assert op.options["scale"] == [0.9, 1.1]


def test_plans_are_values() -> None:
    plan = Stack.parse(FIVE_RECIPES).plan
    assert pickle.loads(pickle.dumps(plan)) == plan
    assert len({plan, Stack.parse(FIVE_RECIPES).plan, Plan()}) == 2
    assert eval(repr(plan.augment.transforms[0]), {"Op": Op}) == plan.augment.transforms[0]


@pytest.mark.parametrize("bad", [{1, 2}, math.nan, Path("x"), object()])
def test_options_hold_json_only(bad: object) -> None:
    with pytest.raises(PlanError, match="JSON values only"):
        Op("Affine", scale=bad)


@pytest.mark.parametrize("bad", ["", 3])
def test_an_op_needs_a_name(bad: Any) -> None:
    with pytest.raises(PlanError, match="needs a name"):
        Op(bad)


@pytest.mark.parametrize("bad", [3, {"a": 1}, {"a": {}, "b": {}}])
def test_a_transform_is_a_name_or_a_name_with_options(bad: object) -> None:
    with pytest.raises(PlanError, match=r"name or \{name: options\}"):
        Plan().with_values({"augment.transforms": [bad]})


def test_paths_are_all_fields_in_order() -> None:
    expected = [f"{part.name}.{entry.name}" for part in fields(Plan) for entry in fields(getattr(Plan(), part.name))]
    assert list(plan_paths()) == expected


def test_the_fields_of_a_part_are_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Plan()
    monkeypatch.setattr("typing.get_type_hints", pytest.fail)
    assert before.with_values({"fit.epochs": 7}).fit.epochs == 7
