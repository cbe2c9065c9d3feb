from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from imgcls.eda.facts import Facts
from imgcls.reports.page.data_page import write_eda_page

MakeFacts = Callable[..., Facts]


def picture(path: Path, *, seed: int = 0) -> None:
    path.parent.mkdir(exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path)


def test_pictures_that_are_gone_or_damaged_are_left_out(drawn_facts: MakeFacts, tmp_path: Path) -> None:
    picture(tmp_path / "pictures/classes.png")
    (tmp_path / "pictures/sizes.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    files = {"classes": "pictures/classes.png", "sizes": "pictures/sizes.png", "odd": "pictures/odd.png"}
    page = write_eda_page(drawn_facts(pictures=files), tmp_path).read_text(encoding="utf-8")
    assert page.count("<img ") == 1


def test_the_policy_allows_what_the_page_holds_and_nothing_else(drawn_facts: MakeFacts, tmp_path: Path) -> None:
    page = write_eda_page(drawn_facts(pictures={}), tmp_path).read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src &#39;none&#39;; img-src data:; style-src &#39;sha256-")
    assert "unsafe" not in policy[1]
    assert not re.search(r'\s(on\w+|style)="', page)
    assert not re.search(r"https?://", page)


def test_photographs_are_stored_small(drawn_facts: MakeFacts, tmp_path: Path) -> None:
    picture(tmp_path / "pictures/compared.png")
    n_bytes = (tmp_path / "pictures/compared.png").stat().st_size
    page = write_eda_page(drawn_facts(pictures={"compared": "pictures/compared.png"}), tmp_path)
    assert page.stat().st_size < n_bytes


def test_equal_facts_give_equal_pages(drawn_facts: MakeFacts, tmp_path: Path) -> None:
    picture(tmp_path / "pictures/classes.png")
    facts = drawn_facts(pictures={"classes": "pictures/classes.png"})
    first = write_eda_page(facts, tmp_path).read_bytes()
    facts.write(tmp_path)
    assert write_eda_page(Facts.read(tmp_path), tmp_path).read_bytes() == first


def test_a_name_that_is_no_utf8_is_written_out(drawn_facts: MakeFacts, tmp_path: Path) -> None:
    odd = (
        drawn_facts()
        .odd[0]
        .model_construct(id="cat/\udcff.jpg", split="train", label="cat", distance=2.0, why="picture")
    )
    facts = drawn_facts(pictures={}).model_copy(update={"odd": (odd,)})
    assert "cat/\\udcff.jpg" in write_eda_page(facts, tmp_path).read_text(encoding="utf-8")
