"""Which data were read, and what was found in them, so that others know it without reading them again.

The file `runs/.data.json` is a convenience: what it lost is there again after the next training.
"""

from __future__ import annotations

import contextlib
import hashlib
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from imgcls.data.files import content_digest, data_fingerprint
from imgcls.errors import ImgclsError, RecordError
from imgcls.plan import canonical_json
from imgcls.records.run import Fields, RunRecord, read_json
from imgcls.storage import make_folder, sha256_file, write_json
from imgcls.workspace import LEDGER, OWN_FOLDERS, Workspace, cache_folder

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from imgcls.data.samples import Samples

Entry = TypeVar("Entry")


def read_entries(path: Path, name: str, read: Callable[[Fields], Entry], *, schema: int) -> tuple[Entry, ...]:
    """Return what is kept, oldest first; a file that is missing, damaged or of another version holds nothing.

    Args:
        path: The file.
        name: The key of the list in it.
        read: Reads one entry; problems are collected in its argument.
        schema: The version that is understood.
    """
    try:
        fields = Fields(read_json(path), where=str(path))
        found_schema = fields.integer("schema")
        found = fields.inner_list(name, read)
        fields.finish()
    except RecordError:
        return ()
    return tuple(found) if found_schema == schema else ()


def write_entries(path: Path, name: str, entries: Sequence[Any], *, schema: int) -> None:
    """Keep entries, JSON values, in place of those before; where it cannot be written, nothing is kept."""
    with contextlib.suppress(ImgclsError):
        make_folder(path.parent)
        write_json(path, {"schema": schema, name: list(entries)})


DATA_JSON = ".data.json"
SCHEMA = 1
MOST_SUMMARIES = 50
_FINDINGS_TOML = "findings.toml"
_PLACES = frozenset({"data", "images", "test", "findings"})
"""Options that say where things lie: the fingerprint and the findings speak for them."""
_WITHOUT_EFFECT = frozenset({"verify"})


@dataclass(frozen=True)
class Fingerprint:
    """Data as they looked at one moment, unread."""

    key: str
    """What tells these data, read in this way, from others: see `key_of`."""
    fingerprint: str
    """See `imgcls.data.files.data_fingerprint`."""
    reading: Mapping[str, Any]
    """How they are read: the fields of a `DataSource` that were said, as JSON values; see `source_of`."""


@dataclass(frozen=True)
class DatasetSummary:
    """What reading data in one way gave."""

    key: str
    """What tells these data, read in this way, from others: see `key_of`."""
    fingerprint: str
    """What they looked like just before they were read."""
    reading: Mapping[str, Any]
    """How they were read: the fields of a `DataSource` that were said; `source_of` makes them whole."""
    data_digest: str
    """As in run records."""
    split_digest: str | None
    """As in run records; None where they were only divided into folds."""
    problem: str
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

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read one from a JSON object; problems are collected in `fields`."""
        return cls(
            key=fields.text("key"),
            fingerprint=fields.text("fingerprint"),
            reading=fields.mapping("reading"),
            data_digest=fields.text("data_digest"),
            split_digest=fields.text_or_none("split_digest"),
            problem=fields.text("problem", choices=("binary", "multiclass", "multilabel")),
            n=fields.counts("n"),
            valid_counts=fields.counts("valid_counts"),
            created=fields.text("created"),
        )

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


def take_fingerprint(source: Mapping[str, Any], workspace: Workspace) -> Fingerprint | None:
    """Look at data without reading them.

    Take the look before reading: what changes meanwhile then counts as changed.

    Args:
        source: The fields of a `DataSource` by name, as they are or as JSON values.
        workspace: Whose findings.toml applies, unless the source names another.

    Returns:
        None where nothing can be known from outside, as with a frame.
    """
    fingerprint = data_fingerprint(
        source.get("data"),
        images=source.get("images"),
        test=source.get("test"),
        skip=OWN_FOLDERS | {LEDGER},
        sets=cache_folder() / "sets",
    )
    if fingerprint is None:
        return None
    findings = Path(source.get("findings") or workspace.root / _FINDINGS_TOML)
    return Fingerprint(key_of(source, fingerprint, _content_of(findings)), fingerprint, _reading_of(source, workspace))


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
            found[_place(path, workspace)] = content_digest(path)
    return found


def changed_tables(digests: Mapping[str, str], workspace: Workspace) -> list[str]:
    """Return the names of tables that hold something else than they did, or are gone."""
    now = table_digests((workspace.root / place for place in digests), workspace)
    return [Path(place).name for place, digest in digests.items() if now.get(place) != digest]


def key_of(source: Mapping[str, Any], fingerprint: str, findings: bytes = b"") -> str:
    """Return what tells data that are read in one way from others.

    It holds no place, so that a workspace that was copied together with its data knows them again.

    Args:
        source: The fields of a `DataSource` by name, as they are or as JSON values; missing ones have their default.
        fingerprint: What the data look like.
        findings: The content of findings.toml; empty where there is none.

    Returns:
        64 hexadecimal digits.
    """
    reading = {name: _in_one_form(value) for name, value in source.items() if name not in _PLACES | _WITHOUT_EFFECT}
    chosen = {name: value for name, value in reading.items() if value not in (None, 0, "", [])}
    if source.get("test") == "none":
        chosen["test"] = "none"
    identity = {"reading": chosen, "data": fingerprint, "findings": _decided(findings)}
    return hashlib.sha256(canonical_json(identity).encode("ascii")).hexdigest()


def _decided(findings: bytes) -> Any:
    """Return what findings.toml leaves out and keeps together, whatever it gives as reasons."""
    try:
        value = tomllib.loads(findings.decode("utf-8"))
        excluded = {image for entry in value.get("excluded", []) for image in entry["images"]}
        grouped = sorted(sorted(set(entry["images"])) for entry in value.get("grouped", []))
    except (ValueError, TypeError, KeyError, AttributeError):  # whoever reads the data says what is wrong with it
        return hashlib.sha256(findings).hexdigest()
    return {"excluded": sorted(excluded), "grouped": grouped}


def source_of(seen: DatasetSummary, workspace: Workspace) -> dict[str, Any]:
    """Return the fields of a `DataSource` that read the same data again, places as absolute paths."""
    return {
        name: str(workspace.root / value) if name in _PLACES and (workspace.root / value).exists() else value
        for name, value in seen.reading.items()
    }


def _reading_of(source: Mapping[str, Any], workspace: Workspace) -> dict[str, Any]:
    """Return the options that were said, as JSON values; places in the workspace relative to it, others absolute."""
    said = {name: value for name, value in source.items() if value is not None and name not in ("findings", "verify")}
    return {name: _place(value, workspace) if name in _PLACES else _in_one_form(value) for name, value in said.items()}


def _place(place: Any, workspace: Workspace) -> str:
    """Return a path; names of known sets, and `none`, stay as they are."""
    if not Path(place).exists():
        return str(place)
    path, home = Path(place).resolve(), workspace.root.resolve()
    return path.relative_to(home).as_posix() if path.is_relative_to(home) else str(path)


def save_summary(workspace: Workspace, seen: DatasetSummary) -> None:
    """Keep what reading data gave, for `find`; where it cannot be written, nothing is kept.

    Args:
        workspace: Whose runs used them.
        seen: Replaces what was kept under the same key, but for a split that only the older one knows.
    """
    kept = {entry.key: entry for entry in load_summaries(workspace)}
    before = kept.pop(seen.key, None)
    if before is not None and seen.split_digest is None and before.data_digest == seen.data_digest:
        seen = before
    if before is not None and asdict(before) | {"created": ""} == asdict(seen) | {"created": ""}:
        return
    newest = [*kept.values(), seen][-MOST_SUMMARIES:]
    write_entries(_summary_file(workspace), "data", [asdict(entry) for entry in newest], schema=SCHEMA)


def load_summaries(workspace: Workspace) -> tuple[DatasetSummary, ...]:
    """Return what is kept of data, oldest first; a file that is missing, damaged or of a newer imgcls holds nothing."""
    return read_entries(_summary_file(workspace), "data", DatasetSummary.from_fields, schema=SCHEMA)


def find_summary(workspace: Workspace, key: str) -> DatasetSummary | None:
    """Return what reading the data of a key gave; None where they were not read yet, or it is forgotten."""
    return next((entry for entry in load_summaries(workspace) if entry.key == key), None)


def _summary_file(workspace: Workspace) -> Path:
    return workspace.runs / DATA_JSON


def _n_per_class(targets: npt.NDArray[np.int64] | npt.NDArray[np.uint8], classes: Sequence[str]) -> dict[str, int]:
    """Count the samples of each class; `targets` are those of `Samples`."""
    if targets.ndim == 2:
        return dict(zip(classes, targets.sum(axis=0, dtype=int).tolist(), strict=True))
    return {name: int((targets == place).sum()) for place, name in enumerate(classes)}


def _in_one_form(value: Any) -> Any:
    """Return an option as JSON values; one column alone means the same as a list of it."""
    if isinstance(value, list | tuple):
        return list(value) if len(value) != 1 else value[0]
    return value


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
    newest = [*kept, repetition][-MOST_REPETITIONS:]
    write_entries(
        _repetition_file(workspace), "repeated", [asdict(entry) for entry in newest], schema=REPETITION_SCHEMA
    )


def repetitions(workspace: Workspace) -> tuple[Repetition, ...]:
    """Return what is kept, oldest first; a file that is missing, damaged or of a newer imgcls holds nothing."""
    return read_entries(_repetition_file(workspace), "repeated", Repetition.from_fields, schema=REPETITION_SCHEMA)


def _repetition_file(workspace: Workspace) -> Path:
    return workspace.runs / REPEATED_JSON
