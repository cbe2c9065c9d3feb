"""Discriminative rates: the first half of the layers learns more slowly than the second."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan

CARD = Card(
    items=("train.optimizer",),
    summary="Gives the first half of the network's layers a fraction of the learning rate; the second half keeps it.",
    changes=("optimizer.early_factor",),
    conflicts={"layerwise_rates": "each alone lowers the rates of the first layers"},
    helps="Fine-tuning of pretrained networks, whose first layers hold edges and textures that are good as they are.",
    hurts=(
        "Networks trained from nothing, whose first layers have most to learn; photographs far from those of "
        "pretraining."
    ),
    cost="None measurable.",
    source="Howard and Ruder 2018, arXiv:1801.06146, section 3.2; Yosinski et al. 2014, arXiv:1411.1792, section 4.",
)


def discriminative_rates(plan: Plan, *, factor: float = 0.33) -> Plan:
    """Set the factor of the learning rate in the first half of the layers.

    Args:
        plan: The plan below.
        factor: In (0, 1); a third by default. Layers are counted as by layerwise_rates, blocks and the classifier.
    """
    return replace(plan, optimizer=replace(plan.optimizer, early_factor=factor))
