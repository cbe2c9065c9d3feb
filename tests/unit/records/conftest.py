"""What tests of records share: a workspace, a record, a disk that fails on demand."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from imgcls import storage
from imgcls.plan import Fit, Plan
from imgcls.records.run import Estimate, RunData, RunRecord, RunWeights
from imgcls.workspace import Workspace

_PLAN = Plan(fit=Fit(epochs=3))


class FailingDisk(storage.Disk):
    """A disk whose n-th call fails, once or from then on, or ends the process."""

    def __init__(self, n: int, *, how: str) -> None:
        self.n, self.how, self.n_calls = n, how, 0

    @property
    def has_failed(self) -> bool:
        return self.n_calls >= self.n

    def _count(self) -> bool:
        """Count a call, fail if it is its turn, and say whether it is to be a short write."""
        self.n_calls += 1
        its_turn = self.n_calls == self.n or (self.how == "sticky" and self.n_calls > self.n)
        if not its_turn:
            return False
        if self.how == "killed":
            os._exit(137)
        if self.how == "short":
            return True
        number = errno.EIO if self.how == "sticky" else errno.ENOSPC
        raise OSError(number, os.strerror(number))

    def write(self, file: BinaryIO, data: memoryview) -> int:
        """Write, perhaps only a part."""
        return super().write(file, data[: max(1, len(data) // 2)] if self._count() else data)

    def fsync(self, file: BinaryIO) -> None:
        """Wait for a file."""
        self._count()

    def fsync_folder(self, folder: Path) -> None:
        """Wait for a folder."""
        self._count()

    def replace(self, source: Path, target: Path) -> None:
        """Rename a file."""
        self._count()
        super().replace(source, target)

    def rename(self, source: Path, target: Path) -> None:
        """Rename a folder."""
        self._count()
        super().rename(source, target)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        self._count()
        super().unlink(path)


@pytest.fixture
def break_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FailingDisk]:
    """A function that puts a failing disk in the place of the real one."""

    def put(n: int, *, how: str) -> FailingDisk:
        disk = FailingDisk(n, how=how)
        monkeypatch.setattr(storage, "DISK", disk)
        return disk

    return put


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def make_record() -> Callable[..., RunRecord]:
    """A maker of small valid records."""

    def make(**changes: Any) -> RunRecord:
        key = changes.pop("key", "0123456789abcdef" * 4)
        given: dict[str, Any] = {
            "id": f"baseline-s0-{key[:8]}",
            "status": "done",
            "reason": None,
            "stack": "baseline",
            "overrides": {"fit.epochs": 3},
            "label": "baseline (fit.epochs=3)",
            "plan": _PLAN.to_json(),
            "plan_digest": _PLAN.digest,
            "train_digest": _PLAN.train_digest,
            "seed": 0,
            "fold": None,
            "quick": False,
            "problem": "binary",
            "classes": ("no", "yes"),
            "data": RunData(
                "photos", "d", "s", {"train": 6, "valid": 2, "test": 0, "excluded": 1}, (("a.jpg", "empty"),)
            ),
            "weights": RunWeights("none", None),
            "environment": {"device": "cpu"},
            "metrics": {"accuracy": Estimate(0.5, 0.1, 0.9, 2), "roc_auc": Estimate.missing("one class", n=2)},
            "seconds": {"train": 1.5},
            "images_per_second": 60.0,
            "created": "2026-01-02T03:04:05+00:00",
        }
        return RunRecord(key=key, **(given | changes))

    return make
