"""Networks by name: built with their classes and first weights, and divided into layers for the optimiser."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import timm
import torch
import torchvision.models
from timm.models import group_parameters
from torch import nn

from imgcls.engine.seeding import seed_torch
from imgcls.engine.weights import Weights, conversion, load_into, read_state, resolve_weights
from imgcls.errors import PlanError, nearest_hint
from imgcls.plan import Images, Model

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_PLAIN_MEAN = _PLAIN_STD = (0.5, 0.5, 0.5)
_KNOWN_PACKAGES = ("torch", "timm", "torchvision", "imgcls")
_MADE_UP = ("torch.fx", "torch.jit")
"""Modules whose code is not that of the package."""
_DECIDING = ("torch", "torchvision", "timm", "albumentations")
"""Packages whose versions decide what a network answers to a view of a photograph."""


@dataclass(frozen=True)
class Network:
    """A network ready to be trained, with what has to be known to feed it."""

    module: nn.Module
    """The network: float [b, 3, size, size] → logits [b, k]."""
    mean: tuple[float, ...]
    """Mean to subtract from values in [0, 1], per channel."""
    std: tuple[float, ...]
    """Deviation to divide by, per channel."""
    weights: Weights | None
    """Where its first weights came from; None for random ones."""
    head: nn.Module
    """The classifier."""
    note: str = ""
    """What a person should know of how the first weights were loaded; "" for nothing."""

    def layer_groups(self, module: nn.Module) -> list[list[nn.Parameter]]:
        """Return the parameters in fastai's layer groups: everything below the classifier, and the classifier.

        Args:
            module: The network, as fastai passes it to its splitter.
        """
        classifier = {id(parameter) for parameter in self.head.parameters()}
        body = [p for p in module.parameters() if id(p) not in classifier]
        return [body, list(self.head.parameters())] if body else [list(self.head.parameters())]

    def layers(self, module: nn.Module) -> list[list[nn.Parameter]]:
        """Return the parameters layer by layer, each a layer group; the last one is the classifier here too.

        Args:
            module: The network, as fastai passes it to its splitter.

        Raises:
            PlanError: There is nothing below the classifier.
        """
        found = layers_of(module, self.head)
        if len(found) < 2:
            raise PlanError(
                "optimizer.layer_decay and optimizer.early_factor cannot act: the network has a single layer. Leave "
                "them out."
            )
        return found

    def require_size(self, size_px: int, *, name: str) -> None:
        """Show the network a black image of another size than its own.

        Args:
            size_px: The side, pixels.
            name: The network's name, for the message.

        Raises:
            PlanError: The network takes its own size only, or one that small is too small for it.
        """
        image = torch.zeros(1, 3, size_px, size_px, device=next(self.module.parameters()).device)
        was_training = self.module.training
        try:
            with torch.no_grad():
                self.module.eval()(image)
        except Exception as problem:
            raise PlanError(
                f"{name} takes no images of {size_px} px, as fit.first_size_px asks: {str(problem).rstrip('.')}. Leave "
                "progressive_resizing out, or take a network of convolutions, which takes any size."
            ) from problem
        finally:
            self.module.train(was_training)


def model_problems(model: Model) -> list[str]:
    """List what is wrong with the plan's model, without building it."""
    name = model.name
    only_timm = model.drop_rate or model.drop_path
    if name.startswith("torchvision:"):
        known = torchvision.models.list_models(module=torchvision.models)
        if name.partition(":")[2] not in known:
            return [f"model.name: torchvision has no {name!r}.{nearest_hint(name.partition(':')[2], known)}"]
    elif name == "simple_cnn":
        pass
    elif ":" in name:
        try:
            found = _function(name)
        except (ImportError, AttributeError, ValueError) as problem:
            return [f"model.name = {name!r} cannot be imported: {problem}"]
        if not callable(found):
            return [f"model.name = {name!r} is not a function of the number of classes."]
    else:
        known = [*timm.list_models(), *timm.list_pretrained()]
        return (
            [] if name in known else [f"model.name = {name!r} is unknown.{nearest_hint(name, [*known, 'simple_cnn'])}"]
        )
    return ["model.drop_rate and model.drop_path are for timm models only."] if only_timm else []


def build_network(model: Model, images: Images, *, n_classes: int, seed: int) -> Network:
    """Build the plan's network with its first weights.

    Args:
        model: The plan's part.
        images: The plan's images: their size, and mean and deviation where set.
        n_classes: Outputs.
        seed: Decides what is drawn: the classifier, or everything where there are no weights.

    Raises:
        PlanError: The network does not exist or refuses its options.
        WeightsError: The weights cannot be had or do not fit.
    """
    problems = model_problems(model)
    if problems:
        raise PlanError.together(problems)
    weights = resolve_weights(model)
    seed_torch(seed, "initial weights")
    module = _build(model, n_classes=n_classes, size_px=images.size_px)
    head, note = classifier_of(module), ""
    if weights is not None:
        names = {
            f"{prefix}.{name}"
            for prefix, found in module.named_modules()
            if found is head
            for name in head.state_dict()
        }
        state = read_state(weights)
        adapt = getattr(sys.modules[type(module).__module__], "checkpoint_filter_fn", None)
        if adapt is not None and hasattr(module, "pretrained_cfg") and not weights.by_order:
            state = adapt(state, module)  # timm renames tensors of older checkpoints and resizes position embeddings
        if load_into(module, state, head=names, weights=weights):
            _reset_classifier(head, seed=seed)
        note = conversion(module, state)
    mean, std = _normalisation(model, module)
    return Network(module, images.mean or mean, images.std or std, weights, head, note)


def classifier_of(module: nn.Module) -> nn.Module:
    """Find the classifier: the one that timm names, or the last linear layer, or the last layer with parameters.

    Raises:
        PlanError: The network has no parameters.
    """
    classifier: Any = getattr(module, "get_classifier", None)
    if classifier is not None:
        found = classifier()
        if isinstance(found, nn.Module) and any(True for _ in found.parameters()):
            return found
    leaves = [m for m in module.modules() if not list(m.children()) and any(True for _ in m.parameters())]
    linear = [m for m in leaves if isinstance(m, nn.Linear)]
    if not leaves:
        raise PlanError(f"{type(module).__name__} has no parameters to train.")
    return (linear or leaves)[-1]


def simple_cnn(n_classes: int, *, width: int = 16) -> nn.Sequential:
    """Build four stages of convolution, batch normalisation and ReLU, each halving the image, and a classifier.

    Args:
        n_classes: Outputs, at least 1.
        width: Channels of the first stage; each further stage doubles them.
    """
    stages, channels = [], 3
    for stage in range(4):
        wider = width * 2**stage
        stages.append(
            nn.Sequential(
                nn.Conv2d(channels, wider, kernel_size=3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(wider),
                nn.ReLU(inplace=True),
            )
        )
        channels = wider
    return nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, n_classes))


def layers_of(module: nn.Module, head: nn.Module) -> list[list[nn.Parameter]]:
    """Return all parameters by layer, the first layer first and the classifier last.

    timm lists the layers of its networks: the stem, every block, what follows them. In other networks
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


def architecture_of(module: nn.Module) -> str | None:
    """Describe a network so that equal texts and equal weights give equal answers; None where nobody can know.

    What others wrote may be another function tomorrow without its layers showing it.
    """
    places = {type(part).__module__ for part in module.modules()}
    if any(place.partition(".")[0] not in _KNOWN_PACKAGES or place.startswith(_MADE_UP) for place in places):
        return None
    versions = ", ".join(f"{name} {version(name)}" for name in _DECIDING)
    return f"{type(module).__qualname__} {module!r} {versions}"


def stages_of(module: nn.Module) -> list[nn.Module]:
    """Return the stages of a network in order, without what surrounds them; fewer than two where it has none.

    These are siblings with numbered names (`layer1`, `layer2` …), or the entries of the outermost row that holds a fair
    share of the parameters (`blocks`, `stages`, `features`).
    """
    head = classifier_of(module)
    n_all = _n_parameters(module) - _n_parameters(head)
    siblings: dict[str, list[nn.Module]] = {}
    for name, child in module.named_children():
        if name.rstrip("0123456789") != name and any(True for _ in child.children()):
            siblings.setdefault(name.rstrip("0123456789"), []).append(child)
    rows = [row for prefix, row in siblings.items() if prefix]
    level = [module]
    while level:
        rows += [list(part.children()) for part in level if isinstance(part, _CONTAINERS)]
        level = [child for part in level if not isinstance(part, _CONTAINERS) for child in part.children()]
    for row in rows:
        stages = [stage for stage in row if stage is not head and _n_parameters(stage)]
        if len(stages) > 1 and 5 * sum(map(_n_parameters, stages)) >= n_all:
            return stages
    return []


def _n_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def batchnorms(module: nn.Module) -> Sequence[nn.Module]:
    """Return the batch normalisations of a network that keep running statistics."""
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
    return [m for m in module.modules() if isinstance(m, kinds) and m.track_running_stats]


def _build(model: Model, *, n_classes: int, size_px: int) -> nn.Module:
    if model.name == "simple_cnn":
        return simple_cnn(n_classes)
    if model.name.startswith("torchvision:"):
        built: nn.Module = torchvision.models.get_model(
            model.name.partition(":")[2], weights=None, num_classes=n_classes
        )
        return built
    if ":" in model.name:
        built = _function(model.name)(n_classes)
        if not isinstance(built, nn.Module):
            raise PlanError(f"model.name = {model.name!r} has to give a torch module, not {type(built).__name__}.")
        return built
    options: dict[str, Any] = {"drop_rate": model.drop_rate} if model.drop_rate else {}
    if model.drop_path:
        options["drop_path_rate"] = model.drop_path
    sizes: tuple[dict[str, Any], ...] = ({"img_size": size_px}, {})
    for sized in sizes:  # transformers want to know the size, convolutions refuse to
        try:
            return timm.create_model(model.name, pretrained=False, num_classes=n_classes, **options, **sized)
        except TypeError as problem:
            refused = problem
    raise PlanError(f"model.name = {model.name!r} refuses {sorted(options)}: {refused}")


def _function(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _reset_classifier(head: nn.Module, *, seed: int) -> None:
    """Draw the small weights that torch draws by default for a fresh classifier.

    Some of timm's networks draw them from ±1/√n_classes, for training from nothing with a thousand classes. With two
    classes their first logits are ten times too large, and the first steps undo what pretraining had learned.
    """
    seed_torch(seed, "classifier")
    for module in head.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.reset_parameters()


def _normalisation(model: Model, module: nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if model.name.startswith("torchvision:"):
        preset = torchvision.models.get_model_weights(model.name.partition(":")[2]).DEFAULT.transforms()
        return tuple(preset.mean), tuple(preset.std)
    settings = getattr(module, "pretrained_cfg", None)
    if settings:
        return tuple(settings["mean"]), tuple(settings["std"])
    return _PLAIN_MEAN, _PLAIN_STD


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
    """Return whether a part of a network is several layers: blocks or matrices in a row, or what surrounds such.

    One convolution with its norm is no stack, nor is a block that has convolutions in a row, or several rows abreast.
    """
    if isinstance(module, _CONTAINERS):
        n_matrices = sum(any(p.ndim > 1 for p in child.parameters()) for child in children)
        return n_matrices > 1 or any(list(child.children()) for child in children)
    rows = [child for child in children if isinstance(child, _CONTAINERS)]
    if len(rows) != 1:
        return False
    blocks = [child for child in rows[0].children() if list(child.children()) and not isinstance(child, _CONTAINERS)]
    kinds = [type(block) for block in blocks]
    return len(set(kinds)) < len(kinds)
