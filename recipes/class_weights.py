"""Class weights: rare classes count as much as frequent ones."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan

CARD = Card(
    items=("train.loss",),
    summary=(
        "Weighs each class in the training loss, and in the regression that fits a classifier, by the inverse of its "
        "share of the training samples."
    ),
    changes=("loss.class_weights",),
    conflicts={"balanced_sampling": "each alone makes classes count alike"},
    suits=("uneven_classes",),
    helps="Imbalanced classes when recall of the rare ones matters: balanced accuracy, macro F1.",
    hurts="Plain accuracy and calibrated probabilities: the network then expects a balanced world.",
    cost="None measurable.",
    measured=(
        "On 783 garments of children, 8:1, three seeds, balanced accuracy: with freeze_stages and fine_tune 0.772, "
        "likely better than the baseline by 16 points [-1, +33], without weights 0.528; with linear_probe 0.679 "
        "instead of 0.556; on the baseline alone -3 points [-18, +11]. docs/guide/study.md."
    ),
    source=(
        "King and Zeng 2001, doi:10.1093/oxfordjournals.pan.a004868, section 4; scikit-learn documentation, "
        "class_weight='balanced'."
    ),
)


def class_weights(plan: Plan) -> Plan:
    """Weigh the classes by the inverse of their frequency."""
    return replace(plan, loss=replace(plan.loss, class_weights="balanced"))
