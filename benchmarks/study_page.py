"""The study on a page: its table and its picture, made of the rows that it left."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from benchmarks.study import BASE, STOCK, StudyRow, as_table, read_rows
from imgcls.text import with_between

BEGIN, END = "<!-- study: written by 'make study' -->", "<!-- end of study -->"
_COLOURS = {BASE: "#6b6b6b", STOCK: "#d55e00"}
_BLUE = "#0072b2"
_LINE = 11.5  # points from one line of a list to the next


def all_rows(folder: Path) -> dict[str, list[StudyRow]]:
    """Read the rows of every set, by its name.

    Args:
        folder: Holds `NAME.json` for each set.
    """
    return {file.stem: read_rows(file) for file in sorted(folder.glob("*.json"))}


def with_study(text: str, folder: Path) -> str:
    """Return a page with the tables between its two marks written again.

    Args:
        text: The page.
        folder: Holds the rows.

    Raises:
        ValueError: The marks are missing.
    """
    tables = "\n\n".join(f"**{name}**\n\n{as_table(rows)}" for name, rows in all_rows(folder).items())
    return with_between(text, BEGIN, END, tables)


def draw(folder: Path, to: Path) -> None:
    """Draw the score of every stack against the time of a run, a panel a set.

    Args:
        folder: Holds the rows.
        to: The SVG file to write.
    """
    found = all_rows(folder)
    most = max(len(_once(rows)) for rows in found.values())
    height = len(found) * max(2.7, most * _LINE / 72 + 0.3)  # a list must end above the next one
    figure = Figure(figsize=(10, height))
    figure.subplots_adjust(left=0.07, right=0.46, top=1 - 0.3 / height, bottom=0.5 / height, hspace=0.55)
    panels = figure.subplots(len(found), 1, squeeze=False)[:, 0]
    for axes, (name, rows) in zip(panels, found.items(), strict=True):
        for number, row in enumerate(sorted(_once(rows), key=lambda row: row.seconds), start=1):
            colour = _COLOURS.get(row.stack, _BLUE)
            axes.errorbar(row.seconds, row.score, yerr=row.seed_sd or 0, fmt="o", color=colour, markersize=5)
            axes.annotate(str(number), (row.seconds, row.score), xytext=(5, 3), textcoords="offset points", fontsize=8)
            axes.annotate(
                f"{number}  {row.score:.3f}  {short_name(row.stack)}",
                (1.04, 1),
                xycoords="axes fraction",
                xytext=(0, -_LINE * number),
                textcoords="offset points",
                fontsize=8,
                color=colour,
                parse_math=False,
            )
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.margins(x=0.15, y=0.15)
        axes.set_title(f"{name}: {rows[0].metric}", fontsize=9, loc="left")
        axes.set_xlabel("seconds a run", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(visible=True, color="#e6e6e6", linewidth=0.6)
        axes.set_axisbelow(True)
    file = BytesIO()
    with mpl.rc_context({"svg.hashsalt": "study"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    to.write_bytes(file.getvalue())


def _once(rows: Sequence[StudyRow]) -> list[StudyRow]:
    """Return one row of each stack."""
    found: dict[str, StudyRow] = {}
    for row in rows:
        found.setdefault(row.stack, row)
    return list(found.values())


def short_name(stack: str) -> str:
    """Return a stack without the base."""
    return stack.removeprefix(f"{BASE}+")
