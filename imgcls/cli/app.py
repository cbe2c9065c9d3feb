"""The root command, and the one place where errors and signals become exit codes.

0 done · 1 the work failed · 2 something to change before it can start · 3 done, with open findings under
`--strict` · 129, 130, 143 signals.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from types import FrameType

import click

from imgcls._version import __version__
from imgcls.errors import ImgclsError, nearest_hint

_COMMANDS = {
    "cache": "imgcls.cli.machine:cache",
    "checklist": "imgcls.cli.checklist:checklist",
    "compare": "imgcls.cli.ladder:compare",
    "doctor": "imgcls.cli.machine:doctor",
    "eda": "imgcls.cli.data:eda",
    "init": "imgcls.cli.data:init",
    "ladder": "imgcls.cli.ladder:ladder",
    "predict": "imgcls.cli.predict:predict",
    "recipe": "imgcls.cli.recipe:recipe",
    "report": "imgcls.cli.ladder:report",
    "runs": "imgcls.cli.runs:runs",
    "submit": "imgcls.cli.predict:submit",
}
SETTINGS = {"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "IMGCLS", "max_content_width": 100}


class LazyGroup(click.Group):
    """A group that imports a command when it is asked for, so that `--help` stays light."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the names, in order."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101 - an entry of the table above that is none is our own mistake
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command where one is misspelled."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as problem:
            raise click.UsageError(problem.message + nearest_hint(args[0], self.list_commands(ctx)), ctx) from None


@click.group(cls=LazyGroup, context_settings=SETTINGS)
@click.version_option(__version__, prog_name="imgcls")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def imgcls(debug: bool) -> None:
    """Stack one-line recipes for image classification, and know which of them helped.

    Begin with 'imgcls recipe run baseline'.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    # fastai decorates functions at import with what torch now discourages; the person at the terminal cannot help it
    warnings.filterwarnings("ignore", message=r"`torch\.jit\.script", category=FutureWarning)
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        signal.signal(number, _leave)
    sys.exit(_run(given))


def _leave(number: int, _frame: FrameType | None) -> None:
    """Leave by unwinding, so that what is being written is finished or rolled back."""
    raise SystemExit(128 + number)


def _run(arguments: list[str]) -> int:
    debug, as_json = "--debug" in arguments, "--json" in arguments
    try:
        code = imgcls.main(args=arguments, prog_name="imgcls", standalone_mode=False)
        if sys.stdout is not None:  # closed by who started us
            sys.stdout.flush()
        return int(code or 0)
    except click.exceptions.Abort:  # what click makes of Ctrl-C
        return _interrupted(128 + signal.SIGINT, arguments)
    except SystemExit as stop:  # what `_leave` makes of other signals, and click of a reader that has left
        code = int(stop.code or 0)
        return _interrupted(code, arguments) if code > 128 else code
    except click.ClickException as problem:
        if as_json:
            return _tell(problem, exit_code=problem.exit_code, debug=debug, as_json=True)
        problem.show()
        return problem.exit_code
    except ImgclsError as problem:
        return _tell(problem, exit_code=problem.exit_code, debug=debug, as_json=as_json)
    except BrokenPipeError:  # the reader has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as problem:
        return _tell(problem, exit_code=1, debug=debug, as_json=as_json)
    except Exception as problem:  # a mistake of ours: said in a line, in full with --debug
        click.echo(f"Unexpected {type(problem).__name__}; 'imgcls --debug …' shows where.", err=True)
        return _tell(problem, exit_code=1, debug=debug, as_json=as_json)


def _interrupted(exit_code: int, arguments: list[str]) -> int:
    words = [word for word in arguments if not word.startswith("-")][:2]
    trains = words in (["recipe", "run"], ["ladder", "run"], ["ladder", "ablate"])
    kept = " Finished epochs are kept; the same command goes on from there." if trains else ""
    click.echo(f"Interrupted.{kept}", err=True)
    return exit_code


def _tell(problem: Exception, *, exit_code: int, debug: bool, as_json: bool) -> int:
    from imgcls.text import clean

    if debug:
        import traceback

        traceback.print_exception(problem)
    message = problem.format_message() if isinstance(problem, click.ClickException) else str(problem)
    click.echo(f"Error: {clean(message, keep_lines=True)}", err=True)
    if as_json:
        error = {"type": type(problem).__name__, "message": message, "exit_code": exit_code}
        with contextlib.suppress(OSError):
            click.echo(json.dumps({"schema": 1, "error": error}))
    return exit_code
