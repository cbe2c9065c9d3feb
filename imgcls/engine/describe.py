"""What a plan becomes on a fastai Learner, in words, without data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import timm.optim
from fastai.callback.core import Callback

from imgcls.engine.build import plan_callbacks
from imgcls.engine.callbacks.clock import EpochClock
from imgcls.engine.check import check
from imgcls.engine.losses import TrainLoss
from imgcls.plan import Plan


@dataclass(frozen=True)
class LearnerDescription:
    """The parts of a Learner that a plan decides."""

    callbacks: tuple[str, ...]
    """Callbacks in the order in which they act, each with the first line of what it says of itself."""
    loss: str
    """The loss function."""
    optimizer: str
    """The optimiser with its options."""
    schedule: str
    """The course of the learning rate."""

    def to_json(self) -> dict[str, object]:
        """Give the description as JSON."""
        return {
            "callbacks": list(self.callbacks),
            "loss": self.loss,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
        }


def describe(plan: Plan) -> LearnerDescription:
    """Describe what a plan becomes on a Learner.

    Raises:
        PlanError: The plan names something that does not exist.
    """
    check(plan)
    callbacks: list[Callback] = sorted([EpochClock(0), *plan_callbacks(plan)], key=lambda callback: callback.order)
    kind = "cross_entropy or bce, by the problem" if plan.loss.name == "auto" else plan.loss.name
    loss = TrainLoss(plan.loss.name if plan.loss.name != "auto" else "cross_entropy", smoothing=plan.loss.smoothing)
    weighted = ", class_weights=balanced" if plan.loss.class_weights != "none" else ""
    optimizer, schedule = plan.optimizer, plan.schedule
    found: Any = timm.optim.get_optimizer_class(optimizer.name, bind_defaults=False)
    falling = f", layer_decay={optimizer.layer_decay:g}" if optimizer.layer_decay != 1 else ""
    options = falling + "".join(f", {name}={value}" for name, value in optimizer.options.items())
    warmup = f", {schedule.warmup_epochs:g} epochs of warm-up" if schedule.warmup_epochs else ""
    return LearnerDescription(
        callbacks=tuple(f"{type(cb).__name__}: {_first_line(cb)}" for cb in callbacks),
        loss=f"TrainLoss({kind}, smoothing={loss.smoothing:g}{weighted}; plain in validation)",
        optimizer=(
            f"{found.__module__.removesuffix(f'.{optimizer.name}')}.{found.__name__}(lr={optimizer.learning_rate:g}, "
            f"weight_decay={optimizer.weight_decay:g} on matrices and convolutions{options})"
        ),
        schedule=(
            f"{schedule.name}{warmup}, stepped every batch over {plan.fit.epochs} epochs"
            if plan.fit.epochs
            else "none, since no epoch is trained"
        ),
    )


def _first_line(callback: Callback) -> str:
    return (type(callback).__doc__ or "").strip().partition("\n")[0]
