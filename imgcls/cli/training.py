"""What `recipe run` does once its stack is known to be good: the part that needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imgcls.catalog import Stack
from imgcls.cli.data_options import machine_of, source_of
from imgcls.cli.options import print_json
from imgcls.cli.standing import tell_standing
from imgcls.problem.toml import metric_of
from imgcls.reports.folds import FoldsSummary, folds_json
from imgcls.reports.live import reporter_for
from imgcls.reports.run import RunSummary, outcome_json
from imgcls.reports.text import show
from imgcls.workspace import Workspace


def train_and_report(stack: Stack, options: Mapping[str, Any], *, workspace: Workspace) -> None:
    """Train, and print the outcome.

    Args:
        stack: A stack without problems.
        options: The options of `recipe run`, by name.
        workspace: Where the record goes.
    """
    with reporter_for(as_json=options["as_json"]) as reporter:
        reporter.note("Loading torch and fastai …")
        from imgcls.engine.folds import run_folds
        from imgcls.engine.train import run_job

        source = source_of(options).in_workspace(workspace, folds=options["folds"])
        settings: dict[str, Any] = {
            "seed": options["seed"],
            "quick": options["quick"],
            "again": options["again"],
            "machine": machine_of(options),
            "workspace": workspace,
            "reporter": reporter,
        }
        if options["folds"] is None:
            outcome = run_job(stack, source, **settings)
            found: dict[str, Any] = outcome_json(outcome)
            view: RunSummary | FoldsSummary = RunSummary.of(
                outcome, metric=metric_of(workspace.root, outcome.record.problem)
            )
        else:
            folds = run_folds(stack, source, n_folds=options["folds"], **settings)
            found = folds_json(folds)
            view = FoldsSummary(folds, metric_of(workspace.root, folds.record.problem))
    if options["as_json"]:
        print_json(found)
    else:
        show(view)
        tell_standing(workspace)
