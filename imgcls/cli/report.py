"""`imgcls report`: one page about a ladder, to be sent to somebody."""

from __future__ import annotations

from pathlib import Path

import click

from imgcls.cli.options import JSON, OUT, print_json, workspace_of


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
@OUT
@JSON
def report(
    ladder: str | None, to: Path | None, form: str | None, no_images: bool, out: Path | None, as_json: bool
) -> None:
    """Write one page about a LADDER that stands alone: what helped, how sure that is, where it is wrong.

    LADDER is a name, the beginning of one, a folder or a stack; without it, the one worked on last.
    """
    from imgcls.checklists.evaluate import evaluate
    from imgcls.ladders.find import find_ladder
    from imgcls.ladders.gathering import gather
    from imgcls.reports.page.outcome import PageWritten
    from imgcls.reports.page.write import form_of, place_of, write_page

    workspace, chosen = workspace_of(out), form_of(to, form)
    data = gather(find_ladder(ladder, workspace), workspace, with_images=not no_images)
    file = place_of(data, workspace, chosen, file=to)
    written = PageWritten(data, file, chosen, write_page(data, file, chosen, checklist=evaluate(workspace)))
    if as_json:
        print_json(written.to_json())
        return
    from imgcls.reports.text import show

    show(written)
