"""Which table in a folder holds the labels, if it is not the folders that name the classes."""

from __future__ import annotations

from pathlib import Path

from imgcls.data.sources.columns import TableOptions
from imgcls.data.sources.files import TABLE_SUFFIXES, is_hidden, list_images
from imgcls.data.sources.folder import has_split_folders, names_no_class
from imgcls.data.sources.test_list import OFF
from imgcls.errors import DataError


def table_in(root: Path, options: TableOptions) -> Path | None:
    """Find the table of labels in a folder; None where its class folders say what is what.

    Args:
        root: The folder.
        options: What was said of a table; saying anything asks for one.

    Raises:
        DataError: There are several, or columns were asked for and there is none.
    """
    return None if _asks_for_folders(root, options) else _the_table(root, options)


def _asks_for_folders(root: Path, options: TableOptions) -> bool:
    """Whether a folder is to be read by its class folders although a table may lie in it."""
    if _asks_for_table(options):
        return False
    names = list_images(root, skip=options.skip).images
    if has_split_folders(names):
        return True
    tops = {name.split("/")[0] for name in names if "/" in name}
    classes = [top for top in tops if not names_no_class(top)]
    return len(classes) > 1 and not (root / "train.csv").is_file()


def _asks_for_table(options: TableOptions) -> bool:
    test = None if options.test is not None and str(options.test) == OFF else options.test
    return any((options.images, options.label, options.id, options.group, options.split, test))


def _the_table(root: Path, options: TableOptions) -> Path | None:
    if (root / "train.csv").is_file():
        return root / "train.csv"
    found = sorted(path for path in root.iterdir() if path.suffix.lower() in TABLE_SUFFIXES and path.is_file())
    tables = [path for path in found if not is_hidden(path.name) and _may_hold_labels(path.stem.lower())]
    if len(tables) > 1 or (_asks_for_table(options) and not tables):
        names = ", ".join(path.name for path in tables) or "none"
        raise DataError(f"{root}: which table holds the labels? There is {names}. Name the table itself.")
    return tables[0] if tables else None


def _may_hold_labels(stem: str) -> bool:
    return "submission" not in stem and not stem.startswith("test")
