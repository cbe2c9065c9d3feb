"""This machine on the terminal: the doctor's findings, and what the cache holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from imgcls.reports.console import name, path, size

if TYPE_CHECKING:
    from imgcls.data.cache import PoolInfo
    from imgcls.engine.doctor import Finding


@dataclass(frozen=True)
class CacheTable:
    """Every pool of decoded photographs."""

    folder: Path
    """Where they lie."""
    pools: tuple[PoolInfo, ...]
    """One for each data set and way of decoding."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw a row for each pool, and the sum."""
        yield path(self.folder)
        if not self.pools:
            yield Text("Empty.")
            return
        table = Table(box=None, pad_edge=False, show_edge=False)
        table.add_column("data")
        table.add_column("photographs", justify="right")
        table.add_column("size", justify="right")
        table.add_column("last used")
        for pool in self.pools:
            when = pool.last_used.strftime("%Y-%m-%d %H:%M")
            table.add_row(name(pool.name), str(pool.n_photos), size(pool.n_bytes), when)
        yield table
        total = size(sum(pool.n_bytes for pool in self.pools))
        yield Text(f"{total} in all; 'imgcls cache clear' frees it.", style="dim")


_STYLES = {"good": "green", "note": "yellow", "bad": "bold red"}


@dataclass(frozen=True)
class Examination:
    """Everything that was looked at."""

    findings: tuple[Finding, ...]
    """In order."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw a row for each finding, and what to do."""
        table = Table(box=None, pad_edge=False, show_edge=False, show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for finding in self.findings:
            table.add_row(Text(finding.state, style=_STYLES[finding.state]), finding.name, name(finding.found))
        yield table
        n_bad = sum(finding.state == "bad" for finding in self.findings)
        if n_bad:
            yield Text(f"\n{n_bad} to fix before training.", style="bold red")
        else:
            yield Text("\nReady. Next: imgcls recipe run baseline", style="green")
