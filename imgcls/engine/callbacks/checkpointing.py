"""A checkpoint at the end of every epoch, and the way back into a training from one."""

from __future__ import annotations

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
    """Passes over the epochs that an earlier attempt finished."""

    order = 70  # after the recorder, which has to have begun its row

    def __init__(self, n_done: int) -> None:
        self.n_done = n_done

    def before_epoch(self) -> None:
        """Cancel an epoch that is done."""
        if self.learn.epoch < self.n_done:
            raise CancelEpochException
