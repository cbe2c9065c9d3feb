"""More epochs."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan, PlanError

CARD = Card(
    items=("train.epochs",),
    summary="Passes over the training samples more often.",
    changes=("fit.epochs",),
    reads=("fit.epochs",),
    suits=("any",),
    helps="When the training loss still falls at the end; together with augmentation and a schedule.",
    hurts="Few photographs without augmentation: the network learns them by heart.",
    cost="Training time grows with the number of epochs.",
    source="Touvron et al. 2022, arXiv:2204.07118, section 3; He et al. 2019, arXiv:1811.08883, section 3.",
)


def longer(plan: Plan, *, epochs: int = 10) -> Plan:
    """Set the number of epochs.

    Args:
        plan: The plan below.
        epochs: Passes over the training samples, more than the base has.

    Raises:
        PlanError: The base already trains as long.
    """
    if plan.fit.epochs > epochs:
        raise PlanError(f"the base already trains {plan.fit.epochs} epochs; ask for more with longer:epochs=…")
    return replace(plan, fit=replace(plan.fit, epochs=epochs))
