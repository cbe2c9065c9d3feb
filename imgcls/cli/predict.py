"""`imgcls predict` and `imgcls submit`: a trained run on further photographs, and files for a competition."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from imgcls.cli.options import DEVICE, JSON, OUT, print_json, workspace_of


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
@click.option("--strict", is_flag=True, help="Exit with 3 when a photograph could not be read.")
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
    device: str,
    out: Path | None,
) -> int:
    """Predict photographs with a trained RUN: files, folders, or CSV tables of ids; one row each."""
    from imgcls.records.find import find_run

    record = find_run(run, workspace_of(out))
    from imgcls.engine.device import Machine
    from imgcls.engine.predictor import load
    from imgcls.reports.runs import as_csv, as_json_text, print_table, write

    frame = load(record, machine=Machine(device, keep_memory=True)).predict(path, images=images, id=id_)
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
    n_failed = int((frame["status"] == "error").sum())
    if n_failed:
        click.echo(f"{n_failed} of {len(frame)} could not be read; their rows say why.", err=True)
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
@click.option("--probabilities", is_flag=True, help="Probabilities instead of classes.")
@click.option("--force", is_flag=True, help="Write over a file with other content.")
@OUT
@JSON
def submit(
    run: str | None,
    to: Path | None,
    sample: Path | None,
    probabilities: bool,
    force: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Write what RUN says of the test part as a CSV to hand in.

    Without RUN it is one of the stack that the newest ladder recommends, as long as the ladder holds; else the newest
    run that has a test part.
    """
    from imgcls.checklists.commands import recommended
    from imgcls.predictions.submission import known_sample, run_to_submit, submit

    workspace = workspace_of(out)
    chosen = recommended(workspace) if run is None else None
    record = run_to_submit(chosen.run if chosen else run, workspace)
    submission, table = submit(
        record, workspace, sample=sample or known_sample(workspace), to=to, probabilities=probabilities, overwrite=force
    )
    from imgcls.reports.runs import SubmissionWritten

    why = "" if run is not None else chosen.why if chosen else "the newest run; no ladder that holds recommends one"
    view = SubmissionWritten(submission, tuple(table.columns), table.probability_of, record, why, table.note)
    if as_json:
        print_json(view.to_json())
        return
    from imgcls.reports.console import show

    show(view)
