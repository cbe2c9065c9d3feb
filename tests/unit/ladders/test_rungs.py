"""Which stacks a ladder compares."""

from __future__ import annotations

import pytest

from imgcls.catalog import Stack
from imgcls.errors import StackError
from imgcls.ladders.spec import climbing, leaving_out, rung_plans

FULL = Stack.parse("baseline+augmentation+adamw_cosine+label_smoothing+tta")


def test_recipes_are_added_one_by_one() -> None:
    """The base first, the full stack last; TTA can use the weights of the rung below."""
    rungs = climbing(FULL)
    assert [rung.label for rung in rungs] == ["baseline", "augmentation", "adamw_cosine", "label_smoothing", "tta"]
    plans = rung_plans(rungs, "climb")
    assert [plan.weights_of for plan in plans] == [None, None, None, None, 3]
    assert plans[3].changes == {"loss.smoothing": (0.0, 0.1)}
    assert plans[3].items == ("train.loss",)
    assert plans[0].changes == {}


def test_a_rung_that_lacks_what_it_needs_is_told_by_number() -> None:
    """TTA before augmentation has nothing to draw views from."""
    with pytest.raises(StackError, match=r"Rung 2, baseline\+tta: .*needs"):
        climbing(Stack.parse("baseline+tta+augmentation"))


def test_one_rung_is_no_ladder() -> None:
    """There is nothing to compare."""
    with pytest.raises(StackError, match="two"):
        climbing(Stack.parse("baseline"))
    with pytest.raises(StackError, match="leave out"):
        leaving_out(Stack.parse("baseline"))


def test_what_needs_the_left_out_recipe_goes_with_it() -> None:
    """Without augmentation there is no TTA; without TTA the full stack's weights do."""
    rungs = leaving_out(FULL)
    assert rungs[1].label == "without augmentation (and tta, which needs it)"
    assert rungs[1].recipes == ("augmentation", "tta")
    assert rungs[2].stack.names == ("baseline", "augmentation", "label_smoothing", "tta")
    assert [plan.weights_of for plan in rung_plans(rungs, "ablate")] == [None, None, None, None, 0]


def test_changes_of_a_left_out_recipe_read_as_what_it_sets() -> None:
    """From the stack without it to the full one."""
    plans = rung_plans(leaving_out(FULL), "ablate")
    assert plans[3].changes == {"loss.smoothing": (0.0, 0.1)}
