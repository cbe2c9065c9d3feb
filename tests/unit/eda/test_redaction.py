from __future__ import annotations

import pytest

from imgcls.data.load import redacted_names


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


def test_names_that_would_be_equal_are_numbered() -> None:
    ids = [f"test/{name}/{number}.jpg" for number in range(40) for name in ("cat", "dog")]
    shown = redacted_names([*ids, "test/dog/other.jpg"], ["test"] * 81, ["cat", "dog"])
    assert len(set(shown)) == 81
    assert shown[-1] == "test/*/other.jpg"
    assert {name.rpartition(" ")[0] for name in shown[:2]} == {"test/*/0.jpg"}
    n_first_is_cat = sum(shown[2 * number].endswith("(1)") for number in range(40))
    assert 5 < n_first_is_cat < 35
