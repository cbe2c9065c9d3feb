"""Short trials on real photographs, where a folder of them is at hand (`IMGCLS_TEST_DATA`, else `../shared/data`)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import imgcls
from imgcls.engine.progress import Silent
from imgcls.evidence.metrics import majority_accuracy
from imgcls.records.run import RunRecord

pytestmark = pytest.mark.train

DATA = Path(os.environ.get("IMGCLS_TEST_DATA", Path(__file__).parents[2].parent / "shared" / "data"))


def trial(data: Path, workspace: Path, **reading: object) -> RunRecord:
    """Train the baseline for one epoch on a few photographs."""
    if not data.exists():
        pytest.skip(f"no real photographs: {data} is missing; set IMGCLS_TEST_DATA")
    return imgcls.train("baseline", data, quick=True, workspace=workspace, reporter=Silent(), **reading)


def test_ten_garments_in_given_splits(tmp_path: Path) -> None:
    run = trial(DATA / "clothing10", tmp_path)
    labels = run.predictions("valid")["label"].map(run.classes.index).to_numpy()
    assert run.problem == "multiclass"
    assert run.data.n["test"] == 0  # a trial leaves the sealed part alone
    assert run.metrics["accuracy"].low > majority_accuracy(labels)


def test_a_table_whose_test_photographs_lie_in_the_same_folder(tmp_path: Path) -> None:
    run = trial(DATA / "kids_csv", tmp_path)
    assert run.problem == "binary"
    assert run.classes == ("0", "1")
    assert (run.data.n["excluded"], run.data.n["test"]) == (
        0,
        0,
    )  # those of test.csv are known, and a trial's are sealed


def test_one_column_for_each_label(tmp_path: Path) -> None:
    run = trial(DATA / "coffee_leaf", tmp_path)
    assert run.problem == "multilabel"
    assert run.classes == ("healthy", "miner", "rust", "phoma", "cercospora")
    assert run.metrics["roc_auc"].low > 0.6


def test_the_default_data(tmp_path: Path) -> None:
    pytest.importorskip("elpv_dataset", reason="the default data are not installed: pip install 'imgcls[demo]'")
    run = imgcls.train("baseline", quick=True, workspace=tmp_path, reporter=Silent())
    assert (run.data.name, run.problem) == ("elpv", "binary")
    assert run.data.n_valid_groups >= 5
    assert run.metrics["roc_auc"].value > 0.6


def test_a_photograph_lying_on_its_side_is_turned(tmp_path: Path) -> None:
    folder = DATA / "large_photos"
    if not folder.exists():
        pytest.skip(f"no real photographs: {folder} is missing; set IMGCLS_TEST_DATA")
    import csv

    import numpy as np
    from PIL import Image, ImageOps

    from imgcls.data.decode import Preprocess, decode

    with (folder / "photos.csv").open(newline="") as file:
        turned = [row["file"] for row in csv.DictReader(file) if row["exif_orientation"] in ("3", "6", "8")]
    assert len(turned) >= 5
    for name in turned:
        with Image.open(folder / name) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB").resize((64, 64), Image.Resampling.BICUBIC)
        difference = np.abs(decode(folder / name, Preprocess(64)).astype(int) - np.asarray(upright).astype(int))
        assert difference.mean() < 6, name
