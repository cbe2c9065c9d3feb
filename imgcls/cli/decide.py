"""`imgcls decide`: from probabilities to answers."""

from __future__ import annotations

import re
from pathlib import Path

import click

from imgcls.cli.options import JSON, OUT, print_json, workspace_of
from imgcls.errors import UsageError

_BOUND = re.compile(r"(?P<of>.+?)\s*(?:>=|=|:)\s*(?P<share>\d*\.?\d+)\s*(?P<percent>%?)", re.DOTALL)


@click.command()
@click.argument("run")
@click.option(
    "--recall", multiple=True, metavar="CLASS>=SHARE", help="Find at least this share of the images that have it."
)
@click.option(
    "--precision", multiple=True, metavar="CLASS>=SHARE", help="Of the images called so at least this share has it."
)
@click.option("--cost", type=click.Path(dir_okay=False, path_type=Path), help="Table of what wrong answers cost.")
@click.option("--f1", is_flag=True, help="The best F1: of each label, the rarer of two classes, or the mean over more.")
@click.option("--reject", metavar="SHARE", help="Leave this share to a person, such as 5%: what is most doubtful.")
@click.option(
    "--to", type=click.Path(dir_okay=False, path_type=Path), help="The file.  [default: decision.toml of the workspace]"
)
@click.option("--strict", is_flag=True, help="Write nothing and exit with 3 where what is asked for cannot be shown.")
@OUT
@JSON
def decide(
    run: str,
    recall: tuple[str, ...],
    precision: tuple[str, ...],
    cost: Path | None,
    f1: bool,
    reject: str | None,
    to: Path | None,
    strict: bool,
    out: Path | None,
    as_json: bool,
) -> int:
    """Choose by which rule RUN, or a blend, answers; say what that promises, and what it costs.

    Without options an image is of its most probable class; with several labels it has those from 0.5 on. Put bounds in
    quotes: --recall 'defective>=0.99', or write defective=0.99.

    A --cost table has a row for each true class and a column for each answer; a column 'not sure' says what it costs
    to ask a person. With several labels its columns are label, missed and false_alarm.

    The rule is chosen by the photographs that validate, and judged on those that did not choose it. It is written to
    decision.toml; predict, submit and runs show follow it.
    """
    from imgcls.evidence.decide import decide
    from imgcls.records.blend import find_predictor
    from imgcls.reports.console import show
    from imgcls.reports.decision import DecisionView
    from imgcls.reports.live import telling

    workspace = workspace_of(out)
    share = None if reject is None else _share(reject)
    bounds, other_bounds = _bounds(recall, "recall"), _bounds(precision, "precision")
    with telling("Deciding", as_json=as_json):
        record = find_predictor(run, workspace)
        decided = decide(record, recall=bounds, precision=other_bounds, f1=f1, costs=cost, reject=share)
    is_open = strict and not decided.is_shown
    if not is_open:
        decided = decided.keep(to, workspace=workspace)
    if as_json:
        print_json(decided.to_json())
    else:
        show(DecisionView(decided, record))
    return 3 if is_open else 0


def _bounds(texts: tuple[str, ...], what: str) -> dict[str, float]:
    """Read CLASS>=SHARE, several times.

    Raises:
        UsageError: One is no such text, or a class is there twice.
    """
    found: dict[str, float] = {}
    for text in texts:
        match = _BOUND.fullmatch(text.strip())
        if match is None:
            raise UsageError(
                f"--{what} {text!r} has to name a class and a share, in quotes since > is a sign of the shell: "
                f"--{what} 'defective>=0.99', or --{what} defective=0.99 without quotes."
            )
        if match["of"] in found:
            raise UsageError(f"--{what} names {match['of']!r} twice.")
        found[match["of"]] = float(match["share"]) / (100 if match["percent"] else 1)
    return found


def _share(text: str) -> float:
    """Read 5% or 0.05.

    Raises:
        UsageError: It is neither.
    """
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise UsageError(f"--reject {text!r} has to be a share of the images, such as 5% or 0.05.") from None
