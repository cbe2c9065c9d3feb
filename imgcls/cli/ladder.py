"""`imgcls ladder`, `imgcls compare`, `imgcls report`: which recipes helped, with what confidence, at what cost."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgcls.catalog import Stack
from imgcls.cli.checklist import print_status_line
from imgcls.cli.options import (
    JSON,
    METRIC,
    OUT,
    SMALLEST_GAIN,
    Command,
    asking,
    machine_of,
    overrides_of,
    print_json,
    source_of,
    training_options,
    workspace_of,
)
from imgcls.errors import RecordError, UsageError
from imgcls.ladders.spec import DEFAULT_STACK, Kind, parse_ladder
from imgcls.records.blend import WAYS

if TYPE_CHECKING:
    from imgcls.data.source import DataSource
    from imgcls.engine.progress import Reporter
    from imgcls.ladders.climb import ClimbRecord
    from imgcls.ladders.design import LadderConfig
    from imgcls.ladders.run import LadderOptions, Watcher
    from imgcls.ladders.run_report import RunReport
    from imgcls.predictions.heat_maps import Explanation
    from imgcls.records.run import RunRecord
    from imgcls.workspace import Workspace

_LADDER = (
    click.option(
        "--seeds",
        type=int,
        help="Runs of every rung, with seeds 0, 1, …  [default: what finds the smallest gain, five trainings a rung]",
    ),
    click.option(
        "--folds",
        type=int,
        help="Train and validate in K turns, groups whole.  [default: one split, or folds where few validate]",
    ),
    click.option(
        "--metric", help="Primary metric, chosen before looking.  [default: imgcls.toml, else that of the problem]"
    ),
    SMALLEST_GAIN,
    click.option("--budget", help="What all trainings may take, such as 30m or 2h."),
    click.option(
        "--executor",
        default="serial",
        show_default=True,
        help="serial, processes, processes:N, or module:factory of a concurrent.futures.Executor.",
    ),
    click.option(
        "--retries", type=click.IntRange(0), default=1, show_default=True, help="Tries again where a worker died."
    ),
    click.option("--retry-failed", is_flag=True, help="Try trainings again that failed."),
    click.option("--name", help="Name of the ladder's folder.  [default: made from the stack]"),
)


_ENSEMBLE = click.option(
    "--ensemble",
    is_flag=True,
    help="Judge the mean of all seeds of the stack to use, too (ablate: of the full one); STACK+ensemble: of the last.",
)


def _ladder_options(command: Command) -> Command:
    for option in reversed(_LADDER):
        command = option(command)
    return command


@click.group()
def ladder() -> None:
    """Prove which recipes help: rungs × seeds, with a verdict for each."""


@ladder.command()
@click.argument("stack", required=False)
@_ladder_options
@_ENSEMBLE
@training_options
@OUT
@JSON
def run(stack: str | None, **options: Any) -> int:
    """Add the recipes of STACK one by one, train every rung with several seeds, and judge each step.

    Without STACK these are augmentation, adamw_cosine, label_smoothing, tta and lp_ft on the baseline, after
    keep_aspect where photographs are far from square, and class_weights where the metric counts classes alike and one
    is rare. A last name `ensemble` is the mean of the seeds of the rung below it, and trains nothing. The same command
    goes on where it was interrupted, and reuses every run that is there.
    """
    return _climb(stack, "climb", options)


@ladder.command()
@click.argument("stack", required=False)
@_ladder_options
@_ENSEMBLE
@training_options
@OUT
@JSON
def ablate(stack: str | None, **options: Any) -> int:
    """Leave each recipe out of the full STACK: what it is worth with the others in place."""
    return _climb(stack, "ablate", options)


def _question(stack: Stack, data: DataSource, options: Mapping[str, Any], *, kind: Kind = "climb") -> LadderConfig:
    """Return what options ask of a stack."""
    from imgcls.ladders.design import LadderConfig

    return LadderConfig(
        stack,
        data,
        kind=kind,
        n_seeds=options["seeds"],
        n_folds=options["folds"],
        metric=options["metric"],
        smallest_gain=options["smallest_gain"] / 100,
        name=options["name"],
        ensemble=options.get("ensemble", False),
        strict=options["strict"],
    )


def _how(options: Mapping[str, Any], workspace: Workspace, reporter: Reporter, watcher: Watcher) -> LadderOptions:
    """Return how options want it run."""
    from imgcls.ladders.run import LadderOptions

    return LadderOptions(
        machine=machine_of(options),
        workspace=workspace,
        reporter=reporter,
        watcher=watcher,
        executor=options["executor"],
        budget=options["budget"],
        retries=options["retries"],
        retry_failed=options["retry_failed"],
        from_start=options["from_start"],
    )


def _climb(stack: str | None, kind: Kind, options: Mapping[str, Any]) -> int:
    """Run a ladder, print its verdicts, and return the exit code: 3 where runs failed."""
    from imgcls.config.problem import resolve

    # before torch is loaded: what is misspelled is reported at once
    parsed, on_top = parse_ladder(stack or DEFAULT_STACK, overrides_of(options))
    workspace = workspace_of(options["out"])
    from imgcls.engine.progress import step
    from imgcls.reports.console import show
    from imgcls.reports.ladder import LadderView
    from imgcls.reports.live import ladder_screen, reporter_for

    with reporter_for(as_json=options["as_json"]) as reporter:
        reporter.note("Loading torch and fastai …")
        with step(reporter, "Loading torch and fastai"):
            from imgcls.ladders.run import at_a_time, run_ladder

        data = resolve(source_of(options), workspace.root, folds=options["folds"])
        question = _question(parsed, data, options, kind=kind)
        question = replace(question, is_default=stack is None, ensemble_on_top=on_top)
        n_parallel = at_a_time(options["executor"])
        with ladder_screen(workspace, as_json=options["as_json"], n_parallel=n_parallel) as watcher:
            how = _how(options, workspace, reporter, watcher)
            result = asking(
                lambda source: run_ladder(replace(question, source=source), how),
                data,
                may_ask=not options["as_json"],
                answers={},
            )
    if options["as_json"]:
        print_json(result.to_json())
    else:
        show(LadderView(result))
        print_status_line(workspace)
    return 3 if result.n_failed else 0


@ladder.command("climb")
@click.argument("base", default="baseline")
@_ladder_options
@training_options
@OUT
@JSON
def search(base: str, **options: Any) -> int:
    """Find the stack for these photographs, beginning from BASE, within a budget of time.

    Cheap stacks first; what is clearly behind is dropped early. The choice is then judged on predictions that did not
    choose it. Without --budget trainings take 30 minutes together. The same command goes on where it was stopped; a
    larger budget goes further.
    """
    from imgcls.config.problem import resolve

    parsed = Stack.parse(base, overrides_of(options))
    workspace = workspace_of(options["out"])
    from imgcls.engine.progress import step
    from imgcls.reports.console import show
    from imgcls.reports.live import LadderLines, reporter_for

    with reporter_for(as_json=options["as_json"]) as reporter:
        reporter.note("Loading torch and fastai …")
        with step(reporter, "Loading torch and fastai"):
            from imgcls.ladders.climber import run_climb
            from imgcls.ladders.run import at_a_time
            from imgcls.reports.climb import ClimbView, draw

        data = resolve(source_of(options), workspace.root, folds=options["folds"])
        question = _question(parsed, data, options)
        watcher = LadderLines(n_parallel=at_a_time(options["executor"]))
        how = _how(options, workspace, reporter, watcher)
        found = asking(
            lambda source: run_climb(replace(question, source=source), how),
            data,
            may_ask=not options["as_json"],
            answers={},
        )
    draw(found, workspace)
    if options["as_json"]:
        print_json(found.to_json())
    else:
        show(ClimbView(found, workspace))
        print_status_line(workspace)
    return 3 if any(one.outcome.startswith("failed") for one in found.tried) else 0


@ladder.command("show")
@click.argument("ladder", required=False)
@click.option(
    "--images", type=click.IntRange(0), default=0, help="Also name up to N images that each rung fixed or broke."
)
@OUT
@JSON
def ladder_show(ladder: str | None, images: int, out: Path | None, as_json: bool) -> int:
    """Show LADDER, a name or its beginning, judged as far as its runs are done; without a name, the newest.

    LADDER may be the name of a climb.
    """
    from imgcls.ladders.climb import find_climb
    from imgcls.ladders.judge import judge_ladder
    from imgcls.ladders.predictions import changed_images
    from imgcls.ladders.spec import find_ladder
    from imgcls.ladders.state import read_state
    from imgcls.reports.ladder import LadderView
    from imgcls.reports.live import telling

    workspace = workspace_of(out)
    if (climbed := find_climb(ladder, workspace)) is not None:
        return _show_climb(climbed, workspace, as_json=as_json)
    state = read_state(find_ladder(ladder, workspace), workspace)
    with telling("Judging the ladder", as_json=as_json):
        result = judge_ladder(state)
        changes = changed_images(state, most=images) if images else {}
    if as_json:
        print_json(result.to_json() | {"images": {rung: change.to_json() for rung, change in changes.items()}})
    else:
        from imgcls.reports.console import show as show_view

        show_view(LadderView(result, changes))
    return 3 if result.n_failed else 0


def _finished(found: ClimbRecord) -> ClimbRecord:
    """Return a climb that came to its end, or say which command goes on with it."""
    if not found.is_complete:
        raise UsageError(f"Climb {found.name} is not finished; the command that began it goes on with it.")
    return found


def _show_climb(found: ClimbRecord, workspace: Workspace, *, as_json: bool) -> int:
    """Show a climb that came to its end."""
    _finished(found)
    if as_json:
        print_json(found.to_json())
        return 0
    from imgcls.reports.climb import ClimbView
    from imgcls.reports.console import show

    show(ClimbView(found, workspace))
    return 0


@ladder.command("list")
@OUT
@JSON
def list_ladders(out: Path | None, as_json: bool) -> None:
    """List the ladders and climbs of this workspace."""
    from imgcls.ladders.climb import find_climbs
    from imgcls.ladders.spec import find_ladders
    from imgcls.ladders.state import read_state
    from imgcls.reports.live import LadderList

    workspace = workspace_of(out)
    found, damaged = find_ladders(workspace)
    climbs, damaged_climbs = find_climbs(workspace)
    states = tuple(read_state(entry, workspace) for entry in found)
    view = LadderList(states, (*damaged, *damaged_climbs), tuple(climbs))
    if as_json:
        print_json(view.to_json())
    else:
        from imgcls.reports.console import show as show_view

        show_view(view)


@ladder.command()
@click.argument("ladder", required=False)
@OUT
@JSON
def status(ladder: str | None, out: Path | None, as_json: bool) -> None:
    """Show how far LADDER is, also while another process works on it; without a name, the newest."""
    from imgcls.ladders.judge import judge_ladder
    from imgcls.ladders.spec import find_ladder
    from imgcls.ladders.state import read_state
    from imgcls.reports.live import StateGrid, state_json, telling

    workspace = workspace_of(out)
    state = read_state(find_ladder(ladder, workspace), workspace)
    if as_json:
        print_json(state_json(state))
        return
    from imgcls.reports.console import show as show_view

    with telling("Judging the ladder", as_json=as_json):
        result = judge_ladder(state)
    show_view(StateGrid(state, result))


@ladder.command()
@click.argument("ladder", required=False)
@OUT
@JSON
def final(ladder: str | None, out: Path | None, as_json: bool) -> None:
    """Score base and incumbent of LADDER on the sealed test part; every opening is written to test-ledger.csv.

    LADDER may be the name of a climb. Without a name, the newest ladder is meant.
    """
    from imgcls.ladders.climb import find_climb
    from imgcls.ladders.final_test import open_test
    from imgcls.ladders.spec import find_ladder
    from imgcls.reports.live import telling

    workspace = workspace_of(out)
    with telling("Scoring the test part", as_json=as_json):
        climbed = find_climb(ladder, workspace)
        pair = _finished(climbed).as_ladder if climbed is not None else None
        if pair is None:
            opened = open_test(find_ladder(ladder, workspace), workspace)
        else:
            opened = open_test(pair, workspace, incumbent=len(pair.rungs) - 1)
    if as_json:
        print_json(opened.to_json())
        return
    from imgcls.reports.console import show as show_view
    from imgcls.reports.ladder import FinalView

    show_view(FinalView(opened))


@click.command()
@click.argument("a")
@click.argument("b")
@METRIC
@SMALLEST_GAIN
@click.option("--images", type=click.IntRange(0), default=0, help="Also name up to N images that changed, each way.")
@OUT
@JSON
def compare(
    a: str, b: str, metric: str | None, smallest_gain: float, images: int, out: Path | None, as_json: bool
) -> None:
    """Judge whether B is better than A; nothing is trained.

    A and B are stacks, such as baseline+augmentation: all their full runs are compared. Or the id or the folder of
    a run, or of a blend: that one alone.
    """
    from imgcls.ladders.compare import compare as compare_runs
    from imgcls.reports.console import show
    from imgcls.reports.live import telling

    with telling("Comparing", as_json=as_json):
        comparison = compare_runs(a, b, workspace=workspace_of(out), metric=metric, smallest_gain=smallest_gain / 100)
    if as_json:
        print_json(comparison.to_json())
        return
    from imgcls.reports.ladder import ComparisonView

    show(ComparisonView(comparison, images))


@click.command()
@click.argument("what", nargs=-1)
@click.option(
    "--by",
    type=click.Choice(WAYS),
    default="mean",
    show_default=True,
    help="Mean of probabilities or ranks, or shares that are fitted.",
)
@METRIC
@SMALLEST_GAIN
@click.option(
    "--all-data",
    is_flag=True,
    help="Blend what 'recipe run --all-data' trained: by mean or geometric, without a score.",
)
@OUT
@JSON
def blend(
    what: tuple[str, ...],
    by: str,
    metric: str | None,
    smallest_gain: float,
    all_data: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Make the predictions of several networks one, and judge that against the best of them; nothing is trained.

    WHAT are stacks, such as baseline+augmentation: all seeds of them. Or ladders and climbs by name: all seeds, or
    folds, of the stack that they chose. Or the ids of runs. Without WHAT it is the newest ladder or climb.

    Shares that are fitted (weights, greedy) are judged on photographs that they were not fitted on.
    """
    from imgcls.ladders.blend import blend as blend_runs
    from imgcls.reports.console import show
    from imgcls.reports.live import telling

    with telling("Blending", as_json=as_json):
        made = blend_runs(
            *what,
            by=by,
            metric=metric,
            smallest_gain=smallest_gain / 100,
            all_data=all_data,
            workspace=workspace_of(out),
        )
    if as_json:
        print_json(made.to_json())
        return
    from imgcls.reports.blend import BlendView

    show(BlendView(made))


def _run_named(text: str, workspace: Workspace) -> RunRecord | None:
    """Return the run that a text names where it names no ladder and no climb."""
    from imgcls.ladders.climb import find_climb
    from imgcls.ladders.spec import find_ladder
    from imgcls.records.find import find_run

    if find_climb(text, workspace) is not None:
        return None
    with suppress(RecordError):
        find_ladder(text, workspace)
        return None
    with suppress(RecordError):  # then what is said is that there is no such ladder
        return find_run(text, workspace)
    return None


def _heat_maps(about: RunReport, workspace: Workspace) -> Mapping[str, Explanation]:
    """Return where the network looked in the mistakes and in what it is least certain of."""
    from imgcls.engine.explain import explain_ids, explainable

    shown = [one.image for one in (*about.mistakes, *about.uncertain)]
    return explain_ids(explainable(about.record, workspace), shown, workspace)


@click.command()
@click.argument("ladder", required=False)
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; .html, .md or .json.  [default: reports/LADDER.html]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "markdown", "json"]),
    help="What to write.  [default: what --to ends in, or html]",
)
@click.option("--no-images", is_flag=True, help="For data that must not travel: no photographs, nor their names.")
@click.option("--heat-maps", is_flag=True, help="Of a run: where its network looked, beside the photographs.")
@OUT
@JSON
def report(
    ladder: str | None,
    to: Path | None,
    form: str | None,
    no_images: bool,
    heat_maps: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Write one page about a LADDER that stands alone: what helped, with what confidence, where it is wrong.

    LADDER is a name, the beginning of one, a folder or a stack, or the name of a climb; without it, the
    ladder worked on last, or the climb where there is no ladder.

    It may be a run or a blend as well, by its id or folder: its mistakes with their photographs, what is taken for
    what, curves, and a place to decide about labels. A joint record of folds has all photographs out of fold.
    """
    from imgcls.checklists.checklist import evaluate
    from imgcls.config.problem import find_problem
    from imgcls.ladders.climb import find_climb
    from imgcls.ladders.report_data import gather
    from imgcls.ladders.results import with_verdict
    from imgcls.ladders.run_report import RunReport
    from imgcls.ladders.spec import find_ladder
    from imgcls.records.blend import find_blend
    from imgcls.reports.console import show
    from imgcls.reports.live import telling
    from imgcls.reports.page.render import (
        PageWritten,
        form_of,
        free_place,
        place_of,
        write_page,
    )
    from imgcls.reports.page.run_page import RunPage, RunPageWritten

    workspace, chosen = workspace_of(out), form_of(to, form)
    with telling("Writing the page", as_json=as_json):
        blended = find_blend(ladder, workspace) if ladder is not None else None
        record = blended or (_run_named(ladder, workspace) if ladder is not None else None)
        if record is not None:
            problem = find_problem(workspace.root)
            metric = blended.metric if blended is not None else problem.metric if problem is not None else None
            about = RunReport.of(record, workspace, with_images=not no_images)
            maps = _heat_maps(about, workspace) if heat_maps and not no_images else {}
            page = RunPage(about, metric, with_verdict(blended) if blended is not None else None, maps)
            file = free_place(record.id, workspace, chosen, file=to)
            written: PageWritten | RunPageWritten = RunPageWritten(about, file, chosen, page.write(file, chosen))
        else:
            if heat_maps:
                raise UsageError("--heat-maps are those of one network: name a run.")
            search = find_climb(ladder, workspace)
            pair = _finished(search).as_ladder if search is not None else None
            data = gather(pair or find_ladder(ladder, workspace), workspace, with_images=not no_images, search=search)
            file = place_of(data, workspace, chosen, file=to)
            written = PageWritten(data, file, chosen, write_page(data, file, chosen, checklist=evaluate(workspace)))
    if as_json:
        print_json(written.to_json())
        return

    show(written)
