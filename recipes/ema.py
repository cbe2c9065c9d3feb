"""EMA: keep a moving average of the weights, and answer with it."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Op, Plan, PlanError, Within

CARD = Card(
    items=("train.model",),
    summary="Averages the weights over the last steps of training; the average is validated, kept and asked.",
    changes=("fit.averaging",),
    conflicts={"weight_averaging": "each keeps an average of the weights of its own"},
    helps="A learning rate that is high to the end; small batches, whose steps are noisy; less spread between epochs.",
    hurts=(
        "Trainings of a few dozen steps, whose last weights are the best by far; beside a schedule that ends near "
        "zero it adds little."
    ),
    cost="A second copy of the weights, and about 3 ms a step on a CPU for the network of the baseline.",
    source="Tarvainen and Valpola 2017, arXiv:1703.01780, section 3; timm documentation, ModelEmaV3.",
)


def ema(plan: Plan, *, decay: float = 0.999) -> Plan:
    """Average the weights exponentially, with a decay that rises from 0 as training goes on.

    Args:
        plan: The plan below.
        decay: The highest decay, in (0, 1); 0.999 is reached after 31,600 steps, 0.99 after 1,000, 0.9 after 32.

    Raises:
        PlanError: It is outside that range.
    """
    if decay not in (allowed := Within(0, 1, open_low=True, open_high=True)):
        raise PlanError(f"decay has to be {allowed}, not {decay!r}.")
    return replace(plan, fit=replace(plan.fit, averaging=Op("ema", decay=decay)))
