"""All pictures of a data set, drawn into a folder; what was drawn before and is no more is removed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from imgcls.durable import make_folder, write_bytes
from imgcls.eda.facts import Facts
from imgcls.eda.pictures.canvas import drawing, png_of
from imgcls.eda.pictures.classes import classes_figure, together_figure
from imgcls.eda.pictures.found import odd_figure, pairs_figure
from imgcls.eda.pictures.measures import curve_figure, light_figure, sizes_figure
from imgcls.eda.pictures.sheets import class_sheets, compared
from imgcls.eda.scan import Scan

FOLDER = "pictures"
SHEET = "sheet: "
"""What the name of a class's contact sheet begins with."""
_NAMES = ("classes", "together", "compared", "sizes", "light", "duplicates", "odd", "curve")
_OURS = re.compile(rf"({'|'.join(_NAMES)}|sheet-\d{{3,}}(-[a-z0-9-]+)?)\.png")


def draw(facts: Facts, scan: Scan, folder: Path, *, seed: int = 0) -> dict[str, str]:
    """Draw everything about a data set that a person would rather look at than read.

    A photograph that cannot be read any more leaves a box that says so. Photographs of test are in no contact sheet.

    Args:
        facts: What was measured; their own pictures are not looked at.
        scan: What was looked at.
        folder: That of facts.json; the pictures lie in `pictures/` in it.
        seed: Decides which photographs are on contact sheets.

    Returns:
        From the name of each picture to its file, relative to the folder: `classes`, `together` for several labels,
        `compared`, `sheet: CLASS` for at most 24 classes, `sizes`, `light`, and where there are any `duplicates`,
        `odd` and `curve`.
    """
    place, files = folder / FOLDER, {}
    make_folder(place)
    with drawing():
        for name, file_name, figure in _figures(facts, scan, seed=seed):
            write_bytes(place / file_name, png_of(figure))
            files[name] = f"{FOLDER}/{file_name}"
    _remove_others(place, set(files.values()))
    return files


def _figures(facts: Facts, scan: Scan, *, seed: int) -> Iterator[tuple[str, str, Figure]]:
    """Draw one picture after the other: its name, its file, and the figure."""
    samples = scan.samples
    yield "classes", "classes.png", classes_figure(facts)
    if facts.together:
        yield "together", "together.png", together_figure(facts)
    yield "compared", "compared.png", compared(facts, samples, seed=seed)
    for number, (name, figure) in enumerate(class_sheets(facts, samples, seed=seed), start=1):
        yield f"{SHEET}{name}", f"sheet-{number:03d}{_slug(name)}.png", figure
    yield "sizes", "sizes.png", sizes_figure(facts, scan.measures, samples)
    yield "light", "light.png", light_figure(scan.measures, samples)
    if facts.duplicates:
        yield "duplicates", "duplicates.png", pairs_figure(facts, samples)
    if facts.odd:
        yield "odd", "odd.png", odd_figure(facts, samples)
    if len(facts.curve) > 1:
        yield "curve", "curve.png", curve_figure(facts)


def _slug(name: str) -> str:
    """Give what a class's name can lend to the name of a file, which its number alone keeps apart from others."""
    text = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:32].strip("-")
    return f"-{text}" if text else ""


def _remove_others(place: Path, kept: set[str]) -> None:
    """Remove pictures of an earlier look that this one did not draw; files of other names are not ours."""
    for path in place.iterdir():
        if _OURS.fullmatch(path.name) and f"{FOLDER}/{path.name}" not in kept:
            path.unlink(missing_ok=True)
