"""Records: what a training leaves behind, written atomically, read strictly, found by key."""

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
