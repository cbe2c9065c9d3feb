"""Evidence: metrics, gains, their intervals and the verdicts on them, from predictions image by image."""

from imgcls.config.metrics import METRICS, PRIMARY, Metric
from imgcls.evidence.contributions import contributions
from imgcls.evidence.metrics import evaluate, majority_accuracy, wilson_interval
from imgcls.evidence.verdicts import Judged, gain, judge, verdict

__all__ = [
    "METRICS",
    "PRIMARY",
    "Judged",
    "Metric",
    "contributions",
    "evaluate",
    "gain",
    "judge",
    "majority_accuracy",
    "verdict",
    "wilson_interval",
]
