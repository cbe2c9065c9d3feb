"""`imgcls decide` as a person meets it, and what follows the decision: predict, submit, runs show, the checklist."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from imgcls.checklists.class_errors import class_errors
from imgcls.config.decision import Decision
from imgcls.evidence.metrics import ValidationSummary
from imgcls.records.find import find_runs
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace


@pytest.fixture
def trained(drawn_ladder) -> tuple[RunRecord, Workspace]:
    """Draw a workspace with two runs, one of which has predictions of a test part."""
    _, workspace = drawn_ladder("baseline+augmentation", n_seeds=1)
    record = next(run for run in find_runs(workspace)[0] if run.stack == "baseline")
    frame = pd.DataFrame({"id": ["t1.png", "t2.png"], "p_cat": [0.9, 0.55], "p_dog": [0.1, 0.45]})
    frame.to_parquet(record.folder / "test.parquet", index=False)
    environment = {**record.environment, "device": "cpu", "precision": "float32", "threads": 2}
    return replace(record, environment=environment).write(record.folder), workspace


def test_a_rule_is_chosen_told_and_written(imgcls, trained) -> None:
    """The rule, its promise, the classes beside the default, the price; the same as JSON."""
    record, workspace = trained
    result = imgcls("decide", record.id, "--recall", "dog>=0.8", "--out", workspace.root)
    assert (result.code, result.err) == (0, "")
    assert f"Answers of {record.id}" in result.out
    assert "Recall of dog of 0.8 or more: shown" in result.out
    assert "chosen on others (a fifth at a time)" in result.out
    assert "by default" in result.out
    assert f"imgcls predict {record.id}" in result.out
    written = tomllib.loads((workspace.root / "decision.toml").read_text())
    assert (written["of"], written["key"], written["asked"]) == (record.id, record.key, ["--recall 'dog>=0.8'"])
    said = json.loads(imgcls("decide", record.id, "--recall", "dog=80%", "--out", workspace.root, "--json").out)
    assert (said["schema"], said["is_shown"]) == (1, True)
    assert said["decision"]["thresholds"] == written["thresholds"]
    assert said["scores"]["classes"][1]["recall"]["value"] > said["default"]["classes"][1]["recall"]["value"]
    assert "roc_auc" in said["scores"]["classes"][0]


def test_without_options_it_is_the_default(imgcls, trained) -> None:
    record, workspace = trained
    result = imgcls("decide", record.id, "--out", workspace.root)
    assert result.code == 0
    assert "the most probable class" in result.out
    assert "by default" not in result.out


def test_what_cannot_be_shown_is_said_and_under_strict_nothing_is_written(imgcls, trained) -> None:
    record, workspace = trained
    asked = ("decide", record.id, "--recall", "dog>=0.999", "--out", workspace.root)
    strict = imgcls(*asked, "--strict")
    assert strict.code == 3
    assert "not shown: these photographs show" in strict.out
    assert not (workspace.root / "decision.toml").exists()
    assert imgcls(*asked).code == 0
    assert (workspace.root / "decision.toml").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--recall", "dog"), "--recall 'defective>=0.99'"),
        (("--recall", "dgo>=0.9"), "Did you mean 'dog'"),
        (("--reject", "much"), "such as 5%"),
        (("--reject", "nan"), "above 0 and below 1"),
        (("--cost", "nowhere.csv"), "nowhere.csv"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_written(imgcls, trained, options, said) -> None:
    record, workspace = trained
    result = imgcls("decide", record.id, *options, "--out", workspace.root)
    assert result.code == 2
    assert said in " ".join(result.err.split())
    assert not (workspace.root / "decision.toml").exists()


def test_a_rule_that_is_no_better_at_what_it_was_chosen_for_says_so(imgcls, trained, tmp_path) -> None:
    """Of F1, and of costs where probabilities say too little of them."""
    record, workspace = trained
    result = imgcls("decide", record.id, "--f1", "--out", workspace.root, "--json")
    said = json.loads(result.out)
    means = [np.mean([one["f1"]["value"] for one in said[side]["classes"]]) for side in ("scores", "default")]
    shown = imgcls("decide", record.id, "--f1", "--out", workspace.root).out
    assert f"mean F1 {means[0]:.3f}." in shown
    assert f"mean F1 {means[1]:.3f}." in shown
    assert ("no better than the default" in shown) == (means[0] <= means[1])
    (tmp_path / "costs.csv").write_text("is,cat,dog\ncat,0,1\ndog,1000,0\n")
    frame = record.predictions("valid")
    frame[["p_cat", "p_dog"]] = np.where(frame[["label"]].to_numpy() == ["cat", "dog"], 0.99, 0.01)
    frame.to_parquet(record.folder / "valid.parquet", index=False)
    sure = record.write(record.folder)
    dear = imgcls("decide", sure.id, "--cost", tmp_path / "costs.csv", "--out", workspace.root).out
    assert "cost of a photograph" in dear
    assert "So the rule is no better than the default; --decision none" in " ".join(dear.split())


def test_classes_may_hold_the_signs_of_a_bound(imgcls, drawn_ladder) -> None:
    _, workspace = drawn_ladder("baseline+augmentation", n_seeds=1, classes=("ok", "a>=b: 5%"))
    record = find_runs(workspace)[0][0]
    assert imgcls("decide", record.id, "--recall", "a>=b: 5%>=0.5", "--out", workspace.root).code == 0
    assert "a>=b: 5%" in tomllib.loads((workspace.root / "decision.toml").read_text())["thresholds"]


def test_submit_follows_the_decision_and_keeps_a_copy(imgcls, trained) -> None:
    record, workspace = trained
    rule = Decision(of=record.id, key=record.key, type="binary", classes=("cat", "dog"), thresholds={"dog": 0.4})
    rule.write(workspace.root / "decision.toml")
    said = json.loads(imgcls("submit", record.id, "--out", workspace.root, "--json").out)
    assert pd.read_csv(said["path"])["label"].tolist() == ["cat", "dog"]
    assert said["decision"]["thresholds"] == {"dog": 0.4}
    assert f"Answers are by the decision made for {record.id}." in said["note"]
    plain = imgcls("submit", record.id, "--out", workspace.root, "--decision", "none", "--force", "--json")
    assert pd.read_csv(json.loads(plain.out)["path"])["label"].tolist() == ["cat", "cat"]
    assert json.loads(plain.out).get("decision") is None


def test_a_submission_has_no_place_for_what_is_left_to_a_person(imgcls, trained) -> None:
    record, workspace = trained
    rule = Decision(of=record.id, key=record.key, type="binary", classes=("cat", "dog"), doubt=0.2)
    rule.write(workspace.root / "decision.toml")
    said = json.loads(imgcls("submit", record.id, "--out", workspace.root, "--json").out)
    assert pd.read_csv(said["path"])["label"].tolist() == ["cat", "cat"]
    assert "leaves 1 of them to a person" in said["note"]


def test_another_run_answers_by_the_default_and_says_so(imgcls, trained) -> None:
    record, workspace = trained
    rule = Decision(of="other", key="0" * 64, type="binary", classes=("cat", "dog"), thresholds={"dog": 0.4})
    rule.write(workspace.root / "decision.toml")
    result = imgcls("submit", record.id, "--out", workspace.root, "--json")
    assert "was made for other" in result.err
    assert pd.read_csv(json.loads(result.out)["path"])["label"].tolist() == ["cat", "cat"]
    named = imgcls(
        "submit",
        record.id,
        "--out",
        workspace.root,
        "--decision",
        workspace.root / "decision.toml",
        "--force",
        "--json",
    )
    assert pd.read_csv(json.loads(named.out)["path"])["label"].tolist() == ["cat", "dog"]


def test_a_damaged_decision_is_named_and_not_passed_over(imgcls, trained) -> None:
    record, workspace = trained
    (workspace.root / "decision.toml").write_text("thresholds = {")
    for command in (("submit", record.id), ("runs", "show", record.id)):
        result = imgcls(*command, "--out", workspace.root)
        assert "decision.toml" in result.err
    assert imgcls("submit", record.id, "--out", workspace.root).code == 2
    assert class_errors(record, workspace)  # the checklist goes on
    assert ValidationSummary.of(record).mistakes  # and so does the summary of a training


def test_runs_show_and_the_checklist_count_by_the_decision(imgcls, trained) -> None:
    record, workspace = trained
    before = class_errors(record, workspace)
    frame = record.predictions("valid")
    rule = Decision(of=record.id, key=record.key, type="binary", classes=("cat", "dog"), thresholds={"dog": 0.05})
    rule.write(workspace.root / "decision.toml")
    shown = imgcls("runs", "show", record.id, "--out", workspace.root)
    assert "By decision.toml" in shown.out
    assert "dog: from 0.05 on" in shown.out
    said = json.loads(imgcls("runs", "show", record.id, "--out", workspace.root, "--json").out)
    recall = float((frame.loc[frame["label"] == "dog", "p_dog"] >= 0.05).mean())
    assert said["per_class"][1]["recall"]["value"] == pytest.approx(recall)
    assert said["decision"]["thresholds"] == {"dog": 0.05}
    after = class_errors(record, workspace)
    assert after != before
    assert after[1].n_wrong == int((frame.loc[frame["label"] == "dog", "p_dog"] < 0.05).sum())
    assert np.isclose(after[0].n_wrong, (frame.loc[frame["label"] == "cat", "p_dog"] >= 0.05).sum())
