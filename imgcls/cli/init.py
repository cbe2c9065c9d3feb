"""`imgcls init`: write down what the problem is, from a look at the data."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgcls.cli.data_options import problem_options
from imgcls.cli.options import JSON, print_json
from imgcls.errors import ProblemError, UsageError
from imgcls.problem.metrics import METRIC_NAMES
from imgcls.workspace import MARKER, OWN_FOLDERS, Workspace, check_writable

if TYPE_CHECKING:
    from imgcls.problem.model import Problem
    from imgcls.problem.proposing import Proposal

_OUT = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for imgcls.toml.  [default: the current one]",
)


@click.command()
@click.argument("source", required=False, metavar="[DATA]")
@click.option("--title", help="A short name for people.")
@click.option("--goal", help="What is to be told apart, and what for.")
@click.option("--background", help="Where the photographs come from, and what else is known of them.")
@click.option("--metric", type=click.Choice(METRIC_NAMES), help="What decides.  [default: by the kind of problem]")
@click.option("--sample-submission", help="The file that shows what a submission looks like.  [default: found]")
@click.option("--metadata", multiple=True, help="A table that says more of the photographs; repeatable.")
@problem_options
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@click.option(
    "--force",
    is_flag=True,
    help="Write an imgcls.toml anew; its comments go, title, goal, background and skipped items stay.",
)
@_OUT
@JSON
def init(source: str | None, yes: bool, force: bool, as_json: bool, **options: Any) -> None:
    """Look at DATA and write imgcls.toml: what the problem is. Every command in the folder reads it.

    DATA is a folder, a table, torchvision:NAME or fastai:NAME; without it, the default data are meant. On a terminal
    you are asked for what cannot be seen.
    """
    if source is not None and options["data"] is not None:
        raise click.UsageError("Name the data once: as DATA or with --data.")
    data = source if source is not None else options["data"]
    workspace = Workspace((options["out"] or Path()).absolute())
    file = workspace.root / MARKER
    _check_place(workspace, data, images=options["images"], force=force)
    proposal = _proposed(data, workspace, options)
    if not yes and not as_json and sys.stdin.isatty() and sys.stdout.isatty():
        proposal = _asked(proposal)
    from imgcls.problem.toml import write_problem
    from imgcls.reports.problem import ProblemWritten
    from imgcls.reports.text import show

    workspace.root.mkdir(parents=True, exist_ok=True)
    write_problem(file, proposal.problem)
    written = ProblemWritten(proposal, file)
    if as_json:
        print_json(written.to_json())
    else:
        show(written)


def _check_place(workspace: Workspace, data: str | None, *, images: str | None, force: bool) -> None:
    """Refuse a place that holds a problem already, that cannot be written, or that holds the photographs."""
    file = workspace.root / MARKER
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise UsageError(f"{file} is no ordinary file, and is not written over.")
    if file.exists() and not force:
        raise UsageError(
            f"{file} is there already; change it by hand, or write it anew with --force: "
            "its comments go; title, goal, background and skipped items stay."
        )
    if data is not None:
        workspace.check_apart(data, images)
    check_writable(workspace.root, what=MARKER)


def _proposed(data: str | None, workspace: Workspace, options: dict[str, Any]) -> Proposal:
    from imgcls.data.sources.columns import TableOptions
    from imgcls.problem.proposing import carried_on, filled, propose

    label = options["label"]
    table = TableOptions(
        images=options["images"],
        label=(label[0] if len(label) == 1 else label) if label else None,
        id=options["id_"],
        group=options["group"],
        split=options["split"],
        problem_type=options["problem_type"],
        delimiter=options["delimiter"],
        test=options["test"],
        skip=OWN_FOLDERS,
    )
    proposal = propose(
        data,
        workspace.root,
        options=table,
        sample_submission=options["sample_submission"],
        metadata=options["metadata"],
    )
    if (before := _before(workspace.root / MARKER)) is not None:
        proposal = carried_on(proposal, before)
    said = {name: options[name] for name in ("title", "goal", "background", "metric")}
    return filled(proposal, said={**said, "fraction": options["valid"], "seed": options["split_seed"]})


def _before(file: Path) -> Problem | None:
    """Read the problem that is written over; None where there is none, or none that can be read."""
    from imgcls.problem.toml import read_problem

    with contextlib.suppress(ProblemError):
        return read_problem(file) if file.exists() else None
    return None


def _asked(proposal: Proposal) -> Proposal:
    """Ask for what was not said and cannot be seen."""
    from imgcls.problem.proposing import filled

    problem, said = proposal.problem, {}
    for name, question in (
        ("title", "Title: a short name"),
        ("goal", "Goal: what is to be told apart, and what for"),
        ("background", "Background: where the photographs come from"),
    ):
        if not getattr(problem, name):
            said[name] = click.prompt(question, default="", show_default=False).strip()
    kind = f" (the data look {problem.type})" if problem.type else ""
    said["metric"] = click.prompt(
        f"Metric{kind}", type=click.Choice(METRIC_NAMES), default=problem.metric or "accuracy"
    )
    return filled(proposal, said=said)
