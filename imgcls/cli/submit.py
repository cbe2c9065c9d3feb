"""`imgcls submit`: the predictions of the test part, in the form that is asked for."""

from __future__ import annotations

from pathlib import Path

import click

from imgcls.cli.options import JSON, OUT, print_json, workspace_of


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
    from imgcls.predictions.submit import known_sample, run_to_submit, submit

    workspace = workspace_of(out)
    chosen = recommended(workspace) if run is None else None
    record = run_to_submit(chosen.run if chosen else run, workspace)
    submission, table = submit(
        record, workspace, sample=sample or known_sample(workspace), to=to, probabilities=probabilities, overwrite=force
    )
    from imgcls.reports.submission import SubmissionWritten

    why = "" if run is not None else chosen.why if chosen else "the newest run; no ladder that holds recommends one"
    view = SubmissionWritten(submission, tuple(table.columns), table.probability_of, record, why)
    if as_json:
        print_json(view.to_json())
        return
    from imgcls.reports.text import show

    show(view)
