"""What goes wrong in a training is stopped in time, said in words, and kept; what cannot work is refused before."""

from __future__ import annotations

import errno
import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from fastai.callback.core import Callback
from fastai.learner import Learner
from PIL import Image
from torch import Tensor, nn

from imgcls.engine import device
from imgcls.engine.callbacks.loop import LossGuard
from imgcls.engine.device import Machine, keep_memory
from imgcls.engine.loaders import PhotoLoaders
from imgcls.engine.losses import balanced_weights
from imgcls.engine.models import simple_cnn
from imgcls.engine.progress import EpochRow, Silent
from imgcls.engine.run import GO_ON, Job
from imgcls.errors import (
    BusyError,
    DataError,
    DeviceError,
    DivergedError,
    ImgclsError,
    PlanError,
    TrainingError,
    WorkspaceError,
)
from imgcls.records.attempts import Attempt, acquire, find_attempts
from imgcls.records.find import find_failed, find_runs
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace

pytestmark = pytest.mark.train

Train = Callable[..., RunRecord]


@pytest.fixture
def own_network(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], nn.Module]], dict[str, Any]]:
    """Make a function of the test a network that a plan can name; gives the options of `train` that name it."""

    def install(build: Callable[[int], nn.Module]) -> dict[str, Any]:
        module = ModuleType("own_networks")
        module.build = build  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "own_networks", module)
        return {"base": "baseline", "overrides": {"model.name": "own_networks:build", "fit.epochs": 2}}

    return install


class Sick(nn.Module):
    """A network whose training step number `at` does something else."""

    def __init__(self, n_classes: int, at: int, act: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.net, self.at, self.act, self.n_steps = simple_cnn(n_classes), at, act, 0

    def forward(self, images: Tensor) -> Tensor:
        self.n_steps += self.training
        logits = self.net(images)
        return self.act(logits) if self.training and self.n_steps == self.at else logits


# A loss that is no number

NOT_FINITE = {"nan": math.nan, "inf": math.inf}


@pytest.mark.parametrize("bad", NOT_FINITE.values(), ids=NOT_FINITE)
def test_a_loss_that_is_no_number_stops_before_the_step(bad: float, learner: Callable[..., Learner]) -> None:
    class Look(Callback):
        order = LossGuard.order - 1

        def after_loss(self) -> None:
            if self.learn.training and (self.learn.epoch, self.learn.iter) == (1, 2):
                self.learn.loss_grad = self.learn.loss_grad * bad
                self.before = {name: tensor.clone() for name, tensor in self.learn.model.named_parameters()}

    learn = learner("adamw")
    learn.add_cb(look := Look())
    with pytest.raises(DivergedError), learn.no_bar(), learn.no_logging():
        learn.fit(2)
    assert learn.loss_guard.message.startswith(
        f"The loss became {bad} in epoch 2, batch 3 of {len(learn.dls.train)}, at learning rate 0.001. The step was "
        "not taken."
    )
    for name, tensor in learn.model.named_parameters():
        assert torch.equal(tensor, look.before[name])
        assert tensor.isfinite().all()


def test_a_full_disk_is_told_in_our_words(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """fastai puts words of its own before what a callback raises."""

    def full(*_: object, **__: object) -> None:
        raise ImgclsError("Disk full while writing the checkpoint.")

    monkeypatch.setattr(Attempt, "save_checkpoint", full)
    with pytest.raises(ImgclsError) as caught:
        train()
    assert str(caught.value) == "Disk full while writing the checkpoint."


@pytest.mark.parametrize("goes_on", [True, False], ids=["goes on", "starts over"])
@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (MemoryError(), "Out of memory with batches of 8 images of 24 px"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (
            RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "),
            "A process that prepares batches died",
        ),
        (RuntimeError("DataLoader worker (pid(s) 7, 8) exited unexpectedly"), "Try fewer --workers, 0 for none"),
        (RuntimeError("CUDA error: unspecified launch failure"), "unspecified launch failure"),
        (None, "The loss became nan in epoch 2, batch 2 of 4, at learning rate 0.001"),
    ],
    ids=["memory", "full", "disk", "worker killed", "workers gone", "device", "diverged"],
)
def test_a_training_that_failed_keeps_its_epochs(
    problem: Exception | None, said: str, goes_on: bool, train: Train, own_network: Callable[..., dict[str, Any]]
) -> None:
    def act(logits: Tensor) -> Tensor:
        if problem is not None:
            raise problem
        return logits * math.nan

    with pytest.raises(TrainingError) as caught:
        train(**own_network(lambda n: Sick(n, at=6, act=act)))
    assert said in str(caught.value)
    assert str(caught.value).endswith(f" 1 finished epoch is kept: {GO_ON}")
    assert "Exception occured" not in str(caught.value)
    ((failed,), _), (attempt,) = find_failed(Workspace.find()), find_attempts(Workspace.find())
    assert (failed.status, failed.reason) == ("failed", attempt.reason)
    assert attempt.n_epochs == 1
    assert find_runs(Workspace.find()) == ([], [])
    healthy = own_network(lambda n: Sick(n, at=-1, act=act))
    run = train(**healthy, from_start=not goes_on)
    assert (run.status, run.key) == ("done", failed.key)
    assert ("Going on after epoch 1 of an attempt that failed: " in run.path("log.txt").read_text()) == goes_on
    assert len(run.history()) == 2
    unbroken = train(**healthy, workspace=Path("elsewhere"))
    assert run.files["weights.safetensors"].sha256 == unbroken.files["weights.safetensors"].sha256
    assert find_attempts(Workspace.find()) == []


def test_want_of_memory_after_training_keeps_it_too(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("imgcls.engine.run.write_predictions", _raising(MemoryError()))
        with pytest.raises(TrainingError, match=r"Out of memory.*2 finished epochs are kept"):
            train()
    run = train()
    assert "Going on after epoch 2" in run.path("log.txt").read_text()


def test_a_failure_that_cannot_be_written_down_is_told_all_the_same(
    train: Train, own_network: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Attempt, "fail", _raising(ImgclsError("Disk full.")))
    with pytest.raises(DivergedError, match="The loss became nan"):
        train(**own_network(lambda n: Sick(n, at=6, act=lambda logits: logits * math.nan)))
    assert [attempt.n_epochs for attempt in find_attempts(Workspace.find())] == [1]


def _raising(problem: Exception) -> Callable[..., None]:
    def act(*_: object, **__: object) -> None:
        raise problem

    return act


@pytest.mark.parametrize(
    ("n_free", "said"), [(10**5, "MB are free for .*but weights and one checkpoint"), (2 * 10**6, "")]
)
def test_room_is_looked_at_before_the_first_epoch(
    n_free: int, said: str, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """simple_cnn has 0.4 MB of weights and 1.2 MB a checkpoint."""
    places: list[Path] = []

    def usage(place: Path) -> Any:
        places.append(Path(place))
        return type("Usage", (), {"free": n_free if "runs" in Path(place).parts else 10**12})

    monkeypatch.setattr(shutil, "disk_usage", usage)
    if said:
        with pytest.raises(WorkspaceError, match=said):
            train()
        assert find_attempts(Workspace.find()) == []
    else:
        run = train(reporter=Silent())
        assert "may stop midway" in run.path("log.txt").read_text()
    assert any(place.is_relative_to(Workspace.find().attempts) for place in places)


# Other ends


def raising(problem: BaseException) -> Callable[[int], nn.Module]:
    def act(logits: Tensor) -> Tensor:
        raise problem

    return lambda n: Sick(n, at=2, act=act)


@pytest.mark.parametrize(
    "problem",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you "
                     "tried to allocate 1 bytes. Error code 12 (Cannot allocate memory)"),
    ],
    ids=["device", "python", "cpu"],
)  # fmt: skip
def test_want_of_memory_is_told_with_what_to_try(
    problem: BaseException, train: Train, own_network: Callable[..., dict[str, Any]]
) -> None:
    with pytest.raises(TrainingError) as caught:
        train(**own_network(raising(problem)))
    assert "Out of memory with batches of 8 images of 24 px. Try a smaller --batch-size or --size." in str(caught.value)
    assert caught.value.__cause__ is problem


def test_want_of_memory_in_the_first_estimate_is_told_alike(
    train: Train, own_network: Callable[..., dict[str, Any]]
) -> None:
    options = own_network(raising(MemoryError()))
    options["overrides"] |= {"fit.epochs": 20}
    with pytest.raises(TrainingError, match="Out of memory"):
        train(**options)
    assert len(find_failed(Workspace.find())[0]) == 1


def test_a_foreign_error_is_wrapped_with_its_cause(train: Train, own_network: Callable[..., dict[str, Any]]) -> None:
    problem = ZeroDivisionError("by nothing")
    with pytest.raises(TrainingError, match="Training failed: ZeroDivisionError: by nothing") as caught:
        train(**own_network(raising(problem)))
    assert caught.value.__cause__ is problem
    (failed,), _ = find_failed(Workspace.find())
    assert "by nothing" in (failed.reason or "")


def test_an_interruption_is_no_failure(train: Train, own_network: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(**own_network(raising(KeyboardInterrupt("enough"))))
    assert find_failed(Workspace.find()) == ([], [])
    assert [attempt.state for attempt in find_attempts(Workspace.find())] == ["interrupted"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_error_on_the_way_out_of_an_interruption_is_none_either(
    kind: type[BaseException],
    train: Train,
    own_network: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(PhotoLoaders, "stop_workers", _raising(RuntimeError("DataLoader worker is killed by signal")))
    with pytest.raises(kind):
        train(**own_network(raising(kind("enough"))))
    assert find_failed(Workspace.find()) == ([], [])


@pytest.mark.parametrize("how", ["removed", "renamed", "made anew"])
def test_runs_that_vanish_in_the_middle_end_the_training_and_leave_no_half_history(train: Train, how: str) -> None:
    workspace = Workspace(Path("gone").absolute())

    class Vanish(Silent):
        def epoch(self, row: EpochRow) -> None:
            if row.epoch == 2:
                workspace.runs.rename(workspace.root / "before")
                if how == "removed":
                    shutil.rmtree(workspace.root / "before")
                elif how == "made anew":
                    shutil.copytree(workspace.root / "before", workspace.runs)

    longer = {"base": "baseline:epochs=4", "workspace": workspace}
    with pytest.raises(ImgclsError, match="has been moved or removed"):
        train(**longer, reporter=Vanish())
    assert workspace.runs.exists() == (how == "made anew")
    assert [row["epoch"] for row in train(**longer).history()] == [1, 2, 3, 4]
    assert find_attempts(workspace) == []


def test_two_at_one_run_are_refused(train: Train, photo_folder: Path) -> None:
    key = train().key
    elsewhere = Workspace(Path("elsewhere").absolute())
    with acquire(elsewhere, key, {}), pytest.raises(BusyError):
        train(workspace=elsewhere)
    assert train(workspace=elsewhere).key == key


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_read(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(Job, "run", lambda *args, **options: pytest.fail("it went on"))
    with pytest.raises(WorkspaceError):
        train()


# Data that do not do


def draw(folder: Path, n_by_class: dict[str, int]) -> Path:
    generator = np.random.default_rng(0)
    for place, (name, n) in enumerate(n_by_class.items()):
        (folder / name).mkdir(parents=True)
        for number in range(n):
            pixels = generator.integers(0, 100, (16, 16, 3)) + 100 * (place % 2)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder


def test_fewer_photographs_than_a_batch_are_one_batch(train: Train, tmp_path: Path) -> None:
    run = train("", draw(tmp_path / "few", {"a": 4, "b": 4}), overrides={"fit.batch_size": 64})
    assert run.data.n["train"] + run.data.n["valid"] == 8
    assert len(run.history()) == 2


def test_classes_that_are_one_name_to_unicode_are_told_at_the_start(train: Train, tmp_path: Path) -> None:
    names = ["caf\u00e9", "cafe\u0301"]
    run = train("", draw(tmp_path / "forms", dict.fromkeys(names, 6)), spelling="keep")
    assert sorted(run.classes) == sorted(names)
    log = run.path("log.txt").read_text()
    assert r"Classes 'cafe\u0301' and 'caf\xe9' are one name in two Unicode forms" in log
    assert log.index("Unicode forms") < log.index("start ")


def test_a_batch_of_one_is_refused(train: Train, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"fit\.batch_size = 1 cannot train a network with batch normalisation"):
        train(overrides={"fit.batch_size": 1})
    assert find_attempts(Workspace.find()) == []


@pytest.mark.parametrize(("batch_size", "n_shown"), [(8, 27), (13, 26), (2, 26)])
def test_a_single_sample_left_over_waits_for_another_epoch(
    batch_size: int, n_shown: int, learner: Callable[..., Learner]
) -> None:
    learn = learner(overrides={"fit.batch_size": batch_size}, valid=0.25)
    assert len(learn.dls.train.dataset) == 27
    seen: set[int] = set()
    for epoch in range(4):
        learn.dls.train.epoch = epoch
        sizes = [len(images) for images, _ in learn.dls.train]
        assert sum(sizes) == n_shown
        assert min(sizes) > 1
        seen.update(key.row for keys in learn.dls.train._keys for key in keys)
    assert seen == set(range(27))


@pytest.mark.parametrize(
    ("n_by_split", "said"),
    [
        ({"train": {"a": 6, "b": 6}, "valid": {"a": 3, "b": 3, "c": 3}}, "c"),
        ({"train": {"a": 6}, "valid": {"a": 3}}, "class"),
    ],
    ids=["only in valid", "one class"],
)
def test_classes_that_cannot_be_learned_are_refused(
    n_by_split: dict[str, dict[str, int]], said: str, train: Train, tmp_path: Path
) -> None:
    for split, n_by_class in n_by_split.items():
        draw(tmp_path / "photos" / split, n_by_class)
    with pytest.raises(DataError) as caught:
        train("", tmp_path / "photos")
    assert said in str(caught.value)


def test_class_weights_need_every_class_in_training() -> None:
    with pytest.raises(PlanError, match="at least one training sample of every class"):
        balanced_weights(torch.tensor([[1, 0], [1, 0]]), multilabel=False)


@pytest.mark.parametrize(("name", "said"), [("bce", "use cross_entropy or auto"), ("cross_entropy", "use bce or auto")])
def test_a_loss_for_another_problem_is_refused(name: str, said: str, train: Train, multilabel_table: Path) -> None:
    options: dict[str, Any] = {}
    if name == "cross_entropy":
        options = {"data": multilabel_table, "images": multilabel_table.parent / "images", "label": ["red", "green"]}
    with pytest.raises(PlanError, match=said):
        train(overrides={"loss.name": name}, **options)


# Further callbacks


def test_a_callback_of_fastai_acts_by_its_name(train: Train) -> None:
    stop = {"EarlyStoppingCallback": {"monitor": "accuracy", "patience": 1, "min_delta": 2.0}}
    run = train(base="baseline:model=simple_cnn,epochs=6", overrides={"fit.callbacks": stop})
    assert len(run.history()) < 6


@pytest.fixture
def own_callback(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Install a module with a callback that notes the epochs."""
    seen: list[int] = []

    class Note(Callback):
        """Notes epochs."""

        def __init__(self, step: int = 1) -> None:
            self.step = step

        def after_epoch(self) -> None:
            seen.append(self.learn.epoch * self.step)

    module = ModuleType("own_callbacks")
    module.Note = Note  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "own_callbacks", module)
    return seen


def test_a_callback_of_ones_own_acts_with_its_options(train: Train, own_callback: list[int]) -> None:
    train(overrides={"fit.callbacks": {"own_callbacks:Note": {"step": 3}}})
    assert own_callback == [0, 3]


def test_an_unknown_callback_is_refused_before_data_are_read(train: Train) -> None:
    with pytest.raises(PlanError, match=r"fastai has no 'EarlyStoping'\. Did you mean 'EarlyStoppingCallback'"):
        train("", "nowhere", overrides={"fit.callbacks": {"EarlyStoping": {}}})


def test_gradients_are_clipped(learner: Callable[..., Learner]) -> None:
    class Norm(Callback):
        order = 99
        largest = 0.0

        def before_step(self) -> None:
            grads = [parameter.grad.norm() for parameter in self.learn.model.parameters()]
            self.largest = max(self.largest, float(torch.stack(grads).norm()))

    largest = []
    for overrides in ({}, {"fit.clip_norm": 0.01}):
        learn = learner(overrides=overrides)
        learn.add_cb(norm := Norm())
        with learn.no_bar(), learn.no_logging():
            learn.fit(1)
        largest.append(norm.largest)
    assert largest[0] > 0.1
    assert largest[1] <= 0.01 * 1.001


# The machine


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without an accelerator."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(device, "_has_mps", lambda: False)


@pytest.mark.usefixtures("bare_machine")
@pytest.mark.parametrize(
    ("machine", "said"),
    [
        (Machine("cuda"), "This machine has no cuda device"),
        (Machine("cuda:3"), "This machine has no cuda device"),
        (Machine("mps"), "This machine has no mps device"),
        (Machine("tpu"), "Device 'tpu' is unknown; use auto, cpu, cuda, cuda:N or mps"),
        (Machine("cpu", precision="bf16"), "Precision bf16 is for CUDA devices; on cpu leave it at auto"),
        (Machine("cpu", precision="fp16"), "Precision fp16 is for CUDA devices"),
        (Machine("cpu", precision="half"), "Precision 'half' is unknown"),
        (Machine("cpu", n_workers=-1), "has to be at least 0, not -1"),
        (Machine("cpu", n_workers=100_000), "100000 workers are more than this machine can use: at most"),
    ],
    ids=str,
)
def test_a_machine_that_is_not_there_is_refused_before_data_are_read(
    machine: Machine, said: str, train: Train, learner: Callable[..., Learner]
) -> None:
    for call in (train, learner):
        with pytest.raises(DeviceError) as caught:
            call("", "nowhere", machine=machine)
        assert said in str(caught.value)


@pytest.mark.usefixtures("bare_machine")
def test_a_bare_machine_computes_in_float32_without_workers() -> None:
    machine = Machine()
    assert (machine.torch_device().type, machine.used_precision(), machine.used_workers()) == ("cpu", "float32", 0)


@pytest.mark.parametrize(("index", "good"), [("cuda:1", True), ("cuda:2", False)])
def test_a_gpu_by_number_has_to_be_there(index: str, good: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    if good:
        assert Machine(index).torch_device() == torch.device(index)
    else:
        with pytest.raises(DeviceError, match=r"There is no cuda:2: this machine has 2 GPU\(s\)"):
            Machine(index).torch_device()


def test_memory_is_kept_only_where_it_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(device, "keep_memory", lambda: calls.append("kept"))
    Machine("cpu").make_ready()
    assert calls == []
    Machine("cpu", keep_memory=True).make_ready()
    assert calls == ["kept"]


def test_keeping_memory_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGCLS_KEEP_MEMORY", "0")
    assert keep_memory() is False
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delenv("IMGCLS_KEEP_MEMORY")
    assert keep_memory() is False
