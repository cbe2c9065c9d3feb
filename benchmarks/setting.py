"""What both sides of a benchmark are given, and what each gives back."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

MODEL = "tf_efficientnet_lite0"
MEAN = STD = (0.5, 0.5, 0.5)
LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class _Travelling:
    """What goes to another process, or comes from one, as a file of JSON."""

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class StockSetting(_Travelling):
    """One training of the other side."""

    train: list[str]
    """Photographs that train."""
    train_targets: list[int] | list[list[float]]
    """Their classes, or 0/1 by class."""
    valid: list[str]
    """Photographs that validate."""
    n_classes: int
    """Outputs."""
    multilabel: bool
    """Whether a photograph has several labels."""
    first_weights: str
    """A safetensors file with the pretrained weights of the network's body."""
    size_px: int
    """Side of the images."""
    n_epochs: int
    """Epochs of the whole network, after one of the head alone."""
    seed: int
    """Decides what is random."""


@dataclass(frozen=True)
class Setting(_Travelling):
    """One training, the same for both sides; it travels to their processes as JSON."""

    photos: str
    """A folder with `train` and `valid`, each with a folder for each class."""
    first_weights: str
    """A safetensors file of the network's first weights, its classifier included."""
    scratch: str
    """A folder for whatever the side writes; new and empty."""
    n_classes: int
    """Outputs of the network."""
    size_px: int
    """Side of the images, pixels."""
    batch_size: int
    """Samples per step."""
    n_epochs: int
    """Passes over the training samples."""
    n_workers: int
    """Processes that prepare batches."""
    seed: int
    """Decides what is random."""


@dataclass(frozen=True)
class Measured(_Travelling):
    """What one training reported of itself."""

    n_train_images: int
    """Training images that went through the network, over all epochs."""
    train_seconds: float
    """Training loops of all epochs, waiting for batches and starting workers included, validation not."""
    n_valid_images: int
    """Validation images that went through the network while training, over all epochs."""
    valid_seconds: float
    """Validation loops of all epochs."""
    accuracy: float
    """Share of right predictions in validation after the last epoch, in [0, 1]."""
    peak_bytes: int
    """The most memory the main process held at a time; its workers are not counted."""
    device: str
    """Where it ran: cpu, cuda or mps."""
    precision: str
    """The number format of its forward pass; imgcls takes half precision where a GPU gains by it."""


def peak_bytes() -> int:
    """Return the most resident memory that this process has held.

    `getrusage` would do, but on Linux its peak begins with that of the process it was started from.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
