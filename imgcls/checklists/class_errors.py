"""Class errors of a run: how many validation images of each class are wrong, counted lightly and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgcls.errors import ProblemError, RecordError
from imgcls.records.derived import write_derived
from imgcls.records.run import RunRecord
from imgcls.schema import read_as
from imgcls.storage import canonical_json
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from imgcls.config.decision import Decision

TALLIES_JSON = ".tallies.json"
SCHEMA = 1
MOST_KEPT = 50


@dataclass(frozen=True)
class ClassErrors:
    """How often a run is wrong about one class."""

    name: str
    """The class."""
    n: int
    """Images with that label; for several labels an image, all images."""
    n_wrong: int
    """Those that it answers wrongly."""


@dataclass(frozen=True)
class _Count:
    """What was counted of one run."""

    question: str
    """See `question_of`."""
    classes: tuple[ClassErrors, ...]
    """The answer."""


@dataclass(frozen=True)
class _CountFile:
    """What `runs/.tallies.json` holds."""

    tallies: tuple[_Count, ...]
    """What is kept, oldest first."""


def question_of(run: RunRecord, name: str, rule: Decision) -> str:
    """Return what tells a count from others: the content of one of a run's files, and how answers are made of it."""
    question: list[Any] = [run.files[name].sha256, run.problem, list(run.classes)]
    question += [] if rule.is_default else [rule.as_written()]
    return hashlib.sha256(canonical_json(question).encode("ascii")).hexdigest()


def load_class_errors(workspace: Workspace) -> Mapping[str, tuple[ClassErrors, ...]]:
    """Return what was counted, by its question; a file that is missing or damaged holds nothing."""
    try:
        kept = read_as(_CountFile, workspace.runs / TALLIES_JSON, schema=SCHEMA)
    except RecordError:
        return {}
    return {count.question: count.classes for count in kept.tallies}


def save_class_errors(workspace: Workspace, question: str, tallies: tuple[ClassErrors, ...]) -> None:
    """Keep what was counted; where it cannot be written, nothing is kept.

    Args:
        workspace: Where the run lies.
        question: What was counted: see `question_of`.
        tallies: The answer.
    """
    counts = [_Count(*counted) for counted in (*load_class_errors(workspace).items(), (question, tallies))]
    write_derived(workspace.runs / TALLIES_JSON, _CountFile(tuple(counts[-MOST_KEPT:])), schema=SCHEMA)


_N_ROWS = 8192
_SEPARATOR = "|"


def labels_of(run: RunRecord) -> list[str]:
    """Return the labels of what a run validated on; none where they cannot be read."""
    return [label for batch in _batches(run, ["label"]) for label in batch["label"].to_pylist()]


def class_errors(run: RunRecord, workspace: Workspace) -> tuple[ClassErrors, ...]:
    """Count for each class how often a run is wrong about it; nothing where its predictions cannot be read.

    What was counted is kept, so that the predictions are read once.
    """
    path = _prediction_file(run)
    if path is None or not run.classes:
        return ()
    rule = _rule_of(run)
    question = question_of(run, path.name, rule)
    kept = load_class_errors(workspace).get(question)
    if kept is not None:
        return kept
    counted = _count(run, rule)
    if _n_images(counted, run) == run.data.n.get("valid"):  # else the file could be read in part only
        save_class_errors(workspace, question, counted)
    return counted


def _n_images(counted: tuple[ClassErrors, ...], run: RunRecord) -> int:
    numbers = [tally.n for tally in counted]
    return max(numbers) if run.problem == "multilabel" else sum(numbers)


def _count(run: RunRecord, rule: Decision) -> tuple[ClassErrors, ...]:
    import numpy as np

    n, n_wrong = np.zeros((2, len(run.classes)), dtype=np.int64)
    for batch in _batches(run, ["label", *(f"p_{name}" for name in run.classes)]):
        labels = [
            {*(label or "").split(_SEPARATOR)} if run.problem == "multilabel" else {label}
            for label in batch["label"].to_pylist()
        ]
        truth = np.array([[name in has for name in run.classes] for has in labels])
        answers = rule.answers(_probabilities(batch, run.classes))
        about = np.ones_like(truth) if run.problem == "multilabel" else truth  # an image is about its own class
        n += about.sum(axis=0)
        n_wrong += (about & (answers.chosen != truth) & ~answers.unsure[:, None]).sum(axis=0)
    return tuple(ClassErrors(*counted) for counted in zip(run.classes, n.tolist(), n_wrong.tolist(), strict=True))


def _probabilities(batch: Any, classes: tuple[str, ...]) -> Any:
    import numpy as np

    # pyarrow's own `to_numpy` loads pandas
    return np.stack([np.from_dlpack(batch[f"p_{name}"]) for name in classes], axis=1)


def _batches(run: RunRecord, columns: list[str]) -> Iterator[Any]:
    """Yield the rows of a run's validation file in pieces, so that memory stays bounded."""
    path = _prediction_file(run)
    if path is None:
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            if set(columns) <= set(file.schema_arrow.names):
                yield from file.iter_batches(batch_size=_N_ROWS, columns=columns)
    except (OSError, pa.ArrowException):  # a file that is damaged proves nothing
        return


def _rule_of(run: RunRecord) -> Decision:
    """Return by which rule a run answers; a decision that cannot be read decides nothing."""
    from imgcls.config.decision import Decision, decision_for  # loads pydantic

    try:
        return decision_for(run)[0]
    except ProblemError:
        return Decision.default(run.problem, run.classes)


def _prediction_file(run: RunRecord) -> Path | None:
    try:
        return run.path("oof.parquet" if run.folds is not None else "valid.parquet")
    except RecordError:
        return None
