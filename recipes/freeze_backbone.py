"""Train the classifier only; the network under it stays as it came."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan

CARD = Card(
    items=("train.model",),
    summary="Keeps all but the classifier frozen, weights and running statistics, for some epochs or for all.",
    changes=("fit.freeze_epochs",),
    conflicts={"freeze_stages": "one freezes all but the classifier, the other the first stages only"},
    helps="Very few photographs; photographs like those the network was trained on; when time is short.",
    hurts="Photographs unlike ImageNet's, when there are enough of them to learn from.",
    cost="Saves time: no gradients flow through the frozen part.",
    source="Kornblith et al. 2019, arXiv:1805.08974, section 4; Kumar et al. 2022, arXiv:2202.10054, section 3.",
)


def freeze_backbone(plan: Plan, *, epochs: int | None = None) -> Plan:
    """Freeze everything below the classifier.

    Args:
        plan: The plan below.
        epochs: First epochs in which the freeze holds, at least 1; None for all of them.
    """
    return replace(plan, fit=replace(plan.fit, freeze_epochs="all" if epochs is None else epochs))
