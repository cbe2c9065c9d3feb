"""Digests that say two plans, data sets or trainings are the same: a changed one orphans every record there is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import imgcls

Command = Callable[..., Any]

PLANS = {
    "adamax": "de1f98403d33c2ea",
    "adamw": "44e8c26ee208f9bc",
    "adamw_cosine": "1a295cc5709e3708",
    "augmentation": "050e1882669828fc",
    "augmentation+random_resized_crop": "1d322cb880d35cc2",
    "augmentation+tta": "bd225be3344b82fa",
    "backbone": "2ebbc7d9223d55ab",
    "balanced_sampling": "20884226f58b4d96",
    "class_weights": "230f4a614d6cc9b1",
    "cosine": "68254c32510800b5",
    "cutmix": "a61166669924dd54",
    "discriminative_rates": "e9a3cb432c9903f5",
    "ema": "23c3a3b860c927fd",
    "focal_loss": "fa791401b305e544",
    "freeze_backbone": "f358c17d18f2b4a4",
    "freeze_batchnorm": "b1d1d722bb7c0597",
    "keep_aspect": "8971aa7f6f6d4884",
    "keep_aspect:mode=pad": "a68e52f25e19de19",
    "label_smoothing": "622678a4b70d0f1a",
    "label_smoothing:smoothing=0.2": "7d0567a76f9b1594",
    "larger_images": "262150c524510904",
    "layerwise_rates": "e26694e10ec73c51",
    "linear_probe": "afb34541eb05da61",
    "longer": "fcbaeaeff51db627",
    "lp_ft": "1e752d9de71988b1",
    "mixup": "96027f6f373a1b06",
    "one_cycle": "ca8f70c1bcf71d47",
    "prediction_smoothing": "1a65def244efe3b6",
    "progressive_resizing": "8dc4887821a6ffc1",
    "random_resized_crop": "592f98ba706c588d",
    "random_erasing": "16edc9df29af0464",
    "torchvision_augmentation": "07b8053239c63196",
    "trivial_augment": "aa7f657cfc629fac",
    "tta_flips": "e1715890f1b27518",
    "weight_averaging": "f7a1a4791e923764",
}
"""The first digits of the digest of baseline and these."""

SMALL = "--model simple_cnn --weights none --size 16 --epochs 1 --batch-size 8 --device cpu"
LABELS = "--label red --label green --group sender"
FOLDER = "7055e818114455ec"
TABLE = "bc12ef824ddd2350"
RUNS = {
    "baseline": ("d19d6afa09ab3a71", FOLDER, "703ca240139fa29f"),
    "baseline+label_smoothing+tta_flips --seed 3": ("cea71e01ea23fc03", FOLDER, "703ca240139fa29f"),
    "baseline --quick": ("0b21b1797fdef948", "bd8d90e85568aa14", "68545967e63d3b1a"),
    "baseline --folds 2": ("4497a5f438fecce8", FOLDER, "1aed82d6d68c87b4"),
    f"baseline --data TABLE {LABELS}": ("10ba4ef468e6ae8e", TABLE, "12480461eb5351f5"),
    f"baseline --data TABLE {LABELS} --valid 0.3 --split-seed 5": ("697eb4dd0dfcb33e", TABLE, "ba4a2155bbe3a230"),
    f"baseline --data TABLE {LABELS} --folds 3": ("a7286143f2273259", TABLE, "4934793c9fc96572"),
}
"""The first digits of the key of a training, and of the digests of its data and of its split."""


@pytest.mark.parametrize("recipes", PLANS)
def test_a_plan_has_the_digest_it_had(recipes: str) -> None:
    assert imgcls.Stack.parse(f"baseline+{recipes}").plan.digest[:16] == PLANS[recipes]


@pytest.mark.train
@pytest.mark.parametrize("said", RUNS)
def test_a_training_has_the_key_it_had(
    command: Command, fixed_photos: Path, fixed_table: Path, tmp_path: Path, one_thread: None, said: str
) -> None:
    words = said if "--data" in said else f"{said} --data FOLDER"
    places = {"TABLE": fixed_table, "FOLDER": fixed_photos}
    arguments = [places.get(word, word) for word in f"{words} {SMALL}".split()]
    run = command("recipe", "run", *arguments, "--out", tmp_path, "--json")
    assert run.code == 0, run.err
    record = command("runs", "show", run.json["run"], "--out", tmp_path, "--json").json
    found = (record["key"], record["data"]["digest"], record["data"]["split_digest"])
    assert tuple(digest[:16] for digest in found) == RUNS[said]
