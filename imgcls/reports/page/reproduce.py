"""How a ladder is made again: the commands, and what tells whether everything was the same."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from imgcls.ladders.gathering import ReportData
from imgcls.ladders.spec import Ladder

_FLAGS = {
    "images": "--images",
    "id": "--id",
    "group": "--group",
    "split": "--split",
    "problem_type": "--type",
    "delimiter": "--delimiter",
    "test": "--test",
    "valid": "--valid",
}
_PLACES = ("images", "test")
_VERSIONS = ("imgcls", "python", "torch", "fastai", "timm", "numpy")


def commands(ladder: Ladder) -> tuple[str, ...]:
    """Give the commands that make a ladder and its page; of paths only the last part, since pages travel.

    Args:
        ladder: The ladder.
    """
    verb = "ablate" if ladder.kind == "ablate" else "run"
    words = ["imgcls", "ladder", verb, ladder.stack, "--seeds", str(ladder.n_seeds), "--metric", ladder.metric]
    words += ["--folds", str(ladder.n_folds)] if ladder.n_folds is not None else []
    words += _data_words(ladder.data)
    for path, value in ladder.overrides.items():
        words += ["--set", f"{path}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join(words), shlex.join(["imgcls", "report", ladder.name])


def facts(data: ReportData) -> dict[str, str]:
    """Give what has to be the same for the same numbers, by name."""
    result, ladder = data.result, data.result.ladder
    environment = result.environment
    versions = {**{"imgcls": data.version}, **environment.get("versions", {})}
    shown = sorted(versions, key=lambda name: (_VERSIONS.index(name) if name in _VERSIONS else 99, name))
    found = {
        "Data": f"{ladder.data_name}, digest {ladder.data_digest[:16]}",
        "Decided about them": "findings.toml of the workspace, which has to lie there too"
        if ladder.data.get("findings")
        else "",
        "Split": ", ".join(digest[:16] for digest in ladder.split_digests),
        "Seeds": ", ".join(map(str, ladder.seeds)),
        "Device": ", ".join(dict.fromkeys([*result.devices, str(environment.get("device_name") or "")])).strip(", "),
        "Precision": str(environment.get("precision", "")),
        "Versions": ", ".join(f"{name} {versions[name]}" for name in shown),
        "Planned": _moment(ladder.created),
        "Newest run": _moment(data.updated),
    }
    return {title: text for title, text in found.items() if text}


def plan_digests(ladder: Ladder) -> tuple[tuple[str, str], ...]:
    """Give each rung's stack, overrides included, with the digest of its plan."""
    return tuple((rung.printed, rung.plan_digest[:16]) for rung in ladder.rungs)


def _data_words(data: Mapping[str, Any]) -> list[str]:
    words: list[str] = []
    source = data.get("data")
    if source is not None:
        words += ["--data", str(source) if ":" in str(source) else PurePath(str(source)).name]
    labels = data.get("label")
    for label in [labels] if isinstance(labels, str) else labels or []:
        words += ["--label", label]
    for name, flag in _FLAGS.items():
        if data.get(name) is not None:
            words += [flag, PurePath(str(data[name])).name if name in _PLACES else str(data[name])]
    if data.get("split_seed"):
        words += ["--split-seed", str(data["split_seed"])]
    return words


def _moment(text: str) -> str:
    """Give a moment without its seconds: `2026-11-24 10:02 UTC`."""
    return f"{text[:10]} {text[11:16]} UTC" if len(text) > 15 else text
