"""Diagnosis of this machine: versions, device, threads, weights, and packages known to disagree."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from imgcls._version import __version__

_PACKAGES = ("torch", "torchvision", "fastai", "timm", "albumentations", "numpy", "pandas", "pillow", "scikit-learn")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    """What."""
    state: Literal["good", "note", "bad"]
    """Whether it is well; `bad` keeps work from being done."""
    found: str
    """What was found, and what to do where it is not well."""

    def to_json(self) -> dict[str, str]:
        """Return the finding as JSON."""
        return asdict(self)


def examine() -> list[Finding]:
    """Examine this machine; nothing is changed, and the network is not asked."""
    findings = [Finding("imgcls", "good", __version__), *(_version_of(name) for name in _PACKAGES)]
    checks: list[Callable[[], Finding]] = [_torchvision, _albumentations, _device, _threads, _weights, _demo, _cache]
    return [*findings, *(_safely(check) for check in checks)]


def _version_of(name: str) -> Finding:
    try:
        return Finding(name, "good", version(name))
    except PackageNotFoundError:
        return Finding(name, "bad", f"missing; install it with 'pip install {name}'")


def _safely(check: Callable[[], Finding]) -> Finding:
    """Return what a check finds; one that fails is a finding too."""
    try:
        return check()
    except Exception as problem:
        return Finding(check.__name__.strip("_"), "bad", f"{type(problem).__name__}: {problem}")


def _torchvision() -> Finding:
    try:
        importlib.import_module("torchvision")
    except RuntimeError as problem:
        return Finding(
            "torch and torchvision",
            "bad",
            f"they do not belong together ({problem}); install both at once: 'pip install --upgrade torch torchvision'",
        )
    return Finding("torch and torchvision", "good", "work together")


def _albumentations() -> Finding:
    """Look for AlbumentationsX, which has another licence and installs the same import name."""
    try:
        found = version("albumentationsx")
    except PackageNotFoundError:
        return Finding("albumentations licence", "good", "MIT")
    return Finding(
        "albumentations licence",
        "bad",
        f"albumentationsx {found} (AGPL) is installed under the same import name; remove it, then "
        "'pip install --force-reinstall albumentations==2.0.8'",
    )


def _device() -> Finding:
    import torch

    from imgcls.engine.device import Machine

    machine = Machine()
    device = machine.torch_device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    state: Literal["good", "note"] = "good" if device.type != "cpu" else "note"
    slow = "; a GPU would be many times faster" if device.type == "cpu" else ""
    return Finding("device", state, f"{device.type} {name}".strip() + f" in {machine.used_precision()}{slow}")


def _threads() -> Finding:
    import torch

    return Finding("threads", "good", f"{torch.get_num_threads()} of {os.cpu_count()} cores used by torch")


def _weights() -> Finding:
    from imgcls.engine.weights import offline_weights

    found = offline_weights()
    if not found:
        return Finding("weights found offline", "note", "none; the first training needs the hub, or a file")
    return Finding("weights found offline", "good", ", ".join(found))


def _demo() -> Finding:
    from importlib.util import find_spec

    if find_spec("elpv_dataset") is None:
        return Finding("default data", "note", "not installed; 'pip install \"imgcls[demo]\"' brings it")
    return Finding("default data", "good", "elpv is installed")


def _cache() -> Finding:
    import shutil

    from imgcls.workspace import cache_folder

    folder = cache_folder()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free / 2**30
    writable = os.access(there, os.W_OK)
    state: Literal["good", "note"] = "good" if writable and free > 1 else "note"
    return Finding("cache", state, f"{folder}, {free:.0f} GiB free{'' if writable else ', not writable'}")
