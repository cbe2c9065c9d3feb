"""Metrics as people name and read them: which there are, which one decides, their titles, units and figures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
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
DEFAULT_THRESHOLD = 0.5
"""From which probability on an image has a label, where nobody decided otherwise."""
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
    """Return the metric in which a run has to beat the answer that needs no photograph: ROC AUC or accuracy.

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
    """Return a metric as it stands within a sentence: `accuracy`, `macro F1`, `ROC AUC`."""
    title = TITLES.get(metric, metric)
    return title if title.isupper() else title[:1].lower() + title[1:]


@dataclass(frozen=True)
class Units:
    """How the numbers of a metric are written, wherever people read them: 0.845, and a gain of +1.2 points.

    A point is a hundredth of the metric. Log loss has a unit of its own, nats, for scores and gains alike.
    """

    metric: str
    """The metric."""

    @property
    def title(self) -> str:
        """Return the metric as the title of a column."""
        return TITLES.get(self.metric, self.metric)

    @property
    def is_loss(self) -> bool:
        """Whether lower values are better."""
        return self.metric == "log_loss"

    @property
    def name(self) -> str:
        """Return the unit of gains."""
        return "nats" if self.is_loss else "points"

    @property
    def explained(self) -> str:
        """Describe what the unit is, and which way is better."""
        if self.is_loss:
            return "Log loss is in nats, lower is better. A gain is a drop in log loss: above 0 is better."
        return f"A point is 0.01 of {in_words(self.metric)}: from 0.80 to 0.81. A gain above 0 is better."

    def score(self, value: float | None) -> str:
        """Write a score: `0.845`; `-` where there is none."""
        return "-" if value is None else f"{value:.3f}"

    def score_interval(self, low: float | None, high: float | None) -> str:
        """Write the interval of a score, `[0.812, 0.871]`; nothing where there is none."""
        return "" if low is None or high is None else f"[{self.score(low)}, {self.score(high)}]"

    def spread(self, value: float | None) -> str:
        """Write a standard deviation with its unit: `0.4 points`; `-` where there is none."""
        return "-" if value is None else self.amount(value)

    def gain(self, value: float) -> str:
        """Write a gain with its sign and without its unit, as in a column: `+1.3`."""
        return f"{round(self.scaled(value), self._digits) + 0.0:+.{self._digits}f}"

    def interval(self, low: float, high: float) -> str:
        """Write an interval of gains by its ends: `[+0.4, +2.1]`; no further than a gain can go."""
        return f"[{self.gain(self.possible(low))}, {self.gain(self.possible(high))}]"

    def possible(self, gain: float) -> float:
        """Return the end of an interval of gains within what can be: a score in [0, 1] gains or loses 1 at the most."""
        return gain if self.is_loss else min(1.0, max(-1.0, gain))

    def gain_text(self, value: float, low: float | None, high: float | None, *, with_metric: bool = False) -> str:
        """Write a gain with its unit and its interval, where it has one: `+1.3 points [+0.4, +2.1]`.

        Args:
            value: The gain.
            low: Lower end of the 95 % interval.
            high: Upper end of it.
            with_metric: Whether the metric is named: `+1.3 points of accuracy [+0.4, +2.1]`.
        """
        interval = "" if low is None or high is None else f" {self.interval(low, high)}"
        of = f" of {in_words(self.metric)}" if with_metric else ""
        return f"{self.gain(value)} {self.name}{of}{interval}"

    def amount(self, value: float) -> str:
        """Write the size of a gain, without a sign: `1.8 points`."""
        return f"{self.scaled(value):.{self._digits}f} {self.name}"

    def scaled(self, value: float) -> float:
        """Return a gain in its unit."""
        return value if self.is_loss else 100 * value

    @property
    def _digits(self) -> int:
        return 3 if self.is_loss else 1
