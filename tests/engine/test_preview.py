"""What a preview shows is what training shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from imgcls.catalog import Stack
from imgcls.data.decode import decode
from imgcls.data.samples import Samples
from imgcls.data.source import DataSource
from imgcls.engine.build import photo_dataset
from imgcls.engine.loaders import Key
from imgcls.engine.prepare import prepare, preprocess_of, read_samples
from imgcls.engine.preview import changes_images, preview, what_is_not_shown, what_is_shown
from imgcls.engine.progress import Silent
from imgcls.engine.transforms import build_eraser, build_pipeline
from imgcls.errors import DataError, UsageError
from imgcls.plan import Plan


def plan_of(stack: str) -> Plan:
    return Stack.parse(stack, {"images.size_px": 24}).plan


@pytest.fixture
def samples(photo_folder: Path) -> Samples:
    return read_samples(DataSource(photo_folder))


@pytest.mark.parametrize("stack", ["baseline+augmentation", "baseline+torchvision_augmentation+random_erasing"])
def test_the_variants_are_those_of_the_first_epochs(photo_folder: Path, samples: Samples, stack: str) -> None:
    plan = plan_of(stack)
    shown = preview(plan, samples, n_variants=3, seed=5)
    prepared = prepare(DataSource(photo_folder, valid=0.1), plan.images, reporter=Silent())[0]
    dataset = photo_dataset(
        prepared, "train", pipeline=build_pipeline(plan.augment), eraser=build_eraser(plan.augment), seed=5
    )
    n_compared = 0
    for place, name in enumerate(shown.ids):
        if name in dataset.ids:
            row = dataset.ids.index(name)
            for epoch in range(3):
                trained = dataset.__getitems__([Key(row, epoch)])[0][0]
                np.testing.assert_array_equal(shown.pixels[place, 1 + epoch], trained)
                n_compared += 1
    assert n_compared >= 3


def test_the_first_is_untouched_and_the_others_differ(samples: Samples) -> None:
    plan = plan_of("baseline+augmentation")
    shown = preview(plan, samples, n_variants=4)
    assert shown.pixels.shape == (3, 5, 24, 24, 3)
    assert shown.classes == ("left", "middle", "right")
    paths = dict(zip(samples.frame["id"], samples.frame["path"], strict=True))
    for place, name in enumerate(shown.ids):
        np.testing.assert_array_equal(
            shown.pixels[place, 0], decode(Path(paths[name]), preprocess_of(plan.images, None))
        )
        assert name.startswith(shown.classes[place])
        assert all((shown.pixels[place, 0] != shown.pixels[place, n]).any() for n in range(1, 5))


def test_only_classes_that_were_asked_for(samples: Samples) -> None:
    plan = plan_of("baseline+augmentation")
    one = preview(plan, samples, n_variants=1, classes=["middle"])
    every = preview(plan, samples, n_variants=1)
    assert one.classes == ("middle",)
    np.testing.assert_array_equal(one.pixels[0], every.pixels[1])
    with pytest.raises(UsageError, match=r"no class 'midle'. Did you mean 'middle'"):
        preview(plan, samples, n_variants=1, classes=["midle"])


def test_nothing_of_test_is_shown(split_folder: Path) -> None:
    samples = read_samples(DataSource(split_folder))
    for seed in range(8):
        shown = preview(plan_of("baseline+augmentation"), samples, n_variants=1, seed=seed)
        assert not any(name.startswith("test") for name in shown.ids)


def test_what_cannot_be_read_is_passed_over(tmp_path: Path, photo_folder: Path) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "bad").mkdir()
    content = (photo_folder / "left" / "001.png").read_bytes()
    for number in range(4):
        (tmp_path / "good" / f"{number}.png").write_bytes(content if number == 3 else b"broken")
        (tmp_path / "bad" / f"{number}.png").write_bytes(b"broken")
    samples = read_samples(DataSource(tmp_path))
    shown = preview(plan_of("baseline+augmentation"), samples, n_variants=1, classes=["good"])
    assert shown.ids == ("good/3.png",)
    with pytest.raises(DataError, match=r"No photograph of 'bad' can be shown: 4 outside test, 4 tried. First: bad/"):
        preview(plan_of("baseline+augmentation"), samples, n_variants=1, classes=["bad"])


def test_what_is_said_of_a_plan() -> None:
    assert not changes_images(plan_of("baseline+mixup").augment)
    assert what_is_not_shown(plan_of("baseline+mixup").augment) == [
        "mixup blends each photograph with another of its batch, and the labels with them: it takes two, and is not "
        "shown."
    ]
    erasing = plan_of("baseline+augmentation+random_erasing").augment
    assert changes_images(erasing)
    assert what_is_shown(erasing)[0] == "HorizontalFlip(p=0.5)"
    assert what_is_shown(erasing)[-1] == "erasing(0.25)"
    assert what_is_not_shown(erasing) == []
