"""Labels and answers of a run's validation part, read in pieces and without pandas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from imgcls.checklists.tallies import Tally, keep_tallies, kept_tallies, question_of
from imgcls.errors import RecordError
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

_N_ROWS = 8192
_SEPARATOR = "|"


def labels_of(run: RunRecord) -> list[str]:
    """Give the labels of what a run validated on; none where they cannot be read."""
    return [label for batch in _batches(run, ["label"]) for label in batch["label"].to_pylist()]


def tallies(run: RunRecord, workspace: Workspace) -> tuple[Tally, ...]:
    """Count for each class how often a run is wrong about it; nothing where its predictions cannot be read.

    What was counted is kept, so that the predictions are read once.
    """
    path = _file(run)
    if path is None or not run.classes:
        return ()
    question = question_of(run, path.name)
    kept = kept_tallies(workspace).get(question)
    if kept is not None:
        return kept
    counted = _count(run)
    if _n_images(counted, run) == run.data.n.get("valid"):  # else the file could be read in part only
        keep_tallies(workspace, question, counted)
    return counted


def _n_images(counted: tuple[Tally, ...], run: RunRecord) -> int:
    numbers = [tally.n for tally in counted]
    return max(numbers) if run.problem == "multilabel" else sum(numbers)


def _count(run: RunRecord) -> tuple[Tally, ...]:
    columns = [f"p_{name}" for name in run.classes]
    n = dict.fromkeys(run.classes, 0)
    n_wrong = dict.fromkeys(run.classes, 0)
    for batch in _batches(run, ["label", *columns]):
        count = _count_labels if run.problem == "multilabel" else _count_classes
        count(batch, run.classes, n, n_wrong)
    return tuple(Tally(name, n[name], n_wrong[name]) for name in run.classes)


def _count_classes(batch: Any, classes: tuple[str, ...], n: dict[str, int], n_wrong: dict[str, int]) -> None:
    answers = _probabilities(batch, classes).argmax(axis=1)
    for label, answer in zip(batch["label"].to_pylist(), answers.tolist(), strict=True):
        if label in n:
            n[label] += 1
            n_wrong[label] += classes[answer] != label


def _count_labels(batch: Any, classes: tuple[str, ...], n: dict[str, int], n_wrong: dict[str, int]) -> None:
    said = _probabilities(batch, classes) > 0.5
    for label, row in zip(batch["label"].to_pylist(), said.tolist(), strict=True):
        has = set((label or "").split(_SEPARATOR))
        for name, says in zip(classes, row, strict=True):
            n[name] += 1
            n_wrong[name] += says != (name in has)


def _probabilities(batch: Any, classes: tuple[str, ...]) -> Any:
    import numpy as np

    # pyarrow's own `to_numpy` loads pandas
    return np.stack([np.from_dlpack(batch[f"p_{name}"]) for name in classes], axis=1)


def _batches(run: RunRecord, columns: list[str]) -> Iterator[Any]:
    """Yield the rows of a run's validation file in pieces, so that memory stays bounded."""
    path = _file(run)
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


def _file(run: RunRecord) -> Path | None:
    try:
        return run.path("oof.parquet" if run.folds is not None else "valid.parquet")
    except RecordError:
        return None
