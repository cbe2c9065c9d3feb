"""What one run's validation predictions say in words: against the trivial answer, and where they are most wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imgcls.evidence.metrics import majority_accuracy
from imgcls.problem.metrics import decided_by
from imgcls.records.estimate import Estimate


@dataclass(frozen=True)
class Mistake:
    """One image on which the network is sure of the wrong answer."""

    id: str
    """The sample's id."""
    label: str
    """Its label; classes joined by "|" where it has several."""
    predicted: str
    """What the network says; for several labels, the class it is most wrong about."""
    confidence: float
    """How sure it is of the wrong answer, in [0, 1]."""


@dataclass(frozen=True)
class Trivial:
    """How a run stands against the answer that needs no photograph."""

    name: str
    """What that answer is."""
    metric: str
    """The metric in which the two are compared."""
    value: float
    """What that answer scores."""
    verdict: str
    """`better`, `no better`, or `cannot tell`."""


def confident_mistakes(
    ids: Sequence[str],
    probabilities: npt.NDArray[np.float64],
    targets: npt.NDArray[np.integer],
    *,
    classes: Sequence[str],
    labels: Sequence[str],
    most: int = 5,
) -> list[Mistake]:
    """Find the most confident mistakes.

    Args:
        ids: [n] names.
        probabilities: [n, k].
        targets: [n] class numbers, or [n, k] of 0 and 1.
        classes: [k] names.
        labels: [n], as they are shown.
        most: How many at the most.

    Returns:
        The surest first; ties in the order of the samples.
    """
    rows = np.arange(len(ids))
    if targets.ndim == 2:
        surety = np.where(targets == 1, 1 - probabilities, probabilities)
        worst = surety.argmax(axis=1)
        sure, wrong = surety[rows, worst], surety[rows, worst] > 0.5
        said = [
            f"{'no ' if targets[row, place] == 1 else ''}{classes[place]}"
            for row, place in zip(rows, worst, strict=True)
        ]
    else:
        chosen = probabilities.argmax(axis=1)
        sure, wrong = probabilities[rows, chosen], chosen != targets
        said = [classes[place] for place in chosen]
    order = [row for row in np.argsort(-sure, kind="stable") if wrong[row]][:most]
    return [Mistake(ids[row], labels[row], said[row], float(sure[row])) for row in order]


def against_trivial(
    metrics: Mapping[str, Estimate],
    targets: npt.NDArray[np.integer],
    *,
    classes: Sequence[str],
    metric: str | None = None,
) -> Trivial | None:
    """Compare a run with always giving the most frequent class, or with ranking at random.

    Args:
        metrics: The run's estimates by name.
        targets: [n] class numbers, or [n, k] of 0 and 1, of the same images.
        classes: [k] names.
        metric: What decides: accuracy says little of one that ranks, see `decided_by`. None for that of the problem.

    Returns:
        The comparison; None where the run's own score could not be computed.
    """
    kind = "multilabel" if targets.ndim == 2 else "binary" if len(classes) == 2 else "multiclass"
    judged = decided_by(metric, kind, known=[name for name, one in metrics.items() if one.low is not None])
    if judged == "roc_auc":
        name, value = "ranking at random", 0.5
    else:
        most = classes[int(np.bincount(targets, minlength=len(classes)).argmax())]
        name, value = f"always saying {most!r}", majority_accuracy(targets)
    scored = metrics.get(judged)
    if scored is None or scored.value is None:
        return None
    if scored.low is None or scored.low <= value < scored.value:
        verdict = "cannot tell"
    else:
        verdict = "better" if scored.low > value else "no better"
    return Trivial(name, judged, value, verdict)
