"""A climb: the stack for these photographs, searched for within a budget, and one honest comparison of it.

Every training is an ordinary run, found again by its key, so a climb goes on wherever it was stopped, and ladders use
what it trained. What is tried, dropped and chosen is decided by `imgcls.ladders.search`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from imgcls.catalog import Stack
from imgcls.config.metrics import Units, deciding_metric, find_metric
from imgcls.config.problem import metric_of, resolve
from imgcls.data.samples import Samples
from imgcls.data.source import DataOptions, DataSource
from imgcls.engine.device import Machine, n_gpus
from imgcls.engine.progress import plain_lines
from imgcls.engine.request import workspace_at
from imgcls.engine.timing import estimate_run
from imgcls.errors import ImgclsError, PlanError, StackError, UsageError
from imgcls.evidence.contributions import Floats
from imgcls.evidence.power import compare_designs
from imgcls.evidence.verdicts import judge
from imgcls.ladders.candidates import PIXELS, WEIGHTS, Traits, default_stack, further, openings, variants
from imgcls.ladders.climb import CLIMB_JSON, ClimbRecord, Tried, find_climbs
from imgcls.ladders.design import (
    LadderConfig,
    PreparedData,
    check_numbers,
    primary_metric,
    read_duration,
    sample_counts,
)
from imgcls.ladders.executors import open_executor
from imgcls.ladders.judge import verdict_record
from imgcls.ladders.predictions import Predictions, read_predictions
from imgcls.ladders.run import LadderOptions, LadderRunner
from imgcls.ladders.search import Choice, Search, Training, Turns, stages_of
from imgcls.ladders.spec import DEFAULT_STACK, LADDER_JSON, JobPlan, Ladder, Rung, rung_plans
from imgcls.ladders.state import read_state
from imgcls.records.lock import FolderLock
from imgcls.records.run import RunRecord
from imgcls.storage import canonical_json
from imgcls.text import duration
from imgcls.workspace import Workspace

USUAL_BUDGET = "30m"
_USUAL_SEEDS, _FEWEST_SEEDS, _N_FOLDS = 3, 2, 5


def climb(
    stack: str | Stack = "baseline",
    data: Any = None,
    *,
    budget: str | float = USUAL_BUDGET,
    seeds: int | None = None,
    folds: int | None = None,
    metric: str | None = None,
    smallest_gain: float = 0.005,
    executor: str | Executor = "serial",
    overrides: Mapping[str, Any] | None = None,
    machine: Machine | None = None,
    workspace: Workspace | Path | str | None = None,
    name: str | None = None,
    **options: Unpack[DataOptions],
) -> ClimbRecord:
    """Find the stack for these photographs within a budget, beginning from a base.

    The same call goes on where an earlier one was stopped; one with a larger budget goes further.

    Args:
        stack: The base.
        data: As `imgcls.train`, but no frame in memory.
        budget: What all trainings may take: such as `"30m"`, or seconds.
        seeds: Turns on one split; None chooses them, or folds, by what can be found.
        folds: Folds instead.
        metric: As for `imgcls.ladder`.
        smallest_gain: What a further recipe has to gain to stay, in the metric's unit.
        executor: As for `imgcls.ladder`.
        overrides: Plan paths set on the base.
        machine: Device, worker processes, precision.
        workspace: Folder in which `runs/` and `ladders/` lie.
        name: The name of its folder; None makes one.
        **options: How the data are read; see `imgcls.train`.

    Returns:
        The climb: `.chosen` is the stack, `.score` what it is expected to score, `.gain` its verdict over the base.

    Raises:
        UsageError: Something has to be changed before the work can start, such as a budget too small for anything.
        ImgclsError: The base could not be trained.

    Example:
        >>> found = imgcls.climb("baseline", "photos/", budget="20m")  # doctest: +SKIP
        >>> found.chosen, found.gain.verdict  # doctest: +SKIP
        ('baseline+fine_tune+tta', 'better')
    """
    from imgcls.ladders.run import SilentWatcher

    place = workspace_at(workspace)
    question = LadderConfig(
        stack if isinstance(stack, Stack) else Stack.parse(stack, overrides),
        resolve(DataSource.of(data, options), place.root, folds=folds),
        n_seeds=seeds,
        n_folds=folds,
        metric=metric,
        smallest_gain=smallest_gain,
        name=name,
    )
    with plain_lines(None) as lines:
        how = LadderOptions(
            machine=machine or Machine(),
            workspace=place,
            executor=executor,
            budget=budget,
            reporter=lines,
            watcher=SilentWatcher(),
        )
        return run_climb(question, how)


def run_climb(question: LadderConfig, options: LadderOptions) -> ClimbRecord:
    """Plan a climb, or go on with one that is there, until it ends or its budget does.

    Args:
        question: The base as its stack, and the data.
        options: How it is run; its budget is that of all trainings, 30 minutes where it has none.

    Raises:
        UsageError: Something has to be changed before the work can start.
        ImgclsError: The base could not be trained, or a training cannot go on, as on a full disk.
    """
    budget = options.budget if options.budget is not None else USUAL_BUDGET
    seconds = read_duration(budget) if isinstance(budget, str) else budget
    if not 0 < seconds < float("inf"):
        raise UsageError(f"A budget has to be above 0 seconds, not {budget}.")
    planned, data = _Planner(question, options, seconds).plan()
    lock = FolderLock.take(options.workspace.ladders / planned.name, instead="give this one another name with --name")
    try:
        planned.write(options.workspace)
        return _Climber(planned, data, options, lock).run()
    finally:
        lock.release()


@dataclass
class _Planner:
    """Looks at the data, and chooses the design and what there is time for."""

    question: LadderConfig
    options: LadderOptions
    budget_seconds: float

    def plan(self) -> tuple[ClimbRecord, PreparedData]:
        check_numbers(self.question)
        if self.question.source.is_frame:
            raise UsageError("A climb's data have to be files. Write the frame to a CSV or Parquet file and name that.")
        source = replace(self.question.source.absolute(), split_seed=self.question.source.split_seed or 0)
        self.question = replace(self.question, source=source)
        asked = self.question.n_seeds, self.question.n_folds
        base = _rung(self.question.stack)
        data = self._read(base)
        first = data.samples(base, data.folds[0])
        metric = deciding_metric(self.question.metric or metric_of(self.options.workspace.root, first.problem)).text
        before = self._before(first.data_digest, metric=metric)
        n_seeds, n_folds, design = self._design(data, base, before)
        if n_folds != self.question.n_folds:
            self.question = replace(self.question, n_folds=n_folds, source=replace(source, valid=None))
            data = self._read(base)
        parts = [data.samples(base, fold) for fold in data.folds]
        metric = primary_metric(self.question, parts, self.options.workspace)
        traits = Traits.of(data.prepared(base, data.folds[0]), metric=metric)
        stacks = openings(self.question.stack)
        if not stacks:
            raise StackError(
                f"Nothing can be tried on {self.question.stack.text!r}; begin from a base such as baseline."
            )
        estimates = dict(before.estimates) if before else {}
        refused = []
        for stack in (self.question.stack, *stacks):
            try:
                if stack.text not in estimates:
                    estimates[stack.text] = self._estimate(stack, data)
            except PlanError as problem:  # such as a network that has too few stages to freeze
                if stack is self.question.stack:
                    raise
                refused.append(f"{stack.text} is not tried: {problem}")
        stacks = tuple(stack for stack in stacks if stack.text in estimates)
        weighted = variants(self.question.stack, stacks, traits, part=WEIGHTS)
        others = variants(self.question.stack, (*stacks, *weighted.values()), traits, part=PIXELS)
        n_forms = bool(weighted) + bool(others)
        planned = self._affordable(stacks, estimates, n_forms, n_seeds=n_seeds, n_folds=n_folds)
        if planned is None:  # then not in other forms as well
            weighted, others = {}, {}
            planned = self._affordable(stacks, estimates, 0, n_seeds=n_seeds, n_folds=n_folds)
        if planned is None:
            raise self._too_small(stacks, estimates, n_folds=n_folds)
        n_seeds, opening, too_long = planned
        record = ClimbRecord(
            name=self.question.name or (before.name if before else self._name(metric, parts, asked)),
            stack=self.question.stack.text,
            overrides=dict(self.question.stack.overrides),
            metric=metric,
            smallest_gain=self.question.smallest_gain,
            budget_seconds=self.budget_seconds,
            n_seeds=n_seeds,
            n_folds=n_folds,
            asked=asked,
            data=self.question.source,
            data_name=parts[0].name,
            data_digest=parts[0].data_digest,
            split_digests=tuple(part.split_digest for part in parts),
            opening=opening,
            weighted={text: weighted[text].text for text in opening if text in weighted} or None,
            variants={
                text: others[text].text
                for text in (*opening, *(weighted[text].text for text in opening if text in weighted))
                if text in others
            },
            too_long=too_long,
            estimates=estimates,
            notes=tuple(note for note in (design, _sentence(traits), *refused) if note),
            created=before.created if before else datetime.now(UTC).isoformat(timespec="seconds"),
        )
        if before and before.budget_seconds == self.budget_seconds:  # as it was planned, whatever is measured now
            kept = {name: getattr(before, name) for name in ("n_seeds", "opening", "weighted", "variants", "too_long")}
            record = replace(record, **kept)
        if before and before.is_complete:  # what it found stands until there is something newer
            record = record.with_outcome_of(before)
        self._check_folder(record, is_new=before is None)
        return record, data

    def _check_folder(self, record: ClimbRecord, *, is_new: bool) -> None:
        """Refuse a folder that holds a ladder, or a climb that asks something else."""
        folder = self.options.workspace.ladders / record.name
        if (folder / LADDER_JSON).is_file() or (is_new and (folder / CLIMB_JSON).is_file()):
            raise UsageError(
                f"{folder} holds a ladder, or a climb that asks something else. Give this one another name (--name)."
            )

    def _read(self, base: Rung) -> PreparedData:
        data = PreparedData(self.question, machine=self.options.machine, place=self.options.workspace)
        data.read([base], self.options.reporter)
        return data

    def _name(self, metric: str, parts: Sequence[Samples], asked: tuple[int | None, int | None]) -> str:
        splits = [part.split_digest for part in parts]
        identity = [self.question.stack.plan.digest, parts[0].data_digest, splits, metric, list(asked)]
        digest = hashlib.sha256(canonical_json(identity).encode("ascii")).hexdigest()[:8]
        return f"climb-{self.question.stack.names[0][:40]}-{digest}"

    def _before(self, data_digest: str, *, metric: str) -> ClimbRecord | None:
        """Return the newest climb that asks the same of these data."""
        for found in reversed(find_climbs(self.options.workspace)[0]):
            same = (found.stack, found.overrides) == (self.question.stack.text, self.question.stack.overrides)
            asked = found.asked == (self.question.n_seeds, self.question.n_folds) and found.metric == metric
            source = replace(found.data, valid=None) == replace(self.question.source, valid=None)
            named = self.question.name in (None, found.name)
            if same and asked and source and named and found.data_digest == data_digest:
                return found
        return None

    def _design(self, data: PreparedData, base: Rung, before: ClimbRecord | None) -> tuple[int, int | None, str]:
        """Choose seeds or folds as a ladder does; five folds are what an honest comparison over folds needs."""
        if before is not None and before.asked == (None, None):
            design = next((note for note in before.notes if note.startswith("Design:")), "")
            return (_USUAL_SEEDS if before.n_folds is None else 1), before.n_folds, design
        if self.question.n_folds is not None:
            return 1, self.question.n_folds, ""
        if self.question.n_seeds is not None:
            return max(_FEWEST_SEEDS, self.question.n_seeds), None, ""
        designs = compare_designs(sample_counts(data.samples(base, None)), most_runs=_N_FOLDS)
        if not designs or designs[0].n_folds is None:
            return _USUAL_SEEDS, None, f"Design: {_USUAL_SEEDS} seeds on one split."
        return 1, _N_FOLDS, f"Design: {_N_FOLDS} folds, which find smaller gains here than one split."

    def _estimate(self, stack: Stack, data: PreparedData) -> float:
        self.options.reporter.note(f"Timing {stack.text} …")
        rung = _rung(stack)
        data.read([rung], self.options.reporter)
        return estimate_run(data.request(rung, 0, data.folds[0]), trains=True)

    def _affordable(
        self,
        stacks: Sequence[Stack],
        estimates: Mapping[str, float],
        n_forms: int,
        *,
        n_seeds: int,
        n_folds: int | None,
    ) -> tuple[int, tuple[str, ...], tuple[str, ...]] | None:
        """Choose the stacks to open with as there is time, in the order of their promise; None where there is none."""
        by_cost = sorted((stack.text for stack in stacks), key=lambda text: estimates[text])
        base, in_other_forms = estimates[self.question.stack.text], estimates[by_cost[0]] * n_forms
        for n_turns in range(n_folds or n_seeds, (n_folds or _FEWEST_SEEDS) - 1, -1):
            chosen: list[str] = []
            first = base * n_turns + in_other_forms * stages_of(n_turns)[0]
            for text in (stack.text for stack in stacks):
                costs = [estimates[one] for one in (*chosen, text)]
                if first + _opening_seconds(costs, n_turns) <= self.budget_seconds:
                    chosen.append(text)
            if chosen:
                left = tuple(text for text in by_cost if text not in chosen)
                return (n_turns if n_folds is None else n_seeds), tuple(chosen), left
        return None

    def _too_small(self, stacks: Sequence[Stack], estimates: Mapping[str, float], *, n_folds: int | None) -> UsageError:
        fewest = n_folds or _FEWEST_SEEDS
        cheapest = min((stack.text for stack in stacks), key=lambda text: estimates[text])
        least = estimates[self.question.stack.text] * fewest + _opening_seconds([estimates[cheapest]], fewest)
        return UsageError(
            f"A budget of {duration(self.budget_seconds)} is too small for anything: {self.question.stack.text} and "
            f"{cheapest}, {fewest} trainings each, take about {duration(least)}. Give more time (--budget), a "
            "smaller --size, or fewer --epochs" + (", or seeds instead of folds (--seeds 2)." if n_folds else ".")
        )


def _opening_seconds(costs: Sequence[float], n_turns: int) -> float:
    """Return what opening stacks take, were the longest always to go on."""
    left, seconds, done = sorted(costs, reverse=True), 0.0, 0
    for stage in stages_of(n_turns):
        seconds += sum(left) * (stage - done)
        left, done = left[: -(-len(left) // 2)], stage
    return seconds


def _rung(stack: Stack) -> Rung:
    return Rung(stack.text, stack, stack.names[1:])


def _sentence(traits: Traits) -> str:
    return "" if not traits.reasons else f"Seen in the data: {'; '.join(traits.reasons.values())}."


@dataclass
class _Climber:
    """One process at work on a climb."""

    record: ClimbRecord
    data: PreparedData
    options: LadderOptions
    lock: FolderLock
    _handed: set[str] = field(default_factory=set)
    _affordable: dict[str, bool] = field(default_factory=dict)
    _estimates: dict[str, float] = field(default_factory=dict)
    _told: set[object] = field(default_factory=set)
    _closed: set[str] = field(default_factory=set)

    def run(self) -> ClimbRecord:
        """Train what the search wants until it wants nothing, or nothing more fits the budget."""
        self._estimates = dict(self.record.estimates)
        self._traits = Traits.of(
            self.data.prepared(self._rung_of(self.record.stack), self.data.folds[0]), metric=self.record.metric
        )
        self._wanted: dict[Training, None] = {Training(self.record.stack, 0): None}
        self._tell_plan()
        while True:
            search = self._work()
            if search is None:
                raise ImgclsError(
                    f"{self.record.stack} could not be trained, so nothing can be compared with it: "
                    f"{self._failures[self.record.stack]}"
                )
            more = dict.fromkeys(self._next(search))
            if more.keys() <= self._wanted.keys():
                return self._conclude(search)
            self._wanted |= more

    def _tell_plan(self) -> None:
        turns = f"{self.record.n_folds} folds" if self.record.n_folds else f"{self.record.n_seeds} seeds"
        note = self.options.watcher.note
        listed = ", ".join(map(self._short, self.record.opening))
        note(f"{self.record.name}: {listed} over {self.record.stack}, in {turns}.")
        for line in self.record.notes:
            note(line)
        for stack in self.record.too_long:
            note(f"No time for {self._short(stack)}: about {duration(self._estimates[stack])} a training.")

    def _next(self, search: Search) -> tuple[Training, ...]:
        """Return what is to be trained next: for the search, for those with a part held out, for what is claimed."""
        for one in (replace(search, grow=lambda _: ()), search):
            if wanted := self._of_main(one):
                return wanted
            for held in one.turns.held_out():
                if fits := self._fitting(one.follow(held).wanted):
                    return fits
            chosen = self._main(one).follow().stack
            if needed := (*_missing(one.of(one.base)), *_missing(one.of(chosen)), *_missing(one.unseen())):
                return needed  # without these nothing can be claimed, so they are trained whatever the budget says
        default = self._default()
        if default is None or default in search.out:
            return ()
        return self._fitting(_missing(search.of(default)), whole=True)

    def _main(self, search: Search) -> Search:
        """Return the search that looks at everything; only for it are stacks let go of that there is no time for."""
        return replace(search, out=search.out | self._closed)

    def _of_main(self, search: Search) -> tuple[Training, ...]:
        """Return what the search that looks at everything wants; where time is short, stacks are let go of for it."""
        while True:
            main = self._main(search).follow()
            self._tell(main)
            if fits := self._fitting(main.wanted):
                return fits
            if not (others := {training.stack for training in main.wanted} - {main.stack, search.base}):
                return main.wanted
            self._closed.add(max(others, key=self._cost))

    def _tell(self, choice: Choice) -> None:
        units = Units(self.record.metric)
        for step in choice.steps:
            if step not in self._told:
                self._told.add(step)
                what = "stays" if step.kind == "adopted" else "is dropped"
                self.options.watcher.note(
                    f"{self._short(step.stack)} {what}: {units.gain(step.gain)} against {self._short(step.against)} "
                    f"after {step.n_turns} turns."
                )

    def _fitting(self, wanted: Sequence[Training], *, whole: bool = False) -> tuple[Training, ...]:
        """Return as many of some trainings as the budget has time for; none, where all are needed and do not fit."""
        left, found = self.record.budget_seconds - self._spent, list[Training]()
        for training in wanted:
            left -= self._cost(training.stack)
            if left < 0:
                return () if whole else tuple(found)
            found.append(training)
        return tuple(found)

    def _cost(self, stack: str) -> float:
        """Return about how long a training takes: as long as those that are done, or an estimate."""
        if times := [record.seconds["total"] for training, record in self._records.items() if training.stack == stack]:
            return float(np.mean(times))
        if stack not in self._estimates:
            rung = self._rung_of(stack)
            self.data.read([rung], self.options.reporter)
            trains = not any(rung.plan.train_digest == record.train_digest for record in self._records.values())
            self._estimates[stack] = estimate_run(self.data.request(rung, 0, self.data.folds[0]), trains=trains)
        return self._estimates[stack]

    def _grow(self, stack: str) -> tuple[str, ...]:
        """Return the stacks with one recipe more that there was time for when they were first thought of."""
        left = self.record.budget_seconds - self._spent
        found = [one.text for one in further(self._stack_of(stack), self._traits)]
        for one in found:
            if one not in self._affordable:
                try:
                    self._affordable[one] = left > 0 and len(self.record.turns) * self._cost(one) <= left
                except UsageError:  # such as photographs that cannot be read at a larger size
                    self._affordable[one] = False
        return tuple(one for one in found if self._affordable[one])

    def _default(self) -> str | None:
        """Return the stack of the default ladder, where it begins from the same base and can stand on it."""
        if not DEFAULT_STACK.startswith(f"{self.record.stack}+"):
            return None
        with suppress(UsageError):
            stack = default_stack(self._traits, self.record.overrides).text
            self._cost(stack)
            return stack
        return None

    def _short(self, stack: str) -> str:
        return self.record.short(stack)

    def _stack_of(self, text: str) -> Stack:
        return Stack.parse(text, self.record.overrides)

    def _rung_of(self, text: str) -> Rung:
        return _rung(self._stack_of(text))

    def _work(self) -> Search | None:
        """Train what is wanted, and return the search over all that is there; None where the base failed."""
        ladder = self._as_ladder(self._wanted)
        executor = self.options.executor

        def opened() -> Executor:
            return open_executor(executor, resources={"n_gpus": n_gpus()}) if isinstance(executor, str) else executor

        LadderRunner(
            ladder,
            self.options.workspace,
            opened,
            self.options.watcher,
            retries=self.options.retries,
            retry_failed=self.options.retry_failed,
            from_start=self.options.from_start,
            owns_executor=isinstance(executor, str),
            _given_up=set(self._handed),
        ).work(self.lock)
        self._handed |= {job.key for job in ladder.jobs}
        entries = read_state(ladder, self.options.workspace).jobs  # in the order of the jobs, which is that of wanted
        jobs = list(zip(self._wanted, entries, strict=True))
        self._records = {training: entry.record for training, entry in jobs if entry.record is not None}
        self._failures = {training.stack: entry.reason for training, entry in jobs if entry.state == "failed"}
        times = {record.key: record.seconds["total"] for record in self._records.values()}
        self._spent = sum(times.values())
        return None if self.record.stack in self._failures else self._search()

    def _as_ladder(self, wanted: Iterable[Training]) -> Ladder:
        """Return trainings as a ladder's jobs, for those who know how to run these."""
        wanted = tuple(wanted)
        rungs = [self._rung_of(stack) for stack in dict.fromkeys(training.stack for training in wanted)]
        self.data.read(rungs, self.options.reporter)
        number_of = {rung.stack.text: number for number, rung in enumerate(rungs)}
        jobs = []
        for training in wanted:
            number, (seed, fold) = number_of[training.stack], self.record.turns[training.turn]
            jobs.append(JobPlan(number, seed, fold, self.data.request(rungs[number], seed, fold).key))
        return Ladder(
            name=self.record.name,
            kind="climb",
            stack=self.record.stack,
            overrides=self.record.overrides,
            metric=self.record.metric,
            smallest_gain=self.record.smallest_gain,
            seeds=tuple(range(self.record.n_seeds)),
            n_folds=self.record.n_folds,
            data=self.record.data,
            data_name=self.record.data_name,
            data_digest=self.record.data_digest,
            split_digests=self.record.split_digests,
            n_valid=0,
            n_valid_groups=0,
            machine=asdict(self.options.machine),
            rungs=rung_plans(rungs, "climb"),
            jobs=tuple(jobs),
        )

    def _search(self) -> Search:
        boards = self._boards()
        return Search(
            base=self.record.stack,
            opening=self.record.opening,
            variants=tuple(others for others in (self.record.weighted, self.record.variants) if others),
            cheapest=self._cheapest,
            turns=self._turns(boards),
            results=self._results(boards),
            grow=self._grow,
            out=frozenset(self._failures),
            smallest_gain=self.record.smallest_gain,
        )

    @property
    def _cheapest(self) -> str:
        """The opening stack that was thought to take the least."""
        record = self.record
        return min(record.opening, key=lambda text: (record.estimates[text], record.opening.index(text)))

    def _boards(self) -> Mapping[int | None, Predictions]:
        """Return the predictions of all runs, fold by fold; on one split under None."""
        by_fold: dict[int | None, list[RunRecord]] = {}
        for training, record in self._records.items():
            by_fold.setdefault(self.record.turns[training.turn][1], []).append(record)
        return {fold: read_predictions(records) for fold, records in by_fold.items()}

    def _results(self, boards: Mapping[int | None, Predictions]) -> dict[Training, Floats]:
        return {
            training: boards[self.record.turns[training.turn][1]].contributions(self.record.metric, [record.key])[0]
            for training, record in self._records.items()
        }

    def _turns(self, boards: Mapping[int | None, Predictions]) -> Turns:
        if self.record.n_folds is None:
            n_train = self._samples(None).rows("train").size
            labels, numbers = boards[None].labels, boards[None].groups
            return Turns.of_split(labels, numbers, n_seeds=self.record.n_seeds, n_train=n_train)
        groups, sizes = [], []
        for _, fold in self.record.turns:
            samples = self._samples(fold)
            n_valid = samples.rows("valid").size
            board = boards.get(fold)
            alone = np.arange(n_valid if board is None else len(board.ids), dtype=np.intp)
            groups.append(alone if board is None or board.groups is None else board.groups)
            sizes.append((samples.rows("train").size, n_valid))
        return Turns(tuple(groups), tuple(sizes), None)

    def _samples(self, fold: int | None) -> Any:
        return self.data.samples(self._rung_of(self.record.stack), fold)

    def _conclude(self, search: Search) -> ClimbRecord:
        """Judge what was chosen on what did not choose it, and keep it."""
        main, base, unseen = self._main(search).follow(), search.of(search.base), search.unseen()
        default = self._default()
        other = search.of(default) if default is not None and not _missing(search.of(default)) else None
        gains = [search.turns.gain(rows, unseen) for rows in (base, other) if rows is not None]  # type: ignore[arg-type]
        judged = judge(gains, smallest_gain=self.record.smallest_gain)
        record = replace(
            self.record,
            is_complete=True,
            chosen=main.stack,
            score=search.turns.score(self.record.metric, unseen),  # type: ignore[arg-type]
            gain=verdict_record(judged[0]),
            over_default=verdict_record(judged[1]) if other is not None else None,
            choices=search.choices(),
            tried=tuple(self._tried(search, main)),
            estimates=self._estimates,
            seconds=self._spent,
            chosen_runs=tuple(self._records[Training(main.stack, turn)].id for turn in range(len(self.record.turns))),
            pair=self._as_ladder(
                Training(stack, turn)
                for turn in range(len(self.record.turns))
                for stack in dict.fromkeys((search.base, main.stack))
            ).to_json(),
        )
        record.write(self.options.workspace)
        return record

    def _tried(self, search: Search, main: Choice) -> Iterator[Tried]:
        """Yield every stack with what became of it, the best first."""
        signed = find_metric(self.record.metric).signed
        ends = {step.stack: step for step in main.steps if step.kind == "dropped"}
        built_on = {step.against for step in main.steps if step.kind == "adopted"}
        default = self._default()
        scored: dict[str, list[int]] = {}
        for training in search.results:
            scored.setdefault(training.stack, []).append(training.turn)
        means = {
            stack: float(np.mean([search.results[Training(stack, turn)].mean() for turn in turns]))
            for stack, turns in scored.items()
        }
        for stack in sorted(scored, key=lambda one: -means[one]):
            common = [turn for turn in scored[stack] if Training(search.base, turn) in search.results]
            gain = [
                search.results[Training(stack, turn)].mean() - search.results[Training(search.base, turn)].mean()
                for turn in common
            ]
            outcome = "no time to go on with it" if stack in self._closed else "tried with a part held out only"
            if stack == main.stack:
                outcome = "chosen"
            elif stack in self._failures:
                outcome = f"failed: {self._failures[stack]}"
            elif stack in ends:
                outcome = f"dropped after {ends[stack].n_turns} turns, for {ends[stack].against}"
            elif stack == search.base:
                outcome = "the base"
            elif stack in built_on:
                outcome = "recipes were added to it"
            elif stack == default:
                outcome = "the default ladder's"
            seconds = self._cost(stack)
            yield Tried(stack, len(scored[stack]), signed(means[stack]), float(np.mean(gain)), seconds, outcome)
        for stack, reason in self._failures.items():
            if stack in scored:
                continue
            yield Tried(stack, 0, None, None, self._estimates.get(stack, 0.0), f"failed: {reason}")
        for stack in (*self.record.too_long, *(self._closed - set(scored)), *self._untried(search, main)):
            yield Tried(stack, 0, None, None, self._estimates.get(stack, 0.0), "no time for it")

    def _untried(self, search: Search, main: Choice) -> list[str]:
        begun = {training.stack for training in search.results}
        found = [one.text for one in further(self._stack_of(main.stack), self._traits)]
        return [stack for stack in found if stack in self._estimates and stack not in {*begun, *self._failures}]


def _missing(found: tuple[Floats, ...] | tuple[Training, ...]) -> tuple[Training, ...]:
    """Return what has to be trained, where that was the answer."""
    return tuple(one for one in found if isinstance(one, Training))
