"""The page about a data set in a real browser: quiet, self-contained, and harmless whatever names hold."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imgcls.eda.facts import Facts
from imgcls.reports.page.data_page import write_eda_page

sync_api = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

NAMES = (
    "<img src=x onerror=document.title='owned'>",
    '"><script>document.title="owned"</script>',
    "w" * 255,
    "שלום 🐈",
    "\x1b[2J\u202eeel",
)
HEADINGS = [
    "What to do",
    "The data",
    "The classes",
    "The photographs",
    "Sizes and light",
    "Do the splits differ?",
    "Leakage: what the label can be guessed from",
    "Photographs that are there twice",
    "Photographs unlike the others",
    "Would more photographs help?",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        # In a container the browser cannot make a sandbox of its own; it opens nothing but our files.
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def with_pictures(facts: Facts, folder: Path) -> Facts:
    """Draw a plain picture for each that facts can have."""
    (folder / "pictures").mkdir()
    names = ["classes", "compared", "sizes", "light", "duplicates", "odd", "curve"]
    names += [f"sheet: {name}" for name in facts.data.classes]
    files = {name: f"pictures/{number}.png" for number, name in enumerate(names)}
    for name, file in files.items():
        Image.new("RGB", (960, 300), (0, 114, 178)).save(folder / file, dpi=(160, 160) if name == "classes" else None)
    return facts.model_copy(update={"pictures": files})


@pytest.fixture
def visit(browser: Any, drawn_facts: Callable[..., Facts], tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Open the page of a drawn data set; whatever the browser complains of or asks for fails the test."""
    complaints: list[str] = []
    contexts = []

    def call(
        *, width: int = 1280, with_images: bool = True, classes: tuple[str, ...] = ("cat", "dog"), **changes: object
    ) -> Any:
        facts = with_pictures(drawn_facts(dict.fromkeys(classes, (20, 5)), **changes), tmp_path)
        file = write_eda_page(facts, tmp_path, with_images=with_images)
        context = browser.new_context(viewport={"width": width, "height": 900})
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


def test_what_to_do_stands_first(visit: Callable[..., Any]) -> None:
    page = visit()
    assert page.title() == "What is in made"
    assert page.locator("h2").all_inner_texts() == HEADINGS
    first = page.locator("main section").first
    assert first.locator("pre").all_inner_texts() == [
        "imgcls eda apply duplicates.across",
        "imgcls recipe run baseline --group sender",
    ]
    assert first.locator(".chip").all_inner_texts() == ["✗ error", "! warning", "· note"]
    assert "Applied: 1 file cannot be used." in first.inner_text()
    command = first.locator("pre").first
    assert command.evaluate("box => getComputedStyle(box).userSelect") == "all"


def test_every_picture_is_seen_and_described(visit: Callable[..., Any]) -> None:
    page = visit()
    pictures = page.locator("img")
    assert pictures.count() == 9
    for place in range(pictures.count()):
        picture = pictures.nth(place)
        assert picture.get_attribute("alt")
        assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
        assert picture.get_attribute("src").startswith("data:image/")
    chart = page.get_by_role("region", name="How often each class occurs").locator("img")
    assert chart.evaluate("image => image.getBoundingClientRect().width") == 600  # it is drawn sharper than it is shown


def test_more_sheets_than_the_page_holds_lie_beside_it(visit: Callable[..., Any]) -> None:
    page = visit(classes=tuple(f"class {number:02d}" for number in range(15)))
    assert page.locator("img").count() == 7 + 12
    links = page.locator("ul.index a")
    assert links.all_inner_texts() == ["class 12", "class 13", "class 14"]
    assert links.first.get_attribute("href") == "pictures/19.png"


@pytest.mark.parametrize("classes", [("cat", "dog"), NAMES, tuple(f"class {n}" for n in range(300))], ids=len)
def test_a_phone_scrolls_pictures_and_not_the_page(visit: Callable[..., Any], classes: tuple[str, ...]) -> None:
    page = visit(width=390, classes=classes, name="w" * 255)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = page.locator(".picture, .scroll")
    assert all(boxes.nth(place).get_attribute("tabindex") == "0" for place in range(boxes.count()))
    assert page.locator(".picture").first.evaluate("box => box.scrollWidth > box.clientWidth")


@pytest.mark.parametrize("name", ["Files and what each is for", "Classes in numbers"])
def test_tables_fit_a_phone(visit: Callable[..., Any], name: str) -> None:
    """Columns take what they need there, and no least width."""
    box = visit(width=390).get_by_role("region", name=name)
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth")


def test_names_are_only_read(visit: Callable[..., Any], drawn_facts: Callable[..., Facts]) -> None:
    plain = drawn_facts()
    pair = plain.duplicates[1].model_copy(update={"first": NAMES[0], "labels": (NAMES[1], NAMES[2])})
    finding = plain.findings[0].model_copy(update={"title": NAMES[1], "examples": (NAMES[0],), "command": NAMES[1]})
    broken = plain.broken[0].model_copy(update={"path": NAMES[4], "reason": NAMES[1]})
    page = visit(classes=NAMES, name=NAMES[0], duplicates=(pair,), findings=(finding,), broken=(broken,))
    assert page.title() == f"What is in {NAMES[0]}"
    assert page.locator("body script").count() == 1
    assert all(image.get_attribute("src").startswith("data:") for image in page.locator("img").all())
    text = page.locator("body").inner_text()
    assert NAMES[1] in text
    assert "\\x1b[2J\\u202eeel" in text
    assert "\u202e" not in page.content()


def test_data_that_must_not_travel(visit: Callable[..., Any]) -> None:
    page = visit(with_images=False)
    assert page.locator("img").count() == 4  # classes, sizes, light, curve
    text = page.content()
    for name in ("cat/1.jpg", "dog/4.jpg", "test/6.jpg", "eel/9.jpg", "cat/a.jpg"):
        assert name not in text
    assert "Photographs and their names are left out of this page on purpose." in text
    assert page.locator("pre").first.inner_text() == "imgcls eda apply duplicates.across"


def test_a_click_sorts_the_classes(visit: Callable[..., Any], drawn_facts: Callable[..., Facts]) -> None:
    page = visit()
    guesses = page.get_by_role("region", name="Leakage: what the label can be guessed from")
    first = guesses.locator("tbody td").first
    assert first.inner_text() == "sender of senders.csv"
    guesses.get_by_role("button", name="AUC").click()
    assert first.inner_text() == "file size"


def test_little_is_known(visit: Callable[..., Any]) -> None:
    nothing: dict[str, object] = dict.fromkeys(
        ("files", "broken", "duplicates", "guesses", "drift", "odd", "curve", "findings"), ()
    )
    page = visit(**nothing)
    assert "Nothing asks for action." in page.locator("main section").first.inner_text()
    assert page.locator("h2").all_inner_texts() == HEADINGS[:8]
