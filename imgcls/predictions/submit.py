"""From the record of a run to a file that can be handed in, and a note beside it of what it came from."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from imgcls.data.sources.delimited import read_table
from imgcls.durable import make_folder, sha256_file, write_bytes
from imgcls.errors import RecordError, UsageError, WorkspaceError
from imgcls.predictions.submission import PROBABILITY, Predicted, SubmissionTable, make_submission
from imgcls.problem.placed import place_of
from imgcls.problem.toml import find_problem
from imgcls.records.find import find_run, find_runs
from imgcls.records.run import RunRecord
from imgcls.records.submissions import GIVE_TEST, TEST_FILE, Submission
from imgcls.workspace import Workspace

_GIVE_TEST = (
    f"The data need a test part: {GIVE_TEST}; then train again. 'imgcls predict RUN PATH' predicts other photographs."
)


def run_to_submit(text: str | None, workspace: Workspace) -> RunRecord:
    """Find the run whose predictions of the test part are handed in.

    Args:
        text: What a person typed for it; None takes the newest run that is no trial and no fold.
        workspace: Where to look.

    Raises:
        RecordError: There is no such run.
        UsageError: It has no predictions of a test part.
    """
    if text is not None:
        record = find_run(text, workspace)
        if TEST_FILE in record.files:
            return record
        if record.folds is not None:
            first = record.folds.runs[0].run
            raise UsageError(
                f"{record.id} holds what {len(record.folds.runs)} folds said of the samples that validate, and nothing "
                f"of a test part. Name one of its folds, such as {first}, or run the same stack without folds."
            )
        raise UsageError(f"{record.id} has no predictions of a test part. {_GIVE_TEST}")
    runs = find_runs(workspace)[0]
    if not runs:
        raise RecordError(f"There is no run in {workspace.runs}. 'imgcls recipe run baseline' makes one.")
    able = [run for run in runs if TEST_FILE in run.files and not run.quick and run.fold is None]
    if not able:
        raise UsageError(
            f"No run in {workspace.runs} has predictions of a test part (trials and single folds have to be named). "
            f"{_GIVE_TEST}"
        )
    return able[-1]


def known_sample(workspace: Workspace) -> Path | None:
    """Give the sample submission that imgcls.toml names; None where it names none.

    Raises:
        ProblemError: imgcls.toml cannot be read, or does not fit.
    """
    problem = find_problem(workspace.root)
    if problem is None or problem.data.sample_submission is None:
        return None
    return place_of(problem.data.sample_submission, problem, workspace.root)


def submit(
    record: RunRecord,
    workspace: Workspace,
    *,
    sample: Path | None = None,
    to: Path | None = None,
    probabilities: bool = False,
    overwrite: bool = False,
) -> tuple[Submission, SubmissionTable]:
    """Write the predictions of the test part, and beside them what they came from.

    Args:
        record: A run that has them.
        workspace: Where `submissions/` lies.
        sample: The table whose form is taken over; None for id, label and probabilities.
        to: The file; None for `submissions/<run id>.csv`.
        probabilities: Whether classes are replaced by probabilities.
        overwrite: Whether a file with other content is written over.

    Raises:
        DataError: The sample cannot be read, or does not fit.
        RecordError: The predictions are damaged.
        WorkspaceError: The file is there already, or cannot be written.
    """
    file = _place_of(record, workspace, to)
    table = make_submission(
        _predictions_of(record), None if sample is None else read_table(sample), probabilities=probabilities
    )
    content = table.as_csv().encode("utf-8")
    digest = hashlib.sha256(content).hexdigest()
    if not overwrite and file.is_file() and sha256_file(file) != digest:
        raise WorkspaceError(f"{file} is there already, with other content. Write over it with --force.")
    make_folder(workspace.submissions)
    make_folder(file.parent)
    write_bytes(file, content)
    written = Submission(
        run=record.id,
        key=record.key,
        stack=record.label,
        plan_digest=record.plan_digest,
        data_digest=record.data.digest,
        split_digest=record.data.split_digest,
        file=_from_submissions(file, workspace),
        sha256=digest,
        n_rows=len(table),
        holds=table.holds,
        sample=None if sample is None else sample.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return written.write(workspace), table


def _predictions_of(record: RunRecord) -> Predicted:
    record.verify([TEST_FILE])
    frame = record.predictions("test")
    values = frame[[f"{PROBABILITY}{name}" for name in record.classes]].to_numpy(dtype=np.float64)
    return Predicted(frame["id"].astype(str).tolist(), values, record.classes, record.problem)


def _place_of(record: RunRecord, workspace: Workspace, to: Path | None) -> Path:
    """Give the file that is written.

    Raises:
        WorkspaceError: It is no CSV, or would lie among the records.
    """
    if to is None:
        return workspace.submissions / f"{record.id}.csv"
    if to.suffix.lower() != ".csv":
        raise WorkspaceError(f"{to} has to end in .csv.")
    place = to.absolute()
    for folder in (workspace.runs, workspace.ladders):
        if place.resolve().is_relative_to(folder.resolve()):
            raise WorkspaceError(f"{to} lies among the records in {folder}. Choose another place with --to.")
    return place


def _from_submissions(file: Path, workspace: Workspace) -> str:
    """Name a file so that a moved workspace still finds it, where it lies within."""
    if file.is_relative_to(workspace.submissions):
        return file.relative_to(workspace.submissions).as_posix()
    if file.is_relative_to(workspace.root):
        return (Path("..") / file.relative_to(workspace.root)).as_posix()
    return file.as_posix()
