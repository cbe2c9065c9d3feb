"""Check of a plan: whether everything it names exists and takes its options, before any data is read."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import fastai.callback.schedule
import fastai.callback.tracker
import fastai.callback.training
from fastai.callback.core import Callback

from imgcls.engine.callbacks.methods import averaging_problems, mix_problems
from imgcls.engine.models import model_problems
from imgcls.engine.optimizers import optimizer_problems
from imgcls.engine.transforms import pipeline_problems
from imgcls.errors import PlanError, nearest_hint
from imgcls.plan import Fit, Loss, Plan

_CALLBACK_MODULES = (fastai.callback.training, fastai.callback.tracker, fastai.callback.schedule)


def check(plan: Plan) -> None:
    """Check every name and option of a plan against the real signatures.

    Raises:
        PlanError: Something does not exist or is not read by anything; all at once.
    """
    problems = [
        *model_problems(plan.model),
        *pipeline_problems(plan.augment, size_px=plan.images.size_px),
        *mix_problems(plan.augment.mix),
        *optimizer_problems(plan.optimizer),
        *_epoch_problems(plan),
        *callback_problems(plan.fit),
        *averaging_problems(plan.fit),
        *_loss_problems(plan),
        *_view_problems(plan),
        *_channel_problems(plan),
    ]
    if problems:
        raise PlanError.together(problems, heading="The plan has several problems:")


def find_callback(name: str) -> type[Callback]:
    """Find a callback class: one of fastai's by its name, or `module:name`.

    Raises:
        PlanError: There is none.
    """
    module, colon, attribute = name.partition(":")
    if colon:
        try:
            found = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as problem:
            raise PlanError(f"fit.callbacks: {name!r} cannot be imported: {problem}") from problem
    else:
        known = {
            text: value
            for place in _CALLBACK_MODULES
            for text, value in vars(place).items()
            if isinstance(value, type) and issubclass(value, Callback) and value is not Callback
        }
        if name not in known:
            raise PlanError(f"fit.callbacks: fastai has no {name!r}.{nearest_hint(name, known)}")
        found = known[name]
    if not (isinstance(found, type) and issubclass(found, Callback)):
        raise PlanError(f"fit.callbacks: {name!r} is not a fastai Callback.")
    return found


def callback_problems(fit: Fit) -> list[str]:
    """List what is wrong with the plan's further callbacks."""
    problems = []
    for name, options in fit.callbacks.items():
        try:
            found: Any = find_callback(name)
        except PlanError as problem:
            problems.append(str(problem))
            continue
        if not isinstance(options, dict):
            problems.append(f"fit.callbacks.{name} has to be a mapping of options, not {options!r}.")
            continue
        accepted = inspect.signature(found).parameters
        problems += [
            f"fit.callbacks.{name} has no option {option!r}.{nearest_hint(option, accepted)}"
            for option in options
            if option not in accepted
        ]
    return problems


def _epoch_problems(plan: Plan) -> list[str]:
    fit, schedule, problems = plan.fit, plan.schedule, []
    if not fit.epochs and fit.classifier == "gradient":
        problems.append(
            "fit.epochs = 0 trains nothing; use 1 or more, or fit.classifier = logistic_regression (linear_probe)."
        )
    if fit.freeze_stages and plan.augment.mix is not None:
        problems.append(
            "fit.freeze_stages keeps what single images become, which augment.mix would mix before. Leave one out."
        )
    if fit.statistics != "pretrained" and fit.classifier == "gradient":
        problems.append("fit.statistics needs fit.classifier = logistic_regression: nothing else reads it.")
    if fit.classifier_views > 1 and fit.classifier == "gradient":
        problems.append("fit.classifier_views needs fit.classifier = logistic_regression: nothing else reads it.")
    elif fit.classifier_views > 1 and not plan.augment.transforms and plan.augment.smallest_crop is None:
        problems.append(
            "fit.classifier_views above 1 need augment.transforms: without any, every view is the clean image."
        )
    if fit.freeze_stages and fit.freeze_epochs:
        problems.append("fit.freeze_stages and fit.freeze_epochs both say what is frozen. Keep one.")
    if fit.freeze_stages and fit.first_size_px is not None:
        problems.append("fit.freeze_stages keeps features of one size, and fit.first_size_px asks for two. Keep one.")
    problems += [
        f"optimizer.{name} cannot act where only the classifier learns, in all epochs. Leave it out."
        for name in ("layer_decay", "early_factor")
        if getattr(plan.optimizer, name) != 1 and fit.freeze_epochs in ("all", fit.epochs)
    ]
    if fit.first_size_px is not None and fit.first_size_px >= plan.images.size_px:
        problems.append(
            f"fit.first_size_px = {fit.first_size_px} is not below images.size_px = {plan.images.size_px}: sizes have "
            "to grow. Begin smaller (progressive_resizing:first=…), or end larger (larger_images, --size)."
        )
    if isinstance(fit.freeze_epochs, int) and fit.freeze_epochs > fit.epochs:
        problems.append(f"fit.freeze_epochs = {fit.freeze_epochs} is more than fit.epochs = {fit.epochs}; write all.")
    elif schedule.name == "one_cycle" and schedule.warmup_epochs:
        problems.append("schedule.warmup_epochs is not read by one_cycle, which has a rise of its own.")
    elif schedule.warmup_epochs >= fit.epochs and schedule.warmup_epochs:
        problems.append(
            f"schedule.warmup_epochs = {schedule.warmup_epochs:g} leaves nothing of fit.epochs = {fit.epochs}."
        )
    return problems


def _loss_problems(plan: Plan) -> list[str]:
    problems = []
    if plan.loss.gamma != Loss().gamma and plan.loss.name != "focal":
        problems.append("loss.gamma is read by loss.name = focal only. Add that (focal_loss), or leave it out.")
    if plan.fit.sampler == "balanced" and plan.loss.class_weights == "balanced":
        problems.append(
            "fit.sampler and loss.class_weights are both balanced: each alone makes classes count alike. Keep one."
        )
    return problems


def _view_problems(plan: Plan) -> list[str]:
    views, kind = plan.predict.views, plan.predict.view_kind
    if kind == "flips" and views > 8:
        return [f"predict.views = {views}: there are 8 mirrorings and quarter turns of an image."]
    if kind == "crops" and views > 5:
        return [f"predict.views = {views}: there are 5 crops, the whole image and its corners."]
    if kind == "augmented" and views > 1 and not plan.augment.transforms and plan.augment.smallest_crop is None:
        return ["predict.views above 1 need augment.transforms: without any, every view is the clean image."]
    return []


def _channel_problems(plan: Plan) -> list[str]:
    problems = []
    for name in ("mean", "std"):
        values = getattr(plan.images, name)
        if values is not None and len(values) != 3:
            problems.append(f"images.{name} needs three numbers, one a channel, not {len(values)}.")
    if plan.images.std is not None and any(value <= 0 for value in plan.images.std):
        problems.append("images.std has to be above 0 in every channel.")
    return problems
