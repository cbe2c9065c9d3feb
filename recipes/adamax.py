"""Adamax: Adam with the infinity norm."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan

CARD = Card(
    items=("train.optimizer",),
    summary="Scales each step by the largest recent gradient instead of their mean square.",
    changes=("optimizer.name",),
    helps="Gradients with rare large values, as embeddings and sparse features give.",
    hurts="When the rate suits Adam exactly: it may want up to twice as much.",
    cost="None measurable.",
    source="Kingma and Ba 2015, arXiv:1412.6980, section 7.1.",
)


def adamax(plan: Plan) -> Plan:
    """Set the optimiser to Adamax at the rate below."""
    return replace(plan, optimizer=replace(plan.optimizer, name="adamax"))
