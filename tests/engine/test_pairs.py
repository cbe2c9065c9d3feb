"""Recipes two by two: what may stand together, and the pairs that threw away what their classifier knew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import imgcls
from benchmarks.pairs import SETTINGS, judged, pairs
from imgcls.engine.progress import Silent
from imgcls.records.run import Estimate, RunRecord

DATA = Path(os.environ.get("IMGCLS_TEST_DATA", Path(__file__).parents[2].parent / "shared" / "data")) / "apples_pears"
LOST = 0.15
"""Of accuracy: what four validation photographs of forty may cost without anything being broken."""

WORST = (
    "augmentation+lp_ft:steps=20",
    "lp_ft:steps=20+mixup",
    "fine_tune:steps=20+class_weights",
    "fine_tune:steps=20+weight_averaging",
    "lp_ft:steps=20+one_cycle",
)


def fitted(recipes: str, workspace: Path, **overrides: object) -> RunRecord:
    if not DATA.exists():
        pytest.skip(f"no real photographs: {DATA} is missing; set IMGCLS_TEST_DATA")
    return imgcls.train(
        f"baseline+{recipes}", DATA, workspace=workspace, overrides=SETTINGS | overrides, reporter=Silent()
    )


@pytest.mark.train
@pytest.mark.parametrize("recipes", WORST)
def test_nothing_is_thrown_away(recipes: str, tmp_path: Path) -> None:
    run = fitted(recipes, tmp_path)
    lost = run.lost_from_start("accuracy")
    assert lost is None or lost[0] - lost[1] < LOST


@pytest.mark.train
def test_a_rate_that_throws_it_away_is_seen(tmp_path: Path) -> None:
    run = fitted("lp_ft:steps=20", tmp_path, **{"optimizer.learning_rate": 0.01})
    lost = run.lost_from_start("accuracy")
    assert lost is not None
    assert lost[0] - lost[1] >= LOST


def test_pairs_that_cannot_stand_together_are_left_out() -> None:
    stacks = [stack.text for stack in pairs()]
    assert len(stacks) == len(set(stacks)) > 300
    assert "baseline+lp_ft+mixup" in stacks
    assert "baseline+augmentation+multi_view_probe+tta" in stacks
    assert not any("linear_probe" in text and "lp_ft" in text for text in stacks)


def test_below_the_baseline_is_below_its_interval() -> None:
    base = Estimate(0.8, 0.7, 0.9, 50)
    assert judged("a", Estimate(0.71, None, None, 50), base).told == ""
    assert judged("a", Estimate(0.69, None, None, 50), base).told == "below the baseline"
    loss = Estimate(0.5, 0.4, 0.6, 50)
    assert judged("a", Estimate(0.61, None, None, 50), loss, is_loss=True).told == "below the baseline"
    assert judged("a", Estimate(0.39, None, None, 50), loss, is_loss=True).told == ""
