"""CutMix: train on images with a piece of another one, and on both labels."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Op, Plan, PlanError, Within

CARD = Card(
    items=("train.augmentation",),
    summary="Puts a rectangle of another image of the batch into every training image, and shares the label by area.",
    changes=("augment.mix",),
    conflicts={"freeze_stages": "what was kept of single photographs can no longer be mixed"},
    helps="Long trainings; objects that can be recognised by any of their parts.",
    hurts=(
        "Short trainings, which underfit then; small objects, such as a single defect, that the rectangle hides or "
        "misses: the shares of the label are then wrong."
    ),
    cost="None measurable.",
    source="Yun et al. 2019, arXiv:1905.04899, section 3.1; torchvision documentation, v2.CutMix.",
)


def cutmix(plan: Plan, *, alpha: float = 1.0) -> Plan:
    """Exchange a rectangle between the images of a training batch, its area drawn from Beta(alpha, alpha).

    Args:
        plan: The plan below.
        alpha: Above 0; at 1 all areas are as likely, below it small and large ones are likelier.

    Raises:
        PlanError: It is outside that range.
    """
    if alpha not in (allowed := Within(0, open_low=True)):
        raise PlanError(f"alpha has to be {allowed}, not {alpha!r}.")
    return replace(plan, augment=replace(plan.augment, mix=Op("cutmix", alpha=alpha)))
