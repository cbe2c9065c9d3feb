"""Tables as people have them: what is taken without being told is said, and what contradicts itself is asked."""

from __future__ import annotations

import gc
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from imgcls.config.findings import decided_samples
from imgcls.data.assumptions import DoubtError
from imgcls.data.load import load_samples, load_unlabelled
from imgcls.data.roles import file_roles
from imgcls.data.samples import Samples, loss_warnings
from imgcls.data.source import DataSource
from imgcls.data.tables import read_table
from imgcls.errors import DataError

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write tables and drawn photographs by their relative paths."""

    def written(tables: Mapping[str, str | Sequence[str] | bytes], photographs: Sequence[str]) -> Path:
        root = tmp_path / "set"
        for seed, name in enumerate(photographs):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture(seed)).save(root / name)
        for name, rows in tables.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            text = rows if isinstance(rows, str | bytes) else "\n".join(rows) + "\n"
            (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return root

    return written


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def files(folder: str, n: int, suffix: str = ".png") -> list[str]:
    return [f"{folder}/{number}{suffix}" for number in range(n)]


def doubt(source: Any, **options: Any) -> DoubtError:
    with pytest.raises(DoubtError) as caught:
        load_samples(source, **options)
    return caught.value


def said(samples: Samples, about: str) -> list[tuple[str, str]]:
    return [(assumption.taken, assumption.option) for assumption in samples.assumptions if assumption.about == about]


def options(found: DoubtError) -> list[dict[str, Any]]:
    return [dict(choice.options) for choice in found.choices]


def labels(samples: Samples) -> dict[str, str]:
    return dict(zip(samples.frame["id"], samples.frame["label"], strict=True))


def splits(samples: Samples) -> list[str]:
    return samples.frame["split"].tolist()


class TestWhichColumnNamesFiles:
    """Two columns that lead to different files are asked, and those that agree are not."""

    @pytest.mark.parametrize("header", ["id,filename,label", "id,image_name,label", "index,path,label"])
    def test_a_running_number_beside_names(self, make: Make, header: str) -> None:
        rows = [header, *(f"{row},{(row * 3) % 8}.png,{'ab'[row % 2]}" for row in range(8))]
        root = make({"train.csv": rows}, files("images", 8))
        found = doubt(root)
        number, name, _ = header.split(",")
        assert "different photographs" in found.doubt
        assert options(found) == [{"id": name}, {"id": number}]  # the one with suffixes comes first
        assert "written with their suffixes" in found.doubt
        samples = load_samples(root, id=name)
        assert [Path(path).name for path in samples.frame["path"]] == samples.frame["id"].tolist()

    def test_columns_that_agree_are_no_doubt(self, make: Make) -> None:
        rows = ["id,filename,label", *(f"{row},{row}.png,{'ab'[row % 2]}" for row in range(8))]
        assert load_samples(make({"train.csv": rows}, files("images", 8))).frame["id"].tolist()[3] == "3"

    def test_labels_that_could_name_files_are_no_rivals(self, make: Make) -> None:
        rows = ["image,label", *(f"{row}.png,{row % 2}" for row in range(8))]
        assert load_samples(make({"train.csv": rows}, files("images", 8))).classes == ("0", "1")

    def test_what_was_taken_is_said(self, make: Make) -> None:
        rows = ["image,label", *(f"{row}.png,{'ab'[row % 2]}" for row in range(8))]
        samples = load_samples(make({"train.csv": rows}, files("images", 8)))
        assert said(samples, "ids") == [("Column 'image' names the photographs.", "--id COLUMN")]
        assert said(samples, "labels") == [("Column 'label' holds the labels.", "--label COLUMN")]
        assert said(samples, "photographs") == [("The photographs lie in images/.", "--images FOLDER")]
        assert said(samples, "type")[0][1] == "--type multilabel"


class TestHeader:
    """A first row that names a photograph is no header."""

    @pytest.mark.parametrize("name", ["{}.png", "{}"])
    def test_it_is_asked(self, make: Make, name: str) -> None:
        rows = [f"{name.format(row)},{('cat', 'dog')[row % 2]}" for row in range(6)]
        root = make({"labels.csv": rows}, files("img", 6))
        assert options(doubt(root)) == [{"header": "none"}, {"header": "first"}]
        samples = load_samples(root, header="none")
        assert (len(samples), samples.classes) == (6, ("cat", "dog"))
        assert len(load_samples(root, header="first", label="cat")) == 5
        assert load_samples(root, header="none", label="2", id="1").frame["id"].tolist() == samples.frame["id"].tolist()

    def test_a_first_row_that_repeats_a_value_names_the_option(self, make: Make) -> None:
        root = make({"labels.csv": [f"{row}.png,{row % 2},{row % 2}" for row in range(6)]}, files("img", 6))
        with pytest.raises(DataError, match="--header none"):
            load_samples(root)

    def test_no_photograph_to_predict_is_lost(self, make: Make) -> None:
        root = make({"list.csv": [f"{row}.png" for row in range(4)], "named.csv": ["image", "1.png"]}, files("img", 4))
        assert [entry.name for entry in load_unlabelled([root / "list.csv"]).inputs] == [
            "0.png",
            "1.png",
            "2.png",
            "3.png",
        ]
        assert [entry.name for entry in load_unlabelled([root / "named.csv"]).inputs] == ["1.png"]

    def test_no_photograph_of_a_test_list_is_lost(self, make: Make) -> None:
        tables = {
            "train.csv": ["id,label", *(f"{row}.png,{'ab'[row % 2]}" for row in range(6))],
            "test.csv": ["t0.png", "t1.png"],
        }
        root = make(tables, [*files("img", 6), "img/t0.png", "img/t1.png"])
        assert splits(load_samples(root)).count("test") == 2


class TestSpelling:
    """Labels that are equal in value are asked, joined or kept."""

    @pytest.mark.parametrize(
        ("pair", "joined"),
        [
            (("0", "0.0"), "0"),
            (("1", "001"), "1"),
            (("caf\u00e9", "cafe\u0301"), "caf\u00e9"),
            (("2.50", "2.5"), "2.5"),
        ],
    )
    def test_one_class_or_two(self, make: Make, pair: tuple[str, str], joined: str) -> None:
        rows = ["file,label", *(f"{row}.png,{(*pair, 'other')[row % 3]}" for row in range(9))]
        root = make({"labels.csv": rows}, files("img", 9))
        assert options(doubt(root)) == [{"spelling": "join"}, {"spelling": "keep"}]
        assert set(load_samples(root, spelling="join").classes) == {joined, "other"}
        assert len(load_samples(root, spelling="keep").classes) == 3

    def test_in_lists_too(self, make: Make) -> None:
        rows = ["file,label", *(f"{row}.png,{('1|2', '1.0', '2')[row % 3]}" for row in range(9))]
        root = make({"labels.csv": rows}, files("img", 9))
        assert options(doubt(root))[0] == {"spelling": "join"}
        assert load_samples(root, spelling="join").classes == ("1", "2")

    @pytest.mark.parametrize(("pair", "joined"), [(("1", "001"), "1"), (("caf\u00e9", "cafe\u0301"), "caf\u00e9")])
    @pytest.mark.parametrize("form", ["classes", "parts", "names"])
    def test_folders_too(self, make: Make, form: str, pair: tuple[str, str], joined: str) -> None:
        one, two = pair
        placed = {
            "classes": [files(folder, 4) for folder in (one, two, "other")],
            "parts": [files(f"{part}/{name}", 4) for part, name in (("train", one), ("valid", two))]
            + [files(f"{part}/other", 4) for part in ("train", "valid")],
            "names": [[f"all/{name}.{row}.png" for row in range(4)] for name in (one, two, "other")],
        }[form]
        root = make({}, [name for names in placed for name in names])
        how = {"label_from": "{label}.*"} if form == "names" else {}
        assert options(doubt(root, **how)) == [{"spelling": "join"}, {"spelling": "keep"}]
        together = load_samples(root, spelling="join", **how)
        assert set(together.classes) == {joined, "other"}
        assert set(together.frame["label"]) == {joined, "other"}
        assert set(load_samples(root, spelling="keep", **how).classes) == {one, two, "other"}

    def test_folders_of_test_raise_no_doubt(self, make: Make) -> None:
        parts = [files(f"{part}/{name}", 2) for part in ("train", "valid") for name in ("caf\u00e9", "other")]
        root = make({}, [*(name for names in parts for name in names), *files("test/cafe\u0301", 2)])
        assert load_samples(root).classes == ("caf\u00e9", "other")

    def test_folders_that_differ_otherwise_are_kept_apart_and_told(self, make: Make) -> None:
        samples = load_samples(
            make({}, [*files("dark", 3), *files("Dark", 3), *files("light ", 3), *files("light", 3)])
        )
        assert samples.classes == ("Dark", "dark", "light", "light ")
        assert [note for note in samples.notes if "kept apart" in note]

    def test_columns_too(self, make: Make) -> None:
        rows = [
            "file,caf\u00e9,cafe\u0301,other",
            *(f"{row}.png,{('1,0,0', '0,1,0', '0,0,1')[row % 3]}" for row in range(9)),
        ]
        root = make({"labels.csv": rows}, files("img", 9))
        assert options(doubt(root)) == [{"spelling": "join"}, {"spelling": "keep"}]
        together = load_samples(root, spelling="join")
        assert (together.classes, together.problem) == (("caf\u00e9", "other"), "binary")
        assert set(together.frame["label"]) == {"caf\u00e9", "other"}
        assert len(load_samples(root, spelling="keep").classes) == 3

    def test_rows_of_test_raise_no_doubt(self, make: Make) -> None:
        rows = ["file,label,split", *(f"{row}.png,{row % 2},train" for row in range(6)), "6.png,0.0,test"]
        assert load_samples(make({"labels.csv": rows}, files("img", 7))).classes == ("0", "1")


class TestParts:
    """Columns and tables that say who trains."""

    def table(self, make: Make, header: str, cell: Callable[[int], str], n: int = 12) -> Path:
        rows = [f"image,label,{header}", *(f"{row}.png,{'ab'[row % 2]},{cell(row)}" for row in range(n))]
        return make({"all.csv": rows}, files("img", n))

    @pytest.mark.parametrize("name", ["subset", "split", "Partition", "dataset", "usage_of_row"])
    def test_a_column_of_words(self, make: Make, name: str) -> None:
        words = ("Train", "Train", "VAL", "holdout")
        samples = load_samples(self.table(make, name, lambda row: words[row // 2 % 4]))
        assert samples.n_per_split == {"train": 8, "valid": 2, "test": 2}
        assert said(samples, "parts") == [
            (f"Column '{name}' gives the parts: 8 train, 2 valid, 2 test.", "--split none")
        ]

    @pytest.mark.parametrize(
        ("name", "cells", "expected"),
        [
            ("is_valid", ("True", "False"), {"train": 6, "valid": 6, "test": 0}),
            ("is_train", ("1", "0"), {"train": 6, "valid": 0, "test": 6}),
            ("isTest", ("yes", "no"), {"train": 0, "valid": 0, "test": 6, "": 6}),
            ("is_training_image", ("1", "0"), {"train": 6, "valid": 0, "test": 6}),
        ],
    )
    def test_a_column_of_true_and_false(
        self, make: Make, name: str, cells: tuple[str, str], expected: dict[str, int]
    ) -> None:
        root = self.table(make, name, lambda row: cells[row // 2 % 2])
        assert load_samples(root).n_per_split == expected
        assert load_samples(root, split=name).n_per_split == expected
        assert load_samples(root, split="none").n_per_split == {"train": 0, "valid": 0, "test": 0, "": 12}

    def test_columns_that_agree_are_used_together(self, make: Make) -> None:
        root = self.table(make, "is_valid,is_test", lambda row: ("1,0", "0,1", "0,0")[row // 2 % 3])
        assert load_samples(root).n_per_split == {"train": 4, "valid": 4, "test": 4}

    @pytest.mark.parametrize("header", ["subset,is_train", "split,is_valid"])
    def test_columns_that_disagree_are_asked(self, make: Make, header: str) -> None:
        root = self.table(
            make, f"{header},fold", lambda row: f"{('train', 'val')[row // 2 % 2]},{row % 3 % 2},{row % 5}"
        )
        first, second = header.split(",")
        assert options(doubt(root)) == [{"split": first}, {"split": second}, {"split": "none"}]
        samples = load_samples(root, split=first)
        assert samples.n_per_split == {"train": 6, "valid": 6, "test": 0}
        assert said(samples, "unused")[0][1] == "--group fold"

    def test_numbers_of_folds_are_said_as_unused(self, make: Make) -> None:
        samples = load_samples(self.table(make, "fold", lambda row: str(row % 3)))
        assert set(splits(samples)) == {""}
        assert said(samples, "unused")[0][0].startswith("Column 'fold' holds 3 numbers and is not used")

    def test_classes_called_after_parts_are_classes(self, make: Make) -> None:
        rows = ["image,label", *(f"{row}.png,{('train', 'test')[row % 2]}" for row in range(8))]
        assert load_samples(make({"all.csv": rows}, files("img", 8))).classes == ("test", "train")

    def test_a_class_called_train_among_columns_of_bits_is_one(self, make: Make) -> None:
        rows = ["image,car,train", *(f"{row}.png,{row % 2},{1 - row % 2}" for row in range(8))]
        assert load_samples(make({"all.csv": rows}, files("img", 8))).classes == ("car", "train")

    @pytest.mark.parametrize(
        ("first", "second"), [("train", "valid"), ("train", "val"), ("train_labels", "val_labels")]
    )
    def test_a_table_of_valid_beside_that_of_train(self, make: Make, first: str, second: str) -> None:
        tables = {
            f"{first}.csv": ["id,label", *(f"{row}.png,{'ab'[row % 2]}" for row in range(6))],
            f"{second}.csv": ["id,label", *(f"v{row}.png,{'ab'[row % 2]}" for row in range(4))],
        }
        root = make(tables, [*files("img", 6), *(f"img/v{row}.png" for row in range(4))])
        samples = load_samples(root / f"{first}.csv")
        assert samples.n_per_split == {"train": 6, "valid": 4, "test": 0}
        assert said(samples, "parts") == [(f"The 4 rows of {second}.csv validate.", "--split none")]
        assert load_samples(root / f"{first}.csv", split="none").n_per_split[""] == 6

    def test_a_photograph_in_both_is_refused(self, make: Make) -> None:
        tables = {
            "train.csv": ["id,label", *(f"{row}.png,{'ab'[row % 2]}" for row in range(6))],
            "valid.csv": ["id,label", "0.png,a"],
        }
        with pytest.raises(DataError, match=r"1 of 1 photographs are in train\.csv too(.|\n)*--split none"):
            load_samples(make(tables, files("img", 6)))


class TestLabels:
    """Which column holds the labels, and what a cell means."""

    @pytest.mark.parametrize("header", ["image,x,y,species", "image,y,sort,x"])
    def test_y_beside_others_is_asked(self, make: Make, header: str) -> None:
        text = header.split(",")[-1 if header.endswith("species") else 2]
        cells = [
            ",".join(
                {"image": f"{row}.png", "x": str(row), "y": str(row % 3)}.get(name, ("fox", "hare")[row % 2])
                for name in header.split(",")
            )
            for row in range(12)
        ]
        root = make({"sightings.csv": [header, *cells]}, files("img", 12))
        assert options(doubt(root))[0] == {"label": text}
        assert load_samples(root, label=text).classes == ("fox", "hare")

    def test_y_alone_is_the_label(self, make: Make) -> None:
        root = make({"a.csv": ["image,y", *(f"{row}.png,{row % 2}" for row in range(8))]}, files("img", 8))
        assert load_samples(root).classes == ("0", "1")

    def test_several_that_could_be_are_asked_the_likeliest_first(self, make: Make) -> None:
        rows = [
            "image,age,dx,site",
            *(f"{row}.png,{row % 4},{('nv', 'mel')[row % 2]},{'abc'[row % 3]}" for row in range(12)),
        ]
        assert [choice["label"] for choice in options(doubt(make({"m.csv": rows}, files("img", 12))))] == [
            "dx",
            "site",
            "age",
        ]

    @pytest.mark.parametrize("first", ["Apple", "leaf spot"])
    def test_names_with_commas_are_asked(self, make: Make, first: str) -> None:
        names = [f"{plant}, {state}" for plant in (first, "Corn") for state in ("healthy", "rust", "scab")]
        root = make(
            {"a.csv": ["image,label", *(f'{row}.png,"{names[row % 6]}"' for row in range(18))]}, files("img", 18)
        )
        assert options(doubt(root)) == [{"problem_type": "multiclass"}, {"delimiter": ","}]
        assert load_samples(root, problem_type="multiclass").n_classes == 6
        assert load_samples(root, delimiter=",").n_classes == 5

    def test_tags_with_blanks_that_never_stand_alone(self, make: Make) -> None:
        tags = [
            "clear primary",
            "haze primary",
            "clear water primary",
            "haze water",
            "water clear",
            "clear haze",
            "primary water haze",
            "primary haze clear",
        ]
        root = make({"a.csv": ["image,tags", *(f"{row}.png,{tags[row % 8]}" for row in range(16))]}, files("img", 16))
        assert options(doubt(root)) == [{"delimiter": " "}, {"problem_type": "multiclass"}]
        assert load_samples(root, delimiter=" ").classes == ("clear", "haze", "primary", "water")

    def test_fastai_tables(self, make: Make) -> None:
        rows = [
            "fname,labels,is_valid",
            *(f"{row}.png,{('car', 'person', 'car person')[row % 3]},{row > 8}" for row in range(12)),
        ]
        samples = load_samples(make({"train.csv": rows}, files("train", 12)))
        assert (samples.problem, samples.classes) == ("multilabel", ("car", "person"))
        assert samples.n_per_split == {"train": 9, "valid": 3, "test": 0}
        assert said(samples, "delimiter")[0][1] == "--type multiclass"


class TestSealed:
    """What the test part holds decides nothing, and is quoted nowhere."""

    def test_classes_type_and_delimiter_come_from_the_others(self, make: Make) -> None:
        rows = [
            "image,label,split",
            *(f"{row}.png,{'ab'[row % 2]},train" for row in range(6)),
            "6.png,a|walrus,test",
            "7.png,walrus,test",
            "8.png,a,test",
        ]
        samples = load_samples(make({"a.csv": rows}, files("img", 9)))
        assert (samples.problem, samples.classes) == ("binary", ("a", "b"))
        assert [labels(samples)[f"{row}.png"] for row in (6, 7, 8)] == ["", "", "a"]
        told = " ".join((*samples.notes, *(assumption.taken for assumption in samples.assumptions)))
        assert "2 rows of test have labels that no row outside test has" in told
        assert "walrus" not in told

    def test_the_test_part_of_columns_of_bits(self, make: Make) -> None:
        rows = ["image,a,b,split", *(f"{row}.png,{row % 2},{1 - row % 2},train" for row in range(6)), "6.png,1,1,test"]
        samples = load_samples(make({"a.csv": rows}, files("img", 7)))
        assert (samples.problem, labels(samples)["6.png"]) == ("binary", "")
        with pytest.raises(DataError, match="neither 0 nor 1 at line 8: 'b'") as caught:
            load_samples(make({"a.csv": [*rows[:-1], "6.png,1,secret,test"]}, files("img", 7)), label=["a", "b"])
        assert "secret" not in str(caught.value)

    def test_ids_may_repeat_between_train_and_test(self, make: Make) -> None:
        tables = {
            "train.csv": ["name,invasive", *(f"{row},{row % 2}" for row in range(8))],
            "test.csv": ["name", *map(str, range(2, 6)), "99"],
        }
        root = make(tables, [*files("train", 8), *(f"test/{row}.png" for row in (2, 3, 4, 5, 99))])
        samples = load_samples(root)
        test = samples.part("test").frame
        assert test["id"].tolist() == ["test/2", "test/3", "test/4", "test/5", "99"]  # only those that are taken
        assert {Path(path).parent.name for path in test["path"]} == {"test"}
        assert samples.frame["id"].is_unique
        again = load_samples(root, images="train")
        assert again.frame["path"].tolist() == samples.frame["path"].tolist()

    def test_a_sample_submission_is_the_test_list_where_there_is_none(self, make: Make) -> None:
        tables = {
            "labels.csv": ["id,breed", *(f"a{row},{('akita', 'beagle')[row % 2]}" for row in range(8))],
            "sample_submission.csv": ["id,akita,beagle", *(f"t{row},0.5,0.5" for row in (2, 0, 1))],
        }
        root = make(tables, [*(f"train/a{row}.png" for row in range(8)), *(f"test/t{row}.png" for row in range(3))])
        samples = load_samples(root)
        assert samples.part("test").frame["id"].tolist() == ["t2", "t0", "t1"]
        assert said(samples, "test list")[0][1] == "--test none"
        roles = {entry.path: entry.role for entry in file_roles(DataSource(root), samples)}
        assert roles["sample_submission.csv"] == "sample submission"
        assert load_samples(root, test="none").n_per_split["test"] == 0

    @pytest.mark.parametrize("rows", [["id,label", "0,1", "1,0"], ["id,label", "gone,1"], ["nothing"]])
    def test_one_that_names_other_photographs_changes_nothing(self, make: Make, rows: list[str]) -> None:
        tables = {"train.csv": ["id,label", *(f"{row},{row % 2}" for row in range(8))], "sample_submission.csv": rows}
        assert load_samples(make(tables, files("img", 8))).n_per_split["test"] == 0


class TestSeveralFolders:
    """Photographs of one table in several folders; and class folders with a table beside them."""

    @pytest.mark.parametrize("folders", [("images_part_1", "images_part_2"), ("batch1", "batch2", "batch3")])
    def test_the_table_that_names_them_all_is_the_source(self, make: Make, folders: tuple[str, ...]) -> None:
        n = 6 * len(folders)
        rows = ["image_id,label", *(f"p{row:02d},{('nv', 'mel')[row % 2]}" for row in range(n))]
        root = make({"metadata.csv": rows}, [f"{folders[row // 6]}/p{row:02d}.png" for row in range(n)])
        samples = load_samples(root)
        assert (len(samples), samples.classes) == (n, ("mel", "nv"))
        assert said(samples, "photographs")[0][0].startswith(f"{n} photographs were found by name below")
        assert not samples.excluded

    def test_names_that_are_not_unique_below_are_not_assumed(self, make: Make) -> None:
        rows = ["image_id,label", *(f"{row},{'ab'[row % 2]}" for row in range(6))]
        root = make({"m.csv": rows}, [*files("deep/one", 6), *files("deep/two", 6)])
        with pytest.raises(DataError, match=r"may be any of one/0\.png, two/0\.png|may be any of deep/one/0\.png"):
            load_samples(root)

    def test_a_row_without_a_file_is_not_taken_from_another_folder(self, make: Make) -> None:
        tables = {"train.csv": ["name,label", *(f"{row},{row % 2}" for row in range(8))]}
        root = make(tables, [*files("train", 7), *files("test", 8)])
        with pytest.raises(DataError, match="1 of 8 files are missing"):
            load_samples(root)

    def test_a_table_with_other_labels_than_the_folders_is_asked(self, make: Make) -> None:
        rows = ["file,label", *(f"{row}.png,{('fox', 'hare')[row % 2]}" for row in range(12))]
        root = make({"m.csv": rows}, [f"{'north' if row < 6 else 'south'}/{row}.png" for row in range(12)])
        found = doubt(root)
        assert options(found) == [{"data": str(root / "m.csv")}, {"label_from": "{label}/**"}]
        assert load_samples(root / "m.csv").classes == ("fox", "hare")
        assert load_samples(root, label_from="{label}/**").classes == ("north", "south")

    @pytest.mark.parametrize("column", ["label", "camera"])
    def test_class_folders_with_metadata_stay_class_folders(self, make: Make, column: str) -> None:
        def place(row: int) -> str:
            return "north" if row < 6 else "south"

        rows = [f"file,{column}", *(f"{row}.png,{place(row) if column == 'label' else row % 2}" for row in range(12))]
        root = make({"m.csv": rows}, [f"{place(row)}/{row}.png" for row in range(12)])
        assert load_samples(root).classes == ("north", "south")

    def test_a_table_in_each_folder_of_a_part(self, make: Make) -> None:
        tables, photographs = {}, []
        for part, n in (("train", 8), ("valid", 4), ("test", 4)):
            photographs += files(part, n, ".jpg")
            tables[f"{part}/_classes.csv"] = [
                "filename, cat, dog",
                *(f"{row}.jpg, {row % 2}, {1 - row % 2}" for row in range(n)),
            ]
        samples = load_samples(make(tables, photographs))
        assert (samples.classes, samples.n_per_split) == (("cat", "dog"), {"train": 8, "valid": 4, "test": 4})
        assert samples.frame["id"].is_unique
        assert [Path(path).parent.name for path in samples.part("valid").frame["path"]] == ["valid"] * 4
        assert not samples.excluded

    def test_a_table_of_names_in_each_folder_of_a_part(self, make: Make) -> None:
        tables, photographs = {}, []
        for part, n in (("train", 6), ("validation", 4)):
            photographs += [f"{part}/images/{part}{row}.png" for row in range(n)]
            tables[f"{part}/metadata.csv"] = [
                "file_name,label",
                *(f"images/{part}{row}.png,{'ab'[row % 2]}" for row in range(n)),
            ]
        assert load_samples(make(tables, photographs)).n_per_split == {"train": 6, "valid": 4, "test": 0}


class TestAbsences:
    """Each cause why a value names no file has its sentence, with the nearest file that does."""

    @pytest.mark.parametrize(
        ("value", "file", "words"),
        [
            ("p{}.jpg", "p{}.jpeg", "with another suffix: 'p0.jpeg'"),
            ("{}", "00{}.png", "with zeros in front: '000.png'"),
            (r"img\p{}.png", "p{}.png", "has backslashes; there is img/p0.png"),
            (r"C:\data\img\p{}.png", "p{}.png", "root of another disk; there is img/p0.png"),
            ("/content/data/img/p{}.png", "p{}.png", "root of another disk; there is img/p0.png"),
            ("P{}.PNG", "p{}.png", "in other upper and lower case: 'p0.png'"),
            ("caf\u00e9{}.png", "cafe\u0301{}.png", "in another Unicode form"),
            ("~/img/p{}.png", "p{}.png", "~ is not expanded"),
            ("$DATA/p{}.png", "p{}.png", "variables are not expanded"),
            ("https://example.org/p{}.png?size=2", "p{}.png", "is an address; there is img/p0.png"),
            ("photo{}.png", "photoo{}.png", "the nearest to 'photo0.png' is 'photoo"),
        ],
    )
    def test_each_cause(self, make: Make, value: str, file: str, words: str) -> None:
        rows = ["file,label", *(f"{value.format(row)},{'ab'[row % 2]}" for row in range(4))]
        root = make({"labels.csv": rows}, [f"img/{file.format(row)}" for row in range(4)])
        with pytest.raises(DataError) as caught:
            load_samples(root)
        assert words in str(caught.value)
        assert all(len(line) < 400 for line in str(caught.value).splitlines())

    def test_a_folder_above_names_the_option(self, make: Make) -> None:
        rows = ["file,label", *(f"../img/{row}.png,{'ab'[row % 2]}" for row in range(4))]
        with pytest.raises(DataError, match="--images"):
            load_samples(make({"tables/labels.csv": rows}, files("img", 4)) / "tables")

    def test_another_delimiter(self, make: Make) -> None:
        root = make({"labels.csv": ["file|label", *(f"{row}.png|a" for row in range(4))]}, files("img", 4))
        with pytest.raises(DataError, match=r"one column only, 'file\|label'(.|\n)*not by '\|'"):
            load_samples(root)

    def test_causes_are_counted_apart(self, make: Make) -> None:
        names = ["0.png", "1.png", "2.jpg", "3.jpg", "P4.png"]
        rows = ["file,label", *(f"{name},{'ab'[row % 2]}" for row, name in enumerate(names)), "zzzz,a"]
        root = make({"labels.csv": rows}, [*files("img", 4), "img/p4.png", *(f"img/x{row}.png" for row in range(9))])
        more = [f"x{row}.png,a" for row in range(9)]
        (root / "labels.csv").write_text("\n".join([*rows, *more]) + "\n")
        with pytest.raises(DataError) as caught:
            load_samples(root)
        message = str(caught.value)
        assert "4 of 15 files are missing" in message
        assert "2 of them: '2.jpg' is there with another suffix: '2.png'" in message
        assert "1 of them: 'P4.png' is there in other upper and lower case: 'p4.png'" in message
        assert "--missing exclude" in message

    @pytest.mark.parametrize("cell", ["a shape of many colours " * 25, "x\0y", "/" * 3000])
    def test_a_long_cell_names_no_file_and_stops_nothing(self, make: Make, cell: str) -> None:
        root = make({}, files("img", 6))
        frame = pd.DataFrame(
            {"caption": [cell] * 6, "file_name": [f"{row}.png" for row in range(6)], "label": list("ababab")}
        )
        samples = load_samples(frame, images=root / "img")
        assert samples.frame["id"].tolist()[0] == "0.png"
        with pytest.raises(DataError) as caught:
            load_samples(frame, images=root / "img", id="caption")
        assert len(str(caught.value)) < 3000

    def test_blanks_around_names_are_no_matter(self, make: Make) -> None:
        rows = ["file,label", *(f" {row}.png ,{'ab'[row % 2]}" for row in range(4))]
        assert len(load_samples(make({"labels.csv": rows}, files("img", 4)))) == 4


class TestMissing:
    """Rows whose photograph is not there."""

    def test_they_stop_or_are_left_out_and_counted(self, make: Make) -> None:
        rows = ["id,label", *(f"{row},{'ab'[row % 2]}" for row in range(20))]
        root = make({"styles.csv": rows}, files("images", 19))
        with pytest.raises(DataError, match=r"1 of 20 files are missing(.|\n)*--missing exclude"):
            load_samples(root)
        samples = load_samples(root, missing="exclude")
        assert len(samples) == 19
        assert samples.notes[0].startswith("1 of 20 photographs are not there and are left out, first '19'")
        assert [(entry.path, entry.reason) for entry in samples.excluded] == [
            ("19", "named in styles.csv, and not there")
        ]

    @pytest.mark.parametrize("n_left", [0, 2])
    def test_a_class_that_loses_most_comes_first(self, make: Make, n_left: int) -> None:
        rows = ["id,label", *(f"{row},{'abc'[row % 3]}" for row in range(18))]
        there = [name for row, name in enumerate(files("images", 18)) if row % 3 != 2 or row < 3 * n_left]
        samples = load_samples(make({"styles.csv": rows}, there), missing="exclude")
        assert loss_warnings(samples)[0].startswith(f"Warning: by what is left out, class 'c' keeps {n_left} of 6.")

    def test_in_the_test_list_too(self, make: Make) -> None:
        tables = {"train.csv": ["id,label", *(f"{row},{row % 2}" for row in range(6))], "test.csv": ["id", "t0", "t1"]}
        samples = load_samples(make(tables, [*files("img", 6), "img/t0.png"]), missing="exclude")
        assert samples.part("test").frame["id"].tolist() == ["t0"]


class TestTablesNobodyNamed:
    """They stop nothing."""

    @pytest.mark.parametrize("content", ["caf\xe9".encode("latin-1"), b"", b"id\0,x\n1,2\n", b"a,b\n1\n2,3,4\n"])
    @pytest.mark.parametrize("name", ["test.csv", "sample_submission.csv"])
    def test_beside_a_table(self, make: Make, name: str, content: bytes) -> None:
        rows = ["id,label", *(f"{row},{row % 2}" for row in range(6))]
        root = make({"train.csv": rows, name: content}, files("img", 6))
        samples = load_samples(root)
        assert samples.n_per_split["test"] == 0
        assert any(f"{name} beside train.csv is passed over" in note for note in samples.notes)
        with pytest.raises(DataError):
            load_samples(root, test=name)

    @pytest.mark.parametrize("name", ["notes.csv", "train.csv"])
    @pytest.mark.parametrize(
        "content", ["file,place\n0.png,caf\xe9\n".encode("latin-1"), b"", b"file,b\n0.png\n2,3,4\n"]
    )
    def test_beside_class_folders(self, make: Make, name: str, content: bytes) -> None:
        root = make({name: content}, [*files("a", 6), *(f"b/{row}.png" for row in range(6, 12))])
        samples = load_samples(root)
        assert samples.classes == ("a", "b")
        (entry,) = [entry for entry in file_roles(DataSource(root), samples) if entry.path == name]
        assert entry.role == "other"
        assert entry.fault


def as_bytes(seed: int, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture(seed)).save(file, form)
    return file.getvalue()


class TestParquet:
    """Photographs that stand in the table."""

    @pytest.mark.parametrize("form", ["struct", "bytes", "no paths"])
    def test_they_are_written_once_into_the_cache(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
    ) -> None:
        monkeypatch.setenv("IMGCLS_CACHE", str(tmp_path / "cache"))
        images: list[Any] = [
            as_bytes(row)
            if form == "bytes"
            else {"bytes": as_bytes(row), "path": f"{row}.png" if form == "struct" else None}
            for row in range(8)
        ]
        table = tmp_path / "set" / "photos.parquet"
        table.parent.mkdir()
        pd.DataFrame({"image": images, "label": [row % 2 for row in range(8)]}).to_parquet(table)
        before = table.read_bytes()
        samples = load_samples(table)
        assert (len(samples), samples.classes) == (8, ("0", "1"))
        for row, path in enumerate(samples.frame["path"]):
            assert np.array_equal(np.asarray(Image.open(path)), picture(row))
            assert Path(path).is_relative_to(tmp_path / "cache")
        assert samples.frame["id"].tolist()[1] == ("1.png" if form == "struct" else "photos-000001")
        stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*") if path.is_file()}
        assert load_samples(table).frame.equals(samples.frame)
        assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*") if path.is_file()} == stamps
        assert sorted(table.parent.iterdir()) == [table]
        assert table.read_bytes() == before
        assert [entry.path for entry in load_unlabelled([table]).inputs] == list(map(Path, samples.frame["path"]))
        Path(samples.frame["path"][3]).unlink()
        assert Path(load_samples(table).frame["path"][3]).is_file()

    @pytest.mark.parametrize("given", [True, False])
    def test_they_are_called_as_they_stand_in_the_table(self, tmp_path: Path, given: bool) -> None:
        rows = [{"bytes": as_bytes(row), "path": f"{row // 2}_{row % 2}.png" if given else None} for row in range(8)]
        table = tmp_path / "set" / "photos.parquet"
        table.parent.mkdir()
        pd.DataFrame({"image": rows, "label": [row % 2 for row in range(8)]}).to_parquet(table)
        samples = load_samples(table)
        third = "photos.parquet/image/" + ("1_0.png" if given else "photos-000002.png")
        assert samples.relative(samples.frame["path"][2]) == third
        assert [entry.path for entry in samples.without({samples.frame["path"][2]: "truncated"}).excluded] == [third]
        assert [(entry.path, entry.n) for entry in file_roles(DataSource(table), samples)] == [
            ("photos.parquet/image/", 8),
            ("photos.parquet", 8),
        ]
        if given:
            assert load_samples(table, group_from="{group}_*").frame["group"].tolist() == list("00112233")
            assert len(load_samples(table, exclude="*_1.png")) == 4
        else:
            twice = [entry.name for entry in load_unlabelled([table, table]).inputs]
            assert twice[2] == str(tmp_path / "set" / third)

    @pytest.mark.parametrize("folder", [".", "data"])
    def test_pieces_of_the_parts_are_one_data_set(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
    ) -> None:
        monkeypatch.setenv("IMGCLS_CACHE", str(tmp_path / "cache"))
        home = tmp_path / "set" / folder
        home.mkdir(parents=True)
        for part, n, seed in (("train", 2, 0), ("validation", 1, 100), ("test", 1, 200)):
            for piece in range(n):
                rows = [
                    {
                        "image": {"bytes": as_bytes(seed + 10 * piece + row, "JPEG"), "path": f"{row}.jpg"},
                        "label": row % 2,
                    }
                    for row in range(4)
                ]
                pd.DataFrame(rows).to_parquet(home / f"{part}-{piece:05d}-of-{n:05d}.parquet")
        samples = load_samples(tmp_path / "set")
        assert samples.n_per_split == {"train": 8, "valid": 4, "test": 4}
        assert samples.frame["id"].is_unique
        assert len(set(samples.frame["path"])) == 16
        (home / "train-00001-of-00002.parquet").unlink()
        with pytest.raises(DataError, match="1 of 2 pieces of 'train' are missing"):
            load_samples(tmp_path / "set")

    def test_lists_of_labels_are_several_classes(self, make: Make, tmp_path: Path) -> None:
        root = make({}, files("img", 6))
        frame = pd.DataFrame(
            {"image": [f"{row}.png" for row in range(6)], "tags": [["a"], ["a", "b"], [], ["b"], ["c"], ["a"]]}
        )
        frame.to_parquet(root / "labels.parquet")
        samples = load_samples(root)
        assert (samples.problem, samples.classes) == ("multilabel", ("a", "b", "c"))
        assert samples.targets.tolist()[1:3] == [[1, 1, 0], [0, 0, 0]]
        assert samples.is_labelled.all()

    def test_names_of_classes_beside_their_numbers_are_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import pyarrow
        import pyarrow.parquet

        monkeypatch.setenv("IMGCLS_CACHE", str(tmp_path / "cache"))
        features = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
        table = pyarrow.table(
            {"image": [{"bytes": as_bytes(row), "path": None} for row in range(6)], "label": [0, 1] * 3}
        )
        described = {"huggingface": json.dumps({"info": {"features": features}})}
        pyarrow.parquet.write_table(table.replace_schema_metadata(described), tmp_path / "pets.parquet")
        assert load_samples(tmp_path / "pets.parquet").classes == ("cat", "dog")

    def test_bytes_that_are_no_photographs_are_text(self, make: Make) -> None:
        root = make({}, files("img", 4))
        frame = pd.DataFrame(
            {"image": [f"{row}.png" for row in range(4)], "digest": [b"\x01\x02"] * 4, "label": list("abab")}
        )
        frame.to_parquet(root / "a.parquet")
        assert read_table(root / "a.parquet").photographs == {}
        assert load_samples(root).classes == ("a", "b")

    def test_photographs_take_the_memory_of_a_row_group(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """However large the file: once all row groups that had been read were kept."""
        import pyarrow
        import pyarrow.parquet

        monkeypatch.setenv("IMGCLS_CACHE", str(tmp_path / "cache"))
        noise = np.random.default_rng(0)
        content = io.BytesIO()
        Image.fromarray(picture(0)).save(content, "PNG")
        images = [{"bytes": content.getvalue() + noise.bytes(50_000), "path": f"{row}.png"} for row in range(200)]
        table = pyarrow.table({"image": images, "label": [str(row % 2) for row in range(200)]})
        pyarrow.parquet.write_table(table, tmp_path / "photos.parquet", row_group_size=10)
        del table
        before = pyarrow.default_memory_pool()  # of the moment: once another is set, it is that one
        pool = pyarrow.proxy_memory_pool(before)
        try:
            pyarrow.set_memory_pool(pool)
            read = read_table(tmp_path / "photos.parquet")
        finally:
            gc.collect()  # nothing of this pool may be given back when it is gone
            pyarrow.set_memory_pool(before)
        assert len(read.photographs["image"]) == 200
        assert pool.max_memory() < (tmp_path / "photos.parquet").stat().st_size / 3


@pytest.mark.parametrize("name", ["kids_csv", "coffee_leaf", "clothing10", "apples_pears"])
def test_real_data_raise_no_doubt(test_data: Path, name: str) -> None:
    samples = load_samples(test_data / name)
    assert not [
        assumption for assumption in samples.assumptions if assumption.about in ("unused", "header", "spelling")
    ]
    assert not [note for note in samples.notes if note.startswith("Warning")]


def test_what_findings_leave_out_empties_no_class_without_a_word(make: Make) -> None:
    rows = ["id,label", *(f"{row}.png,{'abc'[row % 3]}" for row in range(18))]
    root = make({"labels.csv": rows}, files("images", 18))
    gone = ", ".join(f'"{row}.png"' for row in range(2, 18, 3))
    findings = root / "findings.toml"
    samples = load_samples(root)
    findings.write_text(
        f'schema = 1\ndata = "{samples.name}"\n\n[[excluded]]\nfinding = "x"\nimages = [{gone}]\nwhy = "y"\n'
    )
    (warning,) = loss_warnings(decided_samples(DataSource(root), findings))
    assert warning.startswith("Warning: by what is left out, class 'c' keeps 0 of 6.")


def test_an_assumption_is_no_note_as_well(make: Make) -> None:
    tables = {
        "train.csv": ["image,label", *(f"{row}.png,{('a b', 'b', 'a')[row % 3]}" for row in range(9))],
        "test.csv": ["image", "t0.png", "t1.png"],
    }
    root = make(tables, [*files("img", 9), "img/t0.png", "img/t1.png"])
    samples = load_samples(root)
    assert [taken for taken, _ in said(samples, "delimiter")] == [
        "The labels of 'label' were read as several classes, separated by ' '."
    ]
    assert [option for _, option in said(samples, "test list")] == ["--test none"]
    assert samples.notes == ()
    (note,) = load_samples(root, test="test.csv").notes
    assert note == "The 2 photographs of test.csv are the test part: predicted, never trained on."


def test_a_list_needs_no_separator(make: Make, tmp_path: Path) -> None:
    root = make({}, files("img", 8))
    frame = pd.DataFrame({"image": files("img", 8), "label": [["a", "b"], ["b"], ["a"], []] * 2})
    for source in (root / "lists.parquet", frame):
        if isinstance(source, Path):
            frame.to_parquet(source)
        samples = load_samples(source, images=root, id="image", label="label")
        assert samples.problem == "multilabel"
        assert said(samples, "delimiter") == []
        assert [option for _, option in said(samples, "type")] == ["--type multiclass"]


def test_photographs_that_no_table_names_are_said_once(make: Make) -> None:
    rows = [f"{row}.png,{'ab'[row % 2]}" for row in range(9)]
    root = make({"train.csv": ["image,label", *rows]}, [*files("img", 9), "img/x1.png", "img/x2.png"])
    assert said(load_samples(root), "unused") == [
        ("2 photographs are in the folder and not listed in train.csv: not used.", "--test TABLE")
    ]
    assert said(load_samples(root, exclude="x*"), "unused") == []
    (root / "test.csv").write_text("image\nx1.png\n")
    assert said(load_samples(root), "unused") == [
        ("1 photograph is in the folder and not listed in train.csv: not used.", "--data TABLE")
    ]


class TestLabelsByName:
    """A table of names alone, whose names hold the labels."""

    names = tuple(f"{'cat' if row % 2 else 'dog'}.{row}.png" for row in range(12))

    def table(self, make: Make, *, header: str = "file", rows: Sequence[str] = names) -> Path:
        return make({"list.csv": [header, *rows]}, [f"img/{name}" for name in self.names]) / "list.csv"

    def test_a_pattern_says_where_they_stand(self, make: Make) -> None:
        table = self.table(make)
        samples = load_samples(table, label_from="{label}.*")
        assert (samples.classes, samples.problem) == (("cat", "dog"), "binary")
        assert labels(samples) == {name: name[:3] for name in self.names}
        assert labels(load_samples(table.parent, images="img", label_from="{label}.*")) == labels(samples)
        grouped = load_samples(table, label_from="{label}.*", group_from="*.{group}.*")
        assert grouped.frame["group"].tolist() == [str(row) for row in range(12)]

    def test_it_is_offered_where_no_column_holds_them(self, make: Make) -> None:
        table = self.table(make)
        (offered,) = options(doubt(table))
        assert offered == {"data": str(table), "label_from": "{label}.*"}
        assert load_samples(**offered).classes == ("cat", "dog")
        several = self.table(
            make, header="file,width,height", rows=[f"{n},{row},{row}" for row, n in enumerate(self.names)]
        )
        assert options(doubt(several))[-1] == offered

    def test_parts_of_the_table_count_and_test_decides_nothing(self, make: Make) -> None:
        rows = [
            f"{name},{'test' if row > 7 else 'valid' if row > 5 else 'train'}" for row, name in enumerate(self.names)
        ]
        rows[-1] = rows[-1].replace("cat.11", "wolf.11")
        root = make({"list.csv": ["file,split", *rows]}, [f"img/{name}" for name in (*self.names, "wolf.11.png")])
        samples = load_samples(root / "list.csv", label_from="{label}.*")
        assert samples.classes == ("cat", "dog")
        assert samples.part("test").frame["label"].tolist() == ["dog", "cat", "dog", ""]

    def test_what_does_not_fit_is_refused_with_what_to_do(self, make: Make) -> None:
        table = self.table(make)
        with pytest.raises(DataError, match="Keep one of them"):
            load_samples(table, label="file", label_from="{label}.*")
        with pytest.raises(DataError, match="takes no label from 6 of 12 photographs: 'img/dog"):
            load_samples(table, label_from="c{label}.*")
        assert load_samples(table, label_from="c{label}.*", exclude="dog*").classes == ("at",)
        with pytest.raises(DataError, match="--split COLUMN"):
            load_samples(table, label_from="{split}.{label}.*")
        with pytest.raises(DataError, match="--label-from"):
            load_samples(table, label_from="nothing_{label}.*")
