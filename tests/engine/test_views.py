"""Views of an image: only those of one image are averaged, the first is the image itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from imgcls.catalog import Stack
from imgcls.data.source import DataSource
from imgcls.engine.device import Machine
from imgcls.engine.inference import Views, predict_batches, running_means
from imgcls.engine.loaders import Normalisation
from imgcls.engine.progress import Silent
from imgcls.engine.seeding import PREDICTION_EPOCH, generator
from imgcls.engine.transforms import build_pipeline
from imgcls.errors import PlanError, RecordError, StackError, UsageError
from imgcls.ladders.results import find_views
from imgcls.ladders.views import ViewsQuestion, look_at_views
from imgcls.plan import Augment, Op, Plan, Predict
from imgcls.predictions.smoothing import smooth
from imgcls.workspace import Workspace

AUGMENT = Augment(transforms=(Op("Affine", translate_percent=[-0.3, 0.3], p=1.0), Op("HorizontalFlip", p=0.5)))
KINDS = {
    "augmented": Predict(views=4),
    "flips": Predict(views=8, view_kind="flips"),
    "crops": Predict(views=5, view_kind="crops"),
}


class Quarters(nn.Module):
    """A network that answers with a function of the pixels alone: the mean of each quarter of the image."""

    def forward(self, images: Tensor) -> Tensor:
        half = images.shape[-1] // 2
        rows = (images[:, :, :half], images[:, :, half:])
        return torch.stack([part.mean((1, 2, 3)) for row in rows for part in (row[..., :half], row[..., half:])], 1)


@pytest.fixture
def images() -> np.ndarray:
    """Seven images, uint8 [7, 16, 16, 3], each with a corner of another brightness."""
    drawn = np.random.default_rng(0).integers(0, 120, (7, 16, 16, 3), dtype=np.uint8)
    for number in range(7):
        drawn[number, :8, : 4 + number] += 130
    return drawn


IDS = [f"{number:03d}" for number in range(7)]


def predict(images: np.ndarray, ids: list[str], part: Predict, *, size: int = 7, **changes: Any) -> np.ndarray:
    options: dict[str, Any] = {"multilabel": False, "seed": 3, "device": torch.device("cpu")} | changes
    batches = [(images[start : start + size], ids[start : start + size]) for start in range(0, len(images), size)]
    normalisation = Normalisation((0.5,) * 3, (0.1,) * 3)
    return predict_batches(Quarters(), batches, plan=Plan(augment=AUGMENT, predict=part), normalisation=normalisation,
                           **options)  # fmt: skip


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_of_more_views_are_the_fewer(kind: str, multilabel: bool, images: np.ndarray) -> None:
    """One pass over all views gives what every smaller number would, bit by bit."""
    part = KINDS[kind]
    means = running_means(
        Quarters(),
        [(images[:4], IDS[:4]), (images[4:], IDS[4:])],
        plan=Plan(augment=AUGMENT, predict=part),
        normalisation=Normalisation((0.5,) * 3, (0.1,) * 3),
        multilabel=multilabel,
        seed=3,
        device=torch.device("cpu"),
    )
    assert means.shape == (part.views, 7, 4)
    for number, mean in enumerate(means, start=1):
        fewer = replace(part, views=number)
        assert np.array_equal(mean, predict(images, IDS, fewer, size=4, multilabel=multilabel))


def by_hand(image: np.ndarray) -> np.ndarray:
    """Return the probabilities of one view, computed in numpy."""
    values = (image / 255 - 0.5) / 0.1
    logits = np.array([part.mean() for row in np.split(values, 2) for part in np.split(row, 2, axis=1)])
    odds = np.exp(logits - logits.max())
    return odds / odds.sum()


@pytest.mark.parametrize("kind", KINDS)
def test_only_views_of_one_image_are_averaged(kind: str, images: np.ndarray) -> None:
    part = KINDS[kind]
    views = Views(part, AUGMENT, seed=3)
    expected = [
        np.mean([by_hand(views.make(images[row : row + 1], [IDS[row]], view)[0]) for view in range(part.views)], axis=0)
        for row in range(len(images))
    ]
    found = predict(images, IDS, part)
    assert found == pytest.approx(np.array(expected), abs=1e-5)
    assert np.abs(found - predict(images, IDS, Predict())).max() > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_batches_and_neighbours_do_not_matter(kind: str, images: np.ndarray) -> None:
    found = [predict(images, IDS, KINDS[kind], size=size) for size in (1, 2, 7)]
    assert found[0] == pytest.approx(found[1], abs=1e-12)
    assert found[0] == pytest.approx(found[2], abs=1e-12)
    turned = predict(images[::-1].copy(), IDS[::-1], KINDS[kind])
    assert turned[::-1] == pytest.approx(found[2], abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_view_is_the_clean_image(kind: str, images: np.ndarray) -> None:
    views = Views(KINDS[kind], AUGMENT, seed=3)
    before = images.copy()
    assert np.array_equal(views.make(images, IDS, 0), before)
    shown = [views.make(images, IDS, view) for view in range(KINDS[kind].views)]
    assert np.array_equal(images, before)
    assert {(view.shape, view.dtype.name) for view in shown} == {((7, 16, 16, 3), "uint8")}
    assert all(not np.array_equal(shown[0][row], shown[view][row]) for view in (1, 2) for row in range(7))


def test_flips_are_the_eight_of_the_square_and_exact(images: np.ndarray) -> None:
    views = Views(KINDS["flips"], Augment(), seed=0)
    image = images[0]
    turned = image.transpose(1, 0, 2)
    expected = [side[::up, ::left] for side in (image, turned) for up in (1, -1) for left in (1, -1)]
    shown = [views.make(images[:1], IDS[:1], view)[0] for view in range(8)]
    assert all(np.array_equal(found, exact) for found, exact in zip(shown, expected, strict=True))
    assert len({view.tobytes() for view in shown}) == 8


def test_crops_are_the_corners(images: np.ndarray) -> None:
    views = Views(KINDS["crops"], Augment(), seed=0)
    for view, (top, left) in enumerate([(0, 0), (0, 2), (2, 0), (2, 2)], start=1):
        corner = images[0, top : top + 14, left : left + 14]
        expected = cv2.resize(corner, (16, 16), interpolation=cv2.INTER_LINEAR)
        assert np.array_equal(views.make(images[:1], IDS[:1], view)[0], expected)


def test_augmented_views_are_drawn_by_id_and_view_whatever_the_epoch(images: np.ndarray) -> None:
    pipeline = build_pipeline(AUGMENT)
    assert pipeline is not None
    shown = Views(KINDS["augmented"], AUGMENT, seed=3).make(images, IDS, 2)[4]
    assert np.array_equal(shown, pipeline(images[4].copy(), generator(3, "augment", PREDICTION_EPOCH, IDS[4], 2)))


def test_views_are_not_erased(images: np.ndarray) -> None:
    erasing = Augment(transforms=AUGMENT.transforms, erasing=1.0)
    shown = [Views(KINDS["augmented"], augment, seed=3).make(images, IDS, 2) for augment in (AUGMENT, erasing)]
    assert np.array_equal(*shown)
    with pytest.raises(StackError, match=r"'tta' needs augment\.transforms"):
        Stack.parse("baseline+random_erasing+tta")


def test_smoothing_comes_last(images: np.ndarray) -> None:
    part = Predict(5, "crops", smoothing=0.1, smoothing_threshold=0.6)
    unsmoothed = predict(images, IDS, KINDS["crops"])
    expected = smooth(unsmoothed, alpha=0.1, threshold=0.6, problem="multiclass")
    assert np.array_equal(predict(images, IDS, part), expected)
    assert not np.array_equal(expected, unsmoothed)


def test_probabilities_are_rows_of_float64_that_sum_to_one(images: np.ndarray) -> None:
    found = predict(images, IDS, KINDS["augmented"])
    assert found.dtype == np.float64
    assert found.sum(axis=1) == pytest.approx(np.ones(7), abs=1e-15)


def test_several_labels_have_a_probability_each(images: np.ndarray) -> None:
    found = predict(images, IDS, Predict(), multilabel=True)
    assert ((found > 0) & (found < 1)).all()
    assert np.abs(found.sum(axis=1) - 1).min() > 0.01


def test_no_images_give_no_rows(images: np.ndarray) -> None:
    assert len(predict(images[:0], [], Predict())) == 0


@pytest.mark.train
def test_a_look_at_views_scores_what_recipes_of_so_many_views_score(train: Any, photo_folder: Path) -> None:
    """For each number; the file is found again, a joint record and other data are refused, each by name."""
    plain, three = train("augmentation"), train("augmentation+tta:views=3")
    workspace = Workspace.find()
    asked = ViewsQuestion(n_views=3, metric="accuracy")
    at_hand: dict[str, Any] = {"workspace": workspace, "machine": Machine("cpu"), "reporter": Silent()}
    found = look_at_views(plain, DataSource(photo_folder), asked, **at_hand)
    for number, run in ((0, plain), (2, three)):
        assert found.curve[number].score.value == run.metrics["accuracy"].value
    assert not any("differ" in note for note in found.notes)
    assert (found.kind, found.chosen_by_part != ()) == ("augmented", True)
    assert find_views(workspace)[0] == [found]
    assert look_at_views(three, DataSource(photo_folder), asked, **at_hand).curve == found.curve
    with pytest.raises(RecordError, match="was made with another split"):
        look_at_views(plain, DataSource(photo_folder, valid=0.5), asked, **at_hand)
    with pytest.raises(PlanError, match="there are 5 crops"):
        look_at_views(plain, DataSource(photo_folder), replace(asked, kind="crops", n_views=6), **at_hand)
    with pytest.raises(UsageError, match="look at two at least"):
        look_at_views(plain, DataSource(photo_folder), replace(asked, n_views=1), **at_hand)
    base = train()
    assert look_at_views(base, DataSource(photo_folder), replace(asked, n_views=2), **at_hand).kind == "flips"
    with pytest.raises(PlanError, match=r"need augment\.transforms"):
        look_at_views(base, DataSource(photo_folder), replace(asked, kind="augmented"), **at_hand)
    (base.folder / "weights.safetensors").unlink()
    with pytest.raises(RecordError, match="is missing"):
        look_at_views(base, DataSource(photo_folder), asked, **at_hand)
