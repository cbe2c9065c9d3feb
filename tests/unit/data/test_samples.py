from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from imgcls.data.samples import Samples, check_samples, class_order, frame_of, lookalike_notes
from imgcls.errors import DataError


def make(labels: list[str], *, splits: list[str] | None = None, problem: str = "multiclass") -> Samples:
    ids = [f"{position}.png" for position in range(len(labels))]
    names = {name for label in labels for name in (label.split("|") if problem == "multilabel" else [label]) if name}
    frame = frame_of(ids=ids, paths=[f"/photos/{name}" for name in ids], labels=labels, splits=splits)
    return Samples(frame, class_order(names), problem, "photos", Path("/photos"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["10", "2", "1"], ("1", "2", "10")),
        (["001", "1", "2"], ("001", "1", "2")),
        (["b", "a", "10", "B"], ("10", "B", "a", "b")),
        (["-1", "1", "0"], ("-1", "0", "1")),
        (["NA", "null", "true"], ("NA", "null", "true")),
    ],
)
def test_classes_have_a_natural_stable_order(names: list[str], expected: tuple[str, ...]) -> None:
    assert class_order(names) == expected
    assert class_order(reversed(names)) == expected


def test_targets_are_class_positions_and_minus_one_without_label() -> None:
    targets = make(["b", "a", "", "b"]).targets
    assert targets.dtype == np.int64
    assert targets.tolist() == [1, 0, -1, 1]


def test_multilabel_targets_tell_no_class_from_no_label() -> None:
    samples = make(["a|b", "b", "|", ""], problem="multilabel")
    assert samples.targets.dtype == np.uint8
    assert samples.targets.tolist() == [[1, 1], [0, 1], [0, 0], [0, 0]]
    assert samples.is_labelled.tolist() == [True, True, True, False]


def test_parts_and_rows_follow_the_split() -> None:
    samples = make(["a", "b", "a"], splits=["train", "test", "train"])
    assert samples.rows("train").tolist() == [0, 2]
    assert samples.part("test").frame["id"].tolist() == ["1.png"]
    assert samples.n_per_split == {"train": 2, "valid": 0, "test": 1}
    assert make(["a"]).n_per_split == {"train": 0, "valid": 0, "test": 0, "": 1}


def test_without_moves_samples_to_excluded_as_the_user_knows_them() -> None:
    left = make(["a", "b", "a"]).without({"/photos/1.png": "truncated"})
    assert left.frame["id"].tolist() == ["0.png", "2.png"]
    assert [(entry.path, entry.reason) for entry in left.excluded] == [("1.png", "truncated")]


def test_digest_depends_on_content_only() -> None:
    samples = make(["a", "b", "a"], splits=["train", "valid", "test"])
    shuffled = replace(samples, frame=samples.frame.iloc[[2, 0, 1]].reset_index(drop=True))
    moved = replace(samples, frame=samples.frame.assign(path="/elsewhere"), root=Path("/elsewhere"))
    assert shuffled.data_digest == moved.data_digest == samples.data_digest
    assert shuffled.split_digest == samples.split_digest


def test_digest_sees_labels_except_those_of_test() -> None:
    splits = ["train", "valid", "test"]
    samples = make(["a", "b", "a"], splits=splits)
    assert make(["a", "b", "b"], splits=splits).data_digest == samples.data_digest
    assert make(["b", "b", "a"], splits=splits).data_digest != samples.data_digest
    assert samples.with_sha256(["1", "2", "3"]).data_digest != samples.data_digest
    assert samples.with_split(["valid", "train", "test"]).split_digest != samples.split_digest


def test_names_that_are_no_text_do_not_break_digests() -> None:
    frame = frame_of(ids=["bad\udcff.png"], paths=["/bad\udcff.png"], labels=["a"])
    samples = Samples(frame, ("a",), "multiclass", "x", Path("/"))
    assert len(samples.data_digest) == len(samples.split_digest) == 64
    assert samples.frame["id"].dtype == object


def test_check_names_all_problems_together() -> None:
    samples = make(["a", "b", "c"], splits=["train", "valid", "test"])
    with pytest.raises(
        DataError, match=r"2 problems(.|\n)*in valid but not in train: 'b'(.|\n)*in test .*: 1 class; "
    ) as told:
        check_samples(samples)
    assert "'c'" not in str(told.value)  # the labels of test are sealed


@pytest.mark.parametrize(
    ("labels", "splits", "message"),
    [
        ([], [], "no samples"),
        (["a", "a"], ["train", "valid"], "only one class"),
        (["a", "b"], ["train", "train"], "no samples in valid"),
        (["a", "b"], ["valid", "valid"], "no samples in train"),
    ],
)
def test_check_refuses(labels: list[str], splits: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_samples(make(labels, splits=splits))


def test_check_accepts_unlabelled_test_samples() -> None:
    check_samples(make(["a", "b", "a", ""], splits=["train", "train", "valid", "test"]))


def test_classes_that_look_alike_are_noted() -> None:
    (note,) = lookalike_notes(["cat", "Cat ", "dog"])
    assert "'cat', 'Cat '" in note


def test_a_frame_with_other_columns_is_refused() -> None:
    with pytest.raises(DataError, match="columns"):
        Samples(pd.DataFrame({"id": []}), (), "multiclass", "x", Path())
    with pytest.raises(DataError, match="2 values of split for 1 samples"):
        make(["a"]).with_split(["train", "valid"])
