"""Callbacks of the loop: batch losses read once, the guard against NaN, clock, tracking, and the end of workers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.callback.schedule import LRFinder
from fastai.learner import AvgSmoothLoss, Learner, Metric
from torch import Tensor

from imgcls.engine.device import synchronize
from imgcls.engine.loaders import PhotoLoader
from imgcls.engine.progress import EpochRow, Reporter
from imgcls.engine.seeding import seed_torch
from imgcls.errors import DivergedError


class LossGuard(Callback):
    """Stops before the step when the loss is NaN or infinite, naming epoch and batch.

    Reading the loss waits for the device once a batch. fastai's own recorder would do the same; here it is given
    the number that was read (`ReadLoss`), so that there is one wait and no second copy.
    """

    order, run_valid = 11, False  # after mixed precision has given the loss back as float32

    def before_train(self) -> None:
        """Begin the epoch's mean."""
        self.value, self.total, self.n_samples, self.message = math.nan, 0.0, 0, ""

    def after_loss(self) -> None:
        """Read the loss and judge it.

        Raises:
            DivergedError: It is not finite; no step is taken.
        """
        self.value = float(self.learn.loss_grad.detach())
        n = len(self.learn.yb[0])
        self.total, self.n_samples = self.total + self.value * n, self.n_samples + n
        if math.isfinite(self.value):
            return
        if any(isinstance(cb, LRFinder) for cb in self.learn.cbs):
            raise CancelFitException  # a search for a learning rate ends where the loss explodes
        rate = self.learn.opt.hypers[-1]["lr"]
        self.message = (
            f"The loss became {self.value} in epoch {self.learn.epoch + 1}, batch {self.learn.iter + 1} of "
            f"{self.learn.n_iter}, at learning rate {rate:g}. The step was not taken. "
            "Try a lower learning rate (--set optimizer.learning_rate=…) or fit.clip_norm."
        )
        raise DivergedError(self.message)

    @property
    def mean(self) -> float:
        """The mean loss of the epoch so far, over its samples."""
        return self.total / self.n_samples if self.n_samples else math.nan


class ReadLoss(AvgSmoothLoss):
    """fastai's smoothed training loss, fed with the number the guard has read already."""

    def __init__(self, guard: LossGuard, beta: float = 0.98) -> None:
        super().__init__(beta=beta)
        self._guard = guard
        self.val: Tensor = torch.zeros(())

    def accumulate(self, learn: Learner) -> None:
        """Take in the loss of one batch."""
        self.count += 1
        self.val = torch.lerp(torch.tensor(self._guard.value), self.val, self.beta)


class MeanOnDevice(Metric):
    """The mean over samples of something computed by batch, added up on the device and read once an epoch."""

    def __init__(self, name: str, function: object) -> None:
        """Name it.

        Args:
            name: What fastai prints above its column.
            function: Learner → tensor, the batch's mean.
        """
        self._name, self._function = name, function
        self.reset()

    def reset(self) -> None:
        """Begin again."""
        self.total: Tensor | float = 0.0
        self.n_samples = 0

    def accumulate(self, learn: Learner) -> None:
        """Take in one batch."""
        n = len(learn.yb[0])
        self.total = self.total + self._function(learn).detach() * n  # type: ignore[operator]
        self.n_samples += n

    @property
    def value(self) -> float | None:
        """The mean over all samples; None before the first."""
        return float(self.total) / self.n_samples if self.n_samples else None

    @property
    def name(self) -> str:
        """The column's title."""
        return self._name


def batch_loss(learn: Learner) -> Tensor:
    """Return the mean loss of the batch at hand."""
    return learn.loss.mean()


def batch_accuracy(learn: Learner) -> Tensor:
    """Return the share of right predictions in the batch at hand; over labels where images have several."""
    predictions, targets = learn.loss_func.decodes(learn.loss_func.activation(learn.pred)), learn.yb[0]
    return (predictions == targets.to(predictions.dtype)).float().mean()


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


class Tracking(Callback):
    """Times every epoch, and hands its row on.

    fastai's recorder keeps its own values, which a validation or a prediction wipes; these do not depend on it.
    """

    order = 80  # after the recorder (50) and everything that may cancel an epoch

    def __init__(self, reporter: Reporter, keep: Callable[[dict[str, Any]], None]) -> None:
        """Describe where rows go.

        Args:
            reporter: Shows how it goes.
            keep: What writes a row down.
        """
        self.reporter, self.keep = reporter, keep
        self.n_images, self.train_seconds, self.valid_seconds = 0, 0.0, 0.0
        self.began = 0.0
        self.trained: float | None = None
        self.message = ""

    def before_train(self) -> None:
        """Start the epoch's clock."""
        self.began = time.perf_counter()
        self.trained = None

    def after_batch(self) -> None:
        """Tell about a batch, of training or of the epoch's validation."""
        tell = self.reporter.batch if self.learn.training else self.reporter.validation
        tell(self.learn.epoch + 1, self.learn.iter + 1, self.learn.n_iter)

    def after_train(self) -> None:
        """Stop the clock of training."""
        synchronize(self.dls.device)
        trained = time.perf_counter()
        self.trained = trained
        self.train_seconds += trained - self.began
        self.n_images += self.learn.loss_guard.n_samples

    def after_epoch(self) -> None:
        """Hand the row on; an epoch that was skipped has none.

        Raises:
            DivergedError: The validation loss is not finite, although the training loss was.
        """
        if self.trained is None:
            return
        trained, now = self.trained, time.perf_counter()
        self.valid_seconds += now - trained
        guard, metrics = self.learn.loss_guard, self.learn.metrics
        row = EpochRow(
            epoch=self.learn.epoch + 1,
            train_loss=guard.mean,
            valid_loss=self.learn.recorder.loss.value,
            valid_accuracy=metrics[0].value,
            learning_rate=self.learn.opt.hypers[-1]["lr"],
            seconds=now - self.began,
            images_per_second=guard.n_samples / max(trained - self.began, 1e-9),
        )
        self.trained = None
        if row.valid_loss is not None and not math.isfinite(row.valid_loss):
            self.message = (
                f"The validation loss became {row.valid_loss} in epoch {row.epoch}, while the training loss was "
                f"{row.train_loss:.4f}. Try a lower rate (--set optimizer.learning_rate=…) or freeze_batchnorm."
            )
            raise DivergedError(self.message)
        self.keep(asdict(row))
        self.reporter.epoch(row)


class StopAfter(Callback):
    """Ends a fit after some of its epochs, with the schedule of all, as one that stopped early was ended."""

    order = 92  # after the epoch was told, and saved

    def __init__(self, n_epochs: int) -> None:
        self.n_epochs = n_epochs

    def after_epoch(self) -> None:
        """Cancel the rest."""
        if self.learn.epoch + 1 >= self.n_epochs:
            raise CancelFitException


class EndWorkers(Callback):
    """Ends the worker processes when a fit, a validation or a prediction is over."""

    order = 95  # after everything that may still ask a loader for a batch

    def after_fit(self) -> None:
        """End them; those of a loader that was made for a prediction alone too."""
        for loader in (*self.dls.loaders, getattr(self.learn, "dl", None)):
            if isinstance(loader, PhotoLoader):
                loader.stop_workers()
