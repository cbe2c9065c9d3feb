"""What was decided about findings, as a person reads it."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from imgcls.eda.applying import Decision
from imgcls.reports.text import clean, count, path

_NOTHING = {
    "applied": "There is nothing to apply.",
    "undone": "Nothing was applied or kept, so there is nothing to undo.",
    "kept": "There is nothing to keep.",
}


@dataclass(frozen=True)
class DecisionView:
    """A decision on the terminal."""

    decision: Decision
    """What was decided."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Say what was done, where it stands, and what comes next."""
        decision = self.decision
        if not decision.findings:
            yield Text(_NOTHING[decision.verb])
            return
        yield Text(clean(f"{decision.verb.capitalize()}: {', '.join(decision.findings)}."), style="bold")
        if effects := self._effects():
            yield Text(f"{effects}. The photographs themselves were not touched.")
        yield Text.assemble("Written to ", path(decision.path))
        if decision.verb != "undone":
            yield Text(clean(f"To take it back: imgcls eda undo{decision.out}"), no_wrap=True, overflow="ignore")
        yield Text(clean(f"Next: imgcls eda{decision.again}{decision.out}"), no_wrap=True, overflow="ignore")

    def _effects(self) -> str:
        decision, again = self.decision, self.decision.verb == "undone"
        parts = []
        if decision.n_excluded:
            parts.append(f"{count(decision.n_excluded, 'image')} {'used again' if again else 'left out'}")
        if decision.n_grouped:
            together = (
                f"in {count(decision.n_groups, 'group')} {'no longer ' if again else ''}kept together by the split"
            )
            parts.append(f"{count(decision.n_grouped, 'image')} {together}")
        return ", ".join(parts)
