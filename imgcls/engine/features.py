"""Features of clean photographs: the output of a network's frozen body, which its linear classifier reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from imgcls.catalog import Stack
from imgcls.data.cache import Photos
from imgcls.engine.device import Machine, memory_format
from imgcls.engine.inference import Views, batches_of, without_gradients
from imgcls.engine.loaders import Normalisation, PhotoDataset
from imgcls.engine.models import Network, batchnorms, build_network
from imgcls.engine.seeding import order
from imgcls.engine.weights import Weights, resolve_weights
from imgcls.errors import PlanError, WeightsError
from imgcls.plan import Plan

_BATCH = 64
_N_OUTPUTS = 2  # of a classifier that is not used


@dataclass(frozen=True)
class FeatureExtractor:
    """A pretrained network that is at hand, and where it runs."""

    plan: Plan
    """The plan whose network it is."""
    weights: Weights
    """Its weights."""
    machine: Machine
    """Where it runs."""

    @property
    def key(self) -> str:
        """What its features depend on besides the photographs: weights, device and precision."""
        return f"{self.weights.sha256}-{self.machine.torch_device().type}-{self.machine.used_precision()}"

    @cached_property
    def network(self) -> Network:
        """The network, on its device."""
        model, images = self.plan.model, self.plan.images
        network = build_network(model, images, n_classes=_N_OUTPUTS, seed=0)
        device = self.machine.torch_device()
        network.module.to(device).to(memory_format=memory_format(device))
        return network

    def extract(
        self, photos: Photos, rows: npt.NDArray[np.int64], *, progress: Callable[[int, int], None]
    ) -> npt.NDArray[np.float32]:
        """Compute the features of photographs in a single pass.

        Args:
            photos: The decoded store.
            rows: int64 [m], rows of it, at least one.
            progress: Called with the number of photographs done, and of all.

        Returns:
            float32 [m, d].
        """
        paths = [photos.paths[row] for row in rows]
        blank = np.zeros(len(rows), dtype=np.int64)
        dataset = PhotoDataset(photos, rows, ids=paths, paths=[], targets=blank, vocab=["", ""])
        features = frozen_features(
            self.network,
            dataset,
            normalisation=Normalisation(self.network.mean, self.network.std),
            device=self.machine.torch_device(),
            precision=self.machine.used_precision(),
            progress=progress,
        )
        return np.asarray(features.cpu().numpy(), dtype=np.float32)


def linear_classifier(network: Network, *, n_classes: int) -> nn.Linear:
    """Return the linear layer that is the whole classifier of a network.

    Raises:
        PlanError: The classifier is no single linear layer, or there is nothing below it.
    """
    head = network.head
    if not isinstance(head, nn.Linear):
        raise _refused(f"its classifier is of the kind {type(head).__name__}, not a single linear layer")
    if head.bias is None:
        raise _refused("its classifier has no bias to hold the intercept")
    if head.out_features != n_classes:
        raise _refused(f"its last linear layer gives {head.out_features} outputs for {n_classes} classes")
    if len(network.layer_groups(network.module)) < 2:
        raise _refused("it has nothing below its classifier")
    return head


def frozen_features(
    network: Network,
    dataset: PhotoDataset,
    *,
    normalisation: Normalisation,
    device: torch.device,
    precision: str,
    progress: Callable[[int, int], None],
    views: Views | None = None,
) -> Tensor:
    """Compute the features of every photograph of a dataset once, without augmentation and with the network at rest.

    Args:
        network: The network, on the device; its weights and running statistics stay as they are.
        dataset: The photographs; its pipeline is not used.
        normalisation: How images become floats.
        device: Where it runs.
        precision: `float32`, `bf16` or `fp16`; as in prediction.
        progress: Called with the number of photographs (views of them) done, and of all.
        views: What is looked at besides the clean photographs; None for nothing.

    Returns:
        float32 [n, d], on the device; of several views float32 [views · n, d], view after view.

    Raises:
        PlanError: The network does something to the output of its linear layer, or uses it several times.
    """
    seen: list[tuple[Tensor, Tensor]] = []

    def see(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        seen.append((inputs[0], output))

    found: list[Tensor] = []
    n_done, module = 0, network.module.eval()
    hook = network.head.register_forward_hook(see)
    try:
        with without_gradients(device, precision):
            n_views = 1 if views is None else views.n_views
            for view in range(n_views):
                for images, ids in batches_of(dataset, size=_BATCH):
                    seen.clear()
                    shown = images if views is None else views.make(images, ids, view)
                    answer = module(normalisation.encode(torch.from_numpy(shown), device))
                    if not found:
                        _check_last(seen, answer)
                    found.append(seen[0][0].float())
                    n_done += len(images)
                    progress(n_done, n_views * len(dataset))
    finally:
        hook.remove()
    return torch.cat(found)


def fit_statistics(
    network: Network,
    dataset: PhotoDataset,
    *,
    normalisation: Normalisation,
    device: torch.device,
    precision: str,
    seed: int,
) -> None:
    """Set the running statistics of every batch normalisation to those of a dataset's clean photographs.

    Mean and variance are averaged over batches drawn by the seed, each of which is normalised by its own, as in
    training. Nothing else of the network changes.

    Args:
        network: The network, on the device.
        dataset: The photographs; its pipeline is not used.
        normalisation: How images become floats.
        device: Where it runs.
        precision: As in training.
        seed: Decides which photographs come together.

    Source: Li et al. 2016, arXiv:1603.04779, section 3.2.
    """
    layers = [layer for layer in batchnorms(network.module) if isinstance(layer, _BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    network.module.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # then torch averages over all batches evenly
        layer.train()
    rows = order(len(dataset), seed, "statistics", 0)
    with without_gradients(device, precision):
        for start in range(0, len(rows) - len(rows) % _BATCH or len(rows), _BATCH):
            images = dataset.photos.pixels(dataset.rows[rows[start : start + _BATCH]])
            network.module(normalisation.encode(torch.from_numpy(images), device))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    network.module.eval()


def feature_extractor(*, machine: Machine | None = None) -> FeatureExtractor:
    """Find the network of the baseline with its pretrained weights, without reaching the network.

    Args:
        machine: Where it is to run; None chooses.

    Raises:
        WeightsError: Its weights are not on this machine.
    """
    plan = Stack.parse("baseline").plan
    weights = resolve_weights(plan.model, download=False)
    if weights is None:
        raise WeightsError(f"{plan.model.name} has no pretrained weights.")
    model = plan.model if weights.by_order else replace(plan.model, weights=str(weights.path))
    return FeatureExtractor(replace(plan, model=model), weights, machine or Machine())


def _check_last(seen: list[tuple[Tensor, Tensor]], answer: Tensor) -> None:
    if len(seen) != 1:
        raise _refused(f"it uses its last linear layer {len(seen)} times an image")
    features, output = seen[0]
    if features.ndim != 2 or output.shape != answer.shape or not torch.equal(output, answer):
        raise _refused("its answer is not that of its last linear layer alone")


def _refused(reason: str) -> PlanError:
    return PlanError(
        f"fit.classifier = logistic_regression cannot be used with this network: {reason}. Choose another model.name, "
        "or train the classifier with freeze_backbone."
    )
