"""Ladders on the terminal: a judged ladder, a comparison and the final test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from imgcls.catalog import ENSEMBLE
from imgcls.config.decision import DECISION_TOML
from imgcls.config.metrics import Units
from imgcls.evidence.verdicts import Judged
from imgcls.ladders.compare import Comparison
from imgcls.ladders.final_test import Final
from imgcls.ladders.judge import LadderResult, RungResult
from imgcls.ladders.predictions import Changes
from imgcls.ladders.results import Arm, Change
from imgcls.records.run import Estimate
from imgcls.reports.console import NamedRows, count, name, parts_of, wrapped
from imgcls.reports.verdict_text import (
    answer,
    caveats,
    change_text,
    gain_sentence,
    heading,
    load_sentence,
    minutes,
    minutes_a_point,
    next_commands,
    notes,
    power_sentences,
    reading,
    review_sentences,
    rung_name,
    rung_sentences,
    scored_on,
    sd_sentence,
    shown_verdict,
    verdict_style,
)
from imgcls.text import clean
from imgcls.workspace import LEDGER

_WIDE, _NARROW = 110, 76
_ANY = 1000
_SETS = ":+,"
"""Signs before which the name of a rung may be broken."""


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
        table = self._table(console, options, arrow=arrow) if options.max_width >= _NARROW else None
        if table is None:
            yield Text(f"{how}\n", style="dim")
            yield from self._blocks(arrow)
        else:
            yield table
            yield Text(f"\n{how}", style="dim")
        yield Text("\nWhat it says", style="bold")
        for sentence in filter(None, [*answer(self.result), load_sentence(self.result)]):
            yield Text(sentence)
        yield listed(self._rungs())
        if table is not None and options.max_width < _WIDE:
            yield Text(f"\nWhat each {'recipe' if self._is_ablation else 'rung'} changes, and costs", style="bold")
            yield listed((self._name(rung), self._changes(rung, arrow)) for rung in self.result.rungs)
        yield from self._images()
        yield from section("Notes", notes(self.result))
        yield from section("What it does not say", caveats(self.result))
        yield Text("\nNext", style="bold")
        for line in next_commands(self.result):
            yield Text(f"  {line}", no_wrap=True, overflow="ignore")

    @property
    def _is_ablation(self) -> bool:
        return self.result.ladder.kind == "ablate"

    @property
    def _first_title(self) -> str:
        return "recipe left out" if self._is_ablation else "rung"

    def _titles(self) -> list[str]:
        """Name the columns of gains."""
        units, ladder = Units(self.result.ladder.metric), self.result.ladder
        what = f"{'drop' if units.is_loss else 'gain'} ({units.name})"
        if self._is_ablation:
            return [f"what it is worth:\n{what}"]
        return [f"{what}\nover the rung below", f"{what}\nover {clean(ladder.rungs[0].label)}"]

    def _table(self, console: Console, options: ConsoleOptions, *, arrow: str) -> Table | None:
        """Draw a row for each rung; None where the names have no room in it.

        What makes room for them: less between the columns, then names on two lines, broken before what they set.
        """
        is_wide = options.max_width >= _WIDE
        names = [self._name(rung) for rung in self.result.rungs]
        for before, gap in (("", 2), ("", 1), (_SETS, 2), (_SETS, 1)):
            parts = [part.rstrip() for each in names for part in parts_of(each, before=before)]
            beside = self._columns([""] * len(names), is_wide=is_wide, arrow=arrow, gap=gap)
            others = console.measure(beside, options=options.update(width=_ANY)).maximum - len(self._first_title)
            room = options.max_width - others
            if max(map(cell_len, parts)) <= room:
                shown = [wrapped(each, room, before=before) for each in names]
                return self._columns(shown, is_wide=is_wide, arrow=arrow, gap=gap)
        return None

    def _columns(self, names: Sequence[str], *, is_wide: bool, arrow: str, gap: int) -> Table:
        units = Units(self.result.ladder.metric)
        table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 1, 0, gap - 1))
        table.add_column(self._first_title, overflow="fold")
        score = f"{units.title}{' without it' * self._is_ablation}" + "\n(lower is better)" * units.is_loss
        for title in (score, *self._titles()):
            table.add_column(Text(title), no_wrap=True)
        if is_wide:
            table.add_column("minutes\na run", justify="right", no_wrap=True)
            table.add_column(
                "minutes\na point" if units.name == "points" else "minutes\na 0.01", justify="right", no_wrap=True
            )
        for rung, shown in zip(self.result.rungs, names, strict=True):
            label: RenderableType = Text(shown, style="bold")
            if is_wide and shown and rung.plan.changes:
                label = Group(label, Padding(Text(self._diff(rung, arrow), style="dim"), (0, 0, 0, 2)))
            cost = [Text(minutes(rung.seconds)), Text(minutes_a_point(rung))] if is_wide else []
            table.add_row(
                label,
                Text("\n".join(self._score_parts(rung))),
                *(_gain(judged, units) for judged in self._gains(rung)),
                *cost,
            )
        if (top := self.result.on_top) is not None:
            table.add_row(
                Text(ENSEMBLE, style="bold"), Text(" ".join(_scored(top.score, units))), _gain(top.judged, units)
            )
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
        if (top := self.result.on_top) is not None:
            yield Text(ENSEMBLE, style="bold")
            yield Padding(Text(f"{units.title}: {' '.join(_scored(top.score, units))}"), (0, 0, 0, 2))
            yield Padding(_gain_line(titles[0], top.judged, units), (0, 0, 0, 2))

    def _score_title(self, rung: RungResult) -> str:
        without = " without it" if self._is_ablation and rung.plan.recipes else ""
        return f"{Units(self.result.ladder.metric).title}{without}"

    def _gains(self, rung: RungResult) -> list[Judged | None]:
        return [rung.step] if self._is_ablation else [rung.step, rung.total]

    def _score_parts(self, rung: RungResult) -> list[str]:
        """Return the score of a rung, how far its seeds scatter, and what is missing of it."""
        units = Units(self.result.ladder.metric)
        if rung.score is None:
            return ["no run yet"]
        interval = units.score_interval(rung.score.low, rung.score.high)
        parts = [" ".join(filter(None, [units.score(rung.score.value), interval]))]
        if rung.seed_sd is not None:
            parts.append(f"seed sd {units.spread(rung.seed_sd)}")
        if len(rung.runs) < rung.n_planned:
            parts.append(f"{len(rung.runs)} of {count(rung.n_planned, 'run')}")
        return parts

    def _diff(self, rung: RungResult, arrow: str) -> str:
        return "; ".join(change_text(rung.plan.changes, arrow=arrow))

    def _changes(self, rung: RungResult, arrow: str) -> str:
        """Describe what a rung changes and what it costs."""
        cost = [f"{minutes(rung.seconds)} min a run"] if rung.seconds is not None else []
        if rung.seconds_per_point is not None:
            unit = Units(self.result.ladder.metric).small
            more = f"{minutes_a_point(rung)} min more for each {unit} gained"
            cost.append(more if rung.seconds_per_point > 0 else "the gain costs no time")
        return "; ".join([self._diff(rung, arrow)] * bool(rung.plan.changes) + [", ".join(cost)] * bool(cost))

    def _name(self, rung: RungResult) -> str:
        return rung_name(rung, self.result)

    def _rungs(self) -> Iterator[tuple[str, str]]:
        for number, rung in enumerate(self.result.rungs[1:], start=1):
            yield self._name(rung), rung_sentences(self.result, number)

    def _images(self) -> RenderResult:
        for number, changed in sorted(self.images.items()):
            rung, below = self._name(self.result.rungs[number]), clean(self.result.ladder.rungs[number - 1].label)
            title, sides = f"{rung} over {below}", (below, rung)
            if self._is_ablation:
                title, sides = f"the full stack over the stack without {rung}", ("without", "full")
            yield from changed_section(changed, title=title, sides=sides)


def listed(rows: Sequence[tuple[str, str]] | Iterator[tuple[str, str]]) -> Table:
    """Draw entries as a list: `- name: text`, wrapped under itself."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for title, text in rows:
        grid.add_row("-", Text(title, style="bold").append(f": {text}" if title else text, style="not bold"))
    return grid


def section(title: str, sentences: Sequence[str]) -> RenderResult:
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


def _image_table(images: Sequence[Change], sides: tuple[str, str]) -> NamedRows:
    """Draw images with the share of runs that are right on either side."""
    titles = tuple(f"runs right\n{side}" for side in sides)
    return NamedRows(
        ("photograph", "label", *titles),
        [
            (
                name(change.id),
                name(change.label),
                *(Text(f"{100 * share:.0f} %") for share in (change.before, change.after)),
            )
            for change in images
        ],
        numbers=frozenset(titles),
    )


def _gain(judged: Judged | None, units: Units) -> Text:
    """Draw a gain with its interval and its verdict below; no interval where it would promise too much."""
    if judged is None:
        return Text("")
    numbers = units.gain(judged.value)
    if judged.verdict != "cannot tell":
        numbers += f"{_between(units)}{units.interval(judged.low, judged.high)}"
    verdict = shown_verdict(judged.verdict).replace(" (", "\n(")
    return Text(numbers).append(f"\n{verdict}", style=verdict_style(judged))


def _gain_line(title: str, judged: Judged, units: Units) -> Text:
    """Draw the same on a line of its own."""
    line = Text(f"{title}: ").append(shown_verdict(judged.verdict), style=verdict_style(judged))
    interval = "" if judged.verdict == "cannot tell" else f" {units.interval(judged.low, judged.high)}"
    before = "," if units.name == "points" else "\n "
    return line.append(f"{before} {units.gain(judged.value)}{interval}")


def _between(units: Units) -> str:
    """Return what stands between a gain and its interval in a cell: log loss has too many digits for one line."""
    return " " if units.name == "points" else "\n"


_MOST_SEEDS = 8


@dataclass(frozen=True)
class ComparisonView:
    """B over A: how much, with what confidence, and what that is about."""

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
        same_plan = not compared.changes and not compared.has_blend
        across = review_sentences(compared.judged, compared.review, units, same_plan=same_plan)
        yield from section("A review lies between A and B", across)
        if compared.other_gains:
            yield Text("\nOther metrics (no verdicts: the metric is chosen before looking)", style="bold")
            yield self._other_metrics()
        if compared.changes:
            yield Text("\nWhat B changes", style="bold")
            yield listed([("", line) for line in self._changes(options)])
        yield from self._images()
        yield from section("Notes", [clean(note) for note in compared.notes])

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
            score, interval = _scored(side.score, units)
            table.add_row(letter, score, Text(interval), units.spread(side.seed_sd), Text(_runs(side)))
        return table

    def _sentences(self) -> Iterator[str]:
        """Describe what stands behind the verdict: what could have been found, what holds on exactly these images."""
        judged, units = self.comparison.judged, self._units
        if self.comparison.has_blend and judged.gain.method == "these models":
            yield "A blend is one, whatever the seeds: this is about exactly these networks, on new images like these."
        elif judged.gain.same_weights:
            yield "A and B predict with the same weights, so they are compared seed by seed."
        yield from (sentence for sentence in [sd_sentence(judged, units, sides=("A", "B"))] if sentence)
        yield from power_sentences(judged, units)
        if judged.gain.here is not None:
            gain = units.gain_text(judged.value, *judged.gain.here)
            yield f"On exactly these images, new seeds: {gain}; no verdict rests on that."
        yield f"{units.explained} [low, high]: 95 % interval."
        if judged.verdict in ("no evidence", "likely worse"):
            yield "'No evidence' does not mean 'no effect'."

    def _other_metrics(self) -> Table:
        table = Table(box=None, pad_edge=False, show_edge=False)
        for title in ("metric", "gain", "95 % interval"):
            table.add_column(title, no_wrap=True)
        for metric, gain in self.comparison.other_gains.items():
            units = Units(metric)
            title = f"{units.title} ({'drop, ' if units.is_loss else ''}{units.name})"
            table.add_row(title, units.gain(gain.value), Text(units.interval(gain.low, gain.high)))
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


def _runs(side: Arm) -> str:
    """Describe how many runs there are, and of which seeds."""
    seeds = ", ".join(str(seed) for seed in side.seeds[:_MOST_SEEDS]) + (", …" if len(side.seeds) > _MOST_SEEDS else "")
    return f"{len(side.runs)}, {'seed' if len(side.seeds) == 1 else 'seeds'} {seeds}"


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
            gain = units.gain_text(final.validation.value, final.validation.low, final.validation.high)
            yield Text(
                f"On validation it was {gain}. That is the optimistic number: the incumbent was chosen by it. "
                "The one of test is the one to report."
            )
        for one in final.promises:
            score, interval = _scored(one.found, units)
            found = (
                f"{one.what.capitalize()} of {clean(one.of)}: {score} {interval}, {count(one.n_false, 'false alarm')}."
            )
            yield Text(
                f"\n{found} {DECISION_TOML} asks for {one.at_least:g}, of which validation shows {one.shown:.3f}."
            )
        yield Text(f"\n{self._openings()}", style="" if final.n_openings == 1 else "yellow")

    def _scores(self, units: Units) -> NamedRows:
        rows = ((self.final.baseline, self.final.baseline_score), (self.final.incumbent, self.final.incumbent_score))
        shown = rows[: 1 if self.final.judged is None else 2]
        cells = [(name(label, "bold"), *map(Text, _scored(estimate, units))) for label, estimate in shown]
        return NamedRows(("", "score", "95 % interval"), cells)

    def _openings(self) -> str:
        if self.final.n_openings == 1:
            return f"Written to {LEDGER}: the first opening of this test part. Let it be the last."
        return (
            f"Written to {LEDGER}: opening {self.final.n_openings} of this test part. Choosing between openings makes "
            "the test optimistic too; report all of them."
        )


def _scored(estimate: Estimate | None, units: Units) -> tuple[str, str]:
    """Return a score and its interval as cells, either of them a dash where there is none."""
    if estimate is None:
        return "-", "-"
    return units.score(estimate.value), units.score_interval(estimate.low, estimate.high) or "-"
