"""What the name of a network says, against the networks and pretrained configurations of timm and torchvision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
import torchvision.models
from torch import nn

import imgcls
from imgcls.catalog import Stack
from imgcls.engine.models import batchnorms
from imgcls.errors import StackError
from imgcls.networks import has_batchnorm, pretrained_size_px, usual_rate
from imgcls.records.run import RunRecord

pytestmark = pytest.mark.train

NETWORKS = (
    *(
        "beit_base_patch16_224",
        "caformer_s18",
        "coatnet_0_rw_224",
        "coatnext_nano_rw_224",
        "maxxvit_rmlp_nano_rw_256",
        "convnextv2_atto",
        "deit3_small_patch16_224",
    ),
    *("dm_nfnet_f0", "efficientnet_b0_gn", "ese_vovnet39b_evos", "flexivit_small", "mixer_s32_224", "mobilenetv2_100"),
    *("mobilenetv4_conv_small", "nf_resnet50", "poolformer_s12", "resnet10t", "resnet50_gn", "resnetv2_50d_evos"),
    *("resnetv2_50d_frn", "resnetv2_50x1_bit", "swin_tiny_patch4_window7_224", "tf_efficientnet_lite0", "vgg11"),
    *("vgg11_bn", "vit_base_mci_224", "vit_base_resnet26d_224", "vit_tiny_patch16_224", "vit_tiny_r_s16_p8_224"),
)
TORCHVISION = (
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "googlenet", "maxvit_t", "mnasnet0_5"),
    *("mobilenet_v2", "mobilenet_v3_small", "resnet18", "shufflenet_v2_x0_5", "squeezenet1_0", "swin_t", "swin_v2_t"),
    *("vgg11", "vgg11_bn", "vit_b_16"),
)


def is_as_the_rule_says(name: str) -> bool:
    """Build a network without memory for its weights, and look for batch normalisation."""
    kind, _, bare = name.rpartition(":")
    with torch.device("meta"):
        module: nn.Module = torchvision.models.get_model(bare) if kind else timm.create_model(name)
    return bool(batchnorms(module)) == has_batchnorm(name)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("name", [*NETWORKS, *(f"torchvision:{name}" for name in TORCHVISION)])
def test_the_rule_says_what_networks_are_made_of(name: str) -> None:
    assert is_as_the_rule_says(name)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_the_rule_holds_for_every_family_of_timm() -> None:
    """Three of each, the shortest names, which are the plainest."""
    by_family = [sorted(timm.list_models(module=module), key=len)[:3] for module in timm.list_modules()]
    assert len(by_family) > 80
    assert [name for names in by_family for name in names if not is_as_the_rule_says(name)] == []


def test_the_size_is_that_of_the_pretrained_configuration() -> None:
    known = {
        "resnet50.tv2_in1k": 176,
        "tf_efficientnet_lite1": 240,
        "torchvision:inception_v3": 299,
        "simple_cnn": None,
    }
    assert {name: pretrained_size_px(name) for name in known} == known
    assert pretrained_size_px("no_such_network") is None


def test_what_is_not_known_keeps_the_rate_and_has_no_size() -> None:
    for name in ("simple_cnn", "collections:OrderedDict"):
        assert usual_rate(name) == 1e-3
        assert pretrained_size_px(name) is None
        with pytest.raises(StackError, match=f"{name} has no pretrained configuration .*backbone:name={name},size="):
            Stack.parse(f"baseline+backbone:name={name}")
    plan = Stack.parse("baseline:model=resnet18+backbone:name=simple_cnn,size=64").plan
    assert (plan.model.name, plan.images.size_px) == ("simple_cnn", 64)


@pytest.mark.parametrize(
    ("stack", "overrides", "rate"),
    [
        ("baseline", {}, 1e-3),
        ("baseline:model=vit_tiny_patch16_224", {}, 1e-4),
        ("baseline", {"model.name": "vit_tiny_patch16_224"}, 1e-4),
        ("baseline", {"model.name": "convnext_atto"}, 1e-4),
        ("baseline:model=vit_tiny_patch16_224", {"model.name": "vit_tiny_patch16_224"}, 1e-4),
        ("baseline:model=vit_tiny_patch16_224", {"optimizer.learning_rate": 3e-4}, 3e-4),
        ("baseline", {"model.name": "convnext_atto", "optimizer.learning_rate": "1e-3"}, 1e-3),
        ("baseline+backbone", {}, 1e-4),
        ("baseline:model=vit_tiny_patch16_224+backbone:name=resnet18", {}, 1e-3),
        ("baseline+backbone:name=resnet18,learning_rate=3e-4", {}, 3e-4),
        ("baseline+backbone:learning_rate=1e-3", {}, 1e-3),
    ],
)
def test_the_rate_follows_the_network_unless_a_person_sets_one(
    stack: str, overrides: dict[str, Any], rate: float
) -> None:
    for rung in (Stack.parse(stack, overrides), Stack.parse(stack, overrides).rungs()[-1]):
        assert rung.plan.optimizer.learning_rate == rate


def test_a_rate_by_hand_and_a_backbone_are_a_conflict_that_names_the_knob() -> None:
    with pytest.raises(StackError, match=r"optimizer\.learning_rate is set by hand and by recipe 'backbone'"):
        Stack.parse("baseline+backbone", {"optimizer.learning_rate": 3e-4})
    with pytest.raises(StackError, match=r"model\.name is set by hand and by 'baseline:model=resnet18'"):
        Stack.parse("baseline:model=resnet18", {"model.name": "convnext_atto"})


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "convnext_atto"])
def test_networks_of_layer_norm_learn_at_their_rate_and_the_log_says_why(
    name: str, train: Callable[..., RunRecord]
) -> None:
    """From random weights, on stripes that any network can tell apart."""
    values = {"model.weights": "none", "images.size_px": 32}
    run = train(base=f"baseline:model={name},epochs=12", overrides=values, valid=0.25)
    losses = [row["train_loss"] for row in run.history()]
    assert losses[-1] < min(0.8, losses[0])  # guessing costs 1.1
    assert run.predictions("valid").filter(regex="^p_").to_numpy().argmax(axis=1).std() > 0
    log = run.path("log.txt").read_text(encoding="utf-8")
    assert f"The learning rate is 0.0001: {name} has no batch normalisation" in log
    assert run.plan["optimizer"]["learning_rate"] == 1e-4


def test_no_word_of_the_rate_where_it_is_the_usual_or_set_by_hand(train: Callable[..., RunRecord]) -> None:
    by_hand = {"optimizer.learning_rate": 1e-4, "model.weights": "none", "images.size_px": 32}
    for run in (train(), train(base="baseline:model=test_vit,epochs=1", overrides=by_hand)):
        assert "The learning rate is" not in run.path("log.txt").read_text(encoding="utf-8")


def test_a_backbone_without_its_weights_is_told_before_any_data_are_read() -> None:
    with pytest.raises(imgcls.WeightsError, match="convnext_atto"):
        imgcls.train("baseline+backbone", "no_such_folder")
