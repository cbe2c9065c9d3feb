"""What copies across splits do to a score, and what is left of it once the findings on them are applied."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from imgcls.data.grouping import ConnectedGroups
from imgcls.eda.facts import Pair
from imgcls.eda.features import extract_features
from imgcls.eda.findings import DuplicateFindings
from imgcls.eda.scan import Scan
from imgcls.engine.progress import Reporter

Rows = npt.NDArray[np.int64]

_STRENGTH = 0.1


@dataclass(frozen=True)
class Leak:
    """Accuracies of a linear probe on the validation images that are left once the findings are applied."""

    n: int
    """Those validation images."""
    with_leak: float
    """Accuracy where all of train is trained on."""
    without: float
    """Accuracy where what the findings exclude is left out."""
    n_leaked: int
    """Validation images of which a copy is in train."""
    leaked_with: float | None
    """Accuracy on these, their copies trained on."""
    leaked_without: float | None
    """Accuracy on these, their copies left out."""
    n_excluded: int
    """Images that the findings exclude, in all parts."""


def measure_leak(scan: Scan, pairs: Iterable[Pair], *, reporter: Reporter) -> Leak | None:
    """Train a linear probe on what the pretrained network sees, before and after the findings are applied.

    Args:
        scan: The data set, whose splits are given.
        pairs: What was found in it.
        reporter: Shows how far it is.

    Returns:
        The accuracies; None where there are no pretrained weights, or several labels at once.
    """
    pairs = list(pairs)
    features = extract_features(scan, most=len(scan.samples), reporter=reporter)
    if features is None or scan.samples.problem == "multilabel":
        return None
    frame = scan.samples.frame
    frozen = frozenset(frame["id"][frame["split"].isin(["valid", "test"])])
    found = DuplicateFindings(pairs, frozen, ConnectedGroups.of(scan.samples)).findings()
    excluded = {name for entry in found if entry.action == "exclude" for group in entry.groups for name in group}
    is_kept = ~frame["id"].isin(excluded).to_numpy() & scan.samples.is_labelled
    is_train, is_valid = ((frame["split"] == split).to_numpy() for split in ("train", "valid"))
    asked = np.flatnonzero(is_valid & is_kept)
    right = [
        _right(features.values, scan.samples.targets.astype(np.int64), np.flatnonzero(rows), asked)
        for rows in (is_train & scan.samples.is_labelled, is_train & is_kept)
    ]
    is_leaked = frame["id"].iloc[asked].isin(_in_train_too(pairs)).to_numpy()
    before, after = (float(each.mean()) for each in right)
    leaked = [float(each[is_leaked].mean()) if is_leaked.any() else None for each in right]
    return Leak(len(asked), before, after, int(is_leaked.sum()), leaked[0], leaked[1], len(excluded))


def _in_train_too(pairs: Iterable[Pair]) -> set[str]:
    """Return the ids of validation images that are paired with a training image."""
    ends = ({pair.splits[0]: pair.first, pair.splits[1]: pair.second} for pair in pairs)
    return {by_split["valid"] for by_split in ends if by_split.keys() == {"train", "valid"}}


def _right(values: npt.NDArray[np.float32], targets: Rows, rows: Rows, asked: Rows) -> npt.NDArray[np.bool_]:
    """Train on some images, and tell for each of others whether the answer is right."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=_STRENGTH, max_iter=1000))
    return np.asarray(probe.fit(values[rows], targets[rows]).predict(values[asked]) == targets[asked])
