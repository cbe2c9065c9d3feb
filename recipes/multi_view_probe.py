"""Fit the classifier by logistic regression on frozen features of several views, and train nothing else."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan, PlanError, Within

CARD = Card(
    items=("train.model",),
    summary=(
        "A linear_probe whose classifier also sees other views of every photograph, those that augmentation would show "
        "in training."
    ),
    changes=("fit.classifier", "fit.classifier_views", "fit.epochs"),
    needs={"augment.transforms": "add augmentation to the stack, or use linear_probe, which needs none."},
    conflicts={
        "fine_tune": "one trains nothing after the regression, the other everything",
        "linear_probe": "both fit the classifier and train nothing else",
        "lp_ft": "one trains nothing after the regression, the other everything",
    },
    helps="As linear_probe does, where photographs are few and a class survives a mirror and a small turn.",
    hurts="As linear_probe does; and where direction is the class (text, arrows, digits).",
    cost="As many passes over the training photographs as there are views, and a regression on as many rows.",
    measured=(
        "128 photographs of fruit, five folds: 20 points of accuracy better than the baseline [+3, +37], and 0.6 "
        "ahead of linear_probe. Leaves, one seed: 4 points of ROC AUC behind the baseline, 3 ahead of "
        "linear_probe. docs/guide/study.md."
    ),
    source="Kornblith et al. 2019, arXiv:1805.08974, section 3; Krizhevsky et al. 2012, section 4.1 (views).",
)


def multi_view_probe(plan: Plan, *, views: int = 3) -> Plan:
    """Fit the classifier on several views and train no epoch.

    Args:
        plan: The plan below.
        views: Views of each photograph, the clean one among them, in [2, 64].

    Raises:
        PlanError: The number is outside that range.
    """
    if views not in (allowed := Within(2, 64)):
        raise PlanError(f"views has to be {allowed}, not {views!r}.")
    fit = replace(plan.fit, classifier="logistic_regression", classifier_views=views, epochs=0)
    return replace(plan, fit=fit)
