"""Layer-wise rates: the first layers learn more slowly than the last."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan

CARD = Card(
    items=("train.optimizer",),
    summary="Lets the learning rate fall by a factor a layer, from the classifier down to the first layers.",
    changes=("optimizer.layer_decay",),
    conflicts={"discriminative_rates": "each alone lowers the rates of the first layers"},
    helps="Fine-tuning of deep pretrained networks, transformers above all, whose first layers are good as they are.",
    hurts=(
        "Networks trained from nothing, whose first layers have most to learn; photographs far from those of "
        "pretraining; a rate that was right for the whole network may be too low then."
    ),
    cost="None measurable.",
    source="Clark et al. 2020, arXiv:2003.10555, section 3; Bao et al. 2022, arXiv:2106.08254, section 3.",
)


def layerwise_rates(plan: Plan, *, decay: float = 0.75) -> Plan:
    """Set the factor of the learning rate from each layer to the one below it.

    Args:
        plan: The plan below.
        decay: In (0, 1); with 18 layers, 0.75 leaves the first of them less than a hundredth of the rate.
    """
    return replace(plan, optimizer=replace(plan.optimizer, layer_decay=decay))
