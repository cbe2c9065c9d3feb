from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from imgcls.data.elpv import load_elpv
from imgcls.data.load import load_samples
from imgcls.data.split import split_samples
from imgcls.errors import DataError

installed = pytest.mark.skipif(importlib.util.find_spec("elpv_dataset") is None, reason="needs elpv-dataset")


@installed
def test_the_default_data_set() -> None:
    samples = load_samples()
    assert (len(samples), samples.name, samples.problem) == (2624, "elpv", "binary")
    assert samples.classes == ("functional", "defective")
    assert samples.frame["label"].value_counts().to_dict() == {"functional": 1803, "defective": 821}
    assert samples.frame["group"].nunique() == 44
    assert samples.frame["id"].iloc[0] == "cell0001"
    assert Path(samples.frame["path"].iloc[-1]).is_file()
    assert "NC" in samples.licence


@installed
def test_its_split_is_60_20_20_by_whole_blocks() -> None:
    samples = split_samples(load_elpv())
    shares = {split: n / len(samples) for split, n in samples.n_per_split.items()}
    assert shares == pytest.approx({"train": 0.6, "valid": 0.2, "test": 0.2}, abs=0.01)
    assert samples.frame.groupby("group")["split"].nunique().max() == 1
    for split in ("train", "valid", "test"):
        assert (samples.part(split).targets == 1).mean() == pytest.approx(821 / 2624, abs=0.02)


@installed
def test_its_test_split_is_the_same_on_every_machine() -> None:
    samples = load_elpv()
    blocks = sorted(set(samples.part("test").frame["group"]))
    assert blocks == PINNED


PINNED = ["block07", "block09", "block12", "block18", "block20", "block25", "block27", "block34", "block39"]


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(DataError, match=r"pip install \"imgcls\[demo\]\""):
        load_samples("elpv")
