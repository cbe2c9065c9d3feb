"""Derived files of a workspace: what is known of data and runs that can be found out again.

`runs/.data.json` and `runs/.repeated.json` are conveniences: what they lost is there again after the next training,
or the next `--again`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from imgcls.config.problem import find_problem
from imgcls.data.files import OWN_FOLDERS, content_digest, data_fingerprint
from imgcls.data.source import FINDINGS_TOML, DataSource, relative_place
from imgcls.errors import ImgclsError, RecordError, UsageError
from imgcls.records.run import RunId, RunRecord
from imgcls.schema import one_of, read_as, stored, to_json
from imgcls.storage import make_folder, sha256_file, write_json
from imgcls.workspace import LEDGER, Workspace, cache_folder

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from imgcls.data.samples import Samples


def write_derived(path: Path, content: Any, *, schema: int) -> None:
    """Keep what can be found out again in place of what was there; where it cannot be written, nothing is kept.

    Args:
        path: The file.
        content: The dataclass that it is read as.
        schema: The version of that.
    """
    with contextlib.suppress(ImgclsError):
        make_folder(path.parent)
        write_json(path, {"schema": schema, **to_json(content)})


DATA_JSON = ".data.json"
SCHEMA = 1
MOST_SUMMARIES = 50


@dataclass(frozen=True)
class Fingerprint:
    """Data as they looked at one moment, unread."""

    key: str
    """What tells these data, read in this way, from others: see `DataSource.key`."""
    fingerprint: str
    """See `imgcls.data.files.data_fingerprint`."""
    reading: DataSource
    """How they are read; places in the workspace are named from there."""


@dataclass(frozen=True)
class DatasetSummary:
    """What reading data in one way gave."""

    key: str
    """What tells these data, read in this way, from others: see `DataSource.key`."""
    fingerprint: str
    """What they looked like just before they were read."""
    reading: DataSource = field(metadata=stored(DataSource.from_json, DataSource.said))
    """How they were read; places in the workspace are named from there, see `source`."""
    data_digest: str
    """As in run records."""
    split_digest: str | None
    """As in run records; None where they were only divided into folds."""
    problem: Annotated[str, one_of("binary", "multiclass", "multilabel")]
    """`binary`, `multiclass` or `multilabel`."""
    n: Mapping[str, int]
    """Samples in train, valid, test and excluded; in folds all that are not test take turns, and stand under valid."""
    valid_counts: Mapping[str, int]
    """Class → how many of the samples under valid have it."""
    created: str
    """When: UTC, ISO 8601."""

    @classmethod
    def of(cls, samples: Samples, look: Fingerprint, *, in_folds: bool = False) -> Self:
        """Describe samples that were split.

        Args:
            samples: As they were trained on.
            look: The data as they looked before they were read.
            in_folds: Whether all of train and valid take turns in validating.
        """
        counts = samples.n_per_split
        validating = samples.frame["split"].isin(["train", "valid"] if in_folds else ["valid"]).to_numpy()
        n = {split: counts[split] for split in ("train", "valid", "test")} | {"excluded": len(samples.excluded)}
        if in_folds:
            n |= {"train": 0, "valid": counts["train"] + counts["valid"]}
        return cls(
            key=look.key,
            fingerprint=look.fingerprint,
            reading=look.reading,
            data_digest=samples.data_digest,
            split_digest=None if in_folds else samples.split_digest,
            problem=samples.problem,
            n=n,
            valid_counts=_n_per_class(samples.targets[validating], samples.classes),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def source(self, workspace: Workspace) -> DataSource:
        """Return what reads the same data again from anywhere.

        Args:
            workspace: Where this was kept.
        """
        return self.reading.absolute_from(workspace.root)

    @property
    def majority_accuracy(self) -> float | None:
        """The validation accuracy of always naming the most frequent class; multi-label: mean over the classes.

        None where nothing validates.
        """
        n, counts = self.n.get("valid", 0), list(self.valid_counts.values())
        if not n or not counts:
            return None
        if self.problem == "multilabel":
            return sum(max(count, n - count) for count in counts) / (n * len(counts))
        return max(counts) / n


@dataclass(frozen=True)
class _SummaryFile:
    """What `runs/.data.json` holds."""

    data: tuple[DatasetSummary, ...]
    """What is kept, oldest first."""


def take_fingerprint(source: DataSource, workspace: Workspace) -> Fingerprint | None:
    """Look at data without reading them.

    Take the look before reading: what changes meanwhile then counts as changed.

    Args:
        source: The data.
        workspace: Whose findings.toml applies, unless the source names another.

    Returns:
        None where nothing can be known from outside, as with a frame.
    """
    fingerprint = data_fingerprint(
        source.data,
        images=source.images,
        test=source.test,
        skip=OWN_FOLDERS | {LEDGER},
        sets=cache_folder() / "sets",
    )
    if fingerprint is None:
        return None
    findings = Path(source.findings or workspace.root / FINDINGS_TOML)
    key = source.key(fingerprint, _content_of(findings))
    return Fingerprint(key, fingerprint, source.relative_to(workspace.root))


def table_digests(paths: Iterable[Path], workspace: Workspace) -> dict[str, str]:
    """Return the digests of tables that say more of the samples, which the data digest knows nothing of.

    Args:
        paths: The tables; those that cannot be read are left out.
        workspace: Where it lies there, a table is named from its folder.

    Returns:
        From the place of each to its digest, for `changed_tables`.
    """
    found = {}
    for path in paths:
        with contextlib.suppress(OSError):
            found[relative_place(path, workspace.root)] = content_digest(path)
    return found


def changed_tables(digests: Mapping[str, str], workspace: Workspace) -> list[str]:
    """Return the names of tables that hold something else than they did, or are gone."""
    now = table_digests((workspace.root / place for place in digests), workspace)
    return [Path(place).name for place, digest in digests.items() if now.get(place) != digest]


def save_summary(workspace: Workspace, seen: DatasetSummary) -> None:
    """Keep what reading data gave, for `find_summary`; where it cannot be written, nothing is kept.

    Args:
        workspace: Whose runs used them.
        seen: Replaces what was kept under the same key, but for a split that only the older one knows.
    """
    kept = {entry.key: entry for entry in load_summaries(workspace)}
    before = kept.pop(seen.key, None)
    if before is not None and seen.split_digest is None and before.data_digest == seen.data_digest:
        seen = before
    if before is not None and to_json(before) | {"created": ""} == to_json(seen) | {"created": ""}:
        return
    newest = _SummaryFile((*kept.values(), seen)[-MOST_SUMMARIES:])
    write_derived(workspace.runs / DATA_JSON, newest, schema=SCHEMA)


def load_summaries(workspace: Workspace) -> tuple[DatasetSummary, ...]:
    """Return what is kept of data, oldest first; a file that is missing, damaged or of a newer imgcls holds nothing."""
    try:
        return read_as(_SummaryFile, workspace.runs / DATA_JSON, schema=SCHEMA).data
    except RecordError:
        return ()


def data_of(workspace: Workspace) -> DataSource:
    """Return the data of a workspace: as imgcls.toml says, else as they were read last.

    Raises:
        UsageError: Nobody said which they are.
    """
    if (problem := find_problem(workspace.root)) is not None:
        return problem.source(workspace.root)
    if summaries := load_summaries(workspace):
        return summaries[-1].source(workspace)
    raise UsageError(
        f"Nobody said which data {workspace.root} is about. 'imgcls init DATA' does, or look at them: imgcls eda DATA"
    )


def data_with_digest(digest: str, workspace: Workspace) -> DataSource | None:
    """Return the data that were read with a digest of a run record, if they still look as they did then, else None."""
    for seen in reversed(load_summaries(workspace)):
        if seen.data_digest == digest:
            source = seen.source(workspace)
            now = take_fingerprint(source, workspace)
            if now is not None and now.fingerprint == seen.fingerprint:
                return source
    return None


def find_summary(workspace: Workspace, key: str) -> DatasetSummary | None:
    """Return what reading the data of a key gave; None where they were not read yet, or it is forgotten."""
    return next((entry for entry in load_summaries(workspace) if entry.key == key), None)


def _n_per_class(targets: npt.NDArray[np.int64] | npt.NDArray[np.uint8], classes: Sequence[str]) -> dict[str, int]:
    """Count the samples of each class; `targets` are those of `Samples`."""
    if targets.ndim == 2:
        return dict(zip(classes, targets.sum(axis=0, dtype=int).tolist(), strict=True))
    return {name: int((targets == place).sum()) for place, name in enumerate(classes)}


def _content_of(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.is_file() else b""
    except OSError:
        return b""


REPEATED_JSON = ".repeated.json"
REPETITION_SCHEMA = 1
MOST_REPETITIONS = 500


@dataclass(frozen=True)
class RepeatedFile:
    """One file of a record beside that of the second training."""

    recorded: str
    """sha256 of the record's."""
    found: str | None
    """sha256 of the other's; None where it has none."""


@dataclass(frozen=True)
class Repetition:
    """A run that was trained once more."""

    run: RunId
    """Its id."""
    files: Mapping[str, RepeatedFile]
    """Name → what was compared."""
    created: str
    """When: UTC, ISO 8601."""

    @classmethod
    def of(cls, record: RunRecord, folder: Path, *, names: Sequence[str]) -> Self:
        """Compare a record with what a second training left.

        Args:
            record: The record.
            folder: Where the files of the second training lie.
            names: The files to compare, of which the record need not have all.
        """
        compared = {
            name: RepeatedFile(file.sha256, sha256_file(folder / name) if (folder / name).is_file() else None)
            for name, file in record.files.items()
            if name in names
        }
        return cls(record.id, compared, datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def same_bits(self) -> dict[str, bool]:
        """Name → whether the file has the bits of the record's."""
        return {name: file.found == file.recorded for name, file in self.files.items()}

    def is_of(self, record: RunRecord) -> bool:
        """Whether a record is the one that was repeated, with the files that it had then."""
        recorded = {name: file.recorded for name, file in self.files.items()}
        known = {name: file.sha256 for name, file in record.files.items()}
        return bool(recorded) and self.run == record.id and recorded.items() <= known.items()


@dataclass(frozen=True)
class _RepetitionFile:
    """What `runs/.repeated.json` holds."""

    repeated: tuple[Repetition, ...]
    """What is kept, oldest first."""


def keep_repetition(workspace: Workspace, repetition: Repetition) -> None:
    """Keep the newest repetition of a run, for `repetitions`; where it cannot be written, nothing is kept.

    Args:
        workspace: Where the run lies.
        repetition: Takes the place of an older one of the same run.
    """
    kept = [entry for entry in repetitions(workspace) if entry.run != repetition.run]
    newest = _RepetitionFile((*kept, repetition)[-MOST_REPETITIONS:])
    write_derived(workspace.runs / REPEATED_JSON, newest, schema=REPETITION_SCHEMA)


def repetitions(workspace: Workspace) -> tuple[Repetition, ...]:
    """Return what is kept, oldest first; a file that is missing, damaged or of a newer imgcls holds nothing."""
    try:
        return read_as(_RepetitionFile, workspace.runs / REPEATED_JSON, schema=REPETITION_SCHEMA).repeated
    except RecordError:
        return ()
