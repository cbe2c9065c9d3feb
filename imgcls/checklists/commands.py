"""Next commands of the checklist, which can be typed as they are."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgcls.catalog import Stack
from imgcls.checklists.evidence import Evidence, gather
from imgcls.checklists.items import Item, ItemState
from imgcls.checklists.sentences import Said, said
from imgcls.checklists.verdicts import LadderStatus
from imgcls.data.files import DEFAULT_DATA
from imgcls.data.source import DataSource
from imgcls.errors import ImgclsError
from imgcls.plan import Plan, set_options
from imgcls.predictions.submission import has_test
from imgcls.records.blend import whole_members
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace

N_NEXT = 3
SEEDS = 3
FOLDS = 5
_BASE = "baseline"


def command_for(item: Item, evidence: Evidence) -> str | None:
    """Fill in the command of an item.

    Args:
        item: The item.
        evidence: What the workspace holds.

    Returns:
        None where there is no command, or what it needs is not there yet.
    """
    if item.command is None:
        return None
    stack, overrides = _to_build_on(evidence) if "{stack}" in item.command else _base(evidence)
    words = {
        "data": data_argument(evidence),
        "options": data_option(evidence),
        "set": set_options(overrides),
        "seeds": str(SEEDS),
        "base": shlex.quote(stack),
        "stack": shlex.quote(stack),
        "recipe": _recipe_on(stack, overrides, item.recipes, home=evidence.workspace.root),
        "run": _run_to_submit(item, evidence),
        "several": to_blend(evidence) if "{several}" in item.command else None,
    }
    if any(word is None and f"{{{name}}}" in item.command for name, word in words.items()):
        return None
    return item.command.format_map(words)


def ladder_again(climb: LadderStatus, evidence: Evidence, *, n_seeds: int) -> str:
    """Return the command that goes on with a ladder, or makes it again on the data as they are."""
    ladder = climb.ladder
    words = ["imgcls", "ladder", "ablate" if ladder.kind == "ablate" else "run", ladder.typed, "--seeds", str(n_seeds)]
    if ladder.n_folds is not None:
        words += ["--folds", str(ladder.n_folds)]
    return f"{shlex.join(words)}{set_options(ladder.overrides)}{data_option(evidence)}"


def next_commands(states: Sequence[ItemState], *, most: int = N_NEXT) -> tuple[str, ...]:
    """Return the first commands that would tick what is open or stale, each once, in the order of the method."""
    found = dict.fromkeys(
        state.command for state in states if state.state in ("open", "stale") and state.command is not None
    )
    return tuple(found)[:most]


def _to_build_on(evidence: Evidence) -> tuple[str, Mapping[str, Any]]:
    """Return the stack that the newest ladder recommends, else the baseline, with what is set by hand on its base."""
    climb = evidence.climb
    if climb is not None and climb.incumbent is not None:
        return climb.ladder.rungs[climb.incumbent].stack, climb.ladder.overrides
    return _base(evidence)


def _base(evidence: Evidence) -> tuple[str, Mapping[str, Any]]:
    run = evidence.baseline
    return (_BASE, {}) if run is None else (run.stack, run.overrides)


def _recipe_on(stack: str, overrides: Mapping[str, Any], recipes: Sequence[str], *, home: Path) -> str | None:
    """Choose the first recipe that goes with a stack."""
    for recipe in recipes:
        with suppress(ImgclsError):  # it stands there already, conflicts, or needs what is not there
            Stack.parse(f"{stack}+{recipe}", overrides, home=home)
            return recipe
    return None


def _run_to_submit(item: Item, evidence: Evidence) -> str | None:
    if item.id == "base.submit":
        run = run_to_submit(evidence)
        return shlex.quote(run.id) if run is not None else None
    climb = evidence.climb
    if finals := evidence.finals_of(climb):
        return shlex.quote(finals[-1].id)
    return shlex.quote(climb.incumbent_runs[0]) if climb is not None and climb.incumbent_runs else None


def to_blend(evidence: Evidence) -> str | None:
    """Name a ladder, or a stack, of which there are several networks (over folds: seeds) to blend."""
    climb = evidence.climb
    if climb is not None and len(_members(evidence, climb.incumbent_runs)) > 1:
        return shlex.quote(climb.ladder.name)
    counts = Counter((member[0].label, tuple(run.data.split_digest for run in member)) for member in _members(evidence))
    return next((shlex.quote(stack) for (stack, _), n in counts.most_common(1) if n > 1), None)


def _members(evidence: Evidence, ids: Sequence[str] | None = None) -> list[tuple[RunRecord, ...]]:
    """Return what could be members of a blend, of runs that hold; ids are those that count, None for all."""
    return whole_members(
        run for run in evidence.runs if (ids is None or run.id in ids) and not evidence.change_since_run(run)
    )


def run_to_submit(evidence: Evidence) -> RunRecord | None:
    """Return the newest run of the baseline that holds and whose one network has predicted the test part."""
    return next((run for run in evidence.baselines if run.fold is None and has_test(run)), None)


@dataclass(frozen=True)
class Recommended:
    """A run whose predictions are worth handing in."""

    run: str
    """Its id."""
    why: Said
    """What recommends it."""


def recommended(workspace: Workspace) -> Recommended | None:
    """Return a run of the stack that the newest ladder recommends, first one that was trained on all the data.

    Returns:
        None where no ladder holds, or no run has a test part.
    """
    evidence = gather(workspace)
    climb = evidence.climb
    if climb is None:
        return None
    judged = [run for run in evidence.runs if run.id in climb.incumbent_runs]
    runs = (run for run in (*reversed(evidence.finals_of(climb)), *judged) if has_test(run))
    run = next((run for run in runs if run.fold is None), None)
    return None if run is None else Recommended(run.id, said("{file} recommends its stack", file=climb.file))


def another_seed(evidence: Evidence) -> str | None:
    """Return the command that trains the newest stack with one seed more; None where no run holds."""
    members = _members(evidence)
    if not members:
        return None
    run = members[-1][-1]
    folds = "" if run.n_folds is None else f" --folds {run.n_folds}"
    words = f"{shlex.quote(run.stack)} --seed {run.seed + 1}{folds}"
    return f"imgcls recipe run {words}{set_options(run.overrides)}{data_option(evidence)}"


def without_folds(run: RunRecord, evidence: Evidence) -> str:
    """Return the command that trains the one network that a run in folds does not leave."""
    return f"imgcls recipe run {shlex.quote(run.stack)}{set_options(run.overrides)}{data_option(evidence)}"


def again(run: RunRecord, evidence: Evidence) -> str:
    """Return the command that trains a run once more and compares the bits."""
    folds = "" if run.n_folds is None else f" --folds {run.n_folds}"
    words = f"{shlex.quote(run.stack)} --seed {run.seed}{folds} --again"
    return f"imgcls recipe run {words}{set_options(run.overrides)}{data_option(evidence)}"


def in_folds(run: RunRecord, evidence: Evidence) -> str:
    """Return the command that lets every photograph validate once, where one part is too small to tell."""
    return (
        f"imgcls recipe run {shlex.quote(run.stack)} --folds {FOLDS}{set_options(run.overrides)}{data_option(evidence)}"
    )


def at_a_third_of_the_rate(run: RunRecord, evidence: Evidence) -> str:
    """Return the command that trains again more slowly, where training undid what was there."""
    rate = Plan.from_json(run.plan).optimizer.learning_rate / 3
    overrides = {**run.overrides, "optimizer.learning_rate": float(f"{rate:.1g}")}
    return f"imgcls recipe run {shlex.quote(run.stack)}{set_options(overrides)}{data_option(evidence)}"


def look_again(evidence: Evidence) -> str:
    """Return the command that looks at the data."""
    return f"imgcls eda{data_argument(evidence)}"


def data_argument(evidence: Evidence) -> str:
    """Name the data for a command that takes them in place: nothing where imgcls.toml does, or nothing is known."""
    return _source(evidence).as_argument()


def data_option(evidence: Evidence) -> str:
    """Name the data for a command that takes them as an option, likewise."""
    return _source(evidence).as_options()


def _source(evidence: Evidence) -> DataSource:
    """Return how the data have to be named: as they were read last, unless imgcls.toml does it."""
    if evidence.problem is not None:
        return DataSource()
    if evidence.present.seen is not None:
        return evidence.present.seen.reading
    if evidence.climbs:
        return evidence.climbs[-1].ladder.data
    source = evidence.facts.data.source if evidence.facts is not None else ""
    return DataSource(source) if source not in ("", DEFAULT_DATA) else DataSource()
