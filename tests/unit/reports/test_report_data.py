"""What a page shows is what the records hold."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgcls.config.decision import Decision
from imgcls.data.source import DataSource
from imgcls.errors import UsageError
from imgcls.evidence.per_class import class_scores
from imgcls.ladders.predictions import Predictions
from imgcls.ladders.report_data import (
    MOST_CLASSES,
    WITHHELD,
    ConfusedPair,
    FoldOutputs,
    confused_pairs,
    confusion,
    fold_outputs,
    gather,
    scores_by_class,
    worst_mistakes,
)
from imgcls.ladders.spec import Ladder
from imgcls.ladders.state import read_state
from imgcls.workspace import Workspace

Draw = Callable[..., tuple[Ladder, Workspace]]
CLASSES = ("left", "middle", "right")


@pytest.fixture
def photographed(drawn_ladder: Draw, photo_folder: Path) -> Callable[..., tuple[Ladder, Workspace]]:
    """Write a ladder whose images are the drawn photographs: the last four of each class validate."""

    def draw(**options: Any) -> tuple[Ladder, Workspace]:
        ids = [f"{name}/{n:03d}{'.png' if n % 2 else '.jpg'}" for n in range(8, 12) for name in CLASSES]
        ladder, workspace = drawn_ladder(n_images=len(ids), ids=ids, classes=CLASSES, **options)
        return replace(ladder, data=DataSource(str(photo_folder))).write(workspace), workspace

    return draw


def test_pictures_are_small_jpegs_of_training_photographs(photographed: Draw, photo_folder: Path) -> None:
    data = gather(*photographed())
    assert [entry.name for entry in data.sheet] == list(CLASSES)
    assert [entry.n_samples for entry in data.sheet] == [12, 12, 12]
    assert [len(entry.pictures) for entry in data.sheet] == [8, 8, 8]
    for place, entry in enumerate(data.sheet):
        image = Image.open(io.BytesIO(entry.pictures[0].jpeg))
        assert image.format == "JPEG"
        assert image.size == (entry.pictures[0].width_px, entry.pictures[0].height_px) == (144, 123)
        assert np.asarray(image).mean(axis=(0, 1)).argmax() == place  # the stripe of the class
        assert not image.getexif()
    assert data.trouble == ""


def test_those_that_validate_are_in_no_sheet(photographed: Draw, photo_folder: Path, monkeypatch) -> None:
    drawn: list[str] = []
    from imgcls.ladders import report_data

    original = report_data.draw_picture
    monkeypatch.setattr(
        report_data, "draw_picture", lambda path, stretch: drawn.append(path.stem) or original(path, stretch)
    )
    data = gather(*photographed())
    n_sheet = sum(len(entry.pictures) for entry in data.sheet)
    assert n_sheet == 24
    assert all(int(stem) < 8 for stem in drawn[-n_sheet:])


def test_mistakes_have_their_pictures(photographed: Draw) -> None:
    data = gather(*photographed(skills=[0.2] * 5))
    assert data.mistakes
    assert set(data.pictures) == {mistake.id for mistake in data.mistakes}
    assert [mistake.confidence for mistake in data.mistakes] == sorted(m.confidence for m in data.mistakes)[::-1]
    assert all(mistake.label == mistake.id.split("/")[0] != mistake.predicted for mistake in data.mistakes)
    assert all(0 < mistake.n_wrong <= mistake.n_runs == 3 for mistake in data.mistakes)  # type: ignore[operator]


def test_photographs_that_are_gone_are_said_to_be_gone(photographed: Draw, tmp_path: Path) -> None:
    ladder, workspace = photographed()
    data = gather(replace(ladder, data=DataSource(str(tmp_path / "nowhere"))), workspace)
    assert "not where they were" in data.trouble
    assert data.sheet == ()
    assert data.pictures == {}
    assert data.mistakes


def test_labels_that_changed_are_noticed(drawn_ladder: Draw, photo_folder: Path) -> None:
    ids = [f"left/{n:03d}{'.png' if n % 2 else '.jpg'}" for n in range(12)]
    ladder, workspace = drawn_ladder(n_images=12, ids=ids, classes=CLASSES)
    data = gather(replace(ladder, data=DataSource(str(photo_folder))), workspace)
    assert "8 of 12 photographs are gone or labelled otherwise" in data.trouble
    assert data.sheet == ()


def test_withheld_photographs_leave_no_name(photographed: Draw) -> None:
    ladder, workspace = photographed(skills=[0.2] * 5)
    ladder = replace(ladder, notes=("right/011.png is a copy of another.", "All is well.")).write(workspace)
    data = gather(ladder, workspace, with_images=False)
    assert data.withheld
    assert (data.sheet, data.mistakes, dict(data.pictures)) == ((), (), {})
    assert data.pairs
    assert data.result.notes[:2] == (WITHHELD, "All is well.")


def test_the_confusion_adds_up_to_the_score(drawn_ladder: Draw) -> None:
    """The mean over runs of what is right is the accuracy of the rung."""
    data = gather(*drawn_ladder(classes=("a", "b", "c"), n_images=300))
    matrix = data.confusion
    assert matrix is not None
    assert matrix.totals == (100, 100, 100)
    right = sum(matrix.counts[place][place] for place in range(3)) / 300
    score = data.result.rungs[data.result.incumbent].score
    assert score is not None
    assert right == pytest.approx(score.value)
    first = data.pairs[0]
    assert first.n == max(matrix.counts[row][column] for row in range(3) for column in range(3) if row != column)


def test_of_many_classes_the_most_confused_are_shown(drawn_ladder: Draw) -> None:
    ladder, workspace = drawn_ladder(classes=tuple(f"c{n:02d}" for n in range(30)), n_images=300)
    turns = fold_outputs(read_state(ladder, workspace), 0)
    matrix = confusion(turns)
    assert matrix is not None
    assert (len(matrix.classes), matrix.n_hidden) == (MOST_CLASSES, 30 - MOST_CLASSES)
    assert set(matrix.classes) >= {confused_pairs(turns)[0].label, confused_pairs(turns)[0].predicted}


def test_folds_count_every_image_once(drawn_ladder: Draw) -> None:
    data = gather(*drawn_ladder(n_folds=5, n_images=40, stack="baseline+augmentation"))
    assert data.confusion is not None
    assert sum(data.confusion.totals) == 200
    assert sum(data.n_by_class.values()) == 200


def test_curves_are_those_of_the_runs(drawn_ladder: Draw) -> None:
    data = gather(*drawn_ladder())
    assert [len(curves.seeds) for curves in data.curves] == [3, 3, 3, 3, 0]
    assert data.curves[4].weights_of == 3
    assert data.curves[0].mean == pytest.approx(np.mean(data.curves[0].seeds, axis=0))
    assert data.curves[1].weights_of is None


def test_a_ladder_without_runs_has_no_page(drawn_ladder: Draw) -> None:
    missing = frozenset((rung, seed) for rung in range(5) for seed in range(3))
    with pytest.raises(UsageError, match="No run of drawn is done yet"):
        gather(*drawn_ladder(missing=missing))


def test_the_trivial_answer_is_there_for_scale(drawn_ladder: Draw) -> None:
    assert gather(*drawn_ladder()).trivial == ("always giving the most frequent answer", 0.5)


def test_classes_are_scored_by_the_mean_of_the_runs_over_all_folds() -> None:
    """Groups of two folds are not the same because they have the same number."""
    random = np.random.default_rng(0)
    targets = np.arange(60) % 2
    runs = [random.dirichlet((1, 1), 60) for _ in range(4)]
    groups, ids = np.arange(60) // 10, tuple(map(str, range(60)))
    turns = [
        FoldOutputs(
            Predictions(ids, (), targets, groups, dict(zip("ab", pair, strict=True)), (), "binary"),
            Decision.default("binary", ("cat", "dog")),
        )
        for pair in (runs[:2], runs[2:])
    ]
    expected = class_scores(
        np.concatenate([np.mean(pair, axis=0) for pair in (runs[:2], runs[2:])]),
        np.concatenate([targets, targets]),
        problem="binary",
        classes=("cat", "dog"),
        groups=[f"g{number}" for number in [*groups, *(groups + 6)]],
    )
    assert scores_by_class(turns) == expected


def test_several_labels_are_missed_or_seen_where_they_are_not() -> None:
    targets = np.array([[1, 0], [1, 1], [0, 0]], dtype=np.uint8)
    runs = {"a": np.array([[0.9, 0.8], [0.2, 0.9], [0.1, 0.1]]), "b": np.array([[0.9, 0.1], [0.1, 0.9], [0.1, 0.1]])}
    part = Predictions(("x", "y", "z"), ("red", "red|green", ""), targets, None, runs, (), "multilabel")
    turns = [FoldOutputs(part, Decision.default("multilabel", ("red", "green")))]
    assert confusion(turns) is None
    assert confused_pairs(turns) == (ConfusedPair("red", "no red", 1.0, 2), ConfusedPair("no green", "green", 0.5, 2))
    (worst,) = worst_mistakes(turns)
    assert (worst.id, worst.label, worst.predicted, worst.n_wrong) == ("y", "red|green", "no red", None)
    assert worst.confidence == pytest.approx(0.85)


def test_what_is_left_to_a_person_is_no_mistake_and_not_missed() -> None:
    """Of several labels, too: neither image is answered, so that nothing is wrong about it."""
    targets = np.array([[1, 0], [1, 1]], dtype=np.uint8)
    part = Predictions(("x", "y"), ("red", "red|green"), targets, None, {"a": np.full((2, 2), 0.48)}, (), "multilabel")
    rule = Decision.model_validate({"type": "multilabel", "classes": ("red", "green"), "doubt": 0.9})
    assert not worst_mistakes([FoldOutputs(part, rule)])
    assert not confused_pairs([FoldOutputs(part, rule)])
    plain = FoldOutputs(part, Decision.default("multilabel", ("red", "green")))
    assert len(worst_mistakes([plain])) == 2
