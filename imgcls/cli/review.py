"""`imgcls review`: photograph by photograph, what its label is."""

from __future__ import annotations

from pathlib import Path

import click

from imgcls.cli.options import JSON, OUT, print_json, workspace_of
from imgcls.errors import RecordError


@click.command()
@click.argument("run", required=False)
@click.option("--all", "every", is_flag=True, help="Go through all photographs, those that a run doubts first.")
@click.option("--class", "of_class", metavar="CLASS", help="Only photographs with this label or answer.")
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that decisions go to; it only grows.  [default: reviews/decisions.csv of the workspace]",
)
@click.option("--by", default="", help="Who decides, as the file says it.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of this machine.  [default: a free one]")
@OUT
@JSON
def review(
    run: str | None,
    every: bool,
    of_class: str | None,
    to: Path | None,
    by: str,
    port: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Look at photographs whose label may be wrong, and say what each is; a page on this machine.

    RUN, or a blend, is asked which: label suspects first ('imgcls runs suspects'), then its most confident mistakes,
    then those that it is least certain of. Without RUN the newest one is asked, one in folds first; without any run
    all photographs are gone through. The sealed test is never shown.

    Every decision is on the disk before the next photograph shows, so the program can end at any time, and goes on
    where it was. 'imgcls eda apply FILE' makes the decisions part of the data.
    """
    from imgcls.records.blend import find_predictor
    from imgcls.reports.console import show
    from imgcls.reports.live import telling
    from imgcls.reports.review import ReviewEnded, ReviewStarted
    from imgcls.serving.local import Address, serve
    from imgcls.serving.review import newest_run, review_app
    from imgcls.serving.review import review as gather

    workspace = workspace_of(out)
    with telling("Gathering photographs", as_json=as_json):
        record = find_predictor(run, workspace) if run is not None else newest_run(workspace)
        if record is not None and not {"valid.parquet", "oof.parquet"} & record.files.keys():
            raise RecordError(f"{record.id} has no predictions of what validates, so it cannot say what to look at.")
        held = gather(record, workspace, file=to, by=by, every=every, of_class=of_class)
        app = review_app(held)
        held.open()
    try:
        address = Address.at(port)
        if as_json:
            print_json({"schema": 1, "url": address.url, "file": str(held.file), "n": len(held.questions)})
        else:
            who = record.id if record is not None else None
            show(ReviewStarted(len(held.questions), len(held.said), address.url, who))
        serve(app, address)
    finally:
        held.close()
    if not as_json:
        show(ReviewEnded(tuple(held.said.values()), held.file, workspace.as_option))
