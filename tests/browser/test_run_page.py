"""The page of a run in a real browser: mistakes lead to photographs, decisions to a file, names are only read."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imgcls.config.review import read_reviewed
from imgcls.ladders.report_data import Picture, draw_picture
from imgcls.ladders.run_report import RunReport
from imgcls.records.find import find_runs
from imgcls.reports.page.run_page import RunPage
from tests.conftest import draw_photo

sync_api = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
NAMES = ("<img src=x onerror=document.title='owned'>", "</script><script>document.title='owned'</script>", "w" * 90)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Any, drawn_ladder: Callable[..., Any], tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Open the page of a drawn run; whatever the browser complains of or asks for fails the test."""
    complaints: list[str] = []
    contexts = []

    def call(*, width: int = 1280, with_images: bool = True, javascript: bool = True, **drawing: Any) -> Any:
        _, workspace = drawn_ladder(**drawing)
        run = find_runs(workspace)[0][0]
        report = RunReport.of(run, workspace, with_images=with_images)
        picture: Picture = draw_picture(draw_photo(tmp_path / "one.png", bright=1, seed=0))
        if with_images:
            report = replace(report, pictures={one.image: picture for one in report.shown}, trouble="")
        file = tmp_path / "page.html"
        file.write_bytes(RunPage(report).content("html"))
        context = browser.new_context(
            viewport={"width": width, "height": 900}, java_script_enabled=javascript, accept_downloads=True
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: complaints.append(asked.url) if asked.url != file.as_uri() else None)
        page.goto(file.as_uri())
        return page

    yield call
    for context in contexts:
        context.close()
    assert [text for text in complaints if not text.startswith(("data:image/", "blob:"))] == []


@pytest.mark.parametrize("width", [1280, 390])
def test_a_number_of_the_matrix_leads_to_its_photographs(visit: Any, width: int) -> None:
    page = visit(width=width, classes=("cat", "dog", "eel"), n_images=90, skills=[0.3] * 5)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    link = page.locator(".matrix td.wrong a").first
    n = int(link.inner_text())
    link.press("Enter")
    kind = page.locator("details.kind[open]")
    kind.wait_for()
    assert f"of {n} shown" in kind.locator("summary").inner_text()
    assert kind.locator("img").count() == min(n, 8)


def test_decisions_are_downloaded_in_the_form_that_is_applied(visit: Any) -> None:
    page = visit(classes=NAMES, n_images=90, skills=[0.2] * 5, n_seeds=2)
    assert not page.locator("#decided").is_visible()
    cards = page.locator("section[aria-labelledby=mistakes] .card")
    cards.nth(0).focus()
    page.keyboard.press("k")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("u")
    page.keyboard.press("z")
    other = cards.nth(3)
    other.locator("select").select_option(index=1)
    page.locator("#by").fill("ann")
    with page.expect_download() as given:
        page.get_by_role("button", name="Download decisions.csv").click()
    rows = read_reviewed(Path(given.value.path()))
    assert [(row.decision, row.by, row.data) for row in rows] == [
        ("keep", "ann", "drawn"), ("exclude", "ann", "drawn"), ("relabel", "ann", "drawn")
    ]  # fmt: skip
    assert rows[2].new_label in NAMES
    assert rows[2].new_label != rows[2].label
    assert rows[0].image == cards.nth(0).get_attribute("data-image")
    assert "owned" not in page.title()


def test_without_images_there_is_nothing_to_decide_about(visit: Any) -> None:
    page = visit(with_images=False, n_images=60, skills=[0.3] * 5)
    assert page.locator("img").count() == page.locator("#decided").count() == page.locator(".card").count() == 0
    assert page.locator(".matrix").count() == 1


def test_without_scripts_photographs_are_there(visit: Any) -> None:
    page = visit(javascript=False, n_images=60, skills=[0.3] * 5)
    assert page.locator("section[aria-labelledby=mistakes] img").count() > 0
    assert page.locator("#how").is_hidden()


def test_two_hundred_classes_are_readable(visit: Any) -> None:
    page = visit(width=390, classes=tuple(f"class {n}" for n in range(200)), n_images=600, skills=[0.0] * 5)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator(".matrix tbody tr").count() == 20
    assert page.locator("details.kind").count() == 200


def test_the_matrix_is_sorted_by_any_answer(visit: Callable[..., Any]) -> None:
    page = visit()
    for descending in (False, True):
        page.locator(".matrix thead button").nth(1).click()
        counts = [int(text) for text in page.locator(".matrix tbody td:nth-child(2)").all_inner_texts()]
        assert len(set(counts)) > 1
        assert counts == sorted(counts, reverse=descending)
