"""What was submitted, and from which runs."""

from __future__ import annotations

from dataclasses import dataclass

from imgcls.workspace import Workspace


@dataclass(frozen=True)
class Submission:
    """One file of predictions for the test part."""

    file: str
    """Its place, relative to the workspace."""
    runs: tuple[str, ...]
    """The ids of the runs that it was made from."""


def find_submissions(workspace: Workspace) -> tuple[list[Submission], list[str]]:
    """Read what is kept of every submission, oldest first, and a message for each that cannot be read."""
    return [], []
