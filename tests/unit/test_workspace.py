"""Tests of where things lie."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from imgcls.data.files import OWN_FOLDERS
from imgcls.errors import WorkspaceError
from imgcls.workspace import Workspace, cache_budget_bytes, cache_folder


def test_nearest_parent_with_the_marker_is_the_workspace(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "imgcls.toml").touch()
    assert Workspace.find(inner).root == tmp_path
    (tmp_path / "a" / "imgcls.toml").touch()
    assert Workspace.find(inner).root == tmp_path / "a"


def test_without_a_marker_the_workspace_is_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Workspace.find().root == tmp_path


def test_its_own_folders_are_the_ones_that_scanning_skips(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    folders = (workspace.runs, workspace.ladders, workspace.blends, workspace.reports, workspace.submissions)
    assert {folder.name for folder in folders} == OWN_FOLDERS
    assert workspace.attempts.parent == workspace.failed.parent == workspace.runs


def test_writable_leaves_nothing_but_the_folder(tmp_path: Path) -> None:
    Workspace(tmp_path / "new").writable()
    assert list((tmp_path / "new" / "runs").iterdir()) == []


def test_a_file_in_the_way_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(WorkspaceError, match=r"runs: .*--out") as caught:
        Workspace(tmp_path).writable()
    assert caught.value.exit_code == 2


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(WorkspaceError, match="runs"):
            Workspace(tmp_path).writable()
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_that_takes_no_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, data: bytes) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(WorkspaceError, match="Permission denied"):
        Workspace(tmp_path).writable()


@pytest.mark.parametrize("where", [".", "cats"])
def test_runs_among_class_folders_are_refused(tmp_path: Path, where: str) -> None:
    (tmp_path / "cats").mkdir()
    with pytest.raises(WorkspaceError, match="--out"):
        Workspace(tmp_path / where).check_apart(tmp_path)


def test_runs_beside_photographs_or_a_table_are_fine(tmp_path: Path) -> None:
    (tmp_path / "photos" / "cats").mkdir(parents=True)
    Workspace(tmp_path).check_apart(tmp_path / "photos")
    Workspace(tmp_path / "photos2").check_apart(tmp_path / "photos")
    (tmp_path / "train.csv").touch()
    Workspace(tmp_path).check_apart(tmp_path)


def test_runs_among_the_photographs_of_a_table_are_refused(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "one.jpg").touch()
    (tmp_path / "train.csv").touch()
    (tmp_path / "work").mkdir()
    for data in (tmp_path, tmp_path / "train.csv"):
        with pytest.raises(WorkspaceError, match="inside the photographs"):
            Workspace(tmp_path / "images").check_apart(data)
        Workspace(tmp_path / "work").check_apart(data)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with pytest.raises(WorkspaceError, match="inside the photographs"):
        Workspace(elsewhere).check_apart(tmp_path / "train.csv", elsewhere)
    Workspace(tmp_path).check_apart(tmp_path / "train.csv", ".")


def test_a_workspace_is_named_where_it_is_not_found_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Workspace(tmp_path).as_option == ""
    assert Workspace(tmp_path / "it's there").as_option == f" --out '{tmp_path}/it'\"'\"'s there'"


def test_cache_folder_is_the_users_choice_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGCLS_CACHE", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.setenv("IMGCLS_CACHE", "")
    assert cache_folder().name == "imgcls"


def test_records_and_workspace_load_neither_pandas_nor_torch() -> None:
    heavy = "('numpy', 'pandas', 'torch')"
    code = f"import sys, imgcls.workspace, imgcls.records; print([n for n in {heavy} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("text", "expected"), [("2", 2_000_000_000), ("0.5", 500_000_000), ("0", 0)])
def test_the_size_of_the_cache_is_set_in_gigabytes(monkeypatch: pytest.MonkeyPatch, text: str, expected: int) -> None:
    monkeypatch.setenv("IMGCLS_CACHE_GB", text)
    assert cache_budget_bytes() == expected


@pytest.mark.parametrize("text", ["much", "-1", "nan", "inf", ""])
def test_a_size_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("IMGCLS_CACHE_GB", text)
    with pytest.raises(WorkspaceError, match="IMGCLS_CACHE_GB"):
        cache_budget_bytes()
