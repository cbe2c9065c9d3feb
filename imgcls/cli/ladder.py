"""`imgcls ladder`: which recipes helped, how sure is that, and what it cost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from imgcls.cli.data_options import overrides_of, training_options
from imgcls.cli.options import JSON, OUT, Finite, print_json, workspace_of

DEFAULT_STACK = "baseline+augmentation+adamw_cosine+label_smoothing+tta"
Command = TypeVar("Command", bound=Callable[..., Any])

_LADDER = (
    click.option("--seeds", type=int, default=5, show_default=True, help="Runs of every rung, with seeds 0, 1, …"),
    click.option("--folds", type=int, help="Train and validate in K turns, groups whole.  [default: one split]"),
    click.option(
        "--metric", help="Primary metric, chosen before looking.  [default: imgcls.toml, else that of the problem]"
    ),
    click.option(
        "--smallest-gain",
        type=Finite(0, min_open=True),
        default=0.5,
        show_default=True,
        help="Smallest gain of interest, in points (for log_loss: in hundredths of a nat).",
    ),
    click.option("--budget", help="Such as 30m or 2h: as many seeds as fit, --seeds at the most."),
    click.option(
        "--executor",
        default="serial",
        show_default=True,
        help="serial, processes, processes:N, or module:factory of a concurrent.futures.Executor.",
    ),
    click.option(
        "--retries", type=click.IntRange(0), default=1, show_default=True, help="Tries anew where a worker died."
    ),
    click.option("--retry-failed", is_flag=True, help="Try trainings again that failed."),
    click.option("--name", help="Name of the ladder's folder.  [default: made from the stack]"),
)


def _ladder_options(command: Command) -> Command:
    for option in reversed(_LADDER):
        command = option(command)
    return command


@click.group()
def ladder() -> None:
    """Prove which recipes help: rungs × seeds, with a verdict for each."""


@ladder.command()
@click.argument("stack", default=DEFAULT_STACK)
@_ladder_options
@training_options
@OUT
@JSON
def run(stack: str, **options: Any) -> int:
    """Add the recipes of STACK one by one, train every rung with several seeds, and judge each step.

    The same command goes on where it was interrupted, and reuses every run that is there.
    """
    return _climb(stack, "climb", options)


@ladder.command()
@click.argument("stack", default=DEFAULT_STACK)
@_ladder_options
@training_options
@OUT
@JSON
def ablate(stack: str, **options: Any) -> int:
    """Leave each recipe out of the full STACK: what it is worth with the others in place."""
    return _climb(stack, "ablate", options)


def _climb(stack: str, kind: Any, options: dict[str, Any]) -> int:
    from imgcls.catalog import Stack
    from imgcls.ladders.forecast import read_duration

    parsed = Stack.parse(stack, overrides_of(options))  # before torch is loaded: what is misspelled is told at once
    budget = read_duration(options["budget"]) if options["budget"] is not None else None
    from imgcls.cli.climbing import climb_and_report

    return climb_and_report(parsed, kind, options, budget_seconds=budget, workspace=workspace_of(options["out"]))


@ladder.command()
@click.argument("ladder", required=False)
@click.option(
    "--images", type=click.IntRange(0), default=0, help="Also name up to N images that each rung mended or broke."
)
@OUT
@JSON
def show(ladder: str | None, images: int, out: Path | None, as_json: bool) -> int:
    """Show LADDER, a name or its beginning, judged as far as its runs are done; without a name, the newest."""
    from imgcls.ladders.changes import changed_images
    from imgcls.ladders.find import find_ladder
    from imgcls.ladders.judge import judge_ladder
    from imgcls.ladders.state import read_state
    from imgcls.reports.ladder import LadderView

    workspace = workspace_of(out)
    state = read_state(find_ladder(ladder, workspace), workspace)
    result = judge_ladder(state)
    changes = changed_images(state, most=images) if images else {}
    if as_json:
        print_json(result.to_json() | {"images": {rung: change.to_json() for rung, change in changes.items()}})
    else:
        from imgcls.reports.text import show as show_view

        show_view(LadderView(result, changes))
    return 3 if result.n_failed else 0


@ladder.command("list")
@OUT
@JSON
def list_ladders(out: Path | None, as_json: bool) -> None:
    """List the ladders of this workspace."""
    from imgcls.ladders.find import find_ladders
    from imgcls.ladders.state import read_state
    from imgcls.reports.ladder_state import LadderList

    workspace = workspace_of(out)
    found, damaged = find_ladders(workspace)
    view = LadderList(tuple(read_state(entry, workspace) for entry in found), tuple(damaged))
    if as_json:
        print_json(view.to_json())
    else:
        from imgcls.reports.text import show as show_view

        show_view(view)


@ladder.command()
@click.argument("ladder", required=False)
@OUT
@JSON
def status(ladder: str | None, out: Path | None, as_json: bool) -> None:
    """Show how far LADDER is, also while another process works on it; without a name, the newest."""
    from imgcls.ladders.find import find_ladder
    from imgcls.ladders.judge import judge_ladder
    from imgcls.ladders.state import read_state
    from imgcls.reports.ladder_state import StateGrid, state_json

    workspace = workspace_of(out)
    state = read_state(find_ladder(ladder, workspace), workspace)
    if as_json:
        print_json(state_json(state))
        return
    from imgcls.reports.text import show as show_view

    show_view(StateGrid(state, judge_ladder(state)))


@ladder.command()
@click.argument("ladder")
@OUT
@JSON
def final(ladder: str, out: Path | None, as_json: bool) -> None:
    """Score base and incumbent of LADDER on the sealed test part; every opening is written to test-ledger.csv."""
    from imgcls.ladders.final import open_test
    from imgcls.ladders.find import find_ladder

    workspace = workspace_of(out)
    opened = open_test(find_ladder(ladder, workspace), workspace)
    if as_json:
        print_json(opened.to_json())
        return
    from imgcls.reports.final import FinalView
    from imgcls.reports.text import show as show_view

    show_view(FinalView(opened))
