"""fastai as its users tune it: `python -m benchmarks.stock_side SETTING RESULT`.

Nothing of imgcls is imported: `vision_learner` with a timm network, `aug_transforms`, `lr_find`, and `fine_tune` at the
rate that it suggests. The pretrained weights are read from a file, since there may be no network to fetch them over.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from fastai.vision.all import (
    CategoryBlock,
    ColReader,
    DataBlock,
    ImageBlock,
    IndexSplitter,
    MultiCategoryBlock,
    Normalize,
    Resize,
    aug_transforms,
    set_seed,
    vision_learner,
)
from safetensors.torch import load_file

from benchmarks.setting import MEAN, MODEL, STD, StockSetting


def train(setting: StockSetting) -> tuple[np.ndarray, float]:
    """Train once, and return the probabilities of what validates, [n, k], and the seconds it took."""
    began = time.perf_counter()
    set_seed(setting.seed, reproducible=True)
    n_train, classes = len(setting.train), list(range(setting.n_classes))
    blank = [[0.0] * setting.n_classes if setting.multilabel else 0] * len(setting.valid)
    targets = [*setting.train_targets, *blank]
    frame = pd.DataFrame({"path": [*setting.train, *setting.valid], "target": targets})
    block = MultiCategoryBlock(encoded=True, vocab=classes) if setting.multilabel else CategoryBlock(vocab=classes)
    loaders = DataBlock(
        blocks=(ImageBlock, block),
        get_x=ColReader("path"),
        get_y=ColReader("target"),
        splitter=IndexSplitter(list(range(n_train, len(frame)))),
        item_tfms=Resize(setting.size_px),
        batch_tfms=[*aug_transforms(), Normalize.from_stats(MEAN, STD)],
    ).dataloaders(frame, bs=min(32, n_train), num_workers=0)
    learn = vision_learner(loaders, MODEL, pretrained=False, normalize=False, n_out=setting.n_classes)
    body = learn.model[0].model
    state = {name: tensor for name, tensor in load_file(setting.first_weights).items() if name in body.state_dict()}
    body.load_state_dict(state, strict=True)
    learn.freeze()
    with learn.no_bar(), learn.no_logging():
        suggested = learn.lr_find(show_plot=False).valley
        learn.fine_tune(setting.n_epochs, base_lr=float(suggested))
        probabilities, _ = learn.get_preds(dl=loaders.valid)
    return probabilities.numpy(), time.perf_counter() - began


if __name__ == "__main__":
    found, seconds = train(StockSetting.read(Path(sys.argv[1])))
    with Path(sys.argv[2]).open("wb") as file:
        np.savez(file, probabilities=found, seconds=seconds)
