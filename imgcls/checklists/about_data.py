"""Stage 2: what looking at the data gave, and whether it still holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from imgcls.checklists.evidence import FACTS, Evidence
from imgcls.checklists.states import BY_HAND, Answer
from imgcls.eda.facts import Facts, FileFacts, Finding
from imgcls.problem.adjustments import FINDINGS_TOML

LEAKS = ("duplicates.across", "duplicates.conflict")
_SHEET = "sheet: "
_MOST_NAMED = 3
_COUNTED = ("photographs", "labels", "sealed labels")
"""Roles that say what the number of a file counts."""


def of_facts(rule: Callable[[Facts, Evidence], Answer]) -> Callable[[Evidence], Answer]:
    """Make a rule over facts one over all evidence: without facts it is open, and stale when they no longer hold."""

    def answered(evidence: Evidence) -> Answer:
        if evidence.facts is None:
            is_damaged = any(FACTS.rpartition("/")[2] in damage.reason for damage in evidence.damages)
            return Answer.missing(f"{FACTS} cannot be read" if is_damaged else "nobody looked at the data yet")
        answer = rule(evidence.facts, evidence)
        if answer.state == "done":
            return Answer.proved(answer.evidence, evidence.facts_change)
        return answer

    return answered


def files(facts: Facts, _: Evidence) -> Answer:
    """Whether the files have their roles, and the images are counted."""
    named = [_described(entry) for entry in facts.files[:_MOST_NAMED]] or ["one set"]
    more = ["…"] if len(facts.files) > _MOST_NAMED else []
    parts = ", ".join(f"{n:,} {split}" for split, n in facts.data.n.items() if n)
    return Answer.proved(f"{FACTS}: {', '.join([*named, *more])}; {parts}")


def targets(facts: Facts, evidence: Evidence) -> Answer:
    """Whether classes were counted and drawn."""
    drawn = _drawn(facts, evidence, ["classes"])
    if not drawn:
        return Answer.missing(f"{FACTS} has the classes, but no picture of them was drawn")
    imbalance = facts.imbalance
    return Answer.proved(
        f"{FACTS}, {drawn[0]}: {len(facts.classes)} classes, the largest {imbalance.ratio:.1f} times the smallest, "
        f"{imbalance.rarest}, which has {imbalance.n_valid_rarest} validation images"
    )


def images(facts: Facts, evidence: Evidence) -> Answer:
    """Whether contact sheets were drawn; of many classes the most frequent ones have sheets."""
    names = [entry.name for entry in facts.classes]
    drawn = _drawn(facts, evidence, [f"{_SHEET}{name}" for name in names])
    if not drawn:
        return Answer.missing(f"{FACTS} names no contact sheet that is still there")
    if len(drawn) < len([name for name in facts.pictures if name.startswith(_SHEET)]):
        return Answer.missing(f"only {len(drawn)} contact sheets of those in {FACTS} are still there")
    which = f"{len(names)} classes" if len(drawn) == len(names) else f"{len(drawn)} of {len(names)} classes"
    return Answer.proved(f"{FACTS}, {drawn[0]}: contact sheets of {which}")


def sizes(facts: Facts, _: Evidence) -> Answer:
    """Whether sizes and quality were measured."""
    width, height = facts.sizes.width_px.middle, facts.sizes.height_px.middle
    n_sizes = "all of one size" if facts.sizes.n_sizes == 1 else f"{facts.sizes.n_sizes:,} sizes"
    broken = f"{len(facts.broken)} broken" if facts.broken else "no broken file"
    return Answer.proved(
        f"{FACTS}: {width:.0f} x {height:.0f} px in the middle, {n_sizes}, {broken}; "
        f"{facts.sizes.recommended_px} px to begin with"
    )


def leaks(facts: Facts, evidence: Evidence) -> Answer:
    """Whether no copies lie in two parts or under two labels, or all of them are dealt with."""
    found = [entry for entry in facts.findings if entry.id.startswith(LEAKS)]
    left = [entry for entry in found if not evidence.deals_with(entry)]
    if left:
        command = None if evidence.is_damaged(FINDINGS_TOML) else left[0].command
        return Answer.missing(f"{FACTS}: {_listed(left)}", command or BY_HAND)
    if found:
        return Answer.proved(f"findings.toml deals with {', '.join(entry.id for entry in found)}")
    return Answer.proved(f"{FACTS}: {_copies(facts)} across parts or under two labels")


def _described(entry: FileFacts) -> str:
    """Name a file, and what it is for: `images (885 photographs)`, `sample.csv (sample submission, 300)`."""
    held = f"{entry.n:,} {entry.role}" if entry.role in _COUNTED else f"{entry.role}, {entry.n:,}"
    return f"{entry.path} ({held})"


def _listed(findings: Sequence[Finding]) -> str:
    return "; ".join(f"{entry.id}: {entry.n}" for entry in findings)


def _drawn(facts: Facts, evidence: Evidence, names: Sequence[str]) -> list[str]:
    """Give the files of pictures that were drawn and are still there, relative to the workspace."""
    known = [facts.pictures[name] for name in names if name in facts.pictures]
    return [f"reports/{file}" for file in known if (evidence.workspace.reports / file).is_file()]


def _copies(facts: Facts) -> str:
    """Say that there are no copies of the kind in question, and how many there are of others."""
    n = len(facts.duplicates)
    return f"none of {n:,} pair{'s' * (n != 1)} of copies" if n else "no copies"
