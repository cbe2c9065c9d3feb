"""Options that several commands share, and the one way JSON is printed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from imgcls.workspace import Workspace

Command = TypeVar("Command", bound=Callable[..., Any])

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
OUT = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder in which runs/ lies.  [default: the nearest one with imgcls.toml, or the current one]",
)
DEVICE = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")


def workspace_of(out: Path | None) -> Workspace:
    """Give the workspace that `--out` names, or the one at hand."""
    return Workspace(out.absolute()) if out is not None else Workspace.find()


def print_json(value: Any) -> None:
    """Print one JSON object, without NaN and without wrapping."""
    click.echo(json.dumps(value, allow_nan=False, ensure_ascii=False, default=str))


class Finite(click.FloatRange):
    """A number in a range; click's own range lets NaN through."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert, and refuse what is no number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


def settings(values: tuple[str, ...]) -> dict[str, str]:
    """Read `PATH=VALUE` texts.

    Raises:
        click.BadParameter: One has no equals sign, or a path is set twice.
    """
    found: dict[str, str] = {}
    for text in values:
        path, equals, value = text.partition("=")
        if not equals or not path.strip():
            raise click.BadParameter(f"write PATH=VALUE, such as fit.epochs=5, not {text!r}.", param_hint="--set")
        if path.strip() in found:
            raise click.BadParameter(f"{path.strip()} is set twice.", param_hint="--set")
        found[path.strip()] = value
    return found
