"""Find the file that a value of a table names."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from imgcls.data.sources.files import is_image_name, visible_folders
from imgcls.errors import DataError

_N_PROBED = 200


@dataclass(frozen=True)
class Finder:
    """Finds files by name in an ordered list of folders, adding the suffix of an image where it is missing."""

    folders: tuple[Path, ...]
    """Where to look; the first that has the file wins."""
    _stems: dict[Path, dict[str, list[str]]] = field(default_factory=dict, repr=False, compare=False)
    """From a folder to its images by stem; each folder is listed once."""

    def find(self, value: str) -> str:
        """Give the absolute path of the file that a value names, or "" where there is none.

        Raises:
            DataError: The value leaves the folder, or more than one image has its stem.
        """
        if not value.strip() or "\0" in value:
            return ""
        if ".." in PurePosixPath(value).parts:
            raise DataError(f"{value!r} leaves the folder of the images")
        for folder in self.folders:
            path = folder.absolute() / value
            if path.is_file():
                return str(path)
            if named := self._with_suffix(path):
                return named
        return ""

    def n_found(self, values: Sequence[str]) -> int:
        """Count the values that name a file."""
        return sum(self._names_a_file(value) for value in values)

    def _names_a_file(self, value: str) -> bool:
        try:
            return bool(self.find(value))
        except DataError:
            return ".." not in PurePosixPath(value).parts  # several images of one stem: found, if not told apart

    def _with_suffix(self, path: Path) -> str:
        names = self._images_by_stem(path.parent).get(path.name, [])
        if len(names) > 1:
            raise DataError(f"{path.name!r} may be any of {', '.join(names)}")
        return str(path.parent / names[0]) if names else ""

    def _images_by_stem(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._stems:
            by_stem: dict[str, list[str]] = {}
            names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
            for name in filter(is_image_name, names):
                by_stem.setdefault(PurePosixPath(name).stem, []).append(name)
            self._stems[folder] = by_stem
        return self._stems[folder]


def probe(values: Sequence[str]) -> list[str]:
    """Pick at most 200 values, spread evenly, to learn what a column holds."""
    filled = [value for value in values if value.strip()]
    step = max(1, -(-len(filled) // _N_PROBED))
    return filled[::step]


def find_folder(
    home: Path, images: str | Path | None, values: Sequence[str], *, skip: Collection[str] = ()
) -> tuple[Finder, int]:
    """Find the folder whose files the values name.

    Args:
        home: The folder of the table.
        images: The folder as the user gave it, from the current folder or from that of the table;
            None looks in the folder of the table and in those directly inside it.
        values: What should name files.
        skip: Names of folders that are not looked into.

    Returns:
        A finder that looks there, then in the folder of the table; and how many values name a file in it.

    Raises:
        DataError: The given folder does not exist, or several serve equally well.
    """
    if images is not None:
        folder = next((path for path in (Path(images), home / images) if path.is_dir()), None)
        if folder is None:
            raise DataError(f"{images}: there is no such folder of images, neither here nor in {home}.")
        finder = Finder((folder, home))
        return finder, finder.n_found(values)
    counted = [(Finder((folder,)).n_found(values), folder) for folder in (home, *visible_folders(home, skip=skip))]
    most = max(n_found for n_found, _ in counted)
    folder = _preferred([folder for n_found, folder in counted if n_found == most], home) if most else home
    return Finder((folder, home)), most


def _preferred(folders: list[Path], home: Path) -> Path:
    """Choose between folders that serve equally well; images for training go before images for testing."""
    folders.sort(key=lambda folder: (_rank(folder, home), folder.name))
    if len(folders) > 1 and _rank(folders[0], home) == _rank(folders[1], home):
        names = ", ".join(folder.name for folder in folders)
        raise DataError(f"{home}: the table may mean the files of any of {names}. Say which folder holds the images.")
    return folders[0]


def _rank(folder: Path, home: Path) -> int:
    name = folder.name.lower()
    if folder == home:
        return 0
    if "train" in name:
        return 1
    return 2 if name in {"images", "image", "imgs", "img", "photos"} else 3
