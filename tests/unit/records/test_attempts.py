"""Tests of attempts: held by one, resumable, published once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from imgcls import storage
from imgcls.errors import BusyError, ImgclsError, RecordError
from imgcls.records import attempts
from imgcls.records.attempts import Attempt, acquire, claim, find_attempts
from imgcls.records.find import find_by_key, find_failed, find_runs
from imgcls.records.lock import HOLDER, Holder, holder_of
from imgcls.records.run import RunRecord
from imgcls.storage import write_json
from imgcls.workspace import Workspace

KEY = "0123456789abcdef" * 4
HOLD = """
import sys, time
from pathlib import Path
from imgcls.records.attempts import acquire
from imgcls.workspace import Workspace
with acquire(Workspace(Path(sys.argv[1])), sys.argv[2], {"stack": "baseline"}) as attempt:
    attempt.append_history({"epoch": 1})
    attempt.save_checkpoint({"model": b"1"}, {"epoch": 1})
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def _other_process(workspace: Workspace) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold the attempt."""
    arguments = [sys.executable, "-c", HOLD, str(workspace.root), KEY]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_second_process_is_told_who_holds_it(workspace: Workspace) -> None:
    with _other_process(workspace) as process:
        with pytest.raises(BusyError, match=f"in use by process {process.pid} on .* since 20.*another seed") as caught:
            acquire(workspace, KEY, {}).__enter__()
        assert caught.value.exit_code == 2
        (state,) = find_attempts(workspace)
        assert (state.state, state.key, state.info, state.n_epochs) == ("running", KEY, {"stack": "baseline"}, 1)
        assert state.holder is not None
        assert state.holder.pid == process.pid


def test_a_killed_process_is_taken_over_at_once(workspace: Workspace) -> None:
    with _other_process(workspace) as process:
        process.kill()
        process.wait()
        (state,) = find_attempts(workspace)
        assert state.state == "interrupted"
        with acquire(workspace, KEY, {}) as attempt:
            assert f"process {process.pid}" in attempt.notes[0]
            found = attempt.load_checkpoint()
            assert found is not None
            assert (found.files, found.meta) == ({"model": b"1"}, {"epoch": 1})
            assert attempt.history() == [{"epoch": 1}]


def test_the_same_process_cannot_hold_it_twice_and_looking_gives_nothing_away(workspace: Workspace) -> None:
    with acquire(workspace, KEY, {}) as attempt:
        for _ in range(2):
            with pytest.raises(BusyError, match=f"process {os.getpid()}"):
                acquire(workspace, KEY, {}).__enter__()
        assert find_attempts(workspace)[0].state == "running"
        arguments = [sys.executable, "-c", HOLD, str(workspace.root), KEY]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        assert "BusyError" in done.stderr
        attempt.heartbeat()
    assert find_attempts(workspace)[0].state == "interrupted"
    with acquire(workspace, KEY, {}) as attempt:
        assert attempt.notes == []


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_worker_neither_keeps_nor_ends_the_hold(workspace: Workspace) -> None:
    with acquire(workspace, KEY, {}) as attempt:
        child = os.fork()
        if child == 0:
            attempt.release()
            time.sleep(60)
            os._exit(0)
        try:
            with pytest.raises(BusyError):
                acquire(workspace, KEY, {}).__enter__()
            attempt.release()
            with acquire(workspace, KEY, {}):
                pass
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)


@pytest.mark.parametrize(("age", "is_busy"), [(10.0, True), (3600.0, False)])
def test_a_holder_on_another_machine_counts_while_it_beats(workspace: Workspace, age: float, is_busy: bool) -> None:
    with acquire(workspace, KEY, {}) as attempt:
        folder = attempt.folder
    holder = replace(Holder.this_process(), host="elsewhere", pid=7, process="x", beat=time.time() - age)
    write_json(folder / HOLDER, asdict(holder))
    if is_busy:
        assert find_attempts(workspace)[0].state == "running"
        with pytest.raises(BusyError, match=r"process 7 on elsewhere .*remove .*holder\.json"):
            acquire(workspace, KEY, {}).__enter__()
        return
    with acquire(workspace, KEY, {}) as attempt:
        assert "elsewhere" in attempt.notes[0]
        attempt.heartbeat()
        found = holder_of(folder)
        assert found is not None
        assert found.pid == os.getpid()
        assert abs(found.beat - time.time()) < 60


def test_the_lock_of_a_folder_that_was_removed_is_worth_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder may publish, and so remove the folder, between our opening of the lock and our taking it."""
    real, removed = storage._try_lock, []

    def remove_first(file: BinaryIO) -> bool:
        if not removed:
            removed.append(True)
            shutil.rmtree(workspace.attempts / KEY[:8])
        return real(file)

    monkeypatch.setattr(storage, "_try_lock", remove_first)
    with acquire(workspace, KEY, {}) as attempt:
        assert (attempt.folder / "attempt.json").exists()
        assert find_attempts(workspace)[0].state == "running"
    assert removed


def test_a_damaged_name_of_the_holder_keeps_nobody_out(workspace: Workspace) -> None:
    with acquire(workspace, KEY, {}) as attempt:
        folder = attempt.folder
    (folder / HOLDER).write_text("{")
    with acquire(workspace, KEY, {}) as attempt:
        assert attempt.notes == []


def test_another_key_that_begins_alike_is_refused(workspace: Workspace) -> None:
    with acquire(workspace, KEY, {}):
        pass
    with pytest.raises(RecordError, match="belongs to another run"):
        acquire(workspace, KEY[:8] + "f" * 56, {}).__enter__()
    with acquire(workspace, KEY, {}):
        pass


def test_the_last_two_checkpoints_are_kept(workspace: Workspace) -> None:
    with acquire(workspace, KEY, {}) as attempt:
        for epoch in range(4):
            attempt.save_checkpoint({"model": bytes([epoch])}, {"epoch": epoch})
        assert sorted(path.name for path in attempt.folder.glob("checkpoint-*")) == ["checkpoint-3", "checkpoint-4"]


@pytest.mark.parametrize("damage", ["cut", "flip", "missing file", "no manifest", "bad manifest"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(workspace: Workspace, damage: str) -> None:
    with acquire(workspace, KEY, {}) as attempt:
        for epoch in (1, 2):
            attempt.append_history({"epoch": epoch})
            attempt.save_checkpoint({"model": bytes([epoch]) * 100}, {"epoch": epoch})
        newest = attempt.folder / "checkpoint-2"
        {
            "cut": lambda: (newest / "model").write_bytes(b"\2" * 10),
            "flip": lambda: (newest / "model").write_bytes(b"\2" * 50 + b"\3" + b"\2" * 49),
            "missing file": (newest / "model").unlink,
            "no manifest": (newest / "manifest.json").unlink,
            "bad manifest": lambda: (newest / "manifest.json").write_text("{}"),
        }[damage]()
        found = attempt.load_checkpoint()
        assert found is not None
        assert found.meta == {"epoch": 1}
        assert attempt.history() == [{"epoch": 1}]
        assert "goes on from checkpoint 1" in attempt.notes[0]
        attempt.append_history({"epoch": 2})
        attempt.save_checkpoint({"model": b"again"}, {"epoch": 2})
        assert attempt.history() == [{"epoch": 1}, {"epoch": 2}]
        again = attempt.load_checkpoint()
        assert again is not None
        assert again.files == {"model": b"again"}


def test_a_damaged_checkpoint_is_not_one_of_the_two_that_are_kept(workspace: Workspace) -> None:
    with acquire(workspace, KEY, {}) as attempt:
        for _ in range(2):
            attempt.save_checkpoint({"model": b"good"}, {})
        (attempt.folder / "checkpoint-2" / "model").write_bytes(b"bad")
        attempt.load_checkpoint()
        number = attempt.save_checkpoint({"model": b"new"}, {})
        (attempt.folder / f"checkpoint-{number}" / "model").write_bytes(b"bad")
        found = attempt.load_checkpoint()
        assert found is not None
        assert found.files == {"model": b"good"}


def test_without_a_good_checkpoint_training_begins_anew(workspace: Workspace) -> None:
    with acquire(workspace, KEY, {}) as attempt:
        attempt.append_history({"epoch": 1})
        attempt.save_checkpoint({"model": b"1"}, {})
        (attempt.folder / "checkpoint-1" / "model").write_bytes(b"2")
        assert attempt.load_checkpoint() is None
        assert "from the beginning" in attempt.notes[0]
        assert attempt.history() == []


def test_history_has_no_epoch_beyond_the_checkpoint(workspace: Workspace) -> None:
    """A process that is killed between history and checkpoint repeats the epoch, and its line."""
    with acquire(workspace, KEY, {}) as attempt:
        attempt.append_history({"epoch": 1, "loss": np.float32(0.5)})
        attempt.save_checkpoint({"model": b"1"}, {})
        attempt.append_history({"epoch": 2})
    with acquire(workspace, KEY, {}) as attempt:
        assert attempt.load_checkpoint() is not None
        assert attempt.history() == [{"epoch": 1, "loss": 0.5}]


def test_a_torn_line_of_history_is_left_out(workspace: Workspace) -> None:
    with acquire(workspace, KEY, {}) as attempt:
        attempt.append_history({"epoch": 1})
        with (attempt.folder / "history.jsonl").open("a") as file:
            file.write('{"epoch": 2')
        assert attempt.history() == [{"epoch": 1}]
        assert find_attempts(workspace)[0].n_epochs == 1
        with pytest.raises(ValueError, match="not JSON"):
            attempt.append_history({"loss": float("nan")})


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", "", "..", "manifest.json"])
def test_names_that_leave_the_checkpoint_are_refused(workspace: Workspace, name: str) -> None:
    with acquire(workspace, KEY, {}) as attempt, pytest.raises(RecordError, match="cannot hold"):
        attempt.save_checkpoint({name: b""}, {})


def test_a_published_attempt_is_a_run_and_nothing_else(
    workspace: Workspace, make_record: Callable[..., RunRecord]
) -> None:
    with acquire(workspace, KEY, {}) as attempt:
        (attempt.record_folder / "log.txt").write_text("log")
        record = make_record(key=KEY)
        with pytest.raises(RecordError, match=r"no run\.json"):
            attempt.publish(workspace.runs / record.id)
        record.write(attempt.record_folder)
        assert find_runs(workspace)[0] == []
        assert attempt.publish(workspace.runs / record.id)
        assert not attempt.folder.exists()
    found = find_by_key(workspace, KEY)
    assert found is not None
    found.verify()
    assert find_attempts(workspace) == []
    assert _names(workspace.attempts) == []


def test_the_second_to_publish_gives_way(workspace: Workspace, make_record: Callable[..., RunRecord]) -> None:
    record = make_record(key=KEY, label="first")
    final = workspace.runs / record.id
    with acquire(workspace, KEY, {}) as attempt:
        final.mkdir()
        record.write(final)
        replace(record, label="second").write(attempt.record_folder)
        assert not attempt.publish(final)
    assert [run.label for run in find_runs(workspace)[0]] == ["first"]
    assert _names(workspace.attempts) == []


def test_failures_are_kept_and_counted(workspace: Workspace, make_record: Callable[..., RunRecord]) -> None:
    for _ in range(2):
        with acquire(workspace, KEY, {}) as attempt:
            attempt.append_history({"epoch": 1})
            (attempt.record_folder / "log.txt").write_text("log")
            kept = attempt.fail("the loss became NaN in epoch 2", make_record(key=KEY))
    assert _names(workspace.failed) == [f"{KEY[:8]}-1", f"{KEY[:8]}-2"]
    failed, damaged = find_failed(workspace)
    assert damaged == []
    assert {(run.status, run.reason) for run in failed} == {("failed", "the loss became NaN in epoch 2")}
    assert kept.folder == workspace.failed / f"{KEY[:8]}-2"
    kept.verify()
    assert set(kept.files) == {"history.jsonl", "log.txt"}
    assert find_by_key(workspace, KEY) is None
    assert find_attempts(workspace) == []


def test_a_failure_keeps_checkpoints_until_somebody_goes_on_or_starts_over(
    workspace: Workspace, make_record: Callable[..., RunRecord]
) -> None:
    with acquire(workspace, KEY, {}) as attempt:
        attempt.append_history({"epoch": 1})
        attempt.save_checkpoint({"model": b"1"}, {"epoch": 1})
        attempt.fail("Out of memory.", make_record(key=KEY))
    (state,) = find_attempts(workspace)
    assert (state.state, state.n_epochs, state.reason) == ("interrupted", 1, "Out of memory.")
    assert [run.reason for run in find_failed(workspace)[0]] == ["Out of memory."]
    with acquire(workspace, KEY, {}) as attempt:
        assert attempt.failed_before == "Out of memory."
        assert attempt.load_checkpoint() is not None
        assert [state.reason for state in find_attempts(workspace)] == [""]
    with acquire(workspace, KEY, {}) as attempt:
        assert attempt.failed_before == ""
        attempt.start_over()
        assert attempt.load_checkpoint() is None
        assert attempt.history() == []


def test_a_failure_of_a_second_training_is_kept_beside_the_run(
    workspace: Workspace, make_record: Callable[..., RunRecord]
) -> None:
    with claim(workspace, KEY, {}) as attempt:
        assert isinstance(attempt, Attempt)
        make_record(key=KEY).write(attempt.record_folder)
        attempt.publish(workspace.runs / f"run-{KEY[:8]}")
    with claim(workspace, KEY, {}, again=True) as attempt:
        assert isinstance(attempt, Attempt)
        attempt.append_history({"epoch": 1})
        attempt.save_checkpoint({"model": b"1"}, {"epoch": 1})
        attempt.fail("Out of memory.", make_record(key=KEY))
    with claim(workspace, KEY, {}, again=True) as attempt:
        assert isinstance(attempt, Attempt)
        assert attempt.load_checkpoint() is not None


def test_what_is_left_after_publishing_is_removed_by_the_next_start(
    workspace: Workspace, make_record: Callable[..., RunRecord]
) -> None:
    with acquire(workspace, KEY, {}) as attempt:
        make_record(key=KEY).write(attempt.record_folder)
        attempt.record_folder.rename(workspace.runs / f"run-{KEY[:8]}")
    assert find_attempts(workspace) == []
    assert (workspace.attempts / KEY[:8]).exists()
    with acquire(workspace, "f" * 64, {}):
        assert _names(workspace.attempts) == ["ffffffff"]


def test_a_folder_removed_while_training_is_told_and_not_made_again(workspace: Workspace) -> None:
    with acquire(workspace, KEY, {}) as attempt:
        shutil.rmtree(workspace.runs)
        for act in (lambda: attempt.append_history({}), lambda: attempt.save_checkpoint({"model": b""}, {})):
            with pytest.raises(ImgclsError, match="moved or removed"):
                act()
    assert not workspace.runs.exists()


def test_an_attempt_can_be_copied_and_resumed(workspace: Workspace, tmp_path: Path) -> None:
    with acquire(workspace, KEY, {}) as attempt:
        attempt.save_checkpoint({"model": b"1"}, {})
    shutil.copytree(workspace.root, tmp_path / "copy", copy_function=shutil.copyfile)
    with acquire(Workspace(tmp_path / "copy"), KEY, {}) as attempt:
        assert attempt.load_checkpoint() is not None
    about = json.loads((attempt.folder / "attempt.json").read_text())
    assert about | {"sha256": ""} == {"key": KEY, "info": {}, "sha256": ""}


def test_a_claim_is_the_finished_run_or_the_attempt_at_it(
    workspace: Workspace, make_record: Callable[..., RunRecord]
) -> None:
    with claim(workspace, KEY, {}) as attempt:
        assert isinstance(attempt, Attempt)
        assert attempt.existing is None
        make_record(key=KEY).write(attempt.record_folder)
        attempt.publish(workspace.runs / f"run-{KEY[:8]}")
    with claim(workspace, KEY, {}) as found:
        assert isinstance(found, RunRecord)
        assert found.key == KEY
    assert not (workspace.attempts / KEY[:8]).exists()
    with claim(workspace, KEY, {}, again=True) as attempt:
        assert isinstance(attempt, Attempt)
        assert attempt.existing == found


def test_a_claim_of_an_attempt_that_another_process_holds_is_refused(workspace: Workspace) -> None:
    with _other_process(workspace), pytest.raises(BusyError):
        claim(workspace, KEY, {}).__enter__()


def test_a_run_that_was_finished_just_before_it_is_held_is_found_and_leaves_no_attempt(
    workspace: Workspace, make_record: Callable[..., RunRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking and holding, another process can publish the run."""
    sweep = attempts._sweep

    def finished_elsewhere(place: Workspace) -> None:
        monkeypatch.setattr(attempts, "_sweep", sweep)
        with acquire(place, KEY, {}) as attempt:
            make_record(key=KEY).write(attempt.record_folder)
            attempt.publish(place.runs / f"run-{KEY[:8]}")

    monkeypatch.setattr(attempts, "_sweep", finished_elsewhere)
    with claim(workspace, KEY, {"stack": "baseline"}) as found:
        assert isinstance(found, RunRecord)
    assert find_attempts(workspace) == []
    assert not (workspace.attempts / KEY[:8]).exists()
