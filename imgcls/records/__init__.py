"""Records: what a training leaves behind, written atomically, read strictly, found by key.

The names are loaded when they are asked for, so that what only reads records loads neither locks nor attempts.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imgcls.records.attempts import Attempt, AttemptState, acquire, find_attempts
    from imgcls.records.checkpoints import Checkpoint
    from imgcls.records.estimate import Estimate
    from imgcls.records.find import find_by_key, find_failed, find_run, find_runs, open_run, remove_run
    from imgcls.records.folds import FoldRun, Folds, Spread
    from imgcls.records.keys import run_folder_name, run_key
    from imgcls.records.run import RunData, RunFile, RunRecord, RunWeights

__all__ = [
    "Attempt",
    "AttemptState",
    "Checkpoint",
    "Estimate",
    "FoldRun",
    "Folds",
    "RunData",
    "RunFile",
    "RunRecord",
    "RunWeights",
    "Spread",
    "acquire",
    "find_attempts",
    "find_by_key",
    "find_failed",
    "find_run",
    "find_runs",
    "open_run",
    "remove_run",
    "run_folder_name",
    "run_key",
]

_HOMES = {
    "attempts": ("Attempt", "AttemptState", "acquire", "find_attempts"),
    "checkpoints": ("Checkpoint",),
    "estimate": ("Estimate",),
    "find": ("find_by_key", "find_failed", "find_run", "find_runs", "open_run", "remove_run"),
    "folds": ("FoldRun", "Folds", "Spread"),
    "keys": ("run_folder_name", "run_key"),
    "run": ("RunData", "RunFile", "RunRecord", "RunWeights"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a name from the module that has it."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
