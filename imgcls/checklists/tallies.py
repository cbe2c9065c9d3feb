"""How often runs are wrong about each class, counted once and kept.

The file `runs/.tallies.json` is a convenience: what it lost is counted again the next time it is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from imgcls.records.kept import read_kept, write_kept
from imgcls.records.reading import Fields
from imgcls.records.run import RunRecord
from imgcls.values import canonical_json
from imgcls.workspace import Workspace

TALLIES_JSON = ".tallies.json"
SCHEMA = 1
MOST_KEPT = 50


@dataclass(frozen=True)
class Tally:
    """How often a run is wrong about one class."""

    name: str
    """The class."""
    n: int
    """Images with that label; for several labels an image, all images."""
    n_wrong: int
    """Those that it answers wrongly."""

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read one from a JSON object; problems are collected in `fields`."""
        return cls(fields.text("name"), fields.integer("n"), fields.integer("n_wrong"))


def question_of(run: RunRecord, name: str) -> str:
    """Give what tells a count from others: the content of one of a run's files, and how it is read."""
    question = [run.files[name].sha256, run.problem, list(run.classes)]
    return hashlib.sha256(canonical_json(question).encode("ascii")).hexdigest()


def kept_tallies(workspace: Workspace) -> Mapping[str, tuple[Tally, ...]]:
    """Give what was counted, by its question; a file that is missing or damaged holds nothing."""
    return dict(read_kept(_file(workspace), "tallies", _read, schema=SCHEMA))


def keep_tallies(workspace: Workspace, question: str, tallies: tuple[Tally, ...]) -> None:
    """Keep what was counted; where it cannot be written, nothing is kept.

    Args:
        workspace: Where the run lies.
        question: What was counted: see `question_of`.
        tallies: The answer.
    """
    newest = [*kept_tallies(workspace).items(), (question, tallies)][-MOST_KEPT:]
    entries = [{"question": asked, "classes": [asdict(tally) for tally in counted]} for asked, counted in newest]
    write_kept(_file(workspace), "tallies", entries, schema=SCHEMA)


def _read(fields: Fields) -> tuple[str, tuple[Tally, ...]]:
    return fields.text("question"), fields.inner_list("classes", Tally.from_fields)


def _file(workspace: Workspace) -> Path:
    return workspace.runs / TALLIES_JSON
