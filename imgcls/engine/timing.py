"""Estimated time of a training, measured on a copy of the network before it starts."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable

import torch
from fastai.learner import Learner
from torch import Tensor

from imgcls.engine.build import build
from imgcls.engine.device import synchronize
from imgcls.engine.front import Front
from imgcls.engine.losses import TrainLoss
from imgcls.engine.request import RunSpec
from imgcls.plan import Plan

_N_WARM, _N_TIMED = 2, 3
# Forward passes cost about a third of forward, backward and step together.
_PREDICTION_SHARE = 1 / 3


def estimate_seconds(learn: Learner, plan: Plan, *, n_done: int = 0, always: bool = False) -> float | None:
    """Time a few steps on a copy of the network, and scale them to the training that is left.

    Nothing of the Learner changes: the copy is thrown away, and randomness is seeded again at each epoch. Where the
    classifier is fitted first, the pass for its features counts too, but not the fit itself.

    Args:
        learn: A Learner that is ready to be trained.
        plan: Its plan.
        n_done: Epochs that an earlier attempt finished.
        always: Whether a training too short to be worth timing is timed too.

    Returns:
        Seconds; None for a training too short to be worth timing.
    """
    loaders = learn.dls
    n_epochs = plan.fit.n_epochs(n_batches=len(loaders.train)) - n_done
    n_steps = n_epochs * len(loaders.train)
    n_seen = (
        0 if n_done or plan.fit.classifier == "gradient" else plan.fit.classifier_views * len(loaders.train.dataset)
    )
    if not always and n_steps + _PREDICTION_SHARE * n_seen / loaders.train.bs < 10 * _N_TIMED:
        return None
    if plan.fit.freeze_stages and n_epochs and loaders.train.dataset.pipelines:
        n_seen += min(plan.augment.views or n_epochs, n_epochs) * len(loaders.train.dataset)
    images, targets = loaders.train.one_batch()
    step_seconds = _step_seconds(learn, plan, images, targets if n_epochs else None)
    n_seen += len(loaders.valid.dataset) * (n_epochs + plan.predict.views)
    smaller = getattr(learn, "smaller_first", None)
    saved_seconds = 0.0
    if smaller is not None and n_epochs:
        n_small = max(0, smaller.n_steps(plan.fit.epochs * len(loaders.train)) - n_done * len(loaders.train))
        saved_seconds = n_small * (step_seconds - _step_seconds(learn, plan, smaller.shrunk(images), targets))
    if plan.fit.averaging is not None and plan.fit.averaging.name == "swa":
        n_seen += len(loaders.train.dataset)  # once more at the end, for the statistics of batch normalisation
    return step_seconds * (n_steps + (_PREDICTION_SHARE if n_epochs else 1) * n_seen / len(images)) - saved_seconds


def estimate_run(request: RunSpec, *, trains: bool) -> float:
    """Return about how many seconds a run's training and prediction will take, for which its Learner is built.

    Args:
        request: The run.
        trains: Whether it is trained; else it only predicts with weights that are there.
    """
    plan, prepared = request.plan, request.prepared
    learn = build(plan, prepared, seed=request.seed, machine=request.machine).learn
    try:
        if trains:
            return estimate_seconds(learn, plan, always=True) or 0.0
        images, _ = learn.dls.train.one_batch()
        n_seen = plan.predict.views * sum(len(prepared.samples.rows(split)) for split in ("valid", "test"))
        return _step_seconds(learn, plan, images, None) * n_seen / len(images)
    finally:
        learn.dls.stop_workers()


def _step_seconds(learn: Learner, plan: Plan, images: Tensor, targets: Tensor | None) -> float:
    """Time a step on a batch; only its forward pass where there are no targets."""
    device = learn.dls.device
    network = copy.deepcopy(learn.model).to(device).train(targets is not None)
    loss: TrainLoss = copy.deepcopy(learn.loss_func).to(device)
    if plan.fit.freeze_epochs == "all":
        for parameter in [p for group in learn.splitter(network)[:-1] for p in group]:
            parameter.requires_grad_(False)
    shown: Callable[[Tensor], Tensor] = network
    if plan.fit.freeze_stages and targets is not None:
        front = Front.of(network, plan.fit.freeze_stages, images[:2])
        front.freeze()
        with torch.no_grad():
            images, shown = front.features(images), front.rest
    seconds = []
    for _ in range(_N_WARM + _N_TIMED):  # the first ones pay for memory and caches
        synchronize(device)
        began = time.perf_counter()
        with torch.autocast(device.type, enabled=device.type == "cuda"), torch.set_grad_enabled(targets is not None):
            logits = shown(images)
            value = logits if targets is None else loss(logits, targets)
        if targets is not None:
            value.backward()
        synchronize(device)
        seconds.append(time.perf_counter() - began)
    return min(seconds[_N_WARM:])
