"""All folds of a stack: a line for each, the score out of fold with its interval, and how far the folds lie apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from imgcls.engine.outcome import FoldsOutcome, Outcome
from imgcls.engine.reporting import duration
from imgcls.evidence.metrics import METRICS, PRIMARY
from imgcls.records.folds import Folds, Spread
from imgcls.records.run import RunRecord
from imgcls.reports.run import TRIAL_MEANING, in_order, outcome_json
from imgcls.reports.text import clean, count, interval, number, path

MEANING = (
    "Out of fold, every photograph is scored once, by a network that did not see it; the interval says how sure that "
    "is for other photographs like these. The ± is the standard deviation from fold to fold. It shows how much the "
    "score depends on who trains and who validates; it is no error of the mean, since the trainings share most of "
    "their photographs and are not independent. Whether a recipe helps takes the same folds and several seeds."
)


@dataclass(frozen=True)
class FoldsSummary:
    """What a person sees when all folds are done."""

    outcome: FoldsOutcome
    """The folds, and how they came about."""
    metric: str | None = None
    """The metric that decides, shown first; None for that of the kind of problem."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the folds, the scores, what they mean, the place and the next command."""
        record = self.outcome.record
        yield Text()
        yield Text(f"{clean(record.label)}, seed {record.seed}, {record.n_folds} folds: {self._how()}", style="bold")
        if record.folds:
            yield fold_table(record, record.folds, self.metric)
            yield Text()
            yield spread_table(record, record.folds, self.metric)
        if record.data.n["train"]:
            yield Text(f"{count(record.data.n['train'], 'photograph')} train in every fold and are not scored.")
        if record.data.n["excluded"]:
            n = record.data.n["excluded"]
            yield Text(f"{count(n, 'file')} left out; 'imgcls runs show {record.id}' lists them.", style="yellow")
        yield Text("\nWhat it means", style="bold")
        yield Text(TRIAL_MEANING if record.quick else MEANING)
        yield Text("\nRecord", style="bold")
        yield path(record.folder)
        yield Text("\nNext", style="bold")
        for line in self.next_commands():
            yield Text(f"  {line}", no_wrap=True, overflow="ignore")

    def next_commands(self) -> list[str]:
        """Give the next sensible commands."""
        record = self.outcome.record
        first = self.outcome.folds[0].record.id
        return [
            f"imgcls recipe run {record.stack}    # one network to use, with the same options",
            f"imgcls predict {first} PHOTO …    # or that of a fold",
        ]

    def _how(self) -> str:
        folds = self.outcome.folds
        if all(outcome.same_bits is not None for outcome in folds):
            n_equal = sum(all((outcome.same_bits or {}).values()) for outcome in folds)
            return f"trained anew, {n_equal} of {len(folds)} equal to their records bit by bit"
        n_reused = sum(outcome.reused for outcome in folds)
        if n_reused == len(folds):
            return "already trained; use --again to train anew"
        trained = [outcome.record.seconds["total"] for outcome in folds if not outcome.reused]
        before = f", {n_reused} already trained" if n_reused else ""
        return f"{len(trained)} done in {duration(sum(trained))}{before}"


def fold_table(record: RunRecord, folds: Folds, metric: str | None = None) -> Table:
    """Draw a row for each fold: its run, its size, its score in the metric that decides."""
    primary = metric or PRIMARY[record.problem]
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("fold", justify="right")
    table.add_column("run", style="dim", no_wrap=True)
    for title in ("train", "validation", METRICS[primary].title):
        table.add_column(title, justify="right")
    table.add_column("95 % interval")
    for run in folds.runs:
        estimate = run.metrics[primary]
        table.add_row(
            str(run.fold),
            run.run.rpartition("-")[2],
            str(run.n["train"]),
            str(run.n["valid"]),
            number(estimate.value),
            interval(estimate),
        )
    return table


def spread_table(record: RunRecord, folds: Folds, metric: str | None = None) -> Table:
    """Draw the metrics out of fold with their intervals, beside mean and spread over the folds; `metric` is first."""
    table = Table(box=None, pad_edge=False, show_edge=False)
    n_groups = record.data.n_valid_groups
    table.add_column(f"out of fold, {count(n_groups, 'group')} of images" if n_groups else "out of fold")
    table.add_column("value", justify="right")
    table.add_column("95 % interval")
    table.add_column("images", justify="right")
    table.add_column("mean of folds ± spread", no_wrap=True)
    for place, entry in enumerate(in_order(record, metric)):
        estimate, known = record.metrics[entry], METRICS[entry]
        note = f"  {clean(estimate.reason)}" if estimate.reason else ""
        table.add_row(
            Text(
                known.title + ("" if known.higher_is_better else " (lower is better)"),
                style="" if place else "bold",
            ),
            number(estimate.value),
            Text(interval(estimate) + note),
            str(estimate.n),
            spread_text(folds.spread[entry], n_folds=len(folds.runs)),
        )
    return table


def spread_text(spread: Spread, *, n_folds: int) -> str:
    """Give mean and standard deviation over folds, and of how many where some have no value."""
    if spread.mean is None:
        return "-"
    of = "" if spread.n == n_folds else f" ({spread.n} of {n_folds})"
    return f"{number(spread.mean)} ± {number(spread.sd)}{of}"


def folds_json(outcome: FoldsOutcome) -> dict[str, Any]:
    """Give all folds as the one JSON object that `recipe run --folds --json` prints.

    Returns:
        The fields of a run, which are those out of fold; `spread`, mean and standard deviation over the folds of each
        metric; and `folds`, the runs with the same fields.
    """
    record = outcome.record
    spread = record.folds.spread if record.folds else {}
    return {
        **outcome_json(Outcome(record, reused=outcome.reused)),
        "spread": {metric: entry.to_json() for metric, entry in spread.items()},
        "folds": [outcome_json(entry) for entry in outcome.folds],
    }
