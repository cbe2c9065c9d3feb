"""Facts of a data set: what was measured of it, as plain values that are written to facts.json and read back."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from imgcls.config.findings import UNUSED, Adjustments, Exclusion, Grouping, Relabelling, read_adjustments
from imgcls.data.assumptions import Assumption
from imgcls.data.files import LEFT_OUT
from imgcls.data.source import FINDINGS_TOML
from imgcls.errors import ProblemError, RecordError
from imgcls.schema import file_names, read_json
from imgcls.storage import write_json
from imgcls.text import Viewed, amount, some
from imgcls.workspace import Workspace

FACTS_JSON = "facts.json"
SCHEMA = 1
UNUSABLE = "unusable"
"""The id of the finding that nothing can be trained on the data as they are."""
Severity = Literal["error", "warning", "note"]
"""error: scores cannot be trusted before it is dealt with; warning: somebody should look; note: good to know."""
FindingState = Literal["open", "applied", "kept"]
"""Nothing was decided; what it proposes was done; it was looked at and is left as it is."""
Action = Literal["exclude", "group"]
"""What `imgcls eda apply` does with the images of a finding."""


class _Fact(BaseModel):
    """A frozen value of which every field is plain JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class DataFacts(_Fact):
    """Which data were looked at."""

    name: str
    """The short name of the data set."""
    source: str
    """What was named as the data: a path as it was typed, or a name such as elpv."""
    problem: Literal["binary", "multiclass", "multilabel"]
    """What kind of problem the labels make."""
    metric: str
    """The primary metric."""
    classes: tuple[str, ...]
    """The classes in their order."""
    n: dict[str, int]
    """Samples in train, valid and test, and under excluded what is not used."""
    n_unlabelled: int
    """Samples outside test whose label is not known."""
    data_digest: str
    """As in run records: changes with any image, label or group outside the sealed labels of test."""
    split_digest: str
    """As in run records."""
    fingerprint: str | None
    """What the files looked like without being read (see `imgcls.data.files`); None for a frame."""
    key: str | None = None
    """What tells the data, read in this way and with what findings.toml decides, from others; what is applied of these
    findings is decided too. None where nothing can be known, and in files of before."""
    licence: str = ""
    """The licence of the photographs, where it is known."""
    quick: bool = False
    """Whether a part of the samples was looked at, and none of test."""
    tables: dict[str, str] = {}
    """From each table beside that of the labels, relative to the workspace where it lies there, to its sha256."""
    assumptions: tuple[Assumption, ...] = ()
    """How the data were understood where nobody said it, and the options that say otherwise."""


class FileFacts(_Fact):
    """One file, or many of one kind, and what they are for."""

    path: str
    """Relative to the root of the data; a folder or pattern where there are many."""
    role: Literal["photographs", "labels", "test list", "sample submission", "metadata", "sealed labels", "other"]
    """What they are for."""
    n: int
    """Files, or rows of a table."""
    note: str = ""
    """What a person should know, such as the columns of a table."""


class ClassFacts(_Fact):
    """How often a class occurs."""

    name: str
    """The class."""
    n: dict[str, int]
    """Samples in train and valid; never in test, whose labels are sealed."""
    share: float
    """Of the labelled samples outside test, in [0, 1]."""


class ImbalanceFacts(_Fact):
    """What the shares of the classes mean for the metric."""

    ratio: float
    """The largest class over the smallest, at least 1."""
    rarest: str
    """The smallest class."""
    n_valid_rarest: int
    """Its validation images."""
    half_width: float | None
    """Half the width of the 95 % interval of that class's recall at 0.8, in [0, 1]; None where it does not validate."""
    majority_score: float
    """The accuracy of always naming the most frequent class (for multilabel: per class, the more frequent)."""
    meaning: str
    """A sentence for a person."""


class Quantiles(_Fact):
    """A measure over images."""

    low: float
    """The 5 % quantile."""
    middle: float
    """The median."""
    high: float
    """The 95 % quantile."""


class DeepFacts(_Fact):
    """Photographs of more than 8 bits, and which of their values they use."""

    n: int
    """How many there are."""
    low: float
    """Nearly all values are above it: of the quantiles of 0.1 % of each photograph, the one of 1 % of them."""
    high: float
    """Nearly all values are below it, likewise."""
    black: float
    """What becomes black."""
    white: float
    """What becomes white."""
    n_outside: int
    """Photographs that have values clearly below black or above white, where these were named."""


class SizeFacts(_Fact):
    """Sizes and quality of the photographs."""

    width_px: Quantiles
    """Upright widths."""
    height_px: Quantiles
    """Upright heights."""
    aspect: Quantiles
    """Width over height."""
    n_sizes: int
    """Different sizes."""
    formats: dict[str, int]
    """Images by what the content is: JPEG, PNG, …"""
    modes: dict[str, int]
    """Images by colour mode: RGB, L, …"""
    n_turned: int
    """Images with an EXIF orientation other than upright."""
    brightness: dict[str, Quantiles]
    """By split: the mean of the gray values of an image, 0 to 255."""
    contrast: dict[str, Quantiles]
    """By split: their standard deviation."""
    sharpness: dict[str, Quantiles]
    """By split: the variance of the Laplacian at the size that is trained on; low is blurred."""
    deep: DeepFacts | None = None
    """Those of more than 8 bits; None where there are none."""
    recommended_px: int
    """The side in pixels to begin with."""
    recommended_why: str
    """A sentence for a person."""


class BrokenFile(_Fact):
    """A file that cannot be used."""

    path: str
    """Relative to the root of the data."""
    kind: str
    """The kind of trouble in a word or two: empty, truncated, not an image, …"""
    reason: str
    """What the reader said."""


class ExcludedImages(_Fact):
    """Photographs that are there and not used, for one reason."""

    reason: str
    """Why: not listed in the table, in no class folder, in a form that is not read, …"""
    n: int
    """How many."""
    examples: tuple[str, ...]
    """Some of their paths, relative to the root of the data."""


class Pair(_Fact):
    """Two samples that show the same photograph."""

    first: str
    """The id of one."""
    second: str
    """The id of the other."""
    kind: Literal["same file", "same pixels", "near copy", "mirrored"]
    """How they are the same."""
    similarity: float
    """The correlation of their detail after what all images share was removed, at most 1."""
    splits: tuple[str, str]
    """Where they lie."""
    labels: tuple[str, str] | None
    """Their labels; None where one lies in test or has none."""

    @property
    def is_across(self) -> bool:
        """Whether the two lie in different splits."""
        return self.splits[0] != self.splits[1]

    @property
    def is_conflict(self) -> bool:
        """Whether they have different labels."""
        return self.labels is not None and self.labels[0] != self.labels[1]


class LeakageProbe(_Fact):
    """How well the label can be guessed from something that is not the picture."""

    by: str
    """From what: file name, order, file size, time stamp, image size, or `column of table`."""
    auc: float
    """Mean one-against-rest ROC AUC of labels guessed out of fold, 0.5 is chance."""
    p: float
    """Share of permutations of the labels that are guessed as well, in (0, 1]."""
    n: int
    """Labelled samples outside test that it was measured on."""
    n_values: int
    """Different values."""
    shared: dict[str, float]
    """By split other than train: the share of its samples whose value also occurs in train; for few-valued columns."""
    telling: bool | None = None
    """Whether it is leakage by `is_telling`, with all guesses counted; filled in by `Facts`."""


class Series(_Fact):
    """Photographs that are no copies and belong together, as names, numbers or times say and pictures agree."""

    by: Literal["names", "numbers", "times"]
    """What proposes the groups."""
    pattern: str | None
    """What `--group-from` takes for them; None where no pattern expresses them."""
    auc: float
    """How often two of one group are nearer to each other than two of different groups of the same class."""
    p: float
    """Share of permutations within the classes that are as near, in (0, 1]."""
    groups: tuple[tuple[str, ...], ...]
    """The ids of each group of several images outside test."""
    sizes: tuple[int, int, int]
    """The smallest, the median and the largest of them, in images."""
    n_valid: int
    """Validation images."""
    n_shared: int
    """Validation images with one of their group in train."""
    score: float
    """Balanced accuracy out of fold of a linear probe on the features, groups divided among folds."""
    score_whole: float
    """The same with groups whole."""
    n_folds: int
    """The folds of both."""


class Drift(_Fact):
    """Whether two parts of the data can be told apart."""

    parts: tuple[str, str]
    """The two splits."""
    by: str
    """By what: pictures (features of the network), size, brightness, …"""
    auc: float
    """Cross-validated ROC AUC of telling them apart, 0.5 is chance."""
    p: float
    """Share of permutations of the parts that are told apart as well, in (0, 1]."""
    n: tuple[int, int]
    """Images of each part that were looked at."""
    differs: bool | None = None
    """Whether it is drift by `is_drifted`, with all comparisons counted; filled in by `Facts`."""


class Outlier(_Fact):
    """An outlier: an image unlike the others."""

    id: str
    """The sample."""
    split: str
    """Where it lies."""
    label: str
    """Its label; "" in test."""
    distance: float
    """To its nearest neighbours, over the median of all such distances."""
    why: str
    """In what: picture, brightness, size, blank, …"""


class CurvePoint(_Fact):
    """How well a quick classifier does with part of the training images."""

    n_train: int
    """Training images."""
    value: float
    """Validation accuracy (multilabel: mean over classes) of a linear probe."""
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end of the 95 % interval."""
    gain: float | None = None
    """What it is above the point before, on the same validation images; None for the first."""
    gain_low: float | None = None
    """Lower end of the 95 % interval of that gain."""
    gain_high: float | None = None
    """Upper end of it."""


class Finding(_Fact):
    """A fact that asks for action."""

    id: str
    """A short stable name: what `imgcls eda apply` and `keep` take."""
    severity: Severity
    """How bad it is."""
    title: str
    """What it is, a sentence."""
    n: int
    """How many images or pairs."""
    examples: tuple[str, ...]
    """A few, as a person knows them."""
    advice: str
    """What to do, a sentence."""
    command: str | None
    """The command that does it."""
    action: Action | None = None
    """What applying it does; None where nothing can be applied."""
    groups: tuple[tuple[str, ...], ...] = ()
    """The ids that applying it excludes (one tuple) or keeps together (a tuple each)."""
    images: tuple[str, ...] = ()
    """The ids of all samples that it is about, so that it is open again for others; () where it is about no certain
    ones."""
    state: FindingState = "open"
    """Whether findings.toml deals with it, which alone keeps that: facts.json does not."""

    @property
    def is_from_decision(self) -> bool:
        """Whether it is known from findings.toml alone: what was applied is not seen any more."""
        return self.state == "applied" and not self.groups

    def decided(self, adjustments: Adjustments) -> FindingState:
        """Return what was decided about it.

        Args:
            adjustments: What findings.toml holds.
        """
        if adjustments.keeps(self.id, self.images):
            return "kept"
        images = [image for group in self.groups for image in group]
        return "applied" if adjustments.settles(self.id, images) else "open"


class Facts(Viewed, _Fact):
    """Everything that was measured of a data set."""

    VIEW: ClassVar[str] = "imgcls.reports.data:FactsView"
    """The renderable that shows them."""

    schema_: Literal[1] = 1
    """The version of this form; `schema` in JSON."""
    data: DataFacts
    """Which data."""
    files: tuple[FileFacts, ...]
    """What each file is for."""
    classes: tuple[ClassFacts, ...]
    """How often each class occurs."""
    together: tuple[tuple[int, ...], ...]
    """For multilabel: how often each two classes occur together, [n_classes][n_classes]; else empty."""
    imbalance: ImbalanceFacts
    """What the shares mean."""
    sizes: SizeFacts
    """Sizes and quality."""
    broken: tuple[BrokenFile, ...]
    """Files that cannot be used."""
    left_out: tuple[ExcludedImages, ...] = ()
    """Photographs that can be read, or might be, and are not used."""
    duplicates: tuple[Pair, ...]
    """Pairs of duplicates."""
    guesses: tuple[LeakageProbe, ...]
    """Leakage probes: what the label can be guessed from."""
    series: Series | None = None
    """Images that belong together without being copies; None where nothing of the kind was seen."""
    alike: float | None = None
    """Share of images whose nearest one of the class is far nearer than the tenth nearest; None where unmeasured."""
    looked_for: tuple[str, ...] = ()
    """What was looked for that makes scores flatter; empty in files of before."""
    drift: tuple[Drift, ...]
    """Parts that differ."""
    odd: tuple[Outlier, ...]
    """Outliers, the farthest first."""
    curve: tuple[CurvePoint, ...]
    """More images, better scores? Empty where it was not measured."""
    findings: tuple[Finding, ...]
    """What asks for action, the worst first."""
    pictures: dict[str, str]
    """From the name of a picture, such as classes or sheet: CLASS, to its file beside facts.json."""
    seconds: dict[str, float]
    """What the time went into."""
    created: str
    """When, UTC, ISO 8601."""

    @field_validator("guesses")
    @classmethod
    def _with_telling(cls, guesses: tuple[LeakageProbe, ...]) -> tuple[LeakageProbe, ...]:
        """Decide which guesses are leakage, where that is not stored: when measured, and in files of before."""
        n = len(guesses)
        return tuple(
            entry.model_copy(update={"telling": is_telling(entry, n_guesses=n)}) if entry.telling is None else entry
            for entry in guesses
        )

    @field_validator("drift")
    @classmethod
    def _with_differs(cls, drift: tuple[Drift, ...]) -> tuple[Drift, ...]:
        """Decide which comparisons are drift, where that is not stored."""
        n = len(drift)
        return tuple(
            entry.model_copy(update={"differs": is_drifted(entry, n_comparisons=n)}) if entry.differs is None else entry
            for entry in drift
        )

    @field_validator("pictures")
    @classmethod
    def _beside_it(cls, pictures: dict[str, str]) -> dict[str, str]:
        """Refuse pictures elsewhere: the page holds what they show, and would carry any file of its reader's away."""
        for file in pictures.values():
            if list(file_names(file.split("/"))):
                raise ValueError(f"{file[:40]!r} is no file beside it")
        return pictures

    @property
    def open_findings(self) -> tuple[Finding, ...]:
        """The findings that somebody has to deal with: errors and warnings that are open."""
        return tuple(entry for entry in self.findings if entry.state == "open" and entry.severity != "note")

    @property
    def needs_attention(self) -> bool:
        """Whether findings are open, or photographs not used that nobody left out: what `--strict` refuses."""
        kept = any(entry.id == UNUSED and entry.state != "open" for entry in self.findings)
        return bool(self.open_findings) or (not kept and any(entry.reason != LEFT_OUT for entry in self.left_out))

    @property
    def is_unusable(self) -> bool:
        """Whether nothing can be trained on these data as they are."""
        return any(entry.id == UNUSABLE for entry in self.findings)

    @property
    def worst_pairs(self) -> tuple[Pair, ...]:
        """The duplicates, the most harmful first: across splits, then different labels, then most alike."""

        def rank(pair: Pair) -> tuple[int, float, str, str]:
            return -(2 * pair.is_across + pair.is_conflict), -pair.similarity, pair.first, pair.second

        return tuple(sorted(self.duplicates, key=rank))

    def to_json(self) -> dict[str, Any]:
        """Return the facts as JSON values."""
        value = self.model_dump(mode="json")
        return {"schema": value.pop("schema_"), **value}

    def write(self, folder: Path) -> Path:
        """Write facts.json into a folder, and return its path."""
        path, value = folder / FACTS_JSON, self.to_json()
        # What was decided is not written: two files that say it could disagree after a kill between their writings.
        value["findings"] = [
            {name: entry for name, entry in finding.model_dump(mode="json").items() if name != "state"}
            for finding in self.findings
            if not finding.is_from_decision
        ]
        write_json(path, value)
        return path

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read facts.json from a folder, and from findings.toml beside that folder what was decided since.

        Raises:
            RecordError: It is missing, damaged, or of another version.
        """
        path = folder / FACTS_JSON
        try:
            value: Any = read_json(path)
        except RecordError as problem:
            raise RecordError(f"{path} cannot be read. 'imgcls eda' writes it again.") from problem
        if not isinstance(value, dict):
            raise RecordError(f"{path}: not facts of schema {SCHEMA}. 'imgcls eda' writes them again.")
        schema = value.get("schema")
        if isinstance(schema, int) and schema > SCHEMA:
            raise RecordError(f"{path} was written by a newer imgcls (schema {schema}). Update imgcls.")
        if schema != SCHEMA:
            raise RecordError(f"{path}: not facts of schema {SCHEMA}. 'imgcls eda' writes them again.")
        try:
            facts = cls.model_validate({**{k: v for k, v in value.items() if k != "schema"}, "schema_": SCHEMA})
        except ValidationError as problem:
            first = problem.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise RecordError(f"{path}: damaged at {where}: {first['msg']}. 'imgcls eda' writes it again.") from problem
        adjustments = Adjustments()
        with suppress(ProblemError):  # it is told by whoever reads it for itself
            adjustments = read_adjustments(folder.parent / FINDINGS_TOML)
        return facts.decided(adjustments, out=Workspace(folder.parent).as_option)

    def decided(self, adjustments: Adjustments, *, out: str = "") -> Self:
        """Return the facts with what was decided about each finding, and what was decided of others.

        Args:
            adjustments: What findings.toml holds.
            out: The option that names the workspace in commands; empty where they find it.
        """
        seen = [
            finding.model_copy(update={"state": finding.decided(adjustments)})
            for finding in self.findings
            if not finding.is_from_decision
        ]
        return self.model_copy(update={"findings": tuple(with_applied(seen, adjustments, out=out))})


def with_applied(seen: Sequence[Finding], adjustments: Adjustments, *, out: str = "") -> list[Finding]:
    """Return findings with those that were applied and are not seen any more, known from findings.toml alone.

    Args:
        seen: What was seen in the data.
        adjustments: What findings.toml holds.
        out: The option that names the workspace in commands; empty where they find it.
    """
    entries: dict[str, list[Exclusion | Grouping | Relabelling]] = {}
    decided: tuple[Exclusion | Grouping | Relabelling, ...]
    decided = (*adjustments.excluded, *adjustments.grouped, *adjustments.relabelled)
    for entry in decided:
        entries.setdefault(entry.finding, []).append(entry)
    for finding in seen:
        if finding.action is not None:
            entries.pop(finding.id, None)
    told = {name: _as_applied(name, found, out=out) for name, found in entries.items()}
    return list(({finding.id: finding for finding in seen} | told).values())


def _as_applied(name: str, entries: Sequence[Exclusion | Grouping | Relabelling], *, out: str) -> Finding:
    images = list(dict.fromkeys(image for entry in entries for image in entry.images))
    done = {kind: sum(len(entry.images) for entry in entries if isinstance(entry, kind)) for kind in _DONE}
    told = [f"{n:,} {_DONE[kind]}" for kind, n in done.items() if n]
    what = f"decided about, {' and '.join(told)}" if len(told) > 1 else _DONE[type(entries[0])]
    return Finding(
        id=name,
        severity="note",
        title=f"{amount(len(images), 'image')} {what}: {entries[0].why}",
        n=len(images),
        examples=some(images),
        advice="Nothing has to be done; the photographs themselves were not touched.",
        command=shlex.join(["imgcls", "eda", "undo", name]) + out,
        action=_ACTIONS.get(type(entries[0])),
        state="applied",
    )


_DONE = {Exclusion: "left out", Grouping: "kept together", Relabelling: "given another label"}
_ACTIONS: Mapping[type, Action] = {Exclusion: "exclude", Grouping: "group"}


LEAST_AUC = 0.6
"""The least AUC of a guess or a comparison that matters."""
LEAST_AUC_OF: Mapping[str, float] = MappingProxyType({"bytes": 0.9, "size": 0.7})
"""From what a guess is by to another least AUC."""
LEAST_P = 0.005
"""The least p that 199 shuffles can show; a stricter level would ask for what nobody measures."""


def is_telling(guess: LeakageProbe, *, n_guesses: int) -> bool:
    """Whether the label can be guessed better than chance explains, and well enough to matter.

    The size of an image, and still more that of its file, come with what is photographed: a defect that makes a
    picture darker makes its file smaller. They have to tell more before anybody should look.

    Args:
        guess: One of them.
        n_guesses: How many there are, since the best of many is good by chance too.
    """
    return guess.auc >= LEAST_AUC_OF.get(guess.by, LEAST_AUC) and guess.p <= max(0.05 / max(1, n_guesses), LEAST_P)


def is_drifted(drift: Drift, *, n_comparisons: int) -> bool:
    """Whether two parts differ by more than chance explains, and by enough to matter.

    Args:
        drift: One comparison.
        n_comparisons: How many were made.
    """
    return drift.auc >= LEAST_AUC and drift.p <= 0.05 / max(1, n_comparisons)
