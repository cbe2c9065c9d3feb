"""Construction of the fastai `Learner` of a plan and of its loaders; the only place where one is made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm.optim
import torch
from fastai.callback.core import Callback
from fastai.callback.fp16 import AMPMode, MixedPrecision
from fastai.callback.progress import ProgressCallback
from fastai.callback.training import GradientClip
from fastai.learner import Learner

from imgcls.engine.callbacks.loop import (
    EndWorkers,
    EpochClock,
    LossGuard,
    MeanOnDevice,
    ReadLoss,
    batch_accuracy,
    batch_loss,
)
from imgcls.engine.callbacks.methods import AverageWeights, FreezeBatchNorm, FreezeBody, MixBatches, SmallerFirst
from imgcls.engine.callbacks.schedule import PlanSchedule
from imgcls.engine.check import check, find_callback
from imgcls.engine.device import Machine, memory_format
from imgcls.engine.front import FreezeStages
from imgcls.engine.loaders import Normalisation, PhotoDataset, PhotoLoader, PhotoLoaders, sample_shares
from imgcls.engine.losses import PlainValidationLoss, build_loss, one_hot
from imgcls.engine.models import Network, build_network
from imgcls.engine.optimizers import optimizer_factory
from imgcls.engine.prepare import Prepared
from imgcls.engine.transforms import Pipeline, build_eraser, build_pipeline
from imgcls.errors import PlanError
from imgcls.plan import Plan


@dataclass(frozen=True)
class BuiltLearner:
    """A Learner with what it was made of."""

    learn: Learner
    """The fastai Learner, its optimiser made."""
    network: Network
    """The network in it, and how to feed it."""

    @property
    def normalisation(self) -> Normalisation:
        """How images become the network's input."""
        return Normalisation(self.network.mean, self.network.std)


@dataclass(frozen=True)
class LearnerDescription:
    """The parts of a Learner that a plan decides."""

    callbacks: tuple[str, ...]
    """Callbacks in the order in which they act, each with the first line of its docstring."""
    loss: str
    """The loss function."""
    optimizer: str
    """The optimiser with its options."""
    schedule: str
    """The course of the learning rate."""

    def to_json(self) -> dict[str, object]:
        """Return the description as JSON."""
        return {
            "callbacks": list(self.callbacks),
            "loss": self.loss,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
        }


def build(plan: Plan, prepared: Prepared, *, seed: int, machine: Machine, path: Path | None = None) -> BuiltLearner:
    """Build a fresh Learner with fresh loaders.

    Args:
        plan: A checked plan.
        prepared: Its samples.
        seed: The run's seed.
        machine: Where it runs.
        path: Where fastai keeps what its own methods write; the current folder when None.

    Raises:
        PlanError: The plan does not fit the problem.
        WeightsError: The first weights cannot be had.
    """
    device, optimizer = machine.torch_device(), plan.optimizer
    network = build_network(plan.model, plan.images, n_classes=prepared.samples.n_classes, seed=seed)
    network.module.to(device).to(memory_format=memory_format(device))
    if plan.fit.first_size_px is not None:
        network.require_size(plan.fit.first_size_px, name=plan.model.name)
    normalisation = Normalisation(network.mean, network.std)
    loaders = build_loaders(plan, prepared, normalisation, seed=seed, machine=machine, path=path)
    train_targets = torch.as_tensor(loaders.train.dataset.targets)
    loss = build_loss(
        plan.loss,
        multilabel=prepared.samples.problem == "multilabel",
        train_targets=one_hot(train_targets, prepared.samples.n_classes),
    )
    precision = machine.used_precision()
    mixed = [] if precision == "float32" else [MixedPrecision(AMPMode.BF16 if precision == "bf16" else AMPMode.FP16)]
    learn = Learner(
        loaders,
        network.module,
        loss_func=loss,
        opt_func=optimizer_factory(optimizer),
        lr=optimizer.learning_rate,
        splitter=network.layer_groups if optimizer.layer_decay == optimizer.early_factor == 1 else network.layers,
        metrics=[MeanOnDevice("accuracy", batch_accuracy)],
        cbs=[EpochClock(seed), EndWorkers(), *plan_callbacks(plan), *mixed],
        path=path or Path(),
    )
    if not hasattr(learn, "progress"):  # there already where fastai.vision was imported before
        learn.add_cb(ProgressCallback())
    guard = learn.loss_guard
    learn.recorder.loss, learn.recorder.smooth_loss = MeanOnDevice("loss", batch_loss), ReadLoss(guard)
    learn.create_opt()
    return BuiltLearner(learn, network)


def plan_callbacks(plan: Plan) -> list[Callback]:
    """Return the callbacks that a plan's mixing, loss, schedule and fit ask for."""
    callbacks: list[Callback] = [LossGuard(), PlainValidationLoss(), PlanSchedule(plan.schedule)]
    if plan.fit.first_size_px is not None:
        callbacks.append(SmallerFirst(plan.fit.first_size_px, share=plan.fit.first_size_share))
    if plan.augment.mix is not None:
        callbacks.append(MixBatches(plan.augment.mix))
    if plan.fit.freeze_epochs:
        callbacks.append(FreezeBody(plan.fit.freeze_epochs))
    if plan.fit.freeze_stages:
        callbacks.append(FreezeStages(plan.fit.freeze_stages))
    if plan.fit.freeze_batchnorm:
        callbacks.append(FreezeBatchNorm())
    if plan.fit.clip_norm is not None:
        callbacks.append(GradientClip(plan.fit.clip_norm))
    if plan.fit.averaging is not None:
        callbacks.append(AverageWeights(plan.fit.averaging))
    return callbacks + [find_callback(name)(**options) for name, options in plan.fit.callbacks.items()]


def build_loaders(
    plan: Plan,
    prepared: Prepared,
    normalisation: Normalisation,
    *,
    seed: int,
    machine: Machine,
    path: Path | None = None,
) -> PhotoLoaders:
    """Build the loaders of training and validation.

    The last batch of an epoch is used whatever its size, but for a single sample left over, on which batch
    normalisation could not be computed: it is then left out of that epoch, another one each time.

    Raises:
        PlanError: There are fewer than two training samples a batch.
    """
    n_train = len(prepared.samples.rows("train"))
    size = min(plan.fit.batch_size, n_train)
    if size < 2:
        raise PlanError("fit.batch_size = 1 cannot train a network with batch normalisation; use at least 2.")
    device = machine.torch_device()
    shared: dict[str, Any] = {
        "num_workers": machine.used_workers(),
        "device": device,
        "normalisation": normalisation,
        "seed": seed,
    }
    pipeline, eraser = build_pipeline(plan.augment), build_eraser(plan.augment)
    train = photo_dataset(prepared, "train", pipeline=pipeline, eraser=eraser, seed=seed)
    valid = photo_dataset(prepared, "valid", seed=seed)
    shares = sample_shares(plan.fit, train.targets)
    return PhotoLoaders(
        PhotoLoader(
            train,
            bs=size,
            shuffle=True,
            drop_last=n_train % size == 1,
            shares=shares,
            n_views=plan.augment.views,
            **shared,
        ),
        PhotoLoader(valid, bs=plan.fit.batch_size, **shared),
        preprocess=prepared.preprocess,
        path=path or Path(),
        device=device,
    )


def photo_dataset(
    prepared: Prepared, split: str, *, pipeline: Pipeline | None = None, eraser: Pipeline | None = None, seed: int = 0
) -> PhotoDataset:
    """Return one split as a dataset; what changes its images is drawn by the seed."""
    rows = prepared.samples.rows(split)
    part = prepared.samples.part(split)
    targets = part.targets
    return PhotoDataset(
        prepared.photos,
        prepared.store_rows(rows),
        ids=part.frame["id"].tolist(),
        paths=[Path(path) for path in part.frame["path"]],
        targets=targets.astype("float32") if targets.ndim == 2 else targets,
        vocab=prepared.samples.classes,
        pipeline=pipeline,
        eraser=eraser,
        seed=seed,
    )


def describe(plan: Plan) -> LearnerDescription:
    """Describe what a plan becomes on a Learner.

    Raises:
        PlanError: The plan names something that does not exist.
    """
    check(plan)
    callbacks: list[Callback] = sorted([EpochClock(0), *plan_callbacks(plan)], key=lambda callback: callback.order)
    kind = {
        "auto": "cross_entropy or bce, by the problem",
        "focal": f"focal of softmax or sigmoid, by the problem, gamma={plan.loss.gamma:g}",
    }.get(plan.loss.name, plan.loss.name)
    weighted = ", class_weights=balanced" if plan.loss.class_weights != "none" else ""
    optimizer, schedule = plan.optimizer, plan.schedule
    found: Any = timm.optim.get_optimizer_class(optimizer.name, bind_defaults=False)
    falling = f", layer_decay={optimizer.layer_decay:g}" if optimizer.layer_decay != 1 else ""
    falling += f", early_factor={optimizer.early_factor:g}" if optimizer.early_factor != 1 else ""
    options = falling + "".join(f", {name}={value}" for name, value in optimizer.options.items())
    summaries = [(type(cb).__doc__ or "").strip().partition("\n")[0] for cb in callbacks]
    warmup = f", {schedule.warmup_epochs:g} epochs of warm-up" if schedule.warmup_epochs else ""
    return LearnerDescription(
        callbacks=tuple(f"{type(cb).__name__}: {text}" for cb, text in zip(callbacks, summaries, strict=True)),
        loss=f"TrainLoss({kind}, smoothing={plan.loss.smoothing:g}{weighted}; plain in validation)",
        optimizer=(
            f"{found.__module__.removesuffix(f'.{optimizer.name}')}.{found.__name__}(lr={optimizer.learning_rate:g}, "
            f"weight_decay={optimizer.weight_decay:g} on matrices and convolutions{options})"
        ),
        schedule=(
            f"{schedule.name}{warmup}, stepped every batch over {plan.fit.epochs} epochs"
            if plan.fit.epochs
            else "none, since no epoch is trained"
        ),
    )
