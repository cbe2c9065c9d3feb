"""What was tried: the verdicts that ladders and comparisons left, as far as the checklist needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from imgcls.catalog import Stack, find_recipes
from imgcls.checklists.items import all_items
from imgcls.errors import ImgclsError, RecordError
from imgcls.ladders.comparison_files import COMPARISONS
from imgcls.ladders.find import find_ladders
from imgcls.ladders.spec import FINAL_JSON, RESULT_JSON, Ladder
from imgcls.records.reading import read_json
from imgcls.workspace import Workspace

CANNOT_TELL = "cannot tell"
GAINS = ("better", "likely better")


@dataclass(frozen=True)
class Grounds:
    """The data and the split that something was found on."""

    data_digest: str
    """Digest of samples, labels and pixels."""
    split_digests: tuple[str, ...]
    """Digest of who trains and who validates, one for each fold."""
    is_folded: bool = False
    """Whether folds took turns in validating."""


@dataclass(frozen=True)
class Side:
    """A stack as it was when it was tried."""

    stack: str
    """The stack, without overrides."""
    overrides: Mapping[str, Any]
    """Plan paths set by hand on its base."""
    plan_digest: str
    """Digest of its plan."""

    @cached_property
    def is_as_it_was(self) -> bool:
        """Whether the stack still means the same plan; a recipe that is gone or was rewritten means another."""
        try:
            return Stack.parse(self.stack, self.overrides).plan.digest == self.plan_digest
        except ImgclsError:
            return False


@dataclass(frozen=True)
class Trial:
    """One verdict, and what it is about."""

    items: tuple[str, ...]
    """The items that it answers."""
    what: str
    """What was tried, over what."""
    verdict: str
    """What may be said; `cannot tell` answers nothing."""
    value: float
    """The gain in the metric, in its unit."""
    low: float | None
    """Lower end of its 95 % interval; None without one."""
    high: float | None
    """Upper end of its 95 % interval; None without one."""
    metric: str
    """The metric."""
    reason: str
    """Why nothing can be told; empty where something can."""
    n_runs: tuple[int, int]
    """Runs on either side."""
    file: str
    """The file that says so, relative to the workspace."""
    grounds: Grounds
    """On which data and split."""
    sides: tuple[Side, ...]
    """What was compared."""
    ladder: str = ""
    """The name of its ladder; empty for a comparison."""

    @property
    def has_verdict(self) -> bool:
        """Whether anything could be told."""
        return self.verdict != CANNOT_TELL

    @property
    def said(self) -> str:
        """The verdict as people read it, with the file that holds it."""
        return f"{self.file}: {self.what}, {gain_text(self.value, self.low, self.high, self.metric)}: {self.verdict}"


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
    trials: tuple[Trial, ...]
    """Its steps that were judged, the lowest first; empty before the first verdict."""
    is_complete: bool
    """Whether every run is done or has failed."""
    incumbent: int | None
    """The number of the rung to use; None before the ladder was judged, and where recipes are left out."""
    incumbent_runs: tuple[str, ...]
    """The ids of its runs."""
    opening: Opening | None
    """What the sealed test said; None where it is still sealed."""

    @property
    def file(self) -> str:
        """The file that holds the verdicts, relative to the workspace."""
        return f"ladders/{self.ladder.name}/{RESULT_JSON}"


def gain_text(value: float, low: float | None, high: float | None, metric: str) -> str:
    """Write a gain: `+1.3 points of accuracy [+0.4, +2.1]`."""
    scale, unit = (1.0, "nats") if metric == "log_loss" else (100.0, "points")
    digits = 3 if metric == "log_loss" else 1
    interval = "" if low is None or high is None else f" [{scale * low:+.{digits}f}, {scale * high:+.{digits}f}]"
    return f"{scale * value + 0.0:+.{digits}f} {unit} of {metric.replace('_', ' ')}{interval}"


def read_climbs(workspace: Workspace) -> tuple[tuple[Climb, ...], list[str]]:
    """Read every ladder of a workspace with its verdicts.

    Returns:
        The ladders, the one worked on last at the end, and a message for every file that cannot be read.
    """
    ladders, damaged = find_ladders(workspace)
    found = []
    for ladder in ladders:
        try:
            found.append(_climb(ladder))
        except RecordError as problem:
            damaged.append(str(problem))
    return tuple(found), damaged


def read_comparisons(workspace: Workspace) -> tuple[tuple[Trial, ...], list[str]]:
    """Read every comparison that was kept.

    Returns:
        Their verdicts, the newest at the end, and a message for every file that cannot be read.
    """
    folder = workspace.reports / COMPARISONS
    paths = sorted(folder.glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    found, damaged = [], []
    for path in paths:
        try:
            found.append(_compared(read_json(path), path))
        except RecordError as problem:
            damaged.append(str(problem))
        except (KeyError, TypeError, ValueError, AttributeError):
            damaged.append(f"{path} is damaged, or another version wrote it. 'imgcls compare' writes it anew.")
    return tuple(found), damaged


def _climb(ladder: Ladder) -> Climb:
    assert ladder.folder is not None  # noqa: S101 - it was read from there
    path = ladder.folder / RESULT_JSON
    planned = Grounds(ladder.data_digest, ladder.split_digests, ladder.n_folds is not None)
    if not path.is_file():
        return Climb(ladder, planned, (), False, None, (), None)
    result: Any = read_json(path)
    try:
        return _judged(ladder, result, Opening.read(ladder.folder / FINAL_JSON))
    except RecordError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as problem:
        raise RecordError(
            f"{path} is damaged, or another version wrote it. 'imgcls ladder run' with the same stack writes it anew."
        ) from problem


def _judged(ladder: Ladder, result: Any, opening: Opening | None) -> Climb:
    data, rungs = result["data"], result["rungs"]
    grounds = Grounds(str(data["digest"]), tuple(map(str, data["split_digests"])), result["n_folds"] is not None)
    steps = [(number, rung["step"]) for number, rung in enumerate(rungs) if rung["step"]]
    printed = [rung["printed"] for rung in rungs]
    incumbent = printed.index(result["incumbent"]) if ladder.kind == "climb" else None
    return Climb(
        ladder=ladder,
        grounds=grounds,
        trials=tuple(_step(ladder, number, rungs, step, grounds) for number, step in steps),
        is_complete=bool(result["complete"]),
        incumbent=incumbent,
        incumbent_runs=() if incumbent is None else tuple(map(str, rungs[incumbent]["runs"])),
        opening=opening,
    )


def _step(ladder: Ladder, number: int, rungs: Sequence[Any], step: Any, grounds: Grounds) -> Trial:
    other = rungs[ladder.compared_with(number)]
    rung = rungs[number]
    what = f"{rung['label']} over {other['printed']}" if ladder.kind == "climb" else str(rung["label"])
    return _trial(
        step,
        items=answered(tuple(rung["recipes"]), tuple(rung["items"])),
        what=what,
        metric=ladder.metric,
        file=f"ladders/{ladder.name}/{RESULT_JSON}",
        grounds=grounds,
        sides=tuple(Side(one["stack"], ladder.overrides, one["plan_digest"]) for one in (other, rung)),
        ladder=ladder.name,
    )


def _compared(value: Any, path: Path) -> Trial:
    a, b = value["a"], value["b"]
    data = value["data"]
    paths = tuple(value["changes"])
    items = tuple(value["items"])
    if not value["recipes"]:
        items = tuple(item.id for item in all_items() if paths and all(map(item.is_answered_by, paths)))
    return _trial(
        value["gain"],
        items=items,
        what=f"{b['label']} over {a['label']}",
        metric=str(value["metric"]),
        file=f"reports/{COMPARISONS}/{path.name}",
        grounds=Grounds(str(data["digest"]), tuple(map(str, data["split_digests"])), data["n_folds"] is not None),
        sides=tuple(Side(side["stack"], dict(side["overrides"]), side["plan_digest"]) for side in (a, b)),
    )


def _trial(
    judged: Any,
    *,
    items: tuple[str, ...],
    what: str,
    metric: str,
    file: str,
    grounds: Grounds,
    sides: tuple[Side, ...],
    ladder: str = "",
) -> Trial:
    verdict = str(judged["verdict"])
    low, high = (None if judged[end] is None else float(judged[end]) for end in ("low", "high"))
    before, after = judged["n_runs"]
    return Trial(
        items=items,
        what=what,
        verdict=verdict,
        value=float(judged["value"]),
        low=low,
        high=high,
        metric=metric,
        reason=str(judged["remarks"][0]) if verdict == CANNOT_TELL and judged["remarks"] else "",
        n_runs=(int(before), int(after)),
        file=file,
        grounds=grounds,
        sides=sides,
        ladder=ladder,
    )


def answered(recipes: tuple[str, ...], items: tuple[str, ...]) -> tuple[str, ...]:
    """Give the items that every one of some recipes answers: of several at once nothing is told of one alone.

    Args:
        recipes: The recipes that tell two stacks apart.
        items: The items that any of them answers.
    """
    if len(recipes) < 2:
        return items
    known = find_recipes()
    cards = [known[name].card.items if name in known else () for name in recipes]
    return tuple(item for item in items if all(item in card for card in cards))
