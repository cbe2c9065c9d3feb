"""What people read of a data set, at the width of a terminal, without colour."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from imgcls.eda.facts import Facts
from imgcls.reports.data import FactsView, bar


def drawn(facts: Facts, width: int) -> str:
    screen = Console(file=StringIO(), width=width, highlight=False, emoji=False, color_system=None)
    screen.print(FactsView(facts), crop=False)
    return "\n".join(line.rstrip() for line in screen.file.getvalue().splitlines())


@pytest.mark.parametrize("width", [80, 120])
def test_a_data_set(snapshot, drawn_facts, width: int) -> None:
    assert drawn(drawn_facts(), width) == snapshot


def test_many_classes(snapshot, drawn_facts) -> None:
    facts = drawn_facts({f"class {number:03d}": (3 + number, number // 10) for number in range(100)}, n_test=0)
    assert drawn(facts, 80) == snapshot


def test_little_is_known(snapshot, drawn_facts) -> None:
    nothing = dict.fromkeys(("files", "broken", "duplicates", "guesses", "drift", "odd", "curve", "findings"), ())
    assert drawn(drawn_facts({"yes": (6, 0), "no": (2, 0)}, problem="binary", pictures={}, **nothing), 80) == snapshot


def test_what_has_to_be_done_stands_last(drawn_facts) -> None:
    lines = drawn(drawn_facts(), 80).splitlines()
    place = lines.index("Findings")
    assert place > lines.index("Classes")
    assert len(lines) <= 60  # one and a half screens
    assert [line for line in lines[place:] if line.strip().startswith("imgcls ")] == [
        "    imgcls eda apply duplicates.across",
        "    imgcls recipe run baseline --group sender",
    ]
    assert lines[-1] == "  applied: broken"


@pytest.mark.parametrize("width", [40, 80])
def test_names_are_only_read(drawn_facts, width: int) -> None:
    hostile = ("\x1b[2Jcat", "[red]dog[/red]", ":smile:", "w" * 255, "\u202eeel")
    pair = drawn_facts().duplicates[0].model_copy(update={"first": hostile[0], "kind": "same file"})
    finding = (
        drawn_facts().findings[0].model_copy(update={"title": f"{hostile[0]} [bold]", "command": "imgcls \x1b[2J"})
    )
    odd = drawn_facts().odd[0].model_copy(update={"id": "\x1b]0;x\x07"})
    facts = drawn_facts(
        dict.fromkeys(hostile, (4, 2)), name=hostile[0], duplicates=(pair,), findings=(finding,), odd=(odd,)
    )
    text = drawn(facts, width)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\x07" not in text
    assert "\\x1b[2Jcat" in text.replace("\n", "")
    assert ":smile:" in text
    if width == 80:
        assert "[red]dog[/red]" in text
        assert max(map(len, text.splitlines())) <= width


def test_no_colour_is_needed_to_tell_how_bad_it_is(drawn_facts) -> None:
    text = drawn(drawn_facts(), 80)
    assert "✗ error" in text
    assert "! warning" in text
    assert "· note" in text


def test_a_terminal_without_blocks(drawn_facts) -> None:
    screen = Console(file=StringIO(), width=80, color_system=None)
    options = screen.options.copy()
    options.encoding = "ascii"
    text = "".join(segment.text for segment in screen.render(FactsView(drawn_facts()), options))
    assert "█" not in text
    assert "#####" in text
    assert "x error" in text


@pytest.mark.parametrize(("share", "drawn_as"), [(0, ""), (1e-6, "▏"), (0.5, "████"), (0.55, "████▍"), (1, "█" * 8)])
def test_bars(share: float, drawn_as: str) -> None:
    assert bar(share, 8) == drawn_as
    assert bar(share, 8, is_ascii=True) == "#" * max(round(8 * share), int(share > 0))
