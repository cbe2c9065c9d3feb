"""A climb on the terminal, and its picture: what was tried, by what it scored and what it took."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from imgcls.config.metrics import Units
from imgcls.ladders.climb import ClimbRecord, Tried
from imgcls.ladders.results import VerdictRecord
from imgcls.plan import set_options
from imgcls.records.run import GAINS
from imgcls.reports.console import NamedRows, count, name
from imgcls.reports.console import path as path_text
from imgcls.reports.ladder import section
from imgcls.reports.verdict_text import shown_verdict
from imgcls.storage import make_folder, write_bytes
from imgcls.text import clean, duration
from imgcls.workspace import Workspace

PICTURE = "climb.svg"
_WIDTH, _HEIGHT = 7.2, 4.2
_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#6b6b6b"


@dataclass(frozen=True)
class ClimbView:
    """What a climb chose, what may be claimed of it, and what it tried."""

    record: ClimbRecord
    """The climb."""
    workspace: Workspace
    """Where it lies."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the choice, the claims, what was tried, and what more time could bring."""
        record, units = self.record, Units(self.record.metric)
        yield Text("Use ").append(clean(record.chosen), style="bold").append(set_options(record.overrides))
        expected = record.score
        if expected is not None:
            interval = units.score_interval(expected.low, expected.high)
            text = f"Expected {units.title}: {units.score(expected.value)} {interval}".rstrip()
            yield Text(f"{text}, on predictions that did not choose it.")
        for claim, other in ((record.gain, "the base"), (record.over_default, "the default ladder's stack")):
            if claim is not None:
                yield self._claim(claim, other, units)
        yield Text("\nWhat was tried (scores on what the choice was made by; no verdicts)", style="bold")
        yield self._table(units)
        yield from section("Notes", [clean(note) for note in (*record.notes, *self._notes(units))])
        yield from section("Next", list(self._next()))
        yield Text(f"\nPicture: {path_text(self.workspace.ladders / record.name / PICTURE)}")

    def _claim(self, claim: VerdictRecord, other: str, units: Units) -> Text:
        over = f"Choosing so over {other}: "
        if not claim.value and claim.low == claim.high:
            return Text(f"{over}no difference: it is what was chosen.")
        style = "green" if claim.verdict in GAINS else "red" if "worse" in claim.verdict else ""
        text = Text(over).append(shown_verdict(claim.verdict), style=style)
        low, high = (None, None) if claim.verdict == "cannot tell" else (claim.low, claim.high)
        return text.append(f", {units.gain_text(claim.value, low, high)}")

    def _table(self, units: Units) -> NamedRows:
        rows = []
        for one in self.record.tried:
            marked = "bold" if one.stack == self.record.chosen else ""
            gain = "" if one.gain is None or one.stack == self.record.stack else units.gain(one.gain)
            cells = (
                str(one.n_turns or "-"),
                units.score(one.score),
                gain,
                duration(one.seconds),
                clean(one.outcome.replace(f"{self.record.stack}+", "+")),
            )
            rows.append((name(self.record.short(one.stack), marked), *map(Text, cells)))
        numbers = frozenset(("turns", units.title, "gain", "a training"))
        return NamedRows(("stack", "turns", units.title, "gain", "a training", "outcome"), rows, numbers=numbers)

    def _notes(self, units: Units) -> Iterator[str]:
        record = self.record
        turns = f"{record.n_folds} folds" if record.n_folds else f"{record.n_seeds} seeds on one split"
        yield (
            f"{count(sum(one.n_turns for one in record.tried), 'training')} in {turns} took "
            f"{duration(record.seconds)} of {duration(record.budget_seconds)}."
        )
        if len(record.choices) > 1:
            others = ", ".join(record.short(one) for one in record.choices if one != record.chosen)
            yield f"With a part of the predictions held out the choice was not always this one, but also {others}."
        if record.gain is not None and record.gain.detectable is not None:
            yield f"This design finds gains of {units.amount(record.gain.detectable)} four times in five."

    def _next(self) -> Iterator[str]:
        record, out = self.record, self.workspace.as_option
        left = [one for one in record.tried if not one.n_turns and one.outcome == "no time for it"]
        if left:
            n_turns = len(record.turns)
            listed = ", ".join(
                f"{record.short(one.stack)} (about {duration(one.seconds * n_turns)})" for one in left[:4]
            )
            yield f"With more time (--budget) these would be tried: {listed}."
        if record.chosen != record.stack:
            seeds = f"--folds {record.n_folds}" if record.n_folds else f"--seeds {max(3, record.n_seeds)}"
            command = f"imgcls ladder run {shlex.quote(record.chosen)}{set_options(record.overrides)} {seeds}{out}"
            yield f"What each recipe of it is worth, from the runs that are there: {command}"
        yield f"The sealed test part, once, if there is one: imgcls ladder final {record.name}{out}"


def draw(record: ClimbRecord, workspace: Workspace) -> Path:
    """Draw what was tried, its score against the time of a training, and write it beside the climb.

    Args:
        record: The climb; with two stacks at least that were scored.
        workspace: Where it lies.
    """
    units = Units(record.metric)
    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    for one in record.tried:
        if one.score is None:
            continue
        colour = _ORANGE if one.stack == record.chosen else _GREY if one.stack == record.stack else _BLUE
        axes.plot(one.seconds, one.score, "o", color=colour, markersize=5 + one.n_turns)
        axes.annotate(_label(one, record), (one.seconds, one.score), xytext=(6, 5), textcoords="offset points",
                      fontsize=7, color=colour, parse_math=False)  # fmt: skip
    axes.set_xscale("log")
    axes.margins(x=0.35, y=0.15)
    axes.set_xlabel("seconds a training")
    axes.set_ylabel(units.title)
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_title("What was tried; the larger a point, the more often. Orange: chosen.", fontsize=9, loc="left")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    file, folder = BytesIO(), workspace.ladders / record.name
    with mpl.rc_context({"svg.hashsalt": record.name}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    make_folder(folder)
    write_bytes(folder / PICTURE, file.getvalue())
    return folder / PICTURE


def _label(one: Tried, record: ClimbRecord) -> str:
    text = record.short(one.stack)
    recipes = text.split("+")
    lines = ["+".join(recipes[place : place + 3]) for place in range(0, len(recipes), 3)]
    return clean("\n+".join(lines))
