"""Progress of a training: what is reported while it runs, and the reporters that receive it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from imgcls.text import clean, duration

_QUIET_SECONDS = 8.0
"""The longest stretch without a line while something is being done."""
_EVERY_SECONDS = 1.0
"""How often is looked whether it was quiet for too long."""


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
    valid_loss: float | None
    """Mean plain validation loss; None where nothing validates."""
    valid_accuracy: float | None
    """Share of right predictions in validation; None where nothing validates."""
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
        self._valid_seconds, self._n_validated, self._epoch_seconds = 0.0, 0, 0.0

    def left(self, epoch: int, done: int, total: int) -> float:
        """Return the seconds left after a batch: of the training, and of the validation after each epoch."""
        start, self._trained = self._start, time.monotonic()
        passed = (epoch - 1 - start.done_epochs) * total + done
        batch = (self._trained - self._began - self._valid_seconds) / max(1, passed)
        valid = batch * total * start.n_valid / max(1, start.n_train) * _VALIDATION_SHARE
        if self._n_validated:
            valid = self._valid_seconds / self._n_validated
        self._epoch_seconds = batch * total
        return batch * ((start.n_epochs - start.done_epochs) * total - passed) + valid * (start.n_epochs - epoch + 1)

    def left_of_validation(self, epoch: int, done: int, total: int) -> float:
        """Return the seconds left after a batch of validation, which is itself the measure of those to come."""
        spent = time.monotonic() - self._trained
        whole = spent * total / max(1, done)
        return whole - spent + (self._start.n_epochs - epoch) * (self._epoch_seconds + whole)

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

    def validation(self, epoch: int, done: int, total: int) -> None:
        """A batch of an epoch's validation was done."""

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

    def validation(self, epoch: int, done: int, total: int) -> None:
        """Write nothing."""

    def epoch(self, row: EpochRow) -> None:
        """Write nothing."""

    def stop(self) -> None:
        """Write nothing."""


class Lines(Silent):
    """A reporter that writes plain lines to stderr, for pipes, logs and scripts; names from data are made harmless."""

    def __init__(self) -> None:
        self._written = self._since = time.monotonic()
        self._doing = self._so_far = ""
        self._clock: TrainingClock | None = None

    def note(self, text: str) -> None:
        """Write the sentence."""
        self.write(text)

    def progress(self, what: str, done: int, total: int) -> None:
        """Write how far it is, every eight seconds at the most."""
        is_told = 0 < done < total
        self._do(what if done < total else "", f"{what}: {done} of {total}" if is_told else "")

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
        if done >= total:
            self._do(f"epoch {epoch}: validation")
        else:
            self._do("Training", f"epoch {epoch}: batch {done} of {total}, about {duration(left)} left")

    def validation(self, epoch: int, done: int, total: int) -> None:
        """Write how far validation is, every eight seconds at the most."""
        if self._clock is None:
            return
        left = duration(self._clock.left_of_validation(epoch, done, total))
        self._do(f"epoch {epoch}: validation", f"epoch {epoch}: validation {done} of {total}, about {left} left")

    def epoch(self, row: EpochRow) -> None:
        """Write the epoch's line."""
        if self._clock is not None:
            self._clock.validated()
        self._do("Training")
        told = "" if row.valid_loss is None else f", valid loss {row.valid_loss:.4f}"
        told += "" if row.valid_accuracy is None else f", valid accuracy {row.valid_accuracy:.4f}"
        self.write(
            f"epoch {row.epoch}: train loss {row.train_loss:.4f}{told}, {row.seconds:.1f} s, "
            f"{row.images_per_second:.0f} images/s"
        )

    def stop(self) -> None:
        """Know of nothing that is being done."""
        self._do("")

    def still(self) -> None:
        """Write how far it is, or that it goes on, where nothing was written for eight seconds."""
        now = time.monotonic()
        if now - self._written < _QUIET_SECONDS:
            return
        line, self._so_far = self._so_far, ""  # what was said once is no news
        for_how_long = f": {duration(now - self._since)} so far" if now - self._since >= 1 else ""
        self.write(line or f"{self._doing or 'Still at work'}{for_how_long} …")

    def _do(self, what: str, so_far: str = "") -> None:
        """Know what is being done, and how far it is in words, and write it where it was quiet for long."""
        if what != self._doing:
            self._doing, self._since = what, time.monotonic()
        self._so_far = so_far
        if so_far:
            self.still()

    def write(self, text: str) -> None:
        """Write one line."""
        self._written = time.monotonic()
        sys.stderr.write(f"{clean(text)}\n")
        sys.stderr.flush()


@contextmanager
def awake(lines: Lines) -> Iterator[None]:
    """Look every second whether it was quiet for too long, whatever is being done meanwhile, and say it goes on."""
    ended = threading.Event()

    def follow() -> None:
        while not ended.wait(_EVERY_SECONDS):
            lines.still()

    thread = threading.Thread(target=follow, name="still-at-work", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=_EVERY_SECONDS)


@contextmanager
def plain_lines(reporter: Reporter | None) -> Iterator[Reporter]:
    """Return the reporter that was given; where none was, plain lines that are never quiet for long until the end."""
    if reporter is not None:
        yield reporter
        return
    lines = Lines()
    with awake(lines):
        yield lines


@contextmanager
def step(reporter: Reporter, what: str) -> Iterator[None]:
    """Say what is being done where it does not count how far it is; it ends before anybody is asked a question."""
    reporter.progress(what, 0, 1)
    try:
        yield
    finally:
        reporter.progress(what, 1, 1)


def headline(start: Start) -> str:
    """Describe what begins, where, and about how long it will take."""
    about = f", about {duration(start.estimate_seconds)}" if start.estimate_seconds else ""
    resumed = f" ({start.done_epochs} done already)" if start.done_epochs else ""
    turn = f", {start.turn}" if start.turn else ""
    epochs = f"{start.n_epochs} epoch{'s' * (start.n_epochs != 1)}" if start.n_epochs else "no epoch"
    validating = f" and {start.n_valid} validation" if start.n_valid else ""
    return (
        f"{start.label}, seed {start.seed}{turn}: {start.n_train} training{validating} photographs, "
        f"{epochs}{resumed} on {start.device}{about}"
    )
