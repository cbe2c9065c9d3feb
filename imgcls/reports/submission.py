"""What a person sees when predictions were written to be handed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from imgcls.records.run import RunRecord
from imgcls.records.submissions import Submission
from imgcls.reports.text import clean, count, path

_MOST_COLUMNS = 8


@dataclass(frozen=True)
class SubmissionWritten:
    """A table of predictions that lies on the disk."""

    submission: Submission
    """What was written."""
    columns: tuple[str, ...]
    """Its columns."""
    probability_of: str
    """The class whose probability the one column holds; "" otherwise."""
    record: RunRecord
    """The run that predicted."""
    why: str = ""
    """Why this run, where none was named; "" where one was."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Say whose predictions they are, what is in the file, where it lies, and what to do next."""
        record, submission = self.record, self.submission
        trial = " (a trial: its scores mean little)" if record.quick else ""
        rows = count(submission.n_rows, "test photograph")
        yield Text(f"Predictions of {clean(record.label)}, seed {record.seed}{trial}, for {rows}:", style="bold")
        yield path(submission.path)
        if self.why:
            yield Text(clean(f"Chosen: {self.why}."))
        yield Text(self._contents())
        yield Text("\nNext", style="bold")
        yield Text("  imgcls checklist    # where you stand", no_wrap=True, overflow="ignore")

    def _contents(self) -> str:
        more = f" and {len(self.columns) - _MOST_COLUMNS} more" if len(self.columns) > _MOST_COLUMNS else ""
        columns = clean(", ".join(self.columns[:_MOST_COLUMNS]) + more)
        form = f"as in {clean(self.submission.sample)}" if self.submission.sample else "no sample submission was given"
        return f"Columns {columns}: {self._meaning()}; {form}."

    def _meaning(self) -> str:
        if self.probability_of:
            return f"the probability of {clean(self.probability_of)!r}"
        if self.submission.holds == "classes" and self.record.problem == "binary":
            return "classes (--probabilities writes probabilities)"
        return self.submission.holds

    def to_json(self) -> dict[str, Any]:
        """Give the same as JSON values."""
        return {
            **self.submission.to_json(),
            "path": str(self.submission.path),
            "columns": list(self.columns),
            "probability_of": self.probability_of or None,
        }
