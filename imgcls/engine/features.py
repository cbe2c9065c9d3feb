"""Features of clean photographs: the output of a network's frozen body, which its linear classifier reads."""

from __future__ import annotations

import hashlib
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
from imgcls.data.cache import FRONTS, ArrayFile, Photos
from imgcls.engine.device import Machine, memory_format
from imgcls.engine.inference import Views, batches_of, without_gradients
from imgcls.engine.loaders import Normalisation, PhotoDataset
from imgcls.engine.models import Network, architecture_of, batchnorms, build_network, classifier_of
from imgcls.engine.seeding import order
from imgcls.engine.weights import Weights, resolve_weights
from imgcls.errors import PlanError, WeightsError
from imgcls.plan import Plan
from imgcls.storage import canonical_json
from imgcls.workspace import cache_folder

PASS_VERSION = 1
"""Raised whenever the same photographs and weights would give other features."""
MOST_BYTES = 1 << 31
"""The most that what frozen networks see may take in the cache, and for one training in memory."""
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
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
        body = FrozenBody(
            self.network,
            dataset,
            Normalisation(self.network.mean, self.network.std),
            self.machine.torch_device(),
            self.machine.used_precision(),
        )
        return np.asarray(body.features(progress=progress).cpu().numpy(), dtype=np.float32)


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


@dataclass(frozen=True)
class FrozenBody:
    """A network at rest, and the clean photographs that it looks at; what it sees can be kept in the cache."""

    network: Network
    """The network, on the device."""
    dataset: PhotoDataset
    """The photographs; its pipeline is not used."""
    normalisation: Normalisation
    """How images become floats."""
    device: torch.device
    """Where it runs."""
    precision: str
    """`float32`, `bf16` or `fp16`; as in prediction."""

    def features(
        self, *, progress: Callable[[int, int], None], views: Views | None = None, keep: bool = False
    ) -> Tensor:
        """Compute the features of every photograph once, without augmentation.

        Args:
            progress: Called with the number of photographs (views of them) done, and of all.
            views: What is looked at besides the clean photographs; None for nothing.
            keep: Whether they are looked for in the cache, and kept there; the bits are the same either way.

        Returns:
            float32 [n, d], on the device; of several views float32 [views · n, d], view after view.

        Raises:
            PlanError: The network does something to the output of its linear layer, or uses it several times.
        """
        n_views, found = 1 if views is None else views.n_views, list[Tensor]()
        for view in range(n_views):
            drawn = "" if views is None else views.key(view)
            stored = self._file(drawn, with_ids=bool(drawn)) if keep else None
            values = stored.read().get("values") if stored else None
            if values is None or len(values) != len(self.dataset):
                told = _offset(progress, view * len(self.dataset), n_views * len(self.dataset))
                found.append(self._computed(view, views, progress=told))
                if stored and found[-1].nbytes <= MOST_BYTES // 8:
                    stored.write(most_bytes=MOST_BYTES, values=found[-1].cpu().numpy())
            else:
                found.append(torch.from_numpy(values).to(self.device))
                progress((view + 1) * len(self.dataset), n_views * len(self.dataset))
        return torch.cat(found)

    def fit_statistics(self) -> None:
        """Set the running statistics of every batch normalisation to those of the clean photographs.

        Mean and variance are averaged over batches drawn by lot, each of which is normalised by its own, as in
        training. Nothing else of the network changes.

        Source: Li et al. 2016, arXiv:1603.04779, section 3.2.
        """
        layers = [
            layer
            for layer in batchnorms(self.network.module)
            if isinstance(layer, _BatchNorm) and layer.running_mean is not None
        ]
        stored = self._file("statistics")
        known = stored.read() if stored else {}
        if len(known) == len(_STATISTICS) * len(layers):
            for place, layer in enumerate(layers):
                for name in _STATISTICS:
                    getattr(layer, name).copy_(torch.from_numpy(known[f"{name}{place}"]))
            return
        momenta = [layer.momentum for layer in layers]
        module = self.network.module.eval()
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # then torch averages over all batches evenly
            layer.train()
        rows = order(len(self.dataset), 0, "statistics", 0)
        with without_gradients(self.device, self.precision):
            for start in range(0, len(rows) - len(rows) % _BATCH or len(rows), _BATCH):
                images = self.dataset.photos.pixels(self.dataset.rows[rows[start : start + _BATCH]])
                module(self.normalisation.encode(torch.from_numpy(images), self.device))
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        module.eval()
        if stored:
            arrays = {
                f"{name}{place}": getattr(layer, name).cpu().numpy()
                for place, layer in enumerate(layers)
                for name in _STATISTICS
            }
            stored.write(most_bytes=MOST_BYTES, **arrays)

    def _computed(self, view: int, views: Views | None, *, progress: Callable[[int], None]) -> Tensor:
        seen: list[tuple[Tensor, Tensor]] = []

        def see(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            seen.append((inputs[0], output))

        found: list[Tensor] = []
        n_done, module = 0, self.network.module.eval()
        hook = self.network.head.register_forward_hook(see)
        try:
            with without_gradients(self.device, self.precision):
                for images, ids in batches_of(self.dataset, size=_BATCH):
                    seen.clear()
                    shown = images if views is None else views.make(images, ids, view)
                    answer = module(self.normalisation.encode(torch.from_numpy(shown), self.device))
                    if not found:
                        _check_last(seen, answer)
                    found.append(seen[0][0].float())
                    n_done += len(images)
                    progress(n_done)
        finally:
            hook.remove()
        return torch.cat(found)

    def _file(self, what: str, *, with_ids: bool = False) -> ArrayFile | None:
        """Return the file of the cache for something that hangs on network, photographs and their order.

        None for a network of which nobody can know whether it is the same.
        """
        architecture, photos = architecture_of(self.network.module), self.dataset.photos
        if architecture is None or not isinstance(photos, Photos):
            return None
        found = hashlib.sha256(f"{PASS_VERSION} {what} {architecture}".encode())
        head = {id(tensor) for tensor in self.network.head.state_dict(keep_vars=True).values()}
        for name, tensor in self.network.module.state_dict(keep_vars=True).items():
            if id(tensor) not in head:
                found.update(f"{name}{tuple(tensor.shape)}".encode())
                found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        mean, std = self.normalisation.mean, self.normalisation.std
        about = [photos.preprocess.key, mean, std, self.device.type, self.precision]
        found.update(canonical_json(about).encode())
        for name, row in zip(self.dataset.ids, self.dataset.rows, strict=True):
            line = f"{name if with_ids else ''}\0{photos.sha256[row]}\n"
            found.update(line.encode("utf-8", "surrogateescape"))
        return ArrayFile(cache_folder() / FRONTS / f"{found.hexdigest()[:32]}.npz")


def inputs_of_classifier(
    module: nn.Module,
    dataset: PhotoDataset,
    normalisation: Normalisation,
    machine: Machine,
    *,
    progress: Callable[[int, int], None],
) -> npt.NDArray[np.float32]:
    """Compute what the classifier of a trained network reads of every clean photograph, whatever kind it is.

    Args:
        module: The network, on the device.
        dataset: The photographs.
        normalisation: How images become floats.
        machine: Where it runs.
        progress: Called with the number of photographs done, and of all.

    Returns:
        float32 [n, d]; what it reads at several places is averaged over them.

    Raises:
        PlanError: The network never calls its classifier.
    """
    head, seen, found = classifier_of(module), list[Tensor](), list[Tensor]()
    device = machine.torch_device()
    hook = head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].float()))
    module.eval()
    try:
        with without_gradients(device, machine.used_precision()):
            for done, (images, _) in enumerate(batches_of(dataset, size=_BATCH), start=1):
                seen.clear()
                module(normalisation.encode(torch.from_numpy(images), device))
                if not seen:
                    raise PlanError(f"The network never calls its last layer with parameters, a {type(head).__name__}.")
                values = seen[-1] if isinstance(head, nn.Linear) else seen[-1].movedim(1, -1)  # features last
                found.append(values.flatten(1, -2).mean(dim=1).cpu() if values.ndim > 2 else values.cpu())
                progress(min(done * _BATCH, len(dataset)), len(dataset))
    finally:
        hook.remove()
    return np.asarray(torch.cat(found).numpy(), dtype=np.float32)


def _offset(progress: Callable[[int, int], None], before: int, n_all: int) -> Callable[[int], None]:
    return lambda n: progress(before + n, n_all)


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
