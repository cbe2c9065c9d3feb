"""Results of ladders as they lie on the disk, read without torch or pandas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from imgcls.errors import RecordError
from imgcls.ladders.spec import RESULT_JSON
from imgcls.records.run import read_json
from imgcls.workspace import Workspace


@dataclass(frozen=True)
class Effect:
    """What a recipe was worth in one ladder."""

    ladder: str
    """The ladder's name."""
    data: str
    """The data set's name."""
    over: str
    """The stack that it was added to, or left out of."""
    metric: str
    """The metric."""
    value: float
    """The gain."""
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end of the 95 % interval."""
    verdict: str
    """What may be said of it."""
    n_seeds: int
    """The fewest seeds on either side."""
    n_images: int
    """The images that it was scored on."""


def measured_effects(recipe: str, workspace: Workspace) -> list[Effect]:
    """Return what every ladder of a workspace measured of one recipe alone, in the order of their names.

    Args:
        recipe: Its name.
        workspace: Where the ladders lie; results that cannot be read are passed over.
    """
    found = []
    for path in sorted(workspace.ladders.glob(f"*/{RESULT_JSON}")):
        try:
            result: Any = read_json(path)
        except RecordError:
            continue
        if isinstance(result, dict):
            found += _effects_in(result, recipe)
    return found


def _effects_in(result: dict[str, Any], recipe: str) -> list[Effect]:
    from imgcls.evidence.metrics import METRICS  # loads scipy, which a workspace without ladders need not wait for

    try:
        metric = str(result["metric"])
        if metric not in METRICS:
            return []
        return [
            Effect(
                ladder=result["name"],
                data=result["data"]["name"],
                over=result["rungs"][number - 1 if result["kind"] == "climb" else 0]["printed"],
                metric=metric,
                value=float(rung["step"]["value"]),
                low=float(rung["step"]["low"]),
                high=float(rung["step"]["high"]),
                verdict=str(rung["step"]["verdict"]),
                n_seeds=min(rung["step"]["n_runs"]),
                n_images=rung["step"]["n_images"],
            )
            for number, rung in enumerate(result["rungs"])
            if rung["recipes"] == [recipe] and rung["step"] and rung["step"]["low"] is not None  # else no interval
        ]
    except (KeyError, TypeError, ValueError, IndexError):  # written by another version, or damaged
        return []
