"""Counts of right and wrong verdicts as a table for the terminal, beside those of an earlier simulation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from benchmarks.verdicts import IMAGES, SEEDS, Counted
from imgcls.evidence.gains import Components
from imgcls.evidence.power import detectable

NOTES = """\
Per cent ± the standard deviation of the simulation. In brackets what another generator, written by others for the \
choice of the rule, gave for the same cell; the two worlds are alike, not equal. A claim of imgcls is p ≤ 0.05, before \
other comparisons are counted; ladders have five rungs, and Holm's correction. What should stay at 5 or below and, \
variance of the simulation counted, does not is marked !."""

_Earlier = tuple[float | None, float | None, float | None, float | None]
EARLIER: Mapping[tuple[str, str], _Earlier] = MappingProxyType(
    {
        ("ordinary seeds", "false claims: imgcls"): (2.3, 2.5, 3.5, 3.6),
        ("ordinary seeds", "false claims: seeds alone (Welch's t)"): (5.5, 4.6, 10.7, 8.2),
        ("ordinary seeds", "false claims: images alone (z)"): (7, 12, 6, 11),
        ("ordinary seeds", "false claims: the higher mean wins"): (47, 49, 48, 49),
        ("ordinary seeds", "+1 point found"): (8, 26, 15, 54),
        ("ordinary seeds", "+2 points found"): (30, 79, 57, 99),
        ("noisy seeds", "false claims: imgcls"): (2.5, 2.6, 3.0, 3.6),
        ("noisy seeds", "false claims: seeds alone (Welch's t)"): (4.7, 3.3, 7.5, 4.9),
        ("noisy seeds", "false claims: images alone (z)"): (13, 37, 12, 33),
        ("noisy seeds", "false claims: the higher mean wins"): (47, 49, 49, 50),
        ("noisy seeds", "+1 point found"): (6, 10, 11, 22),
        ("noisy seeds", "+2 points found"): (18, 34, 39, 73),
        ("ordinary seeds", "ladders with a false better or worse, step by step"): (None, 1.0, None, 3.3),
        ("ordinary seeds", "the same without counting the steps"): (None, 9.2, None, 13.7),
        ("ordinary seeds", "ladders with a false better or worse, against baseline"): (None, 1.8, None, 3.3),
        ("ordinary seeds", "ladders with a false better, step by step"): (None, 0.1, None, 0.9),
        ("ordinary seeds", "ladders with a false better or likely better, step by step"): (None, 8.8, None, 10.3),
    }
)
"""Per cent, in the order of the columns: by seeds, then by images."""


DETECTABLE_SEEDS = (2, 3, 5, 8, 12)
DETECTABLE_IMAGES = (200, 1000, 5000, 10_000)
_UNBOUNDED = (" found", "better or likely better, step by step")
"""Ends of questions whose answer may be above 5 %: true gains, and what is called likely only."""


@dataclass(frozen=True)
class VerdictTable:
    """A renderable of what was counted."""

    counted: Sequence[Counted]
    """What is shown."""
    title: str
    """What was drawn."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Return the table and what its figures mean."""
        yield Text(self.title, style="bold")
        yield Text()
        yield self._table()
        yield Text()
        yield Text(NOTES, style="dim")

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        table.add_column("")
        columns = [(n_seeds, n) for n_seeds in SEEDS for n in IMAGES]
        for n_seeds, n in columns:
            table.add_column(f"{n_seeds} seeds\n{n} images", justify="right")
        for world in dict.fromkeys(entry.world for entry in self.counted):
            table.add_section()
            table.add_row(Text(world, style="bold"))
            for question, found in self._rows(world):
                earlier = EARLIER.get((world, question), (None,) * len(columns))
                cells = [_cell(found.get(at), before) for at, before in zip(columns, earlier, strict=True)]
                table.add_row(f"  {question}", *cells)
        return table

    def _rows(self, world: str) -> Iterator[tuple[str, dict[tuple[int, int], Counted]]]:
        own = [entry for entry in self.counted if entry.world == world]
        for question in dict.fromkeys(entry.question for entry in own):
            yield question, {(entry.n_seeds, entry.n): entry for entry in own if entry.question == question}


@dataclass(frozen=True)
class DetectableTable:
    """A renderable of the gains that are found four times in five."""

    parts: Mapping[str, Components]
    """World → what the noise is made of."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Return the table."""
        yield Text("Gains found four times in five, in points, before other comparisons are counted", style="bold")
        yield Text()
        table = Table(box=None, pad_edge=False)
        for name in ("images", *(f"{n_seeds} seeds" for n_seeds in DETECTABLE_SEEDS)):
            table.add_column(name, justify="right")
        for n in DETECTABLE_IMAGES:
            table.add_row(f"{n}", *(self._in_worlds(n_seeds, n) for n_seeds in DETECTABLE_SEEDS))
        yield table
        yield Text()
        yield Text(f"In order: {', '.join(self.parts)}.", style="dim")

    def _in_worlds(self, n_seeds: int, n: int) -> str:
        sizes = (detectable(parts, n_seeds=n_seeds, n_units=n) for parts in self.parts.values())
        return " / ".join(f"{100 * size:.1f}" for size in sizes)


def _cell(found: Counted | None, earlier: float | None) -> Text:
    if found is None:
        return Text("")
    mark = "!" if not found.question.endswith(_UNBOUNDED) and found.is_too_often() else ""
    before = "" if earlier is None else f"\n({earlier:g})"
    return Text.assemble((f"{100 * found.share:.1f} ±{100 * found.error:.1f}{mark}", "bold"), (before, "dim"))
