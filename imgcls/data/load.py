"""Loading a data set from a folder, a table or a frame; its test list; and what each of its files is for."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Unpack, get_args

import pandas as pd

from imgcls.data.elpv import TABLE as ELPV_TABLE
from imgcls.data.elpv import load_elpv
from imgcls.data.files import (
    DEFAULT_DATA,
    OWN_FOLDERS,
    TABLE_SUFFIXES,
    Excluded,
    Finder,
    is_hidden,
    is_image_name,
    list_images,
)
from imgcls.data.folder import has_split_folders, load_folder, names_no_class
from imgcls.data.samples import Samples, check_class_names, frame_of
from imgcls.data.source import OFF, DataOptions, DataSource
from imgcls.data.tables import (
    LABEL_NAMES,
    Peek,
    Table,
    check_named,
    find_ids,
    label_columns,
    locate_all,
    peek,
    read_labels,
    read_table,
)
from imgcls.errors import DataError, nearest

Role = Literal["photographs", "labels", "test list", "sample submission", "metadata", "sealed labels", "other"]
"""What a file is for; sealed labels are those of the photographs to predict, and are never read."""
UNDERSTOOD = "a folder, a CSV, TSV or Parquet file, a pandas frame, or 'elpv' (the default)"
_STEM = "test"
_ADVICE = "Without a test list: --test none (from Python: test='none')."
_SPLIT_NAMES = {
    "": "",
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "test": "test",
    "testing": "test",
}
_ORDER = get_args(Role)
_MOST_FOLDERS = 12
_TRUTH = ("label", "truth", "solution", "answer")
"""What the name of a table may say that holds the labels of the photographs to predict."""
_TEST, _OTHER = 1, 2


def load_samples(data: Any = None, **options: Unpack[DataOptions]) -> Samples:
    """Read a data set from wherever it is on this machine; what its findings.toml says is not followed.

    A folder is read by its class folders; where it holds train.csv, or has no class folders and
    exactly one table that is neither for testing nor a submission, the table says what is what.

    Args:
        data: A `DataSource`, or what one names: a folder, a table, a frame, or "elpv"; None is "elpv".
        **options: How the data are read; see `DataSource`.

    Raises:
        DataError: There is no such source, or it cannot be read; the message says why.
    """
    source = DataSource.of(data, options)
    if isinstance(source.data, pd.DataFrame):
        return load_table(source.data, source)
    if source.data is None or _is_elpv(source):
        return load_elpv()
    path = _existing(source.data)
    if path.is_dir():
        table = table_in(path, source)
        return load_table(table, source) if table else load_folder(path, problem_type=source.problem_type)
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise DataError(f"{path}: this file is no table. Understood are {UNDERSTOOD}.")
    return load_table(path, source)


def _existing(source: str | Path) -> Path:
    path = Path(source).expanduser()
    if path.exists():
        return path
    names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = nearest(path.name, names, most=1)
    hint = f"Did you mean {str(path.parent / near[0])!r}?" if near else f"Understood are {UNDERSTOOD}."
    raise DataError(f"{source}: there is no such file or folder. {hint}")


def load_unlabelled(
    paths: Sequence[Path], *, images: str | Path | None = None, id: str | None = None
) -> list[tuple[str, Path]]:
    """List photographs to predict.

    Args:
        paths: Files of images, folders (read with all below them) and tables (CSV, TSV, Parquet).
        images: The folder of the photographs that tables name; None looks beside the table.
        id: The column of tables that names files; None finds out.

    Returns:
        (id, path) for each photograph, in the order of `paths`. The id is the name of a file, the path
        relative to its folder, or the text in the table; where these repeat, the path as given.

    Raises:
        DataError: A path does not exist, a folder holds no images, or a table cannot be read.
    """
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise DataError.together([f"{path}: there is no such file or folder." for path in missing])
    source = DataSource(images=images, id=id)
    found = [entry for path in paths for entry in _found_at(path, source)]
    repeated = {name for name, n in Counter(name for name, _ in found).items() if n > 1}
    return [(str(path) if name in repeated else name, path) for name, path in found]


def _found_at(path: Path, source: DataSource) -> Iterator[tuple[str, Path]]:
    if path.suffix.lower() in TABLE_SUFFIXES and path.is_file():
        table = read_table(path)
        column, finder = find_ids(table, home=path.absolute().parent, source=source, skip=())
        located = locate_all(table, column, finder)
        yield from zip(table.columns[column], map(Path, located), strict=True)
    elif path.is_dir():
        names = list_images(path).images
        if not names:
            raise DataError(f"{path}: no images were found in this folder or below it.")
        yield from ((name, path / name) for name in names)
    else:
        yield path.name, path


@dataclass(frozen=True)
class Choices:
    """What a table turned out to mean."""

    id: str
    """The column that names the files."""
    label: tuple[str, ...]
    """The column of labels, or the columns of 0 and 1."""
    finder: Finder
    """Where the files lie."""
    test: Path | None
    """The table of photographs to predict."""

    @property
    def images(self) -> Path:
        """The folder of the photographs."""
        return self.finder.folders[0]


def load_table(table_or_frame: Path | pd.DataFrame, source: DataSource | None = None) -> Samples:
    """Read a data set from a table.

    Args:
        table_or_frame: A file or a frame; the paths of a frame start from the current folder.
        source: Says which columns mean what, and where the photographs lie.

    Raises:
        DataError: The table cannot be read; a column is missing or not to be distinguished from others; an id
            occurs twice, leaves the folder of images or names no file (all rows are listed); a label
            is missing; the test list cannot be used.
    """
    source = source or DataSource()
    table = read_table(table_or_frame)
    home = _home(table_or_frame)
    chosen = _choices(table_or_frame, table, source)
    paths = locate_all(table, chosen.id, chosen.finder)
    splits = _splits(table, source.split)
    labels = read_labels(
        table,
        chosen.label,
        is_test=[split == "test" for split in splits],
        problem_type=source.problem_type,
        delimiter=source.delimiter,
    )
    check_class_names(labels.classes, where=table.name, remedy="Rename them in the table.")
    test = read_test_list(
        chosen.test, source, id_column=chosen.id, images=chosen.images, labelled=table, used=frozenset(paths)
    )
    groups = table.columns[source.group] if source.group else [""] * len(table)
    n_test = len(test.ids)
    folders = dict.fromkeys(folder for folder in (chosen.images, test.folder) if folder)
    return Samples(
        frame=frame_of(
            ids=[*table.columns[chosen.id], *test.ids],
            paths=[*paths, *test.paths],
            labels=[*labels.texts, *[""] * n_test],
            groups=[*groups, *test.groups],
            splits=[*splits, *["test"] * n_test],
        ),
        classes=labels.classes,
        problem=labels.problem,
        name="frame" if isinstance(table_or_frame, pd.DataFrame) else _name(table_or_frame, home),
        root=home,
        excluded=_not_listed(folders, home, used={*paths, *test.paths}, table=table),
        notes=(*labels.notes, *test.notes),
    )


def choices_of(path: Path, source: DataSource) -> Choices:
    """Describe what the columns of a table are taken for, without looking at its labels.

    Raises:
        DataError: It cannot be read, or a column cannot be distinguished from others.
    """
    return _choices(path, read_table(path), source)


def _choices(path: Path | pd.DataFrame, table: Table, source: DataSource) -> Choices:
    check_named(table, source)
    home = _home(path)
    column, finder = find_ids(table, home=home, source=source)
    labels = label_columns(table, column, source)
    file = None if isinstance(path, pd.DataFrame) else path
    return Choices(column, labels, finder, find_test_list(file, home=home, wanted=source.test))


def _home(source: Path | pd.DataFrame) -> Path:
    return Path.cwd() if isinstance(source, pd.DataFrame) else source.absolute().parent


def _splits(table: Table, column: str | None) -> list[str]:
    if column is None:
        return [""] * len(table)
    values = table.columns[column]
    wrong = [row for row, value in enumerate(values) if value.strip().lower() not in _SPLIT_NAMES]
    if wrong:
        places = table.places(wrong, [values[row] for row in wrong])
        raise DataError(
            f"{table.name}: no split at {places}. Column {column!r} may hold train, valid, test or nothing."
        )
    return [_SPLIT_NAMES[value.strip().lower()] for value in values]


def _not_listed(folders: Iterable[Path], home: Path, *, used: Collection[str], table: Table) -> tuple[Excluded, ...]:
    listed = {
        absolute / name
        for absolute in map(Path.absolute, folders)
        for name in list_images(absolute, skip=OWN_FOLDERS).images
    }
    others = [path for path in listed if str(path) not in used]
    shown = [path.relative_to(home).as_posix() if path.is_relative_to(home) else str(path) for path in others]
    return tuple(Excluded(path, f"not listed in {table.name}") for path in sorted(shown))


def _name(source: Path, home: Path) -> str:
    """Name a data set by its table, or by the folder where the table has the name that all have."""
    return home.name if source.stem.lower() in {"train", "labels"} and home.name else source.stem


@dataclass(frozen=True)
class TestList:
    """Photographs to predict."""

    __test__ = False  # it is no test of pytest's

    ids: tuple[str, ...] = ()
    """Their names, exactly as given."""
    paths: tuple[str, ...] = ()
    """Their files."""
    groups: tuple[str, ...] = ()
    """Their groups, "" where there is none."""
    folder: Path | None = None
    """Where they lie; None without a list."""
    notes: tuple[str, ...] = ()
    """Sentences that a person should read."""


def find_test_list(table: Path | None, *, home: Path, wanted: str | Path | None) -> Path | None:
    """Find the test list of a table.

    Args:
        table: The table of labels; None for a frame.
        home: The folder of the table.
        wanted: A path, from the current folder or from that of the table; `none` for none; None finds a table
            called test beside one of labels.

    Raises:
        DataError: The path leads nowhere.
    """
    if wanted is None:
        if table is None:
            return None
        others = (path for path in sorted(home.iterdir()) if path.is_file() and path.name != table.name)
        return next(
            (path for path in others if path.suffix.lower() in TABLE_SUFFIXES and path.stem.lower() == _STEM), None
        )
    if str(wanted) == OFF:
        return None
    found = next((path for path in (Path(wanted).expanduser(), home / wanted) if path.is_file()), None)
    if found is None:
        raise DataError(f"{wanted}: there is no such test list, neither here nor in {home}. {_ADVICE}")
    return found


def read_test_list(
    path: Path | None,
    source: DataSource,
    *,
    id_column: str,
    images: Path,
    labelled: Table,
    used: Collection[str],
) -> TestList:
    """Read the ids of a test list; whatever else it holds, but for the groups, is not looked at.

    A list that was not asked for, and of which no photograph is there, is passed over with a note.

    Args:
        path: What `find_test_list` gave.
        source: How the table of labels is read.
        id_column: The column that names files there.
        images: Where these lie; the photographs of a test list often have a folder of their own.
        labelled: That table.
        used: The files that it names.

    Raises:
        DataError: The list cannot be read, files are missing, or it names photographs that have labels.
    """
    if path is None:
        return TestList()
    try:
        table = read_table(path)
    except DataError as problem:
        raise DataError(f"{problem} {_ADVICE}") from problem
    known = next((name for name in (source.id, id_column) if name in table.columns), None)
    try:
        column, finder = _find_ids(table, path, replace(source, id=known), images=images)
    except DataError as problem:
        if source.test is None:
            return TestList(notes=(f"{table.name} beside {labelled.name} is passed over as a test list. {problem}",))
        raise
    try:
        paths = locate_all(table, column, finder)
        _check_apart(table, column, paths, labelled=labelled, id_column=id_column, used=used)
    except DataError as problem:
        raise DataError(f"{problem}\n{_ADVICE}") from problem
    groups = table.columns.get(source.group or "", [""] * len(table))
    note = f"The {len(table)} photographs of {table.name} are the test part: predicted, never trained on."
    return TestList(tuple(table.columns[column]), tuple(paths), tuple(groups), finder.folders[0], (note,))


def _find_ids(table: Table, path: Path, source: DataSource, *, images: Path) -> tuple[str, Finder]:
    """Find the ids and their files around the list and where the labelled ones are; what was asked for comes first."""
    home = path.absolute().parent
    first, second = (images, None) if source.images is not None else (None, images)
    try:
        return find_ids(table, home=home, source=replace(source, images=first))
    except DataError as problem:
        with contextlib.suppress(DataError):
            return find_ids(table, home=home, source=replace(source, images=second))
        raise problem from None


def _check_apart(
    table: Table, column: str, paths: Sequence[str], *, labelled: Table, id_column: str, used: Collection[str]
) -> None:
    """Refuse a list that names photographs of the table of labels.

    Raises:
        DataError: It does; all rows are listed.
    """
    ids, known = table.columns[column], set(labelled.columns[id_column])
    both = [row for row, path in enumerate(paths) if path in used or ids[row] in known]
    if both:
        places = table.places(both, [ids[row] for row in both])
        raise DataError(
            f"{table.name}: {len(both)} of {len(table)} photographs are in {labelled.name} too: {places}. A photograph "
            "is either for training or to be predicted."
        )


def table_in(root: Path, source: DataSource) -> Path | None:
    """Find the table of labels in a folder; None where its class folders say what is what.

    Args:
        root: The folder.
        source: What was said of a table; saying anything asks for one.

    Raises:
        DataError: There are several, or columns were asked for and there is none.
    """
    return None if _asks_for_folders(root, source) else _the_table(root, source)


def _asks_for_folders(root: Path, source: DataSource) -> bool:
    """Whether a folder is to be read by its class folders although a table may lie in it."""
    if _asks_for_table(source):
        return False
    names = list_images(root, skip=OWN_FOLDERS).images
    if has_split_folders(names):
        return True
    tops = {name.split("/")[0] for name in names if "/" in name}
    classes = [top for top in tops if not names_no_class(top)]
    return len(classes) > 1 and not (root / "train.csv").is_file()


def _asks_for_table(source: DataSource) -> bool:
    test = None if source.test is not None and str(source.test) == OFF else source.test
    return any((source.images, source.label, source.id, source.group, source.split, test))


def _the_table(root: Path, source: DataSource) -> Path | None:
    if (root / "train.csv").is_file():
        return root / "train.csv"
    tables = [
        path
        for path in sorted(root.iterdir())
        if path.suffix.lower() in TABLE_SUFFIXES and path.is_file() and not is_hidden(path.name)
        if "submission" not in path.stem.lower() and not path.stem.lower().startswith("test")
    ]
    if len(tables) > 1 or (_asks_for_table(source) and not tables):
        names = ", ".join(path.name for path in tables) or "none"
        raise DataError(f"{root}: which table holds the labels? There is {names}. Name the table itself.")
    return tables[0] if tables else None


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
    headless = samples.root / ELPV_TABLE if _is_elpv(source) else None
    if table is not None:
        said[table] = "labels"
    if table is not None and table != headless:
        choices = choices_of(table, source)
        labels = choices.label
        if choices.test is not None:
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
    if _is_elpv(source):
        return samples.root / ELPV_TABLE
    path = Path(str(source.data)).expanduser()
    if path.is_file():
        return path.absolute()
    table = table_in(path, source) if path.is_dir() else None
    return table.absolute() if table else None


def _is_elpv(source: DataSource) -> bool:
    return source.data is None or (not source.is_frame and str(source.data) == DEFAULT_DATA)


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
    left_out = (PurePosixPath(entry.path).parent for entry in samples.excluded if is_image_name(entry.path))
    used = (
        _above_classes(PurePosixPath(samples.relative(path)).parent, samples.classes if split == "test" else ())
        for path, split in zip(samples.frame["path"], samples.frame["split"], strict=True)
    )
    folders = Counter(map(str, (*used, *left_out)))
    for shorten in (lambda folder: PurePosixPath(folder, "_").parts[0], lambda _: "*"):
        if len(folders) > _MOST_FOLDERS:
            folders = _summed(folders, shorten)
    yield from (FileRole(f"{folder}/", "photographs", n) for folder, n in folders.items())


def _above_classes(folder: PurePosixPath, classes: Sequence[str]) -> PurePosixPath:
    """Return the part of a folder's path before the first folder that bears the name of a class."""
    return PurePosixPath(*itertools.takewhile(lambda part: part not in classes, folder.parts))


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
    return FileRole(samples.relative(str(path)), role, seen.n_rows, seen.columns, path)


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
    left_out = [entry.path for entry in samples.excluded if not is_image_name(entry.path)]
    by_suffix: dict[str, list[str]] = {}
    for name in sorted({*names, *left_out}):
        if PurePosixPath(name).suffix.lower() not in TABLE_SUFFIXES:
            by_suffix.setdefault(PurePosixPath(name).suffix.lower(), []).append(name)
    for suffix, paths in by_suffix.items():
        yield FileRole(paths[0] if len(paths) == 1 else f"*{suffix}", "other", len(paths))
