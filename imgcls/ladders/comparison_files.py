"""Comparisons as the workspace keeps them: the newest answer to every question, in `reports/comparisons`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from imgcls.durable import make_folder, write_json
from imgcls.errors import ImgclsError
from imgcls.values import canonical_json
from imgcls.workspace import Workspace

COMPARISONS = "comparisons"
_DIGEST_LENGTH = 16


def keep(comparison: Mapping[str, Any], workspace: Workspace) -> Path | None:
    """Write a comparison where the checklist finds it; the same question again takes the place of the older answer.

    Args:
        comparison: What was found, as JSON values: see `imgcls.ladders.comparison.Comparison.to_json`.
        workspace: Whose runs were compared.

    Returns:
        The file; None where it cannot be written, for the answer itself does not depend on it.
    """
    path = workspace.reports / COMPARISONS / f"{_question(comparison)}.json"
    with suppress(ImgclsError):
        make_folder(path.parent)
        write_json(path, comparison)
        return path
    return None


def _question(comparison: Mapping[str, Any]) -> str:
    """Give the digest of what was asked: what was typed, what it meant, on which images, by which metric."""
    question = {
        "sides": [[side["text"], side["plan_digest"]] for side in (comparison["a"], comparison["b"])],
        "metric": comparison["metric"],
        "data": comparison["data"]["digest"],
        "splits": list(comparison["data"]["split_digests"]),
    }
    return hashlib.sha256(canonical_json(question).encode("ascii")).hexdigest()[:_DIGEST_LENGTH]
