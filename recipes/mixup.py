"""Mixup: train on blends of two images and of their labels."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Op, Plan, PlanError, Within

CARD = Card(
    items=("train.augmentation",),
    summary="Blends every training image with another one of its batch, and their labels in the same proportion.",
    changes=("augment.mix",),
    conflicts={"freeze_stages": "what was kept of single photographs can no longer be mixed"},
    helps="Long trainings of networks that fit the training set by heart; noisy labels; over-confident probabilities.",
    hurts=(
        "Short trainings, which underfit then; fine detail, which drowns in a blend; together with label_smoothing, "
        "which softens the same targets again."
    ),
    cost="None measurable.",
    source="Zhang et al. 2018, arXiv:1710.09412, section 2; torchvision documentation, v2.MixUp.",
)


def mixup(plan: Plan, *, alpha: float = 0.4) -> Plan:
    """Blend the images of a training batch, and their labels, in proportions drawn from Beta(alpha, alpha).

    Args:
        plan: The plan below.
        alpha: Above 0; the larger, the more even the blends.

    Raises:
        PlanError: It is outside that range.
    """
    if alpha not in (allowed := Within(0, open_low=True)):
        raise PlanError(f"alpha has to be {allowed}, not {alpha!r}.")
    return replace(plan, augment=replace(plan.augment, mix=Op("mixup", alpha=alpha)))
