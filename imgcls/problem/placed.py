"""How the data of a problem are read: its parts by the names that readers use, with every path resolved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from imgcls.problem.model import Problem

_NAMED = ("torchvision:", "fastai:")
_ELPV = "elpv"
_NONE = "none"


def reading_of(problem: Problem, root: Path) -> dict[str, Any]:
    """Give what a problem says of its data, by the fields of `imgcls.engine.prepare.DataSource`.

    Args:
        problem: The problem.
        root: The folder of its file, where paths begin.

    Returns:
        From the name of a field to its value; None where the problem says nothing.
    """
    data, split = problem.data, problem.split
    source = place_of_source(data.source, root)
    home = _home(source)
    return {
        "data": source,
        "images": _beside(data.images, root, home),
        "label": list(data.label) if isinstance(data.label, tuple) else data.label,
        "id": data.id,
        "group": split.group,
        "split": split.column,
        "problem_type": problem.type,
        "delimiter": data.delimiter,
        "test": data.test if data.test == _NONE else _beside(data.test, root, home),
        "valid": split.fraction,
        "split_seed": split.seed,
    }


def place_of_source(source: str | None, root: Path) -> str | None:
    """Give a source that means the same from every folder: an absolute path, or the name of a known set."""
    if source is None or is_named_set(source):
        return source
    return str(root / Path(source).expanduser())


def place_of(text: str, problem: Problem, root: Path) -> Path:
    """Give the file or folder that a problem names: from the folder of its file, else from that of its data."""
    found = _beside(text, root, _home(place_of_source(problem.data.source, root)))
    return Path(found or text)


def is_named_set(source: str) -> bool:
    """Say whether a source is the name of a known set, and no place on the disk."""
    return source == _ELPV or source.startswith(_NAMED)


def is_same_source(one: object, other: object) -> bool:
    """Say whether two sources are the same data: the same name, or the same place on the disk."""
    if not isinstance(one, str | Path) or not isinstance(other, str | Path):
        return False
    names = str(one), str(other)
    if names[0] == names[1]:
        return True
    if any(map(is_named_set, names)):
        return False
    return Path(one).expanduser().resolve() == Path(other).expanduser().resolve()


def _home(source: str | None) -> Path | None:
    """Give the folder that a table lies in, or the folder that was named."""
    if source is None:
        return None
    path = Path(source)
    return path if path.is_dir() else path.parent


def _beside(text: str | None, root: Path, home: Path | None) -> str | None:
    """Give the absolute path of what is named from a root, or else from the folder of the data."""
    if text is None:
        return None
    path = Path(text).expanduser()
    beside = home / path if home is not None else root / path
    return str(beside if not (root / path).exists() and beside.exists() else root / path)
