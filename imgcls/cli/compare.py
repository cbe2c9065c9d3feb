"""`imgcls compare`: is one stack better than another, from the runs that are there."""

from __future__ import annotations

from pathlib import Path

import click

from imgcls.cli.options import JSON, OUT, Finite, print_json, workspace_of


@click.command()
@click.argument("a")
@click.argument("b")
@click.option(
    "--metric", help="Metric of the verdict, chosen before looking.  [default: imgcls.toml, else that of the problem]"
)
@click.option(
    "--smallest-gain",
    type=Finite(0, min_open=True),
    default=0.5,
    show_default=True,
    help="Smallest gain of interest, in points (for log_loss: in hundredths of a nat).",
)
@click.option("--images", type=click.IntRange(0), default=0, help="Also name up to N images that changed, each way.")
@OUT
@JSON
def compare(
    a: str, b: str, metric: str | None, smallest_gain: float, images: int, out: Path | None, as_json: bool
) -> None:
    """Judge whether B is better than A; nothing is trained.

    A and B are stacks, such as baseline+augmentation: all their full runs are compared. Or the id or the folder of
    a run: that run alone.
    """
    from imgcls.ladders.comparison import compare as compare_runs

    comparison = compare_runs(a, b, workspace=workspace_of(out), metric=metric, smallest_gain=smallest_gain / 100)
    if as_json:
        print_json(comparison.to_json())
        return
    from imgcls.reports.comparison import ComparisonView
    from imgcls.reports.text import show

    show(ComparisonView(comparison, images))
