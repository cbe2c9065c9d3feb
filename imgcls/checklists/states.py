"""What may be said of an item: its state, and the evidence that says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from imgcls.checklists.items import Item

State = Literal["open", "done", "stale", "skipped"]
STATES: tuple[State, ...] = ("done", "stale", "open", "skipped")
BY_HAND = ""
"""In the place of a command: no command does it, a person does."""


@dataclass(frozen=True)
class Answer:
    """What the evidence says of an item, before anybody looked whether it is skipped."""

    state: State
    """Open, done or stale."""
    evidence: str
    """A sentence that names file, run and number; or what is missing."""
    command: str | None = None
    """A command that fits the case better than the item's own, or `BY_HAND`; None takes the item's own."""

    @classmethod
    def proved(cls, evidence: str, change: str = "") -> Answer:
        """Give the answer of a proof: done, or stale where something changed since.

        Args:
            evidence: What proves it.
            change: What changed since, in words; empty where nothing did.
        """
        return cls("stale", f"{evidence}; {change}") if change else cls("done", evidence)

    @classmethod
    def missing(cls, evidence: str, command: str | None = None) -> Answer:
        """Give the answer where there is no proof, and why."""
        return cls("open", evidence, command)


@dataclass(frozen=True)
class ItemState:
    """One line of the checklist, answered."""

    item: Item
    """The item."""
    state: State
    """Where it stands."""
    evidence: str
    """What says so."""
    command: str | None
    """What would do it; None where there is no command, or nothing left to do."""
