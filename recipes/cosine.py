"""A learning rate that starts and ends gently."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan

CARD = Card(
    items=("train.scheduler",),
    summary="Warms the learning rate up linearly, then lets it fall along half a cosine, batch by batch.",
    changes=("schedule.name", "schedule.warmup_epochs"),
    helps="Almost any training whose length is known beforehand.",
    hurts="When training stops earlier than planned: the rate is then still high.",
    cost="None measurable.",
    source=(
        "Loshchilov and Hutter 2017, arXiv:1608.03983, section 3; Goyal et al. 2017, arXiv:1706.02677, "
        "section 2.2 (warm-up)."
    ),
)


def cosine(plan: Plan, *, warmup_epochs: float = 0.5) -> Plan:
    """Set the schedule to a cosine with linear warm-up.

    Args:
        plan: The plan below.
        warmup_epochs: Epochs of warm-up, at least 0.
    """
    return replace(plan, schedule=replace(plan.schedule, name="cosine", warmup_epochs=warmup_epochs))
