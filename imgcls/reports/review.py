"""A review on the terminal: where its page is, and what was decided when it ends."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from imgcls.config.review import Reviewed
from imgcls.reports.console import count, name, path


@dataclass(frozen=True)
class ReviewStarted:
    """Where the page of a review is."""

    n: int
    """Photographs to decide about."""
    n_done: int
    """Those that were decided about before."""
    url: str
    """The address of the page."""
    run: str | None
    """The run that says which; None without."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Say what to open, and how it ends."""
        before = f", {self.n_done:,} of them decided before" if self.n_done else ""
        yield Text(f"{count(self.n, 'photograph')} to look at{before}.", style="bold")
        if self.run is not None:
            yield Text("Asked by ").append(name(self.run))
        yield Text("Open this page; only this machine answers, and only to this address:")
        yield Text(self.url, no_wrap=True, overflow="ignore", style="bold")
        yield Text("Ctrl-C ends it. Whatever was decided is kept.")


@dataclass(frozen=True)
class ReviewEnded:
    """What was decided."""

    said: tuple[Reviewed, ...]
    """What counts of it."""
    file: Path
    """The file of decisions."""
    out: str
    """The option that names the workspace in commands; empty where they find it."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Count what was decided, and name the command that makes it part of the data."""
        yield Text(f"Decided: {summary(self.said)}.", style="bold")
        if self.said:
            yield Text.assemble("Kept in ", path(self.file))
            command = f"imgcls eda apply {shlex.quote(_short(self.file))}{self.out}"
            yield Text(f"Next: {command}", no_wrap=True, overflow="ignore")


def summary(said: Iterable[Reviewed]) -> str:
    """Return how many photographs got which kind of decision."""
    n = Counter(row.decision for row in said)
    return f"{n['relabel']:,} to another class, {n['exclude']:,} left out, {n['keep']:,} kept, {n['unsure']:,} not sure"


def _short(file: Path) -> str:
    """Return a path as a person here would type it."""
    return str(file.relative_to(Path.cwd())) if file.is_relative_to(Path.cwd()) else str(file)
