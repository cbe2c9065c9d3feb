"""TrivialAugment: one transform of many, at a random strength, for each image."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Op, Plan

_REASON = "each sets all transforms of training images, and TrivialAugment is tuned to act alone"

CARD = Card(
    items=("train.augmentation",),
    summary="Changes every training image by one of 14 transforms of light, colour or shape, drawn with its strength.",
    changes=("augment.library", "augment.transforms"),
    conflicts={"augmentation": _REASON, "torchvision_augmentation": _REASON},
    helps="Many photographs and long trainings, where no one knows which augmentation fits; there is nothing to tune.",
    hurts=(
        "When colour, brightness or direction is the class: an image may be inverted in part, turned by 135 degrees or "
        "lose nearly all colour. Short trainings, few photographs, and tta, whose views are as strong."
    ),
    cost="About 0.7 ms of one core for an image of 128 px.",
    source="Müller and Hutter 2021, arXiv:2103.10158, section 3; torchvision documentation, v2.TrivialAugmentWide.",
)


def trivial_augment(plan: Plan) -> Plan:
    """Set torchvision's TrivialAugmentWide, with bilinear interpolation, as the only transform."""
    transforms = (Op("TrivialAugmentWide", interpolation="bilinear"),)
    return replace(plan, augment=replace(plan.augment, library="torchvision", transforms=transforms))
