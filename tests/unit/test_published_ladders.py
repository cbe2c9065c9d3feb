"""Published ladders: what they say follows from what is published, and they tell nothing of photographs or machines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.publishing import CORRECT, read_correct, with_tables
from imgcls.evidence.gains import Gain, fold_gain, measure
from imgcls.evidence.metrics import wilson_interval
from imgcls.evidence.verdicts import judge
from imgcls.ladders.spec import RESULT_JSON, Ladder

ROOT = Path(__file__).parents[2]
LADDERS = ROOT / "benchmarks" / "ladders"
PUBLISHED = sorted(path.parent for path in LADDERS.glob(f"*/{RESULT_JSON}"))
N_RANDOM_SPLIT = 656

every_ladder = pytest.mark.parametrize("folder", PUBLISHED, ids=lambda folder: folder.name)


def result_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / RESULT_JSON).read_text(encoding="utf-8"))
    return found


def gain_of(folder: Path, below: str, above: str, *, same: bool) -> Gain:
    """Measure the accuracy of one rung against another's from what is published."""
    result = result_of(folder)
    lines = [line for line in read_correct(folder) if line["what"] != "group"]
    if result["n_folds"] is not None:
        return by_folds(lines, below, above, n_folds=result["n_folds"], same=same)
    n_labels = len(result["data"]["classes"]) if result["data"]["problem"] == "multilabel" else 1
    rows = {
        name: {line["seed"]: line["values"] / n_labels for line in lines if line["what"] == name}
        for name in (below, above)
    }
    seeds = {name: sorted(set(rows[below]) & set(rows[above]) if same else rows[name]) for name in rows}
    a, b = (np.stack([rows[name][seed] for seed in seeds[name]]) for name in (below, above))
    return measure(a, b, same_weights=same)


def by_folds(lines: list[dict[str, Any]], below: str, above: str, *, n_folds: int, same: bool) -> Gain:
    """Measure accuracy over folds; seeds are averaged within a fold."""
    means: dict[str, list[float]] = {below: [], above: []}
    n_valid = []
    for fold in range(n_folds):
        runs = {
            name: {line["seed"]: line["values"] for line in lines if line["what"] == name and line["fold"] == fold}
            for name in (below, above)
        }
        both = set(runs[below]) & set(runs[above])
        for name in (below, above):
            means[name].append(float(np.mean([v.mean() for s, v in runs[name].items() if not same or s in both])))
        n_valid.append(len(next(iter(runs[below].values()))))
    n_train = [sum(n_valid) - n for n in n_valid]
    return fold_gain(np.array(means[below]), np.array(means[above]), n_train=n_train, n_valid=n_valid)


def steps_of(folder: Path) -> Iterator[tuple[Gain, dict[str, Any]]]:
    """Return the accuracy gain of each rung over the one below: measured from what is published, and as judged."""
    result = result_of(folder)
    labels = [rung["label"] for rung in result["rungs"]]
    for below, rung in zip(labels, result["rungs"][1:], strict=False):
        judged = rung["step"] if result["metric"] == "accuracy" else rung["other_gains"]["accuracy"]
        yield gain_of(folder, below, rung["label"], same=rung["weights_of"] is not None), judged


def rows_between(text: str, mark: str) -> list[list[str]]:
    """Return the cells of the table between two marks of the README of ladders, without its head."""
    found = re.search(rf"<!-- {mark}[^>]*-->\n(.*?)<!-- end of {mark} -->", text, re.DOTALL)
    assert found, f"there is no table {mark!r}"
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()[2:]]


@pytest.fixture
def told() -> str:
    return (LADDERS / "README.md").read_text(encoding="utf-8")


def test_these_ladders_are_published() -> None:
    expected = ["apples_pears_default", "clothing10", "coffee_leaf", "coffee_leaf_default", "elpv"]
    assert [folder.name for folder in PUBLISHED] == expected


@every_ladder
def test_gains_follow_from_what_each_run_got_right(folder: Path) -> None:
    steps = list(steps_of(folder))
    assert len(steps) == len(result_of(folder)["rungs"]) - 1
    for gain, judged in steps:
        assert (gain.value, gain.low, gain.high) == pytest.approx([judged[part] for part in ("value", "low", "high")])


def test_verdicts_by_accuracy_follow_from_what_each_run_got_right() -> None:
    folder = LADDERS / "clothing10"
    rungs = result_of(folder)["rungs"]
    totals = [gain_of(folder, "baseline", rung["label"], same=False) for rung in rungs[1:]]
    for part, gains in (("step", [gain for gain, _ in steps_of(folder)]), ("total", totals)):
        found = [(judged.verdict, judged.holm_p) for judged in judge(gains)]
        expected = [(rung[part]["verdict"], rung[part]["holm_p"]) for rung in rungs[1:]]
        assert [verdict for verdict, _ in found] == [verdict for verdict, _ in expected]
        assert [p for _, p in found] == pytest.approx([p for _, p in expected])


@every_ladder
def test_published_runs_are_those_that_were_planned_and_judged(folder: Path) -> None:
    ladder, result = Ladder.read(folder), result_of(folder)
    lines = [line for line in read_correct(folder) if line["what"] != "group"]
    places = {(line["what"], line["seed"], line["fold"]) for line in lines}
    assert len(places) == len(lines) == sum(len(rung["runs"]) for rung in result["rungs"])
    assert places <= {(ladder.rungs[job.rung].label, job.seed, job.fold) for job in ladder.jobs}
    assert len(ladder.jobs) == sum(rung["n_planned"] for rung in result["rungs"])
    assert [rung.plan_digest for rung in ladder.rungs] == [rung["plan_digest"] for rung in result["rungs"]]


@every_ladder
def test_the_readme_of_ladders_names_every_missing_run(folder: Path, told: str) -> None:
    ladder = Ladder.read(folder)
    done = {(line["what"], line["seed"], line["fold"]) for line in read_correct(folder)}
    missing = [
        f"{label} seed {job.seed}" + ("" if job.fold is None else f" fold {job.fold}")
        for job in ladder.jobs
        if ((label := ladder.rungs[job.rung].label), job.seed, job.fold) not in done
    ]
    said = {name: runs.split("; ") for name, runs in rows_between(told, "missing runs")}
    assert said.get(folder.name, []) == missing


def test_the_comparison_with_the_published_network_is_filled_in(told: str) -> None:
    *seeds, mean = rows_between(told, "elpv on a random split")
    assert [row[0] for row in seeds] == ["0", "1", "2"]
    for _, value, interval in seeds:
        n_right = round(float(value) * N_RANDOM_SPLIT)
        assert value == f"{n_right / N_RANDOM_SPLIT:.3f}", "no share of 656 cells"
        low, high = wilson_interval(n_right, N_RANDOM_SPLIT)
        assert interval == f"{low:.3f} to {high:.3f}"
    assert mean[:2] == ["mean", f"{np.mean([float(row[1]) for row in seeds]):.3f}"]


def test_the_accuracy_by_groups_is_that_of_the_ladder(told: str) -> None:
    rungs = {rung["label"]: rung for rung in result_of(LADDERS / "elpv")["rungs"]}
    rows = rows_between(told, "elpv by groups")
    assert [row[0] for row in rows] == ["baseline", "tta"]
    for label, value, interval, n_runs in rows:
        accuracy = rungs[label]["metrics"]["accuracy"]
        assert value == f"{accuracy['value']:.3f}"
        assert interval == f"{accuracy['low']:.3f} to {accuracy['high']:.3f}"
        assert n_runs == str(len(rungs[label]["runs"]))


def test_the_code_of_the_readme_of_ladders_prints_what_it_says(
    told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = re.search(r"```python\n(.*?)```", told, re.DOTALL)
    assert found
    monkeypatch.chdir(ROOT)
    exec(compile(found[1], "README.md", "exec"), {})
    assert capsys.readouterr().out.strip() == found[1].rpartition("# ")[2].strip()


@every_ladder
def test_nothing_tells_of_photographs_or_machines(folder: Path) -> None:
    for path in folder.iterdir():
        assert path.stat().st_size < 300_000
        if path.name != CORRECT:
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"\.(?:jpe?g|png|tiff?)\b|cell\d{4}|block\d|leaf_\d|[0-9a-f]{8}-[0-9a-f]{4}-", text)
            assert not re.search(
                r"""(?<![\w<./])/(?:tmp|home|root|work|mnt|data|opt|srv|usr|var|Users)/|Linux-""", text
            )


def test_all_files_together_stay_small() -> None:
    assert sum(path.stat().st_size for path in LADDERS.rglob("*") if path.is_file()) < 1_000_000


@every_ladder
def test_images_are_nothing_but_numbers(folder: Path) -> None:
    classes = result_of(folder)["data"]["classes"]
    most = len(classes) if result_of(folder)["data"]["problem"] == "multilabel" else 1
    for line in read_correct(folder):
        assert line["values"].min() >= 0
        assert line["what"] == "group" or line["values"].max() <= most


def test_the_guide_has_the_tables_of_what_is_published() -> None:
    text = (ROOT / "docs" / "guide" / "published-ladders.md").read_text(encoding="utf-8")
    assert text == with_tables(text, LADDERS), "run 'make ladders'"
