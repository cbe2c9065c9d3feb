"""Predictions of validation as they are scored: read from a record, and divided into what chooses and what judges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from imgcls.evidence.contributions import Booleans, Floats, Scored, scored
from imgcls.evidence.cross_fitting import Indices, parts_of
from imgcls.evidence.variance import group_numbers
from imgcls.records.run import RunRecord

if TYPE_CHECKING:
    from imgcls.data.samples import ProblemType
    from imgcls.records.blend import BlendRecord


@dataclass(frozen=True)
class Validated:
    """What a run or a blend says of the images that validate, and the truth."""

    ids: tuple[str, ...]
    """[n], the images."""
    labels: tuple[str, ...]
    """[n], their labels as they are shown."""
    probabilities: Floats
    """[n, k]."""
    targets: npt.NDArray[np.integer]
    """[n] class numbers; with several labels [n, k] of 0 and 1."""
    groups: tuple[str, ...] | None
    """[n], what varies together; None where images stand alone."""
    folds: Indices | None
    """[n], the fold in which each image validates; None for one split."""
    problem: ProblemType
    """`binary`, `multiclass` or `multilabel`."""
    classes: tuple[str, ...]
    """[k], in the order of the probabilities."""

    @classmethod
    def of(cls, record: RunRecord | BlendRecord) -> Self:
        """Read the predictions of validation, or those out of fold.

        Raises:
            RecordError: There are none, or they are damaged.
        """
        from imgcls.data.samples import as_targets  # loads pandas, which a list of metrics does not need

        frame = record.predictions("oof" if "oof.parquet" in record.files else "valid")
        return cls(
            ids=tuple(frame["id"].tolist()),
            labels=tuple(frame["label"].tolist()),
            probabilities=frame[[f"p_{name}" for name in record.classes]].to_numpy(dtype=np.float64),
            targets=as_targets(frame["label"], classes=record.classes, problem=record.problem),
            groups=tuple(frame["group"].tolist()) if "group" in frame.columns else None,
            folds=frame["fold"].to_numpy(dtype=np.intp) if "fold" in frame.columns else None,
            problem=record.problem,  # type: ignore[arg-type]
            classes=tuple(record.classes),
        )

    @property
    def n(self) -> int:
        """The number of images."""
        return len(self.ids)

    @property
    def scored(self) -> Scored:
        """The same as metrics take it."""
        return scored(self.probabilities, self.targets, problem=self.problem)

    @property
    def truth(self) -> Booleans:
        """[n, k], whether the image has the class."""
        return self.scored.truth

    def at(self, rows: Indices) -> Validated:
        """Return some of the images."""
        return replace(
            self,
            ids=tuple(self.ids[row] for row in rows),
            labels=tuple(self.labels[row] for row in rows),
            probabilities=self.probabilities[rows],
            targets=self.targets[rows],
            groups=None if self.groups is None else tuple(self.groups[row] for row in rows),
            folds=None if self.folds is None else self.folds[rows],
        )

    def turns(self) -> Iterator[tuple[Indices, Indices]]:
        """Yield the rows that choose and the rows that are held out: fold by fold, or a fifth of one split at a time.

        Raises:
            UsageError: All images of one split are one group.
        """
        groups = group_numbers(self.groups, n=self.n)
        parts = self.folds if self.folds is not None else parts_of(self.labels, groups)[1]
        for part in np.unique(parts):
            yield np.flatnonzero(parts != part), np.flatnonzero(parts == part)
