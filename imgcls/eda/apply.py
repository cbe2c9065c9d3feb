"""Decisions about findings: applied, undone or kept, in findings.toml and never in the data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from imgcls.config.findings import (
    Accepted,
    Adjustments,
    Exclusion,
    Grouping,
    Relabelling,
    adjustments_bytes,
    decided_samples,
    read_adjustments,
    write_adjustments,
)
from imgcls.config.problem import PROBLEM_TOML, find_problem
from imgcls.data.files import DEFAULT_DATA
from imgcls.data.source import FINDINGS_TOML, DataSource, is_named_set
from imgcls.eda.facts import FACTS_JSON, Facts, Finding
from imgcls.errors import DataError, RecordError, UsageError, nearest_hint
from imgcls.records.derived import DatasetSummary, load_summaries, take_fingerprint
from imgcls.storage import one_at_a_time
from imgcls.text import PLACEHOLDER, as_utf8, listed
from imgcls.workspace import Workspace

Verb = Literal["applied", "undone", "kept"]


@dataclass(frozen=True)
class Decision:
    """What was decided just now."""

    verb: Verb
    """What was done with the findings."""
    findings: tuple[str, ...]
    """Their ids; none where there was nothing to do."""
    n_excluded: int
    """Images that are left out by them."""
    n_grouped: int
    """Images that are kept together by them."""
    n_groups: int
    """In how many groups."""
    path: Path
    """Where it is written: findings.toml of the workspace."""
    again: str
    """The words that name the data again in commands; empty where the workspace knows."""
    out: str
    """The option that names the workspace in commands; empty where they find it."""
    n_relabelled: int = 0
    """Images whose label a review had changed, where that is undone."""

    def to_json(self) -> dict[str, object]:
        """Return the decision as JSON values."""
        return {
            "schema": 1,
            "done": self.verb,
            "findings": list(self.findings),
            "n_excluded": self.n_excluded,
            "n_grouped": self.n_grouped,
            "n_groups": self.n_groups,
            "n_relabelled": self.n_relabelled,
            "path": str(self.path),
        }


def apply_findings(names: Sequence[str], workspace: Workspace) -> Decision:
    """Exclude and group images as findings propose.

    Args:
        names: Ids of findings; none means all open ones that can be applied.
        workspace: Whose facts.json tells of them, and whose findings.toml is written.

    Raises:
        UsageError: There is no such finding, applying it changes nothing, or the data look different since; or a class
            would lose all its photographs.
        RecordError: There are no facts yet, or they are damaged.
    """
    facts, path = _facts(workspace), workspace.root / FINDINGS_TOML
    _check_current(facts, workspace)
    with one_at_a_time(path):
        before = read_adjustments(path)
        return _apply(names, facts.decided(before), before, workspace)


def _apply(names: Sequence[str], facts: Facts, before: Adjustments, workspace: Workspace) -> Decision:
    if names:
        chosen = [_applicable(finding) for finding in _named(names, facts)]
    else:
        chosen = [entry for entry in facts.findings if entry.state == "open" and entry.action and entry.groups]
    excluded = [
        Exclusion(images=images, finding=finding.id, why=finding.title)
        for finding in chosen
        if finding.action == "exclude"
        for images in finding.groups
    ]
    grouped = [
        Grouping(images=images, finding=finding.id, why=finding.title)
        for finding in chosen
        if finding.action == "group"
        for images in finding.groups
    ]
    _check_classes_stay(facts, workspace, excluded)
    done = {finding.id for finding in chosen}
    if done:
        after = before.model_copy(
            update={
                "excluded": (*before.excluded, *excluded),
                "grouped": (*before.grouped, *grouped),
                "kept": tuple(entry for entry in before.kept if entry.finding not in done),
                "data": facts.data.name,
            }
        )
        _write(after, facts, workspace)
    return _decision("applied", [finding.id for finding in chosen], excluded, grouped, workspace)


def undo_findings(names: Sequence[str], workspace: Workspace) -> Decision:
    """Take back what was decided about findings.

    Args:
        names: Ids of findings; none means all that findings.toml holds.
        workspace: Whose findings.toml is written.

    Raises:
        UsageError: findings.toml holds nothing of such a finding.
    """
    path = workspace.root / FINDINGS_TOML
    with one_at_a_time(path) if path.exists() else nullcontext():
        return _undo(names, read_adjustments(path), workspace)


def _undo(names: Sequence[str], before: Adjustments, workspace: Workspace) -> Decision:
    entries: list[Exclusion | Grouping | Relabelling | Accepted]
    entries = [*before.excluded, *before.grouped, *before.relabelled, *before.kept]
    known = list(dict.fromkeys(entry.finding for entry in entries))
    unknown = [name for name in names if name not in known]
    if unknown:
        there = f"It holds {', '.join(known)}." if known else "It holds none."
        raise UsageError.together(
            [f"{FINDINGS_TOML} holds no finding {name!r}.{nearest_hint(name, known)} {there}" for name in unknown]
        )
    done = set(names or known)
    excluded = [entry for entry in before.excluded if entry.finding in done]
    grouped = [entry for entry in before.grouped if entry.finding in done]
    if done:
        after = before.model_copy(
            update={
                "excluded": tuple(entry for entry in before.excluded if entry.finding not in done),
                "grouped": tuple(entry for entry in before.grouped if entry.finding not in done),
                "relabelled": tuple(entry for entry in before.relabelled if entry.finding not in done),
                "kept": tuple(entry for entry in before.kept if entry.finding not in done),
                "data": before.data if set(known) - done else None,
            }
        )
        facts = _facts(workspace) if (workspace.reports / FACTS_JSON).is_file() else None
        if facts is not None and not done <= {entry.id for entry in facts.findings if not entry.is_from_decision}:
            facts = None  # what only findings.toml knew has to be looked for again
        _write(after, facts, workspace)
    undone = _decision("undone", [name for name in known if name in done], excluded, grouped, workspace)
    relabelled = [entry for entry in before.relabelled if entry.finding in done]
    return replace(undone, n_relabelled=sum(len(entry.images) for entry in relabelled))


def keep_findings(names: Sequence[str], why: str, workspace: Workspace) -> Decision:
    """Leave findings as they are, with the reason.

    Args:
        names: Ids of findings.
        why: The reason, for people; not blank.
        workspace: Whose facts.json tells of them, and whose findings.toml is written.

    Raises:
        UsageError: There is no such finding, or no reason.
    """
    if why.strip() in ("", PLACEHOLDER):
        raise UsageError("Say with --why for what reason the finding is left as it is.")
    facts = _facts(workspace)
    chosen = _named(names, facts)
    done = {finding.id for finding in chosen}
    path = workspace.root / FINDINGS_TOML
    kept = [Accepted(images=finding.images, finding=finding.id, why=why) for finding in chosen]
    with one_at_a_time(path):
        before = read_adjustments(path)
        others = [entry for entry in before.kept if entry.finding not in done]
        write_adjustments(path, before.model_copy(update={"kept": (*others, *kept), "data": facts.data.name}))
    return _decision("kept", [entry.finding for entry in kept], [], [], workspace)


def _facts(workspace: Workspace) -> Facts:
    if not (workspace.reports / FACTS_JSON).is_file():
        raise RecordError(f"There are no facts in {workspace.reports} yet. 'imgcls eda' looks at the data.")
    return Facts.read(workspace.reports)


def _check_current(facts: Facts, workspace: Workspace) -> None:
    """Refuse facts of data that look different since: an image that was put right would be left out for good."""
    source = _source(facts, workspace)
    now = take_fingerprint(source, workspace) if source is not None and facts.data.fingerprint is not None else None
    if now is not None and now.fingerprint != facts.data.fingerprint:
        raise UsageError(
            "The data look different since 'imgcls eda' looked at them, so that its findings may not hold any more. "
            f"Look again first: imgcls eda{_again(workspace)}{workspace.as_option}"
        )


def _check_classes_stay(facts: Facts, workspace: Workspace, excluded: Sequence[Exclusion]) -> None:
    """Refuse to leave out all photographs of a class outside test: something else is wrong then.

    A set that lies inside itself once more, for one, makes each of its photographs a copy under another label.
    """
    from imgcls.data.samples import SEPARATOR  # loads pandas, which commands that read no data do without

    source = _source(facts, workspace)
    gone = {image for entry in excluded for image in entry.images}
    if source is None or not gone or (is_named_set(str(source.data)) and source.data != DEFAULT_DATA):
        return
    try:
        samples = decided_samples(source, workspace.root / FINDINGS_TOML)
    except DataError:  # whoever reads the data next says what is wrong with them
        return
    left: dict[str, bool] = {}
    for name, label, split in samples.frame[["id", "label", "split"]].itertuples(index=False, name=None):
        for one in (label.split(SEPARATOR) if samples.problem == "multilabel" else [label]) if split != "test" else []:
            left[one] = left.get(one, False) or as_utf8(name) not in gone
    if emptied := sorted(as_utf8(name) for name, stays in left.items() if name and not stays):
        findings = listed(dict.fromkeys(entry.finding for entry in excluded))
        raise UsageError(
            f"Applying {findings} would leave no photograph of {listed(map(repr, emptied))}, so nothing was applied. "
            "Find out why all of them are affected, such as folders that hold the same data twice (--exclude), and "
            "look again: imgcls eda"
        )


def _write(after: Adjustments, facts: Facts | None, workspace: Workspace) -> None:
    """Write what was decided, and let facts of the data as they are now, with all decisions, be of those it makes.

    What is decided about their own findings changes the data's digest, and nothing that they say. They are written
    first: after a kill in between, the same command still has findings.toml to write, and then both agree. The other
    way round it would find nothing to do, and leave facts of other data than there are.
    """
    source = _source(facts, workspace) if facts is not None and facts.data.key is not None else None
    now = take_fingerprint(source, workspace) if source is not None else None
    if facts is not None and source is not None and now is not None and now.key == facts.data.key:
        key = source.key(now.fingerprint, adjustments_bytes(after))
        facts.model_copy(update={"data": facts.data.model_copy(update={"key": key})}).write(workspace.reports)
    write_adjustments(workspace.root / FINDINGS_TOML, after)


def _source(facts: Facts, workspace: Workspace) -> DataSource | None:
    """Return how the data of the facts are read: as imgcls.toml says, else as they were; None where nobody knows."""
    if (problem := find_problem(workspace.root)) is not None:
        return problem.source(workspace.root)
    seen = _seen(facts.data.fingerprint, workspace)
    return None if seen is None else seen.source(workspace)


def _seen(fingerprint: str | None, workspace: Workspace) -> DatasetSummary | None:
    """Return what is remembered of the data that facts tell of."""
    return next((entry for entry in reversed(load_summaries(workspace)) if entry.fingerprint == fingerprint), None)


def _named(names: Iterable[str], facts: Facts) -> list[Finding]:
    """Return the findings of these ids, each once."""
    found = {finding.id: finding for finding in facts.findings}
    unknown = [name for name in names if name not in found]
    if unknown:
        there = f"There are {', '.join(found)}." if found else "There are none."
        raise UsageError.together(
            [f"There is no finding {name!r}.{nearest_hint(name, found)} {there}" for name in unknown]
        )
    return [found[name] for name in dict.fromkeys(names)]


def _applicable(finding: Finding) -> Finding:
    if finding.state == "applied":
        raise UsageError(f"Finding {finding.id!r} is applied already; 'imgcls eda undo' takes it back.")
    if finding.action is None or not finding.groups:
        raise UsageError(
            f"Finding {finding.id!r} has nothing that can be applied: {finding.advice} "
            "'imgcls eda keep' says that it was looked at."
        )
    return finding


def _decision(
    verb: Verb,
    names: Sequence[str],
    excluded: Sequence[Exclusion],
    grouped: Sequence[Grouping],
    workspace: Workspace,
) -> Decision:
    return Decision(
        verb=verb,
        findings=tuple(names),
        n_excluded=len({image for entry in excluded for image in entry.images}),
        n_grouped=len({image for entry in grouped for image in entry.images}),
        n_groups=len(grouped),
        path=workspace.root / FINDINGS_TOML,
        again=_again(workspace),
        out=workspace.as_option,
    )


def _again(workspace: Workspace) -> str:
    """Name the data of the facts again; nothing where imgcls.toml does, or where nobody knows them any more."""
    if (workspace.root / PROBLEM_TOML).is_file() or not (workspace.reports / FACTS_JSON).is_file():
        return ""
    seen = _seen(_facts(workspace).data.fingerprint, workspace)
    return seen.reading.as_argument() if seen is not None else ""
