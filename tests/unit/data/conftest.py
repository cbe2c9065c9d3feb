"""Drawn photographs for the tests of imgcls.data."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Draw = Callable[..., Path]


@pytest.fixture
def draw() -> Draw:
    """Draw a photograph that no other seed gives, in the format of its suffix."""

    def draw_photo(path: Path, seed: int = 0, *, width: int = 24, height: int = 16) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return draw_photo


@pytest.fixture
def test_data() -> Path:
    """The folder of real photographs; the test is skipped where it is missing."""
    root = Path(__file__).parents[3]
    folder = Path(os.environ.get("IMGCLS_TEST_DATA", root.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real photographs at {folder}; set IMGCLS_TEST_DATA")
    return folder
