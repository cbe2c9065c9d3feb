from __future__ import annotations

from pathlib import Path

import pytest

from imgcls.data.files import Excluded, LostSample
from imgcls.data.redaction import redacted_names, redacted_paths
from imgcls.data.samples import Samples, frame_of


@pytest.mark.parametrize(
    ("name", "split", "shown"),
    [
        ("test/cat/1.jpg", "test", "test/*/1.jpg"),
        ("test/deep/cat/cat.jpg", "test", "test/deep/*/cat.jpg"),
        ("train/cat/1.jpg", "train", "train/cat/1.jpg"),
        ("cat", "test", "cat"),
        ("//odd//path", "test", "//odd//path"),
    ],
)
def test_only_the_folders_of_classes_of_test_are_hidden(name: str, split: str, shown: str) -> None:
    assert redacted_names([name], [split], ["cat", "dog"]) == [shown]


def test_a_folder_that_only_test_has_may_be_a_class_where_folders_are_classes() -> None:
    ids, splits = ["train/cat/0.jpg", "train/dog/0.jpg", "test/zebra/1.jpg"], ["train", "valid", "test"]
    assert redacted_names(ids, splits, ["cat", "dog"])[-1] == "test/*/1.jpg"
    assert redacted_names(["photos/0.jpg", "later/1.jpg"], ["train", "test"], ["cat", "dog"])[-1] == "later/1.jpg"


def test_paths_of_what_is_left_out_tell_no_label_of_test_and_keep_their_suffix() -> None:
    lost = [
        Excluded(f"test/{name}/1.jpg", "truncated", LostSample(f"test/{name}/1.jpg", "test", "", place))
        for place, name in enumerate(("cat", "dog", "zebra"))
    ]
    others = [Excluded("test/zebra/notes.txt", "not an image"), Excluded("train/cat/notes.txt", "not an image")]
    frame = frame_of(ids=["a", "b"], paths=["/p/train/cat/1.jpg", "/p/train/dog/1.jpg"], labels=["cat", "dog"])
    samples = Samples(frame, ("cat", "dog"), "binary", "p", Path("/p"), excluded=(*lost, *others))
    shown = redacted_paths(samples)
    assert sorted(shown[:3]) == [f"test/* ({number})/1.jpg" for number in (1, 2, 3)]
    assert shown[3:] == ["test/*/notes.txt", "train/cat/notes.txt"]


def test_names_that_would_be_equal_are_numbered() -> None:
    ids = [f"test/{name}/{number}.jpg" for number in range(40) for name in ("cat", "dog")]
    shown = redacted_names([*ids, "test/dog/other.jpg"], ["test"] * 81, ["cat", "dog"])
    assert len(set(shown)) == 81
    assert shown[-1] == "test/*/other.jpg"
    assert {name.rpartition(" ")[0] for name in shown[:2]} == {"test/*/0.jpg"}
    n_first_is_cat = sum(shown[2 * number].endswith("(1)") for number in range(40))
    assert 5 < n_first_is_cat < 35
