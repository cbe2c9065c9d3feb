"""The layers of a network whose output has places, and the one of them that heat maps are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from imgcls.engine.seeding import generator
from imgcls.errors import UsageError, nearest_hint
from imgcls.text import clean, listed

Form = Literal["channels first", "channels last", "tokens"]

_FEWEST_ROWS = 8
"""A layer with fewer rows of places is passed over where an earlier one has as many."""
_DIP = 0.25
"""Activation functions fall below zero by no more than this share of what they rise above it: ReLU not at all, SiLU by
0.28 where it rises by several."""
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
    is_activated: bool
    """Whether it is convolutional, and its output that of an activation function: how much there is of something."""
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
        raise UsageError(
            f"{type(network).__name__} gives no gradients, which heat maps are made of: {problem}"
        ) from problem
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


def _layer(name: str, output: Tensor, gradient: Tensor | None, *, n_prefix: int | None, is_block: bool) -> Layer | None:
    """Describe a layer by its output; None where that has no places."""
    shape = tuple(output.shape)
    prefix = 0
    form: Form | None = None
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
    is_activated = form == "channels first" and bool(-output.min() <= _DIP * output.max())
    layer = Layer(name, side, form, prefix, is_block, is_activated, is_heard=False)
    return replace(layer, is_heard=gradient is not None and bool(layer.to_map(gradient).any()))


def choose_layer(layers: Sequence[Layer], wanted: str | None, *, network: str) -> Layer:
    """Return the layer of the maps: the one that is wanted, or the last activation that is fine enough and decides.

    That is the last output of an activation function with at least eight rows of places on which the answer depends.
    Transformers, and networks built like them, have activations only inside their blocks, where places are described
    in other terms; there it is the last block. Where none has eight rows it is the last of those with most.

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
    chosen = [layer for layer in heard if layer.is_activated]
    chosen = chosen or [layer for layer in heard if layer.is_block]
    chosen = chosen or [layer for layer in heard if layer.form != "tokens"]
    if not chosen:
        raise UsageError(
            f"No layer of {network} can be chosen for heat maps: none of its blocks has an output with places on which "
            f"the answer depends. Those that can be named by --layer: {listed(names[::-1]) or 'none'}."
        )
    rows = min(_FEWEST_ROWS, max(layer.side for layer in chosen))
    return next(layer for layer in reversed(chosen) if layer.side >= rows)
