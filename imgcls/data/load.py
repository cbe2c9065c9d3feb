"""Loading a data set from a folder, a table or a frame; its test list; and what each of its files is for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, Unpack

import pandas as pd

from imgcls.data.assumptions import Assumption, Choice, DoubtError
from imgcls.data.elpv import load_elpv
from imgcls.data.files import (
    LEFT_OUT,
    OWN_FOLDERS,
    TABLE_SUFFIXES,
    Excluded,
    Finder,
    is_hidden,
    is_image_name,
    is_sample_submission,
    list_images,
    probe,
    unused_kind,
    unused_notes,
    valid_names,
    visible_folders,
)
from imgcls.data.folder import has_split_folders, load_folder, names_no_class, problem_of
from imgcls.data.patterns import check_pattern, groups_from, label_pattern, matches_any, taken_from, unmatched_label
from imgcls.data.samples import Samples, check_class_names, class_order, frame_of, lookalike_notes, one_spelling
from imgcls.data.source import OFF, DataOptions, DataSource, stretch_of
from imgcls.data.tables import (
    LABEL_NAMES,
    SPLIT_WORDS,
    Labels,
    Parts,
    Table,
    check_named,
    find_ids,
    given_parts,
    joined,
    label_columns,
    locate_all,
    names_a_photograph,
    read_labels,
    read_table,
)
from imgcls.errors import DataError, nearest
from imgcls.storage import cache_folder
from imgcls.text import first_lines, listed

UNDERSTOOD = "a folder, a CSV, TSV or Parquet file, a pandas frame, or 'elpv' (the default)"
_STEM = "test"
_ADVICE = "Without a test list: --test none (from Python: test='none')."
_PIECE = re.compile(r"(?P<part>.+)-[0-9]{5}-of-(?P<n>[0-9]{5})")
"""How the pieces of a part are called that the library datasets writes."""
_PIECES = re.compile(r"(part|batch|chunk|piece|folder|dir|images?|imgs?|photos?|data|set)[ _-]*[0-9]+$", re.IGNORECASE)
"""How folders are called that hold a share of the photographs each, and are no classes."""
NOT_THERE = ", and not there"
"""How the reason of a row ends that names no photograph."""
_MOST_LISTED = 5
_MOST_CHOICES = 12
_ABSENT = "missing: there is no such file or folder"


def load_samples(data: Any = None, **options: Unpack[DataOptions]) -> Samples:
    """Read a data set from wherever it is on this machine; what its findings.toml says is not followed.

    A folder is read by its class folders; where it holds train.csv, or has no class folders and
    exactly one table that is neither for testing nor a submission, the table says what is what.
    A test part that was asked for (`test_share`) is drawn.

    Args:
        data: A `DataSource`, or what one names: a folder, a table, a frame, or "elpv"; None is "elpv".
        **options: How the data are read; see `DataSource`.

    Raises:
        DataError: There is no such source, or it cannot be read; the message says why.
    """
    source = DataSource.of(data, options)
    return with_test_part(_given(source), source)


def with_test_part(samples: Samples, source: DataSource) -> Samples:
    """Draw the test part that was asked for; to be called when it is known which samples stay together.

    Raises:
        DataError: It cannot be drawn.
    """
    if source.test_share is None:
        return samples
    from imgcls.data.split import draw_test  # reading alone loads no scikit-learn

    return draw_test(samples, share=source.test_share, seed=source.split_seed or 0)


def _given(source: DataSource) -> Samples:
    """Return the samples with the parts that the data give."""
    samples = _read(source)
    notes = (*samples.notes, *unused_notes(samples.excluded))
    return replace(samples, notes=notes, stretch=stretch_of(source.stretch))


def _read(source: DataSource) -> Samples:
    if isinstance(source.data, pd.DataFrame):
        return load_table(source.data, source)
    if source.data is None or source.is_default:
        return load_elpv()
    path = _existing(source.data)
    if path.is_dir():
        table = table_in(path, source)
        return load_table(table, source, root=path) if table else load_folder(path, source)
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


class Input(NamedTuple):
    """One photograph to predict, or what stands in the place of one."""

    name: str
    """Its id: the name of a file, its path relative to the folder that was named, or the text in a table; where these
    repeat, the path as given."""
    path: Path | None
    """The file; None where a table names none."""
    reason: str = ""
    """Why it cannot be predicted; "" where it can be tried."""
    stored: str = ""
    """How a photograph that stands in a table is called where names repeat; "" for one with a path of its own."""


@dataclass(frozen=True)
class Unlabelled:
    """What was named for prediction: something for every input, so that nothing disappears in passing."""

    inputs: tuple[Input, ...]
    """In the order in which they were named."""
    others: Mapping[str, int]
    """Suffix of the files in folders that are no photographs → their number."""


def load_unlabelled(paths: Sequence[Path], *, images: str | Path | None = None, id: str | None = None) -> Unlabelled:
    """List photographs to predict, before any of them is opened.

    What cannot be predicted is listed with the reason: a path that is not there, a row of a table without a file, a
    folder without photographs, a table that cannot be read, a picture in a folder that is of no kind that is read.

    Args:
        paths: Files of images, folders (read with all below them) and tables (CSV, TSV, Parquet).
        images: The folder of the photographs that tables name; None looks beside the table.
        id: The column of tables that names files; None finds out.

    Raises:
        DataError: Nothing can be tried; all reasons are given.
    """
    source, others = DataSource(images=images, id=id), Counter[str]()
    found = [entry for path in paths for entry in _found_at(path, source, others)]
    if not any(entry.reason == "" for entry in found):
        reasons = [f"{entry.path or entry.name}: {entry.reason.removeprefix('missing: ')}" for entry in found]
        raise DataError.together(first_lines(reasons, _MOST_LISTED), heading="Nothing can be predicted:")
    repeated = {name for name, n in Counter(entry.name for entry in found).items() if n > 1}
    apart = (
        entry._replace(name=entry.stored or str(entry.path)) if entry.path and entry.name in repeated else entry
        for entry in found
    )
    return Unlabelled(tuple(apart), dict(sorted(others.items())))


def _found_at(path: Path, source: DataSource, others: Counter[str]) -> Iterator[Input]:
    try:
        if not path.exists():
            yield Input(path.name or str(path), path, _ABSENT)
        elif path.suffix.lower() in TABLE_SUFFIXES and path.is_file():
            yield from _named_in(path, source)
        elif path.is_dir():
            yield from _in_folder(path, others)
        else:
            yield Input(path.name, path)
    except DataError as problem:
        yield Input(path.name or str(path), path, " ".join(str(problem).removeprefix(f"{path.name}: ").split()))
    except (OSError, ValueError) as problem:  # not to be listed, or a text that is the name of no file
        yield Input(path.name or str(path), path, f"cannot be read: {getattr(problem, 'strerror', None) or problem}")


def _named_in(path: Path, source: DataSource) -> Iterator[Input]:
    """Yield an input for each row of a table; one that is named twice is predicted twice."""
    table, column, finder = _with_ids(path, source, part="test", skip=())
    stored = table.stored
    for value in table.columns[column]:
        try:
            found = finder.find(value)
            reason = "" if found else f"missing: {table.name} names it, and no file in {finder.folders[0]} is called so"
        except DataError as problem:
            found, reason = "", str(problem)
        within = f"{path.parent}/{stored[found]}" if found in stored else ""
        yield Input(value, Path(found) if found else None, reason, within)


def _in_folder(folder: Path, others: Counter[str]) -> Iterator[Input]:
    """Yield an input for each picture in a folder, and count what is no picture by its suffix.

    A picture without the suffix of one is tried, since only its content counts; training leaves it out, since there
    what a folder holds by accident would be learned.
    """
    listing, found = list_images(folder), {}
    for name in listing.images:
        found[name] = Input(name, folder / name)
    for entry in listing.excluded:
        unused = unused_kind(entry)
        if is_image_name(entry.path) or unused is not None:
            is_tried = unused is not None and unused.is_read
            found[entry.path] = Input(entry.path, folder / entry.path, "" if is_tried else entry.reason)
        elif not (folder / entry.path).is_dir():
            others[PurePosixPath(entry.path).suffix.lower() or "without a suffix"] += 1
    if not found:
        raise DataError("no images were found in this folder or below it.")
    yield from (found[name] for name in sorted(found))


def _with_ids(
    path: Path, source: DataSource, *, part: str, skip: Collection[str] = OWN_FOLDERS
) -> tuple[Table, str, Finder]:
    """Read a table beside that of the labels, or one to predict, and find its ids.

    What would be its header is a row where it names a photograph, so that none is lost; nobody is asked, since every
    row is used as it is.
    """
    table = read_table(path, header=source.header if source.header != "none" else None)
    check_named(table, DataSource(id=source.id))
    home = path.absolute().parent
    column, finder = find_ids(table, home=home, source=source, skip=skip, part=part)
    if source.header != "first" and not table.photographs and names_a_photograph(column, finder):
        table = read_table(path, header="none")
        column, finder = find_ids(table, home=home, source=replace(source, id=None), skip=skip, part=part)
    return table, column, finder


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
    parts: Parts
    """Which rows train, validate and test, by its columns."""
    assumptions: tuple[Assumption, ...] = ()
    """What was assumed."""

    @property
    def images(self) -> Path:
        """The folder of the photographs."""
        return self.finder.folders[0]


@dataclass(frozen=True)
class _Rows:
    """The rows of one table, or of several that are one data set."""

    table: Table
    """The rows."""
    ids: list[str]
    """Their names, each different."""
    paths: list[str]
    """Their photographs; "" where there is none."""
    splits: list[str]
    """Their parts, "" where they are still to be drawn."""
    folders: list[Path]
    """Where the photographs lie."""
    stored: Mapping[str, str]
    """How photographs are called that stand in tables."""
    assumptions: tuple[Assumption, ...] = ()
    """What was assumed."""
    notes: tuple[str, ...] = ()
    """Sentences that a person should read."""


def load_table(
    table_or_frame: Path | pd.DataFrame, source: DataSource | None = None, *, root: Path | None = None
) -> Samples:
    """Read a data set from a table, and from those that belong to it: its pieces, or one for each part.

    Args:
        table_or_frame: A file or a frame; the paths of a frame start from the current folder.
        source: Says which columns mean what, and where the photographs lie.
        root: The folder that was named, where the table was found in it.

    Raises:
        DataError: The table cannot be read; a column is missing or not to be distinguished from others; an id
            occurs twice, leaves the folder of images or names no file (all rows are listed); a label
            is missing; the test list cannot be used.
        DoubtError: It may be meant in several ways, and nobody said which.
    """
    source = source or DataSource()
    table = read_table(table_or_frame, header=source.header)
    home = root.absolute() if root else _home(table_or_frame)
    chosen = _choices(table_or_frame, table, source)
    rows = _rows(table_or_frame, table, source, chosen=chosen, root=home)
    is_test = [split == "test" for split in rows.splits]
    if source.label_from is None:
        labels = read_labels(rows.table, chosen.label, is_test=is_test, source=source)
    else:
        names = [
            rows.stored.get(path) or _relative(path, home) or name
            for path, name in zip(rows.paths, rows.ids, strict=True)
        ]
        labels = _labels_by_name(source.label_from, names, is_test=is_test, source=source, where=table.name)
    check_class_names(labels.classes, where=table.name, remedy="Rename them in the table.")
    test = read_test_list(
        chosen.test if "test" not in rows.splits or source.test is not None else None,
        source,
        id_column=chosen.id,
        images=chosen.images,
        labelled=rows.table,
        used=frozenset(rows.paths),
    )
    stored = {**rows.stored, **test.stored}

    def named(path: str) -> str:
        """Return a path as patterns take it."""
        return stored.get(path) or _relative(path, home)

    groups = rows.table.columns[source.group] if source.group else [""] * len(rows.ids)
    test_groups = test.groups
    if source.group_from is not None:
        found = groups_from(source.group_from, [named(path) for path in (*rows.paths, *test.paths)])
        groups, test_groups = found[: len(rows.ids)], tuple(found[len(rows.ids) :])
    n_test = len(test.ids)
    folders = dict.fromkeys(folder for folder in (*rows.folders, test.folder) if folder)
    others = _not_listed(folders, home, used={*rows.paths, *test.paths}, table=table, globs=source.globs)
    unused: tuple[Assumption, ...] = ()
    if n := sum(entry.reason != LEFT_OUT for entry in others):
        are = "photograph is" if n == 1 else "photographs are"
        has_test = n_test or "test" in rows.splits
        said = f"{n:,} {are} in the folder and not listed in {table.name}: not used."
        unused = (Assumption("unused", said, "--data TABLE" if has_test else "--test TABLE"),)
    samples = Samples(
        frame=frame_of(
            ids=[*rows.ids, *_distinct_ids(rows.ids, test.ids, test.paths, root=home, prefix="test")],
            paths=[*rows.paths, *test.paths],
            labels=[*labels.texts, *[""] * n_test],
            groups=[*groups, *test_groups],
            splits=[*rows.splits, *["test"] * n_test],
        ),
        classes=labels.classes,
        problem=labels.problem,
        name="frame" if isinstance(table_or_frame, pd.DataFrame) else _name(table_or_frame, home),
        root=home,
        excluded=others,
        notes=(*rows.notes, *labels.notes, *test.notes),
        assumptions=(*chosen.assumptions, *rows.assumptions, *labels.assumptions, *test.assumptions, *unused),
        stored=stored,
    )
    paths = samples.frame["path"]
    left_out = {path: LEFT_OUT for path in paths if matches_any(named(path), source.globs)}
    return _without_missing(samples.without(left_out), table)


def _labels_by_name(
    pattern: str, names: Sequence[str], *, is_test: Sequence[bool], source: DataSource, where: str
) -> Labels:
    """Take the labels of the rows of a table from the names of their photographs.

    Raises:
        DataError: The pattern takes no label of some rows, or a part, which a table says in a column; or labels stand
            in a column as well.
    """
    check_pattern(pattern, option="--label-from", takes="label")
    if source.label is not None:
        raise DataError("--label and --label-from both say where the labels stand. Keep one of them.")
    found = [taken_from(pattern, name) or {} for name in names]
    if any("split" in match for match in found):
        raise DataError(
            f"--label-from {pattern!r}: {{split}} is for folders. Of a table, --split COLUMN says the part."
        )
    lacking = [
        name
        for name, match, sealed in zip(names, found, is_test, strict=True)
        if not (match or sealed or matches_any(name, source.globs))
    ]
    if len(lacking) == len(names):
        raise unmatched_label(pattern, names)
    if lacking:
        raise DataError(
            f"{where}: --label-from {pattern!r} takes no label from {len(lacking)} of {len(names)} photographs: "
            f"{listed(map(repr, lacking), _MOST_LISTED)}. Change the pattern, or leave them out (--exclude GLOB)."
        )
    texts = [match.get("label", "") for match in found]
    looked = [text for text, sealed in zip(texts, is_test, strict=True) if text and not sealed]
    spelling = one_spelling(looked, source.spelling, where=where)
    classes = class_order(spelling.get(text, text) for text in looked)
    known = [text if (text := spelling.get(one, one)) in classes else "" for one in texts]
    problem = problem_of(classes, source.problem_type, where=where)
    return Labels(known, classes, problem, lookalike_notes(classes))


def _relative(path: str, root: Path) -> str:
    return Path(path).relative_to(root).as_posix() if Path(path).is_relative_to(root) else path


def _without_missing(samples: Samples, table: Table) -> Samples:
    """Leave out the rows that name no file, where that was asked for, and say so before all else."""
    missing = [row for row, path in enumerate(samples.frame["path"]) if not path]
    if not missing:
        return samples
    ids = samples.frame["id"].tolist()
    kept = samples.without_rows(dict.fromkeys(missing, f"named in {table.name}{NOT_THERE}"))
    if not len(kept):
        raise DataError(f"{table.name}: none of its {len(ids)} photographs is there.")
    note = f"{len(missing)} of {len(ids)} photographs are not there and are left out, first {ids[missing[0]]!r}."
    return replace(kept, notes=(note, *samples.notes))


def _rows(
    table_or_frame: Path | pd.DataFrame, table: Table, source: DataSource, *, chosen: Choices, root: Path
) -> _Rows:
    """Put together the rows of a table and of those that belong to it, each found where its own photographs lie.

    Raises:
        DataError: Files are missing, or a photograph is in two of the tables.
    """
    leave_out = source.missing == "exclude"
    paths = locate_all(table, chosen.id, chosen.finder, leave_out=leave_out)
    file = None if isinstance(table_or_frame, pd.DataFrame) else table_or_frame
    split = _split_of(file, root) if file else ""
    splits = [split] * len(table) if split and source.split != OFF else list(chosen.parts.splits)
    ids, tables, folders = list(table.columns[chosen.id]), [table], [chosen.images]
    assumptions: list[Assumption] = []
    notes: list[str] = []
    if n_below := sum(chosen.finder.below is not None and bool(path) for path in paths):
        where = chosen.finder.below.folder if chosen.finder.below else root
        assumptions.append(
            Assumption("photographs", f"{n_below:,} photographs were found by name below {where}.", "--images FOLDER")
        )
    elif source.images is None and not table.photographs and chosen.images.absolute() != root:
        assumptions.append(
            Assumption("photographs", f"The photographs lie in {chosen.images.name}/.", "--images FOLDER")
        )
    for path, its_split, is_found in _others_of(file, root, source) if file else ():
        try:
            other = read_table(path, header=source.header)
            wanted = {chosen.id, *(chosen.label if its_split != "test" else ())}
            if lacking := wanted - other.columns.keys():
                raise DataError(f"{path.name}: no column {listed(map(repr, sorted(lacking)))}, as {table.name} has.")
            finder = find_ids(other, home=path.absolute().parent, source=replace(source, id=chosen.id), part="val")[1]
            found = locate_all(other, chosen.id, finder, leave_out=leave_out)
            known = set(paths)
            if twice := [row for row, place in enumerate(found) if place and place in known]:
                raise DataError(
                    f"{path.name}: {len(twice)} of {len(other)} photographs are in {table.name} too: "
                    f"{other.places(twice)}."
                )
        except DataError as problem:
            if not is_found:
                raise
            raise DataError(f"{problem}\nWithout {path.name}: --split {OFF}.") from problem
        ids += _distinct_ids(ids, other.columns[chosen.id], found, root=root, prefix=path.stem)
        paths += found
        splits += [its_split if source.split != OFF else ""] * len(other)
        tables.append(other)
        folders.append(finder.folders[0])
        if is_found:
            splits = [one or "train" for one in splits]
            assumptions.append(Assumption("parts", f"The {len(other)} rows of {path.name} validate.", f"--split {OFF}"))
    if len(tables) > 1 and not any(assumption.about == "parts" for assumption in assumptions):
        n = Counter(splits)
        counts = ", ".join(f"{n[part]:,} {part or 'to be drawn'}" for part in ("train", "valid", "test", "") if n[part])
        assumptions.append(Assumption("parts", f"{len(tables)} tables are one data set: {counts}.", "--data TABLE"))
    stored = {file: name for one in tables for file, name in one.stored.items()}
    rows = joined(tables, list(table.columns))
    return _Rows(rows, ids, paths, splits, folders, stored, tuple(assumptions), tuple(notes))


def _distinct_ids(
    known: Sequence[str], ids: Sequence[str], paths: Sequence[str], *, root: Path, prefix: str
) -> list[str]:
    """Return ids of a further table; one that is taken has the folder of its photograph before it.

    Ids of others than that stay as they are, and with them the digests of data whose ids never repeat.
    """
    taken = set(known)
    if not taken & set(ids):
        return list(ids)
    apart = []
    for name, path in zip(ids, paths, strict=True):
        folder = Path(path).parent
        before = folder.relative_to(root).as_posix() if path and folder.is_relative_to(root) else prefix
        found = name if name not in taken else f"{before if before != '.' else prefix}/{name}"
        while found in taken:
            found = f"{prefix}/{found}"
        apart.append(found)
        taken.add(found)
    return apart


def _split_of(path: Path, root: Path) -> str:
    """Return the part that a table in the folder of a part, or a piece of a part, is; "" for other tables."""
    piece = _PIECE.fullmatch(path.stem)
    if piece:
        return SPLIT_WORDS.get(piece["part"].lower(), "")
    return SPLIT_WORDS.get(path.parent.name.lower(), "") if path.absolute().parent != root else ""


def _others_of(path: Path, root: Path, source: DataSource) -> Iterator[tuple[Path, str, bool]]:
    """Find the tables that belong to one: its pieces, those of the other parts, or that of valid beside train.

    Yields:
        Each with its part, and whether it may be passed over.
    """
    here = path.absolute().parent
    if _PIECE.fullmatch(path.stem):
        pieces = {entry: found for entry in _tables_of(here) if (found := _PIECE.fullmatch(entry.stem))}
        for part in sorted({found["part"] for found in pieces.values()}):
            own = [found for found in pieces.values() if found["part"] == part]
            lacking = int(own[0]["n"]) - len(own)
            if lacking > 0:
                raise DataError(f"{here}: {lacking} of {int(own[0]['n'])} pieces of {part!r} are missing.")
        yield from ((entry, _split_of(entry, root), False) for entry in sorted(pieces) if entry.name != path.name)
    elif here != root and path.parent.name.lower() in SPLIT_WORDS:
        for folder in visible_folders(root):
            same = folder / path.name
            if folder.name.lower() in SPLIT_WORDS and same != path and same.is_file() and folder.absolute() != here:
                yield same, SPLIT_WORDS[folder.name.lower()], False
    elif source.split is None:
        names = valid_names(path.name, [entry.name for entry in _tables_of(here)])
        if names:
            yield here / names[0], "valid", True


def _tables_of(folder: Path) -> list[Path]:
    return [
        entry
        for entry in sorted(folder.iterdir())
        if entry.suffix.lower() in TABLE_SUFFIXES and entry.is_file() and not is_hidden(entry.name)
    ]


def choices_of(path: Path, source: DataSource) -> Choices:
    """Describe what the columns of a table are taken for, without looking at labels of test.

    Raises:
        DataError: It cannot be read, or a column cannot be distinguished from others.
    """
    return _choices(path, read_table(path, header=source.header), source)


def _choices(path: Path | pd.DataFrame, table: Table, source: DataSource) -> Choices:
    check_named(table, source)
    home = _home(path)
    column, finder = find_ids(table, home=home, source=source)
    assumptions = []
    if source.header is None and table.unit == "line" and names_a_photograph(column, finder):
        raise DoubtError(
            f"{table.name}: its first row would name the columns, and {column!r} there names a photograph as the rows "
            "below do.",
            [
                Choice("it has no header; its columns are then called 1, 2, …", {"header": "none"}),
                Choice("its first row is its header all the same", {"header": "first"}),
            ],
        )
    if source.id is None and len(table.columns) > 1:
        assumptions.append(Assumption("ids", f"Column {column!r} names the photographs.", "--id COLUMN"))
    parts = given_parts(table, source)
    labels, assumed = _label_columns(path, table, column, source, parts) if source.label_from is None else ((), ())
    file = None if isinstance(path, pd.DataFrame) else path
    test = find_test_list(file, home=home, wanted=source.test)
    return Choices(column, labels, finder, test, parts, (*assumptions, *assumed, *parts.assumptions))


def _label_columns(
    path: Path | pd.DataFrame, table: Table, id_column: str, source: DataSource, parts: Parts
) -> tuple[tuple[str, ...], tuple[Assumption, ...]]:
    """Find the columns of labels; where none is, and names hold labels, offer those too.

    Raises:
        DoubtError: The columns cannot be distinguished from the others.
    """
    try:
        return label_columns(table, id_column, source, parts=parts)
    except DoubtError as doubt:
        values = [value for value, split in zip(table.columns[id_column], parts.splits, strict=True) if split != "test"]
        pattern, labels = label_pattern(values)
        if not pattern:
            raise
        here = {} if isinstance(path, pd.DataFrame) else {"data": str(path)}
        offer = Choice(
            f"{len(labels)} classes by name: {listed(map(repr, labels), _MOST_LISTED)}", {**here, "label_from": pattern}
        )
        raise DoubtError(doubt.doubt, [*doubt.choices, offer]) from doubt


def _home(source: Path | pd.DataFrame) -> Path:
    return Path.cwd() if isinstance(source, pd.DataFrame) else source.absolute().parent


def _not_listed(
    folders: Iterable[Path], home: Path, *, used: Collection[str], table: Table, globs: Sequence[str]
) -> tuple[Excluded, ...]:
    listed = {
        absolute / name
        for absolute in map(Path.absolute, folders)
        for name in list_images(absolute, skip=OWN_FOLDERS).images
    }
    others = [path for path in listed if str(path) not in used]
    cache = cache_folder().resolve()
    if any(cache.is_relative_to(folder.resolve()) for folder in folders):  # somebody keeps it beside the data
        others = [path for path in others if not path.resolve().is_relative_to(cache)]
    shown = [path.relative_to(home).as_posix() if path.is_relative_to(home) else str(path) for path in others]
    reason = f"not listed in {table.name}"
    return tuple(Excluded(path, LEFT_OUT if matches_any(path, globs) else reason) for path in sorted(shown))


def _name(source: Path, home: Path) -> str:
    """Name a data set by its table, or by the folder where the table has the name that all have."""
    is_one_of_several = _PIECE.fullmatch(source.stem) or source.absolute().parent != home
    return home.name if (is_one_of_several or source.stem.lower() in {"train", "labels"}) and home.name else source.stem


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
    stored: Mapping[str, str] = field(default_factory=dict)
    """How photographs are called that stand in the list."""
    notes: tuple[str, ...] = ()
    """Sentences that a person should read."""
    assumptions: tuple[Assumption, ...] = ()
    """What was assumed."""


def find_test_list(table: Path | None, *, home: Path, wanted: str | Path | None) -> Path | None:
    """Find the test list of a table.

    Args:
        table: The table of labels; None for a frame.
        home: The folder of the table.
        wanted: A path, from the current folder or from that of the table; `none` for none; None finds a table
            called test beside one of labels, or else a sample submission.

    Raises:
        DataError: The path leads nowhere.
    """
    if wanted is None:
        if table is None:
            return None
        others = [path for path in _tables_of(home) if path.name != table.name]
        lists = [path for path in others if path.stem.lower() == _STEM]
        # a competition that gives no list of the test part gives the ids in its sample of a submission
        samples = [path for path in others if is_sample_submission(path.name)]
        return next(iter([*lists, *(samples if len(samples) == 1 else [])]), None)
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
    is_found = source.test is None
    is_sample = is_sample_submission(path.name)
    passed_over = f"{path.name} beside {labelled.name} is passed over as a test list."
    try:
        table, column, finder = _find_ids(path, source, id_column=id_column, images=images, used=used)
    except DataError as problem:
        if is_found:
            return TestList(notes=(f"{passed_over} {problem}",))
        raise DataError(f"{problem} {_ADVICE}") from problem
    if is_sample and is_found and any(place in used for place in map(_quietly(finder), table.columns[column])):
        return TestList()  # it shows the form by photographs of the table of labels
    leave_out = source.missing == "exclude"
    try:
        paths = locate_all(table, column, finder, leave_out=leave_out)
        _check_apart(table, column, paths, labelled=labelled, used=used)
    except DataError as problem:
        if is_sample and is_found:
            return TestList(notes=(f"{passed_over} {problem}",))
        raise DataError(f"{problem}\n{_ADVICE}") from problem
    groups = table.columns.get(source.group or "", [""] * len(table))
    said = f"The {len(table)} photographs of {table.name} are the test part: predicted, never trained on."
    return TestList(
        tuple(table.columns[column]),
        tuple(paths),
        tuple(groups),
        finder.folders[0],
        table.stored,
        notes=() if is_found else (said,),
        assumptions=(Assumption("test list", said, f"--test {OFF}"),) if is_found else (),
    )


def _quietly(finder: Finder) -> Callable[[str], str]:
    """Return the look-up of a finder that finds nothing where it would complain."""

    def look_up(value: str) -> str:
        try:
            return finder.find(value)
        except DataError:
            return ""

    return look_up


def _find_ids(
    path: Path, source: DataSource, *, id_column: str, images: Path, used: Collection[str]
) -> tuple[Table, str, Finder]:
    """Find the ids of a list and their files around the list and where the labelled ones are.

    What was asked for comes first, unless another place has more files that are not the labelled ones: photographs
    to predict often bear the same numbers, in a folder of their own.
    """
    found: list[tuple[Table, str, Finder]] = []
    problems: list[DataError] = []
    known = next((name for name in (source.id, id_column) if name), None)
    for place in dict.fromkeys((images if source.images is not None else None, None, images)):
        wanted = replace(source, images=place)
        for column in (known, None):
            try:
                found.append(_with_ids(path, replace(wanted, id=column), part="test"))
                break
            except DataError as problem:
                problems.append(problem)
    if not found:
        raise problems[-1]

    def n_new(entry: tuple[Table, str, Finder]) -> int:
        table, column, finder = entry
        return sum(bool(place) and place not in used for place in map(_quietly(finder), probe(table.columns[column])))

    return max(found, key=n_new)


def _check_apart(table: Table, column: str, paths: Sequence[str], *, labelled: Table, used: Collection[str]) -> None:
    """Refuse a list that names photographs of the table of labels.

    Raises:
        DataError: It does; all rows are listed.
    """
    ids = table.columns[column]
    both = [row for row, path in enumerate(paths) if path and path in used]
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

    Returns:
        The table; where several are one data set, the one of the part train, or its first piece.

    Raises:
        DataError: There are several, or columns were asked for and there is none.
        DoubtError: Folders and a table name different classes.
    """
    if _asks_for_folders(root, source):
        return None if source.label_from is not None else _table_of_all_folders(root, source)
    return _the_table(root, source)


def _asks_for_folders(root: Path, source: DataSource) -> bool:
    """Whether a folder is to be read by its class folders although a table may lie in it."""
    if source.label_from is not None:
        return not any((source.images, source.id, source.group))
    if _asks_for_table(source):
        return False
    names = list_images(root, skip=OWN_FOLDERS).images
    if has_split_folders(names):
        below = {name.split("/")[1] for name in names if name.count("/") > 1}
        return not (all(map(names_no_class, below)) and _of_parts(root))
    tops = {name.split("/")[0] for name in names if "/" in name}
    classes = [top for top in tops if not names_no_class(top)]
    if len(classes) < 2:
        return False
    return not (root / "train.csv").is_file() or _is_unreadable(root / "train.csv")


def _is_unreadable(path: Path) -> bool:
    try:
        read_table(path)
    except DataError:
        return True
    return False


def _table_of_all_folders(root: Path, source: DataSource) -> Path | None:
    """Find a table that names photographs of all the folders that would be classes, and is meant to be their labels.

    It is where the folders are called after pieces (`images_part_1`). Where a column called after labels says
    something else than the folders, nobody can know. Everything else is a table that says more of the photographs.

    Raises:
        DoubtError: Folders and labels of a table differ.
    """
    names = list_images(root, skip=OWN_FOLDERS).images
    if has_split_folders(names):
        return None
    tops = {name.split("/")[0] for name in names if "/" in name}
    for path in _tables_of(root):
        if "submission" in path.stem.lower() or path.stem.lower().startswith(_STEM):
            continue
        try:
            table = read_table(path)
            column, finder = find_ids(table, home=root, source=replace(source, header="first"))
        except DataError:
            continue
        found = list(map(_quietly(finder), table.columns[column]))
        folders = [_top(place, root) for place in found]
        if 2 * sum(map(bool, found)) < len(names) or set(folders) - {""} != tops:
            continue
        if all(map(_PIECES.search, tops)):
            return path
        for name in (name for wanted in LABEL_NAMES for name in table.columns if name.lower() == wanted):
            rows = [(folder, label) for folder, label in zip(folders, table.columns[name], strict=True) if folder]
            labels, pairs = {label for _, label in rows}, set(rows)
            # predictions, and labels that were corrected, mostly are the names of the folders
            is_other = 2 * sum(folder == label for folder, label in rows) < len(rows)
            differs = is_other and len(pairs) > max(len(tops), len(labels))
            if name.lower() != "y" and 2 <= len(labels) < len(found) and differs:
                raise DoubtError(
                    f"{root}: the folders {listed(map(repr, sorted(tops)), 3)} would be the classes, but {path.name} "
                    f"names photographs of all of them, and its column {name!r} says something else.",
                    [
                        Choice(f"{path.name} holds the labels", {"data": str(path)}),
                        Choice("the folders are the classes", {"label_from": "{label}/**"}),
                    ],
                )
    return None


def _top(place: str, root: Path) -> str:
    path = Path(place)
    return path.relative_to(root.absolute()).parts[0] if place and path.is_relative_to(root.absolute()) else ""


def _asks_for_table(source: DataSource) -> bool:
    test = None if source.test is not None and str(source.test) == OFF else source.test
    split = None if source.split == OFF else source.split
    return any((source.images, source.label, source.id, source.group, split, test))


def _the_table(root: Path, source: DataSource) -> Path | None:
    if (root / "train.csv").is_file():
        return root / "train.csv"
    tables = [
        path
        for path in _tables_of(root)
        if "submission" not in path.stem.lower() and not path.stem.lower().startswith(_STEM)
    ]
    trained = [path for path in tables if path.stem.lower() == "train"]
    beside = {name for path in trained for name in valid_names(path.name, [other.name for other in tables])}
    if len(trained) == 1 and {path.name for path in tables} <= {trained[0].name, *beside}:
        return trained[0]
    pieces = _first_piece(root)
    if pieces is not None and all(_PIECE.fullmatch(path.stem) for path in tables):
        return pieces
    if not tables and (found := _of_parts(root) or _first_piece(root / "data")):
        return found
    if len(tables) > 1 or (_asks_for_table(source) and not tables):
        names = ", ".join(path.name for path in tables) or "none"
        raise DoubtError(
            f"{root}: which table holds the labels? There is {names}. Name the table itself.",
            [Choice(f"{path.name} does", {"data": str(path)}) for path in tables[:_MOST_CHOICES]],
        )
    return tables[0] if tables else None


def _of_parts(root: Path) -> Path | None:
    """Return the table of the part train, where the folder of that part holds one table; None elsewhere."""
    for folder in visible_folders(root):
        if SPLIT_WORDS.get(folder.name.lower()) == "train":
            tables = _tables_of(folder)
            if len(tables) == 1:
                return tables[0]
            if pieces := _first_piece(folder):
                return pieces
    return None


def _first_piece(folder: Path) -> Path | None:
    """Return the first piece of the part train, else of what there is; None where nothing lies there in pieces."""
    if not folder.is_dir():
        return None
    pieces = [path for path in _tables_of(folder) if _PIECE.fullmatch(path.stem)]
    trained = [path for path in pieces if _split_of(path, folder.absolute()) == "train"]
    return next(iter([*trained, *pieces]), None)
