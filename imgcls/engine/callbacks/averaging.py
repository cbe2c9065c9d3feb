"""Averaged weights: what is validated and kept is the mean of the weights along the way."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from fastai.callback.core import Callback
from timm.utils import ModelEmaV3
from torch import Tensor

from imgcls.errors import nearest_hint
from imgcls.plan import Fit, Op, Within

_DECAY = Within(0, 1, open_low=True, open_high=True)


class AverageWeights(Callback):
    """Keeps a moving average of the weights, validates with it, and leaves it in the network when a fit is over.

    The decay begins at 0 and rises with step s as 1 − s^(−2/3) up to the plan's: 0.999 is reached after 31,600
    steps, and a shorter training averages over its last s^(2/3) steps or so, where a constant decay would still hold
    the weights it began with. Each fit begins an average of its own. Running statistics of batch normalisation are
    those of the last step: they are averages already, and averaged once more they lag behind in a short training.

    Source: timm's ModelEmaV3; Polyak and Juditsky 1992, doi:10.1137/0330046.
    """

    order = 12  # before a search for a learning rate puts the weights back with which it began

    def __init__(self, op: Op) -> None:
        self.decay = float(op.options["decay"])
        self.average: ModelEmaV3 | None = None
        self.n_steps = 0
        self.is_swapped = self.is_restored = False

    def before_fit(self) -> None:
        """Forget what an aborted fit has left, since that calls no `after_fit`; what was restored is gone on with."""
        if self.is_swapped:
            self._swap()
        if not self.is_restored:
            self.average = None
        self.is_restored = False

    def before_train(self) -> None:
        """Begin the average with the first epoch."""
        if self.average is None:
            self._begin()

    def after_step(self) -> None:
        """Take the weights of the step in."""
        if self.average is not None:
            self.n_steps += 1
            self.average.update(self.learn.model, step=self.n_steps)

    def before_validate(self) -> None:
        """Put the average into the network."""
        if self.average is not None:
            self._swap()

    def after_validate(self) -> None:
        """Put the weights of training back."""
        if self.is_swapped:
            self._swap()

    def after_fit(self) -> None:
        """Leave the average in the network."""
        if self.average is not None:
            self._swap()
            self.average, self.is_swapped = None, False

    def state(self) -> dict[str, Tensor]:
        """Give the average by the names of the network's parameters; empty before the first epoch."""
        return {} if self.average is None else dict(self.average.module.named_parameters())

    def restore(self, state: Mapping[str, Tensor], *, n_steps: int) -> None:
        """Go on with an average in the next fit.

        Args:
            state: What `state` gave.
            n_steps: Steps that were taken in.

        Raises:
            KeyError: It is that of another network.
        """
        self._begin()
        with torch.no_grad():
            for name, averaged in self.state().items():
                averaged.copy_(state[name])
        self.n_steps, self.is_restored = n_steps, True

    def _begin(self) -> None:
        self.average = ModelEmaV3(self.learn.model, decay=self.decay, use_warmup=True, exclude_buffers=True)
        self.n_steps = 0

    @torch.no_grad()
    def _swap(self) -> None:
        """Exchange the values of the parameters, so that optimiser and hooks keep their tensors; buffers stay."""
        for mine, averaged in zip(self.learn.model.parameters(), self.state().values(), strict=True):
            kept = mine.clone()
            mine.copy_(averaged)
            averaged.copy_(kept)
        self.is_swapped = not self.is_swapped


def averaging_problems(fit: Fit) -> list[str]:
    """List what is wrong with the plan's averaging: its name, its options, and who else would choose the weights."""
    op = fit.averaging
    if op is None:
        return []
    if op.name != "ema":
        return [f"fit.averaging = {op.name!r} is unknown; it is ema.{nearest_hint(op.name, ('ema',))}"]
    problems = [
        f"fit.averaging: ema has no option {name!r}.{nearest_hint(name, ('decay',))}"
        for name in op.options
        if name != "decay"
    ]
    if op.options.get("decay") not in _DECAY:
        problems.append(f"fit.averaging: ema.decay has to be {_DECAY}, not {op.options.get('decay')!r}.")
    if "SaveModelCallback" in fit.callbacks:
        problems.append(
            "fit.averaging and fit.callbacks.SaveModelCallback both choose the weights that stay. Keep one."
        )
    return problems
