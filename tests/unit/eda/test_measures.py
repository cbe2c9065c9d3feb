from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from imgcls.data.cache import Photos, fill
from imgcls.data.decode import Preprocess
from imgcls.eda import scan
from imgcls.eda.scan import RECORD, laplacian_variance, measure

SIZE = Preprocess(32)


def draw(folder: Path, n: int = 6) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = []
    for number in range(n):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 48, 3)).astype(np.uint8)
        paths.append(folder / f"{number}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def decoded(paths: list[Path], cache: Path, *, budget_bytes: int = 10**7) -> Photos:
    return fill(paths, SIZE, folder=cache, name="photos", budget_bytes=budget_bytes, threads=2)


def measured(photos: Photos, cache: Path) -> scan.Measured:
    return measure(photos, folder=cache, progress=lambda done, total: None)


def store(cache: Path) -> Path:
    (path,) = (cache / "measures").glob("*.npz")
    return path


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note how many photographs are measured at a time from now on."""
    seen: list[int] = []
    original = scan._measure_some
    monkeypatch.setattr(scan, "_measure_some", lambda photos, rows: (seen.append(len(rows)), original(photos, rows))[1])
    return seen


def test_brightness_contrast_and_sharpness_mean_what_they_say(tmp_path: Path) -> None:
    sharp = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8))
    for name, image in {
        "black": Image.new("RGB", (32, 32)),
        "gray": Image.new("RGB", (32, 32), (100, 100, 100)),
        "sharp": sharp,
        "soft": sharp.filter(ImageFilter.GaussianBlur(3)),
    }.items():
        image.save(tmp_path / f"{name}.png")
    names = ["black", "gray", "sharp", "soft"]
    photos = decoded([tmp_path / f"{name}.png" for name in names], tmp_path / "cache")
    black, gray, clear, soft = measured(photos, tmp_path / "cache").records
    assert (black["brightness"], black["contrast"], black["sharpness"]) == (0, 0, 0)
    assert gray["brightness"] == pytest.approx(100, abs=0.01)
    assert clear["contrast"] > 30
    assert clear["sharpness"] > 100 * soft["sharpness"] > 0
    assert clear["format"] == b"PNG"
    assert clear["mode"] == b"RGB"


def test_the_laplacian_is_that_of_four_neighbours() -> None:
    gray = np.random.default_rng(1).normal(size=(2, 6, 7)).astype(np.float32)
    by_hand = [
        np.var(
            [
                image[y - 1, x] + image[y + 1, x] + image[y, x - 1] + image[y, x + 1] - 4 * image[y, x]
                for y in range(1, 5)
                for x in range(1, 6)
            ]
        )
        for image in gray
    ]
    assert laplacian_variance(gray) == pytest.approx(by_hand, rel=1e-4)


def test_orientation_is_read_without_decoding(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "turned.jpg", exif=exif.tobytes())
    photos = decoded([tmp_path / "turned.jpg"], tmp_path / "cache")
    (record,) = measured(photos, tmp_path / "cache").records
    assert (record["orientation"], record["format"]) == (6, b"JPEG")
    assert tuple(photos.sizes[0]) == (20, 40)


def test_a_second_pass_measures_nothing(tmp_path: Path, looks: list[int]) -> None:
    photos = decoded(draw(tmp_path / "photos"), tmp_path / "cache")
    first = measured(photos, tmp_path / "cache")
    second = measured(photos, tmp_path / "cache")
    assert (first.n_known, second.n_known) == (0, 6)
    assert looks == [6]
    assert first.records.tobytes() == second.records.tobytes()


def test_only_what_changed_is_measured_anew(tmp_path: Path, looks: list[int]) -> None:
    paths = draw(tmp_path / "photos")
    measured(decoded(paths, tmp_path / "cache"), tmp_path / "cache")
    Image.new("RGB", (30, 30), "white").save(paths[2])
    after = measured(decoded(paths, tmp_path / "cache"), tmp_path / "cache")
    assert looks == [6, 1]
    assert after.records[2]["brightness"] == pytest.approx(255, abs=0.01)


def test_a_smaller_part_does_not_forget_the_others(tmp_path: Path, looks: list[int]) -> None:
    paths = draw(tmp_path / "photos")
    for chosen in (paths, [paths[0], draw(tmp_path / "photos", 7)[6]], paths):
        measured(decoded(chosen, tmp_path / "cache"), tmp_path / "cache")
    assert looks == [6, 1]


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "empty"])
def test_a_damaged_file_of_measures_is_measured_anew(tmp_path: Path, looks: list[int], damage: str) -> None:
    photos = decoded(draw(tmp_path / "photos"), tmp_path / "cache")
    good = measured(photos, tmp_path / "cache").records
    content = bytearray(store(tmp_path / "cache").read_bytes())
    content[len(content) // 2] ^= 0xFF
    damaged = {"cut": bytes(content[:-40]), "flipped": bytes(content), "text": b"no zip", "empty": b""}[damage]
    store(tmp_path / "cache").write_bytes(damaged)
    assert measured(photos, tmp_path / "cache").records.tobytes() == good.tobytes()
    assert looks == [6, 6]
    assert measured(photos, tmp_path / "cache").n_known == 6


def test_a_file_that_holds_perceptual_hashes_too_is_still_read(tmp_path: Path, looks: list[int]) -> None:
    photos = decoded(draw(tmp_path / "photos"), tmp_path / "cache")
    good = measured(photos, tmp_path / "cache").records
    old = np.zeros(len(good), dtype=np.dtype([*RECORD.descr, ("hashes", "<u8", (2,))]))
    for name in RECORD.names or ():
        old[name] = good[name]
    np.savez(store(tmp_path / "cache"), records=old)
    assert measured(photos, tmp_path / "cache").records.tobytes() == good.tobytes()
    assert looks == [6]


def test_what_was_measured_before_an_interruption_is_kept(
    tmp_path: Path, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "_N_AT_ONCE", 2)
    photos = decoded(draw(tmp_path / "photos"), tmp_path / "cache")

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(photos, folder=tmp_path / "cache", progress=stop)
    assert measured(photos, tmp_path / "cache").n_known == 4


def test_long_passes_are_written_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "_N_AT_ONCE", 1)
    monkeypatch.setattr(scan, "_N_PER_WRITE", 3)
    kept = []

    def note(done: int, total: int) -> None:
        path = next((tmp_path / "cache" / "measures").glob("*.npz"), None)
        kept.append(0 if path is None else len(np.load(path)["records"]))

    photos = decoded(draw(tmp_path / "photos"), tmp_path / "cache")
    measure(photos, folder=tmp_path / "cache", progress=note)
    assert kept == [0, 0, 0, 3, 3, 3]


def test_a_file_that_vanishes_is_told_and_the_others_are_measured(tmp_path: Path) -> None:
    paths = draw(tmp_path / "photos")
    photos = decoded(paths, tmp_path / "cache")
    paths[1].unlink()
    found = measured(photos, tmp_path / "cache")
    assert found.reasons == {str(paths[1]): "missing, or a link to nothing"}
    assert (found.records["mode"] != b"").tolist() == [True, False, True, True, True, True]


def test_a_file_that_changes_outside_the_cache_is_told(tmp_path: Path) -> None:
    paths = draw(tmp_path / "photos")
    photos = decoded(paths, tmp_path / "cache", budget_bytes=0)
    Image.new("RGB", (30, 30)).save(paths[0])
    paths[1].unlink()
    reasons = measured(photos, tmp_path / "cache").reasons
    assert reasons == {str(paths[0]): "changed while it was read", str(paths[1]): "gone meanwhile"}


def test_a_pipe_in_the_place_of_a_photograph_is_not_opened(tmp_path: Path) -> None:
    import os

    paths = draw(tmp_path / "photos")
    photos = decoded(paths, tmp_path / "cache")
    paths[0].unlink()
    os.mkfifo(paths[0])
    assert measured(photos, tmp_path / "cache").reasons == {str(paths[0]): "not a regular file"}


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    photos = decoded(draw(tmp_path / "photos"), tmp_path / "cache")
    (tmp_path / "file").write_text("in the way")
    assert (measured(photos, tmp_path / "file").records["mode"] == b"RGB").all()


def test_all_files_of_measures_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "cache" / "measures" / "0123-v1.npz"
    old.parent.mkdir(parents=True)
    old.write_bytes(bytes(20_000))
    monkeypatch.setattr(scan, "MOST_BYTES", 10_000)
    measured(decoded(draw(tmp_path / "photos"), tmp_path / "cache"), tmp_path / "cache")
    assert not old.exists()
    assert store(tmp_path / "cache").exists()


def test_little_is_kept_of_a_photograph() -> None:
    assert RECORD.itemsize < 2000
