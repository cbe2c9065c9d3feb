"""findings.toml: what of the data is left out or kept together because of what was found, and why.

    schema = 1
    [[excluded]]            images that are not used
    [[grouped]]             images that stay together when the samples are split
    [[kept]]                findings that were looked at and are left as they are
    data                    the name of the data set that all of it is about

Every entry names the finding and says why. Nothing in the data folder is touched: to take an
entry out undoes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from imgcls.durable import write_bytes
from imgcls.problem.reading import checked, read_text, read_toml

FINDINGS_TOML = "findings.toml"
SCHEMA = 1
_HEADING = (
    "# What 'imgcls eda apply' and 'imgcls eda keep' decided. Every command reads it; nothing in the data is touched."
)


class _Entry(BaseModel):
    """A frozen entry that knows all of its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Exclusion(_Entry):
    """Images that are not used."""

    images: Annotated[tuple[str, ...], Field(min_length=1)]
    """The ids of the samples; bytes that are no UTF-8 as escapes."""
    finding: str
    """The id of the finding."""
    why: str
    """The reason, for people."""


class Grouping(_Entry):
    """Images that stay together when the samples are split."""

    images: Annotated[tuple[str, ...], Field(min_length=1)]
    """The ids of the samples; bytes that are no UTF-8 as escapes."""
    finding: str
    """The id of the finding."""
    why: str
    """The reason, for people."""


class Kept(_Entry):
    """A finding that was looked at and is left as it is."""

    images: tuple[str, ...] = ()
    """The ids of the samples that it was about; without any it is kept whatever it is about."""
    finding: str
    """The id of the finding."""
    why: str
    """The reason, for people."""


class Adjustments(_Entry):
    """Everything that was decided about the data."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    """The version of this form; `schema` in the file."""
    excluded: tuple[Exclusion, ...] = ()
    """What is left out."""
    grouped: tuple[Grouping, ...] = ()
    """What stays together."""
    kept: tuple[Kept, ...] = ()
    """What is left as it is."""
    data: str | None = None
    """The short name of the data that it was decided about; None where nobody wrote it down."""

    def keeps(self, finding: str, images: Iterable[str]) -> bool:
        """Whether a finding is left as it is: one that is about further images now was not looked at.

        Args:
            finding: Its id.
            images: The ids of all samples that it is about.
        """
        about = frozenset(images)
        return any(entry.finding == finding and (not entry.images or about <= set(entry.images)) for entry in self.kept)


def read_adjustments(path: Path) -> Adjustments:
    """Read what was decided; nothing where there is no file.

    Args:
        path: findings.toml of a workspace.

    Raises:
        ProblemError: It cannot be read, is no TOML, or does not fit; every fault is told with its line.
    """
    if not path.exists() and not path.is_symlink():
        return Adjustments()
    text = read_text(path)
    return checked(Adjustments, read_toml(path, text, schema=SCHEMA), path=path, text=text)


def write_adjustments(path: Path, adjustments: Adjustments) -> None:
    """Write what was decided, atomically.

    Args:
        path: The file; its folder must exist.
        adjustments: What is written.

    Raises:
        ImgclsError: The file cannot be written; the old one is still there.
    """
    write_bytes(path, "".join(_lines(adjustments)).encode("utf-8"))


def written(text: str) -> str:
    """Give an id as a file of UTF-8 can hold it."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _lines(adjustments: Adjustments) -> Iterator[str]:
    """Yield the lines of the file: tomlkit would take minutes over 100,000 entries."""
    yield f"{_HEADING}\nschema = {SCHEMA}\n"
    if adjustments.data is not None:
        yield f"data = {_text(adjustments.data)} # decided about this data set, and no other\n"
    for name, entries in (("excluded", adjustments.excluded), ("grouped", adjustments.grouped)):
        for entry in entries:
            yield f"\n[[{name}]]\nimages = {_list(entry.images)}\n{_reason(entry)}"
    for kept in adjustments.kept:
        images = f"images = {_list(kept.images)}\n" if kept.images else ""
        yield f"\n[[kept]]\n{images}{_reason(kept)}"


def _reason(entry: Exclusion | Grouping | Kept) -> str:
    return f"finding = {_text(entry.finding)}\nwhy = {_text(entry.why)}\n"


def _list(texts: Sequence[str]) -> str:
    if len(texts) == 1:
        return f"[{_text(texts[0])}]"
    return "".join(["[\n", *(f"  {_text(text)},\n" for text in texts), "]"])


def _text(text: str) -> str:
    """Write a text of TOML: its escapes are those of JSON, but for DEL, which it wants escaped too."""
    return json.dumps(written(text), ensure_ascii=False).replace("\x7f", "\\u007f")
