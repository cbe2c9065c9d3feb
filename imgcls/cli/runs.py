"""`imgcls runs`: what was trained here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from imgcls.cli.options import JSON, METRIC, OUT, print_json, workspace_of
from imgcls.errors import ImgclsError
from imgcls.workspace import MARKER


@click.group()
def runs() -> None:
    """List, show and remove finished runs."""


@runs.command("list")
@OUT
@JSON
def list_runs(out: Path | None, as_json: bool) -> None:
    """List the runs of this workspace, with those that were interrupted or failed."""
    from imgcls.records.attempts import find_attempts
    from imgcls.records.find import find_failed, find_runs
    from imgcls.reports.runs import RunList, runs_json

    workspace = workspace_of(out)
    finished, damaged = find_runs(workspace)
    failed, _ = find_failed(workspace)
    attempts = find_attempts(workspace)
    damaged += [attempt.damage for attempt in attempts if attempt.damage]
    view = RunList(tuple(finished), tuple(attempts), tuple(failed), tuple(damaged))
    if as_json:
        print_json(runs_json(view))
        return
    if (workspace.root / MARKER).exists():  # pydantic is loaded only where there is a problem to read
        from imgcls.config.problem import find_problem

        problem = find_problem(workspace.root)
        view = replace(view, metric=problem.metric if problem else None)
    from imgcls.reports.console import show as show_view

    show_view(view)


@runs.command()
@click.argument("run")
@click.option("--verify", is_flag=True, help="Compare every file with its recorded digest.")
@click.option(
    "--metric", "metrics", type=METRIC, multiple=True, help="Compute a metric of its predictions too; repeatable."
)
@OUT
@JSON
def show(run: str, verify: bool, metrics: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Show one RUN: a folder, an id, or the beginning of one.

    A METRIC has its options behind its name: micro_f1, mcc, brier, calibration_error, sensitivity, specificity,
    f_beta:beta=2, top_k:k=3, quadratic_kappa:order=mild|severe, recall_at_precision:precision=0.9,
    precision_at_recall:recall=0.95; with class=NAME where one class is meant; or module:function for your own.
    """
    from imgcls.records.find import find_run

    record = find_run(run, workspace_of(out))
    if verify:
        record.verify()
    if metrics:
        from imgcls.evidence.contributions import check_metric
        from imgcls.evidence.metrics import estimates_of

        for metric in metrics:
            check_metric(metric, problem=record.problem, classes=record.classes)
        record = replace(record, metrics={**record.metrics, **estimates_of(record, metrics)})
    from imgcls.evidence.per_class import ValidationDetail
    from imgcls.schema import to_json

    detail = None
    if {"valid.parquet", "oof.parquet"} & record.files.keys():
        try:
            detail = ValidationDetail.of(record)
        except ImgclsError as problem:  # the rest of the record can be read all the same
            click.echo(f"No scores of single classes: {problem}", err=True)
    if as_json:
        more: dict[str, Any] = {"per_class": [], "calibration_error": None, "decision": None}
        if detail:
            more = {"per_class": [to_json(one) for one in detail.classes]}
            more["calibration_error"] = to_json(detail.calibration_error)
            more["decision"] = None if detail.decision.is_default else detail.decision.as_written()
        print_json({**record.to_json(), **more, "path": str(record.folder), "verified": verify})
        return
    from imgcls.reports.console import show as show_view
    from imgcls.reports.runs import RunCard

    show_view(RunCard(record, verified=verify, detail=detail))


@runs.command()
@click.argument("run", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@OUT
def rm(run: tuple[str, ...], yes: bool, out: Path | None) -> int:
    """Remove RUNs from the disk."""
    from imgcls.records.find import find_run
    from imgcls.records.remove import remove_runs

    workspace = workspace_of(out)
    records = [find_run(text, workspace) for text in run]
    names = ", ".join(record.id for record in records)
    if not yes and not click.confirm(f"Remove {names}?", err=True):
        click.echo("Nothing was removed.")
        return 1
    remove_runs(records, workspace)
    click.echo(f"Removed {names}.")
    return 0
