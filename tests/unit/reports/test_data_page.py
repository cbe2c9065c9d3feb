from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from imgcls.config.findings import Adjustments
from imgcls.eda.facts import FACTS_JSON, Drift, Facts, LeakageProbe
from imgcls.reports.data import FactsView, drift_sentences
from imgcls.reports.page.data_page import write_eda_page
from imgcls.storage import write_json

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
    facts = drawn_facts(pictures={"classes": "pictures/classes.png"}).decided(Adjustments())
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


def test_what_has_no_finding_is_not_shown_as_telling(drawn_facts: MakeFacts, tmp_path: Path) -> None:
    """Among many guesses one is lucky: p 0.03 is no leakage, and no drift, unless a finding says so."""
    guesses = tuple(
        LeakageProbe(by=f"column {place}", auc=0.64, p=p, n=160, n_values=9, shared={})
        for place, p in enumerate((0.03, 0.3, 0.5, 0.7))
    )
    drift = tuple(
        Drift(parts=("train", "test"), by=by, auc=0.63, p=p, n=(30, 30)) for by, p in (("size", 0.03), ("shape", 0.4))
    )
    facts = drawn_facts(guesses=guesses, drift=drift)
    assert drift_sentences(facts) == ["train and test cannot be told apart by size, shape"]
    screen = Console(file=StringIO(), width=200, color_system=None)
    screen.print(FactsView(facts))
    assert "AUC 0.640" not in screen.file.getvalue()
    assert "nothing to be guessed from column 0, column 1" in screen.file.getvalue()
    page = write_eda_page(facts, tmp_path).read_text(encoding="utf-8")
    assert '<tr class="use">' not in page.partition('id="guesses"')[2].partition("</section>")[0]
    assert [entry["telling"] for entry in facts.to_json()["guesses"]] == [False] * 4
    assert [entry["differs"] for entry in facts.to_json()["drift"]] == [False] * 2


def test_facts_of_before_say_the_same(drawn_facts: MakeFacts, tmp_path: Path) -> None:
    """What older facts.json files do not hold is found out when they are read, by the same rule."""
    value = drawn_facts().to_json()
    for entry in value["guesses"]:
        entry.pop("telling", None)
    for entry in value["drift"]:
        entry.pop("differs", None)
    write_json(tmp_path / FACTS_JSON, value)
    assert Facts.read(tmp_path) == drawn_facts().decided(Adjustments())
    assert [entry.telling for entry in Facts.read(tmp_path).guesses] == [False, True]
