"""One page about a data set: what to do first, then what is in it, to be read by people who were not there."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup
from PIL import Image, features

from imgcls._version import __version__
from imgcls.eda.facts import Facts, FileFacts, Pair
from imgcls.eda.photo_map import PhotoMap
from imgcls.reports import data
from imgcls.reports.console import count
from imgcls.reports.page.map_page import MAP_CSS, MAP_JS, map_context
from imgcls.reports.page.render import environment, policy_of, resource
from imgcls.storage import make_folder, write_bytes

EDA_HTML = "eda.html"
MOST_INLINE = 12
"""Contact sheets that the page holds; the others lie beside it."""
MOST_ROWS = 60
"""Rows of what was found; of classes there may be more."""
MOST_CLASSES = 1000
_OF_PHOTOGRAPHS = ("compared", "duplicates", "odd")
_SHEET = "sheet: "
_QUALITY = 78
_UNIT_DPI = 100  # a pixel of the page; charts are drawn sharper than that


@dataclass(frozen=True)
class Inline:
    """A picture that the page holds."""

    source: str
    """Its bytes as an address."""
    width_px: int
    """Its width on the page."""
    height_px: int
    """Its height on the page."""


@dataclass(frozen=True)
class Sheet:
    """The contact sheet of a class: in the page, or beside it."""

    name: str
    """The class."""
    file: str
    """Its file, relative to the page."""
    picture: Inline | None
    """The sheet itself; None where it only lies beside the page."""


def write_eda_page(facts: Facts, folder: Path, *, with_images: bool = True, photo_map: PhotoMap | None = None) -> Path:
    """Write `eda.html`, which stands alone: it holds its pictures, runs nothing of others, and asks for nothing.

    Args:
        facts: What it tells; a picture whose file is not there is left out.
        folder: That of facts.json, in which the pictures lie, and into which the page goes.
        with_images: Whether it may hold photographs and their names; without them it can leave the house.
        photo_map: The map of the photographs; None leaves that section out.

    Returns:
        The file.
    """
    style, script = resource("page.css") + resource("looking.css"), resource("sort.js")
    if photo_map is not None:
        style, script = style + resource(MAP_CSS), script + resource(MAP_JS)
    shown_map = None if photo_map is None else map_context(photo_map, with_images)
    context = {**_context(facts, folder, with_images=with_images), "photo_map": shown_map}
    context |= {"style": Markup(style), "script": Markup(script)}  # noqa: S704 - files of this package
    page = environment().get_template("looking.html.j2").render(context, policy=policy_of(style, script))
    make_folder(folder)
    file = folder / EDA_HTML
    write_bytes(file, page.encode("utf-8"))
    return file


def _context(facts: Facts, folder: Path, *, with_images: bool) -> dict[str, Any]:
    shown = [name for name in facts.pictures if not name.startswith(_SHEET)]
    if not with_images:
        shown = [name for name in shown if name not in _OF_PHOTOGRAPHS]
    pictures = {name: _inline(folder / facts.pictures[name], photographs=name in _OF_PHOTOGRAPHS) for name in shown}
    return {
        "facts": facts,
        "files": facts.files if with_images else _unnamed(facts.files),
        "words": data,
        "count": count,
        "with_images": with_images,
        "pictures": {name: picture for name, picture in pictures.items() if picture is not None},
        "sheets": _sheets(facts, folder) if with_images else [],
        "classes": data.by_frequency(facts)[:MOST_CLASSES],
        "pairs": facts.worst_pairs[:MOST_ROWS],
        "guesses": sorted(facts.guesses, key=lambda entry: -entry.auc),
        "most_rows": MOST_ROWS,
        "label_of": _label_of,
        "version": __version__,
    }


def _unnamed(files: Sequence[FileFacts]) -> list[FileFacts]:
    """Return the files without the names of photographs and folders, which may be those of persons."""
    tables = [entry for entry in files if entry.role not in ("photographs", "other")]
    photographs, others = (sum(entry.n for entry in files if entry.role == role) for role in ("photographs", "other"))
    first = [FileFacts(path="(photographs)", role="photographs", n=photographs)]
    return [*first, *tables, *([FileFacts(path="(others)", role="other", n=others)] if others else [])]


def _sheets(facts: Facts, folder: Path) -> list[Sheet]:
    """Return the contact sheets whose files are there, in the order of the classes; the first of them in the page."""
    sheets: list[Sheet] = []
    for name in facts.data.classes:
        file = facts.pictures.get(f"{_SHEET}{name}")
        if file is None or not (folder / file).is_file():
            continue
        picture = _inline(folder / file, photographs=True) if len(sheets) < MOST_INLINE else None
        sheets.append(Sheet(name, file, picture))
    return sheets


def _inline(path: Path, *, photographs: bool) -> Inline | None:
    """Read a picture for the page; photographs are stored smaller, as what they are."""
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            sharpness = max(1.0, image.info.get("dpi", (_UNIT_DPI,))[0] / _UNIT_DPI)
            width, height = (round(side / sharpness) for side in image.size)
            kind, stored = _smaller(image) if photographs else ("png", content)
    except (OSError, SyntaxError):  # Pillow raises the latter of a damaged PNG
        return None
    return Inline(f"data:image/{kind};base64,{base64.b64encode(stored).decode('ascii')}", width, height)


def _smaller(image: Image.Image) -> tuple[str, bytes]:
    kind = "webp" if features.check("webp") else "jpeg"
    file = io.BytesIO()
    image.convert("RGB").save(file, kind, quality=_QUALITY)
    return kind, file.getvalue()


def _label_of(pair: Pair, side: int) -> str:
    """Return the label of one side of a pair as it may be shown."""
    return pair.labels[side] if pair.labels else "sealed" if pair.splits[side] == "test" else "not compared"
