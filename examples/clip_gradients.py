"""Gradient clipping: no step may be larger than a given norm. A recipe of one's own, in a file of its own."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan

CARD = Card(
    items=("train.optimizer",),
    summary="Scales a gradient down to a given norm where it is longer.",
    changes=("fit.clip_norm",),
    helps="Losses that jump, high learning rates, transformers.",
    hurts="At a low norm it is a lower learning rate in disguise, and hides a rate that is too high.",
    cost="A pass over the gradients each step: a few per cent of it.",
    source="Pascanu et al. 2013, arXiv:1211.5063, section 3.2",
)


def clip_gradients(plan: Plan, *, norm: float = 1.0) -> Plan:
    """Set the largest norm of the gradient.

    Args:
        plan: The plan below.
        norm: Of all gradients together, above 0.
    """
    return replace(plan, fit=replace(plan.fit, clip_norm=norm))
