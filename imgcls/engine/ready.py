"""What a run needs besides its samples, looked at before any data is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from imgcls.catalog import Stack
from imgcls.data.folds import Turn
from imgcls.engine.check import check
from imgcls.engine.device import Machine
from imgcls.engine.prepare import DataSource, Prepared
from imgcls.engine.request import Request
from imgcls.engine.weights import Weights, resolve_weights
from imgcls.errors import UsageError
from imgcls.plan import Plan
from imgcls.workspace import Workspace


@dataclass(frozen=True)
class Ready:
    """A stack, a seed, a machine and a place that go together; with samples they are a run."""

    stack: Stack
    """The stack; that of a trial is shortened."""
    seed: int
    """The seed of training."""
    quick: bool
    """Whether it is a short trial."""
    machine: Machine
    """Where it runs."""
    workspace: Workspace
    """Where records go; it can be written."""
    weights: Weights | None
    """The first weights; None for random ones."""

    @classmethod
    def of(
        cls,
        stack: str | Stack,
        source: DataSource,
        *,
        seed: int,
        overrides: Mapping[str, Any] | None,
        quick: bool,
        machine: Machine | None,
        workspace: Workspace | Path | str | None,
    ) -> Self:
        """Look at everything that can be wrong before data is read; the arguments are those of `train`.

        Raises:
            UsageError: Something has to be changed.
        """
        _check_seed(seed)
        stack = stack if isinstance(stack, Stack) else Stack.parse(stack, overrides)
        if quick:
            stack = replace(stack, final=_trial(stack.plan))
        check(stack.plan)
        machine = machine or Machine()
        machine.make_ready()
        place = workspace_at(workspace)
        if isinstance(source.data, str | Path):
            place.check_apart(source.data, source.images)  # before anything is written
        place.writable()
        return cls(stack, seed, quick, machine, place, resolve_weights(stack.plan.model))

    def request(self, prepared: Prepared, turn: Turn | None = None) -> Request:
        """Give the run that this is with samples, split as in `turn`."""
        return Request(self.stack, prepared, self.seed, self.quick, self.machine, self.weights, turn)


def workspace_at(workspace: Workspace | Path | str | None) -> Workspace:
    """Give the workspace that was passed, that of a folder, or the one at hand."""
    return workspace if isinstance(workspace, Workspace) else Workspace.find(Path(workspace) if workspace else None)


def check_no_share(source: DataSource) -> None:
    """Refuse a share that validates where folds say who does.

    Raises:
        UsageError: There is one.
    """
    if source.valid is not None:
        raise UsageError(
            f"valid = {source.valid:g} means nothing with folds: each of k folds validates once, about 1/k of the "
            "samples. Leave out valid (--valid), or the folds."
        )


def _trial(plan: Plan) -> dict[str, Any]:
    """Give what a trial sets whatever the recipes say: one epoch or none, and what was longer made to fit."""
    final: dict[str, Any] = {"fit.epochs": min(plan.fit.epochs, 1)}
    if plan.schedule.warmup_epochs >= 1:
        final["schedule.warmup_epochs"] = 0.5
    if plan.fit.freeze_epochs not in (0, 1, "all"):
        final["fit.freeze_epochs"] = "all"
    return final


def _check_seed(seed: int) -> None:
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise UsageError(f"A seed is a whole number from 0 to 2**63 − 1, not {seed!r}.")
