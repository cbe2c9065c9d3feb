"""Label suspects on the terminal: which photographs to look at first, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from imgcls.eda.suspects import Suspect, Suspects
from imgcls.reports.console import NamedRows, count, name, number
from imgcls.reports.ladder import section

_MOST_SHOWN = 20


@dataclass(frozen=True)
class SuspectsView:
    """The photographs whose labels may be wrong."""

    found: Suspects
    """What was found."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the first suspects, what they are, and the next commands."""
        found = self.found.suspects
        yield Text(
            f"{count(len(found), 'photograph')} of {self.found.n:,} whose label may be wrong, says", style="bold"
        )
        yield name(self.found.run)
        if found:
            yield Text("")
            yield NamedRows(("photograph", "label", "looks like", "copy of"), rows_of(found[:_MOST_SHOWN]))
        if len(found) > _MOST_SHOWN:
            yield Text(f"… and {len(found) - _MOST_SHOWN:,} more; --json lists all.", style="dim")
        yield from section("Notes", notes_of(self.found))
        if found:
            yield from section("Next", [f"imgcls review {self.found.run}    # photograph by photograph"])


def rows_of(found: Sequence[Suspect]) -> list[tuple[Text, ...]]:
    """Return photograph, label and what it looks like with their probabilities, and the copy, as tables show them."""
    return [
        (
            name(one.image),
            name(f"{one.label} {number(one.p_label, digits=2)}"),
            name(f"{one.looks_like} {number(one.p_looks_like, digits=2)}"),
            name(one.copy),
        )
        for one in found
    ]


def notes_of(found: Suspects) -> list[str]:
    """Return what a person should know of suspects."""
    if not found.suspects:
        return ["No label is doubted: every class is confidently taken for itself."]
    return [
        "A suspect is a photograph to look at, not an error: where classes are hard to tell apart, many are right.",
        "Probabilities are those of networks that did not train on the photograph. The sealed test is never listed.",
    ]
