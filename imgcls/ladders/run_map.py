"""The map of a run: its photographs as its own network sees them, with what it answers of those that validated it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from imgcls.config.problem import resolve
from imgcls.data.source import DataSource
from imgcls.eda.photo_map import MapAbout, MapPoint, PhotoMap, drawn_rows, placed
from imgcls.errors import RecordError, UsageError
from imgcls.ladders.run_report import Shown, answers_by_image
from imgcls.records.derived import data_of
from imgcls.records.run import NOT_SCORED, RunRecord
from imgcls.text import listed
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from imgcls.engine.device import Machine
    from imgcls.engine.progress import Reporter


def map_of_run(
    record: RunRecord, source: DataSource, *, workspace: Workspace, machine: Machine, reporter: Reporter
) -> PhotoMap:
    """Place the photographs that validated a run, and those that trained it, by the features of its own network.

    Args:
        record: A run with weights.
        source: The data it was trained on; where none are named, those of the workspace.
        workspace: Where the run lies.
        machine: Where the network runs.
        reporter: Shows how far it is.

    Raises:
        RecordError: The run has no weights, was not scored, or the data are others than it was trained on.
        DataError: There are too few photographs, or the data are gone.
    """
    from imgcls.engine.predictor import features_of_run
    from imgcls.engine.progress import step

    if record.all_data is not None:
        judged = listed(one.run for one in record.all_data.judged)
        raise RecordError(f"Run {record.id} was {NOT_SCORED}. Make the map of a judged run: {judged}.")
    if record.folds is not None:
        one = record.folds.runs[0].run
        raise RecordError(
            f"{record.id} is that of all folds, and has no network. Make the map of a fold, such as {one}."
        )
    answers = answers_by_image(record)
    found = resolve(source, workspace.root, folds=record.n_folds)
    if found.data is None:
        with suppress(UsageError):  # then they are the default data
            found = found.filled_from(data_of(workspace))
    seed = record.data.split_seed if found.split_seed is None else found.split_seed
    found = replace(found, split_seed=seed)
    prepared, rows, features = features_of_run(record, found, drawn_rows, machine=machine, reporter=reporter)
    with step(reporter, "Drawing the map"):
        points = placed(prepared.samples, rows, features, prepared.photos, prepared.store_rows(rows))
        about = MapAbout.of(
            prepared.samples,
            name=record.id,
            network="the network of this run",
            size_px=prepared.preprocess.size_px,
        )
    return PhotoMap(about, tuple(_answered(point, answers) for point in points), features)


def _answered(point: MapPoint, answers: dict[str, tuple[Shown, bool | None]]) -> MapPoint:
    if point.split != "valid" or point.id not in answers:
        return point
    shown, right = answers[point.id]
    return replace(point, predicted=shown.answer, confidence=shown.confidence, right=right)
