"""The specification of one run, and what is known of it before and after."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np

from imgcls.catalog import Stack
from imgcls.config.metrics import RECORDED
from imgcls.config.problem import find_problem
from imgcls.data.redaction import redacted_paths
from imgcls.data.samples import Samples
from imgcls.data.source import DataSource, stretch_text
from imgcls.data.split import Fold, check_n_folds
from imgcls.engine.check import check
from imgcls.engine.device import Machine, environment
from imgcls.engine.models import Network
from imgcls.engine.prepare import Prepared
from imgcls.engine.progress import EpochRow, Lines, Reporter, Start
from imgcls.engine.weights import Weights, resolve_weights
from imgcls.errors import UsageError
from imgcls.plan import Plan
from imgcls.records.run import LostTest, RunData, RunRecord, RunWeights, run_folder_name, run_key
from imgcls.text import as_utf8
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
        return self.key_of(self.plan)

    def key_of(self, plan: Plan) -> str:
        """Return the key that another plan would have with everything else equal."""
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
            id=run_folder_name(self.stack.text, seed=self.seed, fold=self.fold, key=self.key),
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
