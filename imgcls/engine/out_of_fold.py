"""The record of all folds together: what each network says of the samples that it did not see."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from imgcls.durable import remove_tree, write_bytes
from imgcls.engine.outcome import FoldsOutcome, Outcome
from imgcls.engine.recording import parquet
from imgcls.engine.reporting import Reporter
from imgcls.engine.request import Request, writable
from imgcls.errors import RecordError
from imgcls.evidence.metrics import evaluate
from imgcls.evidence.over_folds import spread_of
from imgcls.records.attempts import acquire
from imgcls.records.find import find_by_key, remove_run
from imgcls.records.folds import FoldRun, Folds
from imgcls.records.keys import joint_digest, run_folder_name
from imgcls.records.run import RunData, RunRecord
from imgcls.workspace import Workspace

OUT_OF_FOLD_FILE = "oof.parquet"


@dataclass(frozen=True)
class OutOfFold:
    """The finished folds of one stack and seed, to become one record, which can be remade from theirs at any time."""

    requests: tuple[Request, ...]
    """What each fold was made of."""
    outcomes: tuple[Outcome, ...]
    """The run of each fold."""
    workspace: Workspace
    """Where the record goes."""
    reporter: Reporter
    """Who is told why a record that was there would not do."""

    def do(self) -> FoldsOutcome:
        """Find the record of these very runs, or make it.

        Raises:
            RecordError: The predictions of a fold cannot be read, or are those of other samples.
        """
        existing, problem = self._existing()
        if existing is not None and not problem:
            return FoldsOutcome(existing, self.outcomes, reused=True)
        if problem:
            self.reporter.note(f"The record of all folds is made anew: {problem}")
        frame = self._predictions()
        record = self._record(frame)
        final = self.workspace.runs / record.id
        about = {**self.requests[0].about, "fold": None}
        with acquire(self.workspace, record.key, about) as attempt:
            write_bytes(attempt.record_folder / OUT_OF_FOLD_FILE, parquet(frame))
            record.write(attempt.record_folder)
            if existing is not None:
                remove_run(existing)
            if os.path.lexists(final):  # what cannot be read is no record
                remove_tree(final)
            attempt.publish(final)
        return FoldsOutcome(RunRecord.read(final), self.outcomes)

    @cached_property
    def key(self) -> str:
        """What makes it this record: the keys of its folds."""
        return joint_digest([request.key for request in self.requests])

    def _existing(self) -> tuple[RunRecord | None, str]:
        """Find the record that is there, and say why it will not do, or nothing."""
        existing = None
        try:
            existing = find_by_key(self.workspace, self.key)
            if existing is None:
                return None, ""
            existing.verify()
        except RecordError as problem:
            return existing, str(problem)
        before = existing.folds.runs if existing.folds else ()
        changed = [run.run for run in self._runs if run not in before]
        return existing, f"{', '.join(changed)} was trained since." if changed else ""

    @cached_property
    def _runs(self) -> tuple[FoldRun, ...]:
        records = (outcome.record for outcome in self.outcomes)
        return tuple(
            FoldRun(fold, record.id, record.digest(), record.data.n, record.metrics)
            for fold, record in enumerate(records)
        )

    @cached_property
    def _rows(self) -> np.ndarray:
        """The rows of the samples that the folds validate, fold after fold."""
        return np.concatenate([request.prepared.samples.rows("valid") for request in self.requests])

    def _predictions(self) -> pd.DataFrame:
        """Give every prediction out of fold, in the order of the samples: id, label, fold, and p_<class> for each."""
        parts = []
        for fold, (request, outcome) in enumerate(zip(self.requests, self.outcomes, strict=True)):
            part = outcome.record.predictions("valid")
            ids = [writable(name) for name in request.prepared.samples.part("valid").frame["id"]]
            if part["id"].tolist() != ids:
                path = outcome.record.path("valid.parquet")
                raise RecordError(f"{path} has other samples than fold {fold}. Train again with --again.")
            part.insert(2, "fold", fold)
            parts.append(part)
        order = np.argsort(self._rows, kind="stable")
        return pd.concat(parts, ignore_index=True).iloc[order].reset_index(drop=True)

    def _record(self, frame: pd.DataFrame) -> RunRecord:
        """Score the predictions out of fold, and describe where they are from."""
        request, records = self.requests[0], [outcome.record for outcome in self.outcomes]
        samples, rows = request.prepared.samples, np.sort(self._rows)
        groups = samples.frame["group"].iloc[rows].tolist()
        metrics = evaluate(
            frame.filter(regex="^p_").to_numpy(dtype=np.float64),
            samples.targets[rows],
            problem=samples.problem,
            classes=samples.classes,
            groups=groups if any(groups) else None,
        )
        parts = dict.fromkeys(name for record in records for name in record.seconds)
        seconds = {name: sum(record.seconds.get(name, 0.0) for record in records) for name in parts}
        return replace(
            request.record(seconds=seconds),
            key=self.key,
            id=run_folder_name(request.stack.text, seed=request.seed, fold=None, key=self.key, n_folds=len(records)),
            fold=None,
            data=self._data(records, n_groups=len(set(groups) - {""})),
            environment=records[0].environment,
            metrics=metrics,
            folds=Folds(self._runs, spread_of([record.metrics for record in records])),
        )

    def _data(self, records: list[RunRecord], *, n_groups: int) -> RunData:
        """Count every sample once: as validated where a fold does, as trained on where it trains in all of them."""
        first, n_valid = records[0].data, len(self._rows)
        n_train = first.n["train"] + first.n["valid"] - n_valid
        return replace(
            first,
            split_digest=joint_digest([record.data.split_digest for record in records]),
            n={**first.n, "train": n_train, "valid": n_valid},
            n_valid_groups=n_groups,
        )
