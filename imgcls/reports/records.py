"""Lists of runs, and one run in full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from imgcls.records.attempts import AttemptState
from imgcls.records.keys import short_key
from imgcls.records.run import RunRecord
from imgcls.reports.text import clean, interval, name, number, path

_SHOWN_EXCLUDED = 10
_ROOMY = 100


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

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw a row for each run, and what else there is."""
        if not (self.finished or self.attempts or self.failed):
            yield Text("Nothing was trained here yet. Begin with 'imgcls recipe run baseline'.")
            return
        table = Table(box=None, pad_edge=False, show_edge=False)
        table.add_column("run", style="dim", no_wrap=True)
        for title in ("stack", "data"):
            table.add_column(title, overflow="fold")
        for title in ("seed", "accuracy", "AUC"):
            table.add_column(title, justify="right", no_wrap=True)
        table.add_column("when", no_wrap=True)
        length = len("2026-01-01 00:00") if options.max_width >= _ROOMY else len("2026-01-01")
        for record in self.finished:
            accuracy, auc = (record.metrics.get(metric) for metric in ("accuracy", "roc_auc"))
            table.add_row(
                short_key(record.key),
                name(f"{record.label}{_turn(record)}" + (" (quick)" if record.quick else ""), "bold"),
                name(record.data.name),
                str(record.seed),
                number(accuracy.value if accuracy else None),
                number(auc.value if auc else None),
                record.created[:length].replace("T", " "),
            )
        yield table
        if self.finished:
            yield Text(f"One in full: imgcls runs show {short_key(self.finished[-1].key)}", style="dim")
        for attempt in self.attempts:
            stack = clean(str(attempt.info.get("stack", attempt.key[:8])))
            fold = attempt.info.get("fold")
            turn = "" if fold is None else f", fold {fold} of {attempt.info.get('n_folds')}"
            yield Text(f"{attempt.state}: {stack}{clean(turn)}, {attempt.n_epochs} epochs done", style="yellow")
        for record in self.failed:
            what = clean(f"{record.label}{_turn(record)}, seed {record.seed}: {record.reason or ''}")
            yield Text(f"failed: {what}", style="red")
        for sentence in self.damaged:
            yield Text(f"damaged: {clean(sentence)}", style="red")


def runs_json(view: RunList) -> dict[str, Any]:
    """Give a list of runs as JSON."""
    return {
        "schema": 1,
        "runs": [_short(record) for record in view.finished],
        "attempts": [
            {"key": entry.key, "state": entry.state, "info": dict(entry.info), "n_epochs": entry.n_epochs}
            for entry in view.attempts
        ],
        "failed": [{**_short(record), "reason": record.reason} for record in view.failed],
        "damaged": list(view.damaged),
    }


def _turn(record: RunRecord) -> str:
    """Say which fold a run is, or that it is all of them; nothing without folds."""
    if record.folds is not None:
        return f" (all {record.n_folds} folds)"
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
            from imgcls.reports.folds import fold_table, spread_table  # loads scipy, which other runs do not need

            yield Text("\nFolds", style="bold")
            yield fold_table(record, record.folds)
            yield Text()
            yield spread_table(record, record.folds)
        else:
            yield from self._metrics()
        yield from self._history()
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
            "weights": f"{record.weights.source}, sha256 {(record.weights.sha256 or 'none')[:8]}",
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
            table.add_row(*(f"{value:.4g}" if isinstance(value, float) else str(value) for value in row.values()))
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
