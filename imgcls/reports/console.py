"""Text from data made harmless, numbers made readable, and the console everything is printed on."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from imgcls.records.run import Estimate
from imgcls.text import amount, clean


def name(text: str, style: str = "") -> Text:
    """Return a name from data as rich shows it: no markup, no emoji, no controls."""
    return Text(clean(text), style=style, overflow="fold")


def path(text: object) -> Text:
    """Return a path on a line that is never broken."""
    return Text(clean(str(text)), no_wrap=True, overflow="ignore")


def console(stream: IO[str] | None = None) -> Console:
    """Return the console of a stream; rich itself respects NO_COLOR, FORCE_COLOR, COLUMNS and TERM."""
    return Console(file=stream or sys.stdout, highlight=False, emoji=False)


def show(view: RenderableType) -> None:
    """Print a view on stdout, without cutting lines that must stay whole."""
    console().print(view, crop=False)


def number(value: float | None, *, digits: int = 3) -> str:
    """Return a number with fixed digits, or a dash."""
    return "-" if value is None else f"{value:.{digits}f}"


def with_interval(estimate: Estimate, *, digits: int = 2) -> str:
    """Write a share with its interval: `0.93 [0.88, 0.96]`; `-` where it could not be computed."""
    found = number(estimate.value, digits=digits)
    return found if estimate.low is None else f"{found} [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"


def interval(estimate: Estimate) -> str:
    """Return a 95 % interval, or a dash."""
    if estimate.low is None or estimate.high is None:
        return "-"
    return f"{estimate.low:.3f} to {estimate.high:.3f}"


def size(n_bytes: int) -> str:
    """Return a size as a person would say it."""
    value = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def wrapped(text: str, width: int, *, before: str = "+") -> str:
    """Break a text where it is wider than a column, before a sign or after a blank: no name is broken.

    Args:
        text: Such as a stack.
        width: Of the column.
        before: The signs that may begin a line.
    """
    lines = [""]
    for part in parts_of(text, before=before):
        if lines[-1] and cell_len(lines[-1]) + cell_len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


def parts_of(text: str, *, before: str = "+") -> list[str]:
    """Return the parts of a text that `wrapped` never breaks."""
    return re.split(rf"(?=[{re.escape(before)}])|(?<= )" if before else "(?<= )", text)


@dataclass(frozen=True)
class NamedRows:
    """A table in which no name is broken: where it is too wide, each row is its name, and below it what is said of it.

    Only a name that is longer than a whole line goes on in the next.
    """

    titles: tuple[str, ...]
    """Of the columns, the first of which holds the name; all empty for a table without a head."""
    rows: Sequence[tuple[Text, ...]]
    """The cells of each row."""
    numbers: frozenset[str] = frozenset()
    """Titles of the columns that stand at the right."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw columns, or, where there is no room for them, lines."""
        every = [tuple(map(Text, self.titles)), *self.rows] if any(self.titles) else list(self.rows)
        widths = [
            max((line.cell_len for row in every for line in row[place].split("\n")), default=0)
            for place in range(len(self.titles))
        ]
        if sum(widths) + _GAP * (len(widths) - 1) <= options.max_width:
            yield self._table()
            return
        for first, *others in self.rows:
            yield first
            said = [
                Text.assemble((f"{title} ", "dim"), cell) if title else cell
                for title, cell in zip((title.replace("\n", " ") for title in self.titles[1:]), others, strict=True)
                if cell
            ]
            yield Padding(Text("\n").join(_packed(said, options.max_width - _GAP)), (0, 0, 0, _GAP))

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, show_edge=False, show_header=any(self.titles))
        for title in self.titles:
            table.add_column(Text(title), justify="right" if title in self.numbers else "left", no_wrap=True)
        for row in self.rows:
            table.add_row(*row)
        return table


def _packed(parts: Sequence[Text], width: int) -> list[Text]:
    """Lay parts side by side in lines, none of them broken that is not longer than a line."""
    lines: list[Text] = []
    for part in parts:
        if lines and lines[-1].cell_len + _GAP + part.cell_len <= width:
            lines[-1] = Text.assemble(lines[-1], " " * _GAP, part)
        else:
            lines.append(part)
    return lines


_GAP = 2

count = amount  # the name that the views know it by
