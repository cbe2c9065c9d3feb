"""What reading data decides though nobody said it: assumptions that are reported, and doubts that ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from imgcls.errors import DataError


@dataclass(frozen=True)
class Assumption:
    """One thing about the data that nobody said, as it was taken, and what says otherwise."""

    about: str
    """What is assumed, in a word for programs: `source`, `levels`, `parts`, `ids`, `labels`, `type`, `delimiter`,
    `header`, `groups`, `photographs`, `test list`, `spelling` or `unused`."""
    taken: str
    """How it was taken, a sentence."""
    option: str
    """The option that decides otherwise, as it is typed: `--label COLUMN`; "" where none does."""

    def __str__(self) -> str:
        """Write the assumption as people read it: `… holds the labels. Otherwise: --label COLUMN.`."""
        return f"{self.taken} Otherwise: {self.option}." if self.option else self.taken

    def to_json(self) -> dict[str, str]:
        """Return the assumption as JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Choice:
    """One way to settle a doubt."""

    meaning: str
    """What is then done, without a full stop: `the folders are classes all the same`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `DataSource` that say so."""


class DoubtError(DataError):
    """Signs in the data contradict how they would be read, so that somebody has to say what is meant.

    A program sees the message, which names an option for each choice. A terminal can ask instead, and read again
    with the options of the choice.
    """

    def __init__(self, doubt: str, choices: Sequence[Choice], *, hint: str = "") -> None:
        """Keep what is doubted and what settles it.

        Args:
            doubt: What contradicts what, one or two sentences.
            choices: The ways to settle it, the likeliest first.
            hint: A further sentence, for what no option settles.
        """
        from imgcls.data.source import as_words

        self.doubt, self.choices, self.hint = doubt, tuple(choices), hint
        lines = [f"  {as_words(choice.options)}  ({choice.meaning})" for choice in choices]
        super().__init__("\n".join([doubt, *(["Say which:"] if lines else []), *lines, *([hint] if hint else [])]))
