"""Evidence: what the predictions of a run are worth, image by image, and how sure that is."""

from imgcls.evidence.compare import gain, verdict
from imgcls.evidence.contributions import contributions
from imgcls.evidence.metrics import METRICS, PRIMARY, Metric, evaluate, majority_accuracy, wilson_interval
from imgcls.evidence.verdicts import Judged, judge

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
