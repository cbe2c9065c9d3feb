"""One cycle: the rate rises for a quarter of the training and falls to almost nothing."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan

CARD = Card(
    items=("train.scheduler",),
    summary="fastai's one-cycle course of learning rate and momentum over the whole training.",
    changes=("schedule.name",),
    helps="Short trainings at a high peak rate.",
    hurts="When the peak rate is already the largest the network bears; when training is continued later.",
    cost="None measurable.",
    source="Smith and Topin 2018, arXiv:1708.07120, section 3; fastai documentation, fit_one_cycle.",
)


def one_cycle(plan: Plan) -> Plan:
    """Set the schedule to one cycle, with the plan's learning rate as its peak."""
    return replace(plan, schedule=replace(plan.schedule, name="one_cycle"))
