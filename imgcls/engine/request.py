"""The specification of one run, and what is known of it before and after."""

from __future__ import annotations

import hashlib
import inspect
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np
from fastai.callback.tracker import EarlyStoppingCallback, TrackerCallback

from imgcls.catalog import Stack
from imgcls.config.metrics import RECORDED
from imgcls.config.problem import find_problem
from imgcls.data.redaction import redacted_paths
from imgcls.data.samples import Samples
from imgcls.data.source import DataSource, stretch_text
from imgcls.data.split import Fold, check_n_folds
from imgcls.engine.check import check, find_callback
from imgcls.engine.device import Machine, environment
from imgcls.engine.models import Network
from imgcls.engine.prepare import Prepared
from imgcls.engine.progress import EpochRow, Lines, Reporter, Start
from imgcls.engine.weights import Weights, resolve_weights
from imgcls.errors import DataError, UsageError
from imgcls.plan import Plan, set_options
from imgcls.records.find import find_runs
from imgcls.records.run import (
    AllData,
    BeforeReview,
    Calibration,
    JudgedRun,
    LostTest,
    RunData,
    RunRecord,
    RunWeights,
    run_folder_name,
    run_key,
)
from imgcls.schema import to_json
from imgcls.text import as_utf8, listed
from imgcls.workspace import Workspace


@dataclass(frozen=True)
class TrainOptions:
    """How a stack is trained on data: all that is said of a training but these two."""

    seed: int = 0
    """Decides everything random in training."""
    fold: int | None = None
    """The only fold that is trained, from 0; None trains all of them."""
    n_folds: int | None = None
    """How many folds there are, from 2 to 20; None where a share of the samples validates."""
    quick: bool = False
    """One epoch, or none where the plan has none, on at most 500 images, marked as such."""
    again: bool = False
    """Whether to train although there is a record, and to compare the bits."""
    from_start: bool = False
    """Whether to begin again where an attempt was interrupted or failed, instead of going on after its last epoch."""
    strict: bool = False
    """Whether to stop before training where photographs are lost and nobody decided about them."""
    all_data: bool = False
    """Whether train and validation train together, for as many epochs as a judged run of the same stack had."""
    machine: Machine = field(default_factory=Machine)
    """Device, worker processes, precision."""
    workspace: Workspace = field(default_factory=Workspace.find)
    """Where records go."""
    reporter: Reporter = field(default_factory=Lines)
    """Shows how it goes; plain lines on stderr unless another is named."""

    @property
    def trains_all_folds(self) -> bool:
        """Whether every fold is trained, so that the predictions out of fold become one record."""
        return self.n_folds is not None and self.fold is None

    @cached_property
    def turns(self) -> tuple[Fold | None, ...]:
        """Which fold validates, training by training; a single None without folds.

        Raises:
            DataError: There are no such folds.
        """
        if self.n_folds is None or self.fold is not None:
            return (Fold.of(self.fold, self.n_folds),)
        check_n_folds(self.n_folds)
        return tuple(Fold(fold, self.n_folds) for fold in range(self.n_folds))


@dataclass(frozen=True)
class RunSetup:
    """A stack, a seed, a machine and a place that go together; with samples they are a run."""

    stack: Stack
    """The stack; that of a quick run is shortened."""
    seed: int
    """The seed of training."""
    quick: bool
    """Whether it is a quick run."""
    machine: Machine
    """Where it runs."""
    workspace: Workspace
    """Where records go; it can be written."""
    weights: Weights | None
    """The first weights; None for random ones."""
    metric: str | None
    """The metric that imgcls.toml names, which is recorded besides the usual ones; None where it names none."""

    @classmethod
    def of(cls, stack: Stack, source: DataSource, options: TrainOptions) -> Self:
        """Look at everything that can be wrong before data is read.

        Raises:
            UsageError: Something has to be changed.
        """
        seed = options.seed
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
            raise UsageError(f"A seed is a whole number from 0 to 2**63 − 1, not {seed!r}.")
        if any(options.turns) and source.valid is not None:
            raise UsageError(
                f"valid = {source.valid:g} means nothing with folds: each of k folds validates once, about 1/k of the "
                "samples. Leave out valid (--valid), or the folds."
            )
        if options.all_data:
            _check_all_data(stack.plan, options)
        if options.quick:
            stack = replace(stack, final=_shortened(stack.plan))
        check(stack.plan)
        options.machine.make_ready()
        if isinstance(source.data, str | Path):
            options.workspace.check_apart(source.data, source.images)  # before anything is written
        options.workspace.writable()
        weights, problem = resolve_weights(stack.plan.model), find_problem(options.workspace.root)
        metric = problem.metric if problem else None
        return cls(stack, seed, options.quick, options.machine, options.workspace, weights, metric)


@dataclass(frozen=True)
class RunSpec:
    """A setup, samples and the fold that validates: together they are one run."""

    setup: RunSetup
    """Stack, seed, machine, place and first weights."""
    prepared: Prepared
    """The samples and pixels."""
    turn: Fold | None = None
    """Which of how many folds validates; None without folds."""
    all_data: AllData | None = None
    """Where train and validation train together: what stands for the score; else None."""
    calibration: Calibration | None = None
    """Likewise: what a judged run fitted to its validation, where the plan asks for that; else None."""

    def on_all_data(self) -> RunSpec:
        """Return the run in which train and validation train together, as the judged runs of the same plan were.

        Raises:
            UsageError: No run of the plan on these data was judged.
            DataError: What would train was a sealed test part in this workspace.
        """
        samples, plan = self.prepared.samples, self.plan
        every = [run for run in find_runs(self.setup.workspace)[0] if not run.quick and run.all_data is None]
        _check_sealed(samples, every)
        judged = [run for run in every if (run.plan_digest, run.data.digest) == (plan.digest, samples.data_digest)]
        singles = sorted((run for run in judged if run.folds is None), key=lambda run: (run.seed, run.fold or 0))
        if not singles:
            raise UsageError(
                f"Nothing stands for the score of {self.stack.label} trained on all the data: no run of it on these "
                f"data was validated. Do that first, with the same options of data: 'imgcls recipe run "
                f"{shlex.quote(self.stack.text)}{set_options(self.stack.overrides)}'."
            )
        taken = next((run for run in singles if run.seed == self.seed), singles[0])
        # with the weights of another run nothing was trained; that one has the history
        trained = next((run for run in every if run.id == taken.reused_from), taken)
        n_epochs = len(trained.history())
        n_train = trained.data.n["train"]
        size = min(plan.fit.batch_size, n_train)
        n_batches = -(-n_train // size) - (n_train % size == 1 < n_train)  # one alone is left out
        n_scheduled = plan.fit.n_epochs(n_batches=n_batches)
        n_epochs += n_epochs < n_scheduled  # the epoch in which a callback stopped it is not in its history
        in_folds = {fold.run for run in judged if run.folds is not None for fold in run.folds.runs}
        cited = [JudgedRun(run.id, run.digest(), run.metrics) for run in judged if run.id not in in_folds]
        splits = samples.frame["split"].replace("valid", "train").tolist()
        return replace(
            self,
            prepared=replace(self.prepared, samples=samples.with_split(splits)),
            all_data=AllData(tuple(cited), taken.id, n_epochs, n_scheduled),
            calibration=taken.calibration,
        )

    def n_epochs(self, n_batches: int) -> int:
        """Return how many epochs the schedule is for: on all the data as many as that of the judged run.

        Args:
            n_batches: Batches an epoch.
        """
        if self.all_data is None:
            return self.plan.fit.n_epochs(n_batches=n_batches)
        return self.all_data.n_scheduled

    @property
    def stack(self) -> Stack:
        """The stack."""
        return self.setup.stack

    @property
    def seed(self) -> int:
        """The seed of training."""
        return self.setup.seed

    @property
    def machine(self) -> Machine:
        """Where it runs."""
        return self.setup.machine

    @property
    def plan(self) -> Plan:
        """The plan of the stack."""
        return self.stack.plan

    @property
    def fold(self) -> int | None:
        """The fold that validates, from 0; None without folds."""
        return self.turn.fold if self.turn else None

    @property
    def n_folds(self) -> int | None:
        """How many folds there are; None without folds."""
        return self.turn.n_folds if self.turn else None

    @property
    def metrics(self) -> tuple[str, ...]:
        """Which metrics are recorded."""
        return (*RECORDED, *((self.setup.metric,) if self.setup.metric else ()))

    @property
    def about(self) -> dict[str, object]:
        """What others may know of the run while it is on its way."""
        turn = {"fold": self.fold, "n_folds": self.n_folds} if self.turn else {}
        return {"stack": self.stack.label, "seed": self.seed, **turn}

    @property
    def multilabel(self) -> bool:
        """Whether images have several labels."""
        return self.prepared.samples.problem == "multilabel"

    @cached_property
    def key(self) -> str:
        """What makes this run this one: see `imgcls.records.run.run_key`."""
        return self.key_of(self.plan, self.calibration)

    def key_of(self, plan: Plan, calibration: Calibration | None) -> str:
        """Return the key that another plan would have with everything else equal.

        Args:
            plan: The plan.
            calibration: On all the data, what a judged run of that plan fitted; it has no part in other keys.
        """
        taken = None
        if self.all_data is not None:
            fitted = None if calibration is None else to_json(calibration)
            epochs = [self.all_data.n_epochs, self.all_data.n_scheduled]
            taken = {"n_epochs": epochs, "calibration": fitted}
        return run_key(
            plan.to_json(),
            data_digest=self.prepared.samples.data_digest,
            split_digest=self.prepared.samples.split_digest,
            fold=self.fold,
            n_folds=self.n_folds,
            seed=self.seed,
            weights_sha256=self.setup.weights.sha256 if self.setup.weights else None,
            device_type=self.machine.torch_device().type,
            precision=self.machine.used_precision(),
            quick=self.setup.quick,
            code_sha256=_named_code(plan),
            all_data=taken,
        )

    def record(
        self, *, seconds: Mapping[str, float], images_per_second: float | None = None, network: Network | None = None
    ) -> RunRecord:
        """Return the record of this run, its metrics still to be filled in.

        Args:
            seconds: What the time went into.
            images_per_second: The speed of training; None when nothing was trained.
            network: The network, for what is resolved only with it: the mean and deviation of its inputs.
        """
        samples, weights = self.prepared.samples, self.setup.weights
        resolved = {"mean": list(network.mean), "std": list(network.std)} if network else {}
        n = {split: len(samples.rows(split)) for split in ("train", "valid", "test")} | {
            "excluded": len(samples.excluded)
        }
        group_of = samples.part("valid").frame["group"]
        groups = set(group_of) - {""}
        paths = redacted_paths(samples)
        excluded = tuple((path, entry.reason) for path, entry in zip(paths, samples.excluded, strict=True))
        digests, split_seed = (samples.data_digest, samples.split_digest), self.prepared.split_seed
        return RunRecord(
            key=self.key,
            id=run_folder_name(
                self.stack.text, seed=self.seed, fold=self.fold, key=self.key, all_data=self.all_data is not None
            ),
            status="done",
            reason=None,
            stack=self.stack.text,
            overrides={**self.stack.overrides, **self.stack.final},
            label=self.stack.label,
            plan=self.plan.to_json(),
            plan_digest=self.plan.digest,
            train_digest=self.plan.train_digest,
            seed=self.seed,
            fold=self.fold,
            n_folds=self.n_folds,
            quick=self.setup.quick,
            problem=samples.problem,
            classes=samples.classes,
            data=RunData(
                samples.name,
                *digests,
                n,
                excluded,
                n_valid_groups=len(groups),
                split_seed=split_seed,
                n_valid_units=len(groups) + int((group_of == "").sum()) if groups else None,
                assumptions=samples.assumptions or None,
                stretch=stretch_text(samples.stretch),
                before_review=None if samples.before_review is None else BeforeReview(*samples.before_review),
                lost_test=_lost_test(samples) or None,
            ),
            weights=RunWeights(weights.source, weights.sha256, weights.licence)
            if weights
            else RunWeights("none", None),
            environment=environment(self.machine) | resolved,
            metrics={},
            seconds=dict(seconds),
            images_per_second=images_per_second,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            all_data=self.all_data,
        )


def _check_all_data(plan: Plan, options: TrainOptions) -> None:
    """Refuse what cannot be done without validation.

    Raises:
        UsageError: Something has to be changed.
    """
    problems = []
    if options.n_folds is not None:
        problems.append("--folds needs photographs that validate; with --all-data all of them train. Leave one out.")
    if options.quick:
        problems.append("--quick takes a few photographs to try things out, --all-data takes all. Leave one out.")
    watching = [name for name in plan.fit.callbacks if issubclass(find_callback(name), TrackerCallback)]
    if others := [name for name in watching if not issubclass(find_callback(name), EarlyStoppingCallback)]:
        problems.append(
            f"{listed(others)} of fit.callbacks goes by what validation says, and with --all-data nothing validates. "
            "Judge and train a stack without it."
        )
    if problems:
        raise UsageError.together(problems)


def _check_sealed(samples: Samples, runs: Sequence[RunRecord]) -> None:
    """Refuse to train on what was a sealed test part for a run of this workspace, whatever it is called now.

    Raises:
        DataError: There are such photographs.
    """
    used = {as_utf8(name) for name in samples.frame["id"][samples.frame["split"] != "test"]}
    sealing = [run for run in runs if run.data.name == samples.name and "test.parquet" in run.files]
    for run in {run.data.split_digest: run for run in sealing}.values():
        if sealed := sorted(used & set(run.predictions("test")["id"])):
            raise DataError(
                f"Of the photographs that would train, {len(sealed):,} ({listed(sealed, 3)}) are of the sealed test "
                f"part of {run.id}, and a test part never trains. Name the parts as that run had them; or work in "
                "another workspace (--out), where nothing was sealed."
            )


def _lost_test(samples: Samples) -> tuple[LostTest, ...]:
    """Return what is left out of the test part, with its place there, so that a submission can have a row for it."""
    reasons = {entry.sample: entry.reason for entry in samples.excluded if entry.sample}
    lost = [sample for sample in samples.lost if sample.split == "test"]
    places = np.sort([*samples.places[samples.rows("test")], *(sample.place for sample in lost)])
    found = np.searchsorted(places, [sample.place for sample in lost])
    return tuple(
        LostTest(as_utf8(sample.id), int(place), reasons[sample]) for sample, place in zip(lost, found, strict=True)
    )


def _named_code(plan: Plan) -> str | None:
    """Return the sha256 of the source of every module that a plan names, so that another source is another run."""
    names = [plan.model.name, *plan.fit.callbacks]
    modules = sorted({name.partition(":")[0] for name in names if ":" in name} - {"torchvision"})
    if not modules:
        return None
    sources = []
    for name in modules:
        with suppress(OSError, TypeError):  # compiled, or made by hand: it has no source to look at
            sources.append(inspect.getsource(import_module(name)))
    return hashlib.sha256("\0".join([*modules, *sources]).encode()).hexdigest()


@dataclass(frozen=True)
class RunOutcome:
    """A finished run and how it was reached; with folds the record is that of all of them together."""

    record: RunRecord
    """The run; with folds the predictions out of fold."""
    reused: bool = False
    """Whether the record was there already."""
    same_bits: dict[str, bool] | None = None
    """After training again: whether weights and predictions equal those of the record, by file."""
    other_versions: tuple[str, ...] = ()
    """Packages that had another version when the record was made, in words."""
    folds: tuple[RunOutcome, ...] = ()
    """The run of each fold; empty without folds."""


@dataclass
class RunLog:
    """A reporter that keeps the words of a run for its log file, and passes everything on."""

    reporter: Reporter
    """Shows how it goes."""
    lines: list[str] = field(default_factory=list)
    """What was said."""

    def note(self, text: str) -> None:
        """Keep a sentence."""
        self.lines.append(text)
        self.reporter.note(text)

    def progress(self, what: str, done: int, total: int) -> None:
        """Pass it on."""
        self.reporter.progress(what, done, total)

    def start(self, start: Start) -> None:
        """Keep what began."""
        self.lines.append(f"start {start}")
        self.reporter.start(start)

    def batch(self, epoch: int, done: int, total: int) -> None:
        """Pass it on."""
        self.reporter.batch(epoch, done, total)

    def validation(self, epoch: int, done: int, total: int) -> None:
        """Pass it on."""
        self.reporter.validation(epoch, done, total)

    def epoch(self, row: EpochRow) -> None:
        """Keep the row."""
        self.lines.append(f"epoch {row}")
        self.reporter.epoch(row)

    def stop(self) -> None:
        """Pass it on."""
        self.reporter.stop()

    def text(self) -> str:
        """Return all lines."""
        return "".join(f"{line}\n" for line in self.lines)


def workspace_at(workspace: Workspace | Path | str | None) -> Workspace:
    """Return the workspace that was passed, that of a folder, or the one at hand."""
    return workspace if isinstance(workspace, Workspace) else Workspace.find(Path(workspace) if workspace else None)


def _shortened(plan: Plan) -> dict[str, Any]:
    """Return what a quick run sets whatever the recipes say: one epoch or none, and what was longer made to fit."""
    final: dict[str, Any] = {"fit.epochs": min(plan.fit.epochs, 1), "fit.least_steps": 0}
    if plan.schedule.warmup_epochs >= 1:
        final["schedule.warmup_epochs"] = 0.5
    if plan.fit.freeze_epochs not in (0, 1, "all"):
        final["fit.freeze_epochs"] = "all"
    return final
