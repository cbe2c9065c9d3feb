"""A ladder while it is climbed: a live grid on a terminal, a line for each run elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from imgcls.engine.reporting import duration
from imgcls.evidence.metrics import METRICS
from imgcls.ladders.job import JobResult
from imgcls.ladders.judge import judge_ladder
from imgcls.ladders.result import LadderResult
from imgcls.ladders.spec import Ladder
from imgcls.ladders.state import JobState, LadderState, read_state
from imgcls.records.run import RunRecord
from imgcls.reports.ladder_state import StateGrid, job_name, time_left
from imgcls.reports.text import clean, console, count
from imgcls.workspace import Workspace

_EVERY_SECONDS = 1.0
_MOST_OF_THE_TIME = 0.1
"""Reading takes a tenth of the time at the most, however large the ladder is."""

Reading = tuple[LadderState, LadderResult | None]
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
    """Give the watcher that suits where stderr goes, and end it whatever happens.

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
    return FileReader(ladder, source).read if isinstance(source, Workspace) else source


class FileReader:
    """Reads how far a ladder is, and judges it again only when a run was added."""

    def __init__(self, ladder: Ladder, workspace: Workspace) -> None:
        self._ladder, self._workspace = ladder, workspace
        self._result: LadderResult | None = None
        self._known: dict[str, RunRecord] = {}
        self._judged_at = -1

    def read(self) -> Reading:
        """Give the state and the result as they are now."""
        state = read_state(self._ladder, self._workspace, known=self._known)
        self._known = {entry.job.key: entry.record for entry in state.jobs if entry.record is not None}
        if len(self._known) != self._judged_at:
            self._result = judge_ladder(state)
            self._judged_at = len(self._known)
        return state, self._result


def planned_lines(ladder: Ladder, forecast_sentences: Sequence[str]) -> list[str]:
    """Say what a ladder is about to do."""
    rungs = ", ".join(clean(rung.label) for rung in ladder.rungs)
    head = f"{clean(ladder.name)}: {count(len(ladder.rungs), 'rung')} ({rungs})"
    return [head, *(clean(sentence) for sentence in forecast_sentences)]


def job_line(result: JobResult, state: LadderState, *, n_parallel: int = 1) -> str:
    """Say what came of a job: `baseline, seed 0: ROC AUC 0.845, 68 s (3 of 25 runs, about 20 min left)`.

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
    digits = 3 if METRICS[state.ladder.metric].higher_is_better else 4
    title = METRICS[state.ladder.metric].title
    score = "no score" if result.value is None else f"{title} {result.value:.{digits}f}"
    if result.reused:
        return f"{score}, was there already"
    is_shared = entry is not None and entry.record is not None and entry.record.reused_from is not None
    return f"{score}, {duration(result.seconds)}{', with weights that were there' if is_shared else ''}"
