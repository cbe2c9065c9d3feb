"""The command line as a person meets it: in this process where that is enough, in one of its own where it matters."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from imgcls.cli.app import _run


class Result(NamedTuple):
    """What a command gave back."""

    code: int
    out: str
    err: str


@pytest.fixture
def imgcls(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command in this process."""
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: object) -> Result:
        capsys.readouterr()
        code = _run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., Result]:
    """Run a command in a process of its own, from an empty folder."""

    def call(*arguments: object, env: dict[str, str] | None = None, **options: object) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "imgcls", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
            cwd=options.pop("cwd", tmp_path),
            env={**os.environ, **(env or {})},
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's cache out of the tests."""
    monkeypatch.setenv("IMGCLS_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Start every command in an empty folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def draw(folder: Path, names: dict[str, int], *, size: int = 24, seed: int = 0) -> Path:
    """Draw photographs, bright or dark by class, and noisy."""
    generator = np.random.default_rng(seed)
    for place, (name, n) in enumerate(names.items()):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(n):
            pixels = generator.integers(0, 90, (size, size, 3)) + place * 80
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number:03d}.png")
    return folder


@pytest.fixture
def draw_photos() -> Callable[..., Path]:
    """Draw photographs of given classes."""
    return draw


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of drawn photographs in folders."""
    return draw(tmp_path / "photos", {"dark": 20, "light": 20})
