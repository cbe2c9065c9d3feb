"""Wrong labels hidden in data sets: how many of them suspects name, and what a review of these is worth.

A share of the labels is drawn by lot and changed to another class, by lot too. Networks of five folds are trained on
the result, and the suspects of `imgcls.suspects` are compared with the truth; beside them stand cleanlab called by hand
on the same probabilities, and chance. Then the first suspects get their true labels, as a person would give them, and
the folds are trained again. Accuracy before and after is that of the predictions out of fold, against the true labels.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

import imgcls
from imgcls.data.load import load_samples
from imgcls.data.source import DataSource
from imgcls.evidence.validated import Validated
from imgcls.records.run import RunRecord

N_FOLDS = 5
DRAWN = "drawn"
"""The set that is drawn here: six materials, whose colours and textures overlap."""


@dataclass(frozen=True)
class Found:
    """What suspects were worth on one set with one draw of wrong labels."""

    set: str
    """The set."""
    stack: str
    """What was trained."""
    seed: int
    """Of the draw and of the trainings."""
    n: int
    """Photographs."""
    n_wrong: int
    """Labels that were changed."""
    n_suspects: int
    """Photographs that are listed."""
    precision: dict[str, float]
    """Of the first n listed, the share whose label was changed; n as text."""
    recall: dict[str, float]
    """Of the changed labels, the share among the first n listed."""
    by_hand: dict[str, float]
    """The precision of cleanlab called by hand: `find_label_issues(labels, p, return_indices_ranked_by=...)`."""
    by_hand_recall: dict[str, float]
    """Its recall."""
    n_by_hand: int
    """Photographs that it lists."""
    accuracy_before: float
    """Of the predictions out of fold against the true labels, trained on the changed ones."""
    accuracy_after: float
    """The same, trained after the first suspects (as many as were changed) got their true labels."""
    n_reviewed_wrong: int
    """How many of those were wrong."""
    n_suspects_clean: int
    """Photographs that are listed where no label was changed."""


def measure_suspects(name: str, source: DataSource, *, stack: str, share: float, seed: int, home: Path) -> Found:
    """Hide wrong labels in a set, look for them, and review the first ones; goes on where it was stopped.

    Args:
        name: What the set is called.
        source: How it is read; one label an image.
        stack: What is trained.
        share: Of the labels outside test, how many are changed.
        seed: Of the draw and of the trainings.
        home: A folder for tables and runs.
    """
    samples = load_samples(source)
    frame = samples.frame[(samples.frame["split"] != "test").to_numpy() & samples.is_labelled].copy()
    root = os.path.commonpath([str(Path(path).parent) for path in frame["path"]])
    frame["id"] = [os.path.relpath(path, root) for path in frame["path"]]
    truth = dict(zip(frame["id"], frame["label"], strict=True))
    draws = np.random.default_rng(seed)
    chosen = draws.choice(len(frame), round(share * len(frame)), replace=False)
    labels = dict(truth)
    for row in chosen:
        image = frame["id"].iloc[row]
        labels[image] = str(draws.choice([other for other in samples.classes if other != truth[image]]))
    wrong = {image for image in truth if labels[image] != truth[image]}

    def trained(given: dict[str, str], folder: str) -> RunRecord:
        place = home / folder
        place.mkdir(parents=True, exist_ok=True)
        columns = {"id": list(given), "label": list(given.values())}
        has_groups = bool((frame["group"] != "").any())
        if has_groups:
            columns["group"] = frame["group"].tolist()
        pd.DataFrame(columns).to_csv(place / "labels.csv", index=False)
        options: dict[str, Any] = {"group": "group"} if has_groups else {}
        return imgcls.train(
            stack,
            place / "labels.csv",
            images=root,
            id="id",
            label="label",
            folds=N_FOLDS,
            seed=seed,
            workspace=place,
            **options,
        )

    before = trained(labels, f"wrong-{seed}")
    listed = [one.image for one in imgcls.suspects(before, workspace=home / f"wrong-{seed}").suspects]
    images = Validated.of(before)
    by_hand = [images.ids[row] for row in _by_hand(images)]
    reviewed = listed[: len(wrong)]
    after = trained({**labels, **{image: truth[image] for image in reviewed}}, f"reviewed-{seed}")
    clean = trained(truth, f"clean-{seed}")
    sizes = (10, len(wrong) // 2, len(wrong), 2 * len(wrong))
    return Found(
        set=name,
        stack=stack,
        seed=seed,
        n=len(truth),
        n_wrong=len(wrong),
        n_suspects=len(listed),
        precision={str(n): _share(listed[:n], wrong) for n in sizes},
        recall={str(n): len(wrong.intersection(listed[:n])) / len(wrong) for n in sizes},
        by_hand={str(n): _share(by_hand[:n], wrong) for n in sizes},
        by_hand_recall={str(n): len(wrong.intersection(by_hand[:n])) / len(wrong) for n in sizes},
        n_by_hand=len(by_hand),
        accuracy_before=_accuracy(images, truth),
        accuracy_after=_accuracy(Validated.of(after), truth),
        n_reviewed_wrong=len(wrong.intersection(reviewed)),
        n_suspects_clean=len(imgcls.suspects(clean, workspace=home / f"clean-{seed}").suspects),
    )


def as_table(rows: Sequence[dict[str, Any]]) -> str:
    """Return what was found as Markdown, a row a draw."""
    titles = "set, draw, wrong labels, listed, first 10, first half, as many, twice as many, by hand, chance"
    head = [*titles.split(", "), "accuracy before", "after", "listed on clean labels"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * 2}{'--:|' * (len(head) - 2)}"]
    for row in rows:
        precision, hand = (
            [values[n] for n in sorted(values, key=int)] for values in (row["precision"], row["by_hand"])
        )
        cells = [row["set"], row["seed"], f"{row['n_wrong']} of {row['n']:,}", row["n_suspects"]]
        cells += [f"{value:.0%}" for value in (*precision, hand[2], row["n_wrong"] / row["n"])]
        cells += [f"{row['accuracy_before']:.3f}", f"{row['accuracy_after']:.3f}", row["n_suspects_clean"]]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def as_row(found: Found) -> dict[str, Any]:
    """Return it as JSON values."""
    return asdict(found)


def draw_materials(folder: Path, *, n: int = 600, seed: int = 0) -> Path:
    """Draw photographs of six materials, a folder each: stripes and grains whose colours and widths overlap.

    Args:
        folder: A new folder.
        n: Photographs in all.
        seed: Of all that is drawn.
    """
    draws = np.random.default_rng(seed)
    for number in range(n):
        kind = number % 6
        width = draws.normal((4, 7, 11)[kind % 3], 1.4)
        angle = draws.normal((0.3, 1.2)[kind // 3], 0.25)
        y, x = np.mgrid[0:128, 0:128]
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) / max(1.0, width) * 2 + draws.uniform(0, 6))
        colour = np.array([(150, 110, 80), (120, 130, 110), (110, 115, 150)][kind % 3]) + draws.normal(0, 16, 3)
        grain = draws.normal(0, 26, (128, 128, 1))
        values = colour + 34 * wave[..., None] * draws.uniform(0.4, 1) + grain
        place = folder / f"material{kind}" / f"{number:05d}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).save(place, quality=85)
    return folder


def _by_hand(images: Validated) -> npt.NDArray[np.intp]:
    """Return the rows that cleanlab lists when it is called as its own introduction does."""
    from cleanlab.filter import find_label_issues

    return np.asarray(
        find_label_issues(
            images.truth.argmax(axis=1), images.probabilities, return_indices_ranked_by="self_confidence", n_jobs=1
        ),
        dtype=np.intp,
    )


def _share(listed: Sequence[str], wrong: set[str]) -> float:
    return len(wrong.intersection(listed)) / len(listed) if listed else 0.0


def _accuracy(images: Validated, truth: dict[str, str]) -> float:
    answers = [images.classes[best] for best in images.probabilities.argmax(axis=1)]
    return float(np.mean([answer == truth[image] for image, answer in zip(images.ids, answers, strict=True)]))
