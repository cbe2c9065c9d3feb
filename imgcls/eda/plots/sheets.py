"""Contact sheets: photographs of each class, duplicates, outliers, augmentation; and all pictures of a data set."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from PIL import Image

from imgcls.data.decode import Pixels, Preprocess, decode_with_size
from imgcls.data.samples import Samples, classes_in
from imgcls.eda.facts import Facts, Outlier, Pair
from imgcls.eda.plots.canvas import (
    BOX,
    FAINT,
    ORANGE,
    SOFT,
    drawing,
    fitted,
    heading,
    new_figure,
    png_of,
    size_of,
    wrapped,
    write,
)
from imgcls.eda.plots.charts import classes_figure, curve_figure, light_figure, sizes_figure, together_figure
from imgcls.eda.scan import Scan
from imgcls.errors import DecodeError
from imgcls.storage import make_folder, write_bytes
from imgcls.text import amount

WIDTH, TOP, GAP = 960, 60, 12
"""Of a sheet, in pixels: its width, where its photographs begin, and what lies between two of them."""
AREA_PX = 144**2
"""About how large a photograph is where there is no reason for another size."""
MOST_PAIRS = 12
MOST_OUTLIERS = 12
MOST_SHEETS = 24
"""Classes with a sheet of their own; of more, the most frequent ones."""
N_ON_SHEET = 12
"""Photographs on it at least, where the class has as many: rows are filled."""
MOST_COMPARED = 20
"""Classes on the sheet of all."""
FOLDER = "pictures"
SHEET = "sheet: "
"""What the name of a class's contact sheet begins with."""
_ASPECTS = (0.6, 1.8)
_SMALL, _LINE_PX = 6.5, 10.6
_LEFT, _TOP, _GAP, _RIGHT = 150, 78, 6, 14
_SIDES_PX = (60, 168)
_ROOM_PX = 960
_MOST_PX = 250_000  # of photographs, so that the file stays small
_QUESTION = "Would you give each one the label of its row? Where a flip, a turn or a colour changes it, leave that out."
_PAIR_GAP, _PAIR_WORDS, _OUTLIER_WORDS = 4, 17, 13
_OUTLIERS_ABOUT = "How many times farther than usual each lies from those like it. Wrong, broken or rare? Look first."
_MOST_IN_BLOCK, _COMPARED_GAP = 5, 6
_NAMES_WIDTH = {1: 150, 2: 110}  # by the number of blocks side by side
_COMPARED_SIDES_PX = {5: 80, 10: 68, MOST_COMPARED: 52}  # by the most classes, so that the file stays small
_NAMES = ("classes", "together", "compared", "sizes", "light", "duplicates", "odd", "curve")
_OURS = re.compile(rf"({'|'.join(_NAMES)}|sheet-\d{{3,}}(-[a-z0-9-]+)?)\.png")


def draw(facts: Facts, scan: Scan, folder: Path, *, seed: int = 0) -> dict[str, str]:
    """Draw everything about a data set that a person would rather look at than read.

    A photograph that cannot be read any more leaves a box that says so. Photographs of test are in no contact sheet.

    Args:
        facts: What was measured; their own pictures are not looked at.
        scan: What was looked at.
        folder: That of facts.json; the pictures lie in `pictures/` in it.
        seed: Decides which photographs are on contact sheets.

    Returns:
        From the name of each picture to its file, relative to the folder: `classes`, `together` for several labels,
        `compared`, `sheet: CLASS` for at most 24 classes, `sizes`, `light`, and where there are any `duplicates`,
        `odd` and `curve`.
    """
    place, files = folder / FOLDER, {}
    make_folder(place)
    with drawing():
        for name, file_name, figure in _figures(facts, scan, seed=seed):
            write_bytes(place / file_name, png_of(figure))
            files[name] = f"{FOLDER}/{file_name}"
    _remove_others(place, set(files.values()))
    return files


def _figures(facts: Facts, scan: Scan, *, seed: int) -> Iterator[tuple[str, str, Figure]]:
    """Draw one picture after the other: its name, its file, and the figure."""
    samples = scan.samples
    yield "classes", "classes.png", classes_figure(facts)
    if facts.together:
        yield "together", "together.png", together_figure(facts)
    yield "compared", "compared.png", compared(facts, samples, seed=seed)
    for number, (name, figure) in enumerate(class_sheets(facts, samples, seed=seed), start=1):
        yield f"{SHEET}{name}", f"sheet-{number:03d}{_slug(name)}.png", figure
    yield "sizes", "sizes.png", sizes_figure(facts, scan.measures, samples)
    yield "light", "light.png", light_figure(scan.measures, samples)
    if facts.duplicates:
        yield "duplicates", "duplicates.png", pairs_figure(facts, samples)
    if facts.odd:
        yield "odd", "odd.png", outliers_figure(facts, samples)
    if len(facts.curve) > 1:
        yield "curve", "curve.png", curve_figure(facts)


def _slug(name: str) -> str:
    """Return what a class's name can lend to the name of a file, which its number alone keeps apart from others."""
    text = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:32].strip("-")
    return f"-{text}" if text else ""


def _remove_others(place: Path, kept: set[str]) -> None:
    """Remove pictures of an earlier look that this one did not draw; files of other names are not ours."""
    for path in place.iterdir():
        if _OURS.fullmatch(path.name) and f"{FOLDER}/{path.name}" not in kept:
            path.unlink(missing_ok=True)


def class_sheets(facts: Facts, samples: Samples, *, seed: int) -> Iterator[tuple[str, Figure]]:
    """Draw a sheet for each class, with the ids of its photographs; those of test are never among them.

    Args:
        facts: Say how often each class occurs, and in what shape photographs come.
        samples: The photographs.
        seed: Decides which ones are drawn.

    Yields:
        The class and its sheet.
    """
    rows = rows_by_class(samples)
    for name in _most_frequent(facts, MOST_SHEETS):
        yield name, _class_sheet(facts, samples, name, rows[name], seed=seed)


def compared(facts: Facts, samples: Samples, *, seed: int) -> Figure:
    """Draw a row of small photographs for each class, one below the other; the arguments are as in `class_sheets`."""
    rows, shown = rows_by_class(samples), _most_frequent(facts, MOST_COMPARED)
    n_blocks = 1 if len(shown) <= _MOST_IN_BLOCK else 2
    block = (WIDTH - GAP) // n_blocks
    side_px = next(side for most, side in _COMPARED_SIDES_PX.items() if len(shown) <= most)
    grid = Grid.of(
        facts.sizes.aspect.middle, area_px=side_px**2, left=_NAMES_WIDTH[n_blocks], right=block, gap=_COMPARED_GAP
    )
    n_rows = -(-len(shown) // n_blocks)
    figure = new_figure(WIDTH, grid.height(n_rows * grid.n_columns) + grid.gap, sharpness=1)
    heading(figure, "The classes compared", _which(len(shown), len(facts.classes)))
    for place, name in enumerate(shown):
        left = place // n_rows * block
        _, y = grid.corner(place % n_rows * grid.n_columns)
        words = fitted(name, grid.left - 20, size=9, n_lines=3, weight="bold")
        write(figure, left + 14, y + 2, words, fontsize=9, weight="bold")
        for column, row in enumerate(by_lot(rows[name], grid.n_columns, seed=seed).tolist()):
            x = left + grid.corner(column)[0]
            pixels = photograph(Path(samples.frame["path"].iloc[row]), grid.box, samples.stretch)
            place_photograph(figure, pixels, grid.box, x=x, y=y)
    return figure


def _class_sheet(facts: Facts, samples: Samples, name: str, rows: npt.NDArray[np.int64], *, seed: int) -> Figure:
    grid = Grid.of(facts.sizes.aspect.middle)
    chosen = samples.frame.iloc[by_lot(rows, -(-N_ON_SHEET // grid.n_columns) * grid.n_columns, seed=seed)]
    marks = ["valid: " if split == "valid" else "" for split in chosen["split"]]
    words, height = captions((mark + name for mark, name in zip(marks, chosen["id"], strict=True)), grid.box)
    grid = replace(grid, words=height)
    figure = new_figure(WIDTH, grid.height(len(chosen)), sharpness=1)
    heading(figure, name, _about(facts, name, len(chosen)))
    for place, (path, text) in enumerate(zip(chosen["path"], words, strict=True)):
        x, y = grid.corner(place)
        place_photograph(figure, photograph(Path(path), grid.box, samples.stretch), grid.box, x=x, y=y)
        caption(figure, text, grid.box, x=x, y=y)
    return figure


def _most_frequent(facts: Facts, n: int) -> list[str]:
    """Return the classes that have photographs, the most frequent ones where they are many."""
    return most_frequent({entry.name: sum(entry.n.values()) for entry in facts.classes if any(entry.n.values())}, n)


def _about(facts: Facts, name: str, n_shown: int) -> str:
    entry = next(entry for entry in facts.classes if entry.name == name)
    n = sum(entry.n.values())
    counts = ", ".join(f"{split} {entry.n.get(split, 0):,}" for split in ("train", "valid"))
    shown = "all of them" if n_shown == n else f"{n_shown} of them, drawn by lot"
    return f"{n:,} photographs ({counts}), {100 * entry.share:.1f} % of what is labelled; {shown}"


def _which(n_shown: int, n: int) -> str:
    if n_shown == n:
        return "Each row is a class; its photographs are drawn by lot from train and validation."
    return f"Each row is a class; the {n_shown} most frequent of {n:,}, photographs drawn by lot."


def pairs_figure(facts: Facts, samples: Samples) -> Figure:
    """Draw pairs of photographs side by side, those across splits and with different labels first.

    A photograph of test is shown, since nobody could judge the pair without it; its label is not.
    """
    pairs = facts.worst_pairs[:MOST_PAIRS]
    grid = Grid.of(facts.sizes.aspect.middle, multiple=2)
    shown = [(f"{_where(pair, side)}: ", name) for pair in pairs for side, name in enumerate((pair.first, pair.second))]
    words, height = captions((where + name for where, name in shown), grid.box)
    grid = replace(grid, words=height + _PAIR_WORDS)
    figure = new_figure(WIDTH, grid.height(len(shown)), sharpness=1)
    heading(figure, "Photographs that are there twice", _pairs_about(facts.duplicates, len(pairs)))
    rows = rows_by_id(samples, (name for _, name in shown))
    for place, ((_, name), text) in enumerate(zip(shown, words, strict=True)):
        pair, is_second = pairs[place // 2], place % 2
        x, y = grid.corner(place)
        x -= is_second * (grid.gap - _PAIR_GAP)
        if not is_second:
            said = fitted(_pair_words(pair), 2 * grid.box.width, size=7.5, weight="bold")
            write(figure, x, y, said, fontsize=7.5, weight="bold", color=_ink(pair))
        _place(figure, samples, rows.get(name), grid.box, x=x, y=y + _PAIR_WORDS)
        caption(figure, text, grid.box, x=x, y=y + _PAIR_WORDS)
    return figure


def outliers_figure(facts: Facts, samples: Samples) -> Figure:
    """Draw the outliers, the farthest first, and in what each is one."""
    outliers = facts.odd[:MOST_OUTLIERS]
    grid = Grid.of(facts.sizes.aspect.middle)
    words, height = captions((f"{_outlier_where(entry)}: {entry.id}" for entry in outliers), grid.box)
    grid = replace(grid, words=height + _OUTLIER_WORDS)
    figure = new_figure(WIDTH, grid.height(len(outliers)), sharpness=1)
    shown = f" The {len(outliers)} farthest of {len(facts.odd)}." if len(outliers) < len(facts.odd) else ""
    heading(figure, "Photographs unlike the others", f"{_OUTLIERS_ABOUT}{shown}")
    rows = rows_by_id(samples, (entry.id for entry in outliers))
    for place, (entry, text) in enumerate(zip(outliers, words, strict=True)):
        x, y = grid.corner(place)
        _place(figure, samples, rows.get(entry.id), grid.box, x=x, y=y)
        said = fitted(f"{entry.why}, {entry.distance:.1f} times", grid.box.width, size=7.5, weight="bold")
        write(figure, x, y + grid.box.height + 3, said, fontsize=7.5, weight="bold")
        caption(figure, text, grid.box, x=x, y=y + _OUTLIER_WORDS)
    return figure


def _pairs_about(pairs: tuple[Pair, ...], n_shown: int) -> str:
    n_across, n_conflict = sum(pair.is_across for pair in pairs), sum(pair.is_conflict for pair in pairs)
    shown = f"; the {n_shown} worst are shown" if n_shown < len(pairs) else ""
    n = amount(len(pairs), "pair")
    return f"{n}: {n_across:,} across splits, {n_conflict:,} with different labels{shown}."


def _pair_words(pair: Pair) -> str:
    faults = [word for word, holds in (("across splits", pair.is_across), ("labels differ", pair.is_conflict)) if holds]
    return "; ".join([f"{pair.kind} ({pair.similarity:.3f})", *faults])


def _ink(pair: Pair) -> str:
    return ORANGE if pair.is_across or pair.is_conflict else SOFT


def _where(pair: Pair, side: int) -> str:
    return f"{pair.splits[side]}, {pair.labels[side]}" if pair.labels else pair.splits[side]


def _outlier_where(entry: Outlier) -> str:
    return f"{entry.split}, {entry.label}" if entry.label else entry.split


def _place(figure: Figure, samples: Samples, row: int | None, box: Box, *, x: int, y: int) -> None:
    path = None if row is None else Path(samples.frame["path"].iloc[row])
    pixels = None if path is None else photograph(path, box, samples.stretch)
    place_photograph(figure, pixels, box, x=x, y=y)


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
    lines = [line for note in notes for line in wrapped(note, width - 28, size=8)]
    figure = new_figure(width, _TOP + n_classes * (side + _GAP) + 12 + 16 * len(lines), sharpness=1)
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
    for place, line in enumerate(lines):
        y = _TOP + n_classes * (side + _GAP) + 6 + 16 * place
        write(figure, 14, y, line, fontsize=8, color=SOFT)
    return figure


def _side(n_classes: int, n: int) -> int:
    """Return the side of a photograph in pixels: what fills the width, and less where they are many."""
    room = (_ROOM_PX - _LEFT - _RIGHT) / n - _GAP
    return int(min(max(min(room, (_MOST_PX / n_classes / n) ** 0.5), _SIDES_PX[0]), _SIDES_PX[1]))


def _x(column: int, side: int) -> int:
    """Return where a column begins; the untouched photograph stands a little apart."""
    return _LEFT + column * (side + _GAP) + (_GAP if column else 0)


def _resized(pixels: Pixels, side: int) -> Pixels:
    if pixels.shape[0] == side:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC))


def _draw_line(figure: Figure, *, x: float, top: float, bottom: float) -> None:
    width, height = size_of(figure)
    ends = [1 - top / height, 1 - bottom / height]
    figure.add_artist(Line2D([x / width] * 2, ends, color=FAINT, linewidth=1, transform=figure.transFigure))


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
        """Return where a cell begins, in pixels from the left and the upper edge of the sheet."""
        row, column = divmod(place, self.n_columns)
        return self.left + column * (self.box.width + self.gap), TOP + row * self._row_height

    def height(self, n: int) -> int:
        """Return how high a sheet of some cells is, in pixels."""
        return TOP + -(-max(1, n) // self.n_columns) * self._row_height

    @property
    def _row_height(self) -> int:
        return self.box.height + self.words + self.gap


def photograph(path: Path, box: Box, stretch: tuple[float, float] | None = None) -> Pixels | None:
    """Decode a photograph upright, as large as it is whole within a box.

    Args:
        path: The file, which may have changed or gone since the data were looked at.
        box: The room.
        stretch: What is black and white in photographs of more than 8 bits; None where the data do not say.

    Returns:
        uint8 [h, w, 3], or None where the file cannot be read.
    """
    side = max(box.width, box.height)
    try:
        decoded = decode_with_size(path, Preprocess(side, "pad", "constant", stretch))
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
    """Return the rows of the labelled samples outside test of each class, int64 [n], in the order of their ids."""
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
    """Return the classes with most samples, in the order in which they come."""
    most = set(sorted(n_by_class, key=lambda name: -n_by_class[name])[:n])
    return [name for name in n_by_class if name in most]
