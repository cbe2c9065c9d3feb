"""Heat maps: where a network looked for a class, and the small pictures that show it."""

from __future__ import annotations

import base64
import html
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from imgcls.data.decode import Pixels
from imgcls.text import clean

Floats = npt.NDArray[np.float32]

_STRENGTH = 0.75
"""How far the colour covers the photograph where the network looked most."""
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(frozen=True)
class HeatMap:
    """Where a network looked for one class of one photograph."""

    values: Floats
    """float32 [size, size] in [0, 1], on the pixels that the network saw; 0 everywhere where no place spoke for it."""
    class_name: str
    """The class."""
    probability: float
    """What the run says of the class, with all views and smoothing of its plan."""
    layer: str
    """The layer of the network."""
    method: str
    """The method, in TorchCAM's words."""

    def overlay(self, pixels: Pixels) -> Pixels:
        """Return the photograph in grey with the map over it: yellow to red where the network looked.

        Args:
            pixels: uint8 [size, size, 3], what the network saw.
        """
        heat = self.values[..., None]
        colour = np.concatenate([np.full_like(heat, 255), 235 * (1 - heat), np.zeros_like(heat)], axis=2)
        share = _STRENGTH * np.sqrt(heat)
        grey = (pixels @ _LUMA)[..., None]
        return np.rint(grey * (1 - share) + colour * share).astype(np.uint8)

    @property
    def made_by(self) -> str:
        """How it was made: `LayerCAM at blocks.5.0.bn1`."""
        return f"{self.method} at {self.layer}"

    def caption(self) -> str:
        """Return class, probability and layer in a line, without control characters."""
        empty = "" if self.values.any() else ", no place speaks for it"
        return clean(f"{self.class_name} {self.probability:.2f} · {self.made_by}{empty}")

    def to_json(self) -> dict[str, Any]:
        """Return what it is of as JSON values, without the map."""
        return {
            "class": self.class_name,
            "probability": self.probability,
            "layer": self.layer,
            "method": self.method,
            "is_empty": not self.values.any(),
        }


@dataclass(frozen=True)
class Explanation:
    """Why a network answered as it did about one photograph."""

    photo: str
    """Its name: an id, or a path as it was given."""
    label: str
    """Its true classes joined by "|"; empty where they are not known."""
    pixels: Pixels
    """uint8 [size, size, 3], what the network saw of it."""
    maps: tuple[HeatMap, ...]
    """For the class that is predicted, then for the true one where it is another; with several labels for each."""

    def _repr_html_(self) -> str:
        """Return the photograph beside its maps, for a notebook."""
        shown = [(self.pixels, f"{self.photo} {self.label}".strip())]
        shown += [(one.overlay(self.pixels), one.caption()) for one in self.maps]
        figures = (
            f'<figure style="display:inline-block;margin:4px"><img alt="" src="{data_uri(pixels)}">'
            f"<figcaption>{html.escape(clean(text))}</figcaption></figure>"
            for pixels, text in shown
        )
        return "".join(figures)


def encoded(pixels: Pixels, *, quality: int = 80) -> bytes:
    """Return pixels as a small WebP file, for pages.

    Args:
        pixels: uint8 [h, w, 3].
        quality: From 1 to 100.
    """
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "WEBP", quality=quality, method=4)
    return content.getvalue()


def data_uri(pixels: Pixels) -> str:
    """Return pixels as a WebP file in the form of a `data:` address."""
    return f"data:image/webp;base64,{base64.b64encode(encoded(pixels)).decode('ascii')}"
