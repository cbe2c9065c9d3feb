"""Tests of finding records."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from imgcls.errors import RecordError
from imgcls.records.find import find_by_key, find_failed, find_run, find_runs, open_run, remove_run
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace

MakeRecord = Callable[..., RunRecord]
KEYS = ["aa" * 32, "ab" * 32, "c0" * 32]


@pytest.fixture
def filled(workspace: Workspace, make_record: MakeRecord) -> Workspace:
    """A workspace of three runs, the last key the oldest."""
    for number, key in enumerate(KEYS):
        record = make_record(key=key, created=f"2026-01-0{9 - number}T00:00:00+00:00")
        folder = workspace.runs / record.id
        folder.mkdir(parents=True)
        record.write(folder)
    return workspace


def test_runs_are_listed_oldest_first(filled: Workspace) -> None:
    runs, damaged = find_runs(filled)
    assert [run.key for run in runs] == KEYS[::-1]
    assert damaged == []


def test_an_empty_workspace_has_no_runs(workspace: Workspace) -> None:
    assert find_runs(workspace) == ([], [])
    assert find_failed(workspace) == ([], [])
    assert find_by_key(workspace, KEYS[0]) is None
    with pytest.raises(RecordError, match="none at all"):
        find_run("x", workspace)


def test_damaged_runs_are_reported_and_skipped(filled: Workspace) -> None:
    (filled.runs / f"baseline-s0-{KEYS[0][:8]}" / "run.json").write_text("{")
    (filled.runs / "something else").mkdir()
    runs, damaged = find_runs(filled)
    assert [run.key for run in runs] == KEYS[:0:-1]
    assert len(damaged) == 1
    assert KEYS[0][:8] in damaged[0]
    with pytest.raises(RecordError, match="damaged"):
        find_by_key(filled, KEYS[0])
    with pytest.raises(RecordError, match="damaged"):
        find_run(f"baseline-s0-{KEYS[0][:8]}", filled)


def test_a_key_finds_its_run_even_after_renaming(filled: Workspace) -> None:
    found = find_by_key(filled, KEYS[1])
    assert found is not None
    assert found.folder is not None
    found.folder.rename(filled.runs / "my favourite")
    renamed = find_by_key(filled, KEYS[1])
    assert renamed == found
    assert find_run("my favourite", filled) == found


def test_a_key_that_only_begins_alike_finds_nothing(filled: Workspace) -> None:
    assert find_by_key(filled, KEYS[1][:8] + "0" * 56) is None


def test_failed_runs_are_apart(filled: Workspace, make_record: MakeRecord) -> None:
    folder = filled.failed / "dddddddd-1"
    folder.mkdir(parents=True)
    make_record(key="d" * 64, status="failed", reason="loss became NaN").write(folder)
    assert len(find_runs(filled)[0]) == 3
    assert [run.reason for run in find_failed(filled)[0]] == ["loss became NaN"]
    assert find_by_key(filled, "d" * 64) is None


@pytest.mark.parametrize("text", [KEYS[2], KEYS[2][:8], "c", f"baseline-s0-{KEYS[2][:8]}", "baseline-s0-c"])
def test_ids_keys_and_their_beginnings_are_understood(filled: Workspace, text: str) -> None:
    assert find_run(text, filled).key == KEYS[2]


def test_paths_are_understood(filled: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = filled.runs / f"baseline-s0-{KEYS[0][:8]}"
    assert open_run(folder).key == open_run(folder / "run.json").key == open_run(str(folder)).key == KEYS[0]
    monkeypatch.chdir(filled.root)
    assert open_run(KEYS[0][:8]).key == KEYS[0]


def test_a_copied_run_opens_where_it_is(filled: Workspace, tmp_path: Path) -> None:
    shutil.copytree(filled.runs / f"baseline-s0-{KEYS[0][:8]}", tmp_path / "copy")
    assert open_run(tmp_path / "copy").folder == tmp_path / "copy"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("baseline", "can mean .* Type more"),
        ("a", "can mean"),
        ("", "no run"),
        ("baselin-s0-c0c0c0c1", "nearest: baseline-s0-c0c0c0c0"),
        ("zzz", "newest: baseline-s0-aaaaaaaa"),
    ],
)
def test_what_is_not_one_run_is_refused_with_advice(filled: Workspace, text: str, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        find_run(text, filled)


def test_a_removed_run_leaves_nothing(filled: Workspace, make_record: MakeRecord) -> None:
    remove_run(find_run(KEYS[0], filled))
    assert len(list(filled.runs.iterdir())) == 2
    with pytest.raises(RecordError, match="nothing to remove"):
        remove_run(make_record())


def test_listing_a_thousand_runs_costs_little_more_than_parsing_their_files(
    filled: Workspace, make_record: MakeRecord
) -> None:
    text = (filled.runs / f"baseline-s0-{KEYS[0][:8]}" / "run.json").read_bytes()
    for number in range(1000):
        folder = filled.runs / f"run-{number}"
        folder.mkdir()
        (folder / "run.json").write_bytes(text)

    def parse() -> int:
        return len([json.loads(path.read_bytes()) for path in filled.runs.glob("*/run.json")])

    def find() -> int:
        return len(find_runs(filled)[0])

    assert parse() == find() == 1003
    times = [(thread_seconds(parse), thread_seconds(find)) for _ in range(5)]
    bare, listed = (min(column) for column in zip(*times, strict=True))
    assert listed < 6 * bare


def thread_seconds(call: Callable[[], object]) -> float:
    """CPU seconds of this thread alone: others of the process may be busy with what tests before began."""
    start = time.thread_time()
    call()
    return time.thread_time() - start


def test_reading_does_not_depend_on_where_it_lies(filled: Workspace) -> None:
    run = find_run(KEYS[0], filled)
    assert run == replace(run, folder=None)
