"""Final test: baseline and incumbent scored on the sealed test part, and each opening of it written in the ledger."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from imgcls.config.decision import DECISION_TOML, read_decision
from imgcls.data.samples import Samples, as_targets
from imgcls.errors import RecordError, UsageError
from imgcls.evidence.contributions import Floats, contributions
from imgcls.evidence.decide import RuleScores
from imgcls.evidence.gains import measure, score
from imgcls.evidence.validated import Validated
from imgcls.evidence.variance import group_numbers
from imgcls.evidence.verdicts import Judged, judge
from imgcls.ladders.judge import LadderResult, judge_ladder, verdict_record
from imgcls.ladders.predictions import shares_weights
from imgcls.ladders.report_data import find_photographs
from imgcls.ladders.results import SCHEMA, FinalRecord, TestedPromise, ValidationScores
from imgcls.ladders.spec import FINAL_JSON, Ladder
from imgcls.ladders.state import LadderState, read_state
from imgcls.predictions.submission import TEST_FILE
from imgcls.records.blend import BlendRecord, find_blends
from imgcls.records.lock import FolderLock
from imgcls.records.run import Estimate, RunRecord
from imgcls.schema import to_json
from imgcls.storage import write_bytes, write_json
from imgcls.text import as_utf8
from imgcls.workspace import LEDGER, Workspace

_LEDGER_SECONDS = 60.0
_RESTORE = "Restore it from a copy, or move it away: it counts how often a test part was opened."
_COLUMNS = (
    "time",
    "data",
    "ladder",
    "metric",
    "n_images",
    "baseline",
    "baseline_score",
    "incumbent",
    "incumbent_score",
    "gain",
)


@dataclass(frozen=True)
class Final:
    """Scores and gain of a ladder on the sealed test part."""

    ladder: str
    """The ladder's name."""
    metric: str
    """The primary metric."""
    baseline: str
    """The stack of the base."""
    incumbent: str
    """The stack that the ladder recommends."""
    n_images: int
    """Test images with a label."""
    n_groups: int
    """The groups that they come in; 0 where they stand alone."""
    baseline_score: Estimate
    """The base on test."""
    incumbent_score: Estimate
    """The incumbent on test."""
    judged: Judged | None
    """The gain on test; None where the incumbent is the base."""
    validation: Judged | None
    """The gain on validation, which is optimistic: the incumbent was chosen by it."""
    n_openings: int
    """How often this test part was scored, this time included."""
    baseline_validation: Estimate | None = None
    """The base on validation, to hold its score on test against."""
    incumbent_validation: Estimate | None = None
    """The incumbent on validation, likewise; optimistic, since it was chosen there."""
    promises: tuple[TestedPromise, ...] = ()
    """What was promised by the decision for a run of the ladder, or a blend of such runs."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        record = FinalRecord(
            ladder=self.ladder,
            metric=self.metric,
            baseline=self.baseline,
            incumbent=self.incumbent,
            n_images=self.n_images,
            n_groups=self.n_groups,
            baseline_score=self.baseline_score,
            incumbent_score=self.incumbent_score,
            test=verdict_record(self.judged),
            validation=verdict_record(self.validation),
            n_openings=self.n_openings,
            validation_scores=ValidationScores(self.baseline_validation, self.incumbent_validation),
            promises=self.promises or None,
        )
        return {"schema": SCHEMA, **to_json(record)}


def open_test(ladder: Ladder, workspace: Workspace, *, incumbent: int | None = None) -> Final:
    """Score baseline and incumbent on the sealed test part, and write the opening in the ledger.

    What came out is kept as final.json in the ladder's folder.

    Args:
        ladder: A ladder that was climbed to its end.
        workspace: Where its records and the ledger lie.
        incumbent: The number of the rung to score; None for the one that the ladder recommends.

    Raises:
        UsageError: The ladder is not finished, recipes were left out instead of added, or there is no test part
            with labels.
        RecordError: Records or the ledger are damaged.
    """
    if ladder.kind != "climb":
        raise UsageError(f"Ladder {ladder.name} leaves recipes out; the test part is for a ladder that was climbed.")
    state = read_state(ladder, workspace)
    if not state.is_complete:
        raise UsageError(f"Ladder {ladder.name} is not finished; 'imgcls ladder run {ladder.typed}' goes on with it.")
    result = judge_ladder(state)
    test = find_photographs(ladder, workspace).part("test")
    labelled = [place for place, known in enumerate(test.is_labelled) if known]
    if not labelled:
        raise UsageError(f"{test.name} has no test part with labels, so there is nothing to open.")
    if not _runs(state, 0):
        raise UsageError(f"No run of the base of {ladder.name} is done; 'imgcls ladder run' with --retry-failed tries.")
    lock = FolderLock.take(workspace.ladders, wait_seconds=_LEDGER_SECONDS)  # two openings at once are two rows
    try:
        before = _read_ledger(workspace)
        top = result.incumbent if incumbent is None else incumbent
        openings = 1 + sum(row["data"] == _mark(ladder) for row in before)
        final = _score_on_test(state, result, test, top=top, openings=openings)
        final = replace(final, promises=_tested_promises(state, test, workspace))
        _write_ledger(workspace, [*before, _row(final, ladder)])
        write_json((ladder.folder or workspace.ladders / ladder.name) / FINAL_JSON, final.to_json())
    finally:
        lock.release()
    return final


def _runs(state: LadderState, rung: int) -> list[RunRecord]:
    return [entry.record for entry in state.of(rung) if entry.record is not None]


def _tested_promises(state: LadderState, test: Samples, workspace: Workspace) -> tuple[TestedPromise, ...]:
    """Return what test says of the promises of decision.toml; nothing where it was made for networks of no rung."""
    path = workspace.root / DECISION_TOML
    if not path.exists():
        return ()
    runs = [entry.record for entry in state.jobs if entry.record is not None]
    decision, ids = read_decision(path), {run.id for run in runs}
    members = ((blend, {run for one in blend.members for run in one.runs}) for blend in find_blends(workspace)[0])
    able: list[RunRecord | BlendRecord] = [*runs, *(blend for blend, of in members if of <= ids)]
    record = next((one for one in able if one.key == decision.key), None)
    if record is None or TEST_FILE not in record.files:
        return ()
    said = record.predictions("test").set_index("id")[[f"p_{name}" for name in record.classes]]
    frame = test.frame[list(test.is_labelled)].assign(id=lambda part: part["id"].map(as_utf8)).set_index("id")
    frame = frame[frame.index.isin(said.index)]
    images = Validated(
        ids=tuple(frame.index),
        labels=tuple(frame["label"]),
        probabilities=said.loc[frame.index].to_numpy(dtype=np.float64),
        targets=as_targets(frame["label"], classes=record.classes, problem=record.problem),
        groups=tuple(frame["group"]),
        folds=None,
        problem=decision.type,
        classes=decision.classes,
    )
    scores = RuleScores.of(images, decision.answers(images.probabilities), None)
    place = {name: number for number, name in enumerate(decision.classes)}
    return tuple(
        TestedPromise(
            what=one.what,
            of=one.of,
            at_least=one.at_least,
            shown=one.shown,
            found=scores.found(one.what, place[one.of]),
            n_false=scores.n_false[place[one.of]],
        )
        for one in decision.promises
    )


def _rows(
    state: LadderState,
    rung: int,
    ids: Sequence[str],
    labels: Sequence[str],
    groups: npt.NDArray[np.intp] | None,
) -> dict[int, Floats]:
    """Return contributions [images] by seed; folds of one seed are averaged: they share most of their training."""
    by_seed: dict[int, list[Floats]] = {}
    for run in _runs(state, rung):
        frame = run.predictions("test").set_index("id")
        if missing := [name for name in ids if name not in frame.index]:
            raise RecordError(f"Run {run.id} has no prediction of {missing[0]!r} in test; the data changed since.")
        probabilities = frame.loc[list(ids), [f"p_{name}" for name in run.classes]].to_numpy(dtype=np.float64)
        targets = as_targets(labels, classes=run.classes, problem=run.problem)
        problem: Any = run.problem
        by_seed.setdefault(run.seed, []).append(
            contributions(
                state.ladder.metric, probabilities, targets, problem=problem, classes=run.classes, groups=groups
            )
        )
    return {seed: np.mean(rows, axis=0) for seed, rows in sorted(by_seed.items())}


def _row(final: Final, ladder: Ladder) -> dict[str, str]:
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": _mark(ladder),
        "ladder": final.ladder,
        "metric": final.metric,
        "n_images": str(final.n_images),
        "baseline": final.baseline,
        "baseline_score": f"{final.baseline_score.value}",
        "incumbent": final.incumbent,
        "incumbent_score": f"{final.incumbent_score.value}",
        "gain": f"{final.judged.value if final.judged else 0.0}",
    }


def _mark(ladder: Ladder) -> str:
    """Return what identifies a test part: the digest of its data."""
    return ladder.data_digest[:16]


def _write_ledger(workspace: Workspace, rows: Sequence[Mapping[str, str]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(workspace.root / LEDGER, as_utf8(text.getvalue()).encode())


def _score_on_test(state: LadderState, result: LadderResult, test: Samples, *, top: int, openings: int) -> Final:
    ladder = state.ladder
    names = [as_utf8(name) for name in test.frame["id"]]
    labels = dict(zip(names, test.frame["label"], strict=True))
    groups = dict(zip(names, test.frame["group"], strict=True))
    scored = _runs(state, 0)[0].predictions("test")["id"].tolist()
    if gone := [name for name in scored if name not in labels]:
        raise RecordError(
            f"{len(gone)} of {len(scored)} test photographs are gone, such as {gone[0]!r}; the data changed since. "
            "Restore them: a score of the rest would be another one."
        )
    ids = [name for name in scored if labels[name]]
    numbers = group_numbers([groups[name] for name in ids], n=len(ids))
    by_seed = {rung: _rows(state, rung, ids, [labels[name] for name in ids], numbers) for rung in {0, top}}
    rows = {rung: np.stack(list(found.values())) for rung, found in by_seed.items()}
    judged = None
    if top:
        sides = [{(run.fold, run.seed): run for run in _runs(state, rung)} for rung in (0, top)]
        same_weights = shares_weights(sides[0], sides[1])
        before, after = rows[0], rows[top]
        if same_weights:  # then only the seeds that both have count
            seeds = [seed for seed in by_seed[0] if seed in by_seed[top]]
            before, after = (np.stack([by_seed[rung][seed] for seed in seeds]) for rung in (0, top))
        gain = measure(before, after, same_weights=same_weights, groups=numbers)
        judged = judge([gain], smallest_gain=ladder.smallest_gain)[0]
    return Final(
        ladder=ladder.name,
        metric=ladder.metric,
        baseline=ladder.rungs[0].printed,
        incumbent=ladder.rungs[top].printed,
        n_images=len(ids),
        n_groups=0 if numbers is None else int(numbers.max()) + 1,
        baseline_score=score(ladder.metric, rows[0], groups=numbers),
        incumbent_score=score(ladder.metric, rows[top], groups=numbers),
        judged=judged,
        validation=result.rungs[top].total,
        n_openings=openings,
        baseline_validation=result.rungs[0].score,
        incumbent_validation=result.rungs[top].score,
    )


def _read_ledger(workspace: Workspace) -> list[Mapping[str, str]]:
    path = workspace.root / LEDGER
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            rows: list[Mapping[str, str]] = list(reader)
    except (UnicodeDecodeError, csv.Error) as problem:
        raise RecordError(f"{path} is damaged: {problem}. {_RESTORE}") from problem
    if tuple(reader.fieldnames or ()) != _COLUMNS or any(None in row or None in row.values() for row in rows):
        raise RecordError(f"{path} is damaged: it has other columns than {', '.join(_COLUMNS)}. {_RESTORE}")
    return rows
