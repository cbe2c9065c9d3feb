"""How far a ladder is: a grid of rungs and seeds, for the live view and for `imgcls ladder status`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from imgcls.engine.reporting import duration
from imgcls.evidence.verdicts import Judged
from imgcls.ladders.result import LadderResult
from imgcls.ladders.state import JobState, LadderState
from imgcls.reports.gains import Units, verdict_style, verdict_text
from imgcls.reports.text import clean, count, name

_MARKS = {"done": "✓", "running": "▸", "interrupted": "‖", "failed": "✗", "waiting": "·"}
_ASCII_MARKS = {"done": "+", "running": ">", "interrupted": "=", "failed": "x", "waiting": "."}
_STYLES = {"done": "green", "running": "cyan", "interrupted": "yellow", "failed": "red", "waiting": "dim"}
_CELL, _FOLD_CELL, _LABEL, _VERDICT = 13, 9, 17, 19


@dataclass(frozen=True)
class StateGrid:
    """A ladder on its way."""

    state: LadderState
    """How far each job is."""
    result: LadderResult | None = None
    """The ladder judged as far as it is; None before there is anything to judge."""
    n_parallel: int = 1
    """Jobs that run at a time, for the time that is left."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the headline, the grid, its legend and what failed."""
        marks = _ASCII_MARKS if options.ascii_only else _MARKS
        yield Text(progress_line(self.state, n_parallel=self.n_parallel), style="bold")
        yield self._table(marks, width=options.max_width)
        shown = [state for state in marks if any(entry.state == state for entry in self.state.jobs)]
        yield Text("  ".join(f"{marks[state]} {state}" for state in shown), style="dim")
        if self._has_verdicts() and not self.state.is_complete:
            yield Text("Verdicts so far; they may change until every run is done.", style="dim")
        for entry in self.state.jobs:
            if entry.state == "failed":
                yield Text(f"failed: {job_name(self.state, entry)}: {clean(entry.reason)}", style="red")
        for sentence in self.state.damaged:
            yield Text(f"damaged: {clean(sentence)}", style="red")

    def _table(self, marks: dict[str, str], *, width: int) -> Table:
        """Draw a row for each rung; a seed has a column where there is room, else a sign."""
        seeds = self.state.ladder.seeds
        beside = _LABEL + (_VERDICT if self._has_verdicts() else 0)
        cell = _CELL if self.state.ladder.n_folds is None else _FOLD_CELL
        is_roomy = beside + len(seeds) * cell <= width
        table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
        table.add_column("rung", overflow="fold")
        for title in [f"seed {seed}" for seed in seeds] if is_roomy else [f"seeds {seeds[0]} to {seeds[-1]}"]:
            table.add_column(title, overflow="fold")
        if self._has_verdicts():
            table.add_column("over the rung below" if self.state.ladder.kind == "climb" else "what it is worth")
        for number, rung in enumerate(self.state.ladder.rungs):
            cells = [self._cell(number, seed, marks, is_short=not is_roomy) for seed in seeds]
            shown = cells if is_roomy else [Text(" ").join(cells)]
            table.add_row(name(rung.label, "bold"), *shown, *([self._verdict(number)] if self._has_verdicts() else []))
        return table

    def _cell(self, rung: int, seed: int, marks: dict[str, str], *, is_short: bool) -> Text:
        """Draw what is known of one seed of a rung."""
        jobs = [entry for entry in self.state.of(rung) if entry.job.seed == seed]
        if not jobs:
            return Text("-")
        shown = min(jobs, key=lambda entry: list(_URGENCY).index(entry.state))
        text = marks[shown.state]
        if self.state.ladder.n_folds is not None:
            n_done = sum(entry.state == "done" for entry in jobs)
            text += f" {n_done}/{len(jobs)}" if not is_short or n_done not in (0, len(jobs)) else ""
        elif not is_short:
            text += self._detail(shown)
        return Text(text, style=_STYLES[shown.state])

    def _detail(self, entry: JobState) -> str:
        """Give the score of a run that is done, the epoch of one on its way."""
        metric = self.state.ladder.metric
        if entry.record is not None:
            estimate = entry.record.metrics.get(metric)
            return f" {Units(metric).score(estimate.value)}" if estimate else ""
        if entry.state == "running":
            return f" epoch {min(entry.epoch + 1, entry.n_epochs)}/{entry.n_epochs}"
        if entry.state == "interrupted":
            return f" {entry.epoch}/{entry.n_epochs} done"
        return ""

    def _has_verdicts(self) -> bool:
        return self.result is not None and any(rung.step is not None for rung in self.result.rungs)

    def _verdict(self, number: int) -> Text:
        judged: Judged | None = self.result.rungs[number].step if self.result else None
        if judged is None:
            return Text("")
        gain = f" {Units(self.state.ladder.metric).gain(judged.value)}" if judged.verdict != "cannot tell" else ""
        return Text(verdict_text(judged) + gain, style=verdict_style(judged))


# What a cell over several folds shows, the most urgent first.
_URGENCY = ("failed", "running", "interrupted", "waiting", "done")


@dataclass(frozen=True)
class LadderList:
    """The ladders of a workspace."""

    states: tuple[LadderState, ...]
    """Each with how far it is, the one worked on last at the end."""
    damaged: tuple[str, ...] = ()
    """What could not be read, in words."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw an entry for each ladder, and what to type."""
        if not self.states:
            yield Text("There is no ladder here yet. Begin with 'imgcls ladder run'.")
        for state in self.states:
            yield name(state.ladder.name, "bold")
            yield Text(f"  {clean(state.ladder.stack)} on {clean(state.ladder.data_name)}")
            yield Text(f"  {progress_line(state)}", style="dim")
        if self.states:
            yield Text(f"\nOne in full: imgcls ladder show {clean(self.states[-1].ladder.name)}", style="dim")
        for sentence in self.damaged:
            yield Text(f"damaged: {clean(sentence)}", style="red")

    def to_json(self) -> dict[str, Any]:
        """Give the list as JSON values."""
        return {
            "schema": 1,
            "ladders": [_summary(state) for state in self.states],
            "damaged": list(self.damaged),
        }


def progress_line(state: LadderState, *, n_parallel: int = 1) -> str:
    """Say how far a ladder is: `3 of 25 runs done, 1 running, about 20 min left`.

    Args:
        state: The ladder.
        n_parallel: Jobs that run at a time.
    """
    parts = [f"{state.n('done')} of {count(len(state.jobs), 'run')} done"]
    parts += [f"{state.n(kind)} {kind}" for kind in ("running", "interrupted", "failed") if state.n(kind)]
    left = time_left(state, n_parallel=n_parallel)
    if left:
        parts.append(left)
    if not state.is_complete and not state.is_running:
        parts.append("nobody is working on it")
    return ", ".join(parts)


def time_left(state: LadderState, *, n_parallel: int = 1) -> str:
    """Say about how long the rest takes: `about 20 min left`; nothing where that is not known or all is done."""
    seconds = state.seconds_left(n_parallel=n_parallel)
    return f"about {duration(seconds)} left" if seconds and not state.is_complete else ""


def job_name(state: LadderState, entry: JobState) -> str:
    """Name a job as people know it: `baseline, seed 0`."""
    fold = "" if entry.job.fold is None else f", fold {entry.job.fold}"
    return f"{clean(state.ladder.rungs[entry.job.rung].label)}, seed {entry.job.seed}{fold}"


def state_json(state: LadderState) -> dict[str, Any]:
    """Give the state of a ladder as JSON values."""
    return {"schema": 1, **_summary(state), "jobs": list(_jobs(state)), "damaged": list(state.damaged)}


def _summary(state: LadderState) -> dict[str, Any]:
    kinds: Sequence[Any] = ("done", "running", "interrupted", "failed", "waiting")
    return {
        "name": state.ladder.name,
        "kind": state.ladder.kind,
        "stack": state.ladder.stack,
        "data": state.ladder.data_name,
        "metric": state.ladder.metric,
        "complete": state.is_complete,
        "is_running": state.is_running,
        "n": {kind: state.n(kind) for kind in kinds} | {"all": len(state.jobs)},
        "seconds_left": state.seconds_left(),
    }


def _jobs(state: LadderState) -> Iterator[dict[str, Any]]:
    for entry in state.jobs:
        yield {
            "rung": state.ladder.rungs[entry.job.rung].label,
            "seed": entry.job.seed,
            "fold": entry.job.fold,
            "state": entry.state,
            "run": entry.record.id if entry.record else None,
            "epoch": entry.epoch,
            "n_epochs": entry.n_epochs,
            "reason": entry.reason,
        }
