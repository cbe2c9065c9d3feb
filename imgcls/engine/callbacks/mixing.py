"""Images of a training batch mixed with each other, and their targets with them."""

from __future__ import annotations

from fastai.callback.core import Callback
from torch import Tensor
from torchvision.transforms import v2

from imgcls.engine.losses import one_hot
from imgcls.engine.randomness import borrowed_torch, keyed_seed
from imgcls.errors import nearest_hint
from imgcls.plan import Op, Within

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
        """Give the labels back, for metrics of training."""
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
