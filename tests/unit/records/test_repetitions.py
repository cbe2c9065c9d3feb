"""What is kept of trainings done again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from imgcls.records.derived import REPEATED_JSON, Repetition, keep_repetition, repetitions
from imgcls.records.find import find_runs
from imgcls.records.run import RunRecord
from imgcls.storage import make_folder
from imgcls.workspace import Workspace

MakeRecord = Callable[..., RunRecord]
NAMES = ("weights.safetensors", "valid.parquet", "test.parquet")


def written(workspace: Workspace, make_record: MakeRecord) -> RunRecord:
    """Write a run with two of the files that are compared, and one that is not."""
    record = make_record()
    folder = workspace.runs / record.id
    make_folder(folder)
    for name in ("weights.safetensors", "valid.parquet", "log.txt"):
        (folder / name).write_bytes(name.encode())
    return record.write(folder)


def test_a_training_anew_is_compared_file_by_file(workspace: Workspace, tmp_path: Path, make_record) -> None:
    record = written(workspace, make_record)
    (tmp_path / "weights.safetensors").write_bytes(b"weights.safetensors")
    found = Repetition.of(record, tmp_path, names=NAMES)
    assert found.same_bits == {"valid.parquet": False, "weights.safetensors": True}
    assert found.files["valid.parquet"].found is None
    assert found.is_of(record)


def test_the_newest_repetition_of_a_run_is_kept(workspace: Workspace, tmp_path: Path, make_record) -> None:
    record = written(workspace, make_record)
    assert repetitions(workspace) == ()
    found = Repetition.of(record, tmp_path, names=NAMES)
    keep_repetition(workspace, found)
    keep_repetition(workspace, replace(found, run="other"))
    newest = replace(found, created="2027-01-01T00:00:00+00:00")
    keep_repetition(workspace, newest)
    assert repetitions(workspace) == (replace(found, run="other"), newest)
    assert find_runs(workspace) == ([record], [])


def test_a_run_that_was_replaced_is_not_the_one_that_was_repeated(
    workspace: Workspace, tmp_path: Path, make_record
) -> None:
    record = written(workspace, make_record)
    found = Repetition.of(record, tmp_path, names=NAMES)
    assert record.folder is not None
    (record.folder / "valid.parquet").write_bytes(b"other")
    assert not found.is_of(record.write(record.folder))


def test_a_damaged_file_holds_nothing_and_is_written_anew(workspace: Workspace, tmp_path: Path, make_record) -> None:
    record = written(workspace, make_record)
    for odd in ("{", "[]", '{"schema": 2, "repeated": []}', '{"schema": 1, "repeated": [{}]}'):
        (workspace.runs / REPEATED_JSON).write_text(odd, encoding="utf-8")
        assert repetitions(workspace) == ()
    keep_repetition(workspace, Repetition.of(record, tmp_path, names=NAMES))
    assert [entry.run for entry in repetitions(workspace)] == [record.id]
