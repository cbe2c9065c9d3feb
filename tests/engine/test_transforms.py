"""Transforms by name: drawn by key alone, checked against their real signatures, exact at the edges."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from imgcls.engine.check import check
from imgcls.engine.loaders import Key, PhotoDataset
from imgcls.engine.seeding import borrowed_torch, generator, keyed_seed, order, seed_torch
from imgcls.engine.transforms import Pipeline, build_eraser, build_pipeline, pipeline_problems
from imgcls.errors import PlanError
from imgcls.plan import Augment, Op, Plan, replace

BOTH = {
    "albumentations": Augment("albumentations", (Op("HorizontalFlip", p=0.5), Op("VerticalFlip", p=0.5))),
    "torchvision": Augment("torchvision", (Op("RandomHorizontalFlip", p=0.5), Op("RandomVerticalFlip", p=0.5))),
}
both = pytest.mark.parametrize("library", BOTH)


def pipeline_of(*transforms: Op, library: Any = "albumentations") -> Pipeline:
    pipeline = build_pipeline(Augment(library, transforms))
    assert pipeline is not None
    return pipeline


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)


@both
def test_draws_depend_on_the_key_alone(library: str, image: np.ndarray) -> None:
    names = [f"{number}.png" for number in range(12)]
    there, back = build_pipeline(BOTH[library]), build_pipeline(BOTH[library])
    assert there is not None
    assert back is not None
    first = {name: there(image, generator(0, "augment", 0, name)) for name in names}
    random.seed(7)
    np.random.seed(7)
    torch.manual_seed(7)
    second = {name: back(image, generator(0, "augment", 0, name)) for name in reversed(names)}
    assert all(np.array_equal(first[name], second[name]) for name in names)
    for other in (("augment", 1), ("other", 0)):
        changed = [back(image, generator(0, *other, name)) for name in names]
        assert any(not np.array_equal(first[name], shown) for name, shown in zip(names, changed, strict=True))


@both
def test_transforms_of_one_pipeline_draw_apart(library: str, image: np.ndarray) -> None:
    """Sharing one stream by seed, they would flip both ways or not at all."""
    pipeline = build_pipeline(BOTH[library])
    assert pipeline is not None
    flips = [image, image[:, ::-1], image[::-1], image[::-1, ::-1]]
    seen = np.zeros(4, dtype=int)
    for number in range(80):
        shown = pipeline(image, generator(number))
        seen[next(place for place, flip in enumerate(flips) if np.array_equal(shown, flip))] += 1
    assert seen.min() > 8


@both
def test_the_image_given_is_left_alone(library: str, image: np.ndarray) -> None:
    before = image.copy()
    pipeline = build_pipeline(BOTH[library])
    assert pipeline is not None
    for number in range(4):
        shown = pipeline(image, generator(number))
        assert (shown.dtype, shown.flags.c_contiguous) == (np.uint8, True)
    assert np.array_equal(image, before)


def test_torchvision_leaves_the_generators_of_other_devices_alone(
    image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeded: list[object] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    monkeypatch.setattr(torch.mps, "manual_seed", seeded.append)
    pipeline_of(Op("RandomHorizontalFlip"), library="torchvision")(image, generator(0))
    assert seeded == []


def test_torchvision_gives_the_global_generator_back(image: np.ndarray) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    pipeline_of(Op("ColorJitter", brightness=0.5), library="torchvision")(image, generator(0))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("word", "mode"), [("symmetric", "symmetric"), ("reflect", "reflect"), ("edge", "edge"), ("constant", "constant")]
)
def test_padding_is_that_of_numpy_to_the_pixel(word: str, mode: Any, image: np.ndarray) -> None:
    pad = Op("PadIfNeeded", min_height=24, min_width=24, border_mode=word)
    shown = pipeline_of(pad, Op("CenterCrop", height=24, width=24))(image, generator(0))
    assert np.array_equal(shown, np.pad(image, ((4, 4), (4, 4), (0, 0)), mode=mode))


def test_torchvision_pads_symmetrically_to_the_pixel(image: np.ndarray) -> None:
    shown = pipeline_of(Op("Pad", padding=3, padding_mode="symmetric"), library="torchvision")(image, generator(0))
    assert np.array_equal(shown, np.pad(image, ((3, 3), (3, 3), (0, 0)), mode="symmetric"))


@both
def test_a_crop_comes_before_the_transforms_and_stays_a_square_of_the_image(library: Any) -> None:
    """Each step draws from the one generator in turn, as if it stood alone."""
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    augment = replace(BOTH[library], smallest_crop=0.3)
    crop, transforms = build_pipeline(Augment(smallest_crop=0.3)), build_pipeline(BOTH[library])
    together = build_pipeline(augment)
    assert crop is not None
    assert transforms is not None
    assert together is not None
    for number in range(8):
        drawn = generator(number)
        expected = transforms(crop(image, drawn), drawn)
        assert np.array_equal(together(image, generator(number)), expected)
        assert expected.shape == image.shape
    assert crop(image[:20, :20], generator(0)).shape == (20, 20, 3)
    assert pipeline_problems(augment, size_px=40) == []


def test_a_crop_is_albumentations_own() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    theirs = pipeline_of(Op("RandomResizedCrop", size=[40, 40], scale=[0.3, 1], ratio=[1, 1]))
    mine = build_pipeline(Augment(smallest_crop=0.3))
    assert mine is not None
    shown = [pipeline(image, generator(5)) for pipeline in (mine, theirs)]
    assert np.array_equal(*shown)
    assert not np.array_equal(shown[0], image)


def test_trivial_augment_is_torchvision_s_own(image: np.ndarray) -> None:
    op = Op("TrivialAugmentWide", interpolation="bilinear")
    transform = v2.TrivialAugmentWide(interpolation=v2.InterpolationMode.BILINEAR)
    for number in range(20):
        shown = pipeline_of(op, library="torchvision")(image, generator(number))
        with borrowed_torch(int(generator(number).integers(2**63))):
            theirs = transform(v2.functional.to_image(image)).permute(1, 2, 0).numpy()
        assert np.array_equal(shown, theirs)


def test_no_transforms_are_no_pipeline() -> None:
    assert build_pipeline(Augment()) is None
    assert pipeline_problems(Augment(), size_px=16) == []


@pytest.mark.parametrize(
    ("library", "op", "said"),
    [
        ("albumentations", Op("HorizontalFlp"), "albumentations has no 'HorizontalFlp'. Did you mean 'HorizontalFlip'"),
        ("torchvision", Op("HorizontalFlip"), "torchvision has no 'HorizontalFlip'. Did you mean"),
        ("albumentations", Op("HorizontalFlip", prob=1), "HorizontalFlip has no option 'prob'."),
        ("albumentations", Op("Affine", rotat=3), "Affine has no option 'rotat'. Did you mean 'rotate'"),
        ("albumentations", Op("GaussNoise", var_limit=[1, 2]), "GaussNoise has no option 'var_limit'"),
        ("albumentations", Op("Affine", border_mode="mirror"), "Affine.border_mode has to be one of constant, edge"),
        ("albumentations", Op("HorizontalFlip", p=7), "HorizontalFlip refuses its options"),
        ("albumentations", Op("HorizontalFlip", strict=False), "HorizontalFlip has no option 'strict'"),
        ("torchvision", Op("RandomRotation"), "RandomRotation refuses its options"),
        ("torchvision", Op("RandomRotation", degrees=3, interpolation="best"), "interpolation has to be one of"),
        ("albumentations", Op("CenterCrop", height=8, width=8), "give images of 8 x 8 px, but images.size_px is 16"),
        ("albumentations", Op("Normalize"), "they have to stay uint8"),
        ("albumentations", Op("CenterCrop", height=99, width=99), "cannot be applied to an image of 16 px"),
    ],
)  # fmt: skip
def test_a_transform_that_cannot_be_is_told_before_any_data_is_read(library: Any, op: Op, said: str) -> None:
    plan = Plan().with_values({"images.size_px": 16, "augment.library": library, "augment.transforms": [op]})
    with pytest.raises(PlanError) as caught:
        check(plan)
    assert said in str(caught.value)


def test_all_that_is_wrong_in_a_plan_is_told_at_once() -> None:
    values: Mapping[str, Any] = {
        "model.name": "resnet1",
        "augment.transforms": ["Flipp", "Blurr"],
        "optimizer.name": "adamm",
        "optimizer.options": {},
        "schedule.name": "one_cycle",
        "schedule.warmup_epochs": 1,
        "fit.callbacks": {"EarlyStop": {}, "ShowGraphCallback": {"what": 1}},
        "predict.views": 9,
        "predict.view_kind": "flips",
        "images.mean": [0.5],
        "images.std": [1, 1, 0],
    }
    with pytest.raises(PlanError) as caught:
        check(Plan().with_values(values))
    for part in (
        "model.name = 'resnet1' is unknown. Did you mean 'resnet",
        "'Flipp'",
        "'Blurr'. Did you mean 'Blur'",
        "optimizer.name = 'adamm'",
        "not read by one_cycle",
        "fastai has no 'EarlyStop'",
        "fit.callbacks.ShowGraphCallback has no option 'what'",
        "there are 8 mirrorings",
        "images.mean needs three numbers",
        "images.std has to be above 0",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"predict.views": 6, "predict.view_kind": "crops"}, "there are 5 crops"),
        ({"predict.views": 2}, "need augment.transforms"),
        ({"loss.gamma": 3}, "loss.gamma is read by loss.name = focal only"),
        ({"fit.first_size_px": 128}, "fit.first_size_px = 128 is not below images.size_px = 128: sizes have to grow"),
        ({"schedule.name": "cosine", "schedule.warmup_epochs": 1}, "leaves nothing of fit.epochs = 1"),
        ({"fit.callbacks": {"no_module:Nothing": {}}}, "'no_module:Nothing' cannot be imported"),
        ({"fit.callbacks": {"collections:OrderedDict": {}}}, "is not a fastai Callback"),
        ({"fit.callbacks": {"ShowGraphCallback": 3}}, "has to be a mapping of options, not 3"),
        ({"model.drop_rate": 0.1}, "are for timm models only"),
        ({"model.name": "torchvision:resnet1"}, "torchvision has no 'torchvision:resnet1'. Did you mean"),
        ({"model.name": "no_module:net"}, "'no_module:net' cannot be imported"),
        ({"model.name": "math:pi"}, "is not a function of the number of classes"),
    ],
)
def test_what_does_not_fit_together_is_told(values: Mapping[str, Any], said: str) -> None:
    with pytest.raises(PlanError) as caught:
        check(Plan().with_values(values))
    assert said in str(caught.value)


# Keys


def test_keys_mark_where_each_part_ends() -> None:
    assert keyed_seed(1, "23") != keyed_seed(12, "3") != keyed_seed("1", "2", "3")
    assert keyed_seed(1, "23") == keyed_seed("1", 23)
    assert keyed_seed(0, "order", 0) == 935086572257269257  # another number would make every stored run unrepeatable
    assert keyed_seed("\udcff") != keyed_seed("?")


def test_order_is_a_permutation_by_name() -> None:
    assert sorted(order(20, 0, "order", 0)) == list(range(20))
    assert np.array_equal(order(20, 0, "order", 0), order(20, 0, "order", 0))
    assert not np.array_equal(order(20, 0, "order", 0), order(20, 0, "order", 1))


def test_seeding_torch_covers_python_too() -> None:
    drawn = []
    for _ in range(2):
        seed_torch(0, "epoch", 1)
        drawn.append((float(torch.rand(())), random.random()))
    assert drawn[0] == drawn[1]


class Pixels:
    """A store of drawn pixels."""

    def pixels(self, rows: np.ndarray) -> np.ndarray:
        return np.stack([np.random.default_rng(row).integers(0, 256, (8, 8, 3), dtype=np.uint8) for row in rows])


def test_a_sample_looks_the_same_in_whatever_batch_it_stands() -> None:
    dataset = PhotoDataset(
        Pixels(),  # type: ignore[arg-type]
        np.arange(6),
        ids=list("abcdef"),
        paths=[],
        targets=np.arange(6),
        vocab=["x"],
        pipeline=build_pipeline(BOTH["albumentations"]),
    )
    together = dataset.__getitems__([Key(row, 2) for row in range(6)])
    alone = [dataset.__getitems__([Key(row, 2)]) for row in reversed(range(6))][::-1]
    assert np.array_equal(together[0], np.concatenate([images for images, _ in alone]))
    assert np.array_equal(together[1], np.concatenate([targets for _, targets in alone]))


def test_what_is_erased_hangs_on_the_key_alone(image: np.ndarray) -> None:
    there, back = build_eraser(Augment(erasing=1.0)), build_eraser(Augment(erasing=1.0))
    assert there is not None
    assert back is not None
    before = image.copy()
    shown = [there(image, generator(0, "erase", epoch, "a.png")) for epoch in range(8)]
    random.seed(7)
    np.random.seed(7)
    again = [back(image, generator(0, "erase", epoch, "a.png")) for epoch in reversed(range(8))]
    assert all(np.array_equal(*pair) for pair in zip(shown, reversed(again), strict=True))
    assert len({found.tobytes() for found in shown}) == 8
    assert np.array_equal(image, before)
    assert build_eraser(Augment(transforms=BOTH["albumentations"].transforms)) is None
