"""`imgcls predict` and `imgcls submit`: a trained run on further photographs, and files for a competition."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imgcls.cli.options import DEVICE, JSON, OUT, print_json, workspace_of
from imgcls.data.source import OFF
from imgcls.text import clean

if TYPE_CHECKING:
    from imgcls.config.decision import Decision
    from imgcls.records.blend import BlendRecord
    from imgcls.records.run import RunRecord


_DECISION = click.option(
    "--decision",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file of 'imgcls decide', or none.  [default: decision.toml, if it was made for RUN]",
)


def _decision(record: RunRecord | BlendRecord, file: Path | None) -> Decision:
    """Return by which rule a run or a blend answers, and say what has to be said of it."""
    from imgcls.config.decision import Decision, decision_for

    if file is not None and str(file) == OFF:
        return Decision.default(record.problem, record.classes)
    decision, note = decision_for(record, file)
    if note:
        click.echo(note, err=True)
    return decision


@click.command()
@click.argument("run")
@click.argument("path", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--images", type=click.Path(path_type=Path), help="For a table: the folder of its photographs.")
@click.option("--id", "id_", help="For a table: the column that names the photographs.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    help="What to print.  [default: a table on a terminal, CSV in a pipe]",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write to a .csv or .json file.")
@click.option("--raw", is_flag=True, help="In CSV, leave names that a spreadsheet would run as they are.")
@click.option("--strict", is_flag=True, help="Exit with 3 when an input has no prediction.")
@_DECISION
@DEVICE
@OUT
def predict(
    run: str,
    path: tuple[Path, ...],
    images: Path | None,
    id_: str | None,
    form: str | None,
    as_json: bool,
    output: Path | None,
    raw: bool,
    strict: bool,
    decision: Path | None,
    device: str,
    out: Path | None,
) -> int:
    """Predict photographs with a trained RUN, or a blend: files, folders, or CSV tables of ids.

    Every input has a row. One that cannot be predicted, because it is not there, damaged, or of a kind that is not
    read, has the status `error`, the reason, and no probabilities.
    """
    from imgcls.records.blend import find_predictor

    record = find_predictor(run, workspace_of(out))
    rule = _decision(record, decision)
    from imgcls.data.load import load_unlabelled
    from imgcls.engine.progress import step
    from imgcls.reports.live import reporter_for, telling
    from imgcls.reports.runs import as_csv, as_json_text, by_kind, print_table, write

    with telling("Looking for photographs", as_json=as_json):
        inputs = load_unlabelled(path, images=images, id=id_)
    if known := [entry.reason for entry in inputs.inputs if entry.reason]:  # said before torch takes its seconds
        click.echo(f"{len(known)} of {len(inputs.inputs)} cannot be predicted: {by_kind(known)}.", err=True)
    with reporter_for(as_json=as_json) as reporter:
        with step(reporter, "Loading torch and the network"):
            from imgcls.engine.device import Machine
            from imgcls.engine.predictor import predictor

            predicting = predictor(record, machine=Machine(device, keep_memory=True))
        frame = predicting.predict_inputs(inputs, decision=rule, progress=partial(reporter.progress, "Predicting"))
    form = "json" if as_json else form or ("table" if sys.stdout.isatty() else "csv")
    if output is not None:
        write(frame, output, record, raw=raw)
        click.echo(f"Wrote {len(frame)} rows to {output}.", err=True)
    elif form == "table":
        print_table(frame, record)
    else:
        is_csv = form == "csv"
        text = as_csv(frame, raw=raw, terminal=sys.stdout.isatty()) if is_csv else as_json_text(frame, record)
        click.echo(text, nl=False)
    reasons = frame["reason"][frame["status"] == "error"]
    n_failed = len(reasons)
    if n_failed:
        click.echo(f"{n_failed} of {len(frame)} have no prediction: {by_kind(reasons)}. Their rows say why.", err=True)
    if inputs.others:
        parts = ", ".join(f"{n:,} {suffix}" for suffix, n in inputs.others.items())
        click.echo(f"In folders, passed over as no photographs: {clean(parts)}.", err=True)
    if n_failed == len(frame):
        return 1
    return 3 if strict and n_failed else 0


@click.command()
@click.argument("run", required=False)
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The CSV to write.  [default: submissions/<run>.csv]",
)
@click.option(
    "--sample",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A sample submission: its columns, ids and order are taken over.  [default: imgcls.toml, else none]",
)
@click.option(
    "--probabilities/--classes",
    default=None,
    help="What a single column takes.  [default: as the sample, else both]",
)
@click.option("--force", is_flag=True, help="Write over a file with other content.")
@click.option("--strict", is_flag=True, help="Write nothing and exit with 3 where a row would have to be filled.")
@_DECISION
@OUT
@JSON
def submit(
    run: str | None,
    to: Path | None,
    sample: Path | None,
    probabilities: bool | None,
    force: bool,
    strict: bool,
    decision: Path | None,
    out: Path | None,
    as_json: bool,
) -> int:
    """Write what RUN, or a blend, says of the test part as a CSV to hand in.

    Without RUN it is one of the stack that the newest ladder recommends, as long as the ladder holds; else the newest
    run that has a test part. A photograph that could not be read has a row all the same: the mean of the others, or
    the shares of the classes where there is no other.
    """
    from imgcls.checklists.commands import recommended
    from imgcls.predictions.submission import known_sample, run_to_submit, submit, tabulate

    workspace = workspace_of(out)
    chosen = recommended(workspace) if run is None else None
    record = run_to_submit(chosen.run if chosen else run, workspace)
    sample = sample or known_sample(workspace)
    rule = _decision(record, decision)
    from imgcls.reports.live import telling

    with telling("Reading predictions", as_json=as_json):
        table = tabulate(record, workspace, sample=sample, probabilities=probabilities, decision=rule)
    from imgcls.reports.runs import SubmissionWritten, by_kind

    if table.filled:
        n, kinds = len(table.filled), by_kind(table.filled.values())
        done = "Nothing was written (--strict)" if strict else f"Rows filled with {table.filled_with}: {n:,}"
        click.echo(f"{n:,} of {len(table):,} test photographs could not be predicted: {kinds}. {done}.", err=True)
    if strict and table.filled:
        if as_json:
            print_json({"schema": 1, "run": record.id, "path": None, "filled": dict(table.filled)})
        return 3
    submission = submit(table, record, workspace, sample=sample, to=to, overwrite=force)
    why = "" if run is not None else chosen.why if chosen else "the newest run; no ladder that holds recommends one"
    view = SubmissionWritten(submission, table, record, why)
    if as_json:
        print_json(view.to_json())
        return 0
    from imgcls.reports.console import show

    show(view)
    return 0
