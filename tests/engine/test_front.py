"""The frozen front: what it is in a network, that it stays, and that kept features come to the same weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from fastai.learner import Learner
from torch import nn

import imgcls
from imgcls.engine import front
from imgcls.engine.front import Front
from imgcls.engine.models import simple_cnn, stages_of
from imgcls.errors import PlanError
from imgcls.records.run import RunRecord
from tests.engine.test_probe import Told

Train = Callable[..., RunRecord]
Build = Callable[..., Learner]
Bits = Callable[[RunRecord], dict[str, str]]

N_STAGES = {
    "tf_efficientnet_lite0": 7,
    "resnet18": 4,
    "convnext_atto": 4,
    "regnetx_002": 4,
    "mobilenetv3_small_050": 6,
    "vit_tiny_patch16_224": 12,
}


class LooksBack(nn.Module):
    """Stages of which the last sees what the first saw."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.Sequential(*(nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU()) for _ in range(3)))
        self.head = nn.Linear(3, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Add the image to what came of it."""
        return self.head((self.stages(images) + images).mean(dim=(2, 3)))


@pytest.mark.parametrize("name", N_STAGES)
def test_stages_of_known_networks(name: str) -> None:
    network = timm.create_model(name, num_classes=3)
    stages = stages_of(network)
    assert len(stages) == N_STAGES[name]
    images = torch.randn(2, 3, 224, 224) if "vit" in name else torch.randn(2, 3, 64, 64)
    found = Front.of(network, len(stages) // 2, images)
    network.eval()
    with torch.no_grad():
        assert torch.allclose(found.rest(found.features(images)), network(images), atol=1e-4)
    after = {id(part) for stage in stages[len(stages) // 2 :] for part in stage.modules()}
    assert found.parts
    assert not after & {id(part) for part in found.parts}
    for part in network.modules():  # as fastai does before it trains; without drops, which draw
        part.train(not isinstance(part, nn.Dropout))
    found.freeze()
    before = {name: values.clone() for name, values in network.state_dict().items()}
    at_rest = found.features(images)
    found.rest(at_rest)  # the blank image, too, passes the front
    assert torch.equal(found.features(images), at_rest)
    changed = {name for name, values in network.state_dict().items() if not torch.equal(values, before[name])}
    inside = {name for name, part in network.named_modules() for stage in stages[: len(stages) // 2] if part is stage}
    assert not {name for name in changed if name.startswith(tuple(f"{name}." for name in inside))}


def test_a_freeze_beyond_the_last_stage_is_refused() -> None:
    with pytest.raises(PlanError, match="it has 4, the last of which has to learn"):
        Front.of(simple_cnn(2), 4, torch.randn(2, 3, 32, 32))


def test_a_network_whose_later_stages_look_back_is_refused() -> None:
    with pytest.raises(PlanError, match="look back"):
        Front.of(LooksBack(), 1, torch.randn(2, 3, 8, 8))


def test_a_network_without_stages_is_refused() -> None:
    with pytest.raises(PlanError, match="no row of stages"):
        Front.of(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), 1, torch.randn(2, 3, 2, 2))


def test_looking_for_the_front_changes_nothing() -> None:
    network = simple_cnn(2).train()
    before = {name: values.clone() for name, values in network.state_dict().items()}
    Front.of(network, 2, torch.randn(4, 3, 32, 32))
    assert all(torch.equal(values, before[name]) for name, values in network.state_dict().items())
    assert all(part.training for part in network.modules())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in network.modules())


def test_the_front_stays_and_the_rest_learns(learner: Build) -> None:
    learn = learner("freeze_stages:n=2+augmentation")
    before = {name: values.clone() for name, values in learn.model.state_dict().items()}
    learn.fit(1)
    changed = {
        name.partition(".")[0]
        for name, values in learn.model.state_dict().items()
        if not torch.equal(values, before[name])
    }
    assert changed == {"2", "3", "6"}  # stages two and three, statistics too, and the classifier
    assert all(parameter.requires_grad for parameter in learn.model.parameters())


@pytest.mark.parametrize("recipes", ["freeze_stages:n=2", "augmentation+freeze_stages:n=2,views=2+random_erasing+ema"])
def test_kept_features_come_to_the_same_bits(
    train: Train, bits: Bits, recipes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGCLS_CACHE", str(tmp_path / "cache"))
    told, base = Told(), "baseline:model=simple_cnn,epochs=3"
    kept = train(recipes, workspace=tmp_path / "kept", base=base, reporter=told)
    assert list((tmp_path / "cache" / "fronts").glob("*.npz"))
    assert any("computed in" in note and "kept" in note for note in told.notes)
    found = train(recipes, workspace=tmp_path / "found", base=base, reporter=told)
    assert any("found in the cache" in note for note in told.notes)
    monkeypatch.setattr(front, "MOST_BYTES", 1)
    anew = train(recipes, workspace=tmp_path / "anew", base=base, reporter=told)
    assert any("passed again" in note for note in told.notes)
    assert bits(kept) == bits(found) == bits(anew)


def test_a_damaged_file_of_features_is_computed_again(
    train: Train, bits: Bits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGCLS_CACHE", str(tmp_path / "cache"))
    first = train("freeze_stages:n=2", workspace=tmp_path / "first")
    for file in (tmp_path / "cache" / "fronts").glob("*.npz"):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    told = Told()
    second = train("freeze_stages:n=2", workspace=tmp_path / "second", reporter=told)
    assert any("computed in" in note for note in told.notes)
    assert bits(first) == bits(second)


def test_views_come_in_turn(learner: Build) -> None:
    loader = learner("augmentation+freeze_stages:n=1,views=2").dls.train
    loader.fixed_rows = list(range(len(loader.dataset)))

    def epoch(number: int) -> np.ndarray:
        loader.epoch = number
        return torch.cat([images for images, _ in loader]).numpy()

    assert np.array_equal(epoch(0), epoch(2))
    assert not np.array_equal(epoch(0), epoch(1))


def test_mixing_what_was_kept_is_refused() -> None:
    with pytest.raises(imgcls.StackError, match="can no longer be mixed"):
        imgcls.Stack.parse("baseline+freeze_stages+mixup")
