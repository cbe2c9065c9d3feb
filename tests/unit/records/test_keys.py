"""Tests of keys and names of runs."""

from __future__ import annotations

from typing import Any

import pytest

from imgcls.records.run import joint_digest, run_folder_name, run_key

GIVEN: dict[str, Any] = {
    "data_digest": "d",
    "split_digest": "s",
    "fold": None,
    "seed": 0,
    "weights_sha256": None,
    "device_type": "cpu",
    "precision": "float32",
}


def test_key_is_pinned() -> None:
    """A change of this value orphans every record there is."""
    assert run_key({"b": 1, "a": [2]}, **GIVEN) == "d1c232977f52d7d6973ba84aae3fee3b71c39f5a53466e5e94ecf27f1079d7e1"


def test_order_of_the_plan_does_not_matter() -> None:
    assert run_key({"a": 1, "b": 2}, **GIVEN) == run_key({"b": 2, "a": 1}, **GIVEN)


@pytest.mark.parametrize(
    "change",
    [
        {"data_digest": "e"},
        {"split_digest": "e"},
        {"fold": 0},
        {"n_folds": 5},
        {"seed": 1},
        {"weights_sha256": "e"},
        {"device_type": "cuda"},
        {"precision": "bfloat16"},
    ],
)
def test_everything_that_changes_a_training_changes_the_key(change: dict[str, Any]) -> None:
    assert run_key({}, **GIVEN) != run_key({}, **(GIVEN | change))


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("baseline+tta", "baseline+tta-s3-f1-01234567"),
        ("baseline+./my recipe.py:x=1", "baseline+.-my-recipe.py-x=1-s3-f1-01234567"),
        ("../../etc", "etc-s3-f1-01234567"),
        ("기준", "run-s3-f1-01234567"),
        ("a" * 200, "a" * 80 + "-s3-f1-01234567"),
    ],
)
def test_folder_names_are_safe(label: str, name: str) -> None:
    assert run_folder_name(label, seed=3, fold=1, key="0123456789") == name


def test_without_folds_the_name_has_none() -> None:
    assert run_folder_name("baseline", seed=0, fold=None, key="0" * 64) == "baseline-s0-00000000"


def test_the_same_fold_of_other_numbers_has_another_key() -> None:
    """Also where both validate the same samples, as may be where groups are few."""
    of_five, of_ten = (run_key({}, **(GIVEN | {"fold": 0, "n_folds": n_folds})) for n_folds in (5, 10))
    assert of_five != of_ten


def test_the_name_of_all_folds_says_how_many() -> None:
    assert run_folder_name("baseline", seed=0, fold=None, key="0" * 64, n_folds=5) == "baseline-s0-oof5-00000000"
    assert run_folder_name("baseline", seed=0, fold=4, key="0" * 64, n_folds=5) == "baseline-s0-f4-00000000"


def test_joint_digests_know_parts_and_order() -> None:
    assert joint_digest(["a", "b"]) == joint_digest(["a", "b"])
    assert len({joint_digest(parts) for parts in (["a", "b"], ["b", "a"], ["ab"], ["a"], [])}) == 5
