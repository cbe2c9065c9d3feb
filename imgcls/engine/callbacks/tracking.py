"""One row of history an epoch, told to the reporter and kept with the attempt."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from fastai.callback.core import Callback

from imgcls.engine.device import synchronize
from imgcls.engine.reporting import EpochRow, Reporter
from imgcls.errors import DivergedError


class Tracking(Callback):
    """Times every epoch, and hands its row on.

    fastai's recorder keeps its own values, which a validation or a prediction wipes; these do not depend on it.
    """

    order = 80  # after the recorder (50) and everything that may cancel an epoch

    def __init__(self, reporter: Reporter, keep: Callable[[dict[str, Any]], None]) -> None:
        """Say where rows go.

        Args:
            reporter: Who is told.
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
        """Tell about a training batch."""
        if self.learn.training:
            self.reporter.batch(self.learn.epoch + 1, self.learn.iter + 1, self.learn.n_iter)

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
        if not math.isfinite(row.valid_loss):
            self.message = (
                f"The validation loss became {row.valid_loss} in epoch {row.epoch}, while the training loss was "
                f"{row.train_loss:.4f}. Try a lower rate (--set optimizer.learning_rate=…) or freeze_batchnorm."
            )
            raise DivergedError(self.message)
        self.keep(asdict(row))
        self.reporter.epoch(row)
