"""Label smoothing: train towards slightly softened targets."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan

CARD = Card(
    items=("train.loss",),
    summary="Softens one-hot targets by a small uniform share; the validation loss stays plain.",
    changes=("loss.smoothing",),
    helps="Many classes, noisy labels, over-confident probabilities.",
    hurts="When raw confidence ranks examples; as a distillation teacher; on top of strong mixup.",
    cost="None measurable.",
    source="Szegedy et al. 2016, arXiv:1512.00567, section 7; Müller et al. 2019, arXiv:1906.02629 (when it hurts).",
)


def label_smoothing(plan: Plan, *, smoothing: float = 0.1) -> Plan:
    """Set the share of probability spread evenly over all classes.

    Args:
        plan: The plan below.
        smoothing: In [0, 1).
    """
    return replace(plan, loss=replace(plan.loss, smoothing=smoothing))
