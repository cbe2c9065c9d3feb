"""The figures of a page: what each rung gains, the climb from the base, and how every rung learnt.

Colours are those of Okabe and Ito, which people with any colour vision tell apart; a verdict has a shape and a word as
well. The page's style sheet knows the colours by value and lightens them on a dark background.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from imgcls.config.metrics import Units
from imgcls.errors import UsageError
from imgcls.evidence.reliability import N_BINS, ReliabilityCurve
from imgcls.evidence.verdicts import Judged
from imgcls.ladders.climb import ClimbRecord
from imgcls.ladders.judge import LadderResult
from imgcls.ladders.report_data import Curves
from imgcls.ladders.results import ViewsRecord, ViewsStep
from imgcls.ladders.run_report import Tradeoff
from imgcls.reports.verdict_text import minutes, rung_name, shown_verdict
from imgcls.storage import make_folder, write_bytes
from imgcls.text import clean

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_DROPPED = {f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"}
_REFERENCE = re.compile(r"#([\w-]+)")


def inline_svg(figure: Figure, *, name: str, description: str) -> Markup:
    """Return a figure as an SVG element: text stays text, styles become attributes, ids are its own.

    Args:
        figure: The figure; it has no background of its own.
        name: Tells its ids from those of other figures on the page; letters and digits.
        description: What is read out in its place.
    """
    file = BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), warnings.catch_warnings():
        # A name may hold what the font lacks; the text is written all the same, and the browser has more fonts.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(file.getvalue())  # noqa: S314 - matplotlib wrote it a moment ago
    used = _references(root)
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in _DROPPED]:
            parent.remove(child)
        _make_inline(parent, name=name, used=used)
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.set("role", "img")
    root.set("aria-label", description)
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704 - an XML writer has escaped every text


def _references(root: ElementTree.Element) -> set[str]:
    """Return the ids that something in the drawing refers to."""
    values = (value for element in root.iter() for value in element.attrib.values() if "#" in value)
    return {found for value in values for found in _REFERENCE.findall(value)}


def _make_inline(element: ElementTree.Element, *, name: str, used: set[str]) -> None:
    """Turn the style of one element into attributes, and make its id the figure's own or drop it."""
    style = element.attrib.pop("style", "")
    for rule in filter(None, (part.strip() for part in style.split(";"))):
        attribute, _, value = rule.partition(":")
        for key, text in _attributes(attribute.strip(), value.strip()):
            element.set(key, text)
    if (own := element.attrib.pop("id", None)) in used:
        element.set("id", f"{name}-{own}")
    for key, value in element.attrib.items():
        if "url(#" in value or (value.startswith("#") and key.endswith("href")):
            element.set(key, value.replace("#", f"#{name}-"))


def _attributes(attribute: str, value: str) -> list[tuple[str, str]]:
    """Return a rule as presentation attributes; the shorthand `font` has none, and its family is the page's."""
    if attribute != "font":
        return [(attribute, value)]
    size = re.search(r"([0-9.]+)px", value)
    weight = re.match(r"(bold|[1-9]00)\b", value)
    return ([("font-size", size[1])] if size else []) + ([("font-weight", weight[1])] if weight else [])


INK, FAINT = "#1a1a1a", "#9a9a9a"
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#6b6b6b"
_PX = 1 / 72  # an inch of matplotlib's SVG has 72 units
_SHARP_DPI = 144
_WIDTH_PX, _ROW_PX, _FRAME_PX = 480, 46, 56
_LONGEST_LABEL = 34
_TEXT: Mapping[str, Any] = MappingProxyType({"color": INK, "fontsize": 12, "va": "center", "parse_math": False})


@dataclass(frozen=True)
class _Mark:
    """How a verdict is drawn."""

    colour: str
    """Its colour."""
    shape: str
    """Its marker."""
    is_filled: bool
    """Whether the marker is filled."""


_MARKS = {
    "better": _Mark(BLUE, "o", True),
    "likely better": _Mark(BLUE, "o", False),
    "no evidence": _Mark(GREY, "D", False),
    "likely worse": _Mark(GREY, "D", False),
    "worse": _Mark(ORANGE, "s", True),
    "cannot tell": _Mark(GREY, "x", False),
}


@dataclass(frozen=True)
class _Row:
    """One rung in a figure."""

    label: str
    """Its name."""
    judged: Judged | None
    """The gain that is drawn; None draws nothing."""
    note: str
    """What stands at the right."""


def steps_figure(result: LadderResult) -> Markup:
    """Draw the gain of each rung over what it is compared with, with its interval."""
    units = Units(result.ladder.metric)
    rows = [
        _Row(
            f"{number}  {rung_name(rung, result)}",
            rung.step,
            shown_verdict(rung.step.verdict) if rung.step else "no run yet",
        )
        for number, rung in enumerate(result.rungs)
        if number
    ]
    spoken = [f"{row.label}: {_spoken(row.judged, units)}" for row in rows]
    figure, _ = _rows_figure(rows, units)
    return inline_svg(figure, name="steps", description="Gain of each rung. " + " ".join(map(clean, spoken)))


def climb_figure(result: LadderResult) -> Markup:
    """Draw the gain of each rung over the base, as a line, and below it the minutes that one training takes."""
    units = Units(result.ladder.metric)
    n, height = len(result.rungs), _FRAME_PX + _ROW_PX * 5
    figure = Figure(figsize=(_WIDTH_PX * _PX, height * _PX))
    upper = figure.add_axes((0.09, 132 / height, 0.89, 1 - 154 / height))
    lower = figure.add_axes((0.09, 40 / height, 0.89, 56 / height))
    judged = [rung.total for rung in result.rungs]
    known = [(place, gain) for place, gain in enumerate(judged) if gain]
    values = [0.0, *(units.scaled(gain.value) for _, gain in known)]
    upper.axhline(0, color=INK, linewidth=1, zorder=0)
    upper.plot([0, *(place for place, _ in known)], values, color=INK, linewidth=1.5, zorder=1)
    for place, gain in known:
        _draw_gain(upper, place, gain, units, upright=True)
    upper.set_title(f"gain over rung 0 in {units.name}", color=INK, fontsize=12, loc="left")
    _draw_minutes(lower, result)
    for axes in (upper, lower):
        axes.set_xlim(-0.5, n - 0.5)
        axes.set_xticks(range(n), [str(place) for place in range(n)])
        _plain_frame(axes)
    upper.set_xticklabels([])
    spoken = [f"{place} {result.rungs[place].plan.label}: {_spoken(gain, units)}" for place, gain in known]
    return inline_svg(figure, name="climb", description="Gain over the base. " + " ".join(map(clean, spoken)))


def tried_figure(record: ClimbRecord) -> Markup:
    """Draw what a climb tried, the best on top: a point each, the larger the more trainings, and their seconds."""
    units, rows = Units(record.metric), [one for one in record.tried if one.score is not None]
    rows.sort(key=lambda one: one.score or 0.0, reverse=not units.is_loss)
    height = _FRAME_PX + _ROW_PX * len(rows)
    figure = Figure(figsize=(_WIDTH_PX * _PX, height * _PX))
    axes = figure.add_axes((0.02, 48 / height, 0.96, 1 - _FRAME_PX / height))
    for place, one in enumerate(rows):
        if place:
            axes.axhline(place - 0.62, color=FAINT, linewidth=0.4, zorder=0)
        note = f"{minutes(one.seconds)} min"
        for x, text, side in ((0, _shortened(record.short(one.stack), 52), "left"), (1, note, "right")):
            axes.annotate(text, (x, place - 0.36), xycoords=("axes fraction", "data"), ha=side, **_TEXT)
        colour = ORANGE if one.stack == record.chosen else GREY if one.stack == record.stack else BLUE
        axes.plot([one.score or 0.0], [place], "o", color=colour, markersize=5 + one.n_turns, zorder=2)
    axes.set_ylim(len(rows) - 0.62, -0.62)
    axes.margins(x=0.06)
    axes.set_yticks([])
    _plain_frame(axes)
    axes.set_xlabel(units.title, color=INK, fontsize=12)
    spoken = [f"{record.short(one.stack)}: {units.score(one.score)}." for one in rows]
    return inline_svg(figure, name="tried", description="What was tried. " + " ".join(map(clean, spoken)))


def curves_figure(curves: Curves, *, number: int, top: float, n_epochs: int) -> Markup:
    """Draw the validation loss of one rung: the mean over runs, and each run thinly.

    Args:
        curves: The rung's losses.
        number: The number of the rung.
        top: The highest loss of all rungs, so that all have one scale.
        n_epochs: The most epochs of any rung, likewise.
    """
    figure = Figure(figsize=(220 * _PX, 150 * _PX))
    axes = figure.add_axes((0.17, 0.2, 0.8, 0.75))
    for losses in curves.seeds:
        axes.plot(range(1, len(losses) + 1), losses, color=FAINT, linewidth=0.8, marker="." if len(losses) < 2 else "")
    marker = "o" if len(curves.mean) < 2 else ""
    axes.plot(range(1, len(curves.mean) + 1), curves.mean, color=BLUE, linewidth=2.2, marker=marker)
    axes.set_ylim(0, 1.05 * top)
    axes.set_xlim(0.8, max(2, n_epochs) + 0.2)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    _plain_frame(axes)
    axes.set_xlabel("epoch", color=INK, fontsize=11, labelpad=1)
    said = f"from {curves.mean[0]:.3f} to {curves.mean[-1]:.3f}" if curves.mean else "unknown"
    return inline_svg(figure, name=f"curve{number}", description=f"Validation loss by epoch, mean over runs {said}.")


def learning_svg(history: Sequence[Mapping[str, float | None]]) -> Markup:
    """Draw what each epoch gave: the losses, and beside them what validation measured; nothing where nothing is known.

    Args:
        history: The columns of history.csv by name, epoch by epoch.
    """
    columns = {name: np.array([row.get(name) for row in history], dtype=np.float64) for name in history[0]}
    known = {name: values for name, values in columns.items() if np.isfinite(values).any()}
    losses = {name.replace("_", " "): known[name] for name in ("train_loss", "valid_loss") if name in known}
    measured = {
        name.removeprefix("valid_").replace("_", " "): values
        for name, values in known.items()
        if name.startswith("valid_") and name != "valid_loss"
    }
    if not losses and not measured:
        return Markup("")
    figure = Figure(figsize=(_WIDTH_PX * _PX, 260 * _PX))
    epochs, marker = range(1, len(history) + 1), "o" if len(history) < 2 else ""
    for left, title, lines in ((0.09, "loss", losses), (0.59, "in validation", measured)):
        if not lines:
            continue
        axes = figure.add_axes((left, 0.36, 0.38, 0.52))
        for (name, values), (colour, line) in zip(
            lines.items(), ((ORANGE, "--"), (BLUE, "-"), (INK, ":")), strict=False
        ):
            axes.plot(epochs, values, line, color=colour, linewidth=1.8, marker=marker, label=_shortened(name))
        axes.set_xlim(0.8, max(2, len(history)) + 0.2)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_title(title, color=INK, fontsize=12, loc="left")
        axes.set_xlabel("epoch", color=INK, fontsize=12, labelpad=1)
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.28), ncol=3, frameon=False, fontsize=11, labelcolor=INK)
        _plain_frame(axes)
    ends = {name: values[np.isfinite(values)][[0, -1]] for name, values in {**losses, **measured}.items()}
    said = ", ".join(f"{clean(name)} from {first:.3f} to {last:.3f}" for name, (first, last) in ends.items())
    return inline_svg(figure, name="learning", description=f"Epoch by epoch: {said}.")


def views_figure(record: ViewsRecord, *, number: int) -> Markup:
    """Draw what more views gain over one, with the interval of each.

    Args:
        record: What was found.
        number: Tells it from other looks on the page.
    """
    units, steps = Units(record.metric), [step for step in record.curve if step.gain is not None]
    figure = Figure(figsize=(_WIDTH_PX * _PX, 220 * _PX))
    axes = figure.add_axes((0.11, 0.23, 0.86, 0.64))
    axes.axhline(0, color=INK, linewidth=1, zorder=0)
    axes.plot([1, *(step.n_views for step in steps)], [0, *(_gained(step, units)[1] for step in steps)], color=BLUE)
    for step in steps:
        low, value, high = _gained(step, units)
        axes.plot([step.n_views] * 2, [low, high], color=BLUE, linewidth=2.2)
        face = BLUE if step.n_views == record.chosen else "#ffffff"
        axes.plot([step.n_views], [value], "o", color=BLUE, markersize=7, markeredgewidth=1.8, markerfacecolor=face)
    axes.set_xlim(0.5, len(record.curve) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes.set_title(f"gain over one view in {units.name}, 95 % interval", color=INK, fontsize=12, loc="left")
    axes.set_xlabel("views", color=INK, fontsize=12)
    _plain_frame(axes)
    spoken = ", ".join(f"{step.n_views} views: {units.gain(step.gain.value)}" for step in steps if step.gain)
    return inline_svg(figure, name=f"views{number}", description=f"Gain of more views over one. {spoken}.")


def _gained(step: ViewsStep, units: Units) -> tuple[float, float, float]:
    gain = step.gain
    assert gain is not None  # noqa: S101 - the first step is left out
    low, high = (gain.value if end is None else end for end in (gain.low, gain.high))
    return units.scaled(low), units.scaled(gain.value), units.scaled(high)


def reliability_figure(curves: Sequence[ReliabilityCurve]) -> Figure:
    """Draw how often predictions are right beside their confidence, and below how many there are of each.

    Args:
        curves: One, or the uncalibrated and the calibrated one.
    """
    height = 400
    figure = Figure(figsize=(_WIDTH_PX * _PX, height * _PX))
    upper = figure.add_axes((0.11, 150 / height, 0.86, 1 - 176 / height))
    lower = figure.add_axes((0.11, 44 / height, 0.86, 66 / height))
    first = min((one.low for curve in curves for one in curve.bins), default=0.0)
    upper.plot([first, 1], [first, 1], color=FAINT, linewidth=1, zorder=0)
    looks = ((ORANGE, "s", "#ffffff", "uncalibrated"), (BLUE, "o", BLUE, "calibrated"))[-len(curves) :]
    width = 0.8 / N_BINS / len(curves)
    for number, (curve, (colour, marker, face, label)) in enumerate(zip(curves, looks, strict=True)):
        right = np.array([one.accuracy.value for one in curve.bins], dtype=np.float64)
        ends = np.array([(one.accuracy.low, one.accuracy.high) for one in curve.bins], dtype=np.float64).T
        upper.errorbar(
            [one.confidence for one in curve.bins],
            right,
            yerr=np.nan_to_num(np.abs(ends - right)),
            color=colour,
            marker=marker,
            markersize=7,
            markerfacecolor=face,
            markeredgewidth=1.8,
            linewidth=0.7,
            elinewidth=2,
            label=label,
        )
        middle = 0.5 / N_BINS + width * (number - (len(curves) - 1) / 2)
        lower.bar([one.low + middle for one in curve.bins], [one.n for one in curve.bins], width=width, color=colour)
    if len(curves) > 1:
        upper.legend(loc="lower right", frameon=False, fontsize=11, labelcolor=INK)
    upper.set_title("share that is right, 95 % interval", color=INK, fontsize=12, loc="left")
    lower.set_title("predictions", color=INK, fontsize=12, loc="left", pad=2)
    lower.set_xlabel(f"confidence, {N_BINS} bins of equal width", color=INK, fontsize=12)
    lower.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    upper.set_ylim(-0.03, 1.03)
    for axes in (upper, lower):
        axes.set_xlim(first - 0.01, 1.01)
        _plain_frame(axes)
    return figure


def reliability_svg(curves: Sequence[ReliabilityCurve]) -> Markup:
    """Draw the same as an element of a page."""
    spoken = [
        f"{clean(curve.title)}: calibration error {curve.error.value:.2f}; "
        + ", ".join(f"of {one.n} at {one.confidence:.2f}, {one.accuracy.value:.2f} right" for one in curve.bins)
        for curve in curves
        if curve.error.value is not None
    ]
    return inline_svg(reliability_figure(curves), name="reliability", description=". ".join(spoken))


def tradeoff_svg(curves: Sequence[Tradeoff]) -> Markup:
    """Draw precision against recall, and hits against false alarms, with the answers that are given as points.

    Args:
        curves: Of one class or of several.
    """
    height = 400
    figure = Figure(figsize=(_WIDTH_PX * _PX, height * _PX))
    looks = list(zip((BLUE, ORANGE, INK, BLUE, ORANGE), ("-", "-", "-", "--", "--"), "osD^v", strict=True))
    sides = (
        (0.09, "precision against recall", "recall"),
        (0.59, "recall against false alarms", "share of the others called so"),
    )
    for number, (left, title, below) in enumerate(sides):
        axes = figure.add_axes((left, 0.27, 0.38, 0.63))
        for curve, (colour, line, shape) in zip(curves, looks, strict=False):
            recall, precision, alarms = curve.chosen
            x, y = (curve.recall, curve.precision) if number == 0 else ((0.0, *curve.alarms), (0.0, *curve.recall))
            axes.plot(x, y, line, color=colour, linewidth=1.6, label=_shortened(curve.name))
            point = (recall, precision) if number == 0 else (alarms, recall)
            axes.plot(
                *([value] for value in point), shape, color=colour, markersize=9, markerfacecolor="#ffffff", zorder=4
            )
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.03, 1.05)
        axes.set_title(title, color=INK, fontsize=12, loc="left")
        axes.set_xlabel(below, color=INK, fontsize=12)
        _plain_frame(axes)
        if number == 0:
            axes.legend(loc="upper left", bbox_to_anchor=(0, -0.2), ncol=3, frameon=False, fontsize=11, labelcolor=INK)
    spoken = [
        "{}: recall {:.2f}, precision {:.2f}, false alarms {:.2f}".format(clean(one.name), *one.chosen)
        for one in curves
    ]
    return inline_svg(figure, name="tradeoff", description=". ".join(spoken))


def write_picture(figure: Figure, file: Path) -> None:
    """Write a figure as SVG or PNG, by the ending of the file, whole or not at all.

    Raises:
        UsageError: It has another ending.
    """
    kind = file.suffix.lower().removeprefix(".")
    if kind not in ("svg", "png"):
        raise UsageError(f"{file} has to end in .svg or .png.")
    content, metadata = BytesIO(), {"Date": None} if kind == "svg" else {}
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": file.stem}):
        figure.savefig(content, format=kind, dpi=_SHARP_DPI, facecolor="#ffffff", metadata=metadata)
    make_folder(file.absolute().parent)
    write_bytes(file, content.getvalue())


def _rows_figure(rows: Sequence[_Row], units: Units) -> tuple[Figure, Axes]:
    """Draw a row for each rung: its name, its gain with the interval, and a note."""
    height = _FRAME_PX + _ROW_PX * len(rows)
    figure = Figure(figsize=(_WIDTH_PX * _PX, height * _PX))
    axes = figure.add_axes((0.02, 48 / height, 0.96, 1 - _FRAME_PX / height))
    for place, row in enumerate(rows):
        axes.vlines(0, place - 0.2, place + 0.34, color=INK, linewidth=1, zorder=0)
        if place:
            axes.axhline(place - 0.62, color=FAINT, linewidth=0.4, zorder=0)
        for x, text, side in ((0, _shortened(row.label), "left"), (1, row.note, "right")):
            axes.annotate(text, (x, place - 0.36), xycoords=("axes fraction", "data"), ha=side, **_TEXT)
        if row.judged is not None:
            _draw_gain(axes, place, row.judged, units)
    axes.set_ylim(len(rows) - 0.62, -0.62)
    axes.margins(x=0.06)
    axes.set_yticks([])
    _plain_frame(axes)
    axes.set_xlabel(f"gain in {units.name}, 95 % interval; right of the line is better", color=INK, fontsize=12)
    return figure, axes


def _draw_gain(axes: Axes, place: int, judged: Judged, units: Units, *, upright: bool = False) -> None:
    """Draw a gain and its interval on a row, or upright on a column."""
    mark = _MARKS[judged.verdict]
    low, value, high = (units.scaled(units.possible(number)) for number in (judged.low, judged.value, judged.high))
    along, across, point = [low, high], [place, place], ([value], [place])
    axes.plot(*((across, along) if upright else (along, across)), color=mark.colour, linewidth=2.2, zorder=2)
    style: dict[str, Any] = {"marker": mark.shape, "markersize": 8, "color": mark.colour, "markeredgewidth": 2}
    if mark.shape != "x":
        style["markerfacecolor"] = mark.colour if mark.is_filled else "#ffffff"
    axes.plot(*(point[::-1] if upright else point), zorder=3, **style)


def _draw_minutes(axes: Axes, result: LadderResult) -> None:
    known = [(place, rung.seconds) for place, rung in enumerate(result.rungs) if rung.seconds is not None]
    axes.bar([place for place, _ in known], [seconds for _, seconds in known], width=0.5, color=FAINT)
    for place, seconds in known:
        axes.annotate(minutes(seconds), (place, seconds), (0, 8), textcoords="offset points", ha="center", **_TEXT)
    axes.margins(y=0.45)
    axes.set_ylim(bottom=0)
    axes.set_yticks([])
    axes.set_title("minutes per training", color=INK, fontsize=12, loc="left", pad=2)
    axes.set_xlabel("rung", color=INK, fontsize=12, labelpad=2)


def _plain_frame(axes: Axes) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(colors=INK, labelsize=11, length=3)


def _spoken(gain: Judged | None, units: Units) -> str:
    if gain is None:
        return "no run yet."
    return f"{units.gain_text(gain.value, gain.low, gain.high)}, {shown_verdict(gain.verdict)}."


def _shortened(label: str, longest: int = _LONGEST_LABEL) -> str:
    text = clean(label)
    return text if len(text) <= longest else text[: longest - 1] + "…"
