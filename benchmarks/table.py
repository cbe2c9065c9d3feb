"""A comparison as a table for the terminal."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from benchmarks.comparison import MEASURES, Comparison, Spread

NOTES = """\
Each training ran in a process of its own, the sides in turn; figures are medians over the rounds, the least and the \
most below them. Training and validation are their loops over all epochs, waiting for batches and starting workers \
included; neither holds the other. The process runs from start to end: imports, reading photographs (imgcls fills an \
empty cache), training, and for imgcls the last prediction and the record. Memory is the main process's, without \
workers. * is the number of workers with which fastai trains fastest; the ratio says how many times better imgcls is, \
round by round."""


@dataclass(frozen=True)
class ComparisonTable:
    """A renderable of a comparison."""

    comparison: Comparison
    """What is shown."""
    title: str
    """What was trained."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Return the table and what its figures mean."""
        yield Text(self.title, style="bold")
        yield Text()
        yield self._table()
        yield Text()
        yield Text(NOTES, style="dim")

    def _table(self) -> Table:
        found, table = self.comparison, Table(box=None, pad_edge=False)
        table.add_column("")
        for measure in MEASURES:
            table.add_column(measure.title, justify="right")
        for place, side in enumerate(found.sides):
            cells = [_cell(found.spread(measure, place), measure.decimals) for measure in MEASURES]
            table.add_row(f"{side.name} *" if place == found.best_reference else side.name, *cells)
        table.add_section()
        ratios = [found.ratio(measure) for measure in MEASURES]
        table.add_row("imgcls against *", *("" if ratio is None else _cell(ratio, 2, unit="×") for ratio in ratios))
        return table


def _cell(spread: Spread, decimals: int, *, unit: str = "") -> Text:
    middle, low, high = (f"{value:.{decimals}f}" for value in (spread.middle, spread.low, spread.high))
    return Text.assemble((f"{middle}{unit}", "bold"), "\n", (f"{low}–{high}", "dim"))
