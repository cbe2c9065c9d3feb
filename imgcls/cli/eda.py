"""`imgcls eda`: look at the data, and decide about what was found."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import click

from imgcls.cli.augment import augment
from imgcls.cli.data_options import data_options
from imgcls.cli.options import JSON, print_json, workspace_of
from imgcls.workspace import Workspace

_REPORTS = "reports"
_OUT = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder in which reports/ lies, or that folder itself.  [default: the nearest one with imgcls.toml, or the "
    "current one]",
)
_FINDINGS = click.argument("finding", nargs=-1)


class DefaultGroup(click.Group):
    """A group whose first command is meant wherever none is named."""

    DEFAULT = "look"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command in front, unless a command or the help is asked for."""
        if not args or (args[0] not in self.list_commands(ctx) and args[0] not in ctx.help_option_names):
            if args and not Path(args[0]).exists() and (near := _misspelled(args[0], self.list_commands(ctx))):
                raise click.UsageError(f"There is no command and no data {args[0]!r}. Did you mean {near!r}?", ctx)
            args = [self.DEFAULT, *args]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the options of the default command, then the commands."""
        default = self.get_command(ctx, self.DEFAULT)
        assert default is not None  # noqa: S101 - it is added below
        click.Command.format_options(default, ctx, formatter)
        self.format_commands(ctx, formatter)


def _misspelled(word: str, commands: list[str]) -> str:
    """Give the command that somebody meant by a word; "" where it is none of them by a letter or two."""
    return next(iter(difflib.get_close_matches(word, commands, n=1, cutoff=0.75)), "")


@click.group(cls=DefaultGroup, options_metavar="", subcommand_metavar="[DATA] [OPTIONS] | COMMAND …")
def eda() -> None:
    """Look at DATA before training, and decide about what was found.

    'imgcls eda photos/' looks; a folder that has the name of a command is written ./apply.
    """


@eda.command()
@click.argument("source", required=False, metavar="[DATA]")
@click.option(
    "--metadata",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A table that says more of the photographs, such as who sent them; repeatable.",
)
@click.option("--quick", is_flag=True, help="Look at no more than 500 photographs.")
@click.option("--strict", is_flag=True, help="Exit with 3 when findings are open.")
@click.option(
    "--no-images", is_flag=True, help="For data that must not travel: no photographs on the page, nor their names."
)
@data_options
@_OUT
@JSON
def look(source: str | None, quick: bool, strict: bool, as_json: bool, **options: Any) -> int:
    """Look at DATA: amounts, sizes, copies, giveaways, and what asks for action."""
    if source is not None and options["data"] is not None:
        raise click.UsageError("Name the data once: as DATA or with --data.")
    options["data"] = source if source is not None else options["data"]
    workspace = _workspace(options["out"])
    from imgcls.cli.looking import look_and_report

    facts = look_and_report(options, workspace=workspace, quick=quick, as_json=as_json)
    return 3 if strict and facts.open_findings else 0


@eda.command("apply")
@_FINDINGS
@_OUT
@JSON
def apply_(finding: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Apply FINDINGS, or all that can be: exclude images or keep them together, for every later command.

    It is written to findings.toml; the photographs themselves are not touched.
    """
    from imgcls.eda.applying import apply_findings

    _tell(apply_findings(finding, _workspace(out)), as_json=as_json)


@eda.command()
@_FINDINGS
@_OUT
@JSON
def undo(finding: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Take back what was applied or kept for FINDINGS, or for all of them."""
    from imgcls.eda.applying import undo_findings

    _tell(undo_findings(finding, _workspace(out)), as_json=as_json)


@eda.command()
@click.argument("finding", nargs=-1, required=True)
@click.option("--why", required=True, help="The reason, for those who read it later.")
@_OUT
@JSON
def keep(finding: tuple[str, ...], why: str, out: Path | None, as_json: bool) -> None:
    """Leave FINDINGS as they are, and say why."""
    from imgcls.eda.applying import keep_findings

    _tell(keep_findings(finding, why, _workspace(out)), as_json=as_json)


eda.add_command(augment)


def _workspace(out: Path | None) -> Workspace:
    """Give the workspace that `--out` names by itself or by its folder of reports, or the one at hand."""
    if out is not None and out.absolute().name == _REPORTS:
        return Workspace(out.absolute().parent)
    return workspace_of(out)


def _tell(decision: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(decision.to_json())
        return
    from imgcls.reports.deciding import DecisionView
    from imgcls.reports.text import show

    show(DecisionView(decision))
