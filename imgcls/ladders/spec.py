"""Specification of a ladder, as its folder keeps it: what is compared, on what data, and its jobs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from imgcls.catalog import ENSEMBLE, Stack, Step, find_recipes
from imgcls.data.source import DataSource
from imgcls.errors import RecordError, StackError, nearest_hint
from imgcls.plan import Plan
from imgcls.records.run import plan_problems
from imgcls.schema import MAY_BE_ABSENT, NOT_IN_FILE, Problems, file_name, read_as, stored, to_json
from imgcls.storage import canonical_json, make_folder, time_written, write_json
from imgcls.workspace import Workspace

SCHEMA = 1
LADDER_JSON = "ladder.json"
COMPARISONS = "comparisons"
"""The folder of reports/ that keeps the newest answer to each comparison."""
RESULT_JSON = "result.json"
FINAL_JSON = "final.json"
_SLUG_LENGTH = 60

DEFAULT_STACK = "baseline+augmentation+adamw_cosine+label_smoothing+tta+lp_ft"
"""What a ladder is climbed to unless a stack is named."""

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


def rungs_problems(rungs: Sequence[RungPlan]) -> Problems:
    """Check that the plan of every rung is the one that its digests were taken of."""
    for number, rung in enumerate(rungs):
        for key, words in plan_problems(rung.plan, whole=rung.plan_digest, training=rung.train_digest):
            yield f"{number}.{key}", words


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

    name: Annotated[str, file_name]
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
    data: DataSource = field(metadata=stored(DataSource.from_json, DataSource.to_json))
    """How the data are read, in words that mean the same in every process."""
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
    rungs: Annotated[tuple[RungPlan, ...], rungs_problems]
    """The rungs, lowest first."""
    jobs: tuple[JobPlan, ...]
    """The runs, in the order in which they are best done."""
    looks: tuple[int, ...] = ()
    """The numbers of seeds with which verdicts were given, in turn; asking again with more costs certainty."""
    created: str = ""
    """When it was first planned: UTC, ISO 8601."""
    notes: tuple[str, ...] = ()
    """What a person should know of how it was planned."""
    ensemble: bool | None = field(default=None, metadata=MAY_BE_ABSENT)
    """Whether the mean prediction of the seeds of one rung is judged too; None where nobody asked."""
    ensemble_on_top: bool | None = field(default=None, metadata=MAY_BE_ABSENT)
    """Whether that rung is the highest, as `STACK+ensemble` asks, and not the one to use; None where it is that one."""
    folder: Path | None = field(default=None, compare=False, metadata=NOT_IN_FILE)
    """Where it lies; not part of what is written."""

    @property
    def n_seeds(self) -> int:
        """The number of seeds."""
        return len(self.seeds)

    @property
    def folds(self) -> tuple[int | None, ...]:
        """The folds, or None alone without folds."""
        return (None,) if self.n_folds is None else tuple(range(self.n_folds))

    @property
    def typed(self) -> str:
        """The stack as a person types it, with `ensemble` where that stands on top."""
        return f"{self.stack}+{ENSEMBLE}" if self.ensemble_on_top else self.stack

    def compared_with(self, rung: int) -> int:
        """Return the rung that a rung's step is measured against: the one below, or the full stack."""
        return 0 if self.kind == "ablate" else rung - 1

    def to_json(self) -> dict[str, Any]:
        """Return the ladder as JSON values."""
        return {"schema": SCHEMA, **to_json(self)}

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
        return replace(read_as(cls, folder / LADDER_JSON, schema=SCHEMA, check=_misfits), folder=folder)


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


def _misfits(ladder: Ladder) -> Problems:
    """Yield what refers to a rung or fold that there is not."""
    if not ladder.rungs:
        yield "rungs", "must be at least one"
    for number, rung in enumerate(ladder.rungs):
        if rung.weights_of is not None and not 0 <= rung.weights_of < number:
            yield f"rungs.{number}.weights_of", f"must be an earlier rung, not {rung.weights_of}"
    for number, job in enumerate(ladder.jobs):
        if not 0 <= job.rung < len(ladder.rungs):
            yield f"jobs.{number}.rung", f"must be one of {len(ladder.rungs)} rungs, not {job.rung}"
        if (job.fold is None) != (ladder.n_folds is None) or not 0 <= (job.fold or 0) < (ladder.n_folds or 1):
            yield f"jobs.{number}.fold", f"must be one of the folds, not {job.fold}"


def find_ladders(workspace: Workspace) -> tuple[list[Ladder], list[str]]:
    """Read every ladder of a workspace.

    Returns:
        The ladders, the one worked on last at the end, and a message for each that cannot be read.
    """
    if not workspace.ladders.is_dir():
        return [], []
    folders = [folder for folder in workspace.ladders.iterdir() if (folder / LADDER_JSON).is_file()]
    found, damaged = [], []
    for folder in sorted(folders, key=lambda folder: (time_written(folder / LADDER_JSON), folder.name)):
        try:
            found.append(Ladder.read(folder))
        except RecordError as problem:
            damaged.append(str(problem))
    return found, damaged


def find_ladder(text: str | None, workspace: Workspace) -> Ladder:
    """Find the ladder that a person means.

    Args:
        text: A folder, a name, the beginning of one, or a stack; None for the one worked on last.
        workspace: Where to look.

    Raises:
        RecordError: There is none, or more than one; the message names the nearest.
    """
    if text and is_ladder(Path(text)):
        return Ladder.read(Path(text))
    if text is None:
        return _newest(workspace)
    ladders, _ = find_ladders(workspace)
    named = [ladder for ladder in ladders if text == ladder.name] or [
        ladder for ladder in ladders if text in (ladder.stack, ladder.typed) or (text and ladder.name.startswith(text))
    ]
    if len(named) == 1:
        return named[0]
    if named:
        raise RecordError(f"{text!r} can mean {', '.join(ladder.name for ladder in named)}. Type more of the name.")
    names = [ladder.name for ladder in ladders]
    if not names:
        raise RecordError(f"There is no ladder {text!r}, and none at all in {workspace.ladders}. {_ADVICE}")
    raise RecordError(f"There is no ladder {text!r}.{nearest_hint(text, names)} There are: {', '.join(names)}.")


def _newest(workspace: Workspace) -> Ladder:
    """Read the ladder worked on last; one that is damaged is reported, since an older one is not the one meant."""
    files = sorted(workspace.ladders.glob(f"*/{LADDER_JSON}"), key=lambda file: (time_written(file), file.name))
    if not files:
        raise RecordError(f"There is no ladder in {workspace.ladders}. {_ADVICE}")
    return Ladder.read(files[-1].parent)


def is_ladder(folder: Path) -> bool:
    """Whether a folder holds a ladder."""
    try:
        return (folder / LADDER_JSON).is_file()
    except OSError:  # a stack may be longer than any file name
        return False


_ADVICE = "'imgcls ladder run' makes one."


@dataclass(frozen=True)
class Rung:
    """One stack of a ladder, and what it shows."""

    label: str
    """What tells it from the others: the recipe that it adds, or `without` the one it leaves out."""
    stack: Stack
    """The stack."""
    recipes: tuple[str, ...]
    """The recipes that it adds to, or leaves out of, the rung it is compared with; empty for the first."""

    @property
    def plan(self) -> Plan:
        """The plan of the stack."""
        return self.stack.plan


def parse_ladder(text: str, overrides: Mapping[str, Any] | None = None) -> tuple[Stack, bool]:
    """Read the stack of a ladder, and whether `ensemble` stands on top: the mean of the seeds of the rung below it.

    Args:
        text: Such as `baseline+augmentation+ensemble`.
        overrides: Plan paths set by flags.

    Raises:
        StackError: Anything is wrong with the stack.
    """
    below, plus, last = text.rpartition("+")
    on_top = bool(plus) and last.strip() == ENSEMBLE and ENSEMBLE not in find_recipes()
    stack = Stack.parse(below if on_top else text, overrides)
    if on_top and len(stack.steps) < 2:
        raise StackError(
            f"{text!r} is one rung and the mean of its networks; a ladder needs two. 'imgcls blend {stack.text}' "
            "judges that mean once several seeds are trained."
        )
    return stack, on_top


def climbing(stack: Stack) -> tuple[Rung, ...]:
    """Return the rungs of a ladder: the base alone, then one recipe more each time.

    Raises:
        StackError: A rung is no plan, since a recipe stands before what it needs; all are named.
    """
    rungs = tuple(_rung(part) for part in stack.rungs())
    problems = [
        f"Rung {number}, {rung.stack.text}: {problem}"
        for number, rung in enumerate(rungs, start=1)
        for problem in rung.stack.problems()
    ]
    problems += _standing_still(rungs)
    if len(rungs) < 2:
        problems.append(f"{stack.text!r} is one rung; a ladder needs two, such as {stack.text}+augmentation.")
    if problems:
        raise StackError.together(problems, heading="The ladder cannot be climbed in this order:")
    return rungs


def leaving_out(stack: Stack) -> tuple[Rung, ...]:
    """Return the full stack, then the stack without each recipe, and without what cannot stand without that one.

    Raises:
        StackError: There is nothing to leave out.
    """
    if len(stack.steps) < 2:
        raise StackError(f"{stack.text!r} has no recipe to leave out; add one, such as {stack.text}+augmentation.")
    full = Rung("full stack", stack, ())
    return (full, *(_without(stack, step) for step in stack.steps[1:]))


def _rung(stack: Stack) -> Rung:
    if len(stack.steps) == 1:
        return Rung(stack.steps[0].label, stack, ())
    return Rung(stack.steps[-1].label, stack, (stack.names[-1],))


def _standing_still(rungs: Sequence[Rung]) -> list[str]:
    """Name the rungs whose plan is that of the rung below."""
    return [
        f"Rung {number}, {rung.stack.text}: {rung.label!r} changes nothing over the rung below."
        for number, (below, rung) in enumerate(pairwise(rungs), start=2)
        if below.plan == rung.plan
    ]


def _without(stack: Stack, step: Step) -> Rung:
    """Leave a recipe out, and one after the other those that then cannot stand."""
    left = [entry for entry in stack.steps if entry is not step]
    gone = [step]
    while problems := replace(stack, steps=tuple(left)).problems():
        needy = next((entry for entry in left[1:] if any(repr(entry.recipe.name) in text for text in problems)), None)
        if needy is None:
            raise StackError(f"{stack.text} without {step.label}: {' '.join(problems)}")
        left.remove(needy)
        gone.append(needy)
    names = tuple(entry.recipe.name for entry in gone)
    also = f" (and {', '.join(names[1:])}, which needs it)" if len(names) > 1 else ""
    return Rung(f"without {names[0]}{also}", replace(stack, steps=tuple(left)), names)


def rung_plans(rungs: Sequence[Rung], kind: Kind) -> tuple[RungPlan, ...]:
    """Return rungs as data, with what each changes and whose weights it can use.

    Args:
        rungs: From `climbing` or `leaving_out`.
        kind: Which of the two.
    """
    trained: dict[str, int] = {}
    plans = []
    for number, rung in enumerate(rungs):
        partner = rungs[0 if kind == "ablate" else max(0, number - 1)].plan
        diff = rung.plan.diff(partner) if kind == "ablate" else partner.diff(rung.plan)
        first = trained.setdefault(rung.plan.train_digest, number)
        cards = [step.recipe.card for step in _all_steps(rungs) if step.recipe.name in rung.recipes]
        plans.append(
            RungPlan(
                label=rung.label,
                stack=rung.stack.text,
                printed=rung.stack.label,
                recipes=rung.recipes,
                items=tuple(dict.fromkeys(item for card in cards for item in card.items)),
                plan=rung.plan.to_json(),
                plan_digest=rung.plan.digest,
                train_digest=rung.plan.train_digest,
                changes=diff,
                weights_of=None if first == number else first,
            )
        )
    return tuple(plans)


def _all_steps(rungs: Sequence[Rung]) -> tuple[Step, ...]:
    """Return the steps of the longest stack."""
    return max((rung.stack.steps for rung in rungs), key=len)
