"""The loss of every training batch, read once: for the guard against NaN, for fastai's curve, for the history."""

from __future__ import annotations

import math

import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.callback.schedule import LRFinder
from fastai.learner import AvgSmoothLoss, Learner, Metric
from torch import Tensor

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
        """Begin anew."""
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
    """Give the mean loss of the batch at hand."""
    return learn.loss.mean()


def batch_accuracy(learn: Learner) -> Tensor:
    """Give the share of right predictions in the batch at hand; over labels where images have several."""
    predictions, targets = learn.loss_func.decodes(learn.loss_func.activation(learn.pred)), learn.yb[0]
    return (predictions == targets.to(predictions.dtype)).float().mean()
