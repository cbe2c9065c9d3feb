"""The sealed test's answer, beside the optimistic one of validation."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from imgcls.ladders.final import Final
from imgcls.reports.gains import Units, gain_sentence, verdict_style
from imgcls.reports.text import clean, count
from imgcls.workspace import LEDGER


@dataclass(frozen=True)
class FinalView:
    """Base and incumbent on the test part, and how often it was opened."""

    final: Final
    """What was opened."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw both scores, both gains, and what they mean."""
        final, units = self.final, Units(self.final.metric)
        groups = f" in {count(final.n_groups, 'group')}" if final.n_groups else ""
        yield Text(f"{units.title} on the sealed test: {count(final.n_images, 'image')}{groups}", style="bold")
        yield self._scores(units)
        if final.judged is None:
            yield Text("\nThe ladder recommends its base, so there is no gain to be tested.")
        else:
            said = gain_sentence(final.judged, units, over="the base", subject="the incumbent")
            yield Text(f"\nOn test {said}", style=verdict_style(final.judged) or "bold")
        if final.validation is not None:
            gain = f"{units.gain(final.validation.value)} {units.name} {units.interval(final.validation)}"
            yield Text(
                f"On validation it was {gain}. That is the optimistic number: the incumbent was chosen by it. "
                "The one of test is the one to report."
            )
        yield Text(f"\n{self._openings()}", style="" if final.n_openings == 1 else "yellow")

    def _scores(self, units: Units) -> Table:
        table = Table(box=None, pad_edge=False, show_edge=False)
        for title in ("", "score", "95 % interval"):
            table.add_column(title, overflow="fold")
        rows = ((self.final.baseline, self.final.baseline_score), (self.final.incumbent, self.final.incumbent_score))
        for label, estimate in rows[: 1 if self.final.judged is None else 2]:
            table.add_row(Text(clean(label), style="bold"), *units.scored(estimate))
        return table

    def _openings(self) -> str:
        if self.final.n_openings == 1:
            return f"Written to {LEDGER}: the first opening of this test part. Let it be the last."
        return (
            f"Written to {LEDGER}: opening {self.final.n_openings} of this test part. Choosing between openings makes "
            "the test optimistic too; report all of them."
        )
