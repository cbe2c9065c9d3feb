"""After any training the digests of the present data are known without reading them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import imgcls
from imgcls.data.samples import Samples
from imgcls.data.source import DataSource
from imgcls.engine import prepare
from imgcls.engine.progress import Silent
from imgcls.ladders.run import SilentWatcher as Unwatched
from imgcls.records.derived import DATA_JSON, DatasetSummary, find_summary, load_summaries, take_fingerprint
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace

pytestmark = pytest.mark.train

Train = Callable[..., RunRecord]


def known(data: Path, **reading: object) -> DatasetSummary | None:
    """Return what is known of data as they look now, in the workspace of the current folder."""
    look = take_fingerprint(DataSource.of(data, reading), Workspace.find())
    return find_summary(Workspace.find(), look.key) if look else None


def test_a_training_leaves_what_it_read(train: Train, photo_folder: Path, tmp_path: Path) -> None:
    photos = Path(shutil.copytree(photo_folder, tmp_path / "photos"))
    run, seen = train(data=photos), known(photos)
    assert seen is not None
    assert (seen.data_digest, seen.split_digest) == (run.data.digest, run.data.split_digest)
    assert (dict(seen.n), seen.problem) == (dict(run.data.n), run.problem)
    assert sum(seen.valid_counts.values()) == run.data.n["valid"]
    assert known(photos, split_seed=1) is None
    (photos / "left" / "000.jpg").rename(photos / "right" / "left.jpg")
    assert known(photos) is None


def test_what_changes_while_it_is_read_counts_as_changed(
    train: Train, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, load = Path(shutil.copytree(photo_folder, tmp_path / "photos")), prepare.read_samples

    def load_and_add(source: DataSource) -> Samples:
        samples = load(source)
        shutil.copy(photos / "left" / "000.jpg", photos / "left" / "new.jpg")
        return samples

    monkeypatch.setattr(prepare, "read_samples", load_and_add)
    train(data=photos)
    assert len(load_summaries(Workspace.find())) == 1
    assert known(photos) is None


def test_a_trial_leaves_nothing(train: Train) -> None:
    train(quick=True)
    assert load_summaries(Workspace.find()) == ()


def test_folds_leave_the_data_without_a_split(train: Train, photo_folder: Path) -> None:
    run, seen = train(folds=2), known(photo_folder)
    assert seen is not None
    assert (seen.data_digest, seen.split_digest) == (run.data.digest, None)
    assert seen.n["valid"] == 36
    once = train()
    seen = known(photo_folder)
    assert seen is not None
    assert seen.split_digest == once.data.split_digest


@pytest.mark.parametrize("folds", [None, 2])
def test_a_ladder_leaves_what_it_stands_on(photo_folder: Path, folds: int | None) -> None:
    for _ in ("trained", "all runs are there already"):
        result = imgcls.ladder(
            "baseline:model=simple_cnn,epochs=1+label_smoothing",
            photo_folder,
            seeds=1,
            folds=folds,
            overrides={"images.size_px": 24},
            reporter=Silent(),
            watcher=Unwatched(),
        )
        seen = known(photo_folder)
        assert seen is not None
        assert seen.data_digest == result.ladder.data_digest
        assert seen.split_digest == (None if folds else result.ladder.split_digests[0])
        (Workspace.find().runs / DATA_JSON).unlink()
