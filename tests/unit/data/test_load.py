"""What each file of a data set is for; and the test list, whose labels nobody reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgcls.data.load import load_samples
from imgcls.data.roles import FileRole, file_roles
from imgcls.data.samples import Samples
from imgcls.data.source import DataSource
from imgcls.errors import DataError

Layout = Callable[..., Path]


@pytest.fixture
def competition(tmp_path: Path) -> Layout:
    """Make a folder as competitions give it out; further tables by name."""

    def make(*, n_train: int = 8, n_test: int = 4, **tables: str) -> Path:
        folder = tmp_path / "kaggle"
        (folder / "images").mkdir(parents=True)
        for number in range(n_train + n_test):
            pixels = np.random.default_rng(number).integers(0, 255, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "images" / f"p{number:02d}.png")
        rows = [f"p{number:02d},{('cat', 'dog')[number % 2]}" for number in range(n_train)]
        (folder / "train.csv").write_text("\n".join(["id,label", *rows]) + "\n")
        test = [f"p{number:02d}" for number in range(n_train, n_train + n_test)]
        written = {"test": "\n".join(["id", *test]) + "\n", **tables}
        for name, text in written.items():
            if text:
                (folder / f"{name}.csv").write_text(text)
        return folder

    return make


def roles(folder: Path) -> dict[str, FileRole]:
    return {entry.path: entry for entry in file_roles(DataSource(folder), load_samples(folder))}


def of_test(samples: Samples) -> dict[str, str]:
    test = samples.part("test").frame
    return dict(zip(test["id"], test["label"], strict=True))


def test_every_file_of_a_competition_has_its_role(competition: Layout) -> None:
    folder = competition(
        sample_submission="id,label\np08,0\n",
        test_labels="id,label\np08,cat\np09,dog\np10,cat\np11,cat\n",
        meta="id,sender\np00,a\np01,b\np08,a\n",
        notes="colour,price\nred,3\n",
    )
    (folder / "README.txt").write_text("hello")
    found = roles(folder)
    assert {path: entry.role for path, entry in found.items()} == {
        "images/": "photographs",
        "train.csv": "labels",
        "test.csv": "test list",
        "sample_submission.csv": "sample submission",
        "meta.csv": "metadata",
        "test_labels.csv": "sealed labels",
        "notes.csv": "other",
        "README.txt": "other",
    }
    assert (found["images/"].n, found["train.csv"].n, found["meta.csv"].columns) == (12, 8, ("id", "sender"))


def test_predictions_that_lie_beside_the_data_say_nothing_of_them(competition: Layout) -> None:
    folder = competition(
        meta="id,sender\np00,a\np01,b\n",
        mine='"id","path","status","reason","prediction","confidence","p_cat","p_dog"\n"p00","x",,,"cat",0.9,0.9,0.1\n',
        best="id,p_cat,p_dog\np00,0.9,0.1\np01,0.2,0.8\n",
    )
    found = roles(folder)
    assert [found[name].role for name in ("meta.csv", "mine.csv", "best.csv")] == ["metadata", "other", "other"]


def test_sealed_labels_are_never_looked_at(competition: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even their first rows: whatever stands there changes nothing."""
    folder = competition(test_labels="id,label\np08,cat\np09,dog\n")
    before = (roles(folder), of_test(load_samples(folder)), load_samples(folder).data_digest)
    (folder / "test_labels.csv").write_text("id,label\np08,dog\np09,cat\n")
    assert (roles(folder), of_test(load_samples(folder)), load_samples(folder).data_digest) == before
    assert set(before[1].values()) == {""}


def test_folders_of_classes_are_photographs(photo_folder: Path) -> None:
    found = file_roles(DataSource(photo_folder), load_samples(photo_folder))
    assert {(entry.path, entry.role, entry.n) for entry in found} == {
        (f"{name}/", "photographs", 12) for name in ("left", "middle", "right")
    }


def test_many_folders_are_told_together(draw_many: Path) -> None:
    found = file_roles(DataSource(draw_many), load_samples(draw_many))
    assert [(entry.path, entry.n) for entry in found] == [("*/", 30)]


@pytest.fixture
def draw_many(tmp_path: Path) -> Path:
    """Thirty classes of one photograph."""
    for number in range(30):
        folder = tmp_path / "many" / f"c{number:02d}"
        folder.mkdir(parents=True)
        Image.fromarray(np.full((4, 4, 3), number, np.uint8)).save(folder / "a.png")
    return tmp_path / "many"


class TestTestList:
    """The table of photographs to predict."""

    def test_it_is_found_beside_the_labels_and_sealed(self, competition: Layout) -> None:
        samples = load_samples(competition())
        assert of_test(samples) == dict.fromkeys(["p08", "p09", "p10", "p11"], "")
        assert samples.n_per_split["test"] == 4
        assert not samples.excluded
        assert any("4 photographs of test.csv are the test part" in str(entry) for entry in samples.assumptions)

    def test_labels_that_stand_in_it_are_not_read(self, competition: Layout) -> None:
        samples = load_samples(competition(test="id,label\np08,cat\np09,walrus\n"))
        assert set(of_test(samples).values()) == {""}
        assert samples.classes == ("cat", "dog")

    def test_none_switches_it_off(self, competition: Layout) -> None:
        samples = load_samples(competition(), test="none")
        assert samples.n_per_split["test"] == 0
        assert {entry.reason for entry in samples.excluded} == {"not listed in train.csv"}

    def test_another_one_can_be_named(self, competition: Layout) -> None:
        folder = competition(test="", others="id\np08\np10\n")
        assert list(of_test(load_samples(folder, test="others.csv"))) == ["p08", "p10"]
        assert list(of_test(load_samples(folder, test=folder / "others.csv"))) == ["p08", "p10"]

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("id\np00\np08\n", "1 of 2 photographs are in train.csv too"),
            ("id\np08\np99\n", "1 of 2 files are missing"),
            ("id\np08\np08\n", "1 ids occur more than once"),
        ],
    )
    def test_a_list_that_cannot_be_is_refused_with_advice(self, competition: Layout, text: str, words: str) -> None:
        with pytest.raises(DataError) as caught:
            load_samples(competition(test=text))
        assert words in str(caught.value)
        assert "--test none" in str(caught.value)

    def test_a_list_of_other_photographs_is_passed_over_unless_it_was_named(self, competition: Layout) -> None:
        folder = competition(test="id\nq1\nq2\n")
        samples = load_samples(folder)
        assert samples.n_per_split["test"] == 0
        assert any("passed over as a test list" in note for note in samples.notes)
        with pytest.raises(DataError):
            load_samples(folder, test="test.csv")

    def test_one_that_is_named_and_is_not_there_is_told(self, competition: Layout) -> None:
        with pytest.raises(DataError, match="there is no such test list"):
            load_samples(competition(), test="gone.csv")


def test_a_table_called_after_the_folder_and_beside_it_is_metadata(tmp_path: Path) -> None:
    """It lists test first, so that its first rows alone would look like sealed labels."""
    rows = []
    for part, n in (("test", 300), ("train", 30)):
        for name in ("cat", "dog"):
            (tmp_path / "pets" / part / name).mkdir(parents=True)
            for number in range(n // 2):
                file = tmp_path / "pets" / part / name / f"{part}-{name}-{number}.png"
                file.write_bytes(b"looked at by nobody here")
                rows.append(f"{file.name},{name},s{number % 7}")
    (tmp_path / "pets_senders.csv").write_text("\n".join(["file,class,sender", *rows]) + "\n")
    (tmp_path / "pets_prices.csv").write_text("item,price\nbone,3\n")
    (tmp_path / "other.csv").write_text("\n".join(["file,class,sender", *rows]) + "\n")
    found = file_roles(DataSource(tmp_path / "pets"), load_samples(tmp_path / "pets"))
    assert [(entry.path, entry.role, entry.n) for entry in found if entry.file] == [
        ("../pets_senders.csv", "metadata", 330)
    ]
