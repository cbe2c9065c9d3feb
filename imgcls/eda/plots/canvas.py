"""A canvas for pictures of data: names are literal, fonts are those at hand, and equal facts give equal bytes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from PIL import Image

from imgcls.data.decode import Pixels
from imgcls.text import clean

INK, SOFT, FAINT, PAPER, BOX = "#1a1a1a", "#5c5c5c", "#c8c8c8", "#ffffff", "#eef0f2"
BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
"""Of Okabe and Ito, which people with any colour vision tell apart."""
SPLIT_COLOURS = {"train": BLUE, "valid": ORANGE, "test": GREEN}
UNIT_DPI = 100
"""A figure's size is given in units of 1/100 inch: a pixel of a sheet, and of a page that shows a chart."""
CHART_SHARPNESS = 1.6
"""Pixels a unit in charts, whose thin lines and small text a fine screen shows better."""
MOST_BYTES = 400_000
"""Above it a picture keeps fewer shades of each colour."""

_BITS = (6, 5, 4)
_COMPRESSION = 6  # the most makes files 3 % smaller, and takes five times as long
# In this order; the first that is there and has the character draws it.
_FAMILIES = (
    "DejaVu Sans",
    *("Noto Sans CJK KR", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans KR", "Noto Sans SC", "Noto Sans JP"),
    *("NanumGothic", "UnDotum", "Malgun Gothic", "Apple SD Gothic Neo", "AppleGothic"),
    *("WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Microsoft YaHei", "SimHei", "PingFang SC", "Hiragino Sans"),
    *("Noto Sans", "Arial Unicode MS", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Emoji"),
)


@contextmanager
def drawing() -> Iterator[None]:
    """Draw with matplotlib's own defaults, whatever the user's are, and without its remarks on missing characters."""
    with mpl.rc_context(), warnings.catch_warnings():
        # A name may hold what no font here has; a box is drawn for it, and the rest of the name is read all the same.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        warnings.filterwarnings("ignore", message=r"Matplotlib currently does not support .* natively")
        mpl.rcdefaults()
        mpl.rcParams.update({"font.family": list(families()), "text.parse_math": False, "text.color": INK})
        yield


@cache
def families() -> tuple[str, ...]:
    """Return the fonts that are there, in the order in which they are asked for a character."""
    there = set(font_manager.fontManager.get_font_names())
    return tuple(family for family in _FAMILIES if family in there) or ("sans-serif",)


def new_figure(width: float, height: float, *, sharpness: float = CHART_SHARPNESS) -> Figure:
    """Make a figure with a canvas of its own, outside pyplot's list of figures.

    Args:
        width: In units.
        height: In units.
        sharpness: Pixels a unit; 1 for sheets, on which photographs lie pixel by pixel.
    """
    figure = Figure(figsize=(width / UNIT_DPI, height / UNIT_DPI), dpi=UNIT_DPI * sharpness, facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure


def size_of(figure: Figure) -> tuple[float, float]:
    """Return the width and height of a figure in units."""
    width, height = figure.get_size_inches()
    return float(width) * UNIT_DPI, float(height) * UNIT_DPI


def write(figure: Figure, x: float, y: float, text: str, **style: object) -> None:
    """Write a text at a place counted in units from the upper left corner; it hangs below it."""
    width, height = size_of(figure)
    figure.text(x / width, 1 - y / height, text, **{"va": "top", "fontsize": 8, **style})  # type: ignore[arg-type]


def heading(figure: Figure, title: str, about: str = "") -> None:
    """Write what a picture shows at its upper left corner, with a name in it shortened to fit, and below it a sentence.

    The sentence is never cut: it goes on in a second line, as small as it must be for that.
    """
    width, _ = size_of(figure)
    write(figure, 14, 10, fitted(title, width - 28, size=11, weight="bold"), fontsize=11, fontweight="bold")
    if about:
        sizes = (8.5, 8.0, 7.5, 7.0, 6.5, 6.0, 5.5, 5.0)
        size = next((size for size in sizes if len(wrapped(about, width - 28, size=size)) <= 2), sizes[-1])
        lines = "\n".join(wrapped(about, width - 28, size=size))
        write(figure, 14, 32, lines, fontsize=size, color=SOFT, linespacing=1.1)


def wrapped(text: str, width: float, *, size: float) -> list[str]:
    """Break a sentence between its words into lines that fit; only a word longer than a line, a name, is shortened.

    Args:
        text: As it comes; control characters are written out.
        width: The room in units.
        size: The size of the font in points.
    """
    lines: list[str] = []
    for word in clean(text).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _width(longer, size, "normal") <= width:
            lines[-1] = longer
        else:
            lines.append(fitted(word, width, size=size))
    return lines


def fitted(text: str, width: float, *, size: float, n_lines: int = 1, weight: str = "normal") -> str:
    """Break and shorten a text from data so that it fits: its beginning and its end stay.

    Args:
        text: As it comes; control characters are written out.
        width: The room in units.
        size: The size of the font in points.
        n_lines: How many lines there may be.
        weight: The weight of the font.
    """
    rest = clean(text)
    lines: list[str] = []
    while len(lines) < n_lines - 1 and _width(rest, size, weight) > width:
        n = _n_fitting(rest, width, size, weight)
        lines.append(rest[:n])
        rest = rest[n:]
    if _width(rest, size, weight) > width:
        rest = _shortened(rest, width, size, weight, keep_start=not lines)
    return "\n".join([*lines, rest])


def plain(axes: Axes) -> None:
    """Leave of the frame of a chart what is read."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(colors=SOFT, labelsize=8, length=3)
    axes.set_axisbelow(True)


def png_of(figure: Figure) -> bytes:
    """Return a figure as a PNG file without any date or version in it."""
    canvas: Any = figure.canvas  # matplotlib's stubs leave the methods of this one open
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    made = _png(pixels, figure.dpi)
    for n_bits in _BITS:
        if len(made) <= MOST_BYTES:
            break
        made = _png(_fewer_shades(pixels, n_bits), figure.dpi)
    return made


def _fewer_shades(pixels: Pixels, n_bits: int) -> Pixels:
    """Round each colour to 2^n_bits shades: at six it cannot be seen, and adds no noise that looks like a fault."""
    shades = np.rint(np.rint(np.arange(256) * (2**n_bits - 1) / 255) * 255 / (2**n_bits - 1)).astype(np.uint8)
    return shades[pixels]


def _png(pixels: Pixels, dpi: float) -> bytes:
    """Write a PNG file, its resolution in it, from which a page knows how large it is meant to be."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG", compress_level=_COMPRESSION, dpi=(dpi, dpi))
    return file.getvalue()


@cache
def _measure() -> Any:
    canvas: Any = FigureCanvasAgg(Figure(dpi=UNIT_DPI))
    return canvas.get_renderer()


def _width(text: str, size: float, weight: str) -> float:
    """Return the width of a text in units, with a little room for how it is placed."""
    properties = FontProperties(family=list(families()), size=size, weight=weight)
    return float(_measure().get_text_width_height_descent(text, properties, ismath=False)[0]) + 2


def _n_fitting(text: str, width: float, size: float, weight: str) -> int:
    """Return how many characters of the beginning fit, at least one."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _width(text[:middle], size, weight) <= width else (low, middle - 1)
    return low


def _shortened(text: str, width: float, size: float, weight: str, *, keep_start: bool) -> str:
    """Take out of the middle what does not fit, or of the start where the start stands on a line above."""
    low, high = 0, len(text)
    made = "…"
    while low < high:
        n = (low + high + 1) // 2
        n_start = n // 2 if keep_start else 0
        attempt = f"{text[:n_start]}…{text[len(text) - (n - n_start) :]}"
        if _width(attempt, size, weight) <= width:
            low, made = n, attempt
        else:
            high = n - 1
    return made
