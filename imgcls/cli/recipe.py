"""`imgcls recipe`: list, show, copy and run recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from imgcls.cli.options import DEVICE, JSON, OUT, Finite, print_json, settings, workspace_of

_FLAGS = {
    "epochs": "fit.epochs",
    "size": "images.size_px",
    "batch_size": "fit.batch_size",
    "model": "model.name",
    "weights": "model.weights",
}


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
    from imgcls.reports.recipes import RecipeList
    from imgcls.reports.text import show as show_view

    show_view(RecipeList(tuple(found.values())))


@recipe.command()
@click.argument("stack")
@click.option("--learner", is_flag=True, help="Also show what it becomes on the fastai Learner (loads torch).")
@JSON
def show(stack: str, learner: bool, as_json: bool) -> None:
    """Show a recipe's card and what it changes, or the plan of a whole STACK."""
    from imgcls.reports.recipes import StackView, stack_json

    view = StackView.of(stack)
    described = None
    if learner:
        from imgcls.engine.describe import describe

        described = describe(view.plan)
    if as_json:
        print_json(stack_json(view, described))
        return
    from imgcls.reports.text import show as show_view

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
@click.option("--data", help="Folder, CSV, Parquet, torchvision:NAME or fastai:NAME.  [default: elpv, solar cells]")
@click.option("--images", type=click.Path(path_type=Path), help="For a table: the folder of its photographs.")
@click.option("--label", multiple=True, help="For a table: the label column; several times for columns of 0 and 1.")
@click.option("--id", "id_", help="For a table: the column that names the photographs.")
@click.option("--group", help="For a table: a column of groups that stay together when split.")
@click.option("--split", help="For a table: a column that says train, valid or test.")
@click.option("--delimiter", help="For a table: what separates several labels in a cell.")
@click.option(
    "--type",
    "problem_type",
    type=click.Choice(["binary", "multiclass", "multilabel"]),
    help="Kind of problem.  [default: seen from the labels]",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides all that is random in training."
)
@click.option(
    "--split-seed", type=click.IntRange(0), default=0, show_default=True, help="Decides who trains and who validates."
)
@click.option("--valid", type=Finite(0, 1, min_open=True, max_open=True), help="Share that validates.  [default: 0.2]")
@click.option(
    "--folds", type=click.IntRange(2, 20), help="Train this many times, validating each time on another part."
)
@click.option("--epochs", type=int, help="Passes over the training photographs (fit.epochs).")
@click.option("--size", type=int, help="Side of the images in pixels (images.size_px).")
@click.option("--batch-size", type=int, help="Photographs per step (fit.batch_size).")
@click.option("--model", help="timm name, torchvision:NAME, simple_cnn or module:function (model.name).")
@click.option("--weights", help="auto, none, or a file (model.weights).")
@DEVICE
@click.option("--workers", type=click.IntRange(0), help="Processes that prepare batches.  [default: by the device]")
@click.option("--precision", default="auto", show_default=True, help="auto, float32, bf16 or fp16.")
@click.option("--set", "set_", multiple=True, metavar="PATH=VALUE", help="Set any path of the base plan; repeatable.")
@click.option("--quick", is_flag=True, help="A trial: at most one epoch and 500 photographs, marked as such.")
@click.option("--again", is_flag=True, help="Train anew where there is a record, and compare the bits.")
@click.option("--verify", is_flag=True, help="Read and hash every photograph anew.")
@OUT
@JSON
def run(stack: str, **options: Any) -> None:
    """Train a STACK of recipes such as baseline+augmentation+tta, validate it, leave a record."""
    from imgcls.catalog import Stack

    overrides: dict[str, Any] = {path: options[flag] for flag, path in _FLAGS.items() if options[flag] is not None}
    for path, value in settings(options["set_"]).items():
        if path in overrides:
            raise click.BadParameter(f"{path} is set by a flag and by --set.", param_hint="--set")
        overrides[path] = value
    parsed = Stack.parse(stack, overrides)  # before torch is loaded: what is misspelled is told at once
    from imgcls.cli.training import train_and_report

    train_and_report(parsed, options, workspace=workspace_of(options["out"]))
