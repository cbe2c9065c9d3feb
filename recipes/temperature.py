"""Temperature: probabilities as sure as they are right."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan

CARD = Card(
    items=("predict.smoothing",),
    summary=(
        "Divides the logits by one number that is fitted to the predictions of validation, with several labels by one "
        "for each; the chosen class never changes."
    ),
    changes=("predict.calibration",),
    conflicts={"tuned_smoothing": "both calibrate by what validation shows"},
    helps="Log loss and decisions by probability, where a network is too sure, or not sure enough (label_smoothing).",
    hurts="Very few validation photographs, from which no temperature can be known. It changes no accuracy.",
    cost="None measurable: it is fitted to predictions that are there.",
    source="Guo et al. 2017, arXiv:1706.04599, section 4.2.",
)


def temperature(plan: Plan) -> Plan:
    """Fit a temperature to the predictions of validation.

    What is kept and scored has, fifth by fifth, the temperature of the other four fifths; every further prediction
    has the one fitted to all.
    """
    return replace(plan, predict=replace(plan.predict, calibration="temperature"))
