"""Small pictures of the photographs that a ladder was trained and scored on, where these still are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from imgcls.data.decode import Preprocess, decode_with_size
from imgcls.data.samples import Samples, classes_in
from imgcls.data.sources import load_samples
from imgcls.data.sources.test_list import OFF
from imgcls.engine.known_sets import fetched_set, is_known_set
from imgcls.errors import DataError, DecodeError
from imgcls.ladders.spec import Ladder
from imgcls.problem.adjustments import FINDINGS_TOML, read_adjustments
from imgcls.problem.applying import adjusted
from imgcls.workspace import OWN_FOLDERS, Workspace, cache_folder

SIDE_PX = 144
"""The longer side of a picture: 96 px on a page, and half as much again for fine screens."""
MOST_CLASSES = 12
_QUALITY = 80
_READING = ("images", "label", "id", "group", "split", "problem_type", "delimiter", "test")


@dataclass(frozen=True)
class Picture:
    """One photograph, small."""

    jpeg: bytes
    """The picture as a JPEG file, without any description of its own."""
    width_px: int
    """Its width."""
    height_px: int
    """Its height."""


@dataclass(frozen=True)
class ClassPictures:
    """A few training photographs of one class."""

    name: str
    """The class."""
    n_samples: int
    """All photographs of the class outside test."""
    pictures: tuple[Picture, ...]
    """Some of those that train."""


def find_photographs(ladder: Ladder, workspace: Workspace) -> Samples:
    """Read the samples of a ladder again, without deep learning, and without fetching anything.

    Args:
        ladder: Says how its data are read.
        workspace: Where a path that is not absolute begins, if it does not exist here.

    Raises:
        DataError: They are not there any more, or cannot be read.
        ProblemError: The findings.toml that it followed cannot be read.
    """
    reading = {name: ladder.data.get(name) for name in _READING}
    for name in ("images", "test"):
        if reading[name] not in (None, OFF):
            reading[name] = _place(reading[name], workspace)
    samples = load_samples(_place(ladder.data.get("data"), workspace), skip=OWN_FOLDERS, **reading)
    findings = ladder.data.get("findings")
    return samples if findings is None else adjusted(samples, read_adjustments(_findings(findings, workspace)))


def contact_sheet(
    samples: Samples, *, validating: Collection[str], classes: Sequence[str]
) -> tuple[ClassPictures, ...]:
    """Draw a few training photographs of each class; the same ones every time.

    Args:
        samples: All samples; those of a given test split are never shown.
        validating: Ids of those that validate, which are not shown either.
        classes: In the order in which they are shown; of more than `MOST_CLASSES` the most frequent.
    """
    rows = _rows_by_class(samples, classes)
    most = sorted(classes, key=lambda name: -len(rows[name]))[:MOST_CLASSES]
    ids, paths = samples.frame["id"].tolist(), samples.frame["path"].tolist()
    n_each = 8 if len(classes) <= 3 else 6 if len(classes) <= 6 else 4
    sheet = []
    for name in (name for name in classes if name in most):
        order = np.random.default_rng(0).permutation(len(rows[name]))
        training = [rows[name][place] for place in order if written(ids[rows[name][place]]) not in validating]
        pictures = islice(_readable(Path(paths[row]) for row in training), n_each)
        sheet.append(ClassPictures(name, len(rows[name]), tuple(pictures)))
    return tuple(sheet)


def pictures_of(ids: Sequence[str], samples: Samples) -> dict[str, Picture]:
    """Give the pictures of those samples that are there and can be read, by id."""
    wanted = set(ids)
    found = {}
    for name, path in zip(samples.frame["id"], samples.frame["path"], strict=True):
        if (known := written(name)) in wanted:
            with suppress(DecodeError):
                found[known] = draw_picture(Path(path))
    return found


def draw_picture(path: Path) -> Picture:
    """Draw a photograph small, upright and in its own proportions.

    Raises:
        DecodeError: It cannot be read.
    """
    decoded = decode_with_size(path, Preprocess(SIDE_PX, resize="pad", pad_mode="constant"))
    scale = SIDE_PX / max(decoded.width_px, decoded.height_px)
    width, height = (max(1, round(side * scale)) for side in (decoded.width_px, decoded.height_px))
    left, top = (SIDE_PX - width) // 2, (SIDE_PX - height) // 2
    file = BytesIO()
    image = Image.fromarray(decoded.pixels[top : top + height, left : left + width])
    image.save(file, "JPEG", quality=_QUALITY, optimize=True)
    return Picture(file.getvalue(), width, height)


def written(text: str) -> str:
    """Give an id as records hold it, which are UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _place(source: object, workspace: Workspace) -> str | Path | None:
    """Find where data lie that were named by a path, or by the name of a known set."""
    if source is None or str(source) == "elpv":
        return None
    if is_known_set(source):
        folder = fetched_set(str(source), cache_folder() / "sets")
        if folder is None:
            raise DataError(f"{source}: its photographs are not where imgcls keeps sets.")
        return folder
    path = Path(str(source)).expanduser()
    return path if path.is_absolute() or path.exists() else workspace.root / path


def _findings(path: object, workspace: Workspace) -> Path:
    """Find the findings.toml that a ladder followed; where its workspace was moved, the one that lies there now."""
    named = Path(str(path))
    return named if named.exists() else workspace.root / FINDINGS_TOML


def _rows_by_class(samples: Samples, classes: Sequence[str]) -> dict[str, list[int]]:
    """Give the rows of each class, the sealed test split left out."""
    rows: dict[str, list[int]] = {name: [] for name in classes}
    for row, (label, split) in enumerate(zip(samples.frame["label"], samples.frame["split"], strict=True)):
        names = classes_in(label) if samples.problem == "multilabel" else [label]
        for name in names if split != "test" else []:
            if name in rows:
                rows[name].append(row)
    return rows


def _readable(paths: Iterable[Path]) -> Iterator[Picture]:
    for path in paths:
        with suppress(DecodeError):
            yield draw_picture(path)
