"""What one run is made of, and what is known of it before and after."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib import import_module

from imgcls.catalog import Stack
from imgcls.data.folds import Turn
from imgcls.engine.device import Machine, environment
from imgcls.engine.models import Network
from imgcls.engine.prepare import Prepared
from imgcls.engine.weights import Weights
from imgcls.plan import Plan
from imgcls.records.keys import run_folder_name, run_key
from imgcls.records.run import RunData, RunRecord, RunWeights


@dataclass(frozen=True)
class Request:
    """A stack, samples, a seed and a machine: together they are one run."""

    stack: Stack
    """The stack."""
    prepared: Prepared
    """Its samples and pixels."""
    seed: int
    """The seed of training."""
    quick: bool
    """Whether it is a short trial."""
    machine: Machine
    """Where it runs."""
    weights: Weights | None
    """The first weights; None for random ones."""
    turn: Turn | None = None
    """Which of how many folds validates; None without folds."""

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
    def about(self) -> dict[str, object]:
        """What others are told of the run while it is on its way."""
        turn = {"fold": self.fold, "n_folds": self.n_folds} if self.turn else {}
        return {"stack": self.stack.label, "seed": self.seed, **turn}

    @property
    def multilabel(self) -> bool:
        """Whether images have several labels."""
        return self.prepared.samples.problem == "multilabel"

    @cached_property
    def key(self) -> str:
        """What makes this run this one: see `imgcls.records.keys.run_key`."""
        return self.key_of(self.plan)

    def key_of(self, plan: Plan) -> str:
        """Give the key that another plan would have with everything else equal."""
        return run_key(
            plan.to_json(),
            data_digest=self.prepared.samples.data_digest,
            split_digest=self.prepared.samples.split_digest,
            fold=self.fold,
            n_folds=self.n_folds,
            seed=self.seed,
            weights_sha256=self.weights.sha256 if self.weights else None,
            device_type=self.machine.torch_device().type,
            precision=self.machine.used_precision(),
            quick=self.quick,
            code_sha256=_named_code(plan),
        )

    def record(
        self, *, seconds: Mapping[str, float], images_per_second: float | None = None, network: Network | None = None
    ) -> RunRecord:
        """Give the record of this run, its metrics still to be filled in.

        Args:
            seconds: What the time went into.
            images_per_second: The speed of training; None when nothing was trained.
            network: The network, for what is resolved only with it: the mean and deviation of its inputs.
        """
        samples, weights = self.prepared.samples, self.weights
        resolved = {"mean": list(network.mean), "std": list(network.std)} if network else {}
        n = {split: len(samples.rows(split)) for split in ("train", "valid", "test")} | {
            "excluded": len(samples.excluded)
        }
        groups = set(samples.part("valid").frame["group"])
        excluded = tuple((writable(entry.path), entry.reason) for entry in samples.excluded)
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
            quick=self.quick,
            problem=samples.problem,
            classes=samples.classes,
            data=RunData(samples.name, *digests, n, excluded, len(groups - {""}), split_seed),
            weights=RunWeights(weights.source, weights.sha256, weights.licence)
            if weights
            else RunWeights("none", None),
            environment=environment(self.machine) | resolved,
            metrics={},
            seconds=dict(seconds),
            images_per_second=images_per_second,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )


def _named_code(plan: Plan) -> str | None:
    """Give the sha256 of the source of every module that a plan names, so that another source is another run."""
    names = [plan.model.name, *plan.fit.callbacks]
    modules = sorted({name.partition(":")[0] for name in names if ":" in name} - {"torchvision"})
    if not modules:
        return None
    sources = []
    for name in modules:
        with suppress(OSError, TypeError):  # compiled, or made by hand: it has no source to look at
            sources.append(inspect.getsource(import_module(name)))
    return hashlib.sha256("\0".join([*modules, *sources]).encode()).hexdigest()


def writable(text: str) -> str:
    """Give a name as UTF-8 can hold it; bytes that are no UTF-8 are written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
