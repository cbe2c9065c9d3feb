"""Layers of a network, and learning rates that fall with depth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from fastai.learner import Learner
from torch import nn

from imgcls.engine.build import describe
from imgcls.engine.callbacks.methods import FreezeBody
from imgcls.engine.check import check
from imgcls.engine.models import Network, build_network, classifier_of, layers_of
from imgcls.errors import PlanError
from imgcls.plan import Images, Model, Plan

Build = Callable[..., Learner]


def names_of_layers(name: str) -> list[list[str]]:
    module = build_network(Model(name), Images(64), n_classes=3, seed=0).module
    names = {id(parameter): key for key, parameter in module.named_parameters()}
    return [[names[id(parameter)] for parameter in layer] for layer in layers_of(module, classifier_of(module))]


@pytest.mark.parametrize(
    ("name", "n_layers", "first", "last"),
    [
        ("simple_cnn", 5, "0.0.weight", ["6.weight", "6.bias"]),
        ("test_vit", 8, "cls_token", ["head.weight", "head.bias"]),
        ("tf_efficientnet_lite0", 18, "conv_stem.weight", ["classifier.weight", "classifier.bias"]),
        ("torchvision:resnet18", 10, "conv1.weight", ["fc.weight", "fc.bias"]),
        ("torchvision:vgg11_bn", 11, "features.0.weight", ["classifier.6.weight", "classifier.6.bias"]),
        ("torchvision:squeezenet1_1", 10, "features.0.weight", ["classifier.1.weight", "classifier.1.bias"]),
        ("torchvision:shufflenet_v2_x0_5", 19, "conv1.0.weight", ["fc.weight", "fc.bias"]),
    ],
)
def test_every_parameter_has_one_layer_in_order(name: str, n_layers: int, first: str, last: list[str]) -> None:
    layers = names_of_layers(name)
    assert len(layers) == n_layers
    assert layers[0][0] == first
    assert layers[-1] == last
    every = [key for layer in layers for key in layer]
    module = build_network(Model(name), Images(64), n_classes=3, seed=0).module
    assert sorted(every) == sorted(key for key, _ in module.named_parameters())


class Block(nn.Module):
    """A block with two convolutions in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1))


class Encoder(nn.Module):
    """A row of blocks with something around it."""

    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(1, 4))
        self.blocks = nn.ModuleList([Block(), Block(), Block()])
        self.norm = nn.LayerNorm(4)


class Abreast(nn.Module):
    """A block with two rows beside each other."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Sequential(Block(), Block()), nn.Sequential(Block(), Block())


def test_blocks_stay_whole_and_norms_go_with_the_layer_before() -> None:
    head = nn.Linear(4, 2)
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), Encoder(), Abreast(), head)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    found = [{names[id(p)].rpartition(".")[0] for p in layer} for layer in layers_of(network, head)]
    blocks = [{f"2.blocks.{number}.inner.{place}" for place in range(3)} for number in range(3)]
    abreast = {f"3.{side}.{n}.inner.{place}" for side in ("left", "right") for n in range(2) for place in range(3)}
    assert found == [{"0", "1", "2"}, blocks[0], blocks[1], blocks[2] | {"2.norm"}, abreast, {"4"}]


def rates(learn: Learner) -> list[float]:
    """Return the rate of every layer; norms and biases have that of their layer."""
    found: dict[int, set[float]] = {}
    for layer, hypers in zip(learn.opt.layer_of_group, learn.opt.hypers, strict=True):
        found.setdefault(layer, set()).add(hypers["lr"])
    assert all(len(values) == 1 for values in found.values())
    return [values.pop() for values in found.values()]


@pytest.mark.train
@pytest.mark.parametrize("recipes", ["", "cosine:warmup_epochs=0.5", "one_cycle"])
def test_layers_keep_their_proportion_under_every_schedule(recipes: str, learner: Build) -> None:
    learn = learner(f"layerwise_rates:decay=0.5{'+' if recipes else ''}{recipes}")
    steps: list[list[float]] = []
    learn.opt.opt.register_step_post_hook(lambda *_: steps.append(rates(learn)))
    with learn.no_bar(), learn.no_logging():
        learn.fit(2)
    found = np.array(steps)
    assert found.shape == (2 * len(learn.dls.train), 5)
    moving = found[found[:, -1] > 0]
    assert moving / moving[:, -1:] == pytest.approx(np.tile(0.5 ** np.arange(4, -1, -1), (len(moving), 1)))
    assert learn.recorder.lrs == pytest.approx(found[:, -1].tolist())
    assert (len(set(learn.recorder.lrs)) > 2) == bool(recipes)


@pytest.mark.train
def test_the_first_half_keeps_its_factor_under_a_schedule_and_beside_a_decay(learner: Build) -> None:
    factors = np.array([0.2, 0.2, 1, 1, 1])
    learn = learner("discriminative_rates:factor=0.2+cosine")
    with learn.no_bar(), learn.no_logging():
        learn.fit(2)
    assert np.divide(rates(learn), rates(learn)[-1]) == pytest.approx(factors)
    both = learner("discriminative_rates:factor=0.2", overrides={"optimizer.layer_decay": 0.5})
    assert rates(both) == pytest.approx(1e-3 * factors * 0.5 ** np.arange(4, -1, -1))


@pytest.mark.train
def test_fastai_s_own_schedules_and_rates_by_hand_keep_their_meaning(learner: Build) -> None:
    learn = learner("layerwise_rates:decay=0.5")
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, lr=1e-2)
        assert rates(learn) == pytest.approx([1e-2 * 0.5 ** (4 - layer) for layer in range(5)])
        learn.fit(1, lr=slice(1e-4, 1e-2))
        assert rates(learn) == pytest.approx(np.geomspace(1e-4, 1e-2, 5).tolist())
        learn.fit_one_cycle(1, 1e-2)
        assert np.divide(rates(learn), rates(learn)[-1]) == pytest.approx(0.5 ** np.arange(4, -1, -1))


@pytest.mark.train
def test_freezing_still_leaves_the_classifier_alone(learner: Build) -> None:
    learn = learner("layerwise_rates+freeze_backbone:epochs=1+adamw:weight_decay=0.5")
    assert any(isinstance(cb, FreezeBody) for cb in learn.cbs)
    before = {name: tensor.clone() for name, tensor in learn.model.state_dict().items()}
    with learn.no_bar(), learn.no_logging():
        learn.fit(1)
    moved = {name for name, tensor in learn.model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == {"6.weight", "6.bias"}


def test_decay_reaches_no_norm_and_no_bias(learner: Build) -> None:
    learn = learner("layerwise_rates+adamw:weight_decay=0.2")
    pairs = list(zip(learn.opt.param_lists, learn.opt.hypers, strict=True))
    assert len(pairs) == 10
    assert {hypers["wd"] for group, hypers in pairs for p in group if p.ndim > 1} == {0.2}
    assert {hypers["wd"] for group, hypers in pairs for p in group if p.ndim <= 1} == {0.0}


def test_without_it_there_are_two_groups_as_before(learner: Build) -> None:
    learn = learner()
    assert learn.opt.n_layers == 2
    assert {hypers["lr"] for hypers in learn.opt.hypers} == {1e-3}


@pytest.mark.parametrize("name", ["layer_decay", "early_factor"])
@pytest.mark.parametrize("freeze", ["all", 3])
def test_it_is_refused_where_only_the_classifier_learns(freeze: object, name: str) -> None:
    values = {f"optimizer.{name}": 0.5, "fit.freeze_epochs": freeze, "fit.epochs": 3}
    with pytest.raises(PlanError, match=rf"optimizer\.{name} cannot act where only the classifier learns"):
        check(Plan().with_values(values))


def test_it_is_refused_on_a_network_of_one_layer() -> None:
    head = nn.Linear(4, 2)
    network = Network(nn.Sequential(nn.Flatten(), head), (0.5,) * 3, (0.5,) * 3, None, head)
    with pytest.raises(PlanError, match="the network has a single layer"):
        network.layers(network.module)


@pytest.mark.train
def test_a_network_of_one_size_is_refused_where_sizes_grow(learner: Build) -> None:
    values = {"model.weights": "none", "images.size_px": 32}
    with pytest.raises(
        PlanError, match=r"vit_tiny_patch16_224 takes no images of 16 px, .*Leave progressive_resizing out"
    ):
        learner("progressive_resizing:first=16", base="baseline:model=vit_tiny_patch16_224", overrides=values)
    convolutions = learner("progressive_resizing:first=16", base="baseline:model=test_efficientnet", overrides=values)
    assert convolutions.model.training


def test_what_a_plan_becomes_is_told_in_words() -> None:
    ops = {"augment.mix": "cutmix", "fit.averaging": {"ema": {"decay": 0.9}}}
    told = describe(Plan().with_values({"optimizer.layer_decay": 0.5, "loss.name": "focal"} | ops))
    assert "layer_decay=0.5" in told.optimizer
    assert "focal of softmax or sigmoid, by the problem, gamma=2, smoothing=0" in told.loss
    assert "early_factor=0.25" in describe(Plan().with_values({"optimizer.early_factor": 0.25})).optimizer
    assert "layer_decay" not in describe(Plan()).optimizer
    kinds = [text.partition(":")[0] for text in told.callbacks]
    assert {"MixBatches", "AverageWeights"} <= set(kinds)
    assert not {"MixBatches", "AverageWeights"} & {text.partition(":")[0] for text in describe(Plan()).callbacks}
