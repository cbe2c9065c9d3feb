"""A judged ladder on the terminal: the table, and what it says in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from imgcls.evidence.verdicts import Judged
from imgcls.ladders.changes import Change, Changes
from imgcls.ladders.result import LadderResult, RungResult
from imgcls.reports.gains import Units, change_text, verdict_style, verdict_text
from imgcls.reports.ladder_words import (
    answer,
    caveats,
    heading,
    next_commands,
    notes,
    reading,
    recipe_names,
    rung_sentences,
)
from imgcls.reports.text import clean, count

_WIDE, _NARROW = 110, 76


@dataclass(frozen=True)
class LadderView:
    """A ladder with its verdicts."""

    result: LadderResult
    """The ladder, judged."""
    images: Mapping[int, Changes] = field(default_factory=dict)
    """Rung → images that it answers otherwise than the rung it is compared with; shown where there are any."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the heading, the table, the sentences, the notes and the next commands."""
        title, subject = heading(self.result)
        yield Text(title, style="bold")
        yield Text(subject)
        if not self.result.is_complete:
            yield Text("The ladder is not done: everything below may still change.", style="yellow")
        yield Text()
        arrow = "->" if options.ascii_only else "→"
        how = reading(self.result)
        if options.max_width < _NARROW:
            yield Text(f"{how}\n", style="dim")
            yield from self._blocks(arrow)
        else:
            yield self._table(is_wide=options.max_width >= _WIDE, arrow=arrow)
            yield Text(f"\n{how}", style="dim")
        yield Text("\nWhat it says", style="bold")
        for sentence in answer(self.result):
            yield Text(sentence)
        yield listed(self._rungs())
        if _NARROW <= options.max_width < _WIDE:
            yield Text(f"\nWhat each {'recipe' if self._is_ablation else 'rung'} changes, and costs", style="bold")
            yield listed((self._name(rung), self._changes(rung, arrow)) for rung in self.result.rungs)
        yield from self._images()
        yield from section("Notes", notes(self.result), style="yellow")
        yield from section("What it does not say", caveats(self.result))
        yield Text("\nNext", style="bold")
        for line in next_commands(self.result):
            yield Text(f"  {line}", no_wrap=True, overflow="ignore")

    @property
    def _is_ablation(self) -> bool:
        return self.result.ladder.kind == "ablate"

    def _titles(self) -> list[str]:
        """Name the columns of gains."""
        units, ladder = Units(self.result.ladder.metric), self.result.ladder
        what = "drop (nats)" if units.is_loss else "gain (points)"
        if self._is_ablation:
            return [f"what it is worth:\n{what}"]
        return [f"{what}\nover the rung below", f"{what}\nover {clean(ladder.rungs[0].label)}"]

    def _table(self, *, is_wide: bool, arrow: str) -> Table:
        units = Units(self.result.ladder.metric)
        table = Table(box=None, pad_edge=False, show_edge=False)
        table.add_column("recipe left out" if self._is_ablation else "rung", overflow="fold")
        scale = "lower is better" if units.is_loss else "points"
        for title in (f"{units.title}{' without it' * self._is_ablation}\n({scale})", *self._titles()):
            table.add_column(Text(title), no_wrap=True)
        if is_wide:
            table.add_column("minutes\na run", justify="right", no_wrap=True)
            table.add_column(
                "minutes\na point" if not units.is_loss else "minutes\na 0.01", justify="right", no_wrap=True
            )
        for rung in self.result.rungs:
            name: RenderableType = Text(self._name(rung), style="bold")
            if is_wide and rung.plan.changes:
                name = Group(name, Padding(Text(self._diff(rung, arrow), style="dim"), (0, 0, 0, 2)))
            cost = [Text(minutes(rung.seconds)), Text(minutes_a_point(rung))] if is_wide else []
            table.add_row(name, self._score(rung), *(_gain(judged, units) for judged in self._gains(rung)), *cost)
        return table

    def _blocks(self, arrow: str) -> Iterator[Text | Padding]:
        """Draw the rungs one below the other, for a narrow terminal."""
        units = Units(self.result.ladder.metric)
        base = clean(self.result.ladder.rungs[0].label)
        titles = ["worth"] if self._is_ablation else ["over the rung below", f"over {base}"]
        for rung in self.result.rungs:
            yield Text(self._name(rung), style="bold")
            yield Padding(Text(self._changes(rung, arrow)), (0, 0, 0, 2))
            yield Padding(Text(f"{self._score_title(rung)}: {', '.join(self._score_parts(rung))}"), (0, 0, 0, 2))
            for title, judged in zip(titles, self._gains(rung), strict=True):
                if judged is not None:
                    yield Padding(_gain_line(title, judged, units), (0, 0, 0, 2))

    def _score_title(self, rung: RungResult) -> str:
        without = " without it" if self._is_ablation and rung.plan.recipes else ""
        return f"{Units(self.result.ladder.metric).title}{without}"

    def _gains(self, rung: RungResult) -> list[Judged | None]:
        return [rung.step] if self._is_ablation else [rung.step, rung.total]

    def _score(self, rung: RungResult) -> Text:
        """Draw the score of a rung, how far its seeds scatter, and what is missing of it."""
        return Text("\n".join(self._score_parts(rung, _between(Units(self.result.ladder.metric)))))

    def _score_parts(self, rung: RungResult, between: str = " ") -> list[str]:
        units = Units(self.result.ladder.metric)
        if rung.score is None:
            return ["no run yet"]
        value, interval = units.scored(rung.score)
        parts = [f"{value}{between}{interval}" if interval != "-" else value]
        if rung.seed_sd is not None:
            parts.append(f"seed sd {units.score(rung.seed_sd)}")
        if len(rung.runs) < rung.n_planned:
            parts.append(f"{len(rung.runs)} of {count(rung.n_planned, 'run')}")
        return parts

    def _diff(self, rung: RungResult, arrow: str) -> str:
        return "; ".join(change_text(rung.plan.changes, arrow=arrow))

    def _changes(self, rung: RungResult, arrow: str) -> str:
        """Say what a rung changes and what it costs."""
        cost = [f"{minutes(rung.seconds)} min a run"] if rung.seconds is not None else []
        if rung.seconds_per_point is not None:
            unit = "0.01 nats" if Units(self.result.ladder.metric).is_loss else "point"
            more = f"{minutes_a_point(rung)} min more for each {unit} gained"
            cost.append(more if rung.seconds_per_point > 0 else "the gain costs no time")
        return "; ".join([self._diff(rung, arrow)] * bool(rung.plan.changes) + [", ".join(cost)] * bool(cost))

    def _name(self, rung: RungResult) -> str:
        """Name a rung; in an ablation by what is left out."""
        if not self._is_ablation:
            return clean(rung.plan.label)
        return recipe_names(rung) if rung.plan.recipes else "nothing (the full stack)"

    def _rungs(self) -> Iterator[tuple[str, str]]:
        for number, rung in enumerate(self.result.rungs[1:], start=1):
            yield self._name(rung), rung_sentences(self.result, number)

    def _images(self) -> RenderResult:
        for number, changed in sorted(self.images.items()):
            name, below = self._name(self.result.rungs[number]), clean(self.result.ladder.rungs[number - 1].label)
            title, sides = f"{name} over {below}", (below, name)
            if self._is_ablation:
                title, sides = f"the full stack over the stack without {name}", ("without", "full")
            yield from changed_section(changed, title=title, sides=sides)


def listed(rows: Sequence[tuple[str, str]] | Iterator[tuple[str, str]]) -> Table:
    """Draw entries as a list: `- name: text`, wrapped under itself."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for title, text in rows:
        grid.add_row("-", Text(title, style="bold").append(f": {text}" if title else text, style="not bold"))
    return grid


def section(title: str, sentences: Sequence[str], *, style: str = "") -> RenderResult:
    """Draw a heading with sentences below, or nothing where there are none."""
    if sentences:
        yield Text(f"\n{title}", style="bold")
        yield listed([("", sentence) for sentence in sentences])


def changed_section(changed: Changes, *, title: str, sides: tuple[str, str]) -> RenderResult:
    """Draw the images on which two sides differ.

    Args:
        changed: How many, and the first of them.
        title: What is compared.
        sides: What the sides are called: the one that is compared with, and the one that is compared.
    """
    yield Text(f"\nImages: {title}", style="bold")
    for word, n, images in (("more", changed.n_fixed, changed.fixed), ("less", changed.n_broken, changed.broken)):
        yield Text(f"{count(n, 'image')} right {word} often{':' if images else '.'}")
        if images:
            yield Padding(_image_table(images, sides), (0, 0, 0, 2))
        if images and n > len(images):
            yield Text(f"  and {n - len(images)} more", style="dim")


def _image_table(images: Sequence[Change], sides: tuple[str, str]) -> Table:
    """Draw images with the share of runs that are right on either side."""
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("photograph", overflow="fold")
    table.add_column("label", overflow="fold")
    for side in sides:
        table.add_column(Text(f"runs right\n{side}"), justify="right", overflow="fold")
    for change in images:
        shares = [f"{100 * share:.0f} %" for share in (change.before, change.after)]
        table.add_row(Text(clean(change.id)), Text(clean(change.label)), *shares)
    return table


def _gain(judged: Judged | None, units: Units) -> Text:
    """Draw a gain with its interval and its verdict below; no interval where it would promise too much."""
    if judged is None:
        return Text("")
    numbers = units.gain(judged.value)
    if judged.verdict != "cannot tell":
        numbers += f"{_between(units)}{units.interval(judged)}"
    verdict = verdict_text(judged).replace(" (", "\n(")
    return Text(numbers).append(f"\n{verdict}", style=verdict_style(judged))


def _gain_line(title: str, judged: Judged, units: Units) -> Text:
    """Draw the same on a line of its own."""
    line = Text(f"{title}: ").append(verdict_text(judged), style=verdict_style(judged))
    interval = "" if judged.verdict == "cannot tell" else f" {units.interval(judged)}"
    before = "\n " if units.is_loss else ","
    return line.append(f"{before} {units.gain(judged.value)}{interval}")


def _between(units: Units) -> str:
    """Give what stands between a number and its interval in a cell: log loss has too many digits for one line."""
    return "\n" if units.is_loss else " "


def minutes(seconds: float | None) -> str:
    """Write minutes with one decimal, or a dash."""
    if seconds is None:
        return "-"
    return f"{seconds / 60:.1f}" if seconds >= 3 else "<0.1"


def minutes_a_point(rung: RungResult) -> str:
    """Write what a point of gain costs in minutes; a dash where no gain was shown."""
    seconds = rung.seconds_per_point
    return "-" if seconds is None else f"{max(0.0, seconds) / 60:.1f}"
