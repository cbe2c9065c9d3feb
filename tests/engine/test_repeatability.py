"""The same stack, data and seed give the same bits: twice, by any number of workers, and after an interruption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fastai.callback.core import Callback
from safetensors.torch import load as load_tensors

from imgcls.engine import run as job
from imgcls.engine.checkpoint import AVERAGE_FILE, MODEL_FILE, OPTIMIZER_FILE, SaveEpochs, capture, restore
from imgcls.engine.device import Machine
from imgcls.engine.progress import Silent
from imgcls.errors import RecordError
from imgcls.records.attempts import Attempt, find_attempts
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace

pytestmark = pytest.mark.train

Train = Callable[..., RunRecord]
Bits = Callable[[RunRecord], dict[str, str]]

# Everything that has a state: optimisers with moments, schedules, draws by epoch, frozen parts, dropout.
STACKS: dict[str, dict[str, Any]] = {
    "augmentation": {"recipes": "augmentation"},
    "torchvision": {"recipes": "torchvision_augmentation"},
    "adamw_cosine": {"recipes": "adamw_cosine+label_smoothing"},
    "one_cycle": {"recipes": "one_cycle+adamax"},
    "freeze_backbone": {"recipes": "freeze_backbone:epochs=1"},
    "freeze_batchnorm": {"recipes": "freeze_batchnorm"},
    "lp_ft": {"recipes": "lp_ft:steps=0+augmentation"},
    "mixup": {"recipes": "mixup+augmentation+label_smoothing"},
    "cutmix": {"recipes": "cutmix+class_weights"},
    "random_erasing": {"recipes": "random_erasing:probability=0.8"},
    "balanced_sampling": {"recipes": "balanced_sampling+augmentation"},
    "ema": {"recipes": "ema+adamw_cosine"},
    "weight_averaging": {"recipes": "weight_averaging:start=0.25+augmentation"},
    "weight_averaging, begun after the interruption": {"recipes": "weight_averaging:start=0.6+adamw_cosine"},
    "progressive_resizing": {"recipes": "progressive_resizing:first=16,share=0.7+mixup+random_resized_crop"},
    "focal_loss": {"recipes": "focal_loss+cutmix+class_weights+label_smoothing+discriminative_rates"},
    "trivial_augment": {"recipes": "trivial_augment+keep_aspect"},
    "layerwise_rates": {"recipes": "layerwise_rates+adamw_cosine+freeze_backbone:epochs=1"},
    "sgd": {"overrides": {"optimizer.name": "sgd", "optimizer.options": {"momentum": 0.9, "nesterov": True}}},
    # counts its steps in plain numbers, one with each parameter, one with each group
    "adamp": {"overrides": {"optimizer.name": "adamp"}},
    "lamb": {"overrides": {"optimizer.name": "lamb", "optimizer.weight_decay": 0.01}},
    "dropout": {
        "base": "baseline:model=test_efficientnet,epochs=2",
        "overrides": {"model.weights": "none", "model.drop_rate": 0.5, "model.drop_path": 0.2},
    },
}

every_stack = pytest.mark.parametrize("options", STACKS.values(), ids=STACKS)


class Cut(KeyboardInterrupt):
    """The interruption that a test makes."""


class Batches(Silent):
    """A reporter that counts training batches."""

    n = 0

    def batch(self, epoch: int, done: int, total: int) -> None:
        self.n += 1


@pytest.fixture
def cut_after_first_epoch(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let the next training be interrupted right after its first checkpoint; return what lets others run on."""
    save = SaveEpochs.after_epoch

    def save_and_stop(self: SaveEpochs) -> None:
        was_trained = self.was_trained
        save(self)
        if was_trained:
            raise Cut("stopped here")

    monkeypatch.setattr(SaveEpochs, "after_epoch", save_and_stop)
    return lambda: monkeypatch.setattr(SaveEpochs, "after_epoch", save)


@every_stack
def test_twice_and_interrupted_give_the_same_bits(
    options: dict[str, Any], train: Train, bits: Bits, tmp_path: Path, cut_after_first_epoch: Callable[[], None]
) -> None:
    broken = tmp_path / "broken"
    with pytest.raises(Cut):
        train(**options, workspace=broken)
    assert len(find_attempts(Workspace(broken))) == 1
    cut_after_first_epoch()
    resumed = train(**options, workspace=broken)
    whole = train(**options, workspace=tmp_path / "whole")
    assert bits(resumed) == bits(whole)
    assert set(bits(whole)) == {"weights.safetensors", "valid.parquet"}
    assert [row["epoch"] for row in resumed.history()] == [1, 2]
    same = ("train_loss", "valid_loss", "valid_accuracy", "learning_rate")
    assert [[row[name] for name in same] for row in resumed.history()] == [
        [row[name] for name in same] for row in whole.history()
    ]
    assert "Going on after epoch 1" in resumed.path("log.txt").read_text(encoding="utf-8")
    assert find_attempts(Workspace(broken)) == []


@pytest.mark.parametrize("recipes", ["one_cycle", "ema", "weight_averaging"])
def test_an_interruption_after_the_last_epoch_trains_nothing_more(
    recipes: str, train: Train, bits: Bits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*args: object, **options: object) -> None:
        raise Cut("stopped here")

    with monkeypatch.context() as patched:
        patched.setattr(job, "write_predictions", cut)
        with pytest.raises(Cut):
            train(recipes, workspace=tmp_path / "broken")
    told = Batches()
    resumed = train(recipes, workspace=tmp_path / "broken", reporter=told)
    assert told.n == 0
    assert resumed.images_per_second is None
    assert bits(resumed) == bits(train(recipes, workspace=tmp_path / "whole"))


def test_another_seed_gives_other_bits(train: Train, bits: Bits) -> None:
    runs = [bits(train("augmentation", seed=seed, valid=0.25)) for seed in (0, 1)]
    assert runs[0]["weights.safetensors"] != runs[1]["weights.safetensors"]
    assert runs[0]["valid.parquet"] != runs[1]["valid.parquet"]


@pytest.mark.parametrize(
    "recipes",
    [
        "augmentation+tta",
        "torchvision_augmentation",
        "trivial_augment+random_resized_crop+tta+weight_averaging",
        "random_erasing+balanced_sampling",
    ],
)
def test_workers_do_not_change_the_bits(recipes: str, train: Train, bits: Bits, tmp_path: Path) -> None:
    found = [bits(train(recipes, machine=Machine("cpu", n_workers=n), workspace=tmp_path / str(n))) for n in (0, 1, 2)]
    assert found[0] == found[1] == found[2]


def test_the_global_generators_do_not_change_the_bits(train: Train, bits: Bits, tmp_path: Path) -> None:
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        found.append(bits(train(**STACKS["dropout"], workspace=tmp_path / str(seed))))
    assert found[0] == found[1]


@pytest.mark.parametrize("dropped", ["state", "step", "buffers", "average", "averaged steps"])
def test_every_saved_item_is_needed(
    dropped: str,
    train: Train,
    bits: Bits,
    tmp_path: Path,
    cut_after_first_epoch: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The canary of the test above: were the state not restored, it would see it."""

    def restore_less(learn: Any, files: dict[str, bytes], meta: dict[str, Any]) -> None:
        fresh = {name: tensor.clone() for name, tensor in learn.model.state_dict().items()}
        restore(learn, files, meta)
        state = learn.opt.opt.state
        if dropped == "state":
            state.clear()
        if dropped == "step":
            for values in state.values():
                values["step"].zero_()
        if dropped == "buffers":
            buffers = {name: fresh[name] for name, _ in learn.model.named_buffers()}
            learn.model.load_state_dict(buffers, strict=False)
        if dropped == "average":
            learn.average_weights.restore(dict(learn.model.named_parameters()), n_steps=meta["averaged_steps"])
        if dropped == "averaged steps":
            learn.average_weights.n_steps = 0

    with pytest.raises(Cut):
        train("adamw_cosine+ema", workspace=tmp_path / "broken")
    cut_after_first_epoch()
    monkeypatch.setattr(job, "restore", restore_less)
    resumed = bits(train("adamw_cosine+ema", workspace=tmp_path / "broken"))
    whole = bits(train("adamw_cosine+ema", workspace=tmp_path / "whole"))
    assert resumed["weights.safetensors"] != whole["weights.safetensors"]


KILLED = """
import os, signal, sys
import torch
from imgcls.engine.checkpoint import SaveEpochs
import imgcls
torch.set_num_threads(1)
save = SaveEpochs.after_epoch
def save_and_die(self):
    save(self)
    os.kill(os.getpid(), signal.SIGKILL)
SaveEpochs.after_epoch = save_and_die
imgcls.train("baseline:model=simple_cnn,epochs=2+augmentation+one_cycle", sys.argv[1], workspace=sys.argv[2],
             overrides={"images.size_px": 24, "fit.batch_size": 8})
"""


def test_a_killed_process_is_taken_over_to_the_same_bits(
    train: Train, bits: Bits, photo_folder: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(photo_folder), str(tmp_path / "killed")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not list((tmp_path / "killed" / "runs").glob("*/run.json"))
    resumed = train("augmentation+one_cycle", workspace=tmp_path / "killed")
    log = resumed.path("log.txt").read_text(encoding="utf-8")
    assert "Going on after epoch 1" in log
    assert "Taken over from process" in log
    assert bits(resumed) == bits(train("augmentation+one_cycle", workspace=tmp_path / "whole"))


def test_a_look_between_epochs_changes_nothing(learner: Callable[..., Any]) -> None:
    """TRAPS: a validation or prediction wipes fastai's recorder, and draws from its generators."""
    left, right = learner(**STACKS["dropout"]), learner(**STACKS["dropout"])
    for learn, looks in ((left, False), (right, True)):
        with learn.no_bar(), learn.no_logging():
            learn.fit(1)
            if looks:
                learn.validate()
                learn.get_preds(ds_idx=0)
                learn.dls.train.one_batch()
                torch.rand(3)
            learn.fit(1)
    states = [learn.model.state_dict() for learn in (left, right)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_the_checkpoint_holds_everything_bit_for_bit(learner: Callable[..., Any]) -> None:
    learn, taken = learner("adamw_cosine+ema"), []

    class Take(Callback):
        order = 90

        def after_epoch(self) -> None:
            taken.append(capture(self.learn))

    with learn.no_bar(), learn.no_logging():
        learn.fit(1, cbs=[Take()])
    ((files, meta),) = taken
    other = learner("adamw_cosine+ema")
    restore(other, files, meta)
    again, meta_again = capture(other)
    assert again == files
    assert meta_again == meta
    assert {name.partition(".")[2] for name in load_tensors(files[OPTIMIZER_FILE])} == {"exp_avg", "exp_avg_sq", "step"}
    assert set(load_tensors(files[AVERAGE_FILE])) == {name for name, _ in learn.model.named_parameters()}
    assert meta["averaged_steps"] == len(learn.dls.train)


@pytest.mark.parametrize("damage", ["lost", "other network"])
def test_a_checkpoint_that_does_not_fit_is_told(damage: str, learner: Callable[..., Any]) -> None:
    files, meta = capture(learner())
    if damage == "lost":
        del files[MODEL_FILE]
    else:
        other = learner(base="baseline:model=test_resnet,epochs=2", overrides={"model.weights": "none"})
        files = capture(other)[0]
    with pytest.raises(RecordError, match="does not fit this training"):
        restore(learner(), files, meta)


def test_a_damaged_checkpoint_is_told_and_the_one_before_it_is_used(
    train: Train, bits: Bits, tmp_path: Path, cut_after_first_epoch: Callable[[], None]
) -> None:
    longer = {"base": "baseline:model=simple_cnn,epochs=3"}
    with pytest.raises(Cut):
        train(**longer, workspace=tmp_path)
    with pytest.raises(Cut):
        train(**longer, workspace=tmp_path)  # from the first checkpoint to the second
    cut_after_first_epoch()
    (attempt,) = find_attempts(Workspace(tmp_path))
    _, second = sorted(attempt.folder.glob("checkpoint-*"))
    _flip_a_bit(second / "model.safetensors")
    run = train(**longer, workspace=tmp_path)
    said = run.path("log.txt").read_text(encoding="utf-8")
    assert f"{second.name}" in said
    assert "Going on after epoch 1" in said
    assert bits(run) == bits(train(**longer, workspace=tmp_path / "whole"))


def test_without_any_good_checkpoint_it_begins_anew(
    train: Train, bits: Bits, tmp_path: Path, cut_after_first_epoch: Callable[[], None]
) -> None:
    with pytest.raises(Cut):
        train(workspace=tmp_path)
    cut_after_first_epoch()
    (attempt,) = find_attempts(Workspace(tmp_path))
    _flip_a_bit(next(attempt.folder.rglob("model.safetensors")))
    run = train(workspace=tmp_path)
    assert "Going on" not in run.path("log.txt").read_text(encoding="utf-8")
    assert bits(run) == bits(train(workspace=tmp_path / "whole"))


def test_an_interrupted_training_anew_goes_on_too(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    train(workspace=tmp_path)
    release = request.getfixturevalue("cut_after_first_epoch")
    with pytest.raises(Cut):
        train(workspace=tmp_path, again=True)
    release()
    said: list[str] = []

    class Listener(Silent):
        def note(self, text: str) -> None:
            said.append(text)

    train(workspace=tmp_path, again=True, reporter=Listener())
    assert any("Going on after epoch 1" in text for text in said)


def _flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def test_a_training_with_further_callbacks_is_not_resumed_but_begun_anew(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = []
    monkeypatch.setattr(Attempt, "save_checkpoint", lambda *args, **options: saved.append(args))
    train(overrides={"fit.callbacks": {"EarlyStoppingCallback": {"monitor": "accuracy", "patience": 9}}})
    assert saved == []


def test_a_gradient_scaler_gets_its_scale_back() -> None:
    from types import SimpleNamespace

    import torch

    from imgcls.engine.checkpoint import SkipEpochs

    saved = torch.amp.GradScaler("cpu", init_scale=128.0).state_dict()
    fresh = torch.amp.GradScaler("cpu")
    skip = SkipEpochs(1, scaler=saved)
    skip.learn = SimpleNamespace(scaler=fresh)
    assert fresh.get_scale() != 128
    skip.before_fit()
    assert fresh.get_scale() == 128
