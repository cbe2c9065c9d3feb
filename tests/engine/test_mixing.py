"""Mixing of batches: drawn by key alone, on the batch, and only in training."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastai.callback.core import Callback
from fastai.learner import Learner
from torch import Tensor

from imgcls.catalog import Stack
from imgcls.engine.callbacks.methods import MixBatches
from imgcls.engine.check import check
from imgcls.errors import PlanError, StackError
from imgcls.plan import Plan

Build = Callable[..., Learner]
KINDS = ("mixup", "cutmix")
each = pytest.mark.parametrize("kind", KINDS)


class Watch(Callback):
    """Keeps what the network is given, and what is there when a batch is over."""

    order = 60

    def before_fit(self) -> None:
        self.inputs: list[Tensor] = []
        self.targets: list[Tensor] = []
        self.valid: list[Tensor] = []
        self.after: list[Tensor] = []

    def after_pred(self) -> None:
        if self.learn.training:
            self.inputs.append(self.learn.xb[0].clone())
            self.targets.append(self.learn.yb[0].clone())
        else:
            self.valid.append(self.learn.yb[0])

    def after_batch(self) -> None:
        if self.learn.training:
            self.after.append(self.learn.yb[0])


def watch(learn: Learner, n: int = 1) -> Watch:
    watcher = Watch()
    with learn.no_bar(), learn.no_logging():
        learn.fit(n, cbs=[watcher])
    return watcher


@pytest.mark.train
@each
def test_draws_hang_on_seed_epoch_and_batch_alone(kind: str, learner: Build) -> None:
    first = watch(learner(kind), 2)
    again = learner(kind)
    for number, generator in enumerate((torch.manual_seed, np.random.seed, random.seed)):
        generator(number + 7)
    second = watch(again, 2)
    assert all(torch.equal(*pair) for pair in zip(first.inputs, second.inputs, strict=True))
    other = watch(learner(kind, seed=1), 1)
    n = len(other.inputs)
    lams = [[float(targets.max(dim=1).values.min()) for targets in part] for part in (first.targets, other.targets)]
    assert lams[0][:n] != lams[1]
    assert lams[0][:n] != lams[0][n : 2 * n]
    assert len(set(lams[0])) > n


@each
def test_no_global_generator_is_drawn_from(kind: str, learner: Build) -> None:
    learn = learner(kind)
    mixer = learn.mix_batches
    learn.iter, learn.xb, learn.yb = 0, (torch.rand(5, 3, 8, 8),), (torch.tensor([0, 1, 2, 0, 1]),)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    mixer.before_batch()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]
    assert learn.yb[0].shape == (5, 3)


@each
def test_mixing_leaves_the_generators_of_other_devices_alone(
    kind: str, learner: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`torch.manual_seed` would seed all of them, and dropout on a GPU would be the same at every batch."""
    learn = learner(kind)
    learn.iter, learn.xb, learn.yb = 0, (torch.rand(2, 3, 8, 8),), (torch.tensor([0, 1]),)
    seeded: list[Any] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    monkeypatch.setattr(torch.mps, "manual_seed", seeded.append)
    learn.mix_batches.before_batch()
    assert seeded == []


@each
def test_a_single_image_is_mixed_with_itself(kind: str, learner: Build) -> None:
    learn = learner(kind)
    image = torch.rand(1, 3, 8, 8)
    learn.iter, learn.xb, learn.yb = 0, (image,), (torch.tensor([2]),)
    learn.mix_batches.before_batch()
    assert torch.allclose(learn.xb[0], image)
    assert learn.yb[0].tolist() == [[0, 0, pytest.approx(1)]]


@each
def test_the_layout_of_the_device_is_kept(kind: str, learner: Build) -> None:
    learn = learner(kind)
    images, targets = learn.dls.train.one_batch()
    assert images.is_contiguous(memory_format=torch.channels_last)
    learn.iter, learn.xb, learn.yb = 0, (images,), (targets,)
    learn.mix_batches.before_batch()
    assert learn.xb[0].stride() == images.stride()


@pytest.mark.train
@each
def test_validation_and_metrics_see_labels(kind: str, learner: Build) -> None:
    learn = learner(kind)
    learn.recorder.train_metrics = True
    watcher = watch(learn)
    assert {targets.ndim for targets in watcher.targets} == {2}
    assert {(targets.ndim, targets.dtype) for targets in (*watcher.valid, *watcher.after)} == {(1, torch.int64)}
    assert 0 <= learn.recorder.values[-1][1] <= 1


@pytest.mark.train
@each
def test_several_labels_are_mixed_too(kind: str, learner: Build, multilabel_table: Path) -> None:
    learn = learner(f"{kind}+class_weights+label_smoothing", multilabel_table)
    watcher = watch(learn)
    assert all(((targets >= 0) & (targets <= 1)).all() for targets in watcher.targets)
    assert any(((targets > 0) & (targets < 1)).any() for targets in watcher.targets)
    assert learn.loss_func.kind == "bce"


@pytest.mark.train
@each
def test_a_last_batch_of_odd_size_is_mixed(kind: str, learner: Build) -> None:
    watcher = watch(learner(kind, overrides={"fit.batch_size": 6}, valid=0.25))
    assert len(watcher.inputs[-1]) % 2 == 1
    assert watcher.targets[-1].sum(dim=1).tolist() == pytest.approx([1.0] * len(watcher.targets[-1]))


@pytest.mark.parametrize(
    ("op", "said"),
    [
        ("mixupp", r"augment.mix = 'mixupp' is unknown; it is mixup or cutmix. Did you mean 'mixup'"),
        ({"mixup": {"alfa": 1}}, r"mixup has no option 'alfa'. Did you mean 'alpha'"),
        ({"cutmix": {"num_classes": 3}}, r"cutmix has no option 'num_classes'"),
        ({"mixup": {"alpha": 0}}, r"mixup.alpha has to be above 0, not 0"),
        ({"mixup": {"alpha": True}}, r"mixup.alpha has to be above 0, not True"),
        ({"cutmix": {"alpha": "a"}}, r"cutmix.alpha has to be above 0, not 'a'"),
    ],
)
def test_a_mixing_that_cannot_be_is_told(op: Any, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        check(Plan().with_values({"augment.mix": op}))


def test_the_two_conflict() -> None:
    with pytest.raises(StackError, match=r"'mixup' and 'cutmix' both set augment\.mix"):
        Stack.parse("baseline+mixup+cutmix")


def test_alpha_may_be_left_out() -> None:
    check(Plan().with_values({"augment.mix": "mixup"}))
    assert MixBatches(Plan().with_values({"augment.mix": "mixup"}).augment.mix).mixed.alpha == 1  # type: ignore[arg-type]
