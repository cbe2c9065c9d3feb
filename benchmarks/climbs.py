"""Climbs on the sets of the study: what each chose within its budget, and what may be claimed of it."""

from __future__ import annotations

from pathlib import Path

import imgcls
from benchmarks.publishing import without_paths
from benchmarks.study import BASE, StudySet
from imgcls.config.metrics import Units
from imgcls.ladders.climb import CLIMB_JSON, ClimbRecord
from imgcls.reports.verdict_text import shown_verdict
from imgcls.storage import write_json
from imgcls.text import duration

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
    return "\n\n".join(_one(path.parent.name, ClimbRecord.read(path.parent)) for path in _files(folder))


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*/{CLIMB_JSON}"))


def _one(name: str, record: ClimbRecord) -> str:
    units = Units(record.metric)
    turns = f"{record.n_folds} folds" if record.n_folds else f"{record.n_seeds} seeds"
    claims = [
        f"{shown_verdict(gain.verdict)} over {other}, {units.gain_text(gain.value, gain.low, gain.high)}"
        for gain, other in ((record.gain, "the baseline"), (record.over_default, "the default ladder's stack"))
        if gain is not None
    ]
    score = "" if record.score is None else f", expected {units.title} {units.score(record.score.value)}"
    head = (
        f"**{name}**: `{record.chosen}`{score}; {'; '.join(claims)}. {turns}, {duration(record.seconds)} of "
        f"{duration(record.budget_seconds)}."
    )
    rows = [
        f"| tried | turns | {units.title} | gain over the base | a training | outcome |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for one in record.tried:
        gain = "" if one.gain is None or one.stack == record.stack else units.gain(one.gain)
        outcome = one.outcome.replace(f"{record.stack}+", "+")
        cells = (record.short(one.stack), str(one.n_turns or "-"), units.score(one.score), gain, duration(one.seconds))
        rows.append(f"| {' | '.join(cells)} | {outcome} |")
    return "\n".join([head, "", *rows])
