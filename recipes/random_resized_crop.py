"""Random resized crop: show another part of each photograph in each epoch."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan, PlanError, Within

CARD = Card(
    items=("train.augmentation",),
    summary="Cuts a random square out of every training image and enlarges it to full size, before other transforms.",
    changes=("augment.smallest_crop",),
    helps="Objects of any size and place; long trainings; beside augmentation, whose other changes come after it.",
    hurts=(
        "Small objects near a border, which the crop may miss; photographs that are framed alike, where size is the "
        "class; short trainings. Objects look larger in training than in validation: larger_images makes up for it."
    ),
    cost="About 0.04 ms of one core for an image of 128 px.",
    source=(
        "Szegedy et al. 2015, arXiv:1409.4842, section 6; Touvron et al. 2019, arXiv:1906.06423, section 3 (how it "
        "hurts); albumentations documentation, RandomResizedCrop."
    ),
)


def random_resized_crop(plan: Plan, *, smallest: float = 0.72) -> Plan:
    """Set the smallest share of the area that a crop keeps; its share is drawn evenly between that and all.

    Args:
        plan: The plan below.
        smallest: In (0, 1); 0.72 of the area are 85 % of the side, 0.08 is usual for training from nothing.

    Raises:
        PlanError: It is outside that range.
    """
    if smallest not in (allowed := Within(0, 1, open_low=True, open_high=True)):
        raise PlanError(f"smallest has to be {allowed}, not {smallest!r}.")
    return replace(plan, augment=replace(plan.augment, smallest_crop=smallest))
