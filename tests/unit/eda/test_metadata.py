from pathlib import Path

import pytest

from imgcls.eda.metadata import read_metadata
from imgcls.errors import DataError

IDS = ["train/cat/a1.jpg", "train/dog/b2.jpg", "valid/cat/c3.jpg", "test/dog/d4.jpg"]
SPLITS = ["train", "train", "valid", "test"]
LABELS = ["cat", "dog", "cat", "dog"]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "names",
    [
        IDS,
        ["a1.jpg", "b2.jpg", "c3.jpg", "d4.jpg"],
        ["a1", "b2", "c3", "d4"],
        ["./cat/a1", "dog\\b2", "cat/c3", "dog/d4"],
    ],
    ids=["id", "file", "stem", "end of path"],
)
def test_a_table_is_aligned_by_whatever_names_the_samples(tmp_path, draw_scan, names):
    samples = draw_scan(LABELS, ids=IDS, splits=SPLITS).samples
    rows = [f"x{place},{name},s{place % 2}" for place, name in enumerate(names)]
    path = write(tmp_path / "meta.csv", "\n".join(["note,picture,sender", *reversed(rows), ""]))
    (table,) = read_metadata([path], samples)
    assert table.columns["sender"] == ["s0", "s1", "s0", "s1"]
    assert table.n_named == 4


def test_names_that_two_samples_share_are_not_used(tmp_path, draw_scan):
    samples = draw_scan(["cat", "dog", "cat"], ids=["cat/1.jpg", "dog/1.jpg", "cat/2.jpg"]).samples
    path = write(tmp_path / "meta.csv", "file,class_folder,sender\n1.jpg,cat,x\n1.jpg,dog,y\n2.jpg,cat,z\n")
    with pytest.raises(DataError, match=r"no column names the photographs \(1 of 3"):
        read_metadata([path], samples)


def test_columns_that_say_nothing_are_dropped_with_a_reason(tmp_path, draw_scan):
    samples = draw_scan(LABELS, ids=IDS, splits=SPLITS).samples
    text = (
        "split,class,file,same,empty,sender,hash,again\n"
        "train,cat,a1.jpg,x,,s1,q9z,a1\ntrain,dog,b2.jpg,x,,s2,k3p,b2\n"
        "validation,cat,c3.jpg,x,,s1,m7w,c3\ntest,dog,d4.jpg,x,,s3,v5t,d4\n"
    )
    (table,) = read_metadata([write(tmp_path / "m.csv", text)], samples)
    assert list(table.columns) == ["sender"]
    assert table.dropped == {
        "split": "is the split",
        "class": "is the label",
        "same": "the same everywhere",
        "empty": "empty",
        "hash": "different everywhere, without structure",
        "again": "names the photographs",
    }


def test_a_column_that_is_not_the_label_but_tells_it_is_kept(tmp_path, draw_scan):
    samples = draw_scan(LABELS, ids=IDS, splits=SPLITS).samples
    path = write(tmp_path / "m.csv", "file,scanner\na1.jpg,old\nb2.jpg,new\nc3.jpg,old\nd4.jpg,new\n")
    assert "scanner" in read_metadata([path], samples)[0].columns


def test_a_table_of_test_alone_is_passed_over(tmp_path, draw_scan):
    samples = draw_scan([*LABELS, "cat"], ids=[*IDS, "test/cat/e5.jpg"], splits=[*SPLITS, "test"]).samples
    sealed = write(tmp_path / "test_labels.csv", "id,label\nd4,dog\ne5,cat\n")
    assert read_metadata([sealed], samples) == ()


def test_every_table_that_names_nothing_is_reported(tmp_path, draw_scan):
    samples = draw_scan(LABELS, ids=IDS, splits=SPLITS).samples
    paths = [write(tmp_path / name, "id,x\n1,2\n3,4\n") for name in ("one.csv", "two.csv")]
    with pytest.raises(DataError) as caught:
        read_metadata(paths, samples)
    assert "one.csv" in str(caught.value)
    assert "two.csv" in str(caught.value)


def test_the_further_columns_of_the_table_of_labels_count(tmp_path, draw_scan):
    samples = draw_scan(["cat", "dog", "cat"], ids=["a.jpg", "b.jpg", "c.jpg"]).samples
    own = write(tmp_path / "train.csv", "id,label,farm,fold\na,cat,x,0\nb,dog,y,1\nc,cat,x,0\n")
    (table,) = read_metadata([], samples, own=own, skip=["fold"])
    assert list(table.columns) == ["farm"]
    assert table.dropped == {"label": "is the label", "fold": "not asked for"}
