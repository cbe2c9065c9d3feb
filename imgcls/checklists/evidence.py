"""Everything in a workspace that an item can be ticked from, read lightly: neither torch nor pandas is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from imgcls.catalog import Stack, recipe_file
from imgcls.checklists.sentences import Said, in_language, quoted, said
from imgcls.checklists.verdicts import (
    ArmRuns,
    BlendStatus,
    DataVersion,
    LadderStatus,
    VerdictEntry,
    read_blend_statuses,
    read_comparisons,
    read_ladder_statuses,
    read_views_verdicts,
)
from imgcls.config.findings import Adjustments, read_adjustments
from imgcls.config.problem import Problem, find_problem, resolve
from imgcls.data.source import FINDINGS_TOML, DataSource
from imgcls.eda.facts import FACTS_JSON, Facts, Finding
from imgcls.errors import ImgclsError
from imgcls.plan import Plan
from imgcls.predictions.submission import Submission, find_submissions, has_test
from imgcls.records.derived import (
    DatasetSummary,
    Fingerprint,
    Repetition,
    changed_tables,
    find_summary,
    load_summaries,
    repetitions,
    take_fingerprint,
)
from imgcls.records.find import find_runs
from imgcls.records.run import RunRecord
from imgcls.storage import canonical_json
from imgcls.workspace import MARKER, Workspace

if TYPE_CHECKING:
    from imgcls.checklists.verdicts import DataVersion, LadderStatus
    from imgcls.config.problem import Problem
    from imgcls.engine.progress import Reporter


class CurrentPlans:
    """The plans that stacks mean, each worked out once."""

    def __init__(self, home: Path) -> None:
        """Begin with none.

        Args:
            home: The folder of the workspace, where the paths of recipe files begin.
        """
        self._home = home
        self._digests: dict[tuple[str, str], str | None] = {}

    def change_since(self, side: ArmRuns) -> Said:
        """Describe why a stack no longer means the plan that it was tried with; nothing where it does."""
        digest = self._digest(side.stack, side.overrides)
        if digest == side.plan_digest:
            return Said("")
        if digest is not None:
            return said("{stack} means another plan since", stack=side.stack)
        if missing := self._missing_files(side.stack):
            return said("{file}, a recipe of {stack}, is missing", file=missing[0], stack=side.stack)
        return said("{stack} is no stack any more; 'imgcls recipe show' says why", stack=side.stack)

    def _digest(self, stack: str, overrides: Mapping[str, Any]) -> str | None:
        """Return the digest of the plan that a stack means now; None where it is no stack."""
        asked = stack, canonical_json(dict(overrides))
        if asked not in self._digests:
            try:
                self._digests[asked] = Stack.parse(stack, overrides, home=self._home).plan.digest
            except ImgclsError:
                self._digests[asked] = None
        return self._digests[asked]

    def _missing_files(self, stack: str) -> list[str]:
        names = [piece.partition(":")[0].strip() for piece in stack.split("+")]
        return [name for name in names if (file := recipe_file(name, home=self._home)) and not file.is_file()]


@dataclass(frozen=True)
class CurrentData:
    """The data as they are now."""

    seen: DatasetSummary | None = None
    """What reading them gives; None where that is not known."""
    split_seed: int = 0
    """What their split, or their folds, are drawn from."""
    note: str = ""
    """Why it is not known; empty where it is, or where nothing depends on it."""
    key: str = ""
    """What tells them, read in this way and with what findings.toml decides, from others; empty where unknown."""
    is_doubtful: bool = False
    """Whether there is something that could hold or not, and that is not known although the data are named."""

    @classmethod
    def doubtful(cls, note: Said) -> CurrentData:
        """Return data of which nobody can tell whether they changed, and why."""
        return cls(note=note, is_doubtful=True)

    def change_since(self, grounds: DataVersion) -> Said:
        """Describe what changed since something was found on some data; nothing where nothing is known to have.

        A split into folds is another one than that of a single training, and is not held against it; but folds that
        were drawn from another seed are other folds.
        """
        if self.seen is None:
            return Said("")
        if grounds.data_digest != self.seen.data_digest:
            return said("the data changed since")
        return said("the split changed since") if self._is_other_split(grounds) else Said("")

    def _is_other_split(self, grounds: DataVersion) -> bool:
        if not grounds.split_digests:
            return False
        if grounds.is_folded:
            return grounds.split_seed not in (None, self.split_seed)
        split = self.seen.split_digest if self.seen is not None else None
        return split is not None and grounds.split_digests != (split,)


def read_current_data(
    workspace: Workspace,
    problem: Problem | None,
    *,
    climbs: Sequence[LadderStatus],
    runs: Sequence[RunRecord],
    reporter: Reporter | None,
    verify: bool,
) -> CurrentData:
    """Find out what the data of a workspace are now.

    Args:
        workspace: The workspace.
        problem: What imgcls.toml says; None without one.
        climbs: Its ladders, which know how their data were read.
        runs: Its runs.
        reporter: Shows when the data have to be read; None never reads them.
        verify: Whether they are read and hashed again although they look as they did.
    """
    source = _source(problem, workspace, climbs)
    if source is None:
        if not runs:
            return CurrentData()
        return CurrentData(
            note=said(
                "No imgcls.toml names the data, so that nobody can see whether they changed; 'imgcls init' writes one."
            )
        )
    look = take_fingerprint(source, workspace)
    seen = find_summary(workspace, look.key) if look else None
    if seen is not None and not verify:
        return CurrentData(seen, source.split_seed or 0, key=look.key if look else "")
    if reporter is None:
        return CurrentData.doubtful(
            said("The data look different from when they were last read; 'imgcls checklist' reads them again.")
        )
    reporter.note("Reading the data and hashing every file …" if verify else "The data changed; reading them …")
    again = _read_again(workspace, source, runs, reporter, verify=verify)
    if seen is not None and again.seen is not None and again.seen.data_digest != seen.data_digest:
        return replace(again, key="")  # other files that look the same from outside
    return again


def _source(problem: Problem | None, workspace: Workspace, climbs: Sequence[LadderStatus]) -> DataSource | None:
    """Return what imgcls.toml says of the data, else what was read last; None where nobody knows."""
    if problem is not None:
        return problem.source(workspace.root)
    if seen := load_summaries(workspace):
        return seen[-1].source(workspace)
    return climbs[-1].ladder.data if climbs else None


def _read_again(
    workspace: Workspace,
    source: DataSource,
    runs: Sequence[RunRecord],
    reporter: Reporter,
    *,
    verify: bool,
) -> CurrentData:
    """Read, decode and split the data once, at the size of the newest run, and remember what came out."""
    from imgcls.engine.prepare import prepare  # with torch: only where data have to be read

    try:
        images = Plan.from_json(runs[-1].plan if runs else {}).images
        named = resolve(replace(source, verify=verify), workspace.root)
        (prepared,) = prepare(named, images, reporter=reporter, workspace=workspace)
    except (ImgclsError, OSError) as problem:
        return CurrentData.doubtful(
            said(
                "The data cannot be read, so that nobody can tell whether they changed: {problem}",
                problem=quoted(problem),
            )
        )
    seen = DatasetSummary.of(prepared.samples, prepared.fingerprint or Fingerprint("", "", source))
    key = prepared.fingerprint.key if prepared.fingerprint else ""
    return CurrentData(seen, named.split_seed or 0, key=key)


FACTS = f"reports/{FACTS_JSON}"
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Damage:
    """A file that cannot be read, and what is not known because of it."""

    reason: Said
    """What is wrong with it; names the file."""
    unknown: str
    """What it would have shown."""

    def reason_in(self, lang: str) -> str:
        """Return what is wrong, in a language."""
        return in_language(self.reason, lang)

    def unknown_in(self, lang: str) -> str:
        """Return what it would have shown, in a language."""
        return in_language(self.unknown, lang)


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
    """Finished runs that validated and are no quick runs, oldest first."""
    n_quick: int
    """Quick runs, which prove nothing."""
    repetitions: tuple[Repetition, ...]
    """Runs that were trained once more, and what came of it, oldest first."""
    climbs: tuple[LadderStatus, ...]
    """Ladders, the one worked on last at the end."""
    comparisons: tuple[VerdictEntry, ...]
    """Comparisons that were kept, the newest at the end."""
    blends: tuple[BlendStatus, ...]
    """Blends, the newest at the end."""
    views: tuple[VerdictEntry, ...]
    """What more views of a run gain over one, the newest at the end."""
    submissions: tuple[Submission, ...]
    """Submissions, oldest first."""
    present: CurrentData
    """The data as they are now."""
    damages: tuple[Damage, ...]
    """Files that cannot be read."""
    finals: tuple[RunRecord, ...] = ()
    """Runs that were trained on all the data, oldest first; they prove no score."""

    @property
    def trials(self) -> tuple[VerdictEntry, ...]:
        """Every verdict, the newest at the end; those of ladders weigh more than those of comparisons."""
        return (
            *self.comparisons,
            *(blend.trial for blend in self.blends if blend.trial is not None),
            *self.views,
            *(climb.together for climb in self.climbs if climb.together is not None),
            *(trial for climb in self.climbs for trial in climb.trials),
        )

    @property
    def open_findings(self) -> tuple[Finding, ...]:
        """Errors and warnings that findings.toml does not deal with."""
        if self.facts is None:
            return ()
        return tuple(entry for entry in self.facts.findings if entry.severity != "note" and not self.deals_with(entry))

    def deals_with(self, finding: Finding) -> bool:
        """Whether findings.toml keeps a finding, or applies it to all of its images."""
        return finding.decided(self.adjustments) != "open"

    @cached_property
    def facts_change(self) -> Said:
        """What changed since the data were looked at; empty where nothing did."""
        if self.facts is None:
            return Said("")
        data = self.facts.data
        decided = bool(data.key) and data.key == self.present.key  # 'eda apply' changes the digest, not what was seen
        if not decided and (change := self.present.change_since(DataVersion(data.data_digest, (data.split_digest,)))):
            return change
        if tables := changed_tables(data.tables, self.workspace):
            return said("{tables} changed since", tables=", ".join(tables))
        seen = self.present.seen
        if not decided and seen is not None and seen.n.get("excluded", 0) != data.n.get("excluded", 0):
            n, before = seen.n["excluded"], data.n.get("excluded", 0)
            return said("other files cannot be used since: {n:,}, not {before:,}", n=n, before=before)
        return Said("")

    @cached_property
    def meanings(self) -> CurrentPlans:
        """What stacks mean now."""
        return CurrentPlans(self.workspace.root)

    @cached_property
    def baselines(self) -> tuple[RunRecord, ...]:
        """The runs of a base alone that still hold, the newest first."""
        return tuple(run for run in reversed(self.runs) if is_baseline(run) and not self.change_since_run(run))

    @cached_property
    def baseline(self) -> RunRecord | None:
        """The run that stands for the baseline: the newest that still holds, else the newest."""
        return next(iter(self.baselines), next(filter(is_baseline, reversed(self.runs)), None))

    def repetition_of(self, run: RunRecord) -> Repetition | None:
        """Return what came of training a run once more; None where nobody did."""
        return next((entry for entry in reversed(self.repetitions) if entry.is_of(run)), None)

    @property
    def has_test_part(self) -> bool:
        """Whether the data are known to have a test part, or runs have predicted one."""
        seen = self.present.seen
        if seen is not None:
            return bool(seen.n.get("test"))
        return any(has_test(run) for run in self.runs)

    @property
    def climbed(self) -> tuple[LadderStatus, ...]:
        """The ladders that were climbed to their end, the one worked on last at the end."""
        return tuple(climb for climb in self.climbs if climb.is_complete and climb.incumbent is not None)

    @cached_property
    def climb(self) -> LadderStatus | None:
        """The ladder to build on: the newest that was climbed to its end and still holds."""
        return next((climb for climb in reversed(self.climbed) if not self.change_since_climb(climb)), None)

    def change_since_run(self, run: RunRecord) -> Said:
        """Describe what changed since a run: data, split, or what its stack means; nothing where nothing did."""
        return self._change_since(data_version(run), ArmRuns(run.stack, run.overrides, run.plan_digest))

    def finals_of(self, climb: LadderStatus | None) -> tuple[RunRecord, ...]:
        """Return the runs on all the data of a ladder that are of the stack it recommends, oldest first."""
        if climb is None or climb.to_use is None:
            return ()
        wanted = climb.to_use.plan_digest, climb.grounds.data_digest
        return tuple(run for run in self.finals if (run.plan_digest, run.data.digest) == wanted)

    def change_since_trial(self, trial: VerdictEntry) -> Said:
        """Describe what changed since a verdict, likewise."""
        return self._change_since(trial.grounds, *trial.sides)

    def change_since_climb(self, climb: LadderStatus) -> Said:
        """Describe what changed since a ladder recommended a stack, likewise."""
        return self._change_since(climb.grounds, *([climb.to_use] if climb.to_use else []))

    def _change_since(self, grounds: DataVersion, *sides: ArmRuns) -> Said:
        changes = (self.present.change_since(grounds), *map(self.meanings.change_since, sides))
        return next(filter(None, changes), Said(""))

    def is_damaged(self, name: str) -> bool:
        """Whether a file of that name cannot be read."""
        return any(name in damage.reason for damage in self.damages)


def is_baseline(run: RunRecord) -> bool:
    """Whether a run is that of a base alone."""
    return "+" not in run.stack


def named(run: RunRecord) -> str:
    """Name a run by its folder, relative to the workspace."""
    return f"runs/{run.folder.name if run.folder else run.id}"


def data_version(run: RunRecord) -> DataVersion:
    """Return the data and the split of a run; one that was trained on all the data hangs on no split."""
    if run.all_data is not None:
        return DataVersion(run.data.digest, ())
    return DataVersion(run.data.digest, (run.data.split_digest,), run.n_folds is not None, run.data.split_seed)


def gather(workspace: Workspace, *, reporter: Reporter | None = None, verify: bool = False) -> Evidence:
    """Gather what a workspace holds.

    Args:
        workspace: Where to look; it may be empty, or not exist.
        reporter: Shows when the data changed and have to be read again; None never reads them.
        verify: Whether the data are read and hashed again in any case.
    """
    damages: list[Damage] = []
    problem = _read(
        lambda: find_problem(workspace.root),
        None,
        damages,
        unknown=said("what {file} says of the problem", file=MARKER),
    )
    facts = _read(lambda: _facts(workspace.reports), None, damages, unknown=said("what 'imgcls eda' found"))
    adjustments = _read(
        lambda: read_adjustments(workspace.root / FINDINGS_TOML),
        Adjustments(),
        damages,
        unknown=said("which findings are dealt with"),
    )
    unreadable = [name for name in (MARKER, FINDINGS_TOML) if any(name in damage.reason for damage in damages)]
    records, damaged_runs = find_runs(workspace)
    climbs, damaged_climbs = read_ladder_statuses(workspace)
    comparisons, damaged_comparisons = read_comparisons(workspace)
    blends, damaged_blends = read_blend_statuses(workspace)
    views, damaged_views = read_views_verdicts(workspace)
    submissions, damaged_submissions = find_submissions(workspace)
    damages += _all(damaged_runs, said("what that run proves"))
    damages += _all(damaged_climbs, said("what that ladder tried"))
    damages += _all(damaged_comparisons, said("what was compared"))
    damages += _all(damaged_blends, said("what was blended"))
    damages += _all(damaged_views, said("what more views gain"))
    damages += _all(damaged_submissions, said("what was submitted"))
    runs = tuple(run for run in records if not run.quick and run.all_data is None)
    if facts is None and not (runs or climbs):  # then nothing depends on the data
        present = CurrentData()
    elif unreadable:
        present = CurrentData.doubtful(
            said(
                "{files} cannot be read, so that nobody can tell whether the data changed.",
                files=Said(" and ".join(unreadable), ", ".join(unreadable)),
            )
        )
    else:
        present = read_current_data(workspace, problem, climbs=climbs, runs=runs, reporter=reporter, verify=verify)
    return Evidence(
        workspace=workspace,
        problem=problem,
        facts=facts,
        adjustments=adjustments,
        runs=runs,
        n_quick=sum(run.quick for run in records),
        repetitions=repetitions(workspace),
        climbs=climbs,
        comparisons=comparisons,
        blends=blends,
        views=tuple(trial for run, trial in views if any(record.id == run for record in runs)),
        submissions=tuple(submissions),
        present=present,
        damages=tuple(damages),
        finals=tuple(run for run in records if run.all_data is not None),
    )


def _facts(folder: Path) -> Facts | None:
    return Facts.read(folder) if (folder / FACTS_JSON).exists() else None


def _read(read: Callable[[], _Value], otherwise: _Value, damages: list[Damage], *, unknown: Said) -> _Value:
    """Read something, or note that it is damaged."""
    try:
        return read()
    except (ImgclsError, OSError) as problem:
        damages.append(Damage(quoted(problem), unknown))
        return otherwise


def _all(messages: Sequence[str], unknown: Said) -> list[Damage]:
    return [Damage(quoted(message), unknown) for message in messages]
