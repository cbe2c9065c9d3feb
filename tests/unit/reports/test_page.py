"""The page in its three forms: whole, harmless, and honest in its words."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from imgcls.config.metrics import Units
from imgcls.data.source import DataSource
from imgcls.errors import UsageError, WorkspaceError
from imgcls.evidence.reliability import ReliabilityCurve
from imgcls.ladders.predictions import Predictions
from imgcls.ladders.report_data import ReportData, gather
from imgcls.ladders.results import ViewChange
from imgcls.ladders.spec import Ladder
from imgcls.ladders.views import ViewsQuestion, judge_views
from imgcls.records.find import find_runs
from imgcls.reports.ladder import LadderView
from imgcls.reports.page.figures import reliability_figure, write_picture
from imgcls.reports.page.render import (
    code_span,
    escape_markdown,
    form_of,
    html_page,
    markdown_page,
    page_json,
    place_of,
    write_page,
)
from imgcls.reports.verdict_text import minutes
from imgcls.storage import write_json
from imgcls.workspace import Workspace

Draw = Callable[..., tuple[Ladder, Workspace]]


HOSTILE = (
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(2)>",
    '"><b onmouseover="alert(3)">',
    "{{ 7 * 7 }}",
    "$x^2$ \u202eevil\x1b[2J :smile:",
    "=cmd()|`x` *b* _i_",
    "é" * 127,
    "שלום 🐈",
)


_VOID = {"meta", "img", "br"}


class Outline(HTMLParser):
    """The elements of a page, with a look at whether they are closed as they were opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(page: str) -> Outline:
    found = Outline()
    found.feed(page)
    assert found.open == []
    return found


@pytest.fixture
def data(drawn_ladder: Draw) -> ReportData:
    return gather(*drawn_ladder(failed=frozenset({(1, 2)})))


@pytest.mark.parametrize("kind", ["climb", "ablate"])
@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "roc_auc"])
@pytest.mark.parametrize("n_seeds", [1, 3])
def test_every_ladder_has_its_pages(drawn_ladder: Draw, kind: str, metric: str, n_seeds: int) -> None:
    found = gather(*drawn_ladder(kind=kind, metric=metric, n_seeds=n_seeds, n_images=100))
    page, text = html_page(found), markdown_page(found)
    levels = [int(tag[1]) for tag, _ in outline(page).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for form in (page, text):
        assert "no improvement" not in form.lower()
        assert "likely worse" not in form.lower()
        assert not re.search(r"\bnan\b", form)
    json.dumps(page_json(found), allow_nan=False)


def test_names_are_inert(drawn_ladder: Draw) -> None:
    ladder, workspace = drawn_ladder(classes=HOSTILE, n_images=64, skills=[0.1] * 5)
    ladder = replace(ladder, data_name=HOSTILE[0], notes=(HOSTILE[1],)).write(workspace)
    page = html_page(gather(ladder, workspace))
    plain = html_page(gather(*drawn_ladder_again(ladder, workspace)))
    allowed = {"html", "head", "meta", "title", "style", "body", "script", "svg", "img"}
    tags = outline(page).tags
    assert [tag for tag, _ in tags].count("script") == 1
    assert {tag for tag, _ in tags if tag in allowed} == {tag for tag, _ in outline(plain).tags if tag in allowed}
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "{{ 7 * 7 }}" in page


def drawn_ladder_again(ladder: Ladder, workspace: Workspace) -> tuple[Ladder, Workspace]:
    return replace(ladder, data_name="plain", notes=()), workspace


def test_the_policy_allows_what_the_page_holds_and_nothing_else(data: ReportData) -> None:
    page = html_page(data)
    (policy,) = (
        attributes["content"]
        for tag, attributes in outline(page).tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (inner,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    attributes = [name for _, known in outline(page).tags for name in known]
    assert "style" not in attributes
    addresses = [value for _, known in outline(page).tags for name, value in known.items() if name in ("src", "href")]
    assert [address for address in addresses if address and not address.startswith(("data:", "#"))] == []


def test_figures_keep_text_as_text_and_ids_apart(data: ReportData) -> None:
    page = html_page(data)
    tags = outline(page).tags
    ids = [known["id"] for _, known in tags if "id" in known]
    assert len(ids) == len(set(ids))
    drawings = [known for tag, known in tags if tag == "svg"]
    assert len(drawings) == 2 + 4 + 1
    assert all(known["role"] == "img" and known["aria-label"] for known in drawings)
    assert re.search(r"<text[^>]*>1  augmentation</text>", page)
    references = {value[1:] for _, known in tags for name, value in known.items() if name == "xlink:href" and value}
    assert references <= set(ids)


def test_no_images_means_no_names(drawn_ladder: Draw) -> None:
    ids = [f"patient{number:05d}.png" for number in range(60)]
    ladder, workspace = drawn_ladder(ids=ids, n_images=60, skills=[0.1] * 5)
    shown = html_page(gather(ladder, workspace))
    assert "patient" in shown
    hidden = gather(ladder, workspace, with_images=False)
    for text in (html_page(hidden), markdown_page(hidden), json.dumps(page_json(hidden))):
        assert "patient" not in text
        assert "data:image" not in text
        assert "dog" in text


def test_the_same_records_give_the_same_page(drawn_ladder: Draw) -> None:
    ladder, workspace = drawn_ladder()
    pages = [html_page(gather(ladder, workspace)) for _ in range(2)]
    assert pages[0] == pages[1]


def test_a_page_of_many_classes_stays_small(drawn_ladder: Draw) -> None:
    found = gather(*drawn_ladder(classes=tuple(f"class {n}" for n in range(200)), n_images=400))
    assert len(html_page(found).encode()) < 3_000_000


@pytest.mark.parametrize("text", ["| a |", "`x`", "``", "a\nb", "\x1b[2J"])
def test_code_in_markdown_cannot_be_left(text: str) -> None:
    span = code_span(text)
    fence = re.match("`+", span)
    assert fence is not None
    assert "\n" not in span
    assert "|" not in span
    assert fence.group() not in span[len(fence.group()) : -len(fence.group())]


def test_markdown_is_escaped() -> None:
    assert escape_markdown("<b>*a*_b_|[c](d)") == r"\<b\>\*a\*\_b\_\|\[c\](d)"


def test_numbers_are_written_as_people_read_them() -> None:
    points, nats = Units("accuracy"), Units("log_loss")
    assert points.gain_text(0.0234, 0.004, 0.041) == "+2.3 points [+0.4, +4.1]"
    assert points.gain_text(-0.0234, None, None, with_metric=True) == "-2.3 points of accuracy"
    assert nats.gain_text(0.0234, None, None) == "+0.023 nats"
    assert points.amount(0.018) == "1.8 points"
    assert points.spread(0.0038) == "0.4 points"
    assert [Units(metric).score(0.8451) for metric in ("accuracy", "roc_auc", "log_loss")] == ["0.845"] * 3
    assert points.score_interval(0.8123, 0.8712) == "[0.812, 0.871]"
    assert [minutes(value) for value in (None, 2.0, 3.0, 90.0, 0.0)] == ["-", "<0.1", "0.1", "1.5", "0.0"]


def test_the_form_follows_the_file() -> None:
    assert form_of(None, None) == "html"
    assert form_of(Path("a.md"), None) == "markdown"
    assert form_of(Path("a.md"), "json") == "json"
    with pytest.raises(UsageError, match=r"has to end in \.html"):
        form_of(Path("photo.jpg"), None)


def test_a_page_never_lies_among_photographs_or_records(drawn_ladder: Draw, photo_folder: Path) -> None:
    ladder, workspace = drawn_ladder()
    found = gather(replace(ladder, data=DataSource(str(photo_folder))), workspace)
    assert place_of(found, workspace, "html") == workspace.reports / "drawn.html"
    for folder in (photo_folder, photo_folder / "left", workspace.runs, workspace.ladders / "drawn"):
        with pytest.raises(WorkspaceError, match="lies among the"):
            place_of(found, workspace, "html", file=folder / "page.html")


def test_what_is_written_is_the_whole_page(data: ReportData, tmp_path: Path) -> None:
    file = tmp_path / "new" / "page.html"
    n_bytes = write_page(data, file, "html")
    assert file.read_text(encoding="utf-8") == html_page(data)
    assert file.stat().st_size == n_bytes
    assert [path.name for path in file.parent.iterdir()] == ["page.html"]


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "roc_auc"])
def test_terminal_page_and_markdown_show_the_same_numbers(drawn_ladder: Draw, metric: str) -> None:
    """One scale: 0.845 is not 84.5 elsewhere, and a gain has the same digits wherever it is read."""
    found = gather(*drawn_ladder(metric=metric))
    screen = Console(file=StringIO(), width=140, color_system=None)
    screen.print(LadderView(found.result))
    texts = screen.file.getvalue(), html_page(found), markdown_page(found)
    for rung in found.result.rungs:
        assert rung.score is not None
        assert rung.score.value is not None
        assert all(f"{rung.score.value:.3f}" in text for text in texts)
        if rung.step is not None:
            scale = 1 if metric == "log_loss" else 100
            gain = f"{scale * rung.step.value:+.{3 if metric == 'log_loss' else 1}f}"
            assert all(gain in text for text in texts)


@pytest.mark.parametrize("drawing", [{}, {"metric": "log_loss"}, {"n_folds": 5, "n_images": 40, "n_seeds": 1}], ids=str)
def test_a_climb_has_its_pages(drawn_climb: Callable[..., Any], drawing: dict[str, Any]) -> None:
    record, workspace = drawn_climb(outcome=HOSTILE[1], **drawing)
    found = gather(record.as_ladder, workspace, search=record)
    page, text = html_page(found), markdown_page(found)
    tags = outline(page).tags
    assert [tag for tag, _ in tags].count("script") == 1
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    for form in (page, text):
        assert "imgcls ladder climb baseline --budget 1800s" in form
        assert Units(record.metric).score(record.score.value) in form
        assert "no time for it" in form
        assert "rung by rung" not in form  # a ladder's verdict would claim what chose it
        assert "predictions that did not choose" in form
        assert not re.search(r"\bnan\b", form)
    for one in record.tried:
        assert record.short(one.stack) in page
        assert record.short(one.stack) in text
    told = page_json(found)
    assert told["search"]["chosen"] == record.chosen
    assert not {"data", "pair"} & set(told["search"])
    assert all(rung["step"] is rung["total"] is None for rung in told["rungs"])
    assert told["incumbent"] == record.chosen


def test_a_page_of_a_climb_withholds_names(drawn_climb: Callable[..., Any]) -> None:
    record, workspace = drawn_climb(outcome="failed: 00003.png cannot be read")
    kept = html_page(gather(record.as_ladder, workspace, search=record))
    assert "00003.png cannot be read" in kept
    hidden = gather(record.as_ladder, workspace, search=record, with_images=False)
    for form in (html_page(hidden), markdown_page(hidden), json.dumps(page_json(hidden))):
        assert "00003.png" not in form


def test_the_mean_of_the_seeds_stands_on_both_pages_where_it_was_asked_for(drawn_ladder) -> None:
    """And nowhere else."""
    ladder, workspace = drawn_ladder("baseline+augmentation", skills=[0.5, 1.5])
    without = gather(ladder, workspace)
    asked = gather(replace(ladder, ensemble=True), workspace)
    for page in (html_page, markdown_page):
        assert "The mean of 3 networks of baseline+augmentation scores" not in page(without).replace("\\", "")
        assert "The mean of 3 networks of baseline+augmentation scores" in page(asked).replace("\\", "")


@pytest.mark.parametrize("drawing", [{}, {"n_folds": 5, "n_images": 40}, {"n_groups": 12}])
def test_the_page_shows_calibration_before_and_after(drawn_ladder: Draw, drawing: dict[str, Any]) -> None:
    """Of the rungs that differ in it, whatever is to be used; else of the shown rung alone."""
    ladder, workspace = drawn_ladder("baseline+augmentation+temperature", skills=[2.0, 1.0, 1.0], **drawing)
    found = gather(ladder, workspace)
    titles = ["baseline+augmentation", "baseline+augmentation+temperature"]
    assert [curve.title for curve in found.reliability] == titles
    n_images = drawing.get("n_images", 240) * (drawing.get("n_folds") or 1)
    assert {sum(one.n for one in curve.bins) for curve in found.reliability} == {3 * n_images}
    page = html_page(found)
    assert "uncalibrated" in page
    assert f"calibration error {found.reliability[1].error.value:.2f}" in page
    only = replace(ladder, rungs=ladder.rungs[:2], jobs=tuple(job for job in ladder.jobs if job.rung < 2))
    assert [curve.title for curve in gather(only, workspace).reliability] == ["baseline"]


def test_a_diagram_goes_into_a_file(tmp_path: Path) -> None:
    """SVG or PNG by its ending; no other."""
    labels = np.arange(40) % 2
    curve = ReliabilityCurve.of("<b>", np.eye(2)[labels] * 0.6 + 0.2, labels, problem="binary")
    for ending, begin in ((".svg", b"<?xml"), (".png", b"\x89PNG")):
        write_picture(reliability_figure([curve]), tmp_path / "new" / f"a{ending}")
        assert (tmp_path / "new" / f"a{ending}").read_bytes().startswith(begin)
    with pytest.raises(UsageError, match=r"has to end in \.svg or \.png"):
        write_picture(reliability_figure([curve]), tmp_path / "a.pdf")


def test_more_views_stand_on_the_page_of_their_ladder(drawn_ladder: Draw) -> None:
    """With the claim and the photographs, which are withheld with all others; not on that of another ladder."""
    ladder, workspace = drawn_ladder("baseline+augmentation")
    run = next(run for run in find_runs(workspace)[0] if run.stack == "baseline")
    change = ViewChange("00007.png", "cat", "dog", "cat")
    values = np.random.default_rng(0).dirichlet((1, 1), (3, 60))
    board = Predictions(
        ids=tuple(f"{number:05d}.png" for number in range(60)),
        labels=("cat", "dog") * 30,
        targets=np.arange(60) % 2,
        groups=None,
        probabilities={str(number + 1): one for number, one in enumerate(values)},
        notes=(),
        problem="binary",
    )
    found = judge_views(run, board, ViewsQuestion("flips", 3, "accuracy"))
    folder = workspace.reports / "views"
    folder.mkdir(parents=True)
    write_json(folder / "a.json", replace(found, fixed=(change,), broken=()).to_json())
    data = gather(ladder, workspace)
    for page in (html_page(data), markdown_page(data)):
        assert "As many views as four fifths choose" in page
    assert "00007.png" in html_page(data)
    withheld = gather(ladder, workspace, with_images=False)
    assert "Averaging all views fixes 1 photograph." in html_page(withheld)
    for text in (html_page(withheld), markdown_page(withheld), json.dumps(page_json(withheld))):
        assert "00007.png" not in text
    others = replace(ladder, jobs=tuple(job for job in ladder.jobs if (job.rung, job.seed) != (0, run.seed)))
    assert gather(others, workspace).views == ()
