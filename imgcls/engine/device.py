"""Device, precision and worker processes of a run, and the environment that its record keeps."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch

from imgcls.errors import DeviceError
from imgcls.workers import most_workers

RECORDED_VERSIONS = ("torch", "torchvision", "fastai", "timm", "albumentations", "numpy", "pillow", "pandas")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


@dataclass(frozen=True)
class Machine:
    """How to use the machine at hand. The kind of device and the precision are part of a run's key, the rest is not."""

    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:N` or `mps`."""
    n_workers: int | None = None
    """Processes that prepare batches; None chooses: none on a CPU, up to 4 beside a GPU."""
    precision: str = "auto"
    """`auto` (bf16 or fp16 where the device gains by it), `float32`, `bf16` or `fp16`."""
    keep_memory: bool = False
    """Whether this process keeps memory it has freed (see `keep_memory`), much faster on a CPU; the CLI does."""

    def make_ready(self) -> None:
        """Check that device and precision exist here, and set up this process.

        Raises:
            DeviceError: The device or precision does not exist here.
        """
        self.used_precision(), self.used_workers()
        if self.keep_memory:
            keep_memory()

    def torch_device(self) -> torch.device:
        """Return the device.

        Raises:
            DeviceError: This machine does not have it.
        """
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu")
        kind = self.device.partition(":")[0]
        if kind not in ("cpu", "cuda", "mps"):
            raise DeviceError(f"Device {self.device!r} is unknown; use auto, cpu, cuda, cuda:N or mps.")
        if (kind == "cuda" and not torch.cuda.is_available()) or (kind == "mps" and not _has_mps()):
            raise DeviceError(f"This machine has no {kind} device; 'imgcls doctor' shows what torch sees.")
        device = torch.device(self.device)
        if kind == "cuda" and device.index is not None and device.index >= torch.cuda.device_count():
            raise DeviceError(f"There is no {self.device}: this machine has {torch.cuda.device_count()} GPU(s).")
        return device

    def used_precision(self) -> str:
        """Return the precision that training really uses on this device."""
        kind = self.torch_device().type
        if self.precision not in ("auto", "float32", "bf16", "fp16"):
            raise DeviceError(f"Precision {self.precision!r} is unknown; use auto, float32, bf16 or fp16.")
        if kind != "cuda":
            if self.precision in ("bf16", "fp16"):
                raise DeviceError(f"Precision {self.precision} is for CUDA devices; on {kind} leave it at auto.")
            return "float32"
        if self.precision != "auto":
            return self.precision
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"

    def used_workers(self) -> int:
        """Return the number of worker processes."""
        if self.n_workers is not None:
            if self.n_workers < 0:
                raise DeviceError(f"The number of workers has to be at least 0, not {self.n_workers}.")
            if self.n_workers > (most := most_workers()):
                raise DeviceError(
                    f"{self.n_workers} workers are more than this machine can use: at most {most} (--workers), four "
                    "for each core; as many as there are cores are usually best."
                )
            return self.n_workers
        return min(4, max(1, (os.cpu_count() or 1) - 1)) if self.torch_device().type == "cuda" else 0


def memory_format(device: torch.device) -> torch.memory_format:
    """Return the layout in which convolutions are fastest on a device: channels-last but on MPS."""
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


def keep_memory() -> bool:
    """Ask glibc to keep freed memory, which halves the time of a training step on a CPU.

    By default every large tensor is mapped and unmapped again and each of its pages faults in. Memory then
    stays at its peak for the life of the process. `IMGCLS_KEEP_MEMORY=0` turns it off.

    Returns:
        Whether it was done: on Linux with glibc only.
    """
    if sys.platform != "linux" or os.environ.get("IMGCLS_KEEP_MEMORY", "1") == "0":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, 1 << 30) and mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))


def n_gpus() -> int:
    """Return the number of CUDA devices that this process sees."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def environment(machine: Machine) -> dict[str, Any]:
    """Describe what a run depended on: versions, device, precision, threads, platform."""
    device = machine.torch_device()
    return {
        "versions": _versions(),
        "device": device.type,
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        "precision": machine.used_precision(),
        "threads": torch.get_num_threads(),
        "n_workers": machine.used_workers(),
        "platform": platform.platform(),
    }


def machine_load() -> dict[str, Any]:
    """Return how much work a machine has at the moment, as an environment keeps it; nothing where none is counted."""
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):  # Windows has none, nor have some sandboxes
        return {}
    return {"load": round(load, 1), "cores": os.cpu_count() or 1}


def other_versions(recorded: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the packages whose version is another one than a record's, with both: `torch 2.13.0, now 2.14.1`.

    Args:
        recorded: The environment of a record.
    """
    then, now = recorded.get("versions", {}), _versions()
    return tuple(f"{name} {then[name]}, now {now[name]}" for name in then if name in now and then[name] != now[name])


def synchronize(device: torch.device) -> None:
    """Wait until a device has done what it was given, so that a clock can be read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in RECORDED_VERSIONS}


def _has_mps() -> bool:
    return torch.backends.mps.is_available()
