"""Predictions of runs side by side, on one split or over folds: scores, gains, and the images that changed."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from imgcls.config.metrics import find_metric
from imgcls.data.samples import as_targets
from imgcls.errors import RecordError, UsageError
from imgcls.evidence.contributions import Floats, contributions
from imgcls.evidence.gains import Gain, ensemble_gain, fold_gain, fold_score, measure, score
from imgcls.evidence.variance import group_numbers
from imgcls.evidence.verdicts import FEWEST_RUNS
from imgcls.ladders.results import Change
from imgcls.ladders.state import LadderState
from imgcls.predictions.blending import blend
from imgcls.records.run import Estimate, RunRecord


@dataclass(frozen=True, eq=False)
class Predictions:
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
    classes: tuple[str, ...] = ()
    """[k] names; empty where classes have numbers only."""
    disputed: npt.NDArray[np.bool_] | None = None
    """[n], whether the runs were scored with different labels, as before and after a review; None where none were."""
    _known: dict[tuple[str, str], Floats] = field(default_factory=dict, repr=False)
    """What was computed: metric and key of a run → contributions."""

    def contributions(self, metric: str, keys: Sequence[str]) -> Floats:
        """Return the contributions [runs, images] of some runs to a metric.

        Raises:
            UsageError: The metric cannot be computed on these images.
        """
        for key in keys:
            if (metric, key) not in self._known:
                self._known[metric, key] = self.of(metric, self.probabilities[key])
        return np.stack([self._known[metric, key] for key in keys])

    def at(self, rows: npt.NDArray[np.intp]) -> Predictions:
        """Return the same of some of the images."""
        groups = None if self.groups is None else np.unique(self.groups[rows], return_inverse=True)[1]
        return replace(
            self,
            ids=tuple(self.ids[row] for row in rows),
            labels=tuple(self.labels[row] for row in rows),
            targets=self.targets[rows],
            groups=groups,
            probabilities={key: one[rows] for key, one in self.probabilities.items()},
            disputed=None if self.disputed is None else self.disputed[rows],
            _known={},
        )

    def of(self, metric: str, probabilities: Floats) -> Floats:
        """Return the contributions [n] of any predictions [n, k] of these images.

        Raises:
            UsageError: The metric cannot be computed on these images.
        """
        problem: Any = self.problem
        return contributions(
            metric, probabilities, self.targets, problem=problem, classes=self.classes, groups=self.groups
        )

    def of_mean(self, metric: str, keys: Sequence[str]) -> Floats:
        """Return the contributions [n] of the mean prediction of some runs."""
        values, even = np.stack([self.probabilities[key] for key in keys]), np.full(len(keys), 1 / len(keys))
        mean = blend(values, even, way="mean", multilabel=self.problem == "multilabel")
        return self.of(metric, mean)


def read_predictions(records: Sequence[RunRecord], *, labels_of: RunRecord | None = None) -> Predictions:
    """Return the validation predictions of runs on the images that all of them have.

    Args:
        records: Runs on the same data, classes and split; at least one.
        labels_of: The one whose labels count, where a review changed some between them; None where all are the same.

    Raises:
        RecordError: A file is damaged, or the runs disagree on the label of an image.
    """
    first = records[0]
    frames = {}
    for record in records:
        frame = record.predictions("valid").set_index("id")
        if frame.index.has_duplicates:
            raise RecordError(
                f"Run {record.id}: valid.parquet has an image twice. Train again with 'imgcls recipe run … --again'."
            )
        frames[record.key] = frame
    common = frames[first.key].index
    for frame in frames.values():
        common = common.intersection(frame.index, sort=False)
    most = max(len(frame) for frame in frames.values())
    notes = [] if len(common) == most else [f"Only the {len(common)} of {most} images that all runs have are compared."]
    if not len(common):
        raise RecordError("The runs were scored on different images; there is nothing to compare.")
    rows = {key: frame.loc[common] for key, frame in frames.items()}
    reference = rows[(labels_of or first).key]
    disputed = np.zeros(len(common), dtype=bool)
    for record in records:
        disputed |= rows[record.key]["label"].to_numpy() != reference["label"].to_numpy()
        if labels_of is None and disputed.any():
            raise RecordError(f"Runs {first.id} and {record.id} have other labels for the same images.")
    columns = [f"p_{name}" for name in first.classes]
    labels = tuple(reference["label"])
    return Predictions(
        ids=tuple(common),
        labels=labels,
        targets=as_targets(labels, classes=first.classes, problem=first.problem),
        groups=_groups(reference, first),
        probabilities={key: frame[columns].to_numpy(dtype=np.float64) for key, frame in rows.items()},
        notes=tuple(notes),
        problem=first.problem,
        classes=first.classes,
        disputed=None if labels_of is None else disputed,
    )


def check_apart(boards: Iterable[Predictions]) -> None:
    """Check that folds validate on different images.

    Args:
        boards: One for each fold.

    Raises:
        RecordError: Some image is in two of them.
    """
    ids = [id_ for board in boards for id_ in board.ids]
    if len(set(ids)) < len(ids):
        raise RecordError(
            "The folds of these runs overlap: they come from folds that were made differently. "
            "Remove those of one kind with 'imgcls runs rm'."
        )


def _groups(frame: pd.DataFrame, record: RunRecord) -> npt.NDArray[np.intp] | None:
    if "group" in frame.columns:
        return group_numbers(frame["group"].tolist(), n=len(frame))
    if record.data.n_valid_groups:
        raise RecordError(
            f"Run {record.id} has {record.data.n_valid_groups} groups but does not say which image is in which. "
            "It was made by an older imgcls; train it again with 'imgcls recipe run … --again'."
        )
    return None


_WEIGHTS_FILE = "weights.safetensors"
Place = TypeVar("Place", bound=Hashable)


class MeasuredRuns(Protocol):
    """The runs of a ladder, ready to be compared."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what a person should know of the images."""

    def values(self, rung: int, metric: str) -> list[float]:
        """Return the metric of each run, as a gain is measured: higher is better."""

    def score(self, rung: int, metric: str) -> Estimate:
        """Return the metric over all runs."""

    def seed_sd(self, rung: int, metric: str) -> float:
        """Return the standard deviation over seeds; NaN with fewer than two."""

    def gain(self, before: int, after: int, metric: str, *, same_weights: bool) -> Gain:
        """Measure one rung against another."""

    def ensemble(self, rung: int, metric: str) -> tuple[Estimate, Gain] | None:
        """Return the score of the mean prediction of a rung's seeds, and its gain over one of them."""


@dataclass(frozen=True)
class OneSplit:
    """Runs that were all scored on the same images."""

    board: Predictions
    """Their predictions."""
    runs: Mapping[int, Mapping[int, RunRecord]]
    """Rung → seed → run."""
    given: bool = False
    """Whether a gain is that of exactly these networks on new images, each side counting by their mean."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the images."""
        return self.board.notes

    def values(self, rung: int, metric: str) -> list[float]:
        """Return the metric of each run, by seed."""
        return [float(value) for value in self._rows(rung, metric, self._seeds(rung)).mean(axis=1)]

    def score(self, rung: int, metric: str) -> Estimate:
        """Return the metric over all runs."""
        return score(metric, self._rows(rung, metric, self._seeds(rung)), groups=self.board.groups)

    def seed_sd(self, rung: int, metric: str) -> float:
        """Return the standard deviation over seeds."""
        values = self.values(rung, metric)
        return float(np.std(values, ddof=1)) if len(values) > 1 else np.nan

    def gain(self, before: int, after: int, metric: str, *, same_weights: bool) -> Gain:
        """Measure one rung against another; with the same weights only the seeds that both have count."""
        a, b = self._seeds(before), self._seeds(after)
        if same_weights:
            a = b = [seed for seed in a if seed in b]
        rows = [self._rows(rung, metric, seeds) for rung, seeds in ((before, a), (after, b))]
        if self.given:
            rows = [side.mean(axis=0, keepdims=True) for side in rows]
        return measure(*rows, same_weights=same_weights or self.given, groups=self.board.groups)

    def ensemble(self, rung: int, metric: str) -> tuple[Estimate, Gain] | None:
        """Return the score of the mean prediction of a rung's seeds and its gain over one; None below three seeds.

        Of two seeds one is left when the other is left out, and its mean gains nothing over it: nobody could tell how
        much the gain varies with the seeds.
        """
        keys = [self.runs[rung][seed].key for seed in self._seeds(rung)]
        if len(keys) < FEWEST_RUNS:
            return None
        together = self.board.of_mean(metric, keys)
        without = np.stack([self.board.of_mean(metric, [key for key in keys if key != one]) for one in keys])
        single, groups = self.board.contributions(metric, keys), self.board.groups
        return score(metric, together[None], groups=groups), ensemble_gain(single, together, without, groups=groups)

    def _seeds(self, rung: int) -> list[int]:
        return sorted(self.runs[rung])

    def _rows(self, rung: int, metric: str, seeds: Sequence[int]) -> Floats:
        return self.board.contributions(metric, [self.runs[rung][seed].key for seed in seeds])


@dataclass(frozen=True)
class CrossValidated:
    """Runs over folds: within a fold all were scored on the same images."""

    boards: Mapping[int, Predictions]
    """Fold → predictions."""
    runs: Mapping[int, Mapping[int, Mapping[int, RunRecord]]]
    """Rung → fold → seed → run."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the images."""
        return tuple(dict.fromkeys(note for part in self.boards.values() for note in part.notes))

    def values(self, rung: int, metric: str) -> list[float]:
        """Return the metric of each run, by fold and seed."""
        return [value for fold in sorted(self.runs[rung]) for value in self._on(rung, fold, metric)]

    def score(self, rung: int, metric: str) -> Estimate:
        """Return the mean of the metric over the folds."""
        folds = sorted(self.runs[rung])
        values = np.array([np.mean(self._on(rung, fold, metric)) for fold in folds])
        n_train, n_valid = self._sizes(rung, folds)
        n_images = sum(n_valid)
        if len(folds) < 2:
            value = find_metric(metric).signed(float(values[0]))
            return Estimate(value, None, None, n_images, "no interval: one fold is done")
        return fold_score(
            metric, values, n_train=round(np.mean(n_train)), n_valid=round(np.mean(n_valid)), n_images=n_images
        )

    def seed_sd(self, rung: int, metric: str) -> float:
        """Return the standard deviation over seeds of the mean over folds, for the seeds that all folds have."""
        folds = sorted(self.runs[rung])
        seeds = set.intersection(*(set(self.runs[rung][fold]) for fold in folds))
        if len(seeds) < 2:
            return np.nan
        means = np.mean([self._on(rung, fold, metric, sorted(seeds)) for fold in folds], axis=0)
        return float(np.std(means, ddof=1))

    def gain(self, before: int, after: int, metric: str, *, same_weights: bool) -> Gain:
        """Measure one rung against another, over the folds that both have."""
        seeds = {
            rung: self._seeds(rung, only_of=partner if same_weights else rung)
            for rung, partner in ((before, after), (after, before))
        }
        folds = [fold for fold in seeds[before] if fold in seeds[after]]
        if len(folds) < 2:
            raise UsageError("A gain over folds needs two folds that both rungs have.")
        a, b = (
            np.array([np.mean(self._on(rung, fold, metric, seeds[rung][fold])) for fold in folds])
            for rung in (before, after)
        )
        n_train, n_valid = self._sizes(after, folds)
        fewest = [min(len(seeds[rung][fold]) for fold in folds) for rung in (before, after)]
        return fold_gain(
            a,
            b,
            n_train=n_train,
            n_valid=n_valid,
            n_runs=(fewest[0], fewest[1]),
            seed_sds=(self.seed_sd(before, metric), self.seed_sd(after, metric)),
        )

    def ensemble(self, rung: int, metric: str) -> tuple[Estimate, Gain] | None:
        """Return the same over the folds that have two seeds at least; None where fewer than two folds have them."""
        folds = [fold for fold, runs in sorted(self.runs[rung].items()) if len(runs) > 1]
        if len(folds) < 2:
            return None
        keys = {fold: [run.key for _, run in sorted(self.runs[rung][fold].items())] for fold in folds}
        single = np.array([np.mean(self._on(rung, fold, metric)) for fold in folds])
        together = np.array([self.boards[fold].of_mean(metric, keys[fold]).mean() for fold in folds])
        n_train, n_valid = self._sizes(rung, folds)
        fewest = min(len(of_fold) for of_fold in keys.values())
        gain = fold_gain(single, together, n_train=n_train, n_valid=n_valid, n_runs=(fewest, fewest))
        mean_train, mean_valid = round(np.mean(n_train)), round(np.mean(n_valid))
        return fold_score(metric, together, n_train=mean_train, n_valid=mean_valid, n_images=sum(n_valid)), gain

    def _seeds(self, rung: int, *, only_of: int) -> dict[int, list[int]]:
        """Return the seeds of each fold that another rung has too; folds without any are left out."""
        common = {
            fold: sorted(set(runs) & set(self.runs[only_of].get(fold, {})))
            for fold, runs in sorted(self.runs[rung].items())
        }
        return {fold: seeds for fold, seeds in common.items() if seeds}

    def _on(self, rung: int, fold: int, metric: str, seeds: Sequence[int] | None = None) -> list[float]:
        runs = self.runs[rung][fold]
        keys = [runs[seed].key for seed in (sorted(runs) if seeds is None else seeds)]
        return [float(value) for value in self.boards[fold].contributions(metric, keys).mean(axis=1)]

    def _sizes(self, rung: int, folds: Sequence[int]) -> tuple[list[int], list[int]]:
        first = [next(iter(self.runs[rung][fold].values())) for fold in folds]
        return [run.data.n["train"] for run in first], [len(self.boards[fold].ids) for fold in folds]


def measured_runs(state: LadderState) -> MeasuredRuns:
    """Return the finished runs of a ladder, ready to be compared; there has to be one at least.

    Raises:
        RecordError: A record is damaged, or records do not fit each other.
    """
    ladder = state.ladder
    if ladder.n_folds is None:
        runs: dict[int, dict[int, RunRecord]] = {}
        for entry in state.jobs:
            if entry.record is not None:
                runs.setdefault(entry.job.rung, {})[entry.job.seed] = entry.record
        return OneSplit(read_predictions([run for by_seed in runs.values() for run in by_seed.values()]), runs)
    by_fold: dict[int, dict[int, dict[int, RunRecord]]] = {}
    for entry in state.jobs:
        if entry.record is not None and entry.job.fold is not None:
            by_fold.setdefault(entry.job.rung, {}).setdefault(entry.job.fold, {})[entry.job.seed] = entry.record
    folds = sorted({fold for rung in by_fold.values() for fold in rung})
    boards = {
        fold: read_predictions([run for rung in by_fold.values() for run in rung.get(fold, {}).values()])
        for fold in folds
    }
    return CrossValidated(boards, by_fold)


def weights_identity(record: RunRecord) -> str:
    """Return what identifies the weights of a run: their digest, or the run that they were taken from."""
    file = record.files.get(_WEIGHTS_FILE)
    return file.sha256 if file is not None else record.reused_from or record.key


def shares_weights(before: Mapping[Place, RunRecord], after: Mapping[Place, RunRecord]) -> bool:
    """Return whether every run on one side predicts with the weights of the run of the same seed on the other.

    Args:
        before: Seed (or fold and seed) → run.
        after: Likewise.
    """
    common = [place for place in before if place in after]
    return bool(common) and all(_is_same_weights(before[place], after[place]) for place in common)


def _is_same_weights(a: RunRecord, b: RunRecord) -> bool:
    if a.train_digest != b.train_digest:
        return False
    names = [{weights_identity(run), run.id, run.reused_from or run.id} for run in (a, b)]
    return bool(names[0] & names[1])


@dataclass(frozen=True)
class Changes:
    """The images that two sides do not answer alike, the ones that changed most first."""

    n_fixed: int
    """Images that are right more often."""
    n_broken: int
    """Images that are right less often."""
    fixed: tuple[Change, ...]
    """Those that are right more often, or the first of them."""
    broken: tuple[Change, ...]
    """Those that are right less often, or the first of them."""

    def first(self, n: int) -> Changes:
        """Keep the first n of either kind; they are counted as before."""
        return replace(self, fixed=self.fixed[:n], broken=self.broken[:n])

    def to_json(self) -> dict[str, Any]:
        """Return them as JSON values."""
        return asdict(self)


def changes(measured: MeasuredRuns, before: int, after: int) -> Changes | None:
    """Find the images on which one rung is right more often than another, and less often.

    Args:
        measured: Runs side by side.
        before: The number of the rung that is compared with.
        after: The number of the rung that is compared.

    Returns:
        The images; None where an image may have several labels and so is neither right nor wrong.
    """
    found: list[Change] = []
    for board, old, new in _parts(measured, before, after):
        if board.problem == "multilabel":
            return None
        seeds = sorted(set(old) & set(new)) if shares_weights(old, new) else None
        shares = []
        for side in (old, new):
            keys = [run.key for seed, run in sorted(side.items()) if seeds is None or seed in seeds]
            shares.append(board.contributions("accuracy", keys).mean(axis=0))
        rows = zip(board.ids, board.labels, *shares, strict=True)
        found += [Change(id_, label, float(a), float(b)) for id_, label, a, b in rows if a != b]
    found.sort(key=lambda change: (-abs(change.after - change.before), change.id))
    fixed = tuple(change for change in found if change.after > change.before)
    broken = tuple(change for change in found if change.after < change.before)
    return Changes(len(fixed), len(broken), fixed, broken)


def changed_images(state: LadderState, *, most: int) -> dict[int, Changes]:
    """Find, for every rung that has runs, the images that changed over the rung it is compared with.

    Args:
        state: The ladder and its records; where recipes are left out, the full stack counts as what comes after.
        most: How many images of either kind are named.
    """
    ladder = state.ladder
    ready = [number for number in range(len(ladder.rungs)) if any(entry.record for entry in state.of(number))]
    if not ready:
        return {}
    measured = measured_runs(state)
    found: dict[int, Changes] = {}
    for number in ready:
        partner = ladder.compared_with(number)
        if number and partner in ready:
            before, after = (number, partner) if ladder.kind == "ablate" else (partner, number)
            changed = changes(measured, before, after)
            found |= {} if changed is None else {number: changed.first(most)}
    return found


def _parts(
    measured: MeasuredRuns, before: int, after: int
) -> list[tuple[Predictions, Mapping[int, RunRecord], Mapping[int, RunRecord]]]:
    """Return the predictions of each split with the runs, by seed, of both sides."""
    if isinstance(measured, OneSplit):
        return [(measured.board, measured.runs[before], measured.runs[after])]
    assert isinstance(measured, CrossValidated)  # noqa: S101 - there is no third kind
    both = [fold for fold in sorted(measured.runs[before]) if fold in measured.runs[after]]
    return [(measured.boards[fold], measured.runs[before][fold], measured.runs[after][fold]) for fold in both]
