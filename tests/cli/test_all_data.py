"""`imgcls recipe run --all-data`, and what predict, submit, blend and the views make of such runs."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from imgcls.records.find import find_runs
from imgcls.workspace import Workspace
from tests.conftest import draw_split_folder

pytestmark = pytest.mark.train

SMALL = ("--model", "simple_cnn", "--size", "24", "--epochs", "1", "--batch-size", "8")


@pytest.fixture
def parted(tmp_path: Path) -> Path:
    """Two classes in train, valid and test."""
    n_by_split = {"train": {"cat": 9, "dog": 8}, "valid": {"cat": 4, "dog": 4}, "test": {"cat": 3, "dog": 3}}
    return draw_split_folder(tmp_path / "pets", n_by_split)


def test_seeds_on_all_the_data_are_trained_told_blended_and_handed_in(imgcls, parted: Path, one_thread: None) -> None:
    """Of no such run a score is shown, only that of the judged one; a seed that is there is not trained again."""
    assert imgcls("init", parted, "--title", "Pets", "--goal", "Tell them apart").code == 0
    refused = imgcls("recipe", "run", "baseline", "--all-data", *SMALL)
    assert refused.code == 2
    assert "'imgcls recipe run baseline --set fit.epochs=1 --set " in " ".join(refused.err.split())
    judged = json.loads(imgcls("recipe", "run", "baseline", *SMALL, "--json").out)
    one = imgcls("recipe", "run", "baseline", "--all-data", *SMALL)
    assert (one.code, "on all the data: 25 photographs train, none validates" in " ".join(one.out.split())) == (0, True)
    assert judged["run"] in one.out
    assert "imgcls submit baseline-s0-all-" in one.out
    assert "validation photographs" not in one.err
    several = json.loads(imgcls("recipe", "run", "baseline", "--all-data", "--seeds", "2", *SMALL, "--json").out)
    assert [(run["seed"], run["reused"]) for run in several["runs"]] == [(0, True), (1, False)]
    for run in several["runs"]:
        assert run["n"] == {"train": 25, "valid": 0, "test": 6, "excluded": 0}
        assert all(metric["value"] is None and metric["reason"] for metric in run["metrics"].values())
        assert [one["run"] for one in run["all_data"]["judged"]] == [judged["run"]]
    first = several["runs"][0]["run"]
    shown = imgcls("runs", "show", first)
    assert (shown.code, judged["run"] in shown.out, "None" in shown.out) == (0, True, False)
    assert "(all data)" in imgcls("runs", "list").out
    assert imgcls("runs", "show", first, "--json", "--verify").code == 0
    assert imgcls("predict", first, parted / "test").code == 0
    meant = json.loads(imgcls("submit", "baseline", "--json").out)
    assert meant["run"] == judged["run"]  # a stack means what was judged
    made = imgcls("blend", "baseline", "--all-data")
    assert (made.code, judged["run"] in made.out, "all together" in made.out) == (0, True, False)
    blended = json.loads(imgcls("blend", "baseline", "--all-data", "--json").out)
    assert (blended["score"]["value"], blended["gain"], len(blended["members"])) == (None, None, 2)
    handed_in = json.loads(imgcls("submit", blended["id"], "--json").out)
    frames = [pd.read_parquet(Path(run["path"]) / "test.parquet") for run in several["runs"]]
    written = pd.read_csv(handed_in["path"])
    assert written["p_cat"].tolist() == pytest.approx(((frames[0]["p_cat"] + frames[1]["p_cat"]) / 2).tolist())
    assert imgcls("predict", blended["id"], parted / "test").code == 0
    removed = imgcls("runs", "rm", first, "--yes")
    assert (removed.code, "is made of" in removed.err) == (2, True)
    compared = imgcls("compare", first, "baseline")
    assert (compared.code, "no score to compare" in compared.err) == (2, True)
    fitted = imgcls("blend", "baseline", "--all-data", "--by", "greedy")
    assert (fitted.code, "--by mean or --by geometric" in " ".join(fitted.err.split())) == (2, True)
    mixed = imgcls("blend", first, judged["run"])
    assert (mixed.code, "imgcls blend --all-data" in " ".join(mixed.err.split())) == (2, True)
    assert imgcls("checklist").code == 0
    assert len(find_runs(Workspace(Path.cwd()))[0]) == 3


def test_a_ladder_that_judged_the_stack_is_named(imgcls, parted: Path, one_thread: None) -> None:
    """All of its seeds stand for the score, and it is found by the plan, in the view and for programs."""
    data = ("--data", parted, *SMALL)
    assert imgcls("ladder", "run", "baseline+label_smoothing", "--seeds", "2", "--name", "up", *data).code == 0
    shown = imgcls("recipe", "run", "baseline+label_smoothing", "--all-data", *data).out
    assert "imgcls ladder show up" in shown
    told = json.loads(imgcls("recipe", "run", "baseline+label_smoothing", "--all-data", *data, "--json").out)
    assert (told["all_data"]["ladder"], len(told["all_data"]["judged"])) == ("up", 2)


def test_a_test_part_that_nobody_can_read_has_the_shares_of_what_was_judged(
    imgcls, parted: Path, one_thread: None
) -> None:
    """A row for each photograph, and the shares of the classes in the validation of the judged run."""
    for photo in parted.glob("test/*/*"):
        photo.write_bytes(b"no photograph")
    data = ("--data", parted, *SMALL)
    assert imgcls("recipe", "run", "baseline", *data).code == 0
    run = json.loads(imgcls("recipe", "run", "baseline", "--all-data", *data, "--json").out)["run"]
    submitted = json.loads(imgcls("submit", run, "--json").out)
    assert pd.read_csv(submitted["path"])["p_cat"].tolist() == [0.5] * 6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--all-data", "--folds", "3"), "--folds needs photographs that validate"),
        (("--all-data", "--quick"), "--quick takes a few photographs"),
        (("--seeds", "2"), "--seeds goes with --all-data"),
        (("--all-data", "--seeds", "2", "--seed", "3"), "both say which networks are trained"),
        (("--all-data", "--seeds", "0"), "0 is not in the range"),
    ],
)
def test_what_does_not_go_together_is_refused(imgcls, parted: Path, options: tuple[str, ...], words: str) -> None:
    """Before data are read."""
    refused = imgcls("recipe", "run", "baseline", "--data", parted, *SMALL, *options)
    assert (refused.code, words in " ".join(refused.err.split())) == (2, True)


def test_one_network_and_none_are_no_blend(imgcls, parted: Path, one_thread: None) -> None:
    """The message names the command that trains more."""
    data = ("--data", parted, *SMALL)
    assert imgcls("recipe", "run", "baseline", *data).code == 0
    none = imgcls("blend", "baseline", "--all-data")
    assert (none.code, "imgcls recipe run baseline --all-data --seeds 3" in " ".join(none.err.split())) == (2, True)
    assert imgcls("recipe", "run", "baseline", "--all-data", *data).code == 0
    one = imgcls("blend", "baseline", "--all-data")
    assert (one.code, "is one network" in one.err, "--all-data --seeds 3" in " ".join(one.err.split())) == (
        2,
        True,
        True,
    )
