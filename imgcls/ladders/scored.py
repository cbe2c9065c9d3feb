"""From the records of runs to contributions: every run scored on the same images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from imgcls.data.samples import as_targets
from imgcls.errors import RecordError
from imgcls.evidence.contributions import contributions
from imgcls.evidence.scored import Floats
from imgcls.evidence.spread import group_numbers
from imgcls.records.run import RunRecord


@dataclass(frozen=True, eq=False)
class Board:
    """The predictions of several runs on the images that all of them were scored on."""

    ids: tuple[str, ...]
    """[n] names of the images."""
    labels: tuple[str, ...]
    """[n] labels as recorded."""
    targets: npt.NDArray[np.int64] | npt.NDArray[np.uint8]
    """[n] class numbers, or [n, k] of 0 and 1."""
    groups: npt.NDArray[np.intp] | None
    """[n] numbers of groups; None where images stand alone."""
    probabilities: Mapping[str, Floats]
    """Key of the run → [n, k]."""
    notes: tuple[str, ...]
    """What a person should know, such as images that not every run was scored on."""
    problem: str
    """`binary`, `multiclass` or `multilabel`."""

    def contributions(self, metric: str, keys: Sequence[str]) -> Floats:
        """Give the contributions [runs, images] of some runs to a metric.

        Raises:
            UsageError: The metric cannot be computed on these images.
        """
        problem = self.problem
        return np.stack(
            [
                contributions(metric, self.probabilities[key], self.targets, problem=problem)  # type: ignore[arg-type]
                for key in keys
            ]
        )


def board(records: Sequence[RunRecord]) -> Board:
    """Put the validation predictions of runs side by side.

    Args:
        records: Runs on the same data, classes and split; at least one.

    Raises:
        RecordError: A file is damaged, or the runs disagree on the label of an image.
    """
    first = records[0]
    frames = {record.key: _indexed(record) for record in records}
    common = frames[first.key].index
    for frame in frames.values():
        common = common.intersection(frame.index, sort=False)
    most = max(len(frame) for frame in frames.values())
    notes = [] if len(common) == most else [f"Only the {len(common)} of {most} images that all runs have are compared."]
    if not len(common):
        raise RecordError("The runs were scored on different images; there is nothing to compare.")
    rows = {key: frame.loc[common] for key, frame in frames.items()}
    reference = rows[first.key]
    for record in records:
        if (rows[record.key]["label"].to_numpy() != reference["label"].to_numpy()).any():
            raise RecordError(f"Runs {first.id} and {record.id} have other labels for the same images.")
    columns = [f"p_{name}" for name in first.classes]
    labels = tuple(reference["label"])
    return Board(
        ids=tuple(common),
        labels=labels,
        targets=as_targets(labels, classes=first.classes, problem=first.problem),
        groups=_groups(reference, first),
        probabilities={key: frame[columns].to_numpy(dtype=np.float64) for key, frame in rows.items()},
        notes=tuple(notes),
        problem=first.problem,
    )


def _indexed(record: RunRecord) -> pd.DataFrame:
    frame = record.predictions("valid").set_index("id")
    if frame.index.has_duplicates:
        raise RecordError(f"Run {record.id}: valid.parquet has an image twice. Train again with --again.")
    return frame


def _groups(frame: pd.DataFrame, record: RunRecord) -> npt.NDArray[np.intp] | None:
    if "group" in frame.columns:
        return group_numbers(frame["group"].tolist(), n=len(frame))
    if record.data.n_valid_groups:
        raise RecordError(
            f"Run {record.id} has {record.data.n_valid_groups} groups but does not say which image is in which. "
            "It was made by an older imgcls; train it again with --again."
        )
    return None
