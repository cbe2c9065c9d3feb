"""`imgcls init`: a problem written down from a look at the data."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from imgcls.config.problem import edit_problem, read_problem
from imgcls.records.run import RunRecord

Draw = Callable[..., Path]
SMALL = ("--model", "simple_cnn", "--weights", "none", "--size", "24", "--epochs", "1")


@pytest.fixture
def table(tmp_path: Path, draw_photos: Draw) -> Path:
    """A folder with a table, a test list, a sample and metadata."""
    folder = tmp_path / "kaggle"
    draw_photos(folder, {"images": 12})
    names = [f"{number:03d}" for number in range(12)]
    rows = [f"{name},{('red', 'blue')[row % 2]},s{row % 3}" for row, name in enumerate(names[:8])]
    (folder / "train.csv").write_text("\n".join(["image_id,label,site", *rows]) + "\n")
    (folder / "test.csv").write_text("\n".join(["image_id", *names[8:]]) + "\n")
    (folder / "sample_submission.csv").write_text("image_id,label\n008,red\n")
    (folder / "meta.csv").write_text("\n".join(["image_id,sender", *(f"{name},x" for name in names)]) + "\n")
    return folder


def tree(folder: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
        for path in [folder, *folder.rglob("*")]
    }


def trained(imgcls: Callable[..., Any], *options: str) -> RunRecord:
    """Train a small baseline, and give its record."""
    result = imgcls("recipe", "run", "baseline", *options, *SMALL, "--json")
    assert result.code == 0, result.err
    return RunRecord.read(Path(json.loads(result.out)["path"]))


def test_a_table_is_understood_and_nothing_is_written_beside_it(imgcls, table: Path, empty_folder: Path) -> None:
    before = tree(table)
    result = imgcls("init", table)
    assert result.code == 0
    assert tree(table) == before
    problem = read_problem(empty_folder / "imgcls.toml")
    assert (problem.type, problem.metric) == ("binary", "roc_auc")
    data = problem.data
    assert (data.images, data.id, data.label, data.test) == ("images", "image_id", "label", "test.csv")
    assert (data.sample_submission, data.metadata) == ("sample_submission.csv", ("meta.csv",))
    assert (empty_folder / (data.source or "")).resolve() == table
    assert not Path(data.source or "/").is_absolute()
    assert (problem.split.fraction, problem.split.seed) == (0.2, 0)
    for words in (
        "kaggle: 12 photographs, binary: blue, red.",
        "sample submission",
        "imgcls eda    # look at the data",
    ):
        assert words in result.out
    assert max(len(line) for line in result.out.splitlines() if "imgcls.toml" not in line) <= 80, "a path stays whole"


def test_every_flag_is_written(imgcls, table: Path, tmp_path: Path) -> None:
    place = tmp_path / "other"
    flags = "--title T --goal G --background B --metric log_loss --type binary --label label --id image_id --group site"
    more = "--valid 0.3 --split-seed 4 --test none --sample-submission s.csv --metadata m.csv --images images"
    (table / "m.csv").write_text("image_id,a\n000,1\n")
    result = imgcls("init", table / "train.csv", *flags.split(), *more.split(), "--out", place, "--json")
    assert result.code == 0, result.err
    told: dict[str, Any] = json.loads(result.out)
    problem = read_problem(place / "imgcls.toml")
    assert told["problem"] == problem.model_dump(mode="json", by_alias=True)
    assert (problem.title, problem.goal, problem.background, problem.metric) == ("T", "G", "B", "log_loss")
    assert (problem.split.fraction, problem.split.seed, problem.split.group) == (0.3, 4, "site")
    assert (problem.data.test, problem.data.sample_submission, problem.data.metadata) == ("none", "s.csv", ("m.csv",))
    assert {entry["role"] for entry in told["files"]} >= {"photographs", "labels", "metadata"}


def test_without_data_the_default_ones_are_meant(imgcls, empty_folder: Path) -> None:
    pytest.importorskip("elpv_dataset")
    assert imgcls("init").code == 0
    assert read_problem(empty_folder / "imgcls.toml").data.source == "elpv"


def test_a_set_that_would_be_fetched_is_not(imgcls, empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = imgcls("init", "torchvision:Flowers102")
    assert result.code == 0
    assert "was not looked at" in result.out
    assert read_problem(empty_folder / "imgcls.toml").data.source == "torchvision:Flowers102"


def test_a_problem_that_is_there_is_not_written_over(imgcls, draw_photos: Draw, tmp_path: Path) -> None:
    photos = draw_photos(tmp_path / "photos", {"a": 4, "b": 4})
    assert imgcls("init", photos, "--title", "mine").code == 0
    again = imgcls("init", photos, "--title", "other")
    assert again.code == 2
    assert "--force" in again.err
    assert read_problem(Path("imgcls.toml")).title == "mine"
    edit_problem(
        Path("imgcls.toml"), {"goal": "tell them apart", "skipped.train.loss": "no time", "metric": "log_loss"}
    )
    assert imgcls("init", photos, "--title", "other", "--force").code == 0
    problem = read_problem(Path("imgcls.toml"))
    assert (problem.title, problem.goal, problem.skipped) == ("other", "tell them apart", {"train.loss": "no time"})
    assert problem.metric == "roc_auc", "what the data say is seen anew"
    Path("imgcls.toml").write_text("[damaged")
    assert imgcls("init", photos, "--force").code == 0
    assert read_problem(Path("imgcls.toml")).title == ""


def test_a_split_that_is_given_is_not_drawn(imgcls, split_folder: Path, empty_folder: Path) -> None:
    assert imgcls("init", split_folder).code == 0
    assert "[split]" not in (empty_folder / "imgcls.toml").read_text()


def test_a_link_is_not_written_through(imgcls, draw_photos: Draw, tmp_path: Path, empty_folder: Path) -> None:
    photos = draw_photos(tmp_path / "photos", {"a": 4, "b": 4})
    target = tmp_path / "target.toml"
    target.write_text("")
    (empty_folder / "imgcls.toml").symlink_to(target)
    assert imgcls("init", photos, "--force").code == 2
    assert target.read_text() == ""


def test_photographs_are_no_place_for_it(imgcls, draw_photos: Draw, empty_folder: Path) -> None:
    draw_photos(empty_folder, {"a": 4, "b": 4})
    result = imgcls("init", ".")
    assert result.code == 2
    assert "inside the photographs" in result.err
    assert not (empty_folder / "imgcls.toml").exists()


def test_a_table_says_what_are_photographs_so_it_may_lie_there(
    imgcls, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(table)
    assert imgcls("init", ".").code == 0
    assert read_problem(table / "imgcls.toml").data.source == "."


@pytest.mark.parametrize("kind", ["missing", "empty", "file"])
def test_data_that_cannot_be_are_refused(imgcls, kind: str, tmp_path: Path, empty_folder: Path) -> None:
    place = tmp_path / "data"
    if kind == "empty":
        place.mkdir()
    elif kind == "file":
        place.write_text("hello")
    result = imgcls("init", place)
    assert (result.code, result.out) == (2, "")
    assert str(place) in result.err
    assert not (empty_folder / "imgcls.toml").exists()


def test_one_photograph_is_a_beginning(imgcls, draw_photos: Draw, tmp_path: Path, empty_folder: Path) -> None:
    """That nothing can be trained on it is told by 'imgcls eda'."""
    assert imgcls("init", draw_photos(tmp_path / "photos", {"a": 1})).code == 0
    assert read_problem(empty_folder / "imgcls.toml").type == "multiclass"


def test_a_place_that_cannot_be_written_is_told(imgcls, draw_photos: Draw, tmp_path: Path) -> None:
    photos = draw_photos(tmp_path / "photos", {"a": 4, "b": 4})
    (tmp_path / "in the way").write_text("")
    result = imgcls("init", photos, "--out", tmp_path / "in the way" / "below")
    assert result.code == 2
    assert "Cannot write imgcls.toml" in result.err


def test_a_terminal_is_asked_and_a_pipe_is_not(
    imgcls, draw_photos: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = draw_photos(tmp_path / "photos", {"a": 4, "b": 4})
    asked: list[str] = []

    def answer(question: str, **options: Any) -> str:
        asked.append(question)
        return {"Title: a short name": "Mine", "Metric (the data look binary)": "accuracy"}.get(question, "")

    monkeypatch.setattr(click, "prompt", answer)
    assert imgcls("init", photos).code == 0
    assert asked == []
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    assert imgcls("init", photos, "--force", "--goal", "G").code == 0
    assert asked == [
        "Title: a short name",
        "Background: where the photographs come from",
        "Metric (the data look binary)",
    ]
    problem = read_problem(Path("imgcls.toml"))
    assert (problem.title, problem.goal, problem.metric) == ("Mine", "G", "accuracy")
    assert imgcls("init", photos, "--force", "--yes").code == 0
    assert len(asked) == 3


def test_hostile_names_are_inert(imgcls, draw_photos: Draw, tmp_path: Path) -> None:
    names = ("[bold]x[/bold]", "\x1b[2Jy", ":smile:", "a" * 200)
    photos = draw_photos(tmp_path / "photos", dict.fromkeys(names, 2))
    result = imgcls("init", photos)
    assert result.code == 0
    assert "\x1b" not in result.out
    assert "[bold]x[/bold]" in result.out
    assert ":smile:" in result.out
    assert read_problem(Path("imgcls.toml")).type == "multiclass"


def test_every_command_takes_data_split_and_metric_from_it(imgcls, draw_photos: Draw, tmp_path: Path) -> None:
    """Flags win, and other data are refused."""
    photos = draw_photos(tmp_path / "photos", {"a": 12, "b": 12})
    other = draw_photos(tmp_path / "other", {"a": 12, "b": 12})
    assert imgcls("init", photos, "--valid", "0.25", "--metric", "log_loss").code == 0
    run = trained(imgcls)
    assert run.data.n == {"train": 18, "valid": 6, "test": 0, "excluded": 0}
    assert trained(imgcls, "--valid", "0.5").data.n["valid"] == 12
    assert trained(imgcls, "--split-seed", "3").data.split_digest != run.data.split_digest
    refused = imgcls("recipe", "run", "baseline", "--data", other, *SMALL, "--json")
    assert refused.code == 2
    assert "A workspace holds one data set" in refused.err
    assert trained(imgcls, "--data", os.path.relpath(photos)).key == run.key
    shown = imgcls("recipe", "run", "baseline", *SMALL)
    assert shown.out.index("Log loss") < shown.out.index("ROC AUC")
    ladder = imgcls("ladder", "run", "baseline+label_smoothing", "--seeds", "2", *SMALL, "--json")
    assert json.loads(ladder.out)["metric"] == "log_loss"
    assert json.loads(ladder.out)["data"]["digest"] == run.data.digest


def test_a_type_that_the_data_contradict_is_an_error(imgcls, draw_photos: Draw, tmp_path: Path) -> None:
    photos = draw_photos(tmp_path / "photos", {"a": 4, "b": 4, "c": 4})
    assert imgcls("init", photos).code == 0
    text = Path("imgcls.toml").read_text()
    Path("imgcls.toml").write_text(text.replace('type = "multiclass"', 'type = "binary"'))
    result = imgcls("recipe", "run", "baseline", "--quick")
    assert result.code == 2
    assert "binary" in result.err
    assert "there are 3" in result.err
    assert "type in imgcls.toml" in result.err


def test_a_damaged_problem_stops_every_command_before_any_work(imgcls, draw_photos: Draw, tmp_path: Path) -> None:
    draw_photos(tmp_path / "photos", {"a": 4, "b": 4})
    Path("imgcls.toml").write_text("[data\n")
    for command in (["recipe", "run", "baseline"], ["eda"], ["ladder", "run", "baseline+tta_flips"]):
        result = imgcls(*command)
        assert result.code == 2, command
        assert "imgcls.toml, line 1" in result.err
    assert not Path("runs").exists()


def test_findings_are_followed_by_runs_and_ladders(imgcls, draw_photos: Draw, tmp_path: Path) -> None:
    """What is left out is not trained on, and what is grouped stays together; the key of the run is another one."""
    photos = draw_photos(tmp_path / "photos", {"a": 12, "b": 12})
    assert imgcls("init", photos).code == 0
    before = trained(imgcls)
    Path("findings.toml").write_text(
        'schema = 1\n[[excluded]]\nimages = ["a/000.png"]\nfinding = "x"\nwhy = "y"\n'
        '[[grouped]]\nimages = ["a/001.png", "b/001.png", "b/002.png"]\nfinding = "x"\nwhy = "y"\n'
    )
    after = trained(imgcls)
    assert after.data.n["excluded"] == 1
    assert after.key != before.key
    result = imgcls("ladder", "run", "baseline+label_smoothing", "--seeds", "2", *SMALL, "--json")
    assert result.code == 0, result.err
    ladder = json.loads(result.out)
    assert ladder["data"]["digest"] == after.data.digest
    Path("findings.toml").unlink()
    assert trained(imgcls).key == before.key
