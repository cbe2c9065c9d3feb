"""`imgcls submit` as a person meets it: from records alone, without deep learning."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from imgcls.predictions.submission import find_submissions
from imgcls.records.run import LostTest, RunRecord
from imgcls.workspace import Workspace


@pytest.fixture
def tested(drawn_ladder) -> Callable[..., tuple[list[RunRecord], Workspace]]:
    """Draw a ladder of two runs, and give the first so many of them predictions of a test part."""

    def draw(n: int = 2, ids: tuple[str, ...] = ("t1.png", "t2.png")) -> tuple[list[RunRecord], Workspace]:
        _, workspace = drawn_ladder("baseline+augmentation", n_seeds=1)
        records = [RunRecord.read(path.parent) for path in sorted(workspace.runs.glob("*/run.json"))]
        for place, record in enumerate(records[:n]):
            frame = pd.DataFrame({"id": list(ids), "p_cat": [0.9, 0.25], "p_dog": [0.1, 0.75]})
            frame.to_parquet(record.folder / "test.parquet", index=False)
            records[place] = replace(record, created=f"2026-11-24T1{place}:00:00+00:00").write(record.folder)
        return records, workspace

    return draw


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_the_newest_run_is_written_with_a_note_of_what_it_came_from(imgcls, tested) -> None:
    records, workspace = tested()
    result = imgcls("submit", "--out", workspace.root)
    assert (result.code, result.err) == (0, "")
    newest = records[-1]
    file = workspace.submissions / f"{newest.id}.csv"
    assert rows(file) == [
        ["id", "label", "p_cat", "p_dog"],
        ["t1.png", "cat", "0.9", "0.1"],
        ["t2.png", "dog", "0.25", "0.75"],
    ]
    assert newest.label in result.out
    assert str(file) in result.out
    assert "imgcls checklist" in result.out
    ((submission,), _) = find_submissions(workspace)
    assert (submission.run, submission.key, submission.stack) == (newest.id, newest.key, newest.label)
    assert (submission.plan_digest, submission.data_digest) == (newest.plan_digest, newest.data.digest)
    assert submission.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (submission.n_rows, submission.sample, submission.is_whole()) == (2, None, True)


def test_a_sample_gives_the_form(imgcls, tested, tmp_path) -> None:
    records, workspace = tested()
    sample = tmp_path / "sample_submission.csv"
    sample.write_text("name,target\nt2.png,0.5\nt1.png,0.5\n")
    result = imgcls("submit", records[0].id, "--sample", sample, "--out", workspace.root, "--json")
    said = json.loads(result.out)
    assert rows(Path(said["path"])) == [["name", "target"], ["t2.png", "0.75"], ["t1.png", "0.1"]]
    assert (said["probability_of"], said["sample"], said["holds"]) == ("dog", "sample_submission.csv", "probabilities")
    sample.write_text("name,target\nt2.png,0.5\nt3.png,0.5\n")
    wrong = imgcls("submit", records[0].id, "--sample", sample, "--out", workspace.root)
    assert wrong.code == 2
    assert "'t3.png'" in wrong.err
    assert "'t1.png'" in wrong.err


def test_a_test_photograph_that_was_not_predicted_has_a_row(imgcls, tested, tmp_path) -> None:
    records, workspace = tested()
    record = records[-1]
    data = replace(
        record.data, excluded=(("test/t0.png", "truncated"),), lost_test=(LostTest("t0.png", 0, "truncated"),)
    )
    replace(record, data=data).write(record.folder)
    refused = imgcls("submit", "--out", workspace.root, "--strict", "--json")
    assert refused.code == 3
    assert json.loads(refused.out)["filled"] == {"t0.png": "truncated"}
    assert not list(workspace.submissions.glob("*"))
    result = imgcls("submit", "--out", workspace.root, "--json")
    assert result.code == 0
    assert "1 of 3 test photographs could not be predicted: 1 truncated" in result.err
    said = json.loads(result.out)
    assert said["filled"] == {"t0.png": "truncated"}
    assert rows(Path(said["path"]))[1:] == [
        ["t0.png", "cat", "0.575", "0.425"],
        ["t1.png", "cat", "0.9", "0.1"],
        ["t2.png", "dog", "0.25", "0.75"],
    ]
    ((submission,), _) = find_submissions(workspace)
    assert dict(submission.filled) == {"t0.png": "truncated"}
    assert imgcls("submit", records[0].id, "--out", workspace.root, "--strict").code == 0


def test_a_test_part_of_which_nothing_can_be_read_has_the_shares_of_the_classes(imgcls, tested, tmp_path) -> None:
    records, workspace = tested(0)
    record = records[-1]
    lost = tuple(LostTest(f"t{place}.png", place, "truncated") for place in range(3))
    replace(record, data=replace(record.data, lost_test=lost)).write(record.folder)
    refused = imgcls("submit", "--out", workspace.root, "--strict", "--json")
    assert (refused.code, len(json.loads(refused.out)["filled"])) == (3, 3)
    assert not list(workspace.submissions.glob("*"))
    for sample in (None, "name,target\nt2.png,0.5\nt0.png,0.5\nt1.png,0.5\n"):
        (tmp_path / "sample.csv").write_text(sample or "")
        given = ("--sample", tmp_path / "sample.csv", "--force") if sample else ()
        result = imgcls("submit", record.id, "--out", workspace.root, "--json", *given)
        assert result.code == 0
        assert "Rows filled with the shares of the classes in validation: 3" in " ".join(result.err.split())
        _, *written = rows(Path(json.loads(result.out)["path"]))
        labels = record.predictions("valid")["label"]
        share = (labels == "dog").mean()
        assert [float(row[-1]) for row in written] == pytest.approx([share] * 3)
        assert [row[0] for row in written] == (
            ["t2.png", "t0.png", "t1.png"] if sample else ["t0.png", "t1.png", "t2.png"]
        )
    assert imgcls("submit", records[0].id, "--out", workspace.root).code == 2  # it has no test part at all


def test_a_record_of_before_finds_what_the_sample_asks_for_among_what_it_left_out(imgcls, tested, tmp_path) -> None:
    records, workspace = tested()
    record = records[-1]
    excluded = (("test/t0.png", "truncated"), ("train/a.png", "empty file"))
    replace(record, data=replace(record.data, excluded=excluded)).write(record.folder)
    sample = tmp_path / "sample_submission.csv"
    sample.write_text("id,label\nt2,cat\nt0,cat\nt1,cat\n")
    result = imgcls("submit", "--sample", sample, "--out", workspace.root, "--json")
    assert rows(Path(json.loads(result.out)["path"])) == [["id", "label"], ["t2", "dog"], ["t0", "cat"], ["t1", "cat"]]
    assert json.loads(result.out)["filled"] == {"test/t0.png": "truncated"}
    sample.write_text("id,label\nt2,cat\nt9,cat\nt1,cat\n")
    assert imgcls("submit", "--sample", sample, "--out", workspace.root).code == 2


def test_zeros_everywhere_take_probabilities_where_they_are_ranked(imgcls, tested, tmp_path) -> None:
    _, workspace = tested()
    sample = tmp_path / "sample_submission.csv"
    sample.write_text("id,target\nt1,0\nt2,0\n")
    shown = imgcls("submit", "--sample", sample, "--out", workspace.root)
    assert "The metric is ROC AUC, so these are probabilities" in " ".join(shown.out.split())
    said = json.loads(imgcls("submit", "--sample", sample, "--out", workspace.root, "--json").out)
    assert (said["holds"], said["probability_of"]) == ("probabilities", "dog")
    assert "--classes" in said["note"]


def test_another_content_is_not_written_over(imgcls, tested) -> None:
    _, workspace = tested()
    assert imgcls("submit", "--out", workspace.root).code == 0
    assert imgcls("submit", "--out", workspace.root).code == 0
    other = imgcls("submit", "--probabilities", "--out", workspace.root)
    assert other.code == 2
    assert "--force" in other.err
    assert imgcls("submit", "--probabilities", "--force", "--out", workspace.root).code == 0
    ((submission,), _) = find_submissions(workspace)
    assert submission.holds == "probabilities"
    assert submission.is_whole()
    submission.path.write_text("changed")
    assert not submission.is_whole()


def test_another_place_is_found_again(imgcls, tested, tmp_path) -> None:
    _, workspace = tested()
    for to in (workspace.root / "mine.csv", tmp_path / "elsewhere" / "mine.csv"):
        assert imgcls("submit", "--to", to, "--out", workspace.root).code == 0
        ((submission,), _) = find_submissions(workspace)
        assert submission.path.resolve() == to
    for to, words in (
        (workspace.runs / "mine.csv", "among the records"),
        (tmp_path / "mine.txt", "has to end in .csv"),
    ):
        result = imgcls("submit", "--to", to, "--out", workspace.root)
        assert result.code == 2
        assert words in result.err


@pytest.mark.parametrize("name", ["../../victim/settings", "/victim", "..", "a/../../../victim/settings"])
def test_a_record_that_names_a_path_writes_nothing(imgcls, tested, tmp_path, name) -> None:
    records, workspace = tested(1)
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "settings.json").write_text("{}")
    path = records[0].folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"id": name}))
    before = sorted(tmp_path.rglob("*"))
    for words in (("submit",), ("submit", records[0].folder)):
        result = imgcls(*words, "--force", "--out", workspace.root)
        assert (result.code, result.out) == (2, "")
    assert "id must be the id of a run" in result.err
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "victim" / "settings.json").read_text() == "{}"


@pytest.mark.parametrize("what", ["no note", "note of another", "newer", "folder", "link", "link to nothing"])
def test_what_is_no_note_of_this_run_is_never_replaced(imgcls, tested, tmp_path, what) -> None:
    records, workspace = tested()
    note = workspace.submissions / f"{records[-1].id}.json"
    workspace.submissions.mkdir()
    outside = tmp_path / "settings.json"
    if what == "no note":
        note.write_text('{"precious": true}')
    elif what == "folder":
        note.mkdir()
    elif what.startswith("link"):
        note.symlink_to(outside)
        if what == "link":
            outside.write_text('{"precious": true}')
    else:
        assert imgcls("submit", records[0].id, "--out", workspace.root).code == 0
        text = (workspace.submissions / f"{records[0].id}.json").read_text()
        note.write_text(text if what == "note of another" else text.replace('"schema": 1', '"schema": 2'))
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    for words in ((), ("--force",), ("--to", tmp_path / "mine.csv")):
        result = imgcls("submit", *words, "--out", workspace.root)
        assert result.code == 2
        assert str(note) in result.err
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_a_table_that_is_a_link_out_of_the_folder_is_not_written_through(imgcls, tested, tmp_path) -> None:
    records, workspace = tested()
    workspace.submissions.mkdir()
    file, outside = workspace.submissions / f"{records[-1].id}.csv", tmp_path / "mine.csv"
    outside.write_text("precious")
    file.symlink_to(outside)
    result = imgcls("submit", "--force", "--out", workspace.root)
    assert (result.code, outside.read_text()) == (2, "precious")
    assert "leads out of" in result.err


def test_the_folder_of_submissions_may_lie_elsewhere(imgcls, tested, tmp_path) -> None:
    _, workspace = tested()
    (tmp_path / "elsewhere").mkdir()
    workspace.submissions.symlink_to(tmp_path / "elsewhere")
    for _ in range(2):
        assert imgcls("submit", "--out", workspace.root).code == 0
    assert len(list((tmp_path / "elsewhere").iterdir())) == 2


def test_a_run_without_a_test_part_says_how_to_get_one(imgcls, tested, tmp_path) -> None:
    records, workspace = tested(1)
    result = imgcls("submit", records[1].id, "--out", workspace.root)
    assert result.code == 2
    assert "has no predictions of a test part" in result.err
    assert "test.csv" in result.err
    named = json.loads(imgcls("submit", "--out", workspace.root, "--json").out)
    assert named["run"] == records[0].id
    assert "imgcls recipe run baseline" in imgcls("submit", "--out", tmp_path / "empty").err


def test_trials_have_to_be_named(imgcls, tested) -> None:
    (first, second), workspace = tested()
    replace(second, quick=True).write(second.folder)
    assert json.loads(imgcls("submit", "--out", workspace.root, "--json").out)["run"] == first.id
    assert "a quick run" in imgcls("submit", second.id, "--out", workspace.root).out


def test_damaged_predictions_are_not_handed_in(imgcls, tested) -> None:
    records, workspace = tested()
    path = records[-1].folder / "test.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    result = imgcls("submit", "--out", workspace.root)
    assert result.code == 2
    assert "another content than recorded" in result.err
    assert find_submissions(workspace) == ([], [])


def test_damaged_notes_are_told_apart(imgcls, tested) -> None:
    _, workspace = tested()
    assert find_submissions(workspace) == ([], [])
    imgcls("submit", "--out", workspace.root)
    for name, text in (("a", "{"), ("b", "{}"), ("c", '{"schema": 2}'), ("d", "[]")):
        (workspace.submissions / f"{name}.json").write_text(text)
    found, damaged = find_submissions(workspace)
    assert len(found) == 1
    assert [Path(message.split(" ")[0]).name for message in damaged] == ["a.json", "b.json", "c.json", "d.json"]


def test_names_from_data_are_inert(imgcls, tested) -> None:
    hostile = ("=cmd|' /C calc'!A0", "[red]\x1b[31m.png")
    _, workspace = tested(ids=hostile)
    result = imgcls("submit", "--out", workspace.root)
    assert "\x1b" not in result.out
    ((submission,), _) = find_submissions(workspace)
    assert [row[0] for row in rows(submission.path)[1:]] == list(hostile)


def test_it_loads_no_deep_learning(tested) -> None:
    _, workspace = tested()
    code = (
        "import sys\n"
        "from imgcls.cli.app import _run\n"
        f"code = _run(['submit', '--out', {str(workspace.root)!r}])\n"
        "print('LOADED', sorted({'torch', 'fastai', 'timm'} & set(sys.modules)), file=sys.stderr)\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "LOADED []" in done.stderr


def test_the_sample_of_the_problem_gives_the_form(imgcls, tested) -> None:
    """Named in imgcls.toml, once for all submissions; --sample wins."""
    _, workspace = tested()
    (workspace.root / "imgcls.toml").write_text('[data]\nsource = "elpv"\nsample_submission = "sample.csv"\n')
    (workspace.root / "sample.csv").write_text("file,label\nt2.png,cat\nt1.png,cat\n")
    (workspace.root / "other.csv").write_text("name,label\nt1.png,cat\nt2.png,cat\n")
    assert imgcls("submit", "--out", workspace.root).code == 0
    file = next(workspace.submissions.glob("*.csv"))
    assert rows(file) == [["file", "label"], ["t2.png", "dog"], ["t1.png", "cat"]]
    assert imgcls("submit", "--out", workspace.root, "--sample", workspace.root / "other.csv", "--force").code == 0
    assert rows(file)[0] == ["name", "label"]
