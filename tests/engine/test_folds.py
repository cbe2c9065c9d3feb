"""K folds: each is a run, and one record more holds what each network says of the samples that it did not see."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import imgcls
from imgcls.catalog import Stack
from imgcls.data.source import DataSource
from imgcls.data.split import Fold
from imgcls.engine import run as job
from imgcls.engine.checkpoint import SaveEpochs
from imgcls.engine.prepare import prepare
from imgcls.engine.progress import Silent, Start
from imgcls.engine.request import RunOutcome, RunSetup, RunSpec, TrainOptions, workspace_at
from imgcls.engine.train import train_stack
from imgcls.errors import DataError, RecordError, UsageError
from imgcls.evidence.metrics import evaluate
from imgcls.records import attempts
from imgcls.records.attempts import find_attempts
from imgcls.records.find import find_run, find_runs
from imgcls.records.remove import remove_runs
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace

pytestmark = pytest.mark.train

Train = Callable[..., RunRecord]
Bits = Callable[[RunRecord], dict[str, str]]
STACK = "baseline:model=simple_cnn,epochs=2"
SMALL = {"images.size_px": 24, "fit.batch_size": 8}


class Cut(KeyboardInterrupt):
    """The interruption that a test makes."""


class Told(Silent):
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.starts: list[Start] = []
        self.n_batches = 0

    def note(self, text: str) -> None:
        self.notes.append(text)

    def start(self, start: Start) -> None:
        self.starts.append(start)

    def batch(self, epoch: int, done: int, total: int) -> None:
        self.n_batches += 1


def trained(source: DataSource, stack: str = STACK, *, workspace: Workspace | Path, **options: Any) -> RunOutcome:
    options = {"reporter": Silent(), "workspace": workspace_at(workspace)} | options
    return train_stack(Stack.parse(stack, SMALL), source, TrainOptions(**options))


def in_folds(data: Path, *, stack: str = STACK, n_folds: int = 3, **options: Any) -> RunOutcome:
    return trained(DataSource(data), stack, n_folds=n_folds, **options)


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(bytes(content))


@pytest.fixture(scope="module")
def three(photo_folder: Path, tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Workspace:
    """A workspace in which a stack was trained in three folds; to be copied before anything changes in it."""
    workspace = Workspace(tmp_path_factory.mktemp("three folds"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("IMGCLS_CACHE", str(tmp_path_factory.mktemp("cache")))
        in_folds(photo_folder, workspace=workspace)
    return workspace


@pytest.fixture
def copied(three: Workspace, tmp_path: Path) -> Workspace:
    """A copy of that workspace."""
    shutil.copytree(three.runs, tmp_path / "copied" / "runs")
    return Workspace(tmp_path / "copied")


def parts_of(workspace: Workspace) -> tuple[RunRecord, list[RunRecord]]:
    """Return the record of all folds, and those of the folds in order."""
    records, damaged = find_runs(workspace)
    assert damaged == []
    (whole,) = [record for record in records if record.folds]
    return whole, sorted((r for r in records if r.fold is not None), key=lambda record: record.fold or 0)


def test_every_sample_is_predicted_by_the_network_that_did_not_see_it(three: Workspace) -> None:
    whole, folds = parts_of(three)
    table = whole.predictions("oof")
    assert list(table.columns) == ["id", "label", "fold", "p_left", "p_middle", "p_right"]
    assert (len(table), table["id"].nunique()) == (36, 36)
    assert table["id"].tolist() == sorted(table["id"])
    for fold, record in enumerate(folds):
        own = table[table["fold"] == fold].drop(columns="fold").reset_index(drop=True)
        pd.testing.assert_frame_equal(own, record.predictions("valid"))
    assert table["fold"].value_counts().to_dict() == {0: 12, 1: 12, 2: 12}


def test_a_fold_is_a_run_like_any_other(three: Workspace) -> None:
    _, folds = parts_of(three)
    assert [(record.fold, record.n_folds, record.folds) for record in folds] == [
        (0, 3, None),
        (1, 3, None),
        (2, 3, None),
    ]
    assert all(f"-s0-f{record.fold}-" in record.id for record in folds)
    assert all(record.data.n == {"train": 24, "valid": 12, "test": 0, "excluded": 0} for record in folds)
    assert len({record.data.split_digest for record in folds}) == len({record.key for record in folds}) == 3
    assert all("weights.safetensors" in record.files for record in folds)


def test_the_record_of_all_folds_tells_what_it_is_made_of(three: Workspace) -> None:
    whole, folds = parts_of(three)
    assert whole.folder is not None
    stored = json.loads((whole.folder / "run.json").read_text(encoding="utf-8"))
    assert RunRecord.from_json(stored, where="") == whole
    assert whole.folds is not None
    assert (whole.schema, whole.fold, whole.n_folds, whole.status) == (1, None, 3, "done")
    assert "-s0-oof3-" in whole.id
    assert whole.id == whole.folder.name
    assert [run.run for run in whole.folds.runs] == [record.id for record in folds]
    assert [run.sha256 for run in whole.folds.runs] == [record.digest() for record in folds]
    assert [run.metrics for run in whole.folds.runs] == [record.metrics for record in folds]
    assert whole.data.n == {"train": 0, "valid": 36, "test": 0, "excluded": 0}
    assert set(whole.files) == {"oof.parquet"}
    assert whole.seconds["train"] == pytest.approx(sum(record.seconds["train"] for record in folds))
    assert stored["folds"]["spread"]["accuracy"].keys() == {"mean", "sd", "n"}


def test_its_metrics_are_those_of_all_predictions_and_its_spread_that_of_the_folds(three: Workspace) -> None:
    whole, folds = parts_of(three)
    table = whole.predictions("oof")
    targets = np.array([whole.classes.index(label) for label in table["label"]])
    probabilities = table.filter(regex="^p_").to_numpy()
    assert whole.metrics == evaluate(probabilities, targets, problem="multiclass", classes=whole.classes)
    assert whole.metrics["accuracy"].n == 36
    values = [record.metrics["accuracy"].value for record in folds]
    assert whole.folds is not None
    spread = whole.folds.spread["accuracy"]
    assert (spread.mean, spread.sd, spread.n) == (
        pytest.approx(np.mean(values)), pytest.approx(np.std(values, ddof=1)), 3
    )  # fmt: skip


def test_groups_are_the_units_and_are_counted(photo_folder: Path, tmp_path: Path) -> None:
    paths = sorted(photo_folder.rglob("*.*"))
    table = pd.DataFrame(
        {
            "image": [str(path.relative_to(photo_folder)) for path in paths],
            "label": [path.parent.name for path in paths],
            "block": [f"block {row // 4}" for row in range(len(paths))],
        }
    )
    source = DataSource(table, images=photo_folder, label="label", id="image", group="block")
    done = trained(source, n_folds=3, workspace=tmp_path)
    n_groups = [outcome.record.data.n_valid_groups for outcome in done.folds]
    assert sum(n_groups) == done.record.data.n_valid_groups == 9
    assert min(n_groups) > 0
    predicted = done.record.predictions("oof")
    block_of = {f"{row.image}": row.block for row in table.itertuples()}
    assert done.record.metrics == evaluate(
        predicted.filter(regex="^p_").to_numpy(),
        [done.record.classes.index(label) for label in predicted["label"]],
        problem="multiclass",
        classes=done.record.classes,
        groups=[block_of[name] for name in predicted["id"]],
    )


def test_the_second_call_trains_nothing_and_finds_the_same_records(
    copied: Workspace, photo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = parts_of(copied)
    monkeypatch.setattr(job.Job, "_fit", lambda *args, **options: pytest.fail("something was trained"))
    again = in_folds(photo_folder, workspace=copied)
    assert again.reused
    assert all(outcome.reused for outcome in again.folds)
    assert (again.record, again.record.folder) == (before, before.folder)
    record = imgcls.train(STACK, photo_folder, folds=3, overrides=SMALL, reporter=Silent(), workspace=copied)
    assert record == before


def test_one_fold_alone_is_the_run_that_all_folds_find(
    photo_folder: Path, three: Workspace, bits: Bits, tmp_path: Path
) -> None:
    alone = trained(DataSource(photo_folder), fold=1, n_folds=3, workspace=tmp_path).record
    _, folds = parts_of(three)
    assert (alone.key, alone.id) == (folds[1].key, folds[1].id)
    assert bits(alone) == bits(folds[1])


def test_folds_of_other_numbers_are_other_runs(three: Workspace, photo_folder: Path, tmp_path: Path) -> None:
    _, folds = parts_of(three)
    other = trained(DataSource(photo_folder), fold=0, n_folds=4, workspace=tmp_path).record
    assert other.key != folds[0].key


def test_turns_are_told_apart_even_where_they_validate_the_same_samples(photo_folder: Path) -> None:
    """With few groups, fold 0 of 5 can be fold 0 of 10."""
    source = DataSource(photo_folder)
    setup = RunSetup.of(Stack.parse(STACK, SMALL), source, TrainOptions())
    prepared = prepare(source, setup.stack.plan.images, reporter=Silent())[0]
    turns = (None, Fold(0, 5), Fold(1, 5), Fold(0, 10))
    assert len({RunSpec(setup, prepared, turn).key for turn in turns}) == 4


@pytest.mark.parametrize("place", ["in a fold", "before gathering", "before the rename"])
def test_wherever_it_was_interrupted_the_same_call_goes_on_to_the_same_bits(
    place: str, copied: Workspace, photo_folder: Path, bits: Bits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path / "broken")

    def cut(*args: object, **options: object) -> None:
        raise Cut("stopped here")

    with monkeypatch.context() as patched:
        if place == "in a fold":
            save, saved = SaveEpochs.after_epoch, []

            def save_and_stop(self: SaveEpochs) -> None:
                save(self)
                saved.append(self)
                if len(saved) == 3:  # the first epoch of the second fold
                    raise Cut("stopped here")

            patched.setattr(SaveEpochs, "after_epoch", save_and_stop)
        else:
            publish = attempts.publish_folder
            if place == "before gathering":
                patched.setattr(job.OutOfFold, "_record", cut)
            else:
                patched.setattr(
                    attempts,
                    "publish_folder",
                    lambda source, final: cut() if "-oof3-" in final.name else publish(source, final),
                )
        with pytest.raises(Cut):
            in_folds(photo_folder, workspace=workspace)
    assert [record for record in find_runs(workspace)[0] if record.folds] == []
    told = Told()
    resumed = in_folds(photo_folder, workspace=workspace, reporter=told)
    whole, folds = parts_of(copied)
    assert [bits(outcome.record) for outcome in resumed.folds] == [bits(record) for record in folds]
    assert bits(resumed.record) == bits(whole)
    assert resumed.record.metrics == whole.metrics
    assert [outcome.reused for outcome in resumed.folds] == (
        [True, False, False] if place == "in a fold" else [True] * 3
    )
    assert any("Going on after epoch 1" in note for note in told.notes) == (place == "in a fold")
    assert find_attempts(workspace) == []


def test_a_deleted_fold_is_trained_again_and_all_are_gathered_anew(
    copied: Workspace, photo_folder: Path, bits: Bits
) -> None:
    whole, folds = parts_of(copied)
    before = bits(whole)
    assert folds[1].folder is not None
    shutil.rmtree(folds[1].folder)
    told = Told()
    done = in_folds(photo_folder, workspace=copied, reporter=told)
    assert [outcome.reused for outcome in done.folds] == [True, False, True]
    assert not done.reused
    assert bits(done.record) == before
    assert done.record.folds is not None
    assert done.record.folds.runs[1].sha256 == done.folds[1].record.digest()
    assert [note for note in told.notes if "made again" in note] == [
        f"The record of all folds is made again: {folds[1].id} was trained since."
    ]


@pytest.mark.parametrize("name", ["valid.parquet", "weights.safetensors"])
def test_a_damaged_fold_is_named_and_trained_again(
    name: str, copied: Workspace, photo_folder: Path, bits: Bits
) -> None:
    _, folds = parts_of(copied)
    path = folds[2].path(name)
    before = bits(folds[2])
    if name == "valid.parquet":
        damage(path)
    else:
        path.unlink()
    told = Told()
    done = in_folds(photo_folder, workspace=copied, reporter=told)
    assert bits(done.folds[2].record) == before
    assert any(str(path) in note and "Fold 2 (3 of 3) is trained again." in note for note in told.notes)
    assert done.record.folds is not None
    assert done.record.folds.runs[2].sha256 == done.folds[2].record.digest()
    assert [outcome.reused for outcome in done.folds] == [True, True, False]


def test_a_fold_whose_record_cannot_be_read_is_named_with_what_to_do(copied: Workspace, photo_folder: Path) -> None:
    _, folds = parts_of(copied)
    assert folds[1].folder is not None
    damage(folds[1].folder / "run.json")
    with pytest.raises(RecordError, match=rf"{folds[1].id}/run\.json is damaged.*remove its folder"):
        in_folds(photo_folder, workspace=copied)


@pytest.mark.parametrize("name", ["oof.parquet", "run.json"])
def test_a_damaged_record_of_all_folds_is_made_anew(name: str, copied: Workspace, photo_folder: Path) -> None:
    whole, _ = parts_of(copied)
    assert whole.folder is not None
    damage(whole.folder / name)
    told = Told()
    done = in_folds(photo_folder, workspace=copied, reporter=told)
    assert all(outcome.reused for outcome in done.folds)
    done.record.verify()
    assert done.record.id == whole.id
    assert any("made again" in note and str(whole.folder / name) in note for note in told.notes)


def test_again_trains_every_fold_anew_and_compares(copied: Workspace, photo_folder: Path) -> None:
    done = in_folds(photo_folder, workspace=copied, again=True)
    same = {"weights.safetensors": True, "valid.parquet": True}
    assert [outcome.same_bits for outcome in done.folds] == [same] * 3
    assert done.reused


def test_a_stack_that_differs_in_prediction_only_uses_the_weights_of_its_own_fold(
    copied: Workspace, photo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folds = parts_of(copied)
    monkeypatch.setattr(job.Job, "_fit", lambda *args, **options: pytest.fail("something was trained"))
    done = in_folds(photo_folder, stack=f"{STACK}+tta_flips", workspace=copied)
    assert [outcome.record.reused_from for outcome in done.folds] == [record.id for record in folds]


def test_all_folds_together_have_no_weights_and_say_what_to_do(three: Workspace, photo_folder: Path) -> None:
    whole, folds = parts_of(three)
    for ask in (lambda: imgcls.load(whole), lambda: imgcls.predict(whole, photo_folder)):
        with pytest.raises(RecordError, match=rf"has no weights\. Name one of its folds, such as {folds[0].id}"):
            ask()
    assert len(imgcls.predict(folds[0], photo_folder / "left")) == 12


def test_a_stack_means_all_its_folds_and_a_folder_one(three: Workspace) -> None:
    whole, folds = parts_of(three)
    assert find_run(whole.stack, three) == whole
    assert imgcls.open_run(folds[1].id, three) == folds[1]
    with pytest.raises(RecordError, match="can mean"):
        find_run("baseline", three)


def test_a_fold_is_not_removed_from_under_the_whole(copied: Workspace) -> None:
    whole, folds = parts_of(copied)
    with pytest.raises(RecordError, match=rf"{whole.id} is made of {folds[0].id}; remove it too, or keep its folds"):
        remove_runs([folds[0]], copied)
    remove_runs([whole], copied)
    remove_runs(folds, copied)
    assert find_runs(copied) == ([], [])


def test_photographs_are_read_once_and_what_holds_for_all_folds_is_told_once(
    tmp_path: Path, photo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(photo_folder, tmp_path / "photos")
    shutil.copytree(photo_folder / "left", tmp_path / "photos" / "few")
    for path in sorted((tmp_path / "photos" / "few").iterdir())[2:]:
        path.unlink()
    for number, path in enumerate(sorted((tmp_path / "photos" / "few").iterdir())):
        path.write_bytes((photo_folder / "right" / f"{number:03d}{path.suffix}").read_bytes() + b"\0")
    calls = []
    from imgcls.engine import prepare as preparing

    fill = preparing.fill
    monkeypatch.setattr(preparing, "fill", lambda *args, **options: (calls.append(1), fill(*args, **options))[1])
    told = Told()
    done = in_folds(tmp_path / "photos", reporter=told, workspace=tmp_path / "here")
    assert len(calls) == 1
    sentence = "Not validated in every fold: 'few' (in 2 of 3). Fewer folds would help, or more samples or groups."
    assert told.notes.count(sentence) == 1
    assert all(sentence in outcome.record.path("log.txt").read_text(encoding="utf-8") for outcome in done.folds)
    assert [start.turn for start in told.starts] == ["fold 0 (1 of 3)", "fold 1 (2 of 3)", "fold 2 (3 of 3)"]
    assert sum(note.startswith("Fold ") and "done: Accuracy" in note for note in told.notes) == 3


def test_the_sealed_test_part_stays_out(split_folder: Path, tmp_path: Path) -> None:
    done = in_folds(split_folder, n_folds=2, workspace=tmp_path)
    assert done.record.data.n == {"train": 0, "valid": 25, "test": 6, "excluded": 0}
    assert not any("test" in name for name in done.record.predictions("oof")["id"])
    assert all("test.parquet" in outcome.record.files for outcome in done.folds)
    assert "label" not in pd.read_parquet(done.folds[0].record.path("test.parquet")).columns


def test_several_labels_are_gathered_alike(multilabel_table: Path, tmp_path: Path) -> None:
    source = DataSource(multilabel_table, images=multilabel_table.parent / "images", label=["red", "green"])
    done = trained(source, n_folds=3, workspace=tmp_path)
    assert done.record.problem == "multilabel"
    assert done.record.metrics["roc_auc"].n == 30
    assert done.record.predictions("oof")["id"].nunique() == 30


def test_a_trial_in_folds_is_marked(photo_folder: Path, tmp_path: Path) -> None:
    done = in_folds(photo_folder, quick=True, workspace=tmp_path)
    assert done.record.quick
    assert all(outcome.record.quick for outcome in done.folds)


def test_what_cannot_be_is_refused_before_anything_is_read(photo_folder: Path, train: Train) -> None:
    for folds in (1, 21, True, 2.5):
        with pytest.raises(DataError, match="has to be a whole number from 2 to 20"):
            train(folds=folds, data="nowhere")
    with pytest.raises(UsageError, match=r"valid = 0\.3 means nothing with folds.*Leave out valid"):
        train(folds=3, valid=0.3, data="nowhere")
    with pytest.raises(DataError, match="needs both"):
        trained(DataSource("nowhere"), fold=1, workspace=Path())
    with pytest.raises(DataError, match="There is no fold 13 of 13; they go from 0 to 12"):
        trained(DataSource(photo_folder), fold=13, n_folds=13, workspace=Path())
