"""Values that are shown as they are: by rich, and in a notebook."""

from __future__ import annotations

import importlib
import io
from pathlib import Path

from rich.console import Console

import imgcls
from imgcls.checklists.checklist import Checklist
from imgcls.eda.facts import Facts


def test_every_value_names_a_view_that_exists() -> None:
    for kind in (Facts, Checklist):
        module, _, name = kind.VIEW.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_a_checklist_is_shown_by_rich_and_in_a_notebook(tmp_path: Path) -> None:
    found = imgcls.checklist(tmp_path)
    console = Console(file=io.StringIO(), width=100)
    console.print(found)
    assert "The seed is fixed" in console.file.getvalue()  # type: ignore[attr-defined]
    assert found._repr_html_().startswith("<pre")
    assert "The seed is fixed" in found._repr_html_()


def test_names_from_data_are_escaped_in_a_notebook(drawn_facts) -> None:
    facts = drawn_facts({"<script>alert(1)</script>": (8, 4), "dog": (8, 4)})
    page = facts._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
