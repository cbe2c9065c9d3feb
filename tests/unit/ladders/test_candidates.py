"""What is tried on which data."""

from __future__ import annotations

from imgcls.catalog import Stack
from imgcls.ladders.candidates import OPENINGS, PIXELS, WEIGHTS, Traits, default_stack, further, openings, variants
from imgcls.ladders.spec import DEFAULT_STACK

BASE = Stack.parse("baseline")
LONG = Traits({"uneven_shapes": "90% of the photographs are far from square"})


def test_a_climb_opens_with_all_that_can_stand_on_its_base() -> None:
    assert [stack.text for stack in openings(BASE)] == [f"baseline+{text}" for text in OPENINGS]
    fitted = openings(Stack.parse("baseline+linear_probe"))
    assert [stack.text for stack in fitted] == []


def test_where_photographs_are_long_stacks_are_there_with_their_proportions_kept() -> None:
    assert variants(BASE, openings(BASE), Traits({}), part=PIXELS) == {}
    found = variants(BASE, openings(BASE), LONG, part=PIXELS)
    texts = {text: other.text for text, other in found.items()}
    assert texts == {f"baseline+{text}": f"baseline+{text}+keep_aspect" for text in OPENINGS}
    for base in (Stack.parse("baseline+keep_aspect"), Stack.parse("baseline", {"images.resize": "pad"})):
        assert variants(base, openings(base), LONG, part=PIXELS) == {}


def test_the_default_ladder_keeps_proportions_where_photographs_are_long_and_nobody_said_otherwise() -> None:
    assert default_stack(Traits({}), {}).text == DEFAULT_STACK
    assert default_stack(LONG, {}).names == ("baseline", "keep_aspect", *Stack.parse(DEFAULT_STACK).names[1:])
    assert default_stack(LONG, {"images.resize": "pad"}).text == DEFAULT_STACK


def test_where_a_class_is_rare_and_counts_classes_are_weighed() -> None:
    """In every stack that fits or trains, also before other pixels; and in the ladder that nobody named."""
    rare = Traits({"uneven_classes": "the largest class has 9 times the photographs of the smallest"})
    assert variants(BASE, openings(BASE), LONG, part=WEIGHTS) == {}
    weighted = variants(BASE, openings(BASE), rare, part=WEIGHTS)
    assert {text: other.text for text, other in weighted.items()} == {
        f"baseline+{text}": f"baseline+{text}+class_weights" for text in OPENINGS
    }
    both = Traits({**rare.reasons, **LONG.reasons})
    assert default_stack(both, {}).names[:3] == ("baseline", "keep_aspect", "class_weights")
    by_hand = Stack.parse("baseline", {"loss.class_weights": "balanced"})
    assert variants(by_hand, openings(by_hand), rare, part=WEIGHTS) == {}


def test_recipes_for_what_the_data_are_come_first_then_what_trains_nothing() -> None:
    stack = Stack.parse("baseline+augmentation")
    added = [one.names[-1] for one in further(stack, LONG)]
    assert added[0] == "keep_aspect"
    assert {*added[1:3]} == {"tta", "tta_flips"}
    assert "class_weights" not in added
    assert "class_weights" in [one.names[-1] for one in further(stack, Traits({"uneven_classes": ""}))]
