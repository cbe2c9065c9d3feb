"""The map of the photographs on a page: a section of other pages, or a page of its own."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from imgcls._version import __version__
from imgcls.eda.photo_map import PhotoMap
from imgcls.reports.console import count, path, size
from imgcls.reports.page.render import environment, policy_of, resource
from imgcls.storage import make_folder, write_bytes
from imgcls.text import as_utf8

MAP_CSS, MAP_JS = "map.css", "map.js"
_GRID = 9999  # a place is a whole number up to this, finer than any screen


def map_context(photo_map: PhotoMap, with_images: bool = True) -> dict[str, Any]:
    """Return what `map.html.j2` shows, as `photo_map`; the page has to hold `map.css` and `map.js` too.

    Args:
        photo_map: The map.
        with_images: Whether photographs and their names may be shown; without them there are dots only.
    """
    shown = photo_map if with_images else photo_map.without_names()
    points, about = shown.points, shown.about
    n_valid = sum(point.split == "valid" for point in points)
    return {
        "about": about,
        "n": shown.n,
        "n_valid": n_valid,
        "n_train": shown.n - n_valid,
        "n_wrong": sum(point.right is False for point in points),
        "is_answered": any(point.predicted is not None for point in points),
        "is_withheld": shown.is_withheld,
        "data": _as_script(_columns(shown)),
    }


def _columns(photo_map: PhotoMap) -> dict[str, Any]:
    """Return the map as the script of the page reads it: a list for each column, in the order of the points."""
    points = photo_map.points
    labels = list(dict.fromkeys([*(one.label for one in points), *(one.predicted or "" for one in points)]))
    number_of = {label: number for number, label in enumerate(labels)}
    return {
        "classes": photo_map.about.classes,
        "several": photo_map.about.problem == "multilabel",
        "labels": labels,
        "label": [number_of[one.label] for one in points],
        "answer": [-1 if one.predicted is None else number_of[one.predicted] for one in points],
        "confidence": [None if one.confidence is None else round(one.confidence, 3) for one in points],
        "right": [one.right for one in points],
        "valid": [int(one.split == "valid") for one in points],
        "places": _on_grid([(one.x, one.y) for one in points]),
        "ids": [] if photo_map.is_withheld else [one.id for one in points],
        "kind": "webp" if any((one.image or b"").startswith(b"RIFF") for one in points) else "jpeg",
        "images": [base64.b64encode(one.image or b"").decode("ascii") for one in points]
        if any(one.image for one in points)
        else [],
    }


def _on_grid(places: Sequence[tuple[float, float]]) -> list[list[int]]:
    """Return places as whole numbers, both axes to one scale and centred in the square."""
    values = np.array(places, dtype=np.float64).reshape(-1, 2)
    low, high = values.min(axis=0), values.max(axis=0)
    extent = float((high - low).max())
    scale = _GRID / extent if extent > 0 else 0.0
    found: list[list[int]] = np.rint((values - (low + high) / 2) * scale + _GRID / 2).astype(int).tolist()
    return found


def _as_script(value: Any) -> Markup:
    """Return JSON that stands in a script element and cannot end it."""
    text = json.dumps(value, separators=(",", ":"))  # ASCII only
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - only < could end a script element


def map_page(photo_map: PhotoMap, *, with_images: bool = True) -> bytes:
    """Return a page of the map alone.

    Args:
        photo_map: The map of a run.
        with_images: Whether photographs and their names may be shown.
    """
    style, script = resource("page.css") + resource(MAP_CSS), resource(MAP_JS)
    text = (
        environment()
        .get_template("map_page.html.j2")
        .render(
            photo_map=map_context(photo_map, with_images),
            version=__version__,
            count=count,
            policy=policy_of(style, script),
            style=Markup(style),  # noqa: S704 - files of this package
            script=Markup(script),  # noqa: S704
        )
    )
    return as_utf8(text).encode()


@dataclass(frozen=True)
class MapWritten:
    """A map that lies on the disk, as a page and as a Parquet file."""

    photo_map: PhotoMap
    """The map."""
    page: Path
    """The page."""
    table: Path
    """The Parquet file."""
    n_bytes: int
    """The size of the page."""

    @classmethod
    def of(cls, photo_map: PhotoMap, page: Path, *, with_images: bool = True) -> MapWritten:
        """Write a map as a page, and beside it as a Parquet file.

        Args:
            photo_map: The map.
            page: Where the page goes.
            with_images: Whether photographs and their names may be in either.

        Raises:
            ImgclsError: A file cannot be written.
        """
        shown = photo_map if with_images else photo_map.without_names()
        content, table = map_page(shown, with_images=with_images), page.with_suffix(".parquet")
        make_folder(page.parent)
        shown.write(table)
        write_bytes(page, content)
        return cls(shown, page, table, len(content))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Name the files, and say what is in them."""
        about = self.photo_map.about
        part = f" of {about.n_all:,}" if self.photo_map.n < about.n_all else ""
        yield Text(f"A map of {count(self.photo_map.n, 'photograph')}{part}, {size(self.n_bytes)}, that stands alone:")
        yield path(self.page)
        yield Text("The same for other programs:")
        yield path(self.table)
        if self.photo_map.is_withheld:
            yield Text("They hold neither photographs nor their names.")

    def to_json(self) -> dict[str, Any]:
        """Return the same as JSON values."""
        points = self.photo_map.points
        return {
            "schema": 1,
            "path": str(self.page),
            "table": str(self.table),
            "n_bytes": self.n_bytes,
            "name": self.photo_map.about.name,
            "n_photographs": self.photo_map.n,
            "n_all": self.photo_map.about.n_all,
            "n_valid": sum(point.split == "valid" for point in points),
            "n_wrong": sum(point.right is False for point in points),
            "withheld": self.photo_map.is_withheld,
        }
