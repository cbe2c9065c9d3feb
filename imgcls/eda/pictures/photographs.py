"""Photographs as pictures show them: upright, whole, in their own proportions, and chosen by lot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from imgcls.data.decode import Pixels, Preprocess, decode_with_size
from imgcls.data.samples import Samples, classes_in
from imgcls.eda.pictures.canvas import BOX, FAINT, SOFT, fitted, size_of, write
from imgcls.errors import DecodeError

WIDTH, TOP, GAP = 960, 60, 12
"""Of a sheet, in pixels: its width, where its photographs begin, and what lies between two of them."""
AREA_PX = 144**2
"""About how large a photograph is where there is no reason for another size."""
_ASPECTS = (0.6, 1.8)
_SMALL, _LINE_PX = 6.5, 10.6


@dataclass(frozen=True)
class Box:
    """The room that each photograph of a sheet has."""

    width: int
    """In pixels."""
    height: int
    """In pixels."""


@dataclass(frozen=True)
class Grid:
    """Boxes in rows, which fill the width of a sheet."""

    box: Box
    """The room of a photograph."""
    n_columns: int
    """Boxes in a row."""
    left: int = GAP
    """Where the first box of a row begins, in pixels."""
    gap: int = GAP
    """What lies between two boxes of a row, in pixels."""
    words: int = 0
    """The height of what is written above and below a box, in pixels."""

    @classmethod
    def of(
        cls,
        aspect: float,
        *,
        area_px: float = AREA_PX,
        words: int = 0,
        left: int = GAP,
        right: int = WIDTH - GAP,
        gap: int = GAP,
        multiple: int = 1,
    ) -> Grid:
        """Lay out boxes for photographs of some width over height.

        Args:
            aspect: That of most photographs; the box is never much wider than high or much higher than wide.
            area_px: About how large a box should be.
            words: As in the grid.
            left: As in the grid.
            right: Where the last box of a row ends, in pixels.
            gap: As in the grid.
            multiple: The number of columns is a multiple of it.
        """
        shape, room = min(max(aspect, _ASPECTS[0]), _ASPECTS[1]), right - left + gap
        n_columns = multiple * max(1, round(room / ((area_px * shape) ** 0.5 + gap) / multiple))
        width = room // n_columns - gap
        return cls(Box(width, round(width / shape)), n_columns, left, gap, words)

    def corner(self, place: int) -> tuple[int, int]:
        """Give where a cell begins, in pixels from the left and the upper edge of the sheet."""
        row, column = divmod(place, self.n_columns)
        return self.left + column * (self.box.width + self.gap), TOP + row * self._row_height

    def height(self, n: int) -> int:
        """Give how high a sheet of some cells is, in pixels."""
        return TOP + -(-max(1, n) // self.n_columns) * self._row_height

    @property
    def _row_height(self) -> int:
        return self.box.height + self.words + self.gap


def photograph(path: Path, box: Box) -> Pixels | None:
    """Decode a photograph upright, as large as it is whole within a box.

    Args:
        path: The file, which may have changed or gone since the data were looked at.
        box: The room.

    Returns:
        uint8 [h, w, 3], or None where the file cannot be read.
    """
    side = max(box.width, box.height)
    try:
        decoded = decode_with_size(path, Preprocess(side, resize="pad", pad_mode="constant"))
    except DecodeError:
        return None
    scale = side / max(decoded.width_px, decoded.height_px)
    width, height = (max(1, round(length * scale)) for length in (decoded.width_px, decoded.height_px))
    left, top = (side - width) // 2, (side - height) // 2
    whole = decoded.pixels[top : top + height, left : left + width]
    shrink = min(1.0, box.width / width, box.height / height)
    if shrink == 1.0:
        return whole
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    return np.asarray(Image.fromarray(whole).resize(size, Image.Resampling.BICUBIC))


def place_photograph(figure: Figure, pixels: Pixels | None, box: Box, *, x: int, y: int) -> None:
    """Put a photograph into its box, pixel by pixel, or say that it cannot be read.

    Args:
        figure: A sheet, of one pixel a unit.
        pixels: uint8 [h, w, 3], not larger than the box; None where there is none.
        box: The room.
        x: From the left edge of the sheet to the box, in pixels.
        y: From the upper edge of the sheet to the box, in pixels.
    """
    width, height = size_of(figure)
    if pixels is None:
        corner = (x / width, 1 - (y + box.height) / height)
        frame = Rectangle(corner, box.width / width, box.height / height, facecolor=BOX, edgecolor=FAINT)
        frame.set_transform(figure.transFigure)
        figure.add_artist(frame)
        write(figure, x + box.width / 2, y + box.height / 2 - 6, "cannot be read", color=SOFT, ha="center")
        return
    left = x + (box.width - pixels.shape[1]) // 2
    top = y + (box.height - pixels.shape[0]) // 2
    figure.figimage(pixels, left, round(height) - top - pixels.shape[0], origin="upper")


def captions(texts: Iterable[str], box: Box) -> tuple[list[str], int]:
    """Break texts from data for what is written below boxes, and give the height that the longest takes, in pixels."""
    shown = [fitted(text, box.width, size=_SMALL, n_lines=3) for text in texts]
    n_lines = max((text.count("\n") + 1 for text in shown), default=0)
    return shown, round(_LINE_PX * n_lines) + 4


def caption(figure: Figure, text: str, box: Box, *, x: int, y: int) -> None:
    """Write below a box what `captions` gave for it."""
    write(figure, x, y + box.height + 3, text, fontsize=_SMALL, linespacing=1.15)


def rows_by_class(samples: Samples) -> dict[str, npt.NDArray[np.int64]]:
    """Give the rows of the labelled samples outside test of each class, int64 [n], in the order of their ids."""
    rows: dict[str, list[int]] = {name: [] for name in samples.classes}
    ids = samples.frame["id"].tolist()
    labels, splits = samples.frame["label"].tolist(), samples.frame["split"].tolist()
    for row in sorted((row for row, split in enumerate(splits) if split != "test"), key=ids.__getitem__):
        for name in classes_in(labels[row]) if samples.problem == "multilabel" else [labels[row]]:
            if name in rows:
                rows[name].append(row)
    return {name: np.array(found, dtype=np.int64) for name, found in rows.items()}


def by_lot(rows: npt.NDArray[np.int64], n: int, *, seed: int) -> npt.NDArray[np.int64]:
    """Choose rows, the same ones whenever there are as many of them; int64 [at most n]."""
    return np.random.default_rng(seed).permutation(rows)[:n]


def rows_by_id(samples: Samples, ids: Iterable[str]) -> Mapping[str, int]:
    """Find the rows of some ids; one that is not there any more is left out."""
    wanted = set(ids)
    return {name: row for row, name in enumerate(samples.frame["id"]) if name in wanted}


def most_frequent(n_by_class: Mapping[str, int], n: int) -> list[str]:
    """Give the classes with most samples, in the order in which they come."""
    most = set(sorted(n_by_class, key=lambda name: -n_by_class[name])[:n])
    return [name for name in n_by_class if name in most]
