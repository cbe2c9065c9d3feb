"""Live views: a training and a ladder as they run, a live table on a terminal and plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from imgcls.config.metrics import Units
from imgcls.engine.progress import EpochRow, Lines, Start, TrainingClock, awake, headline, step
from imgcls.ladders.spec import Ladder
from imgcls.ladders.state import JobState, LadderState
from imgcls.reports.console import console, count, name, wrapped
from imgcls.text import clean, duration
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from imgcls.evidence.verdicts import Judged
    from imgcls.ladders.climb import ClimbRecord
    from imgcls.ladders.judge import LadderResult
    from imgcls.ladders.run import JobResult


class LiveTable:
    """A table that grows by an epoch a row, with the time that is left, on stderr."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        self._live: Live | None = None
        self._start: Start | None = None
        self._clock: TrainingClock | None = None
        self._rows: list[EpochRow] = []
        self._bar = Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
        self._task = self._bar.add_task("", total=None, left="")
        self._drawn = 0.0

    def note(self, text: str) -> None:
        """Print a sentence above the table."""
        self._screen.print(Text(clean(text), style="dim"))

    def progress(self, what: str, done: int, total: int) -> None:
        """Show a bar for what comes before training and after it; for a step that cannot be counted only its name."""
        if self._live is None and done >= total:  # too short to be seen
            return
        self._show()
        left = f"{done} of {total}" if total > 1 else ""
        self._bar.update(self._task, description=what, completed=done, total=total, left=left)
        if done >= total:
            self.stop()

    def start(self, start: Start) -> None:
        """Begin the table."""
        self._start, self._rows = start, []
        self._clock = TrainingClock(start)
        self._screen.print(Text(clean(headline(start))))
        self._show()

    def batch(self, epoch: int, done: int, total: int) -> None:
        """Move the bar, ten times a second at the most."""
        if self._clock is None or self._start is None or not self._is_due(done, total):
            return
        if self._live is None:  # the bar of what came just before training has ended it
            self._clock.restart()
            self._show()
        left, before = self._clock.left(epoch, done, total), self._start.done_epochs
        self._bar.update(
            self._task,
            description=f"epoch {epoch}{', validation' if done >= total else ''}",
            completed=(epoch - 1 - before) * total + done,
            total=(self._start.n_epochs - before) * total,
            left=f"{duration(left)} left",
        )

    def validation(self, epoch: int, done: int, total: int) -> None:
        """Count the batches of validation down, where the bar of training stands still."""
        if self._clock is None or self._live is None or not self._is_due(done, total):
            return
        left = duration(self._clock.left_of_validation(epoch, done, total))
        self._bar.update(self._task, description=f"epoch {epoch}, validation {done} of {total}", left=f"{left} left")

    def _is_due(self, done: int, total: int) -> bool:
        """Whether a batch is drawn: the last one, and others ten times a second."""
        now = time.monotonic()
        if now - self._drawn < 0.1 and done < total:
            return False
        self._drawn = now
        return True

    def epoch(self, row: EpochRow) -> None:
        """Add a row."""
        if self._clock is not None:
            self._clock.validated()
        self._rows.append(row)
        if self._live is not None:
            self._live.update(self, refresh=True)

    def stop(self) -> None:
        """Leave the table as it is."""
        if self._live is not None:
            self._bar.update(self._task, visible=False)
            self._live.stop()
            self._live = None
        self._rows = []  # they stand there now; what comes next is drawn without them
        self._bar.reset(self._task, visible=True, total=None, left="")

    def __rich_console__(self, screen: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the epochs so far, and the bar."""
        yield Group(*([epoch_table(self._rows)] if self._rows else []), self._bar)

    def _show(self) -> None:
        if self._live is None:
            self._live = Live(self, console=self._screen, refresh_per_second=8)
            self._live.start()


def epoch_table(rows: list[EpochRow]) -> Table:
    """Draw epochs, one to a row."""
    table = Table(box=None, pad_edge=False, show_edge=False)
    for title in ("epoch", "train loss", "valid loss", "accuracy", "rate", "time", "images/s"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            str(row.epoch),
            f"{row.train_loss:.4f}",
            "-" if row.valid_loss is None else f"{row.valid_loss:.4f}",
            "-" if row.valid_accuracy is None else f"{row.valid_accuracy:.4f}",
            f"{row.learning_rate:.1e}",
            f"{row.seconds:.1f} s",
            f"{row.images_per_second:.0f}",
        )
    return table


@contextmanager
def reporter_for(*, as_json: bool) -> Iterator[Lines | LiveTable]:
    """Return the reporter that suits where stderr goes, never quiet for long, and end it whatever happens.

    Args:
        as_json: Whether a program is listening; it gets plain lines, never a live table.
    """
    screen = console(sys.stderr)
    if not screen.is_terminal or as_json:
        lines = Lines()
        with awake(lines):
            yield lines
        return
    table = LiveTable(screen)
    try:
        yield table
    finally:
        table.stop()


@contextmanager
def telling(what: str, *, as_json: bool) -> Iterator[None]:
    """Say on stderr what is being done, for as long as it takes: for commands that report no more of their work.

    Args:
        what: What is being done.
        as_json: Whether a program is listening.
    """
    with reporter_for(as_json=as_json) as reporter, step(reporter, what):
        yield


_MARKS = {"done": "✓", "running": "▸", "interrupted": "‖", "failed": "✗", "waiting": "·"}
_ASCII_MARKS = {"done": "+", "running": ">", "interrupted": "=", "failed": "x", "waiting": "."}
_STYLES = {"done": "green", "running": "cyan", "interrupted": "yellow", "failed": "red", "waiting": "dim"}
_CELL, _FOLD_CELL, _LABEL, _VERDICT, _SEEDS = 13, 9, 17, 19, 16


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
        room = max(_LABEL, width - beside + _LABEL - (len(seeds) * cell if is_roomy else _SEEDS))
        table.add_column("rung", overflow="fold")
        for title in [f"seed {seed}" for seed in seeds] if is_roomy else [f"seeds {seeds[0]} to {seeds[-1]}"]:
            table.add_column(title, overflow="fold")
        if self._has_verdicts():
            table.add_column("over the rung below" if self.state.ladder.kind == "climb" else "what it is worth")
        for number, rung in enumerate(self.state.ladder.rungs):
            cells = [self._cell(number, seed, marks, is_short=not is_roomy) for seed in seeds]
            shown = cells if is_roomy else [Text(" ").join(cells)]
            label = Text(wrapped(clean(rung.label), room, before=":+,"), "bold")
            table.add_row(label, *shown, *([self._verdict(number)] if self._has_verdicts() else []))
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
        """Return the score of a run that is done, the epoch of one on its way."""
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
        from imgcls.reports.verdict_text import shown_verdict, verdict_style

        judged: Judged | None = self.result.rungs[number].step if self.result else None
        if judged is None:
            return Text("")
        gain = f" {Units(self.state.ladder.metric).gain(judged.value)}" if judged.verdict != "cannot tell" else ""
        return Text(shown_verdict(judged.verdict) + gain, style=verdict_style(judged))


# What a cell over several folds shows, the most urgent first.
_URGENCY = ("failed", "running", "interrupted", "waiting", "done")


@dataclass(frozen=True)
class LadderList:
    """The ladders of a workspace."""

    states: tuple[LadderState, ...]
    """Each with how far it is, the one worked on last at the end."""
    damaged: tuple[str, ...] = ()
    """What could not be read, in words."""
    climbs: tuple[ClimbRecord, ...] = ()
    """The climbs, the one written last at the end."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw an entry for each ladder, and what to type."""
        if not self.states and not self.climbs:
            yield Text("There is no ladder here yet. Begin with 'imgcls ladder run'.")
        for state in self.states:
            yield name(state.ladder.name, "bold")
            yield Text(f"  {clean(state.ladder.typed)} on {clean(state.ladder.data_name)}")
            yield Text(f"  {progress_line(state)}", style="dim")
        for climb in self.climbs:
            yield name(climb.name, "bold")
            yield Text(f"  a climb from {clean(climb.stack)} on {clean(climb.data_name)}")
            yield Text(f"  chose {clean(climb.chosen)}" if climb.is_complete else "  not finished", style="dim")
        names = [*(state.ladder.name for state in self.states), *(climb.name for climb in self.climbs)]
        if names:
            yield Text(f"\nOne in full: imgcls ladder show {clean(names[-1])}", style="dim")
        for sentence in self.damaged:
            yield Text(f"damaged: {clean(sentence)}", style="red")

    def to_json(self) -> dict[str, Any]:
        """Return the list as JSON values."""
        return {
            "schema": 1,
            "ladders": [_summary(state) for state in self.states],
            "climbs": [
                {
                    "name": climb.name,
                    "stack": climb.stack,
                    "data": climb.data_name,
                    "metric": climb.metric,
                    "complete": climb.is_complete,
                    "chosen": climb.chosen,
                }
                for climb in self.climbs
            ],
            "damaged": list(self.damaged),
        }


def progress_line(state: LadderState, *, n_parallel: int = 1) -> str:
    """Describe how far a ladder is: `3 of 25 runs done, 1 running, about 20 min left`.

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
    """Return the state of a ladder as JSON values."""
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


_EVERY_SECONDS = 1.0
_MOST_OF_THE_TIME = 0.1
"""Reading takes a tenth of the time at the most, however large the ladder is."""

Reading: TypeAlias = "tuple[LadderState, LadderResult | None]"
Read = Callable[[], Reading]


class LadderLines:
    """A watcher that writes a line for each thing worth saying on stderr, for pipes, logs and scripts."""

    def __init__(self, *, n_parallel: int = 1) -> None:
        self._n_parallel = n_parallel

    def note(self, text: str) -> None:
        """Write the sentence."""
        sys.stderr.write(f"{clean(text)}\n")
        sys.stderr.flush()

    def planned(self, ladder: Ladder, forecast_sentences: Sequence[str]) -> None:
        """Write what begins."""
        for line in planned_lines(ladder, forecast_sentences):
            self.note(line)

    def job_done(self, result: JobResult, state: LadderState) -> None:
        """Write the line of the job."""
        self.note(job_line(result, state, n_parallel=self._n_parallel))

    def stop(self) -> None:
        """Have nothing to end."""


class LadderScreen:
    """A watcher that keeps a grid of the ladder on a terminal, with the files as its only source."""

    def __init__(self, screen: Console, reader: Callable[[Ladder], Read], *, n_parallel: int = 1) -> None:
        """Keep what is needed to begin.

        Args:
            screen: The terminal.
            reader: Gives, for a ladder, what reads its state.
            n_parallel: Jobs that run at a time, for the time that is left.
        """
        self._screen, self._reader, self._n_parallel = screen, reader, n_parallel
        self._live: Live | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._read: Read | None = None

    def note(self, text: str) -> None:
        """Print a sentence above the grid."""
        self._screen.print(Text(clean(text), style="dim"))

    def planned(self, ladder: Ladder, forecast_sentences: Sequence[str]) -> None:
        """Print what begins, and show the grid."""
        self.stop()
        for line in planned_lines(ladder, forecast_sentences):
            self._screen.print(Text(line))
        self._live = Live(console=self._screen, auto_refresh=False, redirect_stdout=False)
        self._live.start()
        self._ended.clear()
        read = self._read = self._reader(ladder)
        self._draw(read)
        self._thread = threading.Thread(target=self._follow, args=(read,), name="ladder-screen", daemon=True)
        self._thread.start()

    def job_done(self, result: JobResult, state: LadderState) -> None:
        """Say above the grid what went wrong; what went well is seen in it."""
        if result.status != "done":
            self.note(job_line(result, state, n_parallel=self._n_parallel))

    def stop(self) -> None:
        """Draw the grid a last time and leave it there; the cursor comes back whatever happens."""
        if self._live is None:
            return
        self._ended.set()
        try:
            if self._thread is not None:
                self._thread.join(timeout=_EVERY_SECONDS)
            if self._read is not None:
                self._draw(self._read)
        finally:
            live, self._live = self._live, None
            live.stop()

    def _follow(self, read: Read) -> None:
        """Draw again and again until the end."""
        pause = _EVERY_SECONDS
        while not self._ended.wait(pause):
            began = time.monotonic()
            self._draw(read)
            pause = max(_EVERY_SECONDS, (time.monotonic() - began) / _MOST_OF_THE_TIME)

    def _draw(self, read: Read) -> None:
        """Read and draw; files that change meanwhile leave the grid as it was."""
        try:
            state, result = read()
            grid = StateGrid(state, result, self._n_parallel)
            if (live := self._live) is not None:
                live.update(grid, refresh=True)
        except Exception:  # noqa: S110 - a look at the work must never end the work; the next look comes in a second
            pass


@contextmanager
def ladder_screen(
    source: Workspace | Read, *, as_json: bool = False, n_parallel: int = 1, screen: Console | None = None
) -> Iterator[LadderLines | LadderScreen]:
    """Return the watcher that suits where stderr goes, and end it whatever happens.

    Args:
        source: The workspace whose files tell how far the ladder is; or what gives state and result.
        as_json: Whether a program is listening; it gets plain lines, never a grid.
        n_parallel: Jobs that run at a time, for the time that is left.
        screen: The terminal; that of stderr when None.
    """
    terminal = screen or console(sys.stderr)
    watcher: LadderLines | LadderScreen = LadderLines(n_parallel=n_parallel)
    if terminal.is_terminal and not terminal.is_dumb_terminal and not as_json:
        watcher = LadderScreen(terminal, lambda ladder: _read_of(source, ladder), n_parallel=n_parallel)
    try:
        yield watcher
    finally:
        watcher.stop()


def _read_of(source: Workspace | Read, ladder: Ladder) -> Read:
    from imgcls.ladders.judge import LadderReader  # loads scipy, which a list of ladders does not need

    return LadderReader(ladder, source).read if isinstance(source, Workspace) else source


def planned_lines(ladder: Ladder, forecast_sentences: Sequence[str]) -> list[str]:
    """Describe what a ladder is about to do."""
    rungs = ", ".join(clean(rung.label) for rung in ladder.rungs)
    head = f"{clean(ladder.name)}: {count(len(ladder.rungs), 'rung')} ({rungs})"
    return [head, *(clean(sentence) for sentence in forecast_sentences)]


def job_line(result: JobResult, state: LadderState, *, n_parallel: int = 1) -> str:
    """Describe what came of a job: `baseline, seed 0: ROC AUC 0.845, 68 s (3 of 25 runs, about 20 min left)`.

    Args:
        result: What came of it.
        state: The ladder, with the job counted.
        n_parallel: Jobs that run at a time.
    """
    entry = next((entry for entry in state.jobs if entry.job.key == result.key), None)
    who = job_name(state, entry) if entry else f"run {result.key[:8]}"
    n_ended = state.n("done") + state.n("failed")
    left = time_left(state, n_parallel=n_parallel)
    place = f"{n_ended} of {count(len(state.jobs), 'run')}{f', {left}' if left else ''}"
    return f"{who}: {_outcome(result, state, entry)} ({place})"


def _outcome(result: JobResult, state: LadderState, entry: JobState | None) -> str:
    if result.status != "done":
        return f"{result.status}: {clean(result.reason)}"
    units = Units(state.ladder.metric)
    score = "no score" if result.value is None else f"{units.title} {units.score(result.value)}"
    if result.reused:
        return f"{score}, was there already"
    is_shared = entry is not None and entry.record is not None and entry.record.reused_from is not None
    return f"{score}, {duration(result.seconds)}{', with weights that were there' if is_shared else ''}"
