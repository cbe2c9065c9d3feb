"""Blends of trained networks predict new photographs, and are handed in, as their members together do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import imgcls
from imgcls.ladders.blend import blend
from imgcls.predictions.submission import run_to_submit, tabulate
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace

pytestmark = pytest.mark.train

Train = Callable[..., RunRecord]


def probabilities(frame: pd.DataFrame) -> np.ndarray:
    """Return [n, k]."""
    return frame.filter(regex="^p_").to_numpy(dtype=np.float64)


def test_two_seeds_predict_as_their_mean(train: Train, split_folder: Path, tmp_path: Path) -> None:
    """New photographs, those of test, and what cannot be read; by id from the command line's own door."""
    runs = [train(data=split_folder, seed=seed) for seed in (0, 1)]
    made = blend(*(run.id for run in runs)).record
    photographs = sorted((split_folder / "test").rglob("*.png"))
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photograph")
    inputs = [*photographs, broken]
    frame = imgcls.predict(made.id, inputs)
    each = [probabilities(imgcls.predict(run, photographs)) for run in runs]
    assert np.allclose(probabilities(frame)[:-1], np.mean(each, axis=0))
    assert frame["status"].tolist() == ["ok"] * len(photographs) + ["error"]
    assert "broken.jpg" in frame["path"].iloc[-1]
    assert frame["reason"].iloc[-1]
    test = tabulate(run_to_submit(made.id, Workspace(tmp_path)), Workspace(tmp_path), probabilities=True)
    of_members = np.mean([probabilities(run.predictions("test")) for run in runs], axis=0)
    assert np.allclose(np.column_stack([test.columns[f"p_{name}"] for name in made.classes]), of_members, atol=1e-7)


@pytest.mark.parametrize("way", ["geometric", "rank"])
def test_folds_predict_together(train: Train, uneven_folder: Path, way: str) -> None:
    """Every fold of every seed has its share; one photograph alone is predicted as among others."""
    for seed in (0, 1):
        train(data=uneven_folder, seed=seed, folds=2)
    made = blend("baseline:model=simple_cnn,epochs=2", by=way)
    assert made.record.n_folds == 2
    assert len(made.record.shares) == 4
    photographs = sorted(uneven_folder.rglob("*.png"))[:5]
    whole = probabilities(imgcls.predict(made.record, photographs))
    assert np.allclose(whole.sum(axis=1), 1)
    alone = probabilities(imgcls.predict(made.record, photographs[2]))
    assert np.allclose(alone, whole[2:3], atol=1e-6)
