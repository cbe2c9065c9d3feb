"""`imgcls blend` as a person meets it: from records alone, and what it leaves for predict, submit and the checklist."""

from __future__ import annotations

import json
import subprocess
import sys

import pandas as pd
import pytest

from imgcls.checklists.checklist import evaluate
from imgcls.records.find import find_runs
from imgcls.workspace import Workspace

STACK = "baseline+augmentation"


def state_of(id_: str, workspace: Workspace, *, lang: str = "en"):
    """Return the line of an item, on data that nobody reads again."""
    return next(line for line in evaluate(workspace, lang=lang).to_json()["items"] if line["id"] == id_)


def test_seeds_are_blended_and_told(imgcls, drawn_ladder) -> None:
    """A row for each member, the blend, the verdict, and what can be done with it; the same as JSON."""
    _, workspace = drawn_ladder(STACK)
    result = imgcls("blend", STACK, "--out", workspace.root)
    assert (result.code, result.err) == (0, "")
    assert "3 members blended: the mean of the probabilities" in result.out
    assert "\nbaseline+augmentation\n" in result.out
    assert "seed 2 " in result.out
    assert "all together" in result.out
    assert "Over the best of them alone: " in result.out
    assert "imgcls predict blend-mean-" in result.out
    assert "imgcls submit" not in result.out
    said = json.loads(imgcls("blend", STACK, "--out", workspace.root, "--json").out)
    assert (said["schema"], said["way"], len(said["members"])) == (1, "mean", 3)
    assert set(said["gain"]) >= {"verdict", "value", "low", "high"}
    assert sum(member["weight"] for member in said["members"]) == pytest.approx(1)


def test_a_verdict_on_a_blend_ticks_its_item(imgcls, drawn_ladder) -> None:
    """The checklist names the file, and before it the command that makes one."""
    _, workspace = drawn_ladder(STACK)
    before = state_of("predict.ensemble", workspace)
    assert (before["state"], before["command"]) == ("open", f"imgcls blend baseline --out {workspace.root}")
    imgcls("blend", STACK, "--out", workspace.root)
    after = state_of("predict.ensemble", workspace)
    assert after["state"] == "done"
    assert "blends/blend-mean-" in after["evidence"]
    assert "over the best of them alone" in after["evidence"]
    assert "그중 가장 좋은 하나 대비" in state_of("predict.ensemble", workspace, lang="ko")["evidence"]


def test_a_blend_is_handed_in(imgcls, drawn_ladder) -> None:
    """Where all of its networks predicted test; else it says so."""
    _, workspace = drawn_ladder(STACK)
    missing = imgcls("blend", STACK, "--out", workspace.root, "--json")
    refused = imgcls("submit", json.loads(missing.out)["id"], "--out", workspace.root)
    assert refused.code == 2
    assert "Not every network of blend-mean-" in refused.err
    for place, run in enumerate(run for run in find_runs(workspace)[0] if run.stack == STACK):
        share = 0.1 * place
        frame = pd.DataFrame({"id": ["t1.png", "t2.png"], "p_cat": [0.9 - share, 0.2], "p_dog": [0.1 + share, 0.8]})
        frame.to_parquet(run.folder / "test.parquet", index=False)
        run.write(run.folder)
    made = imgcls("blend", STACK, "--out", workspace.root)
    assert "imgcls submit blend-mean-" in made.out
    name = json.loads(imgcls("blend", STACK, "--out", workspace.root, "--json").out)["id"]
    submitted = imgcls("submit", name, "--out", workspace.root, "--json")
    assert submitted.code == 0
    written = pd.read_csv(json.loads(submitted.out)["path"])
    assert written["p_cat"].tolist() == pytest.approx([0.8, 0.2])
    assert written["label"].tolist() == ["cat", "dog"]
    inside = imgcls("submit", name, "--to", workspace.blends / "mine.csv", "--out", workspace.root)
    assert inside.code != 0
    assert "lies among the records" in inside.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "There is no run 'nothing'"),
        (("baseline", "--by", "median"), "'median' is not one of"),
        (("baseline", "--metric", "speed"), "There is no metric 'speed'"),
        (("baseline", "--smallest-gain", "0"), "0"),
    ],
)
def test_what_cannot_be_blended_ends_with_2(imgcls, drawn_ladder, arguments, message) -> None:
    """Before anything is written."""
    _, workspace = drawn_ladder(STACK)
    result = imgcls("blend", *arguments, "--out", workspace.root)
    assert result.code in (1, 2)
    assert message in result.err
    assert not workspace.blends.exists()


def test_blending_loads_no_deep_learning(drawn_ladder) -> None:
    """It works from predictions, in a second."""
    _, workspace = drawn_ladder(STACK)
    code = (
        "import sys, imgcls; from imgcls.workspace import Workspace; from pathlib import Path\n"
        f"imgcls.blend({STACK!r}, workspace=Workspace(Path({str(workspace.root)!r})))\n"
        "assert not {'torch', 'fastai', 'timm', 'albumentations'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_damaged_blend_is_told_by_the_checklist(imgcls, drawn_ladder) -> None:
    """And the item is open again."""
    _, workspace = drawn_ladder(STACK)
    imgcls("blend", STACK, "--out", workspace.root)
    (file,) = workspace.blends.glob("*/blend.json")
    file.write_text("{")
    found = evaluate(workspace)
    assert any("blend.json" in str(entry) for entry in found.to_json()["damaged"])
    assert state_of("predict.ensemble", workspace)["state"] == "open"


def test_one_network_is_not_enough_and_the_checklist_says_how_to_have_two(imgcls, drawn_ladder) -> None:
    """The command trains another seed; before any run there is none."""
    _, workspace = drawn_ladder(STACK, n_seeds=1)
    line = state_of("predict.ensemble", workspace)
    assert line["evidence"] == "no stack has two networks yet that could be blended"
    assert line["command"] == f"imgcls recipe run {STACK} --seed 1 --out {workspace.root}"
    assert state_of("predict.ensemble", Workspace(workspace.root / "elsewhere"))["command"] is None


def test_blends_stand_in_the_list_of_runs(imgcls, drawn_ladder) -> None:
    """With their way, score and verdict; a damaged one is named, and the others stay."""
    _, workspace = drawn_ladder(STACK)
    assert "Blends" not in imgcls("runs", "list", "--out", workspace.root).out
    for stack in (STACK, "baseline"):
        imgcls("blend", stack, "--out", workspace.root)
    listed = imgcls("runs", "list", "--out", workspace.root)
    assert (listed.code, listed.err) == (0, "")
    assert "\nBlends\n" in listed.out
    assert listed.out.count("mean of 3: baseline") == 2
    blends = json.loads(imgcls("runs", "list", "--out", workspace.root, "--json").out)["blends"]
    assert {blend["label"] for blend in blends} == {"mean of 3: baseline+augmentation", "mean of 3: baseline"}
    assert {len(blend["runs"]) for blend in blends} == {3}
    assert all(blend["verdict"] and blend["score"]["value"] for blend in blends)
    (workspace.blends / blends[0]["blend"] / "verdict.json").write_text("{")
    damaged = json.loads(imgcls("runs", "list", "--out", workspace.root, "--json").out)
    assert len(damaged["blends"]) == 1
    assert any("verdict.json" in sentence for sentence in damaged["damaged"])


def test_a_blend_is_shown_like_a_run(imgcls, drawn_ladder) -> None:
    """By the beginning of its id: members, verdict, class by class; --verify and --json as for runs."""
    _, workspace = drawn_ladder(STACK)
    imgcls("blend", STACK, "--out", workspace.root)
    shown = imgcls("runs", "show", "blend-mean", "--verify", "--out", workspace.root)
    assert (shown.code, shown.err) == (0, "")
    for part in ("3 members blended", "Over the best of them alone", "Class by class", "Calibration error", "recorded"):
        assert part in shown.out
    said = json.loads(imgcls("runs", "show", "blend-mean", "--out", workspace.root, "--json").out)
    assert said["schema"] == 1
    assert {"members", "score", "gain", "per_class", "calibration_error", "path", "verified"} <= said.keys()
    missing = imgcls("runs", "show", "blend-mean-00000000", "--out", workspace.root)
    assert missing.code == 2
    assert "There is no run 'blend-mean-00000000'" in missing.err


def test_a_blend_is_compared(imgcls, drawn_ladder) -> None:
    """With a stack: what the verdict is about is said, once."""
    _, workspace = drawn_ladder(STACK)
    name = json.loads(imgcls("blend", "baseline", "--out", workspace.root, "--json").out)["id"]
    compared = imgcls("compare", STACK, name, "--out", workspace.root)
    assert (compared.code, compared.err) == (0, "")
    assert "B: mean of 3: baseline\n" in compared.out
    assert compared.out.count("about exactly these networks") == 1
    assert "compared seed by seed" not in compared.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "There is no run 'nothing'"),
        (("RUN", "--views", "1"), "1 is not in the range 2<=x<=64"),
        (("RUN", "--kind", "mirrors"), "'mirrors' is not one of"),
        (("RUN", "--metric", "speed"), "There is no metric 'speed'"),
    ],
)
def test_views_that_cannot_be_looked_at_end_with_2(imgcls, drawn_ladder, arguments, message) -> None:
    """Before the network is loaded, and before anything is written."""
    _, workspace = drawn_ladder(STACK)
    run = find_runs(workspace)[0][0].id
    result = imgcls("runs", "views", *(run if word == "RUN" else word for word in arguments), "--out", workspace.root)
    assert result.code == 2
    assert message in result.err
    assert not (workspace.reports / "views").exists()
