"""What a ladder will cost and what it will be able to see, told before it begins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from imgcls.errors import UsageError
from imgcls.evidence.gains import Components
from imgcls.evidence.planner import detectable
from imgcls.ladders.spec import Ladder

# Fine-tuning as it was simulated: seeds differ by 0.38 points of accuracy, two recipes disagree on 8.5 % of images.
# These parts give the table of detectable gains in docs/guide/statistics.md within 5 %.
_USUAL = Components(seed=2 * 0.0038**2, both=0.035, image=0.006)
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class Forecast:
    """What is known of a ladder before it begins."""

    n_runs: int
    """Runs in all."""
    n_done: int
    """Runs that are there already."""
    n_shared: int
    """Runs that predict with the weights of another and train nothing."""
    seconds: float
    """About how long the rest takes, with as many jobs at a time as there will be."""
    sentences: tuple[str, ...]
    """The same, and what the ladder will be able to see, in words."""


def forecast(ladder: Ladder, *, done: Mapping[str, object], n_parallel: int = 1) -> Forecast:
    """Say what a ladder will cost, and what it will be able to see.

    Args:
        ladder: A ladder with estimates.
        done: Keys of runs that are there already.
        n_parallel: Jobs that run at a time.
    """
    left = [job for job in ladder.jobs if job.key not in done]
    seconds = seconds_left(ladder, done=done) / n_parallel
    n_shared = sum(ladder.rungs[job.rung].weights_of is not None for job in ladder.jobs)
    n_done = len(ladder.jobs) - len(left)
    over = f" × {ladder.n_folds} folds" if ladder.n_folds else ""
    plural = "s" * (ladder.n_seeds != 1)
    sentences = [
        f"{len(ladder.rungs)} rungs × {ladder.n_seeds} seed{plural}{over}: {len(ladder.jobs)} runs, {n_done} of them "
        f"done already, {n_shared} without a training of their own; about {_duration(seconds)}."
    ]
    sentences += _sight(ladder)
    return Forecast(len(ladder.jobs), n_done, n_shared, seconds, tuple(sentences))


def seconds_left(ladder: Ladder, *, done: Mapping[str, object]) -> float:
    """Give about how long the runs that are not there yet take, one after the other."""
    return sum(ladder.rungs[job.rung].estimate_seconds or 0.0 for job in ladder.jobs if job.key not in done)


def within_budget(ladder: Ladder, budget_seconds: float, *, done: Mapping[str, object], n_parallel: int) -> Ladder:
    """Give the ladder with as many seeds as a budget allows.

    Args:
        ladder: A ladder with estimates, and with as many seeds as are wanted at most.
        budget_seconds: What it may take, above 0.
        done: Keys of runs that are there already.
        n_parallel: Jobs that run at a time.

    Raises:
        UsageError: Not even one seed of all rungs fits.
    """
    for n_seeds in range(ladder.n_seeds, 0, -1):
        smaller = with_seeds(ladder, n_seeds)
        if seconds_left(smaller, done=done) / n_parallel <= budget_seconds:
            if n_seeds == ladder.n_seeds:
                return ladder
            note = f"The budget of {_duration(budget_seconds)} allows {n_seeds} of {ladder.n_seeds} seeds."
            return replace(smaller, notes=(*ladder.notes, note))
    one = seconds_left(with_seeds(ladder, 1), done=done) / n_parallel
    two = seconds_left(with_seeds(ladder, 2), done=done) / n_parallel
    raise UsageError(
        f"A budget of {_duration(budget_seconds)} is too small: one seed of all rungs takes about {_duration(one)}"
        + (f", and two, the fewest that can tell anything, {_duration(two)}." if ladder.n_seeds > 1 else ".")
        + " Give more time, a smaller --size, fewer --epochs, or fewer recipes."
    )


def with_seeds(ladder: Ladder, n_seeds: int) -> Ladder:
    """Give a ladder with its first seeds only."""
    jobs = tuple(job for job in ladder.jobs if job.seed < n_seeds)
    return replace(ladder, seeds=ladder.seeds[:n_seeds], jobs=jobs)


def read_duration(text: str) -> float:
    """Read a time such as `45s`, `30m`, `1h30m` or `2h`, in seconds.

    Raises:
        UsageError: It is none, or not above 0.
    """
    pieces = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    whole = "".join(number + unit for number, unit in pieces)
    if not pieces or whole != re.sub(r"\s", "", text.lower()) or any(unit not in _UNITS for _, unit in pieces):
        raise UsageError(f"{text!r} is no time; write 45s, 30m, 2h or 1h30m.")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in pieces)
    if not 0 < seconds < float("inf"):
        raise UsageError(f"A budget has to be above 0, not {text!r}.")
    return seconds


def _sight(ladder: Ladder) -> list[str]:
    """Say what gains can be settled; only for accuracy is there something usual to go by."""
    n_images, n_groups = ladder.n_valid, ladder.n_valid_groups
    if ladder.n_seeds == 1 and ladder.n_folds is None:
        return ["One seed cannot tell a recipe from a lucky run: this shows how models differ, and gives no verdict."]
    if ladder.n_folds is not None:
        return ["Over folds, what can be seen is known once the first rungs are done."]
    if n_groups:
        return [
            f"{n_images} validation images in {n_groups} groups: images of one group share their luck, so this is "
            f"nearer to {n_groups} images than to {n_images}. Folds see more: --folds 5."
        ]
    if ladder.metric not in ("accuracy", "balanced_accuracy"):
        return [f"{n_images} validation images; what gains can be seen is known once two rungs have two seeds."]
    numbers = sorted({max(2, min(3, ladder.n_seeds)), max(2, ladder.n_seeds)})
    gains = [100 * detectable(_USUAL, n_seeds=number, n_units=n_images) for number in numbers]
    first = f"{n_images} validation images and {numbers[0]} seeds can settle gains of about {gains[0]:.1f} points"
    more = "".join(f"; {number} seeds, {gain:.1f}" for number, gain in zip(numbers[1:], gains[1:], strict=True))
    return [f"{first}{more} (as fine-tuning usually goes; measured anew as runs come in)."]


def _duration(seconds: float) -> str:
    """Say a duration as a person would."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
