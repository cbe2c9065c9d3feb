"""Design of a ladder: its rungs, seeds and folds, the key of every run, its cost and the gains it can find."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from imgcls.catalog import Stack, find_recipes
from imgcls.config.metrics import deciding_metric
from imgcls.config.problem import metric_of
from imgcls.data.samples import Samples
from imgcls.data.source import DataSource
from imgcls.engine.device import Machine
from imgcls.engine.prepare import Prepared, prepare
from imgcls.engine.progress import Reporter
from imgcls.engine.request import RunSetup, RunSpec, TrainOptions
from imgcls.engine.timing import estimate_run
from imgcls.errors import UsageError
from imgcls.evidence.contributions import check_metric, contributions
from imgcls.evidence.power import USUAL, SampleCounts, compare_designs, detectable
from imgcls.ladders.candidates import Traits, default_stack
from imgcls.ladders.spec import (
    LADDER_JSON,
    JobPlan,
    Kind,
    Ladder,
    Rung,
    RungPlan,
    climbing,
    find_ladders,
    ladder_name,
    leaving_out,
    rung_plans,
)
from imgcls.plan import Images
from imgcls.records.find import find_runs
from imgcls.schema import file_name
from imgcls.text import clean, duration
from imgcls.workspace import Workspace

MOST_SEEDS = 1000
_USUAL_SEEDS = 5
_LONGEST_NAME = 200  # bytes; a file system takes 255, and a page adds its ending


@dataclass(frozen=True)
class LadderConfig:
    """What a ladder is to find out about a stack."""

    stack: Stack
    """The full stack, with what flags set on its base."""
    source: DataSource
    """The data; with what imgcls.toml says of them (see `imgcls.config.problem.resolve`)."""
    kind: Kind = "climb"
    """Whether recipes are added one by one, or left out."""
    n_seeds: int | None = None
    """Seeds of every rung, from 0; None chooses them, and folds where none are given, by what can be found."""
    n_folds: int | None = None
    """Folds; None for one split, or for what is chosen where `n_seeds` is None too."""
    metric: str | None = None
    """The primary metric; None for the one that imgcls.toml names, or else that of the kind of problem."""
    smallest_gain: float = 0.005
    """The smallest gain of interest, in the metric's unit."""
    name: str | None = None
    """The name of the ladder's folder; None makes one."""
    strict: bool = False
    """Whether to stop before the first run where photographs are lost and nobody decided about them."""
    ensemble: bool = False
    """Whether the mean prediction of the seeds of the stack to use is judged too."""
    ensemble_on_top: bool = False
    """Whether that of the highest rung is, instead."""
    is_default: bool = False
    """Whether nobody named the stack, so that it may begin with a recipe for the pixels that the data ask for."""


def plan_ladder(
    question: LadderConfig,
    *,
    machine: Machine,
    workspace: Workspace,
    reporter: Reporter,
    work_seconds: float | None = None,
) -> Ladder:
    """Plan a ladder, or more seeds for one that is there; nothing of it is written yet.

    Photographs are decoded on the way, once for all rungs, seeds and folds.

    Args:
        question: What is to be known.
        machine: Where the runs will be made.
        workspace: Where records and ladders lie.
        reporter: Receives how far decoding is.
        work_seconds: What all trainings may take together where seeds are to be chosen; None for five a rung.

    Raises:
        UsageError: Anything has to be changed before the ladder can begin.
    """
    check_numbers(question)
    rungs = leaving_out(question.stack) if question.kind == "ablate" else climbing(question.stack)
    if question.source.is_frame:
        raise UsageError(
            "A ladder's runs may be made in other processes, which cannot see a frame in memory. Write it to a CSV "
            "or Parquet file and name that."
        )
    source = replace(question.source.absolute(), split_seed=question.source.split_seed or 0)
    question = replace(question, source=source)
    grounds = PreparedData(question, machine=machine, place=workspace)
    notes: tuple[str, ...] = ()
    if question.is_default:
        base = climbing(question.stack)[0]
        grounds.read([base], reporter)
        stack, notes = _fitting_stack(question, base, grounds)
        question = replace(question, stack=stack)
        rungs = leaving_out(stack) if question.kind == "ablate" else climbing(stack)
    grounds.read(rungs, reporter)
    n_seeds, design_note = question.n_seeds or _USUAL_SEEDS, ""
    if question.n_seeds is None and question.n_folds is None:
        n_seeds, n_folds, design_note = _chosen_design(question, rungs, grounds, workspace, work_seconds)
        if n_folds is not None:  # a share that validates means nothing then
            question = replace(question, n_folds=n_folds, source=replace(source, valid=None))
            grounds = PreparedData(question, machine=machine, place=workspace)
            grounds.read(rungs, reporter)
    plans = rung_plans(rungs, question.kind)
    first = [grounds.samples(rungs[0], fold) for fold in grounds.folds]
    metric = primary_metric(question, first, workspace)
    identity = {
        "kind": question.kind,
        "plans": [plan.plan_digest for plan in plans],
        "samples": [[samples.data_digest, samples.split_digest] for samples in first],
        "n_folds": question.n_folds,
        "metric": metric,
        "device": machine.torch_device().type,
        "precision": machine.used_precision(),
    }
    name = question.name or ladder_name(question.stack.text, kind=question.kind, identity=identity)
    folder = workspace.ladders / name
    before = Ladder.read(folder) if (folder / LADDER_JSON).is_file() else None
    n_seeds = max(n_seeds, before.n_seeds if before else 0)
    jobs = tuple(
        JobPlan(number, seed, fold, grounds.request(rung, seed, fold).key)
        for seed in range(n_seeds)
        for fold in grounds.folds
        for number, rung in enumerate(rungs)
    )
    ladder = Ladder(
        name=name,
        kind=question.kind,
        stack=question.stack.text,
        overrides=dict(question.stack.overrides),
        metric=metric,
        smallest_gain=question.smallest_gain,
        seeds=tuple(range(n_seeds)),
        n_folds=question.n_folds,
        data=question.source,
        data_name=first[0].name,
        data_digest=first[0].data_digest,
        split_digests=tuple(samples.split_digest for samples in first),
        n_valid=sum(len(samples.rows("valid")) for samples in first),
        n_valid_groups=sum(len(set(samples.part("valid").frame["group"]) - {""}) for samples in first),
        machine=asdict(machine),
        rungs=plans,
        jobs=jobs,
        created=before.created if before else datetime.now(UTC).isoformat(timespec="seconds"),
        notes=(
            *((design_note,) if design_note else ()),
            *notes,
            *_notes(question, before, workspace, metric=metric, keys={job.key for job in jobs}),
        ),
        ensemble=question.ensemble or question.ensemble_on_top or (before.ensemble if before else None) or None,
        ensemble_on_top=question.ensemble_on_top
        or (before.ensemble_on_top if before and not question.ensemble else None)
        or None,
        folder=folder,
    )
    if before is not None:
        _check_same_question(before, ladder)
    ladder = replace(ladder, looks=_interim_analyses(ladder, workspace))
    return replace(ladder, rungs=_with_estimates(ladder, rungs, grounds, workspace))


class PreparedData:
    """The samples and weights that the rungs stand on, each read once."""

    def __init__(self, question: LadderConfig, *, machine: Machine, place: Workspace) -> None:
        self._question, self._place = question, place
        self._prepared: dict[Images, tuple[Prepared, ...]] = {}
        self._options = TrainOptions(n_folds=question.n_folds, machine=machine, workspace=place)
        self._turns = self._options.turns
        self.folds = tuple(turn.fold if turn else None for turn in self._turns)
        self._setups: dict[str, RunSetup] = {}

    def read(self, rungs: Sequence[Rung], reporter: Reporter) -> None:
        """Read and decode the samples of every rung, and split them for every fold.

        Raises:
            DataError: The data cannot be used.
            UsageError: Rungs would see different samples.
        """
        for rung in rungs:  # what can be wrong with a stack is found before anything is read
            setup = RunSetup.of(rung.stack, self._question.source, self._options)
            self._setups.setdefault(rung.stack.text, setup)
        for rung in rungs:
            if rung.plan.images not in self._prepared:
                read = prepare(
                    self._question.source,
                    rung.plan.images,
                    reporter=reporter,
                    turns=self._turns,
                    workspace=None if self._prepared else self._place,
                    strict=self._question.strict,
                )
                self._prepared[rung.plan.images] = read
                first = next(iter(self._prepared.values()))
                for one, other in zip(first, read, strict=True):  # a gain needs the same samples on both sides
                    if _digests(one.samples) != _digests(other.samples):
                        raise UsageError(
                            f"{rung.stack.text} sees {len(other.samples)} samples, the rungs below "
                            f"{len(one.samples)}: photographs that are readable at one size are not at another. "
                            "Remove the unreadable ones."
                        )

    def prepared(self, rung: Rung, fold: int | None) -> Prepared:
        """Return the samples and pixels of a rung."""
        return self._prepared[rung.plan.images][fold or 0]

    def samples(self, rung: Rung, fold: int | None) -> Samples:
        """Return the samples of a rung."""
        return self._prepared[rung.plan.images][fold or 0].samples

    def request(self, rung: Rung, seed: int, fold: int | None) -> RunSpec:
        """Return one run as the engine knows it."""
        setup = replace(self._setups[rung.stack.text], seed=seed)
        return RunSpec(setup, self._prepared[rung.plan.images][fold or 0], self._turns[fold or 0])


def _fitting_stack(question: LadderConfig, base: Rung, grounds: PreparedData) -> tuple[Stack, tuple[str, ...]]:
    """Return the stack of a ladder that nobody named, on the pixels that the data ask for; and why."""
    traits = Traits.of(grounds.prepared(base, grounds.folds[0]), metric=question.metric or "")
    stack = default_stack(traits, question.stack.overrides)
    if stack.text == question.stack.text:
        return stack, ()
    return stack, tuple(
        f"{name} is among the recipes, since {'; '.join(_why(name, traits))}."
        for name in stack.names
        if name not in question.stack.names
    )


def _why(recipe: str, traits: Traits) -> list[str]:
    """Return what in the data a recipe suits, in words."""
    return [reason for name, reason in traits.reasons.items() if name in find_recipes()[recipe].card.suits]


def check_numbers(question: LadderConfig) -> None:
    """Check seeds, the smallest gain and the name.

    Raises:
        UsageError: One of them cannot be.
    """
    if question.n_seeds is not None and not 1 <= question.n_seeds <= MOST_SEEDS:
        raise UsageError(f"A ladder has 1 to {MOST_SEEDS} seeds, not {question.n_seeds}; 5 are a good start.")
    if not 0 < question.smallest_gain < float("inf"):
        raise UsageError(f"The smallest gain of interest has to be above 0, not {question.smallest_gain}.")
    if question.name is not None and (flaw := _flaw_of_name(question.name)):
        raise UsageError(
            f"--name {clean(question.name)!r} cannot be the name of a ladder's folder: {flaw}. Use letters, digits and "
            f"any of + = , _ - . between them, at most {_LONGEST_NAME} bytes, such as first-try."
        )


def _chosen_design(
    question: LadderConfig,
    rungs: Sequence[Rung],
    grounds: PreparedData,
    workspace: Workspace,
    work_seconds: float | None,
) -> tuple[int, int | None, str]:
    """Choose seeds and folds by the gain that each design could find in the time, or go on with those of before.

    Returns:
        Seeds, folds, and a sentence on what was compared; "" where a ladder of this stack on these data goes on.
    """
    samples = grounds.samples(rungs[0], None)
    for other in reversed(find_ladders(workspace)[0]):  # the same command goes on, however long things took this time
        same = (other.kind, other.stack, other.overrides) == (
            question.kind,
            question.stack.text,
            question.stack.overrides,
        )
        if same and other.data_digest == samples.data_digest and question.name in (None, other.name):
            return other.n_seeds, other.n_folds, ""
    most_runs = _USUAL_SEEDS
    if work_seconds is not None:
        plans = rung_plans(rungs, question.kind)
        a_run = [
            estimate_run(grounds.request(rung, 0, None), trains=plan.weights_of is None)
            for rung, plan in zip(rungs, plans, strict=True)
        ]
        most_runs = max(2, int(work_seconds // max(1e-3, sum(seconds or 0.0 for seconds in a_run))))
    designs = compare_designs(sample_counts(samples), most_runs=most_runs)
    if not designs:
        return _USUAL_SEEDS, None, ""
    best, *others = designs
    told = f"{best} can settle gains of about {100 * best.gain:.1f} points of accuracy, where noise is as usual"
    of_the_other_kind = [design for design in others if (design.n_folds is None) != (best.n_folds is None)]
    if of_the_other_kind:
        told += f"; {of_the_other_kind[0]}, {100 * of_the_other_kind[0].gain:.1f}"
    elif best.n_folds is not None:
        told += "; too few groups validate for one split"
    return best.n_seeds, best.n_folds, f"Design: {told}. --seeds and --folds choose another."


def sample_counts(samples: Samples) -> SampleCounts:
    """Count samples and groups; one without a group stands alone."""
    rows = np.concatenate([samples.rows("train"), samples.rows("valid")])
    groups, valid = samples.frame["group"].to_numpy(), samples.rows("valid")

    def n_units(chosen: np.ndarray) -> int:
        named = groups[chosen]
        return len(set(named[named != ""])) + int((named == "").sum())

    return SampleCounts(len(rows), n_units(rows), len(valid), n_units(valid))


def _flaw_of_name(name: str) -> str:
    """Describe why a text cannot be a ladder's name on every disk and terminal; "" where it can."""
    if not name.strip():
        return "it is empty"
    if len(name.encode("utf-8", "surrogateescape")) > _LONGEST_NAME:
        return f"it has {len(name.encode('utf-8', 'surrogateescape'))} bytes"
    if clean(name) != name:
        return "it holds control characters, or letters in another Unicode form than they are shown in"
    if wrong := sorted(set(name) & set("/\\")):
        return f"it holds {' '.join(wrong)}"
    if name[0] in ".-" or name != name.strip():
        return "it begins with a dot or a dash, or begins or ends with a blank"
    if list(file_name(name)):
        return "it leads elsewhere"
    return ""


def primary_metric(question: LadderConfig, first: Sequence[Samples], workspace: Workspace) -> str:
    """Return the metric, once it is known to be computable on every part that validates.

    Args:
        question: It may name one.
        first: The samples of each fold.
        workspace: Whose imgcls.toml may name one.

    Raises:
        UsageError: There is no such metric, or it cannot decide, or cannot be computed.
    """
    metric = deciding_metric(question.metric or metric_of(workspace.root, first[0].problem)).text
    check_metric(metric, problem=first[0].problem, classes=first[0].classes)
    for fold, samples in enumerate(first):
        part = samples.part("valid")
        truth = part.targets if part.targets.ndim == 2 else part.targets[:, None] == np.arange(part.n_classes)
        nearly = (truth + 1 / max(1, part.n_classes)) / 2  # even ones are nothing to a metric such as a correlation
        try:
            contributions(metric, nearly, part.targets, problem=part.problem, classes=part.classes)
        except UsageError as problem:
            where = "" if question.n_folds is None else f" of fold {fold}"
            raise UsageError(
                f"The validation part{where} does not do: {problem} Use another metric or split."
            ) from None
    return metric


def _asked(ladder: Ladder) -> dict[str, Any]:
    """Return what two ladders share where only their seeds differ, by how a message names it."""
    return {
        "kind": ladder.kind,
        "rungs": [rung.plan_digest for rung in ladder.rungs],
        "data": ladder.data_digest,
        "splits": ladder.split_digests,
        "folds": ladder.n_folds,
    }


def _check_same_question(before: Ladder, ladder: Ladder) -> None:
    """Check that a ladder of this name compares the same things, so that it may be written over."""
    if before.metric != ladder.metric:
        raise UsageError(f"Ladder {ladder.name} is judged by {before.metric}; the metric is chosen before looking.")
    now = _asked(ladder)
    if different := [what for what, value in _asked(before).items() if value != now[what]]:
        raise UsageError(
            f"Ladder {ladder.name} is there already, with other {', '.join(different)}: {before.stack} on "
            f"{before.data_name}. Give this one another name (--name)."
        )


def _notes(
    question: LadderConfig, before: Ladder | None, workspace: Workspace, *, metric: str, keys: set[str]
) -> tuple[str, ...]:
    """Describe what weakens the conclusions: seeds that are there already, another metric chosen before."""
    notes = []
    if before and question.n_seeds is not None and before.n_seeds > question.n_seeds:
        notes.append(f"This ladder has {before.n_seeds} seeds already; all of them are used.")
    for other in sorted(find_ladders(workspace)[0], key=lambda other: other.name):
        if other.metric != metric and keys & {job.key for job in other.jobs}:
            notes.append(
                f"The same runs were judged by {other.metric} in ladder {other.name}. Choosing the metric after "
                "looking makes a gain look surer than it is."
            )
    return tuple(notes)


def _with_estimates(
    ladder: Ladder, rungs: Sequence[Rung], grounds: PreparedData, workspace: Workspace
) -> tuple[RungPlan, ...]:
    """Time a few steps of every rung of which no run is there yet."""
    done = {record.key: record.seconds.get("total", 0.0) for record in find_runs(workspace)[0]}
    found = []
    for number, (plan, rung) in enumerate(zip(ladder.rungs, rungs, strict=True)):
        times = [done[job.key] for job in ladder.jobs if job.rung == number and job.key in done]
        if times:
            seconds = sum(times) / len(times)
        else:
            seconds = estimate_run(grounds.request(rung, 0, grounds.folds[0]), trains=plan.weights_of is None)
        found.append(replace(plan, estimate_seconds=seconds))
    return tuple(found)


_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class Forecast:
    """What is known of a ladder before it begins."""

    n_runs: int
    """Runs in all."""
    n_done: int
    """Runs that are there already."""
    n_shared: int
    """Runs that predict with the weights of another and train nothing."""
    seconds: float
    """About how long the rest takes, with as many jobs at a time as there will be."""
    sentences: tuple[str, ...]
    """The same, and what the ladder will be able to see, in words."""


def forecast(ladder: Ladder, *, done: Mapping[str, object], n_parallel: int = 1) -> Forecast:
    """Describe what a ladder will cost, and what it will be able to see.

    Args:
        ladder: A ladder with estimates.
        done: Keys of runs that are there already.
        n_parallel: Jobs that run at a time.
    """
    left = [job for job in ladder.jobs if job.key not in done]
    seconds = seconds_left(ladder, done=done) / n_parallel
    n_shared = sum(ladder.rungs[job.rung].weights_of is not None for job in ladder.jobs)
    n_done = len(ladder.jobs) - len(left)
    over = f" × {ladder.n_folds} folds" if ladder.n_folds else ""
    plural = "s" * (ladder.n_seeds != 1)
    sentences = [
        f"{len(ladder.rungs)} rungs × {ladder.n_seeds} seed{plural}{over}: {len(ladder.jobs)} runs, {n_done} of them "
        f"done already, {n_shared} without a training of their own; about {duration(seconds)}."
    ]
    sentences += _detectable_gains(ladder)
    return Forecast(len(ladder.jobs), n_done, n_shared, seconds, tuple(sentences))


def seconds_left(ladder: Ladder, *, done: Mapping[str, object]) -> float:
    """Return about how long the runs that are not there yet take, one after the other."""
    return sum(ladder.rungs[job.rung].estimate_seconds or 0.0 for job in ladder.jobs if job.key not in done)


def within_budget(ladder: Ladder, budget_seconds: float, *, done: Mapping[str, object], n_parallel: int) -> Ladder:
    """Return the ladder with as many seeds as a budget allows.

    Args:
        ladder: A ladder with estimates, and with as many seeds as are wanted at most.
        budget_seconds: What it may take, above 0.
        done: Keys of runs that are there already.
        n_parallel: Jobs that run at a time.

    Raises:
        UsageError: Not even one seed of all rungs fits.
    """
    for n_seeds in range(ladder.n_seeds, 0, -1):
        smaller = with_seeds(ladder, n_seeds)
        if seconds_left(smaller, done=done) / n_parallel <= budget_seconds:
            if n_seeds == ladder.n_seeds:
                return ladder
            note = f"The budget of {duration(budget_seconds)} allows {n_seeds} of {ladder.n_seeds} seeds."
            return replace(smaller, notes=(*ladder.notes, note))
    one = seconds_left(with_seeds(ladder, 1), done=done) / n_parallel
    two = seconds_left(with_seeds(ladder, 2), done=done) / n_parallel
    raise UsageError(
        f"A budget of {duration(budget_seconds)} is too small: one seed of all rungs takes about {duration(one)}"
        + (f", and two, the fewest that can tell anything, {duration(two)}." if ladder.n_seeds > 1 else ".")
        + " Give more time, a smaller --size, fewer --epochs, or fewer recipes."
    )


def with_seeds(ladder: Ladder, n_seeds: int) -> Ladder:
    """Return a ladder with its first seeds only."""
    jobs = tuple(job for job in ladder.jobs if job.seed < n_seeds)
    return replace(ladder, seeds=ladder.seeds[:n_seeds], jobs=jobs)


def read_duration(text: str) -> float:
    """Read a time such as `45s`, `30m`, `1h30m` or `2h`, in seconds.

    Raises:
        UsageError: It is none, or not above 0.
    """
    pieces = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    whole = "".join(number + unit for number, unit in pieces)
    if not pieces or whole != re.sub(r"\s", "", text.lower()) or any(unit not in _UNITS for _, unit in pieces):
        raise UsageError(f"{text!r} is no time; write 45s, 30m, 2h or 1h30m.")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in pieces)
    if not 0 < seconds < float("inf"):
        raise UsageError(f"A budget has to be above 0, not {text!r}.")
    return seconds


def _digests(samples: Samples) -> tuple[str, str]:
    return samples.data_digest, samples.split_digest


def _interim_analyses(ladder: Ladder, workspace: Workspace) -> tuple[int, ...]:
    """Return the numbers of seeds with which these very runs were judged before, under whatever name."""
    keys = {job.key for job in ladder.jobs}
    same = [
        other
        for other in find_ladders(workspace)[0]
        if other.metric == ladder.metric and _asked(other) == _asked(ladder) and keys & {job.key for job in other.jobs}
    ]
    return tuple(sorted({number for other in same for number in other.looks}))


def _detectable_gains(ladder: Ladder) -> list[str]:
    """Describe which gains can be settled; only for accuracy is the usual noise known beforehand."""
    n_images, n_groups = ladder.n_valid, ladder.n_valid_groups
    if ladder.n_seeds == 1 and ladder.n_folds is None:
        return ["One seed cannot tell a recipe from chance: this shows how models differ, and gives no verdict."]
    if ladder.n_folds is not None:
        return ["Over folds, what can be seen is known once the first rungs are done."]
    if n_groups:
        return [
            f"{n_images} validation images in {n_groups} groups: images of one group vary together, so this is "
            f"nearer to {n_groups} images than to {n_images}. Folds see more: --folds 5."
        ]
    if ladder.metric not in ("accuracy", "balanced_accuracy"):
        return [f"{n_images} validation images; what gains can be seen is known once two rungs have two seeds."]
    numbers = sorted({max(2, min(3, ladder.n_seeds)), max(2, ladder.n_seeds)})
    gains = [100 * detectable(USUAL, n_seeds=number, n_units=n_images) for number in numbers]
    first = f"{n_images} validation images and {numbers[0]} seeds can settle gains of about {gains[0]:.1f} points"
    more = "".join(f"; {number} seeds, {gain:.1f}" for number, gain in zip(numbers[1:], gains[1:], strict=True))
    return [f"{first}{more} (as fine-tuning usually goes; measured again as runs come in)."]
