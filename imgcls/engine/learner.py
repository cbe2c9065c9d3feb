"""A plan as a fastai `Learner` in the user's hands."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from fastai.learner import Learner

from imgcls.catalog import Stack
from imgcls.engine.build import build
from imgcls.engine.check import check
from imgcls.engine.device import Machine
from imgcls.engine.prepare import DataSource, prepare
from imgcls.engine.probe import fit_probe
from imgcls.engine.reporting import Lines, Reporter
from imgcls.workspace import Workspace


def learner(
    stack: str | Stack,
    data: Any = None,
    *,
    seed: int = 0,
    overrides: Mapping[str, Any] | None = None,
    machine: Machine | None = None,
    reporter: Reporter | None = None,
    **reading: Any,
) -> Learner:
    """Build the fastai `Learner` that `train` would train.

    Its callbacks, loss, optimiser and schedule are the plan's, and where the plan fits the classifier first, as
    `linear_probe` and `lp_ft` do, that is done already. Plain `fit(n)` follows the plan's schedule;
    `fit_one_cycle`, `fine_tune` and `lr_find` bring their own. Nothing is recorded.

    Args:
        stack: Such as `"baseline+label_smoothing"`.
        data: As for `train`; imgcls.toml is that of the current folder, or of the nearest one above it.
        seed: Decides everything random in training.
        overrides: Plan paths set on the base.
        machine: Device, worker processes, precision.
        reporter: Who is told of the data; plain lines on stderr when None.
        **reading: How the data are read, as for `train`.

    Raises:
        UsageError: Something has to be changed before the work can start.

    Example:
        >>> learn = imgcls.learner("baseline+label_smoothing", "photos/")  # doctest: +SKIP
        >>> learn.fit(3)  # doctest: +SKIP
    """
    stack = stack if isinstance(stack, Stack) else Stack.parse(stack, overrides)
    check(stack.plan)
    machine = machine or Machine()
    machine.make_ready()
    source = DataSource.of(data, reading).in_workspace(Workspace.find())
    told = reporter or Lines()
    prepared = prepare(source, stack.plan.images, quick=False, reporter=told)
    built = build(stack.plan, prepared, seed=seed, machine=machine)
    if stack.plan.fit.classifier == "logistic_regression":
        progress = partial(told.progress, "Computing features")
        told.note(fit_probe(built, prepared.samples, seed=seed, machine=machine, progress=progress).note)
    return built.learn
