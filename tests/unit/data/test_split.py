from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from imgcls.data.samples import Samples, class_order, frame_of
from imgcls.data.split import Fold, draw_test, fold_samples, split_samples
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


def counts(samples: Samples) -> dict[tuple[str, str], int]:
    return dict(Counter(zip(samples.frame["split"], samples.frame["label"], strict=True)))


def test_classes_keep_their_shares() -> None:
    assert counts(split_samples(make(["a"] * 80 + ["b"] * 20))) == {
        ("train", "a"): 64,
        ("train", "b"): 16,
        ("valid", "a"): 16,
        ("valid", "b"): 4,
    }


def test_the_seed_fixes_the_draw_and_numpys_global_one_is_left_alone() -> None:
    samples = make(["a", "b"] * 30)
    np.random.seed(1)
    first = split_samples(samples, seed=3)
    np.random.seed(2)
    state = np.random.get_state()[1].tolist()  # type: ignore[index, union-attr]
    assert split_samples(samples, seed=3).split_digest == first.split_digest
    assert np.random.get_state()[1].tolist() == state  # type: ignore[index, union-attr]
    assert split_samples(samples, seed=4).split_digest != first.split_digest


def test_groups_stay_whole_and_classes_even() -> None:
    groups = [f"g{position // 6}" for position in range(120)]
    split = split_samples(make(["a", "a", "b"] * 40, groups=groups), valid=0.25)
    assert split.frame.groupby("group")["split"].nunique().max() == 1
    assert split.n_per_split == {"train": 90, "valid": 30, "test": 0}
    assert counts(split)["valid", "b"] == 10


def test_exact_duplicates_never_straddle() -> None:
    contents = [str(position // 2) for position in range(40)]
    split = split_samples(make(["a", "a", "b", "b"] * 10, contents=contents))
    assert split.frame.groupby("sha256")["split"].nunique().max() == 1
    assert split.n_per_split["valid"] == 8


def test_duplicates_join_groups() -> None:
    groups = ["g0", "g0", "g1", "g1", "g2", "g2", "g3", "g3"]
    contents = ["0", "1", "1", "3", "4", "5", "6", "7"]  # one photograph in g0 and in g1
    for seed in range(5):
        split = split_samples(make(["a", "b"] * 4, groups=groups, contents=contents), valid=0.5, seed=seed)
        assert len(set(split.frame["split"][:4])) == 1


def test_given_splits_stay_and_only_the_rest_is_drawn() -> None:
    splits = ["test"] * 10 + ["train"] * 5 + [""] * 30
    split = split_samples(make(["a", "b"] * 22 + ["a"], splits=splits))
    assert split.frame["split"][:15].tolist() == splits[:15]
    assert set(split.frame["split"][15:]) == {"train", "valid"}
    given = ["train", "train", "valid", "test"]
    assert split_samples(make(["a", "b", "a", "b"], splits=given)).frame["split"].tolist() == given


def test_valid_is_drawn_from_train_where_no_valid_is_given() -> None:
    split = split_samples(make(["a", "b"] * 20, splits=["train"] * 30 + ["test"] * 10))
    assert split.n_per_split == {"train": 24, "valid": 6, "test": 10}
    assert set(split.frame["split"][30:]) == {"test"}


def test_a_free_copy_of_a_given_sample_follows_it() -> None:
    contents = ["same", *[str(position) for position in range(20)], "same"]
    for split in ("train", "valid"):
        samples = make(["a", "b"] * 11, splits=[split, *[""] * 21], contents=contents)
        assert split_samples(samples).frame["split"].iloc[-1] == split


def test_duplicates_across_given_splits_are_noted_not_moved() -> None:
    given = ["train", "train", "valid", "valid", "test"]
    samples = make(["a", "b", "a", "b", "a"], splits=given, contents=["x", "1", "x", "3", "4"])
    split = split_samples(samples)
    assert split.frame["split"].tolist() == given
    (note,) = split.notes
    assert "1 photographs lie in more than one given split (first: '0000', '0002')" in note


def test_a_copy_of_a_test_sample_is_noted_and_test_stays() -> None:
    samples = make(["a", "b"] * 10, splits=["test", *[""] * 19], contents=["x", "x", *map(str, range(18))])
    split = split_samples(samples)
    assert split.n_per_split["test"] == 1
    assert "more than one" in split.notes[0]


def test_a_class_of_one_sample_stays_in_train_and_is_named() -> None:
    for seed in range(5):
        split = split_samples(make(["a"] * 10 + ["b"] * 10 + ["rare"]), valid=0.5, seed=seed)
        assert split.frame["split"].iloc[-1] == "train"
    assert split.notes == ("Class 'rare' has 1 sample and stays in train: it is not validated.",)


def test_many_small_classes_all_stay_in_train() -> None:
    labels = [f"c{position // 3:02d}" for position in range(60)]
    split = split_samples(make(labels))
    assert set(split.part("train").frame["label"]) == set(labels)
    assert 8 <= split.n_per_split["valid"] <= 16


def test_a_small_class_in_few_groups_warns_nobody() -> None:
    groups = [f"g{position // 5}" for position in range(50)]
    split = split_samples(make(["a"] * 48 + ["b", "b"], groups=groups), valid=0.3)
    assert split.frame["split"].iloc[-1] == "train"
    assert split.n_per_split["valid"] > 0


def test_multilabel_is_stratified_by_label() -> None:
    labels = ["a", "b", "a|b", "|"] * 25
    split = split_samples(make(labels, problem="multilabel"))
    shares = split.part("valid").targets.mean(axis=0)
    assert 15 <= split.n_per_split["valid"] <= 25
    assert np.abs(shares - 0.5).max() < 0.1


def test_multilabel_groups_stay_whole() -> None:
    groups = [f"g{position // 4}" for position in range(80)]
    split = split_samples(make(["a", "b", "a|b", "|"] * 20, groups=groups, problem="multilabel"))
    assert split.frame.groupby("group")["split"].nunique().max() == 1
    assert split.n_per_split["valid"] > 0


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_shares_outside_zero_to_one_are_refused(share: float) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        split_samples(make(["a", "b"] * 5), valid=share)


def test_too_few_units_are_refused() -> None:
    with pytest.raises(DataError, match="all in one unit"):
        split_samples(make(["a", "b"] * 5, groups=["g"] * 10))
    with pytest.raises(DataError, match="no class has two samples apart"):
        split_samples(make(["a", "b", "c"]))


def test_the_suggested_share_is_the_default() -> None:
    samples = make(["a", "b"] * 50)
    assert split_samples(samples).n_per_split["valid"] == 20
    assert split_samples(samples, valid=0.4).n_per_split["valid"] == 40


def test_ids_that_are_no_text() -> None:
    frame = frame_of(
        ids=["\udcff", "a", "b", "c"], paths=[""] * 4, labels=["a", "a", "b", "b"], groups=["\udcfe"] * 1 + [""] * 3
    )
    samples = Samples(frame, ("a", "b"), "binary", "x", Path())
    assert split_samples(samples, valid=0.5).n_per_split["valid"] == 2


def drawn(samples: Samples, share: float = 0.2, seed: int = 0) -> set[str]:
    frame = draw_test(samples, share=share, seed=seed).frame
    return set(frame["id"][frame["split"] == "test"])


def test_a_test_part_is_drawn_from_each_class() -> None:
    samples = make(["a"] * 80 + ["b"] * 20 + ["c"] * 3)
    found = draw_test(samples, share=0.2)
    assert {label: n for (split, label), n in counts(found).items() if split == "test"} == {"a": 16, "b": 4, "c": 1}
    assert "21 of 103 photographs are the test part" in found.notes[-1]
    assert draw_test(samples, share=0.2).data_digest == found.data_digest != samples.data_digest


def test_neither_the_share_that_validates_nor_the_turn_changes_it() -> None:
    sealed = draw_test(make(["a", "b"] * 40), share=0.2)
    for split in (
        split_samples(sealed, valid=0.1),
        split_samples(sealed, valid=0.4, seed=7),
        *(fold_samples(sealed, Fold(fold, 4)) for fold in range(4)),
    ):
        assert (split.frame["split"] == "test").tolist() == (sealed.frame["split"] == "test").tolist()
    assert drawn(make(["a", "b"] * 40), seed=1) != drawn(make(["a", "b"] * 40))


def test_groups_and_copies_are_whole_in_it() -> None:
    labels = ["a", "a", "b"] * 40
    groups = [f"g{position // 6}" for position in range(120)]
    contents = [str(position) for position in range(120)]
    contents[7] = contents[100] = "copy"
    for seed in range(5):
        found = draw_test(make(labels, groups=groups, contents=contents), share=0.25, seed=seed)
        assert found.frame.groupby("group")["split"].nunique().max() == 1
        assert found.frame["split"][7] == found.frame["split"][100]
        assert 18 <= (found.frame["split"] == "test").sum() <= 36


def test_copies_on_the_disk_are_seen_before_they_are_decoded(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"{number:04d}").write_bytes(bytes([number // 2]) * 9)  # each file is there twice, all of one size
    samples = make(["a", "b"] * 30)
    frame = samples.frame.assign(path=[str(tmp_path / name) for name in samples.frame["id"]], sha256="")
    found = draw_test(replace(samples, frame=frame), share=0.3)
    splits = found.frame["split"].tolist()
    assert splits[::2] == splits[1::2]
    assert set(splits) == {"", "test"}
    assert set(found.frame["sha256"]) == {""}


def test_what_was_sealed_stays_so_when_photographs_are_left_out() -> None:
    samples = make(["a", "b", "b"] * 60)
    before = drawn(samples)
    for gone in range(0, 180, 17):
        after = drawn(samples.without_rows({gone: "a copy"}))
        assert len(before ^ after - {f"{gone:04d}"}) <= 3


def test_each_class_keeps_photographs_outside_test() -> None:
    found = draw_test(make(["a"] * 40 + ["b"] * 2 + ["c"]), share=0.5)
    assert {label for (split, label), _ in counts(found).items() if split == "test"} == {"a"}
    several = make(["a|b", "a", "b", "|"] * 20, problem="multilabel")
    assert 12 <= len(drawn(several)) <= 20


def test_test_parts_that_cannot_be_drawn() -> None:
    with pytest.raises(DataError, match=r"give a test part \(1 photograph\).*--split none.*--test none"):
        draw_test(make(["a", "b", "a"], splits=["", "test", ""]), share=0.2)
    with pytest.raises(DataError, match="holds nothing"):
        draw_test(make(["a", "b"] * 2), share=0.2)
    with pytest.raises(DataError, match="between 0 and 1"):
        draw_test(make(["a", "b"] * 9), share=1.0)
