"""The training as imgcls does it, from the command line: `python -m benchmarks.imgcls_side SETTING RESULT`."""

from __future__ import annotations

import sys
from pathlib import Path

import imgcls
from benchmarks.setting import LEARNING_RATE, MODEL, Measured, Setting, peak_bytes

STACK = "baseline+augmentation"


def train(setting: Setting) -> Measured:
    """Train once, leave a record, and tell how it went."""
    run = imgcls.train(
        STACK,
        setting.photos,
        seed=setting.seed,
        overrides={
            "model.name": MODEL,
            "images.size_px": setting.size_px,
            "fit.batch_size": setting.batch_size,
            "fit.epochs": setting.n_epochs,
            "optimizer.learning_rate": LEARNING_RATE,
        },
        machine=imgcls.Machine(n_workers=setting.n_workers, keep_memory=True),
        workspace=Path(setting.scratch),
    )
    n, speed = run.data.n, run.images_per_second or float("nan")
    return Measured(
        n_train_images=round(speed * run.seconds["train"]),
        train_seconds=run.seconds["train"],
        n_valid_images=n["valid"] * setting.n_epochs,
        valid_seconds=run.seconds["epoch_validation"],
        accuracy=run.metrics["accuracy"].value or float("nan"),
        peak_bytes=peak_bytes(),
        device=run.environment["device"],
        precision=run.environment["precision"],
    )


if __name__ == "__main__":
    train(Setting.read(Path(sys.argv[1]))).write(Path(sys.argv[2]))
