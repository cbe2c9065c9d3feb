"""What a run leaves behind, and how it is found again: reused, repeated, predicted from, told when damaged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.torch import load_file

import imgcls
from imgcls.catalog import Stack
from imgcls.data.samples import Samples
from imgcls.data.source import DataSource
from imgcls.engine import run as job
from imgcls.engine.device import Machine
from imgcls.engine.prepare import read_samples
from imgcls.engine.progress import EpochRow, Silent, Start
from imgcls.engine.request import RunOutcome, TrainOptions
from imgcls.engine.run import weights_of
from imgcls.engine.train import train_stack
from imgcls.errors import DataError, ImgclsError, RecordError, StackError, UsageError, WorkspaceError
from imgcls.evidence.metrics import evaluate
from imgcls.records.find import find_failed, find_runs
from imgcls.records.run import RunRecord
from imgcls.storage import sha256_file
from imgcls.workspace import Workspace

pytestmark = pytest.mark.train

Train = Callable[..., RunRecord]


class Told(Silent):
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.starts: list[Start] = []
        self.rows: list[EpochRow] = []
        self.n_batches = self.n_stops = 0

    def note(self, text: str) -> None:
        self.notes.append(text)

    def start(self, start: Start) -> None:
        self.starts.append(start)

    def batch(self, epoch: int, done: int, total: int) -> None:
        self.n_batches += 1

    def epoch(self, row: EpochRow) -> None:
        self.rows.append(row)

    def stop(self) -> None:
        self.n_stops += 1


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make any further training fail."""

    def forbid() -> None:
        def fail(*args: object, **options: object) -> None:
            raise AssertionError("something was trained")

        monkeypatch.setattr(job.Job, "_fit", fail)

    return forbid


def test_a_record_tells_what_was_done(train: Train, split_folder: Path) -> None:
    told = Told()
    run = train("augmentation+tta:views=2", split_folder, seed=5, reporter=told)
    stack = Stack.parse(
        "baseline:model=simple_cnn,epochs=2+augmentation+tta:views=2", {"images.size_px": 24, "fit.batch_size": 8}
    )
    assert run.folder is not None
    stored = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    assert RunRecord.from_json(stored, where="") == run
    assert (run.status, run.reason, run.seed, run.fold, run.quick) == ("done", None, 5, None, False)
    assert (run.stack, run.label) == (stack.text, stack.label)
    assert run.plan == stack.plan.to_json()
    assert (run.plan_digest, run.train_digest) == (stack.plan.digest, stack.plan.train_digest)
    assert run.overrides == {"images.size_px": 24, "fit.batch_size": 8}
    assert (run.problem, run.classes) == ("binary", ("cat", "dog"))
    assert (run.data.name, run.data.n) == ("pets", {"train": 17, "valid": 8, "test": 6, "excluded": 0})
    assert (run.weights.source, run.weights.sha256) == ("none", None)
    assert set(run.environment) >= {"versions", "device", "precision", "threads", "platform", "mean", "std"}
    assert run.environment["device"] == Machine().torch_device().type
    assert set(run.files) == {
        "history.csv", "log.txt", "valid.parquet", "test.parquet", "weights.safetensors"
    }  # fmt: skip
    assert all(sha256_file(run.path(name)) == file.sha256 for name, file in run.files.items())
    assert set(run.seconds) == {"train", "epoch_validation", "predict", "total"}
    assert run.images_per_second is not None
    assert run.id == run.folder.name
    assert run.key.startswith(run.id.rpartition("-")[2])
    assert (len(told.rows), len(told.starts), told.n_stops) == (2, 1, 1)
    # 17 samples by 8 leave a single one, which batch normalisation cannot take
    assert told.n_batches == 4
    assert [row["valid_loss"] for row in run.history()] == [row.valid_loss for row in told.rows]


def test_probabilities_reproduce_the_metrics(train: Train, split_folder: Path) -> None:
    run = train("", split_folder)
    table = run.predictions("valid")
    probabilities = table[[f"p_{name}" for name in run.classes]].to_numpy()
    assert probabilities.dtype == np.float64
    targets = np.array([run.classes.index(label) for label in table["label"]])
    accuracy = (probabilities.argmax(axis=1) == targets).mean()
    assert run.metrics["accuracy"].value == pytest.approx(accuracy)
    assert run.metrics["log_loss"].value == pytest.approx(-np.log(probabilities[range(len(targets)), targets]).mean())
    again = evaluate(probabilities, targets, problem=run.problem, classes=run.classes)  # type: ignore[arg-type]
    assert {name: estimate.to_json() for name, estimate in again.items()} == {
        name: estimate.to_json() for name, estimate in run.metrics.items()
    }
    assert run.history()[-1]["valid_accuracy"] == pytest.approx(accuracy)
    assert run.history()[-1]["valid_loss"] == pytest.approx(run.metrics["log_loss"].value, rel=1e-4)


def test_labels_of_the_test_part_are_sealed(train: Train, split_folder: Path) -> None:
    run = train("", split_folder)
    table = pd.read_parquet(run.path("test.parquet"))
    assert list(table.columns) == ["id", "p_cat", "p_dog"]
    assert len(table) == 6
    assert all("test" in name for name in table["id"])


def test_stored_weights_give_the_stored_predictions(train: Train, split_folder: Path) -> None:
    run = train("augmentation+tta:views=3", split_folder)
    stored = run.predictions("valid")
    found = imgcls.load(run).probabilities([split_folder / name for name in stored["id"]], ids=list(stored["id"]))
    assert found == pytest.approx(stored[["p_cat", "p_dog"]].to_numpy(), abs=1e-6)
    assert set(load_file(run.path("weights.safetensors"))) == set(imgcls.load(run).module.state_dict())


def test_predicting_gives_a_row_for_each_photograph(train: Train, split_folder: Path, tmp_path: Path) -> None:
    run = train("", split_folder)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG nothing")
    table = imgcls.predict(run, [split_folder / "test", broken])
    assert list(table["status"]) == ["ok"] * 6 + ["error"]
    assert table["reason"].iloc[-1]
    assert table["p_cat"].isna().tolist() == [False] * 6 + [True]
    expected = run.predictions("test")["p_cat"]
    assert sorted(table["p_cat"].dropna()) == pytest.approx(sorted(expected), abs=1e-6)
    chosen = table[:-1]
    assert all(row["prediction"] == ("cat" if row["p_cat"] > 0.5 else "dog") for _, row in chosen.iterrows())
    assert (chosen["confidence"] == chosen[["p_cat", "p_dog"]].max(axis=1)).all()


def test_several_labels_are_recorded_alike(train: Train, multilabel_table: Path) -> None:
    run = train("", multilabel_table, images=multilabel_table.parent / "images", label=["red", "green"])
    assert run.problem == "multilabel"
    table = run.predictions("valid")
    assert set(table["label"]) <= {"", "|", "red", "green", "red|green"}
    assert {"p_red", "p_green"} <= set(table.columns)
    assert run.metrics["roc_auc"].n == len(table)
    photos = sorted((multilabel_table.parent / "images").iterdir())[:3]
    named = imgcls.predict(run, photos)
    for _, row in named.iterrows():
        expected = [name for name in ("red", "green") if row[f"p_{name}"] > 0.5]
        assert row["prediction"] == "|".join(expected)


# Found again


def test_the_same_call_gives_the_same_record(train: Train, no_training: Callable[[], None]) -> None:
    first = train("adamw")
    no_training()
    second = train("adamw")
    assert second == first
    assert second.folder == first.folder


def test_order_and_spelling_do_not_train_again(train: Train, no_training: Callable[[], None]) -> None:
    first = train("adamw+label_smoothing")
    no_training()
    assert train("label_smoothing:smoothing=0.1+adamw").key == first.key


@pytest.mark.parametrize(
    "options",
    [{"seed": 1}, {"recipes": "adamw"}, {"overrides": {"fit.clip_norm": 9.0}}, {"split_seed": 1}, {"valid": 0.4}],
    ids=lambda options: next(iter(options)),
)
def test_anything_that_shapes_the_run_makes_it_another(options: dict[str, Any], train: Train) -> None:
    assert train(**options).key != train().key


def test_workers_and_places_make_it_no_other(train: Train, tmp_path: Path) -> None:
    keys = {train(machine=machine).key for machine in (Machine("cpu"), Machine("cpu", n_workers=1))}
    keys.add(train(machine=Machine("cpu", precision="float32"), workspace=tmp_path / "elsewhere").key)
    assert len(keys) == 1


def test_a_plan_that_differs_in_prediction_only_uses_the_weights(
    train: Train, no_training: Callable[[], None], split_folder: Path
) -> None:
    first = train("augmentation", split_folder)
    no_training()
    told = Told()
    second = train("augmentation+tta:views=2", split_folder, reporter=told)
    assert second.reused_from == first.id
    assert "weights.safetensors" not in second.files
    assert any(f"Only the prediction differs from run {first.id}" in note for note in told.notes)
    assert second.seconds["train"] == 0
    assert not second.predictions("valid").equals(first.predictions("valid"))
    third = train("augmentation+tta:views=3", split_folder)
    assert third.reused_from == first.id
    predicted = imgcls.load(second).probabilities([split_folder / name for name in second.predictions("valid")["id"]],
                                                  ids=list(second.predictions("valid")["id"]))  # fmt: skip
    assert predicted == pytest.approx(second.predictions("valid")[["p_cat", "p_dog"]].to_numpy(), abs=1e-6)


def test_reused_weights_give_what_training_would_have_given(train: Train, split_folder: Path, tmp_path: Path) -> None:
    train("augmentation", split_folder)
    reused = train("augmentation+tta:views=2", split_folder)
    trained = train("augmentation+tta:views=2", split_folder, workspace=tmp_path / "fresh")
    assert reused.reused_from is not None
    assert trained.reused_from is None
    assert reused.files["valid.parquet"] == trained.files["valid.parquet"]
    assert {name: m.to_json() for name, m in reused.metrics.items()} == {
        name: m.to_json() for name, m in trained.metrics.items()
    }


def job_of(photo_folder: Path, **options: Any) -> RunOutcome:
    stack = Stack.parse(
        "baseline:model=simple_cnn,epochs=1",
        {"images.size_px": 24, "fit.batch_size": 8},
    )
    return train_stack(stack, DataSource(photo_folder), TrainOptions(**{"reporter": Silent()} | options))


def test_again_trains_anew_and_compares_the_bits(photo_folder: Path) -> None:
    first, second = job_of(photo_folder), job_of(photo_folder)
    assert (first.reused, second.reused) == (False, True)
    third = job_of(photo_folder, again=True)
    assert third.same_bits == {"weights.safetensors": True, "valid.parquet": True}
    assert (third.reused, third.record) == (False, first.record)
    assert len(find_runs(Workspace.find())[0]) == 1


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(bytes(content))


def test_again_replaces_a_damaged_record(photo_folder: Path) -> None:
    first = job_of(photo_folder).record
    damage(first.path("weights.safetensors"))
    with pytest.raises(RecordError, match=r"weights\.safetensors has another content than recorded"):
        first.verify()
    with pytest.raises(
        RecordError, match=r"another content than recorded\. Train again with .imgcls recipe run … --again"
    ):
        imgcls.load(first)
    told = Told()
    again = job_of(photo_folder, reporter=told, again=True)
    assert again.same_bits is not None
    assert again.same_bits["valid.parquet"]
    assert any("was damaged and is replaced" in note for note in told.notes)
    again.record.verify()
    assert again.record.files["weights.safetensors"] == first.files["weights.safetensors"]


def test_a_record_with_a_missing_file_is_told_when_reused(photo_folder: Path) -> None:
    first = job_of(photo_folder).record
    first.path("valid.parquet").unlink()
    with pytest.raises(
        RecordError, match=r"valid\.parquet is missing\. Restore it, or train again with .imgcls recipe run … --again"
    ):
        job_of(photo_folder)


def test_damaged_weights_are_no_donor(train: Train) -> None:
    first = train("augmentation")
    damage(first.path("weights.safetensors"))
    second = train("augmentation+tta:views=2")
    assert second.reused_from is None
    assert "weights.safetensors" in second.files


def test_a_quick_trial_is_marked_and_one_epoch_whatever_the_stack_says(train: Train) -> None:
    run = train("longer:epochs=5", quick=True)
    assert run.quick
    assert len(run.history()) == 1
    assert run.overrides["fit.epochs"] == 1
    assert "fit.epochs=1" in run.label
    whole = train("", base="baseline:model=simple_cnn,epochs=1")
    assert not whole.quick


def test_a_quick_trial_takes_a_part_and_always_the_same(
    train: Train, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("imgcls.engine.prepare.N_QUICK", 18)
    runs = [train(quick=True, workspace=tmp_path / str(number)) for number in (1, 2)]
    assert runs[0].data.n["train"] + runs[0].data.n["valid"] == 18
    assert runs[0].key == runs[1].key != train().key


def test_data_that_cannot_be_decoded_are_excluded_with_the_reason(train: Train, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for name, pixels in (("a", 40), ("b", 200)):
        (folder / name).mkdir(parents=True)
        for number in range(8):
            draw = np.random.default_rng(number + pixels).integers(0, 50, (24, 24, 3)) + pixels
            Image.fromarray(draw.astype(np.uint8)).save(folder / name / f"{number}.png")
    (folder / "a" / "cut.png").write_bytes((folder / "a" / "0.png").read_bytes()[:200])
    (folder / "b" / "empty.jpg").write_bytes(b"")
    run = train("", folder)
    assert run.data.n["excluded"] == 2
    assert sum(run.data.n.values()) == 18
    assert {path for path, _ in run.data.excluded} == {str(Path("a", "cut.png")), str(Path("b", "empty.jpg"))}
    assert all(reason for _, reason in run.data.excluded)


def test_a_stack_object_trains_as_its_text_does(photo_folder: Path, no_training: Callable[[], None]) -> None:
    text = "baseline:model=simple_cnn,epochs=1"
    small = {"images.size_px": 24, "fit.batch_size": 8}
    first = imgcls.train(text, photo_folder, overrides=small, reporter=Silent())
    no_training()
    assert imgcls.train(Stack.parse(text, small), photo_folder, reporter=Silent()) == first


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, True, "0"])
def test_a_seed_is_a_whole_number(seed: object, train: Train) -> None:
    with pytest.raises(UsageError, match="A seed is a whole number"):
        train(seed=seed)


def test_options_that_do_not_exist_are_told_with_the_nearest(train: Train) -> None:
    with pytest.raises(UsageError, match=r"no option 'split_sed'\. Did you mean 'split_seed'"):
        train(split_sed=3)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"recipes": "tta"}, StackError),
        ({"data": "nowhere"}, DataError),
        ({"overrides": {"model.name": "resnet1O"}, "base": "baseline"}, ImgclsError),
    ],
    ids=["stack", "data", "model"],
)
def test_what_cannot_start_leaves_nothing_behind(options: dict[str, Any], kind: type, train: Train) -> None:
    with pytest.raises(kind):
        train(**options)
    assert find_runs(Workspace.find()) == ([], [])
    assert find_failed(Workspace.find()) == ([], [])


def test_writing_among_the_photographs_is_refused(train: Train, photo_folder: Path) -> None:
    with pytest.raises(WorkspaceError):
        train(workspace=photo_folder)
    assert not (photo_folder / "runs").exists()


def test_samples_are_handed_over_whole(train: Train, photo_folder: Path) -> None:
    """Every file is accounted for: used or excluded."""
    run = train()
    samples: Samples = read_samples(DataSource(photo_folder))
    assert sum(run.data.n.values()) == len(samples) == len(list(photo_folder.rglob("*.*")))


@pytest.mark.parametrize("named", ["baseline", "another", "itself", "the folder", "nothing"])
def test_the_weights_of_a_run_are_those_of_its_training_in_its_workspace(
    drawn_ladder: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """What a record refers to is an id: neither a stack, nor a folder that happens to lie where somebody works."""
    _, workspace = drawn_ladder("baseline+label_smoothing+tta_flips", n_seeds=1)
    runs, _ = find_runs(workspace)
    shared = next(run for run in runs if run.reused_from)
    donor = next(run for run in runs if run.id == shared.reused_from)
    assert weights_of(shared, workspace)[0] == donor.folder / "weights.safetensors"
    another = next(run for run in runs if not run.reused_from and run.id != donor.id)
    monkeypatch.chdir(workspace.runs)
    if named == "the folder":
        shutil.copytree(donor.folder, workspace.runs / "here")
    names = {"another": another.id, "itself": shared.id, "the folder": "here", "nothing": "run-s0-00000000"}
    changed = replace(shared, reused_from=names.get(named, named)).write(shared.folder)
    with pytest.raises(RecordError, match=r"is gone|has not the weights of this training"):
        weights_of(changed, workspace)
