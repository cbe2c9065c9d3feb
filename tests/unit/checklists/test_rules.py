"""Every item's way from open to done, to stale and to skipped, on drawn evidence."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from imgcls.catalog import Stack
from imgcls.checklists.checklist import skip, unskip
from imgcls.checklists.evidence import gather
from imgcls.checklists.items import all_items
from imgcls.config.findings import Accepted, Adjustments, Exclusion, write_adjustments
from imgcls.data.source import FINDINGS_TOML
from imgcls.eda.facts import FileFacts
from imgcls.errors import UsageError
from imgcls.ladders.blend import blend
from imgcls.ladders.predictions import Predictions
from imgcls.ladders.spec import RESULT_JSON
from imgcls.ladders.views import ViewsQuestion, judge_views
from imgcls.plan import plan_digest
from imgcls.predictions.submission import submit, tabulate
from imgcls.records.derived import table_digests
from imgcls.records.find import remove_run
from imgcls.records.run import Estimate, Folds, FoldSpread, RunWeights
from imgcls.storage import write_json
from tests.unit.checklists.conftest import OTHER, Desk, forget_plans

OF_FACTS = ["eda.files", "eda.targets", "eda.images", "eda.sizes", "eda.leaks"]
OF_BASELINE = [
    "base.seed",
    "base.device",
    "base.split",
    "base.transforms",
    "base.loaders",
    "base.model",
    "base.train",
    "base.validate",
]
OF_LADDER = ["train.augmentation", "train.optimizer", "train.scheduler"]


def with_baseline(desk: Desk) -> None:
    """Draw a finished baseline with pretrained weights and a test part, and a submission of it."""
    desk.baseline(n_seeds=1)
    (run,) = desk.runs()
    desk.submit(desk.with_test(desk.change(run, weights=RunWeights("a package", "a" * 64))))


def test_nothing_is_ticked_in_an_empty_workspace(desk: Desk) -> None:
    states = desk.states()
    assert list(states) == [item.id for item in all_items()]
    assert {entry.state for entry in states.values()} == {"open"}
    assert desk.list().next == ("imgcls init", "imgcls eda", "imgcls recipe run baseline")
    assert not list(desk.workspace.root.iterdir())


def test_commands_name_the_workspace_where_it_is_not_found_without(
    known: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    known.facts()
    here = known.list()
    monkeypatch.chdir(known.workspace.root.parent)
    there = known.list()
    assert here.next
    assert there.next == tuple(f"{command} --out {known.workspace.root}" for command in here.next)


# Stage 1


def test_goal_type_and_metric_are_what_the_problem_file_says(desk: Desk) -> None:
    desk.problem(title="", goal=" ", type=None, metric=None)
    states = desk.states()
    assert states["problem.goal"].evidence == "imgcls.toml has no title and no goal: write it there"
    assert states["problem.type"].evidence == "imgcls.toml has no type: write it there"
    assert states["problem.metric"].evidence == "imgcls.toml has no metric: write it there"
    desk.problem(metric="roc_auc")
    desk.know()
    desk.baseline(n_seeds=1)
    states = desk.states()
    assert states["problem.goal"].evidence == "imgcls.toml: Pets: tell them apart"
    assert states["problem.metric"].evidence == "imgcls.toml: ROC AUC"
    assert {states[f"problem.{name}"].state for name in ("goal", "type", "metric")} == {"done"}


def test_a_type_that_nothing_confirms_is_open(desk: Desk) -> None:
    desk.problem()
    answer = desk.states()["problem.type"]
    assert (answer.state, answer.command) == ("open", "imgcls eda")
    assert "nothing has looked yet" in answer.evidence


def test_a_type_that_the_data_contradict_is_open(known: Desk) -> None:
    known.facts(classes=(), data=known.make_facts().data.model_copy(update={"classes": ("a", "b", "c")}))
    answer = known.states()["problem.type"]
    assert answer.state == "open"
    assert "imgcls.toml says binary, but reports/facts.json (3 classes) says multiclass" in answer.evidence


# Stage 2


@pytest.mark.parametrize("id_", OF_FACTS)
def test_facts_tick_an_item_until_the_data_or_the_split_change(known: Desk, id_: str) -> None:
    assert known.states()[id_].state == "open"
    known.facts()
    answer = known.states()[id_]
    assert answer.state == "done"
    assert answer.evidence.startswith("reports/facts.json")
    assert answer.command is None
    known.know(data=OTHER)
    answer = known.states()[id_]
    assert (answer.state, answer.command) == ("stale", "imgcls eda")
    assert answer.evidence.endswith("; the data changed since")
    known.know(split=OTHER)
    assert known.states()[id_].evidence.endswith("; the split changed since")
    known.know()
    assert known.states()[id_].state == "done"


def test_facts_are_stale_when_a_table_beside_the_photographs_changed(known: Desk) -> None:
    table = known.workspace.root / "meta.csv"
    table.write_text("id,sender\n1,a\n")
    facts = known.facts()
    tables = table_digests([table], known.workspace)
    facts.model_copy(update={"data": facts.data.model_copy(update={"tables": tables})}).write(known.workspace.reports)
    assert known.states()["eda.leaks"].state == "done"
    table.write_text("id,sender\n1,b\n")
    answer = known.states()["eda.leaks"]
    assert (answer.state, answer.evidence.rpartition("; ")[2]) == ("stale", "meta.csv changed since")
    table.unlink()
    assert known.states()["eda.leaks"].state == "stale"


def test_facts_are_stale_when_other_files_cannot_be_used(known: Desk) -> None:
    facts = known.facts()
    n = facts.data.n | {"excluded": facts.data.n["excluded"] + 1}
    facts.model_copy(update={"data": facts.data.model_copy(update={"n": n})}).write(known.workspace.reports)
    assert known.states()["eda.sizes"].state == "stale"


def test_facts_do_not_depend_on_a_plan(known: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    known.facts()
    forget_plans(monkeypatch)
    assert known.states()["eda.files"].state == "done"


@pytest.mark.parametrize(
    ("id_", "picture", "said"),
    [
        ("eda.targets", "classes", "no picture of them was drawn"),
        ("eda.images", "sheet: dog", "only 1 contact sheets of those in"),
    ],
)
def test_a_picture_that_is_gone_proves_nothing(known: Desk, id_: str, picture: str, said: str) -> None:
    facts = known.facts()
    (known.workspace.reports / facts.pictures[picture]).unlink()
    answer = known.states()[id_]
    assert answer.state == "open"
    assert said in answer.evidence


def test_no_contact_sheet_at_all(known: Desk) -> None:
    known.facts(pictures={})
    assert known.states()["eda.images"].state == "open"


def test_a_leak_is_open_until_it_is_dealt_with(known: Desk) -> None:
    finding = known.make_facts().findings[0].model_copy(update={"groups": (("a.jpg", "b.jpg"),)})
    known.facts(findings=(finding,))
    answer = known.states()["eda.leaks"]
    assert (answer.state, answer.command) == ("open", "imgcls eda apply duplicates.across")
    assert known.list().n_findings == 1
    path = known.workspace.root / FINDINGS_TOML
    for images, state in (("a.jpg",), "open"), (("a.jpg", "b.jpg"), "done"):
        entry = Exclusion(images=images, finding=finding.id, why="copies")
        write_adjustments(path, Adjustments(excluded=(entry,)))
        known.know()
        assert known.states()["eda.leaks"].state == state
    assert known.list().n_findings == 0


def test_series_are_a_leak_and_what_was_looked_for_is_said(known: Desk) -> None:
    known.facts(looked_for=("copies", "near copies"))
    answer = known.states()["eda.leaks"]
    assert (answer.state, answer.evidence.endswith("; looked for copies, near copies")) == ("done", True)
    finding = known.make_facts().findings[0].model_copy(update={"id": "series", "command": "imgcls eda apply series"})
    known.facts(findings=(finding,))
    answer = known.states()["eda.leaks"]
    assert (answer.state, answer.command) == ("open", "imgcls eda apply series")


def test_a_leak_that_is_kept_on_purpose_is_dealt_with(known: Desk) -> None:
    finding = known.make_facts().findings[0]
    known.facts(findings=(finding,))
    kept = Adjustments(kept=(Accepted(finding=finding.id, why="looked at"),))
    write_adjustments(known.workspace.root / FINDINGS_TOML, kept)
    known.know()
    answer = known.states()["eda.leaks"]
    assert (answer.state, answer.evidence) == ("done", "findings.toml deals with duplicates.across")


# Stage 3


@pytest.mark.parametrize("id_", [*OF_BASELINE, "base.submit"])
def test_a_baseline_ticks_an_item_until_data_or_split_change(known: Desk, id_: str) -> None:
    assert known.states()[id_].state == "open"
    with_baseline(known)
    answer = known.states()[id_]
    assert answer.state == "done", answer.evidence
    assert known.runs()[0].id in answer.evidence
    for digests, change in ({"data": OTHER}, "the data changed since"), ({"split": OTHER}, "the split changed since"):
        known.know(**digests)
        answer = known.states()[id_]
        assert answer.state == "stale"
        assert answer.evidence.endswith(f"; {change}")
        assert answer.command is not None


@pytest.mark.parametrize("id_", [*OF_BASELINE, "base.submit"])
def test_a_baseline_whose_recipe_means_another_plan_is_stale(known: Desk, id_: str) -> None:
    with_baseline(known)
    plan = Stack.parse("baseline", {"fit.epochs": 9}).plan  # what the recipe made of the same words then
    digests = {"plan_digest": plan.digest, "train_digest": plan.train_digest}
    known.change(known.runs()[0], plan=plan.to_json(), **digests)
    answer = known.states()[id_]
    assert answer.state == "stale"
    assert answer.evidence.endswith("; baseline means another plan since")


def test_a_run_that_still_holds_counts_before_a_newer_one_that_does_not(known: Desk) -> None:
    known.baseline(n_seeds=2)
    older, newer = known.runs()
    known.change(newer, data=replace(newer.data, digest=OTHER))
    answer = known.states()["base.seed"]
    assert (answer.state, older.id in answer.evidence) == ("done", True)


def test_trials_and_runs_of_other_stacks_prove_no_baseline(known: Desk) -> None:
    known.ladder("baseline+augmentation", n_seeds=1)
    (run,) = known.runs()
    known.change(run, quick=True)
    answer = known.states()["base.train"]
    assert (answer.state, answer.evidence) == ("open", "there are runs, but none of the baseline alone")
    (other,) = known.runs("baseline+augmentation")
    known.change(other, quick=True)
    assert known.states()["base.train"].evidence == "only quick runs (--quick) are there, and they prove nothing"


def test_random_weights_are_no_pretrained_model(known: Desk) -> None:
    known.baseline(n_seeds=1)
    answer = known.states()["base.model"]
    assert (answer.state, answer.command) == ("open", None)
    assert "began with random weights" in answer.evidence


def test_a_run_that_validated_on_nothing_has_no_split(known: Desk) -> None:
    known.baseline(n_seeds=1)
    (run,) = known.runs()
    known.change(run, data=replace(run.data, n={"train": 9, "valid": 0, "test": 0, "excluded": 0}))
    assert known.states()["base.split"].state == "open"


@pytest.mark.parametrize(
    ("estimate", "state"),
    [
        (Estimate(0.8, 0.76, 0.9, 60), "done"),
        (Estimate(0.8, 0.75, 0.9, 60), "open"),
        (Estimate(0.8, 0.6, 0.9, 60), "open"),
        (Estimate(None, None, None, 0, "no images"), "open"),
    ],
)
def test_a_baseline_has_to_beat_the_most_frequent_class(known: Desk, estimate: Estimate, state: str) -> None:
    known.know(cat=45, dog=15)
    known.baseline(n_seeds=1)
    (run,) = known.runs()
    known.change(run, metrics={"accuracy": estimate})
    assert known.states()["base.validate"].state == state


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision"])
def test_a_baseline_that_is_to_rank_has_to_rank_better_than_chance(known: Desk, metric: str) -> None:
    """With one cat in ten, hardly any network beats the accuracy of always saying dog."""
    known.problem(metric=metric)
    known.know(cat=6, dog=54)
    known.baseline(n_seeds=1)
    (run,) = known.runs()
    known.change(run, metrics={"accuracy": Estimate(0.9, 0.8, 0.95, 60), "roc_auc": Estimate(0.8, 0.7, 0.9, 60)})
    answer = known.states()["base.validate"]
    assert answer.state == "done"
    assert answer.evidence == f"runs/{run.id}: ROC AUC 0.800 [0.700, 0.900], better than ranking at random, 0.500"
    known.change(run, metrics={"accuracy": Estimate(0.99, 0.97, 1.0, 60), "roc_auc": Estimate(0.6, 0.5, 0.7, 60)})
    assert known.states()["base.validate"].state == "open"


def test_a_training_that_went_wrong_is_told_with_a_lower_rate(known: Desk) -> None:
    known.problem(metric="accuracy")
    known.know(cat=6, dog=54)
    known.baseline(n_seeds=1)
    (run,) = known.runs()
    known.change(run, only_class="dog")
    answer = known.states()["base.validate"]
    assert answer.state == "open"
    assert answer.evidence.startswith(f"runs/{run.id} names dog for every photograph: it collapsed")
    assert "optimizer.learning_rate=0.0003" in (answer.command or "")
    began = {"accuracy": Estimate(0.95, 0.9, 0.98, 60)}
    known.change(run, start_metrics=began, metrics={"accuracy": Estimate(0.7, 0.6, 0.8, 60)})
    answer = known.states()["base.validate"]
    assert answer.state == "open"
    assert "accuracy fell from 0.950, that of the classifier it began from, to 0.700" in answer.evidence
    known.change(run, start_metrics=began, metrics={"accuracy": Estimate(0.945, 0.92, 0.97, 60)})
    assert known.states()["base.validate"].state == "done"


def test_without_knowing_the_data_the_labels_of_the_run_say_what_is_most_frequent(desk: Desk) -> None:
    desk.problem()
    desk.baseline(n_seeds=1)
    assert desk.states()["base.validate"].evidence.endswith("always naming the most frequent class, 0.500")
    (run,) = desk.runs()
    (run.folder / "valid.parquet").unlink()
    assert desk.states()["base.validate"].evidence.endswith("its validation labels cannot be read")


@pytest.mark.parametrize("id_", ["base.transforms", "base.loaders", "base.model", "base.train"])
def test_a_plan_of_another_version_proves_nothing_and_says_so(known: Desk, id_: str) -> None:
    known.baseline(n_seeds=1)
    plan = {"fit": {"warp": 1}}
    known.change(known.runs()[0], plan=plan, plan_digest=plan_digest(plan), train_digest=plan_digest(plan))
    answer = known.states()[id_]
    assert answer.state == "open"
    assert "its plan cannot be read: " in answer.evidence
    assert known.states()["base.seed"].evidence.endswith("; baseline means another plan since")


def test_half_an_interval_is_none(known: Desk) -> None:
    known.baseline(n_seeds=1)
    known.change(known.runs()[0], metrics={"accuracy": Estimate(0.8, 0.7, None, 60)})
    answer = known.states()["base.validate"]
    assert answer.evidence.endswith("has no accuracy with an interval")
    assert answer.command is not None
    assert "recipe run baseline --folds 5" in answer.command  # the same run once more would bring none either


# Stage 4


@pytest.mark.parametrize("id_", OF_LADDER)
def test_a_verdict_ticks_an_item_until_data_split_or_plan_change(
    known: Desk, id_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert known.states()[id_].state == "open"
    known.ladder("baseline+augmentation+adamw_cosine", skills=[1.2, 1.2, 1.2])
    answer = known.states()[id_]
    assert answer.state == "done"
    assert answer.evidence.startswith("ladders/drawn/result.json: ")
    assert answer.evidence.endswith("no evidence")
    for digests, change in ({"data": OTHER}, "the data changed since"), ({"split": OTHER}, "the split changed since"):
        known.know(**digests)
        answer = known.states()[id_]
        assert (answer.state, answer.evidence.endswith(f"; {change}")) == ("stale", True)
        assert answer.command == "imgcls ladder run baseline+augmentation+adamw_cosine --seeds 3"
    known.know()
    forget_plans(monkeypatch)
    answer = known.states()[id_]
    assert (answer.state, answer.evidence.endswith("means another plan since")) == ("stale", True)


def test_cannot_tell_ticks_nothing_and_asks_for_more_seeds(known: Desk) -> None:
    known.ladder(n_seeds=1)
    answer = known.states()["train.augmentation"]
    assert answer.state == "open"
    assert ": cannot tell: " in answer.evidence
    assert answer.command == "imgcls ladder run baseline+augmentation --seeds 3"


def test_an_unfinished_ladder_is_gone_on_with(known: Desk) -> None:
    ladder, _ = known.make_ladder("baseline+augmentation", n_seeds=4)
    answer = known.states()["train.augmentation"]
    assert answer.evidence == f"ladders/{ladder.name} is not finished"
    assert answer.command == "imgcls ladder run baseline+augmentation --seeds 4"


def test_recipes_left_out_answer_as_recipes_added_do(known: Desk) -> None:
    known.ladder("baseline+augmentation+label_smoothing", kind="ablate")
    states = known.states()
    assert (states["train.augmentation"].state, states["train.loss"].state) == ("done", "done")
    assert known.list().next[-1].startswith("imgcls ladder run baseline+")


@pytest.mark.parametrize(
    ("losses", "accuracies", "state"),
    [
        ([0.9, 0.6, 0.5, 0.4, 0.5, 0.6], [0.5, 0.6, 0.7, 0.8, 0.8, 0.8], "done"),
        ([0.9, 0.6, 0.5, 0.4, 0.5, 0.39], [0.5, 0.6, 0.7, 0.8, 0.8, 0.8], "open"),
        ([0.9, 0.6, 0.5, 0.4, 0.5, 0.6], [0.5, 0.6, 0.7, 0.8, 0.8, 0.81], "open"),
        ([0.9, 0.4, 0.5, 0.5, 0.5], [0.5, 0.8, 0.8, 0.8, 0.8], "open"),
    ],
)
def test_a_flat_curve_says_that_more_epochs_would_not_help(
    known: Desk, losses: list[float], accuracies: list[float], state: str
) -> None:
    known.baseline(n_seeds=1)
    (run,) = known.runs()
    rows = [f"{n},{a},{a},{b}" for n, (a, b) in enumerate(zip(losses, accuracies, strict=True), start=1)]
    text = "\n".join(["epoch,train_loss,valid_loss,valid_accuracy", *rows, ""])
    (run.folder / "history.csv").write_text(text, encoding="utf-8")
    known.change(run)
    assert known.states()["train.epochs"].state == state
    known.know(data=OTHER)
    answer = known.states()["train.epochs"]
    assert answer.state == ("stale" if state == "done" else "open")
    assert answer.evidence.endswith("; the data changed since") is (state == "done")


def test_the_curve_of_the_baseline_counts_where_the_stack_to_use_was_not_trained(known: Desk) -> None:
    """Its weights are those of the baseline, as with views of each photograph."""
    known.ladder("baseline+tta_flips", skills=[0.5, 3.0], n_seeds=3)
    for run in known.runs():
        assert run.folder is not None
        text = "epoch,valid_loss,valid_accuracy\n" + "".join(f"{n},0.5,0.8\n" for n in range(1, 7))
        (run.folder / "history.csv").write_text(text, encoding="utf-8")
        known.change(run)
    answer = known.states()["train.epochs"]
    assert (answer.state, "runs/baseline-s" in answer.evidence) == ("done", True)


def test_all_the_data_count_for_the_stack_that_a_ladder_recommends(known: Desk) -> None:
    """Shown is the command; a run of another stack does not tick, one of this stack does, and names what is judged."""
    answer = known.states()["final.alldata"]
    assert (answer.state, answer.command) == ("open", None)
    known.ladder(skills=[0.5, 3.0])
    answer = known.states()["final.alldata"]
    assert (answer.state, answer.command) == ("open", "imgcls recipe run baseline+augmentation --all-data")
    known.on_all_data(known.runs()[0])
    assert known.states()["final.alldata"].state == "open"
    best = known.runs("baseline+augmentation")[0]
    final = known.on_all_data(best)
    answer = known.states()["final.alldata"]
    assert (answer.state, answer.command) == ("done", None)
    assert final.id in answer.evidence
    assert f"{best.id} stand for its score" in answer.evidence
    known.know(data=OTHER)
    assert known.states()["final.alldata"].state == "stale"


def test_another_split_takes_nothing_from_a_run_on_all_the_data(known: Desk) -> None:
    """The ladder is then on another split, and so nothing says which stack to use; the data are the same."""
    known.ladder(skills=[0.5, 3.0])
    final = known.on_all_data(known.runs("baseline+augmentation")[0])
    known.know(split=OTHER)
    assert not gather(known.workspace).change_since_run(final)
    assert gather(known.workspace).change_since_run(known.runs("baseline+augmentation")[0])


def test_a_run_on_all_the_data_is_evidence_for_nothing_else(known: Desk) -> None:
    """It is no baseline, no member, and no run of its stack."""
    known.baseline(n_seeds=1)
    before = known.states()
    known.on_all_data(known.runs()[0])
    after = known.states()
    assert {id_: (line.state, str(line.evidence)) for id_, line in after.items()} == {
        id_: (line.state, str(line.evidence)) for id_, line in before.items()
    }
    assert len(gather(known.workspace).finals) == 1


def test_a_split_into_folds_is_not_held_against_one_split(known: Desk) -> None:
    known.ladder(n_folds=5, n_images=60)
    known.know(split=OTHER)
    assert known.states()["train.augmentation"].state == "done"
    known.know(data=OTHER)
    assert known.states()["train.augmentation"].state == "stale"


def test_what_cannot_be_compared_with_the_data_as_they_are_stays_ticked_and_is_said(known: Desk) -> None:
    with_baseline(known)
    (known.photos / "two.jpg").write_bytes(b"two")
    found = known.list()
    assert known.states()["base.seed"].state == "done"
    (note,) = found.notes
    assert note.startswith("The data look different from when they were last read")


def test_runs_without_a_named_data_set_say_that_nobody_can_see_a_change(desk: Desk) -> None:
    desk.baseline(n_seeds=1)
    assert desk.list().notes == (
        "No imgcls.toml names the data, so that nobody can see whether they changed; 'imgcls init' writes one.",
    )


# Skipping


@pytest.mark.parametrize("id_", [item.id for item in all_items()])
def test_every_item_can_be_skipped_and_taken_in_again(desk: Desk, id_: str) -> None:
    desk.problem(title="", type=None, metric=None)
    skip(desk.workspace, id_, "  not here ")
    answer = desk.states()[id_]
    assert (answer.state, answer.evidence, answer.command) == ("skipped", "imgcls.toml: not here", None)
    unskip(desk.workspace, id_)
    assert desk.states()[id_].state == "open"


def test_what_is_proved_is_done_although_it_is_skipped(known: Desk) -> None:
    known.facts()
    skip(known.workspace, "eda.files", "no")
    known.know()
    assert known.states()["eda.files"].state == "done"
    known.know(data=OTHER)
    assert known.states()["eda.files"].state == "skipped"


def test_a_reason_is_needed(desk: Desk) -> None:
    desk.problem()
    with pytest.raises(UsageError, match=r"Say why 'eda\.files' is left out"):
        skip(desk.workspace, "eda.files", "  ")


def test_a_skipped_item_that_does_not_exist_is_named(desk: Desk) -> None:
    desk.problem(skipped={"eda.filez": "no"})
    (note,) = desk.list().notes
    assert note.startswith("imgcls.toml skips 'eda.filez', which is no item. Did you mean 'eda.files'")


def test_what_is_skipped_is_not_suggested(desk: Desk) -> None:
    desk.problem()
    before = desk.list().next
    for id_ in OF_FACTS:
        skip(desk.workspace, id_, "looked at elsewhere")
    assert before[0] == "imgcls eda"
    skip(desk.workspace, "problem.type", "known")
    assert "imgcls eda" not in desk.list().next


def test_numbers_that_are_none_in_a_result_are_no_gain(known: Desk) -> None:
    ladder = known.ladder()
    path = ladder.folder / RESULT_JSON
    value = json.loads(path.read_text(encoding="utf-8"))
    value["rungs"][1]["step"] |= {"low": None, "high": None}
    write_json(path, value)
    evidence = known.states()["train.augmentation"].evidence
    assert "[" not in evidence
    assert not math.isnan(float(evidence.split("baseline, ")[1].split(" points")[0]))


@pytest.mark.parametrize("id_", OF_BASELINE)
def test_a_later_experiment_takes_nothing_back(known: Desk, id_: str) -> None:
    """Such as a small network of random weights, which is the newest run of a base alone."""
    with_baseline(known)
    (run,) = known.runs()
    assert run.folder is not None
    home = run.folder.with_name("small")
    home.mkdir()
    plan = Stack.parse("baseline", {"model.name": "simple_cnn"}).plan
    later = replace(
        run,
        key=run.key[::-1],
        id=home.name,
        overrides={"model.name": "simple_cnn"},
        plan=plan.to_json(),
        plan_digest=plan.digest,
        train_digest=plan.train_digest,
        weights=RunWeights("none", None),
        metrics={"accuracy": Estimate(0.5, 0.4, 0.6, 60)},
        created="2026-11-25T10:00:00+00:00",
    ).write(home)
    answer = known.states()[id_]
    proves_itself = id_ not in ("base.model", "base.validate")
    assert (answer.state, (later if proves_itself else run).id in answer.evidence) == ("done", True)
    remove_run(run)
    assert known.states()[id_].state == ("done" if proves_itself else "open")


def test_folds_that_settle_nothing_ask_a_person(known: Desk) -> None:
    """Looking at the data once more would change nothing."""
    known.baseline(n_folds=3, n_seeds=1, n_images=20)
    (run, *others) = known.runs()
    for other in others:
        remove_run(other)
    folds = Folds((), {"accuracy": FoldSpread(0.5, 0.1, 3)})
    known.change(run, fold=None, folds=folds, metrics={"accuracy": Estimate(0.5, 0.4, 0.6, 60)})
    answer = known.states()["base.validate"]
    assert "is not shown to be better" in answer.evidence
    assert (answer.state, answer.command) == ("open", None)


def test_one_other_seed_is_one(known: Desk) -> None:
    known.baseline(n_seeds=2)
    assert ", as 1 other of this plan has its own;" in known.states()["base.seed"].evidence
    known.make_ladder("baseline+tta_flips", n_seeds=3, missing=[(0, 0), (0, 1)])
    assert ", as 2 others of this plan have theirs;" in known.states()["base.seed"].evidence


def test_files_are_named_with_what_they_hold(known: Desk) -> None:
    known.facts()
    expected = "reports/facts.json: photos (160 photographs), senders.csv (metadata, 190); "
    assert known.states()["eda.files"].evidence.startswith(expected.replace("160", "180"))
    paths = ["train.csv", "images", "test", "more.csv"]
    roles = ["labels", "photographs", "photographs", "other"]
    files = [FileFacts(path=path, role=role, n=708) for path, role in zip(paths, roles, strict=True)]
    known.facts(files=tuple(files))
    assert known.states()["eda.files"].evidence.startswith(
        "reports/facts.json: train.csv (708 labels), images (708 photographs), test (708 photographs), …; "
    )


@pytest.mark.parametrize(("asked", "n_classes", "state"), [("multiclass", 2, "open"), ("binary", 2, "done")])
def test_a_type_that_was_only_asked_for_is_held_against_the_classes(
    desk: Desk, asked: str, n_classes: int, state: str
) -> None:
    """Data that are read as asked say nothing of it; their number of classes does."""
    desk.problem(type=asked)
    desk.know(kind=asked, **{f"c{number}": 10 for number in range(n_classes)})
    desk.baseline(n_seeds=1)
    answer = desk.states()["problem.type"]
    assert answer.state == state
    assert "the last reading of the data (2 classes) says" in answer.evidence


def test_no_command_gets_past_a_findings_file_that_cannot_be_read(known: Desk) -> None:
    finding = known.make_facts().findings[0]
    rising = finding.model_copy(update={"id": "curve.rising", "severity": "note"})
    known.facts(findings=(finding, rising))
    (known.workspace.root / FINDINGS_TOML).write_text("schema = ", encoding="utf-8")
    found = known.list()
    assert known.states()["eda.leaks"].command is None
    assert {reason.id: reason.command for reason in found.back} == {"findings": None, "curve.rising": None}
    assert not [command for command in found.next if "apply" in command]


def test_a_repetition_proves_the_seed_or_disproves_it(known: Desk) -> None:
    """The last one counts."""
    known.baseline(n_seeds=2)
    first, second = known.runs()
    known.repeat(first, is_equal=True, day=1)
    answer = known.states()["base.seed"]
    assert (answer.state, answer.evidence) == (
        "done",
        f"runs/{first.id}: seed 0; repeated on 2026-12-01: equal bits",
    )
    known.repeat(second, is_equal=False, day=2)
    answer = known.states()["base.seed"]
    assert answer.state == "open"
    assert f"runs/{second.id}: seed 1, but repeated on 2026-12-02 it gave other bits in" in answer.evidence
    assert "compare versions and threads" in answer.evidence
    assert answer.command == "imgcls recipe run baseline --seed 1 --again"
    known.repeat(second, is_equal=True, day=3)
    assert known.states()["base.seed"].state == "done"
    known.know(data=OTHER)
    answer = known.states()["base.seed"]
    assert (answer.state, answer.evidence.endswith("equal bits; the data changed since")) == ("stale", True)


def test_what_only_a_cpu_promises_is_said_of_other_devices(known: Desk) -> None:
    known.baseline(n_seeds=1)
    run = known.change(known.runs()[0], environment={"device": "cuda"})
    known.repeat(run, is_equal=False, day=1)
    assert known.states()["base.seed"].evidence.endswith("only a cpu promises equal bits (--device cpu)")


def test_an_ensemble_in_a_ladder_or_a_blend_ticks_its_item_until_the_data_change(known: Desk) -> None:
    """Either is enough; a damaged result is named, and proves nothing."""
    ladder = known.ladder(n_seeds=3, skills=[1.0, 3.0])
    answer = known.states()["predict.ensemble"]
    assert (answer.state, answer.evidence) == ("open", "not tried yet")
    assert answer.command is not None
    assert answer.command.startswith("imgcls blend ")
    known.judge(replace(ladder, ensemble=True).write(known.workspace))
    answer = known.states()["predict.ensemble"]
    assert answer.state == "done"
    assert "3 networks of baseline+augmentation over one of them" in answer.evidence
    assert f"ladders/{ladder.name}/result.json" in answer.evidence
    known.judge(ladder.write(known.workspace))
    assert known.states()["predict.ensemble"].state == "open"
    made = blend("baseline", workspace=known.workspace, metric="accuracy").record
    answer = known.states()["predict.ensemble"]
    assert (answer.state, f"blends/{made.id}/verdict.json" in answer.evidence) == ("done", True)
    known.know(data=OTHER)
    assert known.states()["predict.ensemble"].state == "stale"


def test_a_submission_of_a_blend_of_the_incumbents_networks_is_final(known: Desk) -> None:
    """One of other networks is not."""
    ladder = known.ladder(n_seeds=3, skills=[1.0, 3.0])
    for stack in ("baseline", "baseline+augmentation"):
        for run in known.runs(stack):
            known.with_test(run)
    known.judge(ladder)
    for what, state in (("baseline", "open"), ("baseline+augmentation", "done")):
        record = blend(what, workspace=known.workspace).record
        submit(tabulate(record, known.workspace), record, known.workspace)
        assert known.states()["final.submit"].state == state


def test_an_ensemble_of_a_stack_that_is_no_rung_is_damage(known: Desk) -> None:
    """Written by hand, or by something else."""
    ladder = replace(known.ladder(n_seeds=3), ensemble=True)
    known.judge(ladder.write(known.workspace))
    assert ladder.folder is not None
    file = ladder.folder / RESULT_JSON
    said = json.loads(file.read_text())
    said["ensemble"]["stack"] = "baseline+mixup"
    file.write_text(json.dumps(said))
    answer = known.states()["predict.ensemble"]
    assert answer.state == "open"


def test_an_ensemble_is_no_rung_of_a_ladder_that_stalled(known: Desk) -> None:
    """Three rungs without evidence are three, whatever the mean of the seeds gained."""
    ladder = known.ladder("baseline+augmentation+adamw_cosine+label_smoothing", n_seeds=3, skills=[1.0] * 4)
    assert "stalled" in known.reasons()
    known.judge(replace(ladder, ensemble=True).write(known.workspace))
    assert "The last 3 rungs" in known.reasons()["stalled"].text
    assert "networks of" not in known.reasons()["stalled"].text


def test_a_blend_is_stale_when_a_stack_means_another_plan(known: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """As every other verdict."""
    known.baseline(n_seeds=3)
    blend("baseline", workspace=known.workspace)
    assert known.states()["predict.ensemble"].state == "done"
    forget_plans(monkeypatch)
    assert known.states()["predict.ensemble"].state == "stale"


def test_folds_of_one_seed_are_one_network_to_blend(known: Desk) -> None:
    """What comes first is the same folds with another seed."""
    known.baseline(n_seeds=1, n_folds=5, n_images=20)
    for run in known.runs():
        known.change(run, n_folds=5)
    answer = known.states()["predict.ensemble"]
    assert (answer.state, answer.evidence) == ("open", "no stack has two networks yet that could be blended")
    assert answer.command == "imgcls recipe run baseline --seed 1 --folds 5"


def test_a_look_at_views_ticks_its_item_until_the_data_change(known: Desk) -> None:
    """That of a run that is there; a damaged file is named, and proves nothing."""
    known.baseline(n_seeds=1)
    (run,) = known.runs()
    random = np.random.default_rng(0)
    board = Predictions(
        ids=tuple(map(str, range(60))),
        labels=("cat", "dog") * 30,
        targets=np.arange(60) % 2,
        groups=None,
        probabilities={str(number): random.dirichlet((1, 1), 60) for number in (1, 2, 3)},
        notes=(),
        problem="binary",
    )
    found = judge_views(run, board, ViewsQuestion("flips", 3, "accuracy"))
    assert known.states()["predict.tta"].state == "open"
    file = known.workspace.reports / "views" / "a.json"
    file.parent.mkdir(parents=True)
    write_json(file, found.to_json())
    answer = known.states()["predict.tta"]
    assert answer.state == "done"
    assert "reports/views/a.json" in answer.evidence
    assert f"views of {run.id}, chosen by cross-fitting, over one" in answer.evidence
    known.know(data=OTHER)
    assert known.states()["predict.tta"].state == "stale"
    write_json(file, replace(found, run="gone-s0-00000000").to_json())
    assert known.states()["predict.tta"].state == "open"
    file.write_text("{")
    assert known.states()["predict.tta"].state == "open"
