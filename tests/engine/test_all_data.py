"""Training on all the data: what stands for its score, what it takes over, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

import imgcls
from imgcls.engine.checkpoint import SaveEpochs
from imgcls.engine.request import RunSpec
from imgcls.errors import DataError, RecordError, UsageError
from imgcls.records.find import find_runs, remove_run
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace
from tests.conftest import draw_folder

LITE = {"model.name": "tf_efficientnet_lite0", "model.weights": "none", "images.size_px": 32}
pytestmark = pytest.mark.train


def test_train_and_validation_train_together_and_nothing_is_scored(train, bits, split_folder: Path) -> None:
    """Test stays sealed; the judged run is cited; every estimate is null with the reason; asked again it is found."""
    judged = train(data=split_folder)
    run = train(data=split_folder, all_data=True)
    assert (judged.data.n["train"], judged.data.n["valid"], judged.data.n["test"]) == (17, 8, 6)
    assert (run.data.n["train"], run.data.n["valid"], run.data.n["test"]) == (25, 0, 6)
    assert run.key != judged.key
    assert re.fullmatch(r"baseline.*-s0-all-[0-9a-f]{8}", run.id)
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
    assert bits(run) != bits(judged)
    assert train(data=split_folder, all_data=True) == run
    assert "all_data" not in judged.to_json()


def test_what_was_not_judged_is_refused_with_the_command(train, photo_folder: Path) -> None:
    """Of another plan, or in a quick run of the very plan: neither is a score."""
    one_epoch = "baseline:model=simple_cnn,epochs=1"
    train(base=one_epoch, quick=True)
    train("label_smoothing", base=one_epoch)
    with pytest.raises(UsageError, match=r"no run of it on these data was validated.*imgcls recipe run baseline:"):
        train(base=one_epoch, all_data=True)
    assert len(find_runs(Workspace(Path.cwd()))[0]) == 2


def test_folds_stand_for_the_score_together(train, photo_folder: Path) -> None:
    """The record out of fold is cited, not its folds one by one; a seed of its own is cited beside it."""
    joint = train(folds=2)
    alone = train(seed=3)
    run = train(seed=5, all_data=True)
    assert run.all_data is not None
    assert {one.run for one in run.all_data.judged} == {joint.id, alone.id}
    assert run.all_data.taken_from == joint.folds.runs[0].run
    assert run.data.n["train"] == 36


def test_calibration_is_that_of_the_judged_run(train, split_folder: Path) -> None:
    """It is never fitted to photographs that trained; another calibration is another run of the same weights."""
    judged = train("temperature", data=split_folder)
    plain = train(data=split_folder)
    first = train(data=split_folder, all_data=True)
    run = train("temperature", data=split_folder, all_data=True)
    assert run.calibration == judged.calibration
    assert run.calibration.temperatures != (1.0,)
    assert plain.calibration is first.calibration is None
    assert run.reused_from == first.id
    scores, tempered = (one.predictions("test")["p_cat"].to_numpy() for one in (first, run))
    assert abs(tempered - scores).max() > 1e-4


def test_an_interrupted_training_goes_on_to_the_same_bits(train, bits, split_folder: Path, monkeypatch) -> None:
    """From the checkpoint of its first epoch, though nothing validates after it."""
    train(data=split_folder)
    save = SaveEpochs.after_epoch

    def save_and_stop(self: SaveEpochs) -> None:
        save(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(SaveEpochs, "after_epoch", save_and_stop)
    with pytest.raises(KeyboardInterrupt):
        train(data=split_folder, all_data=True)
    monkeypatch.setattr(SaveEpochs, "after_epoch", save)
    resumed = train(data=split_folder, all_data=True)
    assert "Going on after epoch 1" in resumed.path("log.txt").read_text(encoding="utf-8")
    before = bits(resumed)
    remove_run(resumed)
    assert bits(train(data=split_folder, all_data=True)) == before


def test_several_labels_and_groups_train_whole_as_well(train, multilabel_table: Path) -> None:
    """Each label has its temperature, that of the judged run; no group is counted as validating."""
    table = pd.read_csv(multilabel_table, dtype=str)
    table["who"] = [f"p{row // 3}" for row in range(len(table))]
    named = multilabel_table.with_name("grouped.csv")
    table.to_csv(named, index=False)
    options = {"data": named, "images": multilabel_table.parent / "images", "label": ["red", "green"], "group": "who"}
    judged = train("temperature", **options)
    run = train("temperature", **options, all_data=True)
    assert judged.data.n_valid_groups > 0
    assert (run.data.n_valid_groups, run.data.n["train"]) == (0, len(table))
    assert len(run.calibration.temperatures) == 2
    assert run.calibration == judged.calibration


def test_epochs_are_those_of_the_judged_run(train, split_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that least steps made there, though with more photographs an epoch has more steps; and an early stop."""
    steps = {"fit.least_steps": 12}
    judged = train(data=split_folder, overrides=steps)  # 2 batches an epoch, and 3 with all the data
    assert len(judged.history()) == 6
    assert len(train(data=split_folder, overrides=steps, all_data=True).history()) == 6
    callbacks = {"EarlyStoppingCallback": {"monitor": "accuracy", "patience": 1, "min_delta": 2.0}}
    longer = {
        "data": split_folder,
        "base": "baseline:model=simple_cnn,epochs=5",
        "overrides": {"fit.callbacks": callbacks},
    }
    train(**longer)  # stopped by its second epoch, which its history does not have any more
    run = train(**longer, all_data=True)
    assert (len(run.history()), run.all_data.n_epochs, run.all_data.n_scheduled) == (2, 2, 5)
    both = {**longer, "overrides": {"fit.callbacks": callbacks, "fit.least_steps": 20}}  # 10 epochs of 2 batches
    train(**both)
    run = train(**both, all_data=True)
    assert (len(run.history()), run.all_data.n_epochs, run.all_data.n_scheduled) == (2, 2, 10)


def test_what_goes_by_validation_is_refused(train, split_folder: Path) -> None:
    """And so are folds and quick runs; all at once, before data are read."""
    callbacks = {"fit.callbacks": {"ReduceLROnPlateau": {}}}
    with pytest.raises(UsageError) as raised:
        train(data=split_folder / "missing", overrides=callbacks, all_data=True, folds=2, quick=True)
    assert all(word in str(raised.value) for word in ("--folds", "--quick", "ReduceLROnPlateau"))


def test_a_sealed_test_part_never_trains_whatever_it_is_called(train, tmp_path: Path) -> None:
    """Another column calls it valid, a run of that was judged, and training on it is refused all the same."""
    photos = draw_folder(tmp_path / "photos", {"cat": 12, "dog": 12})
    rows = [
        (f"{name}/{path.name}", name, place) for name in ("cat", "dog") for place, path in photographs(photos, name)
    ]
    parts = [(*row[:2], ("train", "valid", "test")[row[2] % 3], ("train", "test", "valid")[row[2] % 3]) for row in rows]
    table = tmp_path / "labels.csv"
    pd.DataFrame(parts, columns=["id", "label", "mine", "other"]).to_csv(table, index=False)
    named = {"data": table, "images": photos, "label": "label", "id": "id"}
    first = train(**named, split="mine")
    train(**named, split="other")
    with pytest.raises(DataError, match=rf"8 \(.*\) are of the sealed test part of {first.id}"):
        train(**named, split="other", all_data=True)


def photographs(folder: Path, name: str) -> list[tuple[int, Path]]:
    return list(enumerate(sorted((folder / name).iterdir())))


@pytest.mark.parametrize(
    "recipe", ["ema", "weight_averaging", "linear_probe", "class_weights", "mixup", "freeze_stages"]
)
def test_recipes_need_no_validation(train, photo_folder: Path, recipe: str) -> None:
    """Those that average, fit, weigh, mix or freeze, with photographs that all train."""
    base = {"base": "baseline:epochs=1", "overrides": LITE} if recipe == "freeze_stages" else {}
    train(recipe, **base)
    assert train(recipe, **base, all_data=True).data.n["train"] == 36


def test_the_key_has_what_was_taken_over_and_no_other_key_changed(train, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of another seed than the judged one takes the epochs of the lowest; existing keys stay."""
    seen = []
    original = RunSpec.key_of
    monkeypatch.setattr(RunSpec, "key_of", lambda self, *given: seen.append(self.all_data) or original(self, *given))
    judged = train()
    assert not any(seen)
    runs = [train(seed=seed, all_data=True) for seed in (0, 1)]
    assert len({judged.key, *(run.key for run in runs)}) == 3
    assert [run.all_data.taken_from for run in runs] == [judged.id] * 2
