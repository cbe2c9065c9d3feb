"""Single images whose answers differ between two sides: right more often, or less."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from imgcls.evidence.scored import Floats
from imgcls.ladders.measured import Folds, Measured, OneSplit, measured_runs, shares_weights
from imgcls.ladders.scored import Board
from imgcls.ladders.state import LadderState
from imgcls.records.run import RunRecord


@dataclass(frozen=True)
class Change:
    """One image that two sides do not answer alike."""

    id: str
    """Its name."""
    label: str
    """Its class."""
    before: float
    """Share of the runs that were right on the side it is compared with, in [0, 1]."""
    after: float
    """Share of the runs that are right on the other side, in [0, 1]."""


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
        """Give them as JSON values."""
        return asdict(self)


def changes(measured: Measured, before: int, after: int) -> Changes | None:
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
        shares = [_right(board, side, seeds) for side in (old, new)]
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
    measured: Measured, before: int, after: int
) -> list[tuple[Board, Mapping[int, RunRecord], Mapping[int, RunRecord]]]:
    """Give the predictions of each split with the runs, by seed, of both sides."""
    if isinstance(measured, OneSplit):
        return [(measured.board, measured.runs[before], measured.runs[after])]
    assert isinstance(measured, Folds)  # noqa: S101 - there is no third kind
    both = [fold for fold in sorted(measured.runs[before]) if fold in measured.runs[after]]
    return [(measured.boards[fold], measured.runs[before][fold], measured.runs[after][fold]) for fold in both]


def _right(board: Board, runs: Mapping[int, RunRecord], seeds: list[int] | None) -> Floats:
    """Give the share of runs that are right, for each image."""
    keys = [run.key for seed, run in sorted(runs.items()) if seeds is None or seed in seeds]
    return np.asarray(board.contributions("accuracy", keys).mean(axis=0), dtype=np.float64)
