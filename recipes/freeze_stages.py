"""Train only the last stages, on what the frozen first ones made of a few views."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan, PlanError, Within

CARD = Card(
    items=("train.model",),
    summary=(
        "Keeps the first stages of the network as they came, computes what they make of a few views of every "
        "photograph once, and trains the rest on that."
    ),
    changes=("fit.freeze_stages", "augment.views"),
    conflicts={
        "progressive_resizing": "what was kept has one size",
        "freeze_backbone": "one freezes all but the classifier, the other the first stages only",
        "mixup": "what was kept of single photographs can no longer be mixed",
        "cutmix": "what was kept of single photographs can no longer be mixed",
    },
    helps="Photographs like those of pretraining; little time: an epoch costs a fraction, and so do the next rungs.",
    hurts="Photographs unlike those of pretraining, whose first layers have to change; a network without weights.",
    cost=(
        "On two CPU cores an epoch trains 2.6 times as many images a second as without it at four stages, 3.9 times at "
        "five. Memory and cache for the kept features: about 20 kB a view of 128 px at four stages of the baseline."
    ),
    measured=(
        "With fine_tune, on 128 photographs of fruit, five folds: 19 points of accuracy better than the baseline "
        "[+5, +33]. With keep_aspect, 1,790 garments, three seeds: better, +5.8 [+1.7, +9.9]; leaves, three seeds: "
        "-0.8 points of ROC AUC [-3.1, +1.5]. docs/guide/study.md."
    ),
    source="Yosinski et al. 2014, arXiv:1411.1792, section 4.1 (what is frozen up to which layer).",
)


def freeze_stages(plan: Plan, *, n: int = 4, views: int = 3) -> Plan:
    """Freeze the first stages, and keep their answer to a few views.

    Args:
        plan: The plan below.
        n: Stages that are frozen, at least 1; the network of the baseline has seven.
        views: Different views of each photograph, one an epoch in turn; 0 draws new ones, which cannot be kept.

    Raises:
        PlanError: A number is out of its range.
    """
    if n not in (allowed := Within(1, 1000)):
        raise PlanError(f"n has to be {allowed}, not {n!r}.")
    return replace(plan, fit=replace(plan.fit, freeze_stages=n), augment=replace(plan.augment, views=views))
