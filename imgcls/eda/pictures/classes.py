"""How often the classes occur, in bars and pies for each split, and which occur together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from imgcls.eda.facts import ClassFacts, Facts
from imgcls.eda.pictures.canvas import (
    FAINT,
    INK,
    SOFT,
    SPLIT_COLOURS,
    fitted,
    heading,
    new_figure,
    plain,
    size_of,
    write,
)

SPLITS = ("train", "valid")
MOST_BARS = 40
"""Classes that have a bar each; of more, the most frequent and the rarest have one, and a curve shows all."""
N_ENDS = 12
MOST_SLICES = 8
MOST_TOGETHER = 24
_WIDTH, _LEFT, _TOP = 1000, 190, 84
_SLICES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#8a6fb0")
_PIE_HEIGHT, _CURVE_HEIGHT = 250, 250


def classes_figure(facts: Facts) -> Figure:
    """Draw the distribution of the classes: bars and pies for train and validation, and the size of test."""
    entries = list(facts.classes)
    is_many = len(entries) > MOST_BARS
    bars = _ends(entries) if is_many else entries
    row = 17 if len(bars) > 12 else 24
    bar_height, curve_height = row * len(bars) + 34, (_CURVE_HEIGHT if is_many else 0)
    figure = new_figure(_WIDTH, _TOP + curve_height + bar_height + _PIE_HEIGHT)
    heading(figure, "How often each class occurs", _about(facts, is_many))
    if is_many:
        _draw_curve(_axes(figure, _LEFT, _TOP, _WIDTH - _LEFT - 40, _CURVE_HEIGHT - 66), entries)
    top = _TOP + curve_height
    totals = {split: sum(entry.n.get(split, 0) for entry in entries) for split in SPLITS}
    _draw_bars(figure, bars, totals, top=top, height=bar_height - 34)
    for place, split in enumerate(SPLITS):
        _draw_pie(figure, entries, split, x=60 + place * 470, y=top + bar_height)
    return figure


def together_figure(facts: Facts) -> Figure:
    """Draw how often classes of a multi-label problem occur together: counts, shaded by the share of the row."""
    counts = np.array(facts.together, dtype=np.int64)
    order = np.sort(np.argsort(-np.diag(counts), kind="stable")[:MOST_TOGETHER])
    names, counts = [facts.data.classes[place] for place in order], counts[np.ix_(order, order)]
    side, left, top = 44 * len(names), 190, 150
    figure = new_figure(max(520, left + side + 40), top + side + 30)
    which = f"; the {len(names)} most frequent of {len(facts.data.classes)}" if len(order) < len(facts.classes) else ""
    heading(
        figure, "Which classes occur together", f"Of the photographs of the row, how many are of the column too{which}."
    )
    axes = _axes(figure, left, top, side, side)
    shares = counts / np.maximum(np.diag(counts), 1)[:, None]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        ink = "#ffffff" if shares[row, column] > 0.55 else INK
        axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", fontsize=7.5, color=ink)
    shown = [fitted(name, left - 26, size=8.5) for name in names]
    axes.set_yticks(range(len(names)), shown, fontsize=8.5)
    axes.set_xticks(
        range(len(names)), [fitted(name, 100, size=8.5) for name in names], fontsize=8.5, rotation=60, ha="left"
    )
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def _about(facts: Facts, is_many: bool) -> str:
    n, what = facts.data.n, "labels" if facts.data.problem == "multilabel" else "photographs"
    ends = f" Bars: the {N_ENDS} most frequent and the {N_ENDS} rarest." if is_many else ""
    test = f" Test: {n['test']:,} photographs, their labels sealed." if n.get("test") else " There is no test split."
    return f"{len(facts.classes):,} classes, by {what} in train and validation.{test}{ends}"


def _ends(entries: Sequence[ClassFacts]) -> list[ClassFacts]:
    """Give the most frequent and the rarest classes, the most frequent first."""
    ordered = _by_frequency(entries)
    return [*ordered[:N_ENDS], *ordered[-N_ENDS:]]


def _by_frequency(entries: Sequence[ClassFacts]) -> list[ClassFacts]:
    return sorted(entries, key=lambda entry: -sum(entry.n.values()))


def _axes(figure: Figure, x: float, y: float, width: float, height: float) -> Axes:
    """Place axes by the units of their upper left corner and their size."""
    whole_width, whole_height = size_of(figure)
    place = (x / whole_width, 1 - (y + height) / whole_height, width / whole_width, height / whole_height)
    return figure.add_axes(place)


def _draw_curve(axes: Axes, entries: Sequence[ClassFacts]) -> None:
    """Draw all classes, the most frequent of each split first."""
    for split in SPLITS:
        values = sorted((entry.n.get(split, 0) for entry in entries), reverse=True)
        axes.plot(range(1, len(values) + 1), values, color=SPLIT_COLOURS[split], label=split, linewidth=1.4)
    axes.set_ylim(bottom=0)
    axes.set_xlim(1, len(entries))
    axes.set_xlabel("classes, the most frequent of each split first", fontsize=8.5, color=SOFT)
    axes.set_ylabel("photographs", fontsize=8.5, color=SOFT)
    axes.legend(frameon=False, fontsize=8.5)
    plain(axes)


def _draw_bars(
    figure: Figure, entries: Sequence[ClassFacts], totals: Mapping[str, int], *, top: float, height: float
) -> None:
    width = (_WIDTH - _LEFT - 90) / 2
    for place, split in enumerate(SPLITS):
        axes = _axes(figure, _LEFT + place * (width + 50), top, width, height)
        values = [entry.n.get(split, 0) for entry in entries]
        axes.barh(range(len(entries)), values, color=SPLIT_COLOURS[split], height=0.72)
        for row, value in enumerate(values):
            share = f"{value:,}  ({100 * value / max(1, totals[split]):.1f} %)"
            axes.annotate(
                share, (value, row), (4, 0), textcoords="offset points", va="center", fontsize=7.5, color=SOFT
            )
        axes.set_xlim(0, 1.28 * max(1, *values, 1))
        axes.set_ylim(len(entries) - 0.4, -0.6)
        axes.set_title(
            f"{split}: {totals[split]:,}", fontsize=9.5, loc="left", color=SPLIT_COLOURS[split], weight="bold"
        )
        names = [fitted(entry.name, _LEFT - 26, size=8.5) for entry in entries] if not place else []
        axes.set_yticks(range(len(entries)) if names else [], names, fontsize=8.5)
        plain(axes)
        axes.tick_params(axis="y", length=0, labelsize=8.5, labelcolor=INK)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)


def _draw_pie(figure: Figure, entries: Sequence[ClassFacts], split: str, *, x: float, y: float) -> None:
    """Draw the shares of one split as a pie, with a legend in the order of its slices."""
    slices = _slices(entries, split)
    write(figure, x, y, f"shares in {split}", fontsize=9.5, weight="bold", color=SPLIT_COLOURS[split])
    total = sum(n for _, n, _ in slices)
    if not total:
        write(figure, x, y + 24, "nothing is labelled", fontsize=8.5, color=SOFT)
        return
    axes = _axes(figure, x, y + 22, 200, 200)
    colours = [colour for _, _, colour in slices]
    axes.pie(
        [n for _, n, _ in slices], colors=colours, startangle=90, counterclock=False, wedgeprops={"edgecolor": "white"}
    )
    angle = 0.0
    for place, (name, n, colour) in enumerate(slices):
        share = n / total
        middle = 2 * np.pi * (angle + share / 2)
        if share >= 0.06:
            spot = (0.68 * np.sin(middle), 0.68 * np.cos(middle))
            axes.text(*spot, f"{100 * share:.0f} %", ha="center", va="center", fontsize=8, color=_ink_on(colour))
        angle += share
        line = y + 30 + place * 21
        write(figure, x + 216, line, "■", fontsize=10, color=colour)
        write(figure, x + 232, line + 2, f"{100 * share:5.1f} %", fontsize=8, color=SOFT)
        write(figure, x + 284, line + 1, fitted(name, 160, size=8.5), fontsize=8.5)


def _slices(entries: Sequence[ClassFacts], split: str) -> list[tuple[str, int, str]]:
    """Give name, photographs and colour of each slice of a pie.

    The most frequent classes of all splits come first and the rest is one slice, so that a class has the same place and
    colour in each pie; what does not occur has no slice.
    """
    ordered = _by_frequency(entries)
    kept = ordered if len(ordered) <= MOST_SLICES + 1 else ordered[:MOST_SLICES]
    rest = ordered[len(kept) :]
    found = [
        (entry.name, entry.n.get(split, 0), colour) for entry, colour in zip(kept, (*_SLICES, FAINT), strict=False)
    ]
    if rest:
        found.append((f"{len(rest):,} other classes", sum(entry.n.get(split, 0) for entry in rest), FAINT))
    return [entry for entry in found if entry[1]]


def _ink_on(colour: str) -> str:
    """Give the ink that can be read on a colour."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"
