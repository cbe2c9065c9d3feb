"""What a person sees when a page was written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from imgcls.ladders.gathering import ReportData
from imgcls.reports.text import clean, count, path, size


@dataclass(frozen=True)
class PageWritten:
    """A page that lies on the disk."""

    data: ReportData
    """What it shows."""
    file: Path
    """Where it lies."""
    form: str
    """`html`, `markdown` or `json`."""
    n_bytes: int
    """Its size."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Say what was written, what is in it, and what to do next."""
        ladder = self.data.result.ladder
        yield Text(f"A page about {clean(ladder.name)}, {size(self.n_bytes)}, that stands alone:")
        yield path(self.file)
        yield Text(self._photographs())
        if not self.data.result.is_complete:
            yield Text(f"The ladder is not finished: imgcls ladder run {clean(ladder.stack)}", style="dim")
        elif not self.data.withheld and self.n_shown:
            yield Text("For data that must not travel: imgcls report --no-images", style="dim")

    @property
    def n_shown(self) -> int:
        """Count the photographs that are in it."""
        shown = sum(len(entry.pictures) for entry in self.data.sheet) + len(self.data.pictures)
        return shown if self.form == "html" else 0

    def _photographs(self) -> str:
        if self.data.withheld:
            return "It holds neither photographs nor their names."
        if self.data.trouble:
            return clean(self.data.trouble)
        names = " and the names of some" if self.data.mistakes else ""
        return f"It holds small copies of {count(self.n_shown, 'photograph')}{names}."

    def to_json(self) -> dict[str, Any]:
        """Give the same as JSON values."""
        return {
            "schema": 1,
            "path": str(self.file),
            "format": self.form,
            "n_bytes": self.n_bytes,
            "ladder": self.data.result.ladder.name,
            "complete": self.data.result.is_complete,
            "n_photographs": self.n_shown,
            "withheld": self.data.withheld,
            "trouble": self.data.trouble,
        }
