"""The end of a training: what came out, what it means, what to do next."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from imgcls.catalog import Stack
from imgcls.data.samples import as_targets
from imgcls.engine.outcome import Outcome
from imgcls.engine.reporting import duration
from imgcls.errors import ImgclsError
from imgcls.evidence.metrics import METRICS, PRIMARY
from imgcls.evidence.summary import Mistake, Trivial, against_trivial, confident_mistakes
from imgcls.records.run import RunRecord
from imgcls.records.submissions import TEST_FILE
from imgcls.reports.text import clean, count, interval, name, number, path

# What a person who has a baseline would try next, one step at a time.
_LADDER = ("augmentation", "adamw_cosine", "label_smoothing", "tta")

TRIAL_MEANING = "A trial, short and on few photographs: it shows that everything works, its scores mean little."


@dataclass(frozen=True)
class RunSummary:
    """What a person sees when a run is done."""

    outcome: Outcome
    """The run, and how it came about."""
    mistakes: tuple[Mistake, ...]
    """Its most confident mistakes in validation."""
    trivial: Trivial | None
    """How it stands against the answer that needs no photograph."""
    metric: str | None = None
    """The metric that decides, shown first; None for that of the kind of problem."""

    @classmethod
    def of(cls, outcome: Outcome, *, metric: str | None = None) -> RunSummary:
        """Gather what is shown from the record of a run; `metric` is shown first."""
        record = outcome.record
        frame = record.predictions("valid")
        probabilities = frame.filter(regex="^p_").to_numpy(dtype=np.float64)
        targets = as_targets(frame["label"], classes=record.classes, problem=record.problem)
        mistakes = confident_mistakes(
            frame["id"].tolist(), probabilities, targets, classes=record.classes, labels=frame["label"].tolist()
        )
        trivial = against_trivial(record.metrics, targets, classes=record.classes, metric=metric)
        return cls(outcome, tuple(mistakes), trivial, metric)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the scores, the mistakes, the meaning, the place and the next command."""
        record = self.outcome.record
        yield Text()
        yield Text(f"{clean(record.label)}, seed {record.seed}: {self._how()}", style="bold")
        yield metric_table(record, self.metric)
        if record.data.n["excluded"]:
            n = record.data.n["excluded"]
            yield Text(f"{count(n, 'file')} left out; 'imgcls runs show {record.id}' lists them.", style="yellow")
        if self.mistakes:
            yield Text("\nMost confident mistakes in validation", style="bold")
            yield self._mistake_table()
        yield Text("\nWhat it means", style="bold")
        yield Text(self.meaning())
        yield Text("\nRecord", style="bold")
        yield path(record.folder)
        yield Text("\nNext", style="bold")
        for line in self.next_commands():
            yield Text(f"  {line}", no_wrap=True, overflow="ignore")

    def meaning(self) -> str:
        """Say what the score does and does not tell."""
        record, trivial = self.outcome.record, self.trivial
        if record.quick:
            return TRIAL_MEANING
        if trivial is None:
            return "The score could not be computed; the table says why."
        value = record.metrics[trivial.metric].value or 0.0
        title = METRICS[trivial.metric].title
        against = f"{clean(trivial.name)} scores {trivial.value:.3f}"
        verdict = {
            "better": f"{title} {value:.3f} is better than the answer that needs no photograph: {against}.",
            "no better": f"{title} {value:.3f}, but {against}: nothing was learned. Look at the data and the labels.",
            "cannot tell": f"{title} {value:.3f} does not settle it: {against}, and the interval reaches down to that.",
        }[trivial.verdict]
        return f"{verdict} This is one seed: whether a recipe helps takes several, since two seeds differ too."

    def next_commands(self) -> list[str]:
        """Give the next sensible commands."""
        record = self.outcome.record
        use = [f"imgcls predict {record.id} PHOTO …"]
        if record.quick:
            return [f"imgcls recipe run {record.stack}    # the whole data, with the same options", *use]
        if TEST_FILE in record.files:
            use.append(f"imgcls submit {record.id}    # what it says of the test part")
        for recipe in _LADDER:
            with suppress(ImgclsError):  # a recipe that does not go with this stack is no next step
                longer = Stack.parse(f"{record.stack}+{recipe}", record.overrides).text
                return [f"imgcls recipe run {longer}    # with the same options", *use]
        return [*use, "imgcls recipe list"]

    def _how(self) -> str:
        outcome, record = self.outcome, self.outcome.record
        if outcome.same_bits is not None:
            different = [name for name, same in outcome.same_bits.items() if not same]
            if not different:
                return f"trained anew, and equal to the record bit by bit in {', '.join(outcome.same_bits)}"
            return f"trained anew, and different from the record in {', '.join(different)}"
        if outcome.reused:
            return f"already trained on {record.created[:10]}; use --again to train anew"
        if record.reused_from:
            return f"predicted with the weights of {record.reused_from}"
        speed = f", {record.images_per_second:.0f} images/s in training" if record.images_per_second else ""
        return f"done in {duration(record.seconds['total'])}{speed}"

    def _mistake_table(self) -> Table:
        table = Table(box=None, pad_edge=False, show_edge=False)
        for title in ("photograph", "label", "predicted"):
            table.add_column(title)
        table.add_column("sure", justify="right")
        for mistake in self.mistakes:
            table.add_row(
                name(mistake.id), name(mistake.label or "none"), name(mistake.predicted), number(mistake.confidence)
            )
        return table


def in_order(record: RunRecord, metric: str | None = None) -> list[str]:
    """Give the metrics of a record in the order they are shown; the first decides.

    Args:
        record: The run.
        metric: The one that decides; None for that of the kind of problem.
    """
    first = metric or PRIMARY[record.problem]
    return sorted(record.metrics, key=lambda entry: (entry != first, list(METRICS).index(entry)))


def metric_table(record: RunRecord, metric: str | None = None) -> Table:
    """Draw the metrics of a run with their intervals, the one that decides first; arguments as `in_order`."""
    table = Table(box=None, pad_edge=False, show_edge=False)
    n_groups = record.data.n_valid_groups
    table.add_column(f"validation, {count(n_groups, 'group')} of images" if n_groups else "validation")
    table.add_column("value", justify="right")
    table.add_column("95 % interval")
    table.add_column("images", justify="right")
    for place, entry in enumerate(in_order(record, metric)):
        estimate, known = record.metrics[entry], METRICS[entry]
        title = known.title + ("" if known.higher_is_better else " (lower is better)")
        note = f"  {estimate.reason}" if estimate.reason else ""
        table.add_row(
            Text(title, style="" if place else "bold"),
            number(estimate.value),
            Text(interval(estimate) + clean(note)),
            str(estimate.n),
        )
    return table


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """Give a run as the one JSON object that `recipe run --json` prints."""
    record = outcome.record
    found: dict[str, Any] = {
        "schema": 1,
        "run": record.id,
        "path": str(record.folder),
        "stack": record.label,
        "seed": record.seed,
        "fold": record.fold,
        "n_folds": record.n_folds,
        "digest": record.plan_digest,
        "quick": record.quick,
        "metrics": {metric: estimate.to_json() for metric, estimate in record.metrics.items()},
        "n": dict(record.data.n),
        "seconds": dict(record.seconds),
        "images_per_second": record.images_per_second,
        "reused": outcome.reused,
        "reused_from": record.reused_from,
    }
    if outcome.other_versions:
        found["other_versions"] = list(outcome.other_versions)
    if outcome.same_bits is not None:
        found["same_bits"] = outcome.same_bits
    return found
