"""What `ladder run` and `ladder ablate` do once their stack is known to be good: the part that needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imgcls.catalog import Stack
from imgcls.cli.data_options import machine_of, source_of
from imgcls.cli.options import print_json
from imgcls.cli.standing import tell_standing
from imgcls.ladders.spec import Kind
from imgcls.reports.ladder import LadderView
from imgcls.reports.ladder_live import ladder_screen
from imgcls.reports.live import reporter_for
from imgcls.reports.text import show
from imgcls.workspace import Workspace


def climb_and_report(
    stack: Stack, kind: Kind, options: Mapping[str, Any], *, budget_seconds: float | None, workspace: Workspace
) -> int:
    """Run a ladder, and print its verdicts.

    Args:
        stack: A stack without problems.
        kind: Whether recipes are added or left out.
        options: The options of the command, by name.
        budget_seconds: What it may take; None without a budget.
        workspace: Where ladder and records go.

    Returns:
        The exit code: 3 where runs failed.
    """
    with reporter_for(as_json=options["as_json"]) as reporter:
        reporter.note("Loading torch and fastai …")
        from imgcls.ladders.design import Question
        from imgcls.ladders.run import at_a_time, run_ladder

        question = Question(
            stack,
            source_of(options).in_workspace(workspace, folds=options["folds"]),
            kind=kind,
            n_seeds=options["seeds"],
            n_folds=options["folds"],
            metric=options["metric"],
            smallest_gain=options["smallest_gain"] / 100,
            name=options["name"],
        )
        n_parallel = at_a_time(options["executor"])
        with ladder_screen(workspace, as_json=options["as_json"], n_parallel=n_parallel) as watcher:
            result = run_ladder(
                question,
                machine=machine_of(options),
                workspace=workspace,
                executor=options["executor"],
                reporter=reporter,
                watcher=watcher,
                budget_seconds=budget_seconds,
                retries=options["retries"],
                retry_failed=options["retry_failed"],
            )
    if options["as_json"]:
        print_json(result.to_json())
    else:
        show(LadderView(result))
        tell_standing(workspace)
    return 3 if result.n_failed else 0
