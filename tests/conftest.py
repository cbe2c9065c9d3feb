"""What all tests share: drawn photographs, and a cache and a workspace of their own. Nothing here loads torch."""

from __future__ import annotations

import csv
import hashlib
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from imgcls.catalog import Stack
from imgcls.data.source import DataSource
from imgcls.eda import facts as made
from imgcls.ladders.climb import ClimbRecord, Tried
from imgcls.ladders.judge import judge_ladder, verdict_record
from imgcls.ladders.spec import JobPlan, Kind, Ladder, RungPlan, climbing, leaving_out, rung_plans
from imgcls.ladders.state import read_state
from imgcls.records.run import Estimate, RunData, RunRecord, RunWeights, run_folder_name
from imgcls.workspace import Workspace

# One thread a process, here and in the processes that tests start: equal bits, and no fight over the cores
# where several tests run side by side. It has to be said before torch is loaded.
os.environ["OMP_NUM_THREADS"] = "1"

_TESTS = Path(__file__).parent
_FAULTS = tomllib.loads((_TESTS / "faults" / "catalogue.toml").read_text(encoding="utf-8"))["fault"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that the catalogue of faults names."""
    named = {name for fault in _FAULTS for name in fault.get("tests", [])}
    for item in items:
        place = item.path.relative_to(_TESTS.parent).as_posix()
        if f"{place}::{getattr(item, 'originalname', item.name)}" in named:
            item.add_marker(pytest.mark.fault)


def draw_photo(path: Path, *, bright: int, seed: int, size: tuple[int, int] = (28, 24)) -> Path:
    """Draw noise with a bright stripe whose place is the class, so that a network can learn it in an epoch or two."""
    width, height = size
    pixels = np.random.default_rng(seed).integers(0, 110, (height, width, 3))
    third = width // 3
    pixels[:, bright * third : (bright + 1) * third, bright] += 140
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def draw_folder(folder: Path, n_by_class: Mapping[str, int]) -> Path:
    """Draw a folder for each class; every photograph is another one."""
    for place, (name, n) in enumerate(n_by_class.items()):
        for number in range(n):
            suffix = ".png" if number % 2 else ".jpg"
            draw_photo(folder / name / f"{number:03d}{suffix}", bright=place % 3, seed=1000 * place + number)
    return folder


def draw_split_folder(folder: Path, n_by_split: Mapping[str, Mapping[str, int]]) -> Path:
    """Draw train, valid and test folders, each with a folder for each class."""
    for number, (split, n_by_class) in enumerate(n_by_split.items()):
        for place, (name, n) in enumerate(n_by_class.items()):
            for row in range(n):
                seed = 100_000 * (number + 1) + 1000 * place + row
                draw_photo(folder / split / name / f"{split}{row:03d}.png", bright=place % 3, seed=seed)
    return folder


def draw_multilabel(folder: Path, *, n: int = 30) -> Path:
    """Draw photographs with none, one or two of two labels, and give the table that lists them."""
    table = folder / "labels.csv"
    rows = []
    for number in range(n):
        red, green = number % 2, (number // 2) % 2
        pixels = np.random.default_rng(number).integers(0, 90, (24, 24, 3))
        pixels[:, :12, 0] += 150 * red
        pixels[:, 12:, 1] += 150 * green
        path = folder / "images" / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
        rows.append((path.stem, red, green))
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image_id", "red", "green"), *rows])
    return table


def draw_marked(folder: Path, *, top: int = 2, left: int = 2) -> Path:
    """Draw soft noise with a square of 8 px whose colour is the class."""
    generator = np.random.default_rng(0)
    for number in range(64):
        noise = Image.fromarray(generator.integers(60, 180, (6, 6, 3)).astype(np.uint8))
        pixels = np.array(noise.resize((48, 48), Image.Resampling.BICUBIC))
        pixels[top : top + 8, left : left + 8] = [(230, 20, 20), (20, 20, 230)][number % 2]
        path = folder / ("red", "blue")[number % 2] / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture
def marked_folder(tmp_path: Path) -> Callable[..., Path]:
    """Draw photographs of nothing with a mark at one place, `top` and `left` in pixels, whose colour is the class."""
    return partial(draw_marked, tmp_path / "marked")


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of drawn photographs, 12 each, in folders."""
    return draw_folder(tmp_path_factory.mktemp("photos") / "stripes", {"left": 12, "middle": 12, "right": 12})


@pytest.fixture(scope="session")
def split_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of drawn photographs with train, valid and test folders."""
    n_by_split = {"train": {"cat": 9, "dog": 8}, "valid": {"cat": 4, "dog": 4}, "test": {"cat": 3, "dog": 3}}
    return draw_split_folder(tmp_path_factory.mktemp("photos") / "pets", n_by_split)


@pytest.fixture(scope="session")
def multilabel_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of drawn photographs with two columns of 0 and 1; photographs lie in `images` beside it."""
    return draw_multilabel(tmp_path_factory.mktemp("photos") / "colours")


@pytest.fixture(scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's cache out of the tests; photographs are decoded once a session."""
    monkeypatch.setenv("IMGCLS_CACHE", str(_cache))


@pytest.fixture(scope="session")
def one_thread() -> None:
    """Let torch compute on one thread: cores are shared, and bits depend on how many there are."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def uneven_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of drawn photographs, one four times as frequent."""
    return draw_folder(tmp_path_factory.mktemp("photos") / "uneven", {"many": 24, "rare": 6})


@pytest.fixture
def drawn_ladder(tmp_path: Path) -> Callable[..., tuple[Ladder, Workspace]]:
    """Write a ladder whose records hold drawn predictions: nothing is trained.

    The factory takes `stack`, `kind`, `n_seeds`, `n_folds`, `n_images` (per split or fold), `skills` (one number a
    rung; higher is better), `n_groups` (0 for none), `classes`, `metric`, `ids` (names of images), `missing` and
    `failed` (sets of (rung, seed)), and gives the ladder and its workspace.
    """

    def draw(
        stack: str = "baseline+augmentation+adamw_cosine+label_smoothing+tta",
        *,
        kind: Kind = "climb",
        n_seeds: int = 3,
        n_folds: int | None = None,
        n_images: int = 240,
        skills: Sequence[float] | None = None,
        n_groups: int = 0,
        classes: tuple[str, ...] = ("cat", "dog"),
        metric: str = "accuracy",
        ids: Sequence[str] | None = None,
        missing: frozenset[tuple[int, int]] = frozenset(),
        failed: frozenset[tuple[int, int]] = frozenset(),
    ) -> tuple[Ladder, Workspace]:
        workspace = Workspace(tmp_path / "work")
        parsed = Stack.parse(stack)
        plans = rung_plans(leaving_out(parsed) if kind == "ablate" else climbing(parsed), kind)
        folds = (None,) if n_folds is None else tuple(range(n_folds))
        jobs = [
            JobPlan(rung, seed, fold, hashlib.sha256(f"{plan.plan_digest}/{seed}/{fold}".encode()).hexdigest())
            for seed in range(n_seeds)
            for fold in folds
            for rung, plan in enumerate(plans)
        ]
        ladder = Ladder(
            name="drawn",
            kind=kind,
            stack=parsed.text,
            overrides={},
            metric=metric,
            smallest_gain=0.005,
            seeds=tuple(range(n_seeds)),
            n_folds=n_folds,
            data=DataSource(),
            data_name="drawn",
            data_digest="d" * 64,
            split_digests=tuple("e" * 64 for _ in folds),
            n_valid=n_images * len(folds),
            n_valid_groups=n_groups * len(folds),
            machine={"device": "cpu"},
            rungs=plans,
            jobs=tuple(jobs),
            created="2026-11-24T10:00:00+00:00",
        ).write(workspace)
        skill = list(skills or [1.2 + 0.2 * rung for rung in range(len(plans))])
        names = list(ids or [f"{number:05d}.png" for number in range(n_images * len(folds))])
        for job in jobs:
            if (job.rung, job.seed) in missing:
                continue
            plan = plans[job.rung]
            donor = None if plan.weights_of is None else _run_name(plans[plan.weights_of], job)
            part = names if job.fold is None else names[job.fold * n_images : (job.fold + 1) * n_images]
            frame = _drawn_predictions(part, job, classes=classes, skill=skill[job.rung], n_groups=n_groups)
            is_failed = (job.rung, job.seed) in failed
            home = workspace.failed if is_failed else workspace.runs
            folder = home / _run_name(plan, job)
            folder.mkdir(parents=True)
            if not is_failed:
                frame.to_parquet(folder / "valid.parquet", index=False)
                if donor is None:
                    (folder / "weights.safetensors").write_bytes(job.key.encode())
                    (folder / "history.csv").write_text(_drawn_history(job), encoding="utf-8")
            _drawn_record(
                plan, job, classes=classes, n_valid=len(part), n_groups=n_groups, donor=donor, is_failed=is_failed
            ).write(folder)
        return ladder, workspace

    return draw


@pytest.fixture
def drawn_climb(drawn_ladder: Callable[..., tuple[Ladder, Workspace]]) -> Callable[..., tuple[ClimbRecord, Workspace]]:
    """Write a climb that chose, with the records of its base and its choice; nothing is trained.

    The factory takes what that of `drawn_ladder` takes, `chosen` (a stack on `baseline`) and `outcome` (what became
    of a stack that was dropped), and gives the climb and its workspace.
    """

    def draw(
        chosen: str = "baseline+linear_probe", *, outcome: str = "dropped after 2 turns", **options: Any
    ) -> tuple[ClimbRecord, Workspace]:
        pair, workspace = drawn_ladder(chosen, skills=[1.0, 2.0], **options)
        assert pair.folder is not None
        result = judge_ladder(read_state(pair, workspace))
        (pair.folder / "ladder.json").unlink()
        record = ClimbRecord(
            name=pair.name,
            stack="baseline",
            overrides={},
            metric=pair.metric,
            smallest_gain=0.005,
            budget_seconds=1800.0,
            n_seeds=pair.n_seeds,
            n_folds=pair.n_folds,
            data=pair.data,
            data_name=pair.data_name,
            data_digest=pair.data_digest,
            split_digests=pair.split_digests,
            asked=(None, None),
            opening=(chosen, "baseline+tta"),
            too_long=("baseline+longer",),
            estimates={},
            notes=("Design: 3 seeds on one split.",),
            created=pair.created,
            is_complete=True,
            chosen=chosen,
            score=result.rungs[1].score,
            gain=verdict_record(result.rungs[1].step),
            choices=(chosen,),
            tried=(
                Tried(chosen, pair.n_seeds, 0.84, 0.13, 12.0, "chosen"),
                Tried("baseline+tta", 2, 0.72, 0.01, 11.0, outcome),
                Tried("baseline", pair.n_seeds, 0.71, 0.0, 10.0, "the base"),
                Tried("baseline+longer", 0, None, None, 90.0, "no time for it"),
            ),
            seconds=100.0,
            chosen_runs=result.rungs[1].runs,
            pair=pair.to_json(),
        )
        record.write(workspace)
        return record, workspace

    return draw


def _run_name(plan: RungPlan, job: JobPlan) -> str:
    return run_folder_name(plan.stack, seed=job.seed, fold=job.fold, key=f"{plan.plan_digest[:5]}{job.seed}{job.fold}")


def _drawn_predictions(
    ids: Sequence[str], job: JobPlan, *, classes: tuple[str, ...], skill: float, n_groups: int
) -> pd.DataFrame:
    """Draw probabilities: an image has a difficulty that all runs share, and noise of its own in each run."""
    k, n = len(classes), len(ids)
    shared, own = np.random.default_rng(len(ids)), np.random.default_rng([job.rung, job.seed, job.fold or 0])
    truth = np.arange(n) % k
    scores = shared.normal(size=(n, k)) + 0.6 * own.normal(size=(n, k)) + 0.05 * own.normal()
    scores[np.arange(n), truth] += skill
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    columns: dict[str, object] = {"id": list(ids), "label": [classes[place] for place in truth]}
    if n_groups:
        columns["group"] = [f"g{number * n_groups // n}" for number in range(n)]
    return pd.DataFrame(columns | {f"p_{name}": p[:, place] for place, name in enumerate(classes)})


def _drawn_history(job: JobPlan) -> str:
    losses = [0.4 + 0.4 / epoch + 0.02 * (job.seed - job.rung) for epoch in (1, 2, 3)]
    rows = [f"{epoch},{loss:.4f},{loss:.4f},0.8" for epoch, loss in enumerate(losses, start=1)]
    return "\n".join(["epoch,train_loss,valid_loss,valid_accuracy", *rows, ""])


def _drawn_record(
    plan: RungPlan,
    job: JobPlan,
    *,
    classes: tuple[str, ...],
    n_valid: int,
    n_groups: int,
    donor: str | None,
    is_failed: bool,
) -> RunRecord:
    n = {"train": 3 * n_valid, "valid": n_valid, "test": 0, "excluded": 0}
    return RunRecord(
        key=job.key,
        id=_run_name(plan, job),
        status="failed" if is_failed else "done",
        reason="Training failed: the loss became NaN" if is_failed else None,
        stack=plan.stack,
        overrides={},
        label=plan.printed,
        plan=plan.plan,
        plan_digest=plan.plan_digest,
        train_digest=plan.train_digest,
        seed=job.seed,
        fold=job.fold,
        quick=False,
        problem="binary" if len(classes) == 2 else "multiclass",
        classes=classes,
        data=RunData("drawn", "d" * 64, "e" * 64, n, (), n_groups),
        weights=RunWeights("none", None),
        environment={"device": "cpu", "device_name": "x86_64", "versions": {"torch": "2.14.1"}, "precision": "float32"},
        metrics={"accuracy": Estimate(0.8, 0.7, 0.9, n_valid)},
        seconds={"train": 0.0 if donor else 60.0, "predict": 3.0, "total": 3.0 if donor else 63.0},
        images_per_second=None if donor else 70.0,
        created=f"2026-11-24T10:{job.seed:02d}:{job.rung:02d}+00:00",
        reused_from=donor,
    )


@pytest.fixture
def drawn_facts() -> Callable[..., made.Facts]:
    """Make facts of a data set that is nowhere: `n` is train and valid by class, `changes` are fields of `Facts`."""
    return make_facts


def make_facts(
    n: Mapping[str, tuple[int, int]] | None = None,
    *,
    name: str = "made",
    problem: str = "multiclass",
    n_test: int = 30,
    **changes: object,
) -> made.Facts:
    by_class = dict(n or {"cat": (80, 20), "dog": (40, 10), "eel": (8, 2)})
    n_train, n_valid = (sum(counts[place] for counts in by_class.values()) for place in (0, 1))
    total = max(1, n_train + n_valid)
    classes = tuple(
        made.ClassFacts(name=name, n={"train": train, "valid": valid}, share=(train + valid) / total)
        for name, (train, valid) in by_class.items()
    )
    quantiles = made.Quantiles(low=60, middle=120, high=180)
    by_split = dict.fromkeys(("train", "valid", "test"), quantiles)
    fields: dict[str, object] = {
        "data": made.DataFacts(
            name=name,
            source="photos",
            problem=problem,
            metric="accuracy",
            classes=tuple(by_class),
            n={"train": n_train, "valid": n_valid, "test": n_test, "excluded": 2},
            n_unlabelled=0,
            data_digest="d" * 64,
            split_digest="e" * 64,
            fingerprint=None,
            licence="CC0 1.0",
        ),
        "files": (
            made.FileFacts(path="photos", role="photographs", n=n_train + n_valid + n_test, note="a folder per class"),
            made.FileFacts(path="senders.csv", role="metadata", n=190, note="columns file, sender"),
        ),
        "classes": classes,
        "together": (),
        "imbalance": made.ImbalanceFacts(
            ratio=10.0,
            rarest="eel",
            n_valid_rarest=2,
            half_width=0.45,
            majority_score=0.63,
            meaning="The largest class is 10 times the smallest; eel validates on 2 images.",
        ),
        "sizes": made.SizeFacts(
            width_px=made.Quantiles(low=128, middle=160, high=320),
            height_px=made.Quantiles(low=96, middle=120, high=240),
            aspect=made.Quantiles(low=0.75, middle=1.33, high=1.78),
            n_sizes=41,
            formats={"JPEG": 158, "PNG": 2},
            modes={"RGB": 160},
            n_turned=3,
            brightness=by_split,
            contrast=by_split,
            sharpness=by_split,
            recommended_px=128,
            recommended_why="Half of the photographs have a shorter side of at least 120 px.",
        ),
        "broken": (made.BrokenFile(path="cat/a.jpg", kind="truncated", reason="truncated"),),
        "duplicates": (
            made.Pair(
                first="cat/1.jpg",
                second="cat/2.jpg",
                kind="same file",
                similarity=1.0,
                splits=("train", "train"),
                labels=("cat", "cat"),
            ),
            made.Pair(
                first="cat/3.jpg",
                second="dog/4.jpg",
                kind="near copy",
                similarity=0.98,
                splits=("train", "valid"),
                labels=("cat", "dog"),
            ),
            made.Pair(
                first="cat/5.jpg",
                second="test/6.jpg",
                kind="mirrored",
                similarity=0.97,
                splits=("train", "test"),
                labels=None,
            ),
        ),
        "guesses": (
            made.LeakageProbe(by="file size", auc=0.52, p=0.4, n=160, n_values=150, shared={}),
            made.LeakageProbe(
                by="sender of senders.csv", auc=0.91, p=0.005, n=160, n_values=12, shared={"test": 0.9, "valid": 0.95}
            ),
        ),
        "drift": (
            made.Drift(parts=("train", "test"), by="pictures", auc=0.74, p=0.01, n=(30, 30)),
            made.Drift(parts=("train", "valid"), by="pictures", auc=0.5, p=0.6, n=(30, 32)),
        ),
        "odd": (made.Outlier(id="eel/9.jpg", split="valid", label="eel", distance=3.4, why="picture"),),
        "curve": (
            made.CurvePoint(n_train=32, value=0.6, low=0.5, high=0.7),
            made.CurvePoint(n_train=128, value=0.75, low=0.66, high=0.84),
        ),
        "findings": (
            made.Finding(
                id="duplicates.across",
                severity="error",
                title="2 pairs of photographs lie in two splits.",
                n=2,
                examples=("cat/3.jpg = dog/4.jpg", "cat/5.jpg = test/6.jpg", "a third one"),
                advice="Keep each pair together.",
                command="imgcls eda apply duplicates.across",
                action="group",
            ),
            made.Finding(
                id="guess:sender of senders.csv",
                severity="warning",
                title="The label can be guessed from the sender, AUC 0.91.",
                n=160,
                examples=(),
                advice="Split by sender.",
                command="imgcls recipe run baseline --group sender",
            ),
            made.Finding(
                id="broken",
                severity="warning",
                title="1 file cannot be used.",
                n=1,
                examples=("cat/a.jpg",),
                advice="Leave it out.",
                command=None,
                state="applied",
            ),
            made.Finding(
                id="sizes.varied",
                severity="note",
                title="Photographs come in 41 sizes.",
                n=160,
                examples=(),
                advice="Nothing has to be done.",
                command=None,
            ),
        ),
        "pictures": {"classes": "pictures/classes.png", "sheet: cat": "pictures/sheet-001-cat.png"},
        "seconds": {"reading": 1.5},
        "created": "2026-11-24T21:00:00+00:00",
    }
    return made.Facts.model_validate(fields | changes)
