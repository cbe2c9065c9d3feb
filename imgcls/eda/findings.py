"""Facts that ask for action, with what was decided about them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from imgcls.eda.copies import Copies
from imgcls.eda.facts import Facts, Finding
from imgcls.eda.giveaways import find_giveaways
from imgcls.eda.grouping import Kinship
from imgcls.eda.left_out import find_left_out
from imgcls.eda.look import Look
from imgcls.eda.metadata import MetaTable
from imgcls.eda.shortcomings import find_shortcomings
from imgcls.eda.wording import amount, some
from imgcls.problem.adjustments import Adjustments, Exclusion, Grouping

_WORST_FIRST = {"error": 0, "warning": 1, "note": 2}


def find(
    facts: Facts,
    look: Look,
    *,
    tables: Sequence[MetaTable],
    adjustments: Adjustments,
    again: str = "",
    out: str = "",
) -> tuple[Finding, ...]:
    """Turn facts into findings, the worst first, and those that are dealt with last.

    What was applied is not seen any more: excluded images are not looked at, and copies that stay together need
    nothing. So a finding that is seen again is open again, for its new images, and what was applied without being
    seen again is told from what findings.toml holds. What was kept is open again once it is about other images.

    Args:
        facts: Everything but the findings.
        look: What they were measured on.
        tables: What else is known of the samples.
        adjustments: What was decided before.
        again: The options that name the data again in commands; empty where the workspace knows.
        out: The option that names the workspace in commands; empty where it is found without.
    """
    kinship = Kinship.of(look.scan.samples)
    frozen = frozenset(look.scan.samples.frame["id"][look.is_frozen])
    found = [
        *find_shortcomings(facts, look, again=again),
        *find_left_out(facts),
        *Copies(facts.duplicates, frozen, kinship).findings(),
        *find_giveaways(facts, look, tables, kinship),
    ]
    found = [_looked_at(finding, adjustments) for finding in found]
    found += _applied(adjustments, seen=[finding.id for finding in found if finding.action is not None])
    seen = dict.fromkeys(finding.id for finding in found)  # of two with one name the later is the applied one
    by_name = {finding.id: finding for finding in found}
    return tuple(sorted((_placed(by_name[name], out) for name in seen), key=_place))


def _looked_at(finding: Finding, adjustments: Adjustments) -> Finding:
    """Say that a finding was kept, or that it was kept for other images than it is about now."""
    if adjustments.keeps(finding.id, finding.images):
        return finding.model_copy(update={"state": "kept"})
    before = {image for entry in adjustments.kept if entry.finding == finding.id for image in entry.images}
    if not before:
        return finding
    n_new = len(set(finding.images) - before)
    return finding.model_copy(update={"advice": f"It was kept before {amount(n_new, 'image')} came. {finding.advice}"})


def _placed(finding: Finding, out: str) -> Finding:
    """Name the workspace in the command of a finding."""
    return finding.model_copy(update={"command": finding.command + out}) if finding.command and out else finding


def _place(finding: Finding) -> tuple[bool, int]:
    return finding.state != "open", _WORST_FIRST[finding.severity]


def _applied(adjustments: Adjustments, *, seen: Iterable[str]) -> list[Finding]:
    """Tell of the findings that were applied and have nothing new."""
    decided: list[Exclusion | Grouping] = [*adjustments.excluded, *adjustments.grouped]
    entries: dict[str, list[Exclusion | Grouping]] = {}
    for entry in decided:
        entries.setdefault(entry.finding, []).append(entry)
    for name in seen:
        entries.pop(name, None)
    return [_told(name, found) for name, found in entries.items()]


def _told(name: str, entries: Sequence[Exclusion | Grouping]) -> Finding:
    images = list(dict.fromkeys(image for entry in entries for image in entry.images))
    is_excluded = isinstance(entries[0], Exclusion)
    return Finding(
        id=name,
        severity="note",
        title=f"{amount(len(images), 'image')} {'left out' if is_excluded else 'kept together'}: {entries[0].why}",
        n=len(images),
        examples=some(images),
        advice="Nothing has to be done; the photographs themselves were not touched.",
        command=shlex.join(["imgcls", "eda", "undo", name]),
        action="exclude" if is_excluded else "group",
        state="applied",
    )
