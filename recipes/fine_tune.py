"""Fine-tuning as one recipe: a fitted classifier, a gentle AdamW along a cosine, and enough steps."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.networks import has_batchnorm, lowered_rate
from imgcls.plan import Plan, PlanError, Within

CARD = Card(
    items=("train.model", "train.optimizer", "train.scheduler"),
    summary=(
        "adamw_cosine and lp_ft in one: the way to fine-tune a pretrained network on photographs like those it knows, "
        "however few."
    ),
    changes=(
        "fit.classifier",
        "fit.statistics",
        "fit.freeze_batchnorm",
        "fit.least_steps",
        "optimizer.name",
        "optimizer.weight_decay",
        "optimizer.learning_rate",
        "schedule.least_warmup_steps",
        "schedule.name",
        "schedule.warmup_epochs",
    ),
    reads=("optimizer.learning_rate",),
    conflicts={
        "multi_view_probe": "one trains nothing after the regression, the other everything",
        "linear_probe": "one trains nothing after the regression, the other everything",
        "lp_ft": "fine_tune does all that lp_ft does",
        "freeze_batchnorm": "fine_tune holds these statistics already",
    },
    helps="A few hundred photographs and more that are like those of pretraining; with augmentation.",
    hurts="Photographs far from those of pretraining, as for lp_ft; a network without pretrained weights.",
    cost="That of lp_ft; with few photographs more epochs, until there are enough steps.",
    measured=(
        "With augmentation and label_smoothing, on 128 photographs of fruit, five folds: 20 points of accuracy "
        "better than the baseline [+7, +33]. With keep_aspect on leaves, three seeds: -0.2 points of ROC AUC "
        "[-2.4, +2.1]. "
        "docs/guide/study.md."
    ),
    source=(
        "Kumar et al. 2022, arXiv:2202.10054, section 3; Loshchilov and Hutter 2017 and 2019, arXiv:1608.03983 and "
        "arXiv:1711.05101."
    ),
)


def fine_tune(plan: Plan, *, rate: float = 0.3, steps: int = 100) -> Plan:
    """Set how a pretrained network is fine-tuned.

    Args:
        plan: The plan below.
        rate: Factor of the rate that is usual for the network, in (0, 1]; one set by hand stays.
        steps: Steps that training has at least, from 0 on: where epochs are short, there are more of them.

    Raises:
        PlanError: A number is out of its range, or the plan trains no epoch.
    """
    if not plan.fit.epochs:
        raise PlanError("the base trains no epoch to fine-tune in; give it some (--epochs), or use linear_probe.")
    if rate not in (allowed := Within(0, 1, open_low=True)):
        raise PlanError(f"rate has to be {allowed}, not {rate!r}.")
    holds = has_batchnorm(plan.model.name)
    lowered = lowered_rate(plan.model.name, plan.optimizer.learning_rate, factor=rate)
    fit = replace(plan.fit, classifier="logistic_regression", least_steps=steps)
    optimizer = replace(plan.optimizer, name="adamw", weight_decay=0.01)
    return replace(
        plan,
        fit=replace(fit, freeze_batchnorm=True, statistics="better") if holds else fit,
        optimizer=replace(optimizer, learning_rate=lowered),
        schedule=replace(plan.schedule, name="cosine", warmup_epochs=0.5, least_warmup_steps=30),
    )
