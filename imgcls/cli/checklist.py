"""`imgcls checklist`: where you stand, proved by what lies in the workspace, and what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import click

from imgcls.cli.options import JSON, OUT, print_json, workspace_of
from imgcls.workspace import Workspace


@click.group(invoke_without_command=True)
@click.option("--lang", type=click.Choice(["en", "ko"]), default="en", show_default=True, help="Language of the items.")
@click.option("--stage", help="Show one stage only: 1, 2, 3, 4, 4a, 4b or 4c.")
@click.option("--verify", is_flag=True, help="Read and hash the data again instead of trusting size and time stamp.")
@click.option("--strict", is_flag=True, help="Exit with 3 when findings are open, items stale, or files unreadable.")
@OUT
@JSON
@click.pass_context
def checklist(context: click.Context, /, **options: Any) -> int:
    """Show which items of the method are done, by evidence, what to do next, and when to go back.

    An item is stale when the data, the split or the plan that it was proved for has changed since. Without a
    command below, the checklist is shown.
    """
    if context.invoked_subcommand is not None:
        _refuse_options(context)
        return 0
    from imgcls.checklists.checklist import evaluate
    from imgcls.checklists.items import Language, stages_of
    from imgcls.reports.live import reporter_for

    if options["stage"] is not None:
        stages_of(options["stage"])  # before anything is read: what is misspelled is reported at once
    with reporter_for(as_json=options["as_json"]) as reporter:
        found = evaluate(
            workspace_of(options["out"]),
            lang=cast("Language", options["lang"]),
            reporter=reporter,
            verify=options["verify"],
        )
    shown = found.of_stage(options["stage"])
    if options["as_json"]:
        print_json(shown.to_json())
    else:
        from imgcls.reports.console import show

        show(shown)
    return 3 if options["strict"] and found.needs_attention else 0


def _refuse_options(context: click.Context) -> None:
    """Refuse options of the checklist before one of its commands, which would not read them."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = [name for name, source in sources.items() if source is click.core.ParameterSource.COMMANDLINE]
    if given:
        flag = f"--{given[0].removeprefix('as_')}"
        raise click.UsageError(
            f"{flag} has no effect before '{context.invoked_subcommand}'; give its options after it."
        )


@checklist.command()
@click.argument("item")
@click.option("--why", required=True, help="The reason, which imgcls.toml keeps.")
@OUT
def skip(item: str, why: str, out: Path | None) -> None:
    """Leave ITEM out, with a reason."""
    from imgcls.checklists.checklist import skip as skip_item

    skip_item(workspace_of(out), item, why)
    click.echo(f"Skipped {item}. 'imgcls checklist unskip {item}' takes it in again.")


@checklist.command()
@click.argument("item")
@OUT
def unskip(item: str, out: Path | None) -> None:
    """Take ITEM in again that was left out."""
    from imgcls.checklists.checklist import unskip as unskip_item

    unskip_item(workspace_of(out), item)
    click.echo(f"{item} counts again.")


def print_status_line(workspace: Workspace) -> None:
    """Print the state of the checklist in a line; the work is done, so nothing that goes wrong here is reported.

    Args:
        workspace: Where the work left its record.
    """
    try:
        from rich.console import Group

        from imgcls.checklists.checklist import evaluate
        from imgcls.reports.checklist import status_line
        from imgcls.reports.console import show

        show(Group(status_line(evaluate(workspace))))  # alone, a text of rich forgets that it must not be broken
    except BrokenPipeError:
        raise
    except Exception:
        return
