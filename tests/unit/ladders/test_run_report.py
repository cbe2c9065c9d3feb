"""What the page of a run shows: its mistakes by kind, what it is unsure of, where seeds differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

import imgcls
from imgcls.evidence.validated import Validated
from imgcls.ladders import run_report
from imgcls.ladders.results import Blend
from imgcls.ladders.run_report import MOST_IN_CELLS, RunReport
from imgcls.records.find import find_runs
from imgcls.records.run import AllData, JudgedRun, RunRecord
from imgcls.reports.page.run_page import RunPage, commands
from imgcls.workspace import Workspace

Draw = Callable[..., Any]


def first_run(workspace: Workspace) -> RunRecord:
    return next(run for run in find_runs(workspace)[0] if run.stack == "baseline" and run.seed == 0)


def several_labels(run: RunRecord) -> RunRecord:
    """Write the same predictions once more as those of a run whose images may have several labels."""
    assert run.folder is not None
    frame = run.predictions("valid")
    frame[[f"p_{name}" for name in run.classes]] **= 0.5
    frame.to_parquet(run.folder / "valid.parquet", index=False)
    return replace(run, problem="multilabel").write(run.folder)


@pytest.mark.parametrize("classes", [("cat", "dog"), ("cat", "dog", "eel")])
def test_counts_and_curves_are_those_of_scikit_learn(drawn_ladder: Draw, classes: tuple[str, ...]) -> None:
    _, workspace = drawn_ladder(classes=classes, n_images=120, skills=[0.7] * 5)
    run = first_run(workspace)
    found, images = RunReport.of(run, workspace), Validated.of(run)
    answers = images.probabilities.argmax(axis=1)
    truth = np.asarray(images.targets)
    assert (np.array(found.matrix) == confusion_matrix(truth, answers, labels=range(len(classes)))).all()
    assert found.n_mistakes == (truth != answers).sum() == sum(cell.n for cell in found.cells)
    for one in found.tradeoffs:
        place = classes.index(one.name)
        scores = images.probabilities[:, place]
        precision, recall, _ = precision_recall_curve(truth == place, scores)
        assert {(round(r, 9), round(p, 9)) for r, p in zip(one.recall, one.precision, strict=True)} <= {
            (round(r, 9), round(p, 9)) for r, p in zip(recall, precision, strict=True)
        }
        alarms, hits, _ = roc_curve(truth == place, scores, drop_intermediate=False)
        assert one.alarms == pytest.approx(alarms[1:].tolist())
        assert one.recall == pytest.approx(hits[1:].tolist())
        assert one.chosen[0] == pytest.approx(((answers == place) & (truth == place)).sum() / (truth == place).sum())


def test_mistakes_come_by_confidence_and_the_unsure_by_the_lack_of_it(drawn_ladder: Draw) -> None:
    _, workspace = drawn_ladder(n_images=120, skills=[0.7] * 5)
    found = RunReport.of(first_run(workspace), workspace)
    sure = [one.confidence for one in found.mistakes]
    assert sure == sorted(sure, reverse=True)
    assert all(one.label != one.answer for one in found.mistakes)
    unsure = [one.confidence for one in found.uncertain]
    assert unsure == sorted(unsure)
    assert unsure[0] < 0.6
    assert "photographs cannot be found" in found.trouble  # a drawn ladder has none


def test_seeds_that_answer_otherwise_are_found_and_counted(drawn_ladder: Draw) -> None:
    _, workspace = drawn_ladder(n_images=120, n_seeds=3, skills=[0.7] * 5)
    run = first_run(workspace)
    found = RunReport.of(run, workspace)
    runs = [one for one in find_runs(workspace)[0] if one.stack == "baseline"]
    answers = np.stack([Validated.of(one).probabilities.argmax(axis=1) for one in runs])
    assert (found.n_seeds, found.n_disputed) == (3, int((answers != answers[0]).any(axis=0).sum()))
    assert all(sum(n for _, n in one.answers) == 3 for one in found.disputed)
    assert found.disputed[0].answers[0][1] <= found.disputed[-1].answers[0][1]
    alone = RunReport.of(run, Workspace(workspace.root / "elsewhere"))
    assert (alone.n_seeds, alone.disputed) == (1, ())


def test_every_kind_of_mistake_has_a_photograph_and_the_page_its_bounds(
    drawn_ladder: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, workspace = drawn_ladder(classes=tuple(f"class {n}" for n in range(12)), n_images=600, skills=[0.1] * 5)
    monkeypatch.setattr(run_report, "MOST_CELLS", 50)
    found = RunReport.of(first_run(workspace), workspace)
    assert len(found.cells) == 50
    assert all(cell.images for cell in found.cells)
    assert [cell.n for cell in found.cells] == sorted((cell.n for cell in found.cells), reverse=True)
    assert sum(len(cell.images) for cell in found.cells) <= MOST_IN_CELLS
    monkeypatch.setattr(run_report, "MOST_POINTS", 20)
    thinned = RunReport.of(first_run(workspace), workspace).tradeoffs
    assert all(len(one.recall) == 20 and one.recall[-1] == 1 for one in thinned)


def test_without_images_no_name_is_left(drawn_ladder: Draw) -> None:
    _, workspace = drawn_ladder(n_images=60, skills=[0.5] * 5)
    run = first_run(workspace)
    found = RunReport.of(run, workspace, with_images=False)
    assert (found.shown, found.is_withheld) == ((), True)
    assert found.cells
    assert not any(name in repr(found.cells) for name in Validated.of(run).ids)


def test_what_nothing_validated_has_no_mistakes(drawn_ladder: Draw, tmp_path: Path) -> None:
    _, workspace = drawn_ladder(n_images=60)
    run = replace(first_run(workspace), files={})
    found = RunReport.of(run, workspace)
    assert (found.detail, found.mistakes, found.is_withheld) == (None, (), False)


def test_mistakes_and_confusion_are_frames(drawn_ladder: Draw) -> None:
    _, workspace = drawn_ladder(classes=("cat", "dog", "eel"), n_images=120, skills=[0.5] * 5)
    run = first_run(workspace)
    report, frame = RunReport.of(run, workspace), imgcls.mistakes(run.id, workspace=workspace)
    assert list(frame["image"])[:60] == [one.image for one in report.mistakes]
    assert len(frame) == report.n_mistakes
    table = run.confusion()
    assert run.mistakes().equals(frame)
    assert table.equals(imgcls.confusion(run))
    assert (table.to_numpy() == np.array(report.matrix)).all()
    assert table.loc["cat", "dog"] == ((frame["label"] == "cat") & (frame["answer"] == "dog")).sum()


def test_another_seed_that_is_damaged_does_not_count(drawn_ladder: Draw) -> None:
    _, workspace = drawn_ladder(n_images=60, n_seeds=3, skills=[0.7] * 5)
    run = first_run(workspace)
    other = next(one for one in find_runs(workspace)[0] if one.stack == "baseline" and one.seed == 2)
    assert other.folder is not None
    (other.folder / "valid.parquet").write_bytes(b"nothing")
    assert RunReport.of(run, workspace).n_seeds == 2


def test_labels_are_missed_or_called_where_they_are_not(drawn_ladder: Draw) -> None:
    """With several labels a kind of mistake is one label's, and counted among those for which it was possible."""
    classes = ("cat", "dog", "eel")
    _, workspace = drawn_ladder(classes=classes, n_images=90, skills=[0.5] * 5)
    run = several_labels(first_run(workspace))
    found, images = RunReport.of(run, workspace), Validated.of(run)
    called = images.probabilities >= 0.5
    expected = {}
    for place, name in enumerate(classes):
        has, answered = images.truth[:, place], called[:, place]
        expected[name, f"not {name}"] = int((has & ~answered).sum()), int(has.sum())
        expected[f"not {name}", name] = int((~has & answered).sum()), int((~has).sum())
    assert {(cell.label, cell.answer): (cell.n, cell.n_label) for cell in found.cells} == {
        kind: counts for kind, counts in expected.items() if counts[0]
    }
    assert found.matrix == ()
    assert sum(cell.n for cell in found.cells) == int((images.truth != called).sum())
    assert found.n_mistakes == int((images.truth != called).any(axis=1).sum())
    assert [one.confidence for one in found.mistakes] == sorted(
        (one.confidence for one in found.mistakes), reverse=True
    )


def test_the_page_says_what_repeats_a_run_and_draws_how_it_learnt(drawn_ladder: Draw) -> None:
    _, workspace = drawn_ladder(n_images=60)
    run = first_run(workspace)
    page = RunPage(RunReport.of(run, workspace)).content("html").decode()
    assert "train loss from 0.800 to 0.533, valid loss from 0.800 to 0.533, accuracy from 0.800 to 0.800" in page
    assert "Trained on 180 photographs of <bdi>drawn</bdi>" in page
    assert commands(replace(run, quick=True))[0].startswith("imgcls recipe run baseline --seed 0 --quick")


def test_a_network_of_all_the_data_names_what_stands_for_its_score(drawn_ladder: Draw) -> None:
    _, workspace = drawn_ladder(n_images=60)
    run = first_run(workspace)
    judged = JudgedRun(run.id, "0" * 64, run.metrics)
    whole = replace(run, files={}, metrics={}, all_data=AllData((judged,), run.id, 3, 3))
    page = RunPage(RunReport.of(whole, workspace)).content("html").decode()
    assert f"What stands for its score: <bdi>{run.id}</bdi>" in page
    assert "--all-data" in commands(whole)[0]
    assert "Class by class" not in page


def test_a_blend_of_all_the_data_names_what_stands_for_its_score(drawn_ladder: Draw) -> None:
    _, workspace = drawn_ladder("baseline+augmentation", n_images=60)
    made = imgcls.blend("baseline", workspace=workspace, metric="accuracy")
    whole = replace(made.record, files={}, judged_by=("blend-mean-0a1b2c3d",))
    page = RunPage(RunReport.of(whole, workspace), "accuracy", Blend(whole, None))
    assert "What stands for its score: <bdi>blend-mean-0a1b2c3d</bdi>" in page.content("html").decode()
    assert "Class by class" not in page.content("markdown").decode()
    assert json.loads(page.content("json"))["per_class"] == []
