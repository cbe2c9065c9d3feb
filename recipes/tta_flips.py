"""Test-time augmentation by mirror images."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan, PlanError

CARD = Card(
    items=("predict.tta",),
    summary="Averages the probabilities of the image and its mirror image, and of further mirrorings when asked.",
    changes=("predict.views", "predict.view_kind"),
    conflicts={"tta": "both choose the views that are averaged"},
    suits=("any",),
    helps="Scenes whose class survives a mirror; needs no augmentation in training.",
    hurts="Text, arrows, left and right hands; with 4 views and more also whatever has an up and a down.",
    cost="Prediction takes as many passes as there are views; training none.",
    source=(
        "Simonyan and Zisserman 2015, arXiv:1409.1556, section 3.2; Shanmugam et al. 2021, arXiv:2011.11156, section 4."
    ),
)


def tta_flips(plan: Plan, *, views: int = 2) -> Plan:
    """Set the number of mirrored views.

    Args:
        plan: The plan below.
        views: 2 adds the left-right mirror, 4 the up-down ones, 8 the quarter turns.

    Raises:
        PlanError: The number is none of these.
    """
    if views not in (2, 4, 8):
        raise PlanError(f"views has to be one of 2, 4, 8, not {views!r}.")
    return replace(plan, predict=replace(plan.predict, views=views, view_kind="flips"))
