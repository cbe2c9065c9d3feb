"""What was handed in, or could be: a table of predictions in `submissions/`, and beside it what it came from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from imgcls.durable import make_folder, sha256_file, write_json
from imgcls.errors import RecordError
from imgcls.records.reading import Fields, read_json
from imgcls.workspace import Workspace

SCHEMA = 1
TEST_FILE = "test.parquet"
"""The file of a record that holds what the run says of the test part."""
GIVE_TEST = "a folder test/, a column that says test (--split), or test.csv beside the labels makes one"
"""How data come to have a test part."""
HOLDS = ("classes", "probabilities", "classes and probabilities")


@dataclass(frozen=True)
class Submission:
    """One table of predictions for the test part."""

    run: str
    """The id of the run that predicted."""
    key: str
    """The key of that run."""
    stack: str
    """Its stack as it is printed, overrides included."""
    plan_digest: str
    """Digest of its plan."""
    data_digest: str
    """Digest of the samples, labels and pixels that it was trained on."""
    split_digest: str
    """Digest of who was in train, valid and test."""
    file: str
    """The table: its path from the folder of submissions, or an absolute one where it lies outside the workspace."""
    sha256: str
    """Digest of the table."""
    n_rows: int
    """Its rows: the photographs of the test part."""
    holds: str
    """`classes`, `probabilities`, or both."""
    sample: str | None
    """The name of the sample submission that it follows; None without one."""
    created: str
    """When: UTC, ISO 8601."""
    folder: Path | None = field(default=None, compare=False)
    """The folder of submissions that it was read from or written to; not part of what is written."""

    @classmethod
    def from_json(cls, value: object, *, where: str) -> Self:
        """Read one from JSON values.

        Args:
            value: What `to_json` gave.
            where: How messages name the source.

        Raises:
            RecordError: A newer imgcls wrote it, or it is damaged.
        """
        schema = value.get("schema") if isinstance(value, Mapping) else None
        if isinstance(schema, int) and schema > SCHEMA:
            raise RecordError(f"{where} was written by a newer imgcls (schema {schema}). Update imgcls.")
        source = Fields(value, where=where)
        source.integer("schema")
        found = cls(
            run=source.text("run"),
            key=source.text("key"),
            stack=source.text("stack"),
            plan_digest=source.text("plan_digest"),
            data_digest=source.text("data_digest"),
            split_digest=source.text("split_digest"),
            file=source.text("file"),
            sha256=source.text("sha256"),
            n_rows=source.integer("n_rows"),
            holds=source.text("holds", choices=HOLDS),
            sample=source.text_or_none("sample"),
            created=source.text("created"),
        )
        source.finish()
        return found

    @property
    def name(self) -> str:
        """How a person names the table: its path from the workspace where it lies within."""
        return Path(os.path.normpath(Path("submissions") / self.file)).as_posix()

    @property
    def path(self) -> Path:
        """Where the table lies."""
        return (self.folder or Path()) / self.file

    def is_whole(self) -> bool:
        """Whether the table is there with the content that was written."""
        try:
            return self.path.is_file() and sha256_file(self.path) == self.sha256
        except OSError:  # what nobody can read cannot be handed in
            return False

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON values."""
        return {"schema": SCHEMA, **{name: value for name, value in asdict(self).items() if name != "folder"}}

    def write(self, workspace: Workspace) -> Submission:
        """Write it beside the tables, under the id of its run; the table itself is there already.

        Args:
            workspace: Where `submissions/` lies.
        """
        make_folder(workspace.submissions)
        write_json(workspace.submissions / f"{self.run}.json", self.to_json())
        return replace(self, folder=workspace.submissions)


def find_submissions(workspace: Workspace) -> tuple[list[Submission], list[str]]:
    """Read every submission of a workspace.

    Args:
        workspace: Where to look; it may be empty.

    Returns:
        The submissions, oldest first, and a message for each that cannot be read.
    """
    found, damaged = [], []
    for path in sorted(workspace.submissions.glob("*.json")):
        try:
            submission = Submission.from_json(read_json(path), where=str(path))
        except RecordError as problem:
            damaged.append(str(problem))
            continue
        found.append(replace(submission, folder=workspace.submissions))
    return sorted(found, key=lambda entry: (entry.created, entry.run)), damaged
