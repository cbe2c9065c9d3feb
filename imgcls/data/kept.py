"""What the cache keeps, and how to be rid of it: decoded photographs, features of them, and sets that were fetched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from imgcls.data.pool import PoolInfo, last_used, n_bytes_of, name_in, pool_folders, remove, slug
from imgcls.errors import DataError, nearest_hint

FEATURES = "features"
"""The folder of the features that looking at data computed; see `imgcls.eda.features`."""
MEASURES = "measures"
"""The folder of what was measured of photographs; see `imgcls.eda.measures`."""
SETS = "sets"
"""The name in reports of all fetched sets together."""


def cache_report(folder: Path) -> list[PoolInfo]:
    """Say what a cache holds.

    Args:
        folder: The folder of the cache; need not exist.

    Returns:
        One entry for each pool, the most recently used first, and one for the fetched sets if there are any.
    """
    return [info for path in reversed(pool_folders(folder)) if (info := _pool(path)) is not None] + list(_sets(folder))


def clear(folder: Path, name: str | None = None) -> int:
    """Remove pools that no other process is filling and fetched sets, and nothing else.

    Args:
        folder: The folder of the cache; need not exist.
        name: The data set whose pools to remove, or "sets"; None removes all, and what is known and was
            measured of photographs.

    Returns:
        The number of bytes freed.

    Raises:
        DataError: The cache holds nothing of that name.
    """
    pools = pool_folders(folder)
    wanted = None if name is None else slug(name)
    names = {name_in(path) for path in pools} | ({SETS} if _sets_folder(folder).is_dir() else set())
    if wanted is not None and wanted not in names:
        raise DataError(f"The cache in {folder} holds nothing of {name!r}.{nearest_hint(wanted, sorted(names))}")
    freed = sum(remove(path) for path in pools if wanted in (None, name_in(path)))
    if wanted in (None, SETS):
        freed += _remove_sets(folder)
    if wanted is None:
        freed += _forget(folder / "files", "*.json")
        freed += sum(_forget(folder / part, "*.npz") for part in (MEASURES, FEATURES))
    return freed


def _pool(path: Path) -> PoolInfo | None:
    try:
        manifest = json.loads((path / "manifest.json").read_bytes())
        used = datetime.fromtimestamp(last_used(path), UTC)
        return PoolInfo(name_in(path), manifest["key"], manifest["n_rows"], n_bytes_of(path), used)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _sets(folder: Path) -> Iterator[PoolInfo]:
    root = _sets_folder(folder)
    if root.is_dir():
        files = [path for path in root.rglob("*") if path.is_file()]
        n_photos = sum(path.suffix == ".png" and not path.is_relative_to(root / "downloads") for path in files)
        used = datetime.fromtimestamp(root.stat().st_mtime, UTC)
        yield PoolInfo(SETS, "", n_photos, _n_bytes_below(root), used)


def _sets_folder(folder: Path) -> Path:
    return folder / SETS / "torchvision"


def _remove_sets(folder: Path) -> int:
    root = _sets_folder(folder)
    n_before = _n_bytes_below(root)
    shutil.rmtree(root, ignore_errors=True)
    return n_before - _n_bytes_below(root)


def _forget(folder: Path, pattern: str) -> int:
    freed = 0
    for path in folder.glob(pattern):
        freed += path.stat().st_size
        path.unlink()
    return freed


def _n_bytes_below(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
