"""Balanced sampling: rare classes are shown as often as frequent ones."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan

CARD = Card(
    items=("train.loss",),
    summary="Draws each epoch's training samples with replacement, so that every class is as likely.",
    changes=("fit.sampler",),
    conflicts={"class_weights": "each alone makes classes count alike"},
    helps="Imbalanced classes when recall of the rare ones matters; with augmentation, so that repeats are not copies.",
    hurts=(
        "Plain accuracy and calibrated probabilities; very rare classes, whose few photographs are learned by heart, "
        "while more than a third of the frequent ones is not shown in an epoch."
    ),
    cost="None measurable: an epoch stays as long.",
    source="Buda et al. 2018, arXiv:1710.05381, section 2.1; Japkowicz and Stephen 2002, doi:10.3233/IDA-2002-6504.",
)


def balanced_sampling(plan: Plan) -> Plan:
    """Draw every class equally often; an image with several labels counts by its rarest one."""
    return replace(plan, fit=replace(plan.fit, sampler="balanced"))
