"""Ladders that were run, as they are published: plans, verdicts, and which image each run got right.

The photographs are other people's, so neither they nor their names are published: images are row numbers.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from imgcls.config.metrics import Units
from imgcls.data.samples import as_targets
from imgcls.ladders.judge import judge_ladder
from imgcls.ladders.report_data import gather
from imgcls.ladders.spec import LADDER_JSON, RESULT_JSON, Ladder, find_ladder
from imgcls.ladders.state import JobState, LadderState, read_state
from imgcls.records.run import RunRecord
from imgcls.reports.page.render import html_page, markdown_page
from imgcls.reports.verdict_text import shown_verdict
from imgcls.text import with_between
from imgcls.workspace import Workspace

BEGIN, END = "<!-- ladders: written by 'make ladders' -->", "<!-- end of ladders -->"
CORRECT = "correct.csv.gz"
_PATHS = ("data", "images", "test", "findings")
"""Fields of a data source that say where its files lie."""


def publish(workspace: Workspace, name: str | None, folder: Path) -> Ladder:
    """Write what may be shown of a ladder.

    Args:
        workspace: Where it was run.
        name: Its name; None for the newest.
        folder: Where `ladder.json`, `result.json`, `correct.csv.gz`, `report.html` and `report.md` go.
    """
    ladder = find_ladder(name, workspace)
    state = read_state(ladder, workspace)
    data = gather(ladder, workspace, with_images=False)
    texts = {
        LADDER_JSON: _as_text(without_paths(ladder.to_json())),
        RESULT_JSON: _as_text(_without_platform(judge_ladder(state).to_json())),
        "report.html": html_page(data),
        "report.md": markdown_page(data),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        (folder / file).write_text(_without_places(text, ladder, workspace), encoding="utf-8")
    (folder / CORRECT).write_bytes(_packed(_lines(state)))
    return ladder


def read_correct(folder: Path) -> list[dict[str, Any]]:
    """Read `correct.csv.gz` back.

    Returns:
        One mapping a line: `what` (a rung's label, or `group`), `seed`, `fold` (numbers, or None) and `values`:
        [n images of that fold], whether each was right, the number of right labels, or the number of its group,
        counted within the fold.
    """
    text = gzip.decompress((folder / CORRECT).read_bytes()).decode("ascii")
    return [
        {
            "what": row["what"],
            "seed": int(row["seed"]) if row["seed"] else None,
            "fold": int(row["fold"]) if row["fold"] else None,
            "values": np.array(row["values"].split(" "), dtype=np.int64),
        }
        for row in csv.DictReader(io.StringIO(text))
    ]


def table(folder: Path) -> str:
    """Return the tables of all published ladders, from their results.

    Args:
        folder: Holds a folder for each.
    """
    found = sorted(folder.glob(f"*/{RESULT_JSON}"))
    return "\n\n".join(_one_table(path.parent.name, json.loads(path.read_text(encoding="utf-8"))) for path in found)


def with_tables(text: str, folder: Path) -> str:
    """Return a page with the tables between its two marks written again.

    Raises:
        ValueError: The marks are missing.
    """
    return with_between(text, BEGIN, END, table(folder))


def _lines(state: LadderState) -> Iterator[list[str]]:
    """Return the lines of `correct.csv.gz`: groups first, where there are any, then every run."""
    yield ["what", "seed", "fold", "values"]
    shown: set[int | None] = set()
    done = [entry for entry in state.jobs if entry.record is not None]
    for entry in done:
        if entry.job.fold not in shown and (numbers := _groups(entry)) is not None:
            shown.add(entry.job.fold)
            yield ["group", "", _text(entry.job.fold), numbers]
    for entry in done:
        label = state.ladder.rungs[entry.job.rung].label
        yield [label, str(entry.job.seed), _text(entry.job.fold), _right(_record(entry))]


def _record(entry: JobState) -> RunRecord:
    assert entry.record is not None  # noqa: S101 - only those that are done come here
    return entry.record


def _groups(entry: JobState) -> str | None:
    frame = _record(entry).predictions("valid")
    if "group" not in frame.columns:
        return None
    known: dict[str, int] = {}
    return " ".join(str(known.setdefault(name, len(known))) for name in frame["group"])


def _right(record: RunRecord) -> str:
    """Return 1 or 0 for every image, or the number of right labels where images have several."""
    frame = record.predictions("valid")
    p = frame[[f"p_{name}" for name in record.classes]].to_numpy(dtype=np.float64)
    targets = as_targets(frame["label"], classes=record.classes, problem=record.problem)
    right = ((p > 0.5) == (targets == 1)).sum(axis=1) if targets.ndim == 2 else p.argmax(axis=1) == targets
    return " ".join(str(int(value)) for value in right)


def _text(number: int | None) -> str:
    return "" if number is None else str(number)


def _packed(lines: Iterator[list[str]]) -> bytes:
    """Return lines as a compressed table; the time is left out, so that the same lines are the same bytes."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return gzip.compress(text.getvalue().encode("ascii"), mtime=0)


def _as_text(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def without_paths(ladder: dict[str, Any]) -> dict[str, Any]:
    """Return a ladder, or a climb, in JSON without saying where its data lie."""
    return {**ladder, "data": {name: value for name, value in ladder["data"].items() if name not in _PATHS}}


def _without_platform(result: dict[str, Any]) -> dict[str, Any]:
    """Leave out what tells of the machine and not of the ladder."""
    environment = {name: value for name, value in result["environment"].items() if name != "platform"}
    return {**result, "environment": environment}


def _without_places(text: str, ladder: Ladder, workspace: Workspace) -> str:
    """Leave out where this machine keeps things: the reason of a run that failed may tell."""
    given = [Path(place) for name in _PATHS if (place := getattr(ladder.data, name))]
    places = [
        path for path in (workspace.root, Path.home(), *given) if path.is_absolute() and path != Path(path.anchor)
    ]
    # the longest first: what is left of a folder inside another would still be told
    for place in sorted(map(str, places), key=len, reverse=True):
        text = re.sub(rf"(?<![\w<]){re.escape(place)}(?!\w)", "...", text)
    return text


def _one_table(name: str, result: Mapping[str, Any]) -> str:
    units, data = Units(result["metric"]), result["data"]
    groups = f" in {data['n_groups']} groups" if data["n_groups"] else ""
    whole = " of whole groups" if groups else ""
    folds = f", {result['n_folds']} folds{whole}" if result["n_folds"] else ""
    n_planned = sum(rung["n_planned"] for rung in result["rungs"])
    n_done = sum(len(rung["runs"]) for rung in result["rungs"])
    head = (
        f"**{name}**: {units.title} on {data['n_images']} images{groups}, {len(result['seeds'])} seeds{folds}, "
        f"{n_done} of {n_planned} runs, {result['environment'].get('device_name', '')}"
    )
    gain = f"gain ({units.name}) over"
    columns = (f"{gain} the rung below", "verdict", f"{gain} the base", "verdict", "seconds a run")
    rows = [f"| rung | {units.title} | {' | '.join(columns)} |", "|---" * (len(columns) + 2) + "|"]
    for rung in result["rungs"]:
        cells = [*_gain(units, rung["step"]), *_gain(units, rung["total"]), _seconds(rung["seconds"])]
        rows.append(f"| {rung['label']} | {_score(units, rung['score'])} | {' | '.join(cells)} |")
    return "\n".join([head, "", *rows])


def _score(units: Units, estimate: Mapping[str, Any] | None) -> str:
    """Return a score with its interval, as far as there are any."""
    if estimate is None:
        return "-"
    interval = units.score_interval(estimate["low"], estimate["high"])
    return " ".join(filter(None, [units.score(estimate["value"]), interval]))


def _gain(units: Units, judged: Mapping[str, Any] | None) -> tuple[str, str]:
    """Return a gain with its interval, and its verdict; both empty for the base, and before there are runs."""
    if judged is None:
        return "", ""
    between = "" if judged["low"] is None else f" {units.interval(judged['low'], judged['high'])}"
    return f"{units.gain(judged['value'])}{between}", shown_verdict(judged["verdict"])


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.0f}"
