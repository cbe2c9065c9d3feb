"""The files of a data set, what each is for, and what the tables among them say of the photographs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from imgcls.data.samples import Samples
from imgcls.data.sources.columns import TableOptions
from imgcls.data.sources.roles import FileRole, file_roles
from imgcls.eda.facts import FileFacts
from imgcls.eda.metadata import MetaTable, read_metadata
from imgcls.eda.wording import listed
from imgcls.engine.known_sets import is_known_set
from imgcls.engine.prepare import DataSource
from imgcls.errors import DataError
from imgcls.problem.adjustments import written
from imgcls.problem.model import Problem
from imgcls.problem.placed import place_of
from imgcls.workspace import OWN_FOLDERS, Workspace


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
        data = source.data if source.data is None or isinstance(source.data, str | Path) else None
        if (data is None and source.data is not None) or is_known_set(data):
            return cls(source, samples, tuple(named), ())
        submission = problem.data.sample_submission
        roles = file_roles(
            data,
            samples,
            options=_table_options(source),
            sample_submission=place_of(submission, problem, place.root) if submission else None,
            metadata=named,
        )
        return cls(source, samples, tuple(named), roles)

    def facts(self) -> tuple[FileFacts, ...]:
        """Give the files as facts."""
        return tuple(
            FileFacts(
                path=written(entry.path),
                role=entry.role,
                n=entry.n,
                note=f"columns {listed(map(written, entry.columns))}" if entry.columns else "",
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
                found += read_metadata([entry.file], self.samples, own=own, skip=self._own_columns())
        return tuple(found)

    def _own_columns(self) -> tuple[str, ...]:
        """Give the columns of the table of labels that were asked for: they are no metadata."""
        source = self.source
        labels = (source.label,) if isinstance(source.label, str) else tuple(source.label or ())
        return tuple(name for name in (*labels, source.id, source.group, source.split) if name is not None)


def _table_options(source: DataSource) -> TableOptions:
    label = source.label if source.label is None or isinstance(source.label, str) else tuple(source.label)
    return TableOptions(
        images=source.images,
        label=label,
        id=source.id,
        group=source.group,
        split=source.split,
        problem_type=source.problem_type,
        delimiter=source.delimiter,
        test=source.test,
        skip=OWN_FOLDERS,
    )
