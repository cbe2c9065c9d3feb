"""Callbacks of training methods: averaged weights, smaller images first, mixing, and freezing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812 - the name by which torch's users know it
from fastai.callback.core import Callback
from fastai.callback.schedule import LRFinder
from fastai.learner import Learner
from timm.utils import ModelEmaV3
from torch import Tensor, nn
from torchvision.transforms import v2

from imgcls.engine.device import memory_format
from imgcls.engine.loaders import PhotoLoader
from imgcls.engine.losses import one_hot
from imgcls.engine.models import batchnorms
from imgcls.engine.seeding import borrowed_torch, keyed_seed
from imgcls.errors import nearest_hint
from imgcls.plan import Fit, Op, Within


class AverageWeights(Callback):
    """Keeps an average of the weights, and leaves it in the network when a fit is over.

    `ema` is a moving average, validated after every epoch. Its decay begins at 0 and rises with step s as 1 − s^(−2/3)
    up to the plan's: 0.999 is reached after 31,600 steps, and a shorter training averages over its last s^(2/3) steps
    or so, where a constant decay would still hold the weights it began with. Running statistics of batch normalisation
    are those of the last step: they are averages already, and averaged once more they lag behind in a short training.

    `swa` is the plain mean of the weights after every step past a share of the fit, validated in its last epoch;
    before, validation shows the weights of training. They lie too far apart for the last statistics to fit their mean,
    so these are computed again, over one pass of the clean training photographs; a fastai loader that is not imgcls's
    gives its training batches as they are. Statistics that training kept frozen stay.

    Each fit begins an average of its own.

    Source: timm's ModelEmaV3; Polyak and Juditsky 1992, doi:10.1137/0330046; Izmailov et al. 2018, arXiv:1803.05407,
    algorithm 1.
    """

    order = 12  # before a search for a learning rate puts the weights back with which it began

    def __init__(self, op: Op) -> None:
        self.is_swa = op.name == "swa"
        self.start = float(op.options["start"]) if self.is_swa else 0.0
        # timm's warm-up gives step s the decay 1 − s^(−power), at most `decay`: with 1 − 1/s an average is the mean
        self.decay, self.power = (1.0, 1.0) if self.is_swa else (float(op.options["decay"]), 2 / 3)
        self.average: ModelEmaV3 | None = None
        self.n_steps = 0
        self.norms: list[Any] = []
        self.is_swapped = self.is_restored = self.has_new_statistics = False

    def before_fit(self) -> None:
        """Forget what an aborted fit has left, since that calls no `after_fit`; what was restored is gone on with."""
        if self.is_swapped:
            self._swap()
        if not self.is_restored:
            self.average, self.n_steps = None, 0
        self.norms, self.is_restored, self.has_new_statistics = [], False, False

    def before_train(self) -> None:
        """See which statistics of batch normalisation follow the training."""
        self.norms = [norm for norm in batchnorms(self.learn.model) if norm.training]

    def after_step(self) -> None:
        """Take the weights of the step in, once its time has come."""
        learn = self.learn
        if self.start and learn.epoch * learn.n_iter + learn.iter < int(self.start * learn.n_epoch * learn.n_iter):
            return
        average = self.average or self._begin()
        self.n_steps += 1
        average.update(learn.model, step=self.n_steps)

    def before_validate(self) -> None:
        """Put the average into the network; a plain mean in the last epoch only."""
        if self.average is None or (self.is_swa and self.learn.epoch + 1 < self.learn.n_epoch):
            return
        self._swap()
        self._renew_statistics()

    def after_validate(self) -> None:
        """Put the weights of training back."""
        if self.is_swapped:
            self._swap()

    def after_fit(self) -> None:
        """Leave the average in the network."""
        if self.average is not None:
            self._swap()
            self._renew_statistics()
            self.average, self.is_swapped = None, False

    def state(self) -> dict[str, Tensor]:
        """Return the average by the names of the network's parameters; empty before it begins."""
        return {} if self.average is None else dict(self.average.module.named_parameters())

    def restore(self, state: Mapping[str, Tensor], *, n_steps: int) -> None:
        """Go on with an average in the next fit.

        Args:
            state: What `state` gave.
            n_steps: Steps that were taken in.

        Raises:
            KeyError: It is that of another network.
        """
        self.average, self.n_steps, self.is_restored = None, n_steps, True
        if not n_steps:
            return
        self._begin()
        with torch.no_grad():
            for name, averaged in self.state().items():
                averaged.copy_(state[name])

    def _begin(self) -> ModelEmaV3:
        self.average = ModelEmaV3(
            self.learn.model, decay=self.decay, use_warmup=True, warmup_power=self.power, exclude_buffers=True
        )
        return self.average

    @torch.no_grad()
    def _swap(self) -> None:
        """Exchange the values of the parameters, so that optimiser and hooks keep their tensors; buffers stay."""
        for mine, averaged in zip(self.learn.model.parameters(), self.state().values(), strict=True):
            kept = mine.clone()
            mine.copy_(averaged)
            averaged.copy_(kept)
        self.is_swapped = not self.is_swapped

    @torch.no_grad()
    def _renew_statistics(self) -> None:
        """Compute the running statistics again for a plain mean of the weights, once: they stay when a fit is over."""
        searches = any(isinstance(cb, LRFinder) for cb in self.learn.cbs)  # which puts everything back
        if not self.is_swa or not self.norms or self.has_new_statistics or searches:
            return
        loader = self.dls.train
        if isinstance(loader, PhotoLoader):  # in a drawn order: batches of one class would vary too little
            loader = loader.new(loader.dataset.clean(), num_workers=0)
        self.learn.model.eval()  # dropout would disturb them
        momenta = [norm.momentum for norm in self.norms]
        for norm in self.norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all batches
            norm.train()
        for batch in loader:
            self.learn.model(*batch[: self.dls.n_inp])
        for norm, momentum in zip(self.norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()
        self.has_new_statistics = True


# The kinds of average, with their one option and its range.
_AVERAGES = {
    "ema": ("decay", Within(0, 1, open_low=True, open_high=True)),
    "swa": ("start", Within(0, 1, open_high=True)),
}


def averaging_problems(fit: Fit) -> list[str]:
    """List what is wrong with the plan's averaging: its name, its options, and who else would choose the weights."""
    op = fit.averaging
    if op is None:
        return []
    if op.name not in _AVERAGES:
        return [f"fit.averaging = {op.name!r} is unknown; it is ema or swa.{nearest_hint(op.name, _AVERAGES)}"]
    option, allowed = _AVERAGES[op.name]
    problems = [
        f"fit.averaging: {op.name} has no option {name!r}.{nearest_hint(name, (option,))}"
        for name in op.options
        if name != option
    ]
    value = op.options.get(option)
    if isinstance(value, bool) or value not in allowed:
        problems.append(f"fit.averaging: {op.name}.{option} has to be {allowed}, not {value!r}.")
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


class SmallerFirst(Callback):
    """Brings training images down to a smaller side in the first steps of a fit; validation is always at full size.

    Batches come decoded, augmented and normalised at full size, and are brought down on the device with antialiasing,
    so that network and loss save time, but loaders do not. The change comes at a step, which may lie within an epoch.

    Source: Howard 2018, fast.ai's entry to DAWNBench, progressive resizing; Tan and Le 2021, arXiv:2104.00298,
    section 4, without its growing regularisation.
    """

    order, run_valid = 4, False  # before batches are mixed, which is cheaper then

    def __init__(self, size_px: int, *, share: float) -> None:
        self.size_px, self.share = size_px, share

    def n_steps(self, n_all: int) -> int:
        """Return how many of the steps of a fit see smaller images."""
        return int(self.share * n_all)

    def shrunk(self, images: Tensor) -> Tensor:
        """Return float images [b, c, h, w] at the smaller side."""
        size = (self.size_px, self.size_px)
        return F.interpolate(images, size, mode="bilinear", antialias=True).contiguous(
            memory_format=memory_format(images.device)
        )

    def before_batch(self) -> None:
        """Bring the batch at hand down while its time lasts."""
        learn = self.learn
        if learn.epoch * learn.n_iter + learn.iter < self.n_steps(learn.n_epoch * learn.n_iter):
            learn.xb = (self.shrunk(learn.xb[0]), *learn.xb[1:])


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
