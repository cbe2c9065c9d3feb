"""Data of a run's page: where it is wrong, which photographs show it, and what it was made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from imgcls.config.decision import NOT_SURE, decision_for
from imgcls.config.findings import decided_samples
from imgcls.data.source import FINDINGS_TOML
from imgcls.errors import ImgclsError, RecordError
from imgcls.evidence.contributions import Booleans, Floats
from imgcls.evidence.per_class import ClassScores, ValidationDetail
from imgcls.evidence.reliability import ReliabilityCurve
from imgcls.evidence.validated import Validated
from imgcls.ladders.report_data import Picture, pictures_of
from imgcls.ladders.spec import find_ladders
from imgcls.records.blend import BlendRecord, find_predictor
from imgcls.records.derived import data_of, data_with_digest
from imgcls.records.find import calibration_pair, find_runs
from imgcls.records.regions import RegionReport, read_regions
from imgcls.records.run import RunRecord
from imgcls.text import as_utf8
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

MOST_MISTAKES, MOST_UNCERTAIN, MOST_DISPUTED = 60, 36, 36
MOST_IN_CELL, MOST_IN_CELLS = 8, 320
"""Photographs of one kind of mistake, and of all of them, that a page holds."""
MOST_CURVES = 5
MOST_POINTS = 400
MOST_CELLS = 200
_FEWEST_SEEDS = 2
_Kind = tuple[str, str, npt.NDArray[np.intp], int]
"""A kind of mistake: the label, what it is taken for, the images, and of how many it was possible."""


@dataclass(frozen=True)
class Shown:
    """A photograph of the page."""

    image: str
    """The id of the sample."""
    label: str
    """Its label."""
    answer: str
    """What the run answers, written as labels are."""
    confidence: float
    """The probability of that answer; with several labels the lowest of them."""
    answers: tuple[tuple[str, int], ...] = ()
    """Where seeds disagree: each answer with the number of runs that give it, the most frequent first."""


@dataclass(frozen=True)
class Cell:
    """One kind of mistake: a label taken for another, or with several labels one that is missed or a false alarm."""

    label: str
    """What it is."""
    answer: str
    """What it is taken for."""
    n: int
    """How many photographs."""
    n_label: int
    """Of how many with that label; with several labels of how many for which the mistake was possible."""
    images: tuple[Shown, ...]
    """Those that are shown, the most confident first."""


@dataclass(frozen=True)
class Tradeoff:
    """What a class's threshold trades: precision against recall, and hits against false alarms."""

    name: str
    """The class."""
    recall: tuple[float, ...]
    """Falling threshold; the hits of the ROC curve as well."""
    precision: tuple[float, ...]
    """Likewise."""
    alarms: tuple[float, ...]
    """The share of images without it that are called so, likewise."""
    chosen: tuple[float, float, float]
    """Recall, precision and false alarms of the answers that are given."""


@dataclass(frozen=True)
class RunReport:
    """What the page of a run shows."""

    record: RunRecord | BlendRecord
    """The run, the joint record of its folds, or the blend."""
    detail: ValidationDetail | None
    """Class by class; None where nothing validated it."""
    reliability: tuple[ReliabilityCurve, ...] = ()
    """Confidence beside accuracy; before and after calibration where both are there."""
    matrix: tuple[tuple[int, ...], ...] = ()
    """Label × answer, in the order of the classes; empty for several labels."""
    cells: tuple[Cell, ...] = ()
    """Kinds of mistakes, the most frequent first."""
    n_mistakes: int = 0
    """Photographs that are answered wrongly."""
    mistakes: tuple[Shown, ...] = ()
    """The most confident of them first."""
    uncertain: tuple[Shown, ...] = ()
    """The least certain photographs, right or wrong."""
    n_seeds: int = 1
    """Runs of the same plan, data and split with different seeds, this one among them."""
    n_disputed: int = 0
    """Photographs on which they do not all give the same answer."""
    disputed: tuple[Shown, ...] = ()
    """Those that they disagree on most first."""
    tradeoffs: tuple[Tradeoff, ...] = ()
    """Of the classes with the lowest ROC AUC; of two classes the rarer one."""
    history: tuple[Mapping[str, float | None], ...] = ()
    """What was measured after each epoch."""
    ladders: tuple[str, ...] = ()
    """The ladders of which it is a run, and which therefore have a verdict on its stack."""
    region: RegionReport | None = None
    """Whether one region of the pictures decides; None where nobody looked ('imgcls explain RUN')."""
    pictures: Mapping[str, Picture] | None = None
    """Photographs by id; None where they were withheld."""
    trouble: str = ""
    """Why there are no photographs."""

    @property
    def is_withheld(self) -> bool:
        """Whether neither photographs nor their names are shown."""
        return self.pictures is None

    @property
    def shown(self) -> tuple[Shown, ...]:
        """All photographs of the page; one may be there more than once."""
        return (*self.mistakes, *self.uncertain, *self.disputed, *(one for cell in self.cells for one in cell.images))

    @classmethod
    def of(cls, record: RunRecord | BlendRecord, workspace: Workspace, *, with_images: bool = True) -> RunReport:
        """Gather what the page of a run shows.

        Args:
            record: The run, the joint record of its folds, or the blend.
            workspace: Where it lies, with other seeds of it, and which knows the data.
            with_images: Whether photographs and their names may be shown.

        Raises:
            RecordError: Its predictions are damaged.
        """
        if not {"valid.parquet", "oof.parquet"} & record.files.keys():
            pictures: dict[str, Picture] | None = {} if with_images else None
            return cls(record, None, history=_history(record), ladders=_ladders(record, workspace), pictures=pictures)
        images, answers = Validated.of(record), _Answers.of(record)
        detail = ValidationDetail.of(record)
        disputed, n_disputed, n_seeds = _disputed(record, images, answers, workspace)
        found = cls(
            record,
            detail,
            reliability=_reliability(record, workspace),
            matrix=_matrix(images, answers),
            cells=_cells(images, answers),
            n_mistakes=int(answers.wrong(images).sum()),
            mistakes=_first(images, answers, answers.wrong(images), most=MOST_MISTAKES, most_confident=True),
            uncertain=_first(images, answers, ~answers.unsure, most=MOST_UNCERTAIN, most_confident=False),
            n_seeds=n_seeds,
            n_disputed=n_disputed,
            disputed=disputed,
            tradeoffs=_tradeoffs(images, answers, detail.classes),
            history=_history(record),
            ladders=_ladders(record, workspace),
            region=_region(record, workspace),
        )
        return _with_pictures(found, images, workspace) if with_images else _without_names(found)


def mistakes(run: RunRecord | BlendRecord | str, *, workspace: Workspace | None = None) -> pd.DataFrame:
    """Return the photographs that a run or a blend answers wrongly, the most confident mistakes first.

    Args:
        run: Its record, its id, or the beginning of its id.
        workspace: Where records lie; the one of the current folder when None.

    Returns:
        The columns image, label, answer and confidence; with several labels the highest of the wrong ones.

    Raises:
        RecordError: There is no such run, or its predictions are damaged.

    Example:
        >>> imgcls.mistakes("baseline-s0-1a2b3c4d").head(3)  # doctest: +SKIP
    """
    import pandas as pd

    images, answers = _read(run, workspace)
    found = _first(images, answers, answers.wrong(images), most=images.n, most_confident=True)
    rows = [(one.image, one.label, one.answer, one.confidence) for one in found]
    return pd.DataFrame(rows, columns=["image", "label", "answer", "confidence"])


def confusion(run: RunRecord | BlendRecord | str, *, workspace: Workspace | None = None) -> pd.DataFrame:
    """Count how often a run or a blend answers each class for each label.

    Args:
        run: Its record, its id, or the beginning of its id.
        workspace: Where records lie; the one of the current folder when None.

    Returns:
        A row a label, a column an answer; with several labels a row a class, with the columns found, missed and
        false alarm.

    Raises:
        RecordError: There is no such run, or its predictions are damaged.

    Example:
        >>> imgcls.confusion("baseline-s0-1a2b3c4d").loc["cat", "dog"]  # doctest: +SKIP
        3
    """
    import pandas as pd

    images, answers = _read(run, workspace)
    if images.problem == "multilabel":
        given = ~answers.unsure
        truth, chosen = images.truth[given], answers.chosen[given]
        counts = np.stack([(truth & chosen).sum(axis=0), (truth & ~chosen).sum(axis=0), (~truth & chosen).sum(axis=0)])
        return pd.DataFrame(counts.T, index=list(images.classes), columns=["found", "missed", "false alarm"])
    names = list(images.classes)
    return pd.DataFrame(_matrix(images, answers), index=pd.Index(names, name="label"), columns=names)


def answers_by_image(record: RunRecord | BlendRecord) -> dict[str, tuple[Shown, bool | None]]:
    """Return what a run or a blend answers of each photograph that validated it, and whether that is right.

    Args:
        record: The run or blend; None stands beside what it leaves to a person, whose answer is "not sure".

    Raises:
        RecordError: Its predictions are missing or damaged.
    """
    images, answers = Validated.of(record), _Answers.of(record)
    shown = _show(images, answers, range(images.n), answers.confidence(images))
    wrong = answers.wrong(images).tolist()
    return {
        one.image: (replace(one, answer=NOT_SURE), None) if is_open else (one, not is_wrong)
        for one, is_open, is_wrong in zip(shown, answers.unsure.tolist(), wrong, strict=True)
    }


def _read(run: RunRecord | BlendRecord | str, workspace: Workspace | None) -> tuple[Validated, _Answers]:
    record = find_predictor(run, workspace or Workspace.find()) if isinstance(run, str) else run
    return Validated.of(record), _Answers.of(record)


@dataclass(frozen=True)
class _Answers:
    """What a run answers of the images that validate."""

    chosen: Booleans
    """[n, k]."""
    unsure: Booleans
    """[n], those that are left to a person."""

    @classmethod
    def of(cls, record: RunRecord | BlendRecord) -> Self:
        return cls(*decision_for(record)[0].answers(Validated.of(record).probabilities))

    def wrong(self, images: Validated) -> Booleans:
        """Return which images are answered wrongly, [n]."""
        wrong: Booleans = (self.chosen != images.truth).any(axis=1) & ~self.unsure
        return wrong

    def named(self, images: Validated, row: int) -> str:
        from imgcls.data.samples import NO_CLASS, SEPARATOR

        names = [images.classes[place] for place in np.flatnonzero(self.chosen[row])]
        return SEPARATOR.join(names) or (NO_CLASS if images.problem == "multilabel" else "")

    def confidence(self, images: Validated) -> Floats:
        """Return the confidence of each answer, [n]: with several labels the lowest of them."""
        if images.problem == "multilabel":
            return np.where(self.chosen, images.probabilities, 1 - images.probabilities).min(axis=1)
        return np.where(self.chosen, images.probabilities, 0.0).max(axis=1)


def _show(images: Validated, answers: _Answers, rows: Sequence[int], confidence: Floats) -> tuple[Shown, ...]:
    return tuple(
        Shown(as_utf8(images.ids[row]), images.labels[row], answers.named(images, row), float(confidence[row]))
        for row in rows
    )


def _first(
    images: Validated, answers: _Answers, among: Booleans, *, most: int, most_confident: bool
) -> tuple[Shown, ...]:
    """Return the photographs of some that are answered with the most or the least confidence."""
    confidence = _certainty(images, answers) if most_confident else answers.confidence(images)
    rows = np.flatnonzero(among)
    order = rows[np.argsort(-confidence[rows] if most_confident else confidence[rows], kind="stable")]
    return _show(images, answers, order[:most].tolist(), confidence)


def _certainty(images: Validated, answers: _Answers) -> Floats:
    """Return the confidence of a mistake, [n]: with several labels the highest of the wrong ones."""
    if images.problem != "multilabel":
        return answers.confidence(images)
    wrong = answers.chosen != images.truth
    sure = np.where(answers.chosen, images.probabilities, 1 - images.probabilities)
    return np.where(wrong, sure, 0.0).max(axis=1)


def _matrix(images: Validated, answers: _Answers) -> tuple[tuple[int, ...], ...]:
    if images.problem == "multilabel":
        return ()
    k, given = len(images.classes), ~answers.unsure
    codes = images.targets[given] * k + answers.chosen[given].argmax(axis=1)
    return tuple(tuple(row) for row in np.bincount(codes, minlength=k * k).reshape(k, k).tolist())


def _cells(images: Validated, answers: _Answers) -> tuple[Cell, ...]:
    """Return the kinds of mistakes, with photographs for as many as the page has room for."""
    kinds = _label_kinds(images, answers) if images.problem == "multilabel" else _class_kinds(images, answers)
    most_frequent = sorted(kinds, key=lambda kind: -len(kind[2]))[:MOST_CELLS]
    confidence, left, found = _certainty(images, answers), MOST_IN_CELLS - len(most_frequent), []
    for label, answer, rows, n_label in most_frequent:  # one for each, and of the room left what the first want
        shown = rows[np.argsort(-confidence[rows], kind="stable")][: min(MOST_IN_CELL, 1 + left)]
        left -= len(shown) - 1
        found.append(Cell(label, answer, len(rows), n_label, _show(images, answers, shown.tolist(), confidence)))
    return tuple(found)


def _class_kinds(images: Validated, answers: _Answers) -> Iterator[_Kind]:
    """Yield each pair of classes of which one was taken for the other."""
    k, given, answered = len(images.classes), ~answers.unsure, answers.chosen.argmax(axis=1)
    n_label = np.bincount(images.targets[given], minlength=k)
    wrong = np.flatnonzero(given & (answered != images.targets))
    codes = images.targets[wrong] * k + answered[wrong]
    order = np.argsort(codes, kind="stable")
    pairs, begins = np.unique(codes[order], return_index=True)
    for pair, rows in zip(pairs.tolist(), np.split(wrong[order], begins[1:]), strict=False):
        label, answer = divmod(pair, k)
        yield images.classes[label], images.classes[answer], rows, int(n_label[label])


def _label_kinds(images: Validated, answers: _Answers) -> Iterator[_Kind]:
    """Yield each label that is missed or called where it is not."""
    truth, given = images.truth, ~answers.unsure
    for place, name in enumerate(images.classes):
        has, called = truth[:, place], answers.chosen[:, place]
        missed, alarms = np.flatnonzero(has & ~called & given), np.flatnonzero(~has & called & given)
        if len(missed):
            yield name, f"not {name}", missed, int((has & given).sum())
        if len(alarms):
            yield f"not {name}", name, alarms, int((~has & given).sum())


def _disputed(
    record: RunRecord | BlendRecord, images: Validated, answers: _Answers, workspace: Workspace
) -> tuple[tuple[Shown, ...], int, int]:
    """Return the photographs that runs of other seeds answer otherwise, how many, and how many runs there are."""
    if isinstance(record, BlendRecord):
        return (), 0, 1

    def what(run: RunRecord) -> tuple[Any, ...]:
        return run.plan_digest, run.data.digest, run.data.split_digest, run.fold, run.n_folds, run.folds is None

    others = {
        run.seed: run
        for run in find_runs(workspace)[0]
        if what(run) == what(record) and not run.quick and run.all_data is None and run.seed != record.seed
    }
    row_of = {name: row for row, name in enumerate(images.ids)}
    said: list[list[str]] = [[answers.named(images, row)] for row in range(images.n)]
    n_seeds = 1
    for run in others.values():
        try:
            other, its = Validated.of(run), _Answers.of(run)
        except RecordError:  # damaged, which is no reason not to show this run
            continue
        if set(other.ids) != set(images.ids):
            continue
        n_seeds += 1
        for row, name in enumerate(other.ids):
            said[row_of[name]].append(its.named(other, row))
    if n_seeds < _FEWEST_SEEDS:
        return (), 0, 1
    counted = [
        sorted(((text, row.count(text)) for text in {*row}), key=lambda pair: (-pair[1], pair[0])) for row in said
    ]
    rows = [row for row, found in enumerate(counted) if len(found) > 1]
    rows.sort(key=lambda row: counted[row][0][1])
    shown = _show(images, answers, rows[:MOST_DISPUTED], answers.confidence(images))
    named = (replace(one, answers=tuple(counted[row])) for one, row in zip(shown, rows, strict=False))
    return tuple(named), len(rows), n_seeds


def _reliability(record: RunRecord | BlendRecord, workspace: Workspace) -> tuple[ReliabilityCurve, ...]:
    """Return the diagram, with the one before or after calibration where that run is there and can be read."""
    curves = []
    for side in (record,) if isinstance(record, BlendRecord) else calibration_pair(record, workspace):
        with suppress(*([] if side is record else [RecordError])):
            curves.append(ReliabilityCurve.of_record(side))
    return tuple(curves)


def _tradeoffs(images: Validated, answers: _Answers, scores: Sequence[ClassScores]) -> tuple[Tradeoff, ...]:
    """Return the curves of the classes that are told apart least; of two classes that of the rarer one."""
    n_with = images.truth.sum(axis=0)
    places = [place for place in range(len(images.classes)) if 0 < n_with[place] < images.n]
    if images.problem == "binary":
        places = sorted(places, key=lambda place: int(n_with[place]))[:1]
    places = sorted(places, key=lambda place: scores[place].roc_auc.value or 0.0)[:MOST_CURVES]
    return tuple(_tradeoff(images, answers, place) for place in places)


def _tradeoff(images: Validated, answers: _Answers, place: int) -> Tradeoff:
    has, scores = images.truth[:, place], images.probabilities[:, place]
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # images of one score are called so together
    hits, alarms = np.cumsum(has[order])[ends], np.cumsum(~has[order])[ends]
    if len(ends) > MOST_POINTS:
        kept = np.unique(np.linspace(0, len(ends) - 1, MOST_POINTS).round().astype(np.intp))
        hits, alarms = hits[kept], alarms[kept]
    recall, false = hits / has.sum(), alarms / (~has).sum()
    called = answers.chosen[:, place] & ~answers.unsure
    n_called, n_hits = int(called.sum()), int((called & has).sum())
    return Tradeoff(
        name=images.classes[place],
        recall=tuple(recall.tolist()),
        precision=tuple((hits / (hits + alarms)).tolist()),
        alarms=tuple(false.tolist()),
        chosen=(
            n_hits / int(has.sum()),
            n_hits / n_called if n_called else 1.0,
            (n_called - n_hits) / int((~has).sum()),
        ),
    )


def _ladders(record: RunRecord | BlendRecord, workspace: Workspace) -> tuple[str, ...]:
    """Return the names of the ladders that a run, or a fold of it, belongs to."""
    if isinstance(record, BlendRecord):
        return ()
    parts = set() if record.folds is None else {one.run for one in record.folds.runs}
    keys = {record.key, *(run.key for run in (find_runs(workspace)[0] if parts else ()) if run.id in parts)}
    return tuple(ladder.name for ladder in find_ladders(workspace)[0] if keys & {job.key for job in ladder.jobs})


def _history(record: RunRecord | BlendRecord) -> tuple[Mapping[str, float | None], ...]:
    if isinstance(record, BlendRecord) or record.folds is not None:
        return ()
    return tuple(
        {name: float(value) if isinstance(value, int | float) else None for name, value in row.items()}
        for row in record.history()
    )


def _region(record: RunRecord | BlendRecord, workspace: Workspace) -> RegionReport | None:
    """Return what is kept of a run; what is damaged says nothing, as it can be made again."""
    with suppress(RecordError):
        return read_regions(record, workspace) if isinstance(record, RunRecord) else None
    return None


def _with_pictures(found: RunReport, images: Validated, workspace: Workspace) -> RunReport:
    """Add photographs, or say why there are none."""
    try:
        source = data_with_digest(found.record.data.digest, workspace) or data_of(workspace)
        samples = decided_samples(source, workspace.root / FINDINGS_TOML)
    except (ImgclsError, OSError) as problem:
        return replace(found, pictures={}, trouble=f"The photographs cannot be found: {problem}")
    there = {*map(as_utf8, samples.frame["id"])}
    gone = sum(as_utf8(name) not in there for name in images.ids)
    wanted = list(dict.fromkeys(one.image for one in found.shown))
    pictures = pictures_of(wanted, samples)
    trouble = f"{gone:,} of {images.n:,} photographs are not in the data of this workspace any more." if gone else ""
    if wanted and not pictures and not trouble:
        trouble = "No photograph could be read any more."
    return replace(found, pictures=pictures, trouble=trouble)


def _without_names(found: RunReport) -> RunReport:
    """Leave out every id."""
    cells = tuple(replace(cell, images=()) for cell in found.cells)
    return replace(found, cells=cells, mistakes=(), uncertain=(), disputed=(), pictures=None)
