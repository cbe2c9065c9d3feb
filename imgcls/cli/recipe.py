"""`imgcls recipe`: list, show, copy and run recipes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from imgcls.catalog import Stack
from imgcls.cli.checklist import print_status_line
from imgcls.cli.options import (
    JSON,
    OUT,
    asking,
    machine_of,
    overrides_of,
    print_json,
    source_of,
    training_options,
    workspace_of,
)
from imgcls.data.source import as_words


@click.group()
def recipe() -> None:
    """List, show, copy and run recipes."""


@recipe.command("list")
@JSON
def list_recipes(as_json: bool) -> None:
    """List every recipe that can be stacked."""
    from imgcls.catalog import find_recipes

    found = find_recipes()
    if as_json:
        from imgcls.reports.recipes import recipe_json

        print_json({"schema": 1, "recipes": [recipe_json(entry) for entry in found.values()]})
        return
    from imgcls.reports.console import show as show_view
    from imgcls.reports.recipes import RecipeList

    show_view(RecipeList(tuple(found.values())))


@recipe.command("show")
@click.argument("stack")
@click.option("--learner", is_flag=True, help="Also show what it becomes on the fastai Learner (loads torch).")
@OUT
@JSON
def recipe_show(stack: str, learner: bool, out: Path | None, as_json: bool) -> None:
    """Show a recipe's card, what it changes and what your own ladders measured, or the plan of a whole STACK."""
    from imgcls.ladders.results import measured_effects
    from imgcls.reports.recipes import StackView, stack_json

    view = StackView.of(stack)
    view = view.with_effects(measured_effects(view.recipe_name, workspace_of(out)) if view.recipe_name else [])
    described = None
    if learner:
        from imgcls.engine.build import describe

        described = describe(view.plan)
    if as_json:
        print_json(stack_json(view, described))
        return
    from imgcls.reports.console import show as show_view

    show_view(view.with_learner(described))


@recipe.command()
@click.argument("name")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def copy(name: str, file: Path, force: bool) -> None:
    """Copy recipe NAME into a FILE of your own, which a stack can name by its path."""
    from imgcls.catalog import copy_recipe

    copy_recipe(name, file, overwrite=force)
    shown = file if file.is_absolute() else Path(file)
    click.echo(f"Wrote {file}. Next: change it, then run 'imgcls recipe run baseline+{_as_path(shown)}'.")


def _as_path(file: Path) -> str:
    return str(file) if file.is_absolute() or file.parent != Path() else f"./{file.name}"


@recipe.command()
@click.argument("stack")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides all that is random in training."
)
@click.option(
    "--folds", type=click.IntRange(2, 20), help="Train this many times, validating each time on another part."
)
@click.option(
    "--all-data",
    is_flag=True,
    help="Train on train and validation together, as the runs of this stack that were validated: no score of its own.",
)
@click.option(
    "--seeds", type=click.IntRange(1), help="With --all-data: train this many networks, of the seeds from 0 on."
)
@click.option("--quick", is_flag=True, help="A quick run: one epoch, at most 500 photographs, marked as such.")
@click.option("--again", is_flag=True, help="Train again where there is a record, and compare the bits.")
@training_options
@OUT
@JSON
def run(stack: str, **options: Any) -> None:
    """Train a STACK of recipes such as baseline+augmentation+tta, validate it, leave a record.

    With --all-data train and validation train together, the sealed test part does not, and nothing is scored: the
    record names the runs of the same stack whose score stands for it. 'submit', 'predict' and 'blend' take it.
    """
    from imgcls.config.problem import metric_of, resolve

    if options["seeds"] is not None:
        if not options["all_data"]:
            raise click.UsageError(
                "--seeds goes with --all-data. 'imgcls ladder run' judges a stack over several seeds."
            )
        if options["seed"]:
            raise click.UsageError("--seed and --seeds both say which networks are trained. Leave one out.")
    parsed = Stack.parse(stack, overrides_of(options))  # before torch is loaded: what is misspelled is reported at once
    workspace = workspace_of(options["out"])
    from imgcls.engine.progress import step
    from imgcls.reports.console import show
    from imgcls.reports.live import reporter_for
    from imgcls.reports.runs import outcome_json, outcome_view

    with reporter_for(as_json=options["as_json"]) as reporter:
        reporter.note("Loading torch and fastai …")
        with step(reporter, "Loading torch and fastai"):
            from imgcls.engine.request import TrainOptions
            from imgcls.engine.train import train_stack

        how = TrainOptions(
            seed=options["seed"],
            n_folds=options["folds"],
            quick=options["quick"],
            again=options["again"],
            from_start=options["from_start"],
            strict=options["strict"],
            all_data=options["all_data"],
            machine=machine_of(options),
            workspace=workspace,
            reporter=reporter,
        )
        seeds = [how.seed] if options["seeds"] is None else range(options["seeds"])
        answers: dict[str, Any] = {}
        outcomes = asking(
            lambda source: [train_stack(parsed, source, replace(how, seed=seed)) for seed in seeds],
            resolve(source_of(options), workspace.root, folds=options["folds"]),
            may_ask=not options["as_json"],
            answers=answers,
        )
        metric = metric_of(workspace.root, outcomes[0].record.problem)
        view = outcome_view(*outcomes, metric=metric, answered=f" {as_words(answers)}" if answers else "")
    if options["as_json"]:
        made = [outcome_json(outcome) for outcome in outcomes]
        print_json(made[0] if options["seeds"] is None else {"schema": 1, "runs": made})
        return
    show(view)
    print_status_line(workspace)


@click.command()
@click.argument("pattern", required=False)
@click.option("--most", type=click.IntRange(1), default=40, show_default=True, help="Networks to show at most.")
@click.option("--time", "timed", is_flag=True, help="Time a training step of each; seconds a network.")
@click.option(
    "--size", type=click.IntRange(8, 4096), default=128, show_default=True, help="Side of the images that are timed."
)
@JSON
def models(pattern: str | None, most: int, timed: bool, size: int, as_json: bool) -> None:
    """List the networks of timm whose names match PATTERN, such as 'resnet*'; without it, those at hand offline.

    Each with its parameters, the size it was pretrained at, whether its weights are on this machine, and their licence.
    """
    from imgcls.engine.networks import find_networks
    from imgcls.reports.console import show as show_view
    from imgcls.reports.live import reporter_for
    from imgcls.reports.recipes import NetworkList

    with reporter_for(as_json=as_json) as reporter:
        view = NetworkList(find_networks(pattern, most=most, timed_at=size if timed else None, reporter=reporter))
    if as_json:
        print_json(view.to_json())
    else:
        show_view(view)
