"""What stacks mean now, held against the plans that they were tried with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imgcls.catalog import Stack, recipe_file
from imgcls.checklists.trials import Side
from imgcls.errors import ImgclsError
from imgcls.values import canonical_json


class Meanings:
    """The plans that stacks mean, each worked out once."""

    def __init__(self, home: Path) -> None:
        """Begin with none.

        Args:
            home: The folder of the workspace, where the paths of recipe files begin.
        """
        self._home = home
        self._digests: dict[tuple[str, str], str | None] = {}

    def change_since(self, side: Side) -> str:
        """Say why a stack no longer means the plan that it was tried with; nothing where it does."""
        digest = self._digest(side.stack, side.overrides)
        if digest == side.plan_digest:
            return ""
        if digest is not None:
            return f"{side.stack} means another plan since"
        if missing := self._missing_files(side.stack):
            return f"{missing[0]}, a recipe of {side.stack}, is missing"
        return f"{side.stack} is no stack any more; 'imgcls recipe show' says why"

    def _digest(self, stack: str, overrides: Mapping[str, Any]) -> str | None:
        """Give the digest of the plan that a stack means now; None where it is no stack."""
        asked = stack, canonical_json(dict(overrides))
        if asked not in self._digests:
            try:
                self._digests[asked] = Stack.parse(stack, overrides, home=self._home).plan.digest
            except ImgclsError:
                self._digests[asked] = None
        return self._digests[asked]

    def _missing_files(self, stack: str) -> list[str]:
        names = [piece.partition(":")[0].strip() for piece in stack.split("+")]
        return [name for name in names if (file := recipe_file(name, home=self._home)) and not file.is_file()]
