"""imgcls: stack one-line recipes for image classification, and know which of them helped.

The public names are the calls, every type that they take or return, and the exceptions. They load what they need when
they are first used, so that `import imgcls` is light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from imgcls._version import __version__

if TYPE_CHECKING:
    from imgcls.catalog import Stack
    from imgcls.checklists.checklist import Checklist, checklist
    from imgcls.checklists.items import ItemState
    from imgcls.config.decision import Decision
    from imgcls.data.source import DataOptions, DataSource
    from imgcls.eda.explore import explore
    from imgcls.eda.facts import Facts, Finding
    from imgcls.eda.suspects import Suspects, suspects
    from imgcls.engine.device import Machine
    from imgcls.engine.explain import explain
    from imgcls.engine.learner import apply, learner
    from imgcls.engine.predictor import Classifier, load, predict
    from imgcls.engine.train import train
    from imgcls.errors import (
        BusyError,
        DataError,
        DecodeError,
        DeviceError,
        DivergedError,
        ImgclsError,
        PlanError,
        ProblemError,
        RecordError,
        StackError,
        StrictError,
        TrainingError,
        UsageError,
        WeightsError,
        WorkspaceError,
    )
    from imgcls.evidence.decide import Decided, decide
    from imgcls.evidence.gains import Gain
    from imgcls.evidence.verdicts import Judged, Verdict, gain, verdict
    from imgcls.ladders.blend import blend
    from imgcls.ladders.climb import ClimbRecord
    from imgcls.ladders.climber import climb
    from imgcls.ladders.compare import Comparison, compare
    from imgcls.ladders.judge import LadderResult, RungResult
    from imgcls.ladders.run import ladder
    from imgcls.ladders.run_report import confusion, mistakes
    from imgcls.plan import Plan
    from imgcls.predictions.heat_maps import Explanation, HeatMap
    from imgcls.records.find import open_run
    from imgcls.records.run import Estimate, RunRecord

_HOMES = {
    "Blend": "imgcls.ladders.results",
    "BusyError": "imgcls.errors",
    "Checklist": "imgcls.checklists.checklist",
    "Classifier": "imgcls.engine.predictor",
    "ClimbRecord": "imgcls.ladders.climb",
    "Comparison": "imgcls.ladders.compare",
    "DataError": "imgcls.errors",
    "DataOptions": "imgcls.data.source",
    "DataSource": "imgcls.data.source",
    "Decided": "imgcls.evidence.decide",
    "Decision": "imgcls.config.decision",
    "DecodeError": "imgcls.errors",
    "DeviceError": "imgcls.errors",
    "DivergedError": "imgcls.errors",
    "Estimate": "imgcls.records.run",
    "Explanation": "imgcls.predictions.heat_maps",
    "Facts": "imgcls.eda.facts",
    "Finding": "imgcls.eda.facts",
    "Gain": "imgcls.evidence.gains",
    "HeatMap": "imgcls.predictions.heat_maps",
    "ImgclsError": "imgcls.errors",
    "ItemState": "imgcls.checklists.items",
    "Judged": "imgcls.evidence.verdicts",
    "LadderResult": "imgcls.ladders.judge",
    "Machine": "imgcls.engine.device",
    "Plan": "imgcls.plan",
    "PlanError": "imgcls.errors",
    "ProblemError": "imgcls.errors",
    "RecordError": "imgcls.errors",
    "RunRecord": "imgcls.records.run",
    "RungResult": "imgcls.ladders.judge",
    "Stack": "imgcls.catalog",
    "StackError": "imgcls.errors",
    "StrictError": "imgcls.errors",
    "Suspects": "imgcls.eda.suspects",
    "TrainingError": "imgcls.errors",
    "UsageError": "imgcls.errors",
    "Verdict": "imgcls.evidence.verdicts",
    "WeightsError": "imgcls.errors",
    "WorkspaceError": "imgcls.errors",
    "apply": "imgcls.engine.learner",
    "blend": "imgcls.ladders.blend",
    "checklist": "imgcls.checklists.checklist",
    "climb": "imgcls.ladders.climber",
    "compare": "imgcls.ladders.compare",
    "confusion": "imgcls.ladders.run_report",
    "decide": "imgcls.evidence.decide",
    "explain": "imgcls.engine.explain",
    "explore": "imgcls.eda.explore",
    "gain": "imgcls.evidence.verdicts",
    "ladder": "imgcls.ladders.run",
    "learner": "imgcls.engine.learner",
    "load": "imgcls.engine.predictor",
    "mistakes": "imgcls.ladders.run_report",
    "open_run": "imgcls.records.find",
    "predict": "imgcls.engine.predictor",
    "suspects": "imgcls.eda.suspects",
    "train": "imgcls.engine.train",
    "verdict": "imgcls.evidence.verdicts",
}
"""Public name → the module that it is loaded from when it is first used."""

__all__ = [
    "Blend",
    "BusyError",
    "Checklist",
    "Classifier",
    "ClimbRecord",
    "Comparison",
    "DataError",
    "DataOptions",
    "DataSource",
    "Decided",
    "Decision",
    "DecodeError",
    "DeviceError",
    "DivergedError",
    "Estimate",
    "Explanation",
    "Facts",
    "Finding",
    "Gain",
    "HeatMap",
    "ImgclsError",
    "ItemState",
    "Judged",
    "LadderResult",
    "Machine",
    "Plan",
    "PlanError",
    "ProblemError",
    "RecordError",
    "RunRecord",
    "RungResult",
    "Stack",
    "StackError",
    "StrictError",
    "Suspects",
    "TrainingError",
    "UsageError",
    "Verdict",
    "WeightsError",
    "WorkspaceError",
    "__version__",
    "apply",
    "blend",
    "checklist",
    "climb",
    "compare",
    "confusion",
    "decide",
    "explain",
    "explore",
    "gain",
    "ladder",
    "learner",
    "load",
    "mistakes",
    "open_run",
    "predict",
    "suspects",
    "train",
    "verdict",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'imgcls' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
