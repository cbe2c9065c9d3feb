"""Figures of matplotlib as SVG that may stand inside a page whose policy forbids inline styles."""

from __future__ import annotations

import re
import warnings
from io import BytesIO
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_DROPPED = {f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"}
_REFERENCE = re.compile(r"#([\w-]+)")


def inline_svg(figure: Figure, *, name: str, description: str) -> Markup:
    """Give a figure as an SVG element: text stays text, styles become attributes, ids are its own.

    Args:
        figure: The figure; it has no background of its own.
        name: Tells its ids from those of other figures on the page; letters and digits.
        description: What is read out in its place.
    """
    file = BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), warnings.catch_warnings():
        # A name may hold what the font lacks; the text is written all the same, and the browser has more fonts.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(file.getvalue())  # noqa: S314 - matplotlib wrote it a moment ago
    used = _references(root)
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in _DROPPED]:
            parent.remove(child)
        _make_inline(parent, name=name, used=used)
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.set("role", "img")
    root.set("aria-label", description)
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704 - an XML writer has escaped every text


def _references(root: ElementTree.Element) -> set[str]:
    """Give the ids that something in the drawing refers to."""
    values = (value for element in root.iter() for value in element.attrib.values() if "#" in value)
    return {found for value in values for found in _REFERENCE.findall(value)}


def _make_inline(element: ElementTree.Element, *, name: str, used: set[str]) -> None:
    """Turn the style of one element into attributes, and make its id the figure's own or drop it."""
    style = element.attrib.pop("style", "")
    for rule in filter(None, (part.strip() for part in style.split(";"))):
        attribute, _, value = rule.partition(":")
        for key, text in _attributes(attribute.strip(), value.strip()):
            element.set(key, text)
    if (own := element.attrib.pop("id", None)) in used:
        element.set("id", f"{name}-{own}")
    for key, value in element.attrib.items():
        if "url(#" in value or (value.startswith("#") and key.endswith("href")):
            element.set(key, value.replace("#", f"#{name}-"))


def _attributes(attribute: str, value: str) -> list[tuple[str, str]]:
    """Give a rule as presentation attributes; the shorthand `font` has none, and its family is the page's."""
    if attribute != "font":
        return [(attribute, value)]
    size = re.search(r"([0-9.]+)px", value)
    weight = re.match(r"(bold|[1-9]00)\b", value)
    return ([("font-size", size[1])] if size else []) + ([("font-weight", weight[1])] if weight else [])
