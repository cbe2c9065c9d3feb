"""What each file of a data set is for, seen without opening a photograph or looking at a label."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

from imgcls.data.elpv import TABLE as ELPV_TABLE
from imgcls.data.files import LEFT_OUT, TABLE_SUFFIXES, is_hidden, is_image_name, is_sample_submission
from imgcls.data.load import NOT_THERE, choices_of, table_in
from imgcls.data.redaction import folders_of, redacted_paths, shown_folders
from imgcls.data.samples import Samples
from imgcls.data.source import DataSource
from imgcls.data.tables import LABEL_NAMES, Peek, peek

Role = Literal["photographs", "labels", "test list", "sample submission", "metadata", "sealed labels", "other"]
"""What a file is for; sealed labels are those of the photographs to predict, and are never read."""
_ORDER = get_args(Role)
_MOST_FOLDERS = 12
_TRUTH = ("label", "truth", "solution", "answer")
"""What the name of a table may say that holds the labels of the photographs to predict."""
_TEST, _OTHER = 1, 2


@dataclass(frozen=True)
class FileRole:
    """One file, or many of one kind, and what they are for."""

    path: str
    """Relative to the root of the data where it lies below; a folder or pattern where there are many."""
    role: Role
    """What they are for."""
    n: int
    """Files, or rows of a table."""
    columns: tuple[str, ...] = ()
    """For a table: the names of its columns."""
    file: Path | None = None
    """For a table: the file itself."""
    fault: str = ""
    """For a table that nobody named: why it cannot be read, "" where it can."""


@dataclass(frozen=True)
class _Known:
    """What is known of the data set when a table is looked at."""

    places: dict[str, int]
    """From what a table may call a sample to whether that is in test, elsewhere, or both."""
    label_columns: frozenset[str]
    """Names of columns that may hold labels, in lower case; their values are not looked at."""
    said: dict[Path, Role]
    """The tables whose role is known."""
    headless: Path | None
    """A table without a header."""


def file_roles(
    source: DataSource,
    samples: Samples,
    *,
    sample_submission: str | Path | None = None,
    metadata: Sequence[str | Path] = (),
) -> tuple[FileRole, ...]:
    """Describe which files a data set has, and what each is for.

    Of tables beside that of the labels, only the header and some rows are looked at, and of columns that may hold
    labels not even these. A table that lies beside the folder and is called after it, such as `photos_senders.csv`
    beside `photos/`, is metadata where it names the samples.

    Args:
        source: What the samples were read from.
        samples: The samples.
        sample_submission: The file that shows what a submission looks like, if it is known.
        metadata: Tables that say more of the photographs, if they are known; they may lie elsewhere.

    Returns:
        Photographs first, then labels, test list, and so on; within a role in order of path.

    Raises:
        DataError: The table of labels cannot be read, or the test list that was named does not exist.
    """
    known = _known(source, samples, sample_submission, metadata)
    files = [path for path in _files(samples.root) if path not in known.said]
    tables = [path for path in files if path.suffix.lower() in TABLE_SUFFIXES]
    found = [
        *_photographs(samples),
        *(_table_role(path, known, samples) for path in (*known.said, *tables)),
        *_beside(known, samples),
        *_others(samples, [path.name for path in files if path not in tables]),
    ]
    return tuple(sorted(found, key=lambda entry: (_ORDER.index(entry.role), entry.path)))


def _known(
    source: DataSource,
    samples: Samples,
    sample_submission: str | Path | None,
    metadata: Sequence[str | Path],
) -> _Known:
    said: dict[Path, Role] = {}
    labels: tuple[str, ...] = ()
    table = _labels_table(source, samples)
    headless = samples.root / ELPV_TABLE if source.is_default else None
    if table is not None:
        said[table] = "labels"
    if table is not None and table != headless:
        choices = choices_of(table, source)
        labels = choices.label
        if choices.test is not None and not is_sample_submission(choices.test.name):
            said[choices.test.absolute()] = "test list"
    if sample_submission is not None:
        said[_place(sample_submission, samples.root)] = "sample submission"
    said.update({_place(path, samples.root): "metadata" for path in metadata})
    columns = frozenset(name.lower() for name in (*labels, *LABEL_NAMES, *samples.classes))
    return _Known(_places(samples), columns, said, headless)


def _labels_table(source: DataSource, samples: Samples) -> Path | None:
    """Find the table of labels; None where folders, or a frame, hold them."""
    if source.is_frame:
        return None
    if source.is_default:
        return samples.root / ELPV_TABLE
    path = Path(str(source.data)).expanduser()
    if path.is_file():
        return path.absolute()
    table = table_in(path, source) if path.is_dir() else None
    return table.absolute() if table else None


def _place(path: str | Path, root: Path) -> Path:
    """Return the place of a file that is named from here or from the root."""
    given = Path(path).expanduser()
    return given.absolute() if given.exists() else root / given


def _places(samples: Samples) -> dict[str, int]:
    """Note under every name that a table may use whether a sample is in test or not."""
    places: dict[str, int] = {}
    for name, split in zip(samples.frame["id"], samples.frame["split"], strict=True):
        path = PurePosixPath(name)
        for form in {name, str(path.with_suffix("")) if path.name else name, path.name, path.stem}:
            places[form] = places.get(form, 0) | (_TEST if split == "test" else _OTHER)
    return places


def _files(root: Path) -> list[Path]:
    """Return the regular files directly in a folder that are neither hidden nor photographs, in order."""
    entries = sorted(root.iterdir()) if root.is_dir() else []
    return [
        path.absolute()
        for path in entries
        if not is_hidden(path.name) and not is_image_name(path.name) and path.is_file()
    ]


def _beside(known: _Known, samples: Samples) -> Iterator[FileRole]:
    """Find the tables beside the folder that are called after it and say more of its samples."""
    folder = samples.root.resolve()
    for path in _files(folder.parent) if folder.name else []:
        if path.suffix.lower() in TABLE_SUFFIXES and path.stem.startswith(folder.name) and path not in known.said:
            found = _table_role(path, known, samples)
            if found.role == "metadata":
                yield replace(found, path=f"../{path.name}")


def _photographs(samples: Samples) -> Iterator[FileRole]:
    """Count photographs by folder; where there are many folders, by the first part of their path.

    Those of test are counted together, since folders of classes would tell how often each class is there.
    """
    there = (
        path
        for path, entry in zip(redacted_paths(samples), samples.excluded, strict=True)
        if not entry.reason.endswith((NOT_THERE, LEFT_OUT))
    )
    left_out = (PurePosixPath(path).parent for path in there if is_image_name(path))
    paths = [samples.relative(path) for path in samples.frame["path"]]
    is_test = (samples.frame["split"] == "test").tolist()
    is_shown = shown_folders((path for path, sealed in zip(paths, is_test, strict=True) if not sealed), samples.classes)
    used = (
        PurePosixPath(*itertools.takewhile(is_shown if sealed else lambda _: True, folders_of(path)))
        for path, sealed in zip(paths, is_test, strict=True)
    )
    folders = Counter(map(str, (*used, *left_out)))
    for shorten in (lambda folder: PurePosixPath(folder, "_").parts[0], lambda _: "*"):
        if len(folders) > _MOST_FOLDERS:
            folders = _summed(folders, shorten)
    yield from (FileRole(f"{folder}/", "photographs", n) for folder, n in folders.items())


def _summed(counts: Counter[str], shorten: Callable[[str], str]) -> Counter[str]:
    summed: Counter[str] = Counter()
    for name, n in counts.items():
        summed[shorten(name)] += n
    return summed


def _table_role(path: Path, known: _Known, samples: Samples) -> FileRole:
    """Describe what a table is for."""
    seen = peek(path, shown=lambda column: column.lower() not in known.label_columns)
    role = known.said.get(path) or _role_of(path.stem.lower(), seen, known)
    if path == known.headless:
        return FileRole(samples.relative(str(path)), role, seen.n_rows + 1, (), path)
    return FileRole(samples.relative(str(path)), role, seen.n_rows, seen.columns, path, seen.fault)


def _role_of(stem: str, seen: Peek, known: _Known) -> Role:
    """Tell from its name, its header and the samples that it names what a table is for."""
    if "submission" in stem:
        return "sample submission"
    if _is_prediction(seen.columns, known):
        return "other"
    where = _named(seen, known)
    if where == 0 and not stem.startswith("test"):
        return "other"
    if where & _OTHER:
        return "metadata"
    has_labels = any(column.lower() in known.label_columns for column in seen.columns)
    if has_labels or (len(seen.columns) > 1 and any(word in stem for word in _TRUTH)):
        return "sealed labels"
    return "test list" if len(seen.columns) == 1 or where == 0 else "metadata"


def _is_prediction(columns: Sequence[str], known: _Known) -> bool:
    """Whether a table has a probability for each of several classes, as imgcls writes them: it says nothing new."""
    return sum(column[:2] == "p_" and column[2:].lower() in known.label_columns for column in columns) > 1


def _named(seen: Peek, known: _Known) -> int:
    """Describe where the samples lie that a column of a table names, 0 where no column names any."""
    for values in seen.some.values():
        found = [known.places[value] for value in values if value in known.places]
        if found and 2 * len(found) >= len(values):
            return _OTHER if any(place & _OTHER for place in found) else _TEST
    return 0


def _others(samples: Samples, names: Iterable[str]) -> Iterator[FileRole]:
    """Count what is neither photograph nor table, by suffix."""
    left_out = [
        path
        for path, entry in zip(redacted_paths(samples), samples.excluded, strict=True)
        if not is_image_name(path) and not entry.reason.endswith(NOT_THERE)
    ]
    by_suffix: dict[str, list[str]] = {}
    for name in sorted({*names, *left_out}):
        if PurePosixPath(name).suffix.lower() not in TABLE_SUFFIXES:
            by_suffix.setdefault(PurePosixPath(name).suffix.lower(), []).append(name)
    for suffix, paths in by_suffix.items():
        yield FileRole(paths[0] if len(paths) == 1 else f"*{suffix}", "other", len(paths))
