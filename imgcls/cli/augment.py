"""`imgcls eda augment`: what a stack's augmentation does to photographs of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from imgcls.cli.data_options import FLAGS, data_options, overrides_of
from imgcls.cli.options import JSON, OUT, print_json, workspace_of


@click.command()
@click.argument("stack")
@click.argument("source", required=False, metavar="[DATA]")
@click.option("--n", "n_variants", type=click.IntRange(1, 24), default=6, show_default=True, help="Variants of each.")
@click.option("--classes", multiple=True, metavar="CLASS", help="A class to show; repeatable.  [default: at most 12]")
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write, a PNG.  [default: reports/pictures/augment-STACK.png]",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The seed of training.")
@click.option("--size", type=int, help="Side of the images in pixels (images.size_px).")
@click.option("--set", "set_", multiple=True, metavar="PATH=VALUE", help="Set any path of the base plan; repeatable.")
@data_options
@OUT
@JSON
def augment(stack: str, source: str | None, to: Path | None, as_json: bool, **options: Any) -> None:
    """Draw one photograph of each class of DATA as training with STACK would see it.

    Look whether a flip, a turn or a crop would change a label: then leave it out. Nothing is trained, and only the
    photographs that are shown are read.
    """
    if source is not None and options["data"] is not None:
        raise click.UsageError("Name the data once: as DATA or with --data.")
    options["data"] = source if source is not None else options["data"]
    from imgcls.catalog import Stack

    parsed = Stack.parse(stack, overrides_of({**dict.fromkeys(FLAGS), **options}))
    from imgcls.cli.data_options import source_of
    from imgcls.eda.augmentation import show_augmentation
    from imgcls.problem.naming import data_option

    workspace, named = workspace_of(options["out"]), source_of(options)
    sheet = show_augmentation(
        parsed,
        named.in_workspace(workspace),
        workspace=workspace,
        n_variants=options["n_variants"],
        classes=options["classes"] or None,
        file=to,
        seed=options["seed"],
        again=data_option(vars(named)) + workspace.as_option,
    )
    if as_json:
        print_json(sheet.to_json())
        return
    from imgcls.reports.text import show

    show(sheet)
