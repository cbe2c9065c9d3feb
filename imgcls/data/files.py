"""Files of a data set: which are photographs, what they look like from outside (the fingerprint), and found by name."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from imgcls.data.patterns import matches_any
from imgcls.errors import DataError
from imgcls.storage import sha256_file
from imgcls.text import listed

IMAGE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"),
        *(".ppm", ".pgm", ".pbm", ".jp2", ".avif"),
    }
)
"""Of photographs that are always read; those of extras are added where these are installed, see `is_image_name`."""
HEIC, DICOM = "HEIC", "DICOM"
_EXTRA_SUFFIXES = {
    HEIC: (".heic", ".heif", ".hif"),
    DICOM: (".dcm", ".dicom"),
}
"""From a kind that an extra reads, which is called like it in small letters, to its suffixes."""
_EXTRA_PACKAGES = {HEIC: ("pillow_heif", "pillow-heif", (1, 8, 1)), DICOM: ("pydicom", "pydicom", (3, 0))}
"""From such a kind to the module and the package that read it, and the least version of it."""
_RAW_SUFFIXES = frozenset(
    {
        *(
            ".raw",
            ".dng",
            ".cr2",
            ".cr3",
            ".crw",
            ".nef",
            ".nrw",
            ".arw",
            ".srf",
            ".sr2",
            ".orf",
            ".rw2",
            ".raf",
            ".pef",
        ),
        *(".srw", ".x3f", ".3fr", ".iiq", ".kdc", ".dcr", ".mrw", ".rwl", ".erf", ".mef", ".mos"),
    }
)
_OTHER_SUFFIXES = frozenset({".jxl", ".psd", ".tga", ".exr", ".hdr", ".dpx", ".xcf", ".jxr", ".wdp", ".fits", ".nii"})
"""Of pictures that no extra reads."""
_NO_PICTURES = frozenset(
    {
        *(".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".md", ".rst", ".yaml", ".yml", ".toml", ".ini", ".html"),
        *(".htm", ".log", ".py", ".ipynb", ".pdf", ".zip", ".gz", ".tar", ".7z", ".npy", ".npz", ".parquet", ".mat"),
        *(".h5", ".db", ".xls", ".xlsx", ".mp4", ".avi", ".mov", ".wav", ".mp3", ".pt", ".pth", ".pkl", ".lock"),
    }
)
"""Suffixes of files whose first bytes need no look."""
_IMAGE = "image"
_MAGIC = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    *(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"),
)
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_N_START = 132
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".parquet"})
PHOTOGRAPHS = "photographs"
"""The folder of the cache for photographs that stand in Parquet files."""
DEFAULT_DATA = "elpv"
"""The name of the data set that stands for data that nobody named; see `imgcls.data.elpv`."""
MOST_TABLE_BYTES = 64_000_000
"""Tables up to this size count with their content, larger ones with size and time stamp."""

OWN_FOLDERS = frozenset({"runs", "ladders", "blends", "reports", "submissions"})
"""Folders that imgcls writes beside a table: no photographs of the data set lie there."""
VALID_WORDS = ("valid", "val", "validation", "dev")
"""How names of tables and folders say that photographs validate."""
TABLE_FOLDERS = frozenset({"train", "training", "valid", "val", "validation", "dev", "test", "testing", "data"})
"""Folders in which tables lie that together are one data set: one for each part, or the pieces of one."""
_TRAIN = re.compile(r"(?<![a-z])train(ing)?(?![a-z])")
_SYSTEM_NAMES = frozenset(
    {
        *(
            "__macosx",
            "thumbs.db",
            "ehthumbs.db",
            "desktop.ini",
            "$recycle.bin",
            "recycler",
            "system volume information",
        ),
        *("@eadir", "@tmp", "@recycle", "@recently-snapshot", "@__thumb", "#recycle", "#snapshot", "lost+found"),
        *("network trash folder", "temporary items", "found.000", "icon\r", "__pycache__", "zbthumbnail.info"),
    }
)
"""What Windows, macOS, Linux, Synology, QNAP and viewers keep between photographs, in lower case."""
_OF_PROGRAMS = frozenset({".git", ".hg", ".svn", ".dvc", ".cache", ".idea", ".vscode", ".venv"})
"""Hidden folders that hold no photographs and go without saying."""
LEFT_OUT = "left out by --exclude"
"""The reason of files that were said to be no photographs of the data set."""
_NOT_AN_IMAGE, _READ_ALREADY = "not an image, by its suffix", "link to a folder that was read already"
NO_PHOTOGRAPHS = frozenset({_NOT_AN_IMAGE, _READ_ALREADY})
"""The reasons of what a listing leaves out and nobody would take for a photograph."""
_NO_TEST = "none"
_N_PROBED = 200


@dataclass(frozen=True)
class Excluded:
    """A file or row that is not used, and why."""

    path: str
    """The file as the user knows it: relative to the root of the data set."""
    reason: str
    """A short plain reason."""
    sample: LostSample | None = field(default=None, compare=False)
    """The sample that it was; None for what is no sample of the data set."""


@dataclass(frozen=True)
class LostSample:
    """What is remembered of a sample that is not used."""

    id: str
    """Its name."""
    split: str
    """train, valid, test, or "" where that was still to be drawn."""
    label: str
    """Its label; "" in test, whose labels are sealed."""
    place: int
    """Its place among all samples of the data set, from 0."""


def is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden, or kept by an operating system for itself."""
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def is_image_name(name: str) -> bool:
    """Whether a name has the suffix of an image that is read, with the extras that are installed."""
    return os.path.splitext(name)[1].lower() in readable_suffixes()  # noqa: PTH122 - of every file, ten times as fast


@functools.cache
def readable_suffixes() -> frozenset[str]:
    """Return the suffixes of images that are read, with those of the extras that are installed."""
    of_extras = (suffixes for kind, suffixes in _EXTRA_SUFFIXES.items() if has_extra(kind))
    return IMAGE_SUFFIXES.union(*of_extras)


@functools.cache
def has_extra(kind: str) -> bool:
    """Return whether what reads HEIC or DICOM is installed, and is not too old."""
    module, package, least = _EXTRA_PACKAGES[kind]
    if importlib.util.find_spec(module) is None:
        return False
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return tuple(map(int, re.findall(r"\d+", version)[: len(least)])) >= least


def kind_by_content(start: bytes) -> str:
    """Return what a file is by its first 132 bytes: `HEIC`, `DICOM`, `image` for what is always read, or ""."""
    if start[128:132] == b"DICM":
        return DICOM
    if start[4:8] == b"ftyp":
        brands = {start[at : at + 4] for at in (8, *range(16, min(int.from_bytes(start[:4], "big"), len(start)), 4))}
        if b"avif" in brands or b"avis" in brands:
            return _IMAGE
        return HEIC if brands & _HEIC_BRANDS else ""
    is_webp = start[:4] == b"RIFF" and start[8:12] == b"WEBP"
    is_bitmap = start[:2] == b"BM" and start[6:10] == b"\0\0\0\0"
    return _IMAGE if start.startswith(_MAGIC) or is_webp or is_bitmap else ""


@dataclass(frozen=True)
class UnusedKind:
    """Why a file that is a picture, or may be one, is not read."""

    kind: str
    """What it is, in a few words: HEIC, camera RAW, …"""
    remedy: str
    """What to do so that it is read."""
    extra: str = ""
    """The extra of imgcls that reads it, or ""."""

    @property
    def is_read(self) -> bool:
        """Whether only its name keeps it from being read."""
        return self.kind == _UNUSED[_IMAGE].kind

    @property
    def reason(self) -> str:
        """What stands beside the path of one such file."""
        return f"{self.kind}, not read; {self.remedy}"


_UNUSED = {
    **{
        kind: UnusedKind(kind, f"pip install 'imgcls[{kind.lower()}]' reads it", kind.lower())
        for kind in _EXTRA_SUFFIXES
    },
    "raw": UnusedKind("camera RAW", "save it as JPEG or TIFF with the program of the camera"),
    "other": UnusedKind("a picture of a form that is not known", "save it as JPEG or PNG"),
    _IMAGE: UnusedKind("a picture by its first bytes without the suffix of one", "name it with it, such as .jpg"),
}
_UNUSED_REASONS = {kind.reason: kind for kind in _UNUSED.values()}


def kind_of_unused(path: str | Path) -> UnusedKind | None:
    """Return what a file that is not read as a photograph is, where it is a picture all the same.

    Args:
        path: A name, which is judged by its suffix, or a path. Where no suffix says what the file is and it is there,
            its first bytes are read.

    Returns:
        None for what is read, and for what is no picture.
    """
    name = os.fspath(path)
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - of every file, ten times as fast
    if suffix in readable_suffixes() or suffix in _NO_PICTURES:
        return None
    for kind, suffixes in _EXTRA_SUFFIXES.items():
        if suffix in suffixes:
            return _UNUSED[kind]
    if suffix in _RAW_SUFFIXES or suffix in _OTHER_SUFFIXES:
        return _UNUSED["raw" if suffix in _RAW_SUFFIXES else "other"]
    found = kind_by_content(_start_of(name))
    return None if not found else _UNUSED[_IMAGE if found == _IMAGE or has_extra(found) else found]


def _start_of(name: str) -> bytes:
    """Return the first bytes of a regular file; none of what is not there, or would block."""
    try:
        if not stat.S_ISREG(os.stat(name).st_mode):  # noqa: PTH116 - as above
            return b""
        with open(name, "rb") as file:  # noqa: PTH123
            return file.read(_N_START)
    except (OSError, ValueError):
        return b""


def unused_kind(entry: Excluded) -> UnusedKind | None:
    """Return what an excluded file is, where it is a picture that is not read."""
    if entry.reason == LEFT_OUT:
        return None
    return _UNUSED_REASONS.get(entry.reason) or (None if is_image_name(entry.path) else kind_of_unused(entry.path))


def unused_notes(excluded: Iterable[Excluded]) -> tuple[str, ...]:
    """Return a sentence for each kind of pictures that are not read, with their number and what to do."""
    counts = Counter(kind for entry in excluded if (kind := unused_kind(entry)) is not None)
    return tuple(
        f"{n:,} {'file' if n == 1 else 'files'} not used ({kind.kind}): {kind.remedy}." for kind, n in counts.items()
    )


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one; a link that leads to itself is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


@dataclass(frozen=True)
class Listing:
    """What lies below a folder."""

    images: tuple[str, ...]
    """The image files, by suffix: relative posix paths in order of code point."""
    excluded: tuple[Excluded, ...]
    """Everything else that is not hidden, with the reason."""
    passed_over: Mapping[str, int] = field(default_factory=dict)
    """Name of a folder that is hidden or an operating system's → how often; `._*` and the like stand for images."""


def list_images(root: Path, *, skip: Collection[str] = (), exclude: Sequence[str] = ()) -> Listing:
    """List the image files below a folder.

    Hidden files and folders and those of operating systems are passed over, and counted where they may hold
    photographs. Links to files count as files. A link to a folder is followed unless that folder was read already, so
    that loops end; real folders come first.

    Args:
        root: The folder.
        skip: Names of folders directly inside it that are not entered.
        exclude: Patterns of relative paths that are left out; see `imgcls.data.patterns`.
    """
    images: list[str] = []
    excluded: list[Excluded] = []
    hidden: Counter[str] = Counter()
    for entry, name in visible_files(root, skip=skip, hidden=hidden):
        reason = _reason_to_exclude(entry)
        if exclude and reason not in NO_PHOTOGRAPHS and matches_any(name, exclude):
            reason = LEFT_OUT
        if reason:
            excluded.append(Excluded(name, reason))
        else:
            images.append(name)
    return Listing(tuple(sorted(images)), tuple(sorted(excluded, key=lambda entry: entry.path)), hidden)


def visible_folders(root: Path, *, skip: Collection[str] = ()) -> list[Path]:
    """Return the folders directly inside a folder that are not hidden, in order of code point."""
    entries = (entry for entry in root.iterdir() if not is_hidden(entry.name) and entry.name not in skip)
    return sorted((entry for entry in entries if entry.is_dir()), key=lambda entry: entry.name)


def _reason_to_exclude(entry: os.DirEntry[str]) -> str:
    if is_folder(entry):
        return _READ_ALREADY
    if not is_image_name(entry.name):
        unused = kind_of_unused(entry.path)
        return unused.reason if unused else _NOT_AN_IMAGE
    try:
        return "" if entry.is_file() else _what_else(entry)
    except OSError:
        return "link that leads to itself"


def _what_else(entry: os.DirEntry[str]) -> str:
    return "link to nothing" if entry.is_symlink() and not Path(entry.path).exists() else "not a regular file"


def visible_files(
    root: Path, *, skip: Collection[str] = (), hidden: Counter[str] | None = None
) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Yield what lies below a folder and is not hidden; real folders come before links to folders.

    Args:
        root: The folder.
        skip: Names directly inside it that are passed over.
        hidden: Counts what is hidden and may hold photographs.

    Yields:
        Every file with its posix path relative to the root; and, likewise, every link to a folder
        that was walked through already, which is not followed, so that loops end.
    """
    seen: set[str] = set()
    folders = [(str(root), "")]
    links: list[tuple[os.DirEntry[str], str]] = []
    while folders or links:
        if not folders:
            entry, name = links.pop(0)
            if os.path.realpath(entry.path) in seen:
                yield entry, name
                continue
            folders.append((entry.path, f"{name}/"))
        folder, prefix = folders.pop()
        seen.add(os.path.realpath(folder))
        for entry in _scan(folder):
            if is_hidden(entry.name):
                if hidden is not None and (what := _kind_of_hidden(entry)):
                    hidden[what] += 1
                continue
            if not prefix and entry.name in skip:
                continue
            name = prefix + entry.name
            if not is_folder(entry):
                yield entry, name
            elif entry.is_symlink():
                links.append((entry, name))
            else:
                folders.append((entry.path, f"{name}/"))


def _kind_of_hidden(entry: os.DirEntry[str]) -> str:
    """Name a hidden folder, or the kind of a hidden image; "" for what holds no photographs."""
    if is_image_name(entry.name):
        return "._*" if entry.name.startswith("._") else ".*"
    return entry.name if entry.name not in _OF_PROGRAMS and is_folder(entry) else ""


def _scan(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


@dataclass(frozen=True)
class _Places:
    """Where data lie."""

    photographs: Path
    """The folder with the photographs below it."""
    home: Path
    """The folder with the tables directly in it."""
    table: str = ""
    """The name of the one table that was named; "" where a folder was."""


def data_fingerprint(
    data: object = None,
    *,
    images: str | Path | None = None,
    test: str | Path | None = None,
    skip: Collection[str] = (),
    sets: Path | None = None,
) -> str | None:
    """Return a digest of what data look like without being read.

    Equal fingerprints mean the same relative paths, sizes and time stamps of all photographs, and the
    same content of all tables that may hold labels or list the test part. It depends neither on where
    the data lie nor on the order of folders. No photograph is opened, so that a change that keeps size
    and time stamp is not seen; links are followed as reading follows them, each folder once.

    Args:
        data: A folder, a table, `elpv` or None for the default data, or `torchvision:NAME`.
        images: For a table: the folder of its photographs; files that it names elsewhere are not looked at.
        test: The table that lists the test part; None or `none` for no other than the one beside the data.
        skip: Names directly inside a folder of photographs or tables that are no data.
        sets: The folder in which fetched sets of torchvision are kept.

    Returns:
        64 hexadecimal digits; None where it cannot be known: for a frame, a set of fastai, a set that was
        not fetched yet, and what is not there or may not be listed.
    """
    try:
        places = _places_of(data, images=images, sets=sets)
        if places is None:
            return None
        lines = sorted([*_looks(places, skip), *_test_looks(places, test, skip)])
    except OSError:
        return None
    return hashlib.sha256(b"\0\0".join(lines)).hexdigest()


def content_digest(path: Path) -> str:
    """Return a digest of what a table holds; of a large one, size and time stamp. Only regular files are opened.

    Raises:
        OSError: It is not there, or cannot be read.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    if status.st_size > MOST_TABLE_BYTES:
        return _stamp(status)
    return sha256_file(path)


def _places_of(data: object, *, images: str | Path | None, sets: Path | None) -> _Places | None:
    """Find out where data lie; None where that is not known."""
    root = _root_of(data, sets)
    if root is None:
        return None
    table = ""
    if root.suffix.lower() in TABLE_SUFFIXES and root.is_file():
        root, table = root.absolute().parent, root.name
    if not root.is_dir():
        return None
    if images is None:
        return _Places(root, root, table)
    folder = next((path for path in (Path(images), root / images) if path.is_dir()), None)
    return _Places(folder, root, table) if folder else None


def _root_of(data: object, sets: Path | None) -> Path | None:
    if data is None:
        return _elpv_folder()
    if not isinstance(data, str | Path):
        return None
    text = str(data)
    if text == DEFAULT_DATA:
        return _elpv_folder()
    library, colon, name = text.partition(":")
    if colon and library in ("torchvision", "fastai"):
        return sets / library / name if sets and library == "torchvision" else None
    return Path(text).expanduser()


def _elpv_folder() -> Path | None:
    """Find the data of the package elpv-dataset without importing it."""
    spec = importlib.util.find_spec("elpv_dataset")
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) / "data" if places else None


def _looks(places: _Places, skip: Collection[str]) -> Iterator[bytes]:
    """Describe every photograph, and every table that may tell of them."""
    yield from _photographs(places.photographs, skip, kind="photograph")
    for name in _tables(places, skip):
        yield _line("table", name, content_digest(places.home / name))


def _photographs(folder: Path, skip: Collection[str], *, kind: str) -> Iterator[bytes]:
    for entry, name in visible_files(folder, skip=skip):
        if is_image_name(name):
            yield _line(kind, name, _state_of(entry))


def _tables(places: _Places, skip: Collection[str]) -> list[str]:
    """List the tables that reading could turn to: that of the labels, or what may be it, and the test list beside."""
    with os.scandir(places.home) as entries:
        names = {entry.name for entry in entries if not is_hidden(entry.name) and entry.name not in skip}
    tables = {name: PurePosixPath(name).stem.lower() for name in names if _is_table_name(name)}
    tests = {name for name, stem in tables.items() if stem == "test"}
    samples = set() if tests else set(filter(is_sample_submission, tables))
    labels = places.table or ("train.csv" if "train.csv" in tables else "")
    if labels:
        return sorted({labels, *tests, *samples, *valid_names(labels, tables)})
    beside = {name for name, stem in tables.items() if "submission" not in stem}
    parts = [
        f"{folder}/{name}"
        for folder in names
        if folder.lower() in TABLE_FOLDERS
        for name in _tables_below(places.home / folder)
    ]
    return sorted({*beside, *samples, *([] if beside else parts)})


def _tables_below(folder: Path) -> list[str]:
    if not _is_folder(folder):
        return []
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if not is_hidden(entry.name) and _is_table_name(entry.name))


def is_sample_submission(name: str) -> bool:
    """Return whether a table, by its name, shows what a submission looks like; one to hand in is none."""
    stem = PurePosixPath(name).stem.lower()
    return "submission" in stem and any(word in stem for word in ("sample", "format", "template", "example"))


def valid_names(table: str, names: Iterable[str]) -> list[str]:
    """Return which names are those of a table called train, with a word for valid where that says train."""
    stem, suffix = PurePosixPath(table).stem.lower(), PurePosixPath(table).suffix.lower()
    if not (said := _TRAIN.search(stem)):
        return []
    wanted = {f"{stem[: said.start()]}{word}{stem[said.end() :]}{suffix}" for word in VALID_WORDS}
    return sorted(name for name in names if name.lower() in wanted)


def _is_table_name(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in TABLE_SUFFIXES


def _test_looks(places: _Places, test: str | Path | None, skip: Collection[str]) -> Iterator[bytes]:
    """Describe a test list that was named, and the photographs below it where it lies apart from the others."""
    if test is None or str(test) == _NO_TEST:
        return
    found = next((path for path in (Path(test).expanduser(), places.home / test) if path.is_file()), None)
    yield _line("test", "", content_digest(found) if found else "missing")
    if found and places.photographs == places.home and not found.resolve().is_relative_to(places.home.resolve()):
        yield from _photographs(found.parent, skip, kind="test")


def _state_of(entry: os.DirEntry[str]) -> str:
    """Return size and time stamp of a file, or what it is instead."""
    try:
        status = entry.stat()
    except OSError:  # a link to nothing, or to itself
        return "unreachable"
    return _stamp(status) if stat.S_ISREG(status.st_mode) else "not a regular file"


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns}"


def _line(kind: str, name: str, state: str) -> bytes:
    """Join what no name of a file can hold between, so that no two looks give the same line."""
    return b"\0".join((kind.encode(), os.fsencode(name), state.encode()))


@dataclass(frozen=True)
class Finder:
    """Finds files by name in an ordered list of folders, adding the suffix of an image where it is missing."""

    folders: tuple[Path, ...]
    """Where to look; the first that has the file wins."""
    below: Below | None = None
    """Where to look for what lies directly in none of them; None looks nowhere else."""
    known: Mapping[str, str] = field(default_factory=dict)
    """Values whose files are known without looking, as those of photographs that stand in the table itself."""
    _stems: dict[Path, dict[str, list[str]]] = field(default_factory=dict, repr=False, compare=False)
    """From a folder to its images by stem; each folder is listed once."""

    def find(self, value: str) -> str:
        """Return the absolute path of the file that a value names, or "" where there is none.

        Blanks around a value count only where there is a file whose name has them.

        Raises:
            DataError: The value leaves the folder, or more than one image has its stem.
        """
        if value in self.known:
            return self.known[value]
        if not value.strip() or "\0" in value:
            return ""
        if ".." in PurePosixPath(value).parts:
            raise DataError(f"{value!r} leaves the folder of the images")
        for name in dict.fromkeys((value, value.strip())):
            for folder in self.folders:
                path = folder.absolute() / name
                if is_file(path):
                    return str(path)
                if named := self._with_suffix(path):
                    return named
        return self._below(value.strip())

    def n_found(self, values: Sequence[str]) -> int:
        """Count the values that name a file."""
        return sum(map(self.names_a_file, values))

    def names_a_file(self, value: str) -> bool:
        """Return whether a value names a file, or several that it does not tell apart."""
        try:
            return bool(self.find(value))
        except DataError:
            return ".." not in PurePosixPath(value).parts

    def _below(self, value: str) -> str:
        found = self.below.find(value) if self.below else []
        if self.below and len(found) > 1:
            raise DataError(f"{value!r} may be any of {listed(found)} in {self.below.folder}")
        return str(self.below.folder.absolute() / found[0]) if self.below and found else ""

    def _with_suffix(self, path: Path) -> str:
        names = self._images_by_stem(path.parent).get(path.name, [])
        if len(names) > 1:
            raise DataError(f"{path.name!r} may be any of {', '.join(names)}")
        return str(path.parent / names[0]) if names else ""

    def _images_by_stem(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._stems:
            by_stem: dict[str, list[str]] = {}
            names = sorted(entry.name for entry in folder.iterdir()) if _is_folder(folder) else []
            for name in filter(is_image_name, names):
                by_stem.setdefault(PurePosixPath(name).stem, []).append(name)
            self._stems[folder] = by_stem
        return self._stems[folder]


def is_file(path: Path) -> bool:
    """Return whether there is a file; a text that cannot be the name of one names none."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or of characters that no name has
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


class Below:
    """The photographs anywhere below a folder, by the ends of their paths; it is listed when first asked."""

    def __init__(self, folder: Path, *, skip: Collection[str] = ()) -> None:
        """Keep which folder it is, and the names directly inside it that are not entered."""
        self.folder = folder
        self._skip = skip

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The relative posix paths."""
        return list_images(self.folder, skip=self._skip).images if _is_folder(self.folder) else ()

    def find(self, value: str) -> list[str]:
        """Return the photographs whose path ends with a value, with or without its suffix."""
        return self.like(value, str)

    def like(self, value: str, form: Callable[[str], str]) -> list[str]:
        """Return the photographs that a value names once both are written in one form.

        Args:
            value: The end of a path, with or without its suffix.
            form: Writes a name so that what shall not tell names apart is gone, as `str.casefold` does.
        """
        if form not in self._forms:
            by_name: dict[str, list[str]] = {}
            for name in self.names:
                path = PurePosixPath(name)
                for key in dict.fromkeys((form(path.name), form(path.stem))):
                    by_name.setdefault(key, []).append(name)
            self._forms[form] = by_name
        parts = PurePosixPath(value).parts
        if not parts:
            return []
        wanted = [form(part) for part in parts[:-1]]
        found = self._forms[form].get(form(parts[-1]), [])
        return [name for name in found if _ends_in([form(part) for part in name.split("/")[:-1]], wanted)]

    @cached_property
    def _forms(self) -> dict[Callable[[str], str], dict[str, list[str]]]:
        return {}


def _ends_in(parts: list[str], wanted: list[str]) -> bool:
    return not wanted or parts[-len(wanted) :] == wanted


def probe(values: Sequence[str]) -> list[str]:
    """Pick at most 200 values, spread evenly, to learn what a column holds."""
    filled = [value for value in values if value.strip()]
    step = max(1, -(-len(filled) // _N_PROBED))
    return filled[::step]


def find_folder(
    home: Path,
    images: str | Path | None,
    values: Sequence[str],
    *,
    skip: Collection[str] = (),
    part: str = "train",
) -> tuple[Finder, int]:
    """Find the folder whose files the values name.

    Args:
        home: The folder of the table.
        images: The folder as the user gave it, from the current folder or from that of the table;
            None looks in the folder of the table and in those directly inside it.
        values: What should name files.
        skip: Names of folders that are not looked into.
        part: What the name of the folder says that is preferred where several serve equally well.

    Returns:
        A finder that looks there, then in the folder of the table; and how many values name a file in it.

    Raises:
        DataError: The given folder does not exist, or several serve equally well.
    """
    if images is not None:
        folder = images_folder(home, images)
        finder = Finder((folder, home))
        return finder, finder.n_found(values)
    counted = [(Finder((folder,)).n_found(values), folder) for folder in (home, *visible_folders(home, skip=skip))]
    if any(part in folder.name.lower() and 2 * n_found >= len(values) > 0 for n_found, folder in counted):
        # the numbers of one part are often those of another too
        counted = [(n, folder) for n, folder in counted if not _is_of_other_part(folder, home, part)]
    most = max(n_found for n_found, _ in counted)
    folder = _preferred([folder for n_found, folder in counted if n_found == most], home, part) if most else home
    return Finder((folder, home)), most


def images_folder(home: Path, images: str | Path) -> Path:
    """Return the folder of images that a person named, from the current folder or from that of the table.

    Raises:
        DataError: It does not exist.
    """
    folder = next((path for path in (Path(images).expanduser(), home / images) if path.is_dir()), None)
    if folder is None:
        raise DataError(f"{images}: there is no such folder of images, neither here nor in {home}.")
    return folder


def _preferred(folders: list[Path], home: Path, part: str) -> Path:
    """Choose between folders that serve equally well; images for training go before images for testing."""
    folders.sort(key=lambda folder: (_rank(folder, home, part), folder.name))
    if len(folders) > 1 and _rank(folders[0], home, part) == _rank(folders[1], home, part):
        names = ", ".join(folder.name for folder in folders)
        raise DataError(
            f"{home}: the table may mean the files of any of {names}. Say which folder holds the images (--images)."
        )
    return folders[0]


def _is_of_other_part(folder: Path, home: Path, part: str) -> bool:
    name = folder.name.lower()
    return folder != home and part not in name and any(word in name for word in ("train", "val", "test"))


def _rank(folder: Path, home: Path, part: str) -> int:
    name = folder.name.lower()
    if folder == home:
        return 0
    if part in name:
        return 1
    return 2 if name in {"images", "image", "imgs", "img", "photos"} else 3
