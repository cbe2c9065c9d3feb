"""Views: what the first, the first two and all views of each photograph score, and how many of them are worth it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from imgcls.config.metrics import deciding_metric
from imgcls.config.problem import metric_of, resolve
from imgcls.data.source import DataSource
from imgcls.errors import RecordError, UsageError
from imgcls.evidence.contributions import Floats, check_metric
from imgcls.evidence.cross_fitting import Indices, parts_of
from imgcls.evidence.gains import fold_gain, measure, score
from imgcls.evidence.variance import group_numbers
from imgcls.evidence.verdicts import judge
from imgcls.ladders.compare import check_question
from imgcls.ladders.judge import gain_record, verdict_record
from imgcls.ladders.predictions import Predictions
from imgcls.ladders.results import VIEWS, ViewChange, ViewsRecord, ViewsStep, find_views
from imgcls.plan import Plan, Predict, ViewKind
from imgcls.records.run import NOT_SCORED, RunRecord
from imgcls.storage import make_folder, write_json
from imgcls.text import as_utf8, listed
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from imgcls.engine.device import Machine
    from imgcls.engine.progress import Reporter

_MOST: Mapping[ViewKind, int] = {"augmented": 10, "flips": 8, "crops": 5}
_ROUNDING = 1e-4
_AGAIN = "views of the same network were looked at before"


@dataclass(frozen=True)
class ViewsQuestion:
    """Which views are looked at, and what decides between numbers of them."""

    kind: ViewKind | None = None
    """Where views come from; None for what the run's plan says, or else what its network was trained with."""
    n_views: int | None = None
    """How many at the most; None for 10, or as many flips (8) or crops (5) as there are."""
    metric: str | None = None
    """What they are scored by, chosen before looking; None for that of imgcls.toml, or else of the problem."""
    smallest_gain: float | None = None
    """The smallest gain of interest, in the metric's unit; None for half a point."""


def look_at_views(
    record: RunRecord,
    source: DataSource,
    question: ViewsQuestion,
    *,
    workspace: Workspace,
    machine: Machine,
    reporter: Reporter,
) -> ViewsRecord:
    """Predict the photographs that validated a run with one view, two, and so on; judge that, and keep it.

    It is kept in `reports/views`, one file for each run, kind, number and metric.

    Args:
        record: A run with weights.
        source: The data it was trained on, as they were named for it.
        question: Which views.
        workspace: Where the run lies.
        machine: Where it predicts.
        reporter: Shows how far it is.

    Raises:
        UsageError: There is one view only, or the metric cannot be computed on these photographs.
        PlanError: There are no such views.
        RecordError: The run has no weights, or the data are others than it was trained on.
    """
    from imgcls.engine.predictor import validation_views

    if record.all_data is not None:
        judged = listed(one.run for one in record.all_data.judged)
        raise RecordError(f"Run {record.id} was {NOT_SCORED}. Look at the views of a judged run: {judged}.")
    plan = Plan.from_json(record.plan)
    metric = deciding_metric(question.metric or metric_of(workspace.root, record.problem)).text
    check_question(metric, question.smallest_gain)
    check_metric(metric, problem=record.problem, classes=record.classes)
    own: ViewKind = (
        plan.predict.view_kind if plan.predict.views > 1 else "augmented" if plan.augment.transforms else "flips"
    )
    kind = question.kind or own
    n_views = _MOST[kind] if question.n_views is None else question.n_views
    if n_views < 2:
        raise UsageError("One view has nothing to be compared with; look at two at least (--views 2).")
    asked = replace(question, kind=kind, n_views=n_views, metric=metric)
    source = resolve(source, workspace.root, folds=record.n_folds)
    seed = record.data.split_seed if source.split_seed is None else source.split_seed
    valid, values = validation_views(
        record,
        replace(source, split_seed=seed),
        Predict(views=n_views, view_kind=kind),
        machine=machine,
        reporter=reporter,
    )
    groups = valid.frame["group"].tolist()
    board = Predictions(
        ids=tuple(as_utf8(name) for name in valid.frame["id"]),
        labels=tuple(as_utf8(label) for label in valid.frame["label"]),
        targets=valid.targets,
        groups=group_numbers(groups, n=len(valid)) if any(groups) else None,
        probabilities={str(number): one for number, one in enumerate(values, start=1)},
        notes=tuple(_other_bits(record, plan, kind, values)),
        problem=valid.problem,
        classes=record.classes,
    )
    folder = workspace.reports / VIEWS
    of = metric if metric.isidentifier() else hashlib.sha256(metric.encode()).hexdigest()[:8]  # options hold any name
    file = folder / f"{record.id}-{kind}-{n_views}-{of}.json"
    others = [other for other in find_views(workspace)[0] if other.run == record.id and other.file != file]
    found = judge_views(record, board, asked, n_looks=1 + len(others))
    make_folder(folder)
    write_json(file, found.to_json())
    return replace(found, file=file)


def judge_views(record: RunRecord, board: Predictions, question: ViewsQuestion, *, n_looks: int = 1) -> ViewsRecord:
    """Judge what the first, the first two, and all views say of the same photographs.

    Which number is best is chosen on four fifths of the photographs, groups whole, and judged on the fifth, five times.
    The fifths are the units of that gain, as folds are: what they choose differs, which no interval over images knows.

    Args:
        record: The run.
        board: What it says, with the number of views as keys: `1`, `2`, and so on.
        question: Which views these are; kind and metric are named.
        n_looks: How often views of this run were looked at, this time included.

    Raises:
        UsageError: The metric cannot be computed on these photographs.
    """
    metric, smallest = str(question.metric), check_question(question.metric, question.smallest_gain)
    keys, notes = list(board.probabilities), list(board.notes)
    rows = board.contributions(metric, keys)
    curve = tuple(
        ViewsStep(
            n_views=number,
            score=score(metric, row[None], groups=board.groups),
            gain=None
            if number == 1
            else gain_record(measure(rows[0][None], row[None], same_weights=True, groups=board.groups)),
        )
        for number, row in enumerate(rows, start=1)
    )
    by_part: tuple[int, ...] = ()
    expected = gain = None
    try:
        by_part, held_out, parts = _chosen_by_others(metric, board)
    except UsageError as problem:
        notes.append(f"No number of views can be claimed to be worth it: {problem}")
    else:
        expected = score(metric, held_out[None], groups=board.groups)
        masks = [parts == part for part in np.unique(parts)]
        over = fold_gain(
            np.array([rows[0][mask].mean() for mask in masks]),
            np.array([held_out[mask].mean() for mask in masks]),
            n_train=[int((~mask).sum()) for mask in masks],
            n_valid=[int(mask.sum()) for mask in masks],
        )
        gain = verdict_record(judge([over], smallest_gain=smallest, n_looks=n_looks, why=_AGAIN)[0])
    if board.problem == "multilabel":
        notes.append("Photographs with several labels are neither right nor wrong, so that none is listed.")
    fixed, broken = _changes(board, record.classes)
    return ViewsRecord(
        run=record.id,
        sha256=record.digest(),
        stack=record.stack,
        label=record.label,
        overrides=record.overrides,
        plan_digest=record.plan_digest,
        data_digest=record.data.digest,
        split_digest=record.data.split_digest,
        split_seed=record.data.split_seed,
        n_folds=record.n_folds,
        kind=str(question.kind),
        metric=metric,
        smallest_gain=smallest,
        curve=curve,
        chosen=_best(rows),
        chosen_by_part=by_part,
        expected=expected,
        gain=gain,
        fixed=fixed,
        broken=broken,
        notes=tuple(notes),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _other_bits(record: RunRecord, plan: Plan, kind: str, values: Floats) -> Iterator[str]:
    """Say so where the views that the run was scored with do not give what it keeps."""
    own = plan.predict
    if "valid.parquet" in record.files and own.views <= len(values) and (own.views == 1 or own.view_kind == kind):
        kept = record.predictions("valid")[[f"p_{name}" for name in record.classes]].to_numpy(dtype=np.float64)
        apart = float(np.abs(kept - values[own.views - 1]).max())
        if apart > _ROUNDING:
            yield f"Probabilities differ by up to {apart:.2g} from those of the run: another device, or other versions."


def _best(rows: Floats) -> int:
    """Return the number of views that scores best; of equal ones the fewest."""
    return 1 + int(np.argmax(rows.mean(axis=1)))


def _chosen_by_others(metric: str, board: Predictions) -> tuple[tuple[int, ...], Floats, Indices]:
    """Return the number that all parts but one choose, for each; what it adds to the metric; and the part, by image.

    Raises:
        UsageError: No part can be held out, or the metric cannot be computed on the others.
    """
    values = np.stack(list(board.probabilities.values()))
    _, parts = parts_of(board.labels, board.groups)
    chosen, held_out = [], np.empty_like(values[0])
    for part in np.unique(parts):
        seen = parts != part
        others = board.at(np.flatnonzero(seen))
        rows = np.stack([others.of(metric, one[seen]) for one in values])
        chosen.append(_best(rows))
        held_out[~seen] = values[chosen[-1] - 1][~seen]
    return tuple(chosen), board.of(metric, held_out), parts


def _changes(board: Predictions, classes: Sequence[str]) -> tuple[tuple[ViewChange, ...], tuple[ViewChange, ...]]:
    """Return the photographs that all views answer rightly and one does not, and those the other way round."""
    if board.problem == "multilabel":
        return (), ()
    first, *_, last = (one.argmax(axis=1) for one in board.probabilities.values())
    rows = zip(board.ids, board.labels, board.targets, first, last, strict=True)
    found = [(ViewChange(id_, label, classes[a], classes[b]), a == y, b == y) for id_, label, y, a, b in rows if a != b]
    fixed = tuple(change for change, was_right, is_right in found if is_right)
    return fixed, tuple(change for change, was_right, is_right in found if was_right)
