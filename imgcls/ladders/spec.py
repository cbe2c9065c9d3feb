"""A ladder as its folder keeps it: what is compared, on what, and the jobs whose records answer it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from imgcls.durable import make_folder, write_json
from imgcls.errors import RecordError
from imgcls.records.reading import Fields, read_json
from imgcls.values import canonical_json
from imgcls.workspace import Workspace

SCHEMA = 1
LADDER_JSON = "ladder.json"
RESULT_JSON = "result.json"
FINAL_JSON = "final.json"
_SLUG_LENGTH = 60

Kind = Literal["climb", "ablate"]


@dataclass(frozen=True)
class RungPlan:
    """One rung as data."""

    label: str
    """What tells it from the others."""
    stack: str
    """The stack as a person would type it, without overrides."""
    printed: str
    """The stack as it is printed, overrides included."""
    recipes: tuple[str, ...]
    """Recipes that it adds to, or leaves out of, the rung it is compared with."""
    items: tuple[str, ...]
    """The checklist items that those recipes answer."""
    plan: Mapping[str, Any]
    """The plan as canonical JSON values."""
    plan_digest: str
    """Digest of the plan."""
    train_digest: str
    """Digest of the plan without its prediction part."""
    changes: Mapping[str, tuple[Any, Any]]
    """Plan path → value there and value here, against the rung it is compared with."""
    weights_of: int | None
    """The earlier rung whose weights it predicts with; None where it is trained."""
    estimate_seconds: float | None = None
    """About what one run takes, measured before the ladder began; None where that was not worth asking."""


@dataclass(frozen=True)
class JobPlan:
    """One run of a ladder, to be found by its key."""

    rung: int
    """The number of the rung, from 0."""
    seed: int
    """The seed of training."""
    fold: int | None
    """The fold, from 0; None without folds."""
    key: str
    """The key of its record."""


@dataclass(frozen=True)
class Ladder:
    """Everything a ladder is, but for its records."""

    name: str
    """The name of its folder."""
    kind: Kind
    """`climb`: recipes are added one by one. `ablate`: each is left out of the full stack."""
    stack: str
    """The full stack as typed."""
    overrides: Mapping[str, Any]
    """Plan path → value that flags set on the base."""
    metric: str
    """The primary metric, chosen before looking; the only one that verdicts are given for."""
    smallest_gain: float
    """The smallest gain of interest, in the metric's unit."""
    seeds: tuple[int, ...]
    """The seeds of every rung."""
    n_folds: int | None
    """The number of folds; None for one split."""
    data: Mapping[str, Any]
    """How the data are read: the fields of `imgcls.engine.prepare.DataSource` as JSON values."""
    data_name: str
    """The short name of the data set."""
    data_digest: str
    """Digest of samples, labels and pixels."""
    split_digests: tuple[str, ...]
    """Digest of who trains and who validates, for each fold."""
    n_valid: int
    """Samples that validate, over all folds."""
    n_valid_groups: int
    """The groups that they come in; 0 where they stand alone."""
    machine: Mapping[str, Any]
    """Device, precision and number of workers that were asked for."""
    rungs: tuple[RungPlan, ...]
    """The rungs, lowest first."""
    jobs: tuple[JobPlan, ...]
    """The runs, in the order in which they are best done."""
    looks: tuple[int, ...] = ()
    """The numbers of seeds with which verdicts were given, in turn; asking again with more costs certainty."""
    created: str = ""
    """When it was first planned: UTC, ISO 8601."""
    notes: tuple[str, ...] = ()
    """What a person should know of how it was planned."""
    folder: Path | None = field(default=None, compare=False)
    """Where it lies; not part of what is written."""

    @property
    def n_seeds(self) -> int:
        """The number of seeds."""
        return len(self.seeds)

    @property
    def folds(self) -> tuple[int | None, ...]:
        """The folds, or None alone without folds."""
        return (None,) if self.n_folds is None else tuple(range(self.n_folds))

    def compared_with(self, rung: int) -> int:
        """Give the rung that a rung's step is measured against: the one below, or the full stack."""
        return 0 if self.kind == "ablate" else rung - 1

    def to_json(self) -> dict[str, Any]:
        """Give the ladder as JSON values."""
        shallow = {name: value for name, value in asdict(self).items() if name != "folder"}
        return {"schema": SCHEMA, **shallow}

    def write(self, workspace: Workspace) -> Ladder:
        """Write ladder.json, atomically.

        Args:
            workspace: Whose folder of ladders it goes into.
        """
        folder = workspace.ladders / self.name
        make_folder(folder)
        write_json(folder / LADDER_JSON, self.to_json())
        return replace(self, folder=folder)

    @classmethod
    def read(cls, folder: Path) -> Ladder:
        """Read the ladder in a folder.

        Raises:
            RecordError: There is none, it is damaged, or a newer imgcls wrote it.
        """
        path = folder / LADDER_JSON
        value = read_json(path)
        schema = value.get("schema") if isinstance(value, Mapping) else None
        if isinstance(schema, int) and schema > SCHEMA:
            raise RecordError(f"{path} was written by a newer imgcls (schema {schema}). Update imgcls.")
        source = Fields(value, where=str(path))
        source.integer("schema")
        ladder = cls(
            name=source.text("name"),
            kind="ablate" if source.text("kind", choices=("climb", "ablate")) == "ablate" else "climb",
            stack=source.text("stack"),
            overrides=source.mapping("overrides"),
            metric=source.text("metric"),
            smallest_gain=source.number("smallest_gain"),
            seeds=source.integers("seeds"),
            n_folds=source.integer_or_none("n_folds"),
            data=source.mapping("data"),
            data_name=source.text("data_name"),
            data_digest=source.text("data_digest"),
            split_digests=source.texts("split_digests"),
            n_valid=source.integer("n_valid"),
            n_valid_groups=source.integer("n_valid_groups"),
            machine=source.mapping("machine"),
            rungs=source.inner_list("rungs", _read_rung),
            jobs=source.inner_list("jobs", _read_job),
            looks=source.integers("looks"),
            created=source.text("created"),
            notes=source.texts("notes"),
            folder=folder,
        )
        _check_fit(ladder, source)
        source.finish()
        return ladder


def ladder_name(stack: str, *, kind: Kind, identity: Mapping[str, Any]) -> str:
    """Name the folder of a ladder after its stack and what makes it this one.

    Args:
        stack: The full stack.
        kind: Whether recipes are added or left out.
        identity: JSON values that tell it from other ladders of the same stack.
    """
    digest = hashlib.sha256(canonical_json(identity).encode("ascii")).hexdigest()[:8]
    slug = re.sub(r"[^a-z0-9+=.,_]+", "-", stack.lower())[:_SLUG_LENGTH].strip("-.,+=_") or "ladder"
    return f"{'ablate-' if kind == 'ablate' else ''}{slug}-{digest}"


def _read_rung(source: Fields) -> RungPlan:
    return RungPlan(
        label=source.text("label"),
        stack=source.text("stack"),
        printed=source.text("printed"),
        recipes=source.texts("recipes"),
        items=source.texts("items"),
        plan=source.mapping("plan"),
        plan_digest=source.text("plan_digest"),
        train_digest=source.text("train_digest"),
        changes=_read_changes(source),
        weights_of=source.integer_or_none("weights_of"),
        estimate_seconds=source.number_or_none("estimate_seconds"),
    )


def _read_changes(source: Fields) -> dict[str, tuple[Any, Any]]:
    found = {}
    for path, pair in source.mapping("changes").items():
        if isinstance(pair, list) and len(pair) == 2:
            found[path] = (pair[0], pair[1])
        else:
            source.problem(f"changes.{path} must be a pair")
    return found


def _check_fit(ladder: Ladder, source: Fields) -> None:
    """Count as problems what refers to a rung or fold that there is not."""
    if not ladder.rungs:
        source.problem("rungs must be at least one")
    for number, rung in enumerate(ladder.rungs):
        if rung.weights_of is not None and not 0 <= rung.weights_of < number:
            source.problem(f"rungs.{number}.weights_of must be an earlier rung, not {rung.weights_of}")
    for number, job in enumerate(ladder.jobs):
        if not 0 <= job.rung < len(ladder.rungs):
            source.problem(f"jobs.{number}.rung must be one of {len(ladder.rungs)} rungs, not {job.rung}")
        if (job.fold is None) != (ladder.n_folds is None) or not 0 <= (job.fold or 0) < (ladder.n_folds or 1):
            source.problem(f"jobs.{number}.fold must be one of the folds, not {job.fold}")


def _read_job(source: Fields) -> JobPlan:
    return JobPlan(
        rung=source.integer("rung"),
        seed=source.integer("seed"),
        fold=source.integer_or_none("fold"),
        key=source.text("key"),
    )
