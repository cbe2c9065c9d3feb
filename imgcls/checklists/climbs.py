"""Ladders as far as the checklist needs them: their verdicts, and what the sealed test said."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from imgcls.checklists.trials import Grounds, Side, Trial, answered, seed_of, text_of, trial_of
from imgcls.errors import RecordError
from imgcls.ladders.find import find_ladders
from imgcls.ladders.spec import FINAL_JSON, RESULT_JSON, Ladder
from imgcls.records.reading import read_json
from imgcls.workspace import Workspace


@dataclass(frozen=True)
class Measure:
    """A number with its 95 % interval."""

    value: float
    """The number."""
    low: float
    """Lower end."""
    high: float
    """Upper end."""

    @property
    def half_width(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2

    @classmethod
    def of(cls, value: Any) -> Measure | None:
        """Read one from JSON values; None where there is no number, or no interval."""
        numbers = [] if value is None else [value[name] for name in ("value", "low", "high")]
        return cls(*map(float, numbers)) if numbers and None not in numbers else None


@dataclass(frozen=True)
class Opening:
    """What the sealed test said, beside what validation had said."""

    metric: str
    """The metric."""
    test_gain: Measure | None
    """The gain of the incumbent over the base on test; None where the incumbent is the base."""
    validation_gain: Measure | None
    """The same on validation."""
    test_score: Measure | None
    """The incumbent's score on test."""
    validation_score: Measure | None
    """Its score on validation."""

    @classmethod
    def read(cls, path: Path) -> Opening | None:
        """Read final.json; None where the test part is still sealed.

        Raises:
            RecordError: It is damaged.
        """
        if not path.is_file():
            return None
        value: Any = read_json(path)
        try:
            return cls(
                metric=str(value["metric"]),
                test_gain=Measure.of(value["test"]),
                validation_gain=Measure.of(value["validation"]),
                test_score=Measure.of(value["incumbent_score"]),
                validation_score=Measure.of(value["validation_scores"]["incumbent"]),
            )
        except (KeyError, TypeError, ValueError) as problem:
            raise RecordError(
                f"{path} is damaged, or another version wrote it. 'imgcls ladder final' writes it anew."
            ) from problem


@dataclass(frozen=True)
class Climb:
    """A ladder: what it was judged to be, and what the sealed test said of it."""

    ladder: Ladder
    """The ladder as planned."""
    grounds: Grounds
    """On which data and split."""
    trials: tuple[Trial, ...] = ()
    """Its steps that were judged, the lowest first; empty before the first verdict."""
    is_complete: bool = False
    """Whether every run is done or has failed."""
    incumbent: int | None = None
    """The number of the rung to use; None before the ladder was judged, and where recipes are left out."""
    incumbent_runs: tuple[str, ...] = ()
    """The ids of its runs."""
    opening: Opening | None = None
    """What the sealed test said; None where it is still sealed."""

    @property
    def to_use(self) -> Side | None:
        """The stack to use, as it was when it was tried; None before the ladder was judged."""
        if self.incumbent is None:
            return None
        rung = self.ladder.rungs[self.incumbent]
        return Side(rung.stack, self.ladder.overrides, rung.plan_digest)

    @property
    def file(self) -> str:
        """The file that holds the verdicts, relative to the workspace."""
        return f"ladders/{self.ladder.name}/{RESULT_JSON}"


def read_climbs(workspace: Workspace) -> tuple[tuple[Climb, ...], list[str]]:
    """Read every ladder of a workspace with its verdicts.

    Returns:
        The ladders, the one worked on last at the end, and a message for every file that cannot be read; what the
        other files of that ladder say is still told.
    """
    ladders, damaged = find_ladders(workspace)
    found = []
    for ladder in ladders:
        is_folded = ladder.n_folds is not None
        climb = Climb(ladder, Grounds(ladder.data_digest, ladder.split_digests, is_folded, seed_of(ladder.data)))
        for read in (_judged, _opened):
            try:
                climb = read(climb)
            except RecordError as problem:
                damaged.append(str(problem))
        found.append(climb)
    return tuple(found), damaged


def _judged(climb: Climb) -> Climb:
    """Add what result.json says; the stacks themselves are those of ladder.json.

    Raises:
        RecordError: It is damaged.
    """
    path = _beside(climb.ladder, RESULT_JSON)
    if not path.is_file():
        return climb
    result: Any = read_json(path)
    try:
        return _with_verdicts(climb, result)
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise RecordError(
            f"{path} is damaged, or another version wrote it. 'imgcls ladder run' with the same stack writes it anew."
        ) from problem


def _with_verdicts(climb: Climb, result: Any) -> Climb:
    ladder = climb.ladder
    steps = [rung["step"] for rung in result["rungs"]]
    if len(steps) != len(ladder.rungs):
        raise ValueError("not the rungs of its ladder")
    printed = [rung.printed for rung in ladder.rungs]
    incumbent = printed.index(result["incumbent"]) if ladder.kind == "climb" else None
    return replace(
        climb,
        trials=tuple(_step(climb, number, step) for number, step in enumerate(steps) if number and step),
        is_complete=bool(result["complete"]),
        incumbent=incumbent,
        incumbent_runs=() if incumbent is None else tuple(text_of(run) for run in result["rungs"][incumbent]["runs"]),
    )


def _opened(climb: Climb) -> Climb:
    """Add what final.json says; see `Opening.read`."""
    return replace(climb, opening=Opening.read(_beside(climb.ladder, FINAL_JSON)))


def _beside(ladder: Ladder, name: str) -> Path:
    """Give a file in the folder of a ladder."""
    assert ladder.folder is not None  # noqa: S101 - it was read from there
    return ladder.folder / name


def _step(climb: Climb, number: int, step: Any) -> Trial:
    ladder = climb.ladder
    rung, other = ladder.rungs[number], ladder.rungs[ladder.compared_with(number)]
    return trial_of(
        step,
        items=answered(rung.recipes, rung.items),
        what=f"{rung.label} over {other.printed}" if ladder.kind == "climb" else rung.label,
        metric=ladder.metric,
        file=climb.file,
        grounds=climb.grounds,
        sides=tuple(Side(one.stack, ladder.overrides, one.plan_digest) for one in (other, rung)),
        ladder=ladder.name,
    )
