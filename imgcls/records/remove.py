"""Removing runs, unless something that stays needs them."""

from __future__ import annotations

from collections.abc import Sequence

from imgcls.errors import RecordError
from imgcls.records.blend import find_blends
from imgcls.records.find import find_runs, remove_run
from imgcls.records.run import RunRecord
from imgcls.text import listed
from imgcls.workspace import Workspace


def remove_runs(records: Sequence[RunRecord], workspace: Workspace) -> None:
    """Remove several runs, unless a run or a blend that stays uses the weights of one of them, or is made of it.

    Args:
        records: Records that were read from folders.
        workspace: Where they lie.

    Raises:
        RecordError: If a run that stays needs one of them; nothing is removed then.
        ImgclsError: If one cannot be removed.
    """
    leaving = {record.id for record in records}
    staying = [record for record in find_runs(workspace)[0] if record.id not in leaving]
    needed = [
        f"{run.id} uses the weights of {run.reused_from}; remove both, or neither."
        for run in staying
        if run.reused_from in leaving
    ]
    for run in staying:
        if parts := [fold.run for fold in run.folds.runs if fold.run in leaving] if run.folds else []:
            needed.append(f"{run.id} is made of {listed(parts)}; remove it too, or keep its folds.")
    for blend in find_blends(workspace)[0]:
        if parts := [run for run in blend.shares if run in leaving]:
            needed.append(f"{blend.id} is made of {listed(parts)}; remove {blend.folder} first, or keep them.")
    if needed:
        raise RecordError.together(needed)
    for record in records:
        remove_run(record)
