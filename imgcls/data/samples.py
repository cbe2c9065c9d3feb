"""The samples of a data set: one row for each photograph, with its label, group and split."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from imgcls.data.assumptions import Assumption, Choice, DoubtError
from imgcls.data.files import Excluded, LostSample
from imgcls.data.source import Spelling
from imgcls.errors import DataError
from imgcls.text import amount, as_utf8, listed, look_alike

ProblemType = Literal["binary", "multiclass", "multilabel"]
COLUMNS = ("id", "path", "label", "group", "split", "sha256")
SPLITS = ("train", "valid", "test")
SEPARATOR = "|"
NO_CLASS = SEPARATOR
"""The label of a multi-label sample that is known to belong to no class ("" means: not known)."""

_DECIMAL = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{0,30})?")
_EMPTY = {
    "train": "give some samples the split train, or none, so that they are split.",
    "valid": "split the samples, or give some the split valid.",
}


class DataVersion(NamedTuple):
    """What tells one version of a data set from others."""

    data: str
    """See `Samples.data_digest`."""
    split: str
    """See `Samples.split_digest`."""


@dataclass(frozen=True, eq=False)
class Samples:
    """A data set: its samples, its classes in a stable order, and what was left out."""

    frame: pd.DataFrame
    """One row per sample; the text columns id, path, label, group, split and sha256 (see `frame_of`)."""
    classes: tuple[str, ...]
    """The class names; a target is a position in this order."""
    problem: ProblemType
    """Whether a sample has one of two classes, one of several, or any number of them."""
    name: str
    """The short name of the data set: the stem of its folder or table."""
    root: Path
    """The folder that ids and excluded paths are relative to."""
    excluded: tuple[Excluded, ...] = ()
    """The files and rows that are not used, in order of path."""
    suggested_valid: float = 0.2
    """The share of the samples outside test that should validate, in (0, 1)."""
    notes: tuple[str, ...] = ()
    """Sentences that a person should read."""
    licence: str = ""
    """The licence of the photographs, where it is known."""
    assumptions: tuple[Assumption, ...] = ()
    """How the data were understood where nobody said it, and the options that say otherwise."""
    stretch: tuple[float, float] | None = None
    """Of photographs of more than 8 bits, the values that are black and white; None where the data do not say."""

    stored: Mapping[str, str] = field(default_factory=dict)
    """From the path of a photograph that stands in a table to how a person knows it; see `Table.stored`."""
    reviewed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """From the id of a sample to the label that a review gives it, "" for none, and why: see `as_reviewed`."""
    before_review: DataVersion | None = None
    """What the samples were before a review changed labels; None where none did."""

    def __post_init__(self) -> None:
        if tuple(self.frame.columns) != COLUMNS:
            raise DataError(f"A frame of samples has the columns {list(COLUMNS)}, not {list(self.frame.columns)}.")

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def n_classes(self) -> int:
        """The number of classes."""
        return len(self.classes)

    @property
    def targets(self) -> npt.NDArray[np.int64] | npt.NDArray[np.uint8]:
        """The labels as numbers.

        Returns:
            int64 [n], a class index, or -1 where there is no label; for a multi-label problem
            uint8 [n, n_classes], all 0 where there is no label.
        """
        return as_targets(self.frame["label"], classes=self.classes, problem=self.problem)

    @property
    def is_labelled(self) -> npt.NDArray[np.bool_]:
        """Whether the label of each sample is known, bool [n]."""
        return (self.frame["label"] != "").to_numpy(dtype=bool)

    @property
    def n_per_split(self) -> dict[str, int]:
        """The number of samples in train, valid and test, and under "" those still to be split."""
        counts = self.frame["split"].value_counts()
        return {split: int(counts.get(split, 0)) for split in (*SPLITS, "") if split or split in counts}

    @property
    def data_digest(self) -> str:
        """A digest of the content: hex sha256 over classes, problem and every (id, label, sha256, group).

        It depends neither on the order of the rows, nor on where the files lie, nor on the labels
        of the test split, which are sealed. A stretch counts where there is one: it makes other pictures of the files.
        """
        shown = self.frame["label"].where(self.frame["split"] != "test", "")
        rows = sorted(zip(self.frame["id"], shown, self.frame["sha256"], self.frame["group"], strict=True))
        return _digest([list(self.classes), self.problem, rows, *([list(self.stretch)] if self.stretch else [])])

    @property
    def split_digest(self) -> str:
        """A digest of the split: hex sha256 over the sorted (id, split)."""
        return _digest(sorted(zip(self.frame["id"], self.frame["split"], strict=True)))

    def rows(self, split: str) -> npt.NDArray[np.int64]:
        """Return the positions in `frame` of the samples of one split, int64 [n]."""
        return np.flatnonzero((self.frame["split"] == split).to_numpy()).astype(np.int64)

    def part(self, split: str) -> Samples:
        """Return the samples of one split, in the same order."""
        return replace(self, frame=self.frame.iloc[self.rows(split)].reset_index(drop=True))

    def without(self, reasons: Mapping[str, str]) -> Samples:
        """Move samples to the excluded ones.

        Args:
            reasons: From the path of a sample, as in `frame`, to the reason.
        """
        paths = enumerate(self.frame["path"])
        return self.without_rows({row: reasons[path] for row, path in paths if path in reasons})

    def without_rows(self, reasons: Mapping[int, str]) -> Samples:
        """Move samples to the excluded ones, which remember what they were.

        Args:
            reasons: From the position of a sample in `frame` to the reason.
        """
        rows, places = sorted(reasons), self.places
        moved = []
        taken = self.frame[["id", "path", "label", "split"]].iloc[rows].itertuples(index=False, name=None)
        for row, (name, path, label, split) in zip(rows, taken, strict=True):
            sample = LostSample(name, split, "" if split == "test" else label, int(places[row]))
            moved.append(Excluded(self.relative(path) if path else name, reasons[row], sample))
        excluded = tuple(sorted((*self.excluded, *moved), key=lambda entry: entry.path))
        stays = np.ones(len(self), dtype=bool)
        stays[rows] = False
        return replace(self, frame=self.frame[stays].reset_index(drop=True), excluded=excluded)

    def as_reviewed(self) -> Samples:
        """Return the samples with the labels that a review gives them, without those that it leaves out.

        It is called once the parts are drawn. The sealed test stays as it is.
        """
        if not self.reviewed:
            return self
        labels, gone = self.frame["label"].tolist(), dict[int, str]()
        for row, (name, split) in enumerate(zip(self.frame["id"], self.frame["split"], strict=True)):
            if split != "test" and name in self.reviewed:
                label, why = self.reviewed[name]
                labels[row] = label or labels[row]
                if not label:
                    gone[row] = why
        before = DataVersion(self.data_digest, self.split_digest)
        return replace(self._with_column("label", labels), reviewed={}, before_review=before).without_rows(gone)

    @property
    def lost(self) -> tuple[LostSample, ...]:
        """The samples among what is excluded, in their order."""
        lost = (entry.sample for entry in self.excluded if entry.sample is not None)
        return tuple(sorted(lost, key=lambda sample: sample.place))

    @property
    def places(self) -> npt.NDArray[np.int64]:
        """The place of each sample among all samples of the data set, those that are excluded counted, int64 [n]."""
        lost = [sample.place for sample in self.lost]
        n_all = max([len(self) + len(lost), *(place + 1 for place in lost)])  # more where these are a part of them
        return np.delete(np.arange(n_all, dtype=np.int64), lost)[: len(self)]

    def with_split(self, splits: Sequence[str] | pd.Series) -> Samples:
        """Return the same samples with other splits, one for each row in the order of `frame`."""
        return self._with_column("split", list(splits))

    def with_sha256(self, digests: Sequence[str]) -> Samples:
        """Return the same samples with the digests of their files, one for each row in the order of `frame`."""
        return self._with_column("sha256", list(digests))

    def relative(self, path: str) -> str:
        """Return a path the way the user knows it: relative to the root where it lies below, or within its table."""
        if path in self.stored:
            return self.stored[path]
        try:
            return Path(path).relative_to(self.root.absolute()).as_posix()
        except ValueError:
            return path

    def _with_column(self, name: str, values: list[str]) -> Samples:
        if len(values) != len(self):
            raise DataError(f"{len(values)} values of {name} for {len(self)} samples; there must be one for each.")
        column = pd.Series(values, index=self.frame.index, dtype=object)
        return replace(self, frame=self.frame.assign(**{name: column}))


def frame_of(
    *,
    ids: Sequence[str],
    paths: Sequence[str],
    labels: Sequence[str],
    groups: Sequence[str] | None = None,
    splits: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Make the frame of `Samples`.

    The columns hold Python objects, since the text type of pandas cannot hold the name of a file
    that is no UTF-8.

    Args:
        ids: [n], the names of the samples, each different.
        paths: [n], absolute paths.
        labels: [n], exactly as given; several classes joined by "|"; "" where there is none.
        groups: [n], "" where there is none; None for no groups at all.
        splits: [n], train, valid, test or "" (to be split); None for all "".
    """
    blank = [""] * len(ids)
    columns = (list(ids), list(paths), list(labels), list(groups or blank), list(splits or blank), blank)
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)), dtype=object)


def as_targets(
    labels: Iterable[str], *, classes: Sequence[str], problem: str
) -> npt.NDArray[np.int64] | npt.NDArray[np.uint8]:
    """Return labels as numbers.

    Args:
        labels: [n], as `Samples.frame` and records hold them.
        classes: The names, in the order of the numbers.
        problem: `binary`, `multiclass` or `multilabel`.

    Returns:
        int64 [n], a class index, or -1 where there is no label; for a multi-label problem
        uint8 [n, n_classes], all 0 where there is no label.
    """
    index = {name: position for position, name in enumerate(classes)}
    if problem != "multilabel":
        return np.array([index.get(label, -1) for label in labels], dtype=np.int64)
    every = list(labels)
    targets = np.zeros((len(every), len(index)), dtype=np.uint8)
    for row, label in enumerate(every):
        targets[row, [index[name] for name in classes_in(label)]] = 1
    return targets


def classes_in(label: str) -> list[str]:
    """Return the classes that a multi-label label names."""
    return [name for name in label.split(SEPARATOR) if name]


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Put class names in a stable order: by number if all are integers, else by code point.

    The text is kept: "001" stays "001", and comes before "1" where both are classes.
    """
    distinct = sorted(set(names))
    if all(re.fullmatch(r"[+-]?[0-9]+", name) for name in distinct):
        distinct.sort(key=int)
    return tuple(distinct)


def check_class_names(names: Iterable[str], *, where: str, remedy: str) -> None:
    """Refuse names of classes that records, which are UTF-8, cannot hold.

    Args:
        names: The classes.
        where: The folder or table they are from.
        remedy: What to do, a sentence.

    Raises:
        DataError: Names hold bytes or characters that are no UTF-8; all are listed, as escapes.
    """
    escaped = ((name, as_utf8(name)) for name in names)
    if wrong := sorted(text for name, text in escaped if text != name):
        raise DataError(f"{where}: no valid UTF-8 in the class names {', '.join(wrong)}. {remedy}")


def lookalike_notes(classes: Sequence[str]) -> tuple[str, ...]:
    """Name the classes that differ only in blanks, case or the form of Unicode, one sentence for each set."""
    alike: dict[str, list[str]] = {}
    for name in classes:
        alike.setdefault(" ".join(name.split()).casefold(), []).append(name)
    sets = [", ".join(repr(name) for name in names) for names in alike.values() if len(names) > 1]
    return (
        *(f"The classes {names} differ only in blanks or case; they are kept apart." for names in sets),
        *(
            f"Classes {' and '.join(map(ascii, names))} are one name in two Unicode forms, and look the same. They are "
            "kept apart; if they are one class, give their folders or labels one form."
            for names in look_alike(classes)
        ),
    )


def equal_spellings(names: Iterable[str]) -> list[list[str]]:
    """Return the names of classes that are equal in value though not in text, the likeliest spelling of each first.

    Equal are numbers (1, 1.0 and 001), as tables that were joined or saved again write them, and texts in Unicode's
    normal form (é as one sign or as two), as file systems write them. Names that differ in blanks or case are not.
    """
    alike: dict[object, list[str]] = {}
    for name in sorted(set(names)):
        text = unicodedata.normalize("NFC", name)
        alike.setdefault(Fraction(text) if _DECIMAL.fullmatch(text) else text, []).append(name)
    return [
        sorted(same, key=lambda name: (unicodedata.normalize("NFC", name) != name, len(name), name))
        for same in alike.values()
        if len(same) > 1
    ]


def one_spelling(names: Iterable[str], wanted: Spelling | None, *, where: str) -> dict[str, str]:
    """Return how names of classes are written that are equal in value, from each other spelling to the one that stays.

    Args:
        names: The names, each as often as it comes.
        wanted: `join` makes one class of them; `keep` leaves them apart; None refuses them.
        where: The source, for the message.

    Raises:
        DoubtError: There are such names, and nobody said what they are.
    """
    alike = equal_spellings(names) if wanted != "keep" else []
    if alike and wanted is None:
        sets = listed(" and ".join(map(ascii, same)) for same in alike)
        kept = listed((ascii(same[0]) for same in alike), 3)
        raise DoubtError(
            f"{where}: labels are equal in value, and written in several ways: {sets}.",
            [
                Choice(f"they are one class each, written {kept}", {"spelling": "join"}),
                Choice("they are classes of their own", {"spelling": "keep"}),
            ],
        )
    return {other: same[0] for same in alike for other in same[1:]}


def shrunken_classes(samples: Samples) -> tuple[tuple[str, int, int], ...]:
    """Return the classes that vanish, or keep less than half of their samples, by all that is left out together.

    These are photographs that are missing or cannot be read, that are of a kind that is not read, and that a person or
    a finding excludes. The test part is not looked at.

    Returns:
        Class, how many samples it keeps, and of how many, in the order of the classes; then those that are none any
        more.
    """
    frame, is_multilabel = samples.frame, samples.problem == "multilabel"
    kept, lost = (
        Counter(name for label in labels for name in (classes_in(label) if is_multilabel else [label]))
        for labels in (frame["label"][frame["split"] != "test"], [sample.label for sample in samples.lost])
    )
    every = (*samples.classes, *class_order(lost.keys() - {"", *samples.classes}))
    counts = ((name, kept[name], kept[name] + lost[name]) for name in every)
    return tuple((name, n, n_before) for name, n, n_before in counts if 2 * n < n_before)


def loss_warnings(samples: Samples) -> tuple[str, ...]:
    """Return a sentence on the classes that what is left out empties or halves; none where there are none."""
    shrunken = listed(
        f"{as_utf8(name)!r} keeps {n:,} of {n_before:,}" for name, n, n_before in shrunken_classes(samples)
    )
    if not shrunken:
        return ()
    return (
        f"Warning: by what is left out, class {shrunken}. Fix the files, rows or --exclude first; or leave out such a "
        "class as a whole.",
    )


def check_samples(samples: Samples) -> None:
    """Refuse samples that cannot be trained on; to be called after the split.

    Raises:
        DataError: There are no samples, or one class only; a class is in valid or test but not in
            train; nothing trains or nothing validates. All that apply are named together.
    """
    if not len(samples):
        raise DataError(f"{samples.name}: no samples are left. {_excluded_advice(samples)}")
    problems = [*_class_problems(samples), *_split_problems(samples)]
    if problems:
        raise DataError.together(problems, heading=f"{samples.name}: {len(problems)} problems with the samples:")


def _excluded_advice(samples: Samples) -> str:
    if not samples.excluded:
        return "Check the folder or table."
    first = samples.excluded[0]
    return f"{len(samples.excluded)} were excluded, first {first.path!r}: {first.reason}."


def _class_problems(samples: Samples) -> list[str]:
    if samples.problem == "multilabel":
        return [] if samples.n_classes else ["no label names a class; check the label column."]
    n_found = len(set(samples.frame["label"]) - {""})
    if n_found > 1:
        return []
    names = ", ".join(repr(name) for name in samples.classes) or "none"
    return [f"there is {'only one class' if n_found else 'no class'} ({names}); a classifier needs at least two."]


def _split_problems(samples: Samples) -> list[str]:
    counts = samples.n_per_split
    problems = [f"no samples in {split}; {advice}" for split, advice in _EMPTY.items() if not counts[split]]
    known = _classes_of(samples.part("train"))
    for split in ("valid", "test"):
        unseen = [name for name in samples.classes if name in _classes_of(samples.part(split)) - known]
        if unseen and counts["train"]:
            names = ", ".join(repr(name) for name in unseen)
            if split == "test":  # its labels are sealed, so nobody is told which they are
                names = amount(len(unseen), "class", "classes")
            problems.append(f"in {split} but not in train: {names}; move samples to train or leave the class out.")
    return problems


def _classes_of(samples: Samples) -> set[str]:
    labels = set(samples.frame["label"]) - {""}
    return labels if samples.problem != "multilabel" else {name for label in labels for name in classes_in(label)}


def _digest(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()
