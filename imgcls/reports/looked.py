"""How `imgcls eda` ends: what it wrote, and the command that is sensible next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from imgcls.eda.facts import FACTS_JSON, Facts
from imgcls.reports.text import clean, count, path


@dataclass(frozen=True)
class LookedAt:
    """What was written, and what comes next."""

    facts: Facts
    """What was found."""
    page: Path
    """The page about it, beside facts.json."""
    again: str
    """The options that name the data again in commands; empty where the workspace knows."""
    out: str = ""
    """The option that names the workspace in commands; empty where they find it."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Name the files, then the command."""
        pictures = count(len(self.facts.pictures), "picture")
        yield Text.assemble("Wrote ", path(_near(self.page)), f", with {pictures} and {FACTS_JSON} beside it.")
        yield Text(clean(f"Next: {self.next_command()}"), no_wrap=True, overflow="ignore")
        if self.facts.data.quick or self.facts.is_unusable:
            return
        if any(finding.action for finding in self.facts.open_findings):
            yield Text("It leaves out or keeps together what is named above; 'imgcls eda undo' takes it back.")
        elif self.facts.open_findings:
            yield Text("What is left open above is for you to judge: mend it, or keep it with a reason.")

    def next_command(self) -> str:
        """Give the command that is sensible next: to apply what can be applied, else the baseline."""
        waiting = self.facts.open_findings
        if self.facts.data.quick:
            return f"imgcls eda{self.again}{self.out}    # all of them, before anything is decided"
        if any(finding.action for finding in waiting):
            return f"imgcls eda apply{self.out}"
        if self.facts.is_unusable:
            return f"imgcls eda{self.again}{self.out}    # once what is said above is mended"
        return f"imgcls recipe run baseline{self.again}{self.out}"


def _near(file: Path) -> Path:
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file
