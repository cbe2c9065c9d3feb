from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from imgcls.data.files import IMAGE_SUFFIXES
from imgcls.data.load import Input, load_samples, load_unlabelled
from imgcls.data.samples import Samples
from imgcls.data.tables import read_table
from imgcls.errors import DataError

Draw = Callable[..., Path]
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, draw: Draw) -> Write:
    """Write a table, and beside it a folder with photographs of these stems."""

    def make(
        text: str | bytes, *, stems: str = "001 002 003 004", name: str = "train.csv", images: str = "images"
    ) -> Path:
        for seed, stem in enumerate(stems.split()):
            draw(tmp_path / "set" / images / f"{stem}.png", seed)
        path = tmp_path / "set" / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return make


def labels(samples: Samples) -> dict[str, str]:
    return dict(zip(samples.frame["id"], samples.frame["label"], strict=True))


def test_ids_and_labels_are_text_exactly_as_given(write: Write) -> None:
    samples = load_samples(write("id,label\n001,NA\n002,null\n003, x\n004,1e5\n"))
    assert labels(samples) == {"001": "NA", "002": "null", "003": " x", "004": "1e5"}
    assert samples.classes == (" x", "1e5", "NA", "null")
    assert [Path(path).name for path in samples.frame["path"]] == ["001.png", "002.png", "003.png", "004.png"]
    assert samples.name == "set"


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfid;label\r\n001;caf\xc3\xa9\r\n002;b\r\n",
        "id\tlabel\n001\tcafé\n\n002\tb\n".encode(),
        '"id","label"\n"001","café"\n"002","b"'.encode(),
        'label,"id"\ncafé,001\nb,002\n'.encode(),
    ],
    ids=["BOM semicolon CRLF", "tab and blank line", "quoted", "label first"],
)
def test_dialects(write: Write, content: bytes) -> None:
    assert labels(load_samples(write(content))) == {"001": "café", "002": "b"}
    assert set(read_table(write(content)).columns) == {"id", "label"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"id,label\n", "no row below"),
        (b"id,label,label\n001,a,b\n", "repeats 'label'"),
        (b"id,label\n001,caf\xe9\n", "not UTF-8 .line 2, byte 0xe9"),
        (b"id,label\n001,a\0\n", "line 2 holds a NUL"),
        (b"id,label\n001,a\n002,b,c\n003\n", "header has 2 fields, but line 3 has 3, line 4 has 1"),
        (b'id,label\n001,"a\nb"\n002,b,c\n', "line 4 has 3"),
        (b'id,label\n001,"a\n002,b\n', "line 2 cannot be read"),
        (b"id,label\n001,a\n002,\n003, \n", "no label in column 'label' at line 3, line 4"),
        (b"id,label\n001,a\n002,b\n001,b\n", "1 ids occur more than once: line 2: '001', line 4: '001'"),
        (b"id,x,y2\n001,a,b\n002,a,b\n", "which column holds the labels. There is 'x', 'y2'"),
        (b"id,label\n../001.png,a\n001,b\n002,b\n", "line 2: '../001.png' leaves the folder"),
        (b"id,label\nzzz,a\nyyy,b\n", "no value of 'id', 'label' names a file"),
    ],
)
def test_tables_that_cannot_be_used(write: Write, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_samples(write(content))
    assert "train.csv" in str(caught.value)


def test_all_rows_without_a_file_are_listed(write: Write) -> None:
    rows = "".join(f"none{n:02d},a\n" for n in range(12))
    with pytest.raises(
        DataError, match=r"12 of 27 files are missing.*line 17: 'none00'.*'none09' and 2 more"
    ) as caught:
        load_samples(
            write("id,label\n" + "".join(f"{n},b\n" for n in range(15)) + rows, stems=" ".join(map(str, range(15))))
        )
    assert "none10" not in str(caught.value)


def test_problems_with_ids_are_named_together(write: Write) -> None:
    with pytest.raises(DataError, match=r"3 problems(.|\n)*leaves(.|\n)*1 of 6 files(.|\n)*1 ids occur"):
        load_samples(write("id,label\n001,a\n002,b\n003,a\n../x,a\nnone,a\n001,b\n"))


def test_an_ambiguous_stem_is_an_error_and_a_full_name_is_not(write: Write, draw: Draw) -> None:
    table = write("id,label\n001,a\n002,b\n")
    draw(table.parent / "images" / "001.bmp")
    with pytest.raises(DataError, match=r"line 2: '001' may be any of 001\.bmp, 001\.png"):
        load_samples(table)
    assert labels(load_samples(write("id,label\n001.bmp,a\n001.png,b\n"))) == {"001.bmp": "a", "001.png": "b"}


def test_photographs_not_in_the_table_are_accounted_for(write: Write) -> None:
    samples = load_samples(write("id,label\n001,a\n002,b\n"))
    assert [(entry.path, entry.reason) for entry in samples.excluded] == [
        ("images/003.png", "not listed in train.csv"),
        ("images/004.png", "not listed in train.csv"),
    ]


def test_the_folder_of_images(write: Write, draw: Draw, tmp_path: Path) -> None:
    table = write("id,label\n001,a\n002,b\n", images="train_images")
    draw(table.parent / "test_images" / "001.png", 50)
    draw(table.parent / "test_images" / "002.png", 51)
    assert {Path(path).parent.name for path in load_samples(table).frame["path"]} == {"train_images"}
    chosen = load_samples(table, images="test_images")
    assert {Path(path).parent.name for path in chosen.frame["path"]} == {"test_images"}
    with pytest.raises(DataError, match="no such folder of images"):
        load_samples(table, images=tmp_path / "none")
    (table.parent / "train_images").rename(table.parent / "other")
    (table.parent / "test_images").rename(table.parent / "another")
    with pytest.raises(DataError, match="any of another, other"):
        load_samples(table)


def test_paths_from_the_table_absolute_and_in_sub_folders(write: Write, tmp_path: Path, draw: Draw) -> None:
    away = draw(tmp_path / "away" / "9.png")
    draw(tmp_path / "set" / "images" / "deep" / "7.png")
    samples = load_samples(write(f"file,label\nimages/001.png,a\n{away},b\nimages/deep/7,a\n"))
    assert samples.frame["path"].tolist() == [
        str(tmp_path / "set/images/001.png"),
        str(away),
        str(tmp_path / "set/images/deep/7.png"),
    ]


def test_the_column_that_names_files_is_found(write: Write) -> None:
    samples = load_samples(write("id,filename,label\n7,001.png,a\n8,002.png,b\n"))
    assert samples.frame["id"].tolist() == ["001.png", "002.png"]
    assert samples.classes == ("a", "b")


@pytest.mark.parametrize("name", ["label", "Labels", "target", "class", "category", "y"])
def test_the_column_of_labels_is_found(write: Write, name: str) -> None:
    assert load_samples(write(f"id,{name},note\n001,a,x\n002,b,y\n")).classes == ("a", "b")
    assert load_samples(write("id,sort\n001,a\n002,b\n")).classes == ("a", "b")


def test_columns_can_be_named_and_misspelt(write: Write) -> None:
    table = write("id,sort,owner,part\n001,a,u,train\n002,b,v,VAL\n003,,w,test\n004,b,u,\n")
    samples = load_samples(table, label="sort", group="owner", split="part")
    assert samples.frame["group"].tolist() == ["u", "v", "w", "u"]
    assert samples.frame["split"].tolist() == ["train", "valid", "test", ""]
    assert samples.targets.tolist() == [0, 1, -1, 1]
    with pytest.raises(DataError, match=r"no column 'sotr'.*Did you mean 'sort'(.|\n)*no column 'onwer'"):
        load_samples(table, label="sotr", group="onwer")
    with pytest.raises(DataError, match="no split at line 2: 'u'"):
        load_samples(table, label="sort", split="owner")


def test_one_column_for_each_class(write: Write) -> None:
    exclusive = load_samples(write("id,rust,scab\n001,0,1\n002,1,0\n"))
    assert (exclusive.problem, exclusive.classes) == ("binary", ("rust", "scab"))
    assert labels(exclusive) == {"001": "scab", "002": "rust"}
    several = load_samples(write("id,scab,rust\n001,1,1\n002,0,0\n003,0.0,1.0\n"))
    assert (several.problem, several.classes) == ("multilabel", ("scab", "rust"))
    assert several.targets.tolist() == [[1, 1], [0, 0], [0, 1]]
    assert several.is_labelled.all()
    wanted = load_samples(write("id,a,b\n001,0,1\n002,1,0\n"), problem_type="multilabel")
    assert wanted.targets.tolist() == [[0, 1], [1, 0]]
    with pytest.raises(DataError, match="not exactly one class at line 2, so not binary"):
        load_samples(write("id,a,b\n001,1,1\n"), problem_type="binary")
    with pytest.raises(DataError, match="neither 0 nor 1 at line 2: 'b=2'"):
        load_samples(write("id,a,b\n001,1,2\n"), label=["a", "b"])


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        (["a|b", "b", "c"], ("a", "b", "c")),
        (["a;b", "b;c", "c;a"], ("a", "b", "c")),
        (["a, b", "b", "c,b"], ("a", "b", "c")),
        (["scab rust", "scab", "rust"], ("rust", "scab")),
    ],
)
def test_several_classes_in_a_cell(write: Write, cells: list[str], classes: tuple[str, ...]) -> None:
    rows = "".join(f'00{row},"{cell}"\n' for row, cell in enumerate(cells, 1))
    samples = load_samples(write("id,labels\n" + rows))
    assert (samples.problem, samples.classes) == ("multilabel", classes)
    assert any("read as several classes" in entry.taken for entry in samples.assumptions)
    assert load_samples(write("id,labels\n" + rows), problem_type="multiclass").n_classes == 3


def test_the_order_in_a_cell_does_not_matter(write: Write) -> None:
    first = load_samples(write("id,labels\n001,a|b\n002,b\n"))
    assert first.data_digest == load_samples(write("id,labels\n001,b|a|b\n002,b\n")).data_digest


@pytest.mark.parametrize("cells", [["tench, Tinca tinca", "goldfish, Carassius auratus"], ["ice cream", "hot dog"]])
def test_names_with_commas_and_blanks_are_one_class(write: Write, cells: list[str]) -> None:
    rows = "".join(f'00{row},"{cell}"\n' for row, cell in enumerate(cells, 1))
    assert load_samples(write("id,label\n" + rows)).classes == tuple(sorted(cells))


def test_a_delimiter_can_be_given(write: Write) -> None:
    samples = load_samples(write("id,labels\n001,a+b\n002,c\n"), delimiter="+")
    assert labels(samples) == {"001": "a|b", "002": "c"}
    assert samples.notes == ()


def test_frames_and_parquet_files_read_alike(write: Write, tmp_path: Path) -> None:
    folder = write("id,label\n001,1\n002,0\n").parent
    frame = pd.DataFrame({"id": ["001", "002"], "label": [1, 0], "group": [None, "g"]})
    from_frame = load_samples(frame, images=folder / "images", label="label", group="group")
    assert labels(from_frame) == {"001": "1", "002": "0"}
    assert from_frame.frame["group"].tolist() == ["", "g"]
    frame.to_parquet(folder / "table.parquet")
    assert labels(load_samples(folder / "table.parquet", label="label")) == labels(from_frame)
    (folder / "bad.parquet").write_bytes(b"no")
    with pytest.raises(DataError, match="not a Parquet file"):
        read_table(folder / "bad.parquet")
    with pytest.raises(DataError, match="row 2"):
        load_samples(pd.DataFrame({"id": ["001", "none"], "label": ["a", "b"]}), images=folder / "images")


@pytest.mark.parametrize("label", ["label", ["fine", "caf\udce9"]])
def test_classes_of_a_frame_that_are_no_utf8_are_named(
    write: Write, monkeypatch: pytest.MonkeyPatch, label: str | list[str]
) -> None:
    monkeypatch.chdir(write("").parent)
    names = pd.Index(["id", "label", "fine", "caf\udce9"], dtype=object)
    frame = pd.DataFrame([["001", "fine", 1, 0], ["002", "caf\udce9", 0, 1]], columns=names, dtype=object)
    with pytest.raises(DataError, match=r"the frame: no valid UTF-8 in the class names caf\\udce9\. Rename them"):
        load_samples(frame, label=label)


def test_a_folder_with_a_table(write: Write, draw: Draw) -> None:
    root = write("id,label\n001,a\n002,b\n").parent
    assert load_samples(root).classes == ("a", "b")
    (root / "train.csv").rename(root / "labels.csv")
    (root / "sample_submission.csv").write_text("id,label\n1,0\n")
    assert load_samples(root).classes == ("a", "b")
    (root / "extra.csv").write_text("id,x\n1,0\n")
    with pytest.raises(DataError, match=r"which table.*extra\.csv, labels\.csv"):
        load_samples(root)
    draw(root / "cat" / "1.png")
    draw(root / "dog" / "2.png")
    with pytest.raises(DataError, match="a folder called 'images' is none"):
        load_samples(root)
    shutil.rmtree(root / "images")
    assert load_samples(root).classes == ("cat", "dog")


def test_other_files_are_no_tables(write: Write) -> None:
    with pytest.raises(DataError, match="this file is no table"):
        load_samples(write("x", name="notes.txt"))


def test_photographs_to_predict(write: Write, draw: Draw, tmp_path: Path) -> None:
    table = write("id\n002\n001\n", name="test.csv")
    photo = draw(tmp_path / "one.png")
    assert load_unlabelled([photo, table]).inputs == (
        Input("one.png", photo),
        Input("002", tmp_path / "set/images/002.png"),
        Input("001", tmp_path / "set/images/001.png"),
    )
    folder = load_unlabelled([tmp_path / "set"])
    assert [entry.name for entry in folder.inputs] == [f"images/00{n}.png" for n in range(1, 5)]
    assert folder.others == {".csv": 1}
    with pytest.raises(DataError, match="no such file or folder"):
        load_unlabelled([tmp_path / "none.jpg"])


def test_what_cannot_be_predicted_has_a_row_with_the_reason(
    write: Write, draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was named, and whatever may be a photograph in a folder; of the rest at least the number is known."""
    monkeypatch.setattr("imgcls.data.files.has_extra", lambda _: False)
    monkeypatch.setattr("imgcls.data.files.readable_suffixes", lambda: IMAGE_SUFFIXES)
    table = write("id\n002\ngone\n../2\n001\n", name="list.csv")
    photo = draw(tmp_path / "one.png")
    empty, odd, words = tmp_path / "empty", tmp_path / "odd", tmp_path / "words.csv"
    empty.mkdir()
    odd.mkdir()
    words.write_text("said\nnothing\n")
    (odd / "no_suffix").write_bytes(photo.read_bytes())
    for name in ("phone.HEIC", "scan.dcm", "camera.NEF", "notes.txt", "more.txt", "README", "link.jpg"):
        (odd / name).write_text("x")
    (odd / "link.jpg").unlink()
    (odd / "link.jpg").symlink_to("nowhere.jpg")
    found = load_unlabelled([tmp_path / "none.jpg", table, empty, words, odd, tmp_path / ("x" * 300), photo])
    reasons = {entry.name: entry.reason for entry in found.inputs}
    assert {name for name, reason in reasons.items() if not reason} == {"002", "001", "no_suffix", "one.png"}
    assert len(reasons) == len(found.inputs) == 14
    for name, words_of in {
        "none.jpg": "missing: ",
        "gone": "missing: list.csv names it",
        "../2": "leaves the folder",
        "empty": "no images were found",
        "words.csv": "no value",
        "phone.HEIC": "HEIC",
        "scan.dcm": "DICOM",
        "camera.NEF": "camera RAW",
        "link.jpg": "link to nothing",
    }.items():
        assert words_of in reasons[name], name
    assert found.others == {".txt": 2, "without a suffix": 1}


def test_where_nothing_can_be_predicted_all_reasons_are_given(write: Write, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"(?s)a\.jpg: there is no such file.*b\.jpg: there is no such file"):
        load_unlabelled([tmp_path / "a.jpg", tmp_path / "b.jpg"])


def test_equal_names_to_predict_get_their_paths(tmp_path: Path, draw: Draw) -> None:
    paths = [draw(tmp_path / folder / "1.png") for folder in "ab"]
    assert load_unlabelled(paths).inputs == tuple(Input(str(path), path) for path in paths)


def test_real_tables(test_data: Path) -> None:
    kids, leaves = load_samples(test_data / "kids_csv"), load_samples(test_data / "coffee_leaf")
    assert (len(kids), kids.problem, kids.classes, len(kids.excluded)) == (1212, "binary", ("0", "1"), 0)
    assert (kids.n_per_split["test"], set(kids.part("test").frame["label"])) == (242, {""})
    assert (len(leaves), leaves.problem, len(leaves.excluded)) == (885, "multilabel", 0)
    assert leaves.targets.sum(axis=0).tolist() == [114, 195, 266, 150, 121]
