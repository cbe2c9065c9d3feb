"""Options that several commands share, and the one way JSON is printed."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from imgcls.config.metrics import find_metric
from imgcls.data.source import DataOptions, DataSource, as_words
from imgcls.errors import UsageError
from imgcls.text import escaped
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from imgcls.engine.device import Machine

Result = TypeVar("Result")

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
OUT = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder in which runs/ lies.  [default: the nearest one with imgcls.toml, or the current one]",
)
DEVICE = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")


def workspace_of(out: Path | None) -> Workspace:
    """Return the workspace that `--out` names, or the one at hand."""
    return Workspace(out.absolute()) if out is not None else Workspace.find()


def print_json(value: Any) -> None:
    """Print one JSON object, without NaN and without wrapping; controls are escapes, so that a terminal obeys none."""
    click.echo(escaped(json.dumps(value, allow_nan=False, ensure_ascii=False, default=str)))


class Finite(click.FloatRange):
    """A number in a range; click's own range lets NaN through."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert, and refuse what is no number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


class MetricType(click.ParamType["str"]):
    """A metric that there is, with its options, as records name it."""

    name = "metric"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Convert, and refuse what is none."""
        try:
            return find_metric(value).text
        except UsageError as problem:
            self.fail(str(problem), param, ctx)


METRIC_NAME = MetricType()


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


Command = TypeVar("Command", bound=Callable[..., Any])

FLAGS = {
    "epochs": "fit.epochs",
    "size": "images.size_px",
    "batch_size": "fit.batch_size",
    "model": "model.name",
    "weights": "model.weights",
}
"""Option → the plan path that it sets on the base."""

_DATA = (
    click.option(
        "--data",
        help="Folder, CSV, Parquet, torchvision:NAME or fastai:NAME.  [default: imgcls.toml, else elpv, solar cells]",
    ),
    click.option("--images", type=click.Path(path_type=Path), help="For a table: the folder of its photographs."),
    click.option("--label", multiple=True, help="For a table: the label column; several times for columns of 0 and 1."),
    click.option("--id", help="For a table: the column that names the photographs."),
    click.option("--group", help="For a table: a column of groups that stay together when split."),
    click.option("--split", help="For a table: a column that says train, valid or test; none uses no given parts."),
    click.option("--delimiter", help="For a table: what separates several labels in a cell."),
    click.option(
        "--stretch",
        metavar="LOW:HIGH",
        help="Of files of more than 8 bits, the values that are black and white.  [default: imgcls.toml, else 0:65535]",
    ),
    click.option(
        "--test",
        help="For a table: the table of photographs to predict, or none.  "
        "[default: imgcls.toml, else a table called test beside it]",
    ),
    click.option(
        "--type",
        "problem_type",
        type=click.Choice(["binary", "multiclass", "multilabel"]),
        help="Kind of problem.  [default: imgcls.toml, else seen from the labels]",
    ),
    click.option(
        "--split-seed",
        type=click.IntRange(0),
        help="Decides who trains and who validates.  [default: imgcls.toml, else 0]",
    ),
    click.option(
        "--valid",
        type=Finite(0, 1, min_open=True, max_open=True),
        help="Share that validates.  [default: imgcls.toml, else 0.2]",
    ),
    click.option(
        "--test-share",
        type=Finite(0, 1, min_open=True, max_open=True),
        help="Share to draw as the sealed test part.  [default: imgcls.toml, else none]",
    ),
    click.option(
        "--label-from", metavar="PATTERN", help="Where the label stands in a name or path: '{label}.*', '*/{label}/*'."
    ),
    click.option("--group-from", metavar="PATTERN", help="Where it says what stays together when split: '{group}_*'."),
    click.option("--exclude", multiple=True, metavar="GLOB", help="What is no photograph of the data; repeatable."),
    click.option(
        "--header", type=click.Choice(["first", "none"]), help="For a table: whether its first row names the columns."
    ),
    click.option(
        "--spelling",
        type=click.Choice(["join", "keep"]),
        help="Whether labels such as 1 and 1.0 are one class.  [default: ask]",
    ),
    click.option(
        "--missing",
        type=click.Choice(["stop", "exclude"]),
        help="For a table: what is done about rows without a photograph.  [default: stop]",
    ),
)
SMALLEST_GAIN = click.option(
    "--smallest-gain",
    type=Finite(0, min_open=True),
    default=0.5,
    show_default=True,
    help="Smallest gain of interest, in points (for log_loss: in hundredths of a nat).",
)
METRIC = click.option(
    "--metric",
    help="Metric of the verdict, chosen before looking.  [default: imgcls.toml, else that of the problem]",
)
_VERIFY = click.option("--verify", is_flag=True, help="Read and hash every photograph again.")
STRICT = click.option(
    "--strict", is_flag=True, help="Exit with 3, and train nothing, where photographs are lost or not used."
)
_PLAN = (
    click.option("--epochs", type=int, help="Passes over the training photographs (fit.epochs)."),
    click.option("--size", type=int, help="Side of the images in pixels (images.size_px)."),
    click.option("--batch-size", type=int, help="Photographs per step (fit.batch_size)."),
    click.option("--model", help="timm name, torchvision:NAME, simple_cnn or module:function (model.name)."),
    click.option("--weights", help="auto, none, or a file (model.weights)."),
    click.option(
        "--set", "set_", multiple=True, metavar="PATH=VALUE", help="Set any path of the base plan; repeatable."
    ),
)
_MACHINE = (
    DEVICE,
    click.option("--workers", type=click.IntRange(0), help="Processes that prepare batches.  [default: by the device]"),
    click.option("--precision", default="auto", show_default=True, help="auto, float32, bf16 or fp16."),
    click.option(
        "--from-start",
        is_flag=True,
        help="Begin again where a training was interrupted or failed, instead of going on.",
    ),
)


def problem_options(command: Command) -> Command:
    """Add the options that imgcls.toml keeps to a command: what the data are, and how they are split."""
    for option in reversed(_DATA):
        command = option(command)
    return command


def data_options(command: Command) -> Command:
    """Add the options that say what the data are, and how they are read, to a command."""
    for option in reversed((*_DATA, _VERIFY)):
        command = option(command)
    return command


def training_options(command: Command) -> Command:
    """Add the options of data, base plan and machine to a command."""
    for option in reversed((*_DATA, _VERIFY, STRICT, *_PLAN, *_MACHINE)):
        command = option(command)
    return command


def overrides_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan paths that flags set on the base.

    Raises:
        click.BadParameter: A path is set twice.
    """
    overrides: dict[str, Any] = {path: options[flag] for flag, path in FLAGS.items() if options[flag] is not None}
    for path, value in settings(options["set_"]).items():
        if path in overrides:
            raise click.BadParameter(f"{path} is set by a flag and by --set.", param_hint="--set")
        overrides[path] = value
    return overrides


def source_of(options: Mapping[str, Any]) -> DataSource:
    """Return the data that the options name."""
    named = {name: options[name] for name in DataOptions.__annotations__ if name in options}
    for name in ("label", "exclude"):
        values = options[name]
        named[name] = (values[0] if len(values) == 1 else list(values)) if values else None
    return DataSource.of(options["data"], named)


def asking(
    call: Callable[[DataSource], Result],
    source: DataSource,
    *,
    may_ask: bool = True,
    answers: dict[str, Any] | None = None,
) -> Result:
    """Read data and work on them; where a doubt comes up, ask on a terminal and begin again with the answer.

    Args:
        call: The work; doubts come up while data are read, before anything is done with them.
        source: The data as they were named.
        may_ask: Whether a person reads the output and wants questions; a program is never asked.
        answers: Receives the fields of the source that were answered, for commands that are printed afterwards; None
            where a file keeps them.

    Raises:
        DoubtError: Nobody is there to ask.
    """
    from imgcls.data.assumptions import DoubtError

    while True:
        try:
            return call(source)
        except DoubtError as doubt:
            if not may_ask or not doubt.choices or not (sys.stdin.isatty() and sys.stderr.isatty()):
                raise
            click.echo(doubt.doubt, err=True)
            for number, choice in enumerate(doubt.choices, start=1):
                click.echo(f"  {number}  {choice.meaning}   {as_words(choice.options)}", err=True)
            if doubt.hint:
                click.echo(doubt.hint, err=True)
            chosen = click.prompt("Which is meant", type=click.IntRange(1, len(doubt.choices)), err=True)
            options = dict(doubt.choices[chosen - 1].options)
            source = replace(source, **options)
            if answers is not None and options:
                answers.update(options)
                click.echo(f"Other commands need it too: {as_words(options)}; 'imgcls init' keeps it.", err=True)


def machine_of(options: Mapping[str, Any]) -> Machine:
    """Return the machine that the options name (loads the engine)."""
    from imgcls.engine.device import Machine

    return Machine(options["device"], options["workers"], options["precision"], keep_memory=True)
