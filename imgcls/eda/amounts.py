"""How often each class occurs, and what that means for the metric."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from imgcls.data.samples import Samples
from imgcls.eda.facts import ClassFacts, ImbalanceFacts
from imgcls.evidence import METRICS, majority_accuracy, wilson_interval

LABELLED_SPLITS = ("train", "valid")
"""The splits whose labels are looked at; those of test are sealed."""
UNEVEN = 3.0
"""From this ratio of the largest class to the smallest on, the two are spoken of."""
_RECALL = 0.8
_FLATTERING = 0.5


def class_facts(samples: Samples) -> tuple[ClassFacts, ...]:
    """Count the classes in train and valid; for several labels an image counts in each of its classes."""
    counts = {split: class_counts(samples, split) for split in LABELLED_SPLITS}
    n_labelled = sum(len(labelled_rows(samples, split)) for split in LABELLED_SPLITS)
    return tuple(
        ClassFacts(
            name=name,
            n={split: int(counts[split][place]) for split in LABELLED_SPLITS},
            share=float(sum(counts[split][place] for split in LABELLED_SPLITS) / max(1, n_labelled)),
        )
        for place, name in enumerate(samples.classes)
    )


def class_counts(samples: Samples, split: str) -> npt.NDArray[np.int64]:
    """Count the classes of one split, int64 [n_classes]."""
    targets = samples.targets[labelled_rows(samples, split)]
    if samples.problem == "multilabel":
        return np.asarray(targets.sum(axis=0), dtype=np.int64)
    return np.bincount(targets.astype(np.int64), minlength=samples.n_classes)


def labelled_rows(samples: Samples, split: str) -> npt.NDArray[np.int64]:
    """Give the rows of one split whose label is known, int64 [n]."""
    return np.flatnonzero((samples.frame["split"] == split).to_numpy() & samples.is_labelled).astype(np.int64)


def occurring_together(samples: Samples) -> tuple[tuple[int, ...], ...]:
    """Count how often each two classes occur together outside test, [n_classes][n_classes]; () with one label each."""
    if samples.problem != "multilabel":
        return ()
    rows = np.concatenate([labelled_rows(samples, split) for split in LABELLED_SPLITS])
    targets = samples.targets[rows].astype(np.int64)
    return tuple(tuple(int(n) for n in row) for row in targets.T @ targets)


def imbalance_facts(samples: Samples, *, metric: str) -> ImbalanceFacts:
    """Say what the shares of the classes mean for a metric.

    Args:
        samples: Split.
        metric: One of `imgcls.evidence.METRICS`.
    """
    counts = np.sum([class_counts(samples, split) for split in LABELLED_SPLITS], axis=0)
    shown = np.flatnonzero(counts)
    if not shown.size:
        return ImbalanceFacts(
            ratio=1.0,
            rarest=samples.classes[0] if samples.classes else "",
            n_valid_rarest=0,
            half_width=None,
            majority_score=0.0,
            meaning="There are no labelled images outside test.",
        )
    rarest = int(shown[np.argmin(counts[shown])])
    n_valid = int(class_counts(samples, "valid")[rarest])
    ratio = float(counts.max() / counts[rarest])
    half_width = recall_half_width(n_valid)
    majority = _majority_score(samples)
    return ImbalanceFacts(
        ratio=ratio,
        rarest=samples.classes[rarest],
        n_valid_rarest=n_valid,
        half_width=half_width,
        majority_score=majority,
        meaning=_meaning(metric, ratio=ratio, majority=majority, n_valid=n_valid, half_width=half_width),
    )


def recall_half_width(n: int) -> float | None:
    """Give half the width of the 95 % interval of a recall of 0.8 measured on n images; None without any."""
    if not n:
        return None
    low, high = wilson_interval(round(_RECALL * n), n)
    return (high - low) / 2


def _majority_score(samples: Samples) -> float:
    rows = labelled_rows(samples, "valid")
    return majority_accuracy(samples.targets[rows if len(rows) else labelled_rows(samples, "train")])


def _meaning(metric: str, *, ratio: float, majority: float, n_valid: int, half_width: float | None) -> str:
    title = METRICS[metric].title
    about = "The classes are about equally frequent." if ratio < UNEVEN else _uneven(metric, majority)
    if half_width is None:
        return f"{about} The rarest class has no validation image: its recall is not measured, whatever {title} says."
    images = "1 validation image" if n_valid == 1 else f"{n_valid} validation images"
    return (
        f"{about} The rarest class has {images}: a recall of {_RECALL:g} is then known to ± {half_width:.2f} at 95 %."
    )


def _uneven(metric: str, majority: float) -> str:
    """Say what uneven classes mean for a metric."""
    if metric == "accuracy" and majority < _FLATTERING:
        return "Accuracy counts every image alike, so that the rarest classes hardly move it."
    return _UNEVEN[metric].format(majority=majority)


_UNEVEN = {
    "accuracy": "Accuracy flatters here: always naming the most frequent class scores {majority:.2f} already.",
    "balanced_accuracy": "Balanced accuracy counts every class alike, so that the rarest ones move it most.",
    "macro_f1": "Macro F1 counts every class alike, so that the rarest ones move it most.",
    "roc_auc": (
        "ROC AUC does not depend on how frequent a class is, but it hides how many false alarms a rare one costs; "
        "accuracy would be {majority:.2f} for always naming the most frequent class."
    ),
    "average_precision": "Average precision of guessing is the share of the class, so it is low for rare ones.",
    "log_loss": "Log loss is mostly that of the frequent classes; a rare one may be missed at little cost.",
}
"""What uneven classes mean for each metric."""
