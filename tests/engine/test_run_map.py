"""The map of a real run: its own network's features, its answers, and never the test part."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from imgcls.cli.app import _run
from imgcls.data.source import DataSource
from imgcls.eda.photo_map import PhotoMap
from imgcls.engine.device import Machine
from imgcls.engine.progress import Silent
from imgcls.errors import RecordError
from imgcls.ladders.run_map import map_of_run
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace

pytestmark = pytest.mark.train


def test_a_run_has_a_map_of_what_trained_and_validated_it(
    train: Callable[..., RunRecord], split_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, place = train(data=split_folder), Workspace.find()
    source = DataSource(str(split_folder))
    found = map_of_run(run, source, workspace=place, machine=Machine("cpu"), reporter=Silent())
    assert {point.split for point in found.points} == {"train", "valid"}
    assert found.n == found.about.n_all == run.data.n["train"] + run.data.n["valid"]
    answers = {point.id: point for point in found.points if point.split == "valid"}
    predicted = run.predictions("valid")
    assert set(answers) == set(predicted["id"])
    is_right = predicted["label"].to_numpy() == np.array([answers[name].predicted for name in predicted["id"]])
    assert [answers[name].right for name in predicted["id"]] == is_right.tolist()
    assert all(point.predicted is None for point in found.points if point.split == "train")
    again = map_of_run(run, source, workspace=place, machine=Machine("cpu"), reporter=Silent())
    assert again.points == found.points

    capsys.readouterr()
    assert _run(["runs", "map", run.id, "--no-images", "--json"]) == 0  # the data are known from the training
    told = json.loads(capsys.readouterr().out)
    assert (told["n_photographs"], told["withheld"]) == (found.n, True)
    page = Path(told["path"]).read_text(encoding="utf-8")
    assert found.points[0].id not in page
    assert '"images":[]' in page
    assert PhotoMap.read(Path(told["table"])).is_withheld


def test_a_map_of_other_data_or_of_a_run_without_weights_is_refused(
    train: Callable[..., RunRecord], split_folder: Path, photo_folder: Path
) -> None:
    run, place = train(data=split_folder), Workspace.find()
    with pytest.raises(RecordError, match="another data"):
        map_of_run(run, DataSource(str(photo_folder)), workspace=place, machine=Machine("cpu"), reporter=Silent())
    for weights in run.folder.glob("*.safetensors"):
        weights.unlink()
    with pytest.raises(RecordError):
        map_of_run(run, DataSource(str(split_folder)), workspace=place, machine=Machine("cpu"), reporter=Silent())
