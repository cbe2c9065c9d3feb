"""Which samples stay together when they are split, and which should."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from imgcls.data.samples import Samples
from imgcls.data.units import linked


@dataclass(frozen=True)
class Kinship:
    """Which samples a split already keeps together."""

    unit_of: Mapping[str, int]
    """From an id to its unit: samples linked by group or by equal files."""

    @classmethod
    def of(cls, samples: Samples) -> Kinship:
        """Look at the groups and files of samples."""
        return cls(dict(zip(samples.frame["id"], linked(samples.frame).tolist(), strict=True)))

    def are_kin(self, *names: str) -> bool:
        """Whether samples already stay together."""
        return len({self.unit_of[name] for name in names}) < 2

    def families(self, pairs: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
        """Join ids that should stay together into families; those that stay together already are left out.

        Args:
            pairs: Sets of ids, each to be kept together.

        Returns:
            Disjoint families of at least two ids, each in order, in the order of their first ids.
        """
        sets = [tuple(names) for names in pairs]
        order = sorted({name for names in sets for name in names})
        place = {name: position for position, name in enumerate(order)}
        ends = [(place[names[0]], place[name]) for names in sets for name in names[1:]]
        if not ends:
            return ()
        rows, columns = np.array(ends).T
        graph = coo_array((np.ones(len(ends), dtype=np.int8), (rows, columns)), shape=(len(order), len(order)))
        families: dict[int, list[str]] = {}
        for name, number in zip(order, connected_components(graph, directed=False)[1].tolist(), strict=True):
            families.setdefault(number, []).append(name)
        found = [tuple(names) for names in families.values() if len(names) > 1 and not self.are_kin(*names)]
        return tuple(sorted(found))
