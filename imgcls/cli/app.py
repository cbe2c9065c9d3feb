"""The root command, and the one place where errors, signals and lost streams become exit codes.

0 done · 1 the work failed, or its result could not be written to stdout · 2 something to change before it can start ·
3 done, with open findings under `--strict` · 129, 130, 143 signals · 141 done, but the reader of stdout had left.

Work never depends on who reads: it goes on to its end when stdout or stderr is closed, full or broken. What stderr
cannot take is dropped. What stdout cannot take is dropped too, and then a command that would end with 0 or 3 ends with
141 if its reader had left, as `head` does, and else with 1 and a line that says so. A stream that was closed before the
start is one that nobody wants. After a signal every error is the signal's.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import importlib
import io
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Self

import click

from imgcls._version import __version__
from imgcls.errors import ImgclsError, nearest_hint

_COMMANDS = {
    "blend": "imgcls.cli.ladder:blend",
    "cache": "imgcls.cli.machine:cache",
    "checklist": "imgcls.cli.checklist:checklist",
    "compare": "imgcls.cli.ladder:compare",
    "decide": "imgcls.cli.decide:decide",
    "doctor": "imgcls.cli.machine:doctor",
    "eda": "imgcls.cli.data:eda",
    "explain": "imgcls.cli.explain:explain",
    "init": "imgcls.cli.data:init",
    "ladder": "imgcls.cli.ladder:ladder",
    "predict": "imgcls.cli.predict:predict",
    "models": "imgcls.cli.recipe:models",
    "recipe": "imgcls.cli.recipe:recipe",
    "report": "imgcls.cli.ladder:report",
    "review": "imgcls.cli.review:review",
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


class _Stream(io.TextIOWrapper):
    """A standard stream that takes everything: after its first error the rest goes nowhere."""

    original: io.TextIOWrapper
    """The stream that it stands for."""
    problem: OSError | None = None
    """The first error; None as long as all is well."""

    @classmethod
    def over(cls, stream: io.TextIOWrapper) -> Self:
        """Return a stream that writes where another one does, which it keeps: its end would close them both."""
        made = cls(stream.buffer, stream.encoding, "backslashreplace", line_buffering=stream.line_buffering)
        made.original = stream
        return made

    def write(self, text: str) -> int:
        """Write, or drop."""
        try:
            return super().write(text)
        except OSError as problem:
            self._drop(problem)
            return len(text)

    def flush(self) -> None:
        """Flush, or drop."""
        try:
            super().flush()
        except OSError as problem:
            self._drop(problem)

    def _drop(self, problem: OSError) -> None:
        """Put nothing behind the descriptor, for what is still in the buffer and for libraries that write to it."""
        self.problem = self.problem or problem
        with contextlib.suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)


_signals: list[int] = []
"""The signals that came, in order; an error after one counts as it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _open_streams()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # nohup wants no SIGHUP, and gets none
            signal.signal(number, _leave)
    code = _run(given)
    problem = getattr(sys.stdout, "problem", None)
    if problem is not None and code in (0, 3):
        code = 128 + signal.SIGPIPE if problem.errno == errno.EPIPE else 1
        if code == 1:
            reason = problem.strerror or type(problem).__name__
            click.echo(
                f"Error: The result could not be written to standard output: {reason}. What was trained or written to "
                "files is kept; run the same command again.",
                err=True,
            )
    gc.freeze()  # else Python looks through all of torch for garbage before it ends: ten seconds on a busy machine
    sys.exit(code)


def _open_streams() -> None:
    """Make standard streams that cannot fail."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # else the next file that is opened would be what libraries take for a terminal
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for the life of the process
        elif type(stream) is io.TextIOWrapper:
            setattr(sys, name, _Stream.over(stream))


def _leave(number: int, _frame: FrameType | None) -> None:
    """Leave by unwinding, so that what is being written is finished or rolled back."""
    _signals.append(number)
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)


def _run(arguments: list[str]) -> int:
    debug, as_json = "--debug" in arguments, "--json" in arguments
    try:
        code = imgcls.main(args=arguments, prog_name="imgcls", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except BaseException as problem:
        if _signals:
            return _interrupted(128 + _signals[0], arguments)
        if isinstance(problem, click.exceptions.Abort | KeyboardInterrupt):  # what a prompt makes of the end of input
            return _interrupted(128 + signal.SIGINT, arguments)
        if debug and not isinstance(problem, click.ClickException):
            import traceback

            traceback.print_exception(problem)
        if isinstance(problem, SystemExit) and isinstance(problem.__context__, OSError):
            problem = problem.__context__  # click leaves so at a broken pipe; ours do not break, so it is another one
        if isinstance(problem, SystemExit):
            problem = ImgclsError(
                "Python code that was loaded, such as a recipe or a network of your own, called "
                f"sys.exit({problem.code!r}) before the work was done. Take that call out; 'imgcls --debug …' shows "
                "where it is."
            )
        if isinstance(problem, click.ClickException | ImgclsError):
            return _tell(problem, exit_code=problem.exit_code, as_json=as_json)
        if not isinstance(problem, OSError):  # a mistake of ours: said in a line, in full with --debug
            click.echo(f"Unexpected {type(problem).__name__}; 'imgcls --debug …' shows where.", err=True)
        return _tell(problem, exit_code=1, as_json=as_json)


def _interrupted(exit_code: int, arguments: list[str]) -> int:
    words = [word for word in arguments if not word.startswith("-")][:2]
    trains = words in (["recipe", "run"], ["ladder", "run"], ["ladder", "ablate"])
    kept = " Finished epochs are kept; the same command goes on from there." if trains else ""
    click.echo(f"Interrupted.{kept}", err=True)
    return exit_code


def _tell(problem: BaseException, *, exit_code: int, as_json: bool) -> int:
    from imgcls.text import clean

    message = problem.format_message() if isinstance(problem, click.ClickException) else str(problem)
    if isinstance(problem, click.UsageError) and not as_json:
        click.UsageError(clean(message, keep_lines=True), problem.ctx).show()  # with the usage line and where help is
    else:
        click.echo(f"Error: {clean(message, keep_lines=True)}", err=True)
    if as_json:
        error = {"type": type(problem).__name__, "message": message, "exit_code": exit_code}
        click.echo(json.dumps({"schema": 1, "error": error}))
    return exit_code
