"""Callbacks of training methods: averaged weights, mixing, and freezing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from fastai.callback.core import Callback
from fastai.learner import Learner
from timm.utils import ModelEmaV3
from torch import Tensor, nn
from torchvision.transforms import v2

from imgcls.engine.losses import one_hot
from imgcls.engine.models import batchnorms
from imgcls.engine.seeding import borrowed_torch, keyed_seed
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
        """Return the average by the names of the network's parameters; empty before the first epoch."""
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


def has_layer_groups(learn: Learner) -> bool:
    """Return whether a Learner's splitter gives groups of parameters; that of a plain Learner gives parameters."""
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
        """Return the network back as it was."""
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


_KINDS = {"mixup": v2.MixUp, "cutmix": v2.CutMix}
_ALPHA = Within(0, open_low=True)


class MixBatches(Callback):
    """Mixes every training image with its neighbour in the batch, by torchvision's MixUp or CutMix.

    With λ drawn once a batch from Beta(α, α), mixup gives λ·x + (1 − λ)·x′, and cutmix puts a rectangle of x′ that
    covers about 1 − λ of the area into x; the target becomes λ·y + (1 − λ)·y′ with the share that was covered. λ and
    the rectangle hang on seed, epoch and the number of the batch alone, and are numbers on the CPU, so that no batch
    waits for the device. What is measured in training compares with the labels as they were. A batch of one image
    is mixed with itself. It reads the epoch from the Learner's `EpochClock`.

    Source: Zhang et al. 2018, arXiv:1710.09412, section 2; Yun et al. 2019, arXiv:1905.04899, section 3.1.
    """

    order, run_valid = 5, False  # before mixed precision, on what the loader gave

    def __init__(self, op: Op) -> None:
        self.mixed = _KINDS[op.name](**op.options)
        self.labels: tuple[Tensor, ...] | None = None

    def before_batch(self) -> None:
        """Mix the batch at hand."""
        self.labels = self.learn.yb
        clock, (images,), (labels,) = self.learn.epoch_clock, self.learn.xb, self.learn.yb
        shares = one_hot(labels, self.dls.c).to(images.dtype)
        with borrowed_torch(keyed_seed(clock.seed, "mix", clock.total_epoch, self.learn.iter) % 2**63):
            images, shares = self.mixed(images, shares)
        self.learn.xb, self.learn.yb = (images,), (shares,)

    def after_loss(self) -> None:
        """Return the labels back, for metrics of training."""
        if self.labels is not None:
            self.learn.yb, self.labels = self.labels, None


def mix_problems(op: Op | None) -> list[str]:
    """List what is wrong with the plan's mixing: an unknown name, an option that it does not have, or its range."""
    if op is None:
        return []
    if op.name not in _KINDS:
        return [f"augment.mix = {op.name!r} is unknown; it is mixup or cutmix.{nearest_hint(op.name, _KINDS)}"]
    unknown = [name for name in op.options if name != "alpha"]
    problems = [f"augment.mix: {op.name} has no option {name!r}.{nearest_hint(name, ('alpha',))}" for name in unknown]
    alpha = op.options.get("alpha", 1.0)
    if isinstance(alpha, bool) or alpha not in _ALPHA:
        problems.append(f"augment.mix: {op.name}.alpha has to be {_ALPHA}, not {alpha!r}.")
    return problems
