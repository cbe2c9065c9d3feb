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
    running statistics in evaluation mode. What was frozen before, as by `learn.freeze()`, stays so afterwards.
    """

    order = -7

    def __init__(self, n_epochs: int | Literal["all"]) -> None:
        self.n_epochs = n_epochs
        self.stopped: list[nn.Parameter] = []
        self.frozen_to = 0

    def before_fit(self) -> None:
        """Set free what an aborted fit left frozen, since that calls no `after_fit`.

        Where the user has called `freeze` or `unfreeze` since, that holds instead.
        """
        if self._user_froze_to() != self.frozen_to:
            self.stopped = []
        self.set_free()

    def before_epoch(self) -> None:
        """Freeze, or set free where the time has come."""
        self.frozen = self.n_epochs == "all" or self.learn.epoch < self.n_epochs
        if self.frozen:
            self._freeze()
        else:
            self.set_free()

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
        """Give the network back as it was."""
        self.set_free()

    def set_free(self) -> None:
        """Make trainable what this callback has frozen, and nothing else."""
        for parameter in self.stopped:
            parameter.requires_grad_(True)
        self.stopped = []

    def _freeze(self) -> None:
        self.frozen_to = self._user_froze_to()
        for parameter in self._body():
            if parameter.requires_grad:
                parameter.requires_grad_(False)
                self.stopped.append(parameter)
            parameter.grad = None

    def _user_froze_to(self) -> int:
        """Tell what `learn.freeze_to` last asked of the optimiser; an optimiser may not have been asked, or made."""
        return getattr(self.learn.opt, "frozen_idx", 0)

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
