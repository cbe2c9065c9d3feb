"""The page of a review in a real browser: by keyboard alone, on a laptop and on a phone."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imgcls.config.review import latest, read_reviewed
from imgcls.serving.local import Address, LocalOnly
from imgcls.serving.review import Review, review, review_app
from imgcls.workspace import Workspace
from tests.conftest import draw_folder, draw_multilabel
from tests.unit.serving.test_review import started

sync_api = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
uvicorn = pytest.importorskip("uvicorn", reason="the package uvicorn is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


@pytest.fixture
def visit(tmp_path: Path) -> Iterator[Callable[..., tuple[Any, Review]]]:
    """Open the page of a review of a folder or table; whatever the browser complains of fails the test."""
    complaints, ends = [], []

    def call(data: Path, *, width: int = 1280) -> tuple[Any, Review]:
        (tmp_path / "imgcls.toml").write_text(f'schema = 1\n[data]\nsource = "{data}"\n')
        held = review(None, Workspace(tmp_path))
        held.open()
        address = Address.at(0)
        config = uvicorn.Config(LocalOnly(review_app(held), address), log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: server.run(sockets=[address.listening]))
        thread.start()
        playwright = sync_api.sync_playwright().start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 844})
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: complaints.append(asked.url) if address.token not in asked.url else None)

        def end() -> None:
            browser.close()
            playwright.stop()
            server.should_exit = True
            thread.join()
            held.close()

        ends.append(end)
        page.goto(address.url)
        return page, held

    yield call
    for end in ends:
        end()
    assert [text for text in complaints if not text.startswith("data:,") and "410 (Gone)" not in text] == []


def press(page: Any, *keys: str) -> None:
    """Press keys, each once the photograph and what the last one did is shown."""
    for key in keys:
        until(lambda: page.is_hidden("#missing") or "not there any more" in page.inner_text("#missing"))
        before = page.inner_text("main")
        page.keyboard.press(key)
        until(lambda before=before: page.inner_text("main") != before)


def until(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        time.sleep(0.02)
    pytest.fail("it did not come")


@pytest.mark.parametrize("width", [1280, 390])
def test_photographs_are_decided_by_keyboard(visit: Any, tmp_path: Path, width: int) -> None:
    names = ("<img src=x onerror=document.title='owned'>", "w" * 60, "cat")
    page, held = visit(draw_folder(tmp_path / "pets", dict.fromkeys(names, 2)), width=width)
    until(lambda: page.inner_text("#progress").startswith("1 of 6"))
    until(lambda: page.evaluate("() => (document.querySelector('#photo img') || {}).naturalWidth > 0"))
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    images = [one.image for one in held.questions]
    press(page, "k", "x", "u")
    assert [row.decision for row in latest(read_reviewed(held.file))] == ["keep", "exclude", "unsure"]
    press(page, "z")
    assert page.inner_text("#progress").startswith("3 of 6; 2 decided")
    other = next(place for place, name in enumerate(held.classes) if name != held.questions[2].label)
    press(page, str(other + 1))
    assert held.said[images[2]].new_label == held.classes[other]
    press(page, "ArrowLeft")
    assert page.inner_text("#said") == f"Another class: {held.classes[other]}"
    page.keyboard.press("c")
    page.keyboard.type(held.questions[2].label[:5].upper())  # enough of it, where no other class has it in its name
    press(page, "Enter")
    assert held.said[images[2]].decision == "keep"  # its own class
    assert page.title() == "Review of pets"


def test_of_several_classes_each_is_on_or_off(visit: Any, tmp_path: Path) -> None:
    page, held = visit(draw_multilabel(tmp_path / "many", n=8))
    until(lambda: page.inner_text("#progress").startswith("1 of 8"))
    before = set(held.questions[0].label.split("|")) - {""}
    press(page, "1")
    said = held.said[held.questions[0].image]
    assert set(said.new_label.split("|")) - {""} == before ^ {held.classes[0]}
    press(page, "1")
    assert held.said[held.questions[0].image].decision == "keep"
    assert page.inner_text("#progress").startswith("1 of 8; 1 decided")


def test_only_what_shows_is_decided_and_a_held_key_decides_once(visit: Any, tmp_path: Path) -> None:
    page, held = visit(draw_folder(tmp_path / "pets", {"cat": 5, "dog": 5}))
    until(lambda: page.evaluate("() => (document.querySelector('#photo img') || {}).naturalWidth > 0"))
    waiting = []
    page.route("**/photo/3", lambda route: waiting.append(route))
    press(page, "k", "ArrowRight", "ArrowRight")
    until(lambda: waiting)
    assert page.is_visible("#missing")
    page.keyboard.press("k")
    page.keyboard.press("1")
    page.wait_for_timeout(100)
    assert len(held.said) == 1
    waiting[0].continue_()
    until(lambda: page.is_hidden("#missing"))
    page.keyboard.down("x")
    for _ in range(4):
        page.wait_for_timeout(100)
        page.keyboard.down("x")
    page.keyboard.up("x")
    assert {image: row.decision for image, row in held.said.items()} == {
        held.questions[0].image: "keep",
        held.questions[3].image: "exclude",
    }


def test_a_photograph_that_is_gone_says_so_as_often_as_it_shows(visit: Any, tmp_path: Path) -> None:
    page, held = visit(draw_multilabel(tmp_path / "many", n=4))
    until(lambda: page.inner_text("#progress").startswith("1 of 4"))
    held.paths[held.questions[3].image].unlink()
    press(page, "ArrowRight", "ArrowRight", "ArrowRight")
    until(lambda: "not there any more" in page.inner_text("#missing"))
    press(page, "1")
    assert page.is_visible("#missing")
    assert page.is_hidden("#photo")


@pytest.mark.slow
@pytest.mark.fault
def test_killed_right_after_a_key_nothing_is_lost_and_nothing_is_there_twice(tmp_path: Path) -> None:
    draw_folder(tmp_path / "pets", {"cat": 30, "dog": 30})
    (tmp_path / "imgcls.toml").write_text(f'schema = 1\n[data]\nsource = "{tmp_path / "pets"}"\n')
    draws, file, n_said = np.random.default_rng(0), tmp_path / "reviews" / "decisions.csv", 0
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for _ in range(20):
            with started(Workspace(tmp_path)) as (url, process):
                page = browser.new_page()
                page.goto(url)
                shown = f"{n_said + 1} of 60; {n_said} decided"
                until(lambda page=page, shown=shown: page.inner_text("#progress").startswith(shown))
                until(lambda page=page: page.is_hidden("#missing"))
                page.keyboard.press(str(draws.choice(["k", "x", "u", "1", "2"])))
                time.sleep(draws.choice([0, 0.005, 0.01, 0.02, 0.05]))
                process.kill()
                process.wait()
                has_moved = not page.inner_text("#progress").startswith(shown)
                page.close()
            rows = read_reviewed(file) if file.exists() else ()
            assert len(rows) == len({row.image for row in rows})
            assert len(rows) - n_said in ((1,) if has_moved else (0, 1))
            n_said = len(rows)
        browser.close()
    assert n_said > 0
