"""Files that cannot be used, hidden in a copy of a data set, and the truth about them."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

_SIDE = 96
_PAGE = b"<!DOCTYPE html><html><body>404 Not Found</body></html>"
_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"


@dataclass(frozen=True)
class Broken:
    """A file that was hidden."""

    id: str
    """The id of its sample."""
    kind: str
    """What `imgcls eda` should call it."""


@dataclass(frozen=True)
class _Fault:
    """A way to break a photograph."""

    stem: str
    """How the file is called, with its suffix."""
    kind: str
    """What `imgcls eda` should call it."""
    content: Callable[[Image.Image], bytes]
    """From a photograph to the content of the file."""


def break_some(table: Path, images: Path, *, seed: int) -> tuple[Broken, ...]:
    """Write ten broken files of different kinds beside the photographs, and their rows into the table.

    Each is made of another photograph, whose label and split it takes; the photograph itself stays whole.

    Args:
        table: It has the columns id, label and split.
        images: The folder of its files.
        seed: Decides which photographs are taken.
    """
    frame = pd.read_csv(table, dtype=str, keep_default_na=False)
    draws = np.random.default_rng([seed, 1])
    rows, truth = [], []
    for fault, row in zip(_FAULTS, draws.choice(len(frame), len(_FAULTS), replace=False), strict=True):
        original = frame.iloc[row]
        with Image.open(images / original["id"]) as image:
            photo = image.convert("RGB").resize((_SIDE, _SIDE))
        (images / fault.stem).write_bytes(fault.content(photo))
        rows.append((fault.stem, original["label"], original["split"]))
        truth.append(Broken(fault.stem, fault.kind))
    pd.concat([frame, pd.DataFrame(rows, columns=frame.columns)]).to_csv(table, index=False)
    return tuple(truth)


def _saved(image: Image.Image, form: str) -> bytes:
    content = io.BytesIO()
    image.save(content, form)
    return content.getvalue()


def _cut(form: str, share: float) -> Callable[[Image.Image], bytes]:
    def content(image: Image.Image) -> bytes:
        whole = _saved(image, form)
        return whole[: int(share * len(whole))]

    return content


def _bit_flipped(image: Image.Image) -> bytes:
    """Flip a byte halfway through a PNG, whose checksum is wrong then."""
    content = bytearray(_saved(image, "PNG"))
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


_FAULTS = (
    _Fault("broken_empty.jpg", "empty", lambda image: b""),
    _Fault("broken_early.jpg", "truncated", _cut("JPEG", 0.4)),
    _Fault("broken_late.jpg", "truncated", _cut("JPEG", 0.9)),
    _Fault("broken_cut.png", "truncated", _cut("PNG", 0.6)),
    _Fault("broken_cut.webp", "truncated", _cut("WEBP", 0.5)),
    _Fault("broken_zeros.jpg", "not an image", lambda image: bytes(4096)),
    _Fault("broken_text.jpg", "not an image", lambda image: b"This is not a picture.\n" * 20),
    _Fault("broken_page.png", "not an image", lambda image: _PAGE),
    _Fault("broken_pointer.jpg", "not an image", lambda image: _POINTER),
    _Fault("broken_flipped.png", "damaged", _bit_flipped),
)
