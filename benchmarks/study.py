"""The study of recipes: stacks × seeds × sets of real photographs, each training once, resumable, with verdicts.

Trainings are ordinary runs in one workspace a set, found again by their keys. fastai as its users tune it stands beside
them (`benchmarks.stock_side`); its predictions are kept in the same folder and judged by the same statistics.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.rounds import ROOT
from benchmarks.setting import StockSetting
from imgcls.catalog import Stack
from imgcls.data.load import load_samples
from imgcls.data.source import DataSource
from imgcls.engine.progress import Silent
from imgcls.engine.request import TrainOptions
from imgcls.engine.train import train_stack
from imgcls.errors import DataError, ImgclsError, UsageError
from imgcls.evidence.contributions import contributions
from imgcls.evidence.gains import fold_gain, measure
from imgcls.evidence.variance import group_numbers
from imgcls.evidence.verdicts import Judged, judge
from imgcls.records.find import find_runs
from imgcls.records.run import RunRecord
from imgcls.storage import write_json
from imgcls.workspace import Workspace

STOCK = "fastai"
"""The name of the other side among the stacks."""
BASE = "baseline"


@dataclass(frozen=True)
class StudySet:
    """A set of photographs, and how a person would have it judged."""

    name: str
    """What tables call it."""
    metric: str
    """The primary metric, chosen before looking."""
    options: dict[str, Any]
    """Fields of `DataSource`, paths relative to the folder of test data."""
    n_folds: int | None = None
    """Folds; None for the one split that the data give, or that is drawn."""
    groups: tuple[str, str, str] | None = None
    """A second table, the column that it shares with the first, and its column of groups; None without."""
    thinned: float | None = None
    """How many times as many training photographs the largest class has as the smallest, the others between them on a
    geometric scale; None as they are."""

    def source(self, place: Path, home: Path) -> DataSource:
        """Return how it is read.

        Args:
            place: The folder of test data.
            home: Where a table with groups may be written.

        Raises:
            DataError: It is not there.
        """
        options = dict(self.options)
        if options["data"] != "elpv":
            for name in ("data", "images"):
                if name in options:
                    options[name] = str((place / options[name]).resolve())
                    if not Path(options[name]).exists():
                        raise DataError(f"{options[name]} is missing; set IMGCLS_TEST_DATA.")
        if self.groups is not None:
            table, key, column = self.groups
            joined = pd.read_csv(options["data"], dtype=str).merge(
                pd.read_csv(place / table, dtype=str)[[key, column]], on=key, how="left", validate="one_to_one"
            )
            home.mkdir(parents=True, exist_ok=True)
            joined.to_csv(home / "table.csv", index=False)
            options |= {"data": str(home / "table.csv"), "group": column}
        if self.thinned is not None:
            samples = load_samples(DataSource(**options))
            home.mkdir(parents=True, exist_ok=True)
            thin(samples.frame, self.thinned)[["id", "label", "split"]].to_csv(home / "table.csv", index=False)
            options |= {"data": str(home / "table.csv"), "images": options["data"], "label": "label", "split": "split"}
        return DataSource(**options)


def thin(frame: pd.DataFrame, ratio: float) -> pd.DataFrame:
    """Leave out training photographs, drawn by lot, until classes are as uneven as asked for; nothing else changes.

    Args:
        frame: Has `label` and `split`.
        ratio: Photographs of the largest class for each of the smallest.
    """
    counts = frame[frame["split"] == "train"]["label"].value_counts()
    shares = np.geomspace(1, 1 / ratio, len(counts))
    wanted = {name: max(1, round(share * counts.iloc[0])) for name, share in zip(counts.index, shares, strict=True)}
    lots = pd.Series(np.random.default_rng(0).permutation(len(frame)), index=frame.index)
    place = lots.groupby([frame["split"], frame["label"]]).rank(method="first")
    return frame[(frame["split"] != "train") | (place <= frame["label"].map(wanted))]


SETS = (
    StudySet("apples_pears", "accuracy", {"data": "apples_pears"}, n_folds=5),
    StudySet("coffee_leaf", "roc_auc", {"data": "coffee_leaf/train.csv", "images": "coffee_leaf/images"}),
    StudySet(
        "kids_csv",
        "balanced_accuracy",
        {"data": "kids_csv/train.csv", "images": "kids_csv/images"},
        groups=("kids_csv/meta.csv", "id", "sender_id"),
    ),
    StudySet("clothing10", "accuracy", {"data": "clothing10"}),
    StudySet("clothing10_rare", "balanced_accuracy", {"data": "clothing10"}, thinned=30.0),
    StudySet("elpv", "roc_auc", {"data": "elpv"}, n_folds=5),
)


@dataclass(frozen=True)
class Study:
    """What is trained, and where it is kept."""

    home: Path
    """A folder with a workspace for each set."""
    place: Path
    """The folder of test data."""
    sets: tuple[StudySet, ...]
    """The sets, cheapest first."""
    stacks: tuple[str, ...]
    """Stacks, and `fastai` for the other side."""
    n_seeds: int = 3
    """Seeds of each."""
    stock_epochs: int = 3
    """Epochs of the other side after its frozen one."""
    tell: Callable[[str], None] = field(default=print)
    """Receives a line for each training."""

    def run(self) -> None:
        """Do what is not done yet: all sets and stacks with the first seed, then with the next."""
        for seed in range(self.n_seeds):
            for chosen in self.sets:
                for stack in self.stacks:
                    began = time.perf_counter()
                    try:
                        told = self._stock(chosen, seed) if stack == STOCK else self._train(chosen, stack, seed)
                    except ImgclsError as problem:
                        told = f"failed: {problem}"
                    self.tell(f"{chosen.name}, {stack}, seed {seed}: {told} ({time.perf_counter() - began:.0f} s)")

    def _train(self, chosen: StudySet, stack: str, seed: int) -> str:
        home = self.home / chosen.name
        options = TrainOptions(seed=seed, n_folds=chosen.n_folds, workspace=Workspace(home), reporter=Silent())
        record = train_stack(Stack.parse(stack), chosen.source(self.place, home), options).record
        return f"{chosen.metric} {record.metrics[chosen.metric]}"

    def _stock(self, chosen: StudySet, seed: int) -> str:
        """Train the other side on the very samples of the baseline's runs, fold by fold."""
        results = self.stock_files(chosen, seed)
        if all(result.is_file() for result in results):
            return "done before"
        for result, setting in zip(results, self._stock_settings(chosen, seed), strict=True):
            if result.is_file():
                continue
            result.parent.mkdir(parents=True, exist_ok=True)
            asked = result.with_suffix(".json")
            setting.write(asked)
            command = [sys.executable, "-m", "benchmarks.stock_side", str(asked.absolute()), str(result.absolute())]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            if done.returncode:
                raise UsageError(f"{' '.join(command[1:])}: {done.stderr[-800:]}")
        return "done"

    def stock_files(self, chosen: StudySet, seed: int) -> list[Path]:
        """Return where the other side's predictions of each fold go."""
        folder = self.home / chosen.name / "stock"
        return [folder / f"seed{seed}-fold{fold}.npz" for fold in range(chosen.n_folds or 1)]

    def _stock_settings(self, chosen: StudySet, seed: int) -> Iterator[StockSetting]:
        from imgcls.engine.prepare import prepare

        home = self.home / chosen.name
        plan = Stack.parse(BASE).plan
        first_weights = home / "first-weights.safetensors"
        options = TrainOptions(n_folds=chosen.n_folds, workspace=Workspace(home))
        read = prepare(chosen.source(self.place, home), plan.images, reporter=Silent(), turns=options.turns)
        if not first_weights.is_file():
            from benchmarks.photos import write_first_weights

            home.mkdir(parents=True, exist_ok=True)
            write_first_weights(plan.model.name, first_weights, n_classes=2, seed=0)
        for prepared in read:
            parts = {split: prepared.samples.part(split) for split in ("train", "valid")}
            yield StockSetting(
                train=parts["train"].frame["path"].tolist(),
                train_targets=parts["train"].targets.tolist(),
                valid=parts["valid"].frame["path"].tolist(),
                n_classes=prepared.samples.n_classes,
                multilabel=prepared.samples.problem == "multilabel",
                first_weights=str(first_weights.absolute()),
                size_px=plan.images.size_px,
                n_epochs=self.stock_epochs,
                seed=seed,
            )


@dataclass(frozen=True)
class StudyRow:
    """One stack on one set, against another."""

    set: str
    """The set."""
    stack: str
    """The stack, or `fastai`."""
    against: str
    """What it is compared with."""
    metric: str
    """The metric."""
    score: float
    """Its mean over seeds (and folds)."""
    seed_sd: float | None
    """The deviation over seeds; None with one."""
    n_seeds: int
    """Its seeds."""
    seconds: float
    """The mean of a run, reading and predicting included; over folds their sum."""
    gain: float | None
    """In the metric's unit; None for the base itself."""
    low: float | None
    """Lower end of the 95 % interval."""
    high: float | None
    """Upper end."""
    verdict: str
    """The verdict, not corrected for the other rows; "" for the base itself."""


def judged_rows(study: Study, pairs: Sequence[tuple[str, str]]) -> list[StudyRow]:
    """Judge stacks against others, from what is there.

    Args:
        study: Where runs are kept.
        pairs: A stack, and the one it is compared with; the same twice only scores it.
    """
    rows = []
    for chosen in study.sets:
        runs = _all_runs(study, chosen)
        for stack, against in pairs:
            if stack not in runs or against not in runs:
                continue
            found = None if stack == against else _judged(runs[against], runs[stack], chosen)
            scores = [side.score(chosen.metric) for side in runs[stack]]
            rows.append(
                StudyRow(
                    set=chosen.name,
                    stack=stack,
                    against=against,
                    metric=chosen.metric,
                    score=float(np.mean(scores)),
                    seed_sd=float(np.std(scores, ddof=1)) if len(scores) > 1 else None,
                    n_seeds=len(scores),
                    seconds=float(np.mean([side.seconds for side in runs[stack]])),
                    gain=found.value if found else None,
                    low=found.low if found and found.gain.has_interval else None,
                    high=found.high if found and found.gain.has_interval else None,
                    verdict=found.verdict if found else "",
                )
            )
    return rows


@dataclass(frozen=True, eq=False)
class _Side:
    """One seed of one stack: what it predicted, fold by fold."""

    probabilities: tuple[np.ndarray, ...]
    """float64 [n, k] of each fold."""
    targets: tuple[np.ndarray, ...]
    """[n] or [n, k] of each fold."""
    groups: tuple[list[str], ...]
    """[n] of each fold."""
    n_train: tuple[int, ...]
    """Samples that trained, of each fold."""
    problem: Any
    """`binary`, `multiclass` or `multilabel`."""
    seconds: float
    """Of all folds together."""

    def rows(self, metric: str) -> list[np.ndarray]:
        """Return the contributions of every fold's samples."""
        return [
            contributions(metric, fold, targets, problem=self.problem)
            for fold, targets in zip(self.probabilities, self.targets, strict=True)
        ]

    def score(self, metric: str) -> float:
        """Return the mean over folds."""
        return float(np.mean([row.mean() for row in self.rows(metric)]))


def _judged(before: Sequence[_Side], after: Sequence[_Side], chosen: StudySet) -> Judged:
    metric = chosen.metric
    if chosen.n_folds is None:
        sides = [np.stack([side.rows(metric)[0] for side in runs]) for runs in (before, after)]
        groups = group_numbers(before[0].groups[0], n=sides[0].shape[1]) if any(before[0].groups[0]) else None
        return judge([measure(sides[0], sides[1], groups=groups)])[0]
    means = [np.mean([[row.mean() for row in side.rows(metric)] for side in runs], axis=0) for runs in (before, after)]
    n_valid = [len(targets) for targets in before[0].targets]
    runs = len(before), len(after)
    return judge([fold_gain(means[0], means[1], n_train=before[0].n_train, n_valid=n_valid, n_runs=runs)])[0]


def _all_runs(study: Study, chosen: StudySet) -> dict[str, list[_Side]]:
    """Read what is there of a set, by stack; only seeds of which all folds are done."""
    home, found = study.home / chosen.name, dict[str, list[_Side]]()
    records = find_runs(Workspace(home))[0]
    for stack in study.stacks:
        if stack == STOCK:
            sides = list(_stock_sides(study, chosen, records))
        else:
            digest = Stack.parse(stack).plan.digest
            mine = [run for run in records if run.plan_digest == digest and not run.quick and run.folds is None]
            sides = [
                _side_of(sorted(folds, key=lambda run: run.fold or 0))
                for seed in range(study.n_seeds)
                if len(folds := [run for run in mine if run.seed == seed]) == (chosen.n_folds or 1)
            ]
        if sides:
            found[stack] = sides
    return found


def _side_of(runs: Sequence[RunRecord]) -> _Side:
    from imgcls.data.samples import as_targets

    frames = [run.predictions("valid") for run in runs]
    return _Side(
        tuple(frame.filter(regex="^p_").to_numpy(dtype=np.float64) for frame in frames),
        tuple(as_targets(frame["label"], classes=runs[0].classes, problem=runs[0].problem) for frame in frames),
        tuple(frame["group"].tolist() if "group" in frame else [""] * len(frame) for frame in frames),
        tuple(run.data.n["train"] for run in runs),
        runs[0].problem,
        sum(run.seconds["total"] for run in runs),
    )


def _stock_sides(study: Study, chosen: StudySet, records: Sequence[RunRecord]) -> Iterator[_Side]:
    digest, n_folds = Stack.parse(BASE).plan.digest, chosen.n_folds or 1
    base = [run for run in records if run.plan_digest == digest and not run.quick and run.folds is None]
    twins = {run.fold or 0: run for run in base}
    for seed in range(study.n_seeds):
        files = study.stock_files(chosen, seed)
        if all(file.is_file() for file in files) and len(twins) == n_folds:
            like = _side_of([twins[fold] for fold in range(n_folds)])
            loaded = [np.load(file, allow_pickle=False) for file in files]
            yield _Side(
                tuple(content["probabilities"].astype(np.float64) for content in loaded),
                like.targets,
                like.groups,
                like.n_train,
                like.problem,
                float(sum(content["seconds"] for content in loaded)),
            )


def write_rows(rows: Sequence[StudyRow], path: Path) -> None:
    """Write what was judged, as JSON."""
    machine = {"cpus": os.cpu_count()}
    write_json(path, {"schema": 1, "machine": machine, "rows": [asdict(row) for row in rows]})


def as_table(rows: Sequence[StudyRow]) -> str:
    """Return a table for people, in Markdown: a row a set and stack."""
    lines = [
        "| set | stack | metric | mean over seeds | ± over seeds | over | gain, points | verdict | seeds | seconds |",
        "|---|---|---|--:|--:|---|--:|---|--:|--:|",
    ]
    for row in rows:
        spread = "" if row.seed_sd is None else f"{100 * row.seed_sd:.1f}"
        gained = ""
        if row.gain is not None:
            gained = f"{100 * row.gain:+.1f}"
            gained += (
                f" [{100 * row.low:+.1f}, {100 * row.high:+.1f}]"
                if row.low is not None and row.high is not None
                else ""
            )
        over = "" if row.against == row.stack else row.against
        lines.append(
            f"| {row.set} | {row.stack} | {row.metric} | {row.score:.3f} | {spread} | {over} | {gained} "
            f"| {row.verdict} | {row.n_seeds} | {row.seconds:.0f} |"
        )
    return "\n".join(lines)


def read_rows(path: Path) -> list[StudyRow]:
    """Read what `write_rows` wrote."""
    return [StudyRow(**row) for row in json.loads(path.read_text(encoding="utf-8"))["rows"]]
