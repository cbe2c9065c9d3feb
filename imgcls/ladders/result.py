"""What a ladder says: every rung with its score, its gains and their verdicts, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from imgcls.evidence.gains import Gain
from imgcls.evidence.metrics import METRICS
from imgcls.evidence.verdicts import Judged
from imgcls.ladders.spec import Ladder, RungPlan
from imgcls.records.estimate import Estimate

SCHEMA = 1


@dataclass(frozen=True)
class Failure:
    """A run that failed, and so is missing from the evidence."""

    seed: int
    """Its seed."""
    fold: int | None
    """Its fold; None without folds."""
    reason: str
    """Why."""


@dataclass(frozen=True)
class RungResult:
    """One rung, judged."""

    plan: RungPlan
    """The rung."""
    n_planned: int
    """Runs that it should have."""
    runs: tuple[str, ...]
    """Ids of the runs that are done, by fold and seed."""
    values: tuple[float, ...]
    """The primary metric of each of them."""
    failures: tuple[Failure, ...]
    """The runs that failed."""
    score: Estimate | None
    """The primary metric over all runs, with its interval; None before the first run is done."""
    seed_sd: float | None
    """Standard deviation of the metric over seeds; None with fewer than two."""
    metrics: Mapping[str, Estimate]
    """The other metrics, likewise."""
    step: Judged | None
    """The gain over the rung it is compared with; None for the first, or while runs are missing."""
    total: Judged | None
    """The gain over the base; None for the first, and where recipes are left out."""
    other_gains: Mapping[str, Gain]
    """The step's gain in the other metrics, for which no verdicts are given."""
    seconds: float | None
    """What one run of it takes when made alone, in the mean."""
    extra_seconds: float | None
    """How much more that is than for the rung it is compared with."""

    @property
    def seconds_per_point(self) -> float | None:
        """Give what a point of gain costs in time; None where no gain was shown."""
        if self.step is None or self.extra_seconds is None or self.step.verdict not in ("better", "likely better"):
            return None
        return self.extra_seconds / (100 * self.step.value)

    def to_json(self) -> dict[str, Any]:
        """Give the rung as JSON values."""
        return {
            **asdict(self.plan),
            "n_planned": self.n_planned,
            "runs": list(self.runs),
            "values": list(self.values),
            "failures": [asdict(failure) for failure in self.failures],
            "score": self.score.to_json() if self.score else None,
            "seed_sd": self.seed_sd,
            "metrics": {name: estimate.to_json() for name, estimate in self.metrics.items()},
            "step": judged_json(self.step),
            "total": judged_json(self.total),
            "other_gains": {name: gain_json(gain) for name, gain in self.other_gains.items()},
            "seconds": self.seconds,
            "extra_seconds": self.extra_seconds,
            "seconds_per_point": self.seconds_per_point,
        }


@dataclass(frozen=True)
class LadderResult:
    """A ladder, judged; as far as its runs are done."""

    ladder: Ladder
    """The ladder."""
    rungs: tuple[RungResult, ...]
    """Its rungs, lowest first."""
    problem: str
    """`binary`, `multiclass` or `multilabel`; empty before the first run is done."""
    classes: tuple[str, ...]
    """The classes."""
    n_train: int
    """Training photographs, in the mean over folds."""
    n_images: int
    """Photographs that every run was scored on, over all folds."""
    n_groups: int
    """The groups that they come in; 0 where they stand alone."""
    is_complete: bool
    """Whether every run is done or has failed."""
    n_looks: int
    """How often verdicts were given with a growing number of seeds."""
    devices: tuple[str, ...]
    """The devices that the runs were made on."""
    seconds: float
    """What all runs took together."""
    saved_seconds: float
    """What trainings would have taken besides, had no weights been shared."""
    notes: tuple[str, ...] = ()
    """What a person should know before believing any of it."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """Versions and platform of the first run."""

    @property
    def incumbent(self) -> int:
        """Give the number of the rung to use: the highest that is better, or likely better, than the base."""
        if self.ladder.kind == "ablate":
            return 0
        shown = [place for place, rung in enumerate(self.rungs) if rung.total and rung.total.verdict in _GAINS]
        return shown[-1] if shown else 0

    @property
    def unit(self) -> str:
        """Give the unit of gains: percentage points, or nats for log loss."""
        return "nats" if self.ladder.metric == "log_loss" else "points"

    @property
    def metric_title(self) -> str:
        """Give the metric as people read it."""
        return METRICS[self.ladder.metric].title

    @property
    def n_failed(self) -> int:
        """Count the runs that failed."""
        return sum(len(rung.failures) for rung in self.rungs)

    def to_json(self) -> dict[str, Any]:
        """Give the whole as JSON values, without NaN."""
        value = {
            "schema": SCHEMA,
            "name": self.ladder.name,
            "kind": self.ladder.kind,
            "stack": self.ladder.stack,
            "metric": self.ladder.metric,
            "unit": self.unit,
            "smallest_gain": self.ladder.smallest_gain,
            "seeds": list(self.ladder.seeds),
            "n_folds": self.ladder.n_folds,
            "data": {
                "name": self.ladder.data_name,
                "digest": self.ladder.data_digest,
                "split_digests": list(self.ladder.split_digests),
                "problem": self.problem,
                "classes": list(self.classes),
                "n_train": self.n_train,
                "n_images": self.n_images,
                "n_groups": self.n_groups,
            },
            "complete": self.is_complete,
            "looks": self.n_looks,
            "incumbent": self.ladder.rungs[self.incumbent].printed,
            "rungs": [rung.to_json() for rung in self.rungs],
            "n_failed": self.n_failed,
            "devices": list(self.devices),
            "seconds": self.seconds,
            "saved_seconds": self.saved_seconds,
            "environment": dict(self.environment),
            "notes": list(self.notes),
        }
        finite = _finite(value)
        assert isinstance(finite, dict)  # noqa: S101 - it was one
        return finite


_GAINS = ("better", "likely better")


def judged_json(judged: Judged | None) -> dict[str, Any] | None:
    """Give a gain and its verdict as JSON values."""
    if judged is None:
        return None
    return {
        "verdict": judged.verdict,
        "holm_p": judged.holm_p,
        "remarks": list(judged.remarks),
        "detectable": judged.detectable,
        "settle": asdict(judged.settle) if judged.settle else None,
        **gain_json(judged.gain),
    }


def gain_json(gain: Gain) -> dict[str, Any]:
    """Give a gain as JSON values; numbers that do not exist are null."""
    value = _finite(asdict(gain))
    assert isinstance(value, dict)  # noqa: S101 - it was one
    return value


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value
