"""Values that are shown as they are: by rich, and in a notebook."""

from __future__ import annotations

import importlib
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

import imgcls
from imgcls.checklists.checklist import Checklist
from imgcls.eda.facts import Facts
from imgcls.text import escaped, inert, look_alike


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


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1+2", "'+1+2"),
        ("-1+2", "'-1+2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        (" =1", "' =1"),
        ("\uff1d1", "'\uff1d1"),
        ("'quoted", "''quoted"),
        ("-1", "-1"),
        ("+2.5e-3", "+2.5e-3"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_no_spreadsheet_runs_a_cell_and_every_text_comes_back(text: str, cell: str) -> None:
    assert inert(text) == cell
    assert cell.removeprefix("'") == text


def test_json_on_a_terminal_is_the_same_value_without_controls() -> None:
    value = {"a\x9b2J": "\x1b[2J\u202e\n\u00e9"}
    text = escaped(json.dumps(value, ensure_ascii=False))
    assert json.loads(text) == value
    assert text == '{"a\\u009b2J": "\\u001b[2J\\u202e\\n\u00e9"}'


def test_names_that_are_one_to_unicode_are_found() -> None:
    assert look_alike(["caf\u00e9", "dog", "cafe\u0301", "\uff21", "A", "a"]) == [
        ("caf\u00e9", "cafe\u0301"),
        ("\uff21", "A"),
    ]
