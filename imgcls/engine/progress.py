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
        self._written = self._began = time.monotonic()
        self._start: Start | None = None

    def note(self, text: str) -> None:
        """Write the sentence."""
        self.write(text)

    def progress(self, what: str, done: int, total: int) -> None:
        """Write how far it is, every eight seconds at the most."""
        if time.monotonic() - self._written > _QUIET_SECONDS and done < total:
            self.write(f"{what}: {done} of {total}")

    def start(self, start: Start) -> None:
        """Write what begins, and about how long it will take."""
        self._start, self._began = start, time.monotonic()
        self.write(headline(start))

    def batch(self, epoch: int, done: int, total: int) -> None:
        """Write how far it is and about how long it will still take, every eight seconds at the most."""
        now = time.monotonic()
        if self._start is None or now - self._written < _QUIET_SECONDS or done >= total:
            return
        passed = (epoch - 1 - self._start.done_epochs) * total + done
        left = (now - self._began) / passed * ((self._start.n_epochs - self._start.done_epochs) * total - passed)
        self.write(f"epoch {epoch}: batch {done} of {total}, about {duration(left)} left")

    def epoch(self, row: EpochRow) -> None:
        """Write the epoch's line."""
        self.write(
            f"epoch {row.epoch}: train loss {row.train_loss:.4f}, valid loss {row.valid_loss:.4f}, "
            f"valid accuracy {row.valid_accuracy:.4f}, {row.seconds:.1f} s, {row.images_per_second:.0f} images/s"
        )

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
