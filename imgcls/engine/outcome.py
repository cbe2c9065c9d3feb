"""What came of asking for a run: its record, and how it came about."""

from __future__ import annotations

from dataclasses import dataclass, field

from imgcls.engine.reporting import EpochRow, Reporter, Start
from imgcls.records.run import RunRecord


@dataclass(frozen=True)
class Outcome:
    """A finished run and how it was reached."""

    record: RunRecord
    """The run."""
    reused: bool = False
    """Whether it was there already."""
    same_bits: dict[str, bool] | None = None
    """After training anew: whether weights and predictions equal those of the record, by file."""
    other_versions: tuple[str, ...] = ()
    """Packages that had another version when the record was made, in words."""


@dataclass(frozen=True)
class FoldsOutcome:
    """All folds of one stack and seed, and how they were reached."""

    record: RunRecord
    """The record of all of them: the predictions out of fold."""
    folds: tuple[Outcome, ...]
    """The runs, fold by fold."""
    reused: bool = False
    """Whether the record of all of them was there already."""


@dataclass
class Log:
    """A reporter that keeps the words of a run for its log file, and passes everything on."""

    reporter: Reporter
    """Who is told."""
    lines: list[str] = field(default_factory=list)
    """What was said."""

    def note(self, text: str) -> None:
        """Keep a sentence."""
        self.lines.append(text)
        self.reporter.note(text)

    def progress(self, what: str, done: int, total: int) -> None:
        """Pass it on."""
        self.reporter.progress(what, done, total)

    def start(self, start: Start) -> None:
        """Keep what began."""
        self.lines.append(f"start {start}")
        self.reporter.start(start)

    def batch(self, epoch: int, done: int, total: int) -> None:
        """Pass it on."""
        self.reporter.batch(epoch, done, total)

    def epoch(self, row: EpochRow) -> None:
        """Keep the row."""
        self.lines.append(f"epoch {row}")
        self.reporter.epoch(row)

    def stop(self) -> None:
        """Pass it on."""
        self.reporter.stop()

    def text(self) -> str:
        """Give all lines."""
        return "".join(f"{line}\n" for line in self.lines)
