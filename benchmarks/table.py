"""A comparison as a table for the terminal."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from benchmarks.comparison import MEASURES, Comparison, Measure, Spread

NOTES = """\
Each training ran in a process of its own, the sides in turn; figures are medians, with the least and the most beside \
them. Training and validation are the loops of all epochs: waiting for batches and starting workers count, the one \
does not hold the other. The process counts from start to end: imports, reading photographs (imgcls fills an empty \
cache), training, and for imgcls the prediction and the record. Memory is that of the main process, without workers. \
A ratio is how many times better imgcls is, round by round, than fastai with the number of workers that trains fastest."""


@dataclass(frozen=True)
class ComparisonTable:
    """A renderable of a comparison."""

    comparison: Comparison
    """What is shown."""
    title: str
    """What was trained."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Give the table and what its figures mean."""
        yield Text(self.title, style="bold")
        yield self._table()
        yield Text(NOTES, style="dim")

    def _table(self) -> Table:
        found, table = self.comparison, Table(box=None, pad_edge=False)
        table.add_column("")
        for place, side in enumerate(found.sides):
            chosen = place == found.best_reference
            table.add_column(f"{side.name} *" if chosen else side.name, justify="right")
        table.add_column("ratio to *", justify="right")
        for measure in MEASURES:
            cells = [_cell(found.spread(measure, place), measure) for place in range(len(found.sides))]
            table.add_row(measure.title, *cells, _ratio(found.ratio(measure)))
        return table


def _cell(spread: Spread, measure: Measure) -> str:
    middle, low, high = (f"{value:.{measure.decimals}f}" for value in (spread.middle, spread.low, spread.high))
    return middle if low == high else f"{middle} ({low}–{high})"


def _ratio(spread: Spread | None) -> str:
    if spread is None:
        return ""
    return f"{spread.middle:.2f}× ({spread.low:.2f}–{spread.high:.2f})"
