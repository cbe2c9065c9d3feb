"""Contact sheets: photographs of each class on a grid, so that a person can compare the classes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from imgcls.data.samples import Samples
from imgcls.eda.facts import Facts
from imgcls.eda.pictures.canvas import fitted, heading, new_figure, write
from imgcls.eda.pictures.photographs import (
    GAP,
    WIDTH,
    Grid,
    by_lot,
    caption,
    captions,
    most_frequent,
    photograph,
    place_photograph,
    rows_by_class,
)

MOST_SHEETS = 24
"""Classes with a sheet of their own; of more, the most frequent ones."""
N_ON_SHEET = 12
"""Photographs on it at least, where the class has as many: rows are filled."""
MOST_COMPARED = 20
"""Classes on the sheet of all."""
_MOST_IN_BLOCK, _COMPARED_GAP = 5, 6
_NAMES_WIDTH = {1: 150, 2: 110}  # by the number of blocks side by side
_COMPARED_SIDES_PX = {5: 80, 10: 68, MOST_COMPARED: 52}  # by the most classes, so that the file stays small


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
            pixels = photograph(Path(samples.frame["path"].iloc[row]), grid.box)
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
        place_photograph(figure, photograph(Path(path), grid.box), grid.box, x=x, y=y)
        caption(figure, text, grid.box, x=x, y=y)
    return figure


def _most_frequent(facts: Facts, n: int) -> list[str]:
    """Give the classes that have photographs, the most frequent ones where they are many."""
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
