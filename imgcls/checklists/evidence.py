"""Everything in a workspace that an item can be ticked from, read lightly: neither torch nor pandas is loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from imgcls.checklists.climbs import Climb, read_climbs
from imgcls.checklists.meanings import Meanings
from imgcls.checklists.present import Present, look_at_present
from imgcls.checklists.trials import Grounds, Side, Trial, read_comparisons
from imgcls.eda.facts import FACTS_JSON, Facts, Finding
from imgcls.errors import ImgclsError
from imgcls.problem.adjustments import FINDINGS_TOML, Adjustments, Exclusion, Grouping, read_adjustments
from imgcls.problem.model import Problem
from imgcls.problem.toml import find_problem
from imgcls.records.find import find_runs
from imgcls.records.repeated import Repetition, repetitions
from imgcls.records.run import RunRecord
from imgcls.records.seen import changed_tables
from imgcls.records.submissions import TEST_FILE, Submission, find_submissions
from imgcls.workspace import MARKER, Workspace

if TYPE_CHECKING:
    from imgcls.engine.reporting import Reporter

FACTS = f"reports/{FACTS_JSON}"
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Damage:
    """A file that cannot be read, and what cannot be told because of it."""

    reason: str
    """What is wrong with it; names the file."""
    unknown: str
    """What it would have told."""


@dataclass(frozen=True)
class Evidence:
    """What a workspace holds."""

    workspace: Workspace
    """The workspace."""
    problem: Problem | None
    """What imgcls.toml says; None without one, or where it is damaged."""
    facts: Facts | None
    """What looking at the data gave; None before that, or where facts.json is damaged."""
    adjustments: Adjustments
    """What findings.toml decided."""
    runs: tuple[RunRecord, ...]
    """Finished runs that are no trials, oldest first."""
    n_quick: int
    """Trials, which prove nothing."""
    repetitions: tuple[Repetition, ...]
    """Runs that were trained once more, and what came of it, oldest first."""
    climbs: tuple[Climb, ...]
    """Ladders, the one worked on last at the end."""
    comparisons: tuple[Trial, ...]
    """Comparisons that were kept, the newest at the end."""
    submissions: tuple[Submission, ...]
    """Submissions, oldest first."""
    present: Present
    """The data as they are now."""
    damages: tuple[Damage, ...]
    """Files that cannot be read."""

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Every verdict, the newest at the end; those of ladders weigh more than those of comparisons."""
        return (*self.comparisons, *(trial for climb in self.climbs for trial in climb.trials))

    @property
    def open_findings(self) -> tuple[Finding, ...]:
        """Errors and warnings that findings.toml does not deal with."""
        if self.facts is None:
            return ()
        return tuple(entry for entry in self.facts.findings if entry.severity != "note" and not self.deals_with(entry))

    def deals_with(self, finding: Finding) -> bool:
        """Whether findings.toml keeps a finding, or applies it to all of its images."""
        if self.adjustments.keeps(finding.id, finding.images):
            return True
        entries: tuple[Exclusion | Grouping, ...] = (*self.adjustments.excluded, *self.adjustments.grouped)
        settled = {image for entry in entries if entry.finding == finding.id for image in entry.images}
        return bool(settled) and settled.issuperset(image for group in finding.groups for image in group)

    @cached_property
    def facts_change(self) -> str:
        """What changed since the data were looked at; empty where nothing did."""
        if self.facts is None:
            return ""
        data = self.facts.data
        if change := self.present.change_since(Grounds(data.data_digest, (data.split_digest,))):
            return change
        if tables := changed_tables(data.tables, self.workspace):
            return f"{', '.join(tables)} changed since"
        seen = self.present.seen
        if seen is not None and seen.n.get("excluded", 0) != data.n.get("excluded", 0):
            return f"other files cannot be used since: {seen.n['excluded']:,}, not {data.n.get('excluded', 0):,}"
        return ""

    @cached_property
    def meanings(self) -> Meanings:
        """What stacks mean now."""
        return Meanings(self.workspace.root)

    @cached_property
    def baselines(self) -> tuple[RunRecord, ...]:
        """The runs of a base alone that still hold, the newest first."""
        return tuple(run for run in reversed(self.runs) if is_baseline(run) and not self.change_since_run(run))

    @cached_property
    def baseline(self) -> RunRecord | None:
        """The run that stands for the baseline: the newest that still holds, else the newest."""
        return next(iter(self.baselines), next(filter(is_baseline, reversed(self.runs)), None))

    def repetition_of(self, run: RunRecord) -> Repetition | None:
        """Give what came of training a run once more; None where nobody did."""
        return next((entry for entry in reversed(self.repetitions) if entry.is_of(run)), None)

    @property
    def has_test_part(self) -> bool:
        """Whether the data are known to have a test part, or runs have predicted one."""
        seen = self.present.seen
        if seen is not None:
            return bool(seen.n.get("test"))
        return any(TEST_FILE in run.files for run in self.runs)

    @property
    def climbed(self) -> tuple[Climb, ...]:
        """The ladders that were climbed to their end, the one worked on last at the end."""
        return tuple(climb for climb in self.climbs if climb.is_complete and climb.incumbent is not None)

    @cached_property
    def climb(self) -> Climb | None:
        """The ladder to build on: the newest that was climbed to its end and still holds."""
        return next((climb for climb in reversed(self.climbed) if not self.change_since_climb(climb)), None)

    def change_since_run(self, run: RunRecord) -> str:
        """Say what changed since a run: the data, the split, or what its stack means; nothing where nothing did."""
        return self._change_since(grounds_of(run), Side(run.stack, run.overrides, run.plan_digest))

    def change_since_trial(self, trial: Trial) -> str:
        """Say what changed since a verdict, likewise."""
        return self._change_since(trial.grounds, *trial.sides)

    def change_since_climb(self, climb: Climb) -> str:
        """Say what changed since a ladder recommended a stack, likewise."""
        return self._change_since(climb.grounds, *([climb.to_use] if climb.to_use else []))

    def _change_since(self, grounds: Grounds, *sides: Side) -> str:
        changes = (self.present.change_since(grounds), *map(self.meanings.change_since, sides))
        return next(filter(None, changes), "")

    def is_damaged(self, name: str) -> bool:
        """Whether a file of that name cannot be read."""
        return any(name in damage.reason for damage in self.damages)


def is_baseline(run: RunRecord) -> bool:
    """Whether a run is that of a base alone."""
    return "+" not in run.stack


def named(run: RunRecord) -> str:
    """Name a run by its folder, relative to the workspace."""
    return f"runs/{run.folder.name if run.folder else run.id}"


def grounds_of(run: RunRecord) -> Grounds:
    """Give the data and the split of a run."""
    return Grounds(run.data.digest, (run.data.split_digest,), run.n_folds is not None, run.data.split_seed)


def gather(workspace: Workspace, *, reporter: Reporter | None = None, verify: bool = False) -> Evidence:
    """Gather what a workspace holds.

    Args:
        workspace: Where to look; it may be empty, or not exist.
        reporter: Told when the data changed and have to be read anew; None never reads them.
        verify: Whether the data are read and hashed anew in any case.
    """
    damages: list[Damage] = []
    problem = _read(lambda: find_problem(workspace.root), None, damages, unknown=f"what {MARKER} says of the problem")
    facts = _read(lambda: _facts(workspace.reports), None, damages, unknown="what 'imgcls eda' found")
    adjustments = _read(
        lambda: read_adjustments(workspace.root / FINDINGS_TOML),
        Adjustments(),
        damages,
        unknown="which findings are dealt with",
    )
    unreadable = [name for name in (MARKER, FINDINGS_TOML) if any(name in damage.reason for damage in damages)]
    records, damaged_runs = find_runs(workspace)
    climbs, damaged_climbs = read_climbs(workspace)
    comparisons, damaged_comparisons = read_comparisons(workspace)
    submissions, damaged_submissions = find_submissions(workspace)
    damages += _all(damaged_runs, "what that run proves")
    damages += _all(damaged_climbs, "what that ladder tried")
    damages += _all(damaged_comparisons, "what was compared")
    damages += _all(damaged_submissions, "what was submitted")
    runs = tuple(run for run in records if not run.quick)
    if facts is None and not (runs or climbs):  # then nothing depends on the data
        present = Present()
    elif unreadable:
        files = " and ".join(unreadable)
        present = Present.doubtful(f"{files} cannot be read, so that nobody can tell whether the data changed.")
    else:
        present = look_at_present(workspace, problem, climbs=climbs, runs=runs, reporter=reporter, verify=verify)
    return Evidence(
        workspace=workspace,
        problem=problem,
        facts=facts,
        adjustments=adjustments,
        runs=runs,
        n_quick=len(records) - len(runs),
        repetitions=repetitions(workspace),
        climbs=climbs,
        comparisons=comparisons,
        submissions=tuple(submissions),
        present=present,
        damages=tuple(damages),
    )


def _facts(folder: Path) -> Facts | None:
    return Facts.read(folder) if (folder / FACTS_JSON).exists() else None


def _read(read: Callable[[], _Value], otherwise: _Value, damages: list[Damage], *, unknown: str) -> _Value:
    """Read something, or note that it is damaged."""
    try:
        return read()
    except (ImgclsError, OSError) as problem:
        damages.append(Damage(str(problem), unknown))
        return otherwise


def _all(messages: Sequence[str], unknown: str) -> list[Damage]:
    return [Damage(message, unknown) for message in messages]
