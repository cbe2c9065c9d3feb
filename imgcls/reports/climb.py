"""A climb on the terminal, and its picture: what was tried, by what it scored and what it took."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from imgcls.config.metrics import Units, in_words
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
_WIDTH, _ROW_HEIGHT, _LONGEST_LABEL = 8.4, 0.28, 60
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
        if text := expected_sentence(record):
            yield Text(text)
        for claim in claims(record):
            yield Text(f"{claim.over}: ").append(claim.verdict, style=claim.style).append(claim.gain)
        yield Text("\nWhat was tried (scores on what the choice was made by; no verdicts)", style="bold")
        yield self._table(units)
        yield from section("Notes", [clean(note) for note in notes(record)])
        yield from section("Next", list(next_steps(record, self.workspace)))
        picture = self.workspace.ladders / record.name / PICTURE
        if picture.is_file():
            yield Text(f"\nPicture: {path_text(picture)}")

    def _table(self, units: Units) -> NamedRows:
        rows = []
        for one in self.record.tried:
            marked = "bold" if one.stack == self.record.chosen else ""
            rows.append((name(self.record.short(one.stack), marked), *map(Text, cells(one, self.record))))
        numbers = frozenset(("turns", units.title, "gain", "a training"))
        return NamedRows(("stack", "turns", units.title, "gain", "a training", "outcome"), rows, numbers=numbers)


@dataclass(frozen=True)
class Claim:
    """What may be claimed of a choice, in words."""

    over: str
    """What choosing so is compared with."""
    verdict: str
    """The verdict as it is shown; empty where there is nothing to compare."""
    gain: str
    """The gain, with a comma before it."""
    style: str
    """Its colour on a terminal."""


def expected_sentence(record: ClimbRecord) -> str:
    """Describe what choosing so is expected to score; nothing before the end."""
    if record.score is None:
        return ""
    units = Units(record.metric)
    interval = units.score_interval(record.score.low, record.score.high)
    text = f"Expected {in_words(record.metric)}: {units.score(record.score.value)} {interval}".rstrip()
    return f"{text}, on predictions that did not choose it."


def claims(record: ClimbRecord) -> Iterator[Claim]:
    """Yield what may be claimed of a choice: over the base, and over the default ladder's stack where that is known."""
    for gain, other in ((record.gain, "the base"), (record.over_default, "the default ladder's stack")):
        if gain is not None:
            yield claim_of(
                gain,
                f"Choosing so over {other}",
                Units(record.metric),
                why_same="with a part held out it is what was chosen itself",
            )


def claim_of(gain: VerdictRecord, over: str, units: Units, *, why_same: str = "") -> Claim:
    """Return what may be claimed of a gain.

    Args:
        gain: The gain.
        over: What it is over, as a sentence begins with it.
        units: Those of the metric.
        why_same: What is said where there is no difference at all.
    """
    if not gain.value and gain.low == gain.high:
        return Claim(over, "", f"no difference{f': {why_same}' if why_same else ''}.", "")
    style = "green" if gain.verdict in GAINS else "red" if "worse" in gain.verdict else ""
    low, high = (None, None) if gain.verdict == "cannot tell" else (gain.low, gain.high)
    return Claim(over, shown_verdict(gain.verdict), f", {units.gain_text(gain.value, low, high)}", style)


def cells(one: Tried, record: ClimbRecord) -> tuple[str, str, str, str, str]:
    """Return the turns, score, gain, time and outcome of what was tried, as a table shows them."""
    units = Units(record.metric)
    return (
        str(one.n_turns or "-"),
        units.score(one.score),
        "" if one.gain is None or one.stack == record.stack else units.gain(one.gain),
        duration(one.seconds),
        clean(one.outcome.replace(f"{record.stack}+", "+")),
    )


def notes(record: ClimbRecord) -> tuple[str, ...]:
    """Return what a person should know of a climb: how it was planned, and how it went."""
    return (*record.notes, *_notes(record))


def _notes(record: ClimbRecord) -> Iterator[str]:
    units = Units(record.metric)
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


def how_to_read(record: ClimbRecord) -> tuple[str, ...]:
    """Describe in a few sentences how a choice came about and what may be claimed of it."""
    held = "each fold" if record.n_folds else "each seed, and each fifth of the photographs,"
    return (
        "Several kinds of stacks were trained, from the classifier alone to all of the network. From stage to stage "
        "the better half went on. Onto the best, recipes were added one at a time; one that did not gain was dropped.",
        "The best of several is partly so by chance: its own score says too much. Therefore the search was repeated "
        f"on the same trainings with {held} held out, and what it then chose was judged on what it had not seen.",
        "All those answers together make one comparison. What is expected is the score of choosing in this way, "
        "and the gain is that over the base, or over the default ladder's stack.",
        "“Better” means: were all recipes worth nothing, a gain this large would be claimed in at most 5 % of climbs.",
    )


def next_steps(record: ClimbRecord, workspace: Workspace) -> Iterator[str]:
    """Yield what can be done after a climb."""
    out = workspace.as_option
    left = [one for one in record.tried if not one.n_turns and one.outcome == "no time for it"]
    if left:
        n_turns = len(record.turns)
        listed = ", ".join(f"{record.short(one.stack)} (about {duration(one.seconds * n_turns)})" for one in left[:4])
        yield f"With more time (--budget) these would be tried: {listed}."
    if record.chosen != record.stack:
        seeds = f"--folds {record.n_folds}" if record.n_folds else f"--seeds {max(3, record.n_seeds)}"
        by = f"--metric {shlex.quote(record.metric)}"
        words = f"{shlex.quote(record.chosen)}{set_options(record.overrides)} {seeds} {by}{out}"
        yield f"What each recipe of it is worth; only what is not there is trained: imgcls ladder run {words}"
    yield f"A page that stands alone: imgcls report {record.name}{out}"
    yield f"The sealed test part, once, if there is one: imgcls ladder final {record.name}{out}"


def draw(record: ClimbRecord, workspace: Workspace) -> Path:
    """Draw what was tried, a row a stack with its score and the time of a training, and write it beside the climb.

    Args:
        record: The climb; with a stack at least that was scored.
        workspace: Where it lies.
    """
    units, rows = Units(record.metric), [one for one in record.tried if one.score is not None]
    rows.sort(key=lambda one: one.score or 0.0, reverse=units.is_loss)
    figure = Figure(figsize=(_WIDTH, 1.2 + _ROW_HEIGHT * len(rows)), layout="constrained")
    scores, times = figure.subplots(1, 2, sharey=True, gridspec_kw={"width_ratios": (2, 1)})
    for place, one in enumerate(rows):
        colour = _ORANGE if one.stack == record.chosen else _GREY if one.stack == record.stack else _BLUE
        scores.plot([one.score or 0.0], [place], "o", color=colour, markersize=4 + one.n_turns)
        times.plot([one.seconds], [place], "o", color=colour, markersize=5)
    labels = [clean(record.short(one.stack))[-_LONGEST_LABEL:] for one in rows]
    scores.set_yticks(range(len(rows)), labels, fontsize=8, parse_math=False)
    scores.set_ylim(-0.6, len(rows) - 0.4)
    scores.set_xlabel(f"{units.title}; the larger a point, the more trainings", fontsize=8)
    times.set_xlabel("seconds a training", fontsize=8)
    times.set_xscale("log")
    times.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=4))
    times.xaxis.set_major_formatter("{x:g}")
    times.xaxis.set_minor_formatter(NullFormatter())
    for axes in (scores, times):
        axes.tick_params(labelsize=8)
        axes.grid(visible=True, color="#e6e6e6", linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.suptitle("What the climb tried. Orange: chosen. Grey: the base.", fontsize=9, x=0.01, ha="left")
    file, folder = BytesIO(), workspace.ladders / record.name
    with mpl.rc_context({"svg.hashsalt": record.name}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    make_folder(folder)
    write_bytes(folder / PICTURE, file.getvalue())
    return folder / PICTURE
