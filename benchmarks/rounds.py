"""Rounds of trainings, each in a process of its own, the two sides in turn."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.setting import Measured, Setting
from imgcls.errors import TrainingError

ROOT = Path(__file__).parents[1]
_LINES_SHOWN = 20


@dataclass(frozen=True)
class Side:
    """One way to do the same training."""

    name: str
    """What people read."""
    module: str
    """The module that is run."""
    n_workers: int
    """Processes that prepare batches."""


@dataclass(frozen=True)
class Trained:
    """One training of one side, seen from outside as well."""

    side: Side
    """Who trained."""
    measured: Measured
    """What it reported of itself."""
    wall_seconds: float
    """From the start of its process to its end: imports, reading photographs, training, writing."""

    @property
    def train_images_per_second(self) -> float:
        """Speed of training."""
        return self.measured.n_train_images / self.measured.train_seconds

    @property
    def valid_images_per_second(self) -> float:
        """Speed of validation while training."""
        return self.measured.n_valid_images / self.measured.valid_seconds


def run_rounds(
    sides: Sequence[Side], setting: Setting, *, n_rounds: int, scratch: Path, tell: Callable[[str], None]
) -> list[list[Trained]]:
    """Let every side train once a round; every other round runs backwards, so that a drift of the machine cancels.

    Args:
        sides: Who takes part.
        setting: The training; each side puts in its own number of workers.
        n_rounds: At least 1.
        scratch: A folder for what they write; nothing in it is shared by two trainings.
        tell: Called with a sentence after each training.

    Returns:
        For each round, one training for each side in the order of `sides`.

    Raises:
        TrainingError: A process failed, or two sides trained on unequal numbers of images.
    """
    rounds = []
    for number in range(n_rounds):
        order = sides if number % 2 == 0 else sides[::-1]
        done: dict[Side, Trained] = {}
        for side in order:
            folder = scratch / f"{number}-{sides.index(side)}"
            folder.mkdir(parents=True)
            done[side] = run_side(side, replace(setting, n_workers=side.n_workers, scratch=str(folder)), folder)
            tell(f"round {number + 1} of {n_rounds}, {side.name}: {done[side].wall_seconds:.0f} s")
        check_equal_work(list(done.values()))
        rounds.append([done[side] for side in sides])
    return rounds


def run_side(side: Side, setting: Setting, folder: Path) -> Trained:
    """Train once in a new process, with a decode cache that is empty.

    Raises:
        TrainingError: The process failed; the end of what it said is in the message.
    """
    told, result, log = folder / "setting.json", folder / "result.json", folder / "log.txt"
    setting.write(told)
    environment = {**os.environ, "IMGCLS_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1"}
    with log.open("wb") as output:
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", side.module, str(told), str(result)],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
        seconds = time.perf_counter() - began
    if done.returncode:
        end = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES_SHOWN:]
        raise TrainingError("\n".join([f"{side.name} failed with exit code {done.returncode}:", *end]))
    return Trained(side, Measured.read(result), seconds)


def check_equal_work(trained: Sequence[Trained]) -> None:
    """Make sure that all saw equally many images on the same kind of device.

    Raises:
        TrainingError: They did not, so that their times cannot be compared.
    """
    work = {
        one.side.name: (one.measured.n_train_images, one.measured.n_valid_images, one.measured.device)
        for one in trained
    }
    if len(set(work.values())) > 1:
        lines = [
            f"{name}: {train} training, {valid} validation images, {device}"
            for name, (train, valid, device) in work.items()
        ]
        raise TrainingError("\n".join(["The sides did unequal work:", *lines]))
