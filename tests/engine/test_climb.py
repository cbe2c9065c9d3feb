"""A climb over drawn photographs: it chooses, claims on what did not choose, and goes on wherever it was stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

import imgcls
from benchmarks.climbs import climb_set, table
from benchmarks.study import StudySet
from imgcls.engine.run import Job
from imgcls.errors import TrainingError, UsageError
from imgcls.ladders import climber
from imgcls.ladders.climb import ClimbRecord
from imgcls.ladders.state import read_state
from imgcls.records.find import find_runs
from imgcls.workspace import Workspace
from tests.conftest import draw_photo

pytestmark = [pytest.mark.train, pytest.mark.usefixtures("one_thread")]

BASE = "baseline:model=simple_cnn,epochs=1"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open with what takes a moment each."""
    monkeypatch.setattr("imgcls.ladders.candidates.OPENINGS", ("linear_probe", "augmentation", "label_smoothing"))


def climbed(photo_folder: Path, home: Path, **options: object) -> ClimbRecord:
    return imgcls.climb(BASE, photo_folder, workspace=home, **{"budget": "1h", **options})  # type: ignore[arg-type]


def test_it_chooses_a_stack_and_keeps_why(photo_folder: Path, tmp_path: Path) -> None:
    found = climbed(photo_folder, tmp_path)
    assert found.is_complete
    assert [one.stack for one in found.tried if one.outcome == "chosen"] == [found.chosen]
    assert ClimbRecord.read(tmp_path / "ladders" / found.name) == found
    runs = find_runs(Workspace(tmp_path))[0]
    assert {run.stack for run in runs} == {one.stack for one in found.tried if one.n_turns}
    chosen = next(one for one in found.tried if one.stack == found.chosen)
    assert chosen.n_turns == len(found.turns) == 3
    assert found.gain is not None
    assert found.seconds == pytest.approx(sum(run.seconds["total"] for run in runs))


def test_the_same_call_trains_nothing_again(photo_folder: Path, tmp_path: Path) -> None:
    first = climbed(photo_folder, tmp_path)
    ids = sorted(run.id for run in find_runs(Workspace(tmp_path))[0])
    again = climbed(photo_folder, tmp_path)
    assert sorted(run.id for run in find_runs(Workspace(tmp_path))[0]) == ids
    assert (again.chosen, again.gain, again.score) == (first.chosen, first.gain, first.score)


def test_stopped_anywhere_it_comes_to_the_same(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = climbed(photo_folder, tmp_path / "whole")
    begun = climber._Climber._work
    n_calls = 0

    def stops(self: object) -> object:
        nonlocal n_calls
        n_calls += 1
        if n_calls == 3:
            raise KeyboardInterrupt
        return begun(self)  # type: ignore[arg-type]

    monkeypatch.setattr(climber._Climber, "_work", stops)
    with pytest.raises(KeyboardInterrupt):
        climbed(photo_folder, tmp_path / "stopped")
    n_before = len(find_runs(Workspace(tmp_path / "stopped"))[0])
    assert 0 < n_before < len(find_runs(Workspace(tmp_path / "whole"))[0])
    found = climbed(photo_folder, tmp_path / "stopped")
    assert (found.chosen, found.score, found.gain) == (whole.chosen, whole.score, whole.gain)


def test_over_folds_each_is_held_out_in_turn(photo_folder: Path, tmp_path: Path) -> None:
    found = climbed(photo_folder, tmp_path, folds=5)
    assert (found.n_folds, len(found.turns)) == (5, 5)
    assert found.gain is not None
    assert found.gain.method == "folds"


def test_a_budget_too_small_for_anything_says_what_would_do(photo_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"too small for anything: .* take about"):
        climbed(photo_folder, tmp_path, budget=0.001)
    assert not find_runs(Workspace(tmp_path))[0]


def test_a_stack_that_cannot_be_built_is_not_tried(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgcls.ladders.candidates.OPENINGS", ("linear_probe", "freeze_stages:n=900"))
    found = climbed(photo_folder, tmp_path)
    assert found.opening == (f"{BASE}+linear_probe",)
    assert any("freeze_stages:n=900 is not tried" in note for note in found.notes)


def test_a_training_that_fails_lets_its_stack_go(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits = Job._fit

    def crashes(self: Job, *args: object, **options: object) -> object:
        if "linear_probe" in self.request.stack.text and self.request.seed == 1:
            raise TrainingError("the network caught fire")
        return fits(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Job, "_fit", crashes)
    found = climbed(photo_folder, tmp_path)
    assert found.is_complete
    assert "linear_probe" not in found.chosen
    assert any(one.outcome.startswith("failed: ") and "linear_probe" in one.stack for one in found.tried)


def test_the_sealed_test_scores_base_and_choice(photo_folder: Path, tmp_path: Path) -> None:
    found = climbed(photo_folder, tmp_path)
    pair = found.as_ladder
    assert pair is not None
    assert [rung.stack for rung in pair.rungs] == list(dict.fromkeys((BASE, found.chosen)))
    assert read_state(pair, Workspace(tmp_path)).is_complete


def test_two_texts_of_one_plan_are_one_training(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default ladder's stack may have the very plan of one that the climb came to by itself."""
    monkeypatch.setattr("imgcls.ladders.candidates.OPENINGS", ("label_smoothing+cosine",))
    for module in ("climber", "candidates"):
        monkeypatch.setattr(f"imgcls.ladders.{module}.DEFAULT_STACK", f"{BASE}+cosine+label_smoothing")
    monkeypatch.setattr("imgcls.ladders.climber.further", lambda stack, traits: ())
    found = climbed(photo_folder, tmp_path)
    assert found.is_complete
    assert found.over_default is not None
    assert len(find_runs(Workspace(tmp_path))[0]) == 6


def test_another_question_has_a_folder_of_its_own(photo_folder: Path, tmp_path: Path) -> None:
    first = climbed(photo_folder, tmp_path)
    other = climbed(photo_folder, tmp_path, metric="log_loss")
    assert other.name != first.name
    assert ClimbRecord.read(tmp_path / "ladders" / first.name) == first
    with pytest.raises(UsageError, match="asks something else"):
        climbed(photo_folder, tmp_path, metric="balanced_accuracy", name=first.name)


def test_a_climb_on_a_set_of_the_study_is_kept_without_paths(photo_folder: Path, tmp_path: Path) -> None:
    chosen = StudySet("drawn", "accuracy", {"data": photo_folder.name})
    kept = tmp_path / "kept"
    found = climb_set(chosen, place=photo_folder.parent, home=tmp_path, budget="1h", base=BASE, to=kept)
    text = (kept / "drawn" / "climb.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert str(photo_folder) not in text
    told = table(kept)
    assert f"`{found.chosen}`" in told
    for one in found.tried:
        assert f"| {found.short(one.stack)} |" in told


def test_the_cheapest_shows_which_pixels_suit_also_when_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgcls.ladders.candidates.OPENINGS", ("label_smoothing", "linear_probe"))
    seconds = {"linear_probe": 0.5, "label_smoothing": 2.0}
    monkeypatch.setattr(climber, "estimate_run", lambda request, trains: seconds.get(request.stack.names[-1], 1.0))
    for number in range(40):
        place = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        draw_photo(place, bright=number % 2, seed=number, size=(60, 24))
    first = climbed(tmp_path / "photos", tmp_path, seeds=2)
    assert set(first.variants) == {f"{BASE}+label_smoothing", f"{BASE}+linear_probe"}
    assert any(one.stack == f"{BASE}+linear_probe+keep_aspect" and one.n_turns for one in first.tried)
    ids = sorted(run.id for run in find_runs(Workspace(tmp_path))[0])
    again = climbed(tmp_path / "photos", tmp_path, seeds=2)
    assert sorted(run.id for run in find_runs(Workspace(tmp_path))[0]) == ids
    assert again.chosen == first.chosen
