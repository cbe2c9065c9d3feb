"""Progressive resizing: train on smaller images first."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan

CARD = Card(
    items=("train.model",),
    summary="Brings training images down to a smaller side for the first share of the steps, then shows them whole.",
    changes=("fit.first_size_px", "fit.first_size_share"),
    conflicts={"freeze_stages": "what was kept has one size"},
    helps="Long trainings of convolutions on large images, when time is short.",
    hurts=(
        "Fine detail that only the full size shows, learned in half the steps; trainings of an epoch or two. Networks "
        "that take one size only, as most transformers do, are refused. With a slow disk or strong augmentation it "
        "saves nothing: images are still decoded whole."
    ),
    cost="Saves time: a step costs about the square of the side, so 96 of 128 px for half the steps saves a fifth.",
    source=("Howard 2018, fast.ai's entry to DAWNBench (the name); Tan and Le 2021, arXiv:2104.00298, section 4."),
)


def progressive_resizing(plan: Plan, *, first: int = 96, share: float = 0.5) -> Plan:
    """Set the side that the first steps see, and how long they last.

    Args:
        plan: The plan below.
        first: Side in pixels, from 8 on, below that of the plan's images.
        share: Share of the steps of the training, in (0, 1).
    """
    return replace(plan, fit=replace(plan.fit, first_size_px=first, first_size_share=share))
