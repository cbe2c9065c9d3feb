"""A ladder while it is climbed: a line a run in a pipe, a grid on a terminal that always gives the cursor back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from imgcls.engine.progress import EpochRow, Lines, Start, TrainingClock, plain_lines
from imgcls.ladders import judge
from imgcls.ladders.run import JobResult, SilentWatcher, Watcher
from imgcls.ladders.spec import Ladder
from imgcls.ladders.state import LadderState, read_state
from imgcls.reports import live
from imgcls.reports.live import LadderLines, LadderScreen, LiveTable, job_line, ladder_screen, reporter_for
from imgcls.workspace import Workspace

Draw = Callable[..., tuple[Ladder, Workspace]]
SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"


def terminal() -> Console:
    """Return a terminal whose bytes can be looked at."""
    return Console(file=StringIO(), width=100, height=40, force_terminal=True, highlight=False, emoji=False)


def written(screen: Console) -> str:
    """Return what a terminal was sent."""
    assert isinstance(screen.file, StringIO)
    return screen.file.getvalue()


def done(state: LadderState, place: int, **changed: Any) -> JobResult:
    """Make what a job gives."""
    values: dict[str, Any] = {"status": "done", "run": "r", "value": 0.84512, "seconds": 68.2} | changed
    return JobResult(state.jobs[place].job.key, **values)


def test_a_line_says_what_was_done_and_what_is_left(drawn_ladder: Draw) -> None:
    """As a person reads it in a log."""
    ladder, workspace = drawn_ladder(metric="roc_auc", missing=frozenset({(4, 1), (4, 2)}))
    state = read_state(ladder, workspace)
    assert job_line(done(state, 0), state) == ("baseline, seed 0: ROC AUC 0.845, 68 s (13 of 15 runs, about 6 s left)")
    assert job_line(done(state, 4, seconds=3.0), state, n_parallel=2) == (
        "tta, seed 0: ROC AUC 0.845, 3 s, with weights that were there (13 of 15 runs, about 3 s left)"
    )
    assert "ROC AUC 0.845, was there already (" in job_line(done(state, 1, reused=True), state)
    assert ": no score, 68 s (" in job_line(done(state, 1, value=None), state)


def test_a_line_of_a_failure_has_its_reason_and_is_inert(drawn_ladder: Draw) -> None:
    """With the fold, and no time left when all is over."""
    ladder, workspace = drawn_ladder(n_folds=2, n_images=20, n_seeds=1)
    state = read_state(ladder, workspace)
    line = job_line(done(state, 0, status="failed", value=None, reason="nan\x1b[31m"), state)
    assert line == "baseline, seed 0, fold 0: failed: nan\\x1b[31m (10 of 10 runs)"


def test_plain_lines_go_to_stderr(drawn_ladder: Draw, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a control byte, and without anything on stdout."""
    ladder, workspace = drawn_ladder()
    state = read_state(ladder, workspace)
    watcher = LadderLines()
    watcher.planned(ladder, ["5 rungs × 3 seeds: 15 runs."])
    watcher.job_done(done(state, 0), state)
    watcher.note("A worker\x1b died.")
    watcher.stop()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "drawn: 5 rungs (baseline, augmentation, adamw_cosine, label_smoothing, tta)",
        "5 rungs × 3 seeds: 15 runs.",
        "baseline, seed 0: Accuracy 0.845, 68 s (15 of 15 runs)",
        "A worker\\x1b died.",
    ]


@pytest.mark.parametrize("as_json", [False, True])
def test_a_pipe_or_a_program_gets_plain_lines(drawn_ladder: Draw, as_json: bool) -> None:
    """A grid is for terminals."""
    _, workspace = drawn_ladder()
    with ladder_screen(workspace, as_json=as_json, screen=terminal() if as_json else Console(file=StringIO())) as found:
        assert isinstance(found, LadderLines)


def test_the_screen_shows_the_grid_and_leaves_it(drawn_ladder: Draw) -> None:
    """What was forecast, then the grid, then failures as they come."""
    ladder, workspace = drawn_ladder(failed=frozenset({(1, 1)}))
    screen = terminal()
    with ladder_screen(workspace, screen=screen) as watcher:
        assert isinstance(watcher, LadderScreen)
        watcher.planned(ladder, ["about 20 min"])
        state = read_state(ladder, workspace)
        watcher.job_done(done(state, 0), state)
        watcher.job_done(done(state, 6, status="failed", reason="the loss became NaN"), state)
    text = written(screen)
    assert "about 20 min" in text
    assert "14 of 15 runs done, 1 failed" in text
    assert "augmentation, seed 1: failed: the loss became NaN" in text
    assert "baseline, seed 0: Accuracy" not in text
    assert text.rindex(SHOW_CURSOR) > text.rindex(HIDE_CURSOR)


@pytest.mark.parametrize("problem", [KeyboardInterrupt, RuntimeError])
def test_the_cursor_comes_back_whatever_happens(drawn_ladder: Draw, problem: type[BaseException]) -> None:
    """Also when the work is interrupted."""
    ladder, workspace = drawn_ladder()
    screen = terminal()

    def work() -> None:
        with ladder_screen(workspace, screen=screen) as watcher:
            watcher.planned(ladder, [])
            raise problem

    with pytest.raises(problem):
        work()
    assert written(screen).rindex(SHOW_CURSOR) > written(screen).rindex(HIDE_CURSOR)


def test_reading_that_fails_does_not_end_the_work(drawn_ladder: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files change while they are read; the next look comes soon."""
    monkeypatch.setattr(live, "_EVERY_SECONDS", 0.02)
    ladder, workspace = drawn_ladder()
    state, screen, n_reads = read_state(ladder, workspace), terminal(), 0

    def read() -> tuple[LadderState, None]:
        nonlocal n_reads
        n_reads += 1
        if n_reads < 3:
            raise OSError("run.json is being written")
        return state, None

    with ladder_screen(read, screen=screen) as watcher:
        watcher.planned(ladder, [])
        until = time.monotonic() + 20
        while "15 of 15 runs done" not in written(screen) and time.monotonic() < until:
            time.sleep(0.01)
    assert n_reads >= 3
    assert "15 of 15 runs done" in written(screen)


def test_the_grid_that_stays_is_the_last_one(drawn_ladder: Draw) -> None:
    """What was done in the last second is in it."""
    ladder, workspace = drawn_ladder(missing=frozenset({(4, 2)}))
    before, screen = read_state(ladder, workspace), terminal()
    after = replace(before, jobs=tuple(replace(entry, state="done") for entry in before.jobs))
    states = iter([before, after])
    with ladder_screen(lambda: (next(states), None), screen=screen) as watcher:
        watcher.planned(ladder, [])
    text = written(screen)
    assert text.index("14 of 15 runs done") < text.index("15 of 15 runs done")


def test_stopping_twice_and_before_the_beginning_is_no_error() -> None:
    """The driver and the context both end it."""
    screen = terminal()
    watcher = LadderScreen(screen, lambda ladder: lambda: (_never(ladder), None))
    watcher.stop()
    watcher.stop()
    assert not written(screen).strip()


def _never(ladder: Ladder) -> LadderState:
    raise AssertionError(f"{ladder.name} was never planned")


def test_files_are_judged_again_only_when_a_run_was_added(drawn_ladder: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look a second has to be cheap."""
    ladder, workspace = drawn_ladder()
    counted: list[LadderState] = []
    real = judge.judge_ladder
    monkeypatch.setattr(judge, "judge_ladder", lambda state: counted.append(state) or real(state))
    reader = judge.LadderReader(ladder, workspace)
    first, second = reader.read(), reader.read()
    assert len(counted) == 1
    assert first[1] is second[1]
    assert first[1] is not None
    shorter = replace(ladder, jobs=ladder.jobs[:4])
    judge.LadderReader(shorter, workspace).read()
    assert len(counted) == 2


def test_the_silent_watcher_says_nothing(drawn_ladder: Draw, capsys: pytest.CaptureFixture[str]) -> None:
    """All of the protocol, and not a byte."""
    ladder, workspace = drawn_ladder(n_images=20, n_seeds=1)
    state = read_state(ladder, workspace)
    watcher: Watcher = SilentWatcher()
    watcher.note("a")
    watcher.planned(ladder, ["b"])
    watcher.job_done(done(state, 0), state)
    watcher.stop()
    assert capsys.readouterr() == ("", "")


def _training(monkeypatch: pytest.MonkeyPatch) -> tuple[list[float], Start]:
    """Return a clock that stands until it is moved, and a training of two epochs of ten batches."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now, Start("baseline", 0, 2, 10, 80, 60, "cpu")


def test_time_left_counts_the_validation_after_each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    now, start = _training(monkeypatch)
    clock = TrainingClock(start)
    now[0] += 20
    assert clock.left(1, 10, 10) == pytest.approx(20 + 2 * 20 * 60 / 80 / 3)  # not measured yet: a forward pass
    now[0] += 12
    clock.validated()
    now[0] += 10
    assert clock.left(2, 5, 10) == pytest.approx(10 + 12)
    now[0] += 10
    assert clock.left(2, 10, 10) == pytest.approx(12)


def test_the_bar_does_not_say_that_nothing_is_left_while_it_validates(monkeypatch: pytest.MonkeyPatch) -> None:
    now, start = _training(monkeypatch)
    screen = Console(file=StringIO(), force_terminal=True, width=100, color_system=None)
    table = LiveTable(screen)
    table.start(start)
    for epoch in (1, 2):
        now[0] += 20
        table.batch(epoch, 10, 10)
        task = table._bar.tasks[0]
        assert task.description == f"epoch {epoch}, validation"
        now[0] += 12
        table.epoch(EpochRow(epoch, 0.5, 0.25, 0.75, 1e-3, 32.0, 4.0))
    assert task.fields["left"] == "12 s left"
    table.stop()


def test_a_pipe_is_told_what_goes_on_whatever_it_is(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """After eight seconds without a line there is one: how far it is, where that is known and was not said before."""
    now, start = _training(monkeypatch)
    lines = Lines()
    steps = {
        "Still at work: 9 s so far …": lambda: lines.note("Loading torch and fastai …"),
        "Looking for series: 9 s so far …": lambda: lines.progress("Looking for series", 0, 1),
        "Predicting: 64 of 640": lambda: lines.progress("Predicting", 64, 640),
        "Training: 9 s so far …": lambda: lines.start(start),
        "epoch 1: batch 5 of 10, about 36 s left": lambda: lines.batch(1, 5, 10),
        "epoch 1: validation: 9 s so far …": lambda: lines.batch(1, 10, 10),
    }
    for told, begin in steps.items():
        begin()
        lines.still()
        capsys.readouterr()
        now[0] += 9
        lines.still()
        lines.still()
        assert capsys.readouterr().err == f"{told}\n"


def test_validation_counts_down(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """A long validation moves as training does, on a terminal and in a pipe, and measures itself."""
    now, start = _training(monkeypatch)
    table = LiveTable(Console(file=StringIO(), force_terminal=True, width=100, color_system=None))
    for reporter in (Lines(), table):
        reporter.start(start)
        now[0] += 20
        reporter.batch(1, 10, 10)
        now[0] += 4
        reporter.validation(1, 1, 4)
        now[0] += 100
    task = table._bar.tasks[0]
    assert (task.description, task.fields["left"]) == ("epoch 1, validation 1 of 4", "48 s left")  # 12 + 20 + 16
    table.stop()
    assert "epoch 1: validation 1 of 4, about 48 s left" in capsys.readouterr().err


def test_three_lines_of_python_are_told_too(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """Whoever passes no reporter has the same lines as the command, and a reporter that was passed is left alone."""
    monkeypatch.setattr("imgcls.engine.progress._QUIET_SECONDS", 0.02)
    monkeypatch.setattr("imgcls.engine.progress._EVERY_SECONDS", 0.01)
    with plain_lines(None) as lines:
        lines.progress("Drawing\x1b pictures", 0, 1)
        time.sleep(0.3)
    assert "Drawing\\x1b pictures …" in capsys.readouterr().err
    with plain_lines(Lines()):
        time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_the_pipe_is_looked_at_while_something_is_done(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr("imgcls.engine.progress._QUIET_SECONDS", 0.02)
    monkeypatch.setattr("imgcls.engine.progress._EVERY_SECONDS", 0.01)
    with reporter_for(as_json=True) as reporter:
        reporter.progress("Drawing pictures", 0, 1)
        time.sleep(0.3)
    assert "Drawing pictures …" in capsys.readouterr().err
    time.sleep(0.1)
    assert capsys.readouterr().err == ""
