"""Preview of augmentation: photographs as training would show them, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imgcls.data.decode import Pixels, decode
from imgcls.data.samples import Samples, classes_in
from imgcls.engine.check import check
from imgcls.engine.loaders import Key, PhotoDataset
from imgcls.engine.prepare import preprocess_of
from imgcls.engine.seeding import order
from imgcls.engine.transforms import build_eraser, build_pipeline
from imgcls.errors import DataError, DecodeError, UsageError, nearest_hint
from imgcls.plan import Augment, Plan

_MOST_TRIES = 20


@dataclass(frozen=True, eq=False)
class Preview:
    """One photograph of each class, and the variants of it that training would show."""

    pixels: Pixels
    """uint8 [n_classes, 1 + n_variants, size, size, 3]; variant 0 is the photograph as it is decoded."""
    classes: tuple[str, ...]
    """The classes."""
    ids: tuple[str, ...]
    """The photograph of each class."""


@dataclass(frozen=True)
class _InMemory:
    """Decoded photographs in memory, in the place of the store."""

    images: Pixels
    """uint8 [n, size, size, 3]."""

    def pixels(self, rows: np.ndarray) -> Pixels:
        """Return a fresh copy of some of them."""
        return self.images[np.asarray(rows)]


def preview(
    plan: Plan, samples: Samples, *, n_variants: int, classes: Sequence[str] | None = None, seed: int = 0
) -> Preview:
    """Apply a plan's training transforms to one photograph of each class, a variant for each of the first epochs.

    Variant v is what training with that seed shows of the photograph in epoch v: the same transforms, erasing
    included, drawn by the same key. What mixes photographs of a batch is no part of it (see `what_is_not_shown`).
    Only the photographs that are shown are decoded; none is of test.

    Args:
        plan: The plan.
        samples: The samples, which need not be split.
        n_variants: How many variants of each, at least 1.
        classes: Some of the classes; None for all of them.
        seed: The seed of training, which also decides which photographs are shown.

    Raises:
        PlanError: The plan's transforms do not exist or cannot be applied.
        UsageError: A class does not exist.
        DataError: No photograph of a class can be read.
    """
    check(plan)
    names = tuple(samples.classes if classes is None else classes)
    known = samples.classes
    if unknown := [name for name in names if name not in known]:
        raise UsageError.together([f"There is no class {name!r}.{nearest_hint(name, known)}" for name in unknown])
    chosen = [_first_readable(samples, name, plan, seed=seed) for name in names]
    ids = samples.frame["id"].to_numpy()[[row for row, _ in chosen]].tolist()
    images = np.stack([image for _, image in chosen])
    dataset = PhotoDataset(
        _InMemory(images),
        np.arange(len(names)),
        ids=ids,
        paths=[],
        targets=np.zeros(len(names), dtype=np.int64),
        vocab=names,
        pipeline=build_pipeline(plan.augment),
        eraser=build_eraser(plan.augment),
        seed=seed,
    )
    rows = range(len(names))
    variants = [dataset.__getitems__(Key.of_epoch(rows, epoch))[0] for epoch in range(n_variants)]
    return Preview(np.stack([images, *variants], axis=1), names, tuple(ids))


def changes_images(augment: Augment) -> bool:
    """Return whether there is anything that changes single images."""
    return bool(augment.transforms) or augment.smallest_crop is not None or augment.erasing > 0


def what_is_shown(augment: Augment) -> list[str]:
    """Name what changes single images, as a plan writes it."""
    named = [
        f"{op.name}({', '.join(f'{name}={value}' for name, value in op.options.items())})" for op in augment.transforms
    ]
    crop = [] if augment.smallest_crop is None else [f"crop(smallest={augment.smallest_crop:g})"]
    return [*crop, *named, *([f"erasing({augment.erasing:g})"] if augment.erasing else [])]


def what_is_not_shown(augment: Augment) -> list[str]:
    """Describe what else training does to images that no single image can show."""
    if augment.mix is None:
        return []
    how = {"mixup": "blends each photograph with another of its batch", "cutmix": "pastes a part of another one in"}
    name = augment.mix.name
    return [f"{name} {how.get(name, 'mixes photographs')}, and the labels with them: it takes two, and is not shown."]


def _first_readable(samples: Samples, name: str, plan: Plan, *, seed: int) -> tuple[int, Pixels]:
    """Draw a readable photograph of a class at random: its row, and its pixels uint8 [size, size, 3]."""
    frame, several = samples.frame, samples.problem == "multilabel"
    rows = [
        row
        for row, (label, split) in enumerate(zip(frame["label"], frame["split"], strict=True))
        if split != "test" and (name in classes_in(label) if several else label == name)
    ]
    rows.sort(key=frame["id"].tolist().__getitem__)
    reasons = []
    for place in order(len(rows), seed, "preview", name)[:_MOST_TRIES]:
        path = frame["path"].iloc[rows[place]]
        try:
            return rows[place], decode(Path(path), preprocess_of(plan.images, samples.stretch))
        except DecodeError as problem:
            reasons.append(f"{samples.relative(path)}: {problem}")
    why = f" First: {reasons[0]}." if reasons else ""
    raise DataError(f"No photograph of {name!r} can be shown: {len(rows)} outside test, {len(reasons)} tried.{why}")
