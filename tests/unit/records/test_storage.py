"""Tests of single durable writes; `test_faults.py` lets every call fail in turn."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imgcls import storage
from imgcls.errors import ImgclsError, WorkspaceError


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_json_is_sorted_plain_and_converted(tmp_path: Path) -> None:
    value = {"b": np.float32(0.5), "a": np.int64(3), "c": [np.bool_(True), np.arange(2)], "d": "é\udc80"}
    storage.write_json(tmp_path / "x.json", value)
    text = (tmp_path / "x.json").read_text(encoding="ascii")
    assert text.startswith('{\n  "a": 3,\n  "b": 0.5,')
    assert text.endswith("}\n")
    assert json.loads(text) == {"a": 3, "b": 0.5, "c": [True, [0, 1]], "d": "é\udc80"}


@pytest.mark.parametrize("number", [float("nan"), np.float32("inf"), np.array([np.nan])])
def test_what_is_not_json_leaves_the_old_file(tmp_path: Path, number: Any) -> None:
    path = tmp_path / "x.json"
    storage.write_json(path, 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        storage.write_json(path, {"a": number})
    with pytest.raises(TypeError, match="PosixPath"):
        storage.write_json(path, path)
    assert path.read_text() == "1\n"
    assert _names(tmp_path) == ["x.json"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_mode_is_what_the_umask_gives(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        storage.write_bytes(tmp_path / "x", b"1")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == mode


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "there" / "target")
    storage.write_bytes(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "there" / "target").read_bytes() == b"new"


def test_the_temporary_folder_of_the_system_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    storage.write_bytes(tmp_path / ("n" * 255), b"1")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"1"


def test_temporaries_of_the_dead_are_removed_at_once_and_of_strangers_after_an_hour(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    mine = storage.temporary_beside(tmp_path / "y").name
    dead = mine.replace(f"-{os.getpid()}-", f"-{process.pid}-")
    elsewhere = re.sub(r"\.[0-9a-f]{8}-", ".ffffffff-", dead)
    young, old, probe = f".y.{'0' * 32}.tmp", f".z.{'0' * 32}.tmp", f".probe-{'0' * 32}"
    others = [".y.1.tmp", "y.tmp", ".probe-mine", ".y.00000000-1-x.tmp"]
    for name in (mine, dead, elsewhere, young, old, probe, *others):
        (tmp_path / name).touch()
    for name in (old, probe, *others):
        os.utime(tmp_path / name, (time.time() - 7200,) * 2)
    storage.write_bytes(tmp_path / "x", b"1")
    assert _names(tmp_path) == sorted([mine, elsewhere, young, "x", *others])


def test_a_torn_line_is_cut_off_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"one\ntwo\nthr")
    storage.append_line(path, "three")
    storage.append_line(path, "four")
    assert path.read_bytes() == b"one\ntwo\nthree\nfour\n"
    path.write_bytes(b"torn")
    storage.append_line(path, "é")
    assert path.read_text(encoding="utf-8") == "é\n"
    path.write_bytes(b"one\ntw")
    storage.cut_torn_line(path)
    assert path.read_bytes() == b"one\n"


def test_a_folder_is_published_whole_or_left_alone(tmp_path: Path) -> None:
    (tmp_path / "new" / "inner").mkdir(parents=True)
    (tmp_path / "new" / "inner" / "x").write_text("1")
    assert storage.publish_folder(tmp_path / "new", tmp_path / "a" / "final")
    assert (tmp_path / "a" / "final" / "inner" / "x").read_text() == "1"
    (tmp_path / "second").mkdir()
    assert not storage.publish_folder(tmp_path / "second", tmp_path / "a" / "final")
    assert (tmp_path / "second").is_dir()


def test_a_folder_that_appears_at_the_last_moment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mine", "final"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text(name)
    monkeypatch.setattr(os.path, "lexists", lambda path: False)
    assert not storage.publish_folder(tmp_path / "mine", tmp_path / "final")
    assert (tmp_path / "final" / "x").read_text() == "final"


def test_removing_follows_no_link_and_takes_a_missing_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x").touch()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name in ("link", "missing"):
        storage.remove_tree(tmp_path / name)
    assert _names(tmp_path) == ["real"]
    storage.remove_tree(tmp_path / "real")
    assert _names(tmp_path) == []


def test_sha256_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert storage.sha256_file(tmp_path / "x").startswith("ba7816bf8f01cfea414140de5dae2223")


@pytest.mark.parametrize(
    ("number", "kind", "message"),
    [
        (errno.ENOSPC, ImgclsError, r"Disk full while writing .*x \(\d+ MB free\)"),
        (errno.EFBIG, ImgclsError, r"larger than a file may be here.*ulimit -f"),
        (errno.EDQUOT, ImgclsError, "Your quota is used up while writing"),
        (errno.EACCES, WorkspaceError, "Make its folder writable"),
        (errno.EROFS, WorkspaceError, "Make its folder writable"),
        (errno.EIO, ImgclsError, "What was there before is unchanged"),
    ],
)
def test_errors_say_what_to_do(
    tmp_path: Path, break_disk: Callable[..., Any], number: int, kind: type[ImgclsError], message: str
) -> None:
    break_disk(10**9, how="once").replace = _raiser(number)
    with pytest.raises(kind, match=message) as caught:
        storage.write_bytes(tmp_path / "x", b"1")
    assert type(caught.value) is kind
    assert _names(tmp_path) == []


def test_a_folder_that_has_gone_is_not_made_again(tmp_path: Path) -> None:
    for write in (storage.write_bytes, storage.append_line):
        with pytest.raises(ImgclsError, match="moved or removed"):
            write(tmp_path / "gone" / "x", b"1" if write is storage.write_bytes else "1")  # type: ignore[operator]
    assert _names(tmp_path) == []


def _raiser(number: int) -> Callable[..., None]:
    def fail(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_threads_of_one_process_hold_a_file_one_after_the_other(tmp_path: Path) -> None:
    inside: list[int] = []

    def work(turn: int) -> int:
        with storage.FileLock(tmp_path / "lock"):
            inside.append(turn)
            time.sleep(0.05)
            n_inside = len(inside)
            inside.remove(turn)
        return n_inside

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(work, range(4))) == [1, 1, 1, 1]
    assert not storage.FileLock(tmp_path / "lock").is_taken()


def test_looking_at_a_lock_in_the_process_that_holds_it_does_not_give_it_away(tmp_path: Path) -> None:
    ask = "import sys; from pathlib import Path; from imgcls.storage import FileLock; "
    ask += "print(FileLock(Path(sys.argv[1])).is_taken())"
    with storage.FileLock(tmp_path / "lock"):
        for _ in range(2):
            assert storage.FileLock(tmp_path / "lock").is_taken()
            assert not storage.FileLock(tmp_path / "lock").acquire(wait_seconds=0)
        told = subprocess.run(
            [sys.executable, "-c", ask, str(tmp_path / "lock")], capture_output=True, text=True, check=True
        )
        assert told.stdout == "True\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_killed_process_gives_its_lock_back_though_its_workers_live_on(tmp_path: Path) -> None:
    hold = """
import os, sys, time
from pathlib import Path
from imgcls.storage import FileLock
with FileLock(Path(sys.argv[1])):
    child = os.fork()
    if child:
        print(child, flush=True)
    time.sleep(60)
"""
    lock = storage.FileLock(tmp_path / "lock")
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(lock.path)], stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        try:
            assert not lock.acquire(wait_seconds=0)
            process.kill()
            process.wait()
            assert lock.acquire(wait_seconds=5)
        finally:
            os.kill(worker, signal.SIGKILL)
            lock.release()


@pytest.mark.skipif(os.name == "nt", reason="needs shared locks")
def test_those_who_only_look_at_a_lock_are_not_taken_for_a_holder(tmp_path: Path) -> None:
    look = """
import fcntl, sys, time
with open(sys.argv[1], "rb") as file:
    fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    print("looking", flush=True)
    time.sleep(60)
"""
    lock = storage.FileLock(tmp_path / "lock")
    with lock:
        pass
    with subprocess.Popen([sys.executable, "-c", look, str(lock.path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            assert not lock.is_taken()
            assert not lock.acquire(wait_seconds=0)
        finally:
            process.kill()
