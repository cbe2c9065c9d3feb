"""On a CUDA device: what trains on a CPU trains there, in mixed precision, and predicts the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import imgcls
from imgcls.engine import run
from imgcls.engine.device import Machine
from imgcls.engine.progress import Silent
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace

pytestmark = [
    pytest.mark.train,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device"),
]

Train = Callable[..., RunRecord]
STACKS = (
    "augmentation",
    "torchvision_augmentation",
    "adamw_cosine+label_smoothing",
    "one_cycle+adamax",
    "class_weights",
    "freeze_backbone:epochs=1+freeze_batchnorm",
    "augmentation+tta",
    "tta_flips+prediction_smoothing",
    "mixup",
    "cutmix+label_smoothing",
    "random_erasing",
    "balanced_sampling",
    "ema",
    "weight_averaging+trivial_augment",
    "layerwise_rates",
    "discriminative_rates+focal_loss",
    "progressive_resizing:first=16+random_resized_crop",
    "keep_aspect:mode=pad",
    "linear_probe",
    "lp_ft",
)


@pytest.mark.parametrize("recipes", STACKS)
def test_every_recipe_trains_on_cuda(train: Train, recipes: str) -> None:
    """The record says where and in which precision, and the scores are numbers."""
    record = train(recipes, base="baseline:model=test_efficientnet,epochs=2", overrides={"model.weights": "none"})
    assert record.environment["device"] == "cuda"
    assert record.environment["precision"] in ("bf16", "fp16")
    frame = record.predictions("valid")
    assert np.isfinite(frame.filter(regex="^p_").to_numpy()).all()


def test_several_labels_train_on_cuda(train: Train, multilabel_table: Path) -> None:
    """Binary cross-entropy is not to be computed in half precision from probabilities."""
    record = train("mixup", multilabel_table)
    assert record.problem == "multilabel"
    assert record.environment["device"] == "cuda"


def test_cuda_and_cpu_predict_the_same(train: Train, photo_folder: Path) -> None:
    """In float32 the same weights give the same probabilities within 1e-3."""
    record = train("augmentation+tta", machine=Machine("cpu"))
    photos = [str(path) for path in sorted(photo_folder.glob("*/*"))[:20]]
    frames = [
        imgcls.load(record, machine=Machine(device, precision="float32")).predict(photos) for device in ("cpu", "cuda")
    ]
    on_cpu, on_cuda = (frame.filter(regex="^p_").to_numpy() for frame in frames)
    np.testing.assert_allclose(on_cuda, on_cpu, atol=1e-3)


def test_an_interrupted_training_goes_on_on_cuda(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints are written from and read to the device."""
    kept = run.SaveEpochs.after_epoch

    def cut(self: Any) -> None:
        kept(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(run.SaveEpochs, "after_epoch", cut)
    with pytest.raises(KeyboardInterrupt):
        train("adamw_cosine")
    monkeypatch.undo()
    os.chdir(Path.cwd())
    record = train("adamw_cosine")
    assert [row["epoch"] for row in record.history()] == [1, 2]


def test_a_ladder_runs_on_cuda(photo_folder: Path, tmp_path: Path) -> None:
    """Two rungs, two seeds."""
    result = imgcls.ladder(
        "baseline:model=simple_cnn,epochs=1+label_smoothing+tta_flips",
        photo_folder,
        seeds=2,
        overrides={"images.size_px": 24, "fit.batch_size": 8},
        workspace=Workspace(tmp_path),
        reporter=Silent(),
    )
    assert result.is_complete
    assert result.devices == ("cuda",)
