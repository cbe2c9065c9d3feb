"""Test-time augmentation: average the probabilities of several views."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan, PlanError, Within

CARD = Card(
    items=("predict.tta",),
    summary=(
        "Predicts the clean image and further views through the training transforms, and averages their probabilities."
    ),
    changes=("predict.views", "predict.view_kind"),
    needs={"augment.transforms": "add augmentation to the stack, or use tta_flips, which needs none."},
    conflicts={"tta_flips": "both choose the views that are averaged"},
    suits=("any",),
    helps="Networks trained with augmentation; ranking metrics such as ROC AUC.",
    hurts="Views that the network was never shown; strong augmentation, whose views are worse than the clean image.",
    cost="Prediction takes as many passes as there are views; training none.",
    measured=(
        "Leaves, three seeds, on augmentation, adamw_cosine, label_smoothing and keep_aspect: better, +0.8 points of "
        "ROC AUC [0.0, +1.6]. docs/guide/study.md."
    ),
    source=(
        "Krizhevsky et al. 2012, section 4.1 (averaging over views); Shanmugam et al. 2021, arXiv:2011.11156, "
        "section 4 (when it hurts)."
    ),
)


def tta(plan: Plan, *, views: int = 5) -> Plan:
    """Set the number of augmented views.

    Args:
        plan: The plan below.
        views: All views, the clean image among them, in [2, 64].

    Raises:
        PlanError: The number is outside that range.
    """
    if views not in (allowed := Within(2, 64)):
        raise PlanError(f"views has to be {allowed}, not {views!r}.")
    return replace(plan, predict=replace(plan.predict, views=views, view_kind="augmented"))
