"""The search for a stack: what it wants, drops and chooses, and that what is claimed of it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from imgcls.evidence.cross_fitting import N_PARTS
from imgcls.evidence.verdicts import judge
from imgcls.ladders.search import HeldOut, Search, Training, Turns

N = 200


def turns(n_seeds: int = 3, n: int = N, groups: np.ndarray | None = None) -> Turns:
    return Turns.of_split(np.arange(n) % 2, groups, n_seeds=n_seeds, n_train=4 * n)  # type: ignore[arg-type]


def rows(shares: dict[str, float], n_turns: int = 3, n: int = N, seed: int = 0) -> dict[Training, np.ndarray]:
    """Return what stacks get right, so many of the images each, the same images in every turn but for a few."""
    random, found = np.random.default_rng(seed), {}
    for stack, share in shares.items():
        for turn in range(n_turns):
            right = (np.arange(n) < share * n).astype(float)
            swapped = random.choice(n, size=n // 20, replace=False)
            right[swapped] = right[random.permutation(swapped)]
            found[Training(stack, turn)] = right
    return found


def search(shares: dict[str, float], opening: Sequence[str], **options: object) -> Search:
    return Search("base", tuple(opening), turns(), rows(shares), **options)  # type: ignore[arg-type]


def test_it_wants_the_first_turns_of_all_then_only_those_of_the_better_half() -> None:
    everything = rows({"base": 0.6, "a": 0.9, "b": 0.5, "c": 0.88})
    nothing = Search("base", ("a", "b", "c"), turns(), {})
    assert {training.turn for training in nothing.follow().wanted} == {0, 1}
    assert {training.stack for training in nothing.follow().wanted} == {"base", "a", "b", "c"}
    begun = replace(nothing, results={one: row for one, row in everything.items() if one.turn < 2})
    choice = begun.follow()
    assert {(training.stack, training.turn) for training in choice.wanted} == {("base", 2), ("a", 2), ("c", 2)}
    assert [(step.stack, step.kind, step.against) for step in choice.steps] == [("b", "dropped", "a")]
    done = replace(nothing, results=everything).follow()
    assert (done.stack, done.wanted) == ("a", ())


def test_what_is_clearly_behind_goes_even_where_there_is_room() -> None:
    shares = {"base": 0.6, "a": 0.95, "b": 0.5, "c": 0.4}
    begun = {one: row for one, row in rows(shares).items() if one.turn < 2}
    wanted = replace(search(shares, ("a", "b", "c")), results=begun).follow().wanted
    assert {training.stack for training in wanted} == {"base", "a"}


def test_the_base_stays_where_nothing_is_better() -> None:
    assert search({"base": 0.9, "a": 0.7, "b": 0.8}, ("a", "b")).follow().stack == "base"


def test_of_what_can_hardly_be_told_apart_the_most_promising_is_taken() -> None:
    def chosen(shares: dict[str, float], opening: tuple[str, ...]) -> str:
        return Search("base", opening, turns(n=2000), rows(shares, n=2000)).follow().stack

    close = {"base": 0.718, "a": 0.719, "b": 0.72}
    assert chosen(close, ("a", "b")) == "a"
    assert chosen(close, ("b", "a")) == "b"
    assert chosen(close | {"a": 0.70}, ("a", "b")) == "b"


def test_a_stack_that_changes_nothing_is_not_taken() -> None:
    found = search({"base": 0.7, "a": 0.7}, ("a",))
    same = {one: found.results[Training("base", one.turn)] for one in found.results}
    assert replace(found, results=same).follow().stack == "base"


def test_what_failed_or_has_no_time_is_not_chosen() -> None:
    found = search({"base": 0.6, "a": 0.9, "b": 0.8}, ("a", "b"), out=frozenset({"a"}))
    assert found.follow().stack == "b"


def test_recipes_are_added_one_at_a_time_and_stay_only_if_they_gain() -> None:
    shares = {"base": 0.5, "a": 0.7, "a+x": 0.6, "a+y": 0.8, "a+y+z": 0.8}
    offers = {"a": ("a+x", "a+y"), "a+y": ("a+y+z",)}
    found = search(shares, ("a",), grow=lambda stack: offers.get(stack, ()))
    choice = found.follow()
    assert choice.stack == "a+y"
    kinds = [(step.stack, step.kind, step.n_turns) for step in choice.steps]
    assert kinds == [("a+x", "dropped", 2), ("a+y", "adopted", 3), ("a+y+z", "dropped", 3)]


def test_the_cheapest_stack_shows_which_pixels_suit() -> None:
    shares = {"base": 0.5, "a": 0.6, "b": 0.7, "a+crop": 0.7, "b+crop": 0.8}
    variants = {"a": "a+crop", "b": "b+crop"}
    nothing = Search("base", ("a", "b"), turns(), {}, variants=(variants,))
    assert {(one.stack, one.turn) for one in nothing.follow().wanted} == {
        (stack, turn) for stack in ("base", "a", "a+crop") for turn in (0, 1)
    }
    found = search(shares, ("a", "b"), variants=(variants,)).follow()
    assert found.stack == "b+crop"
    assert [(step.stack, step.kind, step.against) for step in found.steps][:1] == [("a", "dropped", "a+crop")]
    assert found.steps[0].gain < 0
    worse = search(shares | {"a+crop": 0.5}, ("a", "b"), variants=(variants,)).follow()
    assert worse.stack == "b"
    assert [(step.stack, step.against) for step in worse.steps][:1] == [("a+crop", "a")]
    failed = search(shares, ("a", "b"), variants=(variants,), out=frozenset({"a+crop"})).follow()
    assert failed.stack == "b"


def test_one_form_is_decided_after_the_other_on_the_stack_that_is_named() -> None:
    """Weights of classes first, then pixels for what the weights left; a stack that has no such form stays."""
    shares = {"base": 0.5, "a": 0.55, "b": 0.6, "b+w": 0.7, "a+w": 0.65, "b+w+crop": 0.6, "a+w+crop": 0.6, "c": 0.5}
    weighted = {"a": "a+w", "b": "b+w"}
    cropped = {"a": "a+crop", "b": "b+crop", "a+w": "a+w+crop", "b+w": "b+w+crop"}
    options = {"variants": (weighted, cropped), "cheapest": "b"}
    found = search(shares, ("a", "b", "c"), **options).follow()
    assert found.stack == "b+w"
    assert [(step.stack, step.against) for step in found.steps][:2] == [("b", "b+w"), ("b+w+crop", "b+w")]
    nothing = Search("base", ("a", "b", "c"), turns(), {}, **options)
    assert {one.stack for one in nothing.follow().wanted} == {"base", "b", "b+w"}


def test_a_search_with_a_part_held_out_does_not_look_at_it() -> None:
    shares = {"base": 0.5, "a": 0.7, "b": 0.72}
    found = search(shares, ("a", "b"))
    held = HeldOut(1, 2)
    parts = found.turns.parts
    assert parts is not None
    changed = dict(found.results)
    for training, row in found.results.items():
        spoilt = row.copy()
        spoilt[parts == held.part] = 1 - spoilt[parts == held.part]
        changed[training] = 1 - spoilt if training.turn == held.turn else spoilt
    assert replace(found, results=changed).follow(held) == found.follow(held)
    assert replace(found, results=changed).follow() != found.follow()


def test_every_prediction_is_answered_by_a_search_that_did_not_see_it() -> None:
    found = search({"base": 0.5, "a": 0.7, "b": 0.7}, ("a", "b"))
    unseen = found.unseen()
    parts = found.turns.parts
    assert parts is not None
    assert len(found.turns.held_out()) == 3 * N_PARTS
    for turn, row in enumerate(unseen):
        for part in range(N_PARTS):
            choice = found.follow(HeldOut(turn, part)).stack
            expected = found.results[Training(choice, turn)][parts == part]
            np.testing.assert_array_equal(row[parts == part], expected)


def test_what_a_claim_lacks_is_named() -> None:
    found = search({"base": 0.5, "a": 0.7}, ("a",))
    left = {one: row for one, row in found.results.items() if one != Training("a", 2)}
    assert replace(found, results=left).of("a") == (Training("a", 2),)
    assert replace(found, results=left).unseen() == (Training("a", 2),)


def test_parts_keep_groups_whole_and_classes_spread() -> None:
    groups = np.repeat(np.arange(50), 4)
    labels = np.repeat(np.arange(50) % 2, 4)
    parts = Turns.of_split(labels.tolist(), groups, n_seeds=2, n_train=10).parts
    assert parts is not None
    assert all(len(set(parts[groups == group])) == 1 for group in range(50))
    counts = np.array([[((parts == part) & (labels == label)).sum() for label in (0, 1)] for part in range(N_PARTS)])
    assert counts.min() == counts.max() == 20


def claims(n_rounds: int, *, n_folds: int | None, gain: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Simulate climbs among seven recipes, and return whether "better" was claimed, honestly and naively.

    Recipes differ from image to image and from seed to seed as fine-tuning does; on average by `gain` alone.
    """
    honest, naive = [], []
    for number in range(n_rounds):
        random = np.random.default_rng(number)
        n_turns, n = n_folds or 3, 300 // (n_folds or 1)
        easy = np.clip(random.normal(0.85, 0.25, (n_turns if n_folds else 1, n)), 0.02, 0.98)
        results = {}
        for place, stack in enumerate(("base", *"abcdefg")):
            taste = random.normal(0, 0.08, easy.shape)
            for turn in range(n_turns):
                image = turn if n_folds else 0
                shift = random.normal(0, 0.0038) + (gain if place else 0.0)
                results[Training(stack, turn)] = (random.random(n) < easy[image] + taste[image] + shift).astype(float)
        images = (
            Turns(tuple(np.arange(n) for _ in range(n_turns)), ((4 * n, n),) * n_turns, None)
            if n_folds
            else turns(n_turns, n)
        )
        one = Search("base", tuple("abcdefg"), images, results)
        base, top, unseen = one.of("base"), one.of(one.follow().stack), one.unseen()
        gains = [images.gain(base, after) for after in (unseen, top)]  # type: ignore[arg-type]
        honest.append([judge([gains[0]])[0].verdict == "better", gains[0].value])
        naive.append([judge([gains[1]])[0].verdict == "better", gains[1].value])
    return np.mean(honest, axis=0), np.mean(naive, axis=0)


@pytest.mark.parametrize("n_folds", [None, 5])
def test_the_winners_curse_is_not_in_the_claim(n_folds: int | None) -> None:
    honest, naive = claims(120, n_folds=n_folds)
    assert honest[0] <= 0.05
    assert abs(honest[1]) < 0.004
    assert naive[1] > 0.012


def test_a_gain_that_is_there_is_claimed() -> None:
    honest, _ = claims(20, n_folds=None, gain=0.12)
    assert honest[0] > 0.7
