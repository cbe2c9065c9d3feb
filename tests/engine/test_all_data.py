"""Training on all the data: what stands for its score, what it takes over, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import imgcls
from imgcls.errors import DataError, RecordError, UsageError
from imgcls.records.run import RunRecord

pytestmark = pytest.mark.train


def test_train_and_validation_train_together_and_nothing_is_scored(train, split_folder: Path) -> None:
    """Test stays sealed; the judged run is cited; every estimate is null with the reason."""
    judged = train(data=split_folder)
    run = train(data=split_folder, all_data=True)
    assert (judged.data.n["train"], judged.data.n["valid"], judged.data.n["test"]) == (17, 8, 6)
    assert (run.data.n["train"], run.data.n["valid"], run.data.n["test"]) == (25, 0, 6)
    assert run.key != judged.key
    assert run.id.startswith("baseline")
    assert "-s0-all-" in run.id
    assert run.metrics.keys() == judged.metrics.keys()
    assert all(one.value is None and "all the data" in (one.reason or "") for one in run.metrics.values())
    assert run.all_data is not None
    (cited,) = run.all_data.judged
    assert (cited.run, cited.sha256, cited.metrics) == (judged.id, judged.digest(), judged.metrics)
    assert (run.all_data.taken_from, run.all_data.n_epochs) == (judged.id, 2)
    assert sorted(run.files) == ["history.csv", "log.txt", "test.parquet", "weights.safetensors"]
    assert [row["valid_loss"] for row in run.history()] == [None, None]
    assert RunRecord.read(run.folder) == run
    assert imgcls.predict(run, sorted((split_folder / "test" / "cat").iterdir()))["status"].tolist() == ["ok"] * 3
    with pytest.raises(RecordError, match="no photograph is left to score it on"):
        run.predictions("valid")
