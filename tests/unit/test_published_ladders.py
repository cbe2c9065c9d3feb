"""Published ladders: what they say follows from what is published, and they tell nothing of photographs or machines."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.publishing import RESULT, publish, read_correct, with_tables
from imgcls.evidence.folds import fold_gain
from imgcls.evidence.gains import measure

ROOT = Path(__file__).parents[2]
PUBLISHED = sorted(path.parent for path in (ROOT / "benchmarks" / "ladders").glob(f"*/{RESULT}"))
Draw = Callable[..., Any]

every_ladder = pytest.mark.parametrize("folder", PUBLISHED, ids=lambda folder: folder.name)


def accuracy_of(rung: dict[str, Any], metric: str) -> dict[str, Any]:
    """Give the accuracy gain of a rung's step, whichever metric the ladder is judged by."""
    found: dict[str, Any] = rung["step"] if metric == "accuracy" else rung["other_gains"]["accuracy"]
    return found


def test_three_ladders_are_published() -> None:
    assert [folder.name for folder in PUBLISHED] == ["clothing10", "coffee_leaf", "elpv"]


@every_ladder
def test_gains_follow_from_what_each_run_got_right(folder: Path) -> None:
    result = json.loads((folder / RESULT).read_text())
    lines = [line for line in read_correct(folder) if line["what"] != "group"]
    n_labels = len(result["data"]["classes"]) if result["data"]["problem"] == "multilabel" else 1
    labels = [rung["label"] for rung in result["rungs"]]
    for below, rung in zip(labels, result["rungs"][1:], strict=False):
        same = rung["weights_of"] is not None
        expected = accuracy_of(rung, result["metric"])
        if result["n_folds"] is None:
            rows = {
                name: {line["seed"]: line["values"] / n_labels for line in lines if line["what"] == name}
                for name in (below, rung["label"])
            }
            seeds = sorted(set(rows[below]) & set(rows[rung["label"]])) if same else None
            a, b = (
                np.stack([rows[name][seed] for seed in seeds or sorted(rows[name])]) for name in (below, rung["label"])
            )
            gain = measure(a, b, same_weights=same)
        else:
            gain = by_folds(lines, below, rung["label"], result, same=same)
        assert (gain.value, gain.low, gain.high) == pytest.approx([expected[part] for part in ("value", "low", "high")])


def by_folds(lines: list[dict[str, Any]], below: str, above: str, result: dict[str, Any], *, same: bool) -> Any:
    """Measure accuracy over folds; seeds are averaged within a fold."""
    means: dict[str, list[float]] = {below: [], above: []}
    n_valid = []
    for fold in range(result["n_folds"]):
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


@every_ladder
def test_nothing_tells_of_photographs_or_machines(folder: Path) -> None:
    for path in folder.iterdir():
        assert path.stat().st_size < 300_000
        if path.suffix != ".gz":
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"\.(?:jpe?g|png)\b|/tmp/|/home/|/work/|cell\d{4}", text)


def test_the_readme_has_the_tables_of_what_is_published() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text == with_tables(text, ROOT / "benchmarks" / "ladders"), "run 'make ladders'"


def test_publishing_writes_rows_and_no_names(drawn_ladder: Draw, tmp_path: Path) -> None:
    ids = [f"secret{number}.png" for number in range(60)]
    _, workspace = drawn_ladder("baseline+cosine", n_seeds=2, n_images=60, ids=ids, n_groups=6)
    publish(workspace, None, tmp_path / "out")
    lines = read_correct(tmp_path / "out")
    assert [line["what"] for line in lines] == ["group", "baseline", "cosine", "baseline", "cosine"]
    assert {len(line["values"]) for line in lines} == {60}
    assert lines[0]["values"].max() == 5
    assert not any(b"secret" in path.read_bytes() for path in (tmp_path / "out").iterdir())
