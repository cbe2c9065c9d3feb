"""`imgcls.apply` puts on a Learner what a Learner can take, and refuses the rest by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fastai.callback.training import GradientClip
from fastai.learner import Learner
from fastai.vision.augment import Resize
from fastai.vision.data import ImageDataLoaders, MultiCategoryBlock
from torch import nn

import imgcls
from imgcls.engine.callbacks.loop import LossGuard
from imgcls.engine.callbacks.methods import AverageWeights, FreezeBatchNorm, FreezeBody
from imgcls.engine.callbacks.schedule import PlanSchedule
from imgcls.engine.losses import PlainValidationLoss, TrainLoss
from imgcls.engine.models import simple_cnn
from imgcls.engine.optimizers import LayerOptimizer
from imgcls.errors import PlanError, StackError

pytestmark = pytest.mark.train


def splitter(model: nn.Sequential) -> list[list[nn.Parameter]]:
    return [[p for stage in model[:-1] for p in stage.parameters()], list(model[-1].parameters())]


@pytest.fixture(params=["plain", "layer groups"])
def stock(request: pytest.FixtureRequest, uneven_folder: Path) -> Learner:
    """A Learner as a fastai user would write it, with and without layer groups."""
    dls = ImageDataLoaders.from_folder(uneven_folder, valid_pct=0.2, seed=0, item_tfms=Resize(24), bs=8, num_workers=0)
    groups = {"splitter": splitter} if request.param == "layer groups" else {}
    return Learner(dls, simple_cnn(2), loss_func=nn.CrossEntropyLoss(), lr=2e-3, **groups)


def fit(learn: Learner, n: int = 1) -> None:
    with learn.no_bar(), learn.no_logging():
        learn.fit(n)


def kinds(learn: Learner) -> list[type]:
    return [type(cb) for cb in learn.cbs]


def test_it_sets_loss_optimiser_and_schedule(stock: Learner) -> None:
    assert imgcls.apply("adamw_cosine:warmup_epochs=1+label_smoothing", stock) is stock
    assert isinstance(stock.loss_func, TrainLoss)
    assert stock.loss_func.smoothing == 0.1
    assert isinstance(stock.opt, LayerOptimizer)
    assert isinstance(stock.opt.opt, torch.optim.AdamW)
    assert {hypers["lr"] for hypers in stock.opt.hypers} == {2e-3}
    fit(stock, 2)
    n = len(stock.dls.train)
    assert stock.recorder.lrs[:2] == pytest.approx([0, 2e-3 / n])
    assert stock.recorder.lrs[n] == pytest.approx(2e-3)
    assert stock.recorder.lrs[-1] < 2e-3


def test_what_a_recipe_does_not_set_stays(stock: Learner) -> None:
    loss, opt_func = stock.loss_func, stock.opt_func
    imgcls.apply("cosine", stock)
    assert stock.loss_func is loss
    assert stock.opt_func is opt_func
    imgcls.apply("label_smoothing", stock)
    assert kinds(stock).count(PlanSchedule) == 1


def test_applying_twice_replaces(stock: Learner) -> None:
    imgcls.apply("label_smoothing:smoothing=0.1+cosine+freeze_batchnorm", stock)
    imgcls.apply("label_smoothing:smoothing=0.3+one_cycle+freeze_batchnorm", stock)
    assert stock.loss_func.smoothing == 0.3
    for kind in (PlanSchedule, LossGuard, PlainValidationLoss, FreezeBatchNorm):
        assert kinds(stock).count(kind) == 1
    assert stock.plan_schedule.schedule.name == "one_cycle"
    fit(stock)


def decays(learn: Learner) -> set[float]:
    return {hypers["wd"] for hypers in learn.opt.hypers}


def test_the_decay_of_the_learner_stays_beside_another_optimiser(stock: Learner) -> None:
    stock.wd = 0.3
    imgcls.apply("adamax", stock)
    assert (stock.wd, decays(stock)) == (0.3, {0.3, 0.0})  # none on norms and biases
    fit(stock)
    assert decays(stock) == {0.3, 0.0}


def test_the_decay_of_the_optimiser_before_stays_too(stock: Learner) -> None:
    assert stock.wd is None
    imgcls.apply("adamax", stock)
    assert decays(stock) == {0.01, 0.0}  # the default of fastai's Adam
    imgcls.apply("adamw:weight_decay=0.5", stock)
    imgcls.apply("adamax", stock)
    fit(stock)
    assert decays(stock) == {0.5, 0.0}


@pytest.mark.parametrize("decay", [0.2, 0.0])
def test_a_decay_that_a_recipe_sets_holds_against_that_of_the_learner(decay: float, stock: Learner) -> None:
    stock.wd = 0.3
    imgcls.apply(f"adamw:weight_decay={decay}", stock)
    fit(stock)
    assert decays(stock) == {decay, 0.0}


def test_a_recipe_of_the_decay_alone_leaves_the_optimiser(stock: Learner, tmp_path: Path) -> None:
    path = tmp_path / "decay.py"
    path.write_text(
        "from imgcls.catalog import Card\n"
        'CARD = Card(summary="s.", changes=("optimizer.weight_decay",), helps="h", hurts="h", cost="c", source="s")\n'
        'def decay(plan):\n    return plan.with_values({"optimizer.weight_decay": 0.2})\n',
        encoding="utf-8",
    )
    before = stock.opt_func
    imgcls.apply(str(path), stock)
    fit(stock)
    assert stock.opt_func is before
    assert max(decays(stock)) == 0.2


def test_settings_of_our_loss_add_up(stock: Learner) -> None:
    imgcls.apply("label_smoothing:smoothing=0.2", stock)
    imgcls.apply("class_weights", stock)
    assert stock.loss_func.smoothing == 0.2
    weights = stock.loss_func.class_weights.clone()
    imgcls.apply("label_smoothing:smoothing=0.3", stock)
    assert stock.loss_func.smoothing == 0.3
    assert torch.equal(stock.loss_func.class_weights, weights)


def test_a_loss_that_is_not_ours_is_replaced(stock: Learner) -> None:
    stock.loss_func = nn.CrossEntropyLoss(label_smoothing=0.4)
    imgcls.apply("class_weights", stock)
    assert isinstance(stock.loss_func, TrainLoss)
    assert stock.loss_func.smoothing == 0


def test_class_weights_are_read_from_its_data(stock: Learner) -> None:
    imgcls.apply("class_weights", stock)
    counts = torch.bincount(torch.tensor([int(label) for _, label in stock.dls.train_ds]), minlength=2)
    assert stock.loss_func.class_weights.numpy() == pytest.approx((counts.sum() / (2 * counts)).numpy())
    fit(stock)


@pytest.mark.parametrize("recipes", ["freeze_batchnorm", "label_smoothing+cosine", "adamax+one_cycle"])
def test_it_trains_and_validates_plainly(recipes: str, stock: Learner) -> None:
    imgcls.apply(recipes, stock)
    fit(stock)
    with stock.no_bar():
        loss = stock.validate()[0]
        probabilities, targets = stock.get_preds()
        if isinstance(stock.loss_func, nn.CrossEntropyLoss):
            probabilities = probabilities.softmax(1)
    chosen = probabilities[range(len(targets)), targets]
    assert loss == pytest.approx(float(-chosen.log().mean()), rel=1e-4)


def test_freeze_backbone_needs_layer_groups_and_freezes_the_first(stock: Learner) -> None:
    before = {name: tensor.clone() for name, tensor in stock.model.state_dict().items()}
    if stock.splitter is not splitter:
        with pytest.raises(StackError, match=r"freeze_backbone.*splitter"):
            imgcls.apply("freeze_backbone", stock)
        return
    imgcls.apply("freeze_backbone", stock)
    fit(stock)
    moved = {name for name, tensor in stock.model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == {"6.weight", "6.bias"}
    assert kinds(stock).count(FreezeBody) == 1


@pytest.mark.parametrize("name", ["augmentation", "torchvision_augmentation", "mixup", "cutmix", "random_erasing",
                                  "balanced_sampling", "layerwise_rates", "tta_flips", "larger_images", "longer",
                                  "prediction_smoothing", "tta", "baseline"])  # fmt: skip
def test_what_a_learner_cannot_take_is_refused_by_name(name: str, stock: Learner) -> None:
    before = (stock.loss_func, stock.opt_func, kinds(stock))
    with pytest.raises(StackError, match=f"Recipe '{name}' changes .*imgcls.learner"):
        imgcls.apply(f"label_smoothing+{name}", stock)
    assert before == (stock.loss_func, stock.opt_func, kinds(stock))


def test_all_that_cannot_be_taken_is_told_at_once(stock: Learner) -> None:
    with pytest.raises(StackError, match=r"(?s)'augmentation' changes.*'longer' changes"):
        imgcls.apply("augmentation+longer", stock)


def test_conflicting_recipes_are_refused(stock: Learner) -> None:
    with pytest.raises(StackError, match=r"'adamw' and 'adamax' both set optimizer\.name"):
        imgcls.apply("adamw+adamax", stock)


@pytest.fixture
def own_recipe(tmp_path: Path) -> str:
    """A recipe of one's own that clips gradients."""
    path = tmp_path / "clip.py"
    path.write_text(
        "from dataclasses import replace\nfrom imgcls.catalog import Card\n"
        'CARD = Card(summary="s.", changes=("fit.clip_norm",), helps="h.", hurts="h.", cost="c.", source="s")\n'
        "def clip(plan, *, norm: float = 1.0):\n    return replace(plan, fit=replace(plan.fit, clip_norm=norm))\n",
        encoding="utf-8",
    )
    return str(path)


def test_further_callbacks_are_replaced_too(stock: Learner, own_recipe: str) -> None:
    for norm in (1.0, 2.0):
        imgcls.apply(f"{own_recipe}:norm={norm}", stock)
    assert [cb.max_norm for cb in stock.cbs if isinstance(cb, GradientClip)] == [2.0]


def test_averaging_is_put_on_it_and_replaced(stock: Learner) -> None:
    for decay in (0.9, 0.5):
        imgcls.apply(f"ema:decay={decay}", stock)
    assert [cb.decay for cb in stock.cbs if isinstance(cb, AverageWeights)] == [0.5]
    fit(stock)
    with stock.no_bar():
        assert stock.recorder.values[-1][1] == pytest.approx(stock.validate()[0], rel=1e-5)


def test_a_plain_mean_of_the_weights_takes_its_statistics_from_its_batches(stock: Learner) -> None:
    imgcls.apply("weight_averaging:start=0", stock)
    fit(stock)
    assert stock.average_weights.has_new_statistics
    assert int(stock.model[0][1].num_batches_tracked) == len(stock.dls.train)
    with stock.no_bar():
        assert stock.recorder.values[-1][1] == pytest.approx(stock.validate()[0], rel=1e-5)


def test_the_focal_loss_goes_together_with_what_the_loss_had(stock: Learner) -> None:
    imgcls.apply("label_smoothing:smoothing=0.2+class_weights", stock)
    imgcls.apply("focal_loss:gamma=3", stock)
    imgcls.apply("label_smoothing:smoothing=0.3", stock)
    loss = stock.loss_func
    assert (loss.kind, loss.gamma, loss.smoothing, loss.class_weights is None) == ("cross_entropy", 3, 0.3, False)
    fit(stock)
    with stock.no_bar():
        probabilities, targets = stock.get_preds()
        loss = float(-probabilities[range(len(targets)), targets].log().mean())
        assert stock.validate()[0] == pytest.approx(loss, rel=1e-4)


def test_several_labels_are_seen(multilabel_table: Path) -> None:
    labels = {"000": [], "001": ["red"], "002": ["green"], "003": ["red", "green"]}
    images = multilabel_table.parent / "images"
    paths = sorted(images.iterdir())[:16]
    dls = ImageDataLoaders.from_lists(
        images, paths, [labels[f"{int(path.stem) % 4:03d}"] for path in paths], valid_pct=0.25, seed=0,
        y_block=MultiCategoryBlock, item_tfms=Resize(24), bs=4, num_workers=0,
    )  # fmt: skip
    learn = Learner(dls, simple_cnn(2), loss_func=nn.BCEWithLogitsLoss())
    imgcls.apply("label_smoothing+class_weights+focal_loss", learn)
    assert (learn.loss_func.kind, learn.loss_func.gamma) == ("bce", 2)
    truth = torch.stack([target for _, target in dls.train_ds])
    assert learn.loss_func.class_weights.numpy() == pytest.approx(((1 - truth).sum(0) / truth.sum(0)).numpy())
    fit(learn)


# On a Learner of ours


@pytest.fixture
def ours(learner: Callable[..., Learner]) -> Learner:
    return learner("cosine+freeze_backbone:epochs=1")


def test_on_our_learner_what_is_not_set_stays(ours: Learner) -> None:
    guard = ours.loss_guard
    imgcls.apply("adamw+label_smoothing", ours)
    assert ours.loss_guard is guard
    assert ours.plan_schedule.schedule.name == "cosine"
    assert kinds(ours).count(FreezeBody) == 1
    fit(ours)
    assert ours.recorder.smooth_loss.value > 0
    assert isinstance(ours.opt.opt, torch.optim.AdamW)


def test_it_gives_what_the_stack_gives(learner: Callable[..., Learner]) -> None:
    recipes = "adamw_cosine+label_smoothing+freeze_batchnorm"
    built, applied = learner(recipes), imgcls.apply(recipes, learner())
    for learn in (built, applied):
        fit(learn, 2)
    states = [learn.model.state_dict() for learn in (built, applied)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_rates_by_layer_stay_beside_another_optimiser(learner: Callable[..., Learner]) -> None:
    learn = learner("layerwise_rates:decay=0.5")
    before = [hypers["lr"] for hypers in learn.opt.hypers]
    imgcls.apply("adamw", learn)
    assert [hypers["lr"] for hypers in learn.opt.hypers] == before
    assert len(set(before)) == 5


def test_options_that_nothing_reads_are_refused(ours: Learner, tmp_path: Path) -> None:
    path = tmp_path / "odd.py"
    path.write_text(
        "from imgcls.catalog import Card\n"
        'CARD = Card(summary="s.", changes=("optimizer.name",), helps="h.", hurts="h.", cost="c.", source="s")\n'
        'def odd(plan):\n    return plan.with_values({"optimizer.name": "adamm"})\n',
        encoding="utf-8",
    )
    before: Any = ours.opt
    with pytest.raises(PlanError, match="Did you mean 'adam"):
        imgcls.apply(str(path), ours)
    assert ours.opt is before
