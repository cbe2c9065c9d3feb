"""Random flips, small shifts and turns, and light changes, by albumentations."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Op, Plan, PlanError, Within

CARD = Card(
    items=("train.augmentation",),
    summary="Shows every training image mirrored, moved, turned and lit a little differently in each epoch.",
    changes=("augment.library", "augment.transforms"),
    conflicts={
        "trivial_augment": "each sets all transforms of training images, and TrivialAugment is tuned to act alone",
    },
    helps="Few photographs, long training, scenes whose class survives a mirror and a small turn.",
    hurts=(
        "When direction or brightness is the class (arrows, digits, exposure faults); in very short "
        "trainings; when it is too strong."
    ),
    cost="About 0.25 ms of one core for an image of 128 px.",
    source=(
        "Buslaev et al. 2020, Albumentations, doi:10.3390/info11020125; Shorten and Khoshgoftaar 2019, "
        "doi:10.1186/s40537-019-0197-0."
    ),
)


def augmentation(plan: Plan, *, strength: float = 0.5) -> Plan:
    """Set albumentations transforms whose magnitudes grow with one strength.

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
        Op("HorizontalFlip", p=0.5),
        Op(
            "Affine",
            scale=[1 - reach, 1 + reach],
            translate_percent=[-reach / 2, reach / 2],
            rotate=[-30 * strength, 30 * strength],
            border_mode="symmetric",
            p=0.75,
        ),
        Op("RandomBrightnessContrast", brightness_limit=2 * reach, contrast_limit=2 * reach, p=0.75),
    )
    return replace(plan, augment=replace(plan.augment, library="albumentations", transforms=transforms))
