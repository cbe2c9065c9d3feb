"""Stochastic weight averaging: answer with the mean of the weights over the last part of training."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Op, Plan, PlanError, Within

CARD = Card(
    items=("train.model",),
    summary=(
        "Averages the weights evenly over all steps after a share of training, computes the statistics of batch "
        "normalisation again, and keeps and asks the average."
    ),
    changes=("fit.averaging",),
    conflicts={"ema": "each keeps an average of the weights of its own"},
    helps="A learning rate that stays high to the end, around whose wandering the mean lies flatter; longer trainings.",
    hurts=(
        "Trainings that still improve quickly, whose early weights spoil the mean; beside a schedule that ends near "
        "zero it adds little. Epochs before the last show the weights of training, so the last may jump."
    ),
    cost="A second copy of the weights, about 3 ms a step on a CPU, and one more pass over the training photographs.",
    source="Izmailov et al. 2018, arXiv:1803.05407, section 3; torch documentation, optim.swa_utils.",
)


def weight_averaging(plan: Plan, *, start: float = 0.5) -> Plan:
    """Average the weights after every step of the last part of training.

    Args:
        plan: The plan below.
        start: Share of the steps before the average begins, in [0, 1); 0 averages from the first step on.

    Raises:
        PlanError: It is outside that range.
    """
    if start not in (allowed := Within(0, 1, open_high=True)):
        raise PlanError(f"start has to be {allowed}, not {start!r}.")
    return replace(plan, fit=replace(plan.fit, averaging=Op("swa", start=start)))
