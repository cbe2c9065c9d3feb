"""What is kept of every photograph to find its copies by: a gray thumbnail."""

from __future__ import annotations

import numpy as np
from PIL import Image

from imgcls.data.decode import Pixels
from imgcls.eda.scan import THUMBNAIL_PX


def signature(pixels: Pixels) -> Pixels:
    """Return the gray thumbnails of photographs.

    Args:
        pixels: uint8 [b, s, s, 3], RGB.

    Returns:
        uint8 [b, 32, 32].
    """
    thumbnails = np.empty((len(pixels), THUMBNAIL_PX, THUMBNAIL_PX), dtype=np.uint8)
    for row, photo in enumerate(pixels):
        gray = Image.fromarray(photo).convert("L")
        thumbnails[row] = np.asarray(gray.resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS))
    return thumbnails
