"""From a trained network to the files of its record."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from imgcls.data.samples import Samples
from imgcls.durable import write_bytes
from imgcls.engine.build import Built, photo_dataset
from imgcls.engine.inference import batches_of, predict_batches
from imgcls.engine.request import Request, writable
from imgcls.errors import RecordError
from imgcls.evidence.metrics import evaluate
from imgcls.records.estimate import Estimate
from imgcls.records.find import find_run
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace

WEIGHTS_FILE = "weights.safetensors"
PREDICTION_FILES = ("valid.parquet", "test.parquet")
_BATCH = 64


def write_predictions(request: Request, built: Built, folder: Path) -> Mapping[str, Estimate]:
    """Predict validation and, where there is one, the sealed test part; score validation.

    Args:
        request: The run.
        built: Its Learner, whose network holds the weights to predict with.
        folder: Where `valid.parquet` and `test.parquet` are written, the latter without labels.

    Returns:
        The metrics of validation by name.
    """
    samples = request.prepared.samples
    valid, test = samples.part("valid"), samples.part("test")
    probabilities = _probabilities(request, built, "valid")
    write_bytes(folder / "valid.parquet", _table(valid, probabilities, labels=True))
    if len(test):
        write_bytes(folder / "test.parquet", _table(test, _probabilities(request, built, "test"), labels=False))
    groups = valid.frame["group"].tolist()
    return evaluate(
        probabilities,
        valid.targets,
        problem=samples.problem,
        classes=samples.classes,
        groups=groups if any(groups) else None,
    )


def weights_of(record: RunRecord, workspace: Workspace) -> tuple[Path, str]:
    """Give the file of a run's weights and its recorded sha256: its own, or those of the run it was predicted from.

    Raises:
        RecordError: They are gone, or the record is that of all folds, which has none.
    """
    if record.folds is not None:
        raise RecordError(
            f"{record.id} holds the predictions of {len(record.folds.runs)} folds and has no weights. Name one of its "
            f"folds, such as {record.folds.runs[0].run}, or run the same stack without folds."
        )
    if record.reused_from is None:
        return record.path(WEIGHTS_FILE), record.files[WEIGHTS_FILE].sha256
    try:
        return weights_of(find_run(record.reused_from, workspace), workspace)
    except RecordError as problem:
        raise RecordError(f"Run {record.id} uses the weights of {record.reused_from}, which is gone.") from problem


def _probabilities(request: Request, built: Built, split: str) -> np.ndarray:
    return predict_batches(
        built.learn.model,
        batches_of(photo_dataset(request.prepared, split), size=_BATCH),
        plan=request.plan,
        normalisation=built.normalisation,
        multilabel=request.multilabel,
        seed=request.seed,
        device=request.machine.torch_device(),
        precision=request.machine.used_precision(),
    )


def _table(part: Samples, probabilities: np.ndarray, *, labels: bool) -> bytes:
    """Give predictions as a Parquet file: id, label unless sealed, group if any, and a probability for each class."""
    columns: dict[str, Any] = {"id": [writable(text) for text in part.frame["id"]]}
    if labels:
        columns["label"] = [writable(text) for text in part.frame["label"]]
    if any(part.frame["group"]):
        columns["group"] = [writable(text) for text in part.frame["group"]]
    columns |= {f"p_{writable(name)}": probabilities[:, place] for place, name in enumerate(part.classes)}
    return parquet(pd.DataFrame(columns))


def parquet(frame: pd.DataFrame) -> bytes:
    """Give a table as the content of a Parquet file."""
    content = BytesIO()
    frame.to_parquet(content, index=False)
    return content.getvalue()
