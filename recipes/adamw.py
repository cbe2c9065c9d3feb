"""AdamW: Adam with decoupled weight decay."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan

CARD = Card(
    items=("train.optimizer",),
    summary="Shrinks the weights a little at every step, apart from the gradient; norms and biases are left alone.",
    changes=("optimizer.name", "optimizer.weight_decay"),
    helps="Long trainings and large networks, which would fit the training set by heart.",
    hurts="Very short fine-tuning, where there is nothing to shrink yet; too much decay underfits.",
    cost="None measurable.",
    source="Loshchilov and Hutter 2019, arXiv:1711.05101, section 2.",
)


def adamw(plan: Plan, *, weight_decay: float = 0.01) -> Plan:
    """Set the optimiser to AdamW.

    Args:
        plan: The plan below.
        weight_decay: Decoupled decay, at least 0.
    """
    return replace(plan, optimizer=replace(plan.optimizer, name="adamw", weight_decay=weight_decay))
