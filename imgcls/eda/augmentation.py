"""The augmentation of a stack, drawn on the user's own photographs before anything is trained with it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from imgcls.catalog import Stack
from imgcls.data.samples import Samples, classes_in
from imgcls.data.source import DataSource
from imgcls.eda.plots.canvas import drawing, png_of
from imgcls.eda.plots.sheets import augmented_figure, most_frequent
from imgcls.engine.check import check
from imgcls.engine.prepare import read_samples
from imgcls.engine.preview import changes_images, preview, what_is_not_shown, what_is_shown
from imgcls.errors import UsageError, WorkspaceError
from imgcls.plan import set_options
from imgcls.storage import make_folder, write_bytes
from imgcls.text import Viewed
from imgcls.workspace import Workspace

MOST_CLASSES = 12
"""Classes that are shown where none is asked for; of more, the most frequent ones."""


@dataclass(frozen=True)
class AugmentationSheet(Viewed):
    """A picture of what a stack does to training images, or the reason that there is none."""

    VIEW: ClassVar[str] = "imgcls.reports.data:AugmentationView"
    """How it is shown."""

    stack: str
    """The stack."""
    file: Path | None
    """The picture; None where the stack leaves single images as they are."""
    n_bytes: int
    """Its size."""
    n_variants: int
    """How many variants of each photograph it shows."""
    classes: tuple[str, ...]
    """The classes it shows."""
    ids: tuple[str, ...]
    """The photograph of each class."""
    n_classes: int
    """How many classes there are."""
    shown: tuple[str, ...]
    """The transforms that it shows."""
    not_shown: tuple[str, ...]
    """What else training does to images, in sentences."""
    command: str
    """The command that is sensible next."""

    def to_json(self) -> dict[str, Any]:
        """Return the same as JSON values."""
        return {"schema": 1, **asdict(self), "file": None if self.file is None else str(self.file)}


def show_augmentation(
    stack: Stack,
    source: DataSource,
    *,
    workspace: Workspace,
    n_variants: int = 6,
    classes: Sequence[str] | None = None,
    file: Path | None = None,
    seed: int = 0,
    again: str = "",
) -> AugmentationSheet:
    """Draw one photograph of each class, and what training would make of it in each of the first epochs.

    Args:
        stack: The stack whose training transforms are shown.
        source: Where the photographs are; only those that are shown are decoded.
        workspace: Where the picture goes if no file is named: into `reports/pictures/`.
        n_variants: How many variants of each, at least 1.
        classes: Some of the classes; None for all, or the most frequent of many.
        file: Where the picture goes instead.
        seed: The seed of training.
        again: The options that name data and workspace again in commands; empty where they are found without.

    Raises:
        UsageError: A class does not exist, or the file is no PNG.
        WorkspaceError: The file would lie among records or photographs.
    """
    augment = stack.plan.augment
    check(stack.plan)
    place = _place(stack, source, workspace, file)
    samples = read_samples(source)
    shown, not_shown = tuple(what_is_shown(augment)), tuple(what_is_not_shown(augment))
    if not changes_images(augment):
        command = f"imgcls eda augment baseline+augmentation{again}"
        return AugmentationSheet(stack.label, None, 0, n_variants, (), (), samples.n_classes, shown, not_shown, command)
    names = tuple(dict.fromkeys(classes)) if classes else _most_frequent(samples)
    made = preview(stack.plan, samples, n_variants=n_variants, classes=names, seed=seed)
    hidden = samples.n_classes - len(names)
    notes = [*shown, *not_shown, *([f"{hidden} classes are not shown."] if hidden else [])]
    with drawing():
        title = f"What training with {stack.label} sees"
        figure = augmented_figure(made.pixels, title=title, classes=made.classes, ids=made.ids, notes=notes)
        content = png_of(figure)
    make_folder(place.parent)
    write_bytes(place, content)
    return AugmentationSheet(
        stack=stack.label,
        file=place,
        n_bytes=len(content),
        n_variants=n_variants,
        classes=made.classes,
        ids=made.ids,
        n_classes=samples.n_classes,
        shown=shown,
        not_shown=not_shown,
        command=f"imgcls ladder run {shlex.quote(stack.text)}{set_options(stack.overrides)}{again}",
    )


def _most_frequent(samples: Samples) -> tuple[str, ...]:
    n = dict.fromkeys(samples.classes, 0)
    for label, split in zip(samples.frame["label"], samples.frame["split"], strict=True):
        for name in (classes_in(label) if samples.problem == "multilabel" else [label]) if split != "test" else []:
            n[name] = n.get(name, 0) + 1
    return tuple(most_frequent({name: n[name] for name in samples.classes if n[name]}, MOST_CLASSES))


def _place(stack: Stack, source: DataSource, workspace: Workspace, file: Path | None) -> Path:
    """Return where the picture goes, apart from photographs and records."""
    if file is None:
        slug = re.sub(r"[^A-Za-z0-9.]+", "-", stack.text).strip("-.")[:60]
        file = workspace.reports / "pictures" / f"augment-{slug}.png"
    if file.suffix.lower() != ".png":
        raise UsageError(f"{file} has to end in .png.")
    place = file.absolute().resolve()
    for folder in (workspace.runs, workspace.ladders):
        if place.is_relative_to(folder.resolve()):
            raise WorkspaceError(f"{file} lies among the records in {folder}. Choose another place with --to.")
    if isinstance(source.data, str | Path):
        home = workspace if place.is_relative_to(workspace.reports.resolve()) else Workspace(place.parent)
        try:
            home.check_apart(source.data, source.images)
        except WorkspaceError as problem:
            raise WorkspaceError(f"{file} lies among the photographs. Choose another place with --to.") from problem
    return place
