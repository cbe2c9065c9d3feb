"""Planning a ladder: what is compared, on which samples, and the key of every run, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from imgcls.catalog import Stack
from imgcls.data.folds import Turn, check_n_folds
from imgcls.data.samples import Samples
from imgcls.data.sources.elpv import NAME as DEFAULT_DATA
from imgcls.data.sources.test_list import OFF
from imgcls.engine.device import Machine
from imgcls.engine.known_sets import is_known_set
from imgcls.engine.pilot import estimate_run
from imgcls.engine.prepare import DataSource, Prepared, prepare
from imgcls.engine.ready import Ready, check_no_share
from imgcls.engine.reporting import Reporter
from imgcls.engine.request import Request
from imgcls.errors import UsageError, nearest_hint
from imgcls.evidence.contributions import CONTRIBUTIONS, contributions
from imgcls.evidence.metrics import METRICS
from imgcls.ladders.find import find_ladders
from imgcls.ladders.rungs import Rung, climbing, leaving_out, rung_plans
from imgcls.ladders.spec import LADDER_JSON, JobPlan, Kind, Ladder, RungPlan, ladder_name
from imgcls.plan import Images
from imgcls.problem.toml import metric_of
from imgcls.records.find import find_runs
from imgcls.records.seen import SeenData, look_at, remember
from imgcls.workspace import Workspace

MOST_SEEDS = 1000


@dataclass(frozen=True)
class Question:
    """What a person wants to know of a stack."""

    stack: Stack
    """The full stack, with what flags set on its base."""
    source: DataSource
    """The data; with what imgcls.toml says of them (see `DataSource.in_workspace`)."""
    kind: Kind = "climb"
    """Whether recipes are added one by one, or left out."""
    n_seeds: int = 5
    """Seeds of every rung, from 0."""
    n_folds: int | None = None
    """Folds; None for one split."""
    metric: str | None = None
    """The primary metric; None for the one that imgcls.toml names, or else that of the kind of problem."""
    smallest_gain: float = 0.005
    """The smallest gain of interest, in the metric's unit."""
    name: str | None = None
    """The name of the ladder's folder; None makes one."""


def design(question: Question, *, machine: Machine, workspace: Workspace, reporter: Reporter) -> Ladder:
    """Plan a ladder, or more seeds for one that is there; nothing of it is written yet.

    Photographs are decoded on the way, once for all rungs, seeds and folds.

    Args:
        question: What is to be known.
        machine: Where the runs will be made.
        workspace: Where records and ladders lie.
        reporter: Told how far decoding is.

    Raises:
        UsageError: Anything has to be changed before the ladder can begin.
    """
    _check_numbers(question)
    if question.n_folds is not None:
        check_n_folds(question.n_folds)
        check_no_share(question.source)
    rungs = leaving_out(question.stack) if question.kind == "ablate" else climbing(question.stack)
    data = _as_json(question.source)
    grounds = _Grounds(question, rungs, machine=machine, place=workspace)
    look = look_at(data, workspace)
    grounds.read(rungs, reporter)
    plans = rung_plans(rungs, question.kind)
    first = [grounds.samples(rungs[0], fold) for fold in grounds.folds]
    if look is not None:
        remember(workspace, SeenData.of(first[0], look, in_folds=question.n_folds is not None))
    metric = _metric_of(question, first, workspace)
    identity = _identity(question, plans, metric=metric, first=[(s.data_digest, s.split_digest) for s in first])
    name = question.name or ladder_name(question.stack.text, kind=question.kind, identity=identity | _device(machine))
    before = _before(workspace.ladders / name)
    n_seeds = max(question.n_seeds, before.n_seeds if before else 0)
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
        data=data,
        data_name=first[0].name,
        data_digest=first[0].data_digest,
        split_digests=tuple(samples.split_digest for samples in first),
        n_valid=sum(len(samples.rows("valid")) for samples in first),
        n_valid_groups=sum(_n_groups(samples) for samples in first),
        machine=asdict(machine),
        rungs=plans,
        jobs=jobs,
        created=before.created if before else datetime.now(UTC).isoformat(timespec="seconds"),
        notes=_notes(question, before, workspace, metric=metric, keys={job.key for job in jobs}),
        folder=workspace.ladders / name,
    )
    if before is not None:
        _check_same_question(before, ladder)
    ladder = replace(ladder, looks=_looks(ladder, workspace))
    return replace(ladder, rungs=_with_estimates(ladder, rungs, grounds, workspace))


class _Grounds:
    """The samples and weights that the rungs stand on, each read once."""

    def __init__(self, question: Question, rungs: Sequence[Rung], *, machine: Machine, place: Workspace) -> None:
        source, stacks = question.source, [rung.stack for rung in rungs]
        self._question = question
        self._prepared: dict[tuple[Images, int | None], Prepared] = {}
        self._ready = {
            stack.text: Ready.of(stack, source, seed=0, overrides=None, quick=False, machine=machine, workspace=place)
            for stack in stacks
        }
        self.folds: tuple[int | None, ...] = (None,) if question.n_folds is None else tuple(range(question.n_folds))

    def read(self, rungs: Sequence[Rung], reporter: Reporter) -> None:
        """Read and decode the samples of every rung and fold.

        Raises:
            DataError: The data cannot be used.
            UsageError: Rungs would see different samples.
        """
        for rung in rungs:
            for fold in self.folds:
                place = (rung.plan.images, fold)
                if place not in self._prepared:
                    turn = Turn.of(fold, self._question.n_folds)
                    self._prepared[place] = prepare(
                        self._question.source, rung.plan.images, quick=False, reporter=reporter, turn=turn
                    )
                    self._check_equal(rung, fold)

    def samples(self, rung: Rung, fold: int | None) -> Samples:
        """Give the samples of a rung."""
        return self._prepared[rung.plan.images, fold].samples

    def request(self, rung: Rung, seed: int, fold: int | None) -> Request:
        """Give one run as the engine knows it."""
        ready = replace(self._ready[rung.stack.text], seed=seed)
        return ready.request(self._prepared[rung.plan.images, fold], Turn.of(fold, self._question.n_folds))

    def _check_equal(self, rung: Rung, fold: int | None) -> None:
        """Refuse rungs that see other samples: a gain needs the same ones on both sides."""
        samples = [entry.samples for (_, other), entry in self._prepared.items() if other == fold]
        if len({(entry.data_digest, entry.split_digest) for entry in samples}) > 1:
            raise UsageError(
                f"{rung.stack.text} sees {len(samples[-1])} samples, the rungs below {len(samples[0])}: photographs "
                "that are readable at one size are not at another. Remove the unreadable ones."
            )


def _check_numbers(question: Question) -> None:
    if not 1 <= question.n_seeds <= MOST_SEEDS:
        raise UsageError(f"A ladder has 1 to {MOST_SEEDS} seeds, not {question.n_seeds}; 5 are a good start.")
    if not 0 < question.smallest_gain < float("inf"):
        raise UsageError(f"The smallest gain of interest has to be above 0, not {question.smallest_gain}.")
    if question.name is not None and (
        not question.name or set(question.name) & set("/\\\0") or question.name[0] == "."
    ):
        raise UsageError(f"{question.name!r} cannot be the name of a folder.")


def _as_json(source: DataSource) -> dict[str, Any]:
    """Give a source as JSON values that mean the same in every process of this machine."""
    if source.data is not None and not isinstance(source.data, str | Path):
        raise UsageError(
            "A ladder's runs may be made in other processes, which cannot see a frame in memory. Write it to a CSV "
            "or Parquet file and name that."
        )
    value: dict[str, Any] = {entry.name: getattr(source, entry.name) for entry in fields(source)}
    if source.data is not None and str(source.data) != DEFAULT_DATA and not is_known_set(source.data):
        value["data"] = str(Path(source.data).absolute())
    for name in ("images", "test", "findings"):
        if value[name] is not None and str(value[name]) != OFF:
            value[name] = str(_here_or_beside(Path(value[name]).expanduser(), value["data"]))
    value["split_seed"] = source.split_seed or 0
    if isinstance(source.label, Sequence) and not isinstance(source.label, str):
        value["label"] = list(source.label)
    return value


def _here_or_beside(path: Path, data: str | None) -> Path:
    """Give a path that was named from here, or from where the data lie, as reading them finds it."""
    home = Path(data) if data is not None else Path()
    beside = (home if home.is_dir() else home.parent) / path
    return (beside if not path.exists() and beside.exists() else path).absolute()


def _metric_of(question: Question, first: Sequence[Samples], workspace: Workspace) -> str:
    """Choose the metric, and make sure that it can be computed on every part that validates."""
    metric = question.metric or metric_of(workspace.root, first[0].problem)
    if metric == "average_precision":
        raise UsageError(
            "average_precision has no contribution of single images, so a gain in it has no verdict; use "
            "--metric roc_auc."
        )
    if metric not in CONTRIBUTIONS:
        raise UsageError(f"There is no metric {metric!r}.{nearest_hint(metric, METRICS)}")
    for fold, samples in enumerate(first):
        part = samples.part("valid")
        even = np.full((len(part), part.n_classes), 1 / max(1, part.n_classes))
        try:
            contributions(metric, even, part.targets, problem=part.problem)
        except UsageError as problem:
            where = "" if question.n_folds is None else f" of fold {fold}"
            raise UsageError(
                f"The validation part{where} does not do: {problem} Use another metric or split."
            ) from None
    return metric


def _n_groups(samples: Samples) -> int:
    return len(set(samples.part("valid").frame["group"]) - {""})


def _identity(
    question: Question, plans: Sequence[RungPlan], *, metric: str, first: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    return {
        "kind": question.kind,
        "plans": [plan.plan_digest for plan in plans],
        "samples": [list(digests) for digests in first],
        "n_folds": question.n_folds,
        "metric": metric,
    }


def _device(machine: Machine) -> dict[str, str]:
    return {"device": machine.torch_device().type, "precision": machine.used_precision()}


def _before(folder: Path) -> Ladder | None:
    """Read the ladder that is there already."""
    return Ladder.read(folder) if (folder / LADDER_JSON).is_file() else None


def _asked(ladder: Ladder) -> dict[str, Any]:
    """Give what makes a ladder another question than one with fewer seeds, by how a message names it."""
    return {
        "kind": ladder.kind,
        "rungs": [rung.plan_digest for rung in ladder.rungs],
        "data": ladder.data_digest,
        "splits": ladder.split_digests,
        "folds": ladder.n_folds,
    }


def _check_same_question(before: Ladder, ladder: Ladder) -> None:
    """Refuse to write over a ladder that answers something else."""
    if before.metric != ladder.metric:
        raise UsageError(f"Ladder {ladder.name} is judged by {before.metric}; the metric is chosen before looking.")
    now = _asked(ladder)
    if different := [what for what, value in _asked(before).items() if value != now[what]]:
        raise UsageError(
            f"Ladder {ladder.name} is there already, with other {', '.join(different)}: {before.stack} on "
            f"{before.data_name}. Give this one another name (--name)."
        )


def _looks(ladder: Ladder, workspace: Workspace) -> tuple[int, ...]:
    """Give the numbers of seeds with which these very runs were judged before, under whatever name."""
    keys = {job.key for job in ladder.jobs}
    same = [
        other
        for other in find_ladders(workspace)[0]
        if other.metric == ladder.metric and _asked(other) == _asked(ladder) and keys & {job.key for job in other.jobs}
    ]
    return tuple(sorted({number for other in same for number in other.looks}))


def _notes(
    question: Question, before: Ladder | None, workspace: Workspace, *, metric: str, keys: set[str]
) -> tuple[str, ...]:
    """Say what of the planning touches what may be believed."""
    notes = []
    if before and before.n_seeds > question.n_seeds:
        notes.append(f"This ladder has {before.n_seeds} seeds already; all of them are used.")
    for other in sorted(find_ladders(workspace)[0], key=lambda other: other.name):
        if other.metric != metric and keys & {job.key for job in other.jobs}:
            notes.append(
                f"The same runs were judged by {other.metric} in ladder {other.name}. Choosing the metric after "
                "looking makes a gain look surer than it is."
            )
    return tuple(notes)


def _with_estimates(
    ladder: Ladder, rungs: Sequence[Rung], grounds: _Grounds, workspace: Workspace
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
