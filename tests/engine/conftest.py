"""Real small trainings: one thread, an empty folder to work in, and short ways to train and to build a Learner."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fastai.learner import Learner

    from imgcls.records.run import RunRecord

SMALL = {"images.size_px": 24, "fit.batch_size": 8}


@pytest.fixture(autouse=True)
def _ready(one_thread: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def train(photo_folder: Path) -> Callable[..., RunRecord]:
    """Train `simple_cnn` for two epochs with further recipes; the rest is that of `imgcls.train`."""
    import imgcls
    from imgcls.engine.progress import Silent

    def call(
        recipes: str = "",
        data: Any = photo_folder,
        *,
        base: str = "baseline:model=simple_cnn,epochs=2",
        overrides: dict[str, Any] | None = None,
        **options: Any,
    ) -> RunRecord:
        stack = f"{base}{'+' if recipes else ''}{recipes}"
        return imgcls.train(stack, data, overrides=SMALL | (overrides or {}), **{"reporter": Silent()} | options)

    return call


@pytest.fixture
def learner(photo_folder: Path) -> Callable[..., Learner]:
    """Build the Learner that `train` would train."""
    import imgcls
    from imgcls.engine.progress import Silent

    def call(
        recipes: str = "",
        data: Any = photo_folder,
        *,
        base: str = "baseline:model=simple_cnn,epochs=2",
        overrides: dict[str, Any] | None = None,
        **options: Any,
    ) -> Learner:
        stack = f"{base}{'+' if recipes else ''}{recipes}"
        return imgcls.learner(stack, data, overrides=SMALL | (overrides or {}), reporter=Silent(), **options)

    return call


@pytest.fixture
def bits() -> Callable[[RunRecord], dict[str, str]]:
    """Return the sha256 of the weights and predictions of a run, read from the files themselves."""

    def read(run: RunRecord) -> dict[str, str]:
        names = [name for name in run.files if name.endswith((".safetensors", ".parquet"))]
        return {name: hashlib.sha256(run.path(name).read_bytes()).hexdigest() for name in sorted(names)}

    return read
