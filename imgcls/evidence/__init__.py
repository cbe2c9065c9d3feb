"""Evidence: what the predictions of a run are worth, image by image, and how sure that is."""

from imgcls.evidence.contributions import contributions
from imgcls.evidence.metrics import METRICS, PRIMARY, Metric, evaluate, majority_accuracy, wilson_interval

__all__ = ["METRICS", "PRIMARY", "Metric", "contributions", "evaluate", "majority_accuracy", "wilson_interval"]
