"""The example that judges predictions of any framework."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "judge_a_csv.py"
Table = pd.DataFrame


def draw(recipe: str, share: float, *, n: int = 300, n_seeds: int = 4, first_seed: int = 0) -> Table:
    """Draw predictions of a share of which the label is the largest probability."""
    random = np.random.default_rng([len(recipe), n_seeds])
    labels = np.array(["cat", "dog", "none"])[np.arange(n) % 3]
    tables = []
    for seed in range(first_seed, first_seed + n_seeds):
        right = random.random(n) < share
        said = np.where(right, np.arange(n) % 3, (np.arange(n) + 1) % 3)
        values = np.full((n, 3), 0.1)
        values[np.arange(n), said] = 0.8
        table = pd.DataFrame(values, columns=["p_cat", "p_dog", "p_none"])
        table.insert(0, "id", [f"{place:04d}" for place in range(n)])
        tables.append(table.assign(label=labels, recipe=recipe, seed=seed))
    return pd.concat(tables)


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Write tables, run the example on them as a person would, and give what it printed."""

    def call(*tables: Table, options: tuple[str, ...] = ()) -> str:
        paths = [tmp_path / f"{place}.csv" for place in range(len(tables))]
        for table, path in zip(tables, paths, strict=True):
            table.to_csv(path, index=False)
        monkeypatch.setattr(sys, "argv", [EXAMPLE.name, *map(str, paths), *options])
        runpy.run_path(str(EXAMPLE), run_name="__main__")
        return capsys.readouterr().out

    return call


def test_every_recipe_is_judged_against_the_first(judge: Callable[..., str]) -> None:
    printed = judge(draw("resnet", 0.7), draw("convnext", 0.9), draw("resnet2", 0.7)).splitlines()
    assert printed[0] == "accuracy, against resnet: gain, 95 % interval, verdict"
    assert printed[1].startswith("convnext: +0.")
    assert printed[1].endswith("better; 4 and 4 seeds, 300 images")
    assert "no evidence" in printed[2]
    assert "would have been found four times in five" in printed[3]


def test_the_gain_is_that_of_the_labels(judge: Callable[..., str]) -> None:
    a, b = draw("a", 0.7), draw("b", 0.9)
    right = [
        (table[["p_cat", "p_dog", "p_none"]].to_numpy().argmax(axis=1) == np.tile(np.arange(300) % 3, 4)).mean()
        for table in (a, b)
    ]
    shuffled = b.sample(frac=1, random_state=0)
    assert f"b: {right[1] - right[0]:+.4f} [" in judge(a, shuffled)


def test_groups_and_another_metric(judge: Callable[..., str]) -> None:
    tables = [draw(name, share) for name, share in (("a", 0.6), ("bb", 0.9))]
    for table in tables:
        table["group"] = [f"g{int(name) // 30}" for name in table["id"]]
    printed = judge(*tables, options=("--metric", "log_loss"))
    assert printed.startswith("log_loss, against a")
    assert "300 images, 10 groups" in printed


def test_images_that_a_training_lacks_are_left_out(judge: Callable[..., str]) -> None:
    a, b = draw("a", 0.7), draw("b", 0.9)
    printed = judge(a, b[(b["id"] > "0009") | (b["seed"] > 0)])
    assert "10 images are left out: not every training predicted them." in printed
    assert "290 images" in printed


def test_one_seed_cannot_tell(judge: Callable[..., str]) -> None:
    assert "cannot tell" in judge(draw("a", 0.5, n_seeds=1), draw("b", 0.9, n_seeds=1))


BROKEN: dict[str, tuple[Callable[[Table], Table], str]] = {
    "no label": (lambda t: t.drop(columns="label"), "Columns are missing: label"),
    "no probabilities": (lambda t: t.drop(columns=["p_cat", "p_dog", "p_none"]), "p_… of each class"),
    "twice": (lambda t: pd.concat([t, t[:1]]), "a, seed 0, has two predictions of '0000'"),
    "labels": (lambda t: t.assign(label=["cat", *t["label"][1:]]).assign(id="0000", seed=range(len(t))), "two labels"),
    "unknown label": (lambda t: t.assign(label="horse"), "without a column of probabilities: horse"),
    "probabilities": (lambda t: t.assign(p_cat=2.0), r"a, run 0: Probabilities must lie in [0, 1]"),
    "nothing common": (lambda t: t.assign(id=t["id"] + t["seed"].astype(str)), "no image that all trainings predicted"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_tables_that_cannot_be_judged_are_refused(
    name: str, judge: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    change, message = BROKEN[name]
    with pytest.raises(SystemExit):
        judge(change(draw("a", 0.7)))
    assert message in capsys.readouterr().err
