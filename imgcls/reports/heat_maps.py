"""Heat maps as people see them: a picture for each photograph and class, and what the maps of a run say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from imgcls.errors import RecordError, UsageError
from imgcls.predictions.heat_maps import Explanation, HeatMap
from imgcls.records.regions import RegionReport, place_name
from imgcls.reports.console import NamedRows, count, name
from imgcls.reports.ladder import section
from imgcls.schema import read_as, to_json
from imgcls.storage import make_folder, write_bytes, write_json
from imgcls.text import as_utf8, clean

SCHEMA = 1
EXPLAIN_JSON = "explain.json"
_SHOWN_PX = 320
_GAP_PX = 8


@dataclass(frozen=True)
class ExplainedPicture:
    """One picture: a photograph beside the map of one class."""

    photo: str
    """The photograph, as it was named."""
    label: str
    """Its true classes; empty where they are not known."""
    class_name: str
    """The class of the map."""
    probability: float
    """The probability of the class."""
    layer: str
    """The layer."""
    method: str
    """The method."""
    is_empty: bool
    """Whether no place speaks for the class."""
    file: str
    """The name of the picture."""


@dataclass(frozen=True)
class Explained:
    """What lies in a folder of pictures: `explain.json`."""

    run: str
    """The id of the run."""
    pictures: tuple[ExplainedPicture, ...]
    """The pictures, in order."""
    reasons: Mapping[str, str]
    """Photograph → why it has none."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"schema": SCHEMA, **to_json(self)}


def free_folder(folder: Path) -> Path:
    """Return a folder after a look that pictures may be written there: it is new, empty, or holds such pictures.

    Raises:
        UsageError: It holds something else, or is a file.
    """
    try:
        in_use = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
        if in_use:
            read_as(Explained, folder / EXPLAIN_JSON, schema=SCHEMA)
    except (RecordError, OSError) as problem:
        raise UsageError(f"{folder} is in use for something else. Name a new folder with -o.") from problem
    return folder


def write_pictures(found: Sequence[Explanation], reasons: Mapping[str, str], run: str, folder: Path) -> Explained:
    """Write a picture for each photograph and class, and what they are.

    Args:
        found: The explanations.
        reasons: Photograph → why it has none.
        run: The id of the run.
        folder: Where they go; see `free_folder`.

    Raises:
        ImgclsError: Something cannot be written.
    """
    make_folder(folder)
    _remove_pictures(folder)
    pictures = [
        ExplainedPicture(
            photo=as_utf8(one.photo),
            label=one.label,
            class_name=heat.class_name,
            probability=heat.probability,
            layer=heat.layer,
            method=heat.method,
            is_empty=not heat.values.any(),
            file=_name_of(number, place),
        )
        for number, one in enumerate(found, start=1)
        for place, heat in enumerate(one.maps, start=1)
    ]
    written = Explained(run, tuple(pictures), {as_utf8(photo): why for photo, why in reasons.items()})
    write_json(folder / EXPLAIN_JSON, written.to_json())  # first: what is cut short is known, and goes the next time
    for number, one in enumerate(found, start=1):
        for place, heat in enumerate(one.maps, start=1):
            write_bytes(folder / _name_of(number, place), picture_of(one, heat))
    return written


def _name_of(number: int, place: int) -> str:
    return f"{number:03d}-{place}.png"


def _remove_pictures(folder: Path) -> None:
    """Remove the pictures of an earlier call, which may be of another run."""
    file = folder / EXPLAIN_JSON
    if file.exists():
        for one in read_as(Explained, file, schema=SCHEMA).pictures:
            with suppress(OSError):  # a picture that cannot go is not named any more
                (folder / Path(one.file).name).unlink(missing_ok=True)


def picture_of(explanation: Explanation, heat: HeatMap) -> bytes:
    """Return a PNG file: the photograph as the network saw it beside the same with the map, and a legend."""
    from imgcls.eda.plots.canvas import SOFT, drawing, fitted, new_figure, png_of, write

    width, top = 2 * _SHOWN_PX + 3 * _GAP_PX, 58
    with drawing():
        figure = new_figure(width, top + _SHOWN_PX + _GAP_PX)
        room = width - 2 * _GAP_PX
        title = f"{heat.class_name}  {heat.probability:.2f}"
        write(figure, _GAP_PX, 8, fitted(title, room, size=11, weight="bold"), fontsize=11, fontweight="bold")
        true = f" · true: {explanation.label}" if explanation.label else ""
        empty = " · no place speaks for this class" if not heat.values.any() else ""
        about = f"{heat.made_by}{empty}{true} · {explanation.photo}"
        write(figure, _GAP_PX, 32, fitted(about, room, size=8), fontsize=8, color=SOFT)
        height = top + _SHOWN_PX + _GAP_PX
        for place, pixels in enumerate((explanation.pixels, heat.overlay(explanation.pixels))):
            left = _GAP_PX + place * (_SHOWN_PX + _GAP_PX)
            box = (left / width, _GAP_PX / height, _SHOWN_PX / width, _SHOWN_PX / height)
            axes = figure.add_axes(box)
            axes.set_axis_off()
            axes.imshow(np.asarray(pixels), interpolation="nearest", aspect="auto")
        return png_of(figure)


@dataclass(frozen=True)
class ExplainedView:
    """The pictures that were written."""

    written: Explained
    """What they are."""
    folder: Path
    """Where they lie."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw a row for each picture, and what could not be explained."""
        rows = [
            (name(one.photo), name(f"{one.class_name} {one.probability:.2f}"), name(one.label), name(one.file))
            for one in self.written.pictures
        ]
        if rows:
            yield NamedRows(("photograph", "class", "true", "picture"), rows)
            layers = {f"{one.method} at {one.layer}" for one in self.written.pictures}
            yield Text(
                f"{', '.join(map(clean, sorted(layers)))}. Yellow to red: where the network looked.", style="dim"
            )
        for photo, why in self.written.reasons.items():
            yield name(f"{photo}: {why}")
        yield name(f"{count(len(rows), 'picture')} in {self.folder}")


@dataclass(frozen=True)
class RegionView:
    """Whether one region of the pictures decides."""

    found: RegionReport
    """What was found."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the verdict, its numbers, and what they mean."""
        found = self.found
        verdict = f"One region decides: {found.where}" if found.one_decides else "No single region decides"
        yield Text(verdict, style="bold")
        yield name(found.run)
        yield Text("")
        yield Text(
            f"{100 * found.share:.0f} % of the maps of {count(found.n, 'photograph')} have over half of their mass "
            f"in one place ({found.where}); {100 * found.expected:.0f} % would by chance."
        )
        if found.followed is None or found.elsewhere is None:
            yield Text("All these photographs have one answer, so nothing says whether it follows that region.")
        else:
            yield Text(
                f"Put into photographs answered otherwise, that region takes its answer along in "
                f"{100 * found.followed:.0f} %; regions elsewhere in {100 * found.elsewhere:.0f} % at most."
            )
        yield from section("What it means", meaning_of(found))
        if found.one_decides:
            yield from section("Next", ["imgcls eda    # then crop the mark away, or leave such photographs out"])


def meaning_of(found: RegionReport) -> list[str]:
    """Return what a person should make of it."""
    if found.one_decides:
        told = [
            "The network answers by one region of a fixed place. Look there: a mark, a date, a frame or a ruler that "
            "goes with the class will not be there, or be another, on the photographs it is meant for."
        ]
        if found.where == place_name("", ""):
            told.append("Objects that are always centred, and differ there only, do the same.")
        return told
    if found.share > found.expected:
        return [
            "The maps lie in like places, as those of centred objects do, but the answers do not follow one region."
        ]
    return ["The network looks at other places in other photographs."]
