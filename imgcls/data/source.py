"""Where photographs and labels are and how they are read, as one value: from Python, a shell, a file or a workspace."""

from __future__ import annotations

import hashlib
import math
import shlex
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypedDict

from imgcls.data.files import DEFAULT_DATA
from imgcls.errors import RecordError, UsageError, nearest_hint
from imgcls.storage import canonical_json

if TYPE_CHECKING:
    import pandas as pd

    from imgcls.data.samples import ProblemType


OFF = "none"
"""What switches the test list off where a path could stand."""
FINDINGS_TOML = "findings.toml"
"""The file of a workspace that says what of its data is left out, stays together, and gets another label."""
REVIEW = "review"
"""What stands there as the finding of all that a review decided."""
KNOWN_PREFIXES = ("torchvision:", "fastai:")
"""How the names of sets begin that a library knows and fetches."""
_FLAGS = {
    "images": "--images",
    "label": "--label",
    "id": "--id",
    "group": "--group",
    "split": "--split",
    "delimiter": "--delimiter",
    "stretch": "--stretch",
    "problem_type": "--type",
    "test": "--test",
    "valid": "--valid",
    "split_seed": "--split-seed",
    "label_from": "--label-from",
    "group_from": "--group-from",
    "header": "--header",
    "spelling": "--spelling",
    "exclude": "--exclude",
    "missing": "--missing",
    "test_share": "--test-share",
}
"""Field of a `DataSource` → the option of a command that sets it."""
_PLACES = frozenset({"data", "images", "test", "findings"})
"""Fields that say where something lies: the fingerprint of the data and their findings speak for them."""
_BESIDE = ("images", "test", "findings")
_OF_ONE_READING = frozenset({"findings", "verify"})
"""Fields that belong to a workspace or to one command, and do not tell data from others."""


Header = Literal["first", "none"]
"""Whether the first row of a table names its columns."""
Spelling = Literal["join", "keep"]
"""Whether labels that are equal as numbers, or in Unicode's normal form, are one class."""
Missing = Literal["stop", "exclude"]
"""What happens to rows of a table whose photograph is not there."""


class DataOptions(TypedDict, total=False):
    """How data are read, as keywords of a public function: the fields of a `DataSource`, which documents them."""

    images: str | Path | None
    label: str | Sequence[str] | None
    id: str | None
    group: str | None
    split: str | None
    problem_type: ProblemType | None
    delimiter: str | None
    valid: float | None
    split_seed: int | None
    test: str | Path | None
    stretch: str | None
    findings: str | Path | None
    verify: bool
    label_from: str | None
    group_from: str | None
    header: Header | None
    spelling: Spelling | None
    exclude: str | Sequence[str] | None
    missing: Missing | None
    test_share: float | None


@dataclass(frozen=True)
class DataSource:
    """Where the photographs and labels are, and how they are to be read."""

    data: str | Path | pd.DataFrame | None = None
    """A folder, a table, a frame, `torchvision:NAME`, `fastai:NAME`, or None for the default data."""
    images: str | Path | None = None
    """For a table: the folder of its photographs."""
    label: str | Sequence[str] | None = None
    """For a table: the column of labels, or several of 0 and 1."""
    id: str | None = None
    """For a table: the column that names files."""
    group: str | None = None
    """For a table: the column of groups that stay together."""
    split: str | None = None
    """For a table: the column that says train, valid or test; `none` uses no parts that the data give."""
    problem_type: ProblemType | None = None
    """`binary`, `multiclass` or `multilabel`; None finds out."""
    delimiter: str | None = None
    """For a table: what separates several classes in a cell."""
    valid: float | None = None
    """Share of the samples outside test that validate, in (0, 1); None takes the data's own advice, or 0.2."""
    split_seed: int | None = None
    """Decides who trains and who validates, apart from the seed of training; None is 0."""
    test: str | Path | None = None
    """For a table: the table of photographs to predict; `none` for none, None finds one called test beside it."""
    stretch: str | None = None
    """Of photographs of more than 8 bits, the values that are black and white, `LOW:HIGH`; None takes 0:65535."""
    findings: str | Path | None = None
    """A findings.toml: what is left out and what stays together; None for nothing."""
    verify: bool = False
    """Whether every photograph is read and hashed again instead of trusting size and time stamp."""
    label_from: str | None = None
    """Where the label stands in the relative path or the name of a photograph: see `imgcls.data.patterns`."""
    group_from: str | None = None
    """Likewise what stays together when the samples are split."""
    header: Header | None = None
    """For a table: whether its first row names the columns; None looks."""
    spelling: Spelling | None = None
    """Whether labels equal as numbers (1, 1.0) or in Unicode's normal form are one class; None refuses them."""
    exclude: str | Sequence[str] | None = None
    """Patterns of relative paths (`*_mask.png`, `old/**`) that are no photographs of the data set; `none` keeps
    masks beside photographs, which would be asked about."""
    missing: Missing | None = None
    """For a table: what happens to rows whose photograph is not there; None is `stop`."""
    test_share: float | None = None
    """Share of the photographs that is drawn into the test part and sealed, in (0, 1); None draws none."""

    @classmethod
    def of(cls, data: object, options: Mapping[str, object]) -> DataSource:
        """Return the source of what was passed to a public function.

        Args:
            data: What was passed as the data; a `DataSource` keeps what the options do not set.
            options: Those of `DataOptions` that were passed.

        Raises:
            UsageError: An option does not exist.
        """
        given: dict[str, Any] = dict(options)
        known = list(DataOptions.__annotations__)
        if unknown := [name for name in given if name not in known]:
            raise UsageError.together([f"There is no option {name!r}.{nearest_hint(name, known)}" for name in unknown])
        if isinstance(data, DataSource):
            return replace(data, **given)
        named: Any = data
        return cls(named, **given)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the source that `to_json` or `said` wrote; what is missing was not said.

        Raises:
            RecordError: A newer imgcls wrote it, or a hand: it holds something else.
        """
        known = [entry.name for entry in fields(cls)]
        if unknown := [name for name in value if name not in known]:
            raise RecordError(f"{unknown[0]!r} does not say how data are read.{nearest_hint(unknown[0], known)}")
        return cls(**value)

    @property
    def is_frame(self) -> bool:
        """Whether the data are in memory, where no other process sees them and no command can name them."""
        return self.data is not None and not isinstance(self.data, str | Path)

    @property
    def is_default(self) -> bool:
        """Whether these are the data that stand for data that nobody named."""
        return self.data is None or (not self.is_frame and str(self.data) == DEFAULT_DATA)

    @property
    def label_columns(self) -> tuple[str, ...]:
        """The columns of labels that were named; empty where they are found."""
        return (self.label,) if isinstance(self.label, str) else tuple(self.label or ())

    @property
    def globs(self) -> tuple[str, ...]:
        """The patterns of what is left out that were named, without `none`."""
        return tuple(glob for glob in self._exclude if glob != OFF)

    @property
    def keeps_all(self) -> bool:
        """Whether it was said that nothing else is left out on a sign, such as masks beside photographs."""
        return OFF in self._exclude

    @property
    def _exclude(self) -> tuple[str, ...]:
        return (self.exclude,) if isinstance(self.exclude, str) else tuple(self.exclude or ())

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of a table that were named."""
        return (*self.label_columns, *(name for name in (self.id, self.group, self.split) if name is not None))

    def to_json(self) -> dict[str, Any]:
        """Return every field as a JSON value, as a ladder keeps it; a frame has none."""
        return {entry.name: _plain(getattr(self, entry.name)) for entry in fields(self)}

    def said(self) -> dict[str, Any]:
        """Return the fields that were said as JSON values, as what was read of data keeps them."""
        value = {name: entry for name, entry in self.to_json().items() if name not in _OF_ONE_READING}
        return {name: _in_one_form(entry) for name, entry in value.items() if entry is not None}

    def as_argument(self) -> str:
        """Name the data for a command that takes them in place, as a shell takes it, with a blank before each word."""
        return self._words("")

    def as_options(self) -> str:
        """Name the data for a command that takes them as an option, likewise."""
        return self._words("--data ")

    def _words(self, named: str) -> str:
        """Return what has to be typed again: nothing for what was not said, and a frame has no name."""
        words = [] if self.data is None or self.is_frame else [f"{named}{shlex.quote(str(self.data))}"]
        said = as_words({name: getattr(self, name) for name in _FLAGS})
        return "".join(f" {word}" for word in (*words, said) if word)

    def key(self, fingerprint: str, findings: bytes = b"") -> str:
        """Return what tells data that are read in one way from others.

        It holds no place, so that a workspace that was copied together with its data knows them again.

        Args:
            fingerprint: What the data look like; see `imgcls.data.files.data_fingerprint`.
            findings: The content of findings.toml; empty where there is none.

        Returns:
            64 hexadecimal digits.
        """
        chosen = {name: value for name, value in self.said().items() if value not in (0, "", [])}
        reading = {name: value for name, value in chosen.items() if name not in _PLACES}
        if self.test == OFF:
            reading["test"] = OFF
        identity = {"reading": reading, "data": fingerprint, "findings": _decided(findings)}
        return hashlib.sha256(canonical_json(identity).encode("ascii")).hexdigest()

    def filled_from(self, other: DataSource) -> Self:
        """Return the source with what was not said taken from another."""
        missing = [entry.name for entry in fields(self) if getattr(self, entry.name) is None]
        return replace(self, **{name: getattr(other, name) for name in missing})

    def absolute(self) -> Self:
        """Return the source in words that mean the same in every process of this machine; names of sets stay.

        A place is looked for from here, and then from where the data lie, as reading them finds it.
        """
        data = self.data
        if isinstance(data, str | Path) and not is_named_set(str(data)):
            data = str(Path(data).absolute())
        home = Path(data) if isinstance(data, str | Path) else Path()
        named = {name: getattr(self, name) for name in _BESIDE}
        beside = {name: place for name, place in named.items() if place is not None and str(place) != OFF}
        found: dict[str, Any] = {
            name: str(place_from(Path(), home, place).absolute()) for name, place in beside.items()
        }
        return replace(self, data=data, **found)

    def relative_to(self, folder: Path) -> Self:
        """Return the source with places in a folder named from there, and others from the root of the disk."""
        return self._with_places(lambda place: relative_place(place, folder))

    def absolute_from(self, folder: Path) -> Self:
        """Return the source with places that lie in a folder as absolute paths; the opposite of `relative_to`."""
        return self._with_places(lambda place: str(folder / place) if (folder / place).exists() else place)

    def _with_places(self, change: Callable[[str | Path], str | Path]) -> Self:
        said = {name: getattr(self, name) for name in _PLACES}
        changed: dict[str, Any] = {name: change(at) for name, at in said.items() if isinstance(at, str | Path)}
        return replace(self, **changed)


def as_words(options: Mapping[str, Any]) -> str:
    """Write fields of a `DataSource` as options of a command; nothing for what was not said."""
    words = []
    for field, flag in {"data": "--data", **_FLAGS}.items():
        value = options.get(field)
        if value not in (None, 0, ""):
            values = value if isinstance(value, list | tuple) else [value]
            words += [f"{flag} {shlex.quote(str(one))}" for one in values]
    return " ".join(words)


def stretch_of(text: str | None) -> tuple[float, float] | None:
    """Return the values that are black and white, of `LOW:HIGH`; None where nothing was said.

    Raises:
        UsageError: It is no two numbers, or the first is not the smaller one.
    """
    if text is None:
        return None
    low, colon, high = text.partition(":")
    try:
        ends = float(low), float(high)
    except ValueError:
        ends = math.nan, math.nan
    if not colon or not all(map(math.isfinite, ends)) or not ends[0] < ends[1]:
        raise UsageError(
            f"The stretch (--stretch) is {text!r}, and has to be LOW:HIGH, the values that are black and white, "
            "such as 0:4095 for photographs of 12 bits."
        )
    return ends


def stretch_text(stretch: tuple[float, float] | None) -> str | None:
    """Return a stretch as `LOW:HIGH`; the opposite of `stretch_of`."""
    return (
        None if stretch is None else ":".join(f"{end:g}" if end == float(f"{end:g}") else repr(end) for end in stretch)
    )


def is_named_set(source: str) -> bool:
    """Return whether a source is the name of a known set, and no place on the disk."""
    return source == DEFAULT_DATA or source.startswith(KNOWN_PREFIXES)


def is_same_source(one: object, other: object) -> bool:
    """Return whether two sources are the same data: the same name, or the same place on the disk."""
    if not isinstance(one, str | Path) or not isinstance(other, str | Path):
        return False
    names = str(one), str(other)
    if names[0] == names[1]:
        return True
    if any(map(is_named_set, names)):
        return False
    return Path(one).expanduser().resolve() == Path(other).expanduser().resolve()


def place_from(root: Path, home: Path | None, named: str | Path) -> Path:
    """Return the place that is named from a root, or else from where the data lie.

    Args:
        root: Where a path begins.
        home: The folder or the table of the data; None where they have no place.
        named: The path.
    """
    path = Path(named).expanduser()
    beside = root / path if home is None else (home if home.is_dir() else home.parent) / path
    return beside if not (root / path).exists() and beside.exists() else root / path


def relative_place(place: str | Path, folder: Path) -> str:
    """Return a place from a folder that holds it, else from the root of the disk; what is no place stays as it is."""
    if not Path(place).exists():  # the name of a known set, or `none`
        return str(place)
    path, home = Path(place).resolve(), folder.resolve()
    return path.relative_to(home).as_posix() if path.is_relative_to(home) else str(path)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _in_one_form(value: Any) -> Any:
    """Return one column alone, which means the same as a list of it."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _decided(findings: bytes) -> Any:
    """Return what findings.toml leaves out, keeps together and labels, whatever it gives as reasons."""
    try:
        value = tomllib.loads(findings.decode("utf-8"))
        left_out = value.get("excluded", [])
        excluded = {image for entry in left_out if entry.get("finding") != REVIEW for image in entry["images"]}
        reviewed = {image for entry in left_out if entry.get("finding") == REVIEW for image in entry["images"]}
        grouped = sorted(sorted(set(entry["images"])) for entry in value.get("grouped", []))
        relabelled = {
            (image, entry["was"], entry["label"]) for entry in value.get("relabelled", []) for image in entry["images"]
        }
    except (ValueError, TypeError, KeyError, AttributeError):  # whoever reads the data says what is wrong with it
        return hashlib.sha256(findings).hexdigest()
    decided: dict[str, Any] = {"excluded": sorted(excluded), "grouped": grouped}
    if reviewed or relabelled:  # what a review decided is done after the parts are drawn, so it makes other data
        decided["review"] = {"excluded": sorted(reviewed), "relabelled": sorted(relabelled)}
    return decided
