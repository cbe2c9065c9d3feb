"""The test list of a table: where it may lie, and what it may hold; see test_roles.py for what it must not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from imgcls.data.load import load_samples
from imgcls.data.samples import Samples
from imgcls.data.split import split_samples
from imgcls.errors import DataError

Draw = Callable[..., Path]
Layout = Callable[..., Path]


@pytest.fixture
def layout(tmp_path: Path, draw: Draw) -> Layout:
    """Make a table of six labelled photographs, and beside it a test list; give the table."""

    def make(
        test: str | bytes = "id\nt0\nt1\n", *, name: str = "test.csv", images: str = "images", stems: str = "t0 t1"
    ) -> Path:
        home = tmp_path / "set"
        for number in range(6):
            draw(home / "images" / f"p{number}.png", number)
        for number, stem in enumerate(stems.split()):
            draw(home / images / f"{stem}.png", 100 + number)
        rows = [f"p{number},{'ab'[number % 2]},s{number // 2}" for number in range(6)]
        (home / "train.csv").write_text("\n".join(["id,label,sender", *rows]) + "\n")
        (home / name).write_bytes(test if isinstance(test, bytes) else test.encode())
        return home / "train.csv"

    return make


def predicted(samples: Samples) -> pd.DataFrame:
    return samples.part("test").frame


@pytest.mark.parametrize("name", ["test.csv", "TEST.csv", "test.tsv"])
def test_it_is_found_by_its_name(layout: Layout, name: str) -> None:
    table = layout(name=name)
    for source in (table, table.parent):
        assert predicted(load_samples(source))["id"].tolist() == ["t0", "t1"]


def test_a_parquet_file_is_one_too(layout: Layout) -> None:
    table = layout(name="other.csv")
    pd.DataFrame({"id": ["t0", "t1"]}).to_parquet(table.parent / "test.parquet")
    assert predicted(load_samples(table))["id"].tolist() == ["t0", "t1"]


def test_whatever_its_labels_are_nothing_changes(layout: Layout) -> None:
    first = load_samples(layout("id,label\nt0,a\nt1,unheard-of\n"))
    second = load_samples(layout("id,label\nt0,b\nt1,b\n"))
    pd.testing.assert_frame_equal(first.frame, second.frame)
    assert first.data_digest == second.data_digest


def test_it_stays_the_test_part_when_samples_are_split(layout: Layout) -> None:
    split = split_samples(load_samples(layout()), seed=1)
    assert split.n_per_split["test"] == 2
    assert split.n_per_split["train"] + split.n_per_split["valid"] == 6


def test_naming_one_asks_for_a_table_and_switching_it_off_does_not(layout: Layout) -> None:
    table = layout(name="holdout.csv")
    assert not len(predicted(load_samples(table)))
    assert len(predicted(load_samples(table.parent, test="holdout.csv"))) == 2
    shutil.copy(table.parent / "holdout.csv", table.parent / "test.csv")
    assert not len(predicted(load_samples(table.parent, test="none")))


def test_a_frame_has_one_only_where_it_is_named(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    table = layout()
    monkeypatch.chdir(table.parent)
    frame = pd.read_csv(table, dtype=str)
    assert not len(predicted(load_samples(frame)))
    assert len(predicted(load_samples(frame, test="test.csv"))) == 2


def test_its_photographs_may_lie_in_a_folder_of_their_own(layout: Layout, draw: Draw) -> None:
    table = layout(images="test_images")
    draw(table.parent / "test_images" / "stray.png", 900)
    for images in (None, "images", table.parent / "images"):
        samples = load_samples(table, images=images)
        assert {Path(path).parent.name for path in predicted(samples)["path"]} == {"test_images"}
        assert [entry.path for entry in samples.excluded] == ["test_images/stray.png"]


def test_a_list_elsewhere_names_the_photographs_of_the_table(layout: Layout, tmp_path: Path) -> None:
    table = layout(name="away.csv")
    lists = tmp_path / "lists"
    lists.mkdir()
    (table.parent / "away.csv").rename(lists / "away.csv")
    assert len(predicted(load_samples(table, test=lists / "away.csv"))) == 2


def test_groups_of_the_test_part_are_read(layout: Layout) -> None:
    samples = load_samples(layout("id,sender\nt0,s1\nt1,\n"), group="sender")
    assert predicted(samples)["group"].tolist() == ["s1", ""]
    assert predicted(load_samples(layout(), group="sender"))["group"].tolist() == ["", ""]


def test_a_path_that_leads_nowhere_is_told(layout: Layout) -> None:
    with pytest.raises(DataError, match=r"gone\.csv: there is no such test list(.|\n)*--test none"):
        load_samples(layout(), test="gone.csv")


def test_class_folders_have_no_test_list(tmp_path: Path, draw: Draw) -> None:
    for seed, name in enumerate(("a", "b")):
        draw(tmp_path / "photos" / name / "0.png", seed)
    with pytest.raises(DataError, match="which table holds the labels"):
        load_samples(tmp_path / "photos", test="test.csv")
    assert len(load_samples(tmp_path / "photos", test="none")) == 2
