"""Fit the classifier by logistic regression first, then fine-tune everything gently from there."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.networks import has_batchnorm, lowered_rate
from imgcls.plan import Plan, PlanError, Within

CARD = Card(
    items=("train.model",),
    summary=(
        "Fits the classifier by logistic regression on the frozen features of the clean photographs, then trains "
        "everything from there for at least a hundred steps at a fraction of the rate, the statistics of batch "
        "normalisation held."
    ),
    changes=(
        "fit.classifier",
        "fit.statistics",
        "fit.freeze_batchnorm",
        "fit.least_steps",
        "optimizer.learning_rate",
        "schedule.least_warmup_steps",
    ),
    reads=("optimizer.learning_rate",),
    conflicts={
        "multi_view_probe": "one trains nothing after the regression, the other everything",
        "linear_probe": "one trains nothing after the regression, the other everything",
        "freeze_batchnorm": "lp_ft holds these statistics already",
        "fine_tune": "fine_tune does all that lp_ft does",
    },
    helps="Photographs like those of pretraining, also few: a fresh classifier's first gradients spoil good features.",
    hurts=(
        "Photographs far from those of pretraining (digits, textures), which three epochs at a low rate do not reach: "
        "there the base with adamw_cosine is ahead. A network without pretrained weights."
    ),
    cost=(
        "Two passes over the training photographs, and the regression, before the first epoch; with few of them more "
        "epochs, until there are enough steps."
    ),
    source="Kumar et al. 2022, arXiv:2202.10054, section 3 (LP-FT).",
)


def lp_ft(plan: Plan, *, rate: float = 0.3, steps: int = 100) -> Plan:
    """Fit the classifier before the first epoch, and fine-tune from it.

    Args:
        plan: The plan below.
        rate: Factor of the rate that is usual for the network, in (0, 1]; one set by hand stays. Why so low:
            docs/decisions/0035-fine-tuning-from-a-fitted-classifier.md.
        steps: Steps that training has at least, from 0 on: where epochs are short, there are more of them.

    Raises:
        PlanError: The plan trains no epoch, or the factor is out of its range.
    """
    if not plan.fit.epochs:
        raise PlanError("the base trains no epoch to fine-tune in; give it some (--epochs), or use linear_probe.")
    if rate not in (allowed := Within(0, 1, open_low=True)):
        raise PlanError(f"rate has to be {allowed}, not {rate!r}.")
    holds = has_batchnorm(plan.model.name)
    lowered = lowered_rate(plan.model.name, plan.optimizer.learning_rate, factor=rate)
    fit = replace(plan.fit, classifier="logistic_regression", least_steps=steps)
    return replace(
        plan,
        fit=replace(fit, freeze_batchnorm=True, statistics="better") if holds else fit,
        optimizer=replace(plan.optimizer, learning_rate=lowered),
        schedule=replace(plan.schedule, least_warmup_steps=30),
    )
