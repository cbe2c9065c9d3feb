"""Comparisons as the workspace keeps them: the newest answer to every question, in `reports/comparisons`."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from imgcls.durable import make_folder, write_json
from imgcls.errors import ImgclsError
from imgcls.values import canonical_json
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from imgcls.ladders.comparison import Comparison

COMPARISONS = "comparisons"
_DIGEST_LENGTH = 16


def keep(comparison: Comparison, workspace: Workspace) -> Path | None:
    """Write a comparison where the checklist finds it; the same question again takes the place of the older answer.

    Args:
        comparison: What was found.
        workspace: Whose runs were compared.

    Returns:
        The file; None where it cannot be written, for the answer itself does not depend on it.
    """
    path = workspace.reports / COMPARISONS / f"{_question(comparison)}.json"
    with suppress(ImgclsError):
        make_folder(path.parent)
        write_json(path, comparison.to_json())
        return path
    return None


def _question(comparison: Comparison) -> str:
    """Give the digest of what was asked: what was typed, what it meant, on which images, by which metric."""
    question = {
        "sides": [[side.text, side.plan_digest] for side in (comparison.a, comparison.b)],
        "metric": comparison.metric,
        "data": comparison.data_digest,
        "splits": list(comparison.split_digests),
    }
    return hashlib.sha256(canonical_json(question).encode("ascii")).hexdigest()[:_DIGEST_LENGTH]
