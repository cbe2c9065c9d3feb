"""Random flips, small shifts and turns, and light changes, by torchvision v2."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Op, Plan, PlanError, Within

CARD = Card(
    items=("train.augmentation",),
    summary="The augmentation recipe with the transforms of torchvision instead of albumentations.",
    changes=("augment.library", "augment.transforms"),
    conflicts={
        "trivial_augment": "each sets all transforms of training images, and TrivialAugment is tuned to act alone",
    },
    helps="As augmentation does; where a pipeline has to use torchvision's own transforms.",
    hurts="As augmentation does; and it is several times slower on a CPU.",
    cost="About 1 ms of one core for an image of 128 px.",
    source="torchvision documentation, transforms v2; Shorten and Khoshgoftaar 2019, doi:10.1186/s40537-019-0197-0.",
)


def torchvision_augmentation(plan: Plan, *, strength: float = 0.5) -> Plan:
    """Set torchvision v2 transforms whose magnitudes grow with one strength.

    Args:
        plan: The plan below.
        strength: In (0, 1]; at 1, turns reach 30 degrees, shifts 10 %, scales 20 %, light 40 %.

    Raises:
        PlanError: The strength is outside that range.
    """
    if strength not in (allowed := Within(0, 1, open_low=True)):
        raise PlanError(f"strength has to be {allowed}, not {strength!r}.")
    reach = 0.2 * strength
    transforms = (
        Op("RandomHorizontalFlip", p=0.5),
        Op(
            "RandomAffine",
            degrees=30 * strength,
            translate=[reach / 2, reach / 2],
            scale=[1 - reach, 1 + reach],
            interpolation="bilinear",
        ),
        Op("ColorJitter", brightness=2 * reach, contrast=2 * reach),
    )
    return replace(plan, augment=replace(plan.augment, library="torchvision", transforms=transforms))
