"""The epoch as the source of all randomness in training."""

from __future__ import annotations

from fastai.callback.core import Callback
from fastai.callback.schedule import LRFinder

from imgcls.engine.randomness import seed_torch


class EpochClock(Callback):
    """Tells the training loader which epoch it is, and seeds torch by it.

    Order, augmentation, dropout and stochastic depth are thereby functions of (seed, epoch), so that a resumed
    training needs no saved generator, and a validation in between changes nothing. Epochs count on over several
    calls of `fit` on one Learner; a search for a learning rate does not count.
    """

    order = -8  # right after TrainEvalCallback, and before anything draws

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.n_before = self.n_now = self.total_epoch = 0

    def before_train(self) -> None:
        """Set the epoch."""
        self.total_epoch = self.n_before + self.learn.epoch
        if hasattr(self.dls.train, "epoch"):
            self.dls.train.epoch = self.total_epoch
        seed_torch(self.seed, "epoch", self.total_epoch)
        self.n_now = self.learn.epoch + 1

    def after_fit(self) -> None:
        """Count the epochs of this fit."""
        if not any(isinstance(cb, LRFinder) for cb in self.learn.cbs):
            self.n_before += self.n_now
        self.n_now = 0
