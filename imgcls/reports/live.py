"""A training as it runs: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from imgcls.engine.reporting import EpochRow, Lines, Start, duration, headline
from imgcls.reports.text import clean, console


class PlainLines(Lines):
    """Writes one line for each thing worth saying, on stderr, with names from data made harmless."""

    def write(self, text: str) -> None:
        """Write one line."""
        super().write(clean(text))


class LiveTable:
    """A table that grows by an epoch a row, with the time that is left, on stderr."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        self._live: Live | None = None
        self._start: Start | None = None
        self._rows: list[EpochRow] = []
        self._bar = Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
        self._task = self._bar.add_task("", total=None, left="")
        self._began = self._drawn = 0.0

    def note(self, text: str) -> None:
        """Print a sentence above the table."""
        self._screen.print(Text(clean(text), style="dim"))

    def progress(self, what: str, done: int, total: int) -> None:
        """Show a bar for what comes before training."""
        self._show()
        self._bar.update(self._task, description=what, completed=done, total=total, left=f"{done} of {total}")
        if done >= total:
            self.stop()

    def start(self, start: Start) -> None:
        """Begin the table."""
        self._start, self._rows = start, []
        self._began = time.monotonic()
        self._screen.print(Text(clean(headline(start))))
        self._show()

    def batch(self, epoch: int, done: int, total: int) -> None:
        """Move the bar, ten times a second at the most."""
        now = time.monotonic()
        if now - self._drawn < 0.1 and done < total:
            return
        self._drawn = now
        if self._live is None:  # the bar of what came just before training has ended it
            self._began = now
            self._show()
        before, n_epochs = (self._start.done_epochs, self._start.n_epochs) if self._start else (0, epoch)
        passed, whole = (epoch - 1 - before) * total + done, (n_epochs - before) * total
        left = (now - self._began) / passed * (whole - passed)
        self._bar.update(
            self._task, description=f"epoch {epoch}", completed=passed, total=whole, left=f"{duration(left)} left"
        )

    def epoch(self, row: EpochRow) -> None:
        """Add a row."""
        self._rows.append(row)
        if self._live is not None:
            self._live.update(self, refresh=True)

    def stop(self) -> None:
        """Leave the table as it is."""
        if self._live is not None:
            self._bar.update(self._task, visible=False)
            self._live.stop()
            self._live = None
        self._bar.reset(self._task, visible=True, total=None, left="")

    def __rich_console__(self, screen: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the epochs so far, and the bar."""
        yield Group(*([epoch_table(self._rows)] if self._rows else []), self._bar)

    def _show(self) -> None:
        if self._live is None:
            self._live = Live(self, console=self._screen, refresh_per_second=8)
            self._live.start()


def epoch_table(rows: list[EpochRow]) -> Table:
    """Draw epochs, one to a row."""
    table = Table(box=None, pad_edge=False, show_edge=False)
    for title in ("epoch", "train loss", "valid loss", "accuracy", "rate", "time", "images/s"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            str(row.epoch),
            f"{row.train_loss:.4f}",
            f"{row.valid_loss:.4f}",
            f"{row.valid_accuracy:.4f}",
            f"{row.learning_rate:.1e}",
            f"{row.seconds:.1f} s",
            f"{row.images_per_second:.0f}",
        )
    return table


@contextmanager
def reporter_for(*, as_json: bool) -> Iterator[PlainLines | LiveTable]:
    """Give the reporter that suits where stderr goes, and end it whatever happens.

    Args:
        as_json: Whether a program is listening; it gets plain lines, never a live table.
    """
    screen = console(sys.stderr)
    reporter: PlainLines | LiveTable = LiveTable(screen) if screen.is_terminal and not as_json else PlainLines()
    try:
        yield reporter
    finally:
        reporter.stop()
