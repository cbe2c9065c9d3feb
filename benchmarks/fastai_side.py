"""The training as a fastai user would write it: `python -m benchmarks.fastai_side SETTING RESULT`.

Nothing of imgcls is imported and nothing is tuned: fastai's own loaders, transforms, optimiser and progress bar,
torch's default memory format and the allocator as the system has it. A callback reads the clock.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import timm
import torch
from fastai.vision.all import (
    Adam,
    Callback,
    ImageDataLoaders,
    Learner,
    Normalize,
    Resize,
    accuracy,
    aug_transforms,
    set_seed,
)
from safetensors.torch import load_file

from benchmarks.setting import LEARNING_RATE, MEAN, MODEL, STD, Measured, Setting, peak_bytes


class Clock(Callback):
    """Times the loops of training and of validation, and counts their images."""

    order = 80  # after the recorder and the progress bar, which belong to neither loop

    def before_fit(self) -> None:
        """Begin at zero."""
        self.n_train = self.n_valid = 0
        self.train_seconds = self.valid_seconds = 0.0

    def before_train(self) -> None:
        """Start the clock of training."""
        self.began = _now()

    def after_train(self) -> None:
        """Stop it."""
        self.train_seconds += _now() - self.began

    def before_validate(self) -> None:
        """Start the clock of validation."""
        self.began = _now()

    def after_validate(self) -> None:
        """Stop it."""
        self.valid_seconds += _now() - self.began

    def after_batch(self) -> None:
        """Count."""
        if self.learn.training:
            self.n_train += len(self.learn.yb[0])
        else:
            self.n_valid += len(self.learn.yb[0])


def train(setting: Setting) -> Measured:
    """Train once, and tell how it went."""
    set_seed(setting.seed)
    loaders = ImageDataLoaders.from_folder(
        setting.photos,
        train="train",
        valid="valid",
        item_tfms=Resize(setting.size_px),
        batch_tfms=[*aug_transforms(), Normalize.from_stats(MEAN, STD)],
        bs=setting.batch_size,
        num_workers=setting.n_workers,
    )
    network = timm.create_model(MODEL, num_classes=setting.n_classes)
    network.load_state_dict(load_file(setting.first_weights))
    clock = Clock()
    learn = Learner(loaders, network, opt_func=Adam, lr=LEARNING_RATE, wd=0.0, metrics=accuracy, cbs=clock)
    learn.fit(setting.n_epochs)
    return Measured(
        n_train_images=clock.n_train,
        train_seconds=clock.train_seconds,
        n_valid_images=clock.n_valid,
        valid_seconds=clock.valid_seconds,
        accuracy=float(learn.recorder.values[-1][-1]),
        peak_bytes=peak_bytes(),
        device=loaders.device.type,
        precision="float32",
    )


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    train(Setting.read(Path(sys.argv[1]))).write(Path(sys.argv[2]))
