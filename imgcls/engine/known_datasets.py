"""Data sets that torchvision and fastai know by name, fetched by them and read as a folder of classes.

They are fetched only when they are named; no default names one.
"""

from __future__ import annotations

import logging
import shutil
import uuid
from pathlib import Path
from typing import Any

from imgcls.data.source import KNOWN_PREFIXES
from imgcls.errors import DataError, nearest_hint

_log = logging.getLogger("imgcls")
_PARTS = {
    "train": ("train", "trainval", "training"),
    "valid": ("val", "valid", "validation"),
    "test": ("test",),
}
"""From the name of a split to what torchvision's sets call it; the first that a set has is taken."""


def is_known_set(data: object) -> bool:
    """Return whether a data argument names a set of torchvision or fastai."""
    return isinstance(data, str) and data.startswith(KNOWN_PREFIXES)


def known_set(name: str, folder: Path) -> Path:
    """Return the folder of a named set, fetching it when it is not there yet.

    Args:
        name: `torchvision:NAME` (a class of `torchvision.datasets`) or `fastai:NAME` (an entry of `URLs`).
        folder: Where torchvision's sets are kept; fastai keeps its own.

    Raises:
        DataError: There is no such set, or it cannot be fetched.
    """
    library, _, entry = name.partition(":")
    return _from_torchvision(entry, folder / library) if library == "torchvision" else _from_fastai(entry)


def fetched_set(name: str, folder: Path) -> Path | None:
    """Return the folder of a named set of torchvision that was fetched before; None otherwise. Nothing is fetched.

    Args:
        name: `torchvision:NAME`; fastai's sets lie where only fastai knows.
        folder: Where torchvision's sets are kept.
    """
    library, _, entry = name.partition(":")
    fetched = folder / library / entry
    return fetched if library == "torchvision" and fetched.is_dir() else None


def _from_torchvision(entry: str, folder: Path) -> Path:
    import torchvision.datasets

    if entry not in torchvision.datasets.__all__:
        raise DataError(f"torchvision has no data set {entry!r}.{nearest_hint(entry, torchvision.datasets.__all__)}")
    final = folder / entry
    if final.is_dir():
        return final
    _log.info("Fetching torchvision:%s", entry)
    draft = folder / f".{entry}-{uuid.uuid4().hex}"
    try:
        for split, photos in _splits_of(getattr(torchvision.datasets, entry), folder / "downloads"):
            _write(photos, draft / split)
        draft.rename(final)
    except Exception as problem:
        raise DataError(f"torchvision:{entry} could not be fetched or written: {problem}") from problem
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return final


def _splits_of(kind: Any, downloads: Path) -> list[tuple[str, Any]]:
    """Make the parts of a set, whose constructors differ in how they name them."""
    import inspect

    accepted = inspect.signature(kind).parameters
    where: dict[str, Any] = {"root": str(downloads)} if "root" in accepted else {}
    if "download" in accepted:
        where["download"] = True
    if "train" in accepted:
        return [("train", kind(**where, train=True)), ("test", kind(**where, train=False))]
    if "split" in accepted:
        parts = [(split, _first_part(kind, where, names)) for split, names in _PARTS.items()]
        if parts[0][1] is None:
            raise DataError(f"it has no split called {' or '.join(_PARTS['train'])}.")
        return [(split, photos) for split, photos in parts if photos is not None]
    return [("train", kind(**where))]


def _first_part(kind: Any, where: dict[str, Any], names: tuple[str, ...]) -> Any:
    """Make the first part that a set has among those names; None where it has none of them."""
    for name in names:
        try:
            return kind(**where, split=name)
        except ValueError as problem:
            # any other failure must not pass for a part that is not there
            if "split" not in str(problem) or repr(name) not in str(problem).replace('"', "'"):
                raise
    return None


def _write(photos: Any, folder: Path) -> None:
    """Write images as PNG, by class."""
    names = getattr(photos, "classes", None)
    for number in range(len(photos)):
        image, target = photos[number]
        if not isinstance(target, int):
            target = int(target)
        home = folder / (str(names[target]).replace("/", "-") if names else str(target))
        home.mkdir(parents=True, exist_ok=True)
        image.save(home / f"{number:07d}.png")


def _from_fastai(entry: str) -> Path:
    from fastai.data.external import URLs, untar_data

    known = [text for text in vars(URLs) if text.isupper()]
    if entry not in known:
        raise DataError(f"fastai has no data set {entry!r}.{nearest_hint(entry, known)}")
    try:
        return Path(untar_data(getattr(URLs, entry)))
    except Exception as problem:
        raise DataError(f"fastai:{entry} could not be fetched: {problem}") from problem
