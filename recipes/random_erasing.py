"""Random erasing: hide a rectangle of some training images."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan

CARD = Card(
    items=("train.augmentation",),
    summary="Fills a random rectangle of some training images with noise, after all other transforms.",
    changes=("augment.erasing",),
    helps="Objects that may be covered in part; long trainings that lean on one detail.",
    hurts="Small objects, such as a single defect, that the rectangle hides whole; very short trainings.",
    cost="Below 0.1 ms of one core for an image of 128 px.",
    source="Zhong et al. 2020, arXiv:1708.04896, section 3; albumentations documentation, Erasing.",
)


def random_erasing(plan: Plan, *, probability: float = 0.25) -> Plan:
    """Set the probability with which a training image loses a rectangle, 2 to 30 % of its area.

    Args:
        plan: The plan below.
        probability: In (0, 1].
    """
    return replace(plan, augment=replace(plan.augment, erasing=probability))
