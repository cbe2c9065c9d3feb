"""Tests of the record of one training."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from imgcls.errors import RecordError
from imgcls.plan import plan_digest
from imgcls.records.run import RunRecord

MakeRecord = Callable[..., RunRecord]


@pytest.fixture
def written(tmp_path: Path, make_record: MakeRecord) -> RunRecord:
    """A record on disk with predictions and a history."""
    frame = pd.DataFrame({"id": ["001", "NA"], "label": ["no", "yes"], "p_no": [0.9, 0.2], "p_yes": [0.1, 0.8]})
    frame.to_parquet(tmp_path / "valid.parquet")
    (tmp_path / "history.csv").write_text("epoch,loss,note,auc\n1,0.5,warm,\n2,1e-1,,0.75\n", encoding="utf-8")
    return make_record().write(tmp_path)


def test_record_is_read_as_it_was_written(written: RunRecord) -> None:
    assert written.folder is not None
    read = RunRecord.read(written.folder)
    assert read == written
    assert read.folder == written.folder
    assert set(read.files) == {"valid.parquet", "history.csv"}


def test_record_holds_no_path(written: RunRecord, tmp_path: Path) -> None:
    assert str(tmp_path) not in (tmp_path / "run.json").read_text()


def test_predictions_and_history_keep_what_was_written(written: RunRecord) -> None:
    assert written.predictions("valid")["id"].tolist() == ["001", "NA"]
    assert written.history() == [
        {"epoch": 1, "loss": 0.5, "note": "warm", "auc": None},
        {"epoch": 2, "loss": 0.1, "note": None, "auc": 0.75},
    ]


def test_predictions_of_other_classes_are_refused(written: RunRecord) -> None:
    with pytest.raises(RecordError, match="p_maybe"):
        replace(written, classes=("no", "maybe")).predictions("valid")


def test_a_file_that_is_not_there_is_named(written: RunRecord, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"no weights\.safetensors; it has history\.csv"):
        written.path("weights.safetensors")
    (tmp_path / "history.csv").unlink()
    with pytest.raises(RecordError, match="is missing"):
        written.path("history.csv")


def test_verify_lists_every_damaged_file(written: RunRecord, tmp_path: Path) -> None:
    written.verify()
    data = bytearray((tmp_path / "valid.parquet").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "valid.parquet").write_bytes(data)
    (tmp_path / "history.csv").write_text("epoch\n")
    with pytest.raises(RecordError) as caught:
        written.verify()
    assert "another content" in str(caught.value)
    assert "6 bytes instead of" in str(caught.value)


def test_unreadable_parquet_of_the_right_size_is_explained(written: RunRecord, tmp_path: Path) -> None:
    size = (tmp_path / "valid.parquet").stat().st_size
    (tmp_path / "valid.parquet").write_bytes(b"x" * size)
    with pytest.raises(RecordError, match="cannot be read"):
        written.predictions("valid")


def test_a_record_that_was_never_written_has_no_files(make_record: MakeRecord) -> None:
    with pytest.raises(RecordError, match="has no valid"):
        make_record().path("valid.parquet")


def _changed(text: str, change: Callable[[dict[str, Any]], object]) -> str:
    value = json.loads(text)
    change(value)
    return json.dumps(value)


DAMAGES: dict[str, tuple[Callable[[str], str], str]] = {
    "cut": (lambda text: text[:100], "damaged"),
    "empty": (lambda text: "", "damaged"),
    "list": (lambda text: "[]", "the whole must be an object"),
    "byte order mark": (lambda text: "\ufeff" + text, "BOM"),
    "deep": (lambda text: "[" * 100_000, "damaged"),
    "duplicate key": (lambda text: text.replace('"seed": 0', '"seed": 0, "seed": 1'), "'seed' appears twice"),
    "NaN": (lambda text: text.replace("60.0", "NaN"), "NaN is not JSON"),
    "too large": (lambda text: text.replace("60.0", "1e999"), "1e999 is too large"),
    "newer": (lambda text: text.replace('"schema": 1', '"schema": 2'), "written by a newer imgcls"),
    "older": (lambda text: text.replace('"schema": 1', '"schema": 0'), "no known imgcls"),
    "no schema": (lambda text: _changed(text, lambda value: value.pop("schema")), "schema is missing"),
    "boolean seed": (lambda text: text.replace('"seed": 0', '"seed": true'), "seed must be a whole number, not true"),
    "text number": (lambda text: text.replace("60.0", '"60"'), "images_per_second must be a number or null"),
    "unknown key": (lambda text: _changed(text, lambda value: value.update(sede=1)), "sede is not a known key"),
    "inner": (lambda text: _changed(text, lambda v: v["data"].update(digest=1)), r"data\.digest must be a text"),
    "inner unknown": (lambda text: _changed(text, lambda v: v["data"].update(x=1)), r"data\.x is not a known"),
    "metric": (lambda text: _changed(text, lambda v: v["metrics"]["accuracy"].pop("n")), r"metrics\.accuracy\.n is m"),
    "device": (
        lambda text: _changed(text, lambda v: v["environment"].pop("device")),
        r"environment\.device must be a t",
    ),
    "versions": (
        lambda text: _changed(text, lambda v: v["environment"].update(versions=1)),
        r"environment\.versions m",
    ),
    "load": (
        lambda text: _changed(text, lambda v: v["environment"].update(load="7")),
        r"environment\.load must be a n",
    ),
    "cores": (
        lambda text: _changed(text, lambda v: v["environment"].update(load=7.0, cores=0)),
        r"t\.cores must be a w",
    ),
    "status": (lambda text: text.replace('"done"', '"almost"'), "must be one of done, failed"),
    "time": (lambda text: text.replace("2026-01-02T", "yesterday"), "ISO 8601"),
    "zone": (lambda text: text.replace("+00:00", "+09:00"), "in UTC"),
    "another plan": (lambda text: text.replace('"epochs": 3', '"epochs": 4'), "plan is not what plan_digest and train"),
    "another digest": (lambda text: _changed(text, lambda v: v.update(plan_digest="0" * 64)), "plan is not what"),
    "another training": (lambda text: _changed(text, lambda v: v.update(train_digest="0" * 64)), "plan is not what"),
    "escape": (lambda t: _changed(t, lambda v: v["files"].update({"../x": {"sha256": "", "n_bytes": 0}})), r"\.\./x"),
}


BAD_NAMES = (
    "../../x",
    "/etc/x",
    "a/b",
    "a\\b",
    "..",
    ".",
    "",
    ".hidden",
    "a\nb",
    "a\x1b[2J",
    "\ud800",
    "a" * 300,
    "-f",
)


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("key", ["id", "reused_from", "folds"])
def test_the_id_of_a_run_is_never_a_path(written: RunRecord, tmp_path: Path, key: str, name: str) -> None:
    """A record that travels is read by others, whose files it could name else."""
    value = json.loads((tmp_path / "run.json").read_text())
    fold = {"fold": 0, "run": name, "sha256": "", "n": {}, "metrics": {}}
    value[key] = {"runs": [fold], "spread": {}} if key == "folds" else name
    (tmp_path / "run.json").write_text(json.dumps(value))
    with pytest.raises(RecordError, match=rf"{'folds.runs.0.run' if key == 'folds' else key} must be the id of a run"):
        RunRecord.read(tmp_path)


def test_a_plan_of_a_newer_version_is_kept_as_it_is(written: RunRecord, tmp_path: Path) -> None:
    """Its digests count what this version does not know."""
    plan = {"fit": {"epochs": 3, "warp": 1}, "future": {"x": [1e-05, "é"]}, "predict": {"y": 0.5}}
    without = {part: plan[part] for part in ("fit", "future")}
    value = json.loads((tmp_path / "run.json").read_text())
    value |= {"plan": plan, "plan_digest": plan_digest(plan), "train_digest": plan_digest(without)}
    (tmp_path / "run.json").write_text(json.dumps(value))
    assert RunRecord.read(tmp_path).plan == plan


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_told_by_file_and_key(written: RunRecord, tmp_path: Path, name: str) -> None:
    path = tmp_path / "run.json"
    damage, message = DAMAGES[name]
    before = path.read_text()
    path.write_text(damage(before), encoding="utf-8")
    assert path.read_text() != before
    with pytest.raises(RecordError, match=message) as caught:
        RunRecord.read(tmp_path)
    assert str(path) in str(caught.value)


def test_bytes_that_are_no_text_and_a_missing_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="does not exist"):
        RunRecord.read(tmp_path)
    (tmp_path / "run.json").write_bytes(b"\xff\xfe")
    with pytest.raises(RecordError, match="damaged"):
        RunRecord.read(tmp_path)


def test_all_wrong_fields_are_told_at_once(written: RunRecord, tmp_path: Path) -> None:
    value = json.loads((tmp_path / "run.json").read_text())
    value |= {"seed": "0", "quick": 1, "classes": ["a", 2], "data": None}
    with pytest.raises(RecordError) as caught:
        RunRecord.from_json(value, where="run.json")
    assert all(word in str(caught.value) for word in ("seed must", "quick must", "classes.1 must", "data must"))


def test_the_seed_of_the_split_is_kept_where_it_is_known(make_record: MakeRecord) -> None:
    """Records of before it was kept are read as they were written."""
    record = make_record()
    assert "split_seed" not in record.to_json()["data"]
    assert RunRecord.from_json(json.loads(json.dumps(record.to_json())), where="here") == record
    seeded = replace(record, data=replace(record.data, split_seed=7))
    assert seeded.to_json()["data"]["split_seed"] == 7
    wrong = json.loads(json.dumps(seeded.to_json()))
    assert RunRecord.from_json(wrong, where="here") == seeded
    wrong["data"]["split_seed"] = "7"
    with pytest.raises(RecordError, match=r"data\.split_seed must be a whole number"):
        RunRecord.from_json(wrong, where="here")
