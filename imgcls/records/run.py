"""The record of one training, or of all folds of one, as `run.json` and the files beside it keep it.

Reading a record loads neither pandas nor torch; only `RunRecord.predictions` needs pandas.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from imgcls.errors import RecordError, UsageError
from imgcls.storage import sha256_file, write_json

if TYPE_CHECKING:
    import pandas as pd

_Value = TypeVar("_Value")


def read_json(path: Path) -> object:
    """Read a JSON file and refuse what Python's reader lets pass.

    Args:
        path: The file.

    Raises:
        RecordError: If the file is missing, is not UTF-8 or JSON, repeats a key, or holds NaN or infinity.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        return json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_no_constant, parse_float=_finite_number)
    except FileNotFoundError:
        raise RecordError(f"{path} does not exist.") from None
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path} is damaged: {error}. Restore it from a copy, or remove its folder.") from error


def _unique_keys(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dictionary of pairs whose keys all differ."""
    value: dict[str, Any] = {}
    for key, item in pairs:
        if key in value:
            raise ValueError(f"the key {key!r} appears twice")
        value[key] = item
    return value


def _no_constant(name: str) -> float:
    """Refuse NaN, Infinity and -Infinity."""
    raise ValueError(f"{name} is not JSON")


def _finite_number(text: str) -> float:
    """Read a number that a float can hold."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text} is too large")
    return number


class Fields:
    """One JSON object, read field by field; problems are collected until `finish`.

    A field that is missing or of a wrong type gives an empty value of the right type, so that the
    reading goes on and `finish` can name every problem.
    """

    def __init__(self, value: object, *, where: str, prefix: str = "", problems: list[str] | None = None) -> None:
        """Begin to read.

        Args:
            value: What should be an object.
            where: The file, as it is to be named in messages.
            prefix: The path of this object inside the file, ending in a dot, or empty.
            problems: The list to add to; a new one when None.
        """
        self._where, self._prefix = where, prefix
        self._problems: list[str] = [] if problems is None else problems
        self._unread: dict[str, Any] = dict(value) if isinstance(value, Mapping) else {}
        if not isinstance(value, Mapping):
            self._problems.append(f"{prefix.rstrip('.') or 'the whole'} must be an object")

    def has(self, key: str) -> bool:
        """Whether there is a field that may be left out, and was not read yet."""
        return key in self._unread

    def text(self, key: str, *, choices: tuple[str, ...] = ()) -> str:
        """Read a text, one of `choices` where there are some."""
        text = self._read(key, _is_text, kind="a text", empty="")
        if choices and text not in choices:
            self._problems.append(f"{self._prefix}{key} must be one of {', '.join(choices)}, not {text!r}")
        return text

    def text_or_none(self, key: str) -> str | None:
        """Read a text or null."""
        return self._read(key, _or_none(_is_text), kind="a text or null", empty=None)

    def integer(self, key: str) -> int:
        """Read a whole number."""
        return self._read(key, _is_integer, kind="a whole number", empty=0)

    def integer_or_none(self, key: str) -> int | None:
        """Read a whole number or null."""
        return self._read(key, _or_none(_is_integer), kind="a whole number or null", empty=None)

    def integers(self, key: str) -> tuple[int, ...]:
        """Read a list of whole numbers."""
        numbers: list[int] = self._read(key, _is_list_of(_is_integer), kind="a list of whole numbers", empty=[])
        return tuple(numbers)

    def number(self, key: str) -> float:
        """Read a number."""
        return self._read(key, _is_number, kind="a number", empty=0.0)

    def number_or_none(self, key: str) -> float | None:
        """Read a number or null."""
        return self._read(key, _or_none(_is_number), kind="a number or null", empty=None)

    def boolean(self, key: str) -> bool:
        """Read true or false."""
        return self._read(key, lambda value: isinstance(value, bool), kind="true or false", empty=False)

    def mapping(self, key: str) -> dict[str, Any]:
        """Read an object with any content."""
        return self._read(key, lambda value: isinstance(value, dict), kind="an object", empty={})

    def numbers(self, key: str) -> dict[str, float]:
        """Read an object whose values are numbers."""
        return self._read(key, _is_mapping_of(_is_number), kind="an object of numbers", empty={})

    def counts(self, key: str) -> dict[str, int]:
        """Read an object whose values are whole numbers."""
        return self._read(key, _is_mapping_of(_is_integer), kind="an object of whole numbers", empty={})

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of texts."""
        texts: list[str] = self._read(key, _is_list_of(_is_text), kind="a list of texts", empty=[])
        return tuple(texts)

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """Read a list of pairs of texts."""
        pairs: list[list[str]] = self._read(key, _is_list_of(_is_pair), kind="a list of pairs of texts", empty=[])
        return tuple((first, second) for first, second in pairs)

    def inner(self, key: str) -> Fields:
        """Read an object, to be read field by field and finished by its own `close`."""
        return Fields(self.mapping(key), where=self._where, prefix=f"{self._prefix}{key}.", problems=self._problems)

    def inner_each(self, key: str, read: Callable[[Fields], _Value]) -> dict[str, _Value]:
        """Read an object of objects, each by `read`."""
        each = self.inner(key)
        found = {}
        for name in tuple(each._unread):
            fields = each.inner(name)
            found[name] = read(fields)
            fields.close()
        return found

    def inner_list(self, key: str, read: Callable[[Fields], _Value]) -> tuple[_Value, ...]:
        """Read a list of objects, each by `read`."""
        values: list[Any] = self._read(key, lambda value: isinstance(value, list), kind="a list of objects", empty=[])
        found = []
        for place, value in enumerate(values):
            prefix = f"{self._prefix}{key}.{place}."
            fields = Fields(value, where=self._where, prefix=prefix, problems=self._problems)
            found.append(read(fields))
            fields.close()
        return tuple(found)

    def problem(self, text: str) -> None:
        """Add a problem that only the reader can see."""
        self._problems.append(f"{self._prefix}{text}")

    def close(self) -> None:
        """Count what was not read as problems."""
        self._problems.extend(f"{self._prefix}{key} is not a known key" for key in self._unread)

    def finish(self) -> None:
        """End the reading of the whole file.

        Raises:
            RecordError: If there was any problem; the message has them all.
        """
        self.close()
        if self._problems:
            raise RecordError(f"{self._where} is damaged: {'; '.join(self._problems)}.")

    def _read(self, key: str, fits: Callable[[Any], bool], *, kind: str, empty: _Value) -> _Value:
        """Take one field out, or note why it cannot be taken."""
        if key not in self._unread:
            self._problems.append(f"{self._prefix}{key} is missing")
            return empty
        value: _Value = self._unread.pop(key)
        if fits(value):
            return value
        self._problems.append(f"{self._prefix}{key} must be {kind}, not {json.dumps(value)[:40]}")
        return empty


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_text, value))


def _or_none(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or fits(value)


def _is_list_of(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _is_mapping_of(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(map(fits, value.values()))


@dataclass(frozen=True)
class Estimate:
    """What was measured, and with what confidence."""

    value: float | None
    """The metric; None when it cannot be computed."""
    low: float | None
    """The lower end of the 95 % interval; None when there is no interval."""
    high: float | None
    """The upper end of the 95 % interval; None when there is no interval."""
    n: int
    """The number of samples behind it."""
    reason: str | None = None
    """Why the value or the interval is missing, or what was left out of it."""

    def __post_init__(self) -> None:
        """Refuse NaN and infinity, which would hide what happened: the reason belongs in `reason`."""
        if any(number is not None and not math.isfinite(number) for number in (self.value, self.low, self.high)):
            raise UsageError(
                f"An estimate must be finite, not value={self.value}, low={self.low}, high={self.high}. "
                "Use None and give the reason."
            )

    @classmethod
    def missing(cls, reason: str, *, n: int) -> Estimate:
        """Make the estimate of something that cannot be computed.

        Args:
            reason: Why, as a sentence without the full stop.
            n: The number of samples that were looked at.
        """
        return cls(None, None, None, n, reason)

    @classmethod
    def from_fields(cls, fields: Fields) -> Estimate:
        """Read an estimate from a JSON object; problems are collected in `fields`."""
        value, low, high = (fields.number_or_none(name) for name in ("value", "low", "high"))
        return cls(value, low, high, fields.integer("n"), fields.text_or_none("reason"))

    def to_json(self) -> dict[str, float | int | str | None]:
        """Return the estimate as a JSON object."""
        return asdict(self)

    def __str__(self) -> str:
        """Write the estimate as people read it: `0.912 [0.884, 0.934] n=512`."""
        if self.value is None:
            return self.reason or "not computed"
        if self.low is None or self.high is None:
            return f"{self.value:.3f} n={self.n}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] n={self.n}"


@dataclass(frozen=True)
class FoldRun:
    """One fold: the run whose validation predictions were taken."""

    fold: int
    """Its number, from 0."""
    run: str
    """The id of its run."""
    sha256: str
    """Digest of that run's run.json, which has those of its other files."""
    n: Mapping[str, int]
    """The number of samples: train, valid, test, excluded."""
    metrics: Mapping[str, Estimate]
    """Name → estimate, on the fold's own validation part."""

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read one from a JSON object; problems are collected in `fields`."""
        return cls(
            fold=fields.integer("fold"),
            run=fields.text("run"),
            sha256=fields.text("sha256"),
            n=fields.counts("n"),
            metrics=fields.inner_each("metrics", Estimate.from_fields),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class FoldSpread:
    """How a metric varies from fold to fold; no standard error, since the trainings share most of their samples."""

    mean: float | None
    """The mean over the folds that have a value; None where none has."""
    sd: float | None
    """The standard deviation over them (n − 1 in the denominator); None where fewer than two have a value."""
    n: int
    """The number of folds that have a value."""

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read one from a JSON object; problems are collected in `fields`."""
        return cls(fields.number_or_none("mean"), fields.number_or_none("sd"), fields.integer("n"))

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class Folds:
    """All folds of one stack and seed."""

    runs: tuple[FoldRun, ...]
    """The folds in order."""
    spread: Mapping[str, FoldSpread]
    """Metric → mean and standard deviation over the folds."""

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read them from a JSON object; problems are collected in `fields`."""
        return cls(
            runs=fields.inner_list("runs", FoldRun.from_fields),
            spread=fields.inner_each("spread", FoldSpread.from_fields),
        )

    def to_json(self) -> dict[str, Any]:
        """Return them as a JSON object."""
        return {
            "runs": [run.to_json() for run in self.runs],
            "spread": {name: spread.to_json() for name, spread in self.spread.items()},
        }


SCHEMA = 1
_SLUG_LENGTH = 80
_KEY_LENGTH = 8


def run_key(
    plan_json: Mapping[str, object],
    *,
    data_digest: str,
    split_digest: str,
    fold: int | None,
    seed: int,
    weights_sha256: str | None,
    device_type: str,
    precision: str,
    quick: bool = False,
    code_sha256: str | None = None,
    n_folds: int | None = None,
) -> str:
    """Return the key of a training: equal keys mean that the same record answers both.

    Nothing of the machine is in it: no path, host, time or number of workers.

    Args:
        plan_json: The plan as canonical JSON values.
        data_digest: Digest of samples, labels and pixels.
        split_digest: Digest of who is in train, valid and test.
        fold: The turn of train and valid, from 0; None without folds, and for the predictions of all folds together.
        seed: The integer that fixes everything random.
        weights_sha256: Of the initial weights; None without.
        device_type: Such as `cpu` or `cuda`.
        precision: Such as `float32`.
        code_sha256: Of the source of modules that the plan names, `module:function`; None where it names none.
        quick: Whether it is a quick run; a full training of one epoch on few samples is another run all the same.
        n_folds: How many folds take turns; None without folds.

    Returns:
        64 hexadecimal digits.
    """
    identity = {
        "schema": SCHEMA,
        "plan": plan_json,
        "data": data_digest,
        "split": split_digest,
        "fold": fold,
        "seed": seed,
        "weights": weights_sha256,
        "device": device_type,
        "precision": precision,
        **({"quick": True} if quick else {}),
        **({"code": code_sha256} if code_sha256 else {}),
        **({"n_folds": n_folds} if n_folds is not None else {}),
    }
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def joint_digest(parts: Sequence[str]) -> str:
    """Return the digest of several digests in order, such as the key of all folds together from those of the folds.

    Args:
        parts: Hexadecimal digests.

    Returns:
        64 hexadecimal digits.
    """
    return hashlib.sha256("\n".join(parts).encode("ascii")).hexdigest()


def short_key(key: str) -> str:
    """Return the first eight digits of a key, as they appear in names of folders."""
    return key[:_KEY_LENGTH]


def run_folder_name(stack_label: str, *, seed: int, fold: int | None, key: str, n_folds: int | None = None) -> str:
    """Name the folder of a run so that people know it and every file system takes it.

    Args:
        stack_label: The printed label of the stack; any text.
        seed: The seed of the run.
        fold: The fold of the run, or None.
        key: The key of the run.
        n_folds: How many folds there are; without a fold it is the record of all of them.

    Returns:
        `<stack slug>-s<seed>[-f<fold> or -oof<n_folds>]-<key8>`, in lower-case ASCII; the slug has at most 80
        characters.
    """
    slug = re.sub(r"[^a-z0-9+=.,_]+", "-", stack_label.lower())[:_SLUG_LENGTH].strip("-.,+=_") or "run"
    whole = "" if n_folds is None else f"-oof{n_folds}"
    turn = whole if fold is None else f"-f{fold}"
    return f"{slug}-s{seed}{turn}-{short_key(key)}"


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
        """Return it as a JSON object; a seed that is not known is left out."""
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
        """Return the record as JSON values."""
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
        """Return the path of one file of the record, after a look at its size.

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
        """Return the sha256 of run.json as it lies on the disk; it holds the digests of the other files."""
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
        """Return the folder of a record that was read or written."""
        if self.folder is None:
            raise RecordError(f"Run {self.id} has not been written yet, so it has no files.")
        return self.folder

    def _size_problem(self, name: str) -> str:
        """Describe what a file's size tells against it, or nothing."""
        path, n_bytes = self._home() / name, self.files[name].n_bytes
        if not path.is_file():
            return "is missing"
        size = path.stat().st_size
        return "" if size == n_bytes else f"has {size} bytes instead of {n_bytes}"


def describe_files(folder: Path) -> dict[str, RunFile]:
    """Return digest and size of every file in a folder of a run but run.json itself."""
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
