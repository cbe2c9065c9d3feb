"""One value says where data are and how they are read; every form of it says the same."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import click
import pandas as pd
import pytest
from click.testing import CliRunner

from imgcls.cli.options import data_options, source_of
from imgcls.data.source import DataOptions, DataSource, stretch_of, stretch_text
from imgcls.errors import RecordError, UsageError

SOURCE = DataSource(
    "my photos/train.csv",
    images="images",
    label=["red", "green"],
    id="name",
    group="sender",
    split="part",
    problem_type="multilabel",
    delimiter=";",
    valid=0.3,
    split_seed=7,
    test="none",
    verify=True,
)


def test_the_options_of_a_public_function_are_the_fields_of_a_source() -> None:
    """Names, order and types; the data themselves are an argument of their own."""
    mine = {entry.name: entry.type for entry in fields(DataSource) if entry.name != "data"}
    assert {name: kind.__forward_arg__ for name, kind in DataOptions.__annotations__.items()} == mine
    assert DataOptions.__total__ is False


def test_an_option_that_does_not_exist_is_refused_with_the_nearest_name() -> None:
    for data in ("photos", DataSource("photos")):
        with pytest.raises(UsageError, match=r"no option 'imags'\. Did you mean 'images'"):
            DataSource.of(data, {"imags": "x"})


def test_options_are_set_on_a_source_that_was_passed() -> None:
    assert DataSource.of(SOURCE, {"valid": 0.5}) == replace(SOURCE, valid=0.5)
    assert DataSource.of("photos", {"valid": 0.5}) == DataSource("photos", valid=0.5)


def test_the_json_of_a_ladder_is_every_field() -> None:
    value = replace(SOURCE, findings=Path("findings.toml")).to_json()
    assert value == {**asdict(SOURCE), "findings": "findings.toml"}
    assert DataSource.from_json(json.loads(json.dumps(value))).to_json() == value


def test_the_json_of_what_was_read_is_what_was_said() -> None:
    assert DataSource("photos", label=("y",), split_seed=0, findings="f.toml", verify=True).said() == {
        "data": "photos",
        "label": "y",
        "split_seed": 0,
    }
    assert DataSource(label=("y", "z")).said() == {"label": ["y", "z"]}
    assert DataSource().said() == {}


def test_json_that_holds_something_else_is_refused() -> None:
    with pytest.raises(RecordError, match=r"'lable' does not say how data are read\. Did you mean 'label'"):
        DataSource.from_json({"lable": "y"})


@pytest.mark.parametrize(
    ("source", "findings", "key"),
    [
        (DataSource(), b"", "5cc3782ab88c95c0b5844c5698e4f86a2b49fdef672dfd762030ad326b7ac571"),
        (SOURCE, b"", "c663dfc6590506419d8c0ea0ea10eac3aa931bf1f035e91a83c5dfdbbe32576c"),
        (
            SOURCE,
            b"[[excluded]]\nimages=['b','a']\n",
            "02545f849c9fa6105b687a541f0d33e5f0421035df1e46b4ae6cb404f56d6d3e",
        ),
    ],
)
def test_the_key_of_data_stays_what_it_was(source: DataSource, findings: bytes, key: str) -> None:
    """Runs and ladders that were made before are found by it."""
    assert source.key("f", findings) == key


@pytest.mark.parametrize("source", [SOURCE, DataSource("a b", valid=0.25), DataSource(label="y", test="t.csv")])
def test_the_words_of_a_source_mean_it_again(source: DataSource) -> None:
    found: list[DataSource] = []

    @click.command()
    @data_options
    def command(**options: Any) -> None:
        found.append(source_of(options))

    done = CliRunner().invoke(command, shlex.split(source.as_options()), catch_exceptions=False)
    assert done.exit_code == 0
    assert found[0].to_json() == replace(source, verify=False).to_json()


def test_in_place_the_data_need_no_option() -> None:
    assert DataSource("a b", id="name").as_argument() == " 'a b' --id name"
    assert DataSource().as_argument() == DataSource().as_options() == ""
    frame = DataSource(pd.DataFrame({"name": ["a"]}), id="name")
    assert frame.as_argument() == frame.as_options() == " --id name"


def test_columns_are_those_that_were_named() -> None:
    assert SOURCE.columns == ("red", "green", "name", "sender", "part")
    assert DataSource(label="y").columns == DataSource(label="y").label_columns == ("y",)


@pytest.mark.parametrize("data", ["elpv", Path("elpv"), None])
def test_the_default_data_named_by_name_are_no_path(data: Any) -> None:
    found = DataSource(data).absolute().to_json()["data"]
    assert found is None if data is None else found == "elpv"


def test_paths_are_found_where_reading_finds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--data set --images images` means `set/images`, also in the processes that train."""
    (tmp_path / "set" / "images").mkdir(parents=True)
    (tmp_path / "set" / "test.csv").touch()
    (tmp_path / "own").mkdir()
    monkeypatch.chdir(tmp_path)
    found = DataSource("set", images="images", test="test.csv").absolute()
    assert (found.images, found.test) == (str(tmp_path / "set/images"), str(tmp_path / "set/test.csv"))
    assert DataSource("set", images="own").absolute().images == str(tmp_path / "own")
    assert DataSource("set", test="none").absolute().test == "none"
    (tmp_path / "set" / "train.csv").touch()
    table = DataSource("set/train.csv", images="images").absolute()
    assert table.images == str(tmp_path / "set/images")


def test_places_in_a_folder_travel_with_it(tmp_path: Path) -> None:
    (tmp_path / "a" / "photos").mkdir(parents=True)
    kept = DataSource(tmp_path / "a" / "photos", test="none").relative_to(tmp_path / "a")
    assert (kept.data, kept.test) == ("photos", "none")
    (tmp_path / "a").rename(tmp_path / "b")
    assert kept.absolute_from(tmp_path / "b").data == str(tmp_path / "b" / "photos")


@pytest.mark.parametrize("text", ["", "4095", "0:", ":9", "9:0", "5:5", "a:b", "0:nan", "0:inf", "0:1:2"])
def test_a_stretch_that_is_no_two_values_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="has to be LOW:HIGH"):
        stretch_of(text)


@pytest.mark.parametrize("text", ["0:4095", "-1000:400", "0.25:0.5", "1234567:12345678"])
def test_a_stretch_is_kept_exactly(text: str) -> None:
    stretch = stretch_of(text)
    assert stretch is not None
    assert stretch_of(stretch_text(stretch)) == stretch
    assert stretch_text(stretch_of(stretch_text(stretch))) == stretch_text(stretch)


def test_a_stretch_is_part_of_how_data_are_read() -> None:
    source = DataSource("photos", stretch="-1000:400")
    assert source.as_options() == " --data photos --stretch -1000:400"
    assert source.key("f") != DataSource("photos").key("f")
    assert DataSource.from_json(source.said()) == source
