"""The files of a data set: what each is for, which cannot be used, and what the tables among them say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from imgcls.config.problem import Problem, place_of
from imgcls.data.files import Excluded
from imgcls.data.roles import FileRole, file_roles
from imgcls.data.samples import Samples
from imgcls.data.source import DataSource
from imgcls.eda.facts import BrokenFile, FileFacts
from imgcls.eda.metadata import MetaTable, read_metadata
from imgcls.engine.known_datasets import is_known_set
from imgcls.errors import DataError
from imgcls.text import as_utf8, listed
from imgcls.workspace import Workspace

_KINDS = {
    "empty file": "empty",
    "truncated": "truncated",
    "not an image": "not an image",
    "a Git LFS pointer": "not an image",
    "a web page": "not an image",
    "too many pixels": "too many pixels",
    "file too large": "file too large",
    "permission denied": "permission denied",
    "missing": "missing",
    "gone meanwhile": "missing",
    "changed while it was read": "changed",
    "link to nothing": "missing",
    "not a regular file": "not a regular file",
    "link that leads to itself": "missing",
    "cannot be read": "not readable",
    "not enough memory": "not enough memory",
    "values from": "unsupported",
    "damaged": "damaged",
}
"""From how a reason begins to its kind."""
_NO_FILES = frozenset({"link to nothing", "link that leads to itself", "not a regular file"})


@dataclass(frozen=True)
class Files:
    """The files of a data set."""

    source: DataSource
    """How the data are read."""
    samples: Samples
    """The samples, split."""
    named: tuple[Path, ...]
    """Tables that were named as metadata."""
    roles: tuple[FileRole, ...]
    """What each file is for; nothing where the data are a frame or a set that is known by name."""

    @classmethod
    def of(
        cls, source: DataSource, samples: Samples, *, problem: Problem, place: Workspace, named: Sequence[Path]
    ) -> Self:
        """Look at the files, but into none of photographs or sealed labels."""
        if source.is_frame or is_known_set(source.data):
            return cls(source, samples, tuple(named), ())
        submission = problem.data.sample_submission
        roles = file_roles(
            source,
            samples,
            sample_submission=place_of(submission, problem, place.root) if submission else None,
            metadata=named,
        )
        return cls(source, samples, tuple(named), roles)

    def facts(self) -> tuple[FileFacts, ...]:
        """Return the files as facts."""
        return tuple(
            FileFacts(
                path=as_utf8(entry.path),
                role=entry.role,
                n=entry.n,
                note=f"columns {listed(map(as_utf8, entry.columns))}" if entry.columns else entry.fault,
            )
            for entry in self.roles
        )

    @property
    def read(self) -> tuple[Path, ...]:
        """The tables, besides that of the labels, that may say something of the samples."""
        beside = (entry.file for entry in self.roles if entry.role == "metadata" and entry.file is not None)
        return tuple(dict.fromkeys(path.absolute() for path in (*self.named, *beside)))

    def metadata(self) -> tuple[MetaTable, ...]:
        """Read what tables say of the samples: those that were named, and those that lie beside the data.

        Raises:
            DataError: A table that was named cannot be read, or says nothing of the samples.
        """
        found = list(read_metadata(self.named, self.samples))
        given = {path.resolve() for path in self.named}
        for entry in self.roles:
            if entry.file is None or entry.file.resolve() in given or entry.role not in ("metadata", "labels"):
                continue
            own = entry.file if entry.role == "labels" else None
            with suppress(DataError):  # nobody asked for it: one that says nothing of the samples is no error
                found += read_metadata([entry.file], self.samples, own=own, skip=self.source.columns)
        return tuple(found)


def broken_files(reasons: Mapping[str, str], excluded: Iterable[Excluded]) -> tuple[BrokenFile, ...]:
    """List the files that cannot be used, in order of path.

    Args:
        reasons: From the path of each file that could not be read or decoded, relative to the root, to the reason.
        excluded: What the listing of the data set left out; of these only what bears the name of a photograph and is
            no file is broken, the others are no photographs of the data set.
    """
    no_files = {entry.path: entry.reason for entry in excluded if entry.reason in _NO_FILES}
    every = sorted({**no_files, **reasons}.items())
    return tuple(BrokenFile(path=path, kind=kind_of(reason), reason=reason) for path, reason in every)


def kind_of(reason: str) -> str:
    """Return the kind of trouble that a reason of the decoder or of a source tells of, a word or two."""
    kinds = (kind for start, kind in _KINDS.items() if reason.startswith(start))
    found = next(kinds, "other")
    return "unsupported" if found == "damaged" and _names_what_is_missing(reason) else found


def _names_what_is_missing(reason: str) -> bool:
    text = reason.lower()
    return any(words in text for words in ("unsupported", "not supported", "unknown compression", "not available"))
