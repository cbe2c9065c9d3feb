"""Put recipes on a Learner that fastai made: `python examples/recipes_on_a_learner.py [PHOTOS] [--quick]`.

A Learner that is there already takes what concerns its optimiser, schedule, loss and callbacks. A recipe that changes
pixels, the network or the prediction is refused by name; let `imgcls.learner` build the Learner for these.
"""

from __future__ import annotations

import argparse

from fastai.vision.all import (
    CategoryBlock,
    ColReader,
    DataBlock,
    ImageBlock,
    RandomSplitter,
    Resize,
    accuracy,
    resnet18,
    vision_learner,
)

import imgcls
from imgcls.data.load import load_samples


def main(photos: str | None, *, quick: bool) -> None:
    """Make a Learner the fastai way, put two recipes on it, and train."""
    block = DataBlock(
        (ImageBlock, CategoryBlock),
        get_x=ColReader("path"),
        get_y=ColReader("label"),
        splitter=RandomSplitter(0.2, seed=0),
        item_tfms=Resize(64 if quick else 128),
    )
    loaders = block.dataloaders(load_samples(photos).frame, bs=16, num_workers=0)
    learn = vision_learner(loaders, resnet18, pretrained=False, metrics=accuracy)
    imgcls.apply("adamw_cosine+label_smoothing", learn)
    learn.unfreeze()
    learn.fit(1 if quick else 3)
    print(f"{type(learn.loss_func).__name__}, {learn.opt.hypers[-1]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="?", help="a folder for each class, or a table; the default data without it")
    parser.add_argument("--quick", action="store_true", help="small images and one epoch")
    arguments = parser.parse_args()
    main(arguments.photos, quick=arguments.quick)
