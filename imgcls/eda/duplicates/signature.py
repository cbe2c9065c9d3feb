"""What is kept of every photograph to find its copies by: a gray thumbnail and a perceptual hash."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dctn

from imgcls.data.decode import Pixels
from imgcls.eda.scan import THUMBNAIL_PX

_HASH_SIDE = 8
_MIRROR = np.where(np.arange(_HASH_SIDE) % 2, -1.0, 1.0)
"""A mirror image has the same cosine coefficients, with the odd horizontal ones negated."""


def signature(pixels: Pixels) -> tuple[Pixels, npt.NDArray[np.uint64]]:
    """Give the thumbnails and the perceptual hashes of photographs and of their mirror images.

    Args:
        pixels: uint8 [b, s, s, 3], RGB.

    Returns:
        The thumbnails, uint8 [b, 32, 32], gray, and the hashes, uint64 [b, 2], the first bit highest.

    Source: `imagehash.phash` with its defaults, whose bits these are; it takes one photograph at a time.
    """
    thumbnails = np.empty((len(pixels), THUMBNAIL_PX, THUMBNAIL_PX), dtype=np.uint8)
    for row, photo in enumerate(pixels):
        gray = Image.fromarray(photo).convert("L")
        thumbnails[row] = np.asarray(gray.resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS))
    waves = dctn(thumbnails.astype(np.float64), axes=(1, 2))[:, :_HASH_SIDE, :_HASH_SIDE]
    return thumbnails, np.stack([_bits(waves), _bits(waves * _MIRROR)], axis=1)


def _bits(waves: npt.NDArray[np.float64]) -> npt.NDArray[np.uint64]:
    """Pack, for each photograph, which of its 64 coefficients lie above their median."""
    flat = waves.reshape(len(waves), _HASH_SIDE**2)
    above = flat > np.median(flat, axis=1, keepdims=True)
    return np.packbits(above, axis=1).view(">u8")[:, 0].astype(np.uint64)
