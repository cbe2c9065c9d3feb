"""Text from data made harmless, numbers made readable, and the console everything is printed on."""

from __future__ import annotations

import sys
from typing import IO

from rich.console import Console, RenderableType
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


count = amount  # the name that the views know it by
