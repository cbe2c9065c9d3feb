"""What the record of all folds keeps of each: which run it was, how it scored, and how far the scores lie apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from imgcls.records.estimate import Estimate
from imgcls.records.reading import Fields


@dataclass(frozen=True)
class FoldRun:
    """One fold: the run whose validation predictions were taken."""

    fold: int
    """Its number, from 0."""
    run: str
    """The id of its run."""
    sha256: str
    """Digest of that run's run.json, which has those of its other files."""
    n: Mapping[str, int]
    """The number of samples: train, valid, test, excluded."""
    metrics: Mapping[str, Estimate]
    """Name → estimate, on the fold's own validation part."""

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read one from a JSON object; problems are collected in `fields`."""
        return cls(
            fold=fields.integer("fold"),
            run=fields.text("run"),
            sha256=fields.text("sha256"),
            n=fields.counts("n"),
            metrics=fields.inner_each("metrics", Estimate.from_fields),
        )

    def to_json(self) -> dict[str, Any]:
        """Give it as a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class Spread:
    """How a metric varies from fold to fold; no standard error, since the trainings share most of their samples."""

    mean: float | None
    """The mean over the folds that have a value; None where none has."""
    sd: float | None
    """The standard deviation over them (n − 1 in the denominator); None where fewer than two have a value."""
    n: int
    """The number of folds that have a value."""

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read one from a JSON object; problems are collected in `fields`."""
        return cls(fields.number_or_none("mean"), fields.number_or_none("sd"), fields.integer("n"))

    def to_json(self) -> dict[str, Any]:
        """Give it as a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class Folds:
    """All folds of one stack and seed."""

    runs: tuple[FoldRun, ...]
    """The folds in order."""
    spread: Mapping[str, Spread]
    """Metric → mean and standard deviation over the folds."""

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read them from a JSON object; problems are collected in `fields`."""
        return cls(
            runs=fields.inner_list("runs", FoldRun.from_fields),
            spread=fields.inner_each("spread", Spread.from_fields),
        )

    def to_json(self) -> dict[str, Any]:
        """Give them as a JSON object."""
        return {
            "runs": [run.to_json() for run in self.runs],
            "spread": {name: spread.to_json() for name, spread in self.spread.items()},
        }
