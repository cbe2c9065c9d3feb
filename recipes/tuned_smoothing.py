"""Tuned smoothing: prediction smoothing whose share and threshold are chosen on validation."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.plan import Plan

CARD = Card(
    items=("predict.smoothing",),
    summary=(
        "Chooses share and threshold of prediction smoothing by the log loss of validation; the chosen class never "
        "changes."
    ),
    changes=("predict.calibration",),
    conflicts={
        "temperature": "both calibrate by what validation shows",
        "prediction_smoothing": "one sets share and threshold, the other chooses them",
    },
    helps="Log loss, which a single confident mistake can ruin.",
    hurts="Very few validation photographs, from which nothing can be chosen. It changes no accuracy.",
    cost="None measurable: 32 pairs are tried on predictions that are there.",
    source="As prediction_smoothing; the choice by cross-fitting: docs/guide/blends.md.",
)


def tuned_smoothing(plan: Plan) -> Plan:
    """Choose share and threshold of prediction smoothing on the predictions of validation.

    What is kept and scored has, fifth by fifth, what was best on the other four fifths; every further prediction has
    what is best on all.
    """
    return replace(plan, predict=replace(plan.predict, calibration="smoothing"))
