"""What people read of ladders and comparisons, at the width of a terminal, without colour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType

import imgcls
from imgcls.ladders.judge import judge_ladder
from imgcls.ladders.predictions import changed_images
from imgcls.ladders.state import read_state
from imgcls.reports.ladder import ComparisonView, LadderView
from imgcls.reports.live import StateGrid

Draw = Callable[..., Any]
WIDTHS = [80, 120]
LARGE = {"n_images": 600, "skills": [0.5, 1.5, 1.5, 1.45, 1.7]}
ON_ITS_WAY = {"failed": frozenset({(1, 2)}), "missing": frozenset({(3, 2), (4, 1), (4, 2)})}


def drawn(view: RenderableType, width: int) -> str:
    """Draw a view as text, without trailing blanks."""
    screen = Console(file=StringIO(), width=width, highlight=False, emoji=False, color_system=None)
    screen.print(view, crop=False)
    return "\n".join(line.rstrip() for line in screen.file.getvalue().splitlines())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "drawing",
    [{"n_groups": 9, **LARGE}, {"n_seeds": 1}, {"metric": "log_loss"}, {"n_folds": 5, "n_images": 60, "n_seeds": 2}],
    ids=["groups", "one-seed", "log-loss", "folds"],
)
def test_a_ladder(snapshot, drawn_ladder: Draw, drawing: dict[str, Any], width: int) -> None:
    ladder, workspace = drawn_ladder(**drawing)
    assert drawn(LadderView(judge_ladder(read_state(ladder, workspace))), width) == snapshot


def test_a_ladder_on_a_narrow_terminal(snapshot, drawn_ladder: Draw) -> None:
    ladder, workspace = drawn_ladder(n_groups=9, **LARGE)
    assert drawn(LadderView(judge_ladder(read_state(ladder, workspace))), 60) == snapshot


@pytest.mark.parametrize("width", WIDTHS)
def test_an_ablation_on_its_way(snapshot, drawn_ladder: Draw, width: int) -> None:
    ladder, workspace = drawn_ladder(kind="ablate", n_images=600, skills=[1.8, 0.5, 1.8, 1.8, 1.8], **ON_ITS_WAY)
    state = read_state(ladder, workspace)
    assert drawn(LadderView(judge_ladder(state), changed_images(state, most=2)), width) == snapshot


@pytest.mark.parametrize("width", WIDTHS)
def test_the_grid_of_a_ladder_on_its_way(snapshot, drawn_ladder: Draw, width: int) -> None:
    ladder, workspace = drawn_ladder(**ON_ITS_WAY)
    state = read_state(ladder, workspace)
    waiting = next(place for place, entry in enumerate(state.jobs) if entry.state == "waiting")
    running = replace(state.jobs[waiting], state="running", epoch=1)
    state = replace(state, jobs=(*state.jobs[:waiting], running, *state.jobs[waiting + 1 :]), is_running=True)
    assert drawn(StateGrid(state, judge_ladder(state)), width) == snapshot


@pytest.mark.parametrize("width", WIDTHS)
def test_a_comparison(snapshot, drawn_ladder: Draw, width: int) -> None:
    _, workspace = drawn_ladder(n_groups=9, **LARGE)
    comparison = imgcls.compare("baseline+augmentation", "baseline+augmentation+adamw_cosine", workspace=workspace)
    assert drawn(ComparisonView(comparison, 2), width) == snapshot
