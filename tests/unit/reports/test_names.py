"""Names on narrow terminals: whole wherever a line has room for them, whatever stands beside them."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console, RenderableType
from rich.text import Text

from imgcls.reports.console import NamedRows, name, wrapped

PHOTOGRAPH = "field_station_Suwon_2024-07-14_camera2_plot0041_upper_side_original.jpg"
LABEL, ANSWER = "Cercospora_leaf_spot_Gray_leaf_spot", "Septoria leaf blight, early stage"


def drawn(view: RenderableType, width: int) -> list[str]:
    """Return what a terminal of a width shows, without the blanks at the end of lines."""
    screen = Console(file=StringIO(), width=width, highlight=False, emoji=False)
    screen.print(view)
    return [line.rstrip() for line in screen.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def rows(*names: str) -> NamedRows:
    """Return mistakes of photographs."""
    cells = [(name(each), name(LABEL), name(ANSWER), Text("0.998")) for each in names]
    return NamedRows(("photograph", "label", "predicted", "confidence"), cells, numbers=frozenset({"confidence"}))


def test_a_table_stays_one_where_it_has_room() -> None:
    assert drawn(rows("a.jpg"), 100) == [
        "photograph  label                                predicted                          confidence",
        f"a.jpg       {LABEL}  {ANSWER}       0.998",
    ]


@pytest.mark.parametrize("width", [40, 72, 80, 120])
def test_a_name_is_broken_only_where_it_is_longer_than_a_line(width: int) -> None:
    lines = drawn(rows("a.jpg", PHOTOGRAPH), width)
    assert max(map(len, lines)) <= width
    for whole in ("a.jpg", PHOTOGRAPH, f"label {LABEL}", f"predicted {ANSWER}"):
        beside = 0 if whole in ("a.jpg", PHOTOGRAPH) else 2
        if len(whole) + beside <= width:
            assert any(whole.removeprefix("label ").removeprefix("predicted ") in line for line in lines), lines


def test_what_is_said_of_a_name_stands_below_it() -> None:
    assert drawn(rows(PHOTOGRAPH), 80) == [
        PHOTOGRAPH,
        f"  label {LABEL}",
        f"  predicted {ANSWER}  confidence 0.998",
    ]


def test_wide_letters_are_counted_as_wide() -> None:
    """Korean and Chinese letters take two columns each."""
    korean = "수원_시험포장_잎_앞면_사진_0001.jpg"
    assert len(drawn(NamedRows(("photograph", "label"), [(name(korean), name("고추"))]), 42)) == 2
    assert drawn(NamedRows(("photograph", "label"), [(name(korean), name("고추"))]), 41)[0] == korean


def test_a_stack_is_broken_between_its_recipes() -> None:
    assert wrapped("baseline+larger_images:size_px=64 [fit.epochs=1]", 26).split("\n") == [
        "baseline",
        "+larger_images:size_px=64",
        "[fit.epochs=1]",
    ]
    assert wrapped("larger_images:size_px=64", 20, before=":").split("\n") == ["larger_images", ":size_px=64"]
    assert wrapped("baseline+밝게조정+tta", 16).split("\n") == ["baseline", "+밝게조정+tta"]  # of two columns each
