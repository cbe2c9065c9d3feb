"""Verdicts in a workspace: what was tried, what is said of it, and the comparisons that hold some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from imgcls.catalog import find_recipes
from imgcls.checklists.items import all_items
from imgcls.checklists.sentences import Said, quoted, said, word
from imgcls.config.metrics import Units, in_words
from imgcls.errors import RecordError
from imgcls.ladders.climb import CLIMB_JSON, ClimbRecord, find_climbs
from imgcls.ladders.results import (
    VERDICT_JSON,
    VIEWS,
    BlendVerdict,
    ComparisonRecord,
    EnsembleRecord,
    GainRecord,
    VerdictRecord,
    ViewsRecord,
    find_views,
    read_blends,
    read_comparison,
    read_final,
    read_result,
)
from imgcls.ladders.spec import COMPARISONS, FINAL_JSON, LADDER_JSON, RESULT_JSON, Ladder, find_ladders
from imgcls.records.blend import BlendRecord
from imgcls.records.run import CANNOT_TELL, Estimate, Verdict
from imgcls.storage import time_written
from imgcls.workspace import Workspace

VIEWS_ITEM = "predict.tta"
"""The item that a look at the views of a run answers."""
ENSEMBLE = "predict.ensemble"
"""The item that a blend answers."""


@dataclass(frozen=True)
class DataVersion:
    """The data and the split that something was found on."""

    data_digest: str
    """Digest of samples, labels and pixels."""
    split_digests: tuple[str, ...]
    """Digest of who trains and who validates, one for each fold; empty where all of them train."""
    is_folded: bool = False
    """Whether folds took turns in validating."""
    split_seed: int | None = None
    """What the split, or the folds, were drawn from; None where that was not kept."""


@dataclass(frozen=True)
class ArmRuns:
    """A stack as it was when it was tried."""

    stack: str
    """The stack, without overrides."""
    overrides: Mapping[str, Any]
    """Plan paths set by hand on its base."""
    plan_digest: str
    """Digest of its plan."""


@dataclass(frozen=True)
class VerdictEntry:
    """One verdict, and what it is about."""

    items: tuple[str, ...]
    """The items that it answers."""
    what: str
    """What was tried, over what."""
    verdict: Verdict
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
    """Why there is no verdict; empty where there is one."""
    n_runs: tuple[int, int]
    """Runs on either side."""
    file: str
    """The file that says so, relative to the workspace."""
    grounds: DataVersion
    """On which data and split."""
    sides: tuple[ArmRuns, ...]
    """What was compared."""
    ladder: str = ""
    """The name of its ladder; empty for a comparison."""

    @property
    def has_verdict(self) -> bool:
        """Whether there is a verdict."""
        return self.verdict != CANNOT_TELL

    @property
    def gain(self) -> Said:
        """The gain as people read it, with its metric."""
        return gain_of(self.metric, self.value, self.low, self.high)

    @property
    def said(self) -> Said:
        """The verdict as people read it, with the file that holds it."""
        verdict = word(self.verdict)
        return said(
            "{file}: {what}, {gain}: {verdict}", file=self.file, what=self.what, gain=self.gain, verdict=verdict
        )


def gain_of(metric: str, value: float, low: float | None, high: float | None) -> Said:
    """Write a gain with its metric as `Units.gain_text` does, in both languages."""
    units = Units(metric)
    interval = "" if low is None or high is None else f" {units.interval(low, high)}"
    gain, unit, name = units.gain(value), word(units.name), word(in_words(metric))
    return said("{gain} {unit} of {metric}{interval}", gain=gain, unit=unit, metric=name, interval=interval)


def read_comparisons(workspace: Workspace) -> tuple[tuple[VerdictEntry, ...], list[str]]:
    """Read every comparison that was kept.

    Returns:
        Their verdicts, the newest at the end, and a message for every file that cannot be read.
    """
    folder = workspace.reports / COMPARISONS
    paths = sorted(folder.glob("*.json"), key=lambda path: (time_written(path), path.name))
    found, damaged = [], []
    for path in paths:
        try:
            found.append(_compared(read_comparison(path), path))
        except RecordError as problem:
            damaged.append(str(problem))
    return tuple(found), damaged


@dataclass(frozen=True)
class BlendStatus:
    """A blend, and what is said of it."""

    record: BlendRecord
    """The blend."""
    trial: VerdictEntry | None
    """Its verdict; None of a blend of networks that were trained on all the data."""


def read_blend_statuses(workspace: Workspace) -> tuple[tuple[BlendStatus, ...], list[str]]:
    """Read every blend with what may be said of it.

    Returns:
        The blends, the newest at the end, and a message for every one that cannot be read.
    """
    blends, damaged = read_blends(workspace)
    return tuple(
        BlendStatus(blend.record, None if blend.verdict is None else _blended(blend.record, blend.verdict))
        for blend in blends
    ), damaged


def read_views_verdicts(workspace: Workspace) -> tuple[tuple[tuple[str, VerdictEntry], ...], list[str]]:
    """Read what cross-fitting says of the views of each run that was looked at.

    Returns:
        The id of the run with the verdict, the newest at the end; and a message for every file that cannot be read.
    """
    found, damaged = find_views(workspace)
    return tuple((record.run, _of_views(record, record.gain)) for record in found if record.gain is not None), damaged


def _of_views(record: ViewsRecord, gain: VerdictRecord) -> VerdictEntry:
    numbers = ", ".join(map(str, sorted(set(record.chosen_by_part))))
    splits = (record.split_digest,)
    return verdict_entry(
        gain,
        items=(VIEWS_ITEM,),
        what=said("{numbers} views of {run}, chosen by cross-fitting, over one", numbers=numbers, run=record.run),
        metric=record.metric,
        file=f"reports/{VIEWS}/{record.file.name}" if record.file else "",
        grounds=DataVersion(record.data_digest, splits, record.n_folds is not None, record.split_seed),
        sides=(ArmRuns(record.stack, record.overrides, record.plan_digest),),
    )


def _blended(record: BlendRecord, verdict: BlendVerdict) -> VerdictEntry:
    data = record.data
    return verdict_entry(
        verdict.gain,
        items=(ENSEMBLE,),
        what=said("{blend} over the best of them alone", blend=record.label),
        metric=record.metric,
        file=f"blends/{record.id}/{VERDICT_JSON}",
        grounds=DataVersion(data.digest, (data.split_digest,), record.n_folds is not None, data.split_seed),
        sides=tuple(
            ArmRuns(member.stack, member.overrides, digest)
            for digest, member in {member.plan_digest: member for member in record.members}.items()
        ),
    )


def _compared(comparison: ComparisonRecord, path: Path) -> VerdictEntry:
    a, b, data = comparison.a, comparison.b, comparison.data
    items = comparison.items
    if not comparison.recipes and comparison.review is None:
        paths = comparison.changes
        items = tuple(item.id for item in all_items() if paths and all(map(item.is_answered_by, paths)))
    return verdict_entry(
        comparison.gain,
        items=items,
        what=said("{upper} over {lower}", upper=b.label, lower=a.label),
        metric=comparison.metric,
        file=f"reports/{COMPARISONS}/{path.name}",
        grounds=DataVersion(data.digest, data.split_digests, data.n_folds is not None, data.split_seed),
        sides=tuple(ArmRuns(side.stack, side.overrides, side.plan_digest) for side in (a, b)),
    )


def verdict_entry(
    judged: VerdictRecord,
    *,
    items: tuple[str, ...],
    what: str,
    metric: str,
    file: str,
    grounds: DataVersion,
    sides: tuple[ArmRuns, ...],
    ladder: str = "",
) -> VerdictEntry:
    """Make an entry of a gain and its verdict; the other arguments are the fields of `VerdictEntry`."""
    return VerdictEntry(
        items=items,
        what=what,
        verdict=judged.verdict,
        value=judged.value,
        low=judged.low,
        high=judged.high,
        metric=metric,
        reason=quoted(judged.remarks[0]) if judged.verdict == CANNOT_TELL and judged.remarks else "",
        n_runs=judged.n_runs,
        file=file,
        grounds=grounds,
        sides=sides,
        ladder=ladder,
    )


def answered(recipes: tuple[str, ...], items: tuple[str, ...]) -> tuple[str, ...]:
    """Return the items that every one of some recipes answers: of several at once nothing is known of one alone.

    Args:
        recipes: The recipes that tell two stacks apart.
        items: The items that any of them answers.
    """
    if len(recipes) < 2:
        return items
    known = find_recipes()
    cards = [known[name].card.items if name in known else () for name in recipes]
    return tuple(item for item in items if all(item in card for card in cards))


@dataclass(frozen=True)
class ScoreSummary:
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
    def of(cls, value: GainRecord | Estimate | None) -> ScoreSummary | None:
        """Return the numbers of a gain or a score; None where there is none, or no interval."""
        if value is None or value.value is None or value.low is None or value.high is None:
            return None
        return cls(value.value, value.low, value.high)


@dataclass(frozen=True)
class FinalOpening:
    """What the sealed test said, beside what validation had said."""

    metric: str
    """The metric."""
    test_gain: ScoreSummary | None
    """The gain of the incumbent over the base on test; None where the incumbent is the base."""
    validation_gain: ScoreSummary | None
    """The same on validation."""
    test_score: ScoreSummary | None
    """The incumbent's score on test."""
    validation_score: ScoreSummary | None
    """Its score on validation."""

    @classmethod
    def read(cls, path: Path) -> FinalOpening | None:
        """Read final.json; None where the test part is still sealed.

        Raises:
            RecordError: It is damaged.
        """
        if not path.is_file():
            return None
        final = read_final(path)
        return cls(
            metric=final.metric,
            test_gain=ScoreSummary.of(final.test),
            validation_gain=ScoreSummary.of(final.validation),
            test_score=ScoreSummary.of(final.incumbent_score),
            validation_score=ScoreSummary.of(final.validation_scores.incumbent),
        )


@dataclass(frozen=True)
class LadderStatus:
    """A ladder: what it was judged to be, and what the sealed test said of it."""

    ladder: Ladder
    """The ladder as planned."""
    grounds: DataVersion
    """On which data and split."""
    trials: tuple[VerdictEntry, ...] = ()
    """Its steps that were judged, the lowest first; empty before the first verdict."""
    together: VerdictEntry | None = None
    """What is said of the mean prediction of the seeds of the stack to use; None where nobody asked."""
    is_complete: bool = False
    """Whether every run is done or has failed."""
    incumbent: int | None = None
    """The number of the rung to use; None before the ladder was judged, and where recipes are left out."""
    incumbent_runs: tuple[str, ...] = ()
    """The ids of its runs."""
    opening: FinalOpening | None = None
    """What the sealed test said; None where it is still sealed."""
    verdicts_in: str = RESULT_JSON
    """The name of the file that holds the verdicts."""

    @property
    def to_use(self) -> ArmRuns | None:
        """The stack to use, as it was when it was tried; None before the ladder was judged."""
        if self.incumbent is None:
            return None
        rung = self.ladder.rungs[self.incumbent]
        return ArmRuns(rung.stack, self.ladder.overrides, rung.plan_digest)

    @property
    def file(self) -> str:
        """The file that holds the verdicts, relative to the workspace."""
        return f"ladders/{self.ladder.name}/{self.verdicts_in}"


def read_ladder_statuses(workspace: Workspace) -> tuple[tuple[LadderStatus, ...], list[str]]:
    """Read every ladder of a workspace with its verdicts, and every climb that came to its end.

    Returns:
        The ladders, the one worked on last at the end, and a message for every file that cannot be read; what the
        other files of that ladder say is still reported.
    """
    ladders, damaged = find_ladders(workspace)
    found = []
    for ladder in ladders:
        climb = LadderStatus(ladder, _version(ladder))
        for read in (_judged, _opened):
            try:
                climb = read(climb)
            except RecordError as problem:
                damaged.append(str(problem))
        found.append(climb)
    searched, also_damaged = find_climbs(workspace)
    damaged += also_damaged
    for record in searched:
        try:
            if (pair := record.as_ladder) is not None:
                found.append(_searched(record, replace(pair, folder=workspace.ladders / record.name)))
        except RecordError as problem:
            damaged.append(str(problem))
    return tuple(sorted(found, key=_worked_on)), damaged


def _worked_on(climb: LadderStatus) -> int:
    """Return when a ladder, or a climb, was worked on last."""
    is_search = climb.verdicts_in == CLIMB_JSON
    return time_written(_beside(climb.ladder, CLIMB_JSON if is_search else LADDER_JSON))


def _version(ladder: Ladder) -> DataVersion:
    return DataVersion(ladder.data_digest, ladder.split_digests, ladder.n_folds is not None, ladder.data.split_seed)


def _searched(record: ClimbRecord, pair: Ladder) -> LadderStatus:
    """Return a climb as a ladder of its base and what it chose, with the one verdict that may be claimed.

    Raises:
        RecordError: final.json is damaged.
    """
    climb = LadderStatus(
        pair,
        _version(pair),
        is_complete=record.is_complete,
        incumbent=len(pair.rungs) - 1,
        incumbent_runs=record.chosen_runs,
        verdicts_in=CLIMB_JSON,
    )
    is_of_the_stack = record.choices == (record.chosen,)  # else other stacks answered for a part of the predictions
    if record.gain is not None and is_of_the_stack and len(pair.rungs) > 1:
        climb = replace(climb, trials=(_step(climb, 1, record.gain),))
    return _opened(climb)


def _judged(climb: LadderStatus) -> LadderStatus:
    """Add what result.json says; the stacks themselves are those of ladder.json.

    Raises:
        RecordError: It is damaged.
    """
    path = _beside(climb.ladder, RESULT_JSON)
    if not path.is_file():
        return climb
    result, ladder = read_result(path), climb.ladder
    printed = [rung.printed for rung in ladder.rungs]
    named = {result.incumbent, *([result.ensemble.stack] if result.ensemble else [])}
    if len(result.rungs) != len(printed) or not named <= {*printed}:
        raise RecordError(
            f"{path} is damaged: its rungs are not those of its ladder. 'imgcls ladder run' with the same stack writes "
            "it again."
        )
    incumbent = printed.index(result.incumbent) if ladder.kind == "climb" else None
    steps = [(number, rung.step) for number, rung in enumerate(result.rungs) if number]
    return replace(
        climb,
        trials=tuple(_step(climb, number, step) for number, step in steps if step),
        together=_together(climb, result.ensemble) if result.ensemble else None,
        is_complete=result.complete,
        incumbent=incumbent,
        incumbent_runs=() if incumbent is None else result.rungs[incumbent].runs,
    )


def _opened(climb: LadderStatus) -> LadderStatus:
    """Add what final.json says; see `FinalOpening.read`."""
    return replace(climb, opening=FinalOpening.read(_beside(climb.ladder, FINAL_JSON)))


def _beside(ladder: Ladder, name: str) -> Path:
    """Return a file in the folder of a ladder."""
    assert ladder.folder is not None  # noqa: S101 - it was read from there
    return ladder.folder / name


def _together(climb: LadderStatus, ensemble: EnsembleRecord) -> VerdictEntry:
    ladder = climb.ladder
    rung = next(rung for rung in ladder.rungs if rung.printed == ensemble.stack)
    return verdict_entry(
        ensemble.gain,
        items=(ENSEMBLE,),
        what=said("{n} networks of {stack} over one of them", n=ensemble.n_members, stack=ensemble.stack),
        metric=ladder.metric,
        file=climb.file,
        grounds=climb.grounds,
        sides=(ArmRuns(rung.stack, ladder.overrides, rung.plan_digest),),
        ladder=ladder.name,
    )


def _step(climb: LadderStatus, number: int, step: VerdictRecord) -> VerdictEntry:
    ladder = climb.ladder
    rung, other = ladder.rungs[number], ladder.rungs[ladder.compared_with(number)]
    return verdict_entry(
        step,
        items=answered(rung.recipes, rung.items),
        what=said("{upper} over {lower}", upper=rung.label, lower=other.printed)
        if ladder.kind == "climb"
        else rung.label,
        metric=ladder.metric,
        file=climb.file,
        grounds=climb.grounds,
        sides=tuple(ArmRuns(one.stack, ladder.overrides, one.plan_digest) for one in (other, rung)),
        ladder=ladder.name,
    )
