from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from imgcls.data.samples import Samples, class_order, frame_of
from imgcls.data.split import Fold, fold_samples
from imgcls.errors import DataError


def make(
    labels: list[str],
    *,
    groups: list[str] | None = None,
    splits: list[str] | None = None,
    contents: list[str] | None = None,
    problem: str = "multiclass",
) -> Samples:
    ids = [f"{position:04d}" for position in range(len(labels))]
    names = {name for label in labels for name in (label.split("|") if problem == "multilabel" else [label]) if name}
    frame = frame_of(ids=ids, paths=ids, labels=labels, groups=groups, splits=splits)
    samples = Samples(frame, class_order(names), problem, "photos", Path())  # type: ignore[arg-type]
    return samples.with_sha256(contents or ids)


def turns_of(samples: Samples, n_folds: int, *, seed: int = 0) -> list[Samples]:
    return [fold_samples(samples, Fold(fold, n_folds), seed=seed) for fold in range(n_folds)]


def n_by_class(turns: list[Samples]) -> list[list[int]]:
    """Return the number of validation samples of each class, turn by turn."""
    counts = (turn.part("valid").frame["label"].value_counts() for turn in turns)
    return [[int(count.get(name, 0)) for name in turns[0].classes] for count in counts]


def test_every_fold_has_its_share_of_every_class() -> None:
    turns = turns_of(make(["a"] * 80 + ["b"] * 20), 5)
    assert n_by_class(turns) == [[16, 4]] * 5
    assert turns[0].notes == ()


def test_the_seed_fixes_the_folds_and_numpys_global_one_is_left_alone() -> None:
    samples = make(["a", "b"] * 40)
    state = np.random.get_state()[1].tolist()  # type: ignore[index,union-attr]
    digests = [[turn.split_digest for turn in turns_of(samples, 4, seed=seed)] for seed in (3, 3, 4)]
    assert digests[0] == digests[1] != digests[2]
    assert np.random.get_state()[1].tolist() == state  # type: ignore[index,union-attr]


def test_dealt_folds_are_pinned() -> None:
    """Other folds would orphan every record of folds: a change of this list needs a reason."""
    samples = make(["a", "b", "b"] * 4)
    assert [turn.part("valid").frame["id"].tolist() for turn in turns_of(samples, 3)] == [
        ["0002", "0003", "0005", "0006"],
        ["0008", "0009", "0010", "0011"],
        ["0000", "0001", "0004", "0007"],
    ]


def test_groups_and_copies_stay_whole_and_classes_even() -> None:
    groups = [f"g{row // 4}" for row in range(120)]
    turns = turns_of(make(["a", "a", "b"] * 40, groups=groups), 5)
    homes = {(group, fold) for fold, turn in enumerate(turns) for group in turn.part("valid").frame["group"]}
    assert len(homes) == len(set(groups))
    assert all(
        abs(count - wanted) <= 2 for counts in n_by_class(turns) for count, wanted in zip(counts, (16, 8), strict=True)
    )
    contents = [f"c{row // 2}" for row in range(40)]
    copies = turns_of(make(["a", "a", "b", "b"] * 10, contents=contents), 4)
    assert all(set(turn.part("valid").frame["sha256"].value_counts()) == {2} for turn in copies)


def test_several_labels_are_stratified() -> None:
    turns = turns_of(make(["a"] * 40 + ["a|b"] * 20 + ["|"] * 40, problem="multilabel"), 5)
    for turn in turns:
        assert turn.part("valid").targets.sum(axis=0).tolist() == [12, 4]
        assert turn.n_per_split["valid"] == 20


def test_given_parts_are_pooled_and_told_and_test_stays() -> None:
    splits = ["train"] * 20 + ["valid"] * 10 + ["test"] * 10
    turns = turns_of(make(["a", "b"] * 20, splits=splits), 3)
    assert [turn.n_per_split for turn in turns] == [{"train": 20, "valid": 10, "test": 10}] * 3
    assert all((turn.frame["split"].iloc[30:] == "test").all() for turn in turns)
    assert "given train and valid parts are pooled" in " ".join(turns[0].notes)
    assert turns_of(make(["a", "b"] * 20, splits=["train"] * 30 + ["test"] * 10), 3)[0].notes == ()


def test_a_copy_of_a_test_sample_is_noted() -> None:
    contents = ["same", *(str(row) for row in range(38)), "same"]
    turn = turns_of(make(["a", "b"] * 20, splits=[""] * 30 + ["test"] * 10, contents=contents), 3)[0]
    assert "1 photographs lie in more than one given split" in " ".join(turn.notes)


def test_a_class_of_one_sample_trains_in_every_fold_and_is_named() -> None:
    turns = turns_of(make(["a"] * 10 + ["b"] * 10 + ["rare"]), 4)
    assert all(turn.frame["split"].iloc[-1] == "train" for turn in turns)
    assert turns[0].notes == ("Class 'rare' has 1 sample and stays in train: it is not validated.",)


def test_a_class_smaller_than_the_number_of_folds_is_told() -> None:
    turns = turns_of(make(["a"] * 20 + ["b"] * 3), 5)
    assert sorted(counts[1] for counts in n_by_class(turns)) == [0, 0, 1, 1, 1]
    assert turns[0].notes == (
        "Not validated in every fold: 'b' (in 3 of 5). Fewer folds would help, or more samples or groups.",
    )


def test_classes_that_are_all_smaller_than_the_number_of_folds_are_dealt() -> None:
    turns = turns_of(make(["a", "b", "c"] * 2), 3)
    assert [turn.n_per_split["valid"] for turn in turns] == [2, 2, 2]
    grouped = turns_of(make(["a", "b", "c"] * 2, groups=list("uvwxyz")), 3)
    assert all(turn.n_per_split["valid"] for turn in grouped)


def test_a_fold_that_the_draw_leaves_empty_gets_a_group() -> None:
    """scikit-learn's grouped folds may be empty, as one of these four would be."""
    samples = make(list("bbcbbccbb"), groups=["g1", "g3", "g1", "g1", "g2", "g5", "g5", "g1", "g3"])
    assert all(turn.n_per_split["valid"] for turn in turns_of(samples, 4))


def test_a_class_that_the_draw_leaves_in_one_fold_is_moved_apart() -> None:
    samples = make(list("cbcbaa"), groups=["g0", "g2", "g1", "g0", "g0", "g2"])
    turns = turns_of(samples, 2)
    assert all(set(turn.part("train").frame["label"]) == {"a", "b", "c"} for turn in turns)
    assert sum(turn.n_per_split["valid"] for turn in turns) == len(samples)


def test_classes_that_cannot_be_spread_keep_a_unit_in_train() -> None:
    """Three classes on three pairs of two folds: each lies in one fold only, whatever is done."""
    turns = turns_of(make(["a|b", "b|c", "a|c", "|", "|"], problem="multilabel"), 2)
    for turn in turns:
        assert turn.part("train").targets.any(axis=0).all()
    assert "train in every fold" in " ".join(turns[0].notes)


def test_fewer_units_than_folds_are_refused_with_what_to_do() -> None:
    with pytest.raises(DataError, match=r"photos: 4 samples, .* too few for 5 folds\. Use 4 folds at the most"):
        fold_samples(make(["a", "a", "b", "b"]), Fold(0, 5))
    with pytest.raises(DataError, match=r"0 samples, .* too few for 2 folds\. Add samples"):
        fold_samples(make(["a", "b"] * 5, groups=["g"] * 10), Fold(0, 2))
    with pytest.raises(DataError, match="too few for 2 folds"):
        fold_samples(make(["a", "b"] * 5, splits=["test"] * 10), Fold(0, 2))


@pytest.mark.parametrize("n_folds", [1, 0, -3, 21, 2.0, True, "5"])
def test_numbers_of_folds_that_cannot_be_are_refused(n_folds: object) -> None:
    with pytest.raises(DataError, match="has to be a whole number from 2 to 20"):
        Fold(0, n_folds)  # type: ignore[arg-type]


@pytest.mark.parametrize("fold", [-1, 5, 1.0, False])
def test_folds_that_do_not_exist_are_refused(fold: object) -> None:
    with pytest.raises(DataError, match="of 5; they go from 0 to 4"):
        Fold(fold, 5)  # type: ignore[arg-type]


def test_a_turn_takes_both_numbers_or_neither() -> None:
    assert Fold.of(None, None) is None
    assert Fold.of(1, 3) == Fold(1, 3)
    for numbers in ((1, None), (None, 3)):
        with pytest.raises(DataError, match="needs both"):
            Fold.of(*numbers)
