"""`imgcls runs`: what was trained and blended here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from imgcls.cli.options import (
    DEVICE,
    JSON,
    METRIC,
    METRIC_NAME,
    OUT,
    SMALLEST_GAIN,
    asking,
    data_options,
    print_json,
    source_of,
    workspace_of,
)
from imgcls.errors import ImgclsError
from imgcls.plan import VIEW_KINDS
from imgcls.workspace import MARKER


@click.group()
def runs() -> None:
    """List and show what was trained and blended, and remove runs."""


@runs.command("list")
@OUT
@JSON
def list_runs(out: Path | None, as_json: bool) -> None:
    """List the runs and blends of this workspace, and what was interrupted or failed."""
    from imgcls.ladders.results import read_blends
    from imgcls.records.attempts import find_attempts
    from imgcls.records.find import find_failed, find_runs
    from imgcls.reports.runs import RunList, runs_json

    workspace = workspace_of(out)
    finished, damaged = find_runs(workspace)
    failed, _ = find_failed(workspace)
    attempts = find_attempts(workspace)
    blends, damaged_blends = read_blends(workspace)
    damaged += damaged_blends
    damaged += [attempt.damage for attempt in attempts if attempt.damage]
    view = RunList(tuple(finished), tuple(attempts), tuple(failed), tuple(damaged), blends=tuple(blends))
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
    "--metric", "metrics", type=METRIC_NAME, multiple=True, help="Compute a metric of its predictions too; repeatable."
)
@click.option(
    "--reliability",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw how often it is right beside its confidence; a file that ends in .svg or .png.",
)
@OUT
@JSON
def show(
    run: str, verify: bool, metrics: tuple[str, ...], reliability: Path | None, out: Path | None, as_json: bool
) -> None:
    """Show one RUN, or a blend: a folder, an id, or the beginning of one.

    A METRIC has its options behind its name: micro_f1, mcc, brier, calibration_error, sensitivity, specificity,
    f_beta:beta=2, top_k:k=3, quadratic_kappa:order=mild|severe, recall_at_precision:precision=0.9,
    precision_at_recall:recall=0.95; with class=NAME where one class is meant; or module:function for your own.
    """
    from imgcls.records.blend import find_predictor

    workspace = workspace_of(out)
    record = find_predictor(run, workspace)
    if verify:
        record.verify()
    if metrics:
        from imgcls.evidence.contributions import check_metric
        from imgcls.evidence.metrics import estimates_of

        for metric in metrics:
            check_metric(metric, problem=record.problem, classes=record.classes)
        record = replace(record, metrics={**record.metrics, **estimates_of(record, metrics)})
    from imgcls.evidence.per_class import ValidationDetail
    from imgcls.ladders.results import with_verdict
    from imgcls.records.run import RunRecord
    from imgcls.reports.runs import RunCard, told_by_class

    found = record if isinstance(record, RunRecord) else with_verdict(record)
    detail = None
    if {"valid.parquet", "oof.parquet"} & record.files.keys():
        try:
            detail = ValidationDetail.of(record)
        except ImgclsError as problem:  # the rest of the record can be read all the same
            click.echo(f"No scores of single classes: {problem}", err=True)
    if reliability is not None:
        from imgcls.evidence.reliability import ReliabilityCurve
        from imgcls.records.find import calibration_pair
        from imgcls.reports.page.figures import reliability_figure, write_picture

        sides = calibration_pair(record, workspace) if isinstance(record, RunRecord) else (record,)
        write_picture(reliability_figure([ReliabilityCurve.of_record(side) for side in sides]), reliability)
        click.echo(f"Wrote {reliability}.", err=True)
    if as_json:
        print_json({**found.to_json(), **told_by_class(detail), "path": str(record.folder), "verified": verify})
        return
    from imgcls.reports.blend import BlendView
    from imgcls.reports.console import show as show_view

    if isinstance(found, RunRecord):
        show_view(RunCard(found, verified=verify, detail=detail))
    else:
        show_view(BlendView(found, verified=verify, detail=detail))


@runs.command("views")
@click.argument("run")
@click.option("--views", type=click.IntRange(2, 64), help="Look at up to so many.  [default: 10; flips 8, crops 5]")
@click.option(
    "--kind",
    type=click.Choice(VIEW_KINDS),
    help="Where views come from.  [default: as RUN, else augmented, or flips where it was trained without]",
)
@METRIC
@SMALLEST_GAIN
@data_options
@DEVICE
@OUT
@JSON
def look_at_views(run: str, **options: Any) -> None:
    """Score one view, two, and so on of the photographs that validated RUN, in one pass.

    It shows what more views gain, and which photographs they fix or break. How many are worth it is chosen on four
    fifths of the photographs, and judged on the fifth. Nothing is trained. The data are named as they were for RUN.
    """
    from imgcls.records.find import find_run

    workspace = workspace_of(options["out"])
    record = find_run(run, workspace)
    from imgcls.ladders.views import ViewsQuestion, look_at_views
    from imgcls.reports.console import show as show_view
    from imgcls.reports.live import reporter_for
    from imgcls.reports.views import ViewsView

    question = ViewsQuestion(options["kind"], options["views"], options["metric"], options["smallest_gain"] / 100)
    with reporter_for(as_json=options["as_json"]) as reporter:
        reporter.note("Loading torch and the network …")
        from imgcls.engine.device import Machine

        machine = Machine(options["device"], precision=record.environment.get("precision", "auto"), keep_memory=True)
        found = asking(
            lambda source: look_at_views(
                record, source, question, workspace=workspace, machine=machine, reporter=reporter
            ),
            source_of(options),
            may_ask=not options["as_json"],
        )
    if options["as_json"]:
        print_json({**found.to_json(), "path": str(found.file)})
    else:
        show_view(ViewsView(found))


@runs.command("map")
@click.argument("run")
@click.option(
    "--no-images",
    is_flag=True,
    help="For data that must not travel: dots only, without photographs, their names and their files.",
)
@click.option("--features", is_flag=True, help="Keep the features in the Parquet file too, a list for each photograph.")
@data_options
@DEVICE
@OUT
@JSON
def draw_map(run: str, **options: Any) -> None:
    """Draw a map of the photographs of RUN, in which those lie side by side that its network sees alike.

    It holds those that validated RUN, with its answers, and those that trained it. A page and a Parquet file are
    written to reports/, RUN-map.html and RUN-map.parquet. The data are named as they were for RUN; without, they are
    those of the workspace.
    """
    from imgcls.errors import UsageError
    from imgcls.records.find import find_run

    if options["no_images"] and options["features"]:
        raise UsageError("Features tell a photograph as its name does: leave out --features, or --no-images.")
    workspace = workspace_of(options["out"])
    record = find_run(run, workspace)
    from imgcls.ladders.run_map import map_of_run
    from imgcls.reports.console import show as show_view
    from imgcls.reports.live import reporter_for
    from imgcls.reports.page.map_page import MapWritten

    with reporter_for(as_json=options["as_json"]) as reporter:
        reporter.note("Loading torch and the network …")
        from imgcls.engine.device import Machine

        machine = Machine(options["device"], precision=record.environment.get("precision", "auto"), keep_memory=True)
        found = asking(
            lambda source: map_of_run(record, source, workspace=workspace, machine=machine, reporter=reporter),
            source_of(options),
            may_ask=not options["as_json"],
        )
    kept = found if options["features"] else replace(found, features=None)
    written = MapWritten.of(kept, workspace.reports / f"{record.id}-map.html", with_images=not options["no_images"])
    if options["as_json"]:
        print_json(written.to_json())
    else:
        show_view(written)


@runs.command("suspects")
@click.argument("run")
@OUT
@JSON
def find_suspects(run: str, out: Path | None, as_json: bool) -> None:
    """List photographs whose label may be wrong, as RUN, or a blend, sees it.

    RUN has to be trained in folds (imgcls recipe run STACK --folds 5): networks that did not learn a label speak about
    it. Copies under two labels come first, where 'imgcls eda' found any; then the labels with the lowest probability.
    The list is kept in reports/suspects.json, which 'imgcls eda', 'imgcls review' and the checklist follow.
    """
    from imgcls.eda.suspects import suspects
    from imgcls.reports.console import show as show_view
    from imgcls.reports.live import telling
    from imgcls.reports.suspects import SuspectsView

    with telling("Looking for labels that may be wrong", as_json=as_json):
        found = suspects(run, workspace=workspace_of(out))
    if as_json:
        print_json({**found.to_json(), "path": str(found.file)})
    else:
        show_view(SuspectsView(found))


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
