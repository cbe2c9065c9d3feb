"""Runs on the terminal: lists of them, one in full, predictions and submissions."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from imgcls.catalog import Stack
from imgcls.config.metrics import PRIMARY, RECORDED, Units, described
from imgcls.errors import ImgclsError, WorkspaceError
from imgcls.ladders.results import judging_ladder
from imgcls.plan import Plan
from imgcls.predictions.submission import Submission, SubmissionTable, has_test
from imgcls.records.blend import BlendRecord
from imgcls.records.run import Estimate, Folds, FoldSpread, RunRecord, short_key
from imgcls.reports.console import (
    NamedRows,
    count,
    interval,
    name,
    number,
    parts_of,
    path,
    show,
    with_interval,
    wrapped,
)
from imgcls.reports.verdict_text import shown_verdict
from imgcls.schema import to_json
from imgcls.storage import write_bytes
from imgcls.text import as_utf8, clean, duration, inert, kinds_of, listed

if TYPE_CHECKING:
    import pandas as pd

    from imgcls.engine.request import RunOutcome
    from imgcls.evidence.metrics import ValidationSummary
    from imgcls.evidence.per_class import ValidationDetail
    from imgcls.ladders.results import Blend
    from imgcls.records.attempts import AttemptState


_SHOWN_EXCLUDED = 10
_SHOWN_KINDS = 4
_SHOWN_CLASSES = 30
_SHOWN_METRICS = 2
_BESIDE_STACK = 36  # columns of run, seed and time, and the blanks between
_LEAST_STACK = 16
_ROOMY = 100
_NARROW = 76


@dataclass(frozen=True)
class RunList:
    """Everything that was trained in a workspace."""

    finished: tuple[RunRecord, ...]
    """Runs, oldest first."""
    attempts: tuple[AttemptState, ...]
    """Trainings on their way, or interrupted."""
    failed: tuple[RunRecord, ...]
    """Trainings that failed."""
    damaged: tuple[str, ...]
    """What could not be read, in words."""
    metric: str | None = None
    """The metric that decides here, shown first; None for that of each kind of problem."""
    blends: tuple[Blend, ...] = ()
    """Networks whose predictions were made one, oldest first."""

    def _metrics(self) -> list[str]:
        """Return the metrics that are shown: the one that decides, then accuracy and ROC AUC where runs have them."""
        first = [self.metric] if self.metric else [PRIMARY[record.problem] for record in self.finished]
        there = {metric for record in self.finished for metric in record.metrics}
        return [metric for metric in dict.fromkeys((*first, "accuracy", "roc_auc")) if metric in there][:_SHOWN_METRICS]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw a row for each run, and what else there is."""
        if not (self.finished or self.attempts or self.failed):
            yield Text("Nothing was trained here yet. Begin with 'imgcls recipe run baseline'.")
            return
        shown = self._metrics()[: 1 if options.max_width < _NARROW else None]
        stacks = [
            clean(f"{record.label}{_turn(record)}" + (" (quick)" if record.quick else "")) for record in self.finished
        ]
        longest = max((cell_len(clean(record.data.name)) for record in self.finished), default=0)
        titles = tuple(described(metric).title for metric in shown)
        beside = sum(len(title) + 2 for title in titles)
        widest = max((cell_len(part.rstrip()) for stack in stacks for part in parts_of(stack)), default=0)
        has_room = options.max_width >= max(_ROOMY, _BESIDE_STACK + beside + longest + 2 + max(widest, _LEAST_STACK))
        width = max(options.max_width - _BESIDE_STACK - beside - (longest + 2) * has_room, _LEAST_STACK, widest)
        yield NamedRows(
            ("run", "stack", *(["data"] if has_room else []), "seed", *titles, "when, UTC"),
            [
                (
                    Text(short_key(record.key), "dim"),
                    Text(wrapped(stack, width), "bold"),
                    *([name(record.data.name)] if has_room else []),
                    Text(str(record.seed)),
                    *(
                        Text(number(record.metrics[metric].value if metric in record.metrics else None))
                        for metric in shown
                    ),
                    Text(_minute(record.created)),
                )
                for record, stack in zip(self.finished, stacks, strict=True)
            ],
            numbers=frozenset({"seed", *titles}),
        )
        if self.finished:
            yield Text(f"One in full: imgcls runs show {short_key(self.finished[-1].key)}", style="dim")
        if self.blends:
            yield Text("\nBlends", style="bold")
            yield NamedRows(
                ("blend", "members", "score", "over the best of them", "when, UTC"),
                [
                    (
                        Text(blend.record.id, "bold"),
                        Text(wrapped(clean(blend.record.label), max(options.max_width // 3, _LEAST_STACK))),
                        Text(f"{Units(blend.record.metric).title} {number(blend.score.value)}"),
                        Text("-" if blend.verdict is None else shown_verdict(blend.verdict.gain.verdict)),
                        Text(_minute(blend.record.created)),
                    )
                    for blend in self.blends
                ],
            )
            yield Text(f"One in full: imgcls runs show {self.blends[-1].record.id}\n", style="dim")
        for attempt in self.attempts:
            stack = clean(str(attempt.info.get("stack", attempt.key[:8])))
            fold = attempt.info.get("fold")
            turn = "" if fold is None else f", fold {fold} of {attempt.info.get('n_folds')}"
            state = "failed, kept" if attempt.reason else attempt.state
            yield Text(f"{state}: {stack}{clean(turn)}, {attempt.n_epochs} epochs done", style="yellow")
        for record in self.failed:
            what = clean(f"{record.label}{_turn(record)}, seed {record.seed}: {record.reason or ''}")
            yield Text(f"failed: {what}", style="red")
        for sentence in self.damaged:
            yield Text(f"damaged: {clean(sentence)}", style="red")


def runs_json(view: RunList) -> dict[str, Any]:
    """Return a list of runs as JSON."""
    return {
        "schema": 1,
        "runs": [_short(record) for record in view.finished],
        "attempts": [
            {
                "key": entry.key,
                "state": entry.state,
                "info": dict(entry.info),
                "n_epochs": entry.n_epochs,
                "reason": entry.reason,
            }
            for entry in view.attempts
        ],
        "failed": [{**_short(record), "reason": record.reason} for record in view.failed],
        "damaged": list(view.damaged),
        "blends": [blend_json(blend) for blend in view.blends],
    }


def blend_json(blend: Blend) -> dict[str, Any]:
    """Return a blend in a list as JSON."""
    record = blend.record
    return {
        "blend": record.id,
        "path": str(record.folder),
        "way": record.way,
        "label": record.label,
        "runs": list(record.shares),
        "n_folds": record.n_folds,
        "metric": record.metric,
        "score": blend.score.to_json(),
        "verdict": None if blend.verdict is None else blend.verdict.gain.verdict,
        "gain": None if blend.verdict is None else blend.verdict.gain.value,
        "created": record.created,
    }


def _minute(moment: str) -> str:
    return moment[: len("2026-01-01 00:00")].replace("T", " ")


def _turn(record: RunRecord) -> str:
    """Describe which fold a run is, that it is all of them, or that all the data trained it; else nothing."""
    if record.folds is not None:
        return f" (all {record.n_folds} folds)"
    if record.all_data is not None:
        return " (all data)"
    return "" if record.fold is None else f" (fold {record.fold} of {record.n_folds})"


def _short(record: RunRecord) -> dict[str, Any]:
    return {
        "run": record.id,
        "path": str(record.folder),
        "stack": record.label,
        "seed": record.seed,
        "fold": record.fold,
        "n_folds": record.n_folds,
        "folds": None if record.folds is None else [fold.run for fold in record.folds.runs],
        "digest": record.plan_digest,
        "quick": record.quick,
        "all_data": record.all_data is not None,
        "data": record.data.name,
        "metrics": {metric: estimate.to_json() for metric, estimate in record.metrics.items()},
        "created": record.created,
    }


@dataclass(frozen=True)
class RunCard:
    """One run in full."""

    record: RunRecord
    """The run."""
    verified: bool = False
    """Whether its files were compared with their digests."""
    detail: ValidationDetail | None = None
    """What its predictions tell class by class; None where they are not there."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw what it was made of, what came out, and its files."""
        record = self.record
        yield Text(clean(record.label), style="bold")
        yield path(record.folder)
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for title, text in self._rows().items():
            grid.add_row(title, name(text))
        yield grid
        if record.folds is not None:
            yield Text("\nFolds", style="bold")
            yield fold_table(record, record.folds)
            yield Text()
            yield spread_table(record, record.folds)
        elif record.all_data is not None:
            yield from stands_for(record)
            yield Text(ALL_DATA_MEANING)
        else:
            yield from self._metrics()
        if self.detail is not None:
            yield from by_class(self.detail)
        yield from self._history()
        for assumption in self.record.data.assumptions or ():
            yield Text(f"\nAssumed: {clean(str(assumption))}")
        yield from self._excluded()

    def _metrics(self) -> RenderResult:
        yield Text("\nValidation", style="bold")
        for metric, estimate in self.record.metrics.items():
            note = f"  {clean(estimate.reason)}" if estimate.reason else ""
            yield Text(f"  {metric}: {number(estimate.value)}, {interval(estimate)}, {estimate.n} images{note}")

    def _rows(self) -> dict[str, str]:
        record = self.record
        environment, n = record.environment, record.data.n
        return {
            "data": f"{record.data.name}, digest {record.data.digest[:8]}, split {record.data.split_digest[:8]}",
            "photographs": ", ".join(f"{split} {number_of}" for split, number_of in n.items()),
            "classes": ", ".join(record.classes[:12]) + (" …" if len(record.classes) > 12 else ""),
            "problem": record.problem + (", quick" if record.quick else ""),
            "seed": str(record.seed),
            **({"fold": _turn(record).strip(" ()")} if record.n_folds else {}),
            "plan": f"digest {record.plan_digest[:8]}",
            "weights": f"{record.weights}, sha256 {(record.weights.sha256 or 'none')[:8]}",
            "reused from": record.reused_from or "nothing",
            "device": "{device} in {precision}, {threads} threads".format_map(environment),
            "versions": ", ".join(
                f"{package} {version}" for package, version in environment.get("versions", {}).items()
            ),
            "seconds": ", ".join(f"{part} {seconds:.1f}" for part, seconds in record.seconds.items()),
            "created": record.created,
            "files": ", ".join(record.files) + (", all as recorded" if self.verified else ""),
        }

    def _history(self) -> RenderResult:
        rows = self.record.history() if "history.csv" in self.record.files else []
        if not rows:
            return
        yield Text("\nEpochs", style="bold")
        table = Table(box=None, pad_edge=False, show_edge=False)
        for title in rows[0]:
            table.add_column(title.replace("_", " "), justify="right")
        for row in rows:
            table.add_row(
                *(
                    "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
                    for value in row.values()
                )
            )
        yield table

    def _excluded(self) -> RenderResult:
        excluded = self.record.data.excluded
        if not excluded:
            return
        yield Text(f"\nLeft out: {len(excluded)}", style="bold")
        for place, reason in excluded[:_SHOWN_EXCLUDED]:
            yield Text(f"  {clean(place)}: {clean(reason)}")
        if len(excluded) > _SHOWN_EXCLUDED:
            yield Text(f"  … and {len(excluded) - _SHOWN_EXCLUDED} more; --json lists all.", style="dim")


def by_class(detail: ValidationDetail) -> RenderResult:
    """Draw a row for each class, the one that is found least often first, and the calibration error."""
    yield Text("\nClass by class", style="bold")
    from imgcls.evidence.per_class import least_found_first  # loads scipy, which a list of runs does not need

    if detail.note:
        yield Text(clean(detail.note), style="yellow")
    if not detail.decision.is_default:
        rule = "; ".join(detail.decision.in_words())
        left = f" {detail.n_unsure:,} are left to a person, the scores are of the others." if detail.n_unsure else ""
        yield Text(clean(f"By decision.toml, for which these photographs were used: {rule}.{left}"))
    rows = least_found_first(detail.classes)
    titles = ("images", "recall", "precision", "F1", "ROC AUC")
    yield NamedRows(
        ("class", *titles),
        [
            (
                name(one.name),
                Text(f"{one.n:,}"),
                *(Text(with_interval(score)) for score in (one.recall, one.precision, one.f1, one.roc_auc)),
            )
            for one in rows[:_SHOWN_CLASSES]
        ],
        numbers=frozenset(titles),
    )
    if len(rows) > _SHOWN_CLASSES:
        yield Text(f"… and {len(rows) - _SHOWN_CLASSES} more classes; --json lists all.", style="dim")
    error = detail.calibration_error
    if error.value is not None:
        yield Text(f"Calibration error (15 bins of equal width): {with_interval(error)}")


def told_by_class(detail: ValidationDetail | None) -> dict[str, Any]:
    """Return the same as JSON values; empty where the predictions are not there."""
    if detail is None:
        return {"per_class": [], "calibration_error": None, "decision": None}
    return {
        "per_class": [to_json(one) for one in detail.classes],
        "calibration_error": to_json(detail.calibration_error),
        "decision": None if detail.decision.is_default else detail.decision.as_written(),
    }


def by_kind(reasons: Iterable[str]) -> str:
    """Count reasons by kind: `2 truncated, 1 missing`."""
    return listed((f"{n:,} {clean(kind)}" for kind, n in kinds_of(reasons).items()), _SHOWN_KINDS)


def left_out(record: RunRecord) -> Iterator[Text]:
    """Draw how many files a training could not use, by kind, and where they are named; nothing where it used all."""
    reasons = [reason for _, reason in record.data.excluded]
    if not reasons:
        return
    yield Text(f"{count(len(reasons), 'file')} left out: {by_kind(reasons)}. They are named by", style="yellow")
    yield Text(f"  imgcls runs show {record.id}", no_wrap=True, overflow="ignore")
    if record.data.lost_test:
        n = count(len(record.data.lost_test), "of them is", "of them are")
        yield Text(f"{n} of the test part: 'imgcls submit' fills these rows, and says so.", style="yellow")


# What a person who has a baseline would try next, one step at a time.
_LADDER = ("augmentation", "adamw_cosine", "label_smoothing", "tta")


@dataclass(frozen=True)
class RunSummary:
    """What a person sees when a run is done."""

    outcome: RunOutcome
    """The run, and how it came about."""
    validation: ValidationSummary
    """Its most confident mistakes, and how it stands against the answer that needs no photograph."""
    metric: str | None = None
    """The metric that decides, shown first; None for that of the kind of problem."""
    answered: str = ""
    """The options that say what was answered to questions, with a blank before each; empty where nothing was asked."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the scores, the mistakes, the meaning, the place and the next command."""
        record = self.outcome.record
        yield Text()
        yield Text(f"{clean(record.label)}, seed {record.seed}: {how_reached(self.outcome)}", style="bold")
        yield metric_table(record, self.metric)
        yield from left_out(record)
        if self.validation.mistakes:
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
        """Describe what the score does and does not tell."""
        record, trivial = self.outcome.record, self.validation.trivial
        if record.quick:
            return QUICK_MEANING
        if self.validation.only_class is not None:
            return (
                f"It names {clean(self.validation.only_class)} for every photograph: it collapsed, and the scores say "
                "nothing of the recipes. Most often the learning rate is too high for the network, or there were too "
                "few steps for it to leave the most frequent class."
            )
        if trivial is None:
            return "The score could not be computed; the table says why."
        if lost := record.lost_from_start(trivial.metric):
            return (
                f"{described(trivial.metric).title} {lost[1]:.3f} is below {lost[0]:.3f}, which the fitted classifier "
                "had before the first epoch: training undid what was there. Most often the learning rate is too high; "
                "linear_probe alone keeps the better score."
            )
        scored = record.metrics[trivial.metric]
        value = scored.value or 0.0
        title = described(trivial.metric).title
        against = f"{clean(trivial.name)} scores {trivial.value:.3f}"
        doubt = (
            "there is no interval; the table says why" if scored.low is None else "the interval reaches down to that"
        )
        verdict = {
            "better": f"{title} {value:.3f} is better than the answer that needs no photograph: {against}.",
            "no better": f"{title} {value:.3f}, but {against}: nothing was learned. Look at the data and the labels.",
            "cannot tell": f"{title} {value:.3f} does not settle it: {against}, and {doubt}.",
        }[trivial.verdict]
        return f"{verdict} This is one seed: whether a recipe helps takes several, since two seeds differ too."

    def next_commands(self) -> list[str]:
        """Return the next sensible commands."""
        record = self.outcome.record
        use = [f"imgcls predict {record.id} PHOTO …"]
        if record.quick:
            whole = f"imgcls recipe run {record.stack}{self.answered}    # the whole data, with the same options"
            return [whole, *use]
        if self.validation.only_class is not None:  # one more recipe on top would not help
            plan = Plan.from_json(record.plan)
            rate, epochs = plan.optimizer.learning_rate / 3, 2 * plan.fit.epochs
            stack = f"imgcls recipe run {record.stack}{self.answered}"
            return [
                f"{stack} --set optimizer.learning_rate={rate:.1g}    # with the same options otherwise",
                f"{stack} --epochs {epochs}    # likewise",
            ]
        if has_test(record):
            use.append(f"imgcls submit {record.id}    # what it says of the test part")
        for recipe in _LADDER:
            with suppress(ImgclsError):  # a recipe that does not go with this stack is no next step
                longer = Stack.parse(f"{record.stack}+{recipe}", record.overrides).text
                return [f"imgcls recipe run {longer}{self.answered}    # with the same options", *use]
        return [*use, "imgcls recipe list"]

    def _mistake_table(self) -> NamedRows:
        return NamedRows(
            ("photograph", "label", "predicted", "confidence"),
            [
                (
                    name(mistake.id),
                    name(mistake.label or "none"),
                    name(mistake.predicted),
                    Text(number(mistake.confidence)),
                )
                for mistake in self.validation.mistakes
            ],
            numbers=frozenset({"confidence"}),
        )


def how_reached(outcome: RunOutcome) -> str:
    """Describe whether a run was trained now, found, repeated or predicted with other weights."""
    record = outcome.record
    if outcome.same_bits is not None:
        different = [name for name, same in outcome.same_bits.items() if not same]
        if not different:
            return f"trained again, and equal to the record bit by bit in {', '.join(outcome.same_bits)}"
        return f"trained again, and different from the record in {', '.join(different)}"
    if outcome.reused:
        return f"already trained on {record.created[:10]}; use --again to train again"
    if record.reused_from:
        return f"predicted with the weights of {record.reused_from}"
    speed = f", {record.images_per_second:.0f} images/s in training" if record.images_per_second else ""
    return f"done in {duration(record.seconds['total'])}{speed}"


def in_order(record: RunRecord, metric: str | None = None) -> list[str]:
    """Return the metrics of a record in the order they are shown; the first decides.

    Args:
        record: The run.
        metric: The one that decides; None for that of the kind of problem.
    """
    first = metric if metric in record.metrics else PRIMARY[record.problem]
    return sorted(record.metrics, key=lambda entry: (entry != first, (*RECORDED, entry).index(entry)))


def _units(record: RunRecord) -> str:
    """Describe what the intervals take as one: groups, and the images of no group; nothing where each image counts."""
    n_groups, n_units = record.data.n_valid_groups, record.data.n_valid_units
    if not n_groups:
        return ""
    if n_units is None or n_units == n_groups:
        return f", {count(n_groups, 'group')} of images"
    return f", {count(n_groups, 'group')} and {count(n_units - n_groups, 'single image')}"


def metric_table(record: RunRecord, metric: str | None = None) -> Table:
    """Draw the metrics of a run with their intervals, the one that decides first; arguments as `in_order`."""
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("validation" + _units(record))
    table.add_column("value", justify="right")
    table.add_column("95 % interval")
    table.add_column("images", justify="right")
    for place, entry in enumerate(in_order(record, metric)):
        estimate, known = record.metrics[entry], described(entry)
        title = known.title + ("" if known.higher_is_better else " (lower is better)")
        note = f"  {estimate.reason}" if estimate.reason else ""
        table.add_row(
            Text(title, style="" if place else "bold"),
            number(estimate.value),
            Text(interval(estimate) + clean(note)),
            str(estimate.n),
        )
    return table


def outcome_json(outcome: RunOutcome) -> dict[str, Any]:
    """Return a run as the one JSON object that `recipe run --json` prints.

    Returns:
        The fields of the run; with folds they are those out of fold, and there are two more: `spread`, mean and
        standard deviation over the folds of each metric; and `folds`, the runs with the same fields.
    """
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
        "all_data": None if record.all_data is None else {**to_json(record.all_data), "ladder": judging_ladder(record)},
        "left_out": kinds_of(reason for _, reason in record.data.excluded),
        "lost_test": kinds_of(entry.reason for entry in record.data.lost_test or ()),
    }
    if outcome.other_versions:
        found["other_versions"] = list(outcome.other_versions)
    if outcome.same_bits is not None:
        found["same_bits"] = outcome.same_bits
    if outcome.folds and record.folds is not None:
        found["spread"] = {metric: to_json(entry) for metric, entry in record.folds.spread.items()}
        found["folds"] = [outcome_json(entry) for entry in outcome.folds]
    return found


MEANING = (
    "Out of fold, every photograph is scored once, by a network that did not see it; the interval says how precise "
    "that is for other photographs like these. The ± is the standard deviation from fold to fold. It shows how much "
    "the score depends on who trains and who validates; it is no error of the mean, since the trainings share most of "
    "their photographs and are not independent. Whether a recipe helps takes the same folds and several seeds."
)


@dataclass(frozen=True)
class FoldsSummary:
    """What a person sees when all folds are done."""

    outcome: RunOutcome
    """The record of all folds, their runs, and how they came about."""
    metric: str | None = None
    """The metric that decides, shown first; None for that of the kind of problem."""
    answered: str = ""
    """As in `RunSummary`."""

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
        yield from left_out(record)
        yield Text("\nWhat it means", style="bold")
        yield Text(QUICK_MEANING if record.quick else MEANING)
        yield Text("\nRecord", style="bold")
        yield path(record.folder)
        yield Text("\nNext", style="bold")
        for line in self.next_commands():
            yield Text(f"  {line}", no_wrap=True, overflow="ignore")

    def next_commands(self) -> list[str]:
        """Return the next sensible commands."""
        record = self.outcome.record
        first = self.outcome.folds[0].record.id
        return [
            f"imgcls recipe run {record.stack}{self.answered}    # one network to use, with the same options",
            f"imgcls predict {first} PHOTO …    # or that of a fold",
        ]

    def _how(self) -> str:
        folds = self.outcome.folds
        if all(outcome.same_bits is not None for outcome in folds):
            n_equal = sum(all((outcome.same_bits or {}).values()) for outcome in folds)
            return f"trained again, {n_equal} of {len(folds)} equal to their records bit by bit"
        n_reused = sum(outcome.reused for outcome in folds)
        if n_reused == len(folds):
            return "already trained; use --again to train again"
        trained = [outcome.record.seconds["total"] for outcome in folds if not outcome.reused]
        before = f", {n_reused} already trained" if n_reused else ""
        return f"{len(trained)} done in {duration(sum(trained))}{before}"


ALL_DATA_MEANING = (
    "Train and validation trained together, so that no photograph is left to score it on. It was trained as these runs "
    "were, on more photographs, and their score stands for it; where recipes were chosen by it, it says a little too "
    "much."
)


@dataclass(frozen=True)
class AllDataSummary:
    """What a person sees when networks were trained on all the data."""

    outcomes: Sequence[RunOutcome]
    """The runs, one for each seed, and how they came about."""
    metric: str | None = None
    """The metric that decides; None for that of the kind of problem."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the runs, what stands for their score, what that means, and the next commands."""
        records = [outcome.record for outcome in self.outcomes]
        yield Text()
        n = count(records[0].data.n["train"], "photograph")
        yield Text(f"{clean(records[0].label)} on all the data: {n} train, none validates", style="bold")
        for outcome in self.outcomes:
            yield Text(f"seed {outcome.record.seed}: {how_reached(outcome)}")
            yield path(outcome.record.folder)
        yield from left_out(records[0])
        yield from stands_for(records[0], self.metric)
        yield Text("\nWhat it means", style="bold")
        yield Text(ALL_DATA_MEANING)
        yield Text("\nNext", style="bold")
        for line in self.next_commands():
            yield Text(f"  {line}", no_wrap=True, overflow="ignore")

    def next_commands(self) -> list[str]:
        """Return what can be done with the networks."""
        first = self.outcomes[0].record
        steps = [f"imgcls predict {first.id} PHOTO …"]
        if has_test(first):
            steps.append(f"imgcls submit {first.id}    # what it says of the test part")
        if len(self.outcomes) > 1:
            stack = shlex.quote(first.stack) if first.label == first.stack else short_key(first.plan_digest)
            steps.append(f"imgcls blend {stack} --all-data    # all of them as one")
        return steps


def stands_for(record: RunRecord, metric: str | None = None) -> RenderResult:
    """Draw the judged runs whose score stands for a run on all the data; nothing of another run."""
    if record.all_data is None:
        return
    primary, ladder = metric or PRIMARY[record.problem], judging_ladder(record)
    yield Text("\nWhat stands for its score", style="bold")
    if ladder is not None:
        yield Text(f"imgcls ladder show {shlex.quote(ladder)}", no_wrap=True, overflow="ignore")
    yield NamedRows(
        ("judged run", described(primary).title, "95 % interval", "images"),
        [
            (name(one.run), Text(number(found.value)), Text(interval(found)), Text(str(found.n)))
            for one in record.all_data.judged
            if (found := one.metrics.get(primary)) is not None
        ],
        numbers=frozenset({described(primary).title, "images"}),
    )


def outcome_view(
    *outcomes: RunOutcome, metric: str | None = None, answered: str = ""
) -> RunSummary | FoldsSummary | AllDataSummary:
    """Return what a person sees when a training is done.

    Args:
        *outcomes: The run; on all the data one for each seed.
        metric: What decides, and is shown first; None for that of the kind of problem.
        answered: The options that say what was answered to questions, with a blank before each.
    """
    from imgcls.evidence.metrics import ValidationSummary  # loads scipy, which a list of runs does not need

    outcome = outcomes[0]
    if outcome.record.all_data is not None:
        return AllDataSummary(outcomes, metric)
    if outcome.folds:
        return FoldsSummary(outcome, metric, answered)
    return RunSummary(outcome, ValidationSummary.of(outcome.record, metric=metric), metric, answered)


def fold_table(record: RunRecord, folds: Folds, metric: str | None = None) -> Table:
    """Draw a row for each fold: its run, its size, its score in the metric that decides."""
    primary = in_order(record, metric)[0]
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("fold", justify="right")
    table.add_column("run", style="dim", no_wrap=True)
    for title in ("train", "validation", described(primary).title):
        table.add_column(title, justify="right")
    table.add_column("95 % interval")
    for run in folds.runs:
        estimate = run.metrics.get(primary, Estimate.missing("not recorded", n=run.n["valid"]))
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
    table.add_column("out of fold" + _units(record))
    table.add_column("value", justify="right")
    table.add_column("95 % interval")
    table.add_column("images", justify="right")
    table.add_column("mean of folds ± spread", no_wrap=True)
    for place, entry in enumerate(in_order(record, metric)):
        estimate, known = record.metrics[entry], described(entry)
        note = f"  {clean(estimate.reason)}" if estimate.reason else ""
        table.add_row(
            Text(
                known.title + ("" if known.higher_is_better else " (lower is better)"),
                style="" if place else "bold",
            ),
            number(estimate.value),
            Text(interval(estimate) + note),
            str(estimate.n),
            spread_text(folds.spread.get(entry, FoldSpread(None, None, 0)), n_folds=len(folds.runs)),
        )
    return table


def spread_text(spread: FoldSpread, *, n_folds: int) -> str:
    """Return mean and standard deviation over folds, and of how many where some have no value."""
    if spread.mean is None:
        return "-"
    of = "" if spread.n == n_folds else f" ({spread.n} of {n_folds})"
    return f"{number(spread.mean)} ± {number(spread.sd)}{of}"


_MOST_ROWS = 50


def print_table(frame: pd.DataFrame, record: RunRecord | BlendRecord) -> None:
    """Print predictions for a person to read; long ones are cut, and say so."""
    shown = frame.head(_MOST_ROWS)[["id", "status", "reason", "prediction", "confidence"]]
    rows = []
    for row in shown.to_dict(orient="records"):  # not tuples: Python takes two classes that NFKC makes one for one name
        photograph = name(str(row["id"]))
        if row["status"] == "error":
            rows.append((photograph, Text(clean(str(row["reason"])), style="red"), Text("-")))
        else:
            confidence = Text(number(float(row["confidence"])))
            rows.append((photograph, name(str(row["prediction"]) or "none"), confidence))
    show(NamedRows(("photograph", "prediction", "confidence"), rows, numbers=frozenset({"confidence"})))
    if len(frame) > _MOST_ROWS:
        show(Text(f"… and {len(frame) - _MOST_ROWS} more; '-o predictions.csv' writes all.", style="dim"))
    by = " and decision.toml" if frame.attrs.get("decision") else ""
    show(Text(f"by {record.id}{by}", style="dim"))


def as_csv(frame: pd.DataFrame, *, raw: bool = False, terminal: bool = False) -> str:
    """Return predictions as CSV.

    Args:
        frame: What `Classifier.predict` gave.
        raw: Whether names stay exactly as they are, also those that a spreadsheet would run; see `inert`.
        terminal: Whether it is shown on a terminal, where control characters are written out.
    """
    table = _writable(frame)
    for column in ("id", "path", "reason", "prediction"):
        texts = [str(text) for text in table[column]]
        texts = texts if raw else [inert(text) for text in texts]
        table[column] = [clean(text) for text in texts] if terminal else texts
    if terminal:
        table.columns = [clean(str(title)) for title in table.columns]
    return table.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC)  # a name may hold any line end


def as_json_text(frame: pd.DataFrame, record: RunRecord | BlendRecord) -> str:
    """Return predictions as one JSON object."""
    rows: list[dict[str, Any]] = []
    columns = [column for column in frame.columns if column.startswith("p_")]
    for row in _writable(frame).to_dict(orient="records"):
        is_error = row["status"] == "error"
        probabilities = None if is_error else {column[2:]: row[column] for column in columns}
        kept = {key: row[key] for key in ("id", "path", "status", "reason", "prediction")}
        confidence = None if is_error else row["confidence"]
        rows.append({**kept, "confidence": confidence, "probabilities": probabilities})
    failed = kinds_of(frame["reason"][frame["status"] == "error"])
    head = {
        "schema": 1,
        "run": record.id,
        "classes": list(record.classes),
        "n": {"ok": len(rows) - sum(failed.values()), "error": sum(failed.values())},
        "errors": failed,
        "not_photographs": frame.attrs.get("not_photographs", {}),
        "decision": frame.attrs.get("decision"),
    }
    return json.dumps({**head, "predictions": rows}, allow_nan=False) + "\n"


def write(frame: pd.DataFrame, file: Path, record: RunRecord | BlendRecord, *, raw: bool = False) -> None:
    """Write predictions to a `.csv` or `.json` file, whole or not at all; `raw` is that of `as_csv`.

    Raises:
        WorkspaceError: The file's ending is neither.
    """
    forms = {".csv": lambda: as_csv(frame, raw=raw), ".json": lambda: as_json_text(frame, record)}
    if file.suffix.lower() not in forms:
        raise WorkspaceError(f"{file} has to end in .csv or .json.")
    write_bytes(file, forms[file.suffix.lower()]().encode("utf-8"))


def _writable(frame: pd.DataFrame) -> pd.DataFrame:
    """Return names that are no UTF-8 with their bytes written out, so that a file can hold them."""
    texts = frame.copy()
    for column in ("id", "path"):
        texts[column] = [as_utf8(text) for text in frame[column]]
    return texts


_MOST_COLUMNS = 8


@dataclass(frozen=True)
class SubmissionWritten:
    """A table of predictions that lies on the disk."""

    submission: Submission
    """What was written."""
    table: SubmissionTable
    """The table."""
    record: RunRecord | BlendRecord
    """The run, or the blend, that predicted."""
    why: str = ""
    """Why this run, where none was named; "" where one was."""
    note: str = ""
    """What the sample leaves open; "" where nothing is."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Say whose predictions they are, what is in the file, where it lies, and what to do next."""
        record, submission = self.record, self.submission
        rows, whose = count(submission.n_rows, "test photograph"), clean(record.label)
        if isinstance(record, RunRecord):
            whose += f", seed {record.seed}" + (" (a quick run: its scores mean little)" if record.quick else "")
        yield Text(f"Predictions of {whose}, for {rows}:", style="bold")
        yield path(submission.path)
        if self.why:
            yield Text(clean(f"Chosen: {self.why}."))
        yield Text(self._contents())
        if self.table.note:
            yield Text(clean(self.table.note), style="yellow")
        yield Text("\nNext", style="bold")
        yield Text("  imgcls checklist    # where you stand", no_wrap=True, overflow="ignore")

    def _contents(self) -> str:
        columns = clean(listed(self.table.columns, _MOST_COLUMNS))
        form = f"as in {clean(self.submission.sample)}" if self.submission.sample else "no sample submission was given"
        return f"Columns {columns}: {self._meaning()}; {form}."

    def _meaning(self) -> str:
        if self.table.probability_of:
            return f"the probability of {clean(self.table.probability_of)!r}"
        if self.submission.holds == "classes" and self.record.problem == "binary":
            return "classes (--probabilities writes probabilities)"
        return self.submission.holds

    def to_json(self) -> dict[str, Any]:
        """Return the same as JSON values."""
        return {
            **self.submission.to_json(),
            "path": str(self.submission.path),
            "columns": list(self.table.columns),
            "probability_of": self.table.probability_of or None,
            "filled": dict(self.table.filled),
            **({"note": self.table.note} if self.table.note else {}),
        }


QUICK_MEANING = "A quick run, short and on few photographs: it shows that everything works, its scores mean little."
