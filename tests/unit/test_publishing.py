"""Publishing a ladder: rows instead of names, nothing of the machine, the same bytes again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.__main__ import benchmarks
from benchmarks.publishing import BEGIN, END, publish, read_correct, table, with_tables
from imgcls.data.source import DataSource
from imgcls.ladders.spec import RESULT_JSON, Ladder

Draw = Callable[..., Any]
FILES = ["correct.csv.gz", "ladder.json", "report.html", "report.md", "result.json"]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_images_become_rows(drawn_ladder: Draw, tmp_path: Path) -> None:
    ids = [f"secret{number}.png" for number in range(60)]
    _, workspace = drawn_ladder("baseline+cosine", n_seeds=2, n_images=60, ids=ids, n_groups=6)
    publish(workspace, None, tmp_path / "out")
    lines = read_correct(tmp_path / "out")
    assert [line["what"] for line in lines] == ["group", "baseline", "cosine", "baseline", "cosine"]
    assert {len(line["values"]) for line in lines} == {60}
    assert lines[0]["values"].max() == 5
    assert sorted(contents(tmp_path / "out")) == FILES
    assert not any(b"secret" in content for content in contents(tmp_path / "out").values())


def test_rows_say_what_the_records_got_right(drawn_ladder: Draw, tmp_path: Path) -> None:
    _, workspace = drawn_ladder("baseline+cosine", n_seeds=1, n_images=60, classes=("a", "b", "c"))
    publish(workspace, None, tmp_path / "out")
    result = json.loads((tmp_path / "out" / RESULT_JSON).read_text())
    for line, rung in zip(read_correct(tmp_path / "out"), result["rungs"], strict=True):
        assert line["what"] == rung["label"]
        assert line["values"].mean() == pytest.approx(rung["score"]["value"])


def test_each_fold_has_its_rows_and_groups(drawn_ladder: Draw, tmp_path: Path) -> None:
    _, workspace = drawn_ladder("baseline+cosine", n_seeds=1, n_folds=5, n_images=20, n_groups=4)
    publish(workspace, None, tmp_path / "out")
    lines = read_correct(tmp_path / "out")
    assert [line["fold"] for line in lines if line["what"] == "group"] == [0, 1, 2, 3, 4]
    assert sum(line["what"] == "cosine" for line in lines) == 5
    assert all(np.array_equal(np.unique(line["values"]), range(4)) for line in lines if line["what"] == "group")


def test_runs_that_are_missing_stay_missing(drawn_ladder: Draw, tmp_path: Path) -> None:
    _, workspace = drawn_ladder("baseline+cosine", n_seeds=3, missing=frozenset({(1, 2)}))
    publish(workspace, None, tmp_path / "published" / "drawn")
    places = {(line["what"], line["seed"]) for line in read_correct(tmp_path / "published" / "drawn")}
    assert places == {("baseline", 0), ("baseline", 1), ("baseline", 2), ("cosine", 0), ("cosine", 1)}
    text = with_tables(f"before\n{BEGIN}\nold\n{END}\nafter\n", tmp_path / "published")
    assert "3 seeds, 5 of 6 runs" in text
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")


def test_a_rung_without_runs_has_no_figures(drawn_ladder: Draw, tmp_path: Path) -> None:
    _, workspace = drawn_ladder("baseline+cosine", n_seeds=2, n_folds=5, missing=frozenset({(1, 0), (1, 1)}))
    publish(workspace, None, tmp_path / "published" / "drawn")
    text = table(tmp_path / "published")
    assert "2 seeds, 5 folds, 10 of 20 runs" in text
    assert text.splitlines()[-1] == "| cosine | - |  |  |  |  | - |"


@pytest.mark.parametrize("n_folds", [None, 2])
def test_what_cannot_be_told_is_said(drawn_ladder: Draw, tmp_path: Path, n_folds: int | None) -> None:
    _, workspace = drawn_ladder("baseline+cosine", n_seeds=1, n_folds=n_folds)
    publish(workspace, None, tmp_path / "published" / "drawn")
    assert table(tmp_path / "published").splitlines()[-1].count("| cannot tell |") == 2


@pytest.mark.parametrize("drawn", [{"n_images": 1}, {"n_groups": 1}])
def test_no_interval_is_shown_where_there_is_none(drawn_ladder: Draw, tmp_path: Path, drawn: dict[str, int]) -> None:
    _, workspace = drawn_ladder("baseline+cosine", n_seeds=2, **drawn)
    publish(workspace, None, tmp_path / "published" / "drawn")
    row = table(tmp_path / "published").splitlines()[-1]
    assert row.count("| cannot tell |") == 2
    assert "[" not in row


def test_nothing_tells_where_it_was_run(drawn_ladder: Draw, tmp_path: Path) -> None:
    ladder, workspace = drawn_ladder("baseline+cosine", n_seeds=2, failed=frozenset({(1, 1)}))
    replace(ladder, data=DataSource("/secret/photos", images="/secret/elsewhere", split_seed=7)).write(workspace)
    lost = f"Training failed: {workspace.root}/runs, {Path.home()}/weights and /secret/photos/1 are full"
    for path in [*workspace.failed.glob("*/run.json"), *workspace.runs.glob("*/run.json")]:
        record = json.loads(path.read_text())
        record["environment"]["platform"] = "Linux-secret"
        record["reason"] = lost if record["reason"] else None
        path.write_text(json.dumps(record))
    publish(workspace, None, tmp_path / "out")
    texts = {name: content for name, content in contents(tmp_path / "out").items() if not name.endswith(".gz")}
    assert b".../runs, .../weights and .../1 are full" in texts[RESULT_JSON]
    for place in (str(workspace.root), str(Path.home()), "secret"):
        assert not any(place.encode() in text for text in texts.values())
    assert Ladder.read(tmp_path / "out").data == DataSource(split_seed=7)


def test_the_same_ladder_is_the_same_bytes_at_any_time(
    drawn_ladder: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, workspace = drawn_ladder("baseline+cosine", n_seeds=2)
    publish(workspace, None, tmp_path / "once")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 86400)
    publish(workspace, None, tmp_path / "again")
    assert contents(tmp_path / "once") == contents(tmp_path / "again")


def test_a_readme_without_marks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs the marks"):
        with_tables("no marks", tmp_path)


def test_the_command_publishes_a_named_ladder(drawn_ladder: Draw, tmp_path: Path) -> None:
    _, workspace = drawn_ladder("baseline+cosine", n_seeds=2)
    command = ["ladders", "publish", str(workspace.root), "drawn", "--to", str(tmp_path / "out")]
    found = CliRunner().invoke(benchmarks, command, catch_exceptions=False)
    assert found.exit_code == 0
    assert "Wrote drawn to" in found.output
    assert sorted(contents(tmp_path / "out")) == FILES
