from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgcls.data import cache
from imgcls.eda import scan as measures
from imgcls.eda.files import broken_files
from imgcls.eda.scan import IMAGE_MEASURES, ScanResult, scan_data
from imgcls.engine.prepare import DataSource
from imgcls.engine.progress import Silent
from imgcls.errors import DataError
from imgcls.plan import Images

DATA = Path(os.environ.get("IMGCLS_TEST_DATA", Path(__file__).parents[3].parent / "shared" / "data"))


def draw(folder: Path, names: dict[str, int], *, size: int = 24) -> Path:
    for place, (name, n) in enumerate(names.items()):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(n):
            pixels = np.random.default_rng([place, number]).integers(0, 256, (size, size, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:03d}.png")
    return folder


def seen(data: Path, *, quick: bool = False, **reading: object) -> ScanResult:
    return scan_data(DataSource(data, **reading), Images(size_px=32), quick=quick, reporter=Silent())  # type: ignore[arg-type]


def tree(folder: Path) -> dict[str, tuple[int, str]]:
    """Return the time stamp and digest of everything below a folder, and the time stamps of folders."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in [folder, *folder.rglob("*")]
    }


def test_every_sample_has_its_measures(tmp_path: Path) -> None:
    found = seen(draw(tmp_path / "photos", {"cat": 6, "dog": 5}))
    scan = found.scan
    assert tuple(scan.measures.columns) == IMAGE_MEASURES
    assert len(scan.measures) == len(scan.samples) == len(scan.thumbnails) == 11
    assert scan.samples.n_per_split == {"train": 9, "valid": 2, "test": 0}
    assert found.unusable == ""
    row = scan.samples.frame["id"].tolist().index("dog/003.png")
    status = (tmp_path / "photos/dog/003.png").stat()
    assert scan.measures.loc[row, ["n_bytes", "mtime_ns"]].tolist() == [status.st_size, status.st_mtime_ns]
    assert scan.measures.loc[row, ["width_px", "height_px", "format", "mode"]].tolist() == [24, 24, "PNG", "RGB"]
    pixels = scan.photos.pixels(scan.store_rows[[row]])
    gray = pixels.astype(float) @ [0.299, 0.587, 0.114]
    assert scan.measures.loc[row, "brightness"] == pytest.approx(gray.mean(), abs=0.01)
    assert scan.measures.loc[row, "contrast"] == pytest.approx(gray.std(), abs=0.01)


def test_the_digests_are_those_of_training(tmp_path: Path) -> None:
    from imgcls.engine.prepare import prepare

    source = DataSource(draw(tmp_path / "photos", {"cat": 6, "dog": 5}))
    trained = prepare(source, Images(size_px=32), quick=False, reporter=Silent()).samples
    found = scan_data(source, Images(size_px=32), quick=False, reporter=Silent())
    assert (found.data_digest, found.split_digest) == (trained.data_digest, trained.split_digest)


def test_nothing_is_written_into_the_folder_of_the_photographs(tmp_path: Path) -> None:
    photos = draw(tmp_path / "photos", {"cat": 4, "dog": 4})
    (photos / "cat" / "bad.jpg").write_bytes(b"no image")
    before = tree(photos)
    seen(photos)
    assert tree(photos) == before


def test_training_finds_its_photographs_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from imgcls.engine.prepare import prepare

    source = DataSource(draw(tmp_path / "photos", {"cat": 4, "dog": 4}))
    scan_data(source, Images(size_px=32), quick=False, reporter=Silent())
    monkeypatch.setattr(cache, "decode_with_size", lambda *_: pytest.fail("decoded again"))
    prepare(source, Images(size_px=32), quick=False, reporter=Silent())


def test_a_second_look_reads_no_photograph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = draw(tmp_path / "photos", {"cat": 4, "dog": 4})
    first = seen(photos)
    monkeypatch.setattr(cache, "read_photo", lambda *_: pytest.fail("read again"))
    monkeypatch.setattr(measures, "read_header", lambda *_: pytest.fail("header read again"))
    assert seen(photos).scan.measures.equals(first.scan.measures)


def test_a_folder_that_changes_between_two_looks(tmp_path: Path) -> None:
    photos = draw(tmp_path / "photos", {"cat": 6, "dog": 6})
    before = seen(photos)
    (photos / "cat/000.png").unlink()
    Image.new("RGB", (9, 9), "white").save(photos / "cat/001.png")
    Image.new("RGB", (9, 9), "black").save(photos / "dog/new.png")
    (photos / "dog/002.png").write_bytes(b"")
    after = seen(photos)
    ids = after.scan.samples.frame["id"].tolist()
    assert len(ids) == 11
    assert {"cat/000.png", "dog/002.png"}.isdisjoint(ids)
    assert after.broken == {"dog/002.png": "empty file"}
    brightness = dict(zip(ids, after.scan.measures["brightness"], strict=True))
    assert brightness["cat/001.png"] == pytest.approx(255, abs=0.01)
    assert brightness["dog/new.png"] == 0
    assert after.data_digest != before.data_digest


def test_a_file_that_vanishes_during_a_look_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = draw(tmp_path / "photos", {"cat": 6, "dog": 6})
    seen(photos)
    original = measures.measure

    def slow(*given: object, **options: object) -> measures.Measured:
        found = original(*given, **options)  # type: ignore[arg-type]
        (photos / "cat/003.png").unlink()
        return found

    monkeypatch.setattr("imgcls.eda.scan.measure", slow)
    found = seen(photos)
    assert found.broken == {"cat/003.png": "gone meanwhile"}
    assert found.broken_ids == ("cat/003.png",)
    assert len(found.scan.samples) == 11


@pytest.mark.parametrize(
    ("names", "said"),
    [({"cat": 5}, "only one class"), ({"cat": 1}, "all in one unit"), ({"cat": 1, "dog": 1}, "no class has two")],
)
def test_what_cannot_be_trained_on_is_looked_at_all_the_same(tmp_path: Path, names, said) -> None:
    found = seen(draw(tmp_path / "photos", names))
    assert said in found.unusable
    assert len(found.scan.samples) == sum(names.values())
    assert set(found.scan.samples.frame["split"]) <= {"train", "valid"}


def test_only_broken_photographs_leave_no_sample(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for name in ("cat", "dog"):
        (photos / name).mkdir(parents=True)
        (photos / name / "a.jpg").write_bytes(b"")
    found = seen(photos)
    assert len(found.scan.samples) == 0
    assert found.broken == {"cat/a.jpg": "empty file", "dog/a.jpg": "empty file"}
    assert "no samples are left" in found.unusable


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match="no images were found"):
        seen(tmp_path / "photos")


def test_given_parts_are_frozen_and_drawn_ones_are_not(tmp_path: Path) -> None:
    drawn = seen(draw(tmp_path / "drawn", {"cat": 6, "dog": 6}))
    assert not drawn.is_frozen.any()
    for part in ("train", "valid", "test"):
        draw(tmp_path / "given" / part, {"cat": 4, "dog": 4}, size=20 + len(part))
    given = seen(tmp_path / "given")
    assert given.is_frozen.tolist() == (given.scan.samples.frame["split"] != "train").tolist()


def test_a_table_names_broken_photographs_by_their_ids(tmp_path: Path) -> None:
    photos = draw(tmp_path / "set/images", {".": 8})
    (photos / "007.png").write_bytes(b"")
    rows = "".join(f"{number:03d},{'ab'[number % 2]}\n" for number in range(8))
    (tmp_path / "set/train.csv").write_text(f"id,label\n{rows}")
    found = seen(tmp_path / "set")
    assert (found.broken, found.broken_ids) == ({"images/007.png": "empty file"}, ("007",))


def test_a_quick_look_takes_some_and_leaves_test_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgcls.engine.prepare.N_QUICK", 6)
    for part in ("train", "valid", "test"):
        draw(tmp_path / "given" / part, {"cat": 4, "dog": 4}, size=20 + len(part))
    found = seen(tmp_path / "given", quick=True)
    assert len(found.scan.samples) == 6
    assert len(found.scan.samples.rows("test")) == 0


def test_names_that_are_no_utf8_are_written_as_escapes(tmp_path: Path) -> None:
    photos = draw(tmp_path / "photos", {"cat": 4, "dog": 4})
    try:
        (photos / "cat/000.png").rename(photos / "cat/\udcff.png")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    found = seen(photos)
    assert "cat/\\udcff.png" in found.scan.samples.frame["id"].tolist()
    assert len(found.scan.measures) == 8


def test_every_kind_of_trouble_has_the_right_kind(tmp_path: Path) -> None:
    maker = DATA / "make_badimages.py"
    if not maker.exists():
        pytest.skip(f"no maker of bad images: {maker} is missing; set IMGCLS_TEST_DATA")
    subprocess.run([sys.executable, maker, tmp_path, "--quiet"], check=True, timeout=120)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "images").rename(tmp_path / "bad")
    before = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}
    found = seen(tmp_path)
    kinds = {
        file.path.removeprefix("bad/"): file.kind
        for file in broken_files(found.broken, found.scan.samples.excluded)
        if file.path.startswith("bad/")
    }
    expected = {name: entry["expect"] for name, entry in manifest.items()}
    wrong = [name for name, kind in kinds.items() if expected[name] in ("decode", "ignore")]
    missed = [name for name, expect in expected.items() if expect in ("broken", "refuse") and name not in kinds]
    assert (wrong, missed) == ([], [])
    assert {name for name, kind in kinds.items() if expected[name] == "skip"} <= {
        "link_dangling.jpg",
        "link_loop.jpg",
        "y.jpg",
        "z.jpg",
    }
    assert {kinds[name] for name, expect in expected.items() if expect == "refuse"} == {"too many pixels"}
    assert kinds["zero.jpg"] == "empty"
    for name in ("trunc_early.jpg", "trunc_late.jpg", "trunc.png", "trunc.webp"):
        assert kinds[name] == "truncated", name
    for name in ("text.jpg", "page.png", "lfs_pointer.jpg", "vector.jpg", "zeros_4k.jpg"):
        assert kinds[name] == "not an image", name
    for name in ("crc_idat.png", "crc_ihdr.png", "dims_zero.png", "chunk_length_huge.png"):
        assert kinds[name] == "damaged", name
    assert {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")} == before
