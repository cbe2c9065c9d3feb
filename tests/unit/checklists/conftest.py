"""A workspace whose problem, facts, records and ladders are drawn: nothing is trained, and no data are read."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from imgcls.checklists.checklist import Checklist, evaluate
from imgcls.checklists.evidence import CurrentPlans
from imgcls.checklists.go_back import Reason
from imgcls.checklists.items import ItemState
from imgcls.checklists.sentences import Said, said
from imgcls.config.problem import Problem, ProblemData, find_problem, write_problem
from imgcls.eda.facts import Facts
from imgcls.ladders.judge import judge_ladder
from imgcls.ladders.spec import RESULT_JSON, Ladder
from imgcls.ladders.state import read_state
from imgcls.predictions.submission import Submission
from imgcls.records.derived import (
    DatasetSummary,
    RepeatedFile,
    Repetition,
    keep_repetition,
    save_summary,
    take_fingerprint,
)
from imgcls.records.find import find_runs, remove_run
from imgcls.records.run import NOT_SCORED, AllData, Estimate, JudgedRun, RunRecord
from imgcls.storage import sha256_file, write_json
from imgcls.workspace import MARKER, Workspace

DATA, SPLIT = "d" * 64, "e" * 64
"""The digests that every drawn record and drawn facts bear."""
OTHER = "f" * 64
"""A digest that none of them bears."""


@dataclass
class Desk:
    """A workspace, and what a test lays on it."""

    workspace: Workspace
    photos: Path
    make_facts: Callable[..., Facts]
    make_ladder: Callable[..., tuple[Ladder, Workspace]]

    def problem(self, **fields: Any) -> Problem:
        """Write imgcls.toml about the photographs."""
        said: dict[str, Any] = {"title": "Pets", "goal": "tell them apart", "type": "binary", "metric": "accuracy"}
        self.workspace.root.mkdir(parents=True, exist_ok=True)
        problem = Problem(data=ProblemData(source=str(self.photos)), **(said | fields))
        write_problem(self.workspace.root / MARKER, problem)
        return problem

    def know(
        self, data: str = DATA, split: str | None = SPLIT, *, kind: str = "binary", n_test: int = 0, **counts: int
    ) -> None:
        """Let the data, as they look now, be known to have some digests; needs imgcls.toml."""
        problem = find_problem(self.workspace.root)
        assert problem is not None
        look = take_fingerprint(problem.source(self.workspace.root), self.workspace)
        assert look is not None
        n = counts or {"cat": 30, "dog": 30}
        amounts = {"train": 100, "valid": sum(n.values()), "test": n_test, "excluded": 2}
        seen = DatasetSummary(
            look.key, look.fingerprint, look.reading, data, split, kind, amounts, n, "2026-11-24T10:00:00"
        )
        save_summary(self.workspace, seen)

    def facts(self, *, findings: tuple[object, ...] = (), **fields: Any) -> Facts:
        """Write facts.json with its pictures."""
        by_class = {"cat": (80, 20), "dog": (40, 10)}
        pictures = {"classes": "pictures/c.png", "sheet: cat": "pictures/cat.png", "sheet: dog": "pictures/dog.png"}
        facts = self.make_facts(by_class, **({"findings": findings, "pictures": pictures} | fields))
        self.workspace.reports.mkdir(parents=True, exist_ok=True)
        for picture in facts.pictures.values():
            path = self.workspace.reports / picture
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"png")
        facts.write(self.workspace.reports)
        return facts

    def ladder(self, stack: str = "baseline+augmentation", **options: Any) -> Ladder:
        """Draw a ladder with its runs, and judge it."""
        ladder, _ = self.make_ladder(stack, **options)
        return self.judge(ladder)

    def baseline(self, **options: Any) -> None:
        """Draw runs of the baseline alone: those of a ladder whose upper rung is taken away again."""
        ladder, _ = self.make_ladder("baseline+augmentation", **options)
        assert ladder.folder is not None
        shutil.rmtree(ladder.folder)
        for run in find_runs(self.workspace)[0]:
            if run.stack != "baseline":
                remove_run(run)

    def judge(self, ladder: Ladder) -> Ladder:
        """Write result.json of a ladder."""
        assert ladder.folder is not None
        write_json(ladder.folder / RESULT_JSON, judge_ladder(read_state(ladder, self.workspace)).to_json())
        return ladder

    def runs(self, stack: str = "baseline") -> list[RunRecord]:
        """Return the runs of a stack, oldest first."""
        return [run for run in find_runs(self.workspace)[0] if run.stack == stack]

    def change(self, run: RunRecord, **fields: Any) -> RunRecord:
        """Write a run anew with other fields."""
        assert run.folder is not None
        return replace(run, **fields).write(run.folder)

    def with_test(self, run: RunRecord) -> RunRecord:
        """Return a run predictions of a test part."""
        assert run.folder is not None
        pd.DataFrame({"id": ["t"], "p_cat": [0.9], "p_dog": [0.1]}).to_parquet(run.folder / "test.parquet")
        return self.change(run)

    def on_all_data(self, run: RunRecord, *, seed: int = 0, test: bool = True) -> RunRecord:
        """Write a run of the same plan that all the data trained, with predictions of a test part, and give it."""
        folder = self.workspace.runs / f"{run.stack}-s{seed}-all-{run.plan_digest[:7]}{seed}"
        folder.mkdir(parents=True)
        if test:
            values = {"id": ["t", "u"], "p_cat": [0.9 - 0.2 * seed, 0.2], "p_dog": [0.1 + 0.2 * seed, 0.8]}
            pd.DataFrame(values).to_parquet(folder / "test.parquet", index=False)
        n = {**run.data.n, "train": run.data.n["train"] + run.data.n["valid"], "valid": 0}
        return replace(
            run,
            id=folder.name,
            key=f"{run.plan_digest[:7]}{seed}".ljust(64, "0"),
            seed=seed,
            metrics={name: Estimate.missing(NOT_SCORED, n=0) for name in run.metrics},
            data=replace(run.data, split_digest="a" * 64, n=n),
            all_data=AllData((JudgedRun(run.id, run.digest(), run.metrics),), run.id, 1, 1),
        ).write(folder)

    def submit(self, run: RunRecord) -> Path:
        """Write a submission of a run and note it, and give the table."""
        table = self.workspace.submissions / f"{run.id}.csv"
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text("id,label\nt,cat\n", encoding="utf-8")
        Submission(
            run=run.id,
            key=run.key,
            stack=run.label,
            plan_digest=run.plan_digest,
            data_digest=run.data.digest,
            split_digest=run.data.split_digest,
            file=table.name,
            sha256=sha256_file(table),
            n_rows=1,
            holds="classes",
            sample=None,
            created="2026-11-24T12:00:00+00:00",
        ).write(self.workspace)
        return table

    def repeat(self, run: RunRecord, *, is_equal: bool, day: int) -> None:
        """Note that a run was trained once more on a day of December."""
        files = {
            name: RepeatedFile(file.sha256, file.sha256 if is_equal else OTHER) for name, file in run.files.items()
        }
        keep_repetition(self.workspace, Repetition(run.id, files, f"2026-12-{day:02d}T10:00:00+00:00"))

    def list(self) -> Checklist:
        """Evaluate the checklist without reading the data."""
        found = evaluate(self.workspace)
        texts = [entry.evidence for entry in found.items] + [reason.text for reason in found.back]
        texts += [damage.unknown for damage in found.damages] + list(found.notes)
        assert [text for text in texts if not isinstance(text, Said)] == []  # every one knows its Korean
        return found

    def states(self) -> Mapping[str, ItemState]:
        """Return every item with its state, by its id."""
        return {entry.item.id: entry for entry in self.list().items}

    def reasons(self) -> Mapping[str, Reason]:
        """Return the way back by the ids of its reasons."""
        return {reason.id: reason for reason in self.list().back}


def forget_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every stack mean another plan than it did."""
    monkeypatch.setattr(
        CurrentPlans, "change_since", lambda _, side: said("{stack} means another plan since", stack=side.stack)
    )


@pytest.fixture
def desk(tmp_path: Path, drawn_facts, drawn_ladder, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """An empty workspace beside a folder of photographs, and somebody in it."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "one.jpg").write_bytes(b"one")
    return Desk(Workspace(tmp_path / "work"), photos, drawn_facts, drawn_ladder)


@pytest.fixture
def known(desk: Desk) -> Desk:
    """A workspace with a problem, whose data are known."""
    desk.problem()
    desk.know()
    return desk
