"""What ladders of a workspace measured of a recipe."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from imgcls.ladders.judge import judge_ladder
from imgcls.ladders.results import measured_effects
from imgcls.ladders.spec import RESULT_JSON
from imgcls.ladders.state import read_state
from imgcls.reports.recipes import effect_sentence

Draw = Callable[..., Any]


def test_an_effect_is_the_step_of_its_rung(drawn_ladder: Draw) -> None:
    """As it was judged."""
    ladder, workspace = drawn_ladder()
    result = judge_ladder(read_state(ladder, workspace))
    (ladder.folder / RESULT_JSON).write_text(json.dumps(result.to_json()))
    (effect,) = measured_effects("adamw_cosine", workspace)
    assert (effect.value, effect.verdict) == (result.rungs[2].step.value, result.rungs[2].step.verdict)
    assert effect.over == ladder.rungs[1].printed


@pytest.mark.parametrize(
    ("place", "value"),
    [("value", None), ("low", None), ("high", "x"), ("n_runs", []), ("value", []), ("metric", "x"), ("metric", [])],
)
def test_an_effect_without_numbers_is_passed_over(drawn_ladder: Draw, place: str, value: Any) -> None:
    """A single image has no interval, and a file may be damaged; the recipe is shown all the same."""
    ladder, workspace = drawn_ladder()
    result = judge_ladder(read_state(ladder, workspace)).to_json()
    (result if place == "metric" else result["rungs"][2]["step"])[place] = value
    (ladder.folder / RESULT_JSON).write_text(json.dumps(result))
    assert [effect_sentence(effect) for effect in measured_effects("adamw_cosine", workspace)] == []
