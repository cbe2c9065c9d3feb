"""The examination of a machine."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from imgcls.engine.doctor import Finding
from imgcls.reports.text import name

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
            yield Text(f"\n{n_bad} to mend before training.", style="bold red")
        else:
            yield Text("\nReady. Next: imgcls recipe run baseline", style="green")
