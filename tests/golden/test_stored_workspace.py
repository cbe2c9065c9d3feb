"""A workspace that version 0.1.0 left: today's code finds it, trusts it, trains nothing again, and judges it alike.

`workspace-1` is never written anew. Photographs are drawn; weights are left out, being read by nothing here.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import imgcls

STORED = Path(__file__).parent / "workspace-1"
SMALL = "--model simple_cnn --weights none --size 16 --epochs 1 --batch-size 8 --device cpu"
LADDER = "baseline+label_smoothing+tta_flips"
READ = {
    "checklist": "checklist",
    "compare": "compare baseline baseline+label_smoothing --images 5",
    "ladder-list": "ladder list",
    "ladder-show": "ladder show --images 5",
    "ladder-status": "ladder status up",
    "recipe-show": "recipe show label_smoothing",
    "runs-list": "runs list",
    "runs-show": "runs show baseline-s1",
    "runs-show-folds": "runs show baseline-s0-oof2 --verify",
}
GO_ON = {
    "run": f"recipe run baseline {SMALL}",
    "run-folds": f"recipe run baseline --folds 2 {SMALL}",
    "run-tta": f"recipe run {LADDER} --seed 1 {SMALL}",
    "ladder-run": f"ladder run {LADDER} --seeds 2 --name up {SMALL}",
}


@pytest.fixture
def workspace(fixed_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy the stored workspace to where its photographs are, and go there."""
    (tmp_path / "photos").symlink_to(fixed_photos)
    work = shutil.copytree(STORED / "work", tmp_path / "work")
    for path in work.rglob("*.json"):
        text = path.read_text(encoding="utf-8").replace("ROOT", str(tmp_path))
        path.write_text(text, encoding="utf-8")
        weights = json.loads(text).get("files", {}).get("weights.safetensors") if path.name == "run.json" else None
        if weights:
            path.with_name("weights.safetensors").write_bytes(bytes(weights["n_bytes"]))
    monkeypatch.chdir(work)
    return work


def expected(name: str, root: Path) -> Any:
    text = (STORED / "said" / f"{name}.json").read_text(encoding="utf-8")
    return json.loads(text.replace("ROOT", str(root)))


def differences(now: Any, before: Any, place: str = "") -> Iterator[str]:
    """Yield where two JSON values differ; sentences may have other words, keys may be added, numbers round."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in before:
            yield from differences(now.get(name, "missing"), before[name], f"{place}.{name}")
    elif isinstance(before, list) and isinstance(now, list) and len(now) == len(before):
        for number, pair in enumerate(zip(now, before, strict=True)):
            yield from differences(*pair, f"{place}[{number}]")
    elif isinstance(before, float) and isinstance(now, int | float):
        if not math.isclose(now, before, rel_tol=1e-6, abs_tol=1e-9):
            yield f"{place}: {now} for {before}"
    elif now != before and not (is_sentence(now) and is_sentence(before)):
        yield f"{place}: {now!r} for {before!r}"


def is_sentence(value: Any) -> bool:
    """Whether a value is for people only: several words, and no command."""
    return isinstance(value, str) and " " in value.strip() and not value.startswith("imgcls ")


def bits(work: Path) -> dict[str, str]:
    """Collect the digest of every file of every run."""
    files = [path for path in (work / "runs").glob("[!.]*/*") if path.is_file()]
    return {path.relative_to(work).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("name", READ)
def test_it_is_judged_as_it_was(command: Callable[..., Any], workspace: Path, name: str) -> None:
    said = command(*READ[name].split(), "--json")
    assert said.code == 0, said.err
    assert list(differences(said.json, expected(name, workspace.parent))) == []


@pytest.mark.parametrize("name", GO_ON)
def test_nothing_is_trained_again(command: Callable[..., Any], workspace: Path, name: str) -> None:
    before = bits(workspace)
    said = command(*GO_ON[name].split(), "--json")
    assert said.code == 0, said.err
    assert "epoch 1" not in said.err
    assert list(differences(said.json, expected(name, workspace.parent))) == []
    assert bits(workspace) == before


def test_the_same_submission_is_written(command: Callable[..., Any], workspace: Path) -> None:
    (file,) = workspace.glob("submissions/*.csv")
    before = file.read_bytes()
    file.unlink()
    said = command("submit", "--json")
    assert said.code == 0, said.err
    stored = expected("submit", workspace.parent)
    assert list(differences(said.json | {"created": stored["created"]}, stored)) == []
    assert file.read_bytes() == before


def test_a_record_is_read_from_python(workspace: Path) -> None:
    folder = next(workspace.glob("runs/baseline-s1-*"))
    record = imgcls.open_run(folder)
    assert json.loads(json.dumps(record.to_json())) == json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert imgcls.open_run(record.key[:12]).id == folder.name


def test_any_metric_is_computed_of_an_old_record(command: Callable[..., Any], workspace: Path) -> None:
    """Nothing is written for it; one that does not fit is refused."""
    folder = next(workspace.glob("runs/baseline-s1-*"))
    before = (folder / "run.json").read_bytes()
    said = command("runs", "show", folder, "--metric", "mcc", "--metric", "f_beta:beta=2.0,class=dark", "--json")
    assert said.code == 0, said.err
    kept = json.loads(before)["metrics"]
    assert {name: one for name, one in said.json["metrics"].items() if name in kept} == kept
    assert said.json["metrics"].keys() - kept.keys() == {"mcc", "f_beta:beta=2,class=dark"}
    assert said.json["metrics"]["mcc"]["n"] == kept["accuracy"]["n"]
    assert (folder / "run.json").read_bytes() == before
    assert command("runs", "show", folder, "--metric", "top_k:k=3").code == 2
    assert command("runs", "show", folder, "--metric", "f_beta").code == 2


def test_old_runs_are_compared_by_a_metric_that_they_do_not_keep(command: Callable[..., Any], workspace: Path) -> None:
    said = command("compare", "baseline", "baseline+label_smoothing", "--metric", "brier", "--json")
    assert said.code == 0, said.err
    assert (said.json["metric"], said.json["unit"]) == ("brier", "points")
    assert said.json["other_gains"].keys() == {"accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "log_loss"}
    assert all(0 < value < 1 for value in said.json["a"]["values"])


def test_a_damaged_record_is_noticed(command: Callable[..., Any], workspace: Path) -> None:
    path = next(workspace.glob("runs/baseline-s0-oof2-*/oof.parquet"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert command("runs", "show", path.parent, "--verify").code == 2
