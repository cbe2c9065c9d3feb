"""The benchmark compares equal work, and names the fastest reference."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from rich.console import Console

ROOT = Path(__file__).parents[2]


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Make a training of 100 images that took 100 / speed seconds."""
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.rounds import Side, Trained
    from benchmarks.setting import Measured

    def make(name: str, speed: float, *, n_train_images: int = 100) -> Trained:
        measured = Measured(
            n_train_images=n_train_images,
            n_valid_images=20,
            train_seconds=n_train_images / speed,
            valid_seconds=1.0,
            accuracy=0.5,
            peak_bytes=2**30,
            device="cpu",
            precision="float32",
        )
        return Trained(Side(name, "none", 0), measured, wall_seconds=200 / speed)

    return make


@pytest.fixture
def comparison(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that compares."""
    monkeypatch.syspath_prepend(str(ROOT))
    import benchmarks.comparison

    return benchmarks.comparison


def test_the_reference_is_the_setting_with_the_best_median(
    training: Callable[..., Any], comparison: ModuleType
) -> None:
    speeds = [
        (10, 60, 120),
        (90, 50, 100),
        (20, 70, 140),
    ]  # the first setting has the best round, the second the median
    names = ("fastai, 0 workers", "fastai, 1 workers", "imgcls")
    found = comparison.Comparison([[training(*pair) for pair in zip(names, row, strict=True)] for row in speeds])
    told = found.to_json()
    assert told["reference"] == "fastai, 1 workers"
    assert told["ratios"]["train_images_per_second"] == pytest.approx({"min": 2, "median": 2, "max": 2})
    assert told["ratios"]["wall_seconds"]["median"] == pytest.approx(2)  # less time is better
    assert "accuracy" not in told["ratios"]


def test_unequal_work_is_refused(training: Callable[..., Any]) -> None:
    from benchmarks.rounds import check_equal_work
    from imgcls.errors import TrainingError

    check_equal_work([training("a", 10), training("b", 20)])
    with pytest.raises(TrainingError, match=r"unequal work(.|\n)*b: 99 training"):
        check_equal_work([training("a", 10), training("b", 20, n_train_images=99)])


def test_verdicts_are_counted_beside_an_earlier_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.verdict_table import EARLIER, DetectableTable, VerdictTable
    from benchmarks.verdicts import Counted, simulate
    from imgcls.evidence.gains import Components

    counted = list(simulate(n_pairs=3, n_ladders=1, seed=0))
    assert {(entry.world, entry.question) for entry in counted} >= set(EARLIER)
    assert {entry.n_drawn for entry in counted} == {3, 1}
    assert list(simulate(n_pairs=3, n_ladders=1, seed=0)) == counted

    often = Counted("false claims: imgcls", "ordinary seeds", 3, 1000, 30, 100)
    found = Counted("+1 point found", "ordinary seeds", 5, 200, 30, 100)
    console = Console(width=140, file=StringIO(), color_system=None)
    quiet = Components(seed=0.0, both=0.0, image=0.0)
    console.print(VerdictTable([often, found], "drawn"), DetectableTable({"a": quiet, "b": quiet}))
    printed = console.file.getvalue()
    assert "30.0 ±4.6!" in printed, "too often is marked"
    assert "0.0 / 0.0" in printed
    assert "(2.5)" in printed, "the earlier count of that cell stands below"
    assert "30.0 ±4.6 " in printed.replace("!", "x"), "a gain cannot be found too often"


@pytest.mark.slow
def test_both_sides_train_drawn_photographs(photo_folder: Path) -> None:
    options = ["--size", "32", "--batch-size", "8", "--repeats", "1", "--workers", "0", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "stock", "--data", str(photo_folder), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["n"]["train"] % 8 == 0
    assert set(told["sides"]) == {"fastai, 0 workers", "imgcls"}
    for side in told["sides"].values():
        for name in ("train_images_per_second", "valid_images_per_second", "wall_seconds", "peak_mib"):
            assert side[name]["median"] > 0


def test_broken_files_are_counted_by_whether_they_are_listed_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.breaking import Broken
    from benchmarks.duplicates import compare_broken

    truth = [Broken("a.jpg", "empty"), Broken("b.jpg", "truncated"), Broken("c.jpg", "damaged")]
    found = compare_broken({"/x/a.jpg": "empty file", "/x/b.jpg": "not an image", "/x/d.jpg": "empty file"}, truth)
    assert (found.n, found.n_found, found.n_named, found.false_alarms) == (3, 2, 1, ("d.jpg",))


def test_copies_count_as_found_through_others_and_strangers_as_false_alarms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.duplicates import compare
    from benchmarks.planting import Planted
    from imgcls.eda.facts import Pair

    def pair(first: str, second: str) -> Pair:
        return Pair(
            first=first, second=second, kind="near copy", similarity=1.0, splits=("train", "valid"), labels=None
        )

    truth = [Planted("c1", "a", "exact"), Planted("c2", "a", "mirrored"), Planted("c3", "b", "mirrored")]
    pairs = [pair("a", "c1"), pair("c1", "c2"), pair("x", "y"), pair("a", "b")]
    found = compare(pairs, truth, [("x", "y")], seed=0, seconds=1.0)
    assert found.found == {"exact": (1, 1), "mirrored": (1, 2)}
    assert found.false_alarms == (pairs[3],)


def test_hidden_copies_and_broken_files_are_found_in_drawn_photographs(tmp_path: Path) -> None:
    for number in range(120):
        coarse = np.random.default_rng([3, number]).integers(0, 256, (9, 9, 3)).astype(np.uint8)
        path = tmp_path / "photos" / "ab"[number % 2] / f"{number:03d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(coarse).resize((96, 96), Image.Resampling.BICUBIC).save(path)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "duplicates", str(tmp_path / "photos"), "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)["plantings"]
    assert told["found"]["exact"] == {"found": 10, "planted": 10}
    assert told["false_alarms"] == []
    assert (told["broken"]["n_found"], told["broken"]["n_named"], told["broken"]["n"]) == (10, 10, 10)
    assert told["broken"]["false_alarms"] == []
    assert told["leak"] is None or told["leak"]["n_excluded"] >= 10


def test_killed_fillings_of_the_cache_lose_nothing_and_are_not_done_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.__main__ import benchmarks

    path = tmp_path / "kills.jsonl"
    for n_lines in (1, 0):
        done = CliRunner().invoke(benchmarks, ["kills", "--n", "5", "--kind", "cache", "--out", str(path)])
        assert done.exit_code == 0, done.output
        assert len(done.output.splitlines()) == n_lines
    (kill,) = map(json.loads, path.read_text().splitlines())
    assert (kill["kind"], kill["number"], kill["way"], kill["problems"]) == ("cache", 0, "forked", [])


def test_what_a_kill_leaves_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import kills

    def leave() -> None:
        path = Path(f".{os.getpid()}.tmp")
        path.touch()
        time.sleep(1)
        path.unlink()

    monkeypatch.setattr(kills, "fill_cache", leave)
    (kill,) = kills.kill_all(5, tmp_path, tmp_path / "kills.jsonl", kinds=("cache",))
    assert any(problem.endswith(".tmp was left") for problem in kill.problems)
