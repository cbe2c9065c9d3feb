"""What is known of files that have not changed since they were last read, so that they need not be read again."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import astuple, dataclass
from pathlib import Path

from imgcls.data.decode import DECODER_VERSION
from imgcls.data.pool import write_json

SCHEMA = 1


@dataclass(frozen=True)
class Known:
    """A file as it was when it was read."""

    n_bytes: int
    """Its size."""
    mtime_ns: int
    """Its time stamp."""
    sha256: str
    """The digest of its content."""
    width_px: int = 0
    """The width of the upright photograph, 0 where it cannot be decoded."""
    height_px: int = 0
    """The height of the upright photograph, 0 where it cannot be decoded."""
    reason: str = ""
    """Why it cannot be decoded, or ""."""


class FileIndex:
    """The known files below a folder, kept in one small file of the cache."""

    def __init__(self, folder: Path, root: str) -> None:
        """Open the index; one that is missing or damaged is empty.

        Args:
            folder: The folder of the cache.
            root: The folder that all files lie in; paths in the index are relative to it.
        """
        digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
        self.path = folder / "files" / f"{digest}.json"
        self.root = root
        self._files = self._read()
        self._changed = False

    def unchanged(self, path: str) -> Known | None:
        """Give what is known of a file, if its size and time stamp are still the same."""
        known = self._files.get(self._name(path))
        try:
            status = Path(path).stat() if known else None
        except OSError:
            return None
        same = status is not None and known is not None and _stamp(status) == (known.n_bytes, known.mtime_ns)
        return known if same else None

    def add(self, path: str, known: Known) -> None:
        """Remember a file."""
        name = self._name(path)
        if self._files.get(name) != known:
            self._files[name] = known
            self._changed = True

    def save(self) -> None:
        """Write the index if anything was added."""
        if self._changed:
            files = {name: astuple(known) for name, known in self._files.items()}
            write_json(self.path, {"schema": SCHEMA, "decoder": DECODER_VERSION, "files": files})
            self._changed = False

    def _name(self, path: str) -> str:
        return os.path.relpath(path, self.root)

    def _read(self) -> dict[str, Known]:
        try:
            stored = json.loads(self.path.read_bytes())
            if (stored["schema"], stored["decoder"]) != (SCHEMA, DECODER_VERSION):
                return {}
            return {name: Known(*values) for name, values in stored["files"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):  # it is only a cache
            return {}


def _stamp(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns
