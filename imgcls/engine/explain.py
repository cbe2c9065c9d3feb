"""Why a network answers as it does: heat maps by TorchCAM, of the layer at which its answer still has places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from imgcls.engine.loaders import Normalisation
from imgcls.engine.seeding import generator
from imgcls.errors import UsageError, nearest_hint
from imgcls.text import clean, listed

Form = Literal["channels first", "channels last", "tokens"]

METHOD = "LayerCAM"
"""The method of TorchCAM: see docs/decisions/0043."""
_FEWEST_PLACES = 7
"""A layer with fewer rows than this is passed over where an earlier one has as many: a place would be a fifth of the picture."""
_BATCH = 32
_MOST_PREFIX_TOKENS = 8


@dataclass(frozen=True)
class Layer:
    """A layer of a network whose output has places."""

    name: str
    """Its name among the network's modules."""
    side: int
    """Rows of places; images are square, and so are the places."""
    form: Form
    """How its output lies in memory."""
    n_prefix: int
    """Of tokens, how many belong to no place: those of the class and registers."""
    is_block: bool
    """Whether it is made of other layers."""
    is_heard: bool
    """Whether the answer depends on what it says of places; not so of patches, once only the token of the class is."""

    def to_map(self, output: Tensor) -> Tensor:
        """Return its output, or the gradient of it, as [b, channels, side, side]."""
        if self.form == "channels first":
            return output
        if self.form == "channels last":
            return output.permute(0, 3, 1, 2)
        tokens = output[:, self.n_prefix :]
        return tokens.transpose(1, 2).reshape(len(output), -1, self.side, self.side)


def layers_with_places(network: nn.Module, size_px: int, device: torch.device) -> list[Layer]:
    """Return the layers of a network whose output has places, in the order in which they speak.

    Args:
        network: In evaluation mode; it is shown one image of noise, always the same.
        size_px: The side of its images.
        device: Where it is.

    Raises:
        UsageError: No gradient comes from its answer.
    """
    spoken: list[tuple[str, Tensor, bool]] = []

    def listen(name: str) -> Callable[..., None]:
        def hook(part: nn.Module, _: object, output: object) -> None:
            if isinstance(output, Tensor) and output.requires_grad:
                spoken.append((name, output, any(True for _ in part.children())))

        return hook

    noise = generator("explain", size_px).standard_normal((1, 3, size_px, size_px), dtype=np.float32)
    hooks = [part.register_forward_hook(listen(name)) for name, part in network.named_modules() if name]
    try:
        with torch.enable_grad():
            logits = network(torch.from_numpy(noise).to(device).requires_grad_())
            answer = (logits * torch.linspace(1, 2, logits.shape[1], device=device)).sum()
            outputs = [output for _, output, _ in spoken]
            gradients = torch.autograd.grad(answer, outputs, allow_unused=True) if outputs else ()
    except RuntimeError as problem:
        raise UsageError(f"{type(network).__name__} gives no gradients, which heat maps are made of: {problem}") from problem
    finally:
        for hook in hooks:
            hook.remove()
    n_prefix = getattr(network, "num_prefix_tokens", None)
    found, before = [], None
    for (name, output, is_block), gradient in zip(spoken, gradients, strict=True):
        layer = _layer(name, output, gradient, n_prefix=n_prefix, is_block=is_block)
        if layer is not None and not (output is before and found[-1].is_block):  # what only passes it on
            found.append(layer)
            before = output
    return found


def _layer(
    name: str, output: Tensor, gradient: Tensor | None, *, n_prefix: int | None, is_block: bool
) -> Layer | None:
    """Describe a layer by its output; None where that has no places."""
    shape = tuple(output.shape)
    prefix, form = 0, None
    if len(shape) == 4 and shape[2] == shape[3]:
        side, form = shape[2], "channels first"
    elif len(shape) == 4 and shape[1] == shape[2]:
        side, form = shape[1], "channels last"
    elif len(shape) == 3:
        known = range(_MOST_PREFIX_TOKENS + 1) if n_prefix is None else (n_prefix, 0)
        for prefix in known:
            side = round(max(shape[1] - prefix, 0) ** 0.5)
            if side > 1 and side * side + prefix == shape[1]:
                form = "tokens"
                break
    if form is None or side < 2:
        return None
    layer = Layer(name, side, form, prefix, is_block, False)
    is_heard = gradient is not None and bool(layer.to_map(gradient).any())
    return Layer(name, side, form, prefix, is_block, is_heard)


def choose_layer(layers: Sequence[Layer], wanted: str | None, *, network: str) -> Layer:
    """Return the layer of the maps: the one that is wanted, or the last one that is fine enough and decides.

    That is the last block with at least seven rows of places on which the answer depends; where no block has as many,
    the last one that has any. Parts of attention speak in tokens of other meanings, so single layers are taken only
    where there is no block.

    Args:
        layers: Those with places.
        wanted: A name; None chooses.
        network: What messages call the network.

    Raises:
        UsageError: There is no such layer, or none that can be chosen.
    """
    heard = [layer for layer in layers if layer.is_heard]
    names = [layer.name for layer in heard]
    if wanted is not None:
        found = next((layer for layer in heard if layer.name == wanted), None)
        if found is None:
            raise UsageError(
                f"{network} has no layer {clean(wanted)!r} from which maps can be made.{nearest_hint(wanted, names)} "
                f"Those that can be named by --layer: {listed(names[::-1]) or 'none'}."
            )
        return found
    blocks = [layer for layer in heard if layer.is_block] or [layer for layer in heard if layer.form != "tokens"]
    if not blocks:
        raise UsageError(
            f"No layer of {network} can be chosen for heat maps: none of its blocks has an output with places on which "
            f"the answer depends. Those that can be named by --layer: {listed(names[::-1]) or 'none'}."
        )
    return next((layer for layer in reversed(blocks) if layer.side >= _FEWEST_PLACES), blocks[-1])


def maps_of(
    network: nn.Module,
    images: np.ndarray,
    classes: Sequence[int],
    *,
    layer: Layer,
    normalisation: Normalisation,
    device: torch.device,
    method: str = METHOD,
) -> np.ndarray:
    """Return where a network looks for one class of each image.

    Args:
        network: In evaluation mode, on the device; neither weights nor gradients of it are touched.
        images: uint8 [n, size, size, 3].
        classes: [n], the place of a class for each.
        layer: Of `choose_layer`.
        normalisation: How images become floats.
        device: Where it runs; in float32, whatever training used.
        method: A class of `torchcam.methods`.

    Returns:
        float32 [n, size, size] in [0, 1]; a map of which no place speaks for the class is 0 everywhere.
    """
    extractor_of: Any = getattr(_torchcam(), method)
    found = []
    for start in range(0, len(images), _BATCH):
        batch, wanted = images[start : start + _BATCH], list(classes[start : start + _BATCH])
        with extractor_of(network, layer.name, reshape_transform=layer.to_map) as extractor, torch.enable_grad():
            shown = normalisation.encode(torch.from_numpy(batch), device).requires_grad_()
            (coarse,) = extractor(wanted, network(shown), normalized=False)
            fine = functional.interpolate(
                coarse.detach().clamp_min(0).unsqueeze(1).contiguous(), batch.shape[1:3], mode="bilinear", align_corners=False
            )[:, 0]
        largest = fine.amax(dim=(1, 2), keepdim=True)
        found.append(torch.where(largest > 0, fine / largest, 0.0).float().cpu().numpy())
    return np.concatenate(found) if found else np.zeros(images.shape[:3], dtype=np.float32)


def _torchcam() -> Any:
    """Return TorchCAM's methods.

    Raises:
        UsageError: It is not installed.
    """
    try:
        from torchcam import methods
    except ImportError as problem:
        raise UsageError('Heat maps need TorchCAM: pip install "imgcls[explain]"') from problem
    return methods
