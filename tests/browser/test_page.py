"""The page in a real browser: quiet, self-contained, readable on a phone, and harmless whatever names hold."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imgcls.ladders.report_data import gather
from imgcls.ladders.spec import Ladder
from imgcls.reports.page.render import html_page
from imgcls.workspace import Workspace

sync_api = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

Draw = Callable[..., tuple[Ladder, Workspace]]
Open = Callable[..., Any]
NAMES = ("<img src=x onerror=document.title='owned'>", "<script>document.title='owned'</script>", "w" * 255, "שלום 🐈")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        # In a container the browser cannot make a sandbox of its own; it opens nothing but our files.
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Any, drawn_ladder: Draw, tmp_path: Path) -> Iterator[Open]:
    """Open the page of a drawn ladder; whatever the browser complains of or asks for fails the test."""
    complaints: list[str] = []
    contexts = []

    def call(*, width: int = 1280, data_name: str = "drawn", javascript: bool = True, **options: Any) -> Any:
        ladder, workspace = drawn_ladder(**options)
        file = tmp_path / "page.html"
        file.write_text(html_page(gather(replace(ladder, data_name=data_name), workspace)), encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 900}, java_script_enabled=javascript)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if request.url != file.as_uri() else None)
        page.goto(file.as_uri())
        return page

    yield call
    for context in contexts:
        context.close()
    assert [text for text in complaints if not text.startswith("data:image/")] == []


def column(page: Any, place: int) -> list[str]:
    rows = page.locator("table.sortable tbody tr")
    return [rows.nth(row).locator("th, td").nth(place).inner_text().split("\n")[0] for row in range(rows.count())]


def test_a_click_sorts_the_table(visit: Open) -> None:
    page = visit(skills=[1.0, 1.6, 1.3, 1.1, 1.5])
    assert column(page, 0) == ["0", "1", "2", "3", "4"]
    score = page.get_by_role("button", name="Accuracy")
    score.click()
    values = [float(text.split()[0]) for text in column(page, 2)]
    assert values == sorted(values)
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
    score.press("Enter")
    assert [float(text.split()[0]) for text in column(page, 2)] == values[::-1]
    for _ in ("ascending", "descending"):
        page.get_by_role("button", name="Gain (points) over the rung below").click()
        assert column(page, 0)[-1] == "0"  # what has no value stays at the end


def test_without_scripts_the_table_is_whole(visit: Open) -> None:
    page = visit(javascript=False)
    assert column(page, 0) == ["0", "1", "2", "3", "4"]
    assert page.get_by_role("button").count() == 0


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("drawing", [{}, {"kind": "ablate"}, {"metric": "log_loss"}, {"n_seeds": 1}], ids=str)
def test_the_table_of_rungs_is_seen_whole(visit: Open, drawing: dict[str, Any], width: int) -> None:
    """Nothing is cut off at the right, neither on a laptop nor on a phone: there is nothing to scroll to."""
    page = visit(width=width, **drawing)
    box = page.get_by_role("region", name="Table of the rungs")
    assert box.evaluate("box => box.scrollWidth") <= box.evaluate("box => box.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for score in box.locator("td.number").all():
        assert score.evaluate("cell => cell.scrollWidth") <= score.evaluate("cell => Math.max(cell.clientWidth, 0)")


@pytest.mark.parametrize("kind", ["climb", "ablate"])
@pytest.mark.parametrize("classes", [("cat", "dog"), NAMES, tuple(f"class {n}" for n in range(40))], ids=len)
def test_a_phone_scrolls_tables_and_not_the_page(visit: Open, kind: str, classes: tuple[str, ...]) -> None:
    page = visit(width=390, kind=kind, classes=classes, n_images=120, skills=[0.1] * 5, data_name="w" * 255)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = page.locator(".scroll")
    if len(classes) == 40:
        matrix = page.get_by_role("region", name="Confusion matrix")
        assert matrix.evaluate("box => box.scrollWidth") > 390
    assert all(boxes.nth(place).get_attribute("tabindex") == "0" for place in range(boxes.count()))


def test_names_are_only_read(visit: Open) -> None:
    page = visit(classes=NAMES, n_images=64, skills=[0.1] * 5, data_name=NAMES[0])
    assert page.title() == f"Which recipes help on {NAMES[0]}"
    assert page.locator("img").count() == 0
    assert page.locator("body script").count() == 1
    assert NAMES[1] in page.locator("body").inner_text()


def test_the_styles_pass_the_page_s_own_policy(visit: Open) -> None:
    page = visit()
    assert page.locator(".lead").evaluate("box => getComputedStyle(box).borderLeftWidth") == "5px"
    assert page.locator("svg text").first.evaluate("text => getComputedStyle(text).fontSize") == "11px"
    line = page.locator("svg path[stroke='#0072b2']").first
    assert line.evaluate("line => getComputedStyle(line).stroke") == "rgb(0, 114, 178)"
    page.emulate_media(color_scheme="dark")
    assert line.evaluate("line => getComputedStyle(line).stroke") == "rgb(86, 180, 233)"
    assert page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor") == "rgb(20, 23, 26)"
