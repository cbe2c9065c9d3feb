"""Photographs in one folder for each class, with or without folders train, valid and test above them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from imgcls.data.files import OWN_FOLDERS, Excluded, Listing, list_images
from imgcls.data.samples import ProblemType, Samples, check_class_names, class_order, frame_of, lookalike_notes
from imgcls.errors import DataError

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "test": "test",
    "testing": "test",
}
"""Folder names, in any case, that stand for a split."""

TYPE_ADVICE = "Change the type (--type, or type in imgcls.toml), or leave it out."
"""What to do where the data contradict the type of problem that was named."""

_CONTENTS = re.compile(
    rf"(({'|'.join(SPLIT_FOLDERS)})[ _-]*)?"
    r"(images?|imgs?|photos?|pictures|jpe?gs?|pngs?|masks|annotations?|trimaps?|labels)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Placed:
    """Where a file belongs by its place in the tree."""

    name: str
    """The relative posix path."""
    label: str
    """The class, or "" in a test folder without classes."""
    split: str
    """train, valid, test, or "" for a folder without splits."""


def load_folder(root: Path, *, problem_type: ProblemType | None = None, skip: Collection[str] = OWN_FOLDERS) -> Samples:
    """Read a data set whose folders are its classes.

    Folders below a class belong to it. With a folder train, those called valid (val, validation)
    and test beside it give the split; without valid, the samples of train are still to be split.
    Images directly in test are test samples without labels.

    Args:
        root: The folder.
        problem_type: binary or multiclass; None chooses by the number of classes.
        skip: Names of folders directly inside it that hold no photographs of the data set.

    Raises:
        DataError: The folder holds no images, no folders of classes, folders whose names are no classes, or
            does not fit the problem type.
    """
    listing = list_images(root, skip=skip)
    if not listing.images:
        raise DataError(f"{root}: no images were found in this folder or below it. {_seen(listing)}")
    placed = list(_places(listing.images))
    samples = [place for place in placed if isinstance(place, _Placed)]
    if not any(place.label for place in samples):
        raise DataError(
            f"{root}: {len(listing.images)} images, but no folder for each class and no table with labels. Sort the "
            "images into one folder for each class, or give a CSV; images without labels can only be predicted."
        )
    _check_labels(root, {place.label for place in samples if place.label})
    strays = [place for place in placed if isinstance(place, Excluded)]
    return _samples(root, samples, excluded=[*listing.excluded, *strays], problem_type=problem_type)


def has_split_folders(images: Iterable[str]) -> bool:
    """Whether relative paths form train/<class>/… rather than <class>/…, where a class may be called train."""
    paths = [name.split("/") for name in images]
    tops = {parts[0].lower() for parts in paths if len(parts) > 1}
    deep = any(SPLIT_FOLDERS.get(parts[0].lower()) == "train" and len(parts) > 2 for parts in paths)
    named = {SPLIT_FOLDERS[top] for top in tops & SPLIT_FOLDERS.keys()}
    return deep and (len(named) > 1 or tops <= {"train", "training"})


def names_no_class(folder: str) -> bool:
    """Whether the name of a folder says what lies in it or which split it is, rather than a class."""
    return folder.lower() in SPLIT_FOLDERS or _CONTENTS.fullmatch(folder) is not None


def problem_of(classes: tuple[str, ...], wanted: ProblemType | None, *, where: str) -> ProblemType:
    """Choose between binary and multiclass, and refuse what does not fit.

    Raises:
        DataError: The wanted problem is multilabel, or binary with other than two classes.
    """
    if wanted == "multilabel":
        raise DataError(f"{where}: one class for each sample in a folder or column, so not multilabel. {TYPE_ADVICE}")
    if wanted == "binary" and len(classes) != 2:
        raise DataError(f"{where}: a binary problem has 2 classes, and there are {len(classes)}. {TYPE_ADVICE}")
    return wanted or ("binary" if len(classes) == 2 else "multiclass")


def _places(images: tuple[str, ...]) -> Iterator[_Placed | Excluded]:
    with_splits = has_split_folders(images)
    tops = {name.split("/")[0].lower() for name in images}
    has_valid = bool(tops & {top for top, split in SPLIT_FOLDERS.items() if split == "valid"})
    for name in images:
        folders = name.split("/")[:-1]
        if not with_splits:
            yield _Placed(name, folders[0], "") if folders else Excluded(name, "in no class folder")
            continue
        split = SPLIT_FOLDERS.get(folders[0].lower() if folders else "")
        if split is None:
            yield Excluded(name, "outside train, valid and test")
        elif len(folders) == 1 and split != "test":
            yield Excluded(name, "in no class folder")
        else:
            label = folders[1] if len(folders) > 1 else ""
            yield _Placed(name, label, "" if split == "train" and not has_valid else split)


def _check_labels(root: Path, labels: Collection[str]) -> None:
    """Refuse folders that would become classes by accident; a class may be called train beside others.

    Raises:
        DataError: Folders have names of contents, or none has that of a class.
    """
    check_class_names(labels, where=str(root), remedy="Rename the folder.")
    wrong = [name for name in sorted(labels) if names_no_class(name)]
    if len(wrong) == len(labels) or any(map(_CONTENTS.fullmatch, wrong)):
        raise DataError(
            f"{root}: the folders {', '.join(map(repr, sorted(labels)))} would be the classes, but a folder called "
            f"{' or '.join(map(repr, wrong))} is none. Give the folder that holds one folder for each class, or a "
            "table with the labels and the folder of its photographs (--images). Rename a folder that is a class."
        )


def _samples(
    root: Path, placed: list[_Placed], *, excluded: list[Excluded], problem_type: ProblemType | None
) -> Samples:
    classes = class_order(place.label for place in placed if place.label)
    absolute = root.absolute()
    frame = frame_of(
        ids=[place.name for place in placed],
        paths=[str(absolute / place.name) for place in placed],
        labels=[place.label for place in placed],
        splits=[place.split for place in placed],
    )
    return Samples(
        frame=frame,
        classes=classes,
        problem=problem_of(classes, problem_type, where=str(root)),
        name=root.resolve().name,
        root=absolute,
        excluded=tuple(sorted(excluded, key=lambda entry: entry.path)),
        notes=lookalike_notes(classes),
    )


def _seen(listing: Listing) -> str:
    if not listing.excluded:
        return "It is empty; check the path."
    first = listing.excluded[0]
    return f"It holds {len(listing.excluded)} other files, first {first.path!r} ({first.reason})."
