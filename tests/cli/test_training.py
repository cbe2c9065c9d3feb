"""`recipe run` and what follows it, on drawn photographs."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.train

SMALL = ("--model", "simple_cnn", "--size", "24", "--epochs", "2", "--batch-size", "8")


def test_a_run_ends_with_scores_meaning_place_and_next_command(imgcls, photos: Path) -> None:
    result = imgcls("recipe", "run", "baseline", "--data", photos, *SMALL)
    assert result.code == 0, result.err
    run = next(Path("runs").glob("baseline-s0-*"))
    for part in ("ROC AUC", "95 % interval", "What it means", "Record", "Next", str(run.absolute())):
        assert part in result.out
    assert "imgcls recipe run baseline+augmentation" in result.out
    assert "epoch 2: train loss" in result.err
    assert "the answer that needs no photograph" in result.out or "does not settle it" in result.out


def test_json_is_one_object_with_what_programs_need(imgcls, photos: Path) -> None:
    result = imgcls("recipe", "run", "baseline", "--data", photos, *SMALL, "--json")
    found = json.loads(result.out)
    assert set(found) >= {
        "schema", "run", "path", "stack", "seed", "digest", "metrics", "n", "seconds", "images_per_second", "reused"
    }  # fmt: skip
    assert found["n"] == {"train": 32, "valid": 8, "test": 0, "excluded": 0}
    assert set(found["metrics"]["accuracy"]) == {"value", "low", "high", "n", "reason"}
    assert found["metrics"]["accuracy"]["n"] == 8
    assert {"total", "train"} <= set(found["seconds"])
    assert Path(found["path"], "run.json").is_file()
    again = json.loads(imgcls("recipe", "run", "baseline", "--data", photos, *SMALL, "--json").out)
    assert again["reused"] is True
    assert again["run"] == found["run"]
    anew = json.loads(imgcls("recipe", "run", "baseline", "--data", photos, *SMALL, "--again", "--json").out)
    assert anew["same_bits"] == {"weights.safetensors": True, "valid.parquet": True}


def test_folds_end_with_a_line_each_the_spread_and_what_it_means(imgcls, photos: Path) -> None:
    result = imgcls("recipe", "run", "baseline", "--data", photos, *SMALL, "--folds", "3")
    assert result.code == 0, result.err
    for fold in range(3):
        assert f"Fold {fold} ({fold + 1} of 3) done: ROC AUC" in result.err
    text = " ".join(result.out.split())
    for part in ("out of fold", "mean of folds ± spread", "3 folds: 3 done in", "are not independent", "40"):
        assert part in text
    (whole,) = Path("runs").glob("baseline-s0-oof3-*")
    assert str(whole.absolute()) in result.out
    assert len(list(Path("runs").glob("baseline-s0-f[012]-*"))) == 3
    listed = imgcls("runs", "list").out
    assert "(all 3 folds)" in " ".join(listed.split())
    shown = imgcls("runs", "show", "baseline").out  # the stack means all of its folds
    assert "out of fold" in shown
    refused = imgcls("predict", "baseline", photos / "dark")
    assert refused.code == 2
    assert "Name one of its folds" in refused.err
    assert imgcls("predict", next(Path("runs").glob("baseline-s0-f0-*")), photos / "dark").code == 0
    suspects = json.loads(imgcls("runs", "suspects", whole, "--json").out)
    assert (suspects["run"], suspects["n"]) == (whole.name, 40)
    assert Path(suspects["path"]).is_file()
    alone = imgcls("runs", "suspects", next(Path("runs").glob("baseline-s0-f0-*")))
    assert (alone.code, "--folds 5" in alone.err) == (2, True)


def test_folds_for_programs(imgcls, photos: Path) -> None:
    arguments = ("recipe", "run", "baseline", "--data", photos, *SMALL, "--folds", "2", "--json")
    found = json.loads(imgcls(*arguments).out)
    assert (found["fold"], found["n_folds"], found["reused"]) == (None, 2, False)
    assert [(entry["fold"], entry["n_folds"]) for entry in found["folds"]] == [(0, 2), (1, 2)]
    assert found["metrics"]["accuracy"]["n"] == 40
    assert found["spread"]["accuracy"].keys() == {"mean", "sd", "n"}
    shown = json.loads(imgcls("runs", "show", found["run"], "--json").out)
    assert [entry["run"] for entry in shown["folds"]["runs"]] == [entry["run"] for entry in found["folds"]]
    assert shown["status"] == "done"
    listed = json.loads(imgcls("runs", "list", "--json").out)["runs"]
    assert [entry["folds"] for entry in listed if entry["folds"]] == [[entry["run"] for entry in found["folds"]]]
    again = json.loads(imgcls(*arguments).out)
    assert again["reused"]
    assert all(entry["reused"] for entry in again["folds"])


def test_the_metric_of_the_problem_is_recorded_and_checked_first(imgcls, photos: Path) -> None:
    """A fold that was trained before it was chosen has it not, and is shown all the same."""
    assert imgcls("init", photos, "--yes", "--metric", "top_k:k=1").code == 2
    assert imgcls("init", photos, "--yes", "--metric", "mcc").code == 0
    file = Path("imgcls.toml")
    file.write_text(file.read_text().replace('"mcc"', '"sensitivity:class=blue"'))
    refused = imgcls("recipe", "run", "baseline", *SMALL)
    assert (refused.code, list(Path("runs").glob("*/run.json"))) == (2, [])
    assert "there is no class 'blue'" in refused.err
    file.write_text(file.read_text().replace('"sensitivity:class=blue"', '"mcc"'))
    folds = ("recipe", "run", "baseline", *SMALL, "--folds", "2")
    found = json.loads(imgcls(*folds, "--json").out)
    assert {"mcc"} <= found["metrics"].keys() & found["spread"].keys() & found["folds"][1]["metrics"].keys()
    assert "MCC" in imgcls("runs", "list").out
    file.write_text(file.read_text().replace('"mcc"', '"f_beta:beta=2"'))
    assert imgcls("runs", "rm", found["run"], found["folds"][1]["run"], "--yes").code == 0
    whole = imgcls(*folds)
    assert whole.code == 0, whole.err
    assert "Fold 0 (1 of 2) already trained: F2" in whole.err
    assert "Fold 1 (2 of 2) done: F2" in whole.err
    assert "F2" in whole.out
    assert imgcls("runs", "show", "baseline").code == 0


def test_the_numbers_of_folds_are_those_of_the_data(imgcls) -> None:
    from imgcls.data.split import MAX_FOLDS

    assert f"2<=x<={MAX_FOLDS}" in imgcls("recipe", "run", "--help").out


def test_an_option_comes_from_the_environment_too(imgcls, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGCLS_RECIPE_RUN_SEED", "7")
    assert json.loads(imgcls("recipe", "run", "baseline", "--data", photos, *SMALL, "--json").out)["seed"] == 7


def test_quick_is_marked(imgcls, photos: Path) -> None:
    small = [option for option in SMALL if option not in ("--epochs", "2")]
    found = json.loads(imgcls("recipe", "run", "baseline", "--data", photos, *small, "--quick", "--json").out)
    assert found["quick"] is True
    assert "(quick)" in imgcls("runs", "list").out


def test_only_the_prediction_differs(imgcls, photos: Path) -> None:
    imgcls("recipe", "run", "baseline", "--data", photos, *SMALL)
    result = imgcls("recipe", "run", "baseline+tta_flips", "--data", photos, *SMALL, "--json")
    found = json.loads(result.out)
    assert found["reused_from"].startswith("baseline-s0-")
    assert "nothing is trained" in result.err
    assert not Path(found["path"], "weights.safetensors").exists()
    predicted = imgcls("predict", found["run"], photos / "dark", "--format", "csv")
    assert predicted.code == 0
    refused = imgcls("runs", "rm", found["reused_from"], "--yes")
    assert refused.code == 2
    assert "remove both, or neither" in refused.err
    assert imgcls("runs", "rm", found["reused_from"], found["run"], "--yes").code == 0
    assert not list(Path("runs").glob("baseline*"))


def test_predict_gives_one_row_for_each_input(imgcls, photos: Path) -> None:
    imgcls("recipe", "run", "baseline", "--data", photos, *SMALL)
    broken = photos.parent / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff nothing")
    one = photos / "light" / "000.png"
    result = imgcls("predict", "baseline", one, broken, photos / "dark", "--json")
    rows = json.loads(result.out)["predictions"]
    assert len(rows) == 22
    assert [row["status"] for row in rows[:2]] == ["ok", "error"]
    assert rows[1]["reason"]
    assert rows[1]["probabilities"] is None
    assert sum(rows[0]["probabilities"].values()) == pytest.approx(1)
    assert result.code == 0
    assert imgcls("predict", "baseline", broken, one, "--strict").code == 3
    assert imgcls("predict", "baseline", broken).code == 1
    text = imgcls("predict", "baseline", photos / "dark").out
    assert text.splitlines()[0] == '"id","path","status","reason","prediction","confidence","p_dark","p_light"'
    table = imgcls("predict", "baseline", one, "--format", "table")
    assert "prediction" in table.out
    assert imgcls("predict", "baseline", one, "-o", "found.csv").code == 0
    assert len(Path("found.csv").read_text().splitlines()) == 2
    assert imgcls("predict", "baseline", one, "-o", "found.xlsx").code == 2


def test_runs_show_verifies_every_file(imgcls, photos: Path) -> None:
    imgcls("recipe", "run", "baseline", "--data", photos, *SMALL)
    run = next(Path("runs").glob("baseline-s0-*"))
    assert "all as recorded" in " ".join(imgcls("runs", "show", "baseline", "--verify").out.split())
    weights = run / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-10] ^= 1
    weights.write_bytes(content)
    for command in (["runs", "show", "baseline", "--verify"], ["predict", "baseline", photos / "dark"]):
        result = imgcls(*command)
        assert result.code == 2
        assert "weights.safetensors" in result.err
    mended = imgcls("recipe", "run", "baseline", "--data", photos, *SMALL, "--again")
    assert mended.code == 0
    assert imgcls("runs", "show", "baseline", "--verify").code == 0


def test_left_out_files_are_told(imgcls, photos: Path) -> None:
    (photos / "dark" / "empty.jpg").touch()
    (photos / "dark" / "notes.txt").write_text("not a photograph")
    result = imgcls("recipe", "run", "baseline", "--data", photos, *SMALL)
    assert result.code == 0
    assert "2 files left out" in result.out
    shown = imgcls("runs", "show", "baseline").out
    assert "dark/empty.jpg: " in shown
    assert "dark/notes.txt: " in shown


def test_names_from_data_cannot_drive_the_terminal(imgcls, draw_photos, tmp_path: Path) -> None:
    wild = {"[bold]x": 12, "[red]": 12, "esc\x1b[2J": 12, ":smile:": 12, "‮right": 12, "=1+1": 12}
    folder = draw_photos(tmp_path / "wild", wild)
    result = imgcls("recipe", "run", "baseline", "--data", folder, *SMALL)
    assert result.code == 0, result.err
    everything = result.out + result.err + imgcls("runs", "show", "baseline").out
    assert "\x1b" not in everything
    assert "‮" not in everything
    predicted = imgcls("predict", "baseline", folder, "--format", "table")
    assert "[bold]x" in predicted.out
    assert "\x1b" not in predicted.out
    rows = json.loads(imgcls("predict", "baseline", folder, "--json").out)
    assert set(rows["classes"]) == set(wild)


def test_every_file_name_comes_back_from_the_csv(imgcls, photos: Path, tmp_path: Path) -> None:
    imgcls("recipe", "run", "baseline", "--data", photos, *SMALL)
    names = [
        "a,b.png",
        'quote".png',
        "line\nfeed.png",
        "carriage\rreturn.png",
        "=1+1.png",
        os.fsdecode(b"\xff\xfe.png"),
    ]
    wild = tmp_path / "wild"
    wild.mkdir()
    for name in names:
        (wild / name).write_bytes((photos / "dark" / "000.png").read_bytes())
    assert imgcls("predict", "baseline", wild, "-o", "found.csv").code == 0
    with Path("found.csv").open(newline="", encoding="utf-8") as file:
        found = [row["id"].removeprefix("'") for row in csv.DictReader(file)]
    assert sorted(found) == sorted(name.encode("utf-8", "backslashreplace").decode() for name in names)


def test_a_reader_that_leaves_is_no_interruption(imgcls, photos: Path) -> None:
    imgcls("recipe", "run", "baseline", "--data", photos, *SMALL)
    command = f"{sys.executable} -m imgcls predict baseline {photos} --format table | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.startswith("photograph")
    # on a slow machine a pipe has a line every eight seconds, such as: Loading torch and the network: 8 s so far …
    assert [line for line in done.stderr.splitlines() if not line.endswith("so far …")] == []


def test_the_cache_is_shown_and_cleared(imgcls, photos: Path) -> None:
    imgcls("recipe", "run", "baseline", "--data", photos, *SMALL)
    pools = json.loads(imgcls("cache", "show", "--json").out)["pools"]
    assert [(pool["name"], pool["n_photos"]) for pool in pools] == [("photos", 40)]
    assert "photos" in imgcls("cache", "show").out
    assert imgcls("cache", "clear").out.startswith("Freed ")
    assert json.loads(imgcls("cache", "show", "--json").out)["pools"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "nowhere"], "there is no such file or folder"),
        (["--folds", "1"], "is not in the range 2<=x<=20"),
        (["--folds", "3", "--valid", "0.3"], "Leave out valid (--valid), or the folds"),
        (["--device", "cuda:99"], "cuda"),
        (["--device", "gpu"], "unknown"),
        (["--model", "resnet1"], "Did you mean 'resnet18'"),
        (["--weights", "nowhere.pth"], "There is no weights file"),
        (["--set", 'augment.transforms=[{"HorizontalFlp":{}}]'], "Did you mean 'HorizontalFlip'"),
        (["--set", "optimizer.name=adamm"], "optimizer.name = 'adamm' is unknown"),
    ],
)
def test_what_has_to_be_changed_is_exit_2_and_leaves_nothing(imgcls, arguments, said) -> None:
    result = imgcls("recipe", "run", "baseline", *arguments)
    assert result.code == 2
    assert said in result.err
    assert "Traceback" not in result.err
    assert not list(Path("runs/.attempts").glob("*") if Path("runs/.attempts").exists() else [])


def test_runs_are_not_written_among_the_photographs(imgcls, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)
    result = imgcls("recipe", "run", "baseline", "--data", ".", *SMALL)
    assert result.code == 2
    assert "--out" in result.err
    assert sorted(path.name for path in photos.iterdir()) == ["dark", "light"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_to_the_group_is_no_failure_of_the_workers(photos: Path, empty_folder: Path, number, code) -> None:
    """As a terminal and a cluster send it: a worker that died first would look like work that failed."""
    command = [sys.executable, "-m", "imgcls", "recipe", "run", "baseline", "--data", str(photos), *SMALL]
    command[command.index("--epochs") + 1] = "400"
    with subprocess.Popen(
        [*command, "--workers", "2"], stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stderr is not None
        next(line for line in running.stderr if line.startswith("epoch 2"))
        os.killpg(running.pid, number)
        _, rest = running.communicate(timeout=120)
    assert running.returncode == code
    assert rest.splitlines()[-1] == "Interrupted. Finished epochs are kept; the same command goes on from there."
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)  # nobody is left
    assert not list(empty_folder.glob("runs/.failed/*"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_stops_and_the_same_command_goes_on(photos: Path, empty_folder: Path, number, code) -> None:
    command = [sys.executable, "-m", "imgcls", "recipe", "run", "baseline", "--data", str(photos), *SMALL]
    command[command.index("--epochs") + 1] = "40"
    running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert running.stderr is not None
    for line in running.stderr:
        if line.startswith("epoch 3"):
            break
    running.send_signal(number)
    _, rest = running.communicate(timeout=60)
    assert running.returncode == code
    assert "the same command goes on from there" in rest
    listed = subprocess.run([*command[:3], "runs", "list"], capture_output=True, text=True, check=True, timeout=60)
    assert "interrupted: baseline" in listed.stdout
    assert not list(empty_folder.glob("runs/baseline*"))
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert "Going on after epoch" in done.stderr
    assert time.monotonic() - began < 240


def test_a_live_table_on_a_terminal(photos: Path) -> None:
    command = f"{sys.executable} -m imgcls recipe run baseline --data {photos} {' '.join(SMALL)}"
    done = subprocess.run(
        ["script", "-qec", command, "/dev/null"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    assert done.returncode == 0, done.stdout
    assert "train loss" in done.stdout
    assert "\x1b[" in done.stdout
