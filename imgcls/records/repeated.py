"""Which runs were trained once more, and whether that gave equal bits.

The file `runs/.repeated.json` is a convenience: what it lost is there again after the next training with `--again`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from imgcls.durable import sha256_file
from imgcls.records.kept import read_kept, write_kept
from imgcls.records.reading import Fields
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace

REPEATED_JSON = ".repeated.json"
SCHEMA = 1
MOST_KEPT = 500


@dataclass(frozen=True)
class RepeatedFile:
    """One file of a record beside that of the training anew."""

    recorded: str
    """sha256 of the record's."""
    found: str | None
    """sha256 of the other's; None where it has none."""

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read one from a JSON object; problems are collected in `fields`."""
        return cls(fields.text("recorded"), fields.text_or_none("found"))


@dataclass(frozen=True)
class Repetition:
    """A run that was trained once more."""

    run: str
    """Its id."""
    files: Mapping[str, RepeatedFile]
    """Name → what was compared."""
    created: str
    """When: UTC, ISO 8601."""

    @classmethod
    def of(cls, record: RunRecord, folder: Path, *, names: Sequence[str]) -> Self:
        """Compare a record with what a training anew left.

        Args:
            record: The record.
            folder: Where the files of the training anew lie.
            names: The files to compare, of which the record need not have all.
        """
        compared = {
            name: RepeatedFile(file.sha256, sha256_file(folder / name) if (folder / name).is_file() else None)
            for name, file in record.files.items()
            if name in names
        }
        return cls(record.id, compared, datetime.now(UTC).isoformat(timespec="seconds"))

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read one from a JSON object; problems are collected in `fields`."""
        return cls(
            run=fields.text("run"),
            files=fields.inner_each("files", RepeatedFile.from_fields),
            created=fields.text("created"),
        )

    @property
    def same_bits(self) -> dict[str, bool]:
        """Name → whether the file has the bits of the record's."""
        return {name: file.found == file.recorded for name, file in self.files.items()}

    def is_of(self, record: RunRecord) -> bool:
        """Whether a record is the one that was repeated, with the files that it had then."""
        recorded = {name: file.recorded for name, file in self.files.items()}
        known = {name: file.sha256 for name, file in record.files.items()}
        return bool(recorded) and self.run == record.id and recorded.items() <= known.items()


def keep_repetition(workspace: Workspace, repetition: Repetition) -> None:
    """Keep the newest repetition of a run, for `repetitions`; where it cannot be written, nothing is kept.

    Args:
        workspace: Where the run lies.
        repetition: Takes the place of an older one of the same run.
    """
    kept = [entry for entry in repetitions(workspace) if entry.run != repetition.run]
    newest = [*kept, repetition][-MOST_KEPT:]
    write_kept(_file(workspace), "repeated", [asdict(entry) for entry in newest], schema=SCHEMA)


def repetitions(workspace: Workspace) -> tuple[Repetition, ...]:
    """Give what is kept, oldest first; a file that is missing, damaged or of a newer imgcls holds nothing."""
    return read_kept(_file(workspace), "repeated", Repetition.from_fields, schema=SCHEMA)


def _file(workspace: Workspace) -> Path:
    return workspace.runs / REPEATED_JSON
