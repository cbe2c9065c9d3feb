"""Where things lie: the folder that holds a problem, its runs, ladders, reports and submissions."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from pathlib import Path

from imgcls.errors import WorkspaceError

MARKER = "imgcls.toml"
LEDGER = "test-ledger.csv"
OWN_FOLDERS = frozenset({"runs", "ladders", "reports", "submissions"})
_TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".parquet"})


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
    def submissions(self) -> Path:
        """The folder of submission files."""
        return self.root / "submissions"

    def writable(self) -> None:
        """Make sure, before any work, that runs can be written.

        Raises:
            WorkspaceError: If the folder of runs cannot be made or a file in it cannot be written.
        """
        check_writable(self.runs, what="runs")

    def check_apart(self, data_root: Path) -> None:
        """Refuse to write among photographs that are sorted into class folders.

        There, `runs` would look like one more class. A folder that holds a table may be the
        workspace itself, since the table alone says which files are photographs.

        Args:
            data_root: The folder that was given as the data.

        Raises:
            WorkspaceError: If this workspace lies in `data_root` or is the same folder.
        """
        here, data = self.root.resolve(), data_root.resolve()
        if not here.is_relative_to(data) or _holds_table(data):
            return
        raise WorkspaceError(
            f"Runs would be written to {self.runs}, inside the photographs in {data_root}. "
            "Start imgcls from another folder, or choose one with --out."
        )


def check_writable(folder: Path, *, what: str) -> None:
    """Make sure that files can be written in a folder, which is made where it is missing.

    Args:
        folder: The folder.
        what: What would be written there, for the message: runs, reports.

    Raises:
        WorkspaceError: It cannot be made, or a file in it cannot be written.
    """
    probe = folder / f".probe-{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"imgcls")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise WorkspaceError(
            f"Cannot write {what} to {folder}: {reason}. Make the folder writable, or choose another with --out."
        ) from error
    finally:
        _remove_if_there(probe)


def cache_folder() -> Path:
    """Give the user's folder for decoded photographs: $IMGCLS_CACHE, else the system's cache folder."""
    chosen = os.environ.get("IMGCLS_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("imgcls")


def cache_budget_bytes() -> int:
    """Give the size that decoded photographs may reach: $IMGCLS_CACHE_GB in gigabytes, else 8.

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
    """Say whether a table of photographs lies directly in a folder."""
    return folder.is_dir() and any(path.suffix.lower() in _TABLE_SUFFIXES for path in folder.iterdir())


def _remove_if_there(path: Path) -> None:
    """Remove a file, unless it or its folder does not exist or may not be changed."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
