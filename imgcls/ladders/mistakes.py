"""Where a rung is wrong: which classes it takes for which, and the photographs it is most wrong about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imgcls.evidence.scored import Floats
from imgcls.evidence.summary import confident_mistakes
from imgcls.ladders.scored import Board, board
from imgcls.ladders.state import LadderState

MOST_CLASSES = 20
MOST_PAIRS = 10
MOST_MISTAKES = 12


@dataclass(frozen=True)
class Turn:
    """The runs of one rung that were scored on the same images: those of a fold, or all."""

    board: Board
    """Their predictions."""
    classes: tuple[str, ...]
    """The names of the classes."""

    @property
    def stacked(self) -> Floats:
        """Give the probabilities of all runs, [runs, images, classes]."""
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
class Pair:
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
    """An image on which the runs are sure of a wrong answer."""

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


def turns_of(state: LadderState, rung: int) -> tuple[Turn, ...]:
    """Give the predictions of a rung, by fold.

    Args:
        state: The ladder and its records.
        rung: A rung with one finished run at least.

    Raises:
        RecordError: A record is damaged.
    """
    records = [entry.record for entry in state.of(rung) if entry.record is not None]
    folds = sorted({record.fold for record in records}, key=lambda fold: -1 if fold is None else fold)
    parts = [[record for record in records if record.fold == fold] for fold in folds]
    return tuple(Turn(board(part), part[0].classes) for part in parts)


def confusion(turns: Sequence[Turn]) -> Confusion | None:
    """Count which class was taken for which; None where images have several labels.

    Of more than `MOST_CLASSES` classes those are shown that most images are confused with.
    """
    if turns[0].is_multilabel:
        return None
    classes, counts = turns[0].classes, _all_counts(turns)
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-(wrong.sum(axis=0) + wrong.sum(axis=1)), kind="stable")
    shown = np.sort(order[:MOST_CLASSES])
    return Confusion(
        classes=tuple(classes[place] for place in shown),
        counts=tuple(tuple(float(counts[row, column]) for column in shown) for row in shown),
        totals=tuple(round(float(counts[row].sum())) for row in shown),
        n_hidden=len(classes) - len(shown),
    )


def confused_pairs(turns: Sequence[Turn]) -> tuple[Pair, ...]:
    """Give the pairs of classes that are confused most often, the most frequent first."""
    pairs = _label_pairs(turns) if turns[0].is_multilabel else _class_pairs(turns)
    ordered = sorted((pair for pair in pairs if pair.n > 0), key=lambda pair: -pair.n)
    return tuple(ordered[:MOST_PAIRS])


def worst_mistakes(turns: Sequence[Turn], *, most: int = MOST_MISTAKES) -> tuple[WorstMistake, ...]:
    """Give the images that the runs, their probabilities averaged, are most sure and wrong about.

    Args:
        turns: The predictions of a rung.
        most: How many at the most.
    """
    found = [mistake for turn in turns for mistake in _worst_of(turn, most)]
    return tuple(sorted(found, key=lambda mistake: -mistake.confidence)[:most])


def _worst_of(turn: Turn, most: int) -> list[WorstMistake]:
    part = turn.board
    mistakes = confident_mistakes(
        part.ids, turn.stacked.mean(axis=0), part.targets, classes=turn.classes, labels=part.labels, most=most
    )
    row = {name: place for place, name in enumerate(part.ids)}
    wrong = None if turn.is_multilabel else (turn.stacked.argmax(axis=2) != part.targets).sum(axis=0)
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


def _all_counts(turns: Sequence[Turn]) -> Floats:
    return np.sum([_counts(turn) for turn in turns], axis=0)


def _counts(turn: Turn) -> Floats:
    """Count label × answer, [k, k], in the mean over runs."""
    answers = turn.stacked.argmax(axis=2)
    k = len(turn.classes)
    flat = (turn.board.targets * k + answers).ravel()
    return np.bincount(flat, minlength=k * k).reshape(k, k) / len(answers)


def _class_pairs(turns: Sequence[Turn]) -> list[Pair]:
    classes, counts = turns[0].classes, _all_counts(turns)
    totals = counts.sum(axis=1)
    return [
        Pair(classes[row], classes[column], float(counts[row, column]), round(float(totals[row])))
        for row, column in np.argwhere(counts > 0)
        if row != column
    ]


def _label_pairs(turns: Sequence[Turn]) -> list[Pair]:
    """Count, label by label, those missed and those seen where they are not."""
    pairs = []
    for place, name in enumerate(turns[0].classes):
        missed = alarms = 0.0
        n_with = n_without = 0
        for turn in turns:
            has = turn.board.targets[:, place] == 1
            said = turn.stacked[:, :, place] > 0.5
            missed += float((~said[:, has]).sum(axis=1).mean())
            alarms += float(said[:, ~has].sum(axis=1).mean())
            n_with, n_without = n_with + int(has.sum()), n_without + int((~has).sum())
        pairs += [Pair(name, f"no {name}", missed, n_with), Pair(f"no {name}", name, alarms, n_without)]
    return pairs
