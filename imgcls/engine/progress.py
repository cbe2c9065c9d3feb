"""Progress of a training: what is reported while it runs, and the reporters that receive it."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Protocol

from imgcls.text import duration

_QUIET_SECONDS = 8.0
"""The longest stretch without a line in a pipe or a log while something is being done."""


@dataclass(frozen=True)
class Start:
    """What is known before the first batch."""

    label: str
    """The stack with its overrides."""
    seed: int
    """The run's seed."""
    n_epochs: int
    """Epochs of the whole training."""
    n_batches: int
    """Batches an epoch."""
    n_train: int
    """Training samples."""
    n_valid: int
    """Validation samples."""
    device: str
    """Where it runs, with its precision."""
    done_epochs: int = 0
    """Epochs that an earlier attempt finished."""
    estimate_seconds: float | None = None
    """About how long it will take, measured on a few batches."""
    turn: str = ""
    """Which fold validates, in words; empty without folds."""


@dataclass(frozen=True)
class EpochRow:
    """One epoch, as it is shown and kept in the history."""

    epoch: int
    """From 1."""
    train_loss: float
    """Mean training loss over the epoch's samples, as the plan defines it."""
    valid_loss: float
    """Mean plain validation loss."""
    valid_accuracy: float
    """Share of right predictions in validation."""
    learning_rate: float
    """At the epoch's last step."""
    seconds: float
    """Training and validation."""
    images_per_second: float
    """Training images a second, without validation."""


_VALIDATION_SHARE = 1 / 3
"""What a photograph costs in validation, beside training, before that is measured: a forward pass alone."""


class TrainingClock:
    """Tells about how long a training will still take, as the batches and validations so far took it."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self.restart()

    def restart(self) -> None:
        """Begin to count now; what came before was no training."""
        self._began = self._trained = time.monotonic()
        self._valid_seconds, self._n_validated = 0.0, 0

    def left(self, epoch: int, done: int, total: int) -> float:
        """Return the seconds left after a batch: of the training, and of the validation after each epoch."""
        start, self._trained = self._start, time.monotonic()
        passed = (epoch - 1 - start.done_epochs) * total + done
        batch = (self._trained - self._began - self._valid_seconds) / max(1, passed)
        valid = batch * total * start.n_valid / max(1, start.n_train) * _VALIDATION_SHARE
        if self._n_validated:
            valid = self._valid_seconds / self._n_validated
        return batch * ((start.n_epochs - start.done_epochs) * total - passed) + valid * (start.n_epochs - epoch + 1)

    def validated(self) -> None:
        """Take in the time since the epoch's last batch."""
        self._valid_seconds += time.monotonic() - self._trained
        self._n_validated += 1


class Reporter(Protocol):
    """What receives the progress of a training."""

    def note(self, text: str) -> None:
        """Receive a sentence."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Receive how far a piece of work is."""

    def start(self, start: Start) -> None:
        """Training begins."""

    def batch(self, epoch: int, done: int, total: int) -> None:
        """A training batch was done."""

    def epoch(self, row: EpochRow) -> None:
        """An epoch was done."""

    def stop(self) -> None:
        """Training is over, whether well or not."""


class Silent:
    """A reporter that writes nothing."""

    def note(self, text: str) -> None:
        """Write nothing."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Write nothing."""

    def start(self, start: Start) -> None:
        """Write nothing."""

    def batch(self, epoch: int, done: int, total: int) -> None:
        """Write nothing."""

    def epoch(self, row: EpochRow) -> None:
        """Write nothing."""

    def stop(self) -> None:
        """Write nothing."""


class Lines(Silent):
    """A reporter that writes plain lines to stderr, for pipes, logs and scripts."""

    def __init__(self) -> None:
        self._written = self._since = time.monotonic()
        self._doing = ""
        self._clock: TrainingClock | None = None

    def note(self, text: str) -> None:
        """Write the sentence."""
        self.write(text)

    def progress(self, what: str, done: int, total: int) -> None:
        """Write how far it is, every eight seconds at the most."""
        self._do(what if done < total else "")
        if time.monotonic() - self._written > _QUIET_SECONDS and done < total and total > 1:
            self.write(f"{what}: {done} of {total}")

    def start(self, start: Start) -> None:
        """Write what begins, and about how long it will take."""
        self._clock = TrainingClock(start)
        self._do("Training")
        self.write(headline(start))

    def batch(self, epoch: int, done: int, total: int) -> None:
        """Write how far it is and about how long it will still take, every eight seconds at the most."""
        if self._clock is None:
            return
        left = self._clock.left(epoch, done, total)
        self._do(f"epoch {epoch}: validation" if done >= total else "Training")
        if time.monotonic() - self._written >= _QUIET_SECONDS and done < total:
            self.write(f"epoch {epoch}: batch {done} of {total}, about {duration(left)} left")

    def epoch(self, row: EpochRow) -> None:
        """Write the epoch's line."""
        if self._clock is not None:
            self._clock.validated()
        self._do("Training")
        self.write(
            f"epoch {row.epoch}: train loss {row.train_loss:.4f}, valid loss {row.valid_loss:.4f}, "
            f"valid accuracy {row.valid_accuracy:.4f}, {row.seconds:.1f} s, {row.images_per_second:.0f} images/s"
        )

    def stop(self) -> None:
        """Know of nothing that is being done."""
        self._do("")

    def still(self) -> None:
        """Write that it goes on where nothing was written for eight seconds."""
        now = time.monotonic()
        if now - self._written >= _QUIET_SECONDS:
            so_far = f": {duration(now - self._since)} so far" if now - self._since >= 1 else ""
            self.write(f"{self._doing or 'Still at work'}{so_far} …")

    def _do(self, what: str) -> None:
        if what != self._doing:
            self._doing, self._since = what, time.monotonic()

    def write(self, text: str) -> None:
        """Write one line."""
        self._written = time.monotonic()
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def headline(start: Start) -> str:
    """Describe what begins, where, and about how long it will take."""
    about = f", about {duration(start.estimate_seconds)}" if start.estimate_seconds else ""
    resumed = f" ({start.done_epochs} done already)" if start.done_epochs else ""
    turn = f", {start.turn}" if start.turn else ""
    epochs = f"{start.n_epochs} epoch{'s' * (start.n_epochs != 1)}" if start.n_epochs else "no epoch"
    return (
        f"{start.label}, seed {start.seed}{turn}: {start.n_train} training and {start.n_valid} validation photographs, "
        f"{epochs}{resumed} on {start.device}{about}"
    )
