"""What the data are now, as far as it can be known without reading them, and read anew where that is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imgcls.errors import ImgclsError
from imgcls.plan import Plan
from imgcls.problem.placed import reading_of
from imgcls.records.run import RunRecord
from imgcls.records.seen import Look, SeenData, find, look_at, recall, remember, source_of
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from imgcls.checklists.climbs import Climb
    from imgcls.checklists.trials import Grounds
    from imgcls.engine.reporting import Reporter
    from imgcls.problem.model import Problem

CHANGED = "The data look different from when they were last read"
_UNNAMED = "No imgcls.toml names the data, so that nobody can see whether they changed; 'imgcls init' writes one."


@dataclass(frozen=True)
class Present:
    """The data as they are now."""

    seen: SeenData | None = None
    """What reading them gives; None where that is not known."""
    split_seed: int = 0
    """What their split, or their folds, are drawn from."""
    note: str = ""
    """Why it is not known; empty where it is, or where nothing depends on it."""
    is_doubtful: bool = False
    """Whether there is something that could hold or not, and that cannot be told although the data are named."""

    @classmethod
    def doubtful(cls, note: str) -> Present:
        """Give data of which nobody can tell whether they changed, and why."""
        return cls(note=note, is_doubtful=True)

    def change_since(self, grounds: Grounds) -> str:
        """Say what changed since something was found on some data; nothing where nothing is known to have.

        A split into folds is another one than that of a single training, and is not held against it; but folds that
        were drawn from another seed are other folds.
        """
        if self.seen is None:
            return ""
        if grounds.data_digest != self.seen.data_digest:
            return "the data changed since"
        return "the split changed since" if self._is_other_split(grounds) else ""

    def _is_other_split(self, grounds: Grounds) -> bool:
        if grounds.is_folded:
            return grounds.split_seed not in (None, self.split_seed)
        split = self.seen.split_digest if self.seen is not None else None
        return split is not None and grounds.split_digests != (split,)


def look_at_present(
    workspace: Workspace,
    problem: Problem | None,
    *,
    climbs: Sequence[Climb],
    runs: Sequence[RunRecord],
    reporter: Reporter | None,
    verify: bool,
) -> Present:
    """Find out what the data of a workspace are now.

    Args:
        workspace: The workspace.
        problem: What imgcls.toml says; None without one.
        climbs: Its ladders, which know how their data were read.
        runs: Its runs.
        reporter: Told when the data have to be read; None never reads them.
        verify: Whether they are read and hashed anew although they look as they did.
    """
    source = _source(problem, workspace, climbs)
    if source is None:
        return Present(note=_UNNAMED if runs else "")
    look = look_at(source, workspace)
    seen = find(workspace, look.key) if look and not verify else None
    if seen is not None:
        return Present(seen, source.get("split_seed") or 0)
    if reporter is None:
        return Present.doubtful(f"{CHANGED}; 'imgcls checklist' reads them anew.")
    reporter.note("Reading the data and hashing every file …" if verify else "The data changed; reading them …")
    return _read_anew(workspace, source, look, runs, reporter, verify=verify)


def _source(problem: Problem | None, workspace: Workspace, climbs: Sequence[Climb]) -> Mapping[str, Any] | None:
    """Give the fields of a `DataSource`: what imgcls.toml says, else what was read last; None where nobody knows."""
    if problem is not None:
        return reading_of(problem, workspace.root)
    if seen := recall(workspace):
        return source_of(seen[-1], workspace)
    return climbs[-1].ladder.data if climbs else None


def _read_anew(
    workspace: Workspace,
    source: Mapping[str, Any],
    look: Look | None,
    runs: Sequence[RunRecord],
    reporter: Reporter,
    *,
    verify: bool,
) -> Present:
    """Read, decode and split the data once, at the size of the newest run, and remember what came out."""
    from imgcls.engine.prepare import DataSource, prepare  # with torch: only where data have to be read

    options = {**source, "verify": verify}
    try:
        images = Plan.from_json(runs[-1].plan if runs else {}).images
        named = DataSource(**options).in_workspace(workspace)
        samples = prepare(named, images, quick=False, reporter=reporter).samples
    except (ImgclsError, OSError) as problem:
        return Present.doubtful(f"The data cannot be read, so that nobody can tell whether they changed: {problem}")
    seen = SeenData.of(samples, look or Look("", "", {}))
    if look is not None:
        remember(workspace, seen)
    return Present(seen, named.split_seed or 0)
