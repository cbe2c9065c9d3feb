"""Data of a ladder's report: learning curves, confusion, mistakes and photographs, gathered from its records."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import islice
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from PIL import Image

from imgcls._version import __version__
from imgcls.config.decision import Answers, Decision, decision_for
from imgcls.config.findings import decided_samples
from imgcls.data.decode import Preprocess, decode_with_size
from imgcls.data.files import DEFAULT_DATA
from imgcls.data.samples import Samples, classes_in
from imgcls.data.source import FINDINGS_TOML, OFF
from imgcls.engine.known_datasets import fetched_set, is_known_set
from imgcls.errors import DataError, DecodeError, UsageError
from imgcls.evidence.contributions import Floats, scored
from imgcls.evidence.metrics import confident_mistakes, majority_accuracy
from imgcls.evidence.per_class import ClassScores, class_scores
from imgcls.evidence.reliability import ReliabilityCurve
from imgcls.ladders.climb import ClimbRecord
from imgcls.ladders.judge import LadderResult, judge_ladder
from imgcls.ladders.predictions import Predictions, read_predictions
from imgcls.ladders.results import Blend, ViewsRecord, find_views, read_blends
from imgcls.ladders.spec import Ladder
from imgcls.ladders.state import LadderState, read_state
from imgcls.records.find import same_but_calibration
from imgcls.records.run import RunRecord
from imgcls.text import as_utf8
from imgcls.workspace import Workspace, cache_folder

MOST_CLASSES = 20
MOST_PAIRS = 10
MOST_MISTAKES = 12
_MOST_THREADS = 16


@dataclass(frozen=True)
class FoldOutputs:
    """The runs of one rung that were scored on the same images: those of a fold, or all."""

    board: Predictions
    """Their predictions."""
    decision: Decision
    """By which answers are given: the default, unless there is one run and a decision was made for it."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.decision.classes

    @property
    def mean(self) -> Floats:
        """Return the probabilities of the runs together, [images, classes]."""
        return self.stacked.mean(axis=0)

    @property
    def answers(self) -> Answers:
        """What the runs answer together."""
        return self.decision.answers(self.mean)

    @property
    def each(self) -> Answers:
        """What each run answers, [runs, images, classes] and [runs, images]."""
        found = [self.decision.answers(probabilities) for probabilities in self.stacked]
        return Answers(np.stack([one.chosen for one in found]), np.stack([one.unsure for one in found]))

    @property
    def stacked(self) -> Floats:
        """Return the probabilities of all runs, [runs, images, classes]."""
        return np.stack(list(self.board.probabilities.values()))

    @property
    def is_multilabel(self) -> bool:
        """Whether an image may have several labels."""
        return self.board.targets.ndim == 2


@dataclass(frozen=True)
class Confusion:
    """How often each class was taken for each, in the mean over runs."""

    classes: tuple[str, ...]
    """The classes that are shown, in the order of the data."""
    counts: tuple[tuple[float, ...], ...]
    """For each label the images given each answer, in the mean over runs."""
    totals: tuple[int, ...]
    """For each label all of its images, answers that are not shown included."""
    n_hidden: int
    """The classes that are left out, being confused least."""


@dataclass(frozen=True)
class ConfusedPair:
    """A class taken for another."""

    label: str
    """The class it is."""
    predicted: str
    """The class it was taken for."""
    n: float
    """How many images of a run, in the mean over runs."""
    n_label: int
    """The images of the class it is."""


@dataclass(frozen=True)
class WorstMistake:
    """An image on which the runs are confident of a wrong answer."""

    id: str
    """The sample's id; empty where ids are withheld."""
    label: str
    """Its label."""
    predicted: str
    """The answer of the averaged probabilities."""
    confidence: float
    """The averaged probability of that answer, in [0, 1]."""
    n_wrong: int | None
    """How many of the runs are wrong about it; None where images have several labels."""
    n_runs: int
    """The runs that were averaged."""


def fold_outputs(state: LadderState, rung: int) -> tuple[FoldOutputs, ...]:
    """Return the predictions of a rung, by fold.

    Args:
        state: The ladder and its records.
        rung: A rung with one finished run at least.

    Raises:
        RecordError: A record is damaged.
    """
    records = [entry.record for entry in state.of(rung) if entry.record is not None]
    numbers = sorted({record.fold for record in records}, key=lambda fold: -1 if fold is None else fold)
    parts = [[record for record in records if record.fold == number] for number in numbers]
    first = records[0]
    rule = decision_for(first)[0] if len(records) == 1 else Decision.default(first.problem, first.classes)
    return tuple(FoldOutputs(read_predictions(part), rule) for part in parts)


def confusion(folds: Sequence[FoldOutputs]) -> Confusion | None:
    """Count which class was taken for which; None where images have several labels.

    Of more than `MOST_CLASSES` classes those are shown that most images are confused with.
    """
    if folds[0].is_multilabel:
        return None
    classes, counts = folds[0].classes, _counts(folds)
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-(wrong.sum(axis=0) + wrong.sum(axis=1)), kind="stable")
    shown = np.sort(order[:MOST_CLASSES])
    return Confusion(
        classes=tuple(classes[place] for place in shown),
        counts=tuple(tuple(float(counts[row, column]) for column in shown) for row in shown),
        totals=tuple(round(float(counts[row].sum())) for row in shown),
        n_hidden=len(classes) - len(shown),
    )


def confused_pairs(folds: Sequence[FoldOutputs]) -> tuple[ConfusedPair, ...]:
    """Return the pairs of classes that are confused most often, the most frequent first."""
    pairs = _label_pairs(folds) if folds[0].is_multilabel else _class_pairs(folds)
    ordered = sorted((pair for pair in pairs if pair.n > 0), key=lambda pair: -pair.n)
    return tuple(ordered[:MOST_PAIRS])


def scores_by_class(folds: Sequence[FoldOutputs]) -> tuple[ClassScores, ...]:
    """Score every class by the runs, their probabilities averaged; of folds all images together.

    Args:
        folds: The predictions of a rung.
    """
    groups = [
        "" if fold.board.groups is None else f"{place}:{fold.board.groups[row]}"
        for place, fold in enumerate(folds)
        for row in range(len(fold.board.ids))
    ]
    given = ~np.concatenate([fold.answers.unsure for fold in folds])
    return class_scores(
        np.concatenate([fold.mean for fold in folds])[given],
        np.concatenate([fold.board.targets for fold in folds])[given],
        problem=folds[0].decision.type,
        classes=folds[0].classes,
        groups=[group for group, is_given in zip(groups, given, strict=True) if is_given] if any(groups) else None,
        answers=np.concatenate([fold.answers.chosen for fold in folds])[given],
    )


def worst_mistakes(folds: Sequence[FoldOutputs], *, most: int = MOST_MISTAKES) -> tuple[WorstMistake, ...]:
    """Return the images that the runs, their probabilities averaged, are most confidently wrong about.

    Args:
        folds: The predictions of a rung.
        most: How many at the most.
    """
    found = [mistake for fold in folds for mistake in _worst_of(fold, most)]
    return tuple(sorted(found, key=lambda mistake: -mistake.confidence)[:most])


def _worst_of(fold: FoldOutputs, most: int) -> list[WorstMistake]:
    chosen, unsure = fold.answers
    part = fold.board.at(np.flatnonzero(~unsure))
    mean = scored(fold.mean[~unsure], part.targets, problem=fold.decision.type)
    mistakes = confident_mistakes(
        part.ids, mean, classes=fold.classes, labels=part.labels, answers=chosen[~unsure], most=most
    )
    row = {name: place for place, name in enumerate(part.ids)}
    wrong = None if fold.is_multilabel else (fold.each.chosen[:, ~unsure] & ~mean.truth).any(axis=2).sum(axis=0)
    return [
        WorstMistake(
            id=mistake.id,
            label=mistake.label,
            predicted=mistake.predicted,
            confidence=mistake.confidence,
            n_wrong=None if wrong is None else int(wrong[row[mistake.id]]),
            n_runs=len(part.probabilities),
        )
        for mistake in mistakes
    ]


def _counts(folds: Sequence[FoldOutputs]) -> Floats:
    """Count label × answer, [k, k], in the mean over runs, summed over the folds."""
    k, counts = len(folds[0].classes), []
    for fold in folds:
        truth = fold.board.targets[:, None] == np.arange(k)
        chosen, unsure = fold.each
        counts.append(truth.T.astype(np.float64) @ (chosen & ~unsure[:, :, None]).sum(axis=0) / len(fold.stacked))
    return np.sum(counts, axis=0)


def _class_pairs(folds: Sequence[FoldOutputs]) -> list[ConfusedPair]:
    classes, counts = folds[0].classes, _counts(folds)
    totals = counts.sum(axis=1)
    return [
        ConfusedPair(classes[row], classes[column], float(counts[row, column]), round(float(totals[row])))
        for row, column in np.argwhere(counts > 0)
        if row != column
    ]


def _label_pairs(folds: Sequence[FoldOutputs]) -> list[ConfusedPair]:
    """Count the misses and the false alarms of each label, in the mean over runs."""
    pairs, answers = [], [(fold.board.targets, *fold.each) for fold in folds]
    for place, name in enumerate(folds[0].classes):
        missed = alarms = 0.0
        n_with = n_without = 0
        for targets, chosen, unsure in answers:
            has = targets[:, place] == 1
            predicted, given = chosen[:, :, place], ~unsure
            missed += float((~predicted & given)[:, has].sum(axis=1).mean())
            alarms += float((predicted & given)[:, ~has].sum(axis=1).mean())
            n_with, n_without = n_with + int(has.sum()), n_without + int((~has).sum())
        pairs += [ConfusedPair(name, f"no {name}", missed, n_with), ConfusedPair(f"no {name}", name, alarms, n_without)]
    return pairs


SIDE_PX = 144
"""The longer side of a picture: 96 px on a page, and half as much again for fine screens."""
MOST_SHOWN_CLASSES = 12
_QUALITY = 80


@dataclass(frozen=True)
class Picture:
    """One photograph, small."""

    jpeg: bytes
    """The picture as a JPEG file, without any description of its own."""
    width_px: int
    """Its width."""
    height_px: int
    """Its height."""


@dataclass(frozen=True)
class ClassPictures:
    """A few training photographs of one class."""

    name: str
    """The class."""
    n_samples: int
    """All photographs of the class outside test."""
    pictures: tuple[Picture, ...]
    """Some of those that train."""


def find_photographs(ladder: Ladder, workspace: Workspace) -> Samples:
    """Read the samples of a ladder again, without deep learning, and without fetching anything.

    Args:
        ladder: Says how its data are read.
        workspace: Where a path that is not absolute begins, if it does not exist here.

    Raises:
        DataError: They are not there any more, or cannot be read.
        ProblemError: The findings.toml that it followed cannot be read.
    """
    named = {name: getattr(ladder.data, name) for name in ("data", "images", "test")}
    found: dict[str, Any] = {
        name: _locate(place, workspace) for name, place in named.items() if place is not None and str(place) != OFF
    }
    source, findings = replace(ladder.data, **found), ladder.data.findings
    if findings is None:
        return decided_samples(source, None)
    file = Path(str(findings))
    if not file.exists():  # the workspace was moved since, and its findings with it
        file = workspace.root / FINDINGS_TOML
    return decided_samples(source, file).as_reviewed()


def contact_sheet(
    samples: Samples, *, validating: Collection[str], classes: Sequence[str]
) -> tuple[ClassPictures, ...]:
    """Draw a few training photographs of each class; the same ones every time.

    Args:
        samples: All samples; those of a given test split are never shown.
        validating: Ids of those that validate, which are not shown either.
        classes: In the order in which they are shown; of more than `MOST_CLASSES` the most frequent.
    """
    rows = _rows_by_class(samples, classes)
    most = sorted(classes, key=lambda name: -len(rows[name]))[:MOST_SHOWN_CLASSES]
    ids, paths = samples.frame["id"].tolist(), samples.frame["path"].tolist()
    n_each = 8 if len(classes) <= 3 else 6 if len(classes) <= 6 else 4
    sheet = []
    for name in (name for name in classes if name in most):
        order = np.random.default_rng(0).permutation(len(rows[name]))
        training = [rows[name][place] for place in order if as_utf8(ids[rows[name][place]]) not in validating]
        pictures = islice(_readable((Path(paths[row]) for row in training), samples.stretch), n_each)
        sheet.append(ClassPictures(name, len(rows[name]), tuple(pictures)))
    return tuple(sheet)


def pictures_of(ids: Sequence[str], samples: Samples) -> dict[str, Picture]:
    """Return the pictures of those samples that are there and can be read, by id."""
    wanted = set(ids)
    paths = {
        known: Path(path)
        for name, path in zip(samples.frame["id"], samples.frame["path"], strict=True)
        if (known := as_utf8(name)) in wanted
    }
    with ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_THREADS)) as threads:  # decoding bounds their memory
        pictures = threads.map(lambda path: next(_readable([path], samples.stretch), None), paths.values())
        return {name: picture for name, picture in zip(paths, pictures, strict=True) if picture is not None}


def draw_picture(path: Path, stretch: tuple[float, float] | None = None, *, side_px: int = SIDE_PX) -> Picture:
    """Draw a photograph upright and in its own proportions, small unless a larger side is asked for.

    Args:
        path: The file.
        stretch: What is black and white in photographs of more than 8 bits; None where the data do not say.
        side_px: Its longer side.

    Raises:
        DecodeError: It cannot be read.
    """
    decoded = decode_with_size(path, Preprocess(side_px, "pad", "constant", stretch))
    scale = side_px / max(decoded.width_px, decoded.height_px)
    width, height = (max(1, round(side * scale)) for side in (decoded.width_px, decoded.height_px))
    left, top = (side_px - width) // 2, (side_px - height) // 2
    file = BytesIO()
    image = Image.fromarray(decoded.pixels[top : top + height, left : left + width])
    image.save(file, "JPEG", quality=_QUALITY, optimize=True)
    return Picture(file.getvalue(), width, height)


def _rows_by_class(samples: Samples, classes: Sequence[str]) -> dict[str, list[int]]:
    """Return the rows of each class, the sealed test split left out."""
    rows: dict[str, list[int]] = {name: [] for name in classes}
    for row, (label, split) in enumerate(zip(samples.frame["label"], samples.frame["split"], strict=True)):
        names = classes_in(label) if samples.problem == "multilabel" else [label]
        for name in names if split != "test" else []:
            if name in rows:
                rows[name].append(row)
    return rows


def _readable(paths: Iterable[Path], stretch: tuple[float, float] | None) -> Iterator[Picture]:
    for path in paths:
        with suppress(DecodeError):
            yield draw_picture(path, stretch)


_HISTORY = "history.csv"
_IMAGE_NAME = re.compile(
    r"\.(jpe?g|jfif|png|webp|gif|bmp|tiff?|ppm|pgm|jp2|j2k|avif|hei[cf]|hif|dcm|dicom)\b", re.IGNORECASE
)
_SHORT_NUMBER = re.compile("[0-9]{1,5}")
WITHHELD = "(withheld, since it names photographs; 'imgcls runs list' shows it)"


@dataclass(frozen=True)
class Curves:
    """The learning curves of one rung."""

    seeds: tuple[tuple[float, ...], ...]
    """The validation loss of each run, epoch by epoch; a run that ended early is shorter."""
    mean: tuple[float, ...]
    """The mean over runs, as far as all of them go."""
    weights_of: int | None
    """The rung whose weights it uses, having learnt nothing itself; None where it was trained."""


@dataclass(frozen=True)
class ReportData:
    """What a page shows; the page itself computes nothing."""

    result: LadderResult
    """The ladder, judged."""
    n_by_class: Mapping[str, int]
    """Class → the photographs of it that validate."""
    trivial: tuple[str, float] | None
    """An answer that needs no photograph, and what it scores; None where the metric has none."""
    curves: tuple[Curves, ...]
    """The learning curves of each rung."""
    classes: tuple[ClassScores, ...]
    """A score sheet for each class, of the mean prediction of the incumbent's runs."""
    confusion: Confusion | None
    """Which class the incumbent takes for which; None where images have several labels."""
    pairs: tuple[ConfusedPair, ...]
    """The classes that the incumbent confuses most often."""
    mistakes: tuple[WorstMistake, ...]
    """The photographs that the incumbent is most confidently wrong about; empty where photographs are withheld."""
    sheet: tuple[ClassPictures, ...]
    """Some training photographs of each class; empty where there are none to show."""
    pictures: Mapping[str, Picture]
    """Id → the picture of a mistake."""
    licence: str
    """The licence of the photographs, where it is known."""
    weights: tuple[str, ...]
    """The weights that trainings began with, each with its licence."""
    withheld: bool
    """Whether photographs and their names are left out because that was asked for."""
    trouble: str
    """Why photographs are not shown although nobody asked for that; empty where they are."""
    updated: str
    """When the newest run was made: UTC, ISO 8601."""
    version: str
    """The version of imgcls that gathered this."""
    search: ClimbRecord | None = None
    """The climb, where the two rungs are its base and what it chose; None for a ladder."""
    reliability: tuple[ReliabilityCurve, ...] = ()
    """How often the shown rung is right beside its confidence; where the ladder has it uncalibrated and calibrated,
    both, in that order."""
    blends: tuple[Blend, ...] = ()
    """What was made of its networks alone, oldest first."""
    views: tuple[ViewsRecord, ...] = ()
    """What more views of its networks are worth, oldest first; without names where these are withheld."""

    @property
    def shown(self) -> int:
        """The rung whose answers are shown: the incumbent, or what a climb chose."""
        return _shown(self.result, self.search)


def gather(
    ladder: Ladder, workspace: Workspace, *, with_images: bool = True, search: ClimbRecord | None = None
) -> ReportData:
    """Gather what a page about a ladder, or a climb, shows.

    Args:
        ladder: The ladder; it need not be complete.
        workspace: Where its records lie.
        with_images: Whether photographs and their names may be shown.
        search: The climb, where the ladder is its `as_ladder`.

    Raises:
        UsageError: No run is done yet.
        RecordError: A record is damaged.
    """
    state = read_state(ladder, workspace)
    records = [entry.record for entry in state.jobs if entry.record is not None]
    if not records:
        raise UsageError(f"No run of {ladder.name} is done yet. 'imgcls ladder run {ladder.typed}' goes on with it.")
    result = judge_ladder(state)
    has_runs = [place for place, rung in enumerate(result.rungs) if rung.runs]
    shown = _shown(result, search)
    folds = fold_outputs(state, shown if shown in has_runs else has_runs[0])
    gathered = ReportData(
        result=result,
        n_by_class=_n_by_class(folds),
        trivial=_trivial(ladder.metric, folds),
        curves=tuple(_curves(state, number) for number in range(len(ladder.rungs))),
        classes=scores_by_class(folds),
        confusion=confusion(folds),
        pairs=confused_pairs(folds),
        mistakes=worst_mistakes(folds),
        sheet=(),
        pictures={},
        licence="",
        weights=tuple(dict.fromkeys(str(record.weights) for record in records)),
        withheld=not with_images,
        trouble="",
        updated=max(record.created for record in records),
        version=__version__,
        search=search,
        reliability=_reliability(state, shown if shown in has_runs else has_runs[0]),
        blends=_blends_of({record.id for record in records}, workspace),
        views=tuple(known for known in find_views(workspace)[0] if known.run in {record.id for record in records}),
    )
    if with_images:
        return _with_photographs(gathered, workspace, folds)
    return _without_names(gathered, records, folds)


def _shown(result: LadderResult, search: ClimbRecord | None) -> int:
    return result.incumbent if search is None else len(result.rungs) - 1


def _reliability(state: LadderState, shown: int) -> tuple[ReliabilityCurve, ...]:
    """Return the diagrams of two rungs that differ in calibration alone, the shown one if it is any; else its own."""
    rungs = state.ladder.rungs
    plans = [same_but_calibration(rung.plan) for rung in rungs]
    ready = [number for number in range(len(plans)) if any(entry.record for entry in state.of(number))]
    pairs = (
        [one, other]
        for one in (shown, *reversed(ready))
        for other in ready
        if one != other and plans[one] == plans[other]
    )
    both = sorted(next(pairs, [shown]), key=lambda number: "calibration" in rungs[number].plan.get("predict", {}))
    return tuple(_curve(rungs[number].printed, fold_outputs(state, number)) for number in both)


def _curve(title: str, folds: Sequence[FoldOutputs]) -> ReliabilityCurve:
    """Make the diagram of all predictions of all runs; those of one image by several runs vary together."""
    probabilities, targets, groups = list[Floats](), list[Any](), list[str]()
    for number, fold in enumerate(folds):
        board, n_runs = fold.board, len(fold.board.probabilities)
        units = np.arange(len(board.ids)) if board.groups is None else board.groups
        probabilities += list(board.probabilities.values())
        targets += [board.targets] * n_runs
        groups += [f"{number}/{unit}" for unit in units] * n_runs
    alone = all(fold.board.groups is None and len(fold.board.probabilities) == 1 for fold in folds)
    problem: Any = folds[0].board.problem
    return ReliabilityCurve.of(
        title,
        np.concatenate(probabilities),
        np.concatenate(targets),
        problem=problem,
        groups=None if alone else groups,
    )


def _blends_of(runs: Collection[str], workspace: Workspace) -> tuple[Blend, ...]:
    """Return the blends whose every member is one of some runs."""
    blends, _ = read_blends(workspace)
    return tuple(
        blend for blend in blends if {run for member in blend.record.members for run in member.runs} <= set(runs)
    )


def _n_by_class(folds: Sequence[FoldOutputs]) -> dict[str, int]:
    classes = folds[0].classes
    if folds[0].is_multilabel:
        counts = sum(fold.board.targets.sum(axis=0, dtype=np.int64) for fold in folds)
    else:
        counts = sum(np.bincount(fold.board.targets, minlength=len(classes)) for fold in folds)
    return dict(zip(classes, np.asarray(counts).tolist(), strict=True))


def _trivial(metric: str, folds: Sequence[FoldOutputs]) -> tuple[str, float] | None:
    """Return the answer that needs no photograph, for the metrics in which it has a score of its own."""
    if metric == "roc_auc":
        return "ranking at random", 0.5
    if metric != "accuracy":
        return None
    name = "always giving the most frequent answer"
    return name, majority_accuracy(np.concatenate([fold.board.targets for fold in folds]))


def _curves(state: LadderState, number: int) -> Curves:
    records = [entry.record for entry in state.of(number) if entry.record is not None]
    trained = [record for record in records if record.reused_from is None]
    seeds = tuple(losses for record in trained if _HISTORY in record.files and (losses := _losses(record)))
    n_common = min((len(losses) for losses in seeds), default=0)
    mean = np.mean([losses[:n_common] for losses in seeds], axis=0).tolist() if n_common else []
    return Curves(seeds, tuple(mean), None if trained else state.ladder.rungs[number].weights_of)


def _losses(record: RunRecord) -> tuple[float, ...]:
    values = [row.get("valid_loss") for row in record.history()]
    return tuple(float(value) for value in values if isinstance(value, int | float) and np.isfinite(value))


def _with_photographs(gathered: ReportData, workspace: Workspace, folds: Sequence[FoldOutputs]) -> ReportData:
    """Add pictures, or say why there are none."""
    ladder, classes = gathered.result.ladder, gathered.result.classes
    try:
        samples = find_photographs(ladder, workspace)
    except (DataError, OSError) as problem:
        return replace(gathered, trouble=f"The photographs are not where they were, or cannot be read: {problem}")
    validating = dict(pair for fold in folds for pair in zip(fold.board.ids, fold.board.labels, strict=True))
    labels = {as_utf8(name): label for name, label in zip(samples.frame["id"], samples.frame["label"], strict=True)}
    if n_other := sum(labels.get(name) != label for name, label in validating.items()):
        text = (
            f"The data have changed since: {n_other} of {len(validating)} photographs are gone or labelled otherwise."
        )
        return replace(gathered, trouble=text)
    hidden = validating if ladder.n_folds is None else {}
    pictures = pictures_of([mistake.id for mistake in gathered.mistakes], samples)
    sheet = contact_sheet(samples, validating=hidden, classes=classes)
    trouble = "" if any(entry.pictures for entry in sheet) else "No photograph could be read any more."
    return replace(gathered, sheet=sheet, pictures=pictures, licence=samples.licence, trouble=trouble)


def _without_names(gathered: ReportData, records: Sequence[RunRecord], folds: Sequence[FoldOutputs]) -> ReportData:
    """Leave out ids, and every message that may name a photograph."""
    names = {name for fold in folds for name in fold.board.ids}
    names |= {place for record in records for place, _ in record.data.excluded}
    names |= {PurePath(name).name for name in names} | {PurePath(name).stem for name in names}
    result = gathered.result
    rungs = tuple(
        replace(rung, failures=tuple(replace(one, reason=_harmless(one.reason, names)) for one in rung.failures))
        for rung in result.rungs
    )
    notes = tuple(dict.fromkeys(_harmless(note, names) for note in result.notes))
    search = gathered.search and replace(
        gathered.search,
        tried=tuple(replace(one, outcome=_harmless(one.outcome, names)) for one in gathered.search.tried),
        notes=tuple(_harmless(note, names) for note in gathered.search.notes),
    )
    views = tuple(
        replace(
            known,
            fixed=tuple(replace(change, id="") for change in known.fixed),
            broken=tuple(replace(change, id="") for change in known.broken),
        )
        for known in gathered.views
    )
    return replace(gathered, result=replace(result, rungs=rungs, notes=notes), mistakes=(), search=search, views=views)


def _harmless(text: str, names: Collection[str]) -> str:
    """Return a message, or `WITHHELD` where it names a photograph; a short number identifies none."""
    identifying = (name for name in names if name in text and name and not _SHORT_NUMBER.fullmatch(name))
    is_named = any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for name in identifying)
    return WITHHELD if is_named or _IMAGE_NAME.search(text) else text


def _locate(source: object, workspace: Workspace) -> str | Path | None:
    """Return the folder or table that a path, or the name of a known set, stands for."""
    if source is None or str(source) == DEFAULT_DATA:
        return None
    if is_known_set(source):
        folder = fetched_set(str(source), cache_folder() / "sets")
        if folder is None:
            raise DataError(f"{source}: its photographs are not where imgcls keeps sets.")
        return folder
    path = Path(str(source)).expanduser()
    return path if path.is_absolute() or path.exists() else workspace.root / path
