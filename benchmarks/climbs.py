"""Climbs on the sets of the study: what each chose within its budget, and what may be claimed of it."""

from __future__ import annotations

from pathlib import Path

import imgcls
from benchmarks.publishing import without_paths
from benchmarks.study import BASE, StudySet
from imgcls.config.metrics import Units
from imgcls.ladders.climb import CLIMB_JSON, ClimbRecord
from imgcls.reports.climb import cells, claims
from imgcls.storage import write_json
from imgcls.text import duration, with_between

BEGIN, END = "<!-- climbs: written by 'make study' -->", "<!-- end of climbs -->"


def climb_set(chosen: StudySet, *, place: Path, home: Path, budget: str, to: Path, base: str = BASE) -> ClimbRecord:
    """Climb on a set, or find what an earlier climb chose there, and keep it without paths.

    Args:
        chosen: The set.
        place: The folder of test data.
        home: A folder with a workspace for each set.
        budget: What the trainings may take.
        to: The folder that `NAME/climb.json` goes to.
        base: The stack that it begins from.
    """
    source = chosen.source(place, home / chosen.name)
    found = imgcls.climb(base, source, budget=budget, metric=chosen.metric, workspace=home / chosen.name)
    folder = to / chosen.name
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / CLIMB_JSON, without_paths(found.to_json()) | {"pair": {}})
    return found


def table(folder: Path) -> str:
    """Return what the kept climbs chose and tried, as Markdown.

    Args:
        folder: Holds `NAME/climb.json`.
    """
    files = sorted(folder.glob(f"*/{CLIMB_JSON}"))
    return "\n\n".join(_one(path.parent.name, ClimbRecord.read(path.parent)) for path in files)


def with_climbs(text: str, folder: Path) -> str:
    """Return a page with the climbs between its two marks written again.

    Raises:
        ValueError: The marks are missing.
    """
    return with_between(text, BEGIN, END, table(folder))


def _one(name: str, record: ClimbRecord) -> str:
    units = Units(record.metric)
    told = "; ".join(f"{claim.over}: {claim.verdict}{claim.gain}" for claim in claims(record))
    turns = f"{record.n_folds} folds" if record.n_folds else f"{record.n_seeds} seeds"
    score = "" if record.score is None else f", expected {units.title} {units.score(record.score.value)}"
    head = (
        f"**{name}**: `{record.chosen}`{score}. {told}. {turns}, {duration(record.seconds)} of "
        f"{duration(record.budget_seconds)}."
    )
    rows = [
        f"| tried | turns | {units.title} | gain over the base | a training | outcome |",
        "|---|--:|--:|--:|--:|---|",
    ]
    rows += [f"| {' | '.join((record.short(one.stack), *cells(one, record)))} |" for one in record.tried]
    return "\n".join([head, "", *rows])
