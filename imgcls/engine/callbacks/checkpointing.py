"""A checkpoint at the end of every epoch, and the way back into a training from one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastai.callback.core import Callback, CancelEpochException

from imgcls.engine.checkpoint import capture
from imgcls.records.attempts import Attempt


class SaveEpochs(Callback):
    """Writes network and optimiser into the attempt after every epoch."""

    order = 90  # last: what it saves is the epoch's end, history included

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.was_trained = False

    def before_train(self) -> None:
        """Note that this epoch is really trained."""
        self.was_trained = True

    def after_epoch(self) -> None:
        """Save, unless the epoch was skipped."""
        if self.was_trained:
            files, meta = capture(self.learn)
            self.attempt.save_checkpoint(files, {**meta, "epoch": self.learn.epoch + 1})
            self.attempt.heartbeat()
        self.was_trained = False


class SkipEpochs(Callback):
    """Passes over the epochs that an earlier attempt finished, and gives a gradient scaler its scale back."""

    order = 70  # after the recorder, which has to have begun its row, and after mixed precision has made its scaler

    def __init__(self, n_done: int, *, scaler: Mapping[str, Any] | None) -> None:
        """Say where to go on.

        Args:
            n_done: Epochs that are done.
            scaler: The state of the gradient scaler then; None without one.
        """
        self.n_done, self.scaler_state = n_done, scaler

    def before_fit(self) -> None:
        """Restore the scaler, which exists only while a fit lasts."""
        if self.scaler_state:
            self.learn.scaler.load_state_dict(dict(self.scaler_state))

    def before_epoch(self) -> None:
        """Cancel an epoch that is done."""
        if self.learn.epoch < self.n_done:
            raise CancelEpochException
