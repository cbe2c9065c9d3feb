"""Photographs beside what augmentation makes of them, so that a person sees whether a label would still be right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from imgcls.data.decode import Pixels
from imgcls.eda.pictures.canvas import FAINT, SOFT, fitted, heading, new_figure, size_of, write
from imgcls.eda.pictures.photographs import Box, place_photograph

_LEFT, _TOP, _GAP, _RIGHT = 150, 78, 6, 14
_SIDES_PX = (60, 168)
_ROOM_PX = 960
_MOST_PX = 250_000  # of photographs, so that the file stays small
_QUESTION = "Would you give each one the label of its row? Where a flip, a turn or a colour changes it, leave that out."


def augmented_figure(
    pixels: Pixels, *, title: str, classes: Sequence[str], ids: Sequence[str], notes: Sequence[str]
) -> Figure:
    """Draw a row for each class: the photograph as it is, and its variants.

    Args:
        pixels: uint8 [n_classes, 1 + n_variants, size, size, 3]; variant 0 is untouched.
        title: What it shows, the stack among it.
        classes: [n_classes], their names.
        ids: [n_classes], the photographs.
        notes: Sentences for a person, below the rows.
    """
    n_classes, n = pixels.shape[:2]
    side = _side(n_classes, n)
    width = max(_LEFT + n * (side + _GAP) + _GAP + _RIGHT, 620)
    figure = new_figure(width, _TOP + n_classes * (side + _GAP) + 12 + 16 * len(notes), sharpness=1)
    heading(figure, title, _QUESTION)
    for column in range(n):
        x = _x(column, side)
        write(figure, x, _TOP - 16, f"epoch {column}" if column else "as it is", fontsize=8, color=SOFT)
    for row in range(n_classes):
        y = _TOP + row * (side + _GAP)
        name = fitted(classes[row], _LEFT - 24, size=9, n_lines=2, weight="bold")
        write(figure, 14, y + 2, name, fontsize=9, weight="bold")
        below = y + 18 + 14 * name.count("\n")
        write(figure, 14, below, fitted(ids[row], _LEFT - 24, size=6.5, n_lines=3), fontsize=6.5, color=SOFT)
        for column in range(n):
            place_photograph(figure, _resized(pixels[row, column], side), Box(side, side), x=_x(column, side), y=y)
    _draw_line(figure, x=_x(1, side) - _GAP - 1, top=_TOP, bottom=_TOP + n_classes * (side + _GAP))
    for place, note in enumerate(notes):
        y = _TOP + n_classes * (side + _GAP) + 6 + 16 * place
        write(figure, 14, y, fitted(note, width - 28, size=8), fontsize=8, color=SOFT)
    return figure


def _side(n_classes: int, n: int) -> int:
    """Give the side of a photograph in pixels: what fills the width, and less where they are many."""
    room = (_ROOM_PX - _LEFT - _RIGHT) / n - _GAP
    return int(min(max(min(room, (_MOST_PX / n_classes / n) ** 0.5), _SIDES_PX[0]), _SIDES_PX[1]))


def _x(column: int, side: int) -> int:
    """Give where a column begins; the untouched photograph stands a little apart."""
    return _LEFT + column * (side + _GAP) + (_GAP if column else 0)


def _resized(pixels: Pixels, side: int) -> Pixels:
    if pixels.shape[0] == side:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC))


def _draw_line(figure: Figure, *, x: float, top: float, bottom: float) -> None:
    width, height = size_of(figure)
    ends = [1 - top / height, 1 - bottom / height]
    figure.add_artist(Line2D([x / width] * 2, ends, color=FAINT, linewidth=1, transform=figure.transFigure))
