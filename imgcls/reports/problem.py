"""What a person sees when a problem was written down."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from imgcls.problem.metrics import in_words
from imgcls.problem.proposing import Proposal
from imgcls.reports.text import clean, count, name, path
from imgcls.workspace import Workspace

_MOST_CLASSES = 8


@dataclass(frozen=True)
class ProblemWritten:
    """A problem that lies on the disk."""

    proposal: Proposal
    """What was written, and what it was told from."""
    file: Path
    """Where it lies."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Say what was seen, what each file is for, what is still to be filled in, and what to do next."""
        problem, samples = self.proposal.problem, self.proposal.samples
        if samples is not None:
            yield Text(self._seen(), style="bold")
        if self.proposal.files:
            yield self._files()
        for note in self.proposal.notes:
            yield Text(clean(note), style="yellow")
        yield Text("\nWrote", style="bold")
        yield path(self.file)
        missing = [part for part in ("title", "goal", "background") if not getattr(problem, part)]
        if missing:
            yield Text(f"Still empty, and worth a sentence each: {', '.join(missing)}. Write them there.")
        yield Text("\nNext", style="bold")
        out = Workspace(self.file.parent).as_option
        yield Text(clean(f"  imgcls eda{out}    # look at the data"), no_wrap=True, overflow="ignore")

    def _seen(self) -> str:
        problem, samples = self.proposal.problem, self.proposal.samples
        assert samples is not None  # noqa: S101 - the caller looked
        more = f" and {samples.n_classes - _MOST_CLASSES} more" if samples.n_classes > _MOST_CLASSES else ""
        classes = ", ".join(clean(one) for one in samples.classes[:_MOST_CLASSES]) + more
        kind = f"{count(len(samples), 'photograph')}, {problem.type}: {classes}."
        return f"{clean(samples.name)}: {kind} Metric: {in_words(problem.metric) if problem.metric else '-'}."

    def _files(self) -> Padding:
        table = Table.grid(padding=(0, 2))
        table.add_column(overflow="fold")
        table.add_column(justify="right")
        table.add_column()
        for entry in self.proposal.files:
            table.add_row(name(entry.path), str(entry.n), entry.role)
        return Padding(table, (1, 0, 0, 2))

    def to_json(self) -> dict[str, Any]:
        """Give the same as JSON values."""
        return {
            "schema": 1,
            "file": str(self.file),
            "problem": self.proposal.problem.model_dump(mode="json", by_alias=True),
            "files": [
                {"path": entry.path, "role": entry.role, "n": entry.n, "columns": list(entry.columns)}
                for entry in self.proposal.files
            ],
            "notes": list(self.proposal.notes),
        }
