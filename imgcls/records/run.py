"""The record of one training, or of all folds of one, as `run.json` and the files beside it keep it.

Reading a record loads neither pandas nor torch; only `RunRecord.predictions` needs pandas.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgcls.durable import sha256_file, write_json
from imgcls.errors import RecordError
from imgcls.records.estimate import Estimate
from imgcls.records.folds import Folds
from imgcls.records.keys import SCHEMA
from imgcls.records.reading import Fields, read_json

if TYPE_CHECKING:
    import pandas as pd

RUN_JSON = "run.json"
_PROBLEMS = ("binary", "multiclass", "multilabel")


@dataclass(frozen=True)
class RunData:
    """What a run was trained and scored on."""

    name: str
    """The short name of the data set."""
    digest: str
    """Digest of samples, labels and pixels."""
    split_digest: str
    """Digest of who is in train, valid and test."""
    n: Mapping[str, int]
    """The number of samples: train, valid, test, excluded."""
    excluded: tuple[tuple[str, str], ...] = ()
    """Path and reason of every image that was left out."""
    n_valid_groups: int = 0
    """The number of groups in valid, which are then the units of the intervals; 0 where samples have none."""
    split_seed: int | None = None
    """The seed that the split or the folds were drawn from; None in records of before it was kept."""

    def to_json(self) -> dict[str, Any]:
        """Give it as a JSON object; a seed that is not known is left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class RunWeights:
    """The weights that a run began with."""

    source: str
    """Where they come from, such as a package, a file or `none`."""
    sha256: str | None
    """Digest of their content; None without initial weights."""
    licence: str = ""
    """The licence that their source states, or empty."""


@dataclass(frozen=True)
class RunFile:
    """What a file of a record must be."""

    sha256: str
    """Digest of its content."""
    n_bytes: int
    """Its size."""


@dataclass(frozen=True)
class RunRecord:
    """One training: what was asked for, what it was given, what came out.

    The record of all folds together has the same form: its metrics are those of the predictions out
    of fold, `folds` names the trainings, and it has no weights.
    """

    key: str
    """What makes it this training and no other: see `run_key`."""
    id: str
    """The name of its folder when it was published."""
    status: str
    """`done` or `failed`."""
    reason: str | None
    """Why it failed; None when it is done."""
    stack: str
    """The stack of recipes, such as `baseline+augmentation`."""
    overrides: Mapping[str, Any]
    """Plan path → value that flags set on the base."""
    label: str
    """The stack as it is printed, overrides included."""
    plan: Mapping[str, Any]
    """The plan as canonical JSON values."""
    plan_digest: str
    """Digest of the whole plan."""
    train_digest: str
    """Digest of the plan without its prediction part."""
    seed: int
    """The integer that fixes everything random."""
    fold: int | None
    """The turn of train and valid, from 0; None without folds, and for all folds together."""
    quick: bool
    """Whether it was shortened to try things out, and must not be compared."""
    problem: str
    """`binary`, `multiclass` or `multilabel`."""
    classes: tuple[str, ...]
    """The classes in the order of the probabilities."""
    data: RunData
    """What it was trained and scored on."""
    weights: RunWeights
    """What it began with."""
    environment: Mapping[str, Any]
    """Versions, device, precision, threads, platform."""
    metrics: Mapping[str, Estimate]
    """Name → estimate, on the validation part; of all folds, on every prediction out of fold."""
    seconds: Mapping[str, float]
    """What the time went into."""
    images_per_second: float | None
    """The speed of training; None when nothing was trained."""
    created: str
    """When it was made: UTC, ISO 8601."""
    files: Mapping[str, RunFile] = field(default_factory=dict)
    """Name → digest and size of every file beside run.json."""
    reused_from: str | None = None
    """The id of the run whose weights it uses; None when it has its own."""
    n_folds: int | None = None
    """How many folds take turns in validating; None without folds."""
    folds: Folds | None = None
    """In the record of all folds: which runs they are, and how far they lie apart; None for a single training."""
    schema: int = SCHEMA
    """The version of this form."""
    folder: Path | None = field(default=None, compare=False)
    """Where it was read from or written to; not part of the record."""

    @classmethod
    def read(cls, folder: Path) -> RunRecord:
        """Read the record in a folder.

        Args:
            folder: The folder of the run.

        Raises:
            RecordError: If there is none, it is damaged, or a newer imgcls wrote it.
        """
        path = folder / RUN_JSON
        return replace(cls.from_json(read_json(path), where=str(path)), folder=folder)

    @classmethod
    def from_json(cls, value: object, *, where: str) -> RunRecord:
        """Read a record from JSON values.

        Args:
            value: What `to_json` gave.
            where: How messages name the source.

        Raises:
            RecordError: If a newer imgcls wrote it, or anything is missing, unknown or of a wrong type.
        """
        _check_schema(value, where=where)
        source = Fields(value, where=where)
        source.integer("schema")
        record = cls(
            key=source.text("key"),
            id=source.text("id"),
            stack=source.text("stack"),
            label=source.text("label"),
            plan_digest=source.text("plan_digest"),
            train_digest=source.text("train_digest"),
            status=source.text("status", choices=("done", "failed")),
            problem=source.text("problem", choices=_PROBLEMS),
            created=_read_time(source, "created"),
            reason=source.text_or_none("reason"),
            reused_from=source.text_or_none("reused_from"),
            overrides=source.mapping("overrides"),
            plan=source.mapping("plan"),
            environment=_read_environment(source),
            seed=source.integer("seed"),
            fold=source.integer_or_none("fold"),
            quick=source.boolean("quick"),
            classes=source.texts("classes"),
            data=_read_data(source.inner("data")),
            weights=_read_weights(source.inner("weights")),
            metrics=source.inner_each("metrics", Estimate.from_fields),
            seconds=source.numbers("seconds"),
            images_per_second=source.number_or_none("images_per_second"),
            files=_read_files(source),
            n_folds=source.integer("n_folds") if source.has("n_folds") else None,
            folds=_read_folds(source),
        )
        source.finish()
        return record

    def to_json(self) -> dict[str, Any]:
        """Give the record as JSON values."""
        left_out = {"folder", *(name for name in ("n_folds", "folds") if getattr(self, name) is None)}
        shallow = {item.name: getattr(self, item.name) for item in fields(self) if item.name not in left_out}
        return shallow | {
            "classes": list(self.classes),
            "data": self.data.to_json(),
            "weights": asdict(self.weights),
            "metrics": {name: estimate.to_json() for name, estimate in self.metrics.items()},
            "files": {name: asdict(file) for name, file in self.files.items()},
            **({"folds": self.folds.to_json()} if self.folds else {}),
        }

    def write(self, folder: Path) -> RunRecord:
        """Write run.json into a folder whose other files are complete, with their digests.

        Args:
            folder: The folder of the run.

        Returns:
            The record with `files` and `folder` as written.
        """
        written = replace(self, folder=folder, files=describe_files(folder))
        write_json(folder / RUN_JSON, written.to_json())
        return written

    def path(self, name: str) -> Path:
        """Give the path of one file of the record, after a look at its size.

        Args:
            name: Such as `valid.parquet`.

        Raises:
            RecordError: If the record has no such file, or the file is missing or of another size.
        """
        if name not in self.files:
            raise RecordError(f"Run {self.id} has no {name}; it has {', '.join(sorted(self.files)) or 'no files'}.")
        path = self._home() / name
        problem = self._size_problem(name)
        if problem:
            raise RecordError(f"{path} {problem}. Restore it, or train again with --again.")
        return path

    def verify(self, names: Iterable[str] | None = None) -> None:
        """Compare files of the record with their digests.

        Args:
            names: Which of its files; None for all.

        Raises:
            RecordError: If any is missing or differs; the message lists them all.
        """
        problems = []
        for name in sorted(self.files if names is None else names):
            problem = self._size_problem(name)
            if not problem and sha256_file(self._home() / name) != self.files[name].sha256:
                problem = "has another content than recorded"
            if problem:
                problems.append(f"{self._home() / name} {problem}")
        if problems:
            raise RecordError.together(problems, heading=f"Run {self.id} is damaged; train it again with --again:")

    def digest(self) -> str:
        """Give the sha256 of run.json as it lies on the disk; it holds the digests of the other files."""
        return sha256_file(self._home() / RUN_JSON)

    def predictions(self, split: str) -> pd.DataFrame:
        """Read the probabilities of one part.

        Args:
            split: `valid` or `test`; `oof` for the validation samples of all folds.

        Returns:
            A frame with the columns id, label (not for test), fold (only out of fold), group (where samples have
            any) and p_<class> for every class.

        Raises:
            RecordError: If the run has none for that part, or they are damaged.
        """
        import pandas as pd

        path = self.path(f"{split}.parquet")
        try:
            frame = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise RecordError(f"{path} cannot be read: {error}. Train again with --again.") from error
        missing = [name for name in ("id", *(f"p_{name}" for name in self.classes)) if name not in frame.columns]
        if missing:
            raise RecordError(f"{path} lacks the columns {', '.join(missing)}. Train again with --again.")
        return frame

    def history(self) -> list[dict[str, float | int | str | None]]:
        """Read what every epoch gave, one dictionary an epoch; none where no epoch was trained; empty cells are None.

        Raises:
            RecordError: If it is damaged.
        """
        if "history.csv" not in self.files:
            return []
        with self.path("history.csv").open(newline="", encoding="utf-8") as file:
            return [{name: _cell(text) for name, text in row.items()} for row in csv.DictReader(file)]

    def _home(self) -> Path:
        """Give the folder of a record that was read or written."""
        if self.folder is None:
            raise RecordError(f"Run {self.id} has not been written yet, so it has no files.")
        return self.folder

    def _size_problem(self, name: str) -> str:
        """Say what a file's size tells against it, or nothing."""
        path, n_bytes = self._home() / name, self.files[name].n_bytes
        if not path.is_file():
            return "is missing"
        size = path.stat().st_size
        return "" if size == n_bytes else f"has {size} bytes instead of {n_bytes}"


def describe_files(folder: Path) -> dict[str, RunFile]:
    """Give digest and size of every file in a folder of a run but run.json itself."""
    paths = sorted(path for path in folder.iterdir() if path.is_file() and path.name != RUN_JSON)
    return {path.name: RunFile(sha256_file(path), path.stat().st_size) for path in paths}


def _check_schema(value: object, *, where: str) -> None:
    """Refuse a record of a form that this version does not know, before anything else is read."""
    schema = value.get("schema") if isinstance(value, Mapping) else None
    if isinstance(schema, int) and not isinstance(schema, bool) and schema != SCHEMA:
        writer = "a newer imgcls" if schema > SCHEMA else "no known imgcls"
        raise RecordError(f"{where} was written by {writer} (schema {schema}, this one reads {SCHEMA}). Update imgcls.")


def _read_environment(source: Fields) -> dict[str, Any]:
    environment = source.mapping("environment")
    if not isinstance(environment.get("device"), str):
        source.problem("environment.device must be a text")
    if not isinstance(environment.get("device_name", ""), str | None):
        source.problem("environment.device_name must be a text or null")
    if not isinstance(environment.get("versions", {}), dict):
        source.problem("environment.versions must be an object")
    return environment


def _read_data(source: Fields) -> RunData:
    data = RunData(
        name=source.text("name"),
        digest=source.text("digest"),
        split_digest=source.text("split_digest"),
        n=source.counts("n"),
        excluded=source.pairs("excluded"),
        n_valid_groups=source.integer("n_valid_groups"),
        split_seed=source.integer("split_seed") if source.has("split_seed") else None,
    )
    source.close()
    return data


def _read_folds(source: Fields) -> Folds | None:
    """Read what only the record of all folds has."""
    if not source.has("folds"):
        return None
    inner = source.inner("folds")
    folds = Folds.from_fields(inner)
    inner.close()
    return folds


def _read_weights(source: Fields) -> RunWeights:
    weights = RunWeights(source.text("source"), source.text_or_none("sha256"), source.text("licence"))
    source.close()
    return weights


def _read_files(source: Fields) -> dict[str, RunFile]:
    """Read what the files must be; a name that would leave the folder is a problem."""
    files = source.inner_each("files", lambda file: RunFile(file.text("sha256"), file.integer("n_bytes")))
    for name in files:
        if name in ("", ".", "..") or "/" in name or "\\" in name:
            source.problem(f"files.{name} is not the name of a file in this folder")
    return files


def _read_time(source: Fields, key: str) -> str:
    """Read a moment, so that records can be sorted by it as text."""
    text = source.text(key)
    try:
        offset = datetime.fromisoformat(text).utcoffset()
    except ValueError:
        source.problem(f"{key} must be a time in ISO 8601, not {text!r}")
        return text
    if offset is None or offset.total_seconds() != 0:
        source.problem(f"{key} must be in UTC, not {text!r}")
    return text


def _cell(text: str | None) -> float | int | str | None:
    """Read one cell of the history."""
    if not text:
        return None
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text
