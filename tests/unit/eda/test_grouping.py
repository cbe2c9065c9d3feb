from __future__ import annotations

from imgcls.data.grouping import ConnectedGroups

APART = ConnectedGroups({name: number for number, name in enumerate("abcdef")})


def test_sets_that_overlap_become_one_family() -> None:
    assert APART.joined([("c", "b"), ("e", "f"), ("b", "a")]) == (("a", "b", "c"), ("e", "f"))


def test_those_that_stay_together_already_are_left_out() -> None:
    kinship = ConnectedGroups({"a": 0, "b": 0, "c": 1, "d": 2})
    assert kinship.joined([("a", "b")]) == ()
    assert kinship.joined([("a", "b"), ("c", "d")]) == (("c", "d"),)
    assert kinship.joined([("a", "b", "c")]) == (("a", "b", "c"),)


def test_nothing_makes_no_family() -> None:
    assert APART.joined([]) == ()
    assert APART.joined([("a",)]) == ()
