"""A fastai `Learner` for the user: built from a stack, or given one and changed by recipes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Unpack

import numpy as np
import torch
from fastai.learner import Learner
from torch import Tensor

from imgcls.catalog import Stack, Step, fold_on, parse_steps
from imgcls.config.problem import resolve
from imgcls.data.source import DataOptions, DataSource
from imgcls.engine.build import build, plan_callbacks
from imgcls.engine.callbacks.loop import LossGuard
from imgcls.engine.callbacks.methods import FreezeBody, has_layer_groups
from imgcls.engine.callbacks.schedule import PlanSchedule
from imgcls.engine.check import check
from imgcls.engine.device import Machine
from imgcls.engine.linear_probe import fit_probe
from imgcls.engine.losses import PlainValidationLoss, TrainLoss, build_loss, one_hot
from imgcls.engine.optimizers import LayerOptimizer, optimizer_factory
from imgcls.engine.prepare import prepare
from imgcls.engine.progress import Reporter, plain_lines
from imgcls.errors import StackError
from imgcls.plan import Plan
from imgcls.workspace import Workspace

# What a Learner can take: everything between its batches and its weights.
_PARTS = ("loss", "optimizer", "schedule")
_PATHS = ("fit.freeze_epochs", "fit.freeze_batchnorm", "fit.clip_norm", "fit.averaging", "fit.callbacks")
# How its parameters are split into layers was decided when it was made.
_NEVER = ("optimizer.layer_decay", "optimizer.early_factor")
_ALWAYS = (LossGuard, PlainValidationLoss)
_MANY_EPOCHS = 100_000


def learner(
    stack: str | Stack,
    data: Any = None,
    *,
    seed: int = 0,
    overrides: Mapping[str, Any] | None = None,
    machine: Machine | None = None,
    reporter: Reporter | None = None,
    **options: Unpack[DataOptions],
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
        reporter: Receives notes and progress; plain lines on stderr when None.
        **options: How the data are read, as for `train`.

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
    source = resolve(DataSource.of(data, options), Workspace.find().root)
    with plain_lines(reporter) as lines:
        (prepared,) = prepare(source, stack.plan.images, reporter=lines)
        built = build(stack.plan, prepared, seed=seed, machine=machine)
        if built.network.note:
            lines.note(built.network.note)
        if stack.plan.fit.classifier == "logistic_regression":
            progress = partial(lines.progress, "Computing features")
            samples, plan = prepared.samples, stack.plan
            lines.note(fit_probe(built, samples, plan=plan, seed=seed, machine=machine, progress=progress).note)
    return built.learn


def apply(recipes: str, learn: Learner) -> Learner:
    """Apply recipes to a Learner: its optimiser, schedule, loss and callbacks.

    What a recipe does not set stays as the Learner has it: its weight decay beside another optimiser, its label
    smoothing beside class weights. But a loss that is not of imgcls cannot be added to, so a recipe that sets
    anything of the loss replaces it. Applying twice replaces what was applied before.

    Args:
        recipes: Such as `"adamw_cosine+label_smoothing"`; no base.
        learn: Any fastai Learner for classification, its classes in `dls.vocab`.

    Returns:
        The same Learner.

    Raises:
        StackError: A recipe changes pixels, the network or the prediction, which a Learner cannot take, or needs
            layer groups that this one does not have.
        PlanError: A recipe names something that does not exist.

    Example:
        >>> imgcls.apply("adamw_cosine+label_smoothing", learn)  # doctest: +SKIP
    """
    steps = parse_steps(recipes)
    _check_can_take(steps, learn)
    # A path may be set to what is the default, which only the card shows.
    paths = {*Plan().diff(fold_on(Plan(), steps)), *(path for step in steps for path in step.recipe.card.changes)}
    plan = _plan_of(learn)
    for step in steps:
        plan = step.apply(plan)
    # How long it trains is up to the call of fit, so no warm-up is too long here.
    check(replace(plan, fit=replace(plan.fit, epochs=_MANY_EPOCHS)))
    if _sets(paths, "loss."):
        _put_loss(plan, learn)
    if _sets(paths, "optimizer."):
        _put_optimizer(plan, learn, paths)
    _put_callbacks(plan, learn, with_schedule=_sets(paths, "schedule."))
    if learn.opt is None:
        learn.create_opt()
    return learn


def _check_can_take(steps: tuple[Step, ...], learn: Learner) -> None:
    problems = []
    for step in steps:
        changed = Plan().diff(step.apply(Plan()))
        if "fit.freeze_epochs" in changed and not has_layer_groups(learn):
            problems.append(
                f"Recipe {step.recipe.name!r} needs a Learner whose splitter gives the body and the classifier apart, "
                "as that of vision_learner does."
            )
        paths = [
            path
            for path in changed
            if path in _NEVER or not (path.partition(".")[0] in _PARTS or path.startswith(_PATHS))
        ]
        if paths:
            problems.append(
                f"Recipe {step.recipe.name!r} changes {', '.join(paths)}, which a Learner that is already made cannot "
                "take; build it with imgcls.learner instead."
            )
    if problems:
        raise StackError.together(problems)


def _plan_of(learn: Learner) -> Plan:
    """Return the default plan with the settings of a Learner that recipes start from."""
    values: dict[str, Any] = {"optimizer.weight_decay": _weight_decay(learn)}
    if isinstance(learn.loss_func, TrainLoss):
        values["loss.smoothing"] = learn.loss_func.smoothing
        if learn.loss_func.gamma:
            values |= {"loss.name": "focal", "loss.gamma": learn.loss_func.gamma}
    if isinstance(learn.opt, LayerOptimizer):
        values["optimizer.layer_decay"] = learn.opt.layer_decay
        values["optimizer.early_factor"] = learn.opt.early_factor
    if isinstance(learn.lr, int | float):
        values["optimizer.learning_rate"] = learn.lr
    return Plan().with_values(values)


def _weight_decay(learn: Learner) -> float:
    """Return the decay that a fit would use: the Learner's own, or else its optimiser's."""
    if isinstance(learn.wd, int | float):
        return float(learn.wd)
    if learn.opt is None:
        learn.create_opt()
    return float(max(hypers.get("wd", 0.0) for hypers in learn.opt.hypers))


def _sets(paths: Collection[str], *prefixes: str) -> bool:
    return any(path.startswith(prefixes) for path in paths)


def _put_loss(plan: Plan, learn: Learner) -> None:
    before, is_weighted = learn.loss_func, plan.loss.class_weights != "none"
    targets = _train_targets(learn) if is_weighted else torch.zeros(0, _n_classes(learn))
    is_multilabel = torch.as_tensor(learn.dls.one_batch()[-1]).ndim == 2
    learn.loss_func = build_loss(plan.loss, multilabel=is_multilabel, train_targets=targets)
    if isinstance(before, TrainLoss) and not is_weighted:
        learn.loss_func.class_weights = before.class_weights


def _n_classes(learn: Learner) -> int:
    vocab = learn.dls.vocab
    return len(vocab[-1]) if isinstance(vocab[-1], list | tuple) or hasattr(vocab[-1], "o2i") else len(vocab)


def _train_targets(learn: Learner) -> Tensor:
    """Read the training labels, without decoding an image where the dataset allows it."""
    dataset = learn.dls.train_ds
    if hasattr(dataset, "targets"):
        found = np.asarray(dataset.targets)
    elif hasattr(dataset, "tls"):
        found = np.array([np.asarray(target) for target in dataset.tls[-1]])
    else:
        found = np.array([np.asarray(dataset[row][-1]) for row in range(len(dataset))])
    return one_hot(torch.as_tensor(found), _n_classes(learn))


def _put_optimizer(plan: Plan, learn: Learner, paths: Collection[str]) -> None:
    is_another = _sets(paths, "optimizer.name", "optimizer.options")
    if "optimizer.weight_decay" in paths:
        learn.wd = None if is_another else plan.optimizer.weight_decay
    if "optimizer.learning_rate" in paths:
        learn.lr = plan.optimizer.learning_rate
    if is_another:
        learn.opt_func = optimizer_factory(plan.optimizer)
        learn.create_opt()


def _put_callbacks(plan: Plan, learn: Learner, *, with_schedule: bool) -> None:
    """Add what the plan asks for in place of its like; the guard stays, since the recorder reads from it."""
    for callback in plan_callbacks(plan):
        alike = [cb for cb in learn.cbs if type(cb) is type(callback)]
        if (alike and isinstance(callback, _ALWAYS)) or (isinstance(callback, PlanSchedule) and not with_schedule):
            continue
        for before in alike:
            if isinstance(before, FreezeBody):
                before.set_free()  # an aborted fit may have left it at work
        learn.remove_cbs(alike)
        learn.add_cb(callback)
