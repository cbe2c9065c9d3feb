"""Show the network larger images."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan, PlanError

CARD = Card(
    items=("train.model",),
    summary="Sets the side of the square that photographs become.",
    changes=("images.size_px",),
    reads=("images.size_px",),
    suits=("any",),
    helps="Small objects and fine texture in photographs that have the pixels.",
    hurts="Photographs smaller than this already: nothing is added but time.",
    cost="Time and memory grow with the square of the side.",
    measured=(
        "Leaves, three seeds, on the five recipes and keep_aspect: +0.7 points of ROC AUC [-0.3, +1.7]. "
        "docs/guide/study.md."
    ),
    source="Tan and Le 2019, arXiv:1905.11946, section 3; Touvron et al. 2019, arXiv:1906.06423, section 3.",
)


def larger_images(plan: Plan, *, size_px: int = 192) -> Plan:
    """Set the side of the images.

    Args:
        plan: The plan below.
        size_px: Side in pixels, more than the base has.

    Raises:
        PlanError: The base already uses images as large.
    """
    if plan.images.size_px > size_px:
        raise PlanError(f"the base already uses {plan.images.size_px} px; ask for more with larger_images:size_px=…")
    return replace(plan, images=replace(plan.images, size_px=size_px))
