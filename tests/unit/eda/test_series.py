"""Series in data sets that were never photographed: names are made up, and so is what a network would see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgcls.data.decode import read_shot
from imgcls.data.patterns import taken_from
from imgcls.eda import series as module
from imgcls.eda.facts import Pair, Series
from imgcls.eda.features import Features
from imgcls.eda.series import Looks, find_series

N_PIECES, N_EACH = 24, 5


def look_for(draw_scan, names, pieces, labels, *, splits=None, groups=None, pairs=(), noise=0.4, seed=0):
    """Find series among photographs of pieces: those of one piece look alike, up to noise."""
    rng = np.random.default_rng([seed, 5])
    kinds = np.unique(labels, return_inverse=True)[1]
    values = rng.normal(size=(max(pieces) + 1, 20))[pieces] + noise * rng.normal(size=(len(names), 20))
    values += 2 * rng.normal(size=(kinds.max() + 1, 20))[kinds]
    splits = splits or ["train", "train", "train", "valid"] * (len(names) // 4)
    scan = draw_scan(labels, ids=names, splits=splits, groups=groups)
    return find_series(scan, Looks.of(scan, Features(np.arange(len(names)), values.astype(np.float32)), pairs=pairs))


@pytest.fixture
def pieces() -> list[int]:
    return [piece for piece in range(N_PIECES) for _ in range(N_EACH)]


@pytest.fixture
def labels(pieces) -> list[str]:
    return ["cup" if piece % 2 else "bowl" for piece in pieces]


def names_of(form: str, pieces: list[int], labels: list[str]) -> list[str]:
    lights = ["left", "right", "top", "back", "soft"]
    return [
        form.format(label=label, piece=piece, shot=number % N_EACH, light=lights[number % N_EACH], running=number + 1)
        for number, (piece, label) in enumerate(zip(pieces, labels, strict=True))
    ]


def as_pieces(found: Series, names: list[str], pieces: list[int]) -> list[set[int]]:
    piece_of = dict(zip(names, pieces, strict=True))
    return [{piece_of[name] for name in group} for group in found.groups]


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ("{label}/{piece:03d}_{light}.jpg", "{group}_*"),
        ("{label}/{light}-{piece:03d}.jpg", "*-{group}.*"),
        ("{label}/p{piece:03d}/{shot}.jpg", "**/{group}/*"),
        ("{label}/box_p{piece:03d}_{light}.jpg", "*_{group}_*"),
        ("{label}/{piece:03d}{light}.jpg", None),
    ],
)
def test_names_that_say_the_piece_are_a_series(draw_scan, pieces, labels, form, pattern):
    names = names_of(form, pieces, labels)
    found = look_for(draw_scan, names, pieces, labels)
    assert found is not None
    assert found.by == "names"
    assert as_pieces(found, names, pieces) == [{min(each)} for each in as_pieces(found, names, pieces)]
    assert len(found.groups) == N_PIECES
    assert found.sizes == (N_EACH, N_EACH, N_EACH)
    assert found.pattern is not None
    assert pattern is None or found.pattern == pattern
    taken = [(taken_from(found.pattern, name) or {})["group"] for name in names]
    assert len(set(zip(taken, pieces, strict=True))) == len(set(taken)) == N_PIECES


def test_numbers_that_begin_anew_in_each_folder(draw_scan, pieces, labels):
    names = names_of("{label}/{piece}_{shot}.jpg", [piece // 2 for piece in pieces], labels)
    found = look_for(draw_scan, names, pieces, labels)
    assert found is not None
    assert len(found.groups) == N_PIECES
    assert found.pattern is not None
    assert taken_from(found.pattern, "cup/3_1.jpg") == {"group": "cup/3"}


def test_running_numbers_in_blocks_of_one_length(draw_scan, pieces, labels):
    names = names_of("{label}/{running:04d}.jpg", pieces, labels)
    found = look_for(draw_scan, names, pieces, labels)
    assert found is not None
    assert (found.by, found.pattern) == ("numbers", None)
    assert len(found.groups) == N_PIECES
    assert all(len(each) == 1 for each in as_pieces(found, names, pieces))


def test_runs_of_several_lengths_are_cut_where_pictures_change(draw_scan):
    rng = np.random.default_rng(3)
    pieces = np.repeat(np.arange(40), rng.integers(2, 12, 40)).tolist()
    names = [f"{number:04d}.jpg" for number in range(len(pieces))]
    splits = ["train" if number % 4 else "valid" for number in range(len(pieces))]
    found = look_for(draw_scan, names, pieces, ["cup"] * len(pieces), splits=splits)
    assert found is not None
    assert found.by == "numbers"
    assert np.mean([len(each) == 1 for each in as_pieces(found, names, pieces)]) > 0.8


@pytest.mark.parametrize("form", ["{label}/{piece:03d}_{light}.jpg", "{label}/{running:04d}.jpg"])
def test_names_that_mean_nothing_are_no_series(draw_scan, pieces, labels, form):
    alarms = 0
    for seed in range(5):
        strangers = np.random.default_rng(seed).permutation(len(pieces)).tolist()
        alarms += look_for(draw_scan, names_of(form, pieces, labels), strangers, labels, seed=seed) is not None
    assert alarms == 0


def test_a_class_explains_what_its_numbers_seem_to(draw_scan):
    """Names that hold the class, and numbers that run from class to class, tell of no piece."""
    labels = [f"c{number // 20}" for number in range(200)]
    strangers = list(range(200))
    for form in ("{label}_{number:03d}.jpg", "{number:03d}.jpg"):
        names = [form.format(label=label, number=number) for number, label in enumerate(labels)]
        assert look_for(draw_scan, names, strangers, labels) is None


def test_what_looks_alike_alone_is_not_claimed(draw_scan, pieces, labels):
    rng = np.random.default_rng(1)
    assert look_for(draw_scan, [rng.bytes(8).hex() + ".jpg" for _ in pieces], pieces, labels) is None


def test_how_many_have_one_that_is_far_nearer(draw_scan, pieces, labels):
    rng = np.random.default_rng(2)
    scan, shares = draw_scan(labels), []
    for of in (pieces, range(len(pieces))):
        values = rng.normal(size=(len(pieces), 20))[list(of)] + 0.2 * rng.normal(size=(len(pieces), 20))
        looks = Looks.of(scan, Features(np.arange(len(pieces)), values.astype(np.float32)))
        assert looks is not None
        shares.append(looks.share_alike)
    assert shares[0] > 0.9
    assert shares[1] < 0.05


def test_groups_of_the_data_that_hold_them_together_leave_nothing_to_say(draw_scan, pieces, labels):
    names = names_of("{label}/{piece:03d}_{light}.jpg", pieces, labels)
    assert look_for(draw_scan, names, pieces, labels, groups=[f"g{piece}" for piece in pieces]) is None


def test_copies_are_no_series(draw_scan):
    """Names such as 7_1, 7_2 of the same file: the copies are told as such."""
    names = [f"{number // 2}_{number % 2}.jpg" for number in range(120)]
    originals = [number // 2 for number in range(120)]
    pairs = [
        Pair(
            first=names[number],
            second=names[number + 1],
            kind="same file",
            similarity=1.0,
            splits=("train", "train"),
            labels=("a", "a"),
        )
        for number in range(0, 120, 2)
    ]
    assert look_for(draw_scan, names, originals, ["a"] * 120) is not None
    assert look_for(draw_scan, names, originals, ["a"] * 120, pairs=pairs) is None


def test_a_score_falls_when_series_are_whole(draw_scan, pieces):
    """Labels that only the piece tells: whoever has seen it knows them, and nobody else."""
    labels = [["cup", "bowl"][np.random.default_rng(piece).integers(2)] for piece in pieces]
    names = names_of("{piece:03d}_{light}.jpg", pieces, labels)
    splits = ["valid" if number % N_EACH == 0 else "train" for number in range(len(pieces))]
    rng = np.random.default_rng(8)
    values = rng.normal(size=(N_PIECES, 40))[pieces] + 0.2 * rng.normal(size=(len(pieces), 40))
    scan = draw_scan(labels, ids=names, splits=splits)
    looks = Looks.of(scan, Features(np.arange(len(pieces)), values.astype(np.float32)))
    found = find_series(scan, looks)
    assert found is not None
    assert found == find_series(scan, looks)
    assert (found.n_valid, found.n_shared) == (N_PIECES, N_PIECES)
    assert found.score > 0.85
    assert found.score_whole < 0.75


def test_shots_in_quick_succession_are_a_series(draw_scan, pieces, labels, monkeypatch):
    from datetime import datetime, timedelta

    names = [np.random.default_rng(number).bytes(8).hex() + ".jpg" for number in range(len(pieces))]
    began = datetime(2024, 5, 1)
    at = {
        f"/photos/{name}": ("one camera", began + timedelta(seconds=3600 * piece + 2 * (number % N_EACH)))
        for number, (name, piece) in enumerate(zip(names, pieces, strict=True))
    }
    monkeypatch.setattr(module, "read_shot", lambda path: at.get(path.as_posix()))
    found = look_for(draw_scan, names, pieces, labels)
    assert found is not None
    assert found.by == "times"
    assert len(found.groups) == N_PIECES
    monkeypatch.setattr(module, "read_shot", lambda path: None)
    assert look_for(draw_scan, names, pieces, labels) is None


def test_camera_and_time_are_read_or_missing(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0110] = "Model 1"
    exif.get_ifd(0x8769)[0x9003] = "2024:05:01 10:11:12"
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
    shot = read_shot(tmp_path / "a.jpg")
    assert shot is not None
    assert shot[0] == "Model 1"
    assert shot[1].minute == 11
    Image.new("RGB", (8, 8)).save(tmp_path / "b.jpg")
    (tmp_path / "c.jpg").write_bytes(b"nothing")
    assert read_shot(tmp_path / "b.jpg") is read_shot(tmp_path / "c.jpg") is read_shot(tmp_path / "d.jpg") is None
