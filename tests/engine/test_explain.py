"""Heat maps of real networks: a planted mark is found, layers are chosen, nothing of the network is changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torch import nn

import imgcls
from imgcls.engine.explain import choose_layer, layers_with_places, look_at_regions, maps_of
from imgcls.engine.loaders import Normalisation
from imgcls.engine.progress import Silent
from imgcls.errors import UsageError
from imgcls.workspace import Workspace

pytestmark = pytest.mark.train
CPU = torch.device("cpu")


def draw_marked(folder: Path, *, top: int, left: int) -> Path:
    """Draw soft noise with a square of 8 px whose colour is the class."""
    generator = np.random.default_rng(0)
    for number in range(64):
        noise = Image.fromarray(generator.integers(60, 180, (6, 6, 3)).astype(np.uint8))
        pixels = np.array(noise.resize((48, 48), Image.Resampling.BICUBIC))
        pixels[top : top + 8, left : left + 8] = [(230, 20, 20), (20, 20, 230)][number % 2]
        path = folder / ("red", "blue")[number % 2] / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder


@pytest.mark.parametrize(("top", "left"), [(2, 2), (20, 20)], ids=["corner", "middle"])
def test_a_planted_mark_has_the_mass_of_the_maps_and_is_said_to_decide(tmp_path: Path, top: int, left: int) -> None:
    photos = draw_marked(tmp_path / "marked", top=top, left=left)
    overrides = {"images.size_px": 48, "fit.batch_size": 8}
    run = imgcls.train("baseline:model=simple_cnn,epochs=8", photos, overrides=overrides, reporter=Silent())
    found = look_at_regions(run, Workspace.find())
    assert found.share > 0.5
    assert found.followed is not None
    assert found.followed > 0.5
    assert found.one_decides
    one = imgcls.explain(run, run.predictions("valid")["id"][0])
    assert one.label in ("red", "blue")
    heat = one.maps[0].values
    assert heat[max(0, top - 6) : top + 14, max(0, left - 6) : left + 14].sum() > heat.sum() / 2
    again = imgcls.explain(run, run.predictions("valid")["id"][0])
    assert np.array_equal(again.maps[0].values, heat)


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [("resnet18", 64, "layer2.1"), ("vit_tiny_patch16_224", 224, "blocks.10"), ("resnet18", 224, "layer4.1")],
)
def test_the_layer_is_the_last_fine_block_that_is_heard(name: str, size: int, expected: str) -> None:
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
