"""Judging a ladder: from the records of its runs to gains, verdicts and the incumbent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, overload

import numpy as np

from imgcls.config.metrics import COMPARED, Units, described, find_metric
from imgcls.errors import ImgclsError, UsageError
from imgcls.evidence.gains import Gain
from imgcls.evidence.verdicts import Judged, judge
from imgcls.ladders.predictions import MeasuredRuns, measured_runs, shares_weights
from imgcls.ladders.results import (
    SCHEMA,
    EnsembleRecord,
    Failure,
    GainRecord,
    ResultData,
    ResultRecord,
    RungRecord,
    SettleRecord,
    VerdictRecord,
)
from imgcls.ladders.spec import Ladder, RungPlan
from imgcls.ladders.state import LadderState, read_state
from imgcls.records.run import GAINS, LOSSES, Estimate, RunRecord
from imgcls.schema import to_json
from imgcls.workspace import Workspace


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
        """Return what a point of gain costs in time; None where no gain was shown."""
        if self.step is None or self.extra_seconds is None or self.step.verdict not in GAINS:
            return None
        return self.extra_seconds / (100 * self.step.value)

    @property
    def record(self) -> RungRecord:
        """The rung as it is written."""
        return RungRecord(
            **{item.name: getattr(self.plan, item.name) for item in fields(self.plan)},
            n_planned=self.n_planned,
            runs=self.runs,
            values=self.values,
            failures=self.failures,
            score=self.score,
            seed_sd=self.seed_sd,
            metrics=self.metrics,
            step=verdict_record(self.step),
            total=verdict_record(self.total),
            other_gains={name: gain_record(gain) for name, gain in self.other_gains.items()},
            seconds=self.seconds,
            extra_seconds=self.extra_seconds,
            seconds_per_point=self.seconds_per_point,
        )


@dataclass(frozen=True)
class EnsembleResult:
    """The mean prediction of the seeds of one rung, judged."""

    stack: str
    """The stack, as it is printed."""
    score: Estimate
    """The primary metric."""
    judged: Judged
    """Its gain over one of these networks: a question of its own, and so a family of its own."""

    @property
    def n_members(self) -> int:
        """The networks that are averaged; over folds, the fewest of a fold."""
        return self.judged.gain.fewest_runs

    @property
    def record(self) -> EnsembleRecord:
        """The same as it is written."""
        return EnsembleRecord(self.stack, self.n_members, self.score, verdict_record(self.judged))


@dataclass(frozen=True)
class BusyMachine:
    """What else a machine did while trainings were timed on it."""

    n: int
    """Trainings that began beside other work."""
    n_known: int
    """Trainings of which that is known."""
    load: float
    """The highest of their loads: processes that ran or waited for a core, in the mean over a minute."""
    cores: int
    """The cores of that machine."""


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
    busy: BusyMachine | None = None
    """What the machine did besides; None where it was quiet, or where that is not known."""
    ensemble: EnsembleResult | None = None
    """The mean prediction of the seeds of a rung; None where nobody asked for it, or there are too few seeds."""

    @property
    def incumbent(self) -> int:
        """Return the number of the rung to use: the highest that is better, or likely better, than the base.

        A rung that is worse, or likely worse, than the one below takes those above it along, where what it spoilt was
        better than the base.
        """
        if self.ladder.kind == "ablate":
            return 0
        shown = [place for place, rung in enumerate(self.rungs) if rung.total and rung.total.verdict in GAINS]
        spoilt = [
            place
            for place, rung in enumerate(self.rungs)
            if rung.step and rung.step.verdict in LOSSES and any(below < place for below in shown)
        ]
        kept = [place for place in shown if not spoilt or place < spoilt[0]]
        return kept[-1] if kept else 0

    @property
    def on_top(self) -> EnsembleResult | None:
        """The mean prediction of the seeds of the highest rung, where it stands above it as a rung of its own."""
        return self.ensemble if self.ladder.ensemble_on_top and self.ladder.kind == "climb" else None

    @property
    def unit(self) -> str:
        """Return the unit of gains: points, or nats for log loss."""
        return Units(self.ladder.metric).name

    @property
    def n_failed(self) -> int:
        """Count the runs that failed."""
        return sum(len(rung.failures) for rung in self.rungs)

    def to_json(self) -> dict[str, Any]:
        """Return the whole as JSON values, without NaN."""
        ladder = self.ladder
        record = ResultRecord(
            name=ladder.name,
            kind=ladder.kind,
            stack=ladder.stack,
            metric=ladder.metric,
            unit=self.unit,
            smallest_gain=ladder.smallest_gain,
            seeds=ladder.seeds,
            n_folds=ladder.n_folds,
            data=ResultData(
                name=ladder.data_name,
                digest=ladder.data_digest,
                split_digests=ladder.split_digests,
                problem=self.problem,
                classes=self.classes,
                n_train=self.n_train,
                n_images=self.n_images,
                n_groups=self.n_groups,
            ),
            complete=self.is_complete,
            looks=self.n_looks,
            incumbent=ladder.rungs[self.incumbent].printed,
            rungs=tuple(rung.record for rung in self.rungs),
            n_failed=self.n_failed,
            devices=self.devices,
            seconds=self.seconds,
            saved_seconds=self.saved_seconds,
            environment=self.environment,
            notes=self.notes,
            ensemble=self.ensemble.record if self.ensemble else None,
        )
        return {"schema": SCHEMA, **_finite(to_json(record))}


@overload
def verdict_record(judged: Judged) -> VerdictRecord: ...
@overload
def verdict_record(judged: Judged | None) -> VerdictRecord | None: ...
def verdict_record(judged: Judged | None) -> VerdictRecord | None:
    """Return a gain and its verdict as they are written."""
    if judged is None:
        return None
    return VerdictRecord(
        verdict=judged.verdict,
        holm_p=judged.holm_p,
        remarks=judged.remarks,
        detectable=judged.detectable,
        settle=SettleRecord(**asdict(judged.settle)) if judged.settle else None,
        **asdict(gain_record(judged.gain)),
    )


def gain_record(gain: Gain) -> GainRecord:
    """Return a gain as it is written; numbers that do not exist are None."""
    return GainRecord(**_finite(asdict(gain)))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_finite(entry) for entry in value)
    return value


def judge_ladder(state: LadderState) -> LadderResult:
    """Judge a ladder, as far as its runs are done.

    Args:
        state: The ladder and its records.

    Raises:
        UsageError: The metric cannot be computed on the images of validation.
        RecordError: A record is damaged, or records do not fit each other.
    """
    ladder = state.ladder
    records = [entry.record for entry in state.jobs if entry.record is not None]
    measured = measured_runs(state) if records else None
    steps, totals, gains = _comparisons(state, measured) if measured else ({}, {}, {})
    rungs = tuple(
        _rung(state, number, measured, step=steps.get(number), total=totals.get(number), others=gains.get(number, {}))
        for number in range(len(ladder.rungs))
    )
    first = records[0] if records else None
    notes = [*ladder.notes, *(measured.notes if measured else ()), *_warnings(state, records)]
    result = LadderResult(
        ladder=ladder,
        rungs=rungs,
        problem=first.problem if first else "",
        classes=first.classes if first else (),
        n_train=round(np.mean([record.data.n["train"] for record in records])) if records else 0,
        n_images=_n_images(records),
        n_groups=_n_groups(records),
        is_complete=state.is_complete,
        n_looks=_n_looks(ladder),
        devices=tuple(sorted({record.environment["device"] for record in records})),
        seconds=sum(record.seconds.get("total", 0.0) for record in records),
        saved_seconds=sum(_borrowed(entry, state) for entry in records),
        notes=tuple(dict.fromkeys(notes)),
        environment=first.environment if first else {},
        busy=_busy(records),
    )
    return replace(result, ensemble=_ensemble(result, measured)) if ladder.ensemble and measured else result


def _ensemble(result: LadderResult, measured: MeasuredRuns) -> EnsembleResult | None:
    """Judge the mean prediction of the seeds of the incumbent, or of the highest rung; None where there are too few."""
    ladder, rung = result.ladder, result.incumbent
    if ladder.ensemble_on_top:
        rung = len(ladder.rungs) - 1 if ladder.kind == "climb" else 0
    found = measured.ensemble(rung, ladder.metric) if result.rungs[rung].runs else None
    if found is None:
        return None
    score, gain = found
    judged = judge([gain], smallest_gain=ladder.smallest_gain, n_looks=result.n_looks)[0]
    return EnsembleResult(ladder.rungs[rung].printed, score, judged)


def _busy(records: Sequence[RunRecord]) -> BusyMachine | None:
    """Find the trainings that had to share their machine, by far more work than a training makes itself.

    The training before it in the same ladder still counts in a load, one for each core and its readers of photographs.
    """
    found = [
        record.environment
        for record in records
        if {"load", "cores"} <= set(record.environment) and not record.reused_from
    ]
    shared = [env for env in found if env["load"] > 1.5 * env["cores"] + 1]
    if not shared:
        return None
    worst = max(shared, key=lambda env: float(env["load"] / env["cores"]))
    return BusyMachine(len(shared), len(found), worst["load"], worst["cores"])


def _comparisons(
    state: LadderState, measured: MeasuredRuns
) -> tuple[dict[int, Judged], dict[int, Judged], dict[int, dict[str, Gain]]]:
    """Measure every rung that can be measured, and judge both families."""
    ladder = state.ladder
    ready = [number for number in range(len(ladder.rungs)) if any(entry.record for entry in state.of(number))]
    steps: dict[int, Gain] = {}
    totals: dict[int, Gain] = {}
    others: dict[int, dict[str, Gain]] = {}
    for number in ready:
        partner = ladder.compared_with(number)
        if number and partner in ready and (step := _between(state, measured, partner, number, ladder.metric)):
            steps[number] = step
            others[number] = {
                metric: gain
                for metric in COMPARED
                if metric != ladder.metric and (gain := _between(state, measured, partner, number, metric))
            }
        if number and ladder.kind == "climb" and 0 in ready:
            total = _between(state, measured, 0, number, ladder.metric)
            if total:
                totals[number] = total
    looks = _n_looks(ladder)
    families = [
        dict(zip(family, judge(list(family.values()), smallest_gain=ladder.smallest_gain, n_looks=looks), strict=True))
        for family in (steps, totals)
    ]
    return families[0], families[1], others


def _between(state: LadderState, measured: MeasuredRuns, partner: int, number: int, metric: str) -> Gain | None:
    """Measure a rung against its partner; a left-out recipe is worth what the full stack has over its rung."""
    ladder = state.ladder
    before, after = (number, partner) if ladder.kind == "ablate" else (partner, number)
    sides = [
        {(entry.job.fold, entry.job.seed): entry.record for entry in state.of(rung) if entry.record}
        for rung in (before, after)
    ]
    same = shares_weights(sides[0], sides[1])
    try:
        return measured.gain(before, after, metric, same_weights=same)
    except UsageError:
        if metric == ladder.metric and ladder.n_folds is None:
            raise
        return None


def _rung(
    state: LadderState,
    number: int,
    measured: MeasuredRuns | None,
    *,
    step: Judged | None,
    total: Judged | None,
    others: Mapping[str, Gain],
) -> RungResult:
    ladder, entries = state.ladder, state.of(number)
    ordered = sorted(entries, key=lambda entry: (entry.job.fold or 0, entry.job.seed))
    done = [entry.record for entry in ordered if entry.record is not None]
    failures = tuple(
        Failure(entry.job.seed, entry.job.fold, entry.reason) for entry in ordered if entry.state == "failed"
    )
    has_runs = measured is not None and bool(done)
    seconds = _mean([_alone(record, state) for record in done])
    partner = None if number == 0 else ladder.compared_with(number)
    of_partner = None if partner is None else [entry.record for entry in state.of(partner) if entry.record]
    extra = None
    if of_partner and seconds is not None:
        theirs = _mean([_alone(record, state) for record in of_partner]) or 0.0
        extra = theirs - seconds if ladder.kind == "ablate" else seconds - theirs
    sd = measured.seed_sd(number, ladder.metric) if measured is not None and done else np.nan
    return RungResult(
        plan=ladder.rungs[number],
        n_planned=len(entries),
        runs=tuple(record.id for record in done),
        values=tuple(_shown(ladder.metric, measured.values(number, ladder.metric))) if measured and has_runs else (),
        failures=failures,
        score=measured.score(number, ladder.metric) if measured and has_runs else None,
        seed_sd=None if np.isnan(sd) else sd,
        metrics=_other_scores(measured, number, ladder.metric) if measured and has_runs else {},
        step=step,
        total=total,
        other_gains=others,
        seconds=seconds,
        extra_seconds=extra,
    )


def _other_scores(measured: MeasuredRuns, number: int, primary: str) -> dict[str, Estimate]:
    found = {}
    for metric in COMPARED:
        if metric == primary:
            continue
        try:
            found[metric] = measured.score(number, metric)
        except ImgclsError as problem:
            found[metric] = Estimate.missing(str(problem), n=0)
    return found


def _shown(metric: str, values: Sequence[float]) -> list[float]:
    """Return values in the metric's own direction."""
    return [find_metric(metric).signed(value) for value in values]


def _work(record: RunRecord) -> float:
    """Return what a run itself took, decoding and loading left out."""
    parts = [value for name, value in record.seconds.items() if name != "total"]
    return sum(parts) if parts else record.seconds.get("total", 0.0)


def _borrowed(record: RunRecord, state: LadderState) -> float:
    """Return what training the weights took that a run was given; 0 for one that trained its own."""
    if record.reused_from is None:
        return 0.0
    donors = [entry.record for entry in state.jobs if entry.record and entry.record.id == record.reused_from]
    return _work(donors[0]) - donors[0].seconds.get("predict", 0.0) if donors else 0.0


def _alone(record: RunRecord, state: LadderState) -> float:
    return _work(record) + _borrowed(record, state)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _n_images(records: Sequence[RunRecord]) -> int:
    return sum({record.fold: record.data.n["valid"] for record in records}.values())


def _n_groups(records: Sequence[RunRecord]) -> int:
    return sum({record.fold: record.data.n_valid_groups for record in records}.values())


def _n_looks(ladder: Ladder) -> int:
    """Count the numbers of seeds with which verdicts were given, this one included, also while runs are missing."""
    return len({*ladder.looks, ladder.n_seeds})


def _warnings(state: LadderState, records: Sequence[RunRecord]) -> list[str]:
    found = list(state.damaged)
    if failed := state.n("failed"):
        found.append(
            f"{failed} of {len(state.jobs)} runs failed; the gains hold for runs that finish. "
            "'--retry-failed' tries them again."
        )
    for number, rung in enumerate(state.ladder.rungs):
        runs = [entry.record for entry in state.of(number) if entry.record is not None]
        if collapsed := [run for run in runs if run.only_class is not None]:
            found.append(
                f"{rung.label}: {len(collapsed)} of {len(runs)} runs collapsed to one class. Most often the learning "
                "rate is too high for the network, or there were too few steps; the gains say nothing of the recipe."
            )
        metric = state.ladder.metric
        fallen = [lost for run in runs if (lost := run.lost_from_start(metric)) and described(metric).higher_is_better]
        if fallen:
            began, ended = (sum(values) / len(fallen) for values in zip(*fallen, strict=True))
            found.append(
                f"{rung.label}: {len(fallen)} of {len(runs)} runs ended below the classifier that they began from "
                f"({began:.3f} → {ended:.3f}): training undid what was there. A lower learning rate, or linear_probe "
                "alone, is the better step."
            )
    devices = {(record.environment["device"], record.environment.get("device_name")) for record in records}
    if len(devices) > 1:
        found.append("The runs were made on different devices; so may be part of the differences.")
    versions = {str(sorted(record.environment.get("versions", {}).items())) for record in records}
    if len(versions) > 1:
        found.append("The runs were made under different versions of the libraries; 'imgcls runs show' tells which.")
    return found


class LadderReader:
    """Reads how far a ladder is, and judges it again only when a run was added."""

    def __init__(self, ladder: Ladder, workspace: Workspace) -> None:
        self._ladder, self._workspace = ladder, workspace
        self._result: LadderResult | None = None
        self._known: dict[str, RunRecord] = {}
        self._judged_at = -1

    def read(self) -> tuple[LadderState, LadderResult | None]:
        """Return the state and the result as they are now."""
        state = read_state(self._ladder, self._workspace, known=self._known)
        self._known = {entry.job.key: entry.record for entry in state.jobs if entry.record is not None}
        if len(self._known) != self._judged_at:
            self._result = judge_ladder(state)
            self._judged_at = len(self._known)
        return state, self._result
