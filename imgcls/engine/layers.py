"""The layers of a network in the order in which an image passes them, for learning rates that fall with depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from timm.models import group_parameters
from torch import nn

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def layers_of(module: nn.Module, head: nn.Module) -> list[list[nn.Parameter]]:
    """Give all parameters by layer, the first layer first and the classifier last.

    timm says of its networks which layers they have: the stem, every block, what follows them. In other networks
    a layer is a block, or a convolution or matrix by itself together with the norms that follow it.

    Args:
        module: The network.
        head: Its classifier, a part of it.
    """
    matcher: Any = getattr(module, "group_matcher", None)
    place = group_parameters(module, matcher(coarse=False), reverse=True) if matcher is not None else _places(module)
    classifier = list(head.parameters())
    layers: dict[int, list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if not any(parameter is own for own in classifier):
            layers.setdefault(place.get(name, 0), []).append(parameter)
    return [*(layers[number] for number in sorted(layers)), classifier]


def _places(module: nn.Module) -> Mapping[str, int]:
    """Number the layers of a network by the names of their parameters; what is in no block belongs to the first."""
    names = {parameter: name for name, parameter in module.named_parameters()}
    places, number = {}, -1
    for block in _blocks(module, is_network=True):
        parameters = list(block.parameters())
        if number < 0 or any(parameter.ndim > 1 for parameter in parameters):  # else a norm, of the layer before
            number += 1
        places.update({names[parameter]: number for parameter in parameters})
    return places


def _blocks(module: nn.Module, *, is_network: bool = False) -> list[nn.Module]:
    """Unfold containers, down to the blocks that a network is made of, in order."""
    children = [child for child in module.children() if any(True for _ in child.parameters())]
    if not children or not (is_network or _is_stack(module, children)):
        return [module]
    return [block for child in children for block in _blocks(child)]


def _is_stack(module: nn.Module, children: list[nn.Module]) -> bool:
    """Say whether a part of a network is several layers: blocks or matrices in a row, or something around such a row.

    One convolution with its norm is no stack, nor is a block that has convolutions in a row, or several rows abreast.
    """
    if isinstance(module, _CONTAINERS):
        n_matrices = sum(any(p.ndim > 1 for p in child.parameters()) for child in children)
        return n_matrices > 1 or any(list(child.children()) for child in children)
    rows = [child for child in children if isinstance(child, _CONTAINERS)]
    return len(rows) == 1 and _n_alike_blocks(rows[0]) > 1


def _n_alike_blocks(row: nn.Module) -> int:
    """Count the blocks of the commonest class in a row, such as the layers of an encoder."""
    kinds = [type(child) for child in row.children() if list(child.children()) and not isinstance(child, _CONTAINERS)]
    return max((kinds.count(kind) for kind in kinds), default=0)
