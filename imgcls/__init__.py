"""imgcls: stack one-line recipes for image classification, and know which of them helped.

The public names load what they need when they are first used, so that `import imgcls` is light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from imgcls._version import __version__

if TYPE_CHECKING:
    from imgcls.catalog import Stack
    from imgcls.checklists.checklist import checklist
    from imgcls.eda.explore import explore
    from imgcls.engine.device import Machine
    from imgcls.engine.learner import apply, learner
    from imgcls.engine.predictor import load, predict
    from imgcls.engine.train import train
    from imgcls.evidence.verdicts import gain, verdict
    from imgcls.ladders.compare import compare
    from imgcls.ladders.run import ladder
    from imgcls.plan import Plan
    from imgcls.records.find import open_run

_HOMES = {
    "Machine": "imgcls.engine.device",
    "Plan": "imgcls.plan",
    "Stack": "imgcls.catalog",
    "apply": "imgcls.engine.learner",
    "checklist": "imgcls.checklists.checklist",
    "compare": "imgcls.ladders.compare",
    "explore": "imgcls.eda.explore",
    "gain": "imgcls.evidence.verdicts",
    "ladder": "imgcls.ladders.run",
    "learner": "imgcls.engine.learner",
    "load": "imgcls.engine.predictor",
    "open_run": "imgcls.records.find",
    "predict": "imgcls.engine.predictor",
    "train": "imgcls.engine.train",
    "verdict": "imgcls.evidence.verdicts",
}

__all__ = [
    "Machine",
    "Plan",
    "Stack",
    "__version__",
    "apply",
    "checklist",
    "compare",
    "explore",
    "gain",
    "ladder",
    "learner",
    "load",
    "open_run",
    "predict",
    "train",
    "verdict",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'imgcls' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
