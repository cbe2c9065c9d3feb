"""What the default network sees in photographs, frozen as it was pretrained: for looking at data, not for training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from imgcls.catalog import Stack
from imgcls.data.cache import Photos
from imgcls.engine.datasets import PhotoDataset
from imgcls.engine.device import Machine, memory_format
from imgcls.engine.features import frozen_features
from imgcls.engine.loaders import Normalisation
from imgcls.engine.models import Network, build_network
from imgcls.engine.weights import Weights, resolve_weights
from imgcls.errors import WeightsError
from imgcls.plan import Plan

_N_OUTPUTS = 2  # of a classifier that is not used


@dataclass(frozen=True)
class Eye:
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

    def see(
        self, photos: Photos, rows: npt.NDArray[np.int64], *, progress: Callable[[int, int], None]
    ) -> npt.NDArray[np.float32]:
        """Compute the features of photographs in a single pass.

        Args:
            photos: The decoded store.
            rows: int64 [m], rows of it, at least one.
            progress: Told how many photographs are done, of how many.

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


def eye(*, machine: Machine | None = None) -> Eye:
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
    return Eye(replace(plan, model=model), weights, machine or Machine())
