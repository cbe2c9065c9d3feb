"""Optimisers by name, with layer groups as fastai wants them and no decay on norms and biases."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import timm.optim
import torch
from fastai.optimizer import OptimWrapper, even_mults
from torch import nn

from imgcls.errors import PlanError, nearest_hint
from imgcls.plan import Optimizer


class LayerOptimizer(OptimWrapper):
    """A torch optimiser behind fastai's interface, in which a layer group is two torch groups: decayed, and not.

    fastai addresses layer groups, the first layers first: `freeze_to(-1)` leaves the last one trainable,
    `slice(a, b)` spreads rates over them. Both keep their meaning here. Weight decay reaches matrices and
    convolutions only; norms and biases are the parameters of one dimension or none.
    """

    def __init__(
        self,
        layers: Sequence[Sequence[nn.Parameter]],
        opt: Callable[..., Any],
        *,
        layer_decay: float = 1.0,
        early_factor: float = 1.0,
        **options: Any,
    ) -> None:
        """Build the torch optimiser.

        Args:
            layers: Parameters by layer group, first layers first.
            opt: A torch optimiser class, or a partial of one.
            layer_decay: Factor from each layer group to the one before it, in (0, 1], of every learning rate that is
                given as one number; the last group has that number.
            early_factor: Factor of such a rate in the first half of the layer groups, in (0, 1].
            **options: Its options; `lr` is the rate of all groups, `weight_decay` that of the decayed ones.
        """
        decay = options.get("weight_decay", 0.0)
        if layers and isinstance(layers[0], nn.Parameter):  # the splitter of a plain Learner knows no layer groups
            layers = [layers]
        groups, self.layer_of_group, self.decayed = [], [], []
        for layer, parameters in enumerate(layers):
            for decayed in (True, False):
                members = [p for p in parameters if (p.ndim > 1) == decayed]
                if members:
                    groups.append({"params": members, "weight_decay": decay if decayed else 0.0})
                    self.layer_of_group.append(layer)
                    self.decayed.append(decayed)
        self.n_layers, self.layer_decay, self.early_factor = len(layers), layer_decay, early_factor
        super().__init__(groups, opt, convert_groups=False, **options)
        if self.has_rates_by_layer and "lr" in options:
            self.set_hyper("lr", options["lr"])

    @property
    def has_rates_by_layer(self) -> bool:
        """Whether a learning rate that is given as one number is another in each layer group."""
        return self.layer_decay != 1 or self.early_factor != 1

    def freeze_to(self, n: int) -> None:
        """Make the layer groups from the n-th on trainable and freeze those before it."""
        first = n if n >= 0 else self.n_layers + n
        before = sum(layer < first for layer in self.layer_of_group)
        super().freeze_to(before)
        for parameters in self.param_lists[:before]:
            for parameter in parameters:
                parameter.grad = None  # a gradient of zero would still let weight decay shrink it

    def set_hyper(self, name: str, value: Any) -> None:
        """Set a hyper-parameter: one value, a slice, or a list with one value a layer group or a torch group."""
        if isinstance(value, slice):
            value = (
                even_mults(value.start, value.stop, self.n_layers)
                if value.start
                else [value.stop / 10] * (self.n_layers - 1) + [value.stop]
            )
        if hasattr(value, "__len__"):
            values = list(value)
        elif name == "lr" and self.has_rates_by_layer:  # the rate falls towards the first layer group
            values = [value * self.layer_decay ** (self.n_layers - 1 - layer) for layer in range(self.n_layers)]
            n_early = self.n_layers // 2
            values[:n_early] = [early * self.early_factor for early in values[:n_early]]
        else:
            values = [value] * self.n_layers
        if len(values) == self.n_layers and len(values) != len(self.layer_of_group):
            values = [values[layer] for layer in self.layer_of_group]
        if name == "wd":
            values = [entry if decayed else 0.0 for entry, decayed in zip(values, self.decayed, strict=True)]
        super().set_hyper(name, values)


def optimizer_problems(optimizer: Optimizer) -> list[str]:
    """List what is wrong with the plan's optimiser: an unknown name, or options that it does not read or refuses."""
    known = [str(name) for name in timm.optim.list_optimizers()]
    if optimizer.name not in known:
        return [f"optimizer.name = {optimizer.name!r} is unknown.{nearest_hint(optimizer.name, known)}"]
    try:
        found = timm.optim.get_optimizer_class(optimizer.name, bind_defaults=False)
    except ImportError as problem:
        return [f"optimizer.name = {optimizer.name!r} needs another package: {problem}"]
    accepted = set(inspect.signature(found).parameters) - {"params", "lr", "weight_decay"}
    unread = [
        f"optimizer.options.{name} is not read by {optimizer.name}.{nearest_hint(name, accepted)}"
        for name in optimizer.options
        if name not in accepted
    ]
    return unread or _refusals(optimizer)


def optimizer_factory(optimizer: Optimizer) -> Callable[..., LayerOptimizer]:
    """Return what fastai calls `opt_func`: layer groups and a rate → optimiser.

    Raises:
        PlanError: The name is unknown, or an option is not read by it.
    """
    problems = optimizer_problems(optimizer)
    if problems:
        raise PlanError.together(problems)
    found = timm.optim.get_optimizer_class(optimizer.name, bind_defaults=True)
    return partial(
        LayerOptimizer,
        opt=found,
        layer_decay=optimizer.layer_decay,
        early_factor=optimizer.early_factor,
        weight_decay=optimizer.weight_decay,
        **_options(optimizer),
    )


def _options(optimizer: Optimizer) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in optimizer.options.items()}


def _refusals(optimizer: Optimizer) -> list[str]:
    """Make the optimiser on a throwaway parameter: some combinations of options are refused only then."""
    found: Any = timm.optim.get_optimizer_class(optimizer.name, bind_defaults=True)
    settings = {"lr": optimizer.learning_rate, "weight_decay": optimizer.weight_decay, **_options(optimizer)}
    try:
        found([nn.Parameter(torch.zeros(1, 1))], **settings)
    except Exception as problem:
        return [f"optimizer.name = {optimizer.name!r} refuses its settings: {problem}. See optimizer.options."]
    return []
