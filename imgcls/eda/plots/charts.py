"""Charts of a data set: classes and their co-occurrence, sizes, light, and the learning curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from imgcls.data.samples import SPLITS, Samples
from imgcls.eda.facts import ClassFacts, Facts
from imgcls.eda.plots.canvas import (
    BLUE,
    BOX,
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

SHOWN_SPLITS = ("train", "valid")
MOST_BARS = 40
"""Classes that have a bar each; of more, the most frequent and the rarest have one, and a curve shows all."""
N_ENDS = 12
MOST_SLICES = 8
MOST_TOGETHER = 24
MOST_DOTS = 400
"""Different sizes that are drawn as dots; more become a density."""
Values = npt.NDArray[np.float64]
_WIDTH, _LEFT, _TOP = 1000, 190, 84
_SLICES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#8a6fb0")
_PIE_HEIGHT, _CURVE_HEIGHT = 250, 250
_LINES = {"train": "-", "valid": "--", "test": ":"}
_N_BINS = 32
_PLAIN = FuncFormatter(lambda value, _: f"{value:,.6g}")  # matplotlib's own would write powers as formulas


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
    totals = {split: sum(entry.n.get(split, 0) for entry in entries) for split in SHOWN_SPLITS}
    _draw_bars(figure, bars, totals, top=top, height=bar_height - 34)
    for place, split in enumerate(SHOWN_SPLITS):
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
    """Return the most frequent and the rarest classes, the most frequent first."""
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
    for split in SHOWN_SPLITS:
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
    for place, split in enumerate(SHOWN_SPLITS):
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
    """Return name, photographs and colour of each slice of a pie.

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
    """Return the ink that can be read on a colour."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"


def sizes_figure(facts: Facts, measures: pd.DataFrame, samples: Samples) -> Figure:
    """Draw widths and heights: a panel for each split, a dot for each size and larger the more photographs have it.

    Args:
        facts: Name the recommended size.
        measures: As in `imgcls.eda.scan.Scan`.
        samples: The photographs, in the order of the measures.
    """
    parts = _parts(measures, samples, ("width_px", "height_px"))
    figure = new_figure(1000, 400)
    heading(figure, "Sizes of the photographs", _sizes_about(facts))
    every = np.concatenate(list(parts.values())) if parts else np.ones((1, 2))
    sides = [*every.ravel().tolist(), facts.sizes.recommended_px]
    low, high = max(1.0, min(sides)), max(sides)
    grid = figure.subplots(1, max(1, len(parts)), sharex=True, sharey=True, squeeze=False)
    figure.subplots_adjust(left=0.07, right=0.98, bottom=0.14, top=0.8, wspace=0.08)
    for axes, (split, values) in zip(grid[0], parts.items(), strict=False):
        _draw_sizes(axes, values, split, limits=(low / 1.25, high * 1.25))
        side = facts.sizes.recommended_px
        axes.plot([side], [side], marker="+", markersize=11, markeredgewidth=2, color=INK, linestyle="", zorder=4)
        axes.annotate(f"{side} px", (side, side), (6, -11), textcoords="offset points", fontsize=8, color=INK, zorder=4)
    grid[0][0].set_ylabel("height in px", fontsize=8.5, color=SOFT)
    return figure


def light_figure(measures: pd.DataFrame, samples: Samples) -> Figure:
    """Draw brightness, contrast and sharpness, the splits over each other; the arguments are as in `sizes_figure`."""
    figure = new_figure(1000, 330)
    heading(figure, "Light and sharpness by split", "Where the curves of two splits differ, so do their photographs.")
    panels = figure.subplots(1, 3)
    figure.subplots_adjust(left=0.04, right=0.98, bottom=0.17, top=0.74, wspace=0.12)
    titles = {
        "brightness": "brightness: mean gray, 0 to 255",
        "contrast": "contrast: deviation of gray",
        "sharpness": "sharpness: low is blurred (log)",
    }
    for axes, (measure, title) in zip(panels, titles.items(), strict=True):
        _draw_shares(axes, _parts(measures, samples, (measure,)), is_log=measure == "sharpness")
        axes.set_title(title, fontsize=9.5, loc="left", color=INK)
    if panels[0].patches:
        panels[0].legend(frameon=False, fontsize=8.5)
    return figure


def curve_figure(facts: Facts) -> Figure:
    """Draw how well a quick classifier does with more and more of the training photographs."""
    figure = new_figure(560, 330)
    heading(
        figure,
        "Would more photographs help?",
        "A quick classifier on part of the training photographs, with 95 % intervals.",
    )
    axes = figure.add_axes((0.11, 0.17, 0.85, 0.6))
    n = [point.n_train for point in facts.curve]
    axes.fill_between(
        n, [point.low for point in facts.curve], [point.high for point in facts.curve], color=BLUE, alpha=0.15
    )
    axes.plot(n, [point.value for point in facts.curve], color=BLUE, marker="o", linewidth=1.6)
    axes.set_xscale("log")
    axes.set_xticks(n, [f"{value:,}" for value in n])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_xlabel("training photographs", fontsize=8.5, color=SOFT)
    plain(axes)
    axes.set_title("validation accuracy", fontsize=9, loc="left", color=SOFT)
    return figure


def _parts(measures: pd.DataFrame, samples: Samples, columns: tuple[str, ...]) -> Mapping[str, Values]:
    """Return the values of each split that has any, float64 [n, k], what could not be measured left out."""
    values = measures[list(columns)].to_numpy(dtype=np.float64)
    splits = samples.frame["split"].to_numpy()
    found = {split: values[splits == split] for split in SPLITS}
    known = {split: part[np.isfinite(part).all(axis=1) & (part >= 0).all(axis=1)] for split, part in found.items()}
    return {split: part for split, part in known.items() if len(part)}


def _sizes_about(facts: Facts) -> str:
    sizes = facts.sizes
    if sizes.n_sizes == 1:
        what = f"All are {sizes.width_px.middle:.0f} x {sizes.height_px.middle:.0f} px."
    else:
        middle = f"{sizes.width_px.middle:.0f} x {sizes.height_px.middle:.0f} px"
        what = f"{sizes.n_sizes:,} different sizes, median {middle}; larger dots are more photographs."
    return f"{what} The cross: a square of {sizes.recommended_px} px, the size to begin with. Lines: 2:1, 1:1, 1:2."


def _draw_sizes(axes: Axes, values: Values, split: str, *, limits: tuple[float, float]) -> None:
    sizes, n = np.unique(np.maximum(values, 1), axis=0, return_counts=True)
    low, high = max(limits[0], 0.5), limits[1]
    for aspect in (0.5, 1.0, 2.0):
        axes.plot([low, high], [low / aspect, high / aspect], color=FAINT, linewidth=0.8, zorder=0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    if len(sizes) <= MOST_DOTS:
        area = 12 + 500 * n / max(n.sum(), 40)
        axes.scatter(sizes[:, 0], sizes[:, 1], s=area, color=SPLIT_COLOURS[split], alpha=0.55, linewidths=0.4, zorder=2)
    else:
        edges = np.geomspace(low, high, _N_BINS)
        shades = LinearSegmentedColormap.from_list(split, [BOX, SPLIT_COLOURS[split]])
        axes.hist2d(values[:, 0], values[:, 1], bins=[edges, edges], cmin=1, norm=LogNorm(), cmap=shades, zorder=2)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    most = int(n.max())
    note = f"{len(values):,} photographs, {len(sizes):,} sizes" if len(sizes) > 1 else f"{most:,} photographs"
    axes.set_title(f"{split}: {note}", fontsize=9.5, loc="left", color=SPLIT_COLOURS[split], weight="bold")
    axes.set_xlabel("width in px", fontsize=8.5, color=SOFT)
    plain(axes)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(_pixel_ticks(low, high))
        axis.set_major_formatter(_PLAIN)
        axis.set_minor_locator(NullLocator())


def _pixel_ticks(low: float, high: float) -> FixedLocator:
    """Return at most six powers of two within some limits, or the middle where there is at most one."""
    steps = [2.0**power for power in range(20) if low <= 2.0**power <= high]
    return FixedLocator(steps[:: -(-len(steps) // 6)] if len(steps) > 1 else [float(round((low * high) ** 0.5))])


def _draw_shares(axes: Axes, parts: Mapping[str, Values], *, is_log: bool) -> None:
    """Draw the share of each split's photographs in bins that all splits have in common."""
    every = np.concatenate([part[:, 0] for part in parts.values()]) if parts else np.ones(1)
    edges = _edges(np.maximum(every, 1e-3) if is_log else every, n=_n_bins(parts), is_log=is_log)
    top = 0.0
    for split, part in parts.items():
        n, _ = np.histogram(np.clip(part[:, 0], edges[0], edges[-1]), bins=edges)
        shares, top = n / n.sum(), max(top, float(n.max() / n.sum()))
        axes.stairs(shares, edges, color=SPLIT_COLOURS[split], linestyle=_LINES[split], linewidth=1.6, label=split)
    if is_log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(10, subs=(1, 3), numticks=9))
        axes.xaxis.set_major_formatter(_PLAIN)
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks([])
    axes.set_ylim(0, 1.06 * top or 1)
    plain(axes)


def _n_bins(parts: Mapping[str, Values]) -> int:
    """Return fewer bins the fewer photographs the smallest split has, so that the curves are not all noise."""
    return int(min(max(1.5 * min((len(part) for part in parts.values()), default=1) ** 0.5, 8), _N_BINS))


def _edges(values: Values, *, n: int, is_log: bool) -> Values:
    """Return the edges of bins, float64 [n + 1], the few farthest values left to the outer ones."""
    low, high = (float(value) for value in np.quantile(values, (0.002, 0.998)))
    if not high > low:
        low, high = low - max(0.1 * abs(low), 0.5 * (not is_log)), high + max(0.1 * abs(high), 1e-3)
    return np.geomspace(low, high, n + 1) if is_log else np.linspace(low, high, n + 1)
