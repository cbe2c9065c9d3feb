"""A small Learner for the recipes to act on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fastai.learner import Learner


@pytest.fixture
def learner(
    one_thread: None, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Learner]:
    """Build a Learner of `baseline` and further recipes on drawn photographs of 24 px, 4 batches an epoch."""
    import imgcls
    from imgcls.engine.progress import Silent

    monkeypatch.chdir(tmp_path)

    def build(recipes: str = "", *, data: Path = photo_folder, epochs: int = 1, **overrides: Any) -> Learner:
        stack = f"baseline:model=simple_cnn,epochs={epochs}{'+' if recipes else ''}{recipes}"
        small = {"images.size_px": 24, "fit.batch_size": 8}
        return imgcls.learner(stack, data, overrides=small | overrides, reporter=Silent(), valid=0.25)

    return build
