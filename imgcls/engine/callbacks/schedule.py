"""Schedules of the learning rate, stepped at every batch."""

from __future__ import annotations

import math
from collections.abc import Callable

from fastai.callback.schedule import ParamScheduler, combined_cos

from imgcls.plan import Schedule

# fastai's own one-cycle, `Learner.fit_one_cycle`: rise over a quarter, from 1/25 of the peak, down to 1e-5 of it.
_RISE, _START, _END = 0.25, 1 / 25, 1e-5
_MOMENTA = (0.95, 0.85, 0.95)
_MOST_WARM = 0.5
"""The share of a training that a least number of steps may warm up."""


def rate_factor(schedule: Schedule, *, n_epochs: int, n_batches: int = 0) -> Callable[[float], float]:
    """Return the share of the peak learning rate as a function of the share of training that is done.

    Cosine with warm-up, at step s of S with W steps of warm-up: s/W before W, then
    (1 + cos(π (s − W)/(S − W)))/2.

    Args:
        schedule: The plan's part.
        n_epochs: Epochs of the whole training.
        n_batches: Batches an epoch; 0 where the least steps of warm-up are not asked for.
    """
    if schedule.name == "one_cycle":
        course = combined_cos(_RISE, _START, 1.0, _END)
        return lambda done: float(course(done))
    warm = schedule.warmup_epochs / n_epochs
    if n_batches:
        warm = max(warm, min(_MOST_WARM, schedule.least_warmup_steps / (n_epochs * n_batches)))

    def factor(done: float) -> float:
        if done < warm:
            return done / warm
        if schedule.name == "constant" or warm >= 1:
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * (done - warm) / (1 - warm)))

    return factor


class PlanSchedule(ParamScheduler):
    """Follows the plan's schedule in a plain `fit(n)`.

    It steps aside where the call brings a schedule of its own: `fit_one_cycle`, `fine_tune`, `lr_find`.
    """

    def __init__(self, schedule: Schedule) -> None:
        super().__init__({})
        self.schedule = schedule

    def before_fit(self) -> None:
        """Decide whether to act, and take the peak rates from the optimiser."""
        self.momenta = [hyper.get("mom") for hyper in self.opt.hypers]
        others = [cb for cb in self.learn.cbs if isinstance(cb, ParamScheduler) and cb is not self]
        self.scheds = {} if others else self._courses()
        super().before_fit()

    def after_fit(self) -> None:
        """Put the momentum back, which a one-cycle leaves where it ended."""
        if self.scheds:
            super().after_fit()
        if "mom" in self.scheds:
            self.opt.set_hyper("mom", self.momenta)

    def _courses(self) -> dict[str, Callable[[float], object]]:
        peaks = [hyper["lr"] for hyper in self.opt.hypers]
        factor = rate_factor(self.schedule, n_epochs=self.learn.n_epoch, n_batches=len(self.learn.dls.train))
        courses: dict[str, Callable[[float], object]] = {"lr": lambda done: [peak * factor(done) for peak in peaks]}
        if self.schedule.name == "one_cycle" and None not in self.momenta:
            courses["mom"] = combined_cos(_RISE, *_MOMENTA)
        return courses
