"""`imgcls report` as a person meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from imgcls.records.find import find_runs


def test_the_last_ladder_becomes_a_page(imgcls, drawn_ladder) -> None:
    _, workspace = drawn_ladder()
    result = imgcls("report", "--out", workspace.root)
    assert (result.code, result.err) == (0, "")
    page = workspace.reports / "drawn.html"
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert str(page) in result.out
    assert "Error" not in result.out


def test_the_three_forms(imgcls, drawn_ladder, tmp_path) -> None:
    _, workspace = drawn_ladder()
    assert imgcls("report", "drawn", "--out", workspace.root, "--format", "markdown").code == 0
    assert (workspace.reports / "drawn.md").read_text(encoding="utf-8").startswith("# Which recipes help")
    file = tmp_path / "mine.json"
    result = imgcls("report", "drawn", "--out", workspace.root, "--to", file, "--no-images", "--json")
    said = json.loads(result.out)
    assert (said["path"], said["format"], said["withheld"], said["n_photographs"]) == (str(file), "json", True, 0)
    assert json.loads(file.read_text())["mistakes"] == []
    assert said["n_bytes"] == file.stat().st_size


def test_what_is_wrong_is_said(imgcls, drawn_ladder, tmp_path) -> None:
    _, workspace = drawn_ladder()
    unknown = imgcls("report", "draw-n", "--out", workspace.root)
    assert unknown.code == 2
    assert "There is no ladder 'draw-n'" in unknown.err
    among = imgcls("report", "--out", workspace.root, "--to", workspace.runs / "page.html")
    assert among.code == 2
    assert "among the records" in among.err
    assert imgcls("report", "--out", tmp_path / "empty").code == 2


def test_a_climb_becomes_a_page_and_an_unfinished_one_says_so(imgcls, drawn_climb) -> None:
    record, workspace = drawn_climb()
    result = imgcls("report", "--out", workspace.root)
    assert (result.code, result.err) == (0, "")
    page = (workspace.reports / "drawn.html").read_text(encoding="utf-8")
    assert "The stack for drawn" in page
    replace(record, is_complete=False, pair={}).write(workspace)
    result = imgcls("report", "drawn", "--out", workspace.root)
    assert result.code == 2
    assert "drawn is not finished" in result.err


def test_an_unfinished_ladder_says_how_to_go_on(imgcls, drawn_ladder) -> None:
    ladder, workspace = drawn_ladder(missing=frozenset({(4, 2)}))
    result = imgcls("report", "--out", workspace.root)
    assert f"imgcls ladder run {ladder.stack}" in result.out.replace("\n", "")
    assert "Not finished: 14 of 15 runs are done" in (workspace.reports / "drawn.html").read_text(encoding="utf-8")


def test_it_loads_no_deep_learning(drawn_ladder) -> None:
    _, workspace = drawn_ladder()
    code = (
        "import sys\n"
        "from imgcls.cli.app import _run\n"
        f"code = _run(['report', '--out', {str(workspace.root)!r}])\n"
        "print('LOADED', sorted({'torch', 'fastai', 'timm'} & set(sys.modules)), file=sys.stderr)\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "LOADED []" in done.stderr


def test_a_blend_becomes_a_page(imgcls, drawn_ladder) -> None:
    """Members with shares and scores, the verdict, every class and its mistakes, in three forms."""
    _, workspace = drawn_ladder("baseline+augmentation")
    blend = json.loads(imgcls("blend", "baseline", "--by", "greedy", "--out", workspace.root, "--json").out)
    result = imgcls("report", blend["id"], "--out", workspace.root)
    assert (result.code, result.err) == (0, "")
    html = (workspace.reports / f"{blend['id']}.html").read_text(encoding="utf-8")
    imgcls("report", blend["id"], "--format", "markdown", "--out", workspace.root)
    markdown = (workspace.reports / f"{blend['id']}.md").read_text(encoding="utf-8")
    for page in (html, markdown):
        for member in blend["members"]:
            assert member["runs"][0] in page
            assert f"{member['weight']:.2f}" in page
        assert blend["gain"]["verdict"] in page
        assert "dog" in page
    assert "The most confident mistakes" in html
    assert "What seeds disagree on" not in html
    withheld = workspace.root / "withheld.html"
    imgcls("report", blend["id"], "--no-images", "--to", withheld, "--out", workspace.root)
    assert ".png" in html
    assert ".png" not in withheld.read_text(encoding="utf-8")
    said = json.loads(imgcls("report", blend["id"], "--format", "json", "--json", "--out", workspace.root).out)
    told = json.loads((workspace.reports / f"{blend['id']}.json").read_text())
    assert (said["blend"], told["id"], len(told["per_class"])) == (blend["id"], blend["id"], 2)
    among = imgcls("report", blend["id"], "--to", workspace.blends / "page.html", "--out", workspace.root)
    assert among.code == 2
    assert "among the records" in among.err


def test_blends_of_the_networks_of_a_ladder_stand_on_its_page(imgcls, drawn_ladder) -> None:
    """With score and verdict, in every form; one with a network from elsewhere does not."""
    ladder, workspace = drawn_ladder("baseline+augmentation")
    for form in ("html", "md", "json"):
        assert imgcls("report", "drawn", "--to", workspace.root / f"before.{form}", "--out", workspace.root).code == 0
        assert "blend-mean" not in (workspace.root / f"before.{form}").read_text(encoding="utf-8")
    name = json.loads(imgcls("blend", "baseline", "--out", workspace.root, "--json").out)["id"]
    for form in ("html", "md", "json"):
        imgcls("report", "drawn", "--to", workspace.root / f"after.{form}", "--out", workspace.root)
        assert name in (workspace.root / f"after.{form}").read_text(encoding="utf-8")
    replace(ladder, jobs=tuple(job for job in ladder.jobs if (job.rung, job.seed) != (0, 2))).write(workspace)
    imgcls("report", "drawn", "--to", workspace.root / "other.html", "--out", workspace.root)
    assert "Blends of these networks" not in (workspace.root / "other.html").read_text(encoding="utf-8")


def test_a_run_becomes_a_page_and_a_ladder_of_that_name_comes_first(imgcls, drawn_ladder, tmp_path) -> None:
    ladder, workspace = drawn_ladder(n_images=60, n_seeds=2, skills=[0.4] * 5)
    run = next(run for run in find_runs(workspace)[0] if run.stack == "baseline")
    out = ("--out", workspace.root)
    found = json.loads(imgcls("report", run.id, *out, "--json").out)
    assert (found["run"], found["format"], found["withheld"]) == (run.id, "html", False)
    page = Path(found["path"]).read_text(encoding="utf-8")
    assert Path(found["path"]).name == f"{run.id}.html"
    assert "What is taken for what" in page
    withheld = json.loads(imgcls("report", run.id, "--no-images", "--to", tmp_path / "x.json", *out, "--json").out)
    assert withheld["withheld"]
    values = json.loads((tmp_path / "x.json").read_text())
    assert (values["id"], values["mistakes"], values["photographs"]) == (run.id, [], "withheld")
    assert imgcls("report", run.folder, "--to", tmp_path / "x.md", *out).code == 0
    assert f"`{run.id}`" in (tmp_path / "x.md").read_text()
    assert json.loads(imgcls("report", ladder.stack, *out, "--json").out)["ladder"] == ladder.name
    assert imgcls("report", "nothing", *out).code == 2


def test_the_page_of_a_ladder_leads_to_those_of_its_runs(imgcls, drawn_ladder) -> None:
    ladder, workspace = drawn_ladder(n_images=60, n_seeds=2, skills=[0.4] * 5)
    out = ("--out", workspace.root)
    page = workspace.reports / "drawn.html"
    imgcls("report", "drawn", *out)
    run = page.read_text(encoding="utf-8").split("<code>imgcls report ")[1].split("<")[0]
    imgcls("report", run, *out)
    of_run = (workspace.reports / f"{run}.html").read_text(encoding="utf-8")
    assert f"imgcls report {ladder.name}" in of_run
    imgcls("report", "drawn", *out)
    assert f'href="{run.replace("+", "%2B").replace("=", "%3D")}.html"' in page.read_text(encoding="utf-8")
