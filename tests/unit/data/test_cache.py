from __future__ import annotations

import json
import os
import pickle
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from imgcls.data import cache
from imgcls.data.cache import Photos, Pool, cache_report, clear, fill, lock_of
from imgcls.data.decode import Preprocess, decode
from imgcls.errors import DataError
from imgcls.storage import temporary_beside

SMALL = Preprocess(8)
RECORD = 8 * 8 * 3


@pytest.fixture
def paths(tmp_path: Path, draw: Callable[..., Path]) -> list[Path]:
    return [draw(tmp_path / "photos" / f"{seed}.png", seed) for seed in range(5)]


def filled(paths: list[Path], tmp_path: Path, **options: object) -> Photos:
    settings = {"folder": tmp_path / "cache", "name": "photos", "budget_bytes": 10**6, "threads": 2}
    return fill(paths, SMALL, **{**settings, **options})  # type: ignore[arg-type]


def pool_file(tmp_path: Path, pattern: str) -> Path:
    (found,) = (tmp_path / "cache").glob(f"photos-*/{pattern}")
    return found


def is_right(photos: Photos, paths: list[Path]) -> bool:
    pixels = photos.pixels(np.arange(len(paths)))
    return np.array_equal(pixels, np.stack([decode(path, SMALL) for path in paths]))


def count_decodes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note the size of every file that is decoded from now on."""
    decoded: list[int] = []
    original = cache.decode_with_size
    monkeypatch.setattr(
        cache, "decode_with_size", lambda content, how: (decoded.append(len(content)), original(content, how))[1]
    )
    return decoded


def test_pixels_are_those_of_the_decoder(paths: list[Path], tmp_path: Path) -> None:
    photos = filled(paths, tmp_path)
    assert photos.cached
    assert is_right(photos, paths)
    picked = photos.pixels(np.array([3, 0, 3]))
    assert picked.flags["C_CONTIGUOUS"]
    assert type(picked) is np.ndarray
    assert np.array_equal(picked[0], decode(paths[3], SMALL))
    picked[:] = 0  # a copy: the cache must not change
    assert is_right(photos, paths)
    assert photos.sizes.tolist() == [[24, 16]] * 5
    assert photos.sizes.dtype == np.int32


def test_unchanged_files_are_not_even_read(paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = filled(paths, tmp_path)

    def read(path: Path) -> bytes:
        raise AssertionError(f"{path} was read again")

    with monkeypatch.context() as patch:
        patch.setattr(cache, "read_photo", read)
        again = filled(paths, tmp_path)
        with pytest.raises(AssertionError, match="was read again"):
            filled(paths, tmp_path, verify=True)
    assert again.sha256 == first.sha256
    assert is_right(again, paths)


def test_new_photographs_are_appended_and_equal_ones_share_a_record(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(paths[:3], tmp_path)
    copy = paths[0].with_name("copy.png")
    copy.write_bytes(paths[0].read_bytes())
    decoded = count_decodes(monkeypatch)
    photos = filled([*paths, copy], tmp_path)
    assert len(decoded) == 2
    assert pool_file(tmp_path, "pixels.*.u8").stat().st_size == 5 * RECORD
    assert photos.sha256[0] == photos.sha256[-1]
    assert is_right(photos, [*paths, copy])


def test_changed_files_are_seen(paths: list[Path], tmp_path: Path, draw: Callable[..., Path]) -> None:
    filled(paths, tmp_path)
    draw(paths[1], 99)
    os.utime(paths[1], ns=(1, 1))
    assert is_right(filled(paths, tmp_path), paths)


def test_verify_sees_what_size_and_time_stamp_hide(
    paths: list[Path], tmp_path: Path, draw: Callable[..., Path]
) -> None:
    ppm = [draw(path.with_suffix(".ppm"), seed) for seed, path in enumerate(paths)]
    filled(ppm, tmp_path)
    status = ppm[0].stat()
    draw(ppm[0], 99)
    os.utime(ppm[0], ns=(status.st_atime_ns, status.st_mtime_ns))
    assert not is_right(filled(ppm, tmp_path), ppm)
    assert is_right(filled(ppm, tmp_path, verify=True), ppm)


def test_undecodable_files_have_reasons_and_are_no_error(paths: list[Path], tmp_path: Path) -> None:
    paths[1].write_bytes(b"")
    paths[2].write_text("not an image at all")
    paths[3].unlink()
    for _ in range(2):  # read, then known
        photos = filled(paths, tmp_path)
        assert photos.reasons == {
            str(paths[1]): "empty file",
            str(paths[2]): "not an image",
            str(paths[3]): "missing, or a link to nothing",
        }
        assert photos.cached
        assert photos.sizes[1].tolist() == [0, 0]
        with pytest.raises(DataError, match=r"1\.png: cannot be decoded \(empty file\)"):
            photos.pixels(np.array([0, 1]))


def test_want_of_memory_is_not_remembered(paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("imgcls.data.decode._fit", fit)
        photos = filled(paths, tmp_path)
    assert set(photos.reasons.values()) == {"not enough memory"}
    assert photos.sizes.tolist() == [[0, 0]] * 5
    again = filled(paths, tmp_path)
    assert again.reasons == {}
    assert is_right(again, paths)


@pytest.mark.parametrize(
    "damage", ["no manifest", "bad JSON", "cut manifest", "other schema", "cut pixels", "no pixels", "zeros"]
)
def test_a_damaged_pool_is_made_anew(paths: list[Path], tmp_path: Path, damage: str) -> None:
    filled(paths, tmp_path)
    manifest, pixels = pool_file(tmp_path, "manifest.json"), pool_file(tmp_path, "pixels.*.u8")
    text = manifest.read_text()
    actions: dict[str, Callable[[], object]] = {
        "no manifest": manifest.unlink,
        "bad JSON": lambda: manifest.write_text("[1, 2"),
        "cut manifest": lambda: manifest.write_text(text[: len(text) // 2]),
        "other schema": lambda: manifest.write_text(text.replace('"schema":1', '"schema":2')),
        "cut pixels": lambda: os.truncate(pixels, 3 * RECORD + 7),
        "no pixels": pixels.unlink,
        "zeros": lambda: pixels.write_bytes(bytes(5 * RECORD)),
    }
    actions[damage]()
    photos = filled(paths, tmp_path)
    assert photos.cached
    assert is_right(photos, paths)


def test_a_torn_tail_is_overwritten(paths: list[Path], tmp_path: Path) -> None:
    filled(paths[:2], tmp_path)
    with pool_file(tmp_path, "pixels.*.u8").open("ab") as file:
        file.write(b"torn" * 99)
    assert is_right(filled(paths, tmp_path), paths)
    assert pool_file(tmp_path, "pixels.*.u8").stat().st_size == 5 * RECORD


def test_verify_finds_a_flipped_byte(tmp_path: Path, draw: Callable[..., Path]) -> None:
    paths = [draw(tmp_path / "photos" / f"{seed}.png", seed) for seed in range(40)]
    photos = filled(paths, tmp_path)
    spots = {round(spot) for spot in np.linspace(0, 39, 16)}  # looked at each time
    row = next(row for row in range(40) if int(photos.rows_in_pool[row]) not in spots)
    with pool_file(tmp_path, "pixels.*.u8").open("r+b") as file:
        file.seek(int(photos.rows_in_pool[row]) * RECORD + 5)
        file.write(bytes([int(decode(paths[row], SMALL).reshape(-1)[5]) ^ 255]))
    assert zlib.crc32(filled(paths, tmp_path)._records[photos.rows_in_pool[row]].tobytes()) != photos.crc32[row]
    again = filled(paths, tmp_path, verify=True)
    assert zlib.crc32(again._records[again.rows_in_pool[row]].tobytes()) == photos.crc32[row]


def flips(n_bytes: int, *, n: int) -> list[tuple[int, int]]:
    """Draw bytes and bits to flip."""
    random = np.random.default_rng(n)
    return [(int(random.integers(n_bytes)), 1 << int(random.integers(8))) for _ in range(n)]


@pytest.mark.parametrize("method", ["here", "fork", "spawn"])
def test_no_flipped_bit_of_the_pixels_reaches_a_training(
    paths: list[Path], tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it flips between the filling and the first use, in each process; the photograph is decoded again."""
    photos, file = filled(paths, tmp_path), pool_file(tmp_path, "pixels.*.u8")
    whole, right = file.read_bytes(), np.stack([decode(path, SMALL) for path in paths])
    for at, bit in flips(len(whole), n=60 if method == "here" else 1):
        with file.open("r+b") as stream:
            stream.seek(at)
            stream.write(bytes([whole[at] ^ bit]))
        used = pickle.loads(pickle.dumps(photos))
        if method == "here":
            decoded = count_decodes(monkeypatch)
            assert np.array_equal(used.pixels(np.arange(5)), right)
            assert len(decoded) == 1
            monkeypatch.undo()
        else:
            with ProcessPoolExecutor(1, get_context(method)) as processes:
                assert np.array_equal(processes.submit(used.pixels, np.arange(5)).result(), right)
        file.write_bytes(whole)
    decoded = count_decodes(monkeypatch)
    assert is_right(photos, paths)
    assert len(decoded) == 0


def test_a_record_is_compared_once_a_process(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = filled(paths, tmp_path)
    seen: list[int] = []
    checksum = zlib.crc32
    monkeypatch.setattr(cache.zlib, "crc32", lambda record: (seen.append(1), checksum(record))[1])
    for rows in ([0, 3], [0, 1, 3], [4, 2, 0], [0, 1, 2, 3, 4]):
        photos.pixels(np.array(rows))
    assert len(seen) == 5


@pytest.mark.parametrize("name", ["photos-*/manifest.json", "files/*.json"])
def test_no_edited_digit_or_flipped_bit_of_a_manifest_is_believed(paths: list[Path], tmp_path: Path, name: str) -> None:
    first = filled(paths, tmp_path)
    (file,) = (tmp_path / "cache").glob(name)
    whole = file.read_bytes()
    digits = [place for place, sign in enumerate(whole) if chr(sign) in "0123456789abcdef"]
    edits = [(digits[at % len(digits)], 1) for at, _ in flips(10**6, n=20)] + flips(len(whole), n=20)
    for at, bit in edits:
        file.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        photos = filled(paths, tmp_path)
        assert is_right(photos, paths)
        assert (photos.sha256, photos.sizes.tolist()) == (first.sha256, first.sizes.tolist())
        (file,) = (tmp_path / "cache").glob(name)
        whole = file.read_bytes()


@pytest.mark.parametrize("name", ["photos-*/manifest.json", "files/*.json"])
def test_a_manifest_of_before_it_had_a_checksum_is_read(
    paths: list[Path], tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(paths, tmp_path)
    (file,) = (tmp_path / "cache").glob(name)
    value = json.loads(file.read_bytes())
    del value["crc32"]
    file.write_text(json.dumps(value, separators=(",", ":")))
    decoded = count_decodes(monkeypatch)
    photos = filled(paths, tmp_path)
    assert photos.pixels(np.arange(5)).shape == (5, 8, 8, 3)
    assert decoded == []


def test_a_broken_off_filling_keeps_what_it_had(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        filled(paths, tmp_path, progress=stop)
    decoded = count_decodes(monkeypatch)
    assert is_right(filled(paths, tmp_path), paths)
    assert len(decoded) == 2


@pytest.mark.parametrize("obstacle", ["budget", "disk", "folder"])
def test_without_room_the_same_pixels_are_decoded_when_asked(
    paths: list[Path], tmp_path: Path, obstacle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if obstacle == "folder":
        (tmp_path / "cache").write_text("a file in the way")
    if obstacle == "disk":
        monkeypatch.setattr("imgcls.data.cache.shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    photos = filled(paths, tmp_path, budget_bytes=4 * RECORD if obstacle == "budget" else 10**6)
    assert not photos.cached
    assert len(set(photos.sha256)) == 5
    assert is_right(photos, paths)
    assert list(tmp_path.glob("cache/*/pixels*")) == []


def test_a_disk_that_fills_up_is_no_error(paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Pool, "append", full)
    photos = filled(paths, tmp_path)
    assert not photos.cached
    assert is_right(photos, paths)


@pytest.mark.parametrize("change", ["other content", "gone"])
def test_a_file_that_changes_after_the_scan_is_named(
    paths: list[Path], tmp_path: Path, change: str, draw: Callable[..., Path]
) -> None:
    photos = filled(paths, tmp_path, budget_bytes=0)
    if change == "gone":
        paths[2].unlink()
    else:
        draw(paths[2], 99)
    with pytest.raises(DataError, match=r"2\.png: .*(changed|was there)"):
        photos.pixels(np.arange(5))


def test_the_budget_holds_over_all_pools(paths: list[Path], tmp_path: Path) -> None:
    sizes = []
    for name in ("first", "second", "third"):
        filled(paths, tmp_path, name=name, budget_bytes=3500)
        for pool in (tmp_path / "cache").glob(f"{name}-*/manifest.json"):
            os.utime(pool, (len(sizes), len(sizes)))
        sizes.append(sum(info.n_bytes for info in cache_report(tmp_path / "cache")))
    assert [info.name for info in cache_report(tmp_path / "cache")] == ["third", "second"]
    assert max(sizes) <= 3500


def test_a_pool_of_stale_photographs_makes_room(paths: list[Path], tmp_path: Path, draw: Callable[..., Path]) -> None:
    filled(paths, tmp_path, budget_bytes=6 * RECORD)
    for seed, path in enumerate(paths):
        draw(path, 50 + seed, width=30)
    photos = filled(paths, tmp_path, budget_bytes=6 * RECORD)
    assert photos.cached
    assert is_right(photos, paths)


def test_a_pool_removed_in_use_is_decoded_again(paths: list[Path], tmp_path: Path) -> None:
    mapped, lazy = filled(paths, tmp_path), filled(paths, tmp_path)
    assert is_right(mapped, paths)
    assert clear(tmp_path / "cache") > 5 * RECORD
    filled(list(reversed(paths)), tmp_path)  # the same pool, other rows
    assert is_right(mapped, paths)
    assert is_right(lazy, paths)


def test_photographs_of_tables_are_counted_and_cleared_and_no_link_is_followed(tmp_path: Path) -> None:
    folder, mine = tmp_path / "cache", tmp_path / "mine"
    written = folder / "photographs" / "0123"
    written.mkdir(parents=True)
    mine.mkdir()
    (mine / "own.png").write_bytes(b"x" * 5000)
    (written / "0-0000000.png").write_bytes(b"x" * 100)
    (written / "index.json").write_text("{}")
    (written / "linked.png").symlink_to(mine / "own.png")
    (folder / "photographs" / "elsewhere").symlink_to(mine, target_is_directory=True)
    (info,) = cache_report(folder)
    assert (info.name, info.key, info.n_photos, info.n_bytes) == ("photographs", "", 1, 102)
    assert clear(folder, "photographs") == 102
    assert (cache_report(folder), list(folder.iterdir())) == ([], [])
    assert (mine / "own.png").stat().st_size == 5000
    for name in ("photographs", "sets"):
        (folder / name).symlink_to(mine, target_is_directory=True)
    (mine / "torchvision").mkdir()
    (mine / "torchvision" / "0.png").write_bytes(b"x")
    assert cache_report(folder) == []
    assert clear(folder) == 0
    assert (mine / "torchvision" / "0.png").exists()


def test_report_and_clear_leave_strangers_alone(paths: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    filled(paths, tmp_path)
    filled(paths, tmp_path, name="other set!")
    mine = folder / "mine-0123456789abcdef"
    mine.mkdir()
    (mine / "thesis.txt").write_text("keep me")
    (mine / "manifest.json").write_text("mine too")
    report = cache_report(folder)
    assert {info.name for info in report} == {"photos", "other-set"}
    assert {(info.n_photos, info.key) for info in report} == {(5, SMALL.key)}
    assert clear(folder, "other set!") > 0
    with lock_of(next(folder.glob("photos-*[0-9a-f]"))):
        assert clear(folder, "photos") == 0  # being filled
    assert [info.name for info in cache_report(folder)] == ["photos"]
    assert clear(folder) > 5 * RECORD
    assert cache_report(folder) == []
    assert sorted(path.name for path in mine.iterdir()) == ["manifest.json", "thesis.txt"]
    assert clear(tmp_path / "nowhere") == 0


def test_clearing_an_unknown_name_gives_the_nearest(paths: list[Path], tmp_path: Path) -> None:
    filled(paths, tmp_path)
    with pytest.raises(DataError, match=r"holds nothing of 'photo'\. Did you mean 'photos'"):
        clear(tmp_path / "cache", "photo")
    with pytest.raises(DataError, match="holds nothing of 'sets'"):
        clear(tmp_path / "cache", "sets")
    assert [info.name for info in cache_report(tmp_path / "cache")] == ["photos"]


def test_clearing_follows_no_link(paths: list[Path], tmp_path: Path) -> None:
    """Not to a pool, nor to what is kept beside the pools; what lies there may be another cache's."""
    filled(paths, tmp_path)
    folder, away = tmp_path / "cache", tmp_path / "away"
    away.mkdir()
    (pool,) = folder.glob("photos-*[0-9a-f]")
    (folder / "measures").mkdir(exist_ok=True)
    (folder / "measures" / "0123-v1.npz").write_bytes(b"1")
    (folder / "sets" / "torchvision").mkdir(parents=True)
    (folder / "sets" / "torchvision" / "0.png").write_bytes(b"1")
    for name in (pool.name, "files", "measures", "sets"):
        (folder / name).rename(away / name)
        (folder / name).symlink_to(away / name)
    before = sorted(path for path in away.rglob("*"))
    assert clear(folder) == 0
    assert sorted(path for path in away.rglob("*")) == before
    assert pool.is_symlink()


@pytest.mark.parametrize("name", ["sets", None])
def test_fetched_sets_are_shown_and_cleared(
    paths: list[Path], tmp_path: Path, draw: Callable[..., Path], name: str | None
) -> None:
    folder = tmp_path / "cache"
    filled(paths, tmp_path)
    fetched = [
        draw(folder / "sets" / "torchvision" / place)
        for place in ("Tiny/train/a/0.png", "Tiny/test/a/1.png", "downloads/2.png")
    ]
    (folder / "sets" / "mine.txt").write_text("keep me")
    n_bytes = sum(path.stat().st_size for path in fetched)
    assert [(info.name, info.n_photos) for info in cache_report(folder)] == [("photos", 5), ("sets", 2)]
    assert cache_report(folder)[-1].n_bytes == n_bytes
    freed = clear(folder, name)
    assert freed == n_bytes if name else freed > n_bytes + 5 * RECORD
    assert [info.name for info in cache_report(folder)] == (["photos"] if name else [])
    assert [path.name for path in (folder / "sets").iterdir()] == ["mine.txt"]


def test_two_fill_at_once(paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = count_decodes(monkeypatch)
    with ThreadPoolExecutor(2) as threads:
        photos = list(threads.map(lambda _: filled(paths, tmp_path), range(2)))
    assert all(is_right(one, paths) for one in photos)
    assert len(decoded) == 5


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_read_the_same(paths: list[Path], tmp_path: Path, method: str) -> None:
    photos = filled(paths, tmp_path)
    n_bytes = len(pickle.dumps(photos))
    expected = photos.pixels(np.array([4, 1]))
    assert len(pickle.dumps(photos)) == n_bytes  # the mapping stays behind
    with ProcessPoolExecutor(1, mp_context=get_context(method)) as processes:
        assert np.array_equal(processes.submit(photos.pixels, np.array([4, 1])).result(), expected)


def test_names_that_are_no_utf8(tmp_path: Path, draw: Callable[..., Path]) -> None:
    plain = draw(tmp_path / "photos" / "a.png", 1)
    odd = plain.rename(Path(os.fsdecode(os.fsencode(plain.parent) + b"/<b>\xff\n.png")))
    for _ in range(2):
        photos = filled([odd], tmp_path)
        assert photos.cached
        assert is_right(photos, [odd])


def test_nothing_to_fill(tmp_path: Path) -> None:
    photos = filled([], tmp_path)
    assert photos.cached
    assert photos.pixels(np.array([], dtype=np.int64)).shape == (0, 8, 8, 3)


def test_progress_counts_every_file(paths: list[Path], tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    filled(paths, tmp_path, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, 5) for done in range(1, 6)]


def test_the_index_outlives_damage(paths: list[Path], tmp_path: Path) -> None:
    filled(paths, tmp_path)
    (index,) = (tmp_path / "cache" / "files").iterdir()
    assert set(json.loads(index.read_text())["files"]) == {path.name for path in paths}
    index.write_text("[]")
    assert is_right(filled(paths, tmp_path), paths)


def test_clearing_all_forgets_what_was_measured_of_photographs(paths: list[Path], tmp_path: Path) -> None:
    filled(paths, tmp_path)
    kept = [tmp_path / "cache" / part / "0123-v1.npz" for part in ("measures", "features")]
    for path in kept:
        path.parent.mkdir()
        path.write_bytes(bytes(1000))
    clear(tmp_path / "cache", "photos")
    assert all(path.exists() for path in kept)
    assert clear(tmp_path / "cache") >= 2000
    assert not any(path.exists() for path in kept)


def test_the_manifest_is_written_as_every_durable_file(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("imgcls.storage.DISK.replace", full)
    photos = filled(paths, tmp_path)
    assert not photos.cached
    assert is_right(photos, paths)


def test_what_a_killed_writer_left_goes_though_nothing_is_written_any_more(paths: list[Path], tmp_path: Path) -> None:
    filled(paths, tmp_path)
    manifest = pool_file(tmp_path, "manifest.json")
    if (child := os.fork()) == 0:
        temporary_beside(manifest).write_bytes(manifest.read_bytes()[:9])
        os._exit(0)
    os.waitpid(child, 0)
    living = temporary_beside(manifest)
    living.touch()
    assert len(list(manifest.parent.iterdir())) == 4
    assert filled(paths, tmp_path).cached
    assert {path.name for path in manifest.parent.glob(".*")} == {living.name}


def test_what_a_killed_writer_left_does_not_hide_a_pool(paths: list[Path], tmp_path: Path) -> None:
    filled(paths, tmp_path)
    pool_file(tmp_path, "manifest.json").with_name(".manifest.json.0123.tmp").write_text("{")
    assert len(cache_report(tmp_path / "cache")) == 1
    clear(tmp_path / "cache")
    assert cache_report(tmp_path / "cache") == []
