"""`imgcls eda augment` as a person meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image


def test_the_next_command_names_data_and_workspace(imgcls, photos: Path, tmp_path: Path) -> None:
    out = imgcls("eda", "augment", "baseline+augmentation", photos, "--out", tmp_path / "work", "--size", "32").out
    again = f"--set images.size_px=32 --data {photos} --out {tmp_path / 'work'}"
    assert f"Next: imgcls ladder run baseline+augmentation {again}    # does it help?\n" in out


def test_a_picture_is_drawn_and_nothing_else_is_written(imgcls, photos: Path, empty_folder: Path) -> None:
    before = sorted(photos.rglob("*"))
    result = imgcls("eda", "augment", "baseline+augmentation", photos, "--n", 3, "--size", 24)
    assert (result.code, result.err) == (0, "")
    file = empty_folder / "reports/pictures/augment-baseline-augmentation.png"
    assert str(file) in result.out
    assert "HorizontalFlip(p=0.5)" in result.out
    assert "label differently" in result.out
    with Image.open(file) as image:
        assert image.format == "PNG"
    assert sorted(photos.rglob("*")) == before
    assert [path.name for path in empty_folder.rglob("*") if path.is_file()] == [file.name]


def test_json_says_what_is_on_it(imgcls, photos: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.png"
    arguments = ("baseline+augmentation+random_erasing+mixup", photos, "--classes", "light", "--to", file, "--json")
    said = json.loads(imgcls("eda", "augment", *arguments).out)
    assert said["schema"] == 1
    assert said["file"] == str(file)
    assert said["n_bytes"] == file.stat().st_size
    assert said["classes"] == ["light"]
    assert [name.startswith("light/") for name in said["ids"]] == [True]
    assert (said["n_classes"], said["n_variants"]) == (2, 6)
    assert said["shown"][-1] == "erasing(0.25)"
    assert said["not_shown"][0].startswith("mixup blends")


def test_equal_commands_draw_equal_bytes(imgcls, photos: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.png" for name in "abc"]
    for file, seed in zip(files, (0, 0, 1), strict=True):
        assert imgcls("eda", "augment", "baseline+augmentation", photos, "--to", file, "--seed", seed).code == 0
    assert files[0].read_bytes() == files[1].read_bytes() != files[2].read_bytes()


def test_a_crop_alone_is_drawn_and_named(imgcls, photos: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.png"
    said = json.loads(imgcls("eda", "augment", "baseline+random_resized_crop", photos, "--to", file, "--json").out)
    assert (said["shown"], said["file"]) == (["crop(smallest=0.72)"], str(file))


@pytest.mark.parametrize("stack", ["baseline", "baseline+mixup"])
def test_a_stack_without_augmentation_says_so(imgcls, photos: Path, empty_folder: Path, stack: str) -> None:
    result = imgcls("eda", "augment", stack, photos)
    assert result.code == 0
    assert "nothing to draw" in result.out
    assert ("mixup blends" in result.out) == (stack == "baseline+mixup")
    assert list(empty_folder.rglob("*.png")) == []
    assert json.loads(imgcls("eda", "augment", stack, photos, "--json").out)["file"] is None


def test_many_classes_are_cut_and_said(imgcls, draw_photos, tmp_path: Path) -> None:
    photos = draw_photos(tmp_path / "many", {f"c{number:02d}": 3 + (number < 12) for number in range(14)})
    said = json.loads(imgcls("eda", "augment", "baseline+augmentation", photos, "--json", "--size", 24).out)
    assert said["classes"] == [f"c{number:02d}" for number in range(12)]
    assert "12 of the classes (14 in all)" in imgcls("eda", "augment", "baseline+augmentation", photos).out


def test_what_is_wrong_is_said(imgcls, photos: Path, empty_folder: Path) -> None:
    wrong = {
        ("baseline+augmentation", photos, "--to", "x.jpg"): "has to end in .png",
        ("baseline+augmentation", photos, "--to", photos / "x.png"): "lies among the photographs",
        ("baseline+augmentation", photos, "--to", empty_folder / "runs" / "x.png"): "lies among the records",
        ("baseline+augmentation", photos, "--classes", "lihgt"): "Did you mean 'light'",
        ("baseline+augmentatoin", photos): "augmentation",
        ("baseline+augmentation", photos, "--data", photos): "Name the data once",
    }
    for arguments, sentence in wrong.items():
        result = imgcls("eda", "augment", *arguments)
        assert result.code == 2
        assert sentence in result.err.replace("\n", " ")
    assert list(photos.glob("*.png")) == []
