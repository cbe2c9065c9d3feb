"""Evidence: what the predictions of a run are worth, image by image, and with what confidence."""

from imgcls.config.problem import PRIMARY
from imgcls.evidence.contributions import contributions
from imgcls.evidence.metrics import METRICS, Metric, evaluate, majority_accuracy, wilson_interval
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
