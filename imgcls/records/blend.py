"""The record of a blend: whose predictions it is made of, with what weights, and what they say together."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from imgcls.errors import RecordError
from imgcls.records.find import find_run, find_runs
from imgcls.records.run import (
    NOT_SCORED,
    Estimate,
    RecordFiles,
    RunData,
    RunFile,
    RunId,
    RunRecord,
    describe_files,
    in_utc,
    joint_digest,
)
from imgcls.schema import MAY_BE_ABSENT, NOT_IN_FILE, Problems, file_names, one_of, read_as, to_json
from imgcls.storage import canonical_json, write_json
from imgcls.text import listed
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

BLEND_JSON = "blend.json"
SCHEMA = 1
WAYS = ("mean", "geometric", "rank", "weights", "greedy")
"""How members become one: see `imgcls.predictions.blending`."""
THESE_NETWORKS = "The verdict is about exactly these networks, on new photographs like these."
BEST_WAS_CHOSEN = "The best member was chosen by looking: its score says a little too much, and the gain too little."
"""Two notes that are about the verdict over the best member, and nothing else that is said of a blend."""
_FILES = ("valid.parquet", "oof.parquet", "test.parquet", "verdict.json")
_NAME = re.compile(r"blend-[a-z]+-[0-9a-f]{8}")
_ROUNDING = 1e-6


def _made_by_us(text: str) -> Problems:
    if not _NAME.fullmatch(text):
        yield "", f"must be the id of a blend, such as blend-mean-1a2b3c4d, not {json.dumps(text)[:40]}"


BlendId = Annotated[str, _made_by_us]
"""The id of a blend as files hold it, since it is put into paths and commands."""


@dataclass(frozen=True)
class BlendMember:
    """One stack with one seed: a network, or one for each fold."""

    stack: str
    """Its stack."""
    overrides: Mapping[str, Any]
    """Plan path → value that flags set on the base."""
    label: str
    """Its stack as it is printed, overrides included."""
    plan_digest: str
    """Digest of its plan."""
    seed: int
    """Its seed."""
    runs: tuple[RunId, ...]
    """The ids of its runs: one, or those of the folds in order."""
    sha256: tuple[str, ...]
    """Digest of run.json of each, which has those of its other files."""
    weight: float
    """Its share, from 0; all together are 1."""
    score: Estimate
    """Its own score in the metric of the blend."""


def _add_up(members: tuple[BlendMember, ...]) -> Problems:
    if len(members) < 2:
        yield "", "must be two at least"
    if any(member.weight < 0 for member in members) or abs(sum(member.weight for member in members) - 1) > _ROUNDING:
        yield "", "must have weights from 0 that add up to 1"
    if any(not member.runs or len(member.runs) != len(member.sha256) for member in members):
        yield "", "must have runs, with a digest for each"


@dataclass(frozen=True)
class BlendRecord:
    """A blend: blend.json, and its predictions beside it."""

    id: BlendId
    """The name of its folder."""
    way: Annotated[str, one_of(*WAYS)]
    """How members become one."""
    metric: str
    """The metric that members are scored by, and the verdict is about."""
    smallest_gain: float
    """The smallest gain of interest, in the metric's unit."""
    members: Annotated[tuple[BlendMember, ...], _add_up]
    """Whose predictions it is made of, the best on its own first."""
    n_folds: int | None
    """The folds that each member has; None where each is one network."""
    problem: Annotated[str, one_of("binary", "multiclass", "multilabel")]
    """`binary`, `multiclass` or `multilabel`."""
    classes: tuple[str, ...]
    """The classes in the order of the probabilities."""
    data: RunData
    """What the members were trained and scored on."""
    metrics: Mapping[str, Estimate]
    """Name → estimate, on validation; over folds, on every prediction out of fold."""
    created: Annotated[str, in_utc]
    """When it was made: UTC, ISO 8601."""
    notes: tuple[str, ...] = ()
    """What a person should know of it."""
    files: Annotated[Mapping[str, RunFile], file_names] = field(default_factory=dict)
    """Name → digest and size of every file beside blend.json."""
    judged_by: tuple[RunId, ...] | None = field(default=None, metadata=MAY_BE_ABSENT)
    """Of networks that were trained on all the data: the blends of judged runs of the same stacks, in the same way,
    else the runs that stand for the score of its members; None of a blend that was judged itself."""
    folder: Path | None = field(default=None, compare=False, metadata=NOT_IN_FILE)
    """Where it was read from or written to; not part of the record."""

    @property
    def label(self) -> str:
        """How tables name it: `mean of 5: baseline+tta`, with every stack once."""
        stacks = dict.fromkeys(member.label for member in self.members)
        return f"{self.way} of {len(self.members)}: {', '.join(stacks)}"

    @property
    def key(self) -> str:
        """What makes it this blend and no other: see `blend_key`."""
        digests = [digest for member in self.members for digest in member.sha256]
        return blend_key(self.way, self.metric, self.smallest_gain, digests)

    @property
    def plan_digest(self) -> str:
        """Digest of the plans of its members."""
        return joint_digest([member.plan_digest for member in self.members])

    @property
    def shares(self) -> dict[str, float]:
        """The id of the run of every network that predicts → its share."""
        return {
            run: member.weight / len(member.runs) for member in self.members if member.weight for run in member.runs
        }

    @property
    def kept(self) -> RecordFiles:
        """The files beside blend.json."""
        return RecordFiles(f"Blend {self.id}", self.folder, self.files, "remove its folder and blend again")

    def predictions(self, split: str) -> pd.DataFrame:
        """Read the probabilities of one part, as `RunRecord.predictions`."""
        if self.judged_by is not None and split != "test":
            raise RecordError(f"{self.id} was {NOT_SCORED}. What stands for its score: {listed(self.judged_by)}.")
        return self.kept.predictions(split, self.classes)

    def turns(self, workspace: Workspace) -> tuple[BlendTurn, ...]:
        """Return what it says of validation in the place of a run, or of one for each fold.

        Raises:
            RecordError: A network of it is gone or was trained again, or its predictions are damaged.
        """
        known = self.members_in(workspace)
        member = next(member for member in self.members if member.weight)
        frame = self.predictions("valid" if self.n_folds is None else "oof")
        found = []
        for run in (known[id_] for id_ in member.runs):
            own: dict[str, Any] = {
                "key": self.key,
                "id": self.id,
                "stack": self.label,
                "overrides": {},
                "label": self.label,
                "plan_digest": self.plan_digest,
                "train_digest": self.key,
                "files": {},
                "reused_from": None,
                "folder": self.folder,
            }
            table = frame if run.fold is None else frame[frame["fold"] == run.fold]
            found.append(BlendTurn(**{**vars(run), **own}, blend=self, table=table))
        return tuple(found)

    def verify(self, names: Iterable[str] | None = None) -> None:
        """Compare files of the record with their digests; see `RecordFiles.verify`."""
        self.kept.verify(names)

    def members_in(self, workspace: Workspace) -> dict[str, RunRecord]:
        """Return the run of every network that predicts, by its id.

        Raises:
            RecordError: One is gone, or is another training than the one that was blended.
        """
        known = {record.id: record for record in find_runs(workspace)[0]}
        digests = {
            run: digest for member in self.members for run, digest in zip(member.runs, member.sha256, strict=True)
        }
        wanted = list(self.shares)
        if gone := [run for run in wanted if run not in known]:
            raise RecordError(
                f"Blend {self.id} is made of {listed(gone)}, which cannot be found in {workspace.runs}. Restore it "
                "from a copy, or train again and blend again."
            )
        if changed := [run for run in wanted if known[run].digest() != digests[run]]:
            raise RecordError(f"{listed(changed)} changed since {self.id} was made of them. Blend again.")
        return {run: known[run] for run in wanted}

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"schema": SCHEMA, **to_json(self)}

    def write(self, folder: Path) -> BlendRecord:
        """Write blend.json into a folder whose other files are complete, with their digests."""
        files = {name: file for name, file in describe_files(folder).items() if name in _FILES}
        written = replace(self, folder=folder, files=files)
        write_json(folder / BLEND_JSON, written.to_json())
        return written

    @classmethod
    def read(cls, folder: Path) -> BlendRecord:
        """Read the blend in a folder.

        Raises:
            RecordError: There is none, it is damaged, or a newer imgcls wrote it.
        """
        found = read_as(cls, folder / BLEND_JSON, schema=SCHEMA, remedy="Remove its folder, and blend again.")
        return replace(found, folder=folder)


@dataclass(frozen=True)
class BlendTurn(RunRecord):
    """What a blend says of one split or fold, in the place of a run; what it was trained on is that of its networks."""

    blend: BlendRecord = field(kw_only=True)
    """The blend."""
    table: pd.DataFrame = field(kw_only=True, compare=False)
    """Its predictions there."""

    def predictions(self, split: str) -> pd.DataFrame:
        """Return the predictions of validation."""
        return self.table


def blend_key(way: str, metric: str, smallest_gain: float, digests: Iterable[str]) -> str:
    """Return what makes a blend this one: 64 hexadecimal digits.

    Args:
        way: How members become one.
        metric: What it is judged by.
        smallest_gain: As of the record.
        digests: Of run.json of every run of every member, in any order.
    """
    asked = hashlib.sha256(canonical_json([way, metric, smallest_gain]).encode("ascii")).hexdigest()
    return joint_digest([asked, *sorted(digests)])


def whole_members(runs: Iterable[RunRecord]) -> list[tuple[RunRecord, ...]]:
    """Return the members that runs make: each seed of each plan, on each split, with all its folds in order.

    Joint records of folds are no members, and neither is a seed that lacks a fold, or what was never validated.

    Args:
        runs: Finished runs; of two that are the same turn of the same seed the later one counts.
    """
    found: dict[tuple[Any, ...], dict[int | None, RunRecord]] = {}
    for run in runs:
        if run.folds is None and run.all_data is None:
            split = run.data.split_digest if run.fold is None else (run.n_folds, run.data.split_seed)
            key = run.plan_digest, run.seed, run.data.digest, run.classes, split
            found.setdefault(key, {})[run.fold] = run
    members = (tuple(turns[fold] for fold in sorted(turns, key=lambda fold: fold or 0)) for turns in found.values())
    return [member for member in members if _has_all_folds(member)]


def _has_all_folds(runs: tuple[RunRecord, ...]) -> bool:
    """Whether runs of one seed are all of its folds, or the one run without folds; older ones do not say how many."""
    first = runs[0]
    return first.fold is None or [run.fold for run in runs] == list(range(first.n_folds or len(runs)))


def find_blends(workspace: Workspace) -> tuple[list[BlendRecord], list[str]]:
    """Read every blend of a workspace.

    Returns:
        The blends, oldest first, and a message for each that cannot be read.
    """
    found, damaged = [], []
    for file in sorted(workspace.blends.glob(f"*/{BLEND_JSON}")):
        try:
            found.append(BlendRecord.read(file.parent))
        except RecordError as problem:
            damaged.append(str(problem))
    return sorted(found, key=lambda blend: (blend.created, blend.id)), damaged


def find_blend(text: str, workspace: Workspace) -> BlendRecord | None:
    """Find the blend that a person means by its folder, its id or the beginning of it; None where they mean none.

    Raises:
        RecordError: There are several, or it is damaged.
    """
    folder = Path(text)
    if text and _holds_blend(folder):
        return BlendRecord.read(folder)
    if not text.startswith("blend"):
        return None
    found, damaged = find_blends(workspace)
    named = [blend for blend in found if blend.id == text] or [blend for blend in found if blend.id.startswith(text)]
    if len(named) > 1:
        raise RecordError(f"{text!r} can mean {listed([blend.id for blend in named])}. Type more of the name.")
    if not named and (broken := next((message for message in damaged if text in message), None)):
        raise RecordError(broken)
    return named[0] if named else None


def find_predictor(text: str, workspace: Workspace) -> RunRecord | BlendRecord:
    """Find the run or the blend that a person means, named as for `find_run` and `find_blend`.

    Raises:
        RecordError: There is none, or more than one; the message names the nearest.
    """
    return find_blend(text, workspace) or find_run(text, workspace)


def _holds_blend(folder: Path) -> bool:
    try:
        return (folder / BLEND_JSON).is_file()
    except OSError:  # a stack may be longer than any file name
        return False
