"""What was found, to be judged by eye: photographs that are there twice, and photographs unlike the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from imgcls.data.samples import Samples
from imgcls.eda.facts import Facts, Odd, Pair
from imgcls.eda.pictures.canvas import ORANGE, SOFT, fitted, heading, new_figure, write
from imgcls.eda.pictures.photographs import (
    WIDTH,
    Box,
    Grid,
    caption,
    captions,
    photograph,
    place_photograph,
    rows_by_id,
)

MOST_PAIRS = 12
MOST_ODD = 12
_PAIR_GAP, _PAIR_WORDS, _ODD_WORDS = 4, 17, 13
_ODD_ABOUT = "How many times farther than usual each lies from those like it. Wrong, broken or rare? Look first."


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


def odd_figure(facts: Facts, samples: Samples) -> Figure:
    """Draw the photographs that are unlike the others, the oddest first, with what they are odd in."""
    odd = facts.odd[:MOST_ODD]
    grid = Grid.of(facts.sizes.aspect.middle)
    words, height = captions((f"{_odd_where(entry)}: {entry.id}" for entry in odd), grid.box)
    grid = replace(grid, words=height + _ODD_WORDS)
    figure = new_figure(WIDTH, grid.height(len(odd)), sharpness=1)
    shown = f" The {len(odd)} oddest of {len(facts.odd)}." if len(odd) < len(facts.odd) else ""
    heading(figure, "Photographs unlike the others", f"{_ODD_ABOUT}{shown}")
    rows = rows_by_id(samples, (entry.id for entry in odd))
    for place, (entry, text) in enumerate(zip(odd, words, strict=True)):
        x, y = grid.corner(place)
        _place(figure, samples, rows.get(entry.id), grid.box, x=x, y=y)
        said = fitted(f"{entry.why}, {entry.distance:.1f} times", grid.box.width, size=7.5, weight="bold")
        write(figure, x, y + grid.box.height + 3, said, fontsize=7.5, weight="bold")
        caption(figure, text, grid.box, x=x, y=y + _ODD_WORDS)
    return figure


def _pairs_about(pairs: tuple[Pair, ...], n_shown: int) -> str:
    n_across, n_conflict = sum(pair.is_across for pair in pairs), sum(pair.is_conflict for pair in pairs)
    shown = f"; the {n_shown} worst are shown" if n_shown < len(pairs) else ""
    n = f"{len(pairs):,} pair{'s' * (len(pairs) != 1)}"
    return f"{n}: {n_across:,} across splits, {n_conflict:,} with different labels{shown}."


def _pair_words(pair: Pair) -> str:
    faults = [word for word, holds in (("across splits", pair.is_across), ("labels differ", pair.is_conflict)) if holds]
    return "; ".join([f"{pair.kind} ({pair.similarity:.3f})", *faults])


def _ink(pair: Pair) -> str:
    return ORANGE if pair.is_across or pair.is_conflict else SOFT


def _where(pair: Pair, side: int) -> str:
    return f"{pair.splits[side]}, {pair.labels[side]}" if pair.labels else pair.splits[side]


def _odd_where(entry: Odd) -> str:
    return f"{entry.split}, {entry.label}" if entry.label else entry.split


def _place(figure: Figure, samples: Samples, row: int | None, box: Box, *, x: int, y: int) -> None:
    pixels = None if row is None else photograph(Path(samples.frame["path"].iloc[row]), box)
    place_photograph(figure, pixels, box, x=x, y=y)
