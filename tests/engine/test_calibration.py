"""A run whose plan calibrates keeps predictions that others calibrated, and calibrates what it predicts later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import imgcls
from imgcls.evidence.cross_fitting import parts_of
from imgcls.predictions.calibration import calibrate, fit_calibration
from imgcls.records.run import RunRecord

pytestmark = pytest.mark.train

Train = Callable[..., RunRecord]
KINDS = {"temperature": "temperature", "tuned_smoothing": "smoothing"}


def probabilities(frame: pd.DataFrame) -> np.ndarray:
    """Return [n, k]."""
    return frame.filter(regex="^p_").to_numpy(dtype=np.float64)


@pytest.mark.parametrize("recipe", KINDS)
def test_what_is_kept_was_calibrated_by_the_others(train: Train, split_folder: Path, recipe: str) -> None:
    """Nothing is trained again; test and new photographs get what all of validation says."""
    plain, run = train(data=split_folder), train(recipe, data=split_folder)
    assert run.reused_from == plain.id
    frame = plain.predictions("valid")
    before, truth = probabilities(frame), frame["label"].to_numpy()[:, None] == np.array(run.classes)
    _, parts = parts_of(frame["label"].tolist(), None)
    expected = np.empty_like(before)
    for part in np.unique(parts):
        mine = parts == part
        others = fit_calibration(KINDS[recipe], before[~mine], truth[~mine], multilabel=False)
        expected[mine] = calibrate(before[mine], others, multilabel=False)
    assert probabilities(run.predictions("valid")) == pytest.approx(expected, abs=1e-9)
    assert run.metrics["accuracy"] == plain.metrics["accuracy"]
    fitted = fit_calibration(KINDS[recipe], before, truth, multilabel=False)
    assert run.calibration == fitted
    on_test = calibrate(probabilities(plain.predictions("test")), fitted, multilabel=False)
    assert probabilities(run.predictions("test")) == pytest.approx(on_test, abs=1e-9)
    photographs = sorted((split_folder / "test").rglob("*.png"))
    new = calibrate(probabilities(imgcls.predict(plain, photographs)), fitted, multilabel=False)
    assert probabilities(imgcls.predict(run, photographs)) == pytest.approx(new, abs=1e-9)
    assert plain.calibration is None
    again = RunRecord.read(run.folder or Path())
    assert again.calibration == run.calibration
    assert "fitted to validation" in (again.path("log.txt")).read_text()


def test_several_labels_and_groups_and_folds_calibrate_too(train: Train, multilabel_table: Path) -> None:
    """A temperature for each label; images of a group stay together; every fold has its own."""
    run = train(
        "temperature",
        data=multilabel_table,
        images=multilabel_table.parent / "images",
        label=["red", "green"],
        folds=2,
        problem_type="multilabel",
    )
    assert run.calibration is None
    assert run.folds is not None
    folds = [imgcls.open_run(fold.run) for fold in run.folds.runs]
    assert all(fold.calibration is not None and len(fold.calibration.temperatures) == 2 for fold in folds)


def test_a_temperature_stands_with_views_and_fixed_smoothing(train: Train, split_folder: Path) -> None:
    """In that order: views, temperature, smoothing."""
    run = train("tta_flips+temperature+prediction_smoothing:alpha=0.2,threshold=0.5", data=split_folder)
    assert run.calibration is not None
    assert probabilities(run.predictions("valid")).max() < 0.95
