"""Focal loss: count less what the network is sure of already."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan

CARD = Card(
    items=("train.loss",),
    summary=(
        "Weighs the training loss of each image by how unsure the network is of its label, so that hard ones count; "
        "the validation loss stays plain."
    ),
    changes=("loss.name", "loss.gamma"),
    helps="Many easy photographs beside few hard ones; rare labels among several; over-confident probabilities.",
    hurts=(
        "Noisy labels, which stay hard and then count most; log loss, since probabilities become too timid; short "
        "trainings, in which everything is still hard and the gradient is only smaller. label_smoothing, class_weights "
        "and mixing act inside it, and soften or weigh the same targets again."
    ),
    cost="None measurable.",
    source="Lin et al. 2017, arXiv:1708.02002, section 3.2; Mukhoti et al. 2020, arXiv:2002.09437, section 4.",
)


def focal_loss(plan: Plan, *, gamma: float = 2.0) -> Plan:
    """Set the loss to −(1 − p)^γ log p: of a softmax for one label an image, of sigmoids for several.

    Args:
        plan: The plan below.
        gamma: At least 0; 0 is the plain loss. At 2, an answer with p = 0.9 counts a hundredth of what it did.
    """
    return replace(plan, loss=replace(plan.loss, name="focal", gamma=gamma))
