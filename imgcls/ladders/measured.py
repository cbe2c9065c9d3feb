"""The runs of a ladder put side by side, on one split or on folds, ready to be compared."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from imgcls.errors import UsageError
from imgcls.evidence.folds import fold_gain
from imgcls.evidence.gains import Gain, measure
from imgcls.evidence.scored import Floats
from imgcls.evidence.scores import fold_score, score
from imgcls.ladders.scored import Board, board
from imgcls.ladders.state import LadderState
from imgcls.records.estimate import Estimate
from imgcls.records.run import RunRecord

_WEIGHTS_FILE = "weights.safetensors"
Place = TypeVar("Place", bound=Hashable)


class Measured(Protocol):
    """The runs of a ladder, ready to be compared."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Give what is to be said of the images."""

    def values(self, rung: int, metric: str) -> list[float]:
        """Give the metric of each run, as a gain is measured: higher is better."""

    def score(self, rung: int, metric: str) -> Estimate:
        """Give the metric over all runs."""

    def seed_sd(self, rung: int, metric: str) -> float:
        """Give the standard deviation over seeds; NaN with fewer than two."""

    def gain(self, before: int, after: int, metric: str, *, same_weights: bool) -> Gain:
        """Measure one rung against another."""


@dataclass(frozen=True)
class OneSplit:
    """Runs that were all scored on the same images."""

    board: Board
    """Their predictions."""
    runs: Mapping[int, Mapping[int, RunRecord]]
    """Rung → seed → run."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the images."""
        return self.board.notes

    def values(self, rung: int, metric: str) -> list[float]:
        """Give the metric of each run, by seed."""
        return [float(value) for value in self._rows(rung, metric, self._seeds(rung)).mean(axis=1)]

    def score(self, rung: int, metric: str) -> Estimate:
        """Give the metric over all runs."""
        return score(metric, self._rows(rung, metric, self._seeds(rung)), groups=self.board.groups)

    def seed_sd(self, rung: int, metric: str) -> float:
        """Give the standard deviation over seeds."""
        values = self.values(rung, metric)
        return float(np.std(values, ddof=1)) if len(values) > 1 else np.nan

    def gain(self, before: int, after: int, metric: str, *, same_weights: bool) -> Gain:
        """Measure one rung against another; with the same weights only the seeds that both have count."""
        a, b = self._seeds(before), self._seeds(after)
        if same_weights:
            a = b = [seed for seed in a if seed in b]
        return measure(
            self._rows(before, metric, a),
            self._rows(after, metric, b),
            same_weights=same_weights,
            groups=self.board.groups,
        )

    def _seeds(self, rung: int) -> list[int]:
        return sorted(self.runs[rung])

    def _rows(self, rung: int, metric: str, seeds: Sequence[int]) -> Floats:
        return self.board.contributions(metric, [self.runs[rung][seed].key for seed in seeds])


@dataclass(frozen=True)
class Folds:
    """Runs over folds: within a fold all were scored on the same images."""

    boards: Mapping[int, Board]
    """Fold → predictions."""
    runs: Mapping[int, Mapping[int, Mapping[int, RunRecord]]]
    """Rung → fold → seed → run."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the images."""
        return tuple(dict.fromkeys(note for part in self.boards.values() for note in part.notes))

    def values(self, rung: int, metric: str) -> list[float]:
        """Give the metric of each run, by fold and seed."""
        return [value for fold in sorted(self.runs[rung]) for value in self._on(rung, fold, metric)]

    def score(self, rung: int, metric: str) -> Estimate:
        """Give the mean of the metric over the folds."""
        folds = sorted(self.runs[rung])
        values = np.array([np.mean(self._on(rung, fold, metric)) for fold in folds])
        n_train, n_valid = self._sizes(rung, folds)
        n_images = sum(n_valid)
        if len(folds) < 2:
            value = abs(float(values[0])) if metric == "log_loss" else float(values[0])
            return Estimate(value, None, None, n_images, "no interval: one fold is done")
        return fold_score(
            metric, values, n_train=round(np.mean(n_train)), n_valid=round(np.mean(n_valid)), n_images=n_images
        )

    def seed_sd(self, rung: int, metric: str) -> float:
        """Give the standard deviation over seeds of the mean over folds, for the seeds that all folds have."""
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

    def _seeds(self, rung: int, *, only_of: int) -> dict[int, list[int]]:
        """Give the seeds of each fold that another rung has too; folds without any are left out."""
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


def measured_runs(state: LadderState) -> Measured:
    """Put the finished runs of a ladder side by side; there has to be one at least.

    Raises:
        RecordError: A record is damaged, or records do not fit each other.
    """
    ladder = state.ladder
    if ladder.n_folds is None:
        runs: dict[int, dict[int, RunRecord]] = {}
        for entry in state.jobs:
            if entry.record is not None:
                runs.setdefault(entry.job.rung, {})[entry.job.seed] = entry.record
        return OneSplit(board([run for by_seed in runs.values() for run in by_seed.values()]), runs)
    by_fold: dict[int, dict[int, dict[int, RunRecord]]] = {}
    for entry in state.jobs:
        if entry.record is not None and entry.job.fold is not None:
            by_fold.setdefault(entry.job.rung, {}).setdefault(entry.job.fold, {})[entry.job.seed] = entry.record
    folds = sorted({fold for rung in by_fold.values() for fold in rung})
    boards = {fold: board([run for rung in by_fold.values() for run in rung.get(fold, {}).values()]) for fold in folds}
    return Folds(boards, by_fold)


def weights_identity(record: RunRecord) -> str:
    """Give what tells the weights of a run from others: their digest, or the run that they were taken from."""
    file = record.files.get(_WEIGHTS_FILE)
    return file.sha256 if file is not None else record.reused_from or record.key


def shares_weights(before: Mapping[Place, RunRecord], after: Mapping[Place, RunRecord]) -> bool:
    """Say whether every run on one side predicts with the weights of the run of the same seed on the other.

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
