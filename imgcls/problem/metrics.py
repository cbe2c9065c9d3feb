"""The names of the metrics, and the one that decides where a problem does not name its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

MetricName = Literal["accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "average_precision", "log_loss"]
"""What `imgcls.evidence.metrics.METRICS` computes."""

METRIC_NAMES: tuple[str, ...] = get_args(MetricName)
PRIMARY: Mapping[str, MetricName] = MappingProxyType(
    {"binary": "roc_auc", "multiclass": "accuracy", "multilabel": "roc_auc"}
)
"""From the kind of problem to its metric."""
