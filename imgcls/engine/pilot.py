"""About how long a training will take, measured on a copy of the network before it starts."""

from __future__ import annotations

import copy
import time

import torch
from fastai.learner import Learner

from imgcls.engine.device import synchronize
from imgcls.engine.losses import TrainLoss
from imgcls.plan import Plan

_N_WARM, _N_TIMED = 2, 3
# Forward passes cost about a third of forward, backward and step together.
_PREDICTION_SHARE = 1 / 3


def estimate_seconds(learn: Learner, plan: Plan, *, n_epochs: int) -> float | None:
    """Time a few steps on a copy of the network, and scale them to the training that is left.

    Nothing of the Learner changes: the copy is thrown away, and randomness is seeded anew at each epoch.

    Args:
        learn: A Learner that is ready to be trained.
        plan: Its plan.
        n_epochs: Epochs that are left.

    Returns:
        Seconds; None for a training too short to be worth asking.
    """
    loaders, device = learn.dls, learn.dls.device
    if n_epochs * len(loaders.train) < 10 * _N_TIMED:  # not worth asking
        return None
    network = copy.deepcopy(learn.model).to(device).train()
    loss: TrainLoss = copy.deepcopy(learn.loss_func).to(device)
    if plan.fit.freeze_epochs == "all":
        for parameter in [p for group in learn.splitter(network)[:-1] for p in group]:
            parameter.requires_grad_(False)
    images, targets = loaders.train.one_batch()
    seconds = []
    for _ in range(_N_WARM + _N_TIMED):  # the first ones pay for memory and caches
        synchronize(device)
        began = time.perf_counter()
        with torch.autocast(device.type, enabled=device.type == "cuda"):
            value = loss(network(images), targets)
        value.backward()
        synchronize(device)
        seconds.append(time.perf_counter() - began)
    step_seconds = min(seconds[_N_WARM:])
    n_valid = len(loaders.valid.dataset) * (n_epochs + plan.predict.views)
    valid_seconds = step_seconds * _PREDICTION_SHARE * n_valid / len(images)
    return n_epochs * len(loaders.train) * step_seconds + valid_seconds
