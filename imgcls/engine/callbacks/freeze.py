"""Parts of the network that stay as they were."""

from __future__ import annotations

from typing import Literal

from fastai.callback.core import Callback
from fastai.learner import Learner
from torch import nn

from imgcls.engine.models import batchnorms


def has_layer_groups(learn: Learner) -> bool:
    """Say whether a Learner's splitter gives groups of parameters; that of a plain Learner gives parameters."""
    return not isinstance(learn.splitter(learn.model)[0], nn.Parameter)


class FreezeBody(Callback):
    """Trains only the last layer group, the classifier, for the first epochs or for all.

    The frozen part is frozen whole: no gradients, so that weight decay cannot shrink it either, and layers with
    running statistics in evaluation mode.
    """

    order = -7

    def __init__(self, n_epochs: int | Literal["all"]) -> None:
        self.n_epochs = n_epochs

    def before_epoch(self) -> None:
        """Freeze, or set free where the time has come."""
        self.frozen = self.n_epochs == "all" or self.learn.epoch < self.n_epochs
        for parameter in self._body():
            parameter.requires_grad_(not self.frozen)
            if self.frozen:
                parameter.grad = None

    def before_train(self) -> None:
        """Keep the running statistics of the frozen part."""
        if not self.frozen:
            return
        body = {id(parameter) for parameter in self._body()}
        for module in self.learn.model.modules():
            own = list(module.parameters(recurse=False))
            if own and all(id(parameter) in body for parameter in own):
                module.eval()

    def after_fit(self) -> None:
        """Give the network back trainable."""
        for parameter in self._body():
            parameter.requires_grad_(True)

    def _body(self) -> list[nn.Parameter]:
        groups = self.learn.splitter(self.learn.model)
        return [parameter for group in groups[:-1] for parameter in group] if has_layer_groups(self.learn) else []


class FreezeBatchNorm(Callback):
    """Keeps the running statistics of every batch normalisation; scale and shift still learn."""

    order = -6

    def before_train(self) -> None:
        """Put them into evaluation mode for the epoch."""
        for module in batchnorms(self.learn.model):
            module.eval()
