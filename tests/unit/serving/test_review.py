"""A review: what is asked first, that every word is on the disk, and that nobody else can say one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from imgcls.config.review import Reviewed, append_reviewed, latest, read_reviewed
from imgcls.errors import BusyError, DataError, UsageError
from imgcls.evidence.validated import Validated
from imgcls.serving.local import Address, LocalOnly
from imgcls.serving.review import Review, review, review_app
from imgcls.workspace import Workspace
from tests.conftest import draw_folder

testclient = pytest.importorskip("starlette.testclient", reason="the package starlette is not installed")


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    """Return a workspace about drawn cats and dogs."""
    draw_folder(tmp_path / "pets", {"cat": 6, "<b>dog": 6})
    (tmp_path / "imgcls.toml").write_text(f'schema = 1\n[data]\nsource = "{tmp_path / "pets"}"\n')
    return Workspace(tmp_path)


@pytest.fixture
def held(place: Workspace) -> Iterator[Review]:
    """Return a review of all photographs, begun."""
    found = review(None, place)
    found.open()
    yield found
    found.close()


def run_over(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a run that takes the first two dogs for cats, the second with more confidence."""
    ids = sorted(str(path.relative_to(place.root / "pets")) for path in (place.root / "pets").rglob("*.*"))
    labels = tuple(Path(name).parent.name for name in ids)
    cat = np.array([0.9 if label == "cat" else 0.2 for label in labels])
    dogs = [row for row, label in enumerate(labels) if label != "cat"]
    cat[dogs[0]], cat[dogs[1]] = 0.8, 0.95
    images = Validated(
        ids=tuple(ids),
        labels=labels,
        probabilities=np.stack([1 - cat, cat], axis=1),
        targets=np.array([int(label == "cat") for label in labels]),
        groups=None,
        folds=None,
        problem="binary",
        classes=("<b>dog", "cat"),
    )
    monkeypatch.setattr(Validated, "of", lambda run: images)
    return SimpleNamespace(id="run-1")


def test_without_a_run_everything_is_asked_and_with_one_its_mistakes_first(
    place: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(review(None, place).questions) == 12
    found = review(run_over(place, monkeypatch), place)
    first, second, third, *_ = found.questions
    assert (first.image, second.image) == ("<b>dog/001.png", "<b>dog/000.jpg")
    assert (first.answer, first.confidence, third.why) == ("cat", 0.95, "the run is not certain")
    assert len({one.image for one in found.questions}) == len(found.questions)
    only = review(run_over(place, monkeypatch), place, of_class="cat", every=True)
    assert len(only.questions) == 8
    with pytest.raises(UsageError, match=r"'cta'.*'cat'"):
        review(None, place, of_class="cta")


def test_what_was_decided_is_not_asked_again_unless_all_are(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from imgcls.eda.review import apply_review

    run = run_over(place, monkeypatch)
    before = review(run, place).questions
    append_reviewed(place.root / "one.csv", Reviewed(before[0].image, before[0].label, "keep"))
    apply_review([place.root / "one.csv"], place)
    assert before[0].image not in {one.image for one in review(run, place).questions}
    assert review(run, place, every=True).questions[0].image == before[0].image


def test_every_word_is_in_the_file_and_undo_takes_back_the_last(held: Review, place: Workspace) -> None:
    held.decide(0, "keep")
    held.decide(1, "relabel", "cat")
    held.decide(0, "exclude")
    assert [row.decision for row in latest(read_reviewed(held.file))] == ["exclude", "relabel"]
    assert held.undo() == held.questions[0].image
    assert held.said[held.questions[0].image].decision == "keep"
    assert held.undo() == held.questions[1].image
    assert held.undo() == held.questions[0].image
    assert held.undo() is None
    assert latest(read_reviewed(held.file)) == ()
    held.decide(2, "unsure")
    held.close()
    again = review(None, place)
    again.open()
    assert {image: row.decision for image, row in again.said.items()} == {held.questions[2].image: "unsure"}
    assert again.undo() == held.questions[2].image
    again.close()


def test_undo_leaves_what_is_not_asked_about_now(held: Review, place: Workspace) -> None:
    dog = next(number for number, one in enumerate(held.questions) if one.label != "cat")
    held.decide(dog, "exclude")
    held.close()
    cats = review(None, place, of_class="cat")
    cats.open()
    assert cats.undo() is None
    cats.decide(0, "keep")
    assert cats.undo() == cats.questions[0].image
    cats.close()
    assert [row.decision for row in latest(read_reviewed(held.file))] == ["exclude"]


def test_a_file_that_cannot_be_read_is_not_held(place: Workspace) -> None:
    found = review(None, place)
    found.file.parent.mkdir()
    found.file.write_text("image;decision\n")
    with pytest.raises(DataError, match="--to"):
        found.open()
    found.file.unlink()
    again = review(None, place)
    again.open()
    again.close()


def test_two_people_do_not_share_a_file_but_may_have_had_one(held: Review, place: Workspace) -> None:
    code = (
        "from pathlib import Path; from imgcls.serving.review import review; from imgcls.workspace import Workspace; "
        f"review(None, Workspace(Path({str(place.root)!r}))).open()"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "BusyError" in other.stderr
    assert "--to NAME.csv" in other.stderr
    held.decide(0, "keep")
    held.close()
    ann = replace(held, by="ann", _said={}, _order=[])
    ann.open()
    assert ann.said == {}
    ann.decide(0, "exclude")
    ann.close()
    assert [(row.by, row.decision) for row in latest(read_reviewed(held.file))] == [("", "keep"), ("ann", "exclude")]


def test_the_page_asks_and_nothing_but_a_decision_is_taken(held: Review) -> None:
    client = testclient.TestClient(review_app(held))
    page = client.get("/")
    assert "<b>dog" not in page.text.split('id="given">')[1]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert client.get("/photo/0").headers["content-type"] == "image/jpeg"
    assert client.get("/photo/12").status_code == 404
    held.paths[held.questions[1].image].unlink()
    assert client.get("/photo/1").status_code == 410
    said = client.post("/decide", json={"number": 0, "decision": "relabel", "new_label": "cat"}).json()["said"]
    assert said == {"0": ["relabel", "cat"]}
    for wrong in (
        b"",
        b"[]",
        b"{}",
        b"[" * 10_000,
        b'{"number": 1e999, "decision": "keep"}',
        b'{"number": 99, "decision": "keep"}',
        b'{"number": 0, "decision": "yes"}',
    ):
        assert client.post("/decide", content=wrong).status_code == 400
    assert client.post("/decide", json={"number": 0, "decision": "relabel", "new_label": "cow"}).status_code == 400
    assert client.post("/decide", content=b"x" * 30_000).status_code == 413
    assert len(read_reviewed(held.file)) == 1
    assert client.post("/undo").json() == {"said": {}, "number": 0}
    assert client.post("/undo").json()["number"] is None


def test_a_disk_that_takes_nothing_is_told_and_the_photograph_stays(
    held: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imgcls.errors import WorkspaceError
    from imgcls.serving import review as served

    def full(path: Path, row: Reviewed) -> None:
        raise WorkspaceError("Disk full")

    client = testclient.TestClient(review_app(held))
    monkeypatch.setattr(served, "append_reviewed", full)
    answer = client.post("/decide", json={"number": 0, "decision": "keep"})
    assert (answer.status_code, answer.json()["problem"]) == (507, "Disk full")
    assert held.said == {}


def test_only_the_page_that_was_given_out_is_answered(held: Review) -> None:
    address = Address.at(0)
    app = LocalOnly(review_app(held), address)
    client = testclient.TestClient(app, base_url=f"http://127.0.0.1:{address.port}")
    there = f"/{address.token}/state"
    assert client.get(there).status_code == 200
    assert client.get(there).headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in client.get(there).headers
    assert client.get("/state").status_code == 403
    assert client.get("/wrong/state").status_code == 403
    assert client.get("/%C3%A9/state").status_code == 403
    for headers in (
        {"host": "evil.example"},
        {"host": f"evil.example:{address.port}"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ):
        assert client.post(f"/{address.token}/undo", headers=headers).status_code == 403, headers
    with pytest.raises(BusyError, match="--port"):
        Address.at(address.port)
    address.listening.close()


@pytest.mark.slow
@pytest.mark.fault
def test_killed_at_any_time_nothing_is_lost_and_nothing_is_there_twice(place: Workspace) -> None:
    check_kills(place, n=20)


def test_killed_once_nothing_is_lost(place: Workspace) -> None:
    check_kills(place, n=1)


def check_kills(place: Workspace, *, n: int) -> None:
    """Decide, kill -9 right after the answer, begin again; what was answered is there."""
    expected: dict[str, str] = {}
    draws = np.random.default_rng(n)
    for _ in range(n):
        with started(place) as (url, process):
            for _ in range(int(draws.integers(1, 4))):
                number = int(draws.integers(12))
                what = str(draws.choice(["keep", "exclude", "unsure"]))
                body = f'{{"number": {number}, "decision": "{what}"}}'.encode()
                with urllib.request.urlopen(urllib.request.Request(f"{url}decide", data=body)) as answer:
                    assert answer.status == 200
                expected[str(number)] = what
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    with started(place) as (url, process):
        with urllib.request.urlopen(f"{url}state") as answer:
            said = json.loads(answer.read())["said"]
        assert {number: what for number, (what, _) in said.items()} == expected
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0


class started:  # noqa: N801 - reads as what it gives
    """A review in a process of its own."""

    def __init__(self, place: Workspace) -> None:
        self.place = place

    def __enter__(self) -> tuple[str, subprocess.Popen[str]]:
        command = [sys.executable, "-m", "imgcls", "review", "--json", "--out", str(self.place.root)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())["url"], self.process

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
