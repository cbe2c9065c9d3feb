"""The items of the method: their ids, titles and commands, read from items.toml when they are asked for."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal, get_args

from imgcls.checklists.sentences import Said, in_language, said
from imgcls.errors import UsageError, nearest_hint

Language = Literal["en", "ko"]
STAGES = ("1", "2", "3", "4a", "4b", "4c")


@dataclass(frozen=True)
class Item:
    """One line of the checklist."""

    id: str
    """Its stable name."""
    stage: str
    """One of `STAGES`."""
    titles: Mapping[str, str]
    """From language to title."""
    command: str | None = None
    """The template of the command that would do it; None where there is none."""
    recipes: tuple[str, ...] = ()
    """Recipes that answer it, the one to try first at the front."""
    paths: tuple[str, ...] = ()
    """Plan paths, or beginnings of them, that answer it where two stacks have the same recipes."""
    note: str = ""
    """What a person should know where there is no command."""

    def is_answered_by(self, path: str) -> bool:
        """Whether a change of a plan path answers it."""
        return any(path == known or (known.endswith(".") and path.startswith(known)) for known in self.paths)


@cache
def stage_titles() -> Mapping[str, Mapping[str, str]]:
    """Return the titles of the stages: stage → language → title."""
    return MappingProxyType({stage: MappingProxyType(titles) for stage, titles in _read()["stages"].items()})


@cache
def all_items() -> tuple[Item, ...]:
    """Return every item, in the order of the method."""
    return tuple(
        Item(
            id=entry["id"],
            stage=entry["stage"],
            titles=MappingProxyType({language: entry[language] for language in get_args(Language)}),
            command=entry.get("command"),
            recipes=tuple(entry.get("recipes", ())),
            paths=tuple(entry.get("paths", ())),
            note=entry.get("note", ""),
        )
        for entry in _read()["item"]
    )


@cache
def _read() -> Mapping[str, Any]:
    return tomllib.loads((files("imgcls.checklists") / "items.toml").read_text(encoding="utf-8"))


def find_item(id_: str) -> Item:
    """Return the item with an id.

    Raises:
        UsageError: There is none; the message names the nearest.
    """
    known = {item.id: item for item in all_items()}
    if id_ not in known:
        raise UsageError(f"There is no item {id_!r}.{nearest_hint(id_, known)} 'imgcls checklist' lists all.")
    return known[id_]


def stages_of(text: str) -> tuple[str, ...]:
    """Return the stages that a person means: `4` is 4a, 4b and 4c.

    Raises:
        UsageError: There is no such stage.
    """
    found = tuple(stage for stage in STAGES if stage == text.lower() or stage[0] == text)
    if not found:
        raise UsageError(f"There is no stage {text!r}; there are {', '.join(STAGES)}, and 4 for the last three.")
    return found


State = Literal["open", "done", "stale", "skipped"]
STATES: tuple[State, ...] = ("done", "stale", "open", "skipped")
BY_HAND = ""
"""In the place of a command: no command does it, a person does."""


@dataclass(frozen=True)
class Answer:
    """What the evidence says of an item, before anybody looked whether it is skipped."""

    state: State
    """Open, done or stale."""
    evidence: Said
    """A sentence that names file, run and number; or what is missing."""
    command: str | None = None
    """A command that fits the case better than the item's own, or `BY_HAND`; None takes the item's own."""

    @classmethod
    def proved(cls, evidence: Said, change: Said | None = None) -> Answer:
        """Return the answer of a proof: done, or stale where something changed since.

        Args:
            evidence: What proves it.
            change: What changed since, in words; None or empty where nothing did.
        """
        if not change:
            return cls("done", evidence)
        return cls("stale", said("{evidence}; {change}", evidence=evidence, change=change))

    @classmethod
    def missing(cls, evidence: Said, command: str | None = None) -> Answer:
        """Return the answer where there is no proof, and why."""
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

    def evidence_in(self, lang: Language) -> str:
        """Return what says so in a language."""
        return in_language(self.evidence, lang)
