"""imgcls: stack one-line recipes for image classification, and know which of them helped.

The public names load what they need when they are first used, so that `import imgcls` is light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from imgcls._version import __version__

if TYPE_CHECKING:
    from imgcls.catalog import Stack
    from imgcls.checklists.evaluate import checklist
    from imgcls.eda.explore import explore
    from imgcls.engine.apply import apply
    from imgcls.engine.classifier import load, predict
    from imgcls.engine.device import Machine
    from imgcls.engine.learner import learner
    from imgcls.engine.train import train
    from imgcls.evidence.compare import gain, verdict
    from imgcls.ladders.comparison import compare
    from imgcls.ladders.run import ladder
    from imgcls.plan import Plan
    from imgcls.records.find import open_run

_HOMES = {
    "Machine": "imgcls.engine.device",
    "Plan": "imgcls.plan",
    "Stack": "imgcls.catalog",
    "apply": "imgcls.engine.apply",
    "checklist": "imgcls.checklists.evaluate",
    "compare": "imgcls.ladders.comparison",
    "explore": "imgcls.eda.explore",
    "gain": "imgcls.evidence.compare",
    "ladder": "imgcls.ladders.run",
    "learner": "imgcls.engine.learner",
    "load": "imgcls.engine.classifier",
    "open_run": "imgcls.records.find",
    "predict": "imgcls.engine.classifier",
    "train": "imgcls.engine.train",
    "verdict": "imgcls.evidence.compare",
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
