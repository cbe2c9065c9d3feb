from dataclasses import replace

import numpy as np
import pytest

import imgcls.engine.features
from imgcls.data.cache import clear
from imgcls.eda import features
from imgcls.eda.features import chosen_rows, extract_features
from imgcls.errors import WeightsError


class Notes:
    def __init__(self):
        self.notes, self.done = [], []

    def note(self, text):
        self.notes.append(text)

    def progress(self, what, done, total):
        self.done.append((done, total))


class DrawnEye:
    """Sees the number of the row, and counts how many photographs it was shown."""

    key = "drawn"

    def __init__(self):
        self.n_seen = 0

    def extract(self, photos, rows, *, progress):
        self.n_seen += len(rows)
        progress(len(rows), len(rows))
        return np.stack([rows, rows**2], axis=1).astype(np.float32)


@pytest.fixture
def drawn_eye(monkeypatch, tmp_path):
    monkeypatch.setenv("IMGCLS_CACHE", str(tmp_path / "cache"))
    eye = DrawnEye()
    monkeypatch.setattr(imgcls.engine.features, "feature_extractor", lambda machine: eye)
    return eye


def test_a_second_look_computes_nothing(draw_scan, drawn_eye):
    scan, notes = draw_scan(["a", "b"] * 20), Notes()
    first = extract_features(scan, reporter=notes)
    assert (drawn_eye.n_seen, notes.done) == (40, [(40, 40)])
    second = extract_features(scan, reporter=notes)
    assert drawn_eye.n_seen == 40
    assert np.array_equal(first.values, second.values)
    assert np.array_equal(first.values[:, 0], first.rows)


def test_only_new_photographs_are_seen(draw_scan, drawn_eye):
    scan = draw_scan(["a", "b"] * 20)
    extract_features(scan, most=30, reporter=Notes())
    extract_features(scan, reporter=Notes())
    assert drawn_eye.n_seen == 40


@pytest.mark.parametrize("damage", [b"", b"no zip at all", None], ids=["empty", "foreign", "a flipped byte"])
def test_a_damaged_file_of_the_cache_is_made_anew(draw_scan, drawn_eye, damage):
    scan = draw_scan(["a", "b"] * 20)
    first = extract_features(scan, reporter=Notes())
    (path,) = (features.cache_folder() / "features").glob("*.npz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content) if damage is None else damage)
    again = extract_features(scan, reporter=Notes())
    assert drawn_eye.n_seen == 80
    assert np.array_equal(first.values, again.values)


def test_the_cache_is_bounded_the_oldest_goes_first(draw_scan, drawn_eye, monkeypatch):
    scan = draw_scan(["a", "b"] * 20)
    extract_features(scan, reporter=Notes())
    (old,) = (features.cache_folder() / "features").glob("*.npz")
    monkeypatch.setattr(features, "MOST_BYTES", int(1.5 * old.stat().st_size))
    extract_features(replace(scan, samples=replace(scan.samples, name="other")), reporter=Notes())
    assert [path.name[:5] for path in old.parent.glob("*.npz")] == ["other"]


def test_clearing_the_cache_removes_features(draw_scan, drawn_eye):
    extract_features(draw_scan(["a", "b"] * 20), reporter=Notes())
    assert clear(features.cache_folder()) > 0
    assert not list((features.cache_folder() / "features").glob("*"))


def test_a_cache_that_cannot_be_written_is_no_trouble(draw_scan, drawn_eye, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IMGCLS_CACHE", str(tmp_path / "file"))
    assert len(extract_features(draw_scan(["a", "b"] * 20), reporter=Notes()).rows) == 40


def test_without_weights_there_is_a_note(draw_scan, monkeypatch):
    def none(machine):
        raise WeightsError("They are not on this machine.")

    monkeypatch.setattr(imgcls.engine.features, "feature_extractor", none)
    notes = Notes()
    assert extract_features(draw_scan(["a", "b"] * 20), reporter=notes) is None
    assert notes.notes == ["The pictures are compared by their measures only. They are not on this machine."]


def test_every_split_is_looked_at(draw_scan):
    splits = ["train"] * 300 + ["valid"] * 20 + ["test"] * 80
    scan = draw_scan(["a", "b"] * 200, splits=splits)
    rows = chosen_rows(scan, most=150, seed=0)
    chosen = scan.samples.frame["split"][rows].value_counts()
    assert dict(chosen) == {"train": 65, "test": 65, "valid": 20}
    assert (np.diff(rows) > 0).all()
    assert len(chosen_rows(scan, most=4000, seed=0)) == 400


@pytest.mark.train
def test_the_pretrained_network_sees_without_a_network(photo_folder, one_thread, monkeypatch):
    from imgcls.engine.device import Machine
    from imgcls.engine.features import feature_extractor
    from imgcls.engine.prepare import DataSource, prepare
    from imgcls.engine.progress import Silent
    from imgcls.plan import Images

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    prepared = prepare(DataSource(photo_folder), Images(size_px=32), quick=False, reporter=Silent())
    seer = feature_extractor(machine=Machine(device="cpu"))
    rows = np.arange(6)
    first, second = (seer.extract(prepared.photos, rows, progress=lambda done, n: None) for _ in range(2))
    assert first.shape == (6, 1280)
    assert np.isfinite(first).all()
    assert np.array_equal(first, second)
