"""Labels that predictions out of fold speak against, found by cleanlab (Northcutt et al. 2021, arXiv:1911.00068)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from imgcls.errors import UsageError

if TYPE_CHECKING:
    from imgcls.evidence.contributions import Booleans, Floats
    from imgcls.evidence.cross_fitting import Indices
    from imgcls.evidence.validated import Validated


@dataclass(frozen=True)
class Doubts:
    """How far predictions speak against labels."""

    rows: Indices
    """The images whose labels are thought wrong, the most doubtful first."""
    of_label: Floats
    """[n], the probability of the label; with several labels that of the one that is doubted most."""
    of_other: Floats
    """[n], the probability of what the image looks like instead."""
    other: Booleans
    """[n, k], the classes of what it looks like instead: the most probable other one; with several labels those of the
    image with the one changed that is doubted most."""


def label_doubts(images: Validated) -> Doubts:
    """Find the images whose labels are thought wrong, and rank them.

    How many there are is cleanlab's estimate, from how often one class is confidently taken for another; which ones are
    those whose label has the lowest probability. With several labels every class is such a question of its own.

    Args:
        images: With predictions out of fold.

    Raises:
        UsageError: They are not out of fold, or cleanlab is not installed.
    """
    if images.folds is None:
        raise UsageError(
            "A network speaks for the labels that it was trained on, wrong ones too: suspects need predictions out of "
            "fold, such as 'imgcls recipe run STACK --folds 5' makes."
        )
    truth, probabilities, each = images.truth, images.probabilities, np.arange(images.n)
    if images.problem == "multilabel":
        supported = np.where(truth, probabilities, 1 - probabilities)
        pairs = [np.stack([1 - column, column], axis=1) for column in probabilities.T]
        found = [_wrong(labels.astype(np.intp), pair) for labels, pair in zip(truth.T, pairs, strict=True)]
        wrong = np.stack(found, axis=1).any(axis=1)
        doubted = supported.argmin(axis=1)
        of_label = supported[each, doubted]
        of_other, other = 1 - of_label, truth.copy()
        other[each, doubted] ^= True
    else:
        labels, others = truth.argmax(axis=1), np.where(truth, -1.0, probabilities)
        wrong = _wrong(labels, probabilities)
        likely = others.argmax(axis=1)
        of_label, of_other = probabilities[each, labels], probabilities[each, likely]
        other = likely[:, None] == np.arange(len(images.classes))
    rows = np.flatnonzero(wrong)
    return Doubts(rows[np.argsort(of_label[rows], kind="stable")], of_label, of_other, other)


def _wrong(labels: npt.NDArray[np.intp], probabilities: Floats) -> Booleans:
    """Return which labels are thought wrong, [n]; none where all are the same."""
    try:
        from cleanlab.filter import find_label_issues
    except ImportError as problem:
        raise UsageError("Looking for suspect labels needs cleanlab: pip install 'imgcls[labels]'") from problem
    if len(np.unique(labels)) < 2:
        return np.zeros(len(labels), dtype=bool)
    found: Booleans = find_label_issues(labels, probabilities, filter_by="low_self_confidence", n_jobs=1)
    return found
