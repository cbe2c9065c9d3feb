"""Prediction smoothing: take a little certainty from rows that are over-confident."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan

CARD = Card(
    items=("predict.smoothing",),
    summary=(
        "Mixes a small uniform share into rows whose largest probability is above a threshold; the chosen "
        "class never changes."
    ),
    changes=("predict.smoothing", "predict.smoothing_threshold"),
    conflicts={"tuned_smoothing": "one sets share and threshold, the other chooses them"},
    helps="Log loss, which a single confident mistake can ruin.",
    hurts="Well calibrated probabilities: certainty that was deserved is taken too.",
    cost="None.",
    source=(
        "The clipping of probabilities under log loss, as practised in competitions; compare Guo et al. 2017, "
        "arXiv:1706.04599, section 4."
    ),
)


def prediction_smoothing(plan: Plan, *, alpha: float = 0.001, threshold: float = 0.999) -> Plan:
    """Set how much over-confident rows give away, and what is over-confident.

    Args:
        plan: The plan below.
        alpha: Share given to all classes evenly, in [0, 0.5].
        threshold: Rows whose largest probability is above this are smoothed, in [0.5, 1].
    """
    return replace(plan, predict=replace(plan.predict, smoothing=alpha, smoothing_threshold=threshold))
