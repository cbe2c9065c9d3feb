"""The map of the photographs in a real browser: filters, lasso, keys and downloads; names are only read."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imgcls.eda.photo_map import MapAbout, MapPoint, PhotoMap
from imgcls.reports.page.map_page import map_page
from tests.conftest import draw_photo

sync_api = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
HOSTILE = "</script><script>document.title='owned'</script>"


def a_map(tmp_path: Path, n_classes: int = 3) -> PhotoMap:
    """Make a map of two photographs a class on a line; the first class has a hostile name and a mistake."""
    picture = draw_photo(tmp_path / "one.png", bright=1, seed=0).read_bytes()
    classes = (HOSTILE, *(f"class{number}" for number in range(1, n_classes)))
    points = tuple(
        MapPoint(
            id=f"=cmd{number}.png" if number == 0 else f"{number}.png",
            path="",
            label=classes[number // 2],
            predicted=classes[1] if number % 2 == 0 else None,
            confidence=0.5 if number % 2 == 0 else None,
            right=number // 2 == 1 if number % 2 == 0 else None,
            split="valid" if number % 2 == 0 else "train",
            x=float(number),
            y=0.0,
            image=picture,
        )
        for number in range(2 * n_classes)
    )
    return PhotoMap(MapAbout("run", "the network of this run", "multiclass", classes, len(points), 32), points)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Open the page of a map; whatever the browser complains of or asks for fails the test."""
    complaints: list[str] = []
    contexts = []

    def call(photo_map: PhotoMap, *, width: int = 1280, with_images: bool = True) -> Any:
        file = tmp_path / "map.html"
        file.write_bytes(map_page(photo_map, with_images=with_images))
        context = browser.new_context(viewport={"width": width, "height": 900}, accept_downloads=True)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda asked: complaints.append(asked.url) if asked.url.startswith(("http", "ws")) else None,
        )
        page.goto(file.as_uri())
        return page

    yield call
    for context in contexts:
        context.close()
    assert complaints == []


def state(page: Any, text: str) -> None:
    sync_api.expect(page.locator("#map-state")).to_contain_text(text)


def test_filters_and_keys_select_and_the_ids_are_inert_in_a_spreadsheet(
    visit: Callable[..., Any], tmp_path: Path
) -> None:
    page = visit(a_map(tmp_path))
    assert page.title() == "Map of run"
    state(page, "6 of 6 fit the filters; 0 selected.")
    page.locator("#map-which").select_option("wrong")
    state(page, "2 of 6 fit")
    page.locator("#map-legend button").nth(0).click()
    state(page, "1 of 6 fit")
    page.locator("#map-canvas").focus()
    page.keyboard.press("n")
    state(page, "Mistake: class1, 50 %; validation; =cmd0.png")
    sync_api.expect(page.locator("#map-tip img")).to_be_visible()
    page.keyboard.press("s")
    sync_api.expect(page.locator("#map-count")).to_have_text("1 photograph selected, 1 answered wrongly")
    assert HOSTILE in page.locator("#map-list li").inner_text()
    with page.expect_download() as caught:
        page.locator("#map-save").click()
    assert Path(caught.value.path()).read_text().splitlines() == ["id", "'=cmd0.png"]
    page.locator("#map-canvas").focus()
    page.keyboard.press("Escape")
    state(page, "0 selected")


def test_a_lasso_takes_what_lies_in_it_and_a_pointer_shows_the_photograph(
    visit: Callable[..., Any], tmp_path: Path
) -> None:
    page = visit(a_map(tmp_path))
    page.locator("#map-canvas").scroll_into_view_if_needed()
    box = page.locator("#map-canvas").bounding_box()
    side, middle = min(box["width"], box["height"]) - 32, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    first = middle[0] - side / 2
    page.mouse.move(first + 1, middle[1] + 1)
    sync_api.expect(page.locator("#map-tip img")).to_be_visible()
    page.keyboard.down("Shift")
    page.mouse.move(first - 12, middle[1] - 40)
    page.mouse.down()
    for x, y in ((side * 0.3, -40), (side * 0.3, 40), (-12, 40), (-12, -40)):
        page.mouse.move(first + x, middle[1] + y, steps=3)
    page.mouse.up()
    page.keyboard.up("Shift")
    sync_api.expect(page.locator("#map-list li")).to_have_count(2)
    assert "2 photographs selected" in page.locator("#map-count").inner_text()


@pytest.mark.parametrize("width", [390, 1280])
def test_many_classes_are_found_by_name_and_nothing_is_wider_than_the_screen(
    visit: Callable[..., Any], tmp_path: Path, width: int
) -> None:
    page = visit(a_map(tmp_path, n_classes=200), width=width)
    page.locator("#map-find").fill("class17")
    assert page.locator("#map-legend li:visible").count() == 11
    page.locator("#map-find").fill("class17")
    page.locator("#map-find").press("Enter")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    state(page, "2 of 400 fit")


def test_withheld_photographs_and_names_are_nowhere_on_the_page(visit: Callable[..., Any], tmp_path: Path) -> None:
    page = visit(a_map(tmp_path), with_images=False)
    assert "png" not in page.content()
    page.locator("#map-take").click()
    sync_api.expect(page.locator("#map-count")).to_contain_text("6 photographs selected")
    assert page.locator("#map-save").count() == 0
