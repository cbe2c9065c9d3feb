from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from imgcls.data import files
from imgcls.data.files import kind_of_unused
from imgcls.data.folder import load_folder
from imgcls.data.load import load_samples
from imgcls.data.samples import Samples, check_samples
from imgcls.data.split import split_samples
from imgcls.errors import DataError

Draw = Callable[..., Path]


@pytest.fixture
def tree(tmp_path: Path, draw: Draw) -> Callable[..., Path]:
    """Draw photographs under the given relative names."""

    def make(*names: str) -> Path:
        for seed, name in enumerate(names):
            draw(tmp_path / "pets" / name, seed)
        return tmp_path / "pets"

    return make


def table(samples: Samples) -> list[tuple[str, str, str]]:
    return list(samples.frame[["id", "label", "split"]].itertuples(index=False, name=None))


def test_a_folder_for_each_class(tree: Callable[..., Path]) -> None:
    samples = load_folder(tree("dog/1.png", "cat/b/2.png", "cat/a.JPG"))
    assert table(samples) == [("cat/a.JPG", "cat", ""), ("cat/b/2.png", "cat", ""), ("dog/1.png", "dog", "")]
    assert samples.classes == ("cat", "dog")
    assert (samples.problem, samples.name) == ("binary", "pets")
    assert all(Path(path).is_absolute() and Path(path).is_file() for path in samples.frame["path"])


def test_training_and_testing_are_splits(tree: Callable[..., Path]) -> None:
    samples = load_samples(tree("training/0/1.png", "training/1/2.png", "testing/0/3.png"))
    assert samples.classes == ("0", "1")
    assert samples.n_per_split == {"train": 0, "valid": 0, "test": 1, "": 2}


@pytest.mark.parametrize("valid", ["valid", "val", "Validation"])
def test_folders_of_splits(tree: Callable[..., Path], valid: str) -> None:
    samples = load_folder(
        tree("Train/cat/1.png", "Train/dog/2.png", f"{valid}/cat/3.png", "TEST/dog/4.png", "test/5.png")
    )
    assert sorted(split for _, _, split in table(samples)) == ["test", "test", "train", "train", "valid"]
    assert ("test/5.png", "", "test") in table(samples)
    assert samples.classes == ("cat", "dog")


def test_without_valid_the_samples_of_train_are_to_be_split(tree: Callable[..., Path]) -> None:
    samples = load_folder(tree("train/cat/1.png", "train/dog/2.png", "test/cat/3.png", "other/4.png", "train/5.png"))
    assert samples.n_per_split == {"train": 0, "valid": 0, "test": 1, "": 2}
    assert [(entry.path, entry.reason) for entry in samples.excluded] == [
        ("other/4.png", "outside train, valid and test"),
        ("train/5.png", "in no class folder"),
    ]


def test_a_class_may_be_called_train(tree: Callable[..., Path]) -> None:
    assert load_folder(tree("train/1.png", "car/2.png", "bus/3.png")).classes == ("bus", "car", "train")
    assert load_folder(tree("train/steam/4.png")).classes == ("bus", "car", "train")


@pytest.mark.parametrize(
    "names",
    [
        "images/Abyssinian_1.png annotations/trimaps/Abyssinian_1.png",
        "Images/1.png masks/1.png",
        "images/1.png",
        "cat/1.png dog/2.png labels/1.png",
        "train_images/1.png test_images/2.png",
        "train/1.png test/2.png",
        "train/images/1.png train/masks/1.png valid/images/2.png",
    ],
)
def test_folders_that_hold_no_class_are_refused(tree: Callable[..., Path], names: str) -> None:
    root = tree(*names.split())
    with pytest.raises(DataError, match=r"would be the classes, but a folder called '.*' is none\..*--images"):
        load_samples(root)


def test_what_is_refused_is_named(tree: Callable[..., Path]) -> None:
    root = tree("images/1.png", "annotations/trimaps/1.png", "cats/2.png")
    with pytest.raises(DataError, match=r"'annotations', 'cats', 'images' .* called 'annotations' or 'images' is none"):
        load_folder(root)


def test_names_that_only_resemble_those_are_classes(tree: Callable[..., Path]) -> None:
    root = tree("mask/1.png", "no_mask/2.png", "photographers/3.png", "label_makers/4.png")
    assert load_samples(root).classes == ("label_makers", "mask", "no_mask", "photographers")


def test_class_folders_that_are_no_utf8_are_named(tree: Callable[..., Path]) -> None:
    root = tree("a/1.png", "b/2.png", "é/3.png")
    (root / "a").rename(os.fsdecode(os.fsencode(root) + b"/caf\xe9"))
    with pytest.raises(DataError, match=r"class names caf\\udce9\. Rename the folder\.") as caught:
        load_samples(root)
    assert str(caught.value).encode()


def test_every_file_is_accounted_for(tree: Callable[..., Path]) -> None:
    root = tree("cat/1.png", "dog/2.png", "stray.png", "runs/9.png", ".hidden/3.png", "__MACOSX/cat/4.png")
    for name in ("readme.txt", "cat/notes", "cat/Thumbs.db", "cat/.DS_Store", "dog/3.jpg.part", "cat/5.dwg"):
        (root / name).write_text("x")
    os.mkfifo(root / "cat" / "pipe.jpg")
    (root / "cat" / "lost.jpg").symlink_to("nowhere.jpg")
    (root / "cat" / "loop.jpg").symlink_to("loop.jpg")
    samples = load_folder(root, skip={"runs"})
    assert samples.frame["id"].tolist() == ["cat/1.png", "dog/2.png"]
    assert {entry.path: entry.reason for entry in samples.excluded} == {
        "cat/5.dwg": "not an image, by its suffix",
        "cat/loop.jpg": "link that leads to itself",
        "cat/lost.jpg": "link to nothing",
        "cat/notes": "not an image, by its suffix",
        "cat/pipe.jpg": "not a regular file",
        "dog/3.jpg.part": "not an image, by its suffix",
        "readme.txt": "not an image, by its suffix",
        "stray.png": "in no class folder",
    }


def test_pictures_that_are_not_read_are_named_with_what_reads_them(
    tree: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "has_extra", lambda kind: False)
    files.readable_suffixes.cache_clear()
    root = tree("cat/1.png", "dog/2.png")
    for name in ("cat/a.HEIC", "cat/b.heif", "dog/c.dcm", "dog/d.CR2", "dog/notes.txt", "dog/more"):
        (root / name).write_text("x")
    (root / "dog" / "photo").write_bytes((root / "cat" / "1.png").read_bytes())
    (root / "dog" / "IM0001").write_bytes(bytes(128) + b"DICM")
    (root / "dog" / "IMG.jpg_large").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    try:
        samples = load_samples(root)
        assert samples.frame["id"].tolist() == ["cat/1.png", "dog/2.png"]
        assert samples.notes == (
            "3 files not used (HEIC): pip install 'imgcls[heic]' reads it.",
            "2 files not used (DICOM): pip install 'imgcls[dicom]' reads it.",
            "1 file not used (camera RAW): save it as JPEG or TIFF with the program of the camera.",
            "1 file not used (a picture by its first bytes without the suffix of one): name it with it, such as .jpg.",
        )
        monkeypatch.setattr(files, "has_extra", lambda kind: True)
        files.readable_suffixes.cache_clear()
        assert [name for name in ("a.heic", "a.DCM", "a.cr2") if files.is_image_name(name)] == ["a.heic", "a.DCM"]
        found = kind_of_unused(root / "dog" / "IM0001")
        assert found is not None
        assert "first bytes" in found.kind  # it can be read, once it is called .dcm
    finally:
        files.readable_suffixes.cache_clear()


def test_links_are_followed_once(tree: Callable[..., Path], tmp_path: Path, draw: Draw) -> None:
    root = tree("cat/1.png", "dog/2.png")
    draw(tmp_path / "outside" / "3.png", 3)
    (root / "bird").symlink_to(tmp_path / "outside")
    (root / "cat" / "round").symlink_to(root)
    (root / "a_copy_of_cat").symlink_to("cat")
    (root / "dog" / "link.png").symlink_to("2.png")
    samples = load_folder(root)
    assert samples.frame["id"].tolist() == ["bird/3.png", "cat/1.png", "dog/2.png", "dog/link.png"]
    assert {entry.path for entry in samples.excluded} == {"a_copy_of_cat", "cat/round"}


def test_odd_names_are_kept(tree: Callable[..., Path], draw: Draw) -> None:
    names = ["<b>[red]/é.png", "cat/a\nb.png", "cat/-rf.png", "cat/=1+1.png", "cat/e\u0301.png", "dog/\x1b[31m.png"]
    root = tree(*names)
    (root / "cat" / "-rf.png").rename(os.fsdecode(os.fsencode(root) + b"/cat/\xff.png"))
    samples = load_folder(root)
    ids = set(samples.frame["id"])
    assert ids == {name for name in names if name != "cat/-rf.png"} | {"cat/\udcff.png"}
    assert all(Path(path).is_file() for path in samples.frame["path"])
    assert len(samples.data_digest) == 64
    assert len(samples.without({samples.frame["path"][1]: "x"})) == 5
    assert set(split_samples(samples, valid=0.3).frame["split"]) == {"train", "valid"}


def test_the_order_on_disk_does_not_matter(tree: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree("b/2.png", "a/10.png", "a/9.png", "B/1.png")
    expected = load_folder(root)
    scan = os.scandir

    class Backwards:
        def __init__(self, path: str) -> None:
            with scan(path) as entries:
                self.entries = sorted(entries, key=lambda entry: entry.name, reverse=True)

        def __enter__(self) -> list[os.DirEntry[str]]:
            return self.entries

        def __exit__(self, *_: object) -> None:
            return None

    monkeypatch.setattr("imgcls.data.files.os.scandir", Backwards)
    assert table(load_folder(root)) == table(expected)
    assert expected.frame["id"].tolist() == ["B/1.png", "a/10.png", "a/9.png", "b/2.png"]


def test_folders_that_cannot_be_used(tree: Callable[..., Path], tmp_path: Path, draw: Draw) -> None:
    root = tree("cat/1.png")
    with pytest.raises(DataError, match=r"no such file or folder. Did you mean '.*pets'"):
        load_samples(tmp_path / "pest")
    with pytest.raises(DataError, match="Understood are a folder, a CSV"):
        load_samples("torchvision:CIFAR10")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no images were found"):
        load_samples(tmp_path / "empty")
    draw(tmp_path / "bare" / "1.png")
    with pytest.raises(DataError, match="no folder for each class"):
        load_samples(tmp_path / "bare")
    with pytest.raises(DataError, match=r"only one class \('cat'\)"):
        check_samples(load_samples(root))


def test_a_class_only_in_valid_is_named(tree: Callable[..., Path]) -> None:
    root = tree("train/a/1.png", "train/b/2.png", "valid/a/3.png", "valid/zebra/4.png")
    with pytest.raises(DataError, match="in valid but not in train: 'zebra'"):
        check_samples(split_samples(load_samples(root)))


def test_problem_types_that_do_not_fit(tree: Callable[..., Path]) -> None:
    root = tree("a/1.png", "b/2.png", "c/3.png")
    assert load_samples(root, problem_type="multiclass").problem == "multiclass"
    with pytest.raises(DataError, match="binary problem has 2 classes, and there are 3"):
        load_samples(root, problem_type="binary")
    with pytest.raises(DataError, match=r"so not multilabel.*type in imgcls\.toml"):
        load_samples(root, problem_type="multilabel")


def test_real_folders(test_data: Path) -> None:
    samples = load_samples(test_data / "clothing10")
    assert samples.n_per_split == {"train": 1790, "valid": 341, "test": 372}
    assert (samples.n_classes, samples.excluded) == (10, ())
