"""Photographs whose bytes and time stamps are the same everywhere, and the command line as a program calls it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest

_SIDE_PX = 16
_TIME = 1_790_000_000
"""Seconds since 1970, of every file that is drawn."""


def draw_fixed(folder: Path, n_by_split: Mapping[str, Mapping[str, int]]) -> Path:
    """Draw split folders with a folder for each class; no library has a say in a single byte.

    The first photograph of the last class is in train and in valid, and one photograph of train cannot be read.
    """
    for split, n_by_class in n_by_split.items():
        for place, (name, n) in enumerate(n_by_class.items()):
            for number in range(n):
                noise = hashlib.shake_256(f"{split}/{name}/{number}".encode()).digest(3 * _SIDE_PX**2)
                pixels = bytes(byte // 2 + 12 * place for byte in noise)
                write_fixed(folder / split / name / f"{number:03d}.ppm", _ppm(pixels))
    for split in ("train", "valid"):
        write_fixed(folder / split / name / "twice.ppm", _ppm(bytes(range(256)) * 3))
    write_fixed(folder / "train" / name / "broken.ppm", b"P6\n16 16\n255\n")
    return folder


def write_fixed(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (_TIME, _TIME))


def _ppm(pixels: bytes) -> bytes:
    return f"P6\n{_SIDE_PX} {_SIDE_PX}\n255\n".encode() + pixels


@pytest.fixture(scope="session")
def fixed_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of photographs with train, valid and test folders, equal to the last bit on every machine."""
    n_by_split = {"train": (28, 27), "valid": (12, 12), "test": (3, 3)}
    by_class = {split: dict(zip(("dark", "light"), n, strict=True)) for split, n in n_by_split.items()}
    return draw_fixed(tmp_path_factory.mktemp("fixed") / "photos", by_class)


@pytest.fixture(scope="session")
def fixed_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 40 photographs with two columns of labels and one of groups, equal to the last bit everywhere."""
    table = tmp_path_factory.mktemp("fixed") / "colours" / "labels.csv"
    rows = ["image_id,sender,red,green"]
    for number in range(40):
        red, green = number % 2, number // 2 % 2
        noise = hashlib.shake_256(f"colours/{number}".encode()).digest(3 * _SIDE_PX**2)
        write_fixed(
            table.parent / "images" / f"{number:03d}.ppm",
            _ppm(bytes(byte // 2 + 60 * (red, green, 0)[place % 3] for place, byte in enumerate(noise))),
        )
        rows.append(f"{number:03d},s{number // 3},{red},{green}")
    write_fixed(table, "\n".join([*rows, ""]).encode())
    return table


class Said(NamedTuple):
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object that was printed."""
        return json.loads(self.out)


@pytest.fixture(scope="session")
def command() -> Iterator[Callable[..., Said]]:
    """Run `imgcls` in this process, by its entry point."""
    from imgcls.cli.app import main

    def call(*arguments: object) -> Said:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        return Said(int(left.value.code or 0), out.getvalue(), err.getvalue())

    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield call
    for number, handler in kept.items():
        signal.signal(number, handler)
