"""Data are known again without being read, and every change that reading would see is seen."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from imgcls.data import files
from imgcls.data.files import data_fingerprint
from imgcls.engine.known_datasets import fetched_set


@pytest.fixture
def folder(photo_folder: Path, tmp_path: Path) -> Path:
    """A folder of photographs that may be changed."""
    return Path(shutil.copytree(photo_folder, tmp_path / "stripes"))


@pytest.fixture
def table(multilabel_table: Path, tmp_path: Path) -> Path:
    """A table with photographs beside it that may be changed."""
    return Path(shutil.copytree(multilabel_table.parent, tmp_path / "colours")) / multilabel_table.name


def test_a_copy_elsewhere_looks_the_same(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "other" / "name")
    assert data_fingerprint(copy) == data_fingerprint(folder)
    assert data_fingerprint(str(copy)) == data_fingerprint(folder)


def test_the_order_of_folders_does_not_matter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = data_fingerprint(folder)
    real = files.visible_files
    monkeypatch.setattr(files, "visible_files", lambda *args, **kw: reversed(list(real(*args, **kw))))
    assert data_fingerprint(folder) == before


def _touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def _grow(path: Path) -> None:
    status = path.stat()
    path.write_bytes(path.read_bytes() + b"\0")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _move_class(path: Path) -> None:
    path.rename(path.parents[1] / "right" / "moved.png")


@pytest.mark.parametrize(
    "change", [_touch, _grow, _move_class, Path.unlink, lambda path: shutil.copy(path, f"{path}.png")]
)
def test_a_changed_photograph_is_seen(folder: Path, change: Callable[[Path], object]) -> None:
    before = data_fingerprint(folder)
    change(folder / "left" / "001.png")
    assert data_fingerprint(folder) != before


def test_what_is_no_data_changes_nothing(folder: Path) -> None:
    before = data_fingerprint(folder, skip={"runs", "test-ledger.csv"})
    for name in (".hidden/a.png", "left/notes.txt", "runs/x/a.png", "test-ledger.csv", "Thumbs.db", "left/deep.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    assert data_fingerprint(folder, skip={"runs", "test-ledger.csv"}) == before
    assert data_fingerprint(folder) != before


def test_a_table_counts_with_its_content(table: Path) -> None:
    before = data_fingerprint(table)
    os.utime(table, ns=(1, 1))
    assert data_fingerprint(table) == before
    text = table.read_text()
    table.write_text(text.replace("000,0,0", "000,0,1"))
    os.utime(table, ns=(1, 1))
    assert data_fingerprint(table) not in (before, None)


def test_a_large_table_counts_with_size_and_time(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_TABLE_BYTES", 10)
    before = data_fingerprint(table)
    os.utime(table, ns=(1, 1))
    assert data_fingerprint(table) != before


def test_the_folder_of_a_table_looks_like_a_folder(table: Path) -> None:
    assert data_fingerprint(table.parent) == data_fingerprint(table)


def test_predictions_beside_a_named_table_are_no_data(table: Path) -> None:
    before = data_fingerprint(table)
    for name in ("predictions.csv", "submission.csv"):
        (table.parent / name).write_text("id,label\n")
    assert data_fingerprint(table) == before
    (table.parent / "test.csv").write_text("image_id\n000\n")
    assert data_fingerprint(table) != before


def test_a_sample_submission_counts_where_it_is_the_list_of_the_test_part(table: Path) -> None:
    before = data_fingerprint(table)
    (table.parent / "sample_submission.csv").write_text("id,label\n000,1\n")
    assert data_fingerprint(table) != before
    (table.parent / "test.csv").write_text("image_id\n000\n")
    listed = data_fingerprint(table)
    (table.parent / "sample_submission.csv").write_text("id,label\n001,1\n")
    assert data_fingerprint(table) == listed


def test_train_csv_is_the_table_of_its_folder(table: Path) -> None:
    table.rename(table.parent / "train.csv")
    before = data_fingerprint(table.parent)
    (table.parent / "predictions.csv").write_text("id,label\n")
    assert data_fingerprint(table.parent) == before
    (table.parent / "train.csv").write_text("image_id,red,green\n000,1,1\n")
    assert data_fingerprint(table.parent) != before


def test_images_are_looked_for_as_reading_does(table: Path, folder: Path) -> None:
    beside = data_fingerprint(table, images="images")
    assert beside == data_fingerprint(table, images=table.parent / "images")
    assert beside != data_fingerprint(table, images=folder)
    assert data_fingerprint(table, images="nowhere") is None


def test_the_list_of_the_test_part_counts(table: Path, tmp_path: Path) -> None:
    listed = tmp_path / "holdout.csv"
    listed.write_text("image_id\n000\n")
    before = data_fingerprint(table, test=listed)
    assert before != data_fingerprint(table) == data_fingerprint(table, test="none")
    listed.write_text("image_id\n001\n")
    assert data_fingerprint(table, test=listed) != before


def test_photographs_of_a_test_list_elsewhere_count(table: Path, tmp_path: Path) -> None:
    listed = tmp_path / "holdout" / "list.csv"
    listed.parent.mkdir()
    listed.write_text("image_id\nnew\n")
    before, in_images = (data_fingerprint(table, test=listed, images=images) for images in (None, "images"))
    (listed.parent / "new.png").write_bytes(b"")
    assert data_fingerprint(table, test=listed) != before
    assert data_fingerprint(table, test=listed, images="images") == in_images  # the list names files in there, too


def test_links_are_followed_once_and_only_regular_files_are_opened(folder: Path, tmp_path: Path) -> None:
    (folder / "loop").symlink_to(folder)
    outside = tmp_path / "outside.png"
    outside.write_bytes(b"1")
    (folder / "left" / "link.png").symlink_to(outside)
    (folder / "left" / "dangling.png").symlink_to(tmp_path / "nothing.png")
    os.mkfifo(folder / "left" / "pipe.png")  # opening it would wait for ever
    os.mkfifo(folder / "pipe.csv")
    before = data_fingerprint(folder)
    assert before is not None
    outside.write_bytes(b"12")
    assert data_fingerprint(folder) != before


def test_names_of_any_bytes_are_taken(folder: Path) -> None:
    before = data_fingerprint(folder)
    (folder / "left" / os.fsdecode(b"\xff\n.png")).write_bytes(b"")
    assert data_fingerprint(folder) not in (before, None)


def test_what_cannot_be_known_is_none(tmp_path: Path, folder: Path) -> None:
    assert data_fingerprint(pd.DataFrame({"id": ["a"], "label": ["b"]})) is None
    assert data_fingerprint(tmp_path / "nowhere") is None
    assert data_fingerprint(folder / "left" / "001.png") is None
    assert data_fingerprint("fastai:PETS", sets=tmp_path) is None
    assert data_fingerprint("torchvision:CIFAR10", sets=tmp_path) is None
    assert data_fingerprint("torchvision:CIFAR10") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_folder_that_may_not_be_listed_is_not_known(folder: Path) -> None:
    (folder / "left").chmod(0)
    try:
        assert data_fingerprint(folder) is None
    finally:
        (folder / "left").chmod(stat.S_IRWXU)


def test_a_fetched_set_is_the_folder_it_lies_in(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "sets" / "torchvision" / "CIFAR10")
    assert fetched_set("torchvision:CIFAR10", tmp_path / "sets") == tmp_path / "sets" / "torchvision" / "CIFAR10"
    assert data_fingerprint("torchvision:CIFAR10", sets=tmp_path / "sets") == data_fingerprint(folder)


def test_the_default_data_are_known_without_importing_their_package() -> None:
    pytest.importorskip("elpv_dataset", reason="the default data are not installed: pip install 'imgcls[demo]'")
    assert data_fingerprint() == data_fingerprint("elpv") == data_fingerprint(Path("elpv"))
    assert data_fingerprint() is not None


def test_no_heavy_package_is_loaded() -> None:
    code = (
        "import sys; from imgcls.data.files import data_fingerprint; data_fingerprint(); "
        "print([name for name in ('pandas', 'numpy', 'torch', 'PIL', 'elpv_dataset') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
