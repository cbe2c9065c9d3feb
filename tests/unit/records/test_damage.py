"""Every byte of an attempt that is read back is checked: a changed one is found, told, and never a result."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from imgcls.errors import ImgclsError, RecordError
from imgcls.records.attempts import Attempt, acquire, claim, find_attempts
from imgcls.records.find import find_runs
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace

KEY = "0123456789abcdef" * 4
META: dict[str, Any] = {
    "groups": [{"lr": 0.003, "betas": [0.9, 0.999], "eps": 1e-05, "fused": None, "nesterov": False}],
    "numbers": {"0.step": 12, "1.step": 12.5},
    "averaged_steps": 7,
}
ROWS = [{"epoch": epoch, "train_loss": 1 / epoch, "valid_loss": None} for epoch in (1, 2, 3)]


@pytest.fixture
def begun(workspace: Workspace) -> Path:
    """An attempt of three epochs, interrupted: its folder."""
    with acquire(workspace, KEY, {"stack": "baseline", "seed": 3}) as attempt:
        for row in ROWS:
            attempt.append_history(row)
            attempt.save_checkpoint({"model": b"m" * 64}, {**META, "epoch": row["epoch"]})
    return attempt.folder


@dataclass(frozen=True)
class Resumed:
    """What a resumed attempt goes on with."""

    epoch: int
    """The epochs that are done."""
    meta: dict[str, Any]
    """The state, but for the epoch."""
    rows: list[dict[str, Any]]
    """Its history."""
    notes: list[str]
    """What was told."""


def resume(workspace: Workspace) -> Resumed:
    with acquire(workspace, KEY, {"stack": "baseline", "seed": 3}) as attempt:
        found = attempt.load_checkpoint()
        meta = dict(found.meta) if found else {"epoch": 0}
        return Resumed(meta.pop("epoch"), meta, attempt.history(), attempt.notes)


def trusted(found: Resumed) -> bool:
    """Whether what is gone on with is what was saved after some epoch, all of it."""
    return found.rows == ROWS[: found.epoch] and found.meta == (META if found.epoch else {})


def edits(content: bytes, *, n: int | None = None, seed: int = 0) -> Iterator[bytes]:
    """Yield a text with every digit replaced by another one, every bit flipped, and every line left out."""
    changes: list[Callable[[], bytes]] = []
    for place, sign in enumerate(content):
        if chr(sign) in "0123456789abcdef":
            other = b"7" if sign != ord("7") else b"4"
            changes.append(lambda at=place, new=other: content[:at] + new + content[at + 1 :])
        for bit in range(8):
            changes.append(lambda at=place, bit=bit: content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :])
    lines = content.splitlines(keepends=True)
    for number in range(len(lines)):
        changes.append(lambda number=number: b"".join(lines[:number] + lines[number + 1 :]))
        changes.append(lambda number=number: b"".join(lines[: number + 1] + lines[number:]))
        changes.append(lambda number=number: b"".join(lines[:number]))
    chosen = changes if n is None else random.Random(seed).sample(changes, min(n, len(changes)))
    yield from (change() for change in chosen)


FILES = ("checkpoint-3/manifest.json", "checkpoint-3/history.jsonl", "history.jsonl", "attempt.json")


def fuzz(workspace: Workspace, begun: Path, name: str, *, n: int | None) -> tuple[int, int]:
    """Edit one file in many ways, and return how many edits there were and how many went on with less than all."""
    whole = begun.with_name("whole")
    shutil.copytree(begun, whole)
    n_edits = n_fewer = 0
    for content in edits((whole / name).read_bytes(), n=n):
        shutil.rmtree(begun)
        shutil.copytree(whole, begun)
        (begun / name).write_bytes(content)
        find_attempts(workspace)
        found = resume(workspace)
        assert trusted(found), content
        n_edits, n_fewer = n_edits + 1, n_fewer + (found.epoch < 3)
    return n_edits, n_fewer


@pytest.mark.parametrize("name", FILES)
def test_an_edited_file_never_changes_what_is_gone_on_with(workspace: Workspace, begun: Path, name: str) -> None:
    n, n_fewer = fuzz(workspace, begun, name, n=40)
    assert n == 40
    assert n_fewer > 20 if name.startswith("checkpoint") else n_fewer == 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", FILES)
def test_no_digit_bit_or_line_of_a_file_changes_what_is_gone_on_with(
    workspace: Workspace, begun: Path, name: str
) -> None:
    n, n_fewer = fuzz(workspace, begun, name, n=None)
    assert n > 300
    assert n_fewer == 0 or name.startswith("checkpoint")


def lines(*numbers: int) -> str:
    return "".join(json.dumps(ROWS[number - 1]) + "\n" for number in numbers)


HISTORIES = {
    "missing": None,
    "emptied": "",
    "doubled": lines(1, 1, 2, 3),
    "turned round": lines(2, 1, 3),
    "one missing": lines(1, 3),
    "the first missing": lines(2, 3),
    "foreign": lines(1, 2) + '{"epoch": 3, "train_loss": 9.0, "valid_loss": 9.0}\n',
    "no object": lines(1) + "7\n" + lines(3),
    "an epoch that is no number": lines(1) + '{"epoch": true}\n' + lines(3),
    "no text": b"\xff\xfe" + lines(1, 2, 3).encode("utf-16-le"),
    "cut": lines(1, 2, 3)[:-9],
    "of more epochs": lines(1, 2, 3) + '{"epoch": 4}\n',
}


@pytest.mark.parametrize("what", HISTORIES)
def test_a_damaged_history_costs_no_epoch(workspace: Workspace, begun: Path, what: str) -> None:
    path, content = begun / "history.jsonl", HISTORIES[what]
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    (state,) = find_attempts(workspace)
    assert bool(state.damage) == (what not in ("missing", "emptied", "foreign", "cut", "of more epochs"))
    found = resume(workspace)
    assert (found.epoch, found.rows) == (3, ROWS)
    assert path.read_text() == lines(1, 2, 3)
    is_told = any("history.jsonl was damaged; its 3 epochs" in note for note in found.notes)
    assert is_told == (what != "of more epochs")  # those of an epoch that was not finished


def as_before(folder: Path, **changes: object) -> None:
    """Leave in checkpoints what they held before they had a digest and a history of their own."""
    for checkpoint in folder.glob("checkpoint-*"):
        (checkpoint / "history.jsonl").unlink()
        manifest = json.loads((checkpoint / "manifest.json").read_text())
        del manifest["sha256"], manifest["key"], manifest["files"]["history.jsonl"]
        (checkpoint / "manifest.json").write_text(json.dumps(manifest | changes))
    (folder / "attempt.json").write_text(json.dumps({"key": KEY, "info": {}}))


def test_a_checkpoint_of_before_there_was_a_digest_is_gone_on_from(workspace: Workspace, begun: Path) -> None:
    as_before(begun)
    assert resume(workspace) == Resumed(3, META, ROWS, [])
    (begun / "history.jsonl").write_text(lines(1, 2) + "7\n")
    found = resume(workspace)
    assert (found.epoch, found.rows) == (2, ROWS[:2])
    assert "the history of its 3 epochs is damaged" in found.notes[0]


@pytest.mark.parametrize("content", ["", lines(1), lines(1, 1, 2, 3), lines(2, 3)])
def test_one_of_before_whose_history_is_damaged_begins_anew(workspace: Workspace, begun: Path, content: str) -> None:
    as_before(begun)
    (begun / "history.jsonl").write_text(content)
    found = resume(workspace)
    assert (found.epoch, found.rows) == (0, [])
    assert "starts from the beginning" in found.notes[0]


def test_one_of_before_with_fewer_lines_than_epochs_is_damaged(workspace: Workspace, begun: Path) -> None:
    """It would be published with half a history."""
    as_before(begun, n_history=1)
    assert resume(workspace).epoch == 0


def test_a_manifest_that_lost_its_digest_is_not_taken_for_an_older_one(workspace: Workspace, begun: Path) -> None:
    path = begun / "checkpoint-3" / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["sha256"]
    manifest["meta"]["groups"][0]["lr"] = 9.0
    path.write_text(json.dumps(manifest))
    found = resume(workspace)
    assert (found.epoch, trusted(found)) == (2, True)


def test_the_checkpoint_of_another_run_is_not_gone_on_from(workspace: Workspace, begun: Path) -> None:
    with acquire(workspace, "f" * 64, {}) as other:
        for row in ROWS:
            other.append_history(row | {"train_loss": 9.0})
            other.save_checkpoint({"model": b"x" * 64}, {**META, "epoch": row["epoch"]})
    shutil.rmtree(begun / "checkpoint-3")
    shutil.copytree(other.folder / "checkpoint-3", begun / "checkpoint-3")
    found = resume(workspace)
    assert (found.epoch, trusted(found)) == (2, True)
    assert "does not belong to this run" in found.notes[0]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"key": "x"}', '{"info": {}, "key": "' + "f" * 64 + '"}'])
def test_what_an_attempt_is_about_is_written_anew(workspace: Workspace, begun: Path, content: str) -> None:
    (begun / "attempt.json").write_text(content)
    (state,) = find_attempts(workspace)
    assert (state.key, state.n_epochs) == (begun.name, 3)
    assert "attempt.json is damaged" in state.damage
    found = resume(workspace)
    assert (found.epoch, trusted(found)) == (3, True)
    assert "Written again: " in found.notes[0]
    (state,) = find_attempts(workspace)
    assert (state.key, state.info, state.damage) == (KEY, {"stack": "baseline", "seed": 3}, "")


def test_an_older_checkpoint_of_who_knows_whom_is_not_gone_on_from(workspace: Workspace, begun: Path) -> None:
    as_before(begun)
    (begun / "attempt.json").write_text("{")
    assert resume(workspace).epoch == 0


def test_the_published_history_is_that_of_the_process_that_trained(workspace: Workspace, begun: Path) -> None:
    with acquire(workspace, KEY, {}) as attempt:
        attempt.load_checkpoint()
        (begun / "history.jsonl").write_text("7\n")
        attempt.append_history({"epoch": 4})
        assert [row["epoch"] for row in attempt.history()] == [1, 2, 3, 4]


def test_a_folder_that_is_made_anew_by_another_is_left_alone(
    workspace: Workspace, begun: Path, make_record: Callable[..., RunRecord]
) -> None:
    """After `rm -rf runs` the same command may have begun again: the first neither writes there nor ends it."""
    with acquire(workspace, KEY, {}) as attempt:
        attempt.load_checkpoint()
        shutil.rmtree(workspace.runs)
        attempt.record_folder.mkdir(parents=True)
        others = {"lock": b"", "attempt.json": b"{}", "holder.json": b"{}", "history.jsonl": lines(1).encode()}
        for name, content in others.items():
            (begun / name).write_bytes(content)
        make_record(key=KEY).write(attempt.record_folder)
        acts: list[Callable[[Attempt], object]] = [
            lambda attempt: attempt.append_history({"epoch": 4}),
            lambda attempt: attempt.save_checkpoint({"model": b""}, {}),
            lambda attempt: attempt.publish(workspace.runs / "x"),
            lambda attempt: attempt.heartbeat(),
        ]
        for act in acts:
            with pytest.raises(ImgclsError, match="moved or removed"):
                act(attempt)
        assert attempt.fail("x", make_record(key=KEY)).folder is None
        assert attempt.is_empty
        attempt.discard()
    assert {path.name: path.read_bytes() for path in begun.iterdir() if path.is_file()} == others


@pytest.mark.parametrize("again", [False, True])
def test_an_attempt_with_nothing_in_it_beside_its_run_is_none(
    workspace: Workspace, make_record: Callable[..., RunRecord], again: bool
) -> None:
    """Its maker may have been killed between taking it and finding that the run is there."""
    record = make_record(key=KEY)
    (workspace.runs / record.id).mkdir(parents=True)
    record.write(workspace.runs / record.id)
    with acquire(workspace, KEY, {}):
        assert [state.state for state in find_attempts(workspace)] == ["running"]
    assert find_attempts(workspace) == []
    if again:
        with claim(workspace, KEY, {}, again=True) as attempt:
            assert isinstance(attempt, Attempt)
            attempt.append_history({"epoch": 1})
        assert [state.n_epochs for state in find_attempts(workspace)] == [1]
    with acquire(workspace, "f" * 64, {}):
        assert len([path for path in workspace.attempts.iterdir() if path.is_dir()]) == 1 + again
    assert len(find_runs(workspace)[0]) == 1


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "a\\b", ".."])
def test_a_checkpoint_names_no_file_elsewhere(workspace: Workspace, begun: Path, name: str) -> None:
    as_before(begun)
    for checkpoint in begun.glob("checkpoint-*"):
        manifest = json.loads((checkpoint / "manifest.json").read_text())
        manifest["files"][name] = "0" * 64
        (checkpoint / "manifest.json").write_text(json.dumps(manifest))
    found = resume(workspace)
    assert found.epoch == 0
    assert "must be the name of a file or folder" in found.notes[0]


def test_another_run_whose_key_begins_alike_is_still_refused(workspace: Workspace, begun: Path) -> None:
    with pytest.raises(RecordError, match="belongs to another run"):
        acquire(workspace, KEY[:8] + "f" * 56, {}).__enter__()
