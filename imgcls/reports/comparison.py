"""Two sides compared, on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from imgcls.ladders.changes import Changes
from imgcls.ladders.comparison import Comparison, Side
from imgcls.reports.gains import (
    Units,
    change_text,
    gain_sentence,
    scored_on,
    sd_sentence,
    sight_sentences,
    verdict_style,
)
from imgcls.reports.ladder import changed_section, listed, section
from imgcls.reports.text import clean, count

_MOST_SEEDS = 8


@dataclass(frozen=True)
class ComparisonView:
    """B over A: how much, how sure, and what that is about."""

    comparison: Comparison
    """The comparison."""
    n_images: int = 0
    """How many images that changed are named, of either kind; none are when 0."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw both sides, the verdict, the other metrics, and the images that changed."""
        compared, units = self.comparison, self._units
        on = scored_on(compared.n_images, compared.n_groups, compared.n_folds, data=compared.data_name)
        yield Text("Is B better than A?", style="bold")
        for letter, side in (("A", compared.a), ("B", compared.b)):
            yield Text(f"{letter}: ", style="dim").append(clean(side.label), style="not dim bold")
        yield Text(f"{units.title} on {on}\n")
        yield self._sides()
        said = gain_sentence(compared.judged, units, over="A", subject="B")
        yield Text(f"\n{said[0].upper()}{said[1:]}", style=verdict_style(compared.judged) or "bold")
        yield listed([("", sentence) for sentence in self._sentences()])
        if compared.other_gains:
            yield Text("\nOther metrics (no verdicts: the metric is chosen before looking)", style="bold")
            yield self._other_metrics()
        if compared.changes:
            yield Text("\nWhat B changes", style="bold")
            yield listed([("", line) for line in self._changes(options)])
        yield from self._images()
        yield from section("Notes", [clean(note) for note in compared.notes], style="yellow")

    @property
    def _units(self) -> Units:
        return Units(self.comparison.metric)

    def _sides(self) -> Table:
        units = self._units
        table = Table(box=None, pad_edge=False, show_edge=False)
        table.add_column("")
        table.add_column(units.title, justify="right", no_wrap=True)
        table.add_column("95 % interval", no_wrap=True)
        table.add_column("seed sd", justify="right", no_wrap=True)
        table.add_column("runs", overflow="fold")
        for letter, side in (("A", self.comparison.a), ("B", self.comparison.b)):
            value, interval = units.scored(side.score)
            table.add_row(letter, value, Text(interval), units.score(side.seed_sd), Text(_runs(side)))
        return table

    def _sentences(self) -> Iterator[str]:
        """Say what stands behind the verdict: what could have been seen, and what holds on exactly these images."""
        judged, units = self.comparison.judged, self._units
        if judged.gain.same_weights:
            yield "A and B predict with the same weights, so they are compared seed by seed."
        yield from (sentence for sentence in [sd_sentence(judged, units, sides=("A", "B"))] if sentence)
        yield from sight_sentences(judged, units)
        if judged.gain.here is not None:
            low, high = (units.gain(value) for value in judged.gain.here)
            yield (
                f"On exactly these images, new seeds: {units.gain(judged.value)} {units.name} [{low}, {high}]; "
                "no verdict rests on that."
            )
        yield f"{units.explained} [low, high]: 95 % interval."
        if judged.verdict in ("no evidence", "likely worse"):
            yield "'No evidence' does not mean 'no effect'."

    def _other_metrics(self) -> Table:
        table = Table(box=None, pad_edge=False, show_edge=False)
        for title in ("metric", "gain", "95 % interval"):
            table.add_column(title, no_wrap=True)
        for metric, gain in self.comparison.other_gains.items():
            units = Units(metric)
            title = f"{units.title} ({'drop, nats' if units.is_loss else units.name})"
            table.add_row(title, units.gain(gain.value), Text(units.interval(gain)))
        return table

    def _changes(self, options: ConsoleOptions) -> list[str]:
        return change_text(self.comparison.changes, arrow="->" if options.ascii_only else "→")

    def _images(self) -> RenderResult:
        compared = self.comparison
        if self.n_images and (compared.fixed or compared.broken):
            changed = Changes(len(compared.fixed), len(compared.broken), compared.fixed, compared.broken)
            yield from changed_section(changed.first(self.n_images), title="B over A", sides=("A", "B"))
        elif compared.fixed or compared.broken:
            yield Text(
                f"\nB is right more often on {count(len(compared.fixed), 'image')}, less often on "
                f"{len(compared.broken)}; '--images 10' names them.",
                style="dim",
            )


def _runs(side: Side) -> str:
    """Say how many runs there are, and of which seeds."""
    seeds = ", ".join(str(seed) for seed in side.seeds[:_MOST_SEEDS]) + (", …" if len(side.seeds) > _MOST_SEEDS else "")
    return f"{len(side.runs)}, {'seed' if len(side.seeds) == 1 else 'seeds'} {seeds}"
