"""What ladders and comparisons leave for the checklist, whole and damaged."""

from __future__ import annotations

import json
import shutil
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest

import imgcls
from imgcls.catalog import Stack, copy_recipe, find_recipes
from imgcls.checklists.class_errors import TALLIES_JSON, ClassErrors, class_errors, load_class_errors
from imgcls.checklists.evidence import gather
from imgcls.ladders.spec import COMPARISONS, FINAL_JSON, RESULT_JSON
from imgcls.records.run import GAINS, Estimate, Verdict
from imgcls.storage import write_json
from tests.unit.checklists.conftest import OTHER, Desk
from tests.unit.checklists.test_go_back import opened

SMOOTHED = "baseline+label_smoothing"


def compared(desk: Desk, stack: str = SMOOTHED, **options: Any) -> Path:
    """Draw runs of a baseline and a stack that no ladder holds, compare the two, and give the file of that."""
    ladder, _ = desk.make_ladder(stack, **options)
    assert ladder.folder is not None
    (ladder.folder / "ladder.json").unlink()
    imgcls.compare("baseline", stack, workspace=desk.workspace)
    (path,) = (desk.workspace.reports / COMPARISONS).iterdir()
    return path


def test_gains_are_verdicts() -> None:
    assert set(GAINS) < set(get_args(Verdict))


def test_a_comparison_ticks_an_item_until_the_data_change(known: Desk) -> None:
    path = compared(known)
    answer = known.states()["train.loss"]
    assert answer.state == "done"
    assert answer.evidence.startswith(f"reports/{COMPARISONS}/{path.name}: {SMOOTHED} over baseline, ")
    assert known.states()["train.augmentation"].state == "open"
    known.know(data=OTHER)
    answer = known.states()["train.loss"]
    assert (answer.state, answer.command) == ("stale", "imgcls ladder run baseline+label_smoothing --seeds 3")


def test_the_same_question_has_one_answer_and_another_one_its_own(known: Desk) -> None:
    path = compared(known)
    first = path.read_bytes()
    path.write_bytes(b"{}")
    imgcls.compare("baseline", SMOOTHED, workspace=known.workspace)
    assert path.read_bytes() == first
    imgcls.compare("baseline", SMOOTHED, workspace=known.workspace, metric="log_loss")
    imgcls.compare(SMOOTHED, "baseline", workspace=known.workspace)
    assert len(list(path.parent.iterdir())) == 3


def test_one_run_on_a_side_does_not_take_the_place_of_many(known: Desk) -> None:
    path = compared(known)
    runs = known.runs()[0], known.runs(SMOOTHED)[0]
    imgcls.compare(runs[0].id, runs[1].id, workspace=known.workspace)
    assert len(list(path.parent.iterdir())) == 2
    assert known.states()["train.loss"].state == "done"


def test_a_comparison_that_cannot_be_kept_is_given_all_the_same(known: Desk) -> None:
    known.make_ladder(SMOOTHED)
    known.workspace.reports.write_bytes(b"a file where the folder would be")
    assert imgcls.compare("baseline", SMOOTHED, workspace=known.workspace).judged.verdict in get_args(Verdict)


def test_of_two_recipes_at_once_nothing_is_told_of_either(known: Desk) -> None:
    compared(known, "baseline+augmentation+label_smoothing")
    states = known.states()
    assert (states["train.augmentation"].state, states["train.loss"].state) == ("open", "open")


@pytest.mark.parametrize(
    ("overrides", "items"),
    [
        ({"model.name": "resnet18"}, {"train.model"}),
        ({"fit.epochs": 9}, {"train.epochs"}),
        ({"optimizer.learning_rate": 0.01}, {"train.optimizer"}),
        ({"model.name": "resnet18", "fit.epochs": 9}, set()),
    ],
)
def test_another_base_answers_what_it_changes(known: Desk, overrides: dict[str, Any], items: set[str]) -> None:
    """Two stacks of the same recipes, as 'imgcls recipe run baseline --model resnet18' gives them."""
    known.baseline()
    other = Stack.parse("baseline", overrides)
    for run in known.runs():
        home = known.workspace.runs / f"other-s{run.seed}"
        home.mkdir()
        shutil.copy(run.path("valid.parquet"), home)
        replace(
            run,
            key=run.key[::-1],
            id=home.name,
            overrides=overrides,
            label=other.label,
            plan=other.plan.to_json(),
            plan_digest=other.plan.digest,
            train_digest=other.plan.train_digest,
        ).write(home)
    imgcls.compare(Stack.parse("baseline").plan.digest, other.label, workspace=known.workspace)
    done = {id_ for id_, answer in known.states().items() if answer.state == "done" and id_.startswith("train.")}
    assert done == items


def test_a_recipe_on_another_base_is_not_told_apart_from_the_base(known: Desk) -> None:
    known.make_ladder(SMOOTHED)
    other = Stack.parse(SMOOTHED, {"fit.epochs": 9})
    for run in known.runs(SMOOTHED):
        known.change(
            run,
            overrides={"fit.epochs": 9},
            label=other.label,
            plan=other.plan.to_json(),
            plan_digest=other.plan.digest,
            train_digest=other.plan.train_digest,
        )
    found = imgcls.compare("baseline", SMOOTHED, workspace=known.workspace)
    assert (found.recipes, found.items) == (("label_smoothing",), ())
    states = known.states()
    assert {states[id_].state for id_ in ("train.loss", "train.epochs")} == {"open"}


def test_a_verdict_that_nobody_gives_is_damage(known: Desk) -> None:
    ladder = known.ladder(SMOOTHED)
    path = ladder.folder / RESULT_JSON
    write_json(path, put(json.loads(path.read_text(encoding="utf-8")), ("rungs", 1, "step", "verdict"), "marvellous"))
    (damage,) = known.list().damages
    assert f"{RESULT_JSON} is damaged: rungs.1.step.verdict must be one of better, likely better" in damage.reason
    assert known.states()["train.loss"].state == "open"


DAMAGES = {
    RESULT_JSON: [
        (),
        ("rungs",),
        ("rungs", 1),
        ("rungs", 1, "runs"),
        ("rungs", 1, "step"),
        ("rungs", 1, "step", "verdict"),
        ("rungs", 1, "step", "n_runs"),
        ("incumbent",),
    ],
    FINAL_JSON: [(), ("test", "value"), ("validation_scores",), ("incumbent_score", "low")],
    f"{COMPARISONS}/*.json": [
        (),
        ("a", "stack"),
        ("b", "plan_digest"),
        ("a", "overrides"),
        ("gain", "verdict"),
        ("gain", "value"),
        ("data", "digest"),
        ("items",),
        ("changes",),
    ],
}


@pytest.mark.parametrize(("name", "place"), [(name, place) for name, places in DAMAGES.items() for place in places])
def test_odd_values_are_damage_or_do_not_matter(known: Desk, name: str, place: tuple[str | int, ...]) -> None:
    """Whatever stands there, the checklist says what it can; a damaged file is named."""
    ladder = known.ladder(SMOOTHED, n_seeds=2, n_images=20)
    opened(known, test=(0.60, 0.55, 0.65), validation=(0.80, 0.75, 0.85))
    imgcls.compare("baseline", SMOOTHED, workspace=known.workspace)
    (path,) = (*ladder.folder.glob(name), *known.workspace.reports.glob(name))
    whole = json.loads(path.read_text(encoding="utf-8"))
    for odd in (7, [[]]):
        write_json(path, put(whole, place, odd))
        found = known.list()
        assert {path.name in damage.reason for damage in found.damages} <= {True}
        assert place or len(found.damages) == 1
        json.dumps(found.to_json(), allow_nan=False)


def put(value: Any, place: tuple[str | int, ...], new: object) -> Any:
    """Return a copy of JSON values with another one at a place."""
    if not place:
        return new
    changed = deepcopy(value)
    inner = changed
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = new
    return changed


def test_a_damaged_opening_leaves_the_verdicts_of_its_ladder(known: Desk) -> None:
    ladder = known.ladder(SMOOTHED)
    (ladder.folder / FINAL_JSON).write_text("{}", encoding="utf-8")
    found = known.list()
    assert [FINAL_JSON in damage.reason for damage in found.damages] == [True]
    assert known.states()["train.loss"].state == "done"


def test_a_result_of_other_rungs_is_damage(known: Desk) -> None:
    ladder = known.ladder(SMOOTHED)
    path = ladder.folder / RESULT_JSON
    value = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, value | {"rungs": value["rungs"] * 2})
    assert known.states()["train.loss"].state == "open"


def test_errors_are_counted_by_label(known: Desk) -> None:
    known.baseline(n_seeds=1)
    (run,) = known.runs()
    rows = {
        "label": ["cat", "cat|dog", "|", "dog"],
        "p_cat": [0.9, 0.4, 0.2, 0.6],
        "p_dog": [0.1, 0.9, 0.8, 0.9],
    }
    pd.DataFrame(rows).to_parquet(run.folder / "valid.parquet")
    several = known.change(run, problem="multilabel")
    assert class_errors(several, known.workspace) == (ClassErrors("cat", 4, 2), ClassErrors("dog", 4, 1))
    one = known.change(run, problem="binary")
    assert class_errors(one, known.workspace) == (ClassErrors("cat", 1, 0), ClassErrors("dog", 1, 0))
    assert class_errors(known.change(run, classes=("cat", "fox")), known.workspace) == (
        ClassErrors("cat", 0, 0),
        ClassErrors("fox", 0, 0),
    )
    assert class_errors(known.change(run, classes=()), known.workspace) == ()
    (run.folder / "valid.parquet").write_bytes(b"no parquet")
    assert class_errors(known.change(run), known.workspace) == (ClassErrors("cat", 0, 0), ClassErrors("dog", 0, 0))


def test_what_was_counted_is_read_once(known: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    known.baseline(n_seeds=1)
    (run,) = known.runs()
    counted = class_errors(run, known.workspace)
    assert sum(tally.n for tally in counted) == run.data.n["valid"]
    with monkeypatch.context() as patch:
        patch.setattr("imgcls.checklists.class_errors._batches", pytest.fail)
        assert class_errors(run, known.workspace) == counted
    (known.workspace.runs / TALLIES_JSON).write_text("{", encoding="utf-8")
    assert class_errors(run, known.workspace) == counted
    assert run.folder is not None
    pd.DataFrame({"id": ["a"], "label": ["cat"], "p_cat": [0.1], "p_dog": [0.9]}).to_parquet(
        run.folder / "valid.parquet"
    )
    other = known.change(run)
    assert class_errors(other, known.workspace) == (ClassErrors("cat", 1, 1), ClassErrors("dog", 0, 0))
    assert len(load_class_errors(known.workspace)) == 1  # of predictions that are not all there nothing is kept
    (run.folder / "valid.parquet").unlink()
    assert class_errors(other, known.workspace) == ()


@pytest.mark.parametrize(("accuracy", "reads"), [(0.9, False), (0.8, True), (None, True)])
def test_predictions_are_not_read_for_a_handful_of_errors(
    known: Desk, monkeypatch: pytest.MonkeyPatch, accuracy: float | None, reads: bool
) -> None:
    known.baseline(n_seeds=1)
    scored = Estimate(accuracy, None, None, 60)
    known.change(known.runs()[0], metrics={"accuracy": scored})
    asked: list[str] = []
    monkeypatch.setattr("imgcls.checklists.go_back.class_errors", lambda run, _: asked.append(run.id) or ())
    known.list()
    assert bool(asked) is reads


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_recipe_file_is_found_from_every_folder(
    known: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    """Its path begins at the workspace, wherever the checklist is asked for."""
    stack = "baseline+./mine.py"
    monkeypatch.chdir(known.workspace.root)
    copy_recipe("label_smoothing", Path("mine.py"))
    known.ladder(stack, skills=[0.5, 3.0])
    if elsewhere:
        monkeypatch.chdir(tmp_path)
    assert known.states()["train.loss"].state == "done"
    assert "+./mine.py+" in str(known.states()["train.augmentation"].command)
    copy_recipe("tta_flips", known.workspace.root / "mine.py", overwrite=True)
    assert known.states()["train.loss"].evidence.endswith(f"; {stack} means another plan since")
    (known.workspace.root / "mine.py").unlink()
    assert known.states()["train.loss"].evidence.endswith(f"; ./mine.py, a recipe of {stack}, is missing")


def test_a_stack_that_is_none_any_more_says_so(known: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    known.ladder(SMOOTHED)
    known_recipes = find_recipes()
    known_recipes.pop("label_smoothing")
    monkeypatch.setattr("imgcls.catalog.find_recipes", lambda: known_recipes)
    answer = known.states()["train.loss"]
    assert answer.state == "stale"
    assert answer.evidence.endswith(f"; {SMOOTHED} is no stack any more; 'imgcls recipe show' says why")


def test_a_link_to_nothing_is_a_damaged_comparison(known: Desk) -> None:
    path = compared(known)
    (path.parent / "gone.json").symlink_to(path.parent / "nowhere")
    found = known.list()
    assert ["gone.json does not exist" in damage.reason for damage in found.damages] == [True]
    assert known.states()["train.loss"].state == "done"


def test_a_ladder_that_is_removed_meanwhile_is_told(known: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    known.ladder(SMOOTHED)
    is_file = Path.is_file
    folder = known.workspace.ladders / "gone"
    folder.mkdir()
    monkeypatch.setattr(Path, "is_file", lambda path: path.parent == folder or is_file(path))
    found = known.list()
    assert ["gone/ladder.json does not exist" in damage.reason for damage in found.damages] == [True]
    assert known.states()["train.loss"].state == "done"


def test_what_a_climb_chose_is_what_is_built_on(known: Desk, drawn_climb: Any) -> None:
    record, _ = drawn_climb(n_images=400)
    evidence = gather(known.workspace)
    climb = evidence.climb
    assert climb is not None
    assert (climb.file, climb.incumbent) == ("ladders/drawn/climb.json", 1)
    assert climb.ladder.rungs[1].stack == record.chosen
    assert climb.incumbent_runs == record.chosen_runs
    assert [trial.verdict for trial in climb.trials] == [record.gain.verdict]
    replace(record, choices=(record.chosen, "baseline")).write(known.workspace)  # then others answered as well
    assert gather(known.workspace).climb.trials == ()  # type: ignore[union-attr]
    known.know(data=OTHER)
    assert gather(known.workspace).climb is None


def test_a_climb_that_is_not_finished_or_is_damaged_proves_nothing(known: Desk, drawn_climb: Any) -> None:
    record, workspace = drawn_climb()
    replace(record, is_complete=False, pair={}).write(workspace)
    assert gather(known.workspace).climb is None
    file = workspace.ladders / record.name / "climb.json"
    file.write_text("{", encoding="utf-8")
    found = gather(known.workspace)
    assert found.climb is None
    assert any("climb.json" in str(damage.reason) for damage in found.damages)
