"""`imgcls checklist`: where a workspace stands, on the terminal and for programs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from imgcls.config.problem import read_problem
from imgcls.records.derived import DATA_JSON
from imgcls.records.find import find_runs
from imgcls.workspace import Workspace

Draw = Callable[..., Path]
SMALL = ("--model", "simple_cnn", "--weights", "none", "--size", "24", "--epochs", "1")


@pytest.fixture
def photos(tmp_path: Path, draw_photos: Draw) -> Path:
    """Two classes that are easily told apart."""
    return draw_photos(tmp_path / "photos", {"a": 20, "b": 20})


def states(imgcls: Callable[..., object], *options: str) -> dict[str, str]:
    result = imgcls("checklist", "--json", *options)
    assert result.code == 0, result.err  # type: ignore[attr-defined]
    return {entry["id"]: entry["state"] for entry in json.loads(result.out)["items"]}  # type: ignore[attr-defined]


def test_an_empty_folder_is_told_what_to_begin_with(imgcls, empty_folder: Path) -> None:
    result = imgcls("checklist")
    assert result.code == 0
    assert result.out.startswith("Checklist: 0 of 28 done, 28 open")
    assert result.out.index("imgcls init") < result.out.index("imgcls eda") < result.out.index("imgcls recipe run base")
    assert not list(empty_folder.iterdir())


def test_the_form_for_programs(imgcls) -> None:
    value = json.loads(imgcls("checklist", "--json").out)
    assert (value["schema"], value["back"], len(value["items"])) == (1, None, 28)
    assert value["next"] == ["imgcls init", "imgcls eda", "imgcls recipe run baseline"]
    assert {frozenset(entry) for entry in value["items"]} == {
        frozenset(("id", "stage", "title", "state", "evidence", "command"))
    }


def test_korean_and_one_stage(imgcls) -> None:
    shown = imgcls("checklist", "--lang", "ko", "--stage", "4").out
    assert "앙상블" in shown
    assert "문제의 배경과 목표를 이해했다" not in shown
    assert "체크리스트" in shown
    assert "아직 시도하지 않았다" in shown
    assert "not tried yet" not in shown
    titles = [entry["title"] for entry in json.loads(imgcls("checklist", "--lang", "ko", "--json").out)["items"]]
    assert titles[0] == "문제의 배경과 목표를 이해했다"
    wrong = imgcls("checklist", "--stage", "7")
    assert (wrong.code, "no stage '7'" in wrong.err) == (2, True)


def test_leaving_an_item_out_needs_a_problem_a_name_and_a_reason(imgcls, photos: Path) -> None:
    refused = imgcls("checklist", "skip", "predict.ensemble", "--why", "one network")
    assert (refused.code, "imgcls init" in refused.err) == (2, True)
    assert imgcls("init", photos).code == 0
    misspelled = imgcls("checklist", "skip", "predict.ensembel", "--why", "x")
    assert (misspelled.code, "'predict.ensemble'" in misspelled.err) == (2, True)
    assert imgcls("checklist", "skip", "predict.ensemble").code == 2
    assert imgcls("checklist", "skip", "predict.ensemble", "--why", "one network").code == 0
    assert read_problem(Path("imgcls.toml")).skipped == {"predict.ensemble": "one network"}
    assert states(imgcls)["predict.ensemble"] == "skipped"
    assert imgcls("checklist", "unskip", "predict.ensemble").code == 0
    assert states(imgcls)["predict.ensemble"] == "open"
    assert imgcls("checklist", "unskip", "predict.ensemble").code == 2


def test_items_untick_themselves_when_a_label_changes_and_tick_again(imgcls, photos: Path) -> None:
    """And a file that was only touched changes nothing."""
    assert imgcls("init", photos, "--title", "T", "--goal", "G").code == 0
    run = imgcls("recipe", "run", "baseline", *SMALL)
    assert run.code == 0
    assert run.out.splitlines()[-1].startswith("Checklist: ")
    assert run.out.splitlines()[-1].endswith("('imgcls checklist')")
    before = states(imgcls)
    assert (before["base.train"], before["problem.type"]) == ("done", "done")
    shutil.move(photos / "a" / "000.png", photos / "b" / "x000.png")
    changed = imgcls("checklist")
    assert "The data changed; reading them" in changed.err
    assert states(imgcls)["base.train"] == "stale"
    assert imgcls("checklist", "--strict").code == 3
    shutil.move(photos / "b" / "x000.png", photos / "a" / "000.png")
    assert states(imgcls) == before
    (photos / "a" / "001.png").touch()
    assert states(imgcls) == before
    assert states(imgcls, "--verify") == before


def test_data_that_cannot_be_remembered_are_read_and_told(imgcls, photos: Path) -> None:
    """As in a workspace that cannot be written."""
    assert imgcls("init", photos).code == 0
    assert imgcls("recipe", "run", "baseline", *SMALL).code == 0
    before = states(imgcls)
    kept = Path("runs") / DATA_JSON
    kept.unlink()
    (kept / "in the way").mkdir(parents=True)
    assert "The data changed; reading them" in imgcls("checklist").err
    assert states(imgcls) == before
    shutil.move(photos / "a" / "000.png", photos / "b" / "x000.png")
    assert states(imgcls)["base.train"] == "stale"


def test_another_split_is_another_one(imgcls, photos: Path) -> None:
    assert imgcls("init", photos).code == 0
    assert imgcls("recipe", "run", "baseline", *SMALL).code == 0
    text = Path("imgcls.toml").read_text()
    Path("imgcls.toml").write_text(text.replace("seed = 0", "seed = 5"))
    assert states(imgcls)["base.split"] == "stale"
    Path("imgcls.toml").write_text(text)
    assert states(imgcls)["base.split"] == "done"


def test_a_run_that_is_repeated_proves_its_seed_by_its_bits(imgcls, photos: Path) -> None:
    def evidence() -> str:
        items = json.loads(imgcls("checklist", "--json").out)["items"]
        return next(entry["evidence"] for entry in items if entry["id"] == "base.seed")

    assert imgcls("init", photos).code == 0
    assert imgcls("recipe", "run", "baseline", *SMALL).code == 0
    assert evidence().endswith("'--again' repeats it and compares the bits")
    assert imgcls("recipe", "run", "baseline", "--again", *SMALL).code == 0
    assert "; repeated on 20" in evidence()
    assert evidence().endswith(": equal bits")


def test_another_seed_makes_other_folds(imgcls, photos: Path) -> None:
    assert imgcls("init", photos).code == 0
    assert imgcls("recipe", "run", "baseline", "--folds", "2", *SMALL).code == 0
    text = Path("imgcls.toml").read_text()
    Path("imgcls.toml").write_text(text.replace("seed = 0", "seed = 5"))
    assert states(imgcls)["base.split"] == "stale"
    Path("imgcls.toml").write_text(text)
    assert states(imgcls)["base.split"] == "done"


def test_data_that_cannot_be_read_are_refused_where_it_is_strict(imgcls, photos: Path) -> None:
    assert imgcls("init", photos).code == 0
    assert imgcls("recipe", "run", "baseline", *SMALL).code == 0
    assert imgcls("checklist", "--strict").code == 0
    shutil.move(photos, photos.with_name("elsewhere"))
    result = imgcls("checklist", "--strict")
    assert result.code == 3
    assert "nobody can tell whether they changed" in " ".join(result.out.split())


def test_what_was_read_last_is_meant_without_a_problem(imgcls, photos: Path) -> None:
    """And the commands that are suggested name the data again."""
    run = imgcls("recipe", "run", "baseline", "--data", photos, *SMALL)
    assert run.code == 0
    line = run.out.splitlines()[-1]
    assert line.startswith("Checklist: ")
    assert line.endswith("('imgcls checklist')")  # also where it is longer than the terminal is wide
    value = json.loads(imgcls("checklist", "--json").out)
    assert value["next"][:2] == [f"imgcls init {photos}", f"imgcls eda {photos}"]
    shutil.move(photos / "a" / "000.png", photos / "b" / "x000.png")
    assert states(imgcls)["base.train"] == "stale"


def test_a_verdict_ticks_and_the_ladder_ends_with_the_status(imgcls, photos: Path) -> None:
    assert imgcls("init", photos).code == 0
    ladder = imgcls("ladder", "run", "baseline+label_smoothing", "--seeds", "2", *SMALL)
    assert ladder.code == 0
    assert ladder.out.splitlines()[-1].startswith("Checklist: ")
    assert states(imgcls)["train.loss"] == "done"
    assert imgcls("compare", "baseline", "baseline+label_smoothing").code == 0
    assert len(list(Path("reports/comparisons").glob("*.json"))) == 1
    page = imgcls("report")
    assert page.code == 0
    written = next(Path("reports").glob("*.html")).read_text(encoding="utf-8")
    assert "Where this work stands" in written
    assert "The loss was tried" in written


def test_the_status_never_fails_the_training(imgcls, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr("imgcls.checklists.checklist.evaluate", broken)
    result = imgcls("recipe", "run", "baseline", "--data", photos, *SMALL)
    assert (result.code, "Checklist: " in result.out) == (0, False)
    assert len(find_runs(Workspace(Path.cwd()))[0]) == 1


def test_a_terminal_of_ascii_and_a_pipe(process, empty_folder: Path) -> None:
    result = process("checklist", env={"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}, cwd=empty_folder)
    assert result.code == 0
    assert "[ ] The seed is fixed" in result.out
    assert "[x] done" in result.out
