"""Photographs to predict: files, folders and tables without labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from imgcls.data.sources.columns import TableOptions, find_ids, locate_all
from imgcls.data.sources.delimited import read_table
from imgcls.data.sources.files import TABLE_SUFFIXES, list_images
from imgcls.errors import DataError


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
    options = TableOptions(images=images, id=id)
    found = [entry for path in paths for entry in _found_at(path, options)]
    repeated = {name for name, n in Counter(name for name, _ in found).items() if n > 1}
    return [(str(path) if name in repeated else name, path) for name, path in found]


def _found_at(path: Path, options: TableOptions) -> Iterator[tuple[str, Path]]:
    if path.suffix.lower() in TABLE_SUFFIXES and path.is_file():
        table = read_table(path)
        column, finder = find_ids(table, home=path.absolute().parent, options=options)
        located = locate_all(table, column, finder)
        yield from zip(table.columns[column], map(Path, located), strict=True)
    elif path.is_dir():
        names = list_images(path).images
        if not names:
            raise DataError(f"{path}: no images were found in this folder or below it.")
        yield from ((name, path / name) for name in names)
    else:
        yield path.name, path
