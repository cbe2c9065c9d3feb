"""The networks that there are: what timm knows of each, what lies on this machine, and how fast each trains here."""

from __future__ import annotations

import fnmatch
import time
from dataclasses import dataclass
from typing import Any

import timm
import torch

from imgcls.engine.device import Machine, memory_format, synchronize
from imgcls.engine.models import build_network
from imgcls.engine.progress import Reporter
from imgcls.engine.weights import PACKAGED_LICENCE, offline_weights
from imgcls.errors import PlanError
from imgcls.networks import pretrained_size_px
from imgcls.plan import Images, Model

_BATCH, _N_WARM, _N_TIMED, _N_CLASSES = 16, 1, 3, 10


@dataclass(frozen=True)
class NetworkFacts:
    """What is known of one network."""

    name: str
    """Its name in timm; with the name of its weights after a dot where it has several."""
    n_parameters: int | None
    """Parameters, with a classifier of ten classes; None where it cannot be built."""
    size_px: int | None
    """The side of the images that it was pretrained on; None where timm does not say."""
    at_hand: bool
    """Whether pretrained weights are on this machine."""
    licence: str
    """That of the weights, "" where it is not known."""
    images_per_second: float | None = None
    """Trained on this machine; None where it was not timed."""


@dataclass(frozen=True)
class FoundNetworks:
    """Networks that were asked for."""

    pattern: str
    """What names had to match, "" for those at hand."""
    networks: tuple[NetworkFacts, ...]
    """In the order of their names."""
    n_more: int
    """How many more there are."""
    timed_at: int | None = None
    """The side of the images that were trained on, pixels; None where nothing was timed."""
    device: str = ""
    """Where."""


def find_networks(
    pattern: str | None, *, most: int, timed_at: int | None = None, reporter: Reporter, machine: Machine | None = None
) -> FoundNetworks:
    """Find networks by name, or those whose weights are on this machine; the network is not reached.

    Args:
        pattern: A name or a pattern with `*` and `?`; None for those at hand.
        most: How many to return at most.
        timed_at: The side of the images to time training with; None times nothing.
        reporter: Shows how far it is.
        machine: Where they are timed; None chooses.
    """
    at_hand = {name.removeprefix("timm/") for name in offline_weights()}
    everything = sorted({*timm.list_models(), *timm.list_pretrained()})
    names = sorted(at_hand) if pattern is None else [name for name in everything if fnmatch.fnmatch(name, pattern)]
    device = (machine or Machine()).torch_device()
    found = []
    for number, name in enumerate(names[:most]):
        reporter.progress("Looking at networks", number, len(names[:most]))
        found.append(_facts(name, at_hand, timed_at, device))
    return FoundNetworks(pattern or "", tuple(found), max(0, len(names) - most), timed_at, device.type)


def _facts(name: str, at_hand: set[str], timed_at: int | None, device: torch.device) -> NetworkFacts:
    settings: Any = timm.get_pretrained_cfg(name)
    try:
        with torch.device("meta"):
            network = timm.create_model(name, pretrained=False, num_classes=_N_CLASSES)
        n_parameters = sum(parameter.numel() for parameter in network.parameters())
    except Exception:  # a few need more than a name, or tensors that are real
        n_parameters = None
    is_at_hand = name in at_hand or name.partition(".")[0] in at_hand
    known = (settings.license or "") if settings is not None else ""
    return NetworkFacts(
        name=name,
        n_parameters=n_parameters,
        size_px=pretrained_size_px(name),
        at_hand=is_at_hand,
        licence=PACKAGED_LICENCE if name in at_hand and not known else known,
        images_per_second=None if timed_at is None or n_parameters is None else _speed(name, timed_at, device),
    )


def _speed(name: str, size_px: int, device: torch.device) -> float | None:
    """Time steps of training on images of noise, and return images a second; None where it refuses the size."""
    try:
        network = build_network(Model(name), Images(size_px), n_classes=_N_CLASSES, seed=0).module
    except PlanError:
        return None
    network = network.to(device).to(memory_format=memory_format(device)).train()
    images = torch.rand(_BATCH, 3, size_px, size_px, device=device)
    seconds = []
    try:
        for _ in range(_N_WARM + _N_TIMED):
            synchronize(device)
            began = time.perf_counter()
            network(images).square().mean().backward()
            synchronize(device)
            seconds.append(time.perf_counter() - began)
    except (RuntimeError, AssertionError, ValueError):  # such as a fixed size, or batch normalisation of one value
        return None
    return _BATCH / min(seconds[_N_WARM:])
