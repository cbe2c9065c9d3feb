"""Workspace: the folder that holds a problem, its runs, ladders, reports and submissions; and the cache folder."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from imgcls.data.files import TABLE_SUFFIXES, is_image_name
from imgcls.errors import WorkspaceError
from imgcls.storage import cache_folder as cache_folder
from imgcls.storage import remove_stale, temporary_beside

MARKER = "imgcls.toml"
LEDGER = "test-ledger.csv"


@dataclass(frozen=True)
class Workspace:
    """One folder, one data set, and everything imgcls wrote about it."""

    root: Path
    """The folder itself; it need not exist yet."""

    @classmethod
    def find(cls, start: Path | None = None) -> Workspace:
        """Find the workspace that a folder belongs to.

        Args:
            start: Where to begin; the current folder when None.

        Returns:
            The nearest folder, `start` or above it, that holds imgcls.toml; else `start`.
        """
        start = (start or Path()).absolute()
        for folder in (start, *start.parents):
            if (folder / MARKER).is_file():
                return cls(folder)
        return cls(start)

    @property
    def runs(self) -> Path:
        """The folder of finished runs."""
        return self.root / "runs"

    @property
    def attempts(self) -> Path:
        """The folder of runs that are being trained, or were interrupted."""
        return self.runs / ".attempts"

    @property
    def failed(self) -> Path:
        """The folder of runs that failed."""
        return self.runs / ".failed"

    @property
    def reports(self) -> Path:
        """The folder of pages and pictures."""
        return self.root / "reports"

    @property
    def ladders(self) -> Path:
        """The folder of ladders, one folder each."""
        return self.root / "ladders"

    @property
    def blends(self) -> Path:
        """The folder of blends, one folder each."""
        return self.root / "blends"

    @property
    def submissions(self) -> Path:
        """The folder of submission files."""
        return self.root / "submissions"

    @property
    def as_option(self) -> str:
        """How a command names it, with a blank before: nothing where the command finds it from the current folder."""
        if self.root.resolve() == Workspace.find().root.resolve():
            return ""
        return f" --out {shlex.quote(str(self.root))}"

    def writable(self) -> None:
        """Check, before any work, that runs can be written.

        Raises:
            WorkspaceError: If the folder of runs cannot be made or a file in it cannot be written.
        """
        check_writable(self.runs, what="runs")

    def check_apart(self, data: str | Path, images: str | Path | None = None) -> None:
        """Check that nothing would be written among photographs.

        Among class folders, `runs` would look like one more class. A folder that holds a table may be the workspace
        itself, since the table alone says which files are photographs, but not a folder of photographs below it.

        Args:
            data: The folder or the table that was given as the data; what is neither is not looked at.
            images: The folder of the photographs, where one was given for a table.

        Raises:
            WorkspaceError: If this workspace lies among the photographs.
        """
        given = Path(data).expanduser()
        if not given.exists():
            return
        here, home = self.root.resolve(), (given if given.is_dir() else given.absolute().parent).resolve()
        apart = {(home / Path(images).expanduser()).resolve(), Path(images).expanduser().resolve()} if images else set()
        among = here.is_relative_to(home) and (not _holds_table(home) or (here != home and _holds_photographs(here)))
        if among or any(here.is_relative_to(folder) for folder in apart - {home}):
            raise WorkspaceError(
                f"Runs and reports would be written to {self.root}, inside the photographs in {images or data}. "
                "Start imgcls from another folder, or choose one with --out."
            )


def check_writable(folder: Path, *, what: str) -> None:
    """Check that files can be written in a folder, which is made where it is missing.

    Args:
        folder: The folder.
        what: What would be written there, for the message: runs, reports.

    Raises:
        WorkspaceError: It cannot be made, or a file in it cannot be written.
    """
    probe = temporary_beside(folder / "probe")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_stale(folder)
        probe.write_bytes(b"imgcls")
    except OSError as error:
        if isinstance(error, FileExistsError | NotADirectoryError):
            raise WorkspaceError(
                f"Cannot write {what} to {folder}: a file is in the way. Move it, or choose another folder with --out."
            ) from error
        reason = error.strerror or type(error).__name__
        raise WorkspaceError(
            f"Cannot write {what} to {folder}: {reason}. Make the folder writable, or choose another with --out."
        ) from error
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def cache_budget_bytes() -> int:
    """Return the size that decoded photographs may reach: $IMGCLS_CACHE_GB in gigabytes, else 8.

    Raises:
        WorkspaceError: If the variable is no number, or below 0.
    """
    text = os.environ.get("IMGCLS_CACHE_GB", "8")
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = -1
    if not 0 <= gigabytes < float("inf"):
        raise WorkspaceError(f"IMGCLS_CACHE_GB has to be a number of gigabytes, at least 0, not {text!r}.")
    return int(gigabytes * 10**9)


def _holds_table(folder: Path) -> bool:
    """Return whether a table of photographs lies directly in a folder."""
    return folder.is_dir() and any(path.suffix.lower() in TABLE_SUFFIXES for path in folder.iterdir())


def _holds_photographs(folder: Path) -> bool:
    """Return whether photographs lie directly in a folder."""
    return folder.is_dir() and any(is_image_name(path.name) for path in folder.iterdir())
