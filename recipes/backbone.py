"""Backbone: another network, at the size and the rate that go with it."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.networks import pretrained_size_px, usual_rate
from imgcls.plan import Plan, PlanError

CARD = Card(
    items=("train.model",),
    summary="Takes another pretrained network, with images of the size that it was pretrained on and a rate that fits.",
    changes=("model.name", "images.size_px", "optimizer.learning_rate"),
    helps="When the baseline underfits, or time allows a larger network; fine detail, which a larger size shows.",
    hurts=(
        "When time is short: the size alone makes a step three times as long as at 128 px. Few photographs, which a "
        "large network learns by heart. It changes three things at once, so its gain is not that of the network alone."
    ),
    cost="That of the network and its size: a step of convnext_atto at 224 px takes twice that of the baseline.",
    source=(
        "Kornblith et al. 2019, arXiv:1805.08974, section 4; Liu et al. 2022, arXiv:2201.03545, section 2 (ConvNeXt); "
        "timm documentation, pretrained_cfg."
    ),
)


def backbone(
    plan: Plan, *, name: str = "convnext_atto", size: int | None = None, learning_rate: float | None = None
) -> Plan:
    """Set the network, the side of its images and its learning rate.

    Args:
        plan: The plan below.
        name: A timm name or `torchvision:NAME`; others need a size.
        size: Side of the images, pixels in [8, 4096]; None for that of its pretraining.
        learning_rate: Peak rate, above 0; None for 1e-3 with batch normalisation and 1e-4 without.

    Raises:
        PlanError: No size is given and none is known.
    """
    size_px = pretrained_size_px(name) if size is None else size
    if size_px is None:
        raise PlanError(f"{name} has no pretrained configuration to take a size from; give backbone:name={name},size=…")
    rate = usual_rate(name) if learning_rate is None else learning_rate
    return replace(
        plan,
        model=replace(plan.model, name=name),
        images=replace(plan.images, size_px=size_px),
        optimizer=replace(plan.optimizer, learning_rate=rate),
    )
