"""What is told before a ladder begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imgcls.errors import UsageError
from imgcls.ladders.design import forecast, read_duration, within_budget
from imgcls.ladders.spec import Ladder
from imgcls.ladders.state import JobState, LadderState

Draw = Callable[..., Any]


@pytest.fixture
def ladder(drawn_ladder: Draw) -> Ladder:
    """Five rungs, five seeds; a training takes a minute, TTA three seconds."""
    drawn, _ = drawn_ladder(n_seeds=5, n_images=525)
    times = [60.0, 60.0, 60.0, 60.0, 3.0]
    rungs = tuple(replace(rung, estimate_seconds=seconds) for rung, seconds in zip(drawn.rungs, times, strict=True))
    return replace(drawn, rungs=rungs)


@pytest.mark.parametrize(
    ("text", "seconds"), [("45s", 45), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("1.5h", 5400), ("90", 90)]
)
def test_times_are_read_as_people_write_them(text: str, seconds: float) -> None:
    """Hours, minutes, seconds, and together."""
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5m", "0s", "5 parsecs", "nan", "m", "1e400h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """With the way to write it."""
    with pytest.raises(UsageError, match=r"time|above 0"):
        read_duration(text)


def test_the_time_of_the_whole_leaves_out_what_is_done(ladder: Ladder) -> None:
    """Four trainings and a prediction a seed."""
    assert forecast(ladder, done={}).seconds == 5 * 243
    done = dict.fromkeys(job.key for job in ladder.jobs if job.seed < 4)
    told = forecast(ladder, done=done, n_parallel=2)
    assert told.seconds == pytest.approx(243 / 2)
    assert (told.n_runs, told.n_done, told.n_shared) == (25, 20, 5)


def test_it_tells_which_gains_can_be_settled(ladder: Ladder) -> None:
    """Near what was simulated for 525 images: 2.4 points with three seeds, 1.8 with five."""
    sentence = forecast(ladder, done={}).sentences[1]
    assert "525 validation images and 3 seeds can settle gains of about 2.3 points; 5 seeds, 1.7" in sentence


def test_groups_and_one_seed_are_told(ladder: Ladder) -> None:
    """Nine groups are no 525 images, and one seed is no evidence."""
    assert "9 groups" in forecast(replace(ladder, n_valid_groups=9), done={}).sentences[1]
    one = replace(ladder, seeds=(0,), jobs=tuple(job for job in ladder.jobs if job.seed == 0))
    assert "One seed cannot tell" in forecast(one, done={}).sentences[1]


@pytest.mark.parametrize(("budget", "n_seeds"), [(10_000, 5), (4 * 243, 4), (243, 1)])
def test_a_budget_chooses_the_seeds_and_says_so(ladder: Ladder, budget: float, n_seeds: int) -> None:
    """As many as fit."""
    fitting = within_budget(ladder, budget, done={}, n_parallel=1)
    assert fitting.n_seeds == n_seeds
    assert len(fitting.jobs) == 5 * n_seeds
    assert (fitting.notes == ()) == (n_seeds == 5)


def test_a_budget_too_small_for_anything_is_refused(ladder: Ladder) -> None:
    """With what one seed and two seeds would take."""
    with pytest.raises(UsageError, match=r"one seed of all rungs takes about 4 min, and two.*8 min"):
        within_budget(ladder, 60, done={}, n_parallel=1)


def test_time_left_is_none_where_nothing_tells_it(ladder: Ladder) -> None:
    """Neither estimates nor finished runs: that is not "no time"."""
    waiting = tuple(JobState(job, "waiting") for job in ladder.jobs)
    assert LadderState(ladder, waiting).seconds_left() == 5 * 243
    unknown = replace(ladder, rungs=tuple(replace(rung, estimate_seconds=None) for rung in ladder.rungs))
    assert LadderState(unknown, waiting).seconds_left() is None
    assert LadderState(unknown, tuple(replace(entry, state="failed") for entry in waiting)).seconds_left() == 0
