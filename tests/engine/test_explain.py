"""Heat maps of real networks: a planted mark is found, layers are chosen, nothing of the network is changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from torch import nn

import imgcls
from imgcls.engine.explain import maps_of
from imgcls.engine.layers import choose_layer, layers_with_places
from imgcls.engine.loaders import Normalisation
from imgcls.engine.progress import Silent
from imgcls.engine.regions import look_at_regions
from imgcls.errors import UsageError
from imgcls.workspace import Workspace

pytestmark = pytest.mark.train
CPU = torch.device("cpu")


@pytest.mark.parametrize(("top", "left"), [(2, 2), (20, 20)], ids=["corner", "middle"])
def test_a_planted_mark_has_the_mass_of_the_maps_and_is_said_to_decide(
    marked_folder: Callable[..., Path], top: int, left: int
) -> None:
    photos = marked_folder(top=top, left=left)
    overrides = {"images.size_px": 48, "fit.batch_size": 8}
    run = imgcls.train("baseline:model=simple_cnn,epochs=8", photos, overrides=overrides, reporter=Silent())
    found = look_at_regions(run, Workspace.find())
    assert found.share > 0.5
    assert found.followed is not None
    assert found.followed > 0.5
    assert found.elsewhere is not None
    assert found.elsewhere < found.followed / 2
    assert found.one_decides
    one = run.explain(run.predictions("valid")["id"][0])
    assert one.label in ("red", "blue")
    heat = one.maps[0].values
    assert heat[max(0, top - 6) : top + 14, max(0, left - 6) : left + 14].sum() > heat.sum() / 2
    again = imgcls.explain(run, run.predictions("valid")["id"][0])
    assert np.array_equal(again.maps[0].values, heat)


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("resnet18", 64, "layer2.1"),
        ("resnet18", 224, "layer3.1"),
        ("tf_efficientnet_lite0", 128, "blocks.5.0.bn1"),
        ("vit_tiny_patch16_224", 224, "blocks.10"),
        ("test_convnext", 128, "stages.2.blocks.3"),
    ],
)
def test_the_layer_is_the_last_fine_activation_that_is_heard_or_the_last_such_block(
    name: str, size: int, expected: str
) -> None:
    network = timm.create_model(name, pretrained=False, num_classes=3).eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    layer = choose_layer(layers_with_places(network, size, CPU), None, network=name)
    assert layer.name == expected
    images = np.random.default_rng(0).integers(0, 255, (2, size, size, 3), dtype=np.uint8)
    plain = Normalisation((0.5,) * 3, (0.5,) * 3)
    maps = maps_of(network, images, [0, 1], layer=layer, normalisation=plain, device=CPU)
    assert maps.shape == (2, size, size)
    assert maps.min() >= 0
    assert maps.max() == 1
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in before.items())
    assert not any(part._forward_hooks for part in network.modules())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())


def test_a_network_without_places_names_the_layers_there_are() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 5), nn.ReLU(), nn.Linear(5, 2)).eval()
    with pytest.raises(UsageError, match="--layer: none"):
        choose_layer(layers_with_places(network, 8, CPU), None, network="plain")
