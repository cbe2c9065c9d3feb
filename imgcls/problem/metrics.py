"""The names of the metrics, and the one that decides where a problem does not name its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Literal, get_args

MetricName = Literal["accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "average_precision", "log_loss"]
"""What `imgcls.evidence.metrics.METRICS` computes."""

METRIC_NAMES: tuple[str, ...] = get_args(MetricName)
PRIMARY: Mapping[str, MetricName] = MappingProxyType(
    {"binary": "roc_auc", "multiclass": "accuracy", "multilabel": "roc_auc"}
)
"""From the kind of problem to its metric."""
RANKING = frozenset({"roc_auc", "average_precision"})
"""Metrics of the order of probabilities, which no threshold and no share of a class moves."""
TITLES: Mapping[str, str] = MappingProxyType(
    {
        "accuracy": "Accuracy",
        "balanced_accuracy": "Balanced accuracy",
        "macro_f1": "Macro F1",
        "roc_auc": "ROC AUC",
        "average_precision": "Average precision",
        "log_loss": "Log loss",
    }
)
"""From the name of a metric to how people call it."""


def decided_by(metric: str | None, kind: str, *, known: Collection[str]) -> str:
    """Give the metric in which a run has to beat the answer that needs no photograph: ROC AUC or accuracy.

    Where a rare class is to be found, always naming the other one has an accuracy that hardly any network exceeds,
    however well it ranks; so what is judged by its ranking is compared with ranking at random.

    Args:
        metric: What decides; None for that of the kind of problem.
        kind: `binary`, `multiclass` or `multilabel`.
        known: Metrics whose interval is known: a ranking without a fault has none, and accuracy tells of it then.
    """
    ranks = (metric or PRIMARY[kind]) in RANKING and "roc_auc" in known
    return "roc_auc" if ranks or kind == "multilabel" else "accuracy"


def in_words(metric: str) -> str:
    """Give a metric as it stands within a sentence: `accuracy`, `macro F1`, `ROC AUC`."""
    title = TITLES.get(metric, metric)
    return title if title.isupper() else title[:1].lower() + title[1:]
