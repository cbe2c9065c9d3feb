"""Figures of several rounds, and the ratio of the two sides with its spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.rounds import Side, Trained


@dataclass(frozen=True)
class Measure:
    """One figure that is compared."""

    name: str
    """Its name in JSON."""
    title: str
    """What people read above it, with the unit on a second line."""
    decimals: int
    """How many are shown."""
    more_is_better: bool | None
    """Which way is better; None where only the difference is of interest."""

    def of(self, trained: Trained) -> float:
        """Return the figure of one training."""
        values = {
            "train_images_per_second": trained.train_images_per_second,
            "valid_images_per_second": trained.valid_images_per_second,
            "wall_seconds": trained.wall_seconds,
            "accuracy": trained.measured.accuracy,
            "peak_mib": trained.measured.peak_bytes / 2**20,
        }
        return values[self.name]


MEASURES = (
    Measure("train_images_per_second", "training\nimages/s", 1, True),
    Measure("valid_images_per_second", "validation\nimages/s", 1, True),
    Measure("wall_seconds", "process\nseconds", 1, False),
    Measure("peak_mib", "peak memory\nMiB", 0, False),
    Measure("accuracy", "accuracy\n", 3, None),
)


@dataclass(frozen=True)
class Spread:
    """The least, the middle and the most of several rounds."""

    low: float
    """The least."""
    middle: float
    """The median."""
    high: float
    """The most."""

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Take it of at least one value."""
        return cls(min(values), median(values), max(values))

    def to_json(self) -> dict[str, float]:
        """Return min, median and max."""
        return {"min": self.low, "median": self.middle, "max": self.high}


@dataclass(frozen=True)
class Comparison:
    """All trainings of a benchmark; the last side is ours, the others are settings of the reference."""

    rounds: Sequence[Sequence[Trained]]
    """For each round, one training for each side."""

    @property
    def sides(self) -> list[Side]:
        """Who took part."""
        return [trained.side for trained in self.rounds[0]]

    @property
    def best_reference(self) -> int:
        """The place of the reference setting that trained fastest, by the median of the rounds."""
        speed = MEASURES[0]
        return max(range(len(self.sides) - 1), key=lambda place: self.spread(speed, place).middle)

    def values(self, measure: Measure, place: int) -> list[float]:
        """Return a figure of one side, round by round."""
        return [measure.of(trained[place]) for trained in self.rounds]

    def spread(self, measure: Measure, place: int) -> Spread:
        """Return a figure of one side over the rounds."""
        return Spread.of(self.values(measure, place))

    def ratio(self, measure: Measure) -> Spread | None:
        """Return how many times better ours is than the best reference, round by round; below 1 is worse.

        Returns:
            None where a ratio says nothing.
        """
        if measure.more_is_better is None:
            return None
        pairs = zip(self.values(measure, -1), self.values(measure, self.best_reference), strict=True)
        return Spread.of([ours / theirs if measure.more_is_better else theirs / ours for ours, theirs in pairs])

    def to_json(self) -> dict[str, object]:
        """Return every figure of every side, and the ratios."""
        sides: dict[str, dict[str, object]] = {
            side.name: {"precision": self.rounds[0][place].measured.precision}
            | {
                measure.name: self.spread(measure, place).to_json() | {"rounds": self.values(measure, place)}
                for measure in MEASURES
            }
            for place, side in enumerate(self.sides)
        }
        found = {measure.name: self.ratio(measure) for measure in MEASURES}
        return {
            "n_rounds": len(self.rounds),
            "device": self.rounds[0][0].measured.device,
            "reference": self.sides[self.best_reference].name,
            "sides": sides,
            "ratios": {name: ratio.to_json() for name, ratio in found.items() if ratio},
        }
