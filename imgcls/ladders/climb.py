"""A climb as it is kept: what was chosen among what, and what may be claimed of it; read without deep learning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any

from imgcls.data.source import DataSource
from imgcls.errors import RecordError
from imgcls.ladders.results import VerdictRecord
from imgcls.ladders.spec import LADDER_JSON, Ladder, find_ladders
from imgcls.ladders.spec import SCHEMA as LADDER_SCHEMA
from imgcls.records.run import Estimate, RunId
from imgcls.schema import MAY_BE_ABSENT, file_name, from_json, read_as, stored, to_json
from imgcls.storage import make_folder, time_written, write_json
from imgcls.workspace import Workspace

SCHEMA = 1
CLIMB_JSON = "climb.json"


@dataclass(frozen=True)
class Tried:
    """One stack that a climb tried, or did not come to."""

    stack: str
    """The stack."""
    n_turns: int
    """Turns (seeds or folds) that it was trained in."""
    score: float | None
    """Mean of the metric over these turns; None where none is done."""
    gain: float | None
    """Gain over the base in the mean of these turns, in the metric's unit; no verdict follows from it."""
    seconds: float
    """What a training of it takes: measured, or estimated where none is done."""
    outcome: str
    """What became of it, in words."""


@dataclass(frozen=True)
class ClimbRecord:
    """A climb: climb.json."""

    name: Annotated[str, file_name]
    """The name of its folder."""
    stack: str
    """The base that it began from."""
    overrides: Mapping[str, Any]
    """Plan path → value that flags set on the base."""
    metric: str
    """The primary metric, chosen before looking."""
    smallest_gain: float
    """What a further recipe has to gain to stay, in the metric's unit."""
    budget_seconds: float
    """What all trainings may take together."""
    n_seeds: int
    """Seeds, where there are no folds; 1 with them."""
    n_folds: int | None
    """Folds; None for one split."""
    data: DataSource = field(metadata=stored(DataSource.from_json, DataSource.to_json))
    """How the data are read."""
    data_name: str
    """The short name of the data set."""
    data_digest: str
    """Digest of samples, labels and pixels."""
    split_digests: tuple[str, ...]
    """Digest of who trains and who validates, for each fold."""
    asked: tuple[int | None, ...]
    """Seeds and folds that were asked for; None where they were chosen."""
    opening: tuple[str, ...]
    """The stacks that it opens with, the most promising first."""
    too_long: tuple[str, ...]
    """Those that the budget had no room for."""
    estimates: Mapping[str, float]
    """Stack → about how long one training takes, seconds."""
    notes: tuple[str, ...]
    """What a person should know of how it was planned."""
    created: str = ""
    """When it was first planned: UTC, ISO 8601."""
    variants: Mapping[str, str] = field(default_factory=dict)
    """Opening stack → the same on other pixels; on the cheapest is seen which of the two open."""
    weighted: Mapping[str, str] | None = field(default=None, metadata=MAY_BE_ABSENT)
    """Opening stack → the same with weights of classes, likewise and before; None where the data do not ask for it."""
    is_complete: bool = False
    """Whether it came to its end."""
    chosen: str = ""
    """The stack that it chose; empty before."""
    score: Estimate | None = None
    """What choosing so is expected to score, on predictions that did not choose; None before."""
    gain: VerdictRecord | None = None
    """The gain over the base, on predictions that did not choose; None before."""
    over_default: VerdictRecord | None = None
    """The gain over the stack of the default ladder, likewise; None where that was not trained in every turn."""
    choices: tuple[str, ...] = ()
    """What the searches chose that had a part held out, the most frequent first."""
    tried: tuple[Tried, ...] = ()
    """What was tried, the best first."""
    seconds: float = 0.0
    """What all trainings took."""
    chosen_runs: tuple[RunId, ...] = ()
    """The ids of the runs of the chosen stack, turn by turn."""
    pair: Mapping[str, Any] = field(default_factory=dict)
    """Base and chosen stack as a ladder of two rungs, in JSON, for the sealed test; empty before the end."""

    @property
    def turns(self) -> tuple[tuple[int, int | None], ...]:
        """Seed and fold of every turn."""
        if self.n_folds is None:
            return tuple((seed, None) for seed in range(self.n_seeds))
        return tuple((0, fold) for fold in range(self.n_folds))

    def with_outcome_of(self, other: ClimbRecord) -> ClimbRecord:
        """Return it with what another one found."""
        names = [item.name for item in fields(self)]
        outcome = names[names.index("is_complete") :]
        return replace(self, **{name: getattr(other, name) for name in outcome})

    def short(self, stack: str) -> str:
        """Return a stack without the base that all of them begin with."""
        return stack if stack == self.stack else stack.removeprefix(self.stack)

    @property
    def as_ladder(self) -> Ladder | None:
        """Return base and chosen stack as a ladder; None before the end.

        Raises:
            RecordError: It is damaged.
        """
        return from_json(Ladder, self.pair, where=self.name, schema=LADDER_SCHEMA) if self.pair else None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"schema": SCHEMA, **to_json(self)}

    def write(self, workspace: Workspace) -> None:
        """Write climb.json, atomically."""
        make_folder(workspace.ladders / self.name)
        write_json(workspace.ladders / self.name / CLIMB_JSON, self.to_json())

    @classmethod
    def read(cls, folder: Path) -> ClimbRecord:
        """Read the climb in a folder.

        Raises:
            RecordError: There is none, it is damaged, or a newer imgcls wrote it.
        """
        return read_as(cls, folder / CLIMB_JSON, schema=SCHEMA, remedy="'imgcls ladder climb' writes it again.")


def find_climbs(workspace: Workspace) -> tuple[list[ClimbRecord], list[str]]:
    """Read every climb of a workspace.

    Returns:
        The climbs, the one written last at the end, and a message for each that cannot be read.
    """
    files = sorted(workspace.ladders.glob(f"*/{CLIMB_JSON}"), key=lambda file: (time_written(file), file.parent.name))
    found, damaged = [], []
    for file in files:
        try:
            found.append(ClimbRecord.read(file.parent))
        except RecordError as problem:
            damaged.append(str(problem))
    return found, damaged


def find_climb(text: str | None, workspace: Workspace) -> ClimbRecord | None:
    """Find the climb that a person means, where it is not a ladder.

    Args:
        text: A name or the beginning of one that no ladder has; None for the newest, where there is no ladder.
        workspace: Where to look.
    """
    found, _ = find_climbs(workspace)
    if text is None:
        has_ladder = next(workspace.ladders.glob(f"*/{LADDER_JSON}"), None) is not None
        return found[-1] if found and not has_ladder else None
    if exact := [climb for climb in found if climb.name == text]:
        return exact[0]
    if any(ladder.stack == text or ladder.name.startswith(text) for ladder in find_ladders(workspace)[0]):
        return None
    named = [climb for climb in found if climb.name.startswith(text)]
    return named[0] if len(named) == 1 else None


def newest(workspace: Workspace) -> Ladder | ClimbRecord | None:
    """Return the ladder or the climb that was worked on last; None where there is none.

    Raises:
        RecordError: It is damaged: an older one is not the one meant.
    """
    files = [*workspace.ladders.glob(f"*/{LADDER_JSON}"), *workspace.ladders.glob(f"*/{CLIMB_JSON}")]
    if not files:
        return None
    file = max(files, key=lambda file: (time_written(file), file.parent.name))
    return Ladder.read(file.parent) if file.name == LADDER_JSON else ClimbRecord.read(file.parent)
