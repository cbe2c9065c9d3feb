"""Folds, and what chance alone would do: labels dealt out anew, those of samples that belong together as one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Deal:
    """Samples with kinds, divided into folds; the kinds can be dealt out anew."""

    kinds: Indices
    """int64 [m], what is to be guessed, as a number from 0."""
    units: Indices
    """int64 [m], the unit of each sample, from 0: what belongs together, see `imgcls.data.units`."""
    folds: Indices
    """int64 [m], in which turn a sample is held out."""

    @classmethod
    def of(cls, kinds: npt.ArrayLike, units: npt.ArrayLike, *, n_folds: int, rng: np.random.Generator) -> Deal:
        """Divide samples into folds: units whole, and as many of each kind in each fold as can be.

        Args:
            kinds: [m] numbers from 0.
            units: [m] numbers.
            n_folds: At least 2; fewer are made where there are fewer units.
            rng: Decides who is held out when.
        """
        kinds = np.asarray(kinds, dtype=np.int64)
        names, first, units = np.unique(np.asarray(units), return_index=True, return_inverse=True)
        order = rng.permutation(len(names))
        order = order[np.argsort(kinds[first][order], kind="stable")]
        turns = np.empty(len(names), dtype=np.int64)
        turns[order] = (np.arange(len(names)) + rng.integers(n_folds)) % min(n_folds, max(1, len(names)))
        return cls(kinds, units.astype(np.int64), turns[units])

    @property
    def n_folds(self) -> int:
        """The number of folds."""
        return int(self.folds.max(initial=-1)) + 1

    @property
    def are_single(self) -> bool:
        """Whether every sample is a unit of its own."""
        return len(self.units) == int(self.units.max(initial=-1)) + 1

    def shuffled(self, n: int, rng: np.random.Generator) -> Indices:
        """Give kinds as chance would deal them.

        Single samples exchange their kinds within their folds, so that the folds stay as they are. A unit gets those of
        another one, from the first on and again where it is larger, so that what is alike within units stays so.

        Args:
            n: How often.
            rng: Decides how.

        Returns:
            int64 [n, m].
        """
        return self._within_folds(n, rng) if self.are_single else self._by_units(n, rng)

    def _within_folds(self, n: int, rng: np.random.Generator) -> Indices:
        dealt = np.empty((n, len(self.kinds)), dtype=np.int64)
        for fold in range(self.n_folds):
            rows = np.flatnonzero(self.folds == fold)
            dealt[:, rows] = rng.permuted(np.tile(self.kinds[rows], (n, 1)), axis=1)
        return dealt

    def _by_units(self, n: int, rng: np.random.Generator) -> Indices:
        dealt = np.empty((n, len(self.kinds)), dtype=np.int64)
        places = np.argsort(self.units, kind="stable")
        sizes = np.bincount(self.units)
        starts = np.cumsum(sizes) - sizes
        unit = self.units[places]
        within = np.arange(len(places)) - starts[unit]
        for turn in range(n):
            giver = rng.permutation(len(sizes))[unit]
            dealt[turn, places] = self.kinds[places[starts[giver] + within % sizes[giver]]]
        return dealt


def p_value(found: float, by_chance: npt.NDArray[np.float64]) -> float:
    """Give the share of shuffles that did as well, the one that was found counted among them; NaN counts as well.

    Source: Phipson and Smyth 2010, Statistical Applications in Genetics and Molecular Biology 9(1), article 39.
    """
    return float((1 + np.logical_not(by_chance < found - 1e-12).sum()) / (1 + len(by_chance)))
